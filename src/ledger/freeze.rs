//! The freeze: by a person's word nothing is written anywhere, and nothing is lost; locks go on unless said.

use super::halts::Reach;
use super::sql::{get_time, get_time_opt, time};
use super::{Ledger, LedgerError};
use crate::domain::Timestamp;
use rusqlite::{Connection, OptionalExtension as _};
use serde::Serialize;

/// A freeze that stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FreezeRow {
    /// Since when.
    pub since: Timestamp,
    /// Its end, if it has one.
    pub until: Option<Timestamp>,
    /// Whether locks stand still too.
    pub even_locks: bool,
    /// Who said so.
    pub who: String,
    /// Why.
    pub text: String,
}

/// A freeze that is wished.
#[derive(Debug, Clone, PartialEq)]
pub struct FreezeOrder {
    /// Its end, if it has one.
    pub until: Option<Timestamp>,
    /// Whether locks stand still too.
    pub even_locks: bool,
    /// Who says so.
    pub who: String,
    /// Why.
    pub text: String,
}

impl Ledger {
    /// The freeze that stands now.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn freeze_now(&self) -> Result<Option<FreezeRow>, LedgerError> {
        let now = time(self.env.now());
        self.read("freeze_now", move |connection| standing(connection, &now)).await
    }

    /// Everything stands still; a freeze that stood is replaced.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn freeze_begin(&self, order: FreezeOrder) -> Result<(), LedgerError> {
        let now = time(self.env.now());
        let reach = if order.even_locks { Reach::EvenLocks } else { Reach::AllButLocks };
        self.write("freeze_begin", move |tx| {
            tx.execute(
                "UPDATE freezes SET ended_at = ?1, ended_who = ?2, ended_text = 'replaced by another freeze'
                 WHERE ended_at IS NULL",
                (&now, &order.who),
            )?;
            tx.execute(
                "INSERT INTO freezes (since, until, even_locks, who, text) VALUES (?1, ?2, ?3, ?4, ?5)",
                (&now, order.until.map(time), order.even_locks, order.who, order.text),
            )?;
            Ok(())
        })
        .await?;
        self.halt(reach);
        Ok(())
    }

    /// The freeze is over. `false`: none stood.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn freeze_end(&self, who: String, text: String) -> Result<bool, LedgerError> {
        let now = time(self.env.now());
        self.write("freeze_end", move |tx| {
            let stood = standing(tx, &now)?.is_some();
            tx.execute(
                "UPDATE freezes SET ended_at = ?1, ended_who = ?2, ended_text = ?3 WHERE ended_at IS NULL",
                (&now, who, text),
            )?;
            Ok(stood)
        })
        .await
    }
}

pub(super) fn standing(connection: &Connection, now: &str) -> rusqlite::Result<Option<FreezeRow>> {
    connection
        .prepare_cached(
            "SELECT since, until, even_locks, who, text FROM freezes
             WHERE ended_at IS NULL AND (until IS NULL OR until > ?1)",
        )?
        .query_row([now], |row| {
            Ok(FreezeRow {
                since: get_time(row, "since")?,
                until: get_time_opt(row, "until")?,
                even_locks: row.get("even_locks")?,
                who: row.get("who")?,
                text: row.get("text")?,
            })
        })
        .optional()
}
