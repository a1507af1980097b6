//! What a pull stores: one page in one transaction, decisions included.

use super::absent;
use super::block_store::epoch_read;
use super::record_store::store_record;
use super::sql::{self, get_reason_opt, get_time_opt, time};
use super::{Counts, Ledger, LedgerError, hints, write_back};
use crate::domain::policy::Unblock;
use crate::domain::scope::Before;
use crate::domain::{
    CrmSide, Decision, DecisionInput, Policy, Reason, RecordId, RouteName, RunId, Timestamp, UserData,
};
use rusqlite::{OptionalExtension as _, Transaction};
use std::collections::{HashMap, HashSet};

/// What the ledger knows of a record, as far as "unchanged?" needs it.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownRecord {
    /// The hash it was stored with.
    pub hash: Vec<u8>,
    /// The CRM's modification time then.
    pub modified: Option<Timestamp>,
    /// The run that stored it.
    pub run: RunId,
}

/// A changed record with everything the mapping made of it.
#[derive(Debug, Clone)]
pub struct PulledRecord {
    /// Its id.
    pub id: RecordId,
    /// The hash of its used fields and the route's revision.
    pub hash: Vec<u8>,
    /// The CRM's modification time.
    pub modified: Option<Timestamp>,
    /// Its key, or why it has none.
    pub user_data: Result<UserData, Reason>,
    /// Its numbers in E.164.
    pub numbers: Vec<String>,
    /// What `block_if` said.
    pub block: BlockWord,
    /// Changes whenever anything does that `block_if` reads; `None` where that is not known.
    pub no_rests_on: Option<Vec<u8>>,
    /// The CRM's side for the decision.
    pub crm: CrmSide,
    /// The values its dated conditions use, as JSON.
    pub kept: Option<String>,
    /// Where all this comes from.
    pub basis: Basis,
    /// What the rules before the present ones make of it, where it is out by these.
    pub before: Before,
    /// Said once, beside the verdict: texts that were cut, single numbers that were not usable.
    pub notes: Vec<Reason>,
}

/// What a record's decision rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// The CRM's answer, just now.
    Read,
    /// An answer of which nothing but the id could be read; its numbers are those of the link.
    Unreadable,
    /// What the ledger kept of an earlier answer: decides nothing once a newer version was stored. Its
    /// numbers are those of the link.
    Kept,
}

/// What `block_if` said about a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockWord {
    /// It must not be called.
    Set,
    /// Nothing is said against it.
    Clear,
    /// Not worked out, or the route has no `block_if`.
    Unknown,
}

/// A page (or a batch read by id) to store.
pub struct PageStore {
    /// The route.
    pub route: RouteName,
    /// Its client.
    pub client: String,
    /// The CRM's name.
    pub crm: String,
    /// The CRM's object.
    pub object: String,
    /// The route's choices.
    pub policy: Policy,
    /// Who ends blocks of this route.
    pub unblock: Unblock,
    /// The run.
    pub run: RunId,
    /// When the CRM was asked, by our clock: the decision is not younger than that.
    pub decided_at: Timestamp,
    /// The changed records.
    pub records: Vec<PulledRecord>,
    /// Ids that were asked for and not named in the answer: from now on a question, where they are known.
    pub missing: Vec<RecordId>,
    /// Known ids that no longer exist in the CRM: asked for twice, far enough apart.
    pub gone: Vec<RecordId>,
    /// The record into which the one that is gone was merged, where the CRM tells: of one that was asked for by itself.
    pub survivor: Option<RecordId>,
    /// Records that could not be named: digest and reason.
    pub unidentified: Vec<(Vec<u8>, Reason)>,
    /// Hints answered by this batch.
    pub hints_taken: Vec<i64>,
    /// The decision: `sync::decide`, handed in because the ledger holds no policy.
    pub decide: fn(&DecisionInput<'_>) -> Decision,
}

impl Ledger {
    /// What is known of the named records.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn records_known(
        &self,
        route: RouteName,
        ids: Vec<RecordId>,
    ) -> Result<HashMap<RecordId, KnownRecord>, LedgerError> {
        self.read("records_known", move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT hash, modified, run_id FROM records WHERE route = ?1 AND record_id = ?2",
            )?;
            let mut known = HashMap::with_capacity(ids.len());
            for id in ids {
                let row = statement
                    .query_row((&route.0, &id.0), |row| {
                        Ok(KnownRecord {
                            hash: row.get("hash")?,
                            modified: get_time_opt(row, "modified")?,
                            run: RunId(row.get("run_id")?),
                        })
                    })
                    .optional()?;
                if let Some(row) = row {
                    known.insert(id, row);
                }
            }
            Ok(known)
        })
        .await
    }

    /// Why the last decided records were parked, oldest first; `None` for one that was not. Left out are the records
    /// `besides`, what was decided under another revision, and what a person has seen who switched the route. Nothing
    /// is read where fewer than `least` are parked at all.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn records_last(
        &self,
        route: RouteName,
        besides: HashSet<RecordId>,
        limit: usize,
        least: usize,
    ) -> Result<Vec<Option<Reason>>, LedgerError> {
        self.read("records_last", move |connection| {
            let parked: i64 = connection
                .prepare_cached(
                    "SELECT count(*) FROM records WHERE state = 'parked' AND state <> 'linked' AND route = ?1",
                )?
                .query_row([&route.0], |row| row.get(0))?;
            if usize::try_from(parked).unwrap_or_default() < least {
                return Ok(Vec::new());
            }
            let mut statement = connection.prepare_cached(
                "SELECT d.record_id, CASE d.state WHEN 'parked' THEN d.code END AS code, d.params
                 FROM records d JOIN routes r ON r.route = d.route
                 WHERE d.route = ?1 AND d.run_id >= coalesce(r.pulling_run, 0)
                   AND d.run_id >= (SELECT min(id) FROM runs WHERE job = 'pull' AND route = ?1
                                    AND started_at >= r.state_since)
                 ORDER BY d.run_id DESC, d.decided_at DESC LIMIT ?2",
            )?;
            let most = i64::try_from(limit + besides.len()).unwrap_or(i64::MAX);
            let mut rows = statement.query((&route.0, most))?;
            let mut last = Vec::with_capacity(limit);
            while let Some(row) = rows.next()? {
                if last.len() < limit && !besides.contains(&RecordId(row.get("record_id")?)) {
                    last.push(get_reason_opt(row, "code", "params")?);
                }
            }
            last.reverse();
            Ok(last)
        })
        .await
    }

    /// Forgets records without an id that were not seen since.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn unidentified_forget(&self, route: RouteName, before: Timestamp) -> Result<(), LedgerError> {
        self.write("unidentified_forget", move |tx| {
            tx.prepare_cached("DELETE FROM unidentified WHERE route = ?1 AND last_seen < ?2")?
                .execute((route.0, time(before)))
        })
        .await
        .map(|_| ())
    }

    /// Stores a page: blocks, records, decisions, operations, in ONE transaction.
    ///
    /// # Errors
    /// The ledger cannot be written; nothing of the page is stored then.
    pub async fn page_store(&self, page: PageStore) -> Result<Counts, LedgerError> {
        let now = self.env.now();
        let (counts, epoch) = self
            .write("page_store", move |tx| {
                let before = epoch_read(tx)?;
                let mut counts = Counts::default();
                for record in &page.records {
                    store_record(tx, now, &page, record, &mut counts)?;
                }
                for id in &page.missing {
                    absent::ask(tx, now, &page.route, id)?;
                }
                for id in &page.gone {
                    absent::store_gone(tx, now, &page, id)?;
                }
                for (digest, reason) in &page.unidentified {
                    store_unidentified(tx, now, &page, digest, reason, &mut counts)?;
                }
                for hint in &page.hints_taken {
                    let (record, source) = hints::take_in(tx, now, *hint)?;
                    let there = !page.missing.contains(&record) && !page.gone.contains(&record);
                    if source == hints::FROM_WRITE_BACK && there {
                        write_back::record_was_there(tx, &page.route, &record, now)?;
                    }
                }
                let after = epoch_read(tx)?;
                Ok((counts, (after != before).then_some(after)))
            })
            .await?;
        if let Some(epoch) = epoch {
            self.publish_epoch(epoch);
        }
        Ok(counts)
    }
}

fn store_unidentified(
    tx: &Transaction<'_>,
    now: Timestamp,
    page: &PageStore,
    digest: &[u8],
    reason: &Reason,
    counts: &mut Counts,
) -> rusqlite::Result<()> {
    let times: i64 = tx
        .prepare_cached(
            "INSERT INTO unidentified (route, digest, code, params, first_seen, last_seen)
             VALUES (?1, ?2, ?3, ?4, ?5, ?5)
             ON CONFLICT (route, digest) DO UPDATE SET last_seen = excluded.last_seen, times = times + 1
             RETURNING times",
        )?
        .query_row((&page.route.0, digest, sql::code(reason), reason.params_json(), time(now)), |row| {
            row.get(0)
        })?;
    counts.parked += 1;
    counts.parked_new += i64::from(times == 1);
    Ok(())
}
