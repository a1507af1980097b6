//! The trail: what dialbridge changed, with what was there before and where that was read.

use super::sql::{get_time, time};
use super::{Ledger, LedgerError};
use crate::domain::{LinkId, OperationId, Timestamp};
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
    /// A read of the dialler.
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

/// Adds to the trail of a link.
pub(super) fn add(
    tx: &Transaction<'_>,
    at: Timestamp,
    link: LinkId,
    operation: OperationId,
    cause: &str,
    changes: &[FieldTrail],
) -> rusqlite::Result<()> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO changes (at, link_id, operation_id, side, field, before, before_from, after, cause)
         VALUES (?1, ?2, ?3, 'dialler', ?4, ?5, ?6, ?7, ?8)",
    )?;
    let now = time(at);
    for change in changes {
        insert.execute((
            &now,
            link.0,
            operation.0,
            &change.field,
            change.before.as_ref().map(Value::to_string),
            change.before_from.as_str(),
            change.after.as_ref().map(Value::to_string),
            cause,
        ))?;
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
                .prepare_cached("SELECT * FROM changes WHERE link_id = ?1 ORDER BY at, id LIMIT ?2")?
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
    }
}
