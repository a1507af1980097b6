//! One record through a mapping: its key, whether it is blocked and eligible, what its contact is to hold.

use super::expression::{Expression, Inputs};
use super::fit::Fitted;
use super::text;
use super::{Mapping, consent};
use crate::domain::{
    CrmSide, Desired, DesiredValue, FieldName, Reason, ReasonCode, Record, UserData, append,
};
use chrono::NaiveDate;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What a condition says of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// It holds.
    True,
    /// It does not.
    False,
    /// It cannot be told: the record lacks a name, or the expression failed. Never to be read as false.
    Broken(Reason),
    /// The route has no such condition.
    NotAsked,
}

/// A record, mapped.
///
/// Each part stands for itself: a record whose fields are unusable still has its key and its
/// conditions, so that it can be locked (users 3).
#[derive(Debug, Clone, PartialEq)]
pub struct Mapped {
    /// The join key.
    pub user_data: Result<UserData, Reason>,
    /// `block_if`: must not be called.
    pub block: Condition,
    /// `only_if`: eligible now.
    pub eligible: Condition,
    /// The name of consent in `only_if` that keeps it out, if one does: it may be a no.
    pub says_no: Option<String>,
    /// What the contact is to hold; `None` where the record is not eligible or that cannot be told. A
    /// blocked record's fields are worked out too: its block may be lifted while nothing else changes.
    pub fields: Option<Result<Desired, Reason>>,
    /// Every usable number of the mapped slots in E.164, without repeats, in the slots' order; also for a
    /// record that is blocked, ineligible or broken, so that a block gets all of them.
    pub numbers: Vec<String>,
    /// Texts that were cut (`TooLong`); to be shown once.
    pub cuts: Vec<Reason>,
    /// Numbers that were left out because they are not valid, beside others that are (`BadPhone`).
    pub notes: Vec<Reason>,
}

impl Mapped {
    /// What `sync::decide` is told of the record; blocks are an input of their own.
    ///
    /// That the record is gone or not eligible locks, so it goes before what merely cannot be told. A condition that
    /// cannot be told locks too: nobody knows whether this person may be called (users 1).
    pub fn crm_side(&self, deleted: bool) -> CrmSide {
        if deleted {
            return CrmSide::Gone(ReasonCode::RecordDeleted.into());
        }
        match (&self.eligible, &self.block, &self.user_data, &self.fields) {
            (Condition::False, _, _, _) => CrmSide::Ineligible(Reason::not_eligible(self.says_no.as_deref())),
            (Condition::Broken(reason), _, _, _) | (_, Condition::Broken(reason), _, _) => {
                CrmSide::Uncallable(reason.clone())
            }
            (_, _, Err(reason), _) => CrmSide::Unusable(reason.clone()),
            (_, _, Ok(_), Some(Ok(desired))) => CrmSide::Eligible(desired.clone()),
            (_, _, Ok(_), Some(Err(reason))) if lacks_the_mandatory(reason) => {
                CrmSide::Uncallable(reason.clone())
            }
            (_, _, Ok(_), Some(Err(reason))) => CrmSide::Unusable(reason.clone()),
            (Condition::True | Condition::NotAsked, _, Ok(_), None) => {
                CrmSide::Unusable(Reason::new(ReasonCode::ExpressionFailed).with("key", "fields"))
            }
        }
    }
}

/// Without a name or a number there can be no callable contact; anything else is a mapping's trouble.
fn lacks_the_mandatory(reason: &Reason) -> bool {
    matches!(reason.code, ReasonCode::NoName | ReasonCode::NoPhone)
}

type Slots = BTreeMap<FieldName, Result<Fitted, Reason>>;

impl Mapping {
    /// Maps `record`; `today` is the day in the route's zone.
    pub fn map(&self, record: &Record, today: NaiveDate) -> Mapped {
        let inputs = Inputs { record, today, options: &self.options };
        let user_data = self.template.render(&record.id);
        let block = condition(self.block_if.as_ref(), &inputs);
        let eligible = condition(self.only_if.as_ref(), &inputs);
        let slots = self.slots(&inputs);
        let mut seen = BTreeSet::new();
        let numbers = slots
            .values()
            .filter_map(|slot| slot.as_ref().ok()?.value.crm.as_str())
            .filter(|number| seen.insert(*number))
            .map(str::to_owned)
            .collect();
        let (mut cuts, mut notes) = (Vec::new(), Vec::new());
        let fields = matches!(eligible, Condition::True | Condition::NotAsked)
            .then(|| self.desired(&inputs, slots, &mut cuts, &mut notes));
        let says_no = match eligible {
            Condition::False => consent::says_no(&self.consent, &inputs),
            Condition::True | Condition::Broken(_) | Condition::NotAsked => None,
        };
        Mapped { user_data, block, eligible, says_no, fields, numbers, cuts, notes }
    }

    /// The contact's name as the record gives it, whether or not it is eligible.
    pub fn name_of(&self, record: &Record, today: NaiveDate) -> Option<Value> {
        let name = FieldName::parse("Name")?;
        let inputs = Inputs { record, today, options: &self.options };
        let fitted = self.fitted(name, self.fields.get(&name)?, &inputs).ok()?;
        Some(fitted.value.crm).filter(|name| !name.is_null())
    }

    /// `block_if` and `only_if` alone, as they turn out on a day: all that a dated decision asks.
    pub fn conditions_on(&self, record: &Record, day: NaiveDate) -> (Condition, Condition) {
        let inputs = Inputs { record, today: day, options: &self.options };
        (condition(self.block_if.as_ref(), &inputs), condition(self.only_if.as_ref(), &inputs))
    }

    /// The name of consent in `only_if` that keeps it out on a day, if one does.
    pub fn says_no_on(&self, record: &Record, day: NaiveDate) -> Option<String> {
        consent::says_no(&self.consent, &Inputs { record, today: day, options: &self.options })
    }

    fn slots(&self, inputs: &Inputs<'_>) -> Slots {
        let phones = self.fields.iter().filter(|(field, _)| field.is_phone());
        phones.map(|(field, expression)| (*field, self.fitted(*field, expression, inputs))).collect()
    }

    pub(super) fn fitted(
        &self,
        field: FieldName,
        expression: &Expression,
        inputs: &Inputs<'_>,
    ) -> Result<Fitted, Reason> {
        let mut fitted = self.fitting.fit(field, &*expression.evaluate(inputs)?)?;
        if let (true, Some(text)) = (self.append.contains(&field), fitted.value.send.as_str()) {
            fitted.value.send = append::marked(text).into();
        }
        Ok(fitted)
    }

    fn desired(
        &self,
        inputs: &Inputs<'_>,
        slots: Slots,
        cuts: &mut Vec<Reason>,
        notes: &mut Vec<Reason>,
    ) -> Result<Desired, Reason> {
        let mut desired = Desired::new();
        for (field, expression) in self.fields.iter().filter(|(field, _)| !field.is_phone()) {
            let fitted = self.fitted(*field, expression, inputs)?;
            cuts.extend(fitted.cut);
            if fitted.value.is_empty() && !field.spec().clearable {
                return Err(Reason::new(ReasonCode::NoName).with("field", field));
            }
            desired.insert(*field, fitted.value);
        }
        let mut usable = false;
        for (field, slot) in slots {
            let value = match slot {
                Ok(fitted) => {
                    usable |= !fitted.value.is_empty();
                    fitted.value
                }
                Err(reason) if reason.code == ReasonCode::BadPhone => {
                    notes.push(reason);
                    DesiredValue::empty()
                }
                Err(reason) => return Err(reason),
            };
            desired.insert(field, value);
        }
        if usable { Ok(desired) } else { Err(ReasonCode::NoPhone.into()) }
    }
}

pub(super) fn condition(expression: Option<&Expression>, inputs: &Inputs<'_>) -> Condition {
    match expression.map(|expression| expression.evaluate(inputs)) {
        None => Condition::NotAsked,
        Some(Ok(value)) if text::is_true(&value) => Condition::True,
        Some(Ok(_)) => Condition::False,
        Some(Err(reason)) => Condition::Broken(reason),
    }
}

/// An expression with what it saw and gave, for a person (`try`).
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// `user_data`, `only_if`, `block_if` or the dialler field.
    pub key: String,
    /// The expression as the config has it.
    pub source: String,
    /// What it names, with the record's value; `None` where the record has no such name.
    pub inputs: Vec<(String, Option<Value>)>,
    /// The value it gave: the CRM's half for a field, true or false for a condition.
    pub result: Result<Value, Reason>,
    /// For a field: what the dialler is sent.
    pub send: Option<Value>,
    /// The text was cut.
    pub cut: Option<Reason>,
}

impl Mapping {
    /// Every expression with its inputs and its result, in the order of evaluation.
    pub fn explain(&self, record: &Record, today: NaiveDate) -> Vec<Explained> {
        let inputs = Inputs { record, today, options: &self.options };
        let mut all = vec![Explained {
            key: "user_data".to_owned(),
            source: self.template.to_string(),
            inputs: vec![("id".to_owned(), Some(Value::from(record.id.as_str())))],
            result: self.template.render(&record.id).map(|data| Value::from(data.as_str())),
            send: None,
            cut: None,
        }];
        for expression in [&self.block_if, &self.only_if].into_iter().flatten() {
            let result = expression.evaluate(&inputs).map(|value| Value::Bool(text::is_true(&value)));
            all.push(explained(expression, &inputs, result));
        }
        for (field, expression) in &self.fields {
            let fitted = self.fitted(*field, expression, &inputs);
            let result = fitted.as_ref().map(|fitted| fitted.value.crm.clone()).map_err(Reason::clone);
            let mut line = explained(expression, &inputs, result);
            if let Ok(fitted) = fitted {
                (line.send, line.cut) = (Some(fitted.value.send), fitted.cut);
            }
            all.push(line);
        }
        all
    }
}

fn explained(expression: &Expression, inputs: &Inputs<'_>, result: Result<Value, Reason>) -> Explained {
    let mut seen: Vec<_> = expression
        .paths
        .iter()
        .map(|path| (path.to_string(), path.find(inputs.record).ok().map(std::borrow::Cow::into_owned)))
        .collect();
    if expression.uses_today {
        seen.push(("today".to_owned(), Some(Value::from(inputs.today.to_string()))));
    }
    Explained {
        key: expression.label.clone(),
        source: expression.source.clone(),
        inputs: seen,
        result,
        send: None,
        cut: None,
    }
}
