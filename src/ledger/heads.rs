//! The file beside the ledger in which the end of the trail is told once a day, one line each. A trail proves nothing by
//! itself about its newest rows; copied elsewhere (the daily line also goes to the log), these lines do.

use super::mark;
use crate::domain::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The end of the trail at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// When it was told.
    pub at: Timestamp,
    /// The ledger's generation: what was told before a backup was put in its place need not hold any more.
    pub generation: i64,
    /// The last row.
    pub change: i64,
    /// Its digest.
    pub chain: String,
}

fn beside(ledger: &Path) -> PathBuf {
    let mut name = ledger.as_os_str().to_owned();
    name.push(".trail");
    PathBuf::from(name)
}

/// A digest for people.
pub(super) fn hex(digest: &[u8]) -> String {
    digest.iter().fold(String::new(), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

/// What was told, of whatever generation. No file: nothing; a line that was cut while it was written says nothing.
pub(super) fn read(ledger: &Path) -> io::Result<Vec<Head>> {
    let text = match std::fs::read_to_string(beside(ledger)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

/// Adds a line, unless the last one of its generation says the same.
pub(super) fn add(ledger: &Path, head: Head) -> io::Result<Option<Head>> {
    let told = read(ledger)?;
    let last = told.iter().rev().find(|last| last.generation == head.generation);
    if last.is_some_and(|last| last.change == head.change) {
        return Ok(None);
    }
    let path = beside(ledger);
    let mut file = OpenOptions::new().create(true).append(true).mode(0o640).open(&path)?;
    // By itself on its line, also behind one that was cut.
    let cut = std::fs::read(&path)?.last().is_some_and(|last| *last != b'\n');
    let line = format!("{}{}\n", if cut { "\n" } else { "" }, serde_json::to_string(&head)?);
    file.write_all(line.as_bytes())?;
    mark::give_to_owner(&file, &path, ledger)?;
    file.sync_all()?;
    Ok(Some(head))
}
