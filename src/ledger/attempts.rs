//! Attempts: every HTTP try of a write, as the policy of calls hands them over.

use super::sql::{get_time, time};
use super::{Ledger, LedgerError};
use crate::domain::{OperationId, Timestamp};
use crate::remote::{Try, ports};
use serde::Serialize;

/// A try of an operation, for people.
#[derive(Debug, Clone, Serialize)]
pub struct AttemptRow {
    /// When the request left.
    pub sent_at: Timestamp,
    /// When the answer (or the error) was there.
    pub answered_at: Timestamp,
    /// `done`, `not_sent`, `refused`, `rejected`, `uncertain` ...
    pub outcome: String,
    /// The HTTP status.
    pub status: Option<u16>,
    /// The server's own words; may hold personal data.
    pub detail: String,
}

/// How often an operation was tried: what is stored with it, once a sending is over, and what stands here, which is
/// forgotten after a time. Counted anew at the end of a sending only: counted at each try, that would write its long row,
/// with the body, once more for every import.
macro_rules! tries {
    ($operation:literal) => {
        concat!(
            "max(",
            $operation,
            ".attempts, (SELECT count(*) FROM attempts a WHERE a.operation_id = ",
            $operation,
            ".id))"
        )
    };
}
pub(super) use tries;

impl ports::CallSink for Ledger {
    /// Joins the answer's commit in most cases. One that is not stored costs its row only: until the answer is
    /// stored as well, the operation stays `sending`, and the next start settles it by asking.
    fn tried(&self, tried: Try) {
        self.post_statement("attempt_add", move |tx| {
            tx.prepare_cached(
                "INSERT INTO attempts (operation_id, sent_at, answered_at, outcome, status, detail)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute((
                tried.operation.0,
                time(tried.sent_at),
                time(tried.answered_at),
                tried.outcome,
                tried.status,
                tried.detail,
            ))?;
            Ok(())
        });
    }
}

/// `done` is asked for twice: the first says that the index may be used.
pub(super) const HOPELESS: &str = "SELECT failed.status FROM (
         SELECT status, count(*) AS times, min(sent_at) AS first FROM attempts
         WHERE operation_id = ?1 AND status >= 500 GROUP BY status) failed
     WHERE failed.times >= ?2
       AND EXISTS (SELECT 1 FROM operations o WHERE o.state IN ('done', 'parked')
                   AND o.state = 'done' AND o.id <> ?1 AND o.finished_at >= failed.first)";

impl Ledger {
    /// The tries of an operation, oldest first.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn attempts_list(&self, operation: OperationId) -> Result<Vec<AttemptRow>, LedgerError> {
        self.read("attempts_list", move |connection| {
            connection
                .prepare_cached("SELECT * FROM attempts WHERE operation_id = ?1 ORDER BY id")?
                .query_map([operation.0], |row| {
                    Ok(AttemptRow {
                        sent_at: get_time(row, "sent_at")?,
                        answered_at: get_time(row, "answered_at")?,
                        outcome: row.get("outcome")?,
                        status: row.get("status")?,
                        detail: row.get("detail")?,
                    })
                })?
                .collect()
        })
        .await
    }

    /// When an operation was first told that its contact is not there.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn attempts_first_not_found(
        &self,
        operation: OperationId,
    ) -> Result<Option<Timestamp>, LedgerError> {
        let first: Option<String> = self
            .read("attempts_first_not_found", move |connection| {
                connection
                    .prepare_cached(
                        "SELECT min(answered_at) FROM attempts WHERE operation_id = ?1 AND outcome = 'not_found'",
                    )?
                    .query_row([operation.0], |row| row.get(0))
            })
            .await?;
        Ok(first.as_deref().and_then(super::sql::parse_time))
    }

    /// Whether the operation failed `times` times with one and the same 5xx while others succeeded since
    /// its first failure (semantics 25); answers that status.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn attempts_hopeless(
        &self,
        operation: OperationId,
        times: u32,
    ) -> Result<Option<u16>, LedgerError> {
        self.read("attempts_hopeless", move |connection| {
            let mut statement = connection.prepare_cached(HOPELESS)?;
            let mut rows = statement.query((operation.0, times))?;
            match rows.next()? {
                Some(row) => row.get(0).map(Some),
                None => Ok(None),
            }
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Ending;
    use crate::ledger::testing::{Scene, scene};
    use crate::remote::ports::CallSink as _;

    fn tried(operation: i64, outcome: &'static str, scene: &Scene) -> Try {
        let now = scene.ledger.env.now();
        let operation = OperationId(operation);
        Try { operation, sent_at: now, answered_at: now, outcome, status: None, detail: String::new() }
    }

    /// How often an operation was tried, as it is shown.
    async fn shown(scene: &Scene, operation: i64) -> i64 {
        let found = scene.ledger.operation_followed(OperationId(operation)).await.expect("read");
        found.expect("an operation").attempts
    }

    #[tokio::test(start_paused = true)]
    async fn every_try_is_shown_at_once_and_still_counts_when_its_row_is_forgotten() {
        let scene = scene().await;
        let link = scene.link("1", Some(1), &[]).await;
        let operation = scene.operation(link, "update", "sending").await;
        scene.ledger.tried(tried(operation, "uncertain", &scene));
        scene.ledger.tried(tried(operation, "rejected", &scene));
        scene.ledger.write("test_settled", |_| Ok(())).await.expect("both are stored");
        assert_eq!(shown(&scene, operation).await, 2, "while it is under way");
        let again = Ending::Again { not_before: None };
        scene.ledger.operation_end(OperationId(operation), again).await.expect("stored");
        let forget = |tx: &rusqlite::Transaction<'_>| tx.execute("DELETE FROM attempts", []);
        scene.ledger.write("test_forget", forget).await.expect("forgotten");
        assert_eq!(shown(&scene, operation).await, 2, "once it is over");
    }

    #[tokio::test(start_paused = true)]
    async fn a_try_that_cannot_be_stored_harms_nothing_that_is_stored_with_it() {
        let scene = scene().await;
        let link = scene.link("1", Some(1), &[]).await;
        let operation = scene.operation(link, "update", "sending").await;
        let nobodys = operation + 1;
        scene.ledger.tried(tried(nobodys, "rejected", &scene));
        scene.ledger.tried(tried(operation, "rejected", &scene));
        let also =
            scene.ledger.write("test_beside", |tx| tx.execute("UPDATE commits SET number = number", []));
        also.await.expect("stored in the same group");
        assert_eq!(shown(&scene, operation).await, 1);
        let stored = scene.ledger.attempts_list(OperationId(nobodys)).await.expect("read");
        assert!(stored.is_empty(), "{stored:?}");
    }

    #[tokio::test]
    async fn hopeless_is_what_failed_so_often_in_one_way_while_others_succeeded() {
        let scene = scene().await;
        let link = scene.link("1", Some(1), &[]).await;
        let failing = scene.operation(link, "update", "uncertain").await;
        let hopeless = || scene.ledger.attempts_hopeless(OperationId(failing), 2);
        let fail = async |status: i64| {
            scene
                .ledger
                .write("test_attempt", move |tx| {
                    tx.execute(
                        "INSERT INTO attempts (operation_id, sent_at, answered_at, outcome, status, detail)
                         VALUES (?1, '2030-01-07T09:10:00.000000Z', '2030-01-07T09:10:01.000000Z', 'uncertain', ?2, '')",
                        (failing, status),
                    )
                })
                .await
                .expect("an attempt");
        };
        fail(500).await;
        fail(502).await;
        assert_eq!(hopeless().await.expect("read"), None, "never twice in the same way");
        fail(500).await;
        assert_eq!(hopeless().await.expect("read"), None, "nobody else succeeded: the server may be ill");
        let other = scene.link("2", Some(2), &[]).await;
        let done = scene.operation(other, "update", "waiting").await;
        let finish = move |tx: &rusqlite::Transaction<'_>| {
            tx.execute(
                "UPDATE operations SET state = 'done', finished_at = '2030-01-07T09:20:00.000000Z' WHERE id = ?1",
                [done],
            )
        };
        scene.ledger.write("test_done", finish).await.expect("done");
        assert_eq!(hopeless().await.expect("read"), Some(500));
    }
}
