//! What somebody else wrote into the CRM's fields of a contact that is to be out of reach: an import beside us that
//! overwrites a name overwrites the lock as well, and changes neither counters nor numbers (users 7).

use crate::domain::{Base, Contact, Taken};
use crate::sync::{owned_by_crm, says_the_same};
use sha2::{Digest as _, Sha256};

/// A digest of what is not as both sides agreed, `None` where everything is. A field that the answer does not have says
/// nothing; nor does one that the two sides never had alike.
pub(super) fn digest(base: &Base, contact: &Contact) -> Option<Vec<u8>> {
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
