//! A contact that is not there under its number (semantics 21): read singly, then looked for by its key
//! over the whole tenant, before anything is concluded.

use super::PushContext;
use super::fate::Fate;
use crate::domain::{Contact, ContactId, OperationKind, Reason, ReasonCode};
use crate::jobs::JobError;
use crate::ledger::{Ending, Leased};
use crate::remote::{CallClass, CallError};
use crate::sync::found_base;
use std::time::Duration;

/// So often a contact may be said to be gone and be there all the same.
const CONTRADICTIONS: i64 = 5;
/// So long after its first look a lock looks a second time before its contact counts as gone.
const SECOND_LOOK: Duration = Duration::from_secs(600);

/// Where a contact is that a write did not find.
#[derive(Debug, PartialEq)]
pub(in crate::jobs) enum Whereabouts {
    /// Under its number, whatever the write said.
    There,
    /// Under another number, in our campaign, alone.
    Moved(Box<Contact>),
    /// Nowhere.
    Gone,
    /// Not clear enough to act on: these bear the key.
    Unclear(Reason, Vec<ContactId>),
}

/// Asks by number, then by key.
pub(in crate::jobs) async fn whereabouts(
    context: &PushContext,
    leased: &Leased,
    class: CallClass,
) -> Result<Whereabouts, CallError> {
    if let Some(contact) = leased.view.contact
        && context.read.contact(contact, class).await?.is_some()
    {
        return Ok(Whereabouts::There);
    }
    let Some(user_data) = &leased.user_data else { return Ok(Whereabouts::Gone) };
    let found = context.read.contacts_by_user_data(user_data, class).await?;
    let exact: Vec<Contact> =
        found.into_iter().filter(|c| c.user_data.as_deref() == Some(user_data.as_str())).collect();
    let ids = exact.iter().map(|contact| contact.id).collect();
    Ok(match exact.as_slice() {
        [] => Whereabouts::Gone,
        [one] if one.campaign.is_none() || one.campaign == leased.campaign => {
            Whereabouts::Moved(Box::new(one.clone()))
        }
        [one] => Whereabouts::Unclear(
            Reason::new(ReasonCode::FoundElsewhere)
                .with("contact", one.id)
                .with("campaign", one.campaign.map_or_else(|| "unknown".to_owned(), |c| c.to_string())),
            ids,
        ),
        several => {
            let names: Vec<String> = several.iter().map(|contact| contact.id.to_string()).collect();
            let reason = Reason::new(ReasonCode::SeveralContacts).with("contacts", names.join(", "));
            Whereabouts::Unclear(reason, ids)
        }
    })
}

/// A write answered 404 with JSON: what becomes of the operation and of the link.
pub(super) async fn look_again(
    context: &PushContext,
    leased: &Leased,
) -> Result<(Fate, Option<JobError>), JobError> {
    let ledger = &context.ledger;
    let soon = Ending::Again { not_before: Some(context.env.now() + super::quiet(Duration::from_secs(60))) };
    let found = match whereabouts(context, leased, class_of(leased.kind)).await {
        Ok(found) => found,
        Err(error) => {
            ledger.operation_end(leased.id, soon).await?;
            return Ok((Fate::PutBack, error.speaks_of_the_side().then(|| error.into())));
        }
    };
    let (ending, fate) = match found {
        // A lock is repeated for as long as it is wished, whatever it is answered.
        Whereabouts::There if leased.kind != OperationKind::Lock && leased.attempts >= CONTRADICTIONS => {
            let text = "the write says that the contact is not there, the read finds it";
            let reason = Reason::new(ReasonCode::Rejected).with("status", 404).with("text", text);
            (Ending::Parked(reason), Fate::Parked { status: 404, text: text.to_owned() })
        }
        Whereabouts::There => (soon, Fate::PutBack),
        Whereabouts::Moved(contact) => {
            let base = found_base(&contact, &leased.view.base);
            ledger.link_moved(leased.link, contact.id, base).await?;
            (after_move(leased), Fate::PutBack)
        }
        Whereabouts::Gone => gone(context, leased).await?,
        Whereabouts::Unclear(_, bearers) if leased.kind == OperationKind::Lock => {
            // Whoever bears the key of somebody who must not be called is locked, wherever it stands.
            ledger.link_vanished(leased.link).await?;
            ledger.lock_bearers(leased.id, None, bearers).await?;
            return Ok((Fate::Refused, None));
        }
        Whereabouts::Unclear(reason, _) => {
            let text = reason.to_string();
            (Ending::Parked(reason), Fate::Parked { status: 404, text })
        }
    };
    ledger.operation_end(leased.id, ending).await?;
    Ok((fate, None))
}

/// Nothing that others do to the dialler, or it to them, may hold the look of a lock up.
fn class_of(kind: OperationKind) -> CallClass {
    match kind {
        OperationKind::Lock => CallClass::Lock,
        OperationKind::Import
        | OperationKind::Update
        | OperationKind::Unlock
        | OperationKind::Reset
        | OperationKind::Delete => CallClass::Push,
    }
}

/// What becomes of an operation whose contact stands under another number.
fn after_move(leased: &Leased) -> Ending {
    match leased.kind {
        OperationKind::Lock | OperationKind::Reset | OperationKind::Delete => {
            Ending::Again { not_before: None }
        }
        OperationKind::Update if leased.given.is_some() => Ending::Again { not_before: None },
        // What differs there, and whether it is locked, is decided anew.
        OperationKind::Import | OperationKind::Update | OperationKind::Unlock => Ending::Superseded,
    }
}

/// The contact is nowhere. Whoever must not be called is not given up on one look: a gateway that misroutes hides
/// everybody.
async fn gone(context: &PushContext, leased: &Leased) -> Result<(Ending, Fate), JobError> {
    let ledger = &context.ledger;
    if leased.kind == OperationKind::Lock {
        let now = context.env.now();
        let first = ledger.attempts_first_not_found(leased.id).await?.unwrap_or(now);
        let second_look = first + super::quiet(SECOND_LOOK);
        if now < second_look {
            return Ok((Ending::Again { not_before: Some(second_look) }, Fate::PutBack));
        }
    }
    ledger.link_vanished(leased.link).await?;
    Ok((Ending::Refused(ReasonCode::Vanished.into()), Fate::Refused))
}
