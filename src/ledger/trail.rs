//! The trail: what dialbridge changed, with what was there before and where that was read.

use super::chain;
use super::sql::{get_time, time};
use super::{Ledger, LedgerError};
use crate::domain::{LinkId, OperationId, Timestamp, WriteBackId};
use rusqlite::Transaction;
use serde::Serialize;
use serde_json::Value;

/// One changed field.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldTrail {
    /// The field, or `lock`, `contact`.
    pub field: String,
    /// What was there.
    pub before: Option<Value>,
    /// Where that was read.
    pub before_from: BeforeFrom,
    /// What is there, as answered.
    pub after: Option<Value>,
}

/// Where the value before a change comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BeforeFrom {
    /// What both sides last agreed on.
    Base,
    /// A read of the side that was changed.
    Answer,
    /// Nothing was there, or nothing is known.
    None,
}

impl BeforeFrom {
    fn as_str(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Answer => "answer",
            Self::None => "none",
        }
    }
}

/// A row of the trail, for people.
#[derive(Debug, Clone, Serialize)]
pub struct ChangeRow {
    /// When it was answered.
    pub at: Timestamp,
    /// The operation.
    pub operation: Option<i64>,
    /// The field.
    pub field: String,
    /// What was there (JSON).
    pub before: Option<String>,
    /// `base`, `answer` or `none`.
    pub before_from: String,
    /// What is there (JSON).
    pub after: Option<String>,
    /// Why.
    pub cause: String,
}

/// By what a row came about.
#[derive(Debug, Clone, Copy)]
pub(super) enum By {
    /// An operation.
    Operation(OperationId),
    /// A row that the CRM was told.
    WriteBack(WriteBackId),
    /// Nothing of ours: it was seen.
    Seen,
}

/// One row to be added, its values as JSON.
pub(super) struct Added<'a> {
    pub side: &'static str,
    pub field: &'a str,
    pub before: Option<String>,
    pub before_from: BeforeFrom,
    pub after: Option<String>,
}

/// Adds to the trail of a link what an operation changed in the dialler.
pub(super) fn add(
    tx: &Transaction<'_>,
    at: Timestamp,
    link: LinkId,
    operation: OperationId,
    cause: &str,
    changes: &[FieldTrail],
) -> rusqlite::Result<()> {
    let rows: Vec<Added<'_>> = changes
        .iter()
        .map(|change| Added {
            side: "dialler",
            field: &change.field,
            before: change.before.as_ref().map(Value::to_string),
            before_from: change.before_from,
            after: change.after.as_ref().map(Value::to_string),
        })
        .collect();
    append(tx, at, link, By::Operation(operation), cause, rows)
}

/// The one way into the trail: each row follows the last one in the chain. One short read for all rows, the rest is
/// hashing; no statement is added per row.
pub(super) fn append(
    tx: &Transaction<'_>,
    at: Timestamp,
    link: LinkId,
    by: By,
    cause: &str,
    rows: Vec<Added<'_>>,
) -> rusqlite::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let (operation, write_back) = match by {
        By::Operation(id) => (Some(id.0), None),
        By::WriteBack(id) => (None, Some(id.0)),
        By::Seen => (None, None),
    };
    let mut end = chain::End::read(tx, 2 * rows.len())?;
    let at = time(at);
    let mut insert = tx.prepare_cached(
        "INSERT INTO changes (id, at, link_id, operation_id, write_back_id, side, field, before, before_from, after, cause,
                              before_salt, after_salt, chain)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?;
    for row in rows {
        let (before_salt, before) = end.salt(row.before.as_deref());
        let (after_salt, after) = end.salt(row.after.as_deref());
        let before_from = row.before_from.as_str();
        let parts = chain::Parts {
            id: end.id + 1,
            at: &at,
            link: link.0,
            operation,
            write_back,
            side: row.side,
            field: row.field,
            before_from,
            cause,
            before,
            after,
        };
        (end.chain, end.id) = (chain::follows(&end.chain, &parts), parts.id);
        insert.execute(rusqlite::params![
            end.id,
            at,
            link.0,
            operation,
            write_back,
            row.side,
            row.field,
            row.before,
            before_from,
            row.after,
            cause,
            before_salt,
            after_salt,
            end.chain,
        ])?;
    }
    Ok(())
}

impl Ledger {
    /// What was changed on a link, oldest first.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn changes_list(&self, link: LinkId, limit: u32) -> Result<Vec<ChangeRow>, LedgerError> {
        self.read("changes_list", move |connection| {
            connection
                .prepare_cached(
                    "SELECT at, operation_id, field, before_from, cause,
                            CASE WHEN before_digest IS NULL THEN before ELSE json_quote('(erased)') END AS before,
                            CASE WHEN after_digest IS NULL THEN after ELSE json_quote('(erased)') END AS after
                     FROM changes WHERE link_id = ?1 ORDER BY at, id LIMIT ?2",
                )?
                .query_map((link.0, limit), |row| {
                    Ok(ChangeRow {
                        at: get_time(row, "at")?,
                        operation: row.get("operation_id")?,
                        field: row.get("field")?,
                        before: row.get("before")?,
                        before_from: row.get("before_from")?,
                        after: row.get("after")?,
                        cause: row.get("cause")?,
                    })
                })?
                .collect()
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::testing::scene;
    use crate::ledger::{Done, Ending};
    use serde_json::json;

    #[tokio::test(start_paused = true)]
    async fn a_change_is_kept_with_what_was_there_before_and_cannot_be_edited() {
        let scene = scene().await;
        let link = scene.link("1", Some(7), &[]).await;
        let update = OperationId(scene.operation(link, "update", "sending").await);
        let changed = FieldTrail {
            field: "City".to_owned(),
            before: Some(json!("Ulm")),
            before_from: BeforeFrom::Base,
            after: Some(json!("Bonn")),
        };
        let done = Done { changes: vec![changed], ..Done::default() };
        scene.ledger.operation_end(update, Ending::Done(Box::new(done))).await.expect("stored");
        let trail = scene.ledger.changes_list(link, 10).await.expect("a trail");
        let told = |row: &ChangeRow| {
            (row.field.clone(), row.before.clone(), row.before_from.clone(), row.after.clone(), row.operation)
        };
        let text = |text: &str| Some(format!("{text:?}"));
        let expected = ("City".to_owned(), text("Ulm"), "base".to_owned(), text("Bonn"), Some(update.0));
        assert_eq!(trail.iter().map(told).collect::<Vec<_>>(), [expected]);
        assert_eq!(trail[0].cause, "run:1", "why it was done");
        let edit = |tx: &Transaction<'_>| tx.execute("UPDATE changes SET after = '\"Hof\"'", []);
        assert!(scene.ledger.write("test_edit", edit).await.is_err(), "the trail is append-only");
        for sql in ["DELETE FROM changes", "DELETE FROM changes WHERE field = 'City'"] {
            let refused = scene.ledger.write("test_delete", move |tx| tx.execute(sql, [])).await;
            assert!(refused.expect_err("refused").to_string().contains("append-only"), "{sql}");
        }
        assert_eq!(scene.ledger.changes_list(link, 10).await.expect("a trail").len(), 1);
    }
}
