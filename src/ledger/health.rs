//! Whether the ledger can still be used. Damage that SQLite meets at whatever statement, or a writer that broke off,
//! ends the daemon: going on would be sending without a memory.

use super::{Ledger, LedgerError};
use std::sync::Arc;
use tokio::sync::watch;

/// Told once, by whoever meets it first.
#[derive(Clone)]
pub(super) struct Health(Arc<watch::Sender<Option<LedgerError>>>);

impl Health {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    /// Notes what cannot be gone on from; everything else is the asker's to handle.
    pub(super) fn judge<T>(&self, result: &Result<T, LedgerError>) {
        match result {
            Err(error @ (LedgerError::Damaged(_) | LedgerError::WriterDied)) => {
                self.0.send_if_modified(|told| {
                    let first = told.is_none();
                    told.get_or_insert_with(|| error.clone());
                    first
                });
            }
            Ok(_)
            | Err(
                LedgerError::NotWritable(_)
                | LedgerError::TooSlow(_)
                | LedgerError::Refused { .. }
                | LedgerError::Closed,
            ) => {}
        }
    }
}

impl Ledger {
    /// Waits until the ledger cannot be used any more, and answers why. Does not keep the ledger open.
    pub fn failure(&self) -> impl Future<Output = LedgerError> + Send + use<> {
        let mut told = self.health.0.subscribe();
        async move {
            loop {
                if let Some(error) = told.borrow_and_update().clone() {
                    return error;
                }
                if told.changed().await.is_err() {
                    return std::future::pending().await;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::Env;
    use crate::ledger::testing::spoil;
    use std::time::Duration;

    const SOON: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn damage_met_by_a_write_or_a_read_is_told() {
        for by_write in [true, false] {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("ledger.sqlite");
            drop(Ledger::open(&path, Env::real()).await.expect("a new ledger"));
            // Its connection is closed by then.
            Env::real().sleep(Duration::from_millis(200)).await;
            spoil(&path, "hints");
            let ledger = Ledger::open(&path, Env::real()).await.expect("its other pages are well");
            let failure = ledger.failure();
            const COUNT: &str = "SELECT count(*) FROM hints NOT INDEXED";
            let count = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
            let result = if by_write {
                ledger.write("test_write", move |tx| tx.query_row(COUNT, [], count)).await
            } else {
                ledger.read("test_read", move |connection| connection.query_row(COUNT, [], count)).await
            };
            assert!(matches!(result, Err(LedgerError::Damaged(_))), "{result:?}");
            let told = tokio::time::timeout(SOON, failure).await.expect("told");
            assert!(told.to_string().contains("backup"), "{told}");
        }
    }

    #[tokio::test]
    async fn a_writer_that_broke_off_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger =
            Ledger::open(&folder.path().join("ledger.sqlite"), Env::real()).await.expect("a new ledger");
        let failure = ledger.failure();
        let broken = ledger
            .write("test_panic", |_| -> rusqlite::Result<()> {
                std::panic::resume_unwind(Box::new("broken"))
            })
            .await;
        assert!(broken.is_err());
        let told = tokio::time::timeout(SOON, failure).await.expect("told");
        assert!(matches!(told, LedgerError::WriterDied), "{told}");
        assert!(ledger.writer_answers().await.is_err(), "and nothing is written any more");
    }

    #[tokio::test]
    async fn a_full_disk_or_a_mistake_ends_nothing() {
        let health = Health::new();
        health.judge(&Err::<(), _>(LedgerError::NotWritable("full".to_owned())));
        health.judge(&Err::<(), _>(LedgerError::Closed));
        assert!(health.0.borrow().is_none());
    }
}
