//! Stores a decision: the link's generation is raised, what waited and only stated a wish is superseded,
//! the new operations are queued. The one place that makes operations from decisions (semantics 3).

use super::answer::BaseChange;
use super::lane::LockStands;
use super::link_after::store_base;
use super::sql::{self, json, time};
use super::{
    blocks_told, edits, edits_end, held_again, lane, results_due, sent_numbers, status_told, still_blocked,
    waves, write_back,
};
use crate::domain::scope::Doing;
use crate::domain::{
    Anew, Base, CampaignId, ContactId, Decision, Deletion, Desired, Intent, LinkId, OperationKind, Reason,
    ReasonCode, RecordId, RouteName, RunId, Timestamp, UserData, Verdict, Wish,
};
use rusqlite::{OptionalExtension as _, Transaction, named_params};

/// When and why something is stored.
#[derive(Debug, Clone)]
pub struct Cause {
    /// Now.
    pub at: Timestamp,
    /// When the answer was there on which the decision rests.
    pub decided_at: Timestamp,
    /// `run:ID`, `person:NAME`, `gate` or `settle:ID`.
    pub text: String,
    /// The run, if one.
    pub run: Option<RunId>,
}

/// Whose link it is.
#[derive(Debug, Clone)]
pub struct LinkOwner {
    /// The route's client.
    pub client: String,
    /// The route.
    pub route: RouteName,
    /// The record.
    pub record: RecordId,
    /// Its key.
    pub user_data: UserData,
    /// The route's campaign, once pinned.
    pub campaign: Option<CampaignId>,
}

/// Stores what was decided about one record's link. `None`: there is no link and none is needed. `numbers`: what
/// the record maps to now, where that is known. `doing`: whose it is that the record is out, if it is.
pub(super) fn store(
    tx: &Transaction<'_>,
    cause: &Cause,
    link: Option<LinkId>,
    owner: Option<&LinkOwner>,
    decision: &Decision,
    numbers: Option<&[String]>,
    doing: Doing,
) -> rusqlite::Result<Option<LinkId>> {
    let needed = !decision.intents.is_empty() || decision.adopted.is_some();
    let link = match (link, owner) {
        (Some(link), _) => link,
        (None, Some(owner)) if needed => insert_link(tx, cause, owner, decision)?,
        // For a telling's sake alone.
        (None, Some(owner))
            if blocks_told::is_wanted(tx, owner, decision, numbers)?
                || status_told::is_wanted(tx, owner, decision)? =>
        {
            let link = insert_link(tx, cause, owner, decision)?;
            status_told::moved(tx, link)?;
            link
        }
        (None, _) => return Ok(None),
    };
    if stays_callable(doing, &decision.verdict) {
        return Ok(Some(link));
    }
    let had = desired_of(tx, link)?;
    let generation = raise(tx, link, decision)?;
    if let Some((contact, base)) = &decision.adopted {
        adopt(tx, cause, link, *contact, base)?;
    }
    if !decision.agreed.is_empty() {
        for (field, pair) in &decision.agreed {
            edits_end::arrived(tx, link, *field, &pair.crm, cause.at)?;
        }
        store_base(tx, link, &BaseChange::Merge(decision.agreed.clone()))?;
    }
    if let Some(desired) = &decision.desired {
        edits::crm_moved(tx, link, &had, desired, cause.at)?;
    }
    let lock = match decision.wish {
        Wish::Callable => lane::lock_stands(tx, link)?,
        Wish::Locked | Wish::None => LockStands::Nothing,
    };
    supersede(tx, cause, link, decision)?;
    if let Some(numbers) = numbers {
        set_numbers(tx, link, numbers)?;
    }
    let shut = still_blocked::against(tx, link, lock, cause.at)?;
    for intent in &decision.intents {
        if still_blocked::takes_back(shut.as_ref(), intent.kind)
            || intent.kind == OperationKind::Reset && lane::reset_is_open(tx, link)?
        {
            continue;
        }
        let wave = waves::join(tx, cause, link, intent, doing)?;
        insert_in_wave(tx, cause, link, generation, intent, None, wave)?;
    }
    still_blocked::keep_lock(tx, cause, link, (lock, shut.as_ref()), &decision.notes)?;
    match &decision.verdict {
        Verdict::Blocked(_) => blocks_told::want_again(tx, link, cause.at)?,
        Verdict::Unchanged
        | Verdict::Queued
        | Verdict::Adopted
        | Verdict::Skipped(_)
        | Verdict::Parked(_) => {}
    }
    Ok(Some(link))
}

/// A person left the contact callable although its record is out, and nothing else stands against it: what was said stays.
fn stays_callable(doing: Doing, verdict: &Verdict) -> bool {
    match (doing, verdict) {
        (Doing::LeftCallable, Verdict::Skipped(_) | Verdict::Parked(_)) => true,
        (
            Doing::LeftCallable,
            Verdict::Blocked(_) | Verdict::Unchanged | Verdict::Queued | Verdict::Adopted,
        )
        | (Doing::Record | Doing::Rules, _) => false,
    }
}

fn wish_reason(decision: &Decision) -> Reason {
    match &decision.verdict {
        Verdict::Skipped(reason) | Verdict::Blocked(reason) | Verdict::Parked(reason) => reason.clone(),
        Verdict::Unchanged | Verdict::Queued | Verdict::Adopted => {
            // Eligible, and all the same not let be called: because of a final result.
            let stays = decision.notes.iter().find(|note| note.code == ReasonCode::FinalResult);
            match decision.wish {
                Wish::Locked => stays.cloned().unwrap_or_else(|| ReasonCode::NewRecord.into()),
                Wish::None | Wish::Callable => ReasonCode::NewRecord.into(),
            }
        }
    }
}

fn insert_link(
    tx: &Transaction<'_>,
    cause: &Cause,
    owner: &LinkOwner,
    decision: &Decision,
) -> rusqlite::Result<LinkId> {
    let reason = wish_reason(decision);
    tx.prepare_cached(
        "INSERT INTO links (client, route, record_id, user_data, folded, campaign_id, wish, wish_code, wish_params,
                            created_at)
         VALUES (:client, :route, :record, :user_data, :folded, :campaign, :wish, :code, :params, :now)",
    )?
    .execute(named_params! {
        ":client": owner.client, ":route": owner.route.0, ":record": owner.record.0,
        ":user_data": owner.user_data.as_str(), ":folded": owner.user_data.folded().as_str(),
        ":campaign": owner.campaign.map(|c| c.0), ":wish": decision.wish.as_str(), ":code": sql::code(&reason),
        ":params": reason.params_json(), ":now": time(cause.at),
    })?;
    Ok(LinkId(tx.last_insert_rowid()))
}

/// Raises the generation and writes the new wish; the generation is what makes an operation's key.
fn raise(tx: &Transaction<'_>, link: LinkId, decision: &Decision) -> rusqlite::Result<i64> {
    let reason = wish_reason(decision);
    let desired = decision.desired.as_ref().map(json).transpose()?;
    tx.prepare_cached(
        "UPDATE links SET generation = generation + 1, wish = :wish, wish_code = :code, wish_params = :params,
                desired = coalesce(:desired, desired), begins_anew = :anew
         WHERE id = :id RETURNING generation",
    )?
    .query_row(
        named_params! {
            ":id": link.0, ":wish": decision.wish.as_str(), ":code": sql::code(&reason),
            ":params": reason.params_json(), ":desired": desired, ":anew": decision.anew == Anew::Owed,
        },
        |row| row.get(0),
    )
}

fn desired_of(tx: &Transaction<'_>, link: LinkId) -> rusqlite::Result<Desired> {
    tx.prepare_cached("SELECT desired FROM links WHERE id = ?1")?
        .query_row([link.0], |row| sql::get_json(row, "desired"))
}

fn adopt(
    tx: &Transaction<'_>,
    cause: &Cause,
    link: LinkId,
    contact: ContactId,
    base: &Base,
) -> rusqlite::Result<()> {
    let base = &edits::outlive_contact(tx, link, base)?;
    tx.prepare_cached(
        "UPDATE links SET contact_id = ?2, base = ?3, complete = 1, vanished_at = NULL, absent_at = NULL,
                campaign_id = coalesce((SELECT r.campaign_id FROM routes r WHERE r.route = links.route), campaign_id)
         WHERE id = ?1",
    )?
    .execute((link.0, contact.0, json(base)?))?;
    sent_numbers::refresh(tx, link)?;
    join_contact(tx, cause.at, link, contact, "adopted")
}

/// Notes that a link has (or had) a contact; calls found under it belong to the link.
pub(super) fn join_contact(
    tx: &Transaction<'_>,
    at: Timestamp,
    link: LinkId,
    contact: ContactId,
    how: &str,
) -> rusqlite::Result<()> {
    let now = time(at);
    // Most links had nobody before, and nobody was called: one question for both.
    let (had, called): (bool, bool) = tx
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM link_contacts WHERE link_id = ?2 AND contact_id <> ?1 AND until IS NULL),
                    EXISTS (SELECT 1 FROM calls WHERE contact_id = ?1 OR link_id = ?2)",
        )?
        .query_row((contact.0, link.0), |row| Ok((row.get(0)?, row.get(1)?)))?;
    if had {
        tx.prepare_cached(
            "UPDATE link_contacts SET until = ?3 WHERE link_id = ?1 AND contact_id <> ?2 AND until IS NULL",
        )?
        .execute((link.0, contact.0, &now))?;
    }
    tx.prepare_cached(
        "INSERT INTO link_contacts (link_id, contact_id, since, how) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (contact_id, link_id) DO UPDATE SET until = NULL",
    )?
    .execute((link.0, contact.0, &now, how))?;
    if !called {
        return Ok(());
    }
    tx.prepare_cached("UPDATE calls SET link_id = ?1 WHERE contact_id = ?2 AND link_id IS NULL")?
        .execute((link.0, contact.0))?;
    results_due::enter_contact(tx, contact)?;
    held_again::of_link(tx, link, at)?;
    write_back::want_all_of(tx, link, at)
}

/// What waits and only states a wish is replaced by the newest one; a parked operation too, once a new
/// one takes its place or nobody wishes it any more. A waiting lock goes only when it is no longer wished. What a
/// person gave for an update by hand is no wish of the record's: no decision about that replaces it.
fn supersede(tx: &Transaction<'_>, cause: &Cause, link: LinkId, decision: &Decision) -> rusqlite::Result<()> {
    let now = time(cause.at);
    let lock_stays =
        decision.wish == Wish::Locked && !decision.intents.iter().any(|i| i.kind == OperationKind::Lock);
    tx.prepare_cached(
        "UPDATE operations SET state = 'superseded', finished_at = ?2, outcome = 'newer'
         WHERE link_id = ?1 AND state = 'waiting' AND given IS NULL
           AND (kind IN ('import', 'update') OR (kind = 'lock' AND NOT ?3)
                OR (kind = 'unlock' AND NOT (?4 AND cause LIKE 'person:%')))",
    )?
    // What a person asked for stands as long as it is not decided against.
    .execute((link.0, &now, lock_stays, decision.wish == Wish::Callable))?;
    tx.prepare_cached(
        "UPDATE operations SET state = 'superseded', finished_at = ?2, outcome = 'newer'
         WHERE link_id = ?1 AND state = 'parked' AND given IS NULL
           AND (?3 AND kind IN ('import', 'update', 'unlock', 'lock')
                OR ?4 AND kind IN ('import', 'update', 'unlock') OR ?5 AND kind = 'lock')",
    )?
    .execute((link.0, &now, replaced(decision), out_of_reach(decision), decision.wish == Wish::None))?;
    take_back_leaving(tx, &now, link, decision)?;
    if decision.wish == Wish::Locked {
        let blocked = matches!(decision.verdict, Verdict::Blocked(_));
        tx.prepare_cached(
            "UPDATE operations SET state = 'cancelled', finished_at = ?2, outcome = 'gate_shut'
             WHERE link_id = ?1 AND state = 'waiting' AND kind = 'reset' AND (code = 'by_hand' OR ?3)",
        )?
        .execute((link.0, &now, blocked))?;
    }
    Ok(())
}

/// A deletion that was wished because the record left, or a reset because it was back, and is wished no more. What a person
/// asked for is that person's.
fn take_back_leaving(
    tx: &Transaction<'_>,
    now: &str,
    link: LinkId,
    decision: &Decision,
) -> rusqlite::Result<()> {
    let anew = decision.intents.iter().any(|intent| intent.kind == OperationKind::Delete);
    let stays = decision.deletion == Deletion::Open && !anew;
    let resets = decision.intents.iter().any(|intent| intent.kind == OperationKind::Reset);
    tx.prepare_cached(
        "UPDATE operations SET state = 'superseded', finished_at = ?2, outcome = 'newer'
         WHERE link_id = ?1 AND state IN ('waiting', 'parked') AND code <> 'by_hand'
           AND (kind = 'delete' AND NOT ?3 OR kind = 'reset' AND NOT ?4)",
    )?
    .execute((link.0, now, stays, resets))?;
    Ok(())
}

/// Whether what was parked is carried out by this decision's own operations, or is the case already.
fn replaced(decision: &Decision) -> bool {
    !decision.intents.is_empty() || matches!(decision.verdict, Verdict::Unchanged)
}

/// Whether nobody is to be called: then nothing that was to make somebody callable needs a person.
fn out_of_reach(decision: &Decision) -> bool {
    match decision.verdict {
        Verdict::Skipped(_) | Verdict::Blocked(_) => true,
        Verdict::Parked(_) => decision.wish != Wish::Callable,
        Verdict::Unchanged | Verdict::Queued | Verdict::Adopted => false,
    }
}

/// Queues one operation in the link's lane.
pub(super) fn insert_operation(
    tx: &Transaction<'_>,
    cause: &Cause,
    link: LinkId,
    generation: i64,
    intent: &Intent,
    not_before: Option<Timestamp>,
) -> rusqlite::Result<i64> {
    let wave = waves::join(tx, cause, link, intent, Doing::Record)?;
    insert_in_wave(tx, cause, link, generation, intent, not_before, wave)
}

fn insert_in_wave(
    tx: &Transaction<'_>,
    cause: &Cause,
    link: LinkId,
    generation: i64,
    intent: &Intent,
    not_before: Option<Timestamp>,
    wave: Option<i64>,
) -> rusqlite::Result<i64> {
    if intent.kind == OperationKind::Lock && wave.is_none() {
        lane::release_held(tx, link)?;
    }
    tx.prepare_cached(
        "INSERT INTO operations (link_id, generation, kind, state, code, params, cause, run_id, decided_at, created_at,
                                 not_before, wave_id)
         VALUES (:link, :generation, :kind, 'waiting', :code, :params, :cause, :run, :decided, :now, :not_before, :wave)",
    )?
    .execute(named_params! {
        ":link": link.0, ":generation": generation, ":kind": intent.kind.as_str(), ":code": sql::code(&intent.reason),
        ":params": intent.reason.params_json(), ":cause": cause.text, ":run": cause.run.map(|r| r.0),
        ":decided": time(cause.decided_at), ":now": time(cause.at), ":not_before": time(not_before.unwrap_or(cause.at)),
        ":wave": wave,
    })?;
    Ok(tx.last_insert_rowid())
}

/// Raises the generation of a link without a decision (a lock by the gate, a follow-up, by hand).
pub(super) fn next_generation(tx: &Transaction<'_>, link: LinkId) -> rusqlite::Result<i64> {
    tx.prepare_cached("UPDATE links SET generation = generation + 1 WHERE id = ?1 RETURNING generation")?
        .query_row([link.0], |row| row.get(0))
}

fn set_numbers(tx: &Transaction<'_>, link: LinkId, numbers: &[String]) -> rusqlite::Result<()> {
    let mut had: Vec<String> = tx
        .prepare_cached("SELECT number FROM link_numbers WHERE link_id = ?1")?
        .query_map([link.0], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut have: Vec<String> = numbers.to_vec();
    had.sort();
    have.sort();
    have.dedup();
    if had == have {
        return Ok(());
    }
    tx.prepare_cached("DELETE FROM link_numbers WHERE link_id = ?1")?.execute([link.0])?;
    let mut insert = tx.prepare_cached("INSERT INTO link_numbers (number, link_id) VALUES (?1, ?2)")?;
    for number in have {
        insert.execute((number, link.0))?;
    }
    Ok(())
}

/// The lane of a contact that is no record of ours: locks need one.
pub(super) fn lane_of_contact(
    tx: &Transaction<'_>,
    at: Timestamp,
    client: &str,
    contact: ContactId,
) -> rusqlite::Result<LinkId> {
    let found = tx
        .prepare_cached("SELECT id FROM links WHERE contact_id = ?1 ORDER BY route IS NULL LIMIT 1")?
        .query_row([contact.0], |row| row.get::<_, i64>(0))
        .optional()?;
    if let Some(id) = found {
        return Ok(LinkId(id));
    }
    tx.prepare_cached(
        "INSERT INTO links (client, contact_id, wish, wish_code, created_at) VALUES (?1, ?2, 'none', 'new_record', ?3)",
    )?
    .execute((client, contact.0, time(at)))?;
    Ok(LinkId(tx.last_insert_rowid()))
}
