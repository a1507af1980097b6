//! Leases: operations on their way out. The row says `sending`, with the body, before the first byte
//! leaves; so after a crash every operation in that state is uncertain, and nothing else is.

use super::acts::{acts, day};
use super::attempts::tries;
use super::drip::{Drip, Today};
use super::failing::HOPELESS;
use super::gate::{GateAnswer, Opens};
use super::lease_one::lease_one;
use super::leased::{Leased, read};
use super::route_state::choose_pilots;
use super::sql::time;
use super::{Ledger, LedgerError, sent_numbers};
use crate::domain::policy::Clearing;
use crate::domain::{LinkView, OperationId, OperationKind, RouteName, Timestamp, Values};
use rusqlite::{Transaction, named_params};

/// What a lease makes of an operation.
#[derive(Debug, Clone, PartialEq)]
pub enum Plan {
    /// Send these fields (none for commands).
    Send(Values),
    /// Both sides agree already.
    NothingLeft,
    /// The link changed under it: this kind is wanted now.
    Instead(OperationKind),
    /// No longer wished.
    Unwished,
}

/// What to lease.
#[derive(Debug, Clone)]
pub struct LeaseOrder {
    /// At most so many.
    pub limit: usize,
    /// Where the last lease of this pass ended.
    pub after: QueuePlace,
    /// Nobody may have had the key of an import since then.
    pub absent_since: Timestamp,
    /// Of this route only.
    pub only: Option<RouteName>,
    /// How fields are emptied.
    pub clearing: Clearing,
    /// The routes that may import or change so many contacts a day and no more.
    pub drips: Vec<Drip>,
    /// What the last lease of this pass left of them. Counted anew for each lease they would cost a walk over all that
    /// was sent today.
    pub today: Option<Today>,
    /// Computes what is sent.
    pub plan: Planner,
    /// What the gate is asked before it leaves; `None`: it makes nobody callable.
    pub question: GateQuestion,
}

/// Computes what of an operation is sent, for an update by hand from what it was given: handed in, because the ledger
/// holds no policy.
pub type Planner = fn(OperationKind, Option<&Values>, &LinkView, Clearing) -> Plan;

/// What the gate is asked of an operation whose body is computed.
pub type GateQuestion = fn(&Leased) -> Option<Opens>;

/// An operation on its way out, and what the gate said of it at its lease, where it is asked. Asked in the lease's own
/// transaction: a reader of its own had to read anew, for each batch, what the lease has at hand.
#[derive(Debug)]
pub struct Going {
    /// The operation.
    pub leased: Leased,
    /// The answer; `None`: the gate is not asked.
    pub gate: Option<GateAnswer>,
}

/// A place in the queue; a pass goes through it once, so that what cannot be sent now is looked at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueuePlace(Option<(String, i64)>);

/// What was leased.
#[derive(Debug, Default)]
pub struct LeaseBatch {
    /// To be sent.
    pub going: Vec<Going>,
    /// Taken, and nothing was left to send.
    pub refused: i64,
    /// Taken, and replaced by another kind, no longer wished or overtaken by a final result.
    pub superseded: i64,
    /// Where the next lease goes on; `None` when the queue was passed through.
    pub next: Option<QueuePlace>,
    /// What it left of the daily limits.
    pub today: Option<Today>,
}

/// Lanes whose turn it is. A lane's oldest waiting operation goes first, and none while one is in flight
/// or uncertain. A person's reset, unlock, deletion or update overtakes older wishes of ours, which may be held or wait, a lock only
/// where it is; one that was only let go by a person does not, because its body would take theirs along. A person's own
/// operation passes a route that does not act and a limit; nothing passes a freeze or a wrong token. A deletion passes a lock that the
/// dialler has rejected for most of an hour: it takes the contact out of reach as well, and nobody talks for that long.
const QUEUE: &str = concat!(
    "SELECT o.id, o.not_before FROM operations o
     JOIN links l ON l.id = o.link_id LEFT JOIN routes r ON r.route = l.route
     WHERE o.state = 'waiting' AND o.kind <> 'lock' AND o.not_before <= :now
       AND (o.not_before, o.id) > (:after, :after_id) AND (:only IS NULL OR l.route = :only)
       AND (o.kind <> 'import' OR l.absent_at >= :absent OR (l.contact_id IS NOT NULL AND l.vanished_at IS NULL))
       AND (:full_of_old = '{}' OR o.cause LIKE 'person:%'
            OR NOT EXISTS (SELECT 1 FROM json_each(:full_of_old) f WHERE o.decided_at < f.value AND f.key = ",
    day!(),
    "))
       AND NOT EXISTS (SELECT 1 FROM operations b WHERE b.link_id = o.link_id
              AND (b.state IN ('sending', 'uncertain')
                   OR (b.state = 'waiting' AND (b.generation, b.id) < (o.generation, o.id)
                       AND NOT (o.kind = 'delete' AND b.kind = 'lock' AND b.attempts >= :hopeless)
                       AND NOT (o.cause LIKE 'person:%' AND (o.kind NOT IN ('import', 'update') OR o.given IS NOT NULL)
                                AND b.cause NOT LIKE 'person:%'
                                AND (b.kind IN ('import', 'update', 'unlock', 'reset')
                                     OR b.kind = 'lock' AND EXISTS (SELECT 1 FROM waves w WHERE w.id = b.wave_id
                                                                    AND w.state = 'held'))))))
       AND ",
    acts!(),
    " ORDER BY o.not_before, o.id LIMIT :limit"
);

/// Whether the contact of a lock `o`, whose link is `l`, can be known: an import under way, or in doubt, may be making it.
macro_rules! contact_knowable {
    () => {
        "(l.contact_id IS NOT NULL OR NOT EXISTS (SELECT 1 FROM operations b WHERE b.link_id = o.link_id
              AND b.kind = 'import' AND b.state IN ('sending', 'uncertain')))"
    };
}
pub(super) use contact_knowable;

/// Locks go whatever the route's state and whatever else is in flight; only those that rest on a changed condition, and are
/// too many, wait for a person. One whose contact is not known yet waits for the import that may be making it.
const LOCKS: &str = concat!(
    "SELECT o.id, o.not_before FROM operations o JOIN links l ON l.id = o.link_id
     WHERE o.kind = 'lock' AND o.state IN ('waiting', 'uncertain')
       AND (o.state <> 'waiting' OR NOT EXISTS (SELECT 1 FROM waves w WHERE w.id = o.wave_id AND w.state = 'held'))
       AND NOT EXISTS (SELECT 1 FROM freezes f WHERE f.ended_at IS NULL AND f.even_locks
              AND (f.until IS NULL OR f.until > :now))
       AND ((o.state = 'waiting' AND o.not_before <= :now)
            OR (o.state = 'uncertain' AND o.settle_at <= :now AND l.wish = 'locked'))
       AND NOT EXISTS (SELECT 1 FROM operations b WHERE b.link_id = o.link_id AND b.kind = 'lock'
              AND b.id <> o.id AND (b.state = 'sending' OR b.id < o.id AND b.state IN ('waiting', 'uncertain')))
       AND (l.contact_id IS NOT NULL) = :known AND ",
    contact_knowable!(),
    " ORDER BY o.not_before, o.id LIMIT :limit"
);

impl Ledger {
    /// Leases what may be sent now, locks excepted. Committed before this returns.
    ///
    /// # Errors
    /// The ledger cannot be written; nothing is leased then.
    pub async fn operations_lease(&self, order: LeaseOrder) -> Result<LeaseBatch, LedgerError> {
        let now = self.env.now();
        let sent = self.next_seq();
        let halts = self.halt_mark();
        self.write("operations_lease", move |tx| {
            let (after, after_id) = order.after.0.clone().unwrap_or_default();
            choose_pilots(tx)?;
            let mut today = match order.today.clone() {
                Some(today) => today,
                None => Today::read(tx, &order.drips, now)?,
            };
            let found: Vec<(i64, String)> = tx
                .prepare_cached(QUEUE)?
                .query_map(
                    named_params! {
                        ":now": time(now), ":after": after, ":after_id": after_id, ":absent": time(order.absent_since),
                        ":only": order.only.as_ref().map(RouteName::as_str),
                        ":limit": i64::try_from(order.limit).unwrap_or(i64::MAX), ":full": today.full()?,
                        ":full_of_old": today.full_of_old()?, ":hopeless": HOPELESS,
                    },
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )?
                .collect::<rusqlite::Result<_>>()?;
            let mut batch = LeaseBatch::default();
            if found.len() >= order.limit
                && let Some((id, not_before)) = found.last()
            {
                batch.next = Some(QueuePlace(Some((not_before.clone(), *id))));
            }
            for (id, _) in found {
                lease_one(tx, OperationId(id), now, sent.0, &order, &mut today, &mut batch)?;
            }
            batch.going.iter_mut().for_each(|going| going.leased.halts = halts);
            batch.today = Some(today);
            Ok(batch)
        })
        .await
    }

    /// Leases locks: a lane of their own, for routes in any state. So many at most whose contact's number is `known`,
    /// and so many whose contact must be `sought` first.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn locks_lease(&self, known: usize, sought: usize) -> Result<Vec<Leased>, LedgerError> {
        let now = self.env.now();
        let sent = self.next_seq();
        let halts = self.halt_mark();
        self.write("locks_lease", move |tx| {
            let mut locks = tx.prepare_cached(LOCKS)?;
            let mut due = |known: bool, limit: usize| -> rusqlite::Result<Vec<i64>> {
                let limit = i64::try_from(limit).unwrap_or(i64::MAX);
                locks
                    .query_map(
                        named_params! { ":now": time(now), ":known": known, ":limit": limit },
                        |row| row.get(0),
                    )?
                    .collect()
            };
            let mut ids = due(true, known)?;
            ids.extend(due(false, sought)?);
            let mut leased = Vec::with_capacity(ids.len());
            for id in ids {
                let lock = Leased { halts, ..read(tx, OperationId(id), now)? };
                begin(tx, &lock, sent.0, None)?;
                // From the first byte on it may be locked: whoever lets it be called again must unlock it.
                tx.prepare_cached("UPDATE links SET lock_state = 'locked' WHERE id = ?1")?
                    .execute([lock.link.0])?;
                leased.push(lock);
            }
            Ok(leased)
        })
        .await
    }

    /// What was leased and not sent waits again, as if nothing had been.
    ///
    /// # Errors
    /// The ledger cannot be written; the next start settles these then.
    pub async fn operations_put_back(
        &self,
        ids: Vec<OperationId>,
        not_before: Option<Timestamp>,
    ) -> Result<(), LedgerError> {
        self.write("operations_put_back", move |tx| {
            for id in ids {
                put_back(tx, id, not_before)?;
            }
            Ok(())
        })
        .await
    }
}

pub(super) fn put_back(
    tx: &Transaction<'_>,
    id: OperationId,
    not_before: Option<Timestamp>,
) -> rusqlite::Result<()> {
    lock_never_arrived(tx, id)?;
    tx.prepare_cached(concat!(
        "UPDATE operations SET state = 'waiting', leased_at = NULL, sent_seq = NULL, body = NULL, settle_at = NULL,
                not_before = coalesce(?2, not_before), attempts = ",
        tries!("operations"),
        " WHERE id = ?1 AND state IN ('sending', 'uncertain')",
    ))?
    .execute((id.0, not_before.map(time)))?;
    sent_numbers::refresh_of(tx, id)
}

/// A lock that certainly never arrived has locked nothing: whoever decides next must not believe it.
pub(super) fn lock_never_arrived(tx: &Transaction<'_>, id: OperationId) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "UPDATE links SET lock_state = 'open'
         WHERE locked_at IS NULL AND lock_state = 'locked' AND id = (SELECT link_id FROM operations
                WHERE id = ?1 AND kind = 'lock' AND state = 'sending' AND outcome IS NOT 'in_doubt')",
    )?
    .execute([id.0])?;
    Ok(())
}

pub(super) fn begin(
    tx: &Transaction<'_>,
    leased: &Leased,
    sent: i64,
    body: Option<&str>,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "UPDATE operations SET state = 'sending', leased_at = ?2, sent_seq = ?3, body = ?4, contact_id = ?5,
                settle_at = NULL, calls_rest = json_remove(calls_rest, '$.over'), before = CASE kind WHEN 'reset' THEN
                    (SELECT json_object('tries', tries, 'result', result_code, 'fingerprint', hex(fingerprint))
                     FROM contacts c WHERE c.contact_id = ?5) END
         WHERE id = ?1",
    )?
    .execute((leased.id.0, time(leased.leased_at), sent, body, leased.view.contact.map(|c| c.0)))?;
    tx.prepare_cached("UPDATE links SET sent_seq = ?2 WHERE id = ?1")?.execute((leased.link.0, sent))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::decisions::Cause;
    use super::super::{
        attempts, gone_erase, lane, leaving, meet_due, prune, retention, runs, settle, trail_erase,
    };
    use super::*;
    use crate::ledger::testing::scene;

    /// What the daemon asks at each of its runs, with years of operations in the ledger.
    #[tokio::test(start_paused = true)]
    async fn nothing_that_is_asked_again_and_again_walks_past_all_that_ever_was() {
        let scene = scene().await;
        let asked = [
            QUEUE,
            LOCKS,
            meet_due::UNMET,
            meet_due::PARKED,
            settle::UNCERTAIN,
            leaving::DOUBTS,
            runs::FORGET,
            attempts::HOPELESS,
        ];
        let walks = retention::RUNS.iter().chain(retention::CONTENTS).map(|rule| rule.walk);
        let by_age = [trail_erase::OLD, trail_erase::KEPT, gone_erase::CONTACTS, gone_erase::LINKS];
        let nightly = walks.chain(prune::STATEMENTS).chain(by_age);
        for sql in asked.into_iter().chain(nightly) {
            let steps = scene.plan_of(sql).await;
            // Few stand in these, or in the part of a table that the index holds.
            let few = [
                "SCAN f",
                "SCAN CONSTANT ROW",
                "SCAN x",
                "SCAN json_each",
                "SCAN failed",
                "SCAN l USING INDEX links_unmet",
                // The block lists of the config.
                "SCAN t",
            ];
            let walks =
                |step: &&String| step.starts_with("SCAN") && !few.iter().any(|few| step.starts_with(few));
            assert_eq!(steps.iter().find(walks), None, "{sql}\n{steps:#?}");
        }
    }

    /// A lock goes before whatever a person asks for; one that itself waits for a person's word holds up nothing.
    #[tokio::test(start_paused = true)]
    async fn only_a_lock_that_goes_at_once_goes_before_a_persons_reset() {
        for (wave, leased) in [("approved", 0), ("held", 1)] {
            let scene = scene().await;
            let link = scene.link("1", Some(11), &[]).await;
            let lock = scene.operation(link, "lock", "waiting").await;
            let reset = scene.operation(link, "reset", "waiting").await;
            let write = scene.ledger.write("test_wave", move |tx| {
                tx.execute(
                    "INSERT INTO waves (id, route, source, kind, bound, since, state, decided_at)
                     VALUES (1, 'leads', 'pass:1', 'changed', 1, '2030', ?1, iif(?1 = 'held', NULL, '2030'))",
                    [wave],
                )?;
                tx.execute("UPDATE operations SET wave_id = 1 WHERE id = ?1", [lock])?;
                tx.execute(
                    "UPDATE operations SET cause = 'person:op', code = 'by_hand' WHERE id = ?1",
                    [reset],
                )
            });
            write.await.expect("written");
            let batch = scene.lease().await;
            assert_eq!(batch.going.len(), leased, "{wave}");
        }
    }

    /// What waits for a person is a lock that certainly was not sent, and that has no other cause.
    #[tokio::test(start_paused = true)]
    async fn a_lock_in_doubt_or_with_another_cause_goes_though_its_wave_is_held() {
        for (state, objects, leased) in
            [("waiting", false, 0), ("uncertain", false, 1), ("sending", true, 1), ("waiting", true, 1)]
        {
            let scene = scene().await;
            let link = scene.link("1", Some(11), &[]).await;
            let lock = scene.operation(link, "lock", state).await;
            let now = scene.ledger.env.now();
            let write = scene.ledger.write("test_wave", move |tx| {
                tx.execute(
                    "INSERT INTO waves (id, route, source, kind, bound, since, state)
                     VALUES (1, 'leads', 'lock scope pass:1', 'changed', 1, '2030', 'held')",
                    [],
                )?;
                tx.execute("UPDATE operations SET wave_id = 1 WHERE id = ?1", [lock])?;
                tx.execute("UPDATE links SET wish = 'locked'", [])?;
                if objects {
                    let cause = Cause { at: now, decided_at: now, text: "person:op".to_owned(), run: None };
                    lane::lock(tx, link, &crate::domain::ReasonCode::BlockedByHand.into(), &cause)?;
                }
                // The dialler had no time for it: it certainly was not sent.
                tx.execute("UPDATE operations SET state = 'waiting' WHERE state = 'sending'", [])
            });
            write.await.expect("written");
            scene.wait(1).await;
            let sent = scene.ledger.locks_lease(9, 9).await.expect("leased");
            assert_eq!(sent.len(), leased, "{state}, objects: {objects}");
        }
    }

    /// Each of these runs once or more for each contact that is imported.
    #[tokio::test(start_paused = true)]
    async fn nothing_that_is_written_for_each_contact_makes_a_temporary_table() {
        let scene = scene().await;
        for sql in [
            "UPDATE operations SET state = 'done', finished_at = '2030' WHERE id = 1",
            "UPDATE links SET contact_id = 11, wish = 'callable', lock_state = 'open' WHERE id = 1",
            "INSERT INTO changes (at, link_id, operation_id, side, field, before_from, cause)
             VALUES ('2030', 1, 1, 'dialler', 'Name', 'none', 'gate')",
            "INSERT INTO link_contacts (link_id, contact_id, since, how) VALUES (1, 11, '2030', 'imported')",
            "INSERT INTO harvest_due (contact_id, reason, at, since) VALUES (11, 'ours', '2030', '2030')",
            "UPDATE records SET state = 'linked' WHERE route = 'leads' AND record_id = '1'",
        ] {
            let made = scene.ledger.read("test_steps", move |connection| {
                let mut steps = connection.prepare(&format!("EXPLAIN {sql}"))?;
                let steps = steps.query_map([], |row| row.get::<_, String>("opcode"))?;
                steps.collect::<Result<Vec<_>, _>>()
            });
            let made = made.await.expect("its steps");
            assert!(
                !made.iter().any(|step| step == "OpenEphemeral" || step == "SorterOpen"),
                "{sql}: {made:?}"
            );
        }
    }
}
