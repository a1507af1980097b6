//! How this dialler empties a field: found out on the first case, remembered (semantics 9).

use super::{Ledger, LedgerError};
use crate::domain::OperationId;
use crate::domain::policy::Clearing;
use rusqlite::OptionalExtension as _;

impl Ledger {
    /// What is known so far.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn clearing(&self) -> Result<Clearing, LedgerError> {
        let stored: Option<String> = self
            .read("clearing", |connection| {
                connection
                    .prepare_cached("SELECT value FROM meta WHERE key = 'clearing'")?
                    .query_row([], |row| row.get(0))
                    .optional()
            })
            .await?;
        Ok(stored.as_deref().and_then(Clearing::parse).unwrap_or(Clearing::TryNull))
    }

    /// Remembers what a case showed, if that is news: of two updates under way at once the later answer
    /// speaks of a way that was given up meanwhile.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn clearing_learn(&self, shown: Clearing) -> Result<(), LedgerError> {
        if !is_news(self.clearing().await?, shown) {
            return Ok(());
        }
        self.write("clearing_learn", move |tx| {
            let known: Option<String> = tx
                .prepare_cached("SELECT value FROM meta WHERE key = 'clearing'")?
                .query_row([], |row| row.get(0))
                .optional()?;
            let known = known.as_deref().and_then(Clearing::parse).unwrap_or(Clearing::TryNull);
            if is_news(known, shown) {
                tx.execute(
                    "INSERT INTO meta (key, value) VALUES ('clearing', ?1)
                     ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                    [shown.as_str()],
                )?;
            }
            Ok(())
        })
        .await
    }

    /// This update tries another way of emptying fields when it is sent next; the others keep theirs.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn operation_try_clearing(&self, id: OperationId, way: Clearing) -> Result<(), LedgerError> {
        self.write("operation_try_clearing", move |tx| {
            tx.prepare_cached("UPDATE operations SET clearing = ?2 WHERE id = ?1")?
                .execute((id.0, way.as_str()))?;
            Ok(())
        })
        .await
    }
}

/// Whether a case shows more than is known: what was found out stays found out.
fn is_news(known: Clearing, shown: Clearing) -> bool {
    match known {
        Clearing::TryNull => shown != Clearing::TryNull,
        Clearing::TryEmpty => !matches!(shown, Clearing::TryNull | Clearing::TryEmpty),
        Clearing::Null | Clearing::Empty | Clearing::Never => false,
    }
}
