//! `ledger check` and `ledger backup`: the ledger as a file.

use super::output::Output;
use crate::control::End;
use crate::ledger::{Checked, Ledger};
use std::path::PathBuf;

/// Looks it over; what is wrong is a failure.
pub async fn check(ledger: &Ledger, output: Output) -> anyhow::Result<End> {
    let found = ledger.check_all().await?;
    output.value(&found, || found.iter().map(in_words).collect());
    let sound = found.iter().all(|checked| checked.wrong.is_empty());
    Ok(if sound { End::Done } else { End::Failed })
}

fn in_words(checked: &Checked) -> String {
    if checked.wrong.is_empty() {
        return format!("sound: {}\n", checked.what);
    }
    format!("WRONG: {}\n  {}\n", checked.what, checked.wrong.join("\n  "))
}

/// Copies it.
pub async fn backup(ledger: &Ledger, file: PathBuf, output: Output) -> anyhow::Result<()> {
    let made = ledger.backup(file).await?;
    output.value(&made, || {
        format!(
            "copied into {} ({} bytes). It holds names, numbers and calls: keep it as closed as the ledger. Put in the \
             ledger's place it comes up paused, until `dialbridge takeover`",
            made.file.display(),
            made.bytes
        )
    });
    Ok(())
}
