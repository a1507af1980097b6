//! The file beside the ledger that says how far it had come: an older copy put in its place does not know that.

use crate::domain::identity::{Mark, MarkSeen};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

fn beside(ledger: &Path) -> PathBuf {
    let mut name = ledger.as_os_str().to_owned();
    name.push(".generation");
    PathBuf::from(name)
}

/// What stands there; what cannot be read counts as missing.
pub(super) fn read(ledger: &Path) -> MarkSeen {
    let text = std::fs::read_to_string(beside(ledger)).ok();
    match text.and_then(|text| serde_json::from_str(&text).ok()) {
        Some(mark) => MarkSeen::Seen(mark),
        None => MarkSeen::Missing,
    }
}

/// Replaces it whole, and not before it is on disk.
pub(super) fn write(ledger: &Path, mark: &Mark) -> io::Result<()> {
    let path = beside(ledger);
    let mut next = path.as_os_str().to_owned();
    next.push(".new");
    let mut options = OpenOptions::new();
    let mut file = options.create(true).truncate(true).write(true).mode(0o640).open(&next)?;
    file.write_all(serde_json::to_string(mark)?.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&next, &path)?;
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
