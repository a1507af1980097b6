//! Sweeps: what one reading of a list found, and whom it should have named.

use super::budget::SweepKind;
use super::missing::Word;
use super::sql::time;
use super::{Ledger, LedgerError};
use crate::domain::{CampaignId, ContactId, RunId, Seq, Timestamp};
use rusqlite::{OptionalExtension as _, named_params};
use serde::Serialize;

/// What a sweep and the reads after it counted; each is a column of `sweeps`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "each is a column of `sweeps`, explained in its migration")]
pub struct SweepCounts {
    pub kind: SweepKind,
    pub complete: bool,
    pub contacts: i64,
    pub bytes: i64,
    pub list_ms: i64,
    pub rests_until: Option<Timestamp>,
    pub refused_until: Option<Timestamp>,
    pub repeats: i64,
    pub bad: i64,
    pub carries_result: Option<bool>,
    pub missing: i64,
    pub held: i64,
    pub in_gap: i64,
    pub requests_changed: i64,
    pub requests_due: i64,
    pub requests_audit: i64,
    pub requests_likely: i64,
    pub requests_elsewhere: i64,
    pub requests_single: i64,
    pub read_changed: i64,
    pub read_due: i64,
    pub read_audit: i64,
    pub read_likely: i64,
    pub read_elsewhere: i64,
    pub found_by_audit: i64,
    pub not_adding_up: i64,
    pub remark: Option<String>,
}

impl SweepCounts {
    /// Says one more thing that a person should know.
    pub fn remark(&mut self, text: String) {
        self.remark = Some(match self.remark.take() {
            Some(said) => format!("{said}; {text}"),
            None => text,
        });
    }
}

/// A contact that a list should name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// Its number.
    pub id: ContactId,
    /// Whether it is ours.
    pub ours: bool,
    /// Whose word it is, where it is being asked about already.
    pub absence: Word,
}

/// The newest finished sweep of a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastSweep {
    /// When it began.
    pub began_at: Timestamp,
    /// Whether its list was complete.
    pub complete: bool,
    /// Whether the list carried the result code.
    pub carries_result: Option<bool>,
}

/// How many contacts a campaign has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContactCounts {
    /// All that are not gone.
    pub all: i64,
    /// With a try or a result lately.
    pub active: i64,
}

impl Ledger {
    /// A list is about to be asked for; `campaign` `None`: the whole account.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn sweep_begin(
        &self,
        campaign: Option<CampaignId>,
        run: Option<RunId>,
        began: Seq,
    ) -> Result<i64, LedgerError> {
        let now = self.env.now();
        self.write("sweep_begin", move |tx| {
            tx.prepare_cached(
                "INSERT INTO sweeps (run_id, campaign_id, began_seq, began_at) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute((run.map(|r| r.0), campaign.map(|c| c.0), began.0, time(now)))?;
            Ok(tx.last_insert_rowid())
        })
        .await
    }

    /// A sweep, and the reads it led to, came to their end.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn sweep_end(&self, sweep: i64, counts: SweepCounts) -> Result<(), LedgerError> {
        let now = self.env.now();
        self.write("sweep_end", move |tx| {
            let c = counts;
            tx.prepare_cached(
                "UPDATE sweeps SET kind = :kind, bytes = :bytes, list_ms = :list_ms, rests_until = :rests, refused_until = :refused,
                    requests_likely = :rl, read_likely = :nl, requests_elsewhere = :re, read_elsewhere = :ne,
                    ended_at = :now, complete = :complete, contacts = :contacts, repeats = :repeats, bad = :bad,
                    carries_result = :carries, missing = :missing,
                    held = :held, in_gap = :gap, requests_changed = :rc, requests_due = :rd,
                    requests_audit = :ra, requests_single = :rs, read_changed = :nc, read_due = :nd,
                    read_audit = :na, found_by_audit = :found, not_adding_up = :sum, remark = :remark
                 WHERE id = :id",
            )?
            .execute(named_params! {
                ":kind": c.kind.as_str(), ":bytes": c.bytes, ":list_ms": c.list_ms,
                ":rests": c.rests_until.map(time), ":refused": c.refused_until.map(time), ":rl": c.requests_likely, ":nl": c.read_likely,
                ":held": c.held, ":gap": c.in_gap, ":re": c.requests_elsewhere, ":ne": c.read_elsewhere,
                ":id": sweep, ":now": time(now), ":complete": c.complete, ":contacts": c.contacts,
                ":repeats": c.repeats, ":bad": c.bad, ":carries": c.carries_result, ":missing": c.missing,
                ":rc": c.requests_changed, ":rd": c.requests_due, ":ra": c.requests_audit,
                ":rs": c.requests_single, ":nc": c.read_changed, ":nd": c.read_due, ":na": c.read_audit,
                ":found": c.found_by_audit, ":sum": c.not_adding_up, ":remark": c.remark,
            })?;
            Ok(())
        })
        .await
    }

    /// The newest finished sweep; `campaign` `None`: of the whole account.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn sweep_last(&self, campaign: Option<CampaignId>) -> Result<Option<LastSweep>, LedgerError> {
        self.read("sweep_last", move |connection| {
            connection
                .prepare_cached(
                    "SELECT began_at, complete, carries_result FROM sweeps
                     WHERE campaign_id IS ?1 AND ended_at IS NOT NULL ORDER BY id DESC LIMIT 1",
                )?
                .query_row([campaign.map(|c| c.0)], |row| {
                    Ok(LastSweep {
                        began_at: super::sql::get_time(row, "began_at")?,
                        complete: row.get("complete")?,
                        carries_result: row.get("carries_result")?,
                    })
                })
                .optional()
        })
        .await
    }

    /// How many contacts of the campaign are there, as far as is known, and how many of them had a try or a
    /// result since `since`.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn contacts_active(
        &self,
        campaign: CampaignId,
        since: Timestamp,
    ) -> Result<ContactCounts, LedgerError> {
        self.read("contacts_active", move |connection| {
            connection
                .prepare_cached(
                    "SELECT count(*), count(CASE WHEN active_at > ?2 THEN 1 END) FROM contacts
                     WHERE campaign_id = ?1 AND gone_at IS NULL",
                )?
                .query_row((campaign.0, time(since)), |row| {
                    Ok(ContactCounts { all: row.get(0)?, active: row.get(1)? })
                })
        })
        .await
    }

    /// A page of the contacts that a list numbered `began` should name: known before it, not gone, not written
    /// to since.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn contacts_expected(
        &self,
        campaign: CampaignId,
        began: Seq,
        after: Option<ContactId>,
        limit: usize,
    ) -> Result<Vec<Expected>, LedgerError> {
        self.read("contacts_expected", move |connection| {
            connection
                .prepare_cached(
                    "SELECT contact_id, EXISTS (SELECT 1 FROM link_contacts j WHERE j.contact_id = k.contact_id),
                            EXISTS (SELECT 1 FROM harvest_due d WHERE d.contact_id = k.contact_id
                                    AND d.reason = 'missing' AND d.believed = 1)
                     FROM contacts k
                     WHERE campaign_id = ?1 AND gone_at IS NULL AND seen_seq < ?2 AND contact_id > ?3
                     ORDER BY contact_id LIMIT ?4",
                )?
                .query_map((campaign.0, began.0, after.map_or(i64::MIN, |id| id.0), limit as i64), |row| {
                    let absence = if row.get(2)? { Word::Believed } else { Word::Nobodys };
                    Ok(Expected { id: ContactId(row.get(0)?), ours: row.get(1)?, absence })
                })?
                .collect()
        })
        .await
    }
}
