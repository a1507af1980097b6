//! What an operation sends, computed when it is leased: the newest wish against what both sides last
//! agreed on. So an operation that waited sends what is wanted now, and A-B-A sends nothing at all.

use crate::domain::policy::Clearing;
use crate::domain::{Base, FieldKind, FieldName, LinkView, OperationKind, Pair, Values, Wish};
use crate::ledger::{Leased, Opens, Plan};
use crate::sync::{import_fields, merged_changes, says_the_same};
use serde_json::Value;

/// The body of an operation, or why there is none. An update by hand sends what was `given` and nothing else.
pub fn plan(kind: OperationKind, given: Option<&Values>, link: &LinkView, clearing: Clearing) -> Plan {
    let has_contact = link.contact.is_some() && !link.vanished;
    let callable = link.wish == Wish::Callable;
    match kind {
        OperationKind::Import if !callable => Plan::Unwished,
        OperationKind::Import if has_contact => Plan::Instead(OperationKind::Update),
        OperationKind::Import => Plan::Send(import_fields(&link.desired)),
        // Whoever deleted the contact did it on purpose; whether it is imported again was decided elsewhere.
        OperationKind::Update if link.vanished => Plan::Unwished,
        OperationKind::Update if !has_contact && callable && given.is_none() => {
            Plan::Instead(OperationKind::Import)
        }
        OperationKind::Update if !has_contact => Plan::Unwished,
        OperationKind::Update => {
            let values = match given {
                Some(given) => given
                    .iter()
                    .filter_map(|(field, value)| Some((*field, sendable(*field, value.clone(), clearing)?)))
                    .collect(),
                None => update_body(link, clearing),
            };
            if values.is_empty() { Plan::NothingLeft } else { Plan::Send(values) }
        }
        // A reset is an event, not a wish about the lock: who must stay locked is locked again after it.
        OperationKind::Unlock if !callable => Plan::Unwished,
        OperationKind::Unlock | OperationKind::Reset | OperationKind::Delete if has_contact => {
            Plan::Send(Values::new())
        }
        OperationKind::Unlock | OperationKind::Reset | OperationKind::Delete => Plan::Unwished,
        OperationKind::Lock => Plan::Send(Values::new()),
    }
}

fn update_body(link: &LinkView, clearing: Clearing) -> Values {
    merged_changes(&link.desired, &link.base, link)
        .into_iter()
        .filter_map(|change| Some((change.field, sendable(change.field, change.send, clearing)?)))
        .collect()
}

/// What the dialler keeps although the record wants something else there: it is agents', or nothing empties it.
pub fn kept(link: &LinkView, clearing: Clearing) -> Vec<FieldName> {
    let sent = update_body(link, clearing);
    let differs = |field: &FieldName, send: &Value| {
        link.base.get(field).is_some_and(|pair| !says_the_same(*field, &pair.dialler, send))
    };
    let wished = link.desired.iter();
    wished
        .filter(|(field, wish)| !sent.contains_key(field) && differs(field, &wish.send))
        .map(|(field, _)| *field)
        .collect()
}

/// What is sent for a value; `None`: the field is to be emptied, and nothing empties it.
pub fn sendable(field: FieldName, value: Value, clearing: Clearing) -> Option<Value> {
    if value.is_null() { emptied(field, clearing) } else { Some(value) }
}

/// What empties a field; `None`: nothing does, so it is not sent.
fn emptied(field: FieldName, clearing: Clearing) -> Option<Value> {
    if !field.spec().clearable {
        return None;
    }
    let text = match field.spec().kind {
        FieldKind::Text(_) | FieldKind::LongText | FieldKind::Phone => Value::from(""),
        // An empty text is no number and no date.
        FieldKind::Number | FieldKind::DateTime => Value::Null,
    };
    match clearing {
        Clearing::TryNull | Clearing::Null => Some(Value::Null),
        Clearing::TryEmpty | Clearing::Empty => Some(text),
        Clearing::Never => None,
    }
}

/// Whether the gate must be asked before it is sent.
pub fn asks_gate(kind: OperationKind, values: &Values) -> bool {
    kind.makes_callable() || values.keys().any(|field| field.is_phone())
}

/// What the gate is asked before it leaves, if it is asked.
pub fn question(leased: &Leased) -> Option<Opens> {
    asks_gate(leased.kind, &leased.values).then(|| opens(leased))
}

fn opens(leased: &Leased) -> Opens {
    match leased.kind {
        // The numbers of an update by hand are none of its record's.
        OperationKind::Update if leased.given.is_some() => Opens::Contact,
        OperationKind::Update => Opens::Numbers,
        OperationKind::Import
        | OperationKind::Unlock
        | OperationKind::Reset
        | OperationKind::Lock
        | OperationKind::Delete => Opens::Contact,
    }
}

/// What an answered update showed about emptying fields.
#[derive(Debug, Clone, PartialEq)]
pub struct Cleared {
    /// What is known of it from now on.
    pub clearing: Clearing,
    /// Fields that kept their value and are tried in another way.
    pub again: Vec<FieldName>,
    /// Fields that keep their value for good: the pair says so, and nothing is sent again.
    pub kept: Base,
}

/// Compares what was to be emptied with what was answered. A field the answer does not carry is believed.
pub fn judge_cleared(
    link: &LinkView,
    sent: &Values,
    answered: &crate::domain::Contact,
    clearing: Clearing,
) -> Cleared {
    let mut cleared = Cleared { clearing, again: Vec::new(), kept: Base::new() };
    let wished = |field: &FieldName| link.desired.get(field).filter(|value| value.send.is_null());
    let (mut emptied_one, mut kept_a_text) = (false, false);
    for field in sent.keys() {
        let Some(value) = wished(field) else { continue };
        // The CRM's part went, and what agents wrote stays.
        if sent.get(field).and_then(Value::as_str).is_some_and(|text| !text.is_empty()) {
            continue;
        }
        let stays = match answered.fields.get(field.as_str()) {
            None | Some(Value::Null) => false,
            Some(Value::String(text)) => !text.is_empty(),
            Some(_) => true,
        };
        emptied_one |= !stays;
        if !stays {
            continue;
        }
        match clearing {
            Clearing::TryNull => cleared.again.push(*field),
            Clearing::TryEmpty | Clearing::Null | Clearing::Empty | Clearing::Never => {
                let dialler = answered.get(field.as_str()).clone();
                cleared.kept.insert(*field, Pair { crm: value.crm.clone(), dialler });
                // No empty text was tried on a number or a date: that it stays says nothing of the others.
                kept_a_text |= sent.get(field).is_some_and(Value::is_string);
            }
        }
    }
    cleared.clearing = match (clearing, emptied_one) {
        (Clearing::TryNull, true) => Clearing::Null,
        (Clearing::TryEmpty, true) => Clearing::Empty,
        (Clearing::TryNull, false) if !cleared.again.is_empty() => Clearing::TryEmpty,
        (Clearing::TryEmpty, false) if kept_a_text => Clearing::Never,
        (unchanged, _) => unchanged,
    };
    // Fields that were left out because nothing empties them stay as they are, and agreed upon.
    for (field, value) in &link.desired {
        // One that the dialler's side changed was left out for that: what becomes of it the merge says, or a person.
        let unsent = value.send.is_null() && !sent.contains_key(field) && !link.edits.contains_key(field);
        if let (true, Some(pair)) = (unsent, link.base.get(field))
            && pair.crm != value.crm
        {
            let kept = Pair { crm: value.crm.clone(), dialler: pair.dialler.clone() };
            cleared.kept.insert(*field, kept);
        }
    }
    cleared
}

/// The sent values with `""` put back to `null` where emptying was meant, as the wish states it.
pub fn as_wished(link: &LinkView, sent: &Values) -> Values {
    sent.iter()
        .map(|(field, value)| match link.desired.get(field) {
            Some(wish) if wish.send.is_null() => (*field, Value::Null),
            Some(_) | None => (*field, value.clone()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Contact, ContactId, Desired, DesiredValue, Edits, Kept, Lane, LockState};
    use serde_json::json;

    fn field(name: &str) -> FieldName {
        FieldName::parse(name).expect("a field")
    }

    fn view(contact: Option<i64>, wish: Wish, desired: &[(&str, Value)], base: &[(&str, Value)]) -> LinkView {
        let both = |value: &Value| DesiredValue { crm: value.clone(), send: value.clone() };
        let desired: Desired = desired.iter().map(|(name, value)| (field(name), both(value))).collect();
        let pair = |value: &Value| Pair { crm: value.clone(), dialler: value.clone() };
        LinkView {
            contact: contact.map(ContactId),
            base: base.iter().map(|(name, value)| (field(name), pair(value))).collect(),
            desired,
            wish,
            lock: LockState::Open,
            vanished: false,
            lane: Lane::Waiting,
            edits: Edits::new(),
            kept: Kept::new(),
            deletion: crate::domain::Deletion::No,
            anew: crate::domain::Anew::No,
            stands: crate::domain::Stands::Here,
            calls_lost: None,
        }
    }

    #[test]
    fn an_import_never_goes_over_a_contact() {
        let link = view(Some(1), Wish::Callable, &[("Name", json!("A"))], &[]);
        assert_eq!(
            plan(OperationKind::Import, None, &link, Clearing::TryNull),
            Plan::Instead(OperationKind::Update)
        );
        let link = view(None, Wish::None, &[("Name", json!("A"))], &[]);
        assert_eq!(plan(OperationKind::Import, None, &link, Clearing::TryNull), Plan::Unwished);
    }

    #[test]
    fn an_update_sends_the_difference_and_nothing_when_there_is_none() {
        let link = view(
            Some(1),
            Wish::Callable,
            &[("Name", json!("A")), ("City", json!("B"))],
            &[("Name", json!("A")), ("City", json!("C"))],
        );
        let Plan::Send(values) = plan(OperationKind::Update, None, &link, Clearing::TryNull) else {
            panic!("send")
        };
        assert_eq!(values, Values::from([(field("City"), json!("B"))]));
        let link = view(Some(1), Wish::Callable, &[("Name", json!("A"))], &[("Name", json!("A"))]);
        assert_eq!(plan(OperationKind::Update, None, &link, Clearing::TryNull), Plan::NothingLeft);
    }

    #[test]
    fn how_to_empty_a_field_is_found_out_once() {
        let link = view(Some(1), Wish::Callable, &[("City", Value::Null)], &[("City", json!("Bonn"))]);
        let answer = |city: Value| {
            let fields = json!({ "ID": 1, "City": city });
            Contact::from_fields(fields.as_object().cloned().expect("an object")).expect("a contact")
        };
        let mut clearing = Clearing::TryNull;
        let Plan::Send(sent) = plan(OperationKind::Update, None, &link, clearing) else { panic!("send") };
        assert_eq!(sent, Values::from([(field("City"), Value::Null)]));
        let stubborn = judge_cleared(&link, &sent, &answer(json!("Bonn")), clearing);
        assert_eq!((stubborn.clearing, stubborn.again.len()), (Clearing::TryEmpty, 1));

        clearing = stubborn.clearing;
        let Plan::Send(sent) = plan(OperationKind::Update, None, &link, clearing) else { panic!("send") };
        assert_eq!(sent, Values::from([(field("City"), json!(""))]));
        assert_eq!(judge_cleared(&link, &sent, &answer(json!("")), clearing).clearing, Clearing::Empty);
        assert_eq!(as_wished(&link, &sent), Values::from([(field("City"), Value::Null)]));

        let never = judge_cleared(&link, &sent, &answer(json!("Bonn")), clearing);
        assert_eq!(never.clearing, Clearing::Never);
        assert_eq!(never.kept[&field("City")], Pair { crm: Value::Null, dialler: json!("Bonn") });
        assert_eq!(plan(OperationKind::Update, None, &link, Clearing::Never), Plan::NothingLeft);
    }
}
