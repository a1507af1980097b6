//! What a sweep compares of a contact: the fingerprint of what the dialler writes, and its face (key,
//! campaign, numbers), by which blocks and keys find it.

use super::budget::{likely_at, next_try};
use super::{HarvestContext, Notes};
use crate::domain::field::PHONE_SLOTS;
use crate::domain::{CampaignId, Contact};
use crate::ledger::{ContactSeen, InvalidSlot};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Whether only the dialler and its agents write a field: counters, causes, results, dates of the next try,
/// follow-ups and reservations. The mapped fields are the CRM's, and changing one of them costs no history.
///
/// A list of patterns and not "everything that no route maps": an unknown field that moves by itself (a
/// random order) would make every contact look changed in every sweep. What it misses, the audit finds.
pub(in crate::jobs) fn is_dialler_owned(field: &str) -> bool {
    const PREFIXES: [&str; 6] =
        ["nTries", "nPhoneNumber", "bPhoneNumber", "FollowUp", "Reserved", "dtNextTry"];
    PREFIXES.iter().any(|prefix| field.starts_with(prefix))
        || field == "bLastResultMailbox"
        || field.contains("LastAcdAgentEndReasonsID")
        || field.contains("ResultCodes")
}

/// Hash of the dialler-owned fields. A field that is `null` and one that is not there are the same.
pub(in crate::jobs) fn fingerprint(contact: &Contact) -> Vec<u8> {
    let mut own: Vec<(&String, &Value)> = contact
        .fields
        .iter()
        .filter(|(name, value)| !value.is_null() && !value.is_object() && is_dialler_owned(name))
        .collect();
    own.sort_unstable_by_key(|(name, _)| *name);
    let mut hasher = Sha256::new();
    for (name, value) in own {
        hasher.update(name.as_bytes());
        hasher.update([0]);
        match value {
            Value::String(text) => hasher.update(text.as_bytes()),
            other => hasher.update(other.to_string().as_bytes()),
        }
        hasher.update([0]);
    }
    hasher.finalize().to_vec()
}

/// Hash of UserData, campaign and numbers; `revision` says how numbers are read (the country), so that a
/// change of it brings the index of numbers up to date.
pub(super) fn face(contact: &Contact, campaign: Option<CampaignId>, revision: &str) -> Vec<u8> {
    let mut hasher = Sha256::new();
    hasher.update(revision.as_bytes());
    hasher.update([0]);
    hasher.update(contact.user_data.as_deref().unwrap_or_default().as_bytes());
    hasher.update([0]);
    hasher.update(contact.campaign.or(campaign).map_or(0, |c| c.0).to_le_bytes());
    for (_, number) in contact.numbers() {
        hasher.update(number.as_bytes());
        hasher.update([0]);
    }
    hasher.finalize().to_vec()
}

/// Everything the ledger keeps of a contact. Reading the numbers costs more than all the rest, so this is
/// only done for contacts that are stored.
pub(super) fn seen(ctx: &HarvestContext, contact: &Contact, campaign: Option<CampaignId>) -> ContactSeen {
    ContactSeen {
        id: contact.id,
        campaign: contact.campaign.or(campaign),
        user_data: contact.user_data.clone(),
        face: face(contact, campaign, &ctx.settings.numbers_revision),
        numbers: contact.numbers().filter_map(|(_, number)| (ctx.to_e164)(number)).collect(),
        tries: contact.tries(),
        result: carries_result(contact).then(|| contact.result_code()),
        likely_at: likely_at(ctx, contact),
        next_try: next_try(ctx, contact),
        invalid: invalid(ctx, contact),
        comment: match ctx.settings.notes {
            Notes::Left => None,
            Notes::Kept => {
                contact.fields.get("Comment").map(|text| text.as_str().unwrap_or_default().to_owned())
            }
        },
    }
}

/// The slots that the dialler marks as invalid, with the numbers in them.
fn invalid(ctx: &HarvestContext, contact: &Contact) -> Vec<InvalidSlot> {
    let marked = |slot: &usize| *contact.get(&format!("bPhoneNumber{slot}Invalid")) == Value::Bool(true);
    let of = |slot: usize| {
        let text =
            contact.get(&format!("PhoneNumber{slot}")).as_str().filter(|text| !text.trim().is_empty())?;
        let cause = contact.get(&format!("nPhoneNumber{slot}LastCause")).as_i64();
        Some(InvalidSlot { slot, number: (ctx.to_e164)(text).unwrap_or_else(|| text.to_owned()), cause })
    };
    (1..=PHONE_SLOTS.len()).filter(marked).filter_map(of).collect()
}

/// Whether the answer shows the current result code at all, be it empty.
pub(in crate::jobs) fn carries_result(contact: &Contact) -> bool {
    contact.fields.contains_key("DiallerCampaignsResultCodesID")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn contact(change: impl FnOnce(&mut serde_json::Map<String, Value>)) -> Contact {
        let mut fields = json!({
            "ID": 7, "DiallerCampaignsID": 3, "UserData": "leads-1", "Name": "A", "PhoneNumber1": "4930123",
            "nTriesPhoneNumber1": 0, "nPhoneNumber1LastCause": null, "bPhoneNumber1Invalid": null,
            "dtNextTry": null, "bLastResultMailbox": null, "RandomSortOrder": 5
        });
        change(fields.as_object_mut().expect("an object"));
        Contact::from_fields(fields.as_object().expect("an object").clone()).expect("a contact")
    }

    #[test]
    fn the_fingerprint_moves_with_what_the_dialler_writes_only() {
        let base = fingerprint(&contact(|_| ()));
        let with =
            |name: &str, value: Value| fingerprint(&contact(|f| drop(f.insert(name.to_owned(), value))));
        for (name, value) in [
            ("nTriesPhoneNumber6", json!(1)),
            ("nPhoneNumber1LastCause", json!(16)),
            ("bPhoneNumber1Invalid", json!(true)),
            ("dtNextTry", json!("2030-01-01T00:00:00")),
            ("DiallerCampaignsResultCodesID", json!(2811)),
            ("PhoneNumber3LastAcdAgentEndReasonsID", json!(1)),
            ("LastAcdAgentEndReasonsID", json!(1)),
            ("bLastResultMailbox", json!(true)),
            ("FollowUpDateTime", json!("2030-01-01T00:00:00")),
            ("FollowUpUsersUID", json!("anna")),
            ("ReservedUsersUID", json!("anna")),
        ] {
            assert_ne!(with(name, value), base, "{name}");
        }
        for (name, value) in [
            ("Name", json!("B")),
            ("PhoneNumber1", json!("4930999")),
            ("Comment", json!("x")),
            ("RandomSortOrder", json!(6)),
            ("nTriesPhoneNumber2", Value::Null),
        ] {
            assert_eq!(with(name, value), base, "{name}");
        }
    }

    #[test]
    fn the_face_moves_with_key_campaign_numbers_and_how_numbers_are_read() {
        let base = face(&contact(|_| ()), None, "DE");
        let with =
            |name: &str, value: Value| face(&contact(|f| drop(f.insert(name.to_owned(), value))), None, "DE");
        assert_ne!(with("UserData", json!("leads-2")), base);
        assert_ne!(with("DiallerCampaignsID", json!(4)), base);
        assert_ne!(with("PhoneNumber2", json!("4930124")), base);
        assert_ne!(face(&contact(|_| ()), None, "AT"), base);
        assert_eq!(with("nTriesPhoneNumber1", json!(1)), base);
    }
}
