//! The due list: when a contact's history is read again, and why (semantics 1).

use super::sql::{get_time, time};
use super::unlisted::unlisted_held;
use super::{Ledger, LedgerError};
use crate::domain::limits::MissingLimits;
use crate::domain::{CampaignId, ContactId, RouteName, Timestamp};
use chrono::TimeDelta;
use rusqlite::{OptionalExtension as _, Transaction};
use std::collections::BTreeMap;
use std::sync::Arc;

/// When histories are read again. The ladder exists because the row comes after the fields and the result
/// after the row; the audit because some calls move no field at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HarvestRules {
    /// After a change, and while a call has no result or no end: read again so long after it.
    pub ladder: Vec<TimeDelta>,
    /// After the ladder a call without result is looked at daily until it is this old; then "no result
    /// given" is its outcome.
    pub waiting: TimeDelta,
    /// The rolling audit; `None` only to show in a test what it is for.
    pub audit: Option<AuditRules>,
    /// How far apart the two single reads must lie before a contact counts as gone.
    pub second_look: TimeDelta,
    /// How many contacts of a route may be missing at once before a person is asked.
    pub vanished: Arc<BTreeMap<RouteName, MissingLimits>>,
}

/// The rolling audit: every contact is read once in its interval, spread evenly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuditRules {
    /// For active contacts.
    pub active: TimeDelta,
    /// For active contacts where the plain list does not carry the current result code.
    pub active_blind: TimeDelta,
    /// For all others.
    pub idle: TimeDelta,
    /// A contact is active so long after its last try or result.
    pub active_for: TimeDelta,
}

impl Default for HarvestRules {
    fn default() -> Self {
        Self {
            ladder: vec![
                TimeDelta::minutes(2),
                TimeDelta::minutes(15),
                TimeDelta::hours(2),
                TimeDelta::hours(24),
            ],
            waiting: TimeDelta::days(7),
            audit: Some(AuditRules {
                active: TimeDelta::hours(24),
                active_blind: TimeDelta::hours(1),
                idle: TimeDelta::days(7),
                active_for: TimeDelta::days(14),
            }),
            second_look: TimeDelta::minutes(10),
            vanished: Arc::default(),
        }
    }
}

impl HarvestRules {
    /// The next rung after `now` of a ladder that began at `since`. Rungs that passed while nothing could be
    /// read are served by the one read that came late.
    pub fn next_rung(&self, since: Timestamp, now: Timestamp) -> Option<Timestamp> {
        self.ladder.iter().map(|step| since + *step).filter(|at| *at > now).min()
    }

    /// The same while a call waits for its result: after the ladder daily, for the last time at its end.
    pub fn next_waiting(&self, since: Timestamp, now: Timestamp) -> Option<Timestamp> {
        if self.ladder.is_empty() {
            return None;
        }
        let end = since + self.waiting;
        let daily = since + TimeDelta::days((now - since).num_days().max(0) + 1);
        let next = self.next_rung(since, now).unwrap_or(daily).min(end);
        (next > now).then_some(next)
    }

    /// When the audit reads the contact next: each has a fixed place in the interval, so that a load of
    /// thousands at one moment is spread, and two reads are never further apart than the interval.
    pub(super) fn next_audit(
        &self,
        contact: ContactId,
        active_at: Option<Timestamp>,
        result_in_list: bool,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let audit = self.audit.as_ref()?;
        let active = active_at.is_some_and(|at| now - at < audit.active_for);
        let interval = match (active, result_in_list) {
            (true, true) => audit.active,
            (true, false) => audit.active_blind,
            (false, _) => audit.idle,
        };
        let step = interval.num_microseconds().filter(|step| *step > 0)?;
        // Fibonacci hashing: neighbouring ids land far apart.
        let mixed = (contact.0 as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 1;
        let phase = (mixed % step as u64) as i64;
        let passed = (now.timestamp_micros() - phase).rem_euclid(step);
        Some(now + TimeDelta::microseconds(step - passed))
    }

    /// When a contact whose rows and tries disagree is looked at again: by the ladder, then daily.
    pub(super) fn next_sum(&self, since: Timestamp, now: Timestamp) -> Timestamp {
        self.next_rung(since, now).unwrap_or(now + TimeDelta::hours(24))
    }
}

/// Which part of the work a read belongs to; each is counted apart (promise 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Share {
    /// Contacts that the sweep saw changed, or new.
    Changed,
    /// The rest of the due list: ladder, waiting, ours, hint, sum.
    Due,
    /// Contacts likely to move, while the list rests: those tried since then, due in the dialler, reserved.
    Likely {
        /// Since when a try counts.
        tried_since: Timestamp,
    },
    /// The rolling audit.
    Audit,
    /// Ours in a campaign that no route names, by their numbers.
    Elsewhere {
        /// Only who was not read since then.
        read_before: Timestamp,
    },
    /// Contacts that a list did not name, and that are asked about one by one.
    Missing,
    /// Of ours, so many not named at once that nothing is concluded from it. Only the list in hand knows them: nobody is due.
    Held,
}

/// A contact whose history is to be read now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueContact {
    /// Its number.
    pub id: ContactId,
    /// The fingerprint that the sweep saw, to be stored with what the read brings.
    pub fingerprint: Option<Vec<u8>>,
}

impl Ledger {
    /// Contacts of the campaign that are due at `cutoff`, longest overdue first.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn due_take(
        &self,
        campaign: CampaignId,
        share: Share,
        cutoff: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueContact>, LedgerError> {
        const CHANGED: &str = concat!(
            "SELECT d.contact_id, d.fingerprint FROM harvest_due d
             JOIN contacts c ON c.contact_id = d.contact_id
             WHERE d.reason = 'changed' AND d.at <= ?2 AND c.campaign_id = ?1 AND c.gone_at IS NULL AND NOT ",
            unlisted_held!("d.contact_id"),
            " ORDER BY d.at LIMIT ?3"
        );
        const DUE: &str = concat!(
            "SELECT d.contact_id, NULL FROM harvest_due d
             JOIN contacts c ON c.contact_id = d.contact_id
             WHERE d.reason IN ('ladder', 'waiting', 'ours', 'hint', 'sum') AND d.at <= ?2
               AND c.campaign_id = ?1 AND c.gone_at IS NULL AND NOT ",
            unlisted_held!("d.contact_id"),
            " GROUP BY d.contact_id ORDER BY min(d.at) LIMIT ?3"
        );
        const AUDIT: &str = concat!(
            "SELECT contact_id, NULL FROM contacts
             WHERE campaign_id = ?1 AND audit_at <= ?2 AND gone_at IS NULL AND NOT ",
            unlisted_held!("contacts.contact_id"),
            " ORDER BY audit_at LIMIT ?3"
        );
        const MISSING: &str = concat!(
            "SELECT d.contact_id, NULL FROM harvest_due d
             JOIN contacts c ON c.contact_id = d.contact_id
             WHERE d.reason = 'missing' AND d.at <= ?2 AND c.campaign_id = ?1 AND c.gone_at IS NULL AND (d.believed = 1 OR NOT ",
            unlisted_held!("d.contact_id"),
            ") ORDER BY d.at LIMIT ?3"
        );
        let statement = match share {
            Share::Changed => CHANGED,
            Share::Due => DUE,
            Share::Likely { tried_since } => {
                return self.likely_take(campaign, tried_since, cutoff, limit).await;
            }
            Share::Elsewhere { read_before } => {
                return self.elsewhere_take(campaign, read_before, limit).await;
            }
            Share::Audit => AUDIT,
            Share::Missing => MISSING,
            Share::Held => return Ok(Vec::new()),
        };
        self.read("due_take", move |connection| {
            connection
                .prepare_cached(statement)?
                .query_map((campaign.0, time(cutoff), limit as i64), |row| {
                    Ok(DueContact { id: ContactId(row.get(0)?), fingerprint: row.get(1)? })
                })?
                .collect()
        })
        .await
    }

    /// A read failed for this contact alone: it is tried again later and later, the others go on.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn due_postpone(&self, contact: ContactId, rules: HarvestRules) -> Result<(), LedgerError> {
        let now = self.env.now();
        self.write("due_postpone", move |tx| {
            let failed: i64 = tx
                .prepare_cached("SELECT coalesce(max(failed), 0) + 1 FROM harvest_due WHERE contact_id = ?1")?
                .query_row([contact.0], |row| row.get(0))?;
            let step = usize::try_from(failed - 1).unwrap_or(0);
            let wait = rules.ladder.get(step).copied().unwrap_or(TimeDelta::hours(24));
            let at = now + wait.max(TimeDelta::minutes(1));
            tx.prepare_cached(
                "UPDATE harvest_due SET failed = ?3, at = max(at, ?2) WHERE contact_id = ?1",
            )?
            .execute((contact.0, time(at), failed))?;
            tx.prepare_cached(
                "UPDATE contacts SET audit_at = max(audit_at, ?2) WHERE contact_id = ?1 AND audit_at IS NOT NULL",
            )?
            .execute((contact.0, time(at)))?;
            Ok(())
        })
        .await
    }
}

/// Puts a contact on the list, to be read at `at`; an earlier entry of the same reason stays.
pub(super) fn enter(
    tx: &Transaction<'_>,
    contact: ContactId,
    reason: &str,
    at: Timestamp,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO harvest_due (contact_id, reason, at, since) VALUES (?1, ?2, ?3, ?3)
         ON CONFLICT (contact_id, reason) DO UPDATE SET at = min(at, excluded.at)",
    )?
    .execute((contact.0, reason, time(at)))?;
    Ok(())
}

/// A list that is older than a write of ours shows it: it is read by its number. Made by us a moment ago, it may have no row yet; deleted by
/// us a moment ago, there is nothing to be read.
pub(super) fn read_again(tx: &Transaction<'_>, id: ContactId, now: Timestamp) -> rusqlite::Result<()> {
    let gone: bool = tx
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM contacts WHERE contact_id = ?1 AND gone_at IS NOT NULL)",
        )?
        .query_row([id.0], |row| row.get(0))?;
    if gone { Ok(()) } else { enter(tx, id, "ours", now) }
}

/// After every reset, import or unlock of ours the history is read at once; after a reset the tries are
/// counted from it. Called in the transaction that stores the answer.
pub(super) fn enter_ours(
    tx: &Transaction<'_>,
    contact: ContactId,
    at: Timestamp,
    was_reset: bool,
) -> rusqlite::Result<()> {
    if was_reset {
        tx.prepare_cached(
            "UPDATE contacts SET reset_at = ?2, tries = 0, result_code = NULL WHERE contact_id = ?1",
        )?
        .execute((contact.0, time(at)))?;
    }
    enter(tx, contact, "ours", at)
}

/// A sweep saw the contact changed: read at once, and by the ladder from now on.
pub(super) fn enter_changed(
    tx: &Transaction<'_>,
    contact: ContactId,
    fingerprint: &[u8],
    rules: &HarvestRules,
    now: Timestamp,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO harvest_due (contact_id, reason, at, since, fingerprint) VALUES (?1, 'changed', ?2, ?2, ?3)
         ON CONFLICT (contact_id, reason) DO UPDATE SET since = excluded.since, fingerprint = excluded.fingerprint",
    )?
    .execute((contact.0, time(now), fingerprint))?;
    if let Some(at) = rules.next_rung(now, now) {
        tx.prepare_cached(
            "INSERT INTO harvest_due (contact_id, reason, at, since) VALUES (?1, 'ladder', ?2, ?3)
             ON CONFLICT (contact_id, reason) DO UPDATE SET at = excluded.at, since = excluded.since",
        )?
        .execute((contact.0, time(at), time(now)))?;
    }
    Ok(())
}

/// What a read at `sent_at` has served: what was entered later stays.
pub(super) fn serve(
    tx: &Transaction<'_>,
    contact: ContactId,
    fingerprint: Option<&[u8]>,
    sent_at: Timestamp,
    now: Timestamp,
    rules: &HarvestRules,
) -> rusqlite::Result<()> {
    if let Some(fingerprint) = fingerprint {
        tx.prepare_cached("UPDATE contacts SET fingerprint = ?2 WHERE contact_id = ?1")?
            .execute((contact.0, fingerprint))?;
        tx.prepare_cached(
            "DELETE FROM harvest_due WHERE contact_id = ?1 AND reason = 'changed' AND fingerprint = ?2",
        )?
        .execute((contact.0, fingerprint))?;
    }
    tx.prepare_cached(
        "DELETE FROM harvest_due WHERE contact_id = ?1 AND reason IN ('ours', 'hint', 'missing') AND at <= ?2",
    )?
    .execute((contact.0, time(sent_at)))?;
    let ladder = tx
        .prepare_cached(
            "SELECT since FROM harvest_due WHERE contact_id = ?1 AND reason = 'ladder' AND at <= ?2",
        )?
        .query_row((contact.0, time(sent_at)), |row| get_time(row, "since"))
        .optional()?;
    match ladder {
        Some(since) => replace(tx, contact, "ladder", since, rules.next_rung(since, now)),
        None => Ok(()),
    }
}

/// Sets when a reason is next due, or removes it.
pub(super) fn replace(
    tx: &Transaction<'_>,
    contact: ContactId,
    reason: &str,
    since: Timestamp,
    at: Option<Timestamp>,
) -> rusqlite::Result<()> {
    match at {
        Some(at) => tx
            .prepare_cached(
                "INSERT INTO harvest_due (contact_id, reason, at, since) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (contact_id, reason) DO UPDATE SET at = excluded.at, since = excluded.since,
                    failed = 0",
            )?
            .execute((contact.0, reason, time(at), time(since)))?,
        None => tx
            .prepare_cached("DELETE FROM harvest_due WHERE contact_id = ?1 AND reason = ?2")?
            .execute((contact.0, reason))?,
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        "2026-03-02T08:00:00Z".parse::<Timestamp>().expect("an instant") + TimeDelta::minutes(minutes)
    }

    #[test]
    fn a_late_read_serves_the_rungs_it_missed() {
        let rules = HarvestRules::default();
        assert_eq!(rules.next_rung(at(0), at(0)), Some(at(2)));
        assert_eq!(rules.next_rung(at(0), at(2)), Some(at(15)));
        assert_eq!(rules.next_rung(at(0), at(180)), Some(at(24 * 60)));
        assert_eq!(rules.next_rung(at(0), at(24 * 60)), None);
    }

    #[test]
    fn waiting_goes_on_daily_and_ends_after_seven_days() {
        let rules = HarvestRules::default();
        let mut now = at(0);
        let mut reads = Vec::new();
        while let Some(next) = rules.next_waiting(at(0), now) {
            reads.push((next - at(0)).num_minutes());
            now = next;
        }
        let day = 24 * 60;
        assert_eq!(reads, [2, 15, 120, day, 2 * day, 3 * day, 4 * day, 5 * day, 6 * day, 7 * day]);
    }

    #[test]
    fn the_audit_is_spread_and_never_later_than_its_interval() {
        let rules = HarvestRules::default();
        let mut per_hour = [0_u32; 24];
        for id in 0..24_000 {
            let next = rules.next_audit(ContactId(id), Some(at(0)), true, at(0)).expect("a time");
            assert!(next > at(0) && next <= at(24 * 60));
            let hour = usize::try_from((next - at(0)).num_hours().min(23)).expect("small");
            per_hour[hour] += 1;
            let after = rules.next_audit(ContactId(id), Some(at(0)), true, next).expect("a time");
            assert_eq!(after - next, TimeDelta::hours(24));
        }
        assert!(per_hour.iter().all(|n| (900..1100).contains(n)), "{per_hour:?}");
    }

    #[test]
    fn active_contacts_are_read_hourly_where_the_list_is_blind() {
        let rules = HarvestRules::default();
        let next = |active, in_list| {
            let now = at(3);
            rules.next_audit(ContactId(4711), active, in_list, now).map(|next| next - now)
        };
        assert!(next(Some(at(0)), false) <= Some(TimeDelta::hours(1)));
        assert!(next(Some(at(0) - TimeDelta::days(15)), false) > Some(TimeDelta::hours(1)));
        assert!(next(None, true) <= Some(TimeDelta::days(7)));
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_of_ours_may_have_put_counters_back_is_read_at_once() {
        use crate::domain::OperationId;
        use crate::ledger::{Done, Ending};
        for (kind, due) in [("import", 1), ("unlock", 1), ("reset", 1), ("update", 0), ("lock", 0)] {
            let scene = crate::ledger::testing::scene().await;
            let link = scene.link("1", (kind != "import").then_some(11), &[]).await;
            let operation = OperationId(scene.operation(link, kind, "sending").await);
            let contact = (kind == "import").then_some(ContactId(11));
            let done = Done { contact, ..Done::default() };
            scene.ledger.operation_end(operation, Ending::Done(Box::new(done))).await.expect("stored");
            let entered: i64 = scene
                .ledger
                .read("test_due", |connection| {
                    connection.query_row(
                        "SELECT count(*) FROM harvest_due WHERE contact_id = 11 AND reason = 'ours'",
                        [],
                        |row| row.get(0),
                    )
                })
                .await
                .expect("read");
            assert_eq!(entered, due, "{kind}");
        }
    }
}
