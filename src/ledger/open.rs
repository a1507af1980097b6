//! Opening and closing: the exclusive lock, the checks, the pragmas, the sequence.

use super::error::{LedgerError, OpenError};
use super::halts::Halts;
use super::health::Health;
use super::migrate;
use super::readers::{self, Readers};
use super::writer::{Extent, Writer};
use crate::domain::Seq;
use crate::env::Env;
use crate::runtime::RunLog;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Transaction};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

/// Each start takes a fresh range of read-order numbers, so that none is given twice and no number
/// costs a write: 2^31 starts of 2^32 numbers each fit into 63 bits.
const NUMBERS_PER_START: i64 = 1 << 32;

/// Where they begin, in a ledger that was never opened before.
const FIRST_NUMBER: i64 = 1;

/// The exclusive right to write a ledger, held by the daemon or by a writing verb without one.
///
/// A lock on a file beside it (`.lock`), not on the ledger itself: SQLite drops a process's POSIX locks
/// when any descriptor of the file is closed.
#[derive(Debug)]
pub struct LedgerLock(#[expect(dead_code, reason = "held, not read")] File);

impl LedgerLock {
    /// Takes it or says who has it.
    ///
    /// # Errors
    /// [`OpenError::InUse`] when another process holds it.
    pub fn take(path: &Path) -> Result<Self, OpenError> {
        let lock_path = suffixed(path, ".lock");
        let unusable = |error: std::io::Error| OpenError::Unusable {
            path: lock_path.clone(),
            detail: error.to_string(),
        };
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o660)
            .open(&lock_path)
            .map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(std::fs::TryLockError::WouldBlock) => Err(OpenError::InUse(path.to_owned())),
            Err(std::fs::TryLockError::Error(error)) => Err(unusable(error)),
        }
    }
}

/// The ledger, open. Cheap to clone; the last clone closes it.
#[derive(Clone)]
pub struct Ledger {
    writer: Option<Writer>,
    readers: Readers,
    shared: Arc<Shared>,
    pub(super) health: Health,
    pub(super) env: Env,
    /// Where the ends of runs are noted besides.
    pub(super) run_log: Option<RunLog>,
}

struct Shared {
    path: PathBuf,
    sequence: AtomicI64,
    blocks_epoch: AtomicI64,
    halts: Halts,
    _lock: Option<LedgerLock>,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").field("path", &self.shared.path).finish_non_exhaustive()
    }
}

impl Ledger {
    /// Opens (or makes) the ledger for writing, with the exclusive lock.
    ///
    /// # Errors
    /// In use, newer, foreign, damaged, or not usable: see [`OpenError`].
    pub async fn open(path: &Path, env: Env) -> Result<Self, OpenError> {
        let lock = LedgerLock::take(path)?;
        Self::open_locked(path, env, Some(lock), Durability::Full).await
    }

    /// For simulations under virtual time: no lock, no flush to disk; a killed process proves nothing.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open_simulated(path: &Path, env: Env) -> Result<Self, OpenError> {
        Self::open_locked(path, env, None, Durability::Off).await
    }

    async fn open_locked(
        path: &Path,
        env: Env,
        lock: Option<LedgerLock>,
        durability: Durability,
    ) -> Result<Self, OpenError> {
        let file = path.to_owned();
        let opened = env.aside(move || open_for_writing(&file, durability)).await;
        let (connection, first_number, epoch) = opened.ok_or_else(|| broke_off(path))??;
        let health = Health::new();
        Ok(Self {
            writer: Some(Writer::start(connection, health.clone(), env.clone())),
            health,
            readers: Readers::new(path, env.clone()),
            shared: Arc::new(Shared {
                path: path.to_owned(),
                sequence: AtomicI64::new(first_number),
                blocks_epoch: AtomicI64::new(epoch),
                halts: Halts::default(),
                _lock: lock,
            }),
            env,
            run_log: None,
        })
    }

    /// Opens an existing ledger for reading only: what the reading verbs use beside a running daemon.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open_read_only(path: &Path, env: Env) -> Result<Self, OpenError> {
        let file = path.to_owned();
        let checked = env
            .aside(move || {
                if !file.exists() {
                    return Err(OpenError::Missing(file));
                }
                let connection = readers::open(&file).map_err(|error| sort_open(&file, &error))?;
                check_kind(&file, &connection)
            })
            .await;
        checked.ok_or_else(|| broke_off(path))??;
        Ok(Self {
            writer: None,
            health: Health::new(),
            readers: Readers::new(path, env.clone()),
            shared: Arc::new(Shared {
                path: path.to_owned(),
                sequence: AtomicI64::new(0),
                blocks_epoch: AtomicI64::new(0),
                halts: Halts::default(),
                _lock: None,
            }),
            env,
            run_log: None,
        })
    }

    /// The same for whoever must not write.
    pub(super) fn reading(&self) -> Self {
        Self { writer: None, ..self.clone() }
    }

    /// Where the file lies.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// The next number of the read order (semantics 2): taken before sending, for writes also at the answer.
    pub fn next_seq(&self) -> Seq {
        Seq(self.shared.sequence.fetch_add(1, Ordering::Relaxed))
    }

    /// The epoch of the block list as last committed.
    pub(super) fn blocks_epoch(&self) -> i64 {
        self.shared.blocks_epoch.load(Ordering::Acquire)
    }

    pub(super) fn halts(&self) -> &Halts {
        &self.shared.halts
    }

    /// Tells senders that the block list changed; called after the commit that changed it.
    pub(super) fn publish_epoch(&self, epoch: i64) {
        self.shared.blocks_epoch.fetch_max(epoch, Ordering::AcqRel);
    }

    /// Whether the writer still takes commands; writes nothing.
    ///
    /// # Errors
    /// It does not, or the ledger was opened for reading.
    pub async fn writer_answers(&self) -> Result<(), LedgerError> {
        self.write("ping", |_| Ok(())).await
    }

    /// Changes with every commit that queued a lock, whatever queued it; `None` for a ledger that is only
    /// read.
    pub fn locks_queued(&self) -> Option<tokio::sync::watch::Receiver<u64>> {
        self.writer.as_ref().map(Writer::locks_queued)
    }

    pub(super) async fn write<T: Send + 'static>(
        &self,
        what: &'static str,
        body: impl FnOnce(&Transaction<'_>) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let Some(writer) = &self.writer else { return Err(LedgerError::Closed) };
        let result = writer.write(what, body).await;
        self.health.judge(&result);
        result
    }

    /// The same without waiting for the disk: in the order of asking, and whoever waits for a later write knows it
    /// stored. For what is worth storing and not worth waiting for; `body` runs one statement and no more.
    pub(super) fn post_statement(
        &self,
        what: &'static str,
        body: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()> + Send + 'static,
    ) {
        let health = self.health.clone();
        let finish = move |result: Result<(), LedgerError>| {
            health.judge(&result);
            if let Err(error) = result {
                tracing::error!(what, %error, "something could not be stored in the ledger");
            }
        };
        match &self.writer {
            Some(writer) => writer.post(what, Extent::One, body, finish),
            None => finish(Err(LedgerError::Closed)),
        }
    }

    pub(super) async fn read<T: Send + 'static>(
        &self,
        what: &'static str,
        body: impl FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let result = self.readers.read(what, body).await;
        self.health.judge(&result);
        result
    }
}

/// So many pages of the WAL until they are moved into the file, inside of somebody's commit. SQLite's own thousand is
/// what some forty imports write; this many stay below `journal_size_limit`.
const CHECKPOINT: u32 = 10_000;

#[derive(Clone, Copy)]
enum Durability {
    /// `synchronous=FULL`: losing the last commit after an acknowledged write would break promise 2.
    Full,
    /// For simulations.
    Off,
}

fn open_for_writing(path: &Path, durability: Durability) -> Result<(Connection, i64, i64), OpenError> {
    let sorted = |error: &rusqlite::Error| sort_open(path, error);
    make_private(path)?;
    begin_as_copy(path, durability)?;
    let mut connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(|e| sorted(&e))?;
    check_kind(path, &connection)?;
    let synchronous = match durability {
        Durability::Full => "FULL",
        Durability::Off => "OFF",
    };
    connection.set_prepared_statement_cache_capacity(256);
    steady_plans(&connection).map_err(|e| sorted(&e))?;
    connection
        .execute_batch(&format!(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous}; PRAGMA foreign_keys = ON;
             PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -16000;
             PRAGMA busy_timeout = 5000; PRAGMA wal_autocheckpoint = {CHECKPOINT};"
        ))
        .map_err(|e| sorted(&e))?;
    migrate::migrate(&mut connection).map_err(|e| sorted(&e))?;
    let number = |key: &str| {
        connection.query_row("SELECT CAST(value AS INTEGER) FROM meta WHERE key = ?1", [key], |row| {
            row.get::<_, i64>(0)
        })
    };
    let first = number("sequence").map_err(|e| sorted(&e))?;
    let epoch = number("blocks_epoch").map_err(|e| sorted(&e))?;
    if first == FIRST_NUMBER {
        keep_as_template(path, durability, &connection).map_err(|e| sorted(&e))?;
    }
    connection
        .execute(
            "UPDATE meta SET value = ?1 WHERE key = 'sequence'",
            [(first + NUMBERS_PER_START).to_string()],
        )
        .map_err(|e| sorted(&e))?;
    Ok((connection, first, epoch))
}

/// A new ledger as the migrations leave it. A thousand short simulations each begin with one, and sixty migrations were a
/// tenth of their time.
static MIGRATED: OnceLock<Vec<u8>> = OnceLock::new();

/// A simulation's new ledger begins as a copy of the first one's beginning.
fn begin_as_copy(path: &Path, durability: Durability) -> Result<(), OpenError> {
    let unusable = |e: std::io::Error| OpenError::Unusable { path: path.to_owned(), detail: e.to_string() };
    match (durability, MIGRATED.get()) {
        (Durability::Off, Some(bytes)) if path.metadata().map_err(unusable)?.len() == 0 => {
            std::fs::write(path, bytes).map_err(unusable)
        }
        (Durability::Off | Durability::Full, _) => Ok(()),
    }
}

/// Keeps what [`begin_as_copy`] copies: of a ledger that is new.
fn keep_as_template(path: &Path, durability: Durability, connection: &Connection) -> rusqlite::Result<()> {
    match durability {
        Durability::Off if MIGRATED.get().is_none() => {
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
            // Without it every ledger is migrated by itself, as everywhere else.
            if let Ok(bytes) = std::fs::read(path) {
                let _first = MIGRATED.set(bytes);
            }
            Ok(())
        }
        Durability::Off | Durability::Full => Ok(()),
    }
}

/// A plan does not depend on the values that are bound. Else a statement that could use one of the partial indexes
/// for some value is planned anew at every execution: a quarter of all the writer's time.
pub(super) fn steady_plans(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(|_| ())
}

/// A new ledger is readable for its owner and group only: it holds numbers and names. SQLite gives its
/// companions (`-wal`, `-shm`) the same rights.
fn make_private(path: &Path) -> Result<(), OpenError> {
    match OpenOptions::new().create_new(true).write(true).mode(0o640).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(OpenError::Unusable { path: path.to_owned(), detail: error.to_string() }),
    }
}

/// Refuses what is no ledger of ours, or one from the future, before a single byte is changed.
fn check_kind(path: &Path, connection: &Connection) -> Result<(), OpenError> {
    let sorted = |error: &rusqlite::Error| sort_open(path, error);
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(|e| sorted(&e))?;
    if tables > 0 && pragma("application_id").map_err(|e| sorted(&e))? != migrate::APPLICATION_ID {
        return Err(OpenError::Foreign(path.to_owned()));
    }
    let found = migrate::found(connection).map_err(|e| sorted(&e))?;
    if found > migrate::known() {
        return Err(OpenError::Newer { path: path.to_owned(), found, known: migrate::known() });
    }
    Ok(())
}

fn broke_off(path: &Path) -> OpenError {
    OpenError::Unusable { path: path.to_owned(), detail: "the opening broke off".to_owned() }
}

fn sort_open(path: &Path, error: &rusqlite::Error) -> OpenError {
    let detail = error.to_string();
    match LedgerError::sort("open", error) {
        LedgerError::Damaged(_) => OpenError::Damaged { path: path.to_owned(), detail },
        LedgerError::NotWritable(_)
        | LedgerError::TooSlow(_)
        | LedgerError::Refused { .. }
        | LedgerError::WriterDied
        | LedgerError::Closed => OpenError::Unusable { path: path.to_owned(), detail },
    }
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[tokio::test]
    async fn a_ledger_is_nobody_elses_to_read_and_has_one_writer() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ledger.sqlite");
        let ledger = Ledger::open(&path, Env::real()).await.expect("a new ledger");
        let mode = std::fs::metadata(&path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o007, 0, "others may not read it: {mode:o}");
        assert!(matches!(Ledger::open(&path, Env::real()).await, Err(OpenError::InUse(_))));
        assert!(Ledger::open_read_only(&path, Env::real()).await.is_ok(), "readers stand beside it");
        drop(ledger);
    }

    #[tokio::test]
    async fn what_is_no_ledger_of_ours_is_refused_by_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let open = async |name: &str| Ledger::open(&folder.path().join(name), Env::real()).await.map(|_| ());
        std::fs::write(folder.path().join("text"), "no database ".repeat(1000)).expect("written");
        assert!(matches!(open("text").await, Err(OpenError::Damaged { .. })));
        let other = Connection::open(folder.path().join("other")).expect("made");
        other.execute_batch("CREATE TABLE t (x)").expect("a table");
        assert!(matches!(open("other").await, Err(OpenError::Foreign(_))));
        open("newer").await.expect("a new ledger");
        let newer = Connection::open(folder.path().join("newer")).expect("opened");
        newer.pragma_update(None, "user_version", migrate::known() + 1).expect("set");
        drop(newer);
        assert!(matches!(open("newer").await, Err(OpenError::Newer { .. })));
        let missing = Ledger::open_read_only(&folder.path().join("missing"), Env::real()).await;
        assert!(matches!(missing, Err(OpenError::Missing(_))));
        assert!(matches!(open("no/such/folder").await, Err(OpenError::Unusable { .. })));
    }
}
