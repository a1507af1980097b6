//! What the ledger forgets: bodies of requests and the servers' own words about them. They hold personal data, and are
//! of use only as long as somebody looks into what failed.

use super::sql::time;
use super::{Ledger, LedgerError};
use chrono::TimeDelta;

/// So many rows are erased in one transaction, so that nobody waits for it.
const CHUNK: u32 = 1_000;

macro_rules! erase {
    () => {
        "UPDATE operations SET body = NULL, before = CASE WHEN given IS NULL THEN before END,
            given = CASE WHEN given IS NOT NULL THEN '{}' END
         WHERE id IN (SELECT id FROM operations WHERE "
    };
}

macro_rules! ended {
    () => {
        "finished_at <= ?1 AND state NOT IN ('waiting', 'sending', 'uncertain') LIMIT ?2)"
    };
}

/// Each by an index over what is still to be erased.
pub(super) const STATEMENTS: [&str; 6] = [
    concat!(erase!(), "body IS NOT NULL AND finished_at IS NOT NULL AND ", ended!()),
    concat!(erase!(), "given <> '{}' AND ", ended!()),
    "UPDATE attempts SET detail = '' WHERE id IN
        (SELECT id FROM attempts WHERE detail <> '' AND answered_at <= ?1 LIMIT ?2)",
    // The same words, as the reason of the operation's end: that it was rejected, and with which status, stays.
    concat!(
        "UPDATE operations SET outcome_params = json_set(outcome_params, '$.text', '(erased)')
         WHERE id IN (SELECT id FROM operations
            WHERE outcome = 'rejected' AND json_extract(outcome_params, '$.text') <> '(erased)' AND ",
        ended!()
    ),
    // And as the reason why the CRM was not told of a call, of fields or of an agent's edit.
    "UPDATE write_backs SET params = json_set(params, '$.text', '(erased)')
     WHERE id IN (SELECT id FROM write_backs
        WHERE code = 'rejected' AND json_extract(params, '$.text') <> '(erased)' AND changed_at <= ?1 LIMIT ?2)",
    "UPDATE edits SET params = json_set(params, '$.text', '(erased)')
     WHERE id IN (SELECT id FROM edits
        WHERE code = 'rejected' AND json_extract(params, '$.text') <> '(erased)' AND since <= ?1 LIMIT ?2)",
];

impl Ledger {
    /// Erases the bodies of operations that ended longer than `keep` ago, and what servers said to them. What waits,
    /// is under way or in doubt keeps its body: it is asked about by it. Answers how many rows were erased.
    ///
    /// # Errors
    /// The ledger cannot be written; what was erased before stays so.
    pub async fn bodies_prune(&self, keep: TimeDelta) -> Result<usize, LedgerError> {
        let before = time(self.env.now().checked_sub_signed(keep).unwrap_or_default());
        let mut erased = 0;
        for sql in STATEMENTS {
            loop {
                let before = before.clone();
                let some = self
                    .write("bodies_prune", move |tx| tx.prepare_cached(sql)?.execute((before, CHUNK)))
                    .await?;
                erased += some;
                if some < CHUNK as usize {
                    break;
                }
            }
        }
        Ok(erased)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::testing::{Scene, scene};

    const KEEP: TimeDelta = TimeDelta::days(14);

    /// An operation with a body and an attempt that was answered with words, ended now where its state is an end.
    async fn operation(scene: &Scene, contact: i64, state: &'static str) -> i64 {
        let link = scene.link(&contact.to_string(), Some(contact), &[]).await;
        let id = scene.operation(link, "update", state).await;
        let now = time(scene.ledger.env.now());
        let open = matches!(state, "waiting" | "sending" | "uncertain");
        let write = scene.ledger.write("test_body", move |tx| {
            tx.execute(
                "UPDATE operations SET body = '{\"Name\":\"Ada\"}', finished_at = ?2,
                        given = '{\"Name\":\"Ada\"}', before = '{\"Name\":\"Bea\"}' WHERE id = ?1",
                (id, (!open).then_some(&now)),
            )?;
            tx.execute(
                "INSERT INTO attempts (operation_id, sent_at, answered_at, outcome, detail)
                 VALUES (?1, ?2, ?2, 'rejected', 'Ada has no number')",
                (id, &now),
            )
        });
        write.await.expect("a body");
        id
    }

    /// The states of the operations that have a body, and how many attempts still have words.
    async fn left(scene: &Scene) -> (Vec<String>, i64) {
        let read = scene.ledger.read("test_left", |connection| {
            let states = connection
                .prepare(
                    "SELECT state FROM operations
                     WHERE body IS NOT NULL OR given <> '{}' OR before IS NOT NULL ORDER BY state",
                )?
                .query_map([], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            let words =
                connection
                    .query_row("SELECT count(*) FROM attempts WHERE detail <> ''", [], |row| row.get(0))?;
            Ok((states, words))
        });
        read.await.expect("read")
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_of_what_ended_are_erased_after_so_many_days_and_not_before() {
        let scene = scene().await;
        let parked = operation(&scene, 1, "parked").await;
        operation(&scene, 2, "refused").await;
        operation(&scene, 3, "uncertain").await;
        scene.wait(24 * 14 - 1).await;
        assert_eq!(scene.ledger.bodies_prune(KEEP).await.expect("pruned"), 0);
        operation(&scene, 4, "done").await;
        scene.wait(2).await;
        assert_eq!(scene.ledger.bodies_prune(KEEP).await.expect("pruned"), 5);
        assert_eq!(left(&scene).await, (vec!["done".to_owned(), "uncertain".to_owned()], 1));
        let row = scene.ledger.operation_followed(crate::domain::OperationId(parked)).await.expect("read");
        assert_eq!(row.expect("it is there").state, "parked", "what needs a person stays");
        scene.wait(24 * 14).await;
        scene.ledger.bodies_prune(KEEP).await.expect("pruned");
        assert_eq!(left(&scene).await, (vec!["uncertain".to_owned()], 0));
    }

    #[tokio::test(start_paused = true)]
    async fn the_servers_words_about_a_rejection_go_with_the_bodies_and_its_code_and_status_stay() {
        let scene = scene().await;
        operation(&scene, 1, "parked").await;
        operation(&scene, 2, "cancelled").await;
        scene
            .put(
                "UPDATE operations SET outcome = 'rejected',
                        outcome_params = '{\"status\":\"400\",\"text\":\"Ada has no number\"}' WHERE id = 1;
                 UPDATE operations SET outcome = 'by_hand', outcome_params = '{\"text\":\"asked us\"}' WHERE id = 2;",
            )
            .await;
        let ends = scene.ledger.route_last_ends(scene.route.clone(), 9).await.expect("ends");
        assert_eq!(ends.len(), 1, "{ends:?}");
        scene.wait(24 * 14 + 1).await;
        scene.ledger.bodies_prune(KEEP).await.expect("pruned");
        let stands = "SELECT outcome || outcome_params FROM operations ORDER BY id";
        assert_eq!(
            scene.says(stands).await,
            [r#"rejected{"status":"400","text":"(erased)"}"#, r#"by_hand{"text":"asked us"}"#],
            "a person's words stay"
        );
        // Without words nobody knows whether two were rejected for one reason.
        let ends = scene.ledger.route_last_ends(scene.route.clone(), 9).await.expect("ends");
        assert_eq!(ends, []);
        assert_eq!(scene.ledger.bodies_prune(KEEP).await.expect("pruned"), 0, "once");
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_crm_said_to_what_it_was_told_goes_too_and_the_row_still_needs_a_person() {
        let scene = scene().await;
        scene.link("1", Some(1), &[]).await;
        let rejected = r#"'rejected', '{"status":"422","text":"Ada has no such stage"}'"#;
        let rows = format!(
            "INSERT INTO write_backs (kind, link_id, wanted, state, code, params, due_at, waits_since, changed_at, created_at)
                SELECT 'fields', id, 1, 'parked', {rejected}, created_at, created_at, '2030-01-07T09:00:00.000000Z', created_at
                FROM links;
             INSERT INTO edits (link_id, field, dialler, rule, seen_at, state, since, code, params)
                SELECT id, 'City', '\"Ulm\"', 'dialler', created_at, 'refused', '2030-01-07T09:00:00.000000Z', {rejected}
                FROM links;"
        );
        scene.put(rows).await;
        let told = async || {
            let told = "SELECT state || params FROM write_backs UNION ALL SELECT state || params FROM edits";
            scene.says(told).await
        };
        scene.ledger.bodies_prune(KEEP).await.expect("pruned");
        assert!(told().await.iter().all(|row| row.contains("Ada")), "not before");
        scene.wait(24 * 14 + 1).await;
        assert_eq!(scene.ledger.bodies_prune(KEEP).await.expect("pruned"), 2);
        let erased = r#"{"status":"422","text":"(erased)"}"#;
        assert_eq!(told().await, [format!("parked{erased}"), format!("refused{erased}")]);
        assert_eq!(scene.ledger.bodies_prune(KEEP).await.expect("pruned"), 0, "once");
    }

    #[tokio::test(start_paused = true)]
    async fn many_are_erased_in_several_transactions() {
        let scene = scene().await;
        let link = scene.link("1", Some(1), &[]).await;
        let id = scene.operation(link, "update", "done").await;
        let write = scene.ledger.write("test_many", move |tx| {
            for _ in 0..2 * CHUNK + 1 {
                tx.execute(
                    "INSERT INTO attempts (operation_id, sent_at, answered_at, outcome, detail)
                     VALUES (?1, '2030-01-07T09:00:00.000000Z', '2030-01-07T09:00:00.000000Z', 'rejected', 'words')",
                    [id],
                )?;
            }
            Ok(())
        });
        write.await.expect("attempts");
        assert_eq!(
            scene.ledger.bodies_prune(TimeDelta::zero()).await.expect("pruned"),
            2 * CHUNK as usize + 1
        );
        assert_eq!(left(&scene).await.1, 0);
    }
}
