//! One record of a page: its blocks, its decision, its row.

use super::Counts;
use super::absent;
use super::decisions::{self, Cause, LinkOwner};
use super::edits;
use super::finals;
use super::held_out::{self, Whom};
use super::hints;
use super::inputs;
use super::notes;
use super::pull::{Basis, BlockWord, PageStore, PulledRecord};
use super::scope;
use super::source_blocks::{self, Says};
use super::sql::{self, time};
use super::write_back;
use crate::domain::scope::Doing;
use crate::domain::{
    CampaignId, CrmSide, Decision, DecisionInput, DiallerSide, LinkId, Reason, ReasonCode, RecordKey,
    RouteName, Timestamp, UserData, Verdict,
};
use rusqlite::{OptionalExtension as _, Transaction, named_params};

pub(super) fn cause(page: &PageStore, now: Timestamp) -> Cause {
    Cause { at: now, decided_at: page.decided_at, text: format!("run:{}", page.run), run: Some(page.run) }
}

pub(super) fn store_record(
    tx: &Transaction<'_>,
    now: Timestamp,
    page: &PageStore,
    record: &PulledRecord,
    counts: &mut Counts,
) -> rusqlite::Result<()> {
    if record.basis == Basis::Kept && !still_as_kept(tx, page, record)? {
        counts.stale += 1;
        return Ok(());
    }
    let key = RecordKey { crm: page.crm.clone(), object: page.object.clone(), id: record.id.clone() };
    let user_data = claim_key(tx, page, record)?;
    let link = inputs::link_of_record(tx, &page.route, &record.id)?;
    let numbers = numbers(tx, record, link.as_ref().map(|(id, _)| *id))?;
    let left = numbers_left(tx, record, &numbers, link.as_ref().map(|(id, _)| *id))?;
    keep_blocks(tx, now, page, record, &key, (&numbers, &left))?;
    let mut blocks = inputs::blocks_in_force(tx, &page.client, Some(&key), &numbers, &time(now))?;
    if let Some((id, _)) = &link {
        blocks.extend(inputs::contact_blocks(tx, &inputs::contacts_of(tx, *id)?, &time(now))?);
    }
    let mut usable = match &user_data {
        Ok(_) => record.crm.clone(),
        Err(reason) => unusable(&record.crm, reason),
    };
    if let (Some((id, view)), CrmSide::Eligible(desired)) = (&link, &mut usable)
        && edits::put_back_older(tx, *id, &view.desired, desired, page.decided_at)?
    {
        hints::link_in(tx, now, *id, "told meanwhile")?;
    }
    let asked = already_asked(tx, page, record)?;
    let dialler = match &link {
        Some((_, view)) if view.contact.is_some() => DiallerSide::Linked,
        Some(_) | None => DiallerSide::NotMet,
    };
    let whom = Whom { client: &page.client, route: &page.route, key: &key, numbers: &numbers };
    let held_out = held_out::against(tx, &whom, now)?;
    let (last_result, ended) = finals::of_person_and_numbers(tx, &whom, link.as_ref().map(|(id, _)| *id))?;
    let decision = (page.decide)(&DecisionInput {
        link: link.as_ref().map(|(_, view)| view),
        crm: &usable,
        dialler: &dialler,
        blocks: &blocks,
        last_result,
        ended: &ended,
        held_out: held_out.as_ref(),
        policy: &page.policy,
    });
    let doing = if blocks.is_empty() && held_out.is_none() {
        scope::doing(tx, page, record, link.as_ref().map(|(id, _)| *id))?
    } else {
        // A no stands against the person, whatever the rules make of the record: nobody's word is waited for.
        Doing::Record
    };
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
        Some(&numbers),
        doing,
    )?;
    // Who was about to be called once is asked again, whatever was found before.
    let ask = decision.meet && user_data.is_ok() && (!asked || was_to_be_called(tx, stored)?);
    let was_parked = upsert_record(tx, now, page, record, user_data.ok().as_ref(), stored, &decision, ask)?;
    count(counts, &decision.verdict, was_parked);
    // Of what could not be read, or was kept for the conditions alone, nothing more can be said than before.
    if record.basis == Basis::Read {
        let told: Vec<&Reason> = record.notes.iter().chain(&decision.notes).collect();
        counts.noted += notes::keep(tx, now, page.run, &page.route, &record.id, &told)?;
    }
    match record.basis {
        Basis::Read | Basis::Unreadable => absent::found(tx, &page.route, &record.id, now),
        Basis::Kept => Ok(()),
    }
}

/// Whether the version that was kept is still the one last stored: a pull may have stored a newer one since.
fn still_as_kept(tx: &Transaction<'_>, page: &PageStore, record: &PulledRecord) -> rusqlite::Result<bool> {
    tx.prepare_cached(
        "SELECT hash = ?3 AND kept IS NOT NULL FROM records WHERE route = ?1 AND record_id = ?2",
    )?
    .query_row((&page.route.0, &record.id.0, &record.hash), |row| row.get(0))
    .optional()
    .map(Option::unwrap_or_default)
}

/// The record's numbers: those it maps to now, or, where that cannot be told, those its link has.
fn numbers(
    tx: &Transaction<'_>,
    record: &PulledRecord,
    link: Option<LinkId>,
) -> rusqlite::Result<Vec<String>> {
    match (record.basis, link) {
        (Basis::Read, _) => Ok(record.numbers.clone()),
        (Basis::Unreadable | Basis::Kept, None) => Ok(Vec::new()),
        (Basis::Unreadable | Basis::Kept, Some(link)) => tx
            .prepare_cached("SELECT number FROM link_numbers WHERE link_id = ?1")?
            .query_map([link.0], |row| row.get(0))?
            .collect(),
    }
}

/// The numbers that the record had until this very edit.
fn numbers_left(
    tx: &Transaction<'_>,
    record: &PulledRecord,
    numbers: &[String],
    link: Option<LinkId>,
) -> rusqlite::Result<Vec<String>> {
    let (Basis::Read, Some(link)) = (record.basis, link) else { return Ok(Vec::new()) };
    let mut left = held_out::numbers_of(tx, link)?;
    left.retain(|number| !numbers.contains(number));
    Ok(left)
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
    (numbers, left): (&[String], &[String]),
) -> rusqlite::Result<()> {
    let says = Says {
        client: &page.client,
        route: &page.route,
        key,
        numbers,
        left,
        rests_on: record.no_rests_on.as_deref(),
        asked: page.decided_at,
    };
    match record.block {
        BlockWord::Set => source_blocks::set(tx, now, page.run, &says),
        BlockWord::Clear => source_blocks::withdraw(tx, now, page.run, &says, page.unblock),
        BlockWord::Unknown => Ok(()),
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

/// Whether anything was ever meant to happen under a link. One that is there for a telling's sake alone is no reason to ask.
fn was_to_be_called(tx: &Transaction<'_>, link: Option<LinkId>) -> rusqlite::Result<bool> {
    let Some(link) = link else { return Ok(false) };
    tx.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM operations WHERE link_id = ?1) OR EXISTS (SELECT 1 FROM link_contacts WHERE link_id = ?1)",
    )?
    .query_row([link.0], |row| row.get(0))
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
    let before: Option<(String, Option<String>)> = tx
        .prepare_cached("SELECT state, code FROM records WHERE route = ?1 AND record_id = ?2")?
        .query_row((&page.route.0, &record.id.0), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (before, code) = before.unzip();
    tx.prepare_cached(
        "INSERT INTO records (route, record_id, hash, modified, user_data, folded, state, code, params, since, meet,
                              kept, link_id, decided_at, run_id)
         VALUES (:route, :id, :hash, :modified, :user_data, :folded, :state, :code, :params, :now, :meet, :kept, :link,
                 :decided, :run)
         ON CONFLICT (route, record_id) DO UPDATE SET hash = excluded.hash,
            modified = coalesce(excluded.modified, modified), again_on = NULL,
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
    let was_gone = matches!(code.flatten().as_deref(), Some("record_deleted" | "record_gone"));
    let is_gone = reason
        .is_some_and(|reason| matches!(reason.code, ReasonCode::RecordDeleted | ReasonCode::RecordGone));
    if was_gone && !is_gone {
        write_back::record_is_back(tx, &page.route, &record.id, now)?;
    }
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
