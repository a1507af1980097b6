//! How long a delete waits: until its contact's calls have come to rest and the ledger has them (semantics 20).

use super::sql::{get_time_opt, parse_time, time};
use super::{Ledger, LedgerError, due};
use crate::domain::{ContactId, OperationId, Timestamp};
use chrono::TimeDelta;
use rusqlite::{OptionalExtension as _, Transaction};

/// Whether a delete may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeleteWait {
    /// Nothing is lost with the contact.
    Over,
    /// Looked at again then.
    Until(Timestamp),
}

/// A campaign that nobody harvests shows nothing new later: then its histories are read by the delete alone.
const NEXT_LOOK: TimeDelta = TimeDelta::minutes(5);

/// A result that has not come by then is not waited for: calls that nobody answered have none.
const RESULT_COMES: TimeDelta = TimeDelta::hours(1);

impl Ledger {
    /// Notes how the contact's history looks before it is deleted. It may go once it has looked alike for `settle`,
    /// and a harvest of its campaign, if we read that one, has stored what is seen; not while a call of a moment ago has no
    /// result yet, nor while the dialler means to call. `at_rest`: no call is under way.
    ///
    /// # Errors
    /// The ledger cannot be written; nothing is deleted then.
    pub async fn delete_wait(
        &self,
        id: OperationId,
        contact: ContactId,
        picture: String,
        at_rest: bool,
        settle: TimeDelta,
    ) -> Result<DeleteWait, LedgerError> {
        let now = self.env.now();
        self.write("delete_wait", move |tx| {
            let known: Option<String> = tx
                .prepare_cached("SELECT before ->> '$.since' FROM operations WHERE id = ?1 AND before ->> '$.picture' = ?2")?
                .query_row((id.0, &picture), |row| row.get(0))
                .optional()?
                .flatten();
            let Some(since) = known.as_deref().and_then(parse_time).filter(|_| at_rest) else {
                tx.prepare_cached(
                    "UPDATE operations SET before = json_object('picture', ?2, 'since', ?3) WHERE id = ?1",
                )?
                .execute((id.0, &picture, time(now)))?;
                due::enter(tx, contact, "ours", now)?;
                return Ok(DeleteWait::Until(now + settle));
            };
            if now < since + settle {
                return Ok(DeleteWait::Until(since + settle));
            }
            Ok(match awaited(tx, contact, settle, now)? {
                Some(until) => DeleteWait::Until(until),
                None if harvested(tx, contact, since)? => DeleteWait::Over,
                None => DeleteWait::Until(now + NEXT_LOOK),
            })
        })
        .await
    }
}

/// Until when more of the contact is to be expected: the result of a recent call, or a call for which its time has come.
fn awaited(
    tx: &Transaction<'_>,
    contact: ContactId,
    settle: TimeDelta,
    now: Timestamp,
) -> rusqlite::Result<Option<Timestamp>> {
    let call: Option<Timestamp> = tx
        .prepare_cached("SELECT max(first_seen_at) AS seen FROM calls WHERE contact_id = ?1 AND open = 1")?
        .query_row([contact.0], |row| get_time_opt(row, "seen"))?;
    let next_try: Option<Timestamp> = tx
        .prepare_cached("SELECT next_try FROM contacts WHERE contact_id = ?1")?
        .query_row([contact.0], |row| get_time_opt(row, "next_try"))
        .optional()?
        .flatten();
    let result = call.map(|seen| seen + RESULT_COMES);
    let tried = next_try.filter(|due| *due <= now + settle).map(|due| due + settle);
    Ok(result.max(tried).filter(|until| *until > now))
}

/// Whether its history was read by a harvest since then; a contact that no harvest reads counts as read. One of ours that
/// no list has named yet was not.
fn harvested(tx: &Transaction<'_>, contact: ContactId, since: Timestamp) -> rusqlite::Result<bool> {
    let read: Option<Option<Timestamp>> = tx
        .prepare_cached(
            "SELECT c.read_at FROM (SELECT ?1 AS id) AS x LEFT JOIN contacts c ON c.contact_id = x.id
             WHERE c.gone_at IS NULL
               AND (EXISTS (SELECT 1 FROM routes r WHERE r.campaign_id = c.campaign_id)
                    OR EXISTS (SELECT 1 FROM links l WHERE l.contact_id = x.id AND l.route IS NOT NULL))",
        )?
        .query_row([contact.0], |row| get_time_opt(row, "read_at"))
        .optional()?;
    Ok(read.is_none_or(|read| read.is_some_and(|read| read >= since)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::testing::{Scene, scene};

    /// A contact that a harvest has read, and whose deletion waits; `more` are further statements.
    async fn deleting(more: &'static str) -> (Scene, OperationId) {
        let scene = scene().await;
        let link = scene.link("1", Some(90), &[]).await;
        let delete = scene.operation(link, "delete", "waiting").await;
        let known = scene.ledger.write("test_contact", move |tx| {
            tx.execute_batch(
                "INSERT INTO contacts (contact_id, campaign_id, seen_seq, seen_at, read_at)
                 VALUES (90, 7, 1, '2030-01-07T08:00:00.000000Z', '2030-01-08T08:00:00.000000Z')",
            )?;
            tx.execute_batch(more)
        });
        known.await.expect("a contact");
        (scene, OperationId(delete))
    }

    /// After how many minutes it may go.
    async fn minutes(scene: &Scene, delete: OperationId) -> i64 {
        let begun = scene.ledger.env.now();
        loop {
            let settle = TimeDelta::minutes(15);
            let wait = scene.ledger.delete_wait(delete, ContactId(90), "same".to_owned(), true, settle).await;
            let now = scene.ledger.env.now();
            match wait.expect("looked at") {
                DeleteWait::Over => return (now - begun).num_minutes(),
                DeleteWait::Until(until) => {
                    assert!(until > now && now - begun < TimeDelta::hours(12), "it must come to its end");
                    tokio::time::advance((until - now).to_std().expect("ahead")).await;
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_delete_waits_for_a_result_that_may_come_and_for_a_call_whose_time_has_come() {
        const NO_RESULT: &str = "INSERT INTO calls (history_id, contact_id, campaign_id, hash, row, open, first_seen_at,
                                                    changed_at, run_id)
             VALUES (1, 90, 7, x'', '{}', 1, '2030-01-07T09:00:00.000000Z', '2030-01-07T09:00:00.000000Z', 1)";
        for (more, expected) in [
            ("SELECT 1", 15),
            (NO_RESULT, 60),
            ("UPDATE contacts SET next_try = '2030-01-07T09:20:00.000000Z'", 35),
            ("UPDATE contacts SET next_try = '2030-01-09T09:20:00.000000Z'", 15),
            ("UPDATE contacts SET next_try = '2030-01-02T09:20:00.000000Z'", 15),
        ] {
            let (scene, delete) = deleting(more).await;
            assert_eq!(minutes(&scene, delete).await, expected, "{more}");
        }
    }
}
