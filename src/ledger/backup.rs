//! A copy of the whole ledger for keeping: made beside a running daemon, looked over, and marked, so that it comes up
//! paused where it is put in the ledger's place.

use super::interrupt::{Handles, until_shutdown};
use super::sql::time;
use super::{Ledger, LedgerError};
use crate::domain::Timestamp;
use crate::env::Env;
use rusqlite::{Connection, OpenFlags};
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// A backup that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BackupMade {
    /// The file.
    pub file: PathBuf,
    /// Its generation: one above the ledger's.
    pub generation: i64,
    /// Its size.
    pub bytes: u64,
    /// When.
    pub at: Timestamp,
}

/// Why no backup was made; nothing is left behind.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is such a file.
    #[error("{0} exists already; name a new file")]
    Exists(PathBuf),
    /// It could not be written.
    #[error("no backup was made in {file}: {detail}; check the folder, its owner and the free space")]
    Failed {
        /// The file.
        file: PathBuf,
        /// What the system said.
        detail: String,
    },
    /// The ledger's own file cannot be read any more.
    #[error("no backup was made: the ledger is damaged ({0}); move it aside and restore the newest backup")]
    Unreadable(String),
    /// What was copied is not sound.
    #[error(
        "no backup was made: the copy is damaged ({0}), so the ledger may be; look with `dialbridge ledger check`"
    )]
    Damaged(String),
}

impl Ledger {
    /// Copies the ledger as it stands at one moment into a new file, which only its owner and group can read.
    ///
    /// # Errors
    /// The file exists, cannot be written, or the copy is damaged.
    pub async fn backup(&self, file: PathBuf) -> Result<BackupMade, BackupError> {
        let (from, at) = (self.path().to_owned(), self.env.now());
        let asked = file.clone();
        let failed = |detail: String| BackupError::Failed { file: asked.clone(), detail };
        let made = until_shutdown(&self.env, move |handles| make(&from, &file, at, &handles)).await;
        made.ok_or_else(|| failed("the copying broke off".to_owned()))?
    }
}

impl Ledger {
    /// A copy to try things on, in a folder of the caller's: whatever happens to it, this ledger stays as it is. Where
    /// there is no ledger yet, an empty one.
    ///
    /// # Errors
    /// It cannot be copied or opened.
    pub async fn try_out(from: &Path, folder: &Path, env: Env) -> Result<Self, BackupError> {
        let file = folder.join("copy.sqlite");
        let failed = |detail: String| BackupError::Failed { file: file.clone(), detail };
        if from.exists() {
            let ledger =
                Self::open_read_only(from, env.clone()).await.map_err(|error| failed(error.to_string()))?;
            ledger.backup(file.clone()).await?;
        }
        Self::open_simulated(&file, env).await.map_err(|error| failed(error.to_string()))
    }
}

fn make(from: &Path, file: &Path, at: Timestamp, handles: &Handles) -> Result<BackupMade, BackupError> {
    if file.exists() {
        return Err(BackupError::Exists(file.to_owned()));
    }
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let made = copy(from, &part, at, handles).and_then(|generation| {
        let failed = |error: std::io::Error| failed(file, &error);
        let bytes = std::fs::metadata(&part).map_err(failed)?.len();
        std::fs::rename(&part, file).map_err(failed)?;
        Ok(BackupMade { file: file.to_owned(), generation, bytes, at })
    });
    if made.is_err() {
        // Half a copy is none; where it was never begun there is nothing to remove.
        let _nothing_there = std::fs::remove_file(&part);
    }
    made
}

fn failed(file: &Path, error: &dyn std::fmt::Display) -> BackupError {
    BackupError::Failed { file: file.to_owned(), detail: error.to_string() }
}

/// The copy, with everything that is on disk when this returns; answers its generation.
fn copy(from: &Path, part: &Path, at: Timestamp, handles: &Handles) -> Result<i64, BackupError> {
    let by_system = |error: std::io::Error| failed(part, &error);
    let by_sqlite = |error: rusqlite::Error| match LedgerError::sort("backup", &error) {
        LedgerError::Damaged(detail) => BackupError::Unreadable(detail),
        _ => failed(part, &error),
    };
    // Before anything personal is in it.
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true).mode(0o640).open(part).map_err(by_system)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let source = Connection::open_with_flags(from, flags).map_err(by_sqlite)?;
    let _nobody_waits = handles.send(source.get_interrupt_handle());
    // One transaction sees one moment, and what was erased from the ledger does not come along in free pages.
    source.execute("VACUUM INTO ?1", [part.to_string_lossy()]).map_err(by_sqlite)?;
    let target = Connection::open(part).map_err(by_sqlite)?;
    let _nobody_waits = handles.send(target.get_interrupt_handle());
    let found: String = target.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(by_sqlite)?;
    if found != "ok" {
        return Err(BackupError::Damaged(found));
    }
    let generation = target
        .query_row(
            "UPDATE identity SET generation = generation + 1, backup_at = ?1 RETURNING generation",
            [time(at)],
            |row| row.get(0),
        )
        .map_err(by_sqlite)?;
    target.close().map_err(|(_, error)| by_sqlite(error))?;
    File::open(part).and_then(|file| file.sync_all()).map_err(by_system)?;
    Ok(generation)
}
