//! Under which rules a route pulls and pulled before, and whose doing it is that a record of its is out: its own or theirs.

use super::pull::{Basis, PageStore, PulledRecord};
use super::sql::get_time_opt;
use super::waves::LOCKS_BY_CHANGE as CHANGE;
use super::{Ledger, LedgerError};
use crate::domain::scope::{Doing, Edited, LastJudged};
use crate::domain::{CrmSide, LinkId, RouteName, RunId};
use rusqlite::{OptionalExtension as _, Transaction};
use std::collections::BTreeSet;

/// Whether a run pulls by the rules of the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Under {
    /// By the same.
    TheSame,
    /// The first one by these.
    Others,
}

/// Under which rules a run begins to pull.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Began {
    /// Whether they are new.
    pub under: Under,
    /// The text of those before, if any.
    pub before: Option<String>,
}

impl Ledger {
    /// Notes under which revision, and by which rules, a run pulls; answers the rules before these. They stay the ones
    /// before until everything was read under the present ones.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn route_pull_begins(
        &self,
        route: RouteName,
        revision: String,
        rules: String,
        run: RunId,
    ) -> Result<Began, LedgerError> {
        self.write("route_pull_begins", move |tx| {
            let changed = tx.prepare_cached(
                "UPDATE routes SET pulling_revision = ?2, pulling_run = ?4, rules = ?3,
                    (rules_before, cursor_before) = (
                        SELECT iif(unsettled, routes.rules_before, routes.rules),
                               iif(unsettled, routes.cursor_before, position)
                        FROM (SELECT routes.rules_before IS NOT NULL AND (routes.revision IS NOT routes.pulling_revision
                                        OR EXISTS (SELECT 1 FROM full_passes WHERE route = ?1 AND state = 'open'
                                                   AND why = 'revision')) AS unsettled,
                                     (SELECT position FROM cursors WHERE route = ?1) AS position))
                 WHERE route = ?1 AND pulling_revision IS NOT ?2",
            )?
            .execute((&route.0, &revision, &rules, run.0))?;
            tx.prepare_cached("UPDATE routes SET rules = ?2 WHERE route = ?1 AND rules IS NULL")?
                .execute((&route.0, &rules))?;
            let before = tx
                .prepare_cached("SELECT rules_before FROM routes WHERE route = ?1")?
                .query_row([&route.0], |row| row.get(0))
                .optional()?
                .flatten();
            Ok(Began { under: if changed > 0 { Under::Others } else { Under::TheSame }, before })
        })
        .await
    }
}

/// Whose doing it is that a record is out; asked before its row is written anew.
pub(super) fn doing(
    tx: &Transaction<'_>,
    page: &PageStore,
    record: &PulledRecord,
    link: Option<LinkId>,
) -> rusqlite::Result<Doing> {
    let rests_on_rules = match &record.crm {
        CrmSide::Ineligible(reason) | CrmSide::Uncallable(reason) => reason.rests_on_rules(),
        CrmSide::Gone(_) | CrmSide::Unusable(_) | CrmSide::Eligible(_) => false,
    };
    let (true, Some(link)) = (rests_on_rules, link) else { return Ok(Doing::Record) };
    let same_numbers = has_numbers(tx, record, link)?;
    let last = tx
        .prepare_cached(
            "SELECT d.modified, d.hash, r.cursor_before, d.run_id >= coalesce(r.pulling_run, 0) AS by_these,
                    (SELECT iif(o.state = 'cancelled' AND w.state = 'rejected'
                                AND (w.source = ?5 || coalesce(r.pulling_run, 0)
                                     OR w.source BETWEEN ?5 || coalesce(r.pulling_run, 0) || '#' AND ?5 || coalesce(r.pulling_run, 0) || '#~'),
                                'left', 'waits')
                     FROM operations o JOIN waves w ON w.id = o.wave_id
                     WHERE d.state IN ('skipped', 'parked')
                       AND o.id = (SELECT id FROM operations WHERE link_id = ?3 AND kind = 'lock'
                                   ORDER BY generation DESC, id DESC LIMIT 1)
                       AND o.state IN ('waiting', 'cancelled') AND w.state IN ('held', 'rejected')) AS lock,
                    (SELECT f.why IS 'revision' FROM runs n LEFT JOIN full_passes f ON f.id = n.pass_id
                     WHERE n.id = ?4) AS by_pass
             FROM records d JOIN routes r ON r.route = d.route WHERE d.route = ?1 AND d.record_id = ?2",
        )?
        .query_row((&page.route.0, &record.id.0, link.0, page.run.0, CHANGE), |row| {
            let lock: Option<String> = row.get("lock")?;
            let judged = match (lock.as_deref(), row.get("by_these")?) {
                (Some("left"), _) if same_numbers => LastJudged::LeftCallable,
                (Some(_), _) => LastJudged::Waiting,
                (None, true) => LastJudged::ByThese,
                (None, false) => LastJudged::ByOthers,
            };
            let (modified, seen_to) = (get_time_opt(row, "modified")?, get_time_opt(row, "cursor_before")?);
            let same = row.get::<_, Vec<u8>>("hash")? == record.hash;
            let edited = match (record.basis, record.modified) {
                // The day went on, and not the record.
                (Basis::Kept, _) => Edited::Since,
                (Basis::Read | Basis::Unreadable, _) if same => Edited::No,
                (Basis::Read | Basis::Unreadable, None) if row.get("by_pass")? => Edited::No,
                (Basis::Read | Basis::Unreadable, None) => Edited::Since,
                (Basis::Read | Basis::Unreadable, Some(now)) => {
                    if Some(now) <= modified.max(seen_to) { Edited::No } else { Edited::Since }
                }
            };
            Ok((judged, edited))
        })
        .optional()?;
    Ok(last.map_or(Doing::Record, |(last, edited)| Doing::of(last, record.before, edited)))
}

/// Whether the record has the numbers that are known of it: a contact that a person left callable has these.
fn has_numbers(tx: &Transaction<'_>, record: &PulledRecord, link: LinkId) -> rusqlite::Result<bool> {
    match record.basis {
        Basis::Unreadable | Basis::Kept => Ok(true),
        Basis::Read => {
            let known: BTreeSet<String> = tx
                .prepare_cached("SELECT number FROM link_numbers WHERE link_id = ?1")?
                .query_map([link.0], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            Ok(record.numbers.iter().cloned().collect::<BTreeSet<_>>() == known)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::testing::scene;

    #[tokio::test(start_paused = true)]
    async fn the_rules_before_stay_those_before_until_everything_was_read_under_the_present_ones() {
        let scene = scene().await;
        let begins = async |rules: &str, run| {
            let (revision, rules) = (format!("of {rules}"), rules.to_owned());
            let began =
                scene.ledger.route_pull_begins(scene.route.clone(), revision, rules, RunId(run)).await;
            began.map(|began| began.before)
        };
        let read_all =
            |rules: &str| scene.ledger.route_set_revision(scene.route.clone(), format!("of {rules}"));
        assert_eq!(begins("a", 1).await.expect("begun"), None);
        read_all("a").await.expect("read");
        assert_eq!(begins("a", 2).await.expect("begun"), None);
        assert_eq!(begins("b", 3).await.expect("begun").as_deref(), Some("a"));
        assert_eq!(begins("c", 4).await.expect("begun").as_deref(), Some("a"), "b was hardly looked at");
        read_all("c").await.expect("read");
        assert_eq!(begins("c", 5).await.expect("begun").as_deref(), Some("a"));
        assert_eq!(begins("d", 6).await.expect("begun").as_deref(), Some("c"));
        assert_eq!(scene.says("SELECT pulling_run FROM routes").await, ["6"]);
    }
}
