//! What harvests of the last days left for a person to look at.

use super::sql::{get_time_opt, time};
use super::{Ledger, LedgerError, shown_nos};
use crate::domain::Timestamp;
use chrono::TimeDelta;
use serde::Serialize;

/// So long something that a harvest saw is told.
const LATELY: TimeDelta = TimeDelta::days(7);
/// So long tries and calls may differ: the row comes after the call, and the ladder ends after a day.
const LATE: TimeDelta = TimeDelta::hours(25);

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
            Ok(HarvestShown {
                found_by_audit,
                found_lately,
                found_since,
                not_adding_up,
                not_adding_up_since,
                gap_seen,
                shown_nos,
                shown_nos_since,
            })
        })
        .await
    }
}
