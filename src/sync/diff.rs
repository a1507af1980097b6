//! Which fields differ from what both sides last agreed on, and what an answer makes of the base.

use crate::domain::{
    Base, Contact, Desired, DesiredValue, FieldKind, FieldName, Pair, Taken, Values, append,
};
use serde_json::Value;

/// A field whose CRM side moved since the sides last agreed.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldChange {
    /// The field.
    pub field: FieldName,
    /// What the dialler had when they agreed; `null` where they never did.
    pub before: Value,
    /// What it shall get.
    pub send: Value,
}

/// The fields that `/update` would have to send: the CRM's value is another than in the base.
///
/// The dialler's half is not looked at: what somebody edited there is not ours to undo here.
/// Import-only fields are left out; the decision notes them.
pub fn changed_fields(desired: &Desired, base: &Base) -> Vec<FieldChange> {
    moved(desired, base)
        .filter(|change| match change.field.spec().taken {
            Taken::Update | Taken::Both => true,
            Taken::Import => false,
        })
        .collect()
}

/// Changed fields that only an import takes: a recorded skip (semantics 9).
pub(super) fn import_only_changes(desired: &Desired, base: &Base) -> Vec<FieldName> {
    moved(desired, base)
        .filter(|change| match change.field.spec().taken {
            Taken::Import => true,
            Taken::Update | Taken::Both => false,
        })
        .map(|change| change.field)
        .collect()
}

fn moved<'a>(desired: &'a Desired, base: &'a Base) -> impl Iterator<Item = FieldChange> + 'a {
    desired.iter().filter_map(|(field, value)| {
        let agreed = base.get(field);
        let same = match agreed {
            Some(pair) => is_unmoved(*field, &pair.crm, &value.crm),
            None => value.send.is_null(),
        };
        let before = agreed.map_or(Value::Null, |pair| pair.dialler.clone());
        (!same).then(|| FieldChange { field: *field, send: into(&before, &value.send), before })
    })
}

/// What is sent for a wish: of a text of which the CRM has a part only, that part within what stands there.
fn into(held: &Value, wish: &Value) -> Value {
    let parts = append::is_part(wish) || (wish.is_null() && append::part_of(held).is_some());
    if parts { append::put(held, wish) } else { wish.clone() }
}

/// Whether the CRM's value is the one it had; a number is one however it is written.
pub(super) fn is_unmoved(field: FieldName, agreed: &Value, now: &Value) -> bool {
    let same_number = match field.spec().kind {
        FieldKind::Number => number(agreed).is_some() && number(agreed) == number(now),
        FieldKind::Text(_) | FieldKind::LongText | FieldKind::Phone | FieldKind::DateTime => false,
    };
    agreed == now || same_number
}

/// What an import sends: every field it takes that has a value.
pub fn import_fields(desired: &Desired) -> Values {
    taken_by(desired, |taken| match taken {
        Taken::Import | Taken::Both => true,
        Taken::Update => false,
    })
}

/// What must follow an import by `/update`: fields that import does not take.
pub fn follow_up_fields(desired: &Desired) -> Values {
    taken_by(desired, |taken| match taken {
        Taken::Update => true,
        Taken::Import | Taken::Both => false,
    })
}

fn taken_by(desired: &Desired, takes: impl Fn(Taken) -> bool) -> Values {
    desired
        .iter()
        .filter(|(field, value)| takes(field.spec().taken) && !value.send.is_null())
        .map(|(field, value)| (*field, value.send.clone()))
        .collect()
}

/// The base after an import was answered: everything that was sent, and what both have empty.
pub fn pairs_after_import(desired: &Desired, answered: &Contact) -> Base {
    desired
        .iter()
        .filter(|(field, value)| match field.spec().taken {
            Taken::Import | Taken::Both => true,
            Taken::Update => value.send.is_null(),
        })
        .map(|(field, value)| {
            let pair =
                Pair { crm: value.crm.clone(), dialler: answered_value(answered, *field, &value.send) };
            (*field, pair)
        })
        .collect()
}

/// The pairs that an answered update adds to the base; `sent` is the body's fields.
pub fn pairs_after_update(desired: &Desired, sent: &Values, answered: &Contact) -> Base {
    sent.iter()
        .filter_map(|(field, send)| {
            // Only what was desired when it was sent: a newer wish must stay different from the base.
            let value = desired.get(field).filter(|value| is_sent(value, send))?;
            Some((*field, Pair { crm: value.crm.clone(), dialler: answered_value(answered, *field, send) }))
        })
        .collect()
}

/// Whether what was sent is this wish: a part of a text goes within what stands around it.
fn is_sent(wish: &DesiredValue, sent: &Value) -> bool {
    let part = append::is_part(&wish.send).then(|| append::part_of(sent)).flatten();
    wish.send == *sent || part.is_some_and(|part| wish.send.as_str() == Some(part))
}

/// What the dialler answered for a field; an answer without the field is taken to hold what was sent,
/// because the list of answered fields is documented nowhere.
fn answered_value(answered: &Contact, field: FieldName, sent: &Value) -> Value {
    answered.fields.get(field.as_str()).cloned().unwrap_or_else(|| sent.clone())
}

/// Whether the dialler's value says the same as what we would send.
pub fn says_the_same(field: FieldName, dialler: &Value, send: &Value) -> bool {
    if dialler == send || (is_empty(dialler) && is_empty(send)) {
        return true;
    }
    if append::is_part(send) {
        return append::part_of(dialler) == send.as_str();
    }
    match field.spec().kind {
        FieldKind::Phone => digits(dialler) == digits(send),
        FieldKind::Number => number(dialler).is_some() && number(dialler) == number(send),
        FieldKind::Text(_) | FieldKind::LongText | FieldKind::DateTime => false,
    }
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_str() == Some("")
}

fn digits(value: &Value) -> String {
    value.as_str().unwrap_or_default().chars().filter(char::is_ascii_digit).collect()
}

/// `Amount` may come as a number or as a text; which is documented nowhere.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
}
