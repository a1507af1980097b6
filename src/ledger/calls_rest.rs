//! How long a delete waits, and the reset of a contact whose record is back: until its calls have come to rest and the ledger has
//! them (semantics 20). Either may take the history with it.

use super::answer::{Ending, end_in};
use super::overtaken::{self, Standing};
use super::sql::{get_time, get_time_opt, parse_time, time};
use super::{Ledger, LedgerError, call_notes, due, leased};
use crate::domain::{ContactId, HistoryId, LinkId, OperationId, OperationKind, Timestamp};
use chrono::TimeDelta;
use rusqlite::{OptionalExtension as _, Transaction};

/// Whether a delete, or the reset of a contact whose record is back, may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallsRest {
    /// Nothing is lost with it.
    Over,
    /// Looked at again then.
    Until(Timestamp),
    /// A reset that came to its end unsent: its last result is final now, or its contact is not held locked any more.
    GivenUp,
}

/// A campaign that nobody harvests shows nothing new later: then its histories are read by the delete alone.
const NEXT_LOOK: TimeDelta = TimeDelta::minutes(5);

/// A result that has not come by then is not waited for: calls that nobody answered have none.
const RESULT_COMES: TimeDelta = TimeDelta::hours(1);

/// Whose unlock a person has to decide about is looked at again then.
const HELD: TimeDelta = TimeDelta::hours(1);

/// A call lasts no longer: whoever has fewer rows than tries for so long has lost one, which closing the day tells of.
const CALL_LASTS: TimeDelta = TimeDelta::hours(4);

impl Ledger {
    /// Notes how the contact's history looks before the operation goes. It may go once it has looked alike for `settle`,
    /// and a harvest of its campaign, if we read that one, has stored what is seen; not while a call of a moment ago has no
    /// result yet, or no row though the dialler counts it, nor while the dialler means to call. `open`: rows without an end; one that
    /// has been known for longer than any call lasts never gets one (the dialler did not see it).
    /// Whether the last result is final is asked once more by what that harvest brought.
    ///
    /// # Errors
    /// The ledger cannot be written; nothing is sent then.
    pub async fn calls_rest(
        &self,
        id: OperationId,
        contact: ContactId,
        picture: String,
        open: Vec<HistoryId>,
        settle: TimeDelta,
    ) -> Result<CallsRest, LedgerError> {
        let now = self.env.now();
        let answered = self.next_seq();
        self.write("calls_rest", move |tx| {
            let operation = leased::read(tx, id, now)?;
            if operation.kind == OperationKind::Reset {
                match before_its_unlock(tx, operation.link)? {
                    Before::ItsUnlock => {}
                    Before::Held => return Ok(CallsRest::Until(now + HELD)),
                    Before::Nothing => {
                        end_in(tx, id, &Ending::Superseded, now, answered)?;
                        return Ok(CallsRest::GivenUp);
                    }
                }
            }
            let at_rest = all_over(tx, &open, now)?;
            let known: Option<String> = tx
                .prepare_cached(
                    "SELECT calls_rest ->> '$.since' FROM operations WHERE id = ?1 AND calls_rest ->> '$.picture' = ?2",
                )?
                .query_row((id.0, &picture), |row| row.get(0))
                .optional()?
                .flatten();
            let Some(since) = known.as_deref().and_then(parse_time).filter(|_| at_rest) else {
                tx.prepare_cached(
                    "UPDATE operations SET calls_rest = json_object('picture', ?2, 'since', ?3) WHERE id = ?1",
                )?
                .execute((id.0, &picture, time(now)))?;
                due::enter(tx, contact, "ours", now)?;
                return Ok(CallsRest::Until(now + settle));
            };
            if now < since + settle {
                return Ok(CallsRest::Until(since + settle));
            }
            if let Some(until) = awaited(tx, contact, settle, now)? {
                return Ok(CallsRest::Until(until));
            }
            if harvested(tx, contact, since)? {
                return match overtaken::judge(tx, &operation, now)? {
                    Standing::Overtaken => Ok(CallsRest::GivenUp),
                    Standing::Stands => over(tx, id),
                };
            }
            // A read that was under way at the first look may have taken it off the list.
            due::enter(tx, contact, "ours", now)?;
            Ok(CallsRest::Until(now + NEXT_LOOK))
        })
        .await
    }
}

impl Ledger {
    /// Whether the calls had come to rest, so that the operation may have been sent since: one that a crash broke off before that
    /// was not.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn calls_had_rested(&self, id: OperationId) -> Result<bool, LedgerError> {
        self.read("calls_had_rested", move |connection| {
            connection
                .prepare_cached("SELECT calls_rest ->> '$.over' IS NOT NULL FROM operations WHERE id = ?1")?
                .query_row([id.0], |row| row.get(0))
        })
        .await
    }
}

/// Nothing stands in its way; said before its request leaves.
fn over(tx: &Transaction<'_>, id: OperationId) -> rusqlite::Result<CallsRest> {
    tx.prepare_cached("UPDATE operations SET calls_rest = json_set(calls_rest, '$.over', 1) WHERE id = ?1")?
        .execute([id.0])?;
    Ok(CallsRest::Over)
}

/// What a reset of a contact whose record is back stands before.
enum Before {
    /// Its unlock: the contact waits for both, locked by a lock that was answered, so that nobody is called meanwhile.
    ItsUnlock,
    /// An unlock that a person has to decide about first: a reset may unlock.
    Held,
    /// None, because it was opened, rejected or left again meanwhile.
    Nothing,
}

fn before_its_unlock(tx: &Transaction<'_>, link: LinkId) -> rusqlite::Result<Before> {
    let (waits, goes): (bool, bool) = tx
        .prepare_cached(
            "SELECT l.begins_anew = 1 AND l.wish = 'callable' AND l.lock_state = 'locked' AND l.locked_at IS NOT NULL
                        AND EXISTS (SELECT 1 FROM operations u WHERE u.link_id = l.id AND u.kind = 'unlock'
                                    AND u.state IN ('waiting', 'parked')),
                    EXISTS (SELECT 1 FROM operations u WHERE u.link_id = l.id AND u.kind = 'unlock' AND u.state = 'waiting'
                            AND NOT EXISTS (SELECT 1 FROM waves w WHERE w.id = u.wave_id AND w.state = 'held'))
             FROM links l WHERE l.id = ?1",
        )?
        .query_row([link.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if waits {
        return Ok(if goes { Before::ItsUnlock } else { Before::Held });
    }
    // Whom a person made callable has begun anew: nothing is owed for the next time.
    tx.prepare_cached(
        "UPDATE links SET begins_anew = 0 WHERE id = ?1 AND wish = 'callable' AND lock_state <> 'locked'",
    )?
    .execute([link.0])?;
    Ok(Before::Nothing)
}

/// Whether no row without an end is a call that may be under way.
fn all_over(tx: &Transaction<'_>, open: &[HistoryId], now: Timestamp) -> rusqlite::Result<bool> {
    let mut known = tx.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM calls WHERE history_id = ?1 AND first_seen_at <= ?2)",
    )?;
    for row in open {
        if !known.query_row((row.0, time(now - CALL_LASTS)), |row| row.get(0))? {
            return Ok(false);
        }
    }
    Ok(true)
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
    let result = call.map(|seen| seen + RESULT_COMES).max(untold(tx, contact, now)?);
    let tried = next_try.filter(|due| *due <= now + settle).map(|due| due + settle);
    Ok(result.max(tried).filter(|until| *until > now))
}

/// Until when a call is to be expected that the dialler counts and has no row of: one that lasts longer than any history
/// needs to settle has none yet.
fn untold(tx: &Transaction<'_>, contact: ContactId, now: Timestamp) -> rusqlite::Result<Option<Timestamp>> {
    if !call_notes::one_more_is_due(tx, contact)? {
        return Ok(None);
    }
    // The harvest keeps since when the two disagree; before its first read nobody knows.
    let since: Option<Timestamp> = tx
        .prepare_cached("SELECT since FROM harvest_due WHERE contact_id = ?1 AND reason = 'sum'")?
        .query_row([contact.0], |row| get_time(row, "since"))
        .optional()?;
    Ok(Some(since.map_or(now + NEXT_LOOK, |since| since + CALL_LASTS)))
}

/// Whether its history was asked for by a harvest since then; a contact that no harvest reads counts as read. One of ours that
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
    use crate::domain::{CampaignId, RunId};
    use crate::ledger::due::{HarvestRules, Share};
    use crate::ledger::testing::{Scene, scene};
    use crate::ledger::{HistoryRead, ReadContext};

    const SETTLE: TimeDelta = TimeDelta::minutes(15);
    const CONTACT: ContactId = ContactId(11);

    async fn deletion(scene: &Scene) -> OperationId {
        let link = scene.link("1", Some(CONTACT.0), &[]).await;
        OperationId(scene.operation(link, "delete", "sending").await)
    }

    async fn look(scene: &Scene, id: OperationId) -> CallsRest {
        scene.ledger.calls_rest(id, CONTACT, "alike".to_owned(), Vec::new(), SETTLE).await.expect("a look")
    }

    /// A harvest stores a read that was asked for then.
    async fn harvested(scene: &Scene, sent_at: Timestamp) {
        let seq = scene.ledger.next_seq();
        let read = HistoryRead {
            contact: CONTACT,
            seq,
            sent_at,
            fingerprint: None,
            seen: None,
            result: None,
            rows: Vec::new(),
        };
        let context = ReadContext {
            run: RunId(1),
            campaign: CampaignId(7),
            share: Share::Due,
            result_in_list: true,
            rules: HarvestRules::default(),
        };
        scene.ledger.history_store(vec![read], context).await.expect("stored");
    }

    async fn is_due(scene: &Scene) -> bool {
        let now = scene.ledger.env.now();
        !scene.ledger.due_take(CampaignId(7), Share::Due, now, 9).await.expect("due").is_empty()
    }

    #[tokio::test(start_paused = true)]
    async fn a_contact_that_no_list_has_named_yet_is_not_deleted() {
        let scene = scene().await;
        let id = deletion(&scene).await;
        look(&scene, id).await;
        scene.wait(1).await;
        assert!(matches!(look(&scene, id).await, CallsRest::Until(_)), "nobody has stored its calls");
        scene.contact_number(CONTACT.0, "+4930111").await;
        harvested(&scene, scene.ledger.env.now()).await;
        assert_eq!(look(&scene, id).await, CallsRest::Over);
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_that_was_asked_for_before_the_look_and_stored_after_it_lets_nothing_be_deleted() {
        let scene = scene().await;
        scene.contact_number(CONTACT.0, "+4930111").await;
        let id = deletion(&scene).await;
        // On the list already, for something else.
        let before = scene.ledger.env.now();
        let entered = scene.ledger.write("test_due", move |tx| due::enter(tx, CONTACT, "ours", before));
        entered.await.expect("entered");
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        let asked = scene.ledger.env.now();
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        look(&scene, id).await;
        harvested(&scene, asked).await;
        scene.wait(1).await;
        assert!(matches!(look(&scene, id).await, CallsRest::Until(_)), "a call may have come in between");
        assert!(is_due(&scene).await, "somebody must read it");
        harvested(&scene, scene.ledger.env.now()).await;
        assert_eq!(look(&scene, id).await, CallsRest::Over);
    }

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

    /// After how many minutes it may go, while these rows have no end.
    async fn minutes(scene: &Scene, delete: OperationId, open: &[HistoryId]) -> i64 {
        let begun = scene.ledger.env.now();
        loop {
            let settle = TimeDelta::minutes(15);
            let (picture, open) = ("same".to_owned(), open.to_vec());
            let wait = scene.ledger.calls_rest(delete, ContactId(90), picture, open, settle).await;
            let now = scene.ledger.env.now();
            match wait.expect("looked at") {
                CallsRest::Over => return (now - begun).num_minutes(),
                CallsRest::GivenUp => panic!("only a reset is"),
                CallsRest::Until(until) => {
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
        const ENDLESS: &str = "INSERT INTO calls (history_id, contact_id, campaign_id, hash, row, open, first_seen_at,
                                                   changed_at, run_id)
             VALUES (1, 90, 7, x'', '{}', 0, '2030-01-07T09:00:00.000000Z', '2030-01-07T09:00:00.000000Z', 1)";
        const COUNTED: &str = "UPDATE contacts SET tries = 1;
             INSERT INTO harvest_due (contact_id, reason, at, since)
             VALUES (90, 'sum', '2030-01-07T09:02:00.000000Z', '2030-01-07T09:00:00.000000Z')";
        // One whose end the dialler did not see never gets it.
        let (delete, open) = (deleting(ENDLESS).await, [HistoryId(1)]);
        assert_eq!(minutes(&delete.0, delete.1, &open).await, 240);
        for (more, expected) in [
            ("SELECT 1", 15),
            (NO_RESULT, 60),
            ("UPDATE contacts SET next_try = '2030-01-07T09:20:00.000000Z'", 35),
            ("UPDATE contacts SET next_try = '2030-01-09T09:20:00.000000Z'", 15),
            ("UPDATE contacts SET next_try = '2030-01-02T09:20:00.000000Z'", 15),
            // It is being called, and the row comes with the call's end; one that never comes is waited for as long as a call may last.
            (COUNTED, 240),
        ] {
            let (scene, delete) = deleting(more).await;
            assert_eq!(minutes(&scene, delete, &[]).await, expected, "{more}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_reset_goes_only_before_an_unlock_that_goes() {
        let held = "INSERT INTO waves (id, route, source, kind, bound, since, state)
                    VALUES (1, 'leads', 'pass:1', 'changed', 1, '2030', 'held');
                    UPDATE operations SET wave_id = 1 WHERE kind = 'unlock'";
        for (unlock, more, waits) in [
            (Some("waiting"), "SELECT 1", Some(SETTLE)),
            (Some("waiting"), held, Some(HELD)),
            (Some("cancelled"), "SELECT 1", None),
            (None, "SELECT 1", None),
            (Some("waiting"), "UPDATE links SET lock_state = 'open'", None),
        ] {
            let scene = scene().await;
            let link = scene.link("1", Some(CONTACT.0), &[]).await;
            let reset = OperationId(scene.operation(link, "reset", "sending").await);
            if let Some(state) = unlock {
                scene.operation(link, "unlock", state).await;
            }
            scene
                .put("UPDATE links SET begins_anew = 1, wish = 'callable', lock_state = 'locked', locked_at = '2030'")
                .await;
            scene.put(more).await;
            let now = scene.ledger.env.now();
            let expected = waits.map_or(CallsRest::GivenUp, |wait| CallsRest::Until(now + wait));
            assert_eq!(look(&scene, reset).await, expected, "{unlock:?} {more}");
            let owed = !more.contains("'open'");
            assert_eq!(
                scene.says("SELECT begins_anew FROM links").await,
                [i64::from(owed).to_string()],
                "{more}"
            );
        }
    }
}
