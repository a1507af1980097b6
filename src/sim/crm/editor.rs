//! People and imports that edit records in the simulated CRM.

use super::store::{Effect, Version, Visible};
use super::{Settings, SimCrm, seed};
use crate::domain::Timestamp;
use chrono::TimeDelta;
use serde_json::{Map, Value};
use std::time::Duration;

/// Edits records; every edit moves the modification time, as in real CRMs, even one without a
/// difference. Only the blacklist moves none.
#[derive(Debug, Clone)]
pub struct Editor(SimCrm);

/// When a change happens in the CRM's eyes, and when others see it.
#[derive(Debug, Clone, Copy)]
struct Moment {
    modified: Timestamp,
    visible: Visible,
}

impl Editor {
    pub(super) fn new(crm: SimCrm) -> Self {
        Self(crm)
    }

    fn moment(
        &self,
        takes: Duration,
        Settings { visibility_lag, clock_skew_seconds, .. }: Settings,
    ) -> Moment {
        let now = self.0.env.now();
        let commits = now + span(takes);
        let modified = now + TimeDelta::seconds(clock_skew_seconds);
        Moment { modified, visible: Visible { commits, lists: commits + span(visibility_lag) } }
    }

    fn now(&self) -> Moment {
        self.moment(Duration::ZERO, self.0.settings())
    }

    /// Creates `n` plausible records, the same for the same seed, spread over the hour before now. None is
    /// younger than a minute: what a second read finds again inside its overlap must not depend on how
    /// long the first one took.
    pub fn seed(&self, n: u64, seed: u64) {
        let mut rng = fastrand::Rng::with_seed(seed);
        let now = self.now();
        for _ in 0..n {
            let ago = TimeDelta::microseconds(i64::try_from(rng.u64(60_000_000..3_600_000_000)).unwrap_or(1));
            let fields = seed::contact(&mut rng, self.0.store().ids_ever() + 1);
            self.create_at(fields, Moment { modified: now.modified - ago, ..now });
        }
    }

    /// Creates a record and gives its id.
    pub fn create(&self, fields: Value) -> u64 {
        self.create_at(object(fields), self.now())
    }

    /// Creates records in one transaction that takes so long: all with one modification time, its
    /// start, and visible only at its end.
    pub fn import(&self, rows: Vec<Value>, takes: Duration) -> Vec<u64> {
        let moment = self.moment(takes, self.0.settings());
        rows.into_iter().map(|row| self.create_at(object(row), moment)).collect()
    }

    fn create_at(&self, fields: Map<String, Value>, at: Moment) -> u64 {
        let version = Version { modified: at.modified, active: true, fields };
        let now = self.0.env.now();
        let id = self.0.store().create(version, at.visible, now);
        self.0.journal.effect(now, None, Effect::Created(id));
        id
    }

    /// Writes fields; the others stay.
    pub fn edit(&self, id: u64, fields: Value) {
        self.edit_at(id, object(fields), self.now());
    }

    /// Writes fields in a transaction that takes so long: the modification time is its start, and
    /// nobody sees it before its end.
    pub fn edit_slowly(&self, id: u64, fields: Value, takes: Duration) {
        self.edit_at(id, object(fields), self.moment(takes, self.0.settings()));
    }

    /// Writes fields under a modification time of one's choice (a restore, a migration).
    pub fn edit_as_of(&self, id: u64, fields: Value, modified: Timestamp) {
        self.edit_at(id, object(fields), Moment { modified, ..self.now() });
    }

    /// Writes the same fields into many records with one and the same modification time.
    pub fn burst(&self, ids: &[u64], fields: &Value) {
        let moment = self.now();
        for id in ids {
            self.edit_at(*id, object(fields.clone()), moment);
        }
    }

    fn edit_at(&self, id: u64, fields: Map<String, Value>, at: Moment) {
        self.change(id, at, None, Effect::Edited(id), |version| version.fields.extend(fields));
    }

    /// Writes fields as a request did: its time moves as by any other edit.
    pub(super) fn write(&self, id: u64, fields: Map<String, Value>, request: u64) {
        let at = self.now();
        let mut changes = false;
        self.change(id, at, Some(request), Effect::Edited(id), |version| {
            changes = fields.iter().any(|(name, value)| version.fields.get(name) != Some(value));
            version.fields.extend(fields);
        });
        if !changes {
            self.0.journal.effect(self.0.env.now(), Some(request), Effect::Unchanged(id));
        }
    }

    /// Archives a record, or brings it back.
    pub fn archive(&self, id: u64, archived: bool) {
        let at = self.now();
        self.change(id, at, None, Effect::Archived(id, archived), |version| version.active = !archived);
    }

    fn change(
        &self,
        id: u64,
        at: Moment,
        request: Option<u64>,
        effect: Effect,
        change: impl FnOnce(&mut Version),
    ) {
        let now = self.0.env.now();
        let mut store = self.0.store();
        let Some(mut version) = store.newest(id).cloned() else { return };
        version.modified = at.modified;
        change(&mut version);
        store.put(id, Some(version), at.visible, now);
        drop(store);
        self.0.journal.effect(now, request, effect);
    }

    /// Deletes a record for good: no trace is left in any list.
    pub fn delete(&self, id: u64) {
        let now = self.0.env.now();
        let visible = self.now().visible;
        let mut store = self.0.store();
        store.put(id, None, visible, now);
        store.deleted.insert(id, visible.lists);
        drop(store);
        self.0.journal.effect(now, None, Effect::Deleted(id));
    }

    /// Merges a record into another, as CRMs do with what is there twice: it is in no list any more, and whoever asks
    /// for it by its id is answered with the other one, whose time moves.
    pub fn merge(&self, id: u64, into: u64) {
        self.delete(id);
        self.0.store().merged.insert(id, into);
        self.edit(into, Value::Object(Map::new()));
    }

    /// The numbers on the blacklist.
    pub fn blacklisted(&self) -> Vec<String> {
        self.0.store().blacklisted_numbers().map(str::to_owned).collect()
    }

    /// Puts a number on the blacklist or takes it off. No modification time moves.
    pub fn blacklist(&self, number: &str, on: bool) {
        self.0.store().blacklist(number, on);
        self.0.journal.effect(self.0.env.now(), None, Effect::Blacklisted(number.to_owned(), on));
    }

    /// Lets every write to this record and its activities be rejected with this text (a rule of validation).
    pub fn reject_writes(&self, id: u64, text: &str) {
        self.0.store().unwritable.insert(id, text.to_owned());
    }

    /// Lets every write to this field of the record be rejected with this text.
    pub fn reject_field(&self, id: u64, field: &str, text: &str) {
        self.0.store().unwritable_fields.insert((id, field.to_owned()), text.to_owned());
    }

    /// Lets them be taken again.
    pub fn accept_writes(&self, id: u64) {
        let mut store = self.0.store();
        store.unwritable.remove(&id);
        store.unwritable_fields.retain(|(record, _), _| *record != id);
    }

    /// Deletes an activity for good.
    pub fn delete_activity(&self, id: u64) {
        self.0.store().activities.delete(id);
    }

    /// Answers this text, which may be anything, in every list in place of the record.
    pub fn make_odd(&self, id: u64, raw: impl Into<String>) {
        self.0.store().odd_rows.push((id, raw.into()));
    }

    /// Answers the record itself again.
    pub fn make_plain(&self, id: u64) {
        self.0.store().odd_rows.retain(|(odd, _)| *odd != id);
    }

    /// The ids of all records that are not deleted.
    pub fn ids(&self) -> Vec<u64> {
        self.0.store().ids()
    }

    /// A field as last written.
    pub fn field(&self, id: u64, name: &str) -> Option<Value> {
        self.0.store().newest(id)?.fields.get(name).cloned()
    }

    /// Whether a record is there and not archived.
    pub fn active(&self, id: u64) -> bool {
        self.0.store().newest(id).is_some_and(|version| version.active)
    }

    /// The modification time as stored, with its microseconds.
    pub fn modified(&self, id: u64) -> Option<Timestamp> {
        self.0.store().newest(id).map(|version| version.modified)
    }
}

fn object(fields: Value) -> Map<String, Value> {
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn span(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}
