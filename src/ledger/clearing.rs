//! How this dialler empties a field: found out on the first case, remembered (semantics 9).

use super::{Ledger, LedgerError};
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

    /// Remembers what a case showed.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn set_clearing(&self, clearing: Clearing) -> Result<(), LedgerError> {
        self.write("set_clearing", move |tx| {
            tx.execute(
                "INSERT INTO meta (key, value) VALUES ('clearing', ?1)
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                [clearing.as_str()],
            )?;
            Ok(())
        })
        .await
    }
}
