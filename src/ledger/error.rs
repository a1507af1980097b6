//! What can go wrong with the ledger.

use std::path::PathBuf;

/// Why a ledger was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds it.
    #[error(
        "another dialbridge uses the ledger {0}; stop it first, or let it do the work (its socket answers)"
    )]
    InUse(PathBuf),
    /// Written by a newer program.
    #[error(
        "the ledger {path} has schema {found}, this program knows up to {known}; run the newer program, or restore \
         the backup made before the upgrade"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// A SQLite file of somebody else.
    #[error("{0} is a SQLite file, but no ledger of dialbridge; point [ledger] path elsewhere")]
    Foreign(PathBuf),
    /// Not readable as SQLite.
    #[error("the ledger {path} is damaged ({detail}); move it aside and restore the newest backup")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        detail: String,
    },
    /// Does not exist and may not be made.
    #[error("there is no ledger at {0}; `dialbridge run` makes it")]
    Missing(PathBuf),
    /// Folder missing, no right, disk full.
    #[error("the ledger {path} cannot be opened: {detail}; check the folder, its owner and the free space")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        detail: String,
    },
}

/// Why a statement did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LedgerError {
    /// SQLite found the file damaged: the daemon stops.
    #[error("the ledger is damaged ({0}); stop, move it aside and restore the newest backup")]
    Damaged(String),
    /// A statement broke off and took the writer with it: the daemon stops.
    #[error(
        "the ledger's writer broke off; nothing was stored since. Start dialbridge again: it settles what was under way; \
         if it happens again, look into the log and restore the newest backup"
    )]
    WriterDied,
    /// The disk is full or not writable; nothing was stored, the same can be tried again.
    #[error("the ledger cannot be written ({0}); free space on its disk, then dialbridge goes on by itself")]
    NotWritable(String),
    /// A statement took longer than a reader may.
    #[error("reading the ledger took too long ({0}); ask for less at once")]
    TooSlow(&'static str),
    /// A mistake of ours: a constraint or a statement failed.
    #[error("the ledger refused {what}: {detail}; this is a defect of dialbridge")]
    Refused {
        /// Which function.
        what: &'static str,
        /// What SQLite said, without values.
        detail: String,
    },
    /// The writer has stopped (shutdown).
    #[error("the ledger is closed")]
    Closed,
}

impl LedgerError {
    /// Sorts what SQLite said by the decision it calls for.
    pub(super) fn sort(what: &'static str, error: &rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{
            CannotOpen, DatabaseCorrupt, DiskFull, NotADatabase, OperationInterrupted, PermissionDenied,
            ReadOnly, SystemIoFailure,
        };
        let detail = error.to_string();
        match error.sqlite_error_code() {
            Some(DatabaseCorrupt | NotADatabase) => Self::Damaged(detail),
            Some(DiskFull | SystemIoFailure | ReadOnly | CannotOpen | PermissionDenied) => {
                Self::NotWritable(detail)
            }
            Some(OperationInterrupted) => Self::TooSlow(what),
            _ => Self::Refused { what, detail },
        }
    }
}
