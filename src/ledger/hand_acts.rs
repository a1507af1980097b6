//! Acts on single contacts by hand: ordinary operations in the contact's lane. A lock by hand is a block on the
//! contact, so that no automatic rule undoes it; only an unlock by hand lifts it.

use super::block_store::{add_in, epoch_raise, lift_in, reason_of};
use super::decisions::{Cause, insert_operation, lane_of_contact, next_generation};
use super::gate::{self, Opens};
use super::glimpse::{self, Glimpse};
use super::inputs::contacts_of;
use super::sql::time;
use super::{Ledger, LedgerError, Said, lane};
use crate::domain::{
    Block, BlockSubject, Intent, LinkId, OperationId, OperationKind, Reason, ReasonCode, Timestamp,
};
use rusqlite::{OptionalExtension as _, Transaction};

/// What became of an act by hand.
#[derive(Debug, Clone, PartialEq)]
pub enum HandAct {
    /// It waits as an operation.
    Queued(OperationId),
    /// Something else stands against it; nothing was changed.
    Shut(Box<Block>),
}

struct Act {
    at: Timestamp,
    seen: Glimpse,
    who: String,
    text: String,
}

/// A contact of nobody's belongs to the whole config.
pub(super) const CLIENT: &str = "default";

impl Act {
    fn lane(&self, tx: &Transaction<'_>) -> rusqlite::Result<LinkId> {
        lane_of_contact(tx, self.at, CLIENT, self.seen.contact)
    }

    fn cause(&self) -> Cause {
        Cause { at: self.at, decided_at: self.at, text: format!("person:{}", self.who), run: None }
    }

    fn reason(&self, code: ReasonCode) -> Reason {
        Reason::new(code).with("text", &self.text)
    }
}

impl Ledger {
    /// Queues an act by hand in the contact's lane, and keeps what was seen of the contact for it. All but a lock ask
    /// the gate. An unlock lifts what was locked by hand, and nothing else. A contact that must not be called is not
    /// deleted either: what is made in its place would not be locked.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn contact_act(
        &self,
        seen: Glimpse,
        kind: OperationKind,
        said: Said,
    ) -> Result<HandAct, LedgerError> {
        let act = Act { at: self.env.now(), seen, who: said.who, text: said.text };
        let (done, epoch) = self
            .write("contact_act", move |tx| {
                glimpse::keep(tx, &act.seen, act.at)?;
                match kind {
                    OperationKind::Lock => lock(tx, &act),
                    OperationKind::Unlock => unlock(tx, &act),
                    OperationKind::Delete => unless_shut(tx, &act, delete),
                    // A reset is no unlock: who must stay locked is locked again after it.
                    OperationKind::Reset | OperationKind::Import | OperationKind::Update => {
                        unless_shut(tx, &act, |tx, act| Ok((queue(tx, act, act.lane(tx)?, kind)?, None)))
                    }
                }
            })
            .await?;
        if let Some(epoch) = epoch {
            self.publish_epoch(epoch);
        }
        Ok(done)
    }
}

type Acted = (HandAct, Option<i64>);

fn unless_shut(
    tx: &Transaction<'_>,
    act: &Act,
    then: impl FnOnce(&Transaction<'_>, &Act) -> rusqlite::Result<Acted>,
) -> rusqlite::Result<Acted> {
    match gate::shut_for_contact(tx, &act.seen, &[], &time(act.at))? {
        Some(block) => Ok((HandAct::Shut(Box::new(block)), None)),
        None => then(tx, act),
    }
}

fn queue(tx: &Transaction<'_>, act: &Act, link: LinkId, kind: OperationKind) -> rusqlite::Result<HandAct> {
    let generation = next_generation(tx, link)?;
    let intent = Intent { kind, reason: act.reason(ReasonCode::ByHand) };
    let id = insert_operation(tx, &act.cause(), link, generation, &intent, None)?;
    Ok(HandAct::Queued(OperationId(id)))
}

/// The lock is always sent, also where we locked before: whoever asks for it may have seen it open.
fn lock(tx: &Transaction<'_>, act: &Act) -> rusqlite::Result<Acted> {
    let link = act.lane(tx)?;
    let (block, epoch) = hold(tx, act, link, "operator", act.reason(ReasonCode::LockedByHand))?;
    let waiting: Option<i64> = tx
        .prepare_cached(
            "SELECT id FROM operations WHERE link_id = ?1 AND kind = 'lock' AND state = 'waiting'
             ORDER BY generation DESC LIMIT 1",
        )?
        .query_row([link.0], |row| row.get(0))
        .optional()?;
    let id = match waiting {
        Some(id) => {
            lane::release_held(tx, link)?;
            OperationId(id)
        }
        None => lane::lock_anyway(tx, link, &reason_of(&block), &act.cause())?,
    };
    Ok((HandAct::Queued(id), Some(epoch)))
}

/// Locked at once and deleted later, when nothing of its calls can be lost; until then no rule makes it callable.
fn delete(tx: &Transaction<'_>, act: &Act) -> rusqlite::Result<Acted> {
    let link = act.lane(tx)?;
    let text = format!("to be deleted: {}", act.text);
    let reason = Reason::new(ReasonCode::LockedByHand).with("text", text);
    let (_, epoch) = hold(tx, act, link, TO_BE_DELETED, reason)?;
    Ok((queue(tx, act, link, OperationKind::Delete)?, Some(epoch)))
}

/// The source of a block that holds a contact until it is deleted, and ends with that.
const TO_BE_DELETED: &str = "delete";

/// Blocks the contact, whoever's it is; answers the block and the epoch after it.
fn hold(
    tx: &Transaction<'_>,
    act: &Act,
    link: LinkId,
    source: &str,
    reason: Reason,
) -> rusqlite::Result<(Block, i64)> {
    let client: String =
        tx.prepare_cached("SELECT client FROM links WHERE id = ?1")?.query_row([link.0], |row| row.get(0))?;
    let block = Block {
        subject: BlockSubject::Contact(act.seen.contact),
        reason,
        source: source.to_owned(),
        since: act.at,
        said_last: act.at,
        until: None,
        who: Some(act.who.clone()),
    };
    let added = add_in(tx, &client, &block, act.at, None)?;
    Ok((block, added.epoch))
}

/// Lifts what was locked by hand, under whichever of the link's contacts, unless something else stands against it.
fn unlock(tx: &Transaction<'_>, act: &Act) -> rusqlite::Result<Acted> {
    let link = act.lane(tx)?;
    if let Some(block) = gate::shut_otherwise(tx, link, Opens::Contact, &time(act.at))? {
        return Ok((HandAct::Shut(Box::new(block)), None));
    }
    let mut lifted = 0;
    for contact in contacts_of(tx, link)? {
        let subject = BlockSubject::Contact(contact);
        lifted += lift_in(tx, CLIENT, &subject, None, &act.who, &act.text, act.at)?;
    }
    let reason = act.reason(ReasonCode::ByHand);
    tx.prepare_cached(
        "UPDATE operations SET state = 'cancelled', outcome = 'by_hand', outcome_params = ?2, finished_at = ?3
         WHERE link_id = ?1 AND kind = 'delete' AND state = 'waiting'",
    )?
    .execute((link.0, reason.params_json(), time(act.at)))?;
    tx.prepare_cached(
        "UPDATE links SET wish = 'callable', wish_code = 'by_hand', wish_params = ?2 WHERE id = ?1",
    )?
    .execute((link.0, reason.params_json()))?;
    let epoch = if lifted > 0 { Some(epoch_raise(tx)?) } else { None };
    Ok((queue(tx, act, link, OperationKind::Unlock)?, epoch))
}

/// A deletion has come to its end, one way or another: nothing of the link's contacts is held for it any more, the
/// ones it had before included.
pub(super) fn delete_over(
    tx: &Transaction<'_>,
    link: LinkId,
    why: &str,
    now: Timestamp,
) -> rusqlite::Result<()> {
    for contact in contacts_of(tx, link)? {
        let subject = BlockSubject::Contact(contact);
        // A block on a contact holds whoever's client it was set under.
        lift_in(tx, "", &subject, Some(TO_BE_DELETED), "dialbridge", why, now)?;
    }
    Ok(())
}
