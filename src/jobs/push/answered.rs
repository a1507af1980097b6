//! What an answer means for the link: the pair, the trail, what must follow.

use super::plan::{as_wished, asks_gate, judge_cleared};
use super::send::Answer;
use crate::domain::policy::Clearing;
use crate::domain::{Base, Contact, FieldKind, FieldName, OperationKind, Reason, ReasonCode, Values};
use crate::ledger::{BaseChange, BeforeFrom, Done, FieldTrail, Leased, LockShown};
use crate::sync::{edited_base, follow_up_fields, pairs_after_import, pairs_after_update, says_the_same};
use serde_json::Value;

/// What is stored of an answer, and what it shows of emptying fields.
pub(super) fn done(leased: &Leased, answer: &Answer) -> (Done, Option<Clearing>) {
    match (leased.kind, answer) {
        (OperationKind::Import, Answer::Contact(contact)) => (imported(leased, contact), None),
        (OperationKind::Update, Answer::Contact(contact)) => {
            let (done, shown) = updated(leased, contact);
            (done, Some(shown))
        }
        (kind, _) => (commanded(kind), None),
    }
}

/// What an import's answer means: a contact that is ours from now on, and whether it was there before.
pub(in crate::jobs) fn imported(leased: &Leased, contact: &Contact) -> Done {
    let elsewhere = contact.campaign.is_some() && contact.campaign != leased.campaign;
    let older = leased.newest.is_some_and(|newest| contact.id <= newest);
    let overwritten = contact.tries() > 0 || contact.result_code().is_some() || elsewhere || older;
    let after = follow_up_fields(&leased.view.desired);
    let names: Vec<FieldName> = after.keys().copied().collect();
    Done {
        contact: Some(contact.id),
        base: BaseChange::Replace(pairs_after_import(&leased.view.desired, contact)),
        changes: trail(&leased.values, &Base::new(), contact),
        answers: answers(&leased.values, contact),
        follow_up: (!names.is_empty()).then(|| naming(ReasonCode::Completes, &names)),
        overwritten,
        note: overwritten.then(|| Reason::new(ReasonCode::Overwritten).with("contact", contact.id)),
        asks_gate: true,
    }
}

/// Judged by the way that the update was sent with: another one may have found out more meanwhile.
fn updated(leased: &Leased, contact: &Contact) -> (Done, Clearing) {
    let cleared = judge_cleared(&leased.view, &leased.values, contact, leased.clearing);
    let mut pairs =
        pairs_after_update(&leased.view.desired, &as_wished(&leased.view, &leased.values), contact);
    for field in &cleared.again {
        pairs.remove(field);
    }
    let kept: Vec<FieldName> = cleared.kept.keys().copied().collect();
    pairs.extend(cleared.kept);
    let done = Done {
        base: BaseChange::Merge(pairs),
        changes: trail(&leased.values, &edited_base(&leased.view.base, &leased.view.edits), contact),
        answers: answers(&leased.values, contact),
        follow_up: (!cleared.again.is_empty()).then(|| naming(ReasonCode::Completes, &cleared.again)),
        note: kept.first().map(|field| Reason::new(ReasonCode::CannotClear).with("field", field)),
        asks_gate: asks_gate(leased.kind, &leased.values),
        ..Done::default()
    };
    (done, cleared.clearing)
}

/// What a command that was carried out says by itself.
pub(in crate::jobs) fn commanded(kind: OperationKind) -> Done {
    let said = |field: &str, after: bool| FieldTrail {
        field: field.to_owned(),
        before: None,
        before_from: BeforeFrom::None,
        after: Some(Value::Bool(after)),
    };
    let changes = match kind {
        OperationKind::Lock => vec![said("lock", true)],
        OperationKind::Unlock => vec![said("lock", false)],
        OperationKind::Reset => vec![said("reset", true)],
        OperationKind::Delete => vec![said("contact", false)],
        OperationKind::Import | OperationKind::Update => Vec::new(),
    };
    let asks_gate = kind.makes_callable();
    Done { changes, asks_gate, ..Done::default() }
}

/// A lock that was accepted: where no answer shows locks, that is all that can be said of it.
pub(super) fn locked(why: &Reason, shown: &LockShown) -> Done {
    let note = match shown {
        LockShown::Unknown | LockShown::Nowhere => ReasonCode::NotVerifiable.into(),
        LockShown::By { fields } => {
            let names: Vec<&str> = fields.keys().map(String::as_str).collect();
            Reason::new(ReasonCode::LockVisible).with("fields", names.join(", "))
        }
    };
    // A lock of the night changes nothing that the trail does not tell.
    let done =
        if why.code == ReasonCode::StandingLock { Done::default() } else { commanded(OperationKind::Lock) };
    Done { note: Some(note), ..done }
}

fn trail(sent: &Values, base: &Base, answered: &Contact) -> Vec<FieldTrail> {
    sent.iter()
        .map(|(field, value)| {
            let before = base.get(field).map(|pair| pair.dialler.clone());
            FieldTrail {
                field: field.as_str().to_owned(),
                before_from: if before.is_some() { BeforeFrom::Base } else { BeforeFrom::None },
                before,
                after: Some(answered.fields.get(field.as_str()).unwrap_or(value).clone()),
            }
        })
        .collect()
}

/// Field by field: whether the answer is what was sent, or cut or normalised. Told by lengths: what is kept of a
/// person's values is the trail's.
fn answers(sent: &Values, answered: &Contact) -> Vec<(FieldName, Option<Reason>)> {
    sent.iter()
        .filter_map(|(field, value)| {
            let answer = answered.fields.get(field.as_str())?;
            let otherwise = match field.spec().kind {
                // Written in a form of its own on its way out.
                FieldKind::DateTime => return None,
                FieldKind::Number => !says_the_same(*field, answer, value),
                // What does not let itself be emptied has a note of its own.
                FieldKind::Text(_) | FieldKind::LongText | FieldKind::Phone => {
                    !is_nothing(value) && answer != value
                }
            };
            let reason = || {
                Reason::new(ReasonCode::AnsweredOtherwise)
                    .with("field", field)
                    .with("sent", length(value))
                    .with("answered", length(answer))
            };
            Some((*field, otherwise.then(reason)))
        })
        .collect()
}

fn is_nothing(value: &Value) -> bool {
    value.is_null() || value.as_str() == Some("")
}

fn length(value: &Value) -> usize {
    match value {
        Value::Null => 0,
        Value::String(text) => text.chars().count(),
        other => other.to_string().chars().count(),
    }
}

/// After a rejected update that was to empty a field while it is not known how.
pub(super) enum AfterRejection {
    /// It may have been the way of emptying: this operation tries the next one, and nothing is learnt until
    /// that is accepted.
    TryNext(Clearing),
    /// It held nothing else that could have been rejected: neither way empties a field here.
    Neither,
    /// Its emptied fields had no part in it.
    Stands,
}

/// What a rejection says about emptying fields.
pub(super) fn after_rejection(leased: &Leased) -> AfterRejection {
    let is_emptied =
        |field: &FieldName| leased.view.desired.get(field).is_some_and(|value| value.send.is_null());
    let emptied = leased.values.keys().filter(|field| is_emptied(field)).count();
    if leased.kind != OperationKind::Update || emptied == 0 {
        return AfterRejection::Stands;
    }
    match leased.clearing {
        Clearing::TryNull => AfterRejection::TryNext(Clearing::TryEmpty),
        Clearing::TryEmpty if emptied < leased.values.len() => AfterRejection::TryNext(Clearing::Never),
        Clearing::TryEmpty => AfterRejection::Neither,
        Clearing::Null | Clearing::Empty | Clearing::Never => AfterRejection::Stands,
    }
}

fn naming(code: ReasonCode, fields: &[FieldName]) -> Reason {
    let names: Vec<&str> = fields.iter().map(|field| field.as_str()).collect();
    Reason::new(code).with("fields", names.join(", "))
}
