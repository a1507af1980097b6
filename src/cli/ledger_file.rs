//! `ledger check`, `ledger verify` and `ledger backup`: the ledger as a file.

use super::output::Output;
use crate::control::End;
use crate::ledger::{Checked, Ledger, TrailProof};
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

/// Proves the trail of changes unbroken; where it is not, that is a failure.
pub async fn verify(ledger: &Ledger, output: Output) -> anyhow::Result<End> {
    let proof = ledger.trail_verify().await?;
    output.value(&proof, || proven(&proof));
    Ok(if proof.broken.is_none() { End::Done } else { End::Failed })
}

fn proven(proof: &TrailProof) -> String {
    if let Some(broken) = &proof.broken {
        return format!(
            "BROKEN at change {}: {}.\nThe {} rows before it are proven. Keep a copy of the ledger as it is, and compare it with \
             the newest backup that `ledger verify` proves (`SELECT * FROM v_changes WHERE change >= {}`).",
            broken.change, broken.why, proof.rows, broken.change
        );
    }
    let (Some(change), Some(chain)) = (proof.change, &proof.chain) else {
        return "Nothing was changed yet: the trail is empty.".to_owned();
    };
    let outside = match proof.heads {
        0 => "No end of it was told outside the ledger yet (that is done nightly, in the file .trail beside it and in the \
              log): nothing proves that its newest rows were not taken away."
            .to_owned(),
        heads => format!("It has all {heads} ends told outside the ledger on earlier days (the file .trail beside it)."),
    };
    format!(
        "The trail is unbroken: {} changes, {} values erased. {outside}{}\nIt ends at change {change}, {chain}",
        proof.rows,
        proof.erased,
        before_takeovers(proof)
    )
}

fn before_takeovers(proof: &TrailProof) -> String {
    let (told, held) = (proof.earlier, proof.earlier_held);
    match told - held {
        0 if told == 0 => String::new(),
        0 => format!(" It has all {told} ends told before a takeover, too."),
        gone => format!(
            " Of {told} ends told before a takeover it has {held}; {gone} are of rows that it does not have, as where a backup \
             took the ledger's place: compare the dates in the file .trail with the takeover's."
        ),
    }
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
