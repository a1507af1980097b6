//! The end of an operation: its state, the link's pair, contact and lock, the trail, the follow-up and the
//! gate's third question, all in one transaction (semantics 4 and 8).

use super::attempts::tries;
use super::block_store::reason_of;
use super::decisions::{Cause, insert_operation, join_contact, next_generation};
use super::hand_acts::delete_over;
use super::holder::free_contact;
use super::link_after::{LinkAfter, new_base};
use super::sql::{self, Columns, time};
use super::trail::{self, BeforeFrom, ByOperation, FieldTrail};
use super::{
    Ledger, LedgerError, answer_notes, by_hand_update, due, gate, held_again, hints, lane, lease, leaving,
    sent_numbers, still_blocked,
};
use crate::domain::{
    Base, ContactId, FieldName, Intent, LinkId, OperationId, OperationKind, Reason, ReasonCode, Seq, Take,
    Timestamp, Wish,
};
use rusqlite::{OptionalExtension as _, Transaction, named_params};

/// How an operation ended, or that its end is not known yet.
#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    /// Answered as wished.
    Done(Box<Done>),
    /// It may or may not have happened; asked about after the quiet time.
    Uncertain {
        /// Not before.
        settle_at: Timestamp,
        /// What happened.
        reason: Reason,
    },
    /// Certainly not executed: it waits again.
    Again {
        /// Not before; `None`: as soon as it is its turn.
        not_before: Option<Timestamp>,
    },
    /// Needs a person.
    Parked(Reason),
    /// The remote side said no for good, or there is nothing to do it to.
    Refused(Reason),
    /// Taken back before it was sent: the gate, or a wish that changed.
    Cancelled(Reason),
    /// A newer decision takes its place.
    Superseded,
}

/// What an answer says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Done {
    /// The contact an import made or met.
    pub contact: Option<ContactId>,
    /// What both sides agree on now.
    pub base: BaseChange,
    /// What changed, for the trail.
    pub changes: Vec<FieldTrail>,
    /// An update that must follow, and why.
    pub follow_up: Option<Reason>,
    /// An import met a contact that was there before.
    pub overwritten: bool,
    /// How each field that was sent was answered: `None` as sent, else what there is to say.
    pub answers: Vec<(FieldName, Option<Reason>)>,
    /// Said about it.
    pub note: Option<Reason>,
    /// Whether it made somebody callable or changed a number: the gate is asked again.
    pub asks_gate: bool,
}

/// What an answer makes of the base.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum BaseChange {
    /// Nothing.
    #[default]
    Keep,
    /// A new contact: the base is this.
    Replace(Base),
    /// These fields agree now.
    Merge(Base),
}

/// What the commit did beyond the operation itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ended {
    /// A lock was queued: by the gate, or because a lock overlapped this operation.
    pub lock_queued: bool,
}

struct Row {
    link: LinkId,
    kind: OperationKind,
    reason: ReasonCode,
    cause: String,
    said_by: Option<String>,
    wish: Wish,
    contact: Option<ContactId>,
    /// Whether it is an update by hand: then it says nothing of what the record wishes.
    given: bool,
}

impl Ledger {
    /// Stores how an operation in flight (or uncertain) ended.
    ///
    /// # Errors
    /// The ledger cannot be written; the operation stays in flight then and is settled by asking.
    pub async fn operation_end(&self, id: OperationId, ending: Ending) -> Result<Ended, LedgerError> {
        let now = self.env.now();
        let answered = self.next_seq();
        self.write("operation_end", move |tx| end_in(tx, id, &ending, now, answered)).await
    }

    /// What was parked by a failure of the whole side waits again (the systemic brake).
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn operations_unpark(&self, ids: Vec<OperationId>) -> Result<(), LedgerError> {
        self.write("operations_unpark", move |tx| {
            let mut update = tx.prepare_cached(
                "UPDATE operations SET state = 'waiting', finished_at = NULL, outcome = NULL, outcome_params = '{}',
                        leased_at = NULL WHERE id = ?1 AND state = 'parked'",
            )?;
            for id in ids {
                update.execute([id.0])?;
            }
            Ok(())
        })
        .await
    }
}

/// The same inside another transaction (settling).
pub(super) fn end_in(
    tx: &Transaction<'_>,
    id: OperationId,
    ending: &Ending,
    now: Timestamp,
    answered: Seq,
) -> rusqlite::Result<Ended> {
    let Some(row) = open_row(tx, id)? else { return Ok(Ended::default()) };
    let mut link = LinkAfter::default();
    let (state, outcome): (&str, Option<&Reason>) = match ending {
        Ending::Done(done) => {
            link = apply(tx, id, &row, done, now)?;
            ("done", done.note.as_ref())
        }
        Ending::Uncertain { settle_at, reason } => {
            tx.prepare_cached(concat!(
                "UPDATE operations SET state = 'uncertain', settle_at = ?2, outcome = ?3, outcome_params = ?4, attempts = ",
                tries!("operations"),
                " WHERE id = ?1",
            ))?
            .execute((id.0, time(*settle_at), sql::code(reason), reason.params_json()))?;
            // What may have unlocked does not keep the contact open for the whole quiet time.
            return if row.kind == OperationKind::Reset {
                lock_again(tx, &row, now)
            } else {
                Ok(Ended::default())
            };
        }
        Ending::Again { not_before } => {
            lease::put_back(tx, id, *not_before)?;
            freed_after(tx, &row, now)?;
            return Ok(Ended::default());
        }
        Ending::Parked(reason) => ("parked", Some(reason)),
        Ending::Refused(reason) => ("refused", Some(reason)),
        Ending::Cancelled(reason) => ("cancelled", Some(reason)),
        Ending::Superseded => ("superseded", None),
    };
    match ending {
        Ending::Done(_) | Ending::Parked(_) | Ending::Refused(_) | Ending::Cancelled(_)
            if row.kind == OperationKind::Reset =>
        {
            // It has begun anew, or a person or a block decides about that: no rule does a second time.
            tx.prepare_cached("UPDATE links SET begins_anew = 0 WHERE id = ?1")?.execute([row.link.0])?;
        }
        Ending::Parked(_) | Ending::Refused(_) | Ending::Cancelled(_) => lease::lock_never_arrived(tx, id)?,
        Ending::Done(_) | Ending::Superseded | Ending::Uncertain { .. } | Ending::Again { .. } => {}
    }
    tx.prepare_cached(concat!(
        "UPDATE operations SET state = :state, finished_at = :now, outcome = :code, outcome_params = :params,
                answered_seq = :seq, settle_at = NULL, clearing = NULL, attempts = ",
        tries!("operations"),
        " WHERE id = :id",
    ))?
    .execute(named_params! {
        ":id": id.0, ":state": state, ":now": time(now), ":code": outcome.map(sql::code),
        ":params": outcome.map_or_else(|| "{}".to_owned(), Reason::params_json), ":seq": answered.0,
    })?;
    link.store(tx, row.link, answered)?;
    sent_numbers::refresh_after(tx, row.link, row.kind)?;
    let ended = ask_again(tx, id, &row, ending, now)?;
    freed_after(tx, &row, now)?;
    Ok(ended)
}

fn freed_after(tx: &Transaction<'_>, row: &Row, now: Timestamp) -> rusqlite::Result<()> {
    match row.kind {
        OperationKind::Import | OperationKind::Update => still_blocked::freed(tx, row.link, now),
        OperationKind::Lock | OperationKind::Unlock | OperationKind::Reset | OperationKind::Delete => Ok(()),
    }
}

fn open_row(tx: &Transaction<'_>, id: OperationId) -> rusqlite::Result<Option<Row>> {
    tx.prepare_cached(
        "SELECT o.link_id, o.kind, o.code, o.params, o.cause, l.wish, coalesce(o.contact_id, l.contact_id), o.given IS NOT NULL,
                coalesce((SELECT w.who FROM waves w WHERE w.id = o.wave_id),
                         CASE WHEN o.cause LIKE 'block:%'
                              THEN (SELECT b.who FROM blocks b WHERE b.id = CAST(substr(o.cause, 7) AS INTEGER)) END)
         FROM operations o JOIN links l ON l.id = o.link_id
         WHERE o.id = ?1 AND o.state IN ('sending', 'uncertain')",
    )?
    .query_row([id.0], |row| {
        let mut columns = Columns::of(row);
        Ok(Row {
            link: LinkId(columns.next()?),
            kind: columns.named(OperationKind::parse)?,
            reason: columns.reason()?.code,
            cause: columns.next()?,
            wish: columns.named(Wish::parse)?,
            contact: columns.next::<Option<i64>>()?.map(ContactId),
            given: columns.next()?,
            said_by: columns.next()?,
        })
    })
    .optional()
}

fn apply(
    tx: &Transaction<'_>,
    id: OperationId,
    row: &Row,
    done: &Done,
    now: Timestamp,
) -> rusqlite::Result<LinkAfter> {
    // Before the words are used up by what both sides agree on now.
    let decided_by = match row.kind {
        OperationKind::Update => trail::decided_by(tx, row.link, Take::Crm)?,
        OperationKind::Import | OperationKind::Lock | OperationKind::Unlock => Vec::new(),
        OperationKind::Reset | OperationKind::Delete => Vec::new(),
    };
    let held = match done.contact {
        Some(contact) => {
            let held = free_contact(tx, row.link, contact, now)?;
            join_contact(tx, now, row.link, contact, "imported")?;
            held
        }
        None => None,
    };
    let after = LinkAfter {
        contact: done.contact,
        base: new_base(tx, row.link, &done.base)?,
        lock: match row.kind {
            OperationKind::Lock => Some(("locked", Some(time(now)))),
            OperationKind::Unlock => Some(("open", None)),
            // An import found after a doubt may have been found, and locked, before it was settled; one that met a
            // contact which was locked by itself may or may not have unlocked it.
            OperationKind::Import if done.contact.is_some() && held.is_none() => Some(("open", None)),
            OperationKind::Import => None,
            OperationKind::Update | OperationKind::Reset | OperationKind::Delete => None,
        },
        synced: matches!(row.kind, OperationKind::Import | OperationKind::Update).then(|| time(now)),
        complete: match row.kind {
            OperationKind::Import | OperationKind::Update if !row.given => Some(done.follow_up.is_none()),
            OperationKind::Import | OperationKind::Update | OperationKind::Lock => None,
            OperationKind::Unlock | OperationKind::Reset | OperationKind::Delete => None,
        },
    };
    if row.kind == OperationKind::Delete && row.reason != ReasonCode::ByHand {
        leaving::deleted(tx, row.link, row.reason, row.wish, now)?;
    } else if row.kind == OperationKind::Delete {
        tx.prepare_cached("UPDATE links SET vanished_at = ?2 WHERE id = ?1")?
            .execute((row.link.0, time(now)))?;
        delete_over(tx, row.link, "it is deleted", now)?;
    }
    if done.overwritten {
        tx.prepare_cached("UPDATE links SET overwritten = 1 WHERE id = ?1")?.execute([row.link.0])?;
    }
    let mut changes = done.changes.clone();
    if row.given {
        // What it wrote over was read right before it left.
        changes.iter_mut().filter(|change| change.before.is_some()).for_each(|change| {
            change.before_from = BeforeFrom::Answer;
        });
    }
    let by = ByOperation {
        cause: &row.cause,
        rule: row.reason.as_str(),
        said_by: row.said_by.as_deref(),
        decided_by,
    };
    trail::add(tx, now, row.link, id, &by, &changes)?;
    answer_notes::keep(tx, now, row.link, id, &done.answers)?;
    if let Some(reason) = held {
        lock_held(tx, row, &reason, now)?;
    }
    if let Some(reason) = &done.follow_up {
        let follows = queue(tx, row, OperationKind::Update, reason, now)?;
        by_hand_update::carry_emptied(tx, id, follows)?;
    }
    match row.kind {
        OperationKind::Import | OperationKind::Unlock | OperationKind::Reset => {
            let reset = row.kind == OperationKind::Reset;
            if let Some(contact) = done.contact.or(row.contact) {
                due::enter_ours(tx, contact, now, reset)?;
            }
        }
        OperationKind::Update | OperationKind::Lock | OperationKind::Delete => {}
    }
    Ok(after)
}

/// The import met a contact that was held locked by itself: it may just have been unlocked, so it is locked again,
/// and the record is decided anew (semantics 32).
fn lock_held(tx: &Transaction<'_>, row: &Row, reason: &Reason, now: Timestamp) -> rusqlite::Result<()> {
    let cause = Cause { at: now, decided_at: now, text: "gate".to_owned(), run: None };
    tx.prepare_cached("UPDATE links SET wish = 'locked', wish_code = ?2, wish_params = ?3 WHERE id = ?1")?
        .execute((row.link.0, sql::code(reason), reason.params_json()))?;
    lane::release_held(tx, row.link)?;
    lane::lock_unless_waiting(tx, row.link, reason, &cause)?;
    hints::link_in(tx, now, row.link, "met a locked contact")
}

fn queue(
    tx: &Transaction<'_>,
    row: &Row,
    kind: OperationKind,
    reason: &Reason,
    now: Timestamp,
) -> rusqlite::Result<OperationId> {
    let cause = Cause { at: now, decided_at: now, text: row.cause.clone(), run: None };
    let generation = next_generation(tx, row.link)?;
    let intent = Intent { kind, reason: reason.clone() };
    insert_operation(tx, &cause, row.link, generation, &intent, None).map(OperationId)
}

/// The gate's third question, and the lock that overlapped: a contact that must not be called may just have
/// been made callable, so the lock goes (or goes once more) now that nothing is in flight beside it.
fn ask_again(
    tx: &Transaction<'_>,
    id: OperationId,
    row: &Row,
    ending: &Ending,
    now: Timestamp,
) -> rusqlite::Result<Ended> {
    if matches!(row.kind, OperationKind::Lock | OperationKind::Delete) {
        return Ok(Ended::default());
    }
    let reset = row.kind == OperationKind::Reset && matches!(ending, Ending::Done(_));
    if reset {
        held_again::contact_reset(tx, row.link, row.contact, row.reason, now)?;
    }
    let cause = Cause { at: now, decided_at: now, text: "gate".to_owned(), run: None };
    let asks = match ending {
        Ending::Done(done) => done.asks_gate,
        Ending::Cancelled(reason) => reason.code == ReasonCode::GateShut,
        Ending::Uncertain { .. } | Ending::Again { .. } | Ending::Parked(_) => false,
        Ending::Refused(_) | Ending::Superseded => false,
    };
    if asks && let Some(block) = gate::shut_for(tx, row.link, &time(now))? {
        let reason = reason_of(&block);
        let queued = lane::lock(tx, row.link, &reason, &cause)?;
        let lock_queued = match queued {
            Some(_) => true,
            // Locked already, but before this answer, which may have undone it.
            None if matches!(ending, Ending::Done(_)) => {
                lane::lock_unless_waiting(tx, row.link, &reason, &cause)?
            }
            None => false,
        };
        return Ok(Ended { lock_queued });
    }
    // "As if it was just imported": a reset may have unlocked, and no answer shows it.
    if reset || was_locked_meanwhile(tx, id, row.link)? {
        return lock_again(tx, row, now);
    }
    Ok(Ended::default())
}

/// Who must not be called may have become callable: the lock goes once more.
fn lock_again(tx: &Transaction<'_>, row: &Row, now: Timestamp) -> rusqlite::Result<Ended> {
    if row.wish != Wish::Locked {
        return Ok(Ended::default());
    }
    let cause = Cause { at: now, decided_at: now, text: "gate".to_owned(), run: None };
    let reason = ReasonCode::LockAgain.into();
    Ok(Ended { lock_queued: lane::lock_unless_waiting(tx, row.link, &reason, &cause)? })
}

/// Whether a lock of this lane was sent while the operation was open. One that was never sent needs no
/// second one: it goes out now.
fn was_locked_meanwhile(tx: &Transaction<'_>, id: OperationId, link: LinkId) -> rusqlite::Result<bool> {
    tx.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM operations k, operations o
            WHERE o.id = ?1 AND k.link_id = ?2 AND k.kind = 'lock' AND k.sent_seq > coalesce(o.sent_seq, 0))",
    )?
    .query_row((id.0, link.0), |row| row.get(0))
}
