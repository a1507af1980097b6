//! The simulated dialler's memory and the elementary things that can happen to it, each noted in the
//! journal.

use super::config::{DiallerConfig, FirstFound, LockInPreview, UserDataMatch};
use super::engine::Engine;
use super::judge::{Actor, Deed, What};
use super::model::{Dialling, SimCampaign, SimContact, SimRow, SimUser, Work};
use crate::domain::Timestamp;
use crate::sim::journal::Journal;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

/// Who does something, by which request, and when.
#[derive(Debug, Clone, Copy)]
pub struct Cause {
    /// Who.
    pub actor: Actor,
    /// The request's number in the journal, for a client's deed.
    pub request: Option<u64>,
    /// When.
    pub at: Timestamp,
}

/// Everything the simulated dialler remembers. Contacts change only through the functions here, so
/// that the indexes stay right.
#[derive(Debug)]
pub struct State {
    /// The switches.
    pub config: DiallerConfig,
    /// The campaigns by number.
    pub campaigns: BTreeMap<i64, SimCampaign>,
    /// The users, ordered by UID as the API gives them.
    pub users: Vec<SimUser>,
    /// The tokens that are accepted now.
    pub tokens: Vec<String>,
    /// The journal.
    pub journal: Journal<Deed>,
    /// The agents and what is under way.
    pub(super) engine: Engine,
    pub(super) rng: fastrand::Rng,
    contacts: BTreeMap<i64, Arc<SimContact>>,
    // Folded (trimmed, lower case) UserData: candidates for every way of matching but wildcards.
    by_key: HashMap<Box<str>, Vec<i64>>,
    by_name: BTreeSet<(Arc<str>, i64)>,
    rows: HashMap<i64, Vec<SimRow>>,
    /// Raised by every change of a contact: agents who found nobody need not look again before.
    pub(super) changes: u64,
    next_contact: i64,
    next_row: i64,
    next_statistics: i64,
}

fn folded(user_data: &str) -> Box<str> {
    user_data.trim().to_lowercase().into()
}

impl State {
    /// An empty dialler; `rng` decides what the reference leaves open and what agents do.
    pub fn new(config: DiallerConfig, journal: Journal<Deed>, rng: fastrand::Rng) -> Self {
        Self {
            tokens: config.tokens.clone(),
            config,
            campaigns: BTreeMap::new(),
            users: Vec::new(),
            journal,
            engine: Engine::default(),
            rng,
            contacts: BTreeMap::new(),
            by_key: HashMap::new(),
            by_name: BTreeSet::new(),
            rows: HashMap::new(),
            changes: 0,
            next_contact: 215_001,
            next_row: 1_001,
            next_statistics: 223_001,
        }
    }

    /// A contact.
    pub fn contact(&self, id: i64) -> Option<&Arc<SimContact>> {
        self.contacts.get(&id)
    }

    /// All contacts by ID.
    pub fn contacts(&self) -> impl ExactSizeIterator<Item = &Arc<SimContact>> {
        self.contacts.values()
    }

    /// Some contact, evenly enough: the next after a random ID.
    pub(super) fn any_contact(&mut self) -> Option<i64> {
        let (first, last) = (*self.contacts.first_key_value()?.0, *self.contacts.last_key_value()?.0);
        let from = self.rng.i64(first..=last);
        self.contacts.range(from..).next().map(|(id, _)| *id)
    }

    /// The contacts from an ID on, and then from the first.
    pub(super) fn contacts_from(&self, id: i64) -> impl Iterator<Item = &Arc<SimContact>> {
        self.contacts.range(id..).chain(self.contacts.range(..id)).map(|(_, contact)| contact)
    }

    /// The history of a contact, in the order in which the rows appeared.
    pub fn rows(&self, contact: i64) -> &[SimRow] {
        self.rows.get(&contact).map_or(&[], Vec::as_slice)
    }

    pub(super) fn row_mut(&mut self, contact: i64, row: i64) -> Option<&mut SimRow> {
        self.rows.get_mut(&contact)?.iter_mut().find(|known| known.id == row)
    }

    /// The contacts of a campaign, or all, ordered by name.
    pub fn by_name(&self, campaign: Option<i64>) -> impl Iterator<Item = &Arc<SimContact>> {
        self.by_name
            .iter()
            .filter_map(|(_, id)| self.contacts.get(id))
            .filter(move |contact| campaign.is_none_or(|campaign| contact.campaign == campaign))
    }

    /// The contacts that stand behind a place in the order of names.
    pub(super) fn after_name(
        &self,
        place: Option<&(Arc<str>, i64)>,
    ) -> impl Iterator<Item = &Arc<SimContact>> {
        let begin = place.map_or(Bound::Unbounded, Bound::Excluded);
        self.by_name.range((begin, Bound::Unbounded)).filter_map(|(_, id)| self.contacts.get(id))
    }

    /// The contacts whose UserData matches as this server matches, by ID; over the tenant without a
    /// campaign.
    pub fn find(&self, user_data: &str, campaign: Option<i64>) -> Vec<i64> {
        let in_campaign = |contact: &SimContact| campaign.is_none_or(|wanted| contact.campaign == wanted);
        let wildcards = self.config.userdata_match == UserDataMatch::Like && user_data.contains(['%', '_']);
        if wildcards {
            let pattern = user_data.to_lowercase();
            return self
                .contacts()
                .filter(|contact| in_campaign(contact))
                .filter(|contact| {
                    contact.user_data.as_ref().is_some_and(|known| like(&known.to_lowercase(), &pattern))
                })
                .map(|contact| contact.id)
                .collect();
        }
        let mut found: Vec<i64> = self
            .by_key
            .get(&folded(user_data))
            .into_iter()
            .flatten()
            .filter_map(|id| self.contacts.get(id))
            .filter(|contact| in_campaign(contact) && self.same_key(contact, user_data))
            .map(|contact| contact.id)
            .collect();
        found.sort_unstable();
        found
    }

    fn same_key(&self, contact: &SimContact, wanted: &str) -> bool {
        let Some(known) = contact.user_data.as_deref() else { return false };
        match self.config.userdata_match {
            UserDataMatch::Exact => known == wanted,
            UserDataMatch::CaseInsensitive | UserDataMatch::Like => {
                known.to_lowercase() == wanted.to_lowercase()
            }
            UserDataMatch::CaseInsensitiveTrimmed => folded(known) == folded(wanted),
        }
    }

    /// "The first one found in the database" of several.
    pub fn first_of(&mut self, found: &[i64]) -> Option<i64> {
        match self.config.first_found {
            FirstFound::Oldest => found.first().copied(),
            FirstFound::Newest => found.last().copied(),
            FirstFound::Any if found.is_empty() => None,
            FirstFound::Any => Some(found[self.rng.usize(..found.len())]),
        }
    }

    /// The contacts that have no UserData, by ID, in a campaign or in all.
    pub(super) fn without_key(&self, campaign: Option<i64>) -> Vec<i64> {
        self.contacts()
            .filter(|contact| contact.user_data.is_none())
            .filter(|contact| campaign.is_none_or(|wanted| contact.campaign == wanted))
            .map(|contact| contact.id)
            .collect()
    }

    pub(super) fn note(&self, cause: Cause, contact: &SimContact, what: What) {
        let deed =
            Deed { actor: cause.actor, contact: contact.id, user_data: contact.user_data.clone(), what };
        self.journal.effect(cause.at, cause.request, deed);
    }

    /// Makes a contact, reset and unlocked; `fill` gives it its fields.
    pub fn create(&mut self, cause: Cause, campaign: i64, fill: impl FnOnce(&mut SimContact)) -> i64 {
        self.changes += 1;
        let id = self.next_contact;
        self.next_contact += 1;
        let mut contact = SimContact {
            id,
            campaign,
            name: "".into(),
            user_data: None,
            given: Vec::new(),
            locked: false,
            work: Work::Free,
            imported: cause.at,
            reset: cause.at,
            dialling: Dialling::default(),
        };
        fill(&mut contact);
        contact.given.shrink_to_fit();
        self.note(cause, &contact, What::Created { campaign });
        self.index(&contact);
        self.contacts.insert(id, Arc::new(contact));
        id
    }

    fn index(&mut self, contact: &SimContact) {
        self.by_name.insert((Arc::clone(&contact.name), contact.id));
        if let Some(user_data) = &contact.user_data {
            self.by_key.entry(folded(user_data)).or_default().push(contact.id);
        }
    }

    fn unindex(&mut self, contact: &SimContact) {
        self.by_name.remove(&(Arc::clone(&contact.name), contact.id));
        let Some(user_data) = &contact.user_data else { return };
        let key = folded(user_data);
        if let Some(ids) = self.by_key.get_mut(&key) {
            ids.retain(|id| *id != contact.id);
            if ids.is_empty() {
                self.by_key.remove(&key);
            }
        }
    }

    /// Changes a contact and keeps the indexes right; `None` when it is not there.
    pub(super) fn alter<T>(&mut self, id: i64, change: impl FnOnce(&mut SimContact) -> T) -> Option<T> {
        self.changes += 1;
        let old = Arc::clone(self.contacts.get(&id)?);
        let mut contact = (*old).clone();
        let result = change(&mut contact);
        if old.name != contact.name || old.user_data != contact.user_data {
            self.unindex(&old);
            self.index(&contact);
        }
        self.contacts.insert(id, Arc::new(contact));
        Some(result)
    }

    /// Changes given fields; `change` names those that really changed. Notes nothing when none did.
    pub fn edit(
        &mut self,
        cause: Cause,
        id: i64,
        change: impl FnOnce(&mut SimContact) -> Vec<&'static str>,
    ) -> bool {
        let Some(fields) = self.alter(id, change) else { return false };
        if let Some(contact) = self.contacts.get(&id).filter(|_| !fields.is_empty()) {
            self.note(cause, contact, What::Updated { fields });
        }
        true
    }

    /// Locks or unlocks; false when there is no such contact.
    pub fn set_lock(&mut self, cause: Cause, id: i64, locked: bool) -> bool {
        let withdraws = locked && self.config.lock_in_preview == LockInPreview::Withdraws;
        let was = self.alter(id, |contact| {
            if withdraws && matches!(contact.work, Work::Offered(_)) {
                contact.work = Work::Free;
            }
            std::mem::replace(&mut contact.locked, locked)
        });
        let Some(was) = was else { return false };
        if let Some(contact) = self.contacts.get(&id) {
            self.note(cause, contact, if locked { What::Locked { was } } else { What::Unlocked { was } });
        }
        true
    }

    /// Resets: counters and causes to nothing, result and follow-up gone, as if just imported.
    pub fn reset(&mut self, cause: Cause, id: i64) -> bool {
        let there = self.clear_dialling(cause, id);
        if there && self.config.reset_unlocks && self.contact(id).is_some_and(|contact| contact.locked) {
            self.set_lock(cause, id, false);
        }
        there
    }

    /// What a reset does but for the lock, which an import decides for itself.
    pub(super) fn clear_dialling(&mut self, cause: Cause, id: i64) -> bool {
        let tries = self.alter(id, |contact| {
            contact.reset = cause.at;
            // As if it was just imported; but whoever talks with it goes on talking.
            if matches!(contact.work, Work::AwaitsResult { .. }) {
                contact.work = Work::Free;
            }
            for field in ["FollowUpUsersUID", "FollowUpDateTime"] {
                if let Some(place) = super::fields::place(field) {
                    contact.set(place, serde_json::Value::Null);
                }
            }
            std::mem::take(&mut contact.dialling).tries_in_all()
        });
        let Some(tries) = tries else { return false };
        if !self.config.history_survives_reset {
            self.rows.remove(&id);
        }
        if let Some(contact) = self.contacts.get(&id) {
            self.note(cause, contact, What::Reset { tries });
        }
        true
    }

    /// Deletes a contact with all related data; false when it is not there.
    pub fn delete(&mut self, cause: Cause, id: i64) -> bool {
        let Some(contact) = self.contacts.remove(&id) else { return false };
        self.unindex(&contact);
        self.rows.remove(&id);
        self.note(cause, &contact, What::Deleted);
        true
    }

    /// Files a history row; its number is given here, so that numbers follow the order of appearance.
    pub(super) fn file_row(&mut self, cause: Cause, mut row: SimRow) -> Option<i64> {
        let contact = Arc::clone(self.contacts.get(&row.contact)?);
        row.id = self.next_row;
        self.next_row += 1;
        self.note(cause, &contact, What::RowAppeared { row: row.id });
        let id = row.id;
        self.rows.entry(row.contact).or_default().push(row);
        Some(id)
    }

    pub(super) fn statistics_number(&mut self) -> i64 {
        self.next_statistics += 1;
        self.next_statistics
    }
}

/// SQL `LIKE` with `%` and `_`, on texts already folded.
fn like(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
    // The last `%` met, and how far its run reached: the usual backtracking without recursion.
    let (mut t, mut p, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some('%') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&c) if c == '_' || c == text[t] => {
                t += 1;
                p += 1;
            }
            _ => match star {
                Some((at, reached)) => {
                    star = Some((at, reached + 1));
                    t = reached + 1;
                    p = at + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '%')
}

#[cfg(test)]
mod tests {
    use super::like;

    #[test]
    fn like_knows_both_wildcards() {
        for (text, pattern, expected) in [
            ("leads-1", "leads-1", true),
            ("leads-12", "leads-1", false),
            ("leads-12", "leads-1%", true),
            ("leadsx1", "leads_1", true),
            ("aXbXc", "a%X%c", true),
            ("abc", "%d", false),
            ("", "%", true),
        ] {
            assert_eq!(like(text, pattern), expected, "{text} like {pattern}");
        }
    }
}
