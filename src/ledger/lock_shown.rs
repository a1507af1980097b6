//! Whether this dialler shows a lock anywhere in its answers: found out at the first lock, remembered (users 7).

use super::sql::{json, time};
use super::{Ledger, LedgerError};
use rusqlite::{Connection, OptionalExtension as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What is known of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "lock", rename_all = "snake_case")]
pub enum LockShown {
    /// Nothing yet: the next first lock of a contact tells.
    #[default]
    Unknown,
    /// A lock changed no answer: that we locked is all that can be said.
    Nowhere,
    /// By these fields: their values before and after.
    By {
        /// Before and after.
        fields: BTreeMap<String, (Value, Value)>,
    },
}

impl Ledger {
    /// What is known so far.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn lock_shown(&self) -> Result<LockShown, LedgerError> {
        self.read("lock_shown", known).await
    }

    /// Remembers what the first lock showed; later ones teach nothing new.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn lock_shown_learn(&self, shown: LockShown) -> Result<(), LedgerError> {
        let now = time(self.env.now());
        self.write("lock_shown_learn", move |tx| {
            if known(tx)? != LockShown::Unknown {
                return Ok(());
            }
            for (key, value) in [("lock_shown", json(&shown)?), ("lock_shown_at", now)] {
                tx.execute(
                    "INSERT INTO meta (key, value) VALUES (?1, ?2)
                     ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                    (key, value),
                )?;
            }
            Ok(())
        })
        .await
    }
}

pub(super) fn known(connection: &Connection) -> rusqlite::Result<LockShown> {
    let stored: Option<String> = connection
        .prepare_cached("SELECT value FROM meta WHERE key = 'lock_shown'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(stored.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or(LockShown::Unknown))
}
