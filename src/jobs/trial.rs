//! `try`: what would happen to one record, and why. Reads both sides and the ledger, changes nothing.

use super::JobError;
use super::pull::{PullContext, examine};
use crate::dialler::DiallerRead;
use crate::domain::{
    CampaignId, Contact, CrmSide, Decision, DecisionInput, DiallerSide, FoldedUserData, Reason, ReasonCode,
    RecordId, RecordKey, UserData, Values, Verdict,
};
use crate::mapping::Explained;
use crate::remote::CallClass;
use crate::sync;
use serde::Serialize;
use serde_json::Value;
use std::fmt;

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
    /// The operations that would be queued.
    pub operations: Vec<String>,
    /// The body that the first of them would send.
    pub body: Option<Value>,
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
        }
    }
}

impl fmt::Display for TriedExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {:?}", self.key, self.source)?;
        for (name, value) in &self.inputs {
            match value {
                Some(value) => write!(f, "  [{name}: {value}]")?,
                None => write!(f, "  [{name}: not in the record]")?,
            }
        }
        match (&self.result, &self.error) {
            (Some(result), _) => write!(f, "  -> {result}")?,
            (None, Some(error)) => write!(f, "  -> {error}")?,
            (None, None) => {}
        }
        match &self.send {
            Some(send) if Some(send) != self.result.as_ref() => write!(f, "  sent as {send}"),
            Some(_) | None => Ok(()),
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
    let side = match (&inputs.link, &examined.user_data) {
        (Some(link), _) if link.contact.is_some() => DiallerSide::Linked,
        (_, Ok(user_data)) => meet(dialler, user_data, campaign).await?,
        (_, Err(_)) => DiallerSide::NotMet,
    };
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
        dialler: describe(&side),
        verdict: verdict(&decision, examined.block == crate::ledger::BlockWord::Set),
        operations: decision
            .intents
            .iter()
            .map(|intent| format!("{}: {}", intent.kind, intent.reason))
            .collect(),
        body: body(&decision, inputs.link.as_ref().map(|link| &link.base), &examined.crm),
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
        operations: Vec::new(),
        body: None,
    }
}

/// Asks for the key over the whole tenant, exactly (semantics 5).
async fn meet(
    dialler: &dyn DiallerRead,
    user_data: &UserData,
    campaign: Option<CampaignId>,
) -> Result<DiallerSide, JobError> {
    let answered = dialler.contacts_by_user_data(user_data, CallClass::Push).await?;
    let exact = |contact: &&Contact| contact.user_data.as_deref() == Some(user_data.as_str());
    let ours: Vec<&Contact> = answered.iter().filter(exact).collect();
    let folded = answered.iter().find(|contact| {
        let theirs = contact.user_data.as_deref().unwrap_or_default();
        theirs != user_data.as_str() && FoldedUserData::of(theirs) == user_data.folded()
    });
    let ids = ours.iter().map(|contact| contact.id).collect();
    Ok(match (ours.as_slice(), folded) {
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
    })
}

fn describe(side: &DiallerSide) -> String {
    match side {
        DiallerSide::Linked => "linked to its contact already".to_owned(),
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

/// What the first operation would send.
fn body(decision: &Decision, base: Option<&crate::domain::Base>, crm: &CrmSide) -> Option<Value> {
    let CrmSide::Eligible(desired) = crm else { return None };
    let kind = decision.intents.first()?.kind;
    let values: Values = match kind {
        crate::domain::OperationKind::Import => sync::import_fields(desired),
        crate::domain::OperationKind::Update => {
            let empty = crate::domain::Base::new();
            let base = decision.adopted.as_ref().map(|(_, base)| base).or(base).unwrap_or(&empty);
            sync::changed_fields(desired, base)
                .into_iter()
                .map(|change| (change.field, change.send))
                .collect()
        }
        crate::domain::OperationKind::Lock
        | crate::domain::OperationKind::Unlock
        | crate::domain::OperationKind::Reset
        | crate::domain::OperationKind::Delete => return None,
    };
    serde_json::to_value(values).ok()
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(record) = &self.record {
            writeln!(f, "record:   {record}")?;
        }
        if let Some(user_data) = &self.user_data {
            writeln!(f, "UserData: {user_data}")?;
        }
        for expression in &self.expressions {
            writeln!(f, "  {expression}")?;
        }
        for note in &self.notes {
            writeln!(f, "note:     {note}")?;
        }
        if !self.numbers.is_empty() {
            writeln!(f, "numbers:  {}", self.numbers.join(", "))?;
        }
        for block in &self.blocks {
            writeln!(f, "blocked:  {block}")?;
        }
        if !self.dialler.is_empty() {
            writeln!(f, "dialler:  {}", self.dialler)?;
        }
        writeln!(f, "verdict:  {}", self.verdict)?;
        for operation in &self.operations {
            writeln!(f, "  {operation}")?;
        }
        match &self.body {
            Some(body) => write!(f, "request:  {body}"),
            None => Ok(()),
        }
    }
}
