//! Ids that an answer did not name: absence is a question, a second look answers it (promise 4).

use super::decisions;
use super::finals;
use super::held_out;
use super::inputs;
use super::pull::PageStore;
use super::record_store::cause;
use super::sql::time;
use super::{Ledger, LedgerError, bearers};
use crate::domain::{CrmSide, DecisionInput, DiallerSide, ReasonCode, RecordId, RouteName, Timestamp};
use chrono::TimeDelta;
use rusqlite::{OptionalExtension as _, Transaction};

/// How far apart the two looks lie at least.
const SECOND_LOOK: TimeDelta = TimeDelta::minutes(10);

/// So long a record that was found gone counts for "many at once".
const COUNTED_FOR: TimeDelta = TimeDelta::days(1);

impl Ledger {
    /// Of these ids, the ones that were missed long enough ago for the second look.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn absences_due(
        &self,
        route: RouteName,
        ids: Vec<RecordId>,
    ) -> Result<Vec<RecordId>, LedgerError> {
        let before = time(self.env.now() - SECOND_LOOK);
        self.read("absences_due", move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM record_absences
                                WHERE route = ?1 AND record_id = ?2 AND asked_at <= ?3 AND gone_at IS NULL)",
            )?;
            let mut due = Vec::new();
            for id in ids {
                if statement.query_row((&route.0, &id.0, &before), |row| row.get(0))? {
                    due.push(id);
                }
            }
            Ok(due)
        })
        .await
    }

    /// How many known records of the route are missed, or were found gone within a day. A person who switches the
    /// route has seen those until then: they count no more.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn absences_count(&self, route: RouteName) -> Result<Absences, LedgerError> {
        let since = time(self.env.now() - COUNTED_FOR);
        self.read("absences_count", move |connection| {
            connection
                .prepare_cached(
                    "SELECT count(*) FILTER (WHERE NOT a.by_pass), count(*) FILTER (WHERE a.by_pass),
                            (SELECT count(*) FROM records k WHERE k.route = ?1 AND k.link_id IS NOT NULL)
                     FROM record_absences a JOIN routes r ON r.route = a.route
                     WHERE a.route = ?1 AND a.asked_at > r.state_since AND (a.gone_at IS NULL OR a.gone_at > ?2)",
                )?
                .query_row((route.0, since), |row| {
                    let count = |at| row.get::<_, i64>(at).map(|n| usize::try_from(n).unwrap_or_default());
                    Ok(Absences { by_id: count(0)?, by_pass: count(1)?, known: count(2)? })
                })
        })
        .await
    }
}

/// How many records are missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Absences {
    /// That answers by id did not name.
    pub by_id: usize,
    /// That a complete walk did not name.
    pub by_pass: usize,
    /// Of so many that are known to have, or to have had, a contact.
    pub known: usize,
}

impl Absences {
    /// All of them.
    pub fn all(self) -> usize {
        self.by_id + self.by_pass
    }
}

/// A complete walk did not name a known record: it is asked for by itself, not before the second look is due.
pub(super) fn ask_by_pass(
    tx: &Transaction<'_>,
    now: Timestamp,
    route: &RouteName,
    id: &RecordId,
) -> rusqlite::Result<()> {
    ask(tx, now, route, id)?;
    tx.prepare_cached(
        "UPDATE record_absences SET by_pass = 1 WHERE route = ?1 AND record_id = ?2 AND asked_at = ?3",
    )?
    .execute((&route.0, &id.0, time(now)))?;
    Ok(())
}

/// A known record was not named in an answer: it is asked for again, not before the second look is due.
pub(super) fn ask(
    tx: &Transaction<'_>,
    now: Timestamp,
    route: &RouteName,
    id: &RecordId,
) -> rusqlite::Result<()> {
    let known: Option<i64> = tx
        .prepare_cached(
            "SELECT 1 FROM records WHERE route = ?1 AND record_id = ?2 AND code IS NOT 'record_gone'",
        )?
        .query_row((&route.0, &id.0), |row| row.get(0))
        .optional()?;
    if known.is_none() {
        return Ok(());
    }
    tx.prepare_cached(
        "INSERT INTO record_absences (route, record_id, asked_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
    )?
    .execute((&route.0, &id.0, time(now)))?;
    tx.prepare_cached(
        "INSERT INTO hints (route, record_id, source, at, not_before)
         SELECT ?1, ?2, 'absent', ?3, ?4
         WHERE NOT EXISTS (SELECT 1 FROM hints WHERE route = ?1 AND record_id = ?2 AND source = 'absent'
                           AND taken_at IS NULL AND not_before > ?3)",
    )?
    .execute((&route.0, &id.0, time(now), time(now + SECOND_LOOK)))?;
    Ok(())
}

/// It is there: whatever was asked is answered.
pub(super) fn found(tx: &Transaction<'_>, route: &RouteName, id: &RecordId) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM record_absences WHERE route = ?1 AND record_id = ?2")?
        .execute((&route.0, &id.0))?;
    Ok(())
}

/// A record whose id the CRM no longer has: like one that is no longer eligible.
pub(super) fn store_gone(
    tx: &Transaction<'_>,
    now: Timestamp,
    page: &PageStore,
    id: &RecordId,
) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE record_absences SET gone_at = ?3 WHERE route = ?1 AND record_id = ?2")?
        .execute((&page.route.0, &id.0, time(now)))?;
    let Some((link, view)) = inputs::link_of_record(tx, &page.route, id)? else {
        return set_gone(tx, now, page, id);
    };
    let dialler = if view.contact.is_some() { DiallerSide::Linked } else { DiallerSide::NotMet };
    let decision = (page.decide)(&DecisionInput {
        link: Some(&view),
        crm: &CrmSide::Gone(ReasonCode::RecordGone.into()),
        dialler: &dialler,
        blocks: &[],
        last_result: finals::of_link(tx, link)?,
        held_out: held_out::against_link(tx, link, now)?.as_ref(),
        policy: &page.policy,
    });
    decisions::store(tx, &cause(page, now), Some(link), None, &decision, None)?;
    set_gone(tx, now, page, id)?;
    if decision.meet { bearers::ask(tx, &page.route, id) } else { Ok(()) }
}

fn set_gone(tx: &Transaction<'_>, now: Timestamp, page: &PageStore, id: &RecordId) -> rusqlite::Result<()> {
    // The hash goes, so that a record that comes back is decided anew.
    tx.prepare_cached(
        "UPDATE records SET state = 'skipped', code = 'record_gone', params = '{}', since = ?3, hash = x'', run_id = ?4
         WHERE route = ?1 AND record_id = ?2 AND code IS NOT 'record_gone'",
    )?
    .execute((&page.route.0, &id.0, time(now), page.run.0))?;
    Ok(())
}
