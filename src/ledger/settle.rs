//! Uncertain operations: found at the start, due after the quiet time, ended by what was asked.

use super::answer::{BaseChange, Ending, end_in};
use super::attempts::tries;
use super::decisions::{Cause, lane_of_contact};
use super::holder::take_contact;
use super::lease;
use super::leased::{self, Leased};
use super::link_after::store_base;
use super::meet::{self, Decide, MeetCounts, Meeting};
use super::sql::{get_reason, get_time, time};
use super::{Ledger, LedgerError, calls_lost, hints, lane};
use crate::domain::{
    Base, ContactId, HistoryId, LinkId, OperationId, Reason, ReasonCode, RecordId, RouteName, Timestamp,
};
use chrono::TimeDelta;
use rusqlite::{OptionalExtension as _, Transaction};
use serde::Deserialize;

/// What the ledger knew of a contact when a reset of it was leased.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CountersBefore {
    /// The sum of its tries as last read.
    pub tries: i64,
    /// Its result code as last read.
    pub result: Option<i64>,
    /// The fingerprint of everything the dialler writes, in hexadecimal capitals; empty: never swept.
    pub fingerprint: String,
}

/// Whoever is open has no end: said for the index.
pub(super) const UNCERTAIN: &str =
    "SELECT o.id, o.leased_at FROM operations o JOIN links l ON l.id = o.link_id
     WHERE o.state = 'uncertain' AND o.finished_at IS NULL AND o.settle_at <= ?1
       AND NOT (o.kind = 'lock' AND l.wish = 'locked')
     ORDER BY o.settle_at LIMIT ?2";

impl Ledger {
    /// What was being sent when the program ended is uncertain. The quiet time is counted from now, not from
    /// the lease: leases run ahead, so what was leased long ago may have left just before the end, and nothing
    /// can have left later than now. A lock does not wait at all: it is sent again, whether it arrived or not.
    /// Called once, before anything is sent.
    ///
    /// # Errors
    /// The ledger cannot be written; then nothing may be sent.
    pub async fn operations_recover(&self, settle_after: TimeDelta) -> Result<usize, LedgerError> {
        let now = self.env.now();
        self.write("operations_recover", move |tx| {
            tx.execute(
                concat!(
                    "UPDATE operations SET state = 'uncertain', leased_at = ?1,
                            settle_at = CASE kind WHEN 'lock' THEN ?1 ELSE ?2 END, outcome = 'in_doubt',
                            outcome_params = json_object('problem', 'the program ended while it was being sent'),
                            attempts = ",
                    tries!("operations"),
                    " WHERE state = 'sending' AND finished_at IS NULL",
                ),
                (time(now), time(now + settle_after)),
            )
        })
        .await
    }

    /// Uncertain operations whose quiet time is over. A lock that is still wished is not asked about: it is
    /// sent again.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn settle_due(&self, limit: u32) -> Result<Vec<Leased>, LedgerError> {
        let now = self.env.now();
        self.write("settle_due", move |tx| {
            let ids: Vec<(i64, Timestamp)> = tx
                .prepare_cached(UNCERTAIN)?
                .query_map((time(now), limit), |row| Ok((row.get("id")?, get_time(row, "leased_at")?)))?
                .collect::<rusqlite::Result<_>>()?;
            ids.into_iter().map(|(id, at)| leased::read_in_doubt(tx, OperationId(id), at)).collect()
        })
        .await
    }

    /// It could not be asked about, or not yet: asked again later.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn settle_postpone(&self, id: OperationId, until: Timestamp) -> Result<(), LedgerError> {
        self.write("settle_postpone", move |tx| {
            tx.prepare_cached("UPDATE operations SET settle_at = ?2 WHERE id = ?1 AND state = 'uncertain'")?
                .execute((id.0, time(until)))?;
            Ok(())
        })
        .await
    }

    /// An import in doubt has left something: it ended, and what was found is decided about, at once.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn settle_import(
        &self,
        id: OperationId,
        ending: Ending,
        meeting: Meeting,
        decide: Decide,
    ) -> Result<MeetCounts, LedgerError> {
        let now = self.env.now();
        let answered = self.next_seq();
        self.write("settle_import", move |tx| {
            end_in(tx, id, &ending, now, answered)?;
            let cause = Cause { at: now, decided_at: now, text: format!("settle:{id}"), run: None };
            let mut counts = MeetCounts::default();
            meet::store(tx, &cause, &meeting, decide, &mut counts)?;
            Ok(counts)
        })
        .await
    }

    /// How many of these operations are parked now.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn operations_parked(&self, ids: Vec<OperationId>) -> Result<i64, LedgerError> {
        self.read("operations_parked", move |connection| {
            let mut parked = connection
                .prepare_cached("SELECT count(*) FROM operations WHERE id = ?1 AND state = 'parked'")?;
            ids.iter().map(|id| parked.query_row([id.0], |row| row.get::<_, i64>(0))).sum()
        })
        .await
    }

    /// The record is read and decided again at the next pull, because what stands there is neither what
    /// was sent nor what was there before; `unknown` are the fields of which that is so. Of a record that is gone nothing
    /// can be decided anew: what was wished last (its mark) is sent again, against what stands there now.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn settle_decide_anew(
        &self,
        id: OperationId,
        link: LinkId,
        unknown: Base,
        record: Option<(RouteName, RecordId)>,
    ) -> Result<(), LedgerError> {
        let now = self.env.now();
        let answered = self.next_seq();
        self.write("settle_decide_anew", move |tx| {
            let gone = match &record {
                Some((route, record)) => gone(tx, route, record)?.is_some(),
                None => false,
            };
            let ending = if gone { Ending::Again { not_before: Some(now) } } else { Ending::Superseded };
            end_in(tx, id, &ending, now, answered)?;
            store_base(tx, link, &BaseChange::Merge(unknown.clone()))?;
            if gone {
                return Ok(());
            }
            if let Some((route, record)) = &record {
                tx.prepare_cached("UPDATE records SET hash = x'' WHERE route = ?1 AND record_id = ?2")?
                    .execute((&route.0, &record.0))?;
                hints::add_in(tx, now, route, record, "settle")?;
            }
            Ok(())
        })
        .await
    }

    /// The link's contact is gone from the dialler, and nobody else bears its key (confirmed by single reads).
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn link_vanished(&self, link: LinkId) -> Result<(), LedgerError> {
        let now = self.env.now();
        self.write("link_vanished", move |tx| vanish(tx, link, now)).await
    }

    /// The link's contact was found under another number. What both sides agree on about it is `base`; the record is
    /// decided anew by it, and who must not be called is locked there at once.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn link_moved(&self, link: LinkId, contact: ContactId, base: Base) -> Result<(), LedgerError> {
        let now = self.env.now();
        self.write("link_moved", move |tx| {
            take_contact(tx, link, contact, "relinked", now)?;
            store_base(tx, link, &BaseChange::Replace(base.clone()))?;
            let locked: Option<Reason> = tx
                .prepare_cached("SELECT wish_code, wish_params FROM links WHERE id = ?1 AND wish = 'locked'")?
                .query_row([link.0], |row| get_reason(row, "wish_code", "wish_params"))
                .optional()?;
            if let Some(reason) = locked {
                let cause = Cause { at: now, decided_at: now, text: "gate".to_owned(), run: None };
                lane::lock(tx, link, &reason, &cause)?;
            }
            hints::link_in(tx, now, link, "found under another number")
        })
        .await
    }

    /// What was known of its contact when this reset was leased; `None`: the contact was never seen.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn counters_before(&self, reset: OperationId) -> Result<Option<CountersBefore>, LedgerError> {
        let before: Option<String> = self
            .read("counters_before", move |connection| {
                connection
                    .prepare_cached("SELECT before FROM operations WHERE id = ?1")?
                    .query_row([reset.0], |row| row.get(0))
            })
            .await?;
        Ok(before.as_deref().and_then(|text| serde_json::from_str(text).ok()))
    }

    /// Whether one of these history rows came after `since`: unknown to the ledger, or first seen then.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn calls_any_since(&self, rows: Vec<HistoryId>, since: Timestamp) -> Result<bool, LedgerError> {
        self.read("calls_any_since", move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM calls WHERE history_id = ?1 AND first_seen_at < ?2)",
            )?;
            for row in rows {
                let old: bool = statement.query_row((row.0, time(since)), |row| row.get(0))?;
                if !old {
                    return Ok(true);
                }
            }
            Ok(false)
        })
        .await
    }

    /// Events of these records rest on a fresh reading now (wishes were decided anew by it).
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn operations_refreshed(
        &self,
        route: RouteName,
        records: Vec<RecordId>,
    ) -> Result<(), LedgerError> {
        let now = time(self.env.now());
        self.write("operations_refreshed", move |tx| {
            let mut update = tx.prepare_cached(
                "UPDATE operations SET decided_at = ?3 WHERE state = 'waiting' AND decided_at < ?3
                    AND link_id = (SELECT id FROM links WHERE route = ?1 AND record_id = ?2)",
            )?;
            for record in records {
                update.execute((&route.0, &record.0, &now))?;
            }
            Ok(())
        })
        .await
    }

    /// The CRM was asked for these once more and named none. Of whom that was known already, nothing new can be decided:
    /// what waits for them (a mark, what a person asked for) rests on that. Answers how many those are.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn operations_of_the_gone(
        &self,
        route: RouteName,
        unnamed: Vec<RecordId>,
    ) -> Result<usize, LedgerError> {
        if unnamed.is_empty() {
            return Ok(0);
        }
        let now = time(self.env.now());
        self.write("operations_of_the_gone", move |tx| {
            let mut stands = tx.prepare_cached(
                "UPDATE operations SET decided_at = ?2 WHERE link_id = ?1 AND state = 'waiting' AND decided_at < ?2",
            )?;
            let mut known = 0;
            for record in unnamed {
                let Some(link) = gone(tx, &route, &record)? else { continue };
                stands.execute((link, &now))?;
                known += 1;
            }
            Ok(known)
        })
        .await
    }

    /// A lock whose contact is not known, or not there: the dialler was asked who bears the key. The one that is the
    /// link's (`own`, with what both sides agree on) is locked by this very operation, all `others` by their own.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn lock_bearers(
        &self,
        id: OperationId,
        own: Option<(ContactId, Base)>,
        others: Vec<ContactId>,
    ) -> Result<(), LedgerError> {
        let now = self.env.now();
        let answered = self.next_seq();
        self.write("lock_bearers", move |tx| {
            let lock = leased::read(tx, id, now)?;
            let cause = Cause { at: now, decided_at: now, text: "gate".to_owned(), run: None };
            for other in &others {
                let lane = lane_of_contact(tx, now, &lock.client, *other)?;
                lane::lock(tx, lane, &lock.reason, &cause)?;
            }
            if let Some((contact, base)) = &own {
                take_contact(tx, lock.link, *contact, "adopted", now)?;
                store_base(tx, lock.link, &BaseChange::Replace(base.clone()))?;
                return lease::put_back(tx, id, Some(now));
            }
            let ending = if others.is_empty() {
                Ending::Refused(ReasonCode::NotInDialler.into())
            } else {
                Ending::Superseded
            };
            end_in(tx, id, &ending, now, answered)?;
            // There is nothing of its own that could be locked: what comes to be later is seen by its key.
            tx.prepare_cached(
                "UPDATE links SET wish = 'none', lock_state = 'open', locked_at = NULL
                 WHERE id = ?1 AND (contact_id IS NULL OR vanished_at IS NOT NULL)",
            )?
            .execute([lock.link.0])?;
            Ok(())
        })
        .await
    }
}

fn vanish(tx: &Transaction<'_>, link: LinkId, now: Timestamp) -> rusqlite::Result<()> {
    let news = tx
        .prepare_cached("UPDATE links SET vanished_at = ?2 WHERE id = ?1 AND vanished_at IS NULL")?
        .execute((link.0, time(now)))?;
    // Told once: every hint is a decision, and a decision that asks for a lock would learn it again.
    if news == 0 {
        return Ok(());
    }
    let contact: Option<i64> = tx
        .prepare_cached("SELECT contact_id FROM links WHERE id = ?1")?
        .query_row([link.0], |row| row.get(0))?;
    if let Some(contact) = contact {
        calls_lost::note(tx, ContactId(contact), now)?;
    }
    hints::vanished_in(tx, now, link)
}

/// The link of a record that is known to be gone from the CRM.
fn gone(tx: &Transaction<'_>, route: &RouteName, record: &RecordId) -> rusqlite::Result<Option<i64>> {
    let link: Option<Option<i64>> = tx
        .prepare_cached(
            "SELECT link_id FROM records WHERE route = ?1 AND record_id = ?2 AND code = 'record_gone'",
        )?
        .query_row((&route.0, &record.0), |row| row.get(0))
        .optional()?;
    Ok(link.flatten())
}
