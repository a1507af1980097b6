//! What somebody else wrote into a contact that is to be out of reach: an import beside us that overwrites a name, or a column
//! that we know nothing of, overwrites the lock as well, and changes neither counters nor numbers (users 7).

use crate::domain::{Base, Contact, FieldKind, FieldName, Taken};
use crate::ledger::{LockedBase, Overseen};
use crate::sync::{is_found, owned_by_crm, says_the_same};
use sha2::{Digest as _, Sha256};

/// What a locked contact shows, where that is something else than before; and whether somebody else's hand shows in it.
pub(super) fn look(before: &LockedBase, contact: &Contact) -> Option<Overseen> {
    let (fields, rest) = (digest(&before.base, contact), rest(&before.base, contact));
    let written = fields != before.overseen && fields.is_some();
    let changed = before.rest.as_deref().is_some_and(|before| is_another(before, &rest));
    let news = fields != before.overseen || before.rest.as_ref() != Some(&rest);
    news.then_some(Overseen { fields, rest, by_others: written || changed })
}

/// So many bytes say which fields a digest of the rest is of.
const NAMES: usize = 8;

/// A digest of the texts that no side has agreed on, behind one of their names. Not those that agents write, nor those of the
/// dialler's own course, nor what we wrote there beside the record's values, as a mark.
fn rest(base: &Base, contact: &Contact) -> Vec<u8> {
    let (mut names, mut values) = (Sha256::new(), Sha256::new());
    for field in FieldName::all().filter(|field| is_a_text(*field) && base.get(field).is_none_or(is_found)) {
        let Some(shown) = contact.fields.get(field.as_str()) else { continue };
        names.update(field.as_str().as_bytes());
        names.update([0]);
        // Nobody's hand shows in another way of saying that there is nothing.
        let empty = shown.is_null() || shown.as_str() == Some("");
        values.update(if empty { Vec::new() } else { shown.to_string().into_bytes() });
        values.update([0]);
    }
    let mut digest = names.finalize()[..NAMES].to_vec();
    digest.extend(values.finalize());
    digest
}

/// Of other fields, as after a changed mapping, it says nothing.
fn is_another(before: &[u8], now: &[u8]) -> bool {
    before != now && before.get(..NAMES) == now.get(..NAMES)
}

fn is_a_text(field: FieldName) -> bool {
    let text = match field.spec().kind {
        FieldKind::Text(_) | FieldKind::LongText | FieldKind::Number => true,
        // Numbers are a part of the face, and an end date may be our own.
        FieldKind::Phone | FieldKind::DateTime => false,
    };
    text && owned_by_crm(field) && field.spec().taken != Taken::Import
}

/// A digest of what is not as both sides agreed, `None` where everything is. A field that the answer does not have says
/// nothing; nor does one that the two sides never had alike.
fn digest(base: &Base, contact: &Contact) -> Option<Vec<u8>> {
    let mut hash = Sha256::new();
    let mut any = false;
    for (field, pair) in base {
        let Some(shown) = contact.fields.get(field.as_str()) else { continue };
        let agreed = !pair.crm.is_object() && owned_by_crm(*field) && field.spec().taken != Taken::Import;
        if agreed && !says_the_same(*field, shown, &pair.dialler) {
            any = true;
            hash.update(field.as_str().as_bytes());
            hash.update([0]);
            hash.update(shown.to_string().as_bytes());
            hash.update([0]);
        }
    }
    any.then(|| hash.finalize().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{FieldName, Pair};
    use serde_json::{Value, json};

    fn contact(fields: &Value) -> Contact {
        Contact::from_fields(fields.as_object().cloned().expect("an object")).expect("a contact")
    }

    #[test]
    fn another_company_is_seen_though_no_side_agreed_on_it_and_a_field_that_is_new_is_none() {
        let name = FieldName::parse("Name").expect("a field");
        let company = FieldName::parse("Company").expect("a field");
        let base = Base::from([(name, Pair { crm: json!("Ada"), dialler: json!("Ada") })]);
        let of = |base: &Base, fields: Value| rest(base, &contact(&fields));
        let plain = of(&base, json!({ "ID": 7, "Name": "Ada", "Company": "", "Comment": "x" }));
        for (alike, fields) in [
            ("nothing there", json!({ "ID": 7, "Name": "Ada", "Company": null, "Comment": "x" })),
            ("what agents write", json!({ "ID": 7, "Name": "Ada", "Company": "", "Comment": "y" })),
            ("what was agreed on", json!({ "ID": 7, "Name": "Eve", "Company": "", "Comment": "x" })),
            ("what is not shown", json!({ "ID": 7, "Name": "Ada", "Comment": "x" })),
            (
                "what is shown anew",
                json!({ "ID": 7, "Name": "Ada", "Company": "", "Tag": "t", "Comment": "x" }),
            ),
        ] {
            assert!(!is_another(&plain, &of(&base, fields)), "{alike}");
        }
        let acme = json!({ "ID": 7, "Name": "Ada", "Company": "Acme", "Comment": "x" });
        assert!(is_another(&plain, &of(&base, acme.clone())));
        let mapped = Base::from([(company, Pair { crm: json!("Acme"), dialler: json!("Acme") })]);
        assert!(!is_another(&plain, &of(&mapped, acme)), "it is mapped now");
        let tag = FieldName::parse("Tag").expect("a field");
        let mark = Base::from([(tag, Pair { crm: json!({ "mark": "left" }), dialler: json!("left") })]);
        let left = |text: &str| of(&mark, json!({ "ID": 7, "Tag": text }));
        assert_eq!(left(""), left("left"), "a mark is our own");
    }

    #[test]
    fn another_name_is_seen_and_what_agents_change_is_not() {
        let name = FieldName::parse("Name").expect("a field");
        let base = Base::from([(name, Pair { crm: json!("Ada"), dialler: json!("Ada") })]);
        let with = |fields: Value| digest(&base, &contact(&fields));
        assert_eq!(
            with(json!({ "ID": 7, "Name": "Ada", "Comment": "called", "nTriesPhoneNumber1": 3 })),
            None
        );
        assert_eq!(with(json!({ "ID": 7 })), None, "a field that is not shown says nothing");
        let (one, another) = (with(json!({ "ID": 7, "Name": "A" })), with(json!({ "ID": 7, "Name": "B" })));
        assert!(one.is_some() && another.is_some() && one != another, "each writing shows once");
    }
}
