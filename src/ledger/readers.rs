//! A small pool of read-only connections; a read never waits for the writer, nor the writer for it.

use super::error::LedgerError;
use super::open::steady_plans;
use crate::env::Env;
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;

/// So many reads at once.
const READERS: usize = 4;
/// A read that takes longer is interrupted: an open read keeps the WAL from being checkpointed.
const LIMIT: Duration = Duration::from_secs(20);

#[derive(Clone)]
pub(super) struct Readers {
    path: PathBuf,
    env: Env,
    slots: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Readers {
    pub(super) fn new(path: &Path, env: Env) -> Self {
        Self { path: path.to_owned(), env, slots: Arc::new(Semaphore::new(READERS)), idle: Arc::default() }
    }

    /// Reads in a task of its own. Not in the asker's: a slot is given to whoever waited longest, and an
    /// asker among many futures of one task may not be polled for long; it would then hold a slot that the
    /// very code it waits behind needs.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        what: &'static str,
        body: impl FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let readers = self.clone();
        tokio::spawn(async move { readers.read_here(what, body).await })
            .await
            .map_err(|_| LedgerError::Closed)?
    }

    async fn read_here<T: Send + 'static>(
        &self,
        what: &'static str,
        body: impl FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let _slot = self.slots.acquire().await.map_err(|_| LedgerError::Closed)?;
        let taken = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let path = self.path.clone();
        let idle = self.idle.clone();
        let (handle_out, handle_in) = tokio::sync::oneshot::channel();
        let work = self.env.aside(move || {
            let connection = match taken {
                Some(connection) => connection,
                None => open(&path).map_err(|error| LedgerError::sort(what, &error))?,
            };
            let _nobody_waits = handle_out.send(connection.get_interrupt_handle());
            let result = body(&connection).map_err(|error| LedgerError::sort(what, &error));
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            result
        });
        match tokio::time::timeout(LIMIT, work).await {
            Ok(done) => done.ok_or(LedgerError::Closed)?,
            Err(_) => {
                if let Ok(handle) = handle_in.await {
                    handle.interrupt();
                }
                Err(LedgerError::TooSlow(what))
            }
        }
    }
}

/// Opens the file read-only; also what the reading verbs of the command line use.
pub(super) fn open(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI,
    )?;
    connection.set_prepared_statement_cache_capacity(64);
    steady_plans(&connection)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.execute_batch("PRAGMA query_only = ON; PRAGMA temp_store = MEMORY;")?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt as _;
    use futures_util::stream::FuturesUnordered;

    #[tokio::test]
    async fn an_asker_that_is_not_polled_holds_no_slot() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.sqlite");
        Connection::open(&path).expect("made").execute_batch("CREATE TABLE t (x)").expect("a table");
        let readers = Readers::new(&path, Env::real());
        let count = |readers: &Readers| {
            let readers = readers.clone();
            async move {
                readers
                    .read("count", |c| c.query_row("SELECT count(*) FROM t", [], |r| r.get::<_, i64>(0)))
                    .await
            }
        };
        let mut many: FuturesUnordered<_> = (0..4 * READERS).map(|_| count(&readers)).collect();
        while let Some(answer) = many.next().await {
            assert_eq!(answer.expect("an answer"), 0);
            // The others wait for slots and are not polled meanwhile.
            let beside = tokio::time::timeout(Duration::from_secs(10), count(&readers)).await;
            assert_eq!(beside.expect("no deadlock").expect("an answer"), 0);
        }
    }
}
