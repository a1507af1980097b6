//! `try`: what would happen to one record, and why. Reads both sides and the ledger, changes nothing.

use super::JobError;
use super::pull::{PullContext, examine};
use super::push::judge_found;
use crate::dialler::DiallerRead;
use crate::domain::{
    Base, CampaignId, ContactId, CrmSide, Decision, DecisionInput, Desired, DiallerSide, FieldName, LinkView,
    OperationKind, Reason, ReasonCode, RecordId, RecordKey, UserData, Values, Verdict,
};
use crate::ledger::{BlockWord, PulledRecord};
use crate::mapping::Explained;
use crate::remote::CallClass;
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

/// How reasons are spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speech {
    /// With everything in them.
    Open,
    /// Without what may be personal.
    Redacted,
}

impl Speech {
    fn say(self, reason: &Reason) -> String {
        match self {
            Self::Open => reason.to_string(),
            Self::Redacted => reason.redacted().to_string(),
        }
    }
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

impl TriedExpression {
    fn of(explained: Explained, speech: Speech) -> Self {
        let (result, error) = match explained.result {
            Ok(value) => (Some(value), None),
            Err(reason) => (None, Some(speech.say(&reason))),
        };
        Self {
            key: explained.key,
            source: explained.source,
            inputs: explained.inputs,
            result,
            error,
            send: explained.send,
            cut: explained.cut.map(|cut| speech.say(&cut)),
        }
    }
}

/// Looks at one record. Where the route's campaign is not known, `campaign` says why: then nothing but locks would be
/// sent.
///
/// # Errors
/// A side or the ledger cannot be read.
pub async fn try_record(
    context: &PullContext,
    dialler: &dyn DiallerRead,
    campaign: Result<CampaignId, String>,
    id: &RecordId,
    speech: Speech,
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
        Err(bad) => return Ok(nothing(route.route.as_str(), format!("park: {}", speech.say(&bad.reason)))),
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
    let number = campaign.as_ref().ok().copied();
    let Met { side, doubles, told } = meet(dialler, &examined.user_data, number, own).await;
    let decision = sync::decide(&DecisionInput {
        link: inputs.link.as_ref(),
        crm: &examined.crm,
        dialler: &side,
        blocks: &inputs.blocks,
        last_result: inputs.last_result,
        policy: route.policy,
    });
    let explained = route.mapping.explain(&record, today).into_iter();
    let expressions = explained.map(|one| TriedExpression::of(one, speech)).collect();
    Ok(Trial {
        route: route.route.to_string(),
        expressions,
        record: Some(Value::Object(record.fields)),
        user_data: examined.user_data.as_ref().ok().map(ToString::to_string),
        notes: examined.notes.iter().map(|note| speech.say(note)).collect(),
        numbers: examined.numbers.clone(),
        blocks: inputs
            .blocks
            .iter()
            .map(|block| format!("{} ({})", speech.say(&block.reason), block.source))
            .collect(),
        dialler: told,
        verdict: verdict(&decision, examined.block == BlockWord::Set, campaign.as_ref().err(), speech),
        doubles,
        operations: decision
            .intents
            .iter()
            .map(|intent| format!("{}: {}", intent.kind, speech.say(&intent.reason)))
            .collect(),
        changes: changes(&decision, inputs.link.as_ref(), &examined.crm),
        sends: sends(&decision, inputs.link.as_ref(), &examined, number),
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

/// What the dialler has under the key, over the whole tenant (semantics 5), judged as a push does.
struct Met {
    side: DiallerSide,
    doubles: Vec<ContactId>,
    told: String,
}

async fn meet(
    dialler: &dyn DiallerRead,
    user_data: &Result<UserData, Reason>,
    campaign: Option<CampaignId>,
    own: Option<ContactId>,
) -> Met {
    let unasked = if own.is_some() { DiallerSide::Linked } else { DiallerSide::NotMet };
    let Ok(user_data) = user_data else {
        let told = describe(&unasked, own, campaign);
        return Met { side: unasked, doubles: Vec::new(), told };
    };
    match dialler.contacts_by_user_data(user_data, CallClass::Push).await {
        Ok(answered) => {
            let (found, doubles) = judge_found(user_data, campaign, own, answered);
            let side = if own.is_some() { DiallerSide::Linked } else { found };
            let told = describe(&side, own, campaign);
            Met { side, doubles, told }
        }
        Err(error) => {
            let told = match own {
                Some(id) => {
                    format!("contact {id} is the record's own; the dialler could not be asked: {error}")
                }
                None => format!("could not be asked: {error}"),
            };
            Met { side: unasked, doubles: Vec::new(), told }
        }
    }
}

fn describe(side: &DiallerSide, own: Option<ContactId>, campaign: Option<CampaignId>) -> String {
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
        DiallerSide::Ambiguous { ours, .. } if campaign.is_none() && ours.len() == 1 => {
            format!("contact {} has its UserData", ours[0])
        }
        DiallerSide::Ambiguous { reason, .. } => reason.to_string(),
    }
}

fn verdict(decision: &Decision, block_if: bool, no_campaign: Option<&String>, speech: Speech) -> String {
    if block_if {
        return "block: block_if is true; the record and its numbers would be blocked, its contacts locked"
            .to_owned();
    }
    let depends = match &decision.verdict {
        Verdict::Queued | Verdict::Adopted => true,
        Verdict::Parked(reason) => reason.code == ReasonCode::FoundElsewhere,
        Verdict::Unchanged | Verdict::Skipped(_) | Verdict::Blocked(_) => false,
    };
    if let Some(why) = no_campaign.filter(|_| depends) {
        return format!("nothing but locks is sent: {why}");
    }
    match &decision.verdict {
        Verdict::Unchanged => "nothing to do: both sides agree".to_owned(),
        Verdict::Queued => "send".to_owned(),
        Verdict::Adopted => "take over the contact that is there".to_owned(),
        Verdict::Skipped(reason) => format!("skip: {}", speech.say(reason)),
        Verdict::Blocked(reason) => format!("block: {}", speech.say(reason)),
        Verdict::Parked(reason) => format!("park: {}", speech.say(reason)),
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
            campaign: campaign?,
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
