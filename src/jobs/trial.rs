//! `try`: what would happen to one record, and why. Reads both sides and the ledger, changes nothing.

use super::JobError;
use super::pull::{PullContext, examine};
use crate::dialler::DiallerRead;
use crate::domain::{
    Base, CampaignId, Contact, ContactId, CrmSide, Decision, DecisionInput, Desired, DiallerSide, FieldName,
    FoldedUserData, LinkView, OperationKind, Reason, ReasonCode, RecordId, RecordKey, UserData, Values,
    Verdict,
};
use crate::ledger::PulledRecord;
use crate::mapping::Explained;
use crate::remote::{CallClass, CallError};
use crate::sync;
use serde::Serialize;
use serde_json::Value;

/// Everything there is to say about one record now.
#[derive(Debug, Clone, Serialize)]
pub struct Trial {
    /// The route under which it was looked at.
    pub route: String,
    /// The record as the CRM answered; `None` if it does not exist.
    pub record: Option<Value>,
    /// Its key.
    pub user_data: Option<String>,
    /// Each expression with its input and result.
    pub expressions: Vec<TriedExpression>,
    /// Cuts and numbers left out.
    pub notes: Vec<String>,
    /// Its numbers in E.164.
    pub numbers: Vec<String>,
    /// Blocks in force against it.
    pub blocks: Vec<String>,
    /// What the dialler has under its key.
    pub dialler: String,
    /// What would happen.
    pub verdict: String,
    /// Further contacts that bear its key.
    pub doubles: Vec<ContactId>,
    /// The operations that would be queued.
    pub operations: Vec<String>,
    /// Field by field, what the first of them would change.
    pub changes: Vec<TriedChange>,
    /// What the first of them would send.
    #[serde(skip)]
    pub sends: Option<TriedSend>,
}

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
        /// Its campaign, once pinned.
        campaign: Option<CampaignId>,
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

/// One expression of the route over the record.
#[derive(Debug, Clone, Serialize)]
pub struct TriedExpression {
    /// `user_data`, `only_if`, `block_if` or the dialler field.
    pub key: String,
    /// As the config has it.
    pub source: String,
    /// What it names, with the record's value; `None` where the record has no such name.
    pub inputs: Vec<(String, Option<Value>)>,
    /// What it gave.
    pub result: Option<Value>,
    /// Why it gave nothing.
    pub error: Option<String>,
    /// What the dialler would be sent.
    pub send: Option<Value>,
    /// That the text was cut.
    pub cut: Option<String>,
}

impl From<Explained> for TriedExpression {
    fn from(explained: Explained) -> Self {
        let (result, error) = match explained.result {
            Ok(value) => (Some(value), None),
            Err(reason) => (None, Some(reason.to_string())),
        };
        Self {
            key: explained.key,
            source: explained.source,
            inputs: explained.inputs,
            result,
            error,
            send: explained.send,
            cut: explained.cut.map(|cut| cut.to_string()),
        }
    }
}

/// Looks at one record.
///
/// # Errors
/// A side or the ledger cannot be read.
pub async fn try_record(
    context: &PullContext,
    dialler: &dyn DiallerRead,
    campaign: Option<CampaignId>,
    id: &RecordId,
) -> Result<Trial, JobError> {
    let route = &context.route;
    let mut page = context.crm.fetch(std::slice::from_ref(id)).await?;
    // Asked now and of the CRM: before the first pull the ledger has no copy.
    for companion in context.flags_used() {
        page.set_flag(companion, &context.crm.companion(companion).await?);
    }
    let Some(found) = page.records.into_iter().next() else {
        return Ok(nothing(route.route.as_str(), "the CRM has no record with this id".to_owned()));
    };
    let record = match found {
        Ok(record) => record,
        Err(bad) => return Ok(nothing(route.route.as_str(), format!("park: {}", bad.reason))),
    };
    let now = context.env.now();
    let examined = examine(route, &record, Vec::new(), now);
    let today = now.with_timezone(&route.zone).date_naive();
    let key = RecordKey { crm: route.crm.clone(), object: route.object.clone(), id: id.clone() };
    let inputs = context
        .ledger
        .record_inputs(route.client.clone(), route.route.clone(), key, examined.numbers.clone())
        .await?;
    let own = inputs.link.as_ref().and_then(|link| link.contact);
    let asked = match &examined.user_data {
        Ok(user_data) => Some(bearers(dialler, user_data).await),
        Err(_) => None,
    };
    let (side, not_asked) = match (own, &asked, &examined.user_data) {
        (Some(id), Some(Err(error)), _) => {
            let known = format!("contact {id} is the record's own; the dialler could not be asked: {error}");
            (DiallerSide::Linked, Some(known))
        }
        (Some(_), _, _) => (DiallerSide::Linked, None),
        (None, Some(Ok(found)), Ok(user_data)) => (met(found, user_data, campaign), None),
        (None, Some(Err(error)), _) => (DiallerSide::NotMet, Some(format!("could not be asked: {error}"))),
        (None, _, _) => (DiallerSide::NotMet, Some("not asked: the record has no usable key".to_owned())),
    };
    let doubles = doubles(asked.and_then(Result::ok), &examined.user_data, own);
    let decision = sync::decide(&DecisionInput {
        link: inputs.link.as_ref(),
        crm: &examined.crm,
        dialler: &side,
        blocks: &inputs.blocks,
        last_result: inputs.last_result,
        policy: route.policy,
    });
    Ok(Trial {
        route: route.route.to_string(),
        expressions: route.mapping.explain(&record, today).into_iter().map(Into::into).collect(),
        record: Some(Value::Object(record.fields)),
        user_data: examined.user_data.as_ref().ok().map(ToString::to_string),
        notes: examined.notes.iter().map(ToString::to_string).collect(),
        numbers: examined.numbers.clone(),
        blocks: inputs.blocks.iter().map(|block| format!("{} ({})", block.reason, block.source)).collect(),
        dialler: not_asked.unwrap_or_else(|| describe(&side, own)),
        verdict: verdict(&decision, examined.block == crate::ledger::BlockWord::Set),
        doubles,
        operations: decision
            .intents
            .iter()
            .map(|intent| format!("{}: {}", intent.kind, intent.reason))
            .collect(),
        changes: changes(&decision, inputs.link.as_ref(), &examined.crm),
        sends: sends(&decision, inputs.link.as_ref(), &examined, campaign),
    })
}

fn nothing(route: &str, verdict: String) -> Trial {
    Trial {
        route: route.to_owned(),
        record: None,
        user_data: None,
        expressions: Vec::new(),
        notes: Vec::new(),
        numbers: Vec::new(),
        blocks: Vec::new(),
        dialler: String::new(),
        verdict,
        doubles: Vec::new(),
        operations: Vec::new(),
        changes: Vec::new(),
        sends: None,
    }
}

/// Whoever bears the key, over the whole tenant (semantics 5).
async fn bearers(dialler: &dyn DiallerRead, user_data: &UserData) -> Result<Vec<Contact>, CallError> {
    dialler.contacts_by_user_data(user_data, CallClass::Push).await
}

/// Who bears the key to the letter beside the record's own contact.
fn doubles(
    found: Option<Vec<Contact>>,
    user_data: &Result<UserData, Reason>,
    own: Option<ContactId>,
) -> Vec<ContactId> {
    let Ok(user_data) = user_data else { return Vec::new() };
    let exact = |contact: &Contact| contact.user_data.as_deref() == Some(user_data.as_str());
    let ids: Vec<ContactId> =
        found.unwrap_or_default().iter().filter(|c| exact(c) && Some(c.id) != own).map(|c| c.id).collect();
    // One alone, and no contact of its own, is the one to be taken over.
    if own.is_none() && ids.len() < 2 { Vec::new() } else { ids }
}

fn met(answered: &[Contact], user_data: &UserData, campaign: Option<CampaignId>) -> DiallerSide {
    let exact = |contact: &&Contact| contact.user_data.as_deref() == Some(user_data.as_str());
    let ours: Vec<&Contact> = answered.iter().filter(exact).collect();
    let folded = answered.iter().find(|contact| {
        let theirs = contact.user_data.as_deref().unwrap_or_default();
        theirs != user_data.as_str() && FoldedUserData::of(theirs) == user_data.folded()
    });
    let ids = ours.iter().map(|contact| contact.id).collect();
    match (ours.as_slice(), folded) {
        ([], None) => DiallerSide::Absent,
        ([], Some(other)) => DiallerSide::Ambiguous {
            reason: Reason::new(ReasonCode::FoldedMatch).with("contact", other.id),
            ours: ids,
        },
        ([one], _) if campaign.is_none() || one.campaign.is_none() || one.campaign == campaign => {
            DiallerSide::Found(Box::new((*one).clone()))
        }
        ([one], _) => DiallerSide::Ambiguous {
            reason: Reason::new(ReasonCode::FoundElsewhere)
                .with("campaign", one.campaign.map_or("unknown".to_owned(), |id| id.to_string()))
                .with("contact", one.id),
            ours: ids,
        },
        (several, _) => {
            let numbers: Vec<String> = several.iter().map(|contact| contact.id.to_string()).collect();
            DiallerSide::Ambiguous {
                reason: Reason::new(ReasonCode::SeveralContacts).with("contacts", numbers.join(", ")),
                ours: ids,
            }
        }
    }
}

fn describe(side: &DiallerSide, own: Option<ContactId>) -> String {
    match side {
        DiallerSide::Linked => match own {
            Some(id) => format!("contact {id} is the record's own"),
            None => "linked to its contact already".to_owned(),
        },
        DiallerSide::NotMet => "not asked: the record has no usable key".to_owned(),
        DiallerSide::Absent => "no contact has its UserData".to_owned(),
        DiallerSide::Found(contact) => {
            format!("contact {} has its UserData and would be taken over", contact.id)
        }
        DiallerSide::Ambiguous { reason, .. } => reason.to_string(),
    }
}

fn verdict(decision: &Decision, block_if: bool) -> String {
    if block_if {
        return "block: block_if is true; the record and its numbers would be blocked, its contacts locked"
            .to_owned();
    }
    match &decision.verdict {
        Verdict::Unchanged => "nothing to do: both sides agree".to_owned(),
        Verdict::Queued => "send".to_owned(),
        Verdict::Adopted => "take over the contact that is there".to_owned(),
        Verdict::Skipped(reason) => format!("skip: {reason}"),
        Verdict::Blocked(reason) => format!("block: {reason}"),
        Verdict::Parked(reason) => format!("park: {reason}"),
    }
}

/// The fields that differ from what both sides last agreed on.
fn differing(
    decision: &Decision,
    link: Option<&LinkView>,
    desired: &Desired,
) -> Vec<(FieldName, Option<Value>, Value)> {
    let empty = Base::new();
    let base =
        decision.adopted.as_ref().map(|(_, base)| base).or(link.map(|link| &link.base)).unwrap_or(&empty);
    sync::changed_fields(desired, base)
        .into_iter()
        .map(|change| {
            let before = base.get(&change.field).map(|pair| pair.dialler.clone());
            (change.field, before, change.send)
        })
        .collect()
}

fn changes(decision: &Decision, link: Option<&LinkView>, crm: &CrmSide) -> Vec<TriedChange> {
    let (CrmSide::Eligible(desired), Some(first)) = (crm, decision.intents.first()) else {
        return Vec::new();
    };
    match first.kind {
        OperationKind::Update => differing(decision, link, desired)
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
fn sends(
    decision: &Decision,
    link: Option<&LinkView>,
    pulled: &PulledRecord,
    campaign: Option<CampaignId>,
) -> Option<TriedSend> {
    let contact = decision.adopted.as_ref().map(|(id, _)| *id).or(link.and_then(|link| link.contact));
    match (decision.intents.first()?.kind, &pulled.crm, contact) {
        (OperationKind::Import, CrmSide::Eligible(desired), _) => Some(TriedSend::Import {
            campaign,
            user_data: pulled.user_data.as_ref().ok()?.to_string(),
            values: sync::import_fields(desired),
        }),
        (OperationKind::Update, CrmSide::Eligible(desired), Some(contact)) => {
            let values = differing(decision, link, desired).into_iter().map(|(field, _, send)| (field, send));
            Some(TriedSend::Update(contact, values.collect()))
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
