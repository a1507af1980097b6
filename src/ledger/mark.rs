//! The file beside the ledger that says how far it had come: an older copy put in its place does not know that.

use crate::domain::identity::{Mark, MarkSeen};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
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

/// Replaces it whole, and not before it is on disk. It belongs to whom the ledger belongs: what root leaves behind
/// must not be out of the service's reach.
pub(super) fn write(ledger: &Path, mark: &Mark) -> io::Result<()> {
    let path = beside(ledger);
    let mut next = path.as_os_str().to_owned();
    next.push(".new");
    let mut options = OpenOptions::new();
    let mut file = options.create(true).truncate(true).write(true).mode(0o640).open(&next)?;
    file.write_all(serde_json::to_string(mark)?.as_bytes())?;
    give_to_owner(&file, &path, ledger)?;
    file.sync_all()?;
    std::fs::rename(&next, &path)?;
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// What stands beside a ledger belongs to whom the ledger belongs; where it cannot be given, that is said.
pub(super) fn give_to_owner(file: &File, path: &Path, ledger: &Path) -> io::Result<()> {
    let owner = std::fs::metadata(ledger)?;
    let mine = file.metadata()?;
    if (mine.uid(), mine.gid()) != (owner.uid(), owner.gid())
        && let Err(error) = fchown(file, Some(owner.uid()), Some(owner.gid()))
    {
        tracing::warn!(%error, file = %path.display(), "it could not be given to the ledger's owner, who may not read it");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn it_is_read_as_written_belongs_to_the_ledgers_owner_and_half_of_it_is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = folder.path().join("ledger.sqlite");
        std::fs::write(&ledger, "").expect("a ledger");
        // Only root can do so; as anybody else the owner is the same anyway.
        let given = std::os::unix::fs::chown(&ledger, Some(65_534), None);
        assert_eq!(read(&ledger), MarkSeen::Missing);
        let mark = Mark { instance: "i".to_owned(), generation: 3, commits: 17 };
        write(&ledger, &mark).expect("written");
        assert_eq!(read(&ledger), MarkSeen::Seen(mark));
        let (file, owner) = (std::fs::metadata(beside(&ledger)), std::fs::metadata(&ledger));
        let (file, owner) = (file.expect("a file"), owner.expect("a ledger"));
        assert_eq!((file.uid(), file.gid()), (owner.uid(), owner.gid()), "{given:?}");
        assert_eq!(file.permissions().mode() & 0o007, 0, "others may not read it");
        std::fs::write(beside(&ledger), "{\"instance\":\"i\",\"gen").expect("cut");
        assert_eq!(read(&ledger), MarkSeen::Missing);
    }
}
