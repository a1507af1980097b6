//! What both sides can be said to agree on about a contact that was there before us, or that an unanswered import
//! may have made.
//!
//! Such a contact is often found while its record must not be called, so that nothing is known yet of the values the
//! CRM wants. Its values are kept as *found*: the CRM half of such a pair is an object, which no field's value ever
//! is, so it agrees with nothing. The first decision that knows what is wanted makes agreements of them.

use super::diff::says_the_same;
use crate::domain::policy::AdoptConflict;
use crate::domain::{Base, Contact, Desired, FieldName, LinkView, Pair, Values};
use serde_json::{Value, json};

/// The CRM half of a pair whose other half was found in the dialler and is judged by `adopt_conflict`.
fn found() -> Value {
    json!({ "found": true })
}

/// Whether a pair is of a value that was found in the dialler, and on which no side has agreed yet.
pub fn is_found(pair: &Pair) -> bool {
    pair.crm == found()
}

/// The CRM half of a pair that the CRM's value is to replace.
fn to_be_replaced() -> Value {
    json!({ "replaced": true })
}

/// The base of a contact that was found. What the link had agreed on and still stands there stays agreed; the rest
/// is as found.
pub fn found_base(contact: &Contact, agreed: &Base) -> Base {
    FieldName::all()
        .map(|field| {
            let dialler = contact.get(field.as_str()).clone();
            let pair = match agreed.get(&field) {
                Some(pair) if says_the_same(field, &dialler, &pair.dialler) => pair.clone(),
                Some(_) | None => Pair { crm: found(), dialler },
            };
            (field, pair)
        })
        .collect()
}

/// The base after an import in doubt turns out to have been made: what was sent and stands there is agreed, what
/// stands there otherwise is as found, and what was not sent is still to be sent.
pub fn made_base(link: &LinkView, sent: &Values, contact: &Contact) -> Base {
    sent.iter()
        .map(|(field, value)| {
            let dialler = contact.get(field.as_str()).clone();
            let crm = if says_the_same(*field, &dialler, value) {
                // A newer wish must stay different from the base: the dialler has what was sent.
                let same = link.desired.get(field).filter(|wish| wish.send == *value);
                same.map_or_else(|| value.clone(), |wish| wish.crm.clone())
            } else {
                found()
            };
            (*field, Pair { crm, dialler })
        })
        .collect()
}

/// Makes agreements of what was found, now that it is known what is wanted. `None`: nothing is as found.
///
/// A value that says the same on both sides is agreed on; a different one is kept, and agreed on too, where the
/// route leaves the field to the dialler. What is left is different from anything the CRM may have.
pub(super) fn agree(base: &Base, desired: &Desired, policy: AdoptConflict) -> Option<Base> {
    let found = found();
    if !base.values().any(|pair| pair.crm == found) {
        return None;
    }
    let agreed = base.iter().filter_map(|(field, pair)| {
        if pair.crm != found {
            return Some((*field, pair.clone()));
        }
        // Not mapped: nothing is ever said about it.
        let value = desired.get(field)?;
        let keep = match policy {
            AdoptConflict::KeepDialler => true,
            AdoptConflict::CrmOwned => !owned_by_crm(*field),
        };
        let crm = if keep || says_the_same(*field, &pair.dialler, &value.send) {
            value.crm.clone()
        } else {
            to_be_replaced()
        };
        Some((*field, Pair { crm, dialler: pair.dialler.clone() }))
    });
    Some(agreed.collect())
}

/// Master data belongs to the CRM; the free text that agents write, and what sets a contact's course
/// in the dialler, to the dialler.
pub fn owned_by_crm(field: FieldName) -> bool {
    !matches!(
        field.as_str(),
        "Comment" | "FollowUpDateTime" | "FollowUpUsersUID" | "ReservedUsersUID" | "RandomSortOrder"
    )
}
