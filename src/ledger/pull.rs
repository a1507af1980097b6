//! What a pull stores: one page in one transaction, decisions included.

use super::block_store::epoch_read;
use super::decisions::{self, Cause, LinkOwner};
use super::inputs;
use super::source_blocks;
use super::sql::{self, get_time_opt, time};
use super::{Counts, Ledger, LedgerError, bearers};
use crate::domain::{
    CampaignId, CrmSide, Decision, DecisionInput, DiallerSide, LastResult, LinkId, Policy, Reason,
    ReasonCode, RecordId, RecordKey, RouteName, RunId, Timestamp, UserData, Verdict,
};
use rusqlite::{OptionalExtension as _, Transaction, named_params};
use std::collections::HashMap;

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
    /// The CRM's side for the decision.
    pub crm: CrmSide,
    /// The values its dated conditions use, as JSON.
    pub kept: Option<String>,
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
    /// Whether blocks of this route end when their source withdraws them.
    pub unblock_by_source: bool,
    /// The run.
    pub run: RunId,
    /// When the CRM answered.
    pub decided_at: Timestamp,
    /// The changed records.
    pub records: Vec<PulledRecord>,
    /// Known ids that no longer exist in the CRM.
    pub gone: Vec<RecordId>,
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
                for id in &page.gone {
                    store_gone(tx, now, &page, id)?;
                }
                for (digest, reason) in &page.unidentified {
                    store_unidentified(tx, now, &page, digest, reason, &mut counts)?;
                }
                for hint in &page.hints_taken {
                    tx.prepare_cached("UPDATE hints SET taken_at = ?2 WHERE id = ?1")?
                        .execute((hint, time(now)))?;
                }
                crate::env::crash::point("inside_commit_page");
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

fn cause(page: &PageStore, now: Timestamp) -> Cause {
    Cause { at: now, decided_at: page.decided_at, text: format!("run:{}", page.run), run: Some(page.run) }
}

fn store_record(
    tx: &Transaction<'_>,
    now: Timestamp,
    page: &PageStore,
    record: &PulledRecord,
    counts: &mut Counts,
) -> rusqlite::Result<()> {
    let key = RecordKey { crm: page.crm.clone(), object: page.object.clone(), id: record.id.clone() };
    let user_data = claim_key(tx, page, record)?;
    keep_blocks(tx, now, page, record, &key)?;
    let mut blocks = inputs::blocks_in_force(tx, &page.client, Some(&key), &record.numbers, &time(now))?;
    let link = inputs::link_of_record(tx, &page.route, &record.id)?;
    if let Some((id, _)) = &link {
        blocks.extend(inputs::contact_blocks(tx, &inputs::contacts_of(tx, *id)?, &time(now))?);
    }
    let usable = match &user_data {
        Ok(_) => record.crm.clone(),
        Err(reason) => unusable(&record.crm, reason),
    };
    let asked = already_asked(tx, page, record)?;
    let dialler = match &link {
        Some((_, view)) if view.contact.is_some() => DiallerSide::Linked,
        Some(_) | None => DiallerSide::NotMet,
    };
    let decision = (page.decide)(&DecisionInput {
        link: link.as_ref().map(|(_, view)| view),
        crm: &usable,
        dialler: &dialler,
        blocks: &blocks,
        last_result: match &link {
            Some((id, _)) => inputs::last_result(tx, *id)?,
            None => LastResult::None,
        },
        policy: page.policy,
    });
    let campaign = pinned_campaign(tx, &page.route)?;
    let owner = user_data.as_ref().ok().map(|user_data| LinkOwner {
        client: page.client.clone(),
        route: page.route.clone(),
        record: record.id.clone(),
        user_data: user_data.clone(),
        campaign,
    });
    let stored = decisions::store(
        tx,
        &cause(page, now),
        link.map(|(id, _)| id),
        owner.as_ref(),
        &decision,
        Some(&record.numbers),
    )?;
    // Who has a link was about to be called once: asked again, whatever was found before.
    let ask = decision.meet && (stored.is_some() || !asked) && user_data.is_ok();
    let was_parked = upsert_record(tx, now, page, record, user_data.ok().as_ref(), stored, &decision, ask)?;
    count(counts, &decision.verdict, was_parked);
    Ok(())
}

/// The route's campaign, once push has resolved it.
fn pinned_campaign(tx: &Transaction<'_>, route: &RouteName) -> rusqlite::Result<Option<CampaignId>> {
    tx.prepare_cached("SELECT campaign_id FROM routes WHERE route = ?1")?
        .query_row([&route.0], |row| row.get::<_, Option<i64>>(0))
        .map(|id| id.map(CampaignId))
}

/// A key that cannot be used parks the record; what the CRM says against calling it still counts.
fn unusable(crm: &CrmSide, reason: &Reason) -> CrmSide {
    match crm {
        CrmSide::Gone(_) | CrmSide::Ineligible(_) => crm.clone(),
        CrmSide::Uncallable(_) => CrmSide::Uncallable(reason.clone()),
        CrmSide::Eligible(_) | CrmSide::Unusable(_) => CrmSide::Unusable(reason.clone()),
    }
}

/// The record's key, unless another record has one that a server may take for the same.
fn claim_key(
    tx: &Transaction<'_>,
    page: &PageStore,
    record: &PulledRecord,
) -> rusqlite::Result<Result<UserData, Reason>> {
    let user_data = match &record.user_data {
        Ok(user_data) => user_data,
        Err(reason) => return Ok(Err(reason.clone())),
    };
    let holder = tx
        .prepare_cached("SELECT route, record_id FROM records WHERE folded = ?1")?
        .query_row([user_data.folded().as_str()], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
        })
        .optional()?;
    Ok(match holder {
        Some((route, id)) if route != page.route.0 || id != record.id.0 => {
            Err(Reason::new(ReasonCode::UserDataTaken).with("record", id).with("route", route))
        }
        Some(_) | None => Ok(user_data.clone()),
    })
}

/// `block_if` writes a block for the record and for each of its numbers; its withdrawal ends them only
/// where the route says so, and only once seen twice.
fn keep_blocks(
    tx: &Transaction<'_>,
    now: Timestamp,
    page: &PageStore,
    record: &PulledRecord,
    key: &RecordKey,
) -> rusqlite::Result<()> {
    match record.block {
        BlockWord::Set => {
            source_blocks::set(tx, now, page.run, &page.client, &page.route, key, &record.numbers)
        }
        BlockWord::Clear if page.unblock_by_source => {
            source_blocks::withdraw(tx, now, &page.client, &page.route, key, &record.numbers)
        }
        BlockWord::Clear | BlockWord::Unknown => Ok(()),
    }
}

/// Whether the dialler was already asked for the key of a record that has no contact.
fn already_asked(tx: &Transaction<'_>, page: &PageStore, record: &PulledRecord) -> rusqlite::Result<bool> {
    let met: Option<String> = tx
        .prepare_cached(
            "SELECT meet FROM records WHERE route = ?1 AND record_id = ?2 AND folded IS NOT NULL",
        )?
        .query_row((&page.route.0, &record.id.0), |row| row.get(0))
        .optional()?;
    Ok(met.as_deref() == Some("done"))
}

#[expect(clippy::too_many_arguments, reason = "one row's columns")]
fn upsert_record(
    tx: &Transaction<'_>,
    now: Timestamp,
    page: &PageStore,
    record: &PulledRecord,
    user_data: Option<&UserData>,
    link: Option<LinkId>,
    decision: &Decision,
    ask: bool,
) -> rusqlite::Result<bool> {
    let (state, reason) = match &decision.verdict {
        Verdict::Unchanged | Verdict::Queued | Verdict::Adopted => ("linked", None),
        Verdict::Skipped(reason) => ("skipped", Some(reason)),
        Verdict::Blocked(reason) => ("blocked", Some(reason)),
        Verdict::Parked(reason) => ("parked", Some(reason)),
    };
    let before: Option<String> = tx
        .prepare_cached("SELECT state FROM records WHERE route = ?1 AND record_id = ?2")?
        .query_row((&page.route.0, &record.id.0), |row| row.get(0))
        .optional()?;
    tx.prepare_cached(
        "INSERT INTO records (route, record_id, hash, modified, user_data, folded, state, code, params, since, meet,
                              kept, link_id, decided_at, run_id)
         VALUES (:route, :id, :hash, :modified, :user_data, :folded, :state, :code, :params, :now, :meet, :kept, :link,
                 :decided, :run)
         ON CONFLICT (route, record_id) DO UPDATE SET hash = excluded.hash, modified = excluded.modified,
            user_data = excluded.user_data, folded = excluded.folded,
            since = CASE WHEN state = excluded.state AND code IS excluded.code THEN since ELSE excluded.since END,
            state = excluded.state, code = excluded.code, params = excluded.params,
            meet = excluded.meet, kept = excluded.kept, link_id = coalesce(excluded.link_id, link_id),
            decided_at = excluded.decided_at, run_id = excluded.run_id",
    )?
    .execute(named_params! {
        ":route": page.route.0, ":id": record.id.0, ":hash": record.hash,
        ":modified": record.modified.map(time), ":user_data": user_data.map(UserData::as_str),
        ":folded": user_data.map(|key| key.folded().as_str().to_owned()), ":state": state,
        ":code": reason.map(sql::code), ":params": reason.map_or_else(|| "{}".to_owned(), Reason::params_json),
        ":now": time(now), ":meet": if ask { "due" } else { "done" }, ":kept": record.kept,
        ":link": link.map(|id| id.0), ":decided": time(page.decided_at), ":run": page.run.0,
    })?;
    Ok(before.as_deref() == Some("parked"))
}

fn count(counts: &mut Counts, verdict: &Verdict, was_parked: bool) {
    match verdict {
        Verdict::Unchanged => counts.unchanged += 1,
        Verdict::Queued => counts.queued += 1,
        Verdict::Adopted => counts.adopted += 1,
        Verdict::Skipped(_) => counts.skipped += 1,
        Verdict::Blocked(_) => counts.blocked += 1,
        Verdict::Parked(_) => {
            counts.parked += 1;
            counts.parked_new += i64::from(!was_parked);
        }
    }
}

/// A record whose id the CRM no longer has: like one that is no longer eligible.
fn store_gone(tx: &Transaction<'_>, now: Timestamp, page: &PageStore, id: &RecordId) -> rusqlite::Result<()> {
    let Some((link, view)) = inputs::link_of_record(tx, &page.route, id)? else {
        return set_gone(tx, now, page, id);
    };
    let dialler = if view.contact.is_some() { DiallerSide::Linked } else { DiallerSide::NotMet };
    let decision = (page.decide)(&DecisionInput {
        link: Some(&view),
        crm: &CrmSide::Gone(ReasonCode::RecordGone.into()),
        dialler: &dialler,
        blocks: &[],
        last_result: inputs::last_result(tx, link)?,
        policy: page.policy,
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
