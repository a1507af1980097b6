//! What the first operation of a trial would send, as a push would send it.

use super::super::push::plan::sendable;
use crate::domain::policy::Clearing;
use crate::domain::{
    Base, CampaignId, ContactId, CrmSide, Decision, Desired, FieldName, LinkView, OperationKind, Values,
};
use crate::ledger::PulledRecord;
use crate::sync;
use serde::Serialize;
use serde_json::Value;

/// One field that would change.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TriedChange {
    /// The field.
    pub field: String,
    /// What the dialler answered last; `None`: it was never sent.
    pub before: Option<Value>,
    /// What it would be sent.
    pub after: Value,
}

/// The first operation, ready to be written down as a request.
#[derive(Debug, Clone, PartialEq)]
pub enum TriedSend {
    /// A new contact.
    Import {
        /// Its campaign.
        campaign: CampaignId,
        /// Its key.
        user_data: String,
        /// Its fields.
        values: Values,
    },
    /// Changes to a contact.
    Update(ContactId, Values),
    /// Out of reach.
    Lock(ContactId),
    /// Back.
    Unlock(ContactId),
}

/// The fields that differ from what both sides last agreed on, each with what would be sent for it.
fn differing(
    decision: &Decision,
    link: Option<&LinkView>,
    desired: &Desired,
    clearing: Clearing,
) -> Vec<(FieldName, Option<Value>, Value)> {
    let empty = Base::new();
    let base =
        decision.adopted.as_ref().map(|(_, base)| base).or(link.map(|link| &link.base)).unwrap_or(&empty);
    let changes = match link {
        Some(link) => sync::merged_changes(desired, base, link),
        None => sync::changed_fields(desired, base),
    };
    changes
        .into_iter()
        .filter_map(|change| {
            let before = base.get(&change.field).map(|pair| pair.dialler.clone());
            Some((change.field, before, sendable(change.field, change.send, clearing)?))
        })
        .collect()
}

pub(super) fn changes(
    decision: &Decision,
    link: Option<&LinkView>,
    crm: &CrmSide,
    clearing: Clearing,
) -> Vec<TriedChange> {
    let (CrmSide::Eligible(desired), Some(first)) = (crm, decision.intents.first()) else {
        return Vec::new();
    };
    match first.kind {
        OperationKind::Update => differing(decision, link, desired, clearing)
            .into_iter()
            .map(|(field, before, after)| TriedChange { field: field.as_str().to_owned(), before, after })
            .collect(),
        OperationKind::Import
        | OperationKind::Lock
        | OperationKind::Unlock
        | OperationKind::Reset
        | OperationKind::Delete => Vec::new(),
    }
}

/// What the first operation would send.
pub(super) fn sends(
    decision: &Decision,
    link: Option<&LinkView>,
    pulled: &PulledRecord,
    campaign: Option<CampaignId>,
    clearing: Clearing,
) -> Option<TriedSend> {
    let contact = decision.adopted.as_ref().map(|(id, _)| *id).or(link.and_then(|link| link.contact));
    match (decision.intents.first()?.kind, &pulled.crm, contact) {
        (OperationKind::Import, CrmSide::Eligible(desired), _) => Some(TriedSend::Import {
            campaign: campaign?,
            user_data: pulled.user_data.as_ref().ok()?.to_string(),
            values: sync::import_fields(desired),
        }),
        (OperationKind::Update, CrmSide::Eligible(desired), Some(contact)) => {
            let differing = differing(decision, link, desired, clearing).into_iter();
            let values: Values = differing.map(|(field, _, send)| (field, send)).collect();
            // What nothing empties leaves nothing to send.
            (!values.is_empty()).then_some(TriedSend::Update(contact, values))
        }
        (OperationKind::Lock, _, Some(contact)) => Some(TriedSend::Lock(contact)),
        (OperationKind::Unlock, _, Some(contact)) => Some(TriedSend::Unlock(contact)),
        (
            OperationKind::Import
            | OperationKind::Update
            | OperationKind::Lock
            | OperationKind::Unlock
            | OperationKind::Reset
            | OperationKind::Delete,
            _,
            _,
        ) => None,
    }
}
