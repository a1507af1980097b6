//! A call into what the CRM is told of it, and a record's calls into its fields. Pure; says nothing about sending.
//!
//! The expressions are those of the other direction, over names of ours instead of the record's. Times are UTC, as
//! CRMs store them; a name with `_local` carries the same in the route's zone, for texts that people read.

use super::expression::{Expression, Inputs};
use super::filters::Options;
use super::parse::compile_told;
use super::told_names::{BLOCK_NAMES, CALL_NAMES, HISTORY_NAMES, STATUS_NAMES};
use crate::domain::field::PHONE_SLOTS;
use crate::domain::result_words;
use crate::domain::{
    BlockFacts, BlocksTold, CallFacts, CampaignId, HistoryFacts, InvalidNumber, Problem, Reason, ReasonCode,
    Record, RecordId, RouteName, StandingFacts, Timestamp, Told,
};
use chrono_tz::Tz;
use minijinja::Value as Settings;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// What a route says about its calls in the CRM.
#[derive(Debug, Clone)]
pub struct TellingSpec {
    /// The route's name.
    pub route: RouteName,
    /// The zone of `_local` names.
    pub zone: Tz,
    /// A field of the activity to an expression over the call.
    pub activity: BTreeMap<String, String>,
    /// A field of the record to an expression over its calls.
    pub fields: BTreeMap<String, String>,
    /// A field of the record to an expression over what blocks it.
    pub blocks: BTreeMap<String, String>,
    /// A field of the record to an expression over where it stands in the dialler.
    pub status: BTreeMap<String, String>,
    /// A result, by export key, by name or as `CAMPAIGN/CODE`, to the CRM's word for it.
    pub results: BTreeMap<String, String>,
}

/// How a route's calls are told, checked and compiled.
#[derive(Debug)]
pub struct Telling {
    route: RouteName,
    zone: Tz,
    activity: BTreeMap<String, Expression>,
    fields: BTreeMap<String, Expression>,
    blocks: BTreeMap<String, Expression>,
    status: BTreeMap<String, Expression>,
    results: BTreeMap<String, String>,
    options: Settings,
    revision: String,
}

impl Telling {
    /// Checks and compiles what a route says.
    ///
    /// # Errors
    /// All mistakes at once, each with its key in the config.
    pub fn parse(spec: &TellingSpec) -> Result<Self, Vec<Problem>> {
        let options = Options { zone: Tz::UTC, country: None };
        let mut problems = Vec::new();
        let mut compile = |table: &str, sources: &BTreeMap<String, String>, names: &[&str]| {
            let prefix = format!("route.{}.{table}", spec.route);
            let compiled = sources.iter().filter_map(|(field, source)| {
                compile_told(&prefix, field, source, &options, names)
                    .map_err(|found| problems.extend(found))
                    .ok()
                    .map(|expression| (field.clone(), expression))
            });
            compiled.collect::<BTreeMap<_, _>>()
        };
        let activity = compile("activity", &spec.activity, CALL_NAMES);
        let fields = compile("result_fields", &spec.fields, HISTORY_NAMES);
        let blocks = compile("block_fields", &spec.blocks, BLOCK_NAMES);
        let status = compile("status_fields", &spec.status, STATUS_NAMES);
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            route: spec.route.clone(),
            zone: spec.zone,
            activity,
            fields,
            blocks,
            status,
            results: spec.results.clone(),
            options: Settings::from_object(options),
            revision: revision(spec),
        })
    }

    /// Whether calls become activities.
    pub fn has_activity(&self) -> bool {
        !self.activity.is_empty()
    }

    /// Whether fields of the record follow from its calls.
    pub fn has_fields(&self) -> bool {
        !self.fields.is_empty()
    }

    /// The record's fields that follow from its calls.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.fields.keys().map(String::as_str)
    }

    /// The record's fields that are written once somebody must not be called.
    pub fn block_names(&self) -> impl Iterator<Item = &str> {
        self.blocks.keys().map(String::as_str)
    }

    /// The record's fields that say where it stands in the dialler.
    pub fn status_names(&self) -> impl Iterator<Item = &str> {
        self.status.keys().map(String::as_str)
    }

    /// Whether the CRM is told where records stand in the dialler.
    pub fn status_told(&self) -> BlocksTold {
        if self.status.is_empty() { BlocksTold::Kept } else { BlocksTold::Told }
    }

    /// Whether the CRM is told who must not be called.
    pub fn blocks_told(&self) -> BlocksTold {
        if self.blocks.is_empty() { BlocksTold::Kept } else { BlocksTold::Told }
    }

    /// Whether anything names what an agent wrote beside a call.
    pub fn uses_note(&self) -> bool {
        self.names("note") || self.names("last_note")
    }

    /// Whether anything names an agent.
    pub fn uses_agent(&self) -> bool {
        self.names("agent") || self.names("last_agent")
    }

    /// Whether what is told needs the CRM's word for the result.
    pub fn needs_word(&self, told: Told) -> bool {
        let (expressions, name) = match told {
            Told::Activity => (&self.activity, "outcome"),
            Told::Fields => (&self.fields, "last_outcome"),
        };
        expressions.values().any(|expression| names_it(expression, name))
    }

    fn names(&self, name: &str) -> bool {
        self.activity.values().chain(self.fields.values()).any(|expression| names_it(expression, name))
    }

    /// Changes whenever a call could be told otherwise. Sixteen hex digits of a SHA-256.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// A call's activity.
    ///
    /// # Errors
    /// The call is under way, its result is needed and not mapped, or an expression fails.
    pub fn activity(&self, record: &RecordId, call: &CallFacts) -> Result<BTreeMap<String, Value>, Reason> {
        if call.is_under_way() {
            return Err(ReasonCode::CallUnderWay.into());
        }
        let mut names = self.of_call(call, "");
        if self.needs_word(Told::Activity) {
            names.insert("outcome".to_owned(), self.outcome(Some(call))?);
        }
        names.extend(self.next_try(call.next_try));
        names.insert("call".to_owned(), call.call.0.into());
        names.insert("contact".to_owned(), call.contact.0.into());
        names.insert("campaign".to_owned(), call.campaign.map_or(Value::Null, |campaign| campaign.0.into()));
        names.insert("cause".to_owned(), call.cause.map_or(Value::Null, Value::from));
        names.insert("kind".to_owned(), kind(call).into());
        names.insert("by_system".to_owned(), (call.result.is_some() && call.agent.is_none()).into());
        names.insert("recording".to_owned(), call.recording.map_or(Value::Null, Value::from));
        self.evaluate(&self.activity, record, names)
    }

    /// The fields of a record, worked out from all its calls.
    ///
    /// # Errors
    /// The newest result is needed and not mapped, or an expression fails.
    pub fn record_fields(
        &self,
        record: &RecordId,
        history: &HistoryFacts,
    ) -> Result<BTreeMap<String, Value>, Reason> {
        if !history.of_calls {
            // The row is there for another thing's sake: a no, where the record stands, an agent's edit.
            return Ok(BTreeMap::new());
        }
        let mut names = match &history.last {
            Some(last) => self.of_call(last, "last_"),
            None => Map::new(),
        };
        let with_result = history.last_with_result.as_ref();
        names.extend(result_of(with_result, "last_"));
        if self.needs_word(Told::Fields) {
            names.insert("last_outcome".to_owned(), self.outcome(with_result)?);
        }
        for (name, count) in
            [("calls", history.calls), ("attempts", history.attempts), ("answered", history.answered)]
        {
            names.insert(name.to_owned(), count.into());
        }
        names.extend(self.next_try(history.next_try));
        names.insert("first_started".to_owned(), utc(history.first_started));
        names.insert("first_started_local".to_owned(), self.local(history.first_started));
        self.evaluate(&self.fields, record, names)
    }

    /// What is written into a record because somebody said no; nothing where nobody did. It is never taken back by us.
    ///
    /// # Errors
    /// An expression fails.
    pub fn block_fields(
        &self,
        record: &RecordId,
        blocked: Option<&BlockFacts>,
    ) -> Result<BTreeMap<String, Value>, Reason> {
        let Some(blocked) = blocked else { return Ok(BTreeMap::new()) };
        let names = [
            ("numbers", Value::from(blocked.numbers.clone())),
            ("reason", Value::from(blocked.reason.as_str())),
            ("since", utc(Some(blocked.since))),
            ("since_local", self.local(Some(blocked.since))),
            ("source", Value::from(blocked.source.as_str())),
            ("who", blocked.who.clone().map_or(Value::Null, Value::from)),
        ];
        let names = names.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        self.evaluate(&self.blocks, record, names)
    }

    /// Where a record stands in the dialler, in the CRM's fields.
    ///
    /// # Errors
    /// An expression fails.
    pub fn status_fields(
        &self,
        record: &RecordId,
        standing: Option<&StandingFacts>,
    ) -> Result<BTreeMap<String, Value>, Reason> {
        let Some(standing) = standing else { return Ok(BTreeMap::new()) };
        let invalid: Vec<&str> = standing.invalid.iter().map(|one| one.number.as_str()).collect();
        let mut names = Map::from_iter([
            ("status".to_owned(), Value::from(standing.place.as_str())),
            ("reason".to_owned(), standing.reason.clone().map_or(Value::Null, Value::from)),
            ("since".to_owned(), utc(standing.since)),
            ("since_local".to_owned(), self.local(standing.since)),
            ("synced".to_owned(), utc(standing.synced)),
            ("synced_local".to_owned(), self.local(standing.synced)),
            ("invalid_numbers".to_owned(), invalid.into()),
        ]);
        names.extend(self.next_try(standing.next_try));
        names.extend((1..=PHONE_SLOTS.len()).flat_map(|slot| self.mark(slot, standing.invalid_in(slot))));
        self.evaluate(&self.status, record, names)
    }

    /// The CRM's word for a result; `None` where nobody mapped it. The place goes before the key, the key before the
    /// name: the narrower the surer.
    pub fn word_for(
        &self,
        campaign: Option<CampaignId>,
        code: i64,
        export_key: Option<&str>,
        name: Option<&str>,
    ) -> Option<&str> {
        let keys = result_words::keys(campaign, code, export_key, name);
        keys.iter().flatten().find_map(|key| self.results.get(key)).map(String::as_str)
    }

    fn word(&self, call: &CallFacts) -> Option<&str> {
        let result = call.result.as_ref()?;
        self.word_for(call.campaign, result.code, result.export_key.as_deref(), result.name.as_deref())
    }

    /// Nobody guesses what an unmapped result means: what would say so waits (users 18).
    fn outcome(&self, call: Option<&CallFacts>) -> Result<Value, Reason> {
        let Some((call, result)) = call.and_then(|call| Some((call, call.result.as_ref()?))) else {
            return Ok(Value::Null);
        };
        self.word(call).map(Value::from).ok_or_else(|| {
            let known = result.export_key.as_ref().or(result.name.as_ref());
            let campaign = call.campaign.map_or_else(|| "?".to_owned(), |campaign| campaign.to_string());
            Reason::new(ReasonCode::UnmappedResult)
                .with("result", known.map_or_else(|| result.code.to_string(), String::clone))
                .with("campaign", campaign)
                .with("route", &self.route)
        })
    }

    fn of_call(&self, call: &CallFacts, prefix: &str) -> Map<String, Value> {
        let seconds = call.started.zip(call.ended).map(|(from, to)| (to - from).num_seconds());
        let direction = call.outbound.map(|ours| if ours { "out" } else { "in" });
        let mut names: Map<String, Value> = [
            ("started", utc(call.started)),
            ("started_local", self.local(call.started)),
            ("ended", utc(call.ended)),
            ("ended_local", self.local(call.ended)),
            ("seconds", seconds.map_or(Value::Null, Value::from)),
            ("number", call.number.clone().map_or(Value::Null, Value::from)),
            ("direction", direction.map_or(Value::Null, Value::from)),
            ("answered", call.answered.into()),
            ("agent", agent(call)),
            ("note", call.note.clone().map_or(Value::Null, Value::from)),
            ("outcome", Value::Null),
        ]
        .into_iter()
        .map(|(name, value)| (format!("{prefix}{name}"), value))
        .collect();
        names.extend(result_of(Some(call), prefix));
        names
    }

    /// Whether the number of a slot is invalid, for which cause, and since when.
    fn mark(&self, slot: usize, mark: Option<&InvalidNumber>) -> [(String, Value); 4] {
        let since = mark.map(|mark| mark.since);
        [
            ("", mark.is_some().into()),
            ("_cause", mark.and_then(|mark| mark.cause).map_or(Value::Null, Value::from)),
            ("_since", utc(since)),
            ("_since_local", self.local(since)),
        ]
        .map(|(more, value)| (format!("number{slot}_invalid{more}"), value))
    }

    fn next_try(&self, at: Option<Timestamp>) -> [(String, Value); 2] {
        [("next_try".to_owned(), utc(at)), ("next_try_local".to_owned(), self.local(at))]
    }

    fn local(&self, at: Option<Timestamp>) -> Value {
        let text = at.map(|at| at.with_timezone(&self.zone).format("%Y-%m-%d %H:%M:%S").to_string());
        text.map_or(Value::Null, Value::from)
    }

    fn evaluate(
        &self,
        expressions: &BTreeMap<String, Expression>,
        record: &RecordId,
        mut names: Map<String, Value>,
    ) -> Result<BTreeMap<String, Value>, Reason> {
        for name in CALL_NAMES.iter().chain(HISTORY_NAMES).chain(STATUS_NAMES) {
            names.entry(*name).or_insert(Value::Null);
        }
        let record = Record { id: record.clone(), modified: None, deleted: false, fields: names };
        // `today` is no name here: parsing refuses it.
        let inputs = Inputs { record: &record, today: chrono::NaiveDate::MIN, options: &self.options };
        let told = expressions.iter().map(|(field, expression)| {
            expression.evaluate(&inputs).map(|value| (field.clone(), value.into_owned()))
        });
        told.collect()
    }
}

fn names_it(expression: &Expression, name: &str) -> bool {
    expression.paths.iter().any(|path| path.root() == name)
}

/// What a row of the history is (users 28): a result without a call would else become a call that never was.
fn kind(call: &CallFacts) -> &'static str {
    match (call.started, call.outbound) {
        (None, _) => "result",
        (Some(_), Some(false)) => "inbound",
        (Some(_), Some(true) | None) => "call",
    }
}

/// By name where that is known, else by number.
fn agent(call: &CallFacts) -> Value {
    let name = call.agent_name.clone().map(Value::from);
    name.or_else(|| call.agent.map(Value::from)).unwrap_or(Value::Null)
}

fn result_of(call: Option<&CallFacts>, prefix: &str) -> Map<String, Value> {
    let result = call.and_then(|call| call.result.as_ref());
    let text = |text: Option<&String>| text.map_or(Value::Null, |text| Value::from(text.as_str()));
    [
        ("result", text(result.and_then(|result| result.name.as_ref()))),
        ("result_key", text(result.and_then(|result| result.export_key.as_ref()))),
        ("result_code", result.map_or(Value::Null, |result| result.code.into())),
    ]
    .into_iter()
    .map(|(name, value)| (format!("{prefix}{name}"), value))
    .collect()
}

/// Whole seconds: finer ones say nothing about a call, and CRMs refuse them.
fn utc(at: Option<Timestamp>) -> Value {
    at.map_or(Value::Null, |at| Value::from(at.format("%Y-%m-%dT%H:%M:%SZ").to_string()))
}

fn revision(spec: &TellingSpec) -> String {
    let tables = (&spec.activity, &spec.fields, &spec.blocks, &spec.status, &spec.results);
    let text = format!("{:?}", (spec.zone.name(), tables));
    Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
