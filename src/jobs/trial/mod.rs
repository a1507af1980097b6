//! `try`: what would happen to one record, and why. Reads both sides and the ledger, changes nothing.

mod gate;
mod sends;

pub use sends::{TriedChange, TriedSend};

use super::JobError;
use super::glimpse::{self, Glimpser};
use super::pull::{PullContext, examine};
use super::push::judge_found;
use crate::dialler::DiallerRead;
use crate::domain::{
    Block, CampaignId, ContactId, Decision, DecisionInput, DiallerSide, Reason, ReasonCode, RecordId,
    RecordKey, UserData, Verdict,
};
use crate::ledger::BlockWord;
use crate::mapping::Explained;
use crate::remote::CallClass;
use crate::sync;
use gate::Gate;
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
    glimpser: &Glimpser,
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
    let Met { side, doubles, told } = meet(&*glimpser.dialler, &examined.user_data, number, own).await;
    let blocks = with_found(context, glimpser, inputs.blocks, &side).await?;
    let decision = sync::decide(&DecisionInput {
        link: inputs.link.as_ref(),
        crm: &examined.crm,
        dialler: &side,
        blocks: &blocks,
        last_result: inputs.last_result,
        ended: &inputs.ended,
        held_out: inputs.held_out.as_ref(),
        policy: &route.policy,
    });
    let clearing = context.ledger.clearing().await?;
    let sends = sends::sends(&decision, inputs.link.as_ref(), &examined, number, clearing);
    let gate = Gate::of(&decision, inputs.by_its_contact.first());
    let explained = route.mapping.explain(&record, today).into_iter();
    let expressions = explained.map(|one| TriedExpression::of(one, speech)).collect();
    Ok(Trial {
        route: route.route.to_string(),
        expressions,
        record: Some(Value::Object(record.fields)),
        user_data: examined.user_data.as_ref().ok().map(ToString::to_string),
        notes: examined.notes.iter().map(|note| speech.say(note)).collect(),
        numbers: examined.numbers.clone(),
        blocks: blocks
            .iter()
            .chain(gate.shut)
            .map(|block| format!("{} ({})", speech.say(&block.reason), block.source))
            .collect(),
        dialler: told,
        verdict: match gate.shut.filter(|_| gate.holds_first) {
            Some(block) => format!("not sent, the gate is shut: {}", speech.say(&block.reason)),
            None => verdict(&decision, examined.block == BlockWord::Set, campaign.as_ref().err(), speech),
        },
        doubles,
        operations: decision.intents.iter().map(|intent| gate.said(intent, speech)).collect(),
        changes: sends::changes(&decision, inputs.link.as_ref(), &examined.crm, clearing),
        sends: sends.filter(|_| !gate.holds_first),
    })
}

/// The blocks, with those against the contact that a push would take over.
async fn with_found(
    context: &PullContext,
    glimpser: &Glimpser,
    mut blocks: Vec<Block>,
    side: &DiallerSide,
) -> Result<Vec<Block>, JobError> {
    if let Some(seen) = glimpse::found(side, &*glimpser.to_e164) {
        for block in context.ledger.blocks_of_found(context.route.client.clone(), seen).await? {
            if !blocks.contains(&block) {
                blocks.push(block);
            }
        }
    }
    Ok(blocks)
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
