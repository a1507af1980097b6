//! One row told: values by the mapping, the leave of the ledger, the request, its end.

use super::carry::{Carry, Left};
use super::ends::{Fate, TellKind, Waits, after_look_up, fate_of, outcome};
use super::values::{RecordValues, Words, by_rule, is_known, of_call, of_record};
use super::{JobError, Pass, all_named, named};
use crate::crm::{CrmValues, Safe, WriteContract};
use crate::domain::{
    ActivityId, CallFacts, CallKey, HistoryFacts, HistoryId, Reason, ReasonCode, TellRule, WriteBackId,
};
use crate::env::crash;
use crate::ledger::{CarriedEdit, Leaving, TellEnd, TellFacts, Tells, ToTell, Tried};
use crate::remote::CallError;
use serde_json::{Map, json};
use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Duration;

/// How one row ended, and whether the run ends with it.
pub(super) struct Told {
    pub fate: Fate,
    pub ends_run: Option<JobError>,
}

impl Told {
    pub(super) fn just(fate: Fate) -> Self {
        Self { fate, ends_run: None }
    }
}

/// Whether a row that was told has more to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// It has: what did not go along is looked at next.
    Again,
    /// It rests.
    Rests,
}

/// What is to be sent for a row.
enum Wish {
    /// These values.
    Send(CrmValues, Leaving),
    /// Nothing.
    End(Fate, TellEnd),
}

impl Pass<'_> {
    pub(super) async fn tell(&self, row: ToTell) -> Result<Told, JobError> {
        let ledger = &self.context.ledger;
        let (carried, left) = match self.carry(&row).await? {
            Carry::Edits(carried, left) => (carried, left),
            Carry::Ended(told) => return Ok(told),
        };
        let (carried, wish) = match carried.split_first() {
            Some((first, _)) if self.goes_apart(row.id) => {
                let first = vec![first.clone()];
                let wish = self.by_themselves(&row, &first, Then::Again).await?;
                (first, wish)
            }
            Some(_) | None => {
                let wish = self.wish(&row).await?;
                let wish = self.with_edits(&row, wish, &carried).await?;
                (carried, wish)
            }
        };
        let (values, leaving) = match self.with_left(wish, left) {
            Wish::Send(values, leaving) => (values, leaving),
            Wish::End(fate, end) => {
                let stored = ledger.write_back_end(row.id, row.wanted, self.run, end, None).await?;
                // Something newer came between: the next page has it.
                return Ok(Told::just(if stored { fate } else { Fate::PutBack }));
            }
        };
        if let Some(told) = self.known_already(&row).await? {
            return Ok(told);
        }
        self.go(&row, &values, leaving, carried).await
    }

    /// The request and its end.
    pub(super) async fn go(
        &self,
        row: &ToTell,
        values: &CrmValues,
        leaving: Leaving,
        carried: Vec<CarriedEdit>,
    ) -> Result<Told, JobError> {
        let ledger = &self.context.ledger;
        if !ledger.write_back_begin(row.id, row.wanted, leaving).await? {
            return Ok(Told::just(Fate::PutBack));
        }
        crash::point("after_write_back_begin");
        let kind = kind_of(row);
        let sent = self.send(row, values).await;
        crash::point("after_write_back_answer");
        match sent {
            Ok(activity) => {
                // Of an activity nothing is known but what we told.
                let before = if row.call.is_none() { self.before.take(&row.record) } else { Map::new() };
                let end = TellEnd::Done { activity: activity.map(|activity| activity.0), carried, before };
                let tried = Tried { outcome: "done", detail: String::new() };
                ledger.write_back_end(row.id, row.wanted, self.run, end, Some(tried)).await?;
                Ok(Told::just(Fate::Done))
            }
            Err(error) => self.failed(row, kind, error, carried, values.len()).await,
        }
    }

    /// What the dialler's side changed goes with what follows from calls; where that cannot be told now, by itself.
    async fn with_edits(&self, row: &ToTell, wish: Wish, carried: &[CarriedEdit]) -> Result<Wish, JobError> {
        if carried.is_empty() {
            return Ok(wish);
        }
        match wish {
            Wish::Send(mut values, of_calls) => {
                let mut rules = of_calls.rules;
                let edits = of_edits(carried);
                rules.extend(by_rule(&edits, TellRule::Owners));
                values.extend(edits);
                let then = if of_calls.then_again { Then::Again } else { Then::Rests };
                Ok(leaving(Words { values, rules, digest: of_calls.digest }, then, carried))
            }
            Wish::End(Fate::Unchanged, _) => self.by_themselves(row, carried, Then::Rests).await,
            Wish::End(_, _) => self.by_themselves(row, carried, Then::Again).await,
        }
    }

    /// What could not be merged now keeps its row from coming to rest; where a person has to look at the row anyway, that
    /// comes first.
    fn with_left(&self, wish: Wish, left: Left) -> Wish {
        let end = match left {
            Left::Nothing => return wish,
            Left::Waits(so_long) => {
                Wish::End(Fate::PutBack, TellEnd::Again(self.context.env.now() + so_long))
            }
            Left::ForItsReturn => Wish::End(Fate::Gone, TellEnd::Gone),
        };
        match wish {
            Wish::Send(values, of_calls) => Wish::Send(values, Leaving { then_again: true, ..of_calls }),
            Wish::End(Fate::Parked, parked) => Wish::End(Fate::Parked, parked),
            Wish::End(_, _) => end,
        }
    }

    /// What the dialler's side changed, without what follows from calls.
    async fn by_themselves(
        &self,
        row: &ToTell,
        carried: &[CarriedEdit],
        then: Then,
    ) -> Result<Wish, JobError> {
        if let Some(reason) = self.may_be_sent(row, self.context.crm.contract()).await? {
            return Ok(Wish::End(Fate::Parked, TellEnd::Parked(reason)));
        }
        let values = of_edits(carried);
        let rules = by_rule(&values, TellRule::Owners);
        Ok(leaving(Words { values, rules, digest: row.digest.clone().unwrap_or_default() }, then, carried))
    }

    fn goes_apart(&self, row: WriteBackId) -> bool {
        self.apart.lock().unwrap_or_else(PoisonError::into_inner).contains(&row)
    }

    /// A ledger that was restored has forgotten what it told: the CRM is asked before anything is told anew.
    async fn known_already(&self, row: &ToTell) -> Result<Option<Told>, JobError> {
        let (Some(call), None, true) = (row.call, &row.activity, row.maybe_told) else { return Ok(None) };
        match self.context.crm.contract().activities {
            // Under the same key nothing doubles.
            Some(Safe::Key) => Ok(None),
            Some(Safe::Find { .. }) => self.look_up(row, call).await,
            Some(Safe::No) | None => {
                let problem = "the call is older than the takeover of this ledger, and this CRM cannot be asked for its \
                               activity: look there";
                let reason = Reason::new(ReasonCode::InDoubt).with("problem", problem);
                self.end_unsent(row, Fate::Parked, TellEnd::Parked(reason)).await.map(Some)
            }
        }
    }

    async fn look_up(&self, row: &ToTell, call: HistoryId) -> Result<Option<Told>, JobError> {
        let contract = self.context.crm.contract();
        match self.context.crm.find_activity(&row.record, &self.key(call)).await {
            Ok(None) => Ok(None),
            Ok(Some(activity)) => {
                self.context.ledger.write_back_found(row.id, activity.0).await?;
                if contract.changes_activities {
                    // The next page has it as a change of that one.
                    return Ok(Some(Told::just(Fate::PutBack)));
                }
                self.end_unsent(row, Fate::Unchanged, TellEnd::Unchanged).await.map(Some)
            }
            Err(error) => {
                let waits = Waits { again: self.next_wait(row.tries), quiet: self.context.quiet() };
                let (fate, end, ends_run) = after_look_up(&error.kind, waits, self.context.env.now());
                let told = self.end_unsent(row, fate, end).await?;
                Ok(Some(Told { ends_run: ends_run.then_some(JobError::Call(error)), ..told }))
            }
        }
    }

    pub(super) async fn end_unsent(&self, row: &ToTell, fate: Fate, end: TellEnd) -> Result<Told, JobError> {
        let stored = self.context.ledger.write_back_end(row.id, row.wanted, self.run, end, None).await?;
        Ok(Told::just(if stored { fate } else { Fate::PutBack }))
    }

    async fn failed(
        &self,
        row: &ToTell,
        kind: TellKind,
        error: CallError,
        carried: Vec<CarriedEdit>,
        values: usize,
    ) -> Result<Told, JobError> {
        let waits = Waits { again: self.next_wait(row.tries), quiet: self.context.quiet() };
        let (mut fate, mut end, ends_run) = fate_of(kind, &error.kind, waits, self.context.env.now());
        if let (TellEnd::Parked(reason), false) = (&end, carried.is_empty()) {
            if values > 1 {
                // Nobody knows which of them it means.
                self.apart.lock().unwrap_or_else(PoisonError::into_inner).insert(row.id);
                fate = Fate::Refused;
            } else {
                self.refuse(row, carried, reason.clone()).await?;
            }
            end = TellEnd::Again(self.context.env.now());
        }
        let tried = Tried { outcome: outcome(&error.kind), detail: error.detail.clone() };
        let ledger = &self.context.ledger;
        ledger.write_back_end(row.id, row.wanted, self.run, end, Some(tried)).await?;
        Ok(Told { fate, ends_run: ends_run.then_some(JobError::Call(error)) })
    }

    /// What the mapping says now; the facts were read with the row.
    async fn wish(&self, row: &ToTell) -> Result<Wish, JobError> {
        let telling = &self.context.telling;
        let words = match &row.facts {
            // What it has lost must not be emptied in the CRM, too.
            TellFacts::Call(call) if call.erased => {
                return Ok(Wish::End(Fate::Unchanged, TellEnd::Unchanged));
            }
            TellFacts::Call(call) => {
                let activities = self.context.crm.contract().once_there();
                of_call(telling, activities, row, &self.named(call).await)
            }
            TellFacts::History(history) => return self.wish_for_record(row, history).await,
        };
        match words {
            Ok(words) => self.if_new(row, words, Then::Rests).await,
            Err(reason) => Ok(self.not_told(reason)),
        }
    }

    /// Where the calls cannot be told now, where the record stands goes alone.
    async fn wish_for_record(&self, row: &ToTell, history: &HistoryFacts) -> Result<Wish, JobError> {
        let found = match of_record(&self.context.telling, row, &self.all_named(history).await) {
            Ok(found) => found,
            Err(reason) => return Ok(self.not_told(reason)),
        };
        let RecordValues { words, left_out } = found;
        let Some(reason) = left_out else { return self.if_new(row, words, Then::Rests).await };
        match self.if_new(row, words, Then::Again).await? {
            Wish::End(Fate::Unchanged, _) => Ok(self.not_told(reason)),
            wish => Ok(wish),
        }
    }

    /// Sends the values, unless the CRM was told just these.
    async fn if_new(&self, row: &ToTell, words: Words, then: Then) -> Result<Wish, JobError> {
        if is_known(row, &words) {
            return Ok(Wish::End(Fate::Unchanged, TellEnd::Unchanged));
        }
        Ok(match self.may_be_sent(row, self.context.crm.contract()).await? {
            None => leaving(words, then, &[]),
            Some(reason) => Wish::End(Fate::Parked, TellEnd::Parked(reason)),
        })
    }

    async fn named(&self, call: &CallFacts) -> CallFacts {
        named(&self.context.telling, self.context.agents.as_deref(), call).await
    }

    pub(super) async fn all_named(&self, history: &HistoryFacts) -> HistoryFacts {
        all_named(&self.context.telling, self.context.agents.as_deref(), history).await
    }

    fn not_told(&self, reason: Reason) -> Wish {
        match reason.code {
            ReasonCode::UnmappedResult
            | ReasonCode::CallUnderWay
            | ReasonCode::ResultAwaited
            | ReasonCode::NotAsked => self.held(reason),
            _ => Wish::End(Fate::Parked, TellEnd::Parked(reason)),
        }
    }

    fn held(&self, reason: Reason) -> Wish {
        let rules = self.context.telling.revision().to_owned();
        Wish::End(Fate::Held, TellEnd::Held(reason, rules))
    }

    /// Why it must not be sent, if it must not.
    async fn may_be_sent(&self, row: &ToTell, contract: &WriteContract) -> Result<Option<Reason>, JobError> {
        match kind_of(row) {
            TellKind::Create => Ok(None),
            TellKind::Change => Ok((!contract.changes_activities).then(|| ReasonCode::ActivityFixed.into())),
            TellKind::Fields => {
                let times = self.context.ledger.write_back_own_changes(row.id).await?;
                let most = self.context.limits.max_own_changes;
                Ok((times >= most).then(|| Reason::new(ReasonCode::WriteLoop).with("times", times)))
            }
        }
    }

    async fn send(&self, row: &ToTell, values: &CrmValues) -> Result<Option<ActivityId>, CallError> {
        let crm = &self.context.crm;
        match (row.call, &row.activity) {
            (Some(call), None) => crm.create_activity(&row.record, &self.key(call), values).await.map(Some),
            (Some(call), Some(activity)) => {
                let activity = ActivityId(activity.clone());
                crm.change_activity(&row.record, &activity, &self.key(call), values).await?;
                Ok(None)
            }
            (None, _) => crm.change_record(&row.record, values).await.map(|()| None),
        }
    }

    pub(super) fn key(&self, call: HistoryId) -> CallKey {
        CallKey::new(&self.context.instance, call)
    }

    pub(super) fn next_wait(&self, tries: u32) -> Duration {
        let retry = &self.context.limits.retry;
        let at = usize::try_from(tries).unwrap_or(usize::MAX);
        retry.get(at).or(retry.last()).copied().unwrap_or(Duration::from_secs(60))
    }
}

pub(super) fn kind_of(row: &ToTell) -> TellKind {
    match (row.call, &row.activity) {
        (Some(_), None) => TellKind::Create,
        (Some(_), Some(_)) => TellKind::Change,
        (None, _) => TellKind::Fields,
    }
}

fn of_edits(carried: &[CarriedEdit]) -> CrmValues {
    carried.iter().map(|edit| (edit.name.clone(), edit.value.crm.clone())).collect()
}

fn leaving(words: Words, then: Then, carried: &[CarriedEdit]) -> Wish {
    let Words { values, rules, digest } = words;
    let names: BTreeMap<&str, &str> =
        carried.iter().map(|edit| (edit.field.as_str(), edit.name.as_str())).collect();
    let (told, carrying) = (json!(values).to_string(), json!(names).to_string());
    let leaving = Leaving {
        tells: Tells::TheRest,
        digest,
        values: told,
        rules,
        person: None,
        carrying,
        then_again: then == Then::Again,
    };
    Wish::Send(values, leaving)
}
