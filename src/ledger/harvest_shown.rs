//! What harvests of the last days left for a person to look at.

use super::sql::{get_time, get_time_opt, time};
use super::{Ledger, LedgerError, shown_nos};
use crate::domain::Timestamp;
use chrono::TimeDelta;
use rusqlite::{Connection, OptionalExtension as _};
use serde::Serialize;

/// So long something that a harvest saw is told.
const LATELY: TimeDelta = TimeDelta::days(7);
/// So long tries and calls may differ: the row comes after the call, and the ladder ends after a day.
const LATE: TimeDelta = TimeDelta::hours(25);

/// So late an audit may be at a harvest: each brings its share, whatever is busy.
const AUDIT_LATE: TimeDelta = TimeDelta::hours(1);

/// What harvests of the last days saw.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct HarvestShown {
    /// Calls that the ladder had missed and only the audit found, ever;
    pub found_by_audit: i64,
    /// and in the last seven days,
    pub found_lately: i64,
    /// since then.
    pub found_since: Option<Timestamp>,
    /// Contacts whose tries and calls have not been as many for more than a day;
    pub not_adding_up: i64,
    /// the longest since then.
    pub not_adding_up_since: Option<Timestamp>,
    /// When, in the last seven days, a row was read last with a time that the zone does not have.
    pub gap_seen: Option<Timestamp>,
    /// Contacts who are blocked because a list showed a no, which no call has said for more than a day;
    pub shown_nos: i64,
    /// the longest since then.
    pub shown_nos_since: Option<Timestamp>,
    /// Contacts whose turn in the audit the newest harvest of their campaign found an hour past, and did not read;
    pub audit_late: i64,
    /// the longest since then.
    pub audit_late_since: Option<Timestamp>,
}

impl Ledger {
    /// What harvests of the last days saw.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn harvest_shown(&self) -> Result<HarvestShown, LedgerError> {
        let found_by_audit = self.found_by_audit().await?;
        let now = self.env.now();
        self.read("harvest_shown", move |connection| {
            let (found_lately, found_since, gap_seen) = connection
                .prepare_cached(
                    "SELECT coalesce(sum(found_by_audit), 0) AS found,
                            min(CASE WHEN found_by_audit > 0 THEN began_at END) AS since,
                            max(CASE WHEN in_gap > 0 THEN began_at END) AS gap
                     FROM sweeps WHERE began_at >= ?1",
                )?
                .query_row([time(now - LATELY)], |row| {
                    Ok((row.get("found")?, get_time_opt(row, "since")?, get_time_opt(row, "gap")?))
                })?;
            let (not_adding_up, not_adding_up_since) = connection
                .prepare_cached(
                    "SELECT count(*) AS contacts, min(d.since) AS since FROM harvest_due d
                     JOIN contacts c ON c.contact_id = d.contact_id
                     WHERE d.reason = 'sum' AND d.since <= ?1 AND c.gone_at IS NULL",
                )?
                .query_row([time(now - LATE)], |row| {
                    Ok((row.get("contacts")?, get_time_opt(row, "since")?))
                })?;
            let (shown_nos, shown_nos_since) = shown_nos::unexplained(connection, &time(now - LATE))?;
            let (audit_late, audit_late_since) = audit_late(connection)?;
            Ok(HarvestShown {
                found_by_audit,
                found_lately,
                found_since,
                not_adding_up,
                not_adding_up_since,
                gap_seen,
                shown_nos,
                shown_nos_since,
                audit_late,
                audit_late_since,
            })
        })
        .await
    }
}

/// Measured by the harvest and not by the clock: while none runs, as at night, or while the dialler is down, nobody waits for the
/// others. Where ours are read beside the config's campaigns strangers have no turn.
fn audit_late(connection: &Connection) -> rusqlite::Result<(i64, Option<Timestamp>)> {
    let campaigns: Vec<i64> = connection
        .prepare_cached(
            "SELECT DISTINCT campaign_id FROM routes
             WHERE campaign_id IS NOT NULL AND campaign_id NOT IN (SELECT campaign_id FROM campaigns_elsewhere)",
        )?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let (mut late, mut longest) = (0, None::<Timestamp>);
    for campaign in campaigns {
        let newest = connection
            .prepare_cached(
                "SELECT s.began_at FROM sweeps s JOIN runs r ON r.id = s.run_id
                 WHERE s.campaign_id = ?1 AND r.state = 'done' ORDER BY s.id DESC LIMIT 1",
            )?
            .query_row([campaign], |row| get_time(row, "began_at"))
            .optional()?;
        let Some(newest) = newest else { continue };
        let (contacts, since) = connection
            .prepare_cached(
                "SELECT count(*) AS contacts, min(audit_at) AS since FROM contacts
                 WHERE campaign_id = ?1 AND audit_at < ?2 AND gone_at IS NULL",
            )?
            .query_row((campaign, time(newest - AUDIT_LATE)), |row| {
                Ok((row.get::<_, i64>("contacts")?, get_time_opt(row, "since")?))
            })?;
        late += contacts;
        longest = [longest, since].into_iter().flatten().min();
    }
    Ok((late, longest))
}

#[cfg(test)]
mod tests {
    use crate::ledger::testing::scene;

    #[tokio::test(start_paused = true)]
    async fn a_contact_is_late_that_a_harvest_passed_over_and_not_one_for_which_none_ran() {
        let scene = scene().await;
        scene.put("UPDATE routes SET campaign_id = 7").await;
        let contact = |id: i64, audit: &str| {
            format!(
                "INSERT INTO contacts (contact_id, campaign_id, seen_seq, seen_at, audit_at)
                 VALUES ({id}, 7, 1, '2026-03-01T00:00:00.000Z', '{audit}')"
            )
        };
        let harvest = |run: i64, state: &str| {
            format!(
                "INSERT INTO runs (id, job, state, cause, started_at, finished_at) VALUES ({run}, 'harvest', '{state}', 'schedule',
                    '2026-03-02T08:00:00.000Z', iif('{state}' = 'running', NULL, '2026-03-02T08:01:00.000Z'));
                 INSERT INTO sweeps (campaign_id, run_id, began_seq, began_at) VALUES (7, {run}, 1, '2026-03-02T08:00:00.000Z')"
            )
        };
        let late = || async {
            let shown = scene.ledger.harvest_shown().await.expect("read");
            (shown.audit_late, shown.audit_late_since.map(|since| since.to_rfc3339()))
        };
        for (id, audit) in [(1, "2026-03-02T06:30:00.000Z"), (2, "2026-03-02T07:30:00.000Z")] {
            scene.put(contact(id, audit)).await;
        }
        assert_eq!(late().await, (0, None), "no harvest ran");
        for (run, state) in [(101, "failed"), (102, "running")] {
            scene.put(harvest(run, state)).await;
            assert_eq!(late().await, (0, None), "{state}");
        }
        scene.put(harvest(103, "done")).await;
        assert_eq!(late().await, (1, Some("2026-03-02T06:30:00+00:00".to_owned())));
    }
}
