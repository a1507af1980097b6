//! The merge of one two-way field: what both sides last agreed on, what each has now, and what decides where both were
//! changed. Pure and total.

use super::diff::{FieldChange, changed_fields, is_unmoved, says_the_same};
use crate::domain::{
    Base, ConflictRule, Desired, DesiredValue, Edit, Edits, FieldKind, FieldName, Kept, LinkView, Pair,
    SeenOn, Take, Taken,
};
use serde_json::Value;

/// What is to become of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merged {
    /// Both sides have what they agreed on.
    Agreed,
    /// Changed, and alike: what they have is what they agree on from now on.
    Alike,
    /// The dialler gets the CRM's value.
    ToDialler,
    /// The CRM gets the dialler's value.
    ToCrm,
    /// A person must say which value stands.
    Conflict,
}

/// One field as both sides have it.
#[derive(Debug, Clone, Copy)]
pub struct Sides<'a> {
    /// The field.
    pub field: FieldName,
    /// What they last agreed on; `None`: never, which is as if both had had it empty.
    pub base: Option<&'a Pair>,
    /// What the CRM has.
    pub crm: &'a DesiredValue,
    /// What the dialler was seen to have, and what decides a conflict.
    pub edit: &'a Edit,
}

/// Decides about one field. Each side is compared with its own half of the base only.
pub fn merge(sides: Sides<'_>) -> Merged {
    let Sides { field, base, crm, edit } = sides;
    let (crm_moved, dialler_moved) = match base {
        Some(pair) => {
            (!is_unmoved(field, &pair.crm, &crm.crm), !says_the_same(field, &edit.dialler, &pair.dialler))
        }
        None => (!crm.is_empty(), !is_empty(&edit.dialler)),
    };
    let alike = says_the_same(field, &edit.dialler, &crm.send);
    match (crm_moved, dialler_moved) {
        (false, false) => Merged::Agreed,
        (true, _) | (_, true) if alike => match edit.on {
            SeenOn::Contact => Merged::Alike,
            // The CRM has it; the contact that came after the one it was seen on has not.
            SeenOn::ContactBefore => Merged::ToDialler,
        },
        (true, false) => Merged::ToDialler,
        (false, true) => match said(crm, edit) {
            Some(take) => taking(take),
            None if must_be_asked(field, crm, edit) => Merged::Conflict,
            None => Merged::ToCrm,
        },
        (true, true) => match (said(crm, edit), edit.rule) {
            (Some(take), _) => taking(take),
            (None, ConflictRule::Crm) => Merged::ToDialler,
            (None, ConflictRule::Dialler) if !must_be_asked(field, crm, edit) => Merged::ToCrm,
            (None, ConflictRule::Dialler | ConflictRule::Ask) => Merged::Conflict,
        },
    }
}

/// A person's word, if it was said of the value that the CRM has.
fn said(crm: &DesiredValue, edit: &Edit) -> Option<Take> {
    edit.word.as_ref().filter(|word| word.against == crm.crm).map(|word| word.take)
}

fn taking(take: Take) -> Merged {
    match take {
        Take::Crm => Merged::ToDialler,
        Take::Dialler => Merged::ToCrm,
    }
}

/// Whether the dialler's value would destroy something in the CRM that the agent never saw or hardly meant: the rest of
/// a text that was cut for the dialler, a name, a number.
fn must_be_asked(field: FieldName, crm: &DesiredValue, edit: &Edit) -> bool {
    let spec = field.spec();
    let text = match spec.kind {
        FieldKind::Text(_) | FieldKind::LongText => true,
        FieldKind::Phone | FieldKind::Number | FieldKind::DateTime => false,
    };
    let was_cut = text && crm.crm != crm.send;
    let emptied = is_empty(&edit.dialler) && (field.is_phone() || !spec.clearable);
    was_cut || emptied
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_str() == Some("")
}

fn of<'a>(field: FieldName, crm: &'a DesiredValue, base: &'a Base, edit: &'a Edit) -> Sides<'a> {
    Sides { field, base: base.get(&field), crm, edit }
}

/// As [`changed_fields`], with what the dialler's side changed merged into it: what stays there, goes to the CRM or waits
/// for a person is not sent, nor is what is the dialler's.
pub fn merged_changes(desired: &Desired, base: &Base, link: &LinkView) -> Vec<FieldChange> {
    let mut changes = changed_fields(desired, base);
    changes
        .retain(|change| !link.edits.contains_key(&change.field) && !stays(change.field, base, &link.kept));
    let edited = link.edits.iter().filter_map(|(field, edit)| {
        let crm = desired.get(field)?;
        match merge(of(*field, crm, base, edit)) {
            Merged::ToDialler => {
                let before = held(edit, base.get(field));
                Some(FieldChange { field: *field, before, send: crm.send.clone() })
            }
            Merged::Agreed | Merged::Alike | Merged::ToCrm | Merged::Conflict => None,
        }
    });
    changes.extend(edited);
    changes.sort_by_key(|change| change.field);
    changes
}

/// Changed fields that are the dialler's: a recorded skip.
pub(super) fn kept_changes(desired: &Desired, base: &Base, kept: &Kept) -> Vec<FieldName> {
    let changes = changed_fields(desired, base).into_iter().map(|change| change.field);
    changes.filter(|field| stays(*field, base, kept)).collect()
}

/// Whether the dialler keeps what it has. A field that the import does not take is sent once, behind it.
fn stays(field: FieldName, base: &Base, kept: &Kept) -> bool {
    let was_sent = match field.spec().taken {
        Taken::Import | Taken::Both => true,
        Taken::Update => base.contains_key(&field),
    };
    was_sent && kept.contains(&field)
}

/// The pairs of those fields that both sides changed alike.
pub fn alike_pairs(desired: &Desired, base: &Base, edits: &Edits) -> Base {
    let alike = edits.iter().filter_map(|(field, edit)| {
        let crm = desired.get(field)?;
        match merge(of(*field, crm, base, edit)) {
            Merged::Alike => Some((*field, Pair { crm: crm.crm.clone(), dialler: edit.dialler.clone() })),
            Merged::Agreed | Merged::ToDialler | Merged::ToCrm | Merged::Conflict => None,
        }
    });
    alike.collect()
}

/// The base with what was seen in the dialler in the place of what was agreed on: what an update writes over.
pub fn edited_base(base: &Base, edits: &Edits) -> Base {
    let mut seen = base.clone();
    for (field, edit) in edits {
        let crm = base.get(field).map_or(Value::Null, |pair| pair.crm.clone());
        seen.insert(*field, Pair { crm, dialler: held(edit, base.get(field)) });
    }
    seen
}

/// What the present contact holds in an edited field.
fn held(edit: &Edit, base: Option<&Pair>) -> Value {
    match edit.on {
        SeenOn::Contact => edit.dialler.clone(),
        SeenOn::ContactBefore => base.map_or(Value::Null, |pair| pair.dialler.clone()),
    }
}
