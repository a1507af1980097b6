//! What sweeps cost the dialler, as status and runs show it, and who is likely to move between two lists.

use super::due::DueContact;
use super::sql::{get_named, get_time, get_time_opt, time};
use super::unlisted::unlisted_held;
use super::{Ledger, LedgerError};
use crate::domain::{CampaignId, ContactId, RunId, Timestamp};
use chrono::TimeDelta;
use rusqlite::{Connection, OptionalExtension as _};
use serde::Serialize;

/// A next try or follow-up that passed longer ago than this says nothing any more: the contact is finished, or the
/// campaign stands still.
pub(super) const STALE: TimeDelta = TimeDelta::days(3);

/// What a sweep read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SweepKind {
    /// The whole list.
    #[default]
    List,
    /// Only contacts likely to move: the list rested.
    Likely,
}

impl SweepKind {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Likely => "likely",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::List, Self::Likely].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// The newest list of a campaign, as far as it decides when the next one is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastList {
    /// When it began.
    pub began_at: Timestamp,
    /// It is not read again before, because it took long.
    pub rests_until: Option<Timestamp>,
    /// Whether it carried the result code.
    pub carries_result: Option<bool>,
}

/// What a sweep cost, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SweepCost {
    /// What it read.
    pub kind: SweepKind,
    /// When it began.
    pub began_at: Timestamp,
    /// Contacts listed.
    pub contacts: i64,
    /// Bytes of the list.
    pub bytes: i64,
    /// Milliseconds that the list took.
    pub list_ms: i64,
    /// Whether the list was complete.
    pub complete: bool,
    /// Elements of the list that could not be read.
    pub bad: i64,
    /// Known contacts that it did not name,
    pub missing: i64,
    /// and those of them that were too many at once to be asked about.
    pub held: i64,
    /// Contacts read between two lists.
    pub read_likely: i64,
    /// History requests by what they were for.
    pub requests: Shares,
    /// Calls that only the audit found.
    pub found_by_audit: i64,
    /// Contacts read whose tries and calls are not as many.
    pub not_adding_up: i64,
    /// The list is not read again before.
    pub rests_until: Option<Timestamp>,
    /// The dialler does not give it, and is not asked again before.
    pub refused_until: Option<Timestamp>,
    /// What a person should know of it.
    pub remark: Option<String>,
}

/// The history requests of a harvest, each share apart (promise 7).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Shares {
    /// For contacts that the list showed changed.
    pub changed: i64,
    /// For the rest of the due list.
    pub due: i64,
    /// For contacts likely to move.
    pub likely: i64,
    /// For contacts of ours in campaigns that are not listed.
    pub elsewhere: i64,
    /// For the rolling audit.
    pub audit: i64,
    /// Contacts asked about singly.
    pub single: i64,
}

const COST: &str = "SELECT kind, began_at, contacts, bytes, list_ms, complete, bad, missing, held, read_likely, \
    requests_changed, requests_due, requests_likely, requests_elsewhere, requests_audit, requests_single, \
    found_by_audit, not_adding_up, rests_until, refused_until, remark FROM sweeps";

impl Ledger {
    /// The newest list of the campaign of which anything came: one that never began cost nothing.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn list_last(&self, campaign: CampaignId) -> Result<Option<LastList>, LedgerError> {
        self.read("list_last", move |connection| {
            connection
                .prepare_cached(
                    "SELECT began_at, rests_until, carries_result FROM sweeps
                     WHERE campaign_id = ?1 AND kind = 'list' AND ended_at IS NOT NULL AND (bytes > 0 OR complete = 1)
                     ORDER BY id DESC LIMIT 1",
                )?
                .query_row([campaign.0], |row| {
                    Ok(LastList {
                        began_at: get_time(row, "began_at")?,
                        rests_until: get_time_opt(row, "rests_until")?,
                        carries_result: row.get("carries_result")?,
                    })
                })
                .optional()
        })
        .await
    }

    /// What the newest list of the campaign cost; `None`: of the whole account.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn list_cost(&self, campaign: Option<CampaignId>) -> Result<Option<SweepCost>, LedgerError> {
        self.read("list_cost", move |connection| {
            let sql = format!(
                "{COST} WHERE campaign_id IS ?1 AND kind = 'list' AND ended_at IS NOT NULL ORDER BY id DESC LIMIT 1"
            );
            connection.prepare_cached(&sql)?.query_row([campaign.map(|c| c.0)], cost).optional()
        })
        .await
    }

    /// Contacts of the campaign that were tried since `tried_since`, are due in the dialler or reserved, and were not
    /// read since `cutoff`; those that were read longest ago first.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub(super) async fn likely_take(
        &self,
        campaign: CampaignId,
        tried_since: Timestamp,
        cutoff: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueContact>, LedgerError> {
        self.read("likely_take", move |connection| {
            connection
                .prepare_cached(concat!(
                    "SELECT contact_id FROM (
                        SELECT contact_id, read_at FROM contacts
                            WHERE campaign_id = ?1 AND active_at >= ?2 AND gone_at IS NULL
                        UNION
                        SELECT contact_id, read_at FROM contacts
                            WHERE campaign_id = ?1 AND likely_at BETWEEN ?3 AND ?4 AND gone_at IS NULL) m
                     WHERE (read_at IS NULL OR read_at < ?4) AND NOT ",
                    unlisted_held!("m.contact_id"),
                    " ORDER BY read_at LIMIT ?5"
                ))?
                .query_map(
                    (campaign.0, time(tried_since), time(cutoff - STALE), time(cutoff), limit as i64),
                    |row| Ok(DueContact { id: ContactId(row.get(0)?), fingerprint: None }),
                )?
                .collect()
        })
        .await
    }
}

/// The newest sweep of a run.
pub(super) fn of_run(connection: &Connection, run: RunId) -> rusqlite::Result<Option<SweepCost>> {
    let sql = format!("{COST} WHERE run_id = ?1 AND ended_at IS NOT NULL ORDER BY id DESC LIMIT 1");
    connection.prepare_cached(&sql)?.query_row([run.0], cost).optional()
}

fn cost(row: &rusqlite::Row<'_>) -> rusqlite::Result<SweepCost> {
    Ok(SweepCost {
        kind: get_named(row, "kind", SweepKind::parse)?,
        began_at: get_time(row, "began_at")?,
        contacts: row.get("contacts")?,
        bytes: row.get("bytes")?,
        list_ms: row.get("list_ms")?,
        complete: row.get("complete")?,
        bad: row.get("bad")?,
        missing: row.get("missing")?,
        held: row.get("held")?,
        read_likely: row.get("read_likely")?,
        requests: Shares {
            changed: row.get("requests_changed")?,
            due: row.get("requests_due")?,
            likely: row.get("requests_likely")?,
            elsewhere: row.get("requests_elsewhere")?,
            audit: row.get("requests_audit")?,
            single: row.get("requests_single")?,
        },
        found_by_audit: row.get("found_by_audit")?,
        not_adding_up: row.get("not_adding_up")?,
        rests_until: get_time_opt(row, "rests_until")?,
        refused_until: get_time_opt(row, "refused_until")?,
        remark: row.get("remark")?,
    })
}
