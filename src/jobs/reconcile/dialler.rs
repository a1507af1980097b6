//! The dialler against the ledger: the campaign's list, streamed, and the histories of everybody who was called.

use super::Look;
use crate::dialler::{BatchQuery, Listed};
use crate::domain::policy::AdoptConflict;
use crate::domain::{Base, Contact, ContactId, DriftKind, FieldName, Suspect, Suspects, Taken};
use crate::jobs::JobError;
use crate::jobs::harvest::fingerprint;
use crate::ledger::{CalledContact, ListedContact, OurContact, Question, Unheld};
use crate::mapping::Template;
use crate::remote::CallClass;
use crate::sync::{owned_by_crm, says_the_same};
use futures_util::StreamExt as _;
use serde_json::Value;
use std::collections::BTreeSet;

/// So many contacts are noted, and compared, together.
const CHUNK: usize = 200;

impl Look<'_> {
    pub(super) async fn dialler(&mut self) -> Result<(), JobError> {
        let differs = self.list().await?;
        let (count, mut confirmed) = (differs.count, Vec::new());
        for suspect in &differs.first {
            confirmed.extend(self.confirm_fields(suspect).await?);
        }
        self.add(DriftKind::ContactDiffers, count, confirmed);
        let missing = self.suspects(Question::ContactMissing).await?;
        let (mut confirmed, mut unread) = (Vec::new(), 0_u64);
        for suspect in missing.first {
            match self.is_away(&suspect).await? {
                Away::Yes => confirmed.push(suspect),
                Away::No => {}
                Away::Unread => unread += 1,
            }
        }
        self.unread += unread;
        self.add(DriftKind::ContactMissing, missing.count, confirmed);
        let doubled = self.suspects(Question::ContactDoubled).await?;
        let mut confirmed = Vec::new();
        for suspect in doubled.first {
            if let Some(contact) = suspect.contact
                && self.read_one(contact).await?.is_some()
            {
                confirmed.push(suspect);
            }
        }
        self.add(DriftKind::ContactDoubled, doubled.count, confirmed);
        self.unheld(DriftKind::ContactUnlinked, Unheld::OfKnown).await?;
        if self.comparable() {
            self.unheld(DriftKind::ContactOrphaned, Unheld::OfNobody).await?;
        }
        let locks = self.suspects(Question::LockMissing).await?;
        self.add(DriftKind::LockMissing, locks.count, locks.first);
        self.histories().await?;
        if self.unread > 0 {
            let text = format!(
                "{} contacts that cannot be read by themselves; they may be missing or differ",
                self.unread
            );
            self.told.not_compared.push(text);
        }
        Ok(())
    }

    /// Absence from a list that was cut is no absence: such a list ends the look.
    async fn list(&mut self) -> Result<Suspects, JobError> {
        let mut list = self.looker.dialler.list_contacts(Some(self.campaign), CallClass::Audit).await?;
        let mut differs = Suspects::default();
        let (mut chunk, mut bad) = (Vec::with_capacity(CHUNK), 0);
        loop {
            self.stop_if_ending()?;
            match list.next().await {
                Some(Ok(Listed::Contact(contact))) => chunk.push(contact),
                Some(Ok(Listed::Bad(_))) => bad += 1,
                Some(Err(error)) => return Err(error.into()),
                None => break,
            }
            if chunk.len() == CHUNK {
                self.compare(std::mem::take(&mut chunk), ReadBy::List, &mut differs).await?;
            }
        }
        self.compare(chunk, ReadBy::List, &mut differs).await?;
        self.elsewhere(&mut differs).await?;
        if bad > 0 {
            let text = format!(
                "{bad} elements of the campaign's list, which cannot be read; they may be among the missing"
            );
            self.told.not_compared.push(text);
        }
        Ok(differs)
    }

    pub(super) async fn compare(
        &mut self,
        chunk: Vec<Contact>,
        by: ReadBy,
        differs: &mut Suspects,
    ) -> Result<(), JobError> {
        self.told.contacts += chunk.len() as u64;
        let template = self.looker.route.mapping.template();
        let listed = chunk.iter().map(|contact| listed(contact, by, template)).collect();
        let ours = self.book.contacts_listed(self.looker.route.route.clone(), listed).await?;
        let mut contacts = chunk.into_iter().peekable();
        for our in ours {
            // In the list's order, as they were noted.
            let Some(contact) = contacts.find(|contact| contact.id == our.contact) else { continue };
            if !our.busy && !self.different(&our.base, &contact).is_empty() {
                differs.add(|| suspect(&our, String::new()));
            }
        }
        Ok(())
    }

    /// Reads it by itself; the ledger before and after it must say the same, else something went on meanwhile.
    pub(super) async fn confirm_fields(&mut self, suspected: &Suspect) -> Result<Option<Suspect>, JobError> {
        let Some(contact) = suspected.contact else { return Ok(None) };
        let route = &self.looker.route.route;
        let Some(before) = self.book.contact_ours(route.clone(), contact).await? else { return Ok(None) };
        let Some(read) = self.read_one(contact).await? else { return Ok(None) };
        let after = self.book.contact_ours(route.clone(), contact).await?;
        if before.busy || after.as_ref() != Some(&before) {
            return Ok(None);
        }
        let fields = self.different(&before.base, &read);
        if fields.is_empty() {
            return Ok(None);
        }
        let told: Vec<String> = fields
            .iter()
            .map(|field| {
                let agreed = before.base.get(field).map_or(&Value::Null, |pair| &pair.dialler);
                format!("{}: {agreed} -> {}", field.as_str(), read.get(field.as_str()))
            })
            .collect();
        let seen = fields.iter().map(|field| (*field, read.get(field.as_str()).clone())).collect();
        self.told.fields.push((before.link, seen));
        Ok(Some(suspect(&before, told.join(", "))))
    }

    fn different(&self, base: &Base, contact: &Contact) -> Vec<FieldName> {
        different(base, contact, &self.looker.theirs, self.looker.route.policy.adopt_conflict)
    }

    /// Reads one by itself; one that the dialler cannot show is counted, and ends no look.
    async fn read_one(&mut self, contact: ContactId) -> Result<Option<Contact>, JobError> {
        match self.looker.dialler.contact(contact, CallClass::Audit).await {
            Ok(read) => Ok(read),
            Err(error) if error.speaks_of_the_side() => Err(error.into()),
            Err(_) => {
                self.unread += 1;
                Ok(None)
            }
        }
    }

    pub(super) async fn is_away(&self, suspected: &Suspect) -> Result<Away, JobError> {
        let Some(contact) = suspected.contact else { return Ok(Away::No) };
        match self.looker.dialler.contact(contact, CallClass::Audit).await {
            Ok(Some(_)) => return Ok(Away::No),
            Ok(None) => {}
            Err(error) if error.speaks_of_the_side() => return Err(error.into()),
            Err(_) => return Ok(Away::Unread),
        }
        let ours = self.book.contact_ours(self.looker.route.route.clone(), contact).await?;
        Ok(if ours.is_some() { Away::Yes } else { Away::No })
    }

    /// Contacts with keys of ours that are nobody's: each is read by itself, and the ledger once more after that.
    async fn unheld(&mut self, kind: DriftKind, whose: Unheld) -> Result<(), JobError> {
        let suspects = self.suspects(Question::Unheld(whose)).await?;
        let mut confirmed = Vec::new();
        for suspect in suspects.first {
            self.stop_if_ending()?;
            let Some(contact) = suspect.contact else { continue };
            let Some(read) = self.read_one(contact).await? else { continue };
            // An answer without the campaign cannot say that it is another one.
            let here = read.campaign.is_none_or(|campaign| campaign == self.campaign);
            let Some(user_data) = read.user_data.filter(|_| here) else { continue };
            let route = self.looker.route.route.clone();
            if self.book.still_unheld(route, whose, contact, user_data).await? {
                confirmed.push(suspect);
            }
        }
        self.add(kind, suspects.count, confirmed);
        Ok(())
    }

    /// The histories of everybody who was called, a hundred at once where the dialler offers it.
    async fn histories(&mut self) -> Result<(), JobError> {
        let (mut after, mut missing, mut unread) = (ContactId(0), Suspects::default(), 0_u64);
        loop {
            self.stop_if_ending()?;
            let called = self.book.called(self.looker.route.route.clone(), after).await?;
            let Some(last) = called.last() else { break };
            after = last.id;
            for contact in self.read_together(called, &mut missing).await? {
                unread += u64::from(!self.read_alone(&contact, &mut missing).await?);
            }
        }
        if unread > 0 {
            let text = format!("the calls of {unread} contacts, whose histories the dialler does not tell");
            self.told.not_compared.push(text);
        }
        self.add(DriftKind::CallMissing, missing.count, missing.first);
        Ok(())
    }

    /// Reads them by one request; answers whom it did not tell of. One of them may spoil it for all: these are read alone.
    async fn read_together(
        &mut self,
        mut called: Vec<CalledContact>,
        missing: &mut Suspects,
    ) -> Result<Vec<CalledContact>, JobError> {
        let ids = called.iter().map(|contact| contact.id).collect();
        let query = BatchQuery { user_data: Vec::new(), ids };
        let read = match self.looker.dialler.read_batch(&query, CallClass::Audit).await {
            Ok(read) => read.unwrap_or_default(),
            Err(error) if error.speaks_of_the_side() => return Err(error.into()),
            Err(_) => Vec::new(),
        };
        for one in read {
            let Some(place) = called.iter().position(|contact| contact.id == one.contact.id) else {
                continue;
            };
            let listed = called.swap_remove(place);
            self.told.histories += 1;
            // Not by the fingerprint: a batch read shows more fields than a list.
            if one.contact.tries() == listed.tries {
                let rows = one.history.iter().map(|row| row.id.0).collect();
                self.note_unknown(listed.id, self.book.calls_unknown(rows).await?, missing);
            }
        }
        Ok(called)
    }

    /// Reads one by itself; answers whether its history is told.
    async fn read_alone(&mut self, listed: &CalledContact, missing: &mut Suspects) -> Result<bool, JobError> {
        let rows = match self.looker.dialler.history(listed.id, CallClass::Audit).await {
            Ok(rows) => rows.unwrap_or_default(),
            Err(error) if error.speaks_of_the_side() => return Err(error.into()),
            Err(_) => return Ok(false),
        };
        self.told.histories += 1;
        let unknown = self.book.calls_unknown(rows.iter().map(|row| row.id.0).collect()).await?;
        if unknown.is_empty() {
            return Ok(true);
        }
        let now = self.read_one(listed.id).await?;
        if now.is_some_and(|contact| contact.tries() == listed.tries) {
            self.note_unknown(listed.id, unknown, missing);
        }
        Ok(true)
    }

    fn note_unknown(&self, contact: ContactId, calls: Vec<i64>, missing: &mut Suspects) {
        for call in calls {
            let details = format!("call {call}");
            missing.add(|| Suspect { record: None, contact: Some(contact), link: None, details });
        }
    }
}

/// Whether a contact of ours is gone from the dialler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Away {
    /// It is.
    Yes,
    /// It is there, or no longer ours.
    No,
    /// The dialler does not tell, of this one.
    Unread,
}

/// How a contact came to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadBy {
    /// In the campaign's list.
    List,
    /// By its number, which shows more fields than a list.
    Number,
}

fn listed(contact: &Contact, by: ReadBy, template: &Template) -> ListedContact {
    ListedContact {
        id: contact.id,
        user_data: contact.user_data.clone(),
        keyed: contact.user_data.as_deref().and_then(|key| template.record_of(key)),
        called: contact.tries() > 0 || contact.result_code().is_some(),
        fingerprint: match by {
            ReadBy::List => Some(fingerprint(contact)),
            ReadBy::Number => None,
        },
    }
}

fn suspect(our: &OurContact, details: String) -> Suspect {
    Suspect { record: Some(our.record.clone()), contact: Some(our.contact), link: Some(our.link), details }
}

/// The CRM's fields that are agreed on and hold something else in this answer. A field that the answer does not have
/// says nothing, and what agents may change is no drift.
fn different(
    base: &Base,
    contact: &Contact,
    theirs: &BTreeSet<FieldName>,
    adopted: AdoptConflict,
) -> Vec<FieldName> {
    base.iter()
        .filter(|(field, pair)| {
            // As found, and not agreed on yet.
            let agreed = !pair.crm.is_object();
            let shown = contact.fields.get(field.as_str());
            agreed
                && owned_by_crm(**field)
                && !theirs.contains(*field)
                // An update changes no such field.
                && field.spec().taken != Taken::Import
                // What adoption left as it was found, on purpose.
                && (adopted != AdoptConflict::KeepDialler || says_the_same(**field, &pair.dialler, &pair.crm))
                && shown.is_some_and(|shown| !says_the_same(**field, shown, &pair.dialler))
        })
        .map(|(field, _)| *field)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Pair;
    use serde_json::json;

    #[test]
    fn what_no_update_would_mend_is_no_drift() {
        let city = FieldName::parse("City").expect("a field");
        let shown = |name: &str| {
            let fields = json!({ "ID": 1, name: "Hof" });
            Contact::from_fields(fields.as_object().cloned().expect("an object")).expect("a contact")
        };
        let base =
            |name, crm, dialler| Base::from([(name, Pair { crm: json!(crm), dialler: json!(dialler) })]);
        let found = |name: FieldName, crm, dialler, adopted| {
            different(&base(name, crm, dialler), &shown(name.as_str()), &BTreeSet::new(), adopted)
        };
        assert_eq!(found(city, "Ulm", "Ulm", AdoptConflict::CrmOwned), [city]);
        assert_eq!(
            found(city, "Ulm", "Ulm", AdoptConflict::KeepDialler),
            [city],
            "agreed on, and edited since"
        );
        assert_eq!(
            found(city, "Ulm", "Bonn", AdoptConflict::KeepDialler),
            [],
            "left as it was found, on purpose"
        );
    }
}
