//! The trail: what dialbridge changed, with what was there before and where that was read.

use super::chain;
use super::sql::{get_time, time};
use super::{Ledger, LedgerError};
use crate::domain::{LinkId, OperationId, Take, Timestamp, WriteBackId};
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
    /// By which rule: the operation's reason, or the config's table that has the CRM told.
    pub rule: Option<String>,
    /// Whose word brought it about, if anybody's.
    pub person: Option<String>,
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
    pub rule: Option<&'a str>,
    pub person: Option<String>,
    pub before: Option<String>,
    pub before_from: BeforeFrom,
    pub after: Option<String>,
}

/// Why an operation was done.
pub(super) struct ByOperation<'a> {
    /// `run:ID`, `person:NAME`, `gate`, `block:ID`, `settle:ID`.
    pub cause: &'a str,
    /// Its reason.
    pub rule: &'a str,
    /// Who let the wave go to which it belongs, or said the no for which it is done.
    pub said_by: Option<&'a str>,
    /// Who decided its fields' conflicts, field by field.
    pub decided_by: Vec<(String, String)>,
}

impl ByOperation<'_> {
    /// Whose word brought the change of a field about.
    fn person(&self, field: &str) -> Option<String> {
        let decided = self.decided_by.iter().find(|(decided, _)| decided == field);
        let by_hand = || self.cause.strip_prefix("person:").or(self.said_by).map(str::to_owned);
        decided.map(|(_, who)| who.clone()).or_else(by_hand)
    }
}

/// Who decided the conflicts of a link for this side, field by field, as far as the word still stands.
pub(super) fn decided_by(
    tx: &Transaction<'_>,
    link: LinkId,
    take: Take,
) -> rusqlite::Result<Vec<(String, String)>> {
    tx.prepare_cached(
        "SELECT e.field, (SELECT w.who FROM conflict_words w WHERE w.link_id = e.link_id AND w.field = e.field AND w.take = e.take
                          ORDER BY w.id DESC LIMIT 1) AS who
         FROM edits e WHERE e.link_id = ?1 AND e.take = ?2 AND who IS NOT NULL",
    )?
    .query_map((link.0, take.as_str()), |row| Ok((row.get(0)?, row.get(1)?)))?
    .collect()
}

/// Adds to the trail of a link what an operation changed in the dialler.
pub(super) fn add(
    tx: &Transaction<'_>,
    at: Timestamp,
    link: LinkId,
    operation: OperationId,
    by: &ByOperation<'_>,
    changes: &[FieldTrail],
) -> rusqlite::Result<()> {
    let rows: Vec<Added<'_>> = changes
        .iter()
        .map(|change| Added {
            side: "dialler",
            field: &change.field,
            rule: Some(by.rule),
            person: by.person(&change.field),
            before: change.before.as_ref().map(Value::to_string),
            before_from: change.before_from,
            after: change.after.as_ref().map(Value::to_string),
        })
        .collect();
    append(tx, at, link, By::Operation(operation), by.cause, rows)
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
                              before_salt, after_salt, chain, rule, person)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
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
            rule: row.rule,
            person: row.person.as_deref(),
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
            row.rule,
            row.person,
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
                    "SELECT at, operation_id, field, before_from, cause, rule, person,
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
                        rule: row.get("rule")?,
                        person: row.get("person")?,
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
        let why = (trail[0].cause.as_str(), trail[0].rule.as_deref(), trail[0].person.as_deref());
        assert_eq!(why, ("run:1", Some("new_record"), None), "why it was done");
        let edit = |tx: &Transaction<'_>| tx.execute("UPDATE changes SET after = '\"Hof\"'", []);
        assert!(scene.ledger.write("test_edit", edit).await.is_err(), "the trail is append-only");
        for sql in ["DELETE FROM changes", "DELETE FROM changes WHERE field = 'City'"] {
            let refused = scene.ledger.write("test_delete", move |tx| tx.execute(sql, [])).await;
            assert!(refused.expect_err("refused").to_string().contains("append-only"), "{sql}");
        }
        assert_eq!(scene.ledger.changes_list(link, 10).await.expect("a trail").len(), 1);
    }
}
