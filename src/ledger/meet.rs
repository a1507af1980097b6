//! First sight: what the dialler's answer about a key makes of the record (semantics 5). Decided by the same function as everything else, in the transaction that stores it.

use super::contacts::lock_if_blocked;
use super::decisions::{self, Cause, LinkOwner, lane_of_contact};
use super::glimpse::Glimpse;
use super::holder::{free_contact, lose_contact};
use super::inputs::link_view;
use super::meet_due::MeetItem;
use super::sql::{self, get_reason, get_reason_opt, get_time_opt, time};
use super::{Ledger, LedgerError, finals, found, held_out, lane};
use crate::domain::scope::Doing;
use crate::domain::{
    CampaignId, ContactId, CrmSide, Decision, DecisionInput, Desired, DiallerSide, LinkId, Policy, Reason,
    ReasonCode, RecordKey, RunId, Timestamp, Verdict, Wish,
};
use rusqlite::{OptionalExtension as _, Transaction};

/// What was found for a key.
#[derive(Debug, Clone)]
pub struct Meeting {
    /// The key.
    pub item: MeetItem,
    /// What the dialler has.
    pub dialler: DiallerSide,
    /// The one contact that was found: its numbers are asked of the blocks too, those included of which the record
    /// does not speak.
    pub seen: Option<Glimpse>,
    /// Contacts with our key that must not be called whatever is decided (semantics 16).
    pub doubles: Vec<ContactId>,
    /// Where the contacts stand that bear the key to the letter, if they are several or elsewhere: their calls are read, too.
    pub bearers: Vec<Bearer>,
    /// When the dialler said so; for an index, when its sweep began.
    pub at: Timestamp,
    /// The route's choices.
    pub policy: Policy,
}

/// A contact that bears a record's key and is not taken for its contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bearer {
    /// The contact.
    pub contact: ContactId,
    /// Its campaign.
    pub campaign: CampaignId,
}

/// What meetings led to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MeetCounts {
    /// Contacts taken over.
    pub adopted: i64,
    /// Records parked that were not before.
    pub parked: i64,
    /// Waiting imports that gave way because their record was parked.
    pub imports_parked: i64,
    /// Waiting imports that gave way to anything else.
    pub superseded: i64,
}

/// `sync::decide`, handed in because the ledger holds no policy.
pub type Decide = fn(&DecisionInput<'_>) -> Decision;

impl Ledger {
    /// Stores what was found, with what it decides.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn meetings_store(
        &self,
        meetings: Vec<Meeting>,
        decide: Decide,
        run: RunId,
    ) -> Result<MeetCounts, LedgerError> {
        let now = self.env.now();
        self.write("meetings_store", move |tx| {
            let cause = Cause { at: now, decided_at: now, text: format!("run:{run}"), run: Some(run) };
            let mut counts = MeetCounts::default();
            for meeting in &meetings {
                store(tx, &cause, meeting, decide, &mut counts)?;
            }
            Ok(counts)
        })
        .await
    }
}

/// One meeting inside a transaction; settling an import calls it too.
pub(super) fn store(
    tx: &Transaction<'_>,
    cause: &Cause,
    meeting: &Meeting,
    decide: Decide,
    counts: &mut MeetCounts,
) -> rusqlite::Result<()> {
    let MeetItem { route, record, .. } = &meeting.item;
    enter_bearers(tx, meeting, cause.at)?;
    let mut link = meeting.item.link;
    match &meeting.dialler {
        // Nobody has it: the import that waits may go, and for a record without a link nothing is wished.
        DiallerSide::Absent if link.is_none() || count_imports(tx, link)? > 0 => {
            return met(tx, meeting, link);
        }
        DiallerSide::Linked | DiallerSide::NotMet => return met(tx, meeting, link),
        DiallerSide::Found(contact) => link = room_for(tx, meeting, link, contact.id, cause.at)?,
        DiallerSide::Absent | DiallerSide::Ambiguous { .. } => {}
    }
    let view = link.map(|id| link_view(tx, id)).transpose()?;
    let (client, key): (String, RecordKey) = tx
        .prepare_cached("SELECT client, crm, object FROM routes WHERE route = ?1")?
        .query_row([&route.0], |row| {
            Ok((row.get(0)?, RecordKey { crm: row.get(1)?, object: row.get(2)?, id: record.clone() }))
        })?;
    let blocks = found::against(tx, meeting, link.zip(view.as_ref()), &client, &key, cause.at)?;
    let (crm, decided_at) = crm_side(tx, meeting, view.as_ref().map(|view| (view.wish, &view.desired)))?;
    let numbers = link.map(|link| held_out::numbers_of(tx, link)).transpose()?.unwrap_or_default();
    let whom = held_out::Whom { client: &client, route, key: &key, numbers: &numbers };
    let held_out = held_out::against(tx, &whom, cause.at)?;
    let (last_result, ended) = finals::of_person_and_numbers(tx, &whom, link)?;
    let decision = decide(&DecisionInput {
        link: view.as_ref(),
        crm: &crm,
        dialler: &meeting.dialler,
        blocks: &blocks,
        last_result,
        ended: &ended,
        held_out: held_out.as_ref(),
        policy: &meeting.policy,
    });
    let cause = Cause { decided_at: decided_at.unwrap_or(cause.at), ..cause.clone() };
    let waited = count_imports(tx, link)?;
    let owner = LinkOwner {
        client: client.clone(),
        route: route.clone(),
        record: record.clone(),
        user_data: meeting.item.user_data.clone(),
        campaign: meeting.item.campaign,
    };
    let stored = decisions::store(tx, &cause, link, Some(&owner), &decision, None, Doing::Record)?;
    let taken = waited - count_imports(tx, link)?;
    match &decision.verdict {
        Verdict::Parked(_) => counts.imports_parked += taken,
        Verdict::Unchanged
        | Verdict::Queued
        | Verdict::Adopted
        | Verdict::Skipped(_)
        | Verdict::Blocked(_) => {
            counts.superseded += taken;
        }
    }
    if let Some((contact, _)) = &decision.adopted {
        counts.adopted += 1;
        // What both sides are said to agree on now has numbers as well, as we would have sent them.
        lock_if_blocked(tx, *contact, cause.at)?;
    }
    lock_doubles(tx, &cause, &client, meeting, &decision)?;
    follow(tx, &cause, meeting, stored, &decision, counts)?;
    met(tx, meeting, stored)
}

fn count_imports(tx: &Transaction<'_>, link: Option<LinkId>) -> rusqlite::Result<i64> {
    let Some(link) = link else { return Ok(0) };
    tx.prepare_cached(
        "SELECT count(*) FROM operations WHERE link_id = ?1 AND kind = 'import' AND state = 'waiting'",
    )?
    .query_row([link.0], |row| row.get(0))
}

/// A contact stands in one link only: a lane that held nothing but its locks becomes the record's link, or
/// hands it over.
fn room_for(
    tx: &Transaction<'_>,
    meeting: &Meeting,
    link: Option<LinkId>,
    contact: ContactId,
    now: Timestamp,
) -> rusqlite::Result<Option<LinkId>> {
    if let Some(link) = link {
        free_contact(tx, link, contact, now)?;
        return Ok(Some(link));
    }
    let holder: Option<(i64, bool)> = tx
        .prepare_cached("SELECT id, route IS NULL FROM links WHERE contact_id = ?1")?
        .query_row([contact.0], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let bare = match holder {
        Some((bare, true)) => bare,
        Some((other, false)) => return lose_contact(tx, LinkId(other), now).map(|()| None),
        None => return Ok(None),
    };
    let MeetItem { route, record, user_data, campaign, .. } = &meeting.item;
    tx.prepare_cached(
        "UPDATE links SET route = ?2, record_id = ?3, user_data = ?4, folded = ?5, campaign_id = ?6 WHERE id = ?1",
    )?
    .execute((
        bare,
        &route.0,
        &record.0,
        user_data.as_str(),
        user_data.folded().as_str(),
        campaign.map(|c| c.0),
    ))?;
    Ok(Some(LinkId(bare)))
}

/// What the CRM last said, from what the ledger kept of it: a meeting does not ask the CRM again.
fn crm_side(
    tx: &Transaction<'_>,
    meeting: &Meeting,
    link: Option<(Wish, &Desired)>,
) -> rusqlite::Result<(CrmSide, Option<Timestamp>)> {
    let stored: Option<(String, Option<Reason>, Option<Timestamp>)> = tx
        .prepare_cached(
            "SELECT state, code, params, decided_at FROM records WHERE route = ?1 AND record_id = ?2",
        )?
        .query_row((&meeting.item.route.0, &meeting.item.record.0), |row| {
            Ok((row.get("state")?, get_reason_opt(row, "code", "params")?, get_time_opt(row, "decided_at")?))
        })
        .optional()?;
    let decided_at = stored.as_ref().and_then(|(_, _, at)| *at);
    let (state, reason) = match stored {
        Some((state, reason, _)) => (state, reason),
        None => ("skipped".to_owned(), None),
    };
    let reason = match reason {
        Some(reason) => reason,
        None => wish_reason(tx, meeting)?,
    };
    let side = match (state.as_str(), reason.code, link) {
        // It stands still for what the dialler has, not for what the CRM says.
        (
            "parked" | "skipped",
            ReasonCode::SeveralContacts
            | ReasonCode::FoundElsewhere
            | ReasonCode::FoldedMatch
            | ReasonCode::Vanished,
            Some((_, desired)),
        ) => CrmSide::Eligible(desired.clone()),
        (_, _, _) if reason.parks_and_locks() => CrmSide::Uncallable(reason),
        ("parked" | "discarded", _, _) => CrmSide::Unusable(reason),
        // Left, though the route keeps its contact.
        ("skipped", ReasonCode::RecordDeleted | ReasonCode::RecordGone, _) => CrmSide::Gone(reason),
        ("skipped", ReasonCode::NotEligible, _) => CrmSide::Ineligible(reason),
        (_, _, Some((Wish::Callable, desired))) => CrmSide::Eligible(desired.clone()),
        (_, ReasonCode::RecordDeleted | ReasonCode::RecordGone, _) => CrmSide::Gone(reason),
        (_, _, _) => CrmSide::Ineligible(reason),
    };
    Ok((side, decided_at))
}

fn wish_reason(tx: &Transaction<'_>, meeting: &Meeting) -> rusqlite::Result<Reason> {
    let Some(link) = meeting.item.link else { return Ok(ReasonCode::NotEligible.into()) };
    tx.prepare_cached("SELECT wish_code, wish_params FROM links WHERE id = ?1")?
        .query_row([link.0], |row| get_reason(row, "wish_code", "wish_params"))
}

/// Whoever bears the key in a campaign that no route names is in no list that is read; what is said to them is the record's all the same
/// (semantics 16).
fn enter_bearers(tx: &Transaction<'_>, meeting: &Meeting, now: Timestamp) -> rusqlite::Result<()> {
    let key = &meeting.item.user_data;
    let mut insert = tx.prepare_cached(
        "INSERT INTO contacts (contact_id, campaign_id, user_data, folded, seen_seq, seen_at) VALUES (?1, ?2, ?3, ?4, 0, ?5)
         ON CONFLICT DO NOTHING",
    )?;
    for bearer in &meeting.bearers {
        insert.execute((
            bearer.contact.0,
            bearer.campaign.0,
            key.as_str(),
            key.folded().as_str(),
            time(now),
        ))?;
    }
    Ok(())
}

fn lock_doubles(
    tx: &Transaction<'_>,
    cause: &Cause,
    client: &str,
    meeting: &Meeting,
    decision: &Decision,
) -> rusqlite::Result<()> {
    let reason = match &decision.verdict {
        Verdict::Skipped(reason) | Verdict::Blocked(reason) | Verdict::Parked(reason) => reason.clone(),
        Verdict::Unchanged | Verdict::Queued | Verdict::Adopted => ReasonCode::SeveralContacts.into(),
    };
    for contact in meeting.doubles.iter().chain(&decision.lock_others) {
        let lane_id = lane_of_contact(tx, cause.at, client, *contact)?;
        lane::lock(tx, lane_id, &reason, cause)?;
    }
    Ok(())
}

fn follow(
    tx: &Transaction<'_>,
    cause: &Cause,
    meeting: &Meeting,
    link: Option<LinkId>,
    decision: &Decision,
    counts: &mut MeetCounts,
) -> rusqlite::Result<()> {
    let (state, reason) = match &decision.verdict {
        Verdict::Unchanged | Verdict::Queued | Verdict::Adopted => ("linked", None),
        Verdict::Parked(reason) => ("parked", Some(reason)),
        Verdict::Skipped(reason) => ("skipped", Some(reason)),
        Verdict::Blocked(reason) => ("blocked", Some(reason)),
    };
    let MeetItem { route, record, .. } = &meeting.item;
    let before: Option<String> = tx
        .prepare_cached("SELECT state FROM records WHERE route = ?1 AND record_id = ?2")?
        .query_row((&route.0, &record.0), |row| row.get(0))
        .optional()?;
    counts.parked +=
        i64::from(state == "parked" && !matches!(before.as_deref(), Some("parked" | "discarded")));
    // What a person put aside stays there until it changes in the CRM.
    tx.prepare_cached(
        "UPDATE records SET since = CASE WHEN state = ?3 AND code IS ?4 THEN since ELSE ?6 END, state = ?3,
                code = ?4, params = ?5, link_id = coalesce(?7, link_id)
         WHERE route = ?1 AND record_id = ?2 AND state <> 'discarded'",
    )?
    .execute((
        &route.0,
        &record.0,
        state,
        reason.map(sql::code),
        reason.map_or_else(|| "{}".to_owned(), Reason::params_json),
        time(cause.at),
        link.map(|id| id.0),
    ))?;
    Ok(())
}

/// Only an answer without any contact lets an import go; whatever else was found is asked about again before one.
fn met(tx: &Transaction<'_>, meeting: &Meeting, link: Option<LinkId>) -> rusqlite::Result<()> {
    let absent = matches!(meeting.dialler, DiallerSide::Absent).then(|| time(meeting.at));
    if let Some(link) = link {
        tx.prepare_cached("UPDATE links SET met_at = ?2, absent_at = ?3 WHERE id = ?1")?.execute((
            link.0,
            time(meeting.at),
            absent,
        ))?;
    }
    tx.prepare_cached(
        "UPDATE records SET meet = 'done' WHERE route = ?1 AND record_id = ?2 AND meet = 'due'",
    )?
    .execute((&meeting.item.route.0, &meeting.item.record.0))?;
    Ok(())
}
