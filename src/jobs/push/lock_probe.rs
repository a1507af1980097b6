//! The first lock of all is looked at before and after: whether, and by which field, this dialler shows a lock stands
//! in no document, and what it does not show can never be verified (users 7).

use super::Work;
use crate::domain::{Contact, ContactId, LockState};
use crate::jobs::JobError;
use crate::jobs::harvest::is_dialler_owned;
use crate::ledger::{Leased, LockShown};
use crate::remote::CallClass;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// A lock is not held up for longer by curiosity.
const PATIENCE: Duration = Duration::from_secs(2);

impl Work<'_> {
    /// The contact as it stands before its lock, where that will teach something.
    pub(super) async fn before_lock(
        &self,
        lock: &Leased,
        contact: ContactId,
    ) -> Result<Option<Contact>, JobError> {
        let first = lock.attempts == 0 && lock.view.lock == LockState::Open;
        if !first || self.context.ledger.lock_shown().await? != LockShown::Unknown {
            return Ok(None);
        }
        // One of a run: where reads hang, a wave of locks must not wait for each of them.
        if self.tally(|tally| std::mem::replace(&mut tally.probed, true)) {
            return Ok(None);
        }
        Ok(self.look(contact).await)
    }

    /// Compares it with how it stands now; what cannot be read teaches nothing, and the next lock is looked at.
    pub(super) async fn after_lock(&self, before: &Contact) -> Result<(), JobError> {
        if let Some(after) = self.look(before.id).await {
            self.context.ledger.lock_shown_learn(compare(before, &after)).await?;
        }
        Ok(())
    }

    async fn look(&self, contact: ContactId) -> Option<Contact> {
        self.count(|counts| counts.requests += 1);
        let read = self.context.read.contact(contact, CallClass::Lock);
        tokio::time::timeout(PATIENCE, read).await.ok()?.ok()?
    }
}

/// A lock is a flag or a number: what an agent types or the dialler counts in the same moment is none.
fn compare(before: &Contact, after: &Contact) -> LockShown {
    let fields: BTreeMap<String, (Value, Value)> = before
        .fields
        .keys()
        .chain(after.fields.keys())
        .filter(|name| !is_dialler_owned(name))
        .map(|name| (name, before.get(name), after.get(name)))
        .filter(|(_, was, is)| was != is && is_flag(was) && is_flag(is))
        .map(|(name, was, is)| (name.clone(), (was.clone(), is.clone())))
        .collect();
    if fields.is_empty() { LockShown::Nowhere } else { LockShown::By { fields } }
}

fn is_flag(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
        Value::String(_) | Value::Array(_) | Value::Object(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn contact(fields: Value) -> Contact {
        Contact::from_fields(fields.as_object().expect("an object").clone()).expect("a contact")
    }

    #[test]
    fn a_flag_that_turned_is_a_lock_and_what_people_and_calls_change_is_none() {
        let before = contact(json!({ "ID": 1, "bLocked": null, "Comment": "a", "nTriesPhoneNumber1": 0 }));
        let busy =
            json!({ "ID": 1, "bLocked": null, "Comment": "b", "nTriesPhoneNumber1": 1, "dtNextTry": null });
        assert_eq!(compare(&before, &contact(busy)), LockShown::Nowhere);
        let locked = contact(json!({ "ID": 1, "bLocked": true, "Comment": "b", "nTriesPhoneNumber1": 1 }));
        let fields = BTreeMap::from([("bLocked".to_owned(), (json!(null), json!(true)))]);
        assert_eq!(compare(&before, &locked), LockShown::By { fields });
        let without = contact(json!({ "ID": 1 }));
        let fields = BTreeMap::from([("bLocked".to_owned(), (json!(null), json!(true)))]);
        assert_eq!(
            compare(&without, &locked),
            LockShown::By { fields },
            "a field that only a locked one has"
        );
    }
}
