//! What fails, and since when: the runs since each job's last one that ended well.

use super::sql::{get_named, get_time};
use super::{Ledger, LedgerError};
use crate::domain::policy::Job;
use crate::domain::{CampaignId, Timestamp};
use serde::Serialize;

/// A job whose newest run failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailingJob {
    /// The job.
    pub job: Job,
    /// The route, if it runs for one.
    pub route: Option<String>,
    /// The campaign, if it runs for one.
    pub campaign: Option<CampaignId>,
    /// When the first of these runs began.
    pub since: Timestamp,
    /// How many there were.
    pub runs: i64,
    /// Why the newest one failed.
    pub error: String,
}

/// Locks that were tried again and again and are not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LocksFailing {
    /// The route.
    pub route: String,
    /// How many.
    pub count: i64,
    /// Since when the oldest is asked for.
    pub since: Timestamp,
}

/// As many tries as the shorter waits between them are (semantics 8): 18 seconds and more.
pub(super) const OFTEN: i64 = 5;
/// After so many, three quarters of an hour at the least, a deletion does not wait for a lock any more.
pub(super) const HOPELESS: i64 = 100;

impl Ledger {
    /// Locks that were tried often and wait for their next try, by route.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn locks_failing(&self) -> Result<Vec<LocksFailing>, LedgerError> {
        self.read("locks_failing", |connection| {
            connection
                .prepare_cached(
                    "SELECT l.route, count(*) AS n, min(o.created_at) AS since
                     FROM operations o JOIN links l ON l.id = o.link_id
                     WHERE o.kind = 'lock' AND o.state = 'waiting' AND o.attempts >= ?1
                     GROUP BY l.route ORDER BY l.route",
                )?
                .query_map([OFTEN], |row| {
                    Ok(LocksFailing {
                        route: row.get("route")?,
                        count: row.get("n")?,
                        since: get_time(row, "since")?,
                    })
                })?
                .collect()
        })
        .await
    }

    /// Jobs whose newest run failed.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn jobs_failing(&self) -> Result<Vec<FailingJob>, LedgerError> {
        self.read("jobs_failing", |connection| {
            connection
                .prepare_cached(
                    "WITH good AS (SELECT job, route, campaign_id, max(id) AS id FROM runs WHERE state = 'done'
                                   GROUP BY job, route, campaign_id),
                          bad AS (SELECT r.job, r.route, r.campaign_id, min(r.started_at) AS since, count(*) AS n,
                                         max(r.id) AS newest
                                  FROM runs r LEFT JOIN good g ON g.job = r.job AND g.route IS r.route
                                    AND g.campaign_id IS r.campaign_id
                                  WHERE r.state = 'failed' AND r.id > coalesce(g.id, 0)
                                  GROUP BY r.job, r.route, r.campaign_id)
                     SELECT bad.*, runs.error FROM bad JOIN runs ON runs.id = newest ORDER BY since, newest",
                )?
                .query_map([], |row| {
                    Ok(FailingJob {
                        job: get_named(row, "job", Job::parse)?,
                        route: row.get("route")?,
                        campaign: row.get::<_, Option<i64>>("campaign_id")?.map(CampaignId),
                        since: get_time(row, "since")?,
                        runs: row.get("n")?,
                        error: row.get::<_, Option<String>>("error")?.unwrap_or_default(),
                    })
                })?
                .collect()
        })
        .await
    }
}
