//! The simulated CRM's records: what is committed, what is only going to be.

use super::activities::Activities;
use crate::domain::Timestamp;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// What changed in the CRM, for the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// A record was created.
    Created(u64),
    /// Fields were written (also without a difference: that moves the time too).
    Edited(u64),
    /// A request wrote fields that had these values already; it is noted as edited beside this.
    Unchanged(u64),
    /// Archived or brought back.
    Archived(u64, bool),
    /// Deleted for good.
    Deleted(u64),
    /// A number was put on the blacklist or taken off it.
    Blacklisted(String, bool),
    /// An activity was added to a record.
    ActivityCreated {
        /// Its id.
        activity: u64,
        /// The record's.
        record: u64,
    },
    /// An activity was written once more: by its id, or by a create under its external key.
    ActivityChanged {
        /// Its id.
        activity: u64,
        /// The record's.
        record: u64,
    },
}

/// One state of a record.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Version {
    /// The modification time that the CRM stores, in microseconds.
    pub modified: Timestamp,
    pub active: bool,
    pub fields: Map<String, Value>,
}

/// A record with the states that are on their way to being visible.
#[derive(Debug, Clone, Default)]
struct Row {
    /// What lists show.
    listed: Option<Version>,
    /// What was committed; lists follow after the visibility lag.
    committed: Option<Version>,
    /// States with the time from which reads by id, and lists, see them; `None` is "deleted".
    pending: Vec<Pending>,
}

#[derive(Debug, Clone)]
struct Pending {
    commits: Timestamp,
    lists: Timestamp,
    committed: bool,
    version: Option<Version>,
}

impl Row {
    fn settle(&mut self, now: Timestamp) {
        self.pending.sort_by_key(|pending| pending.commits);
        for pending in &mut self.pending {
            if !pending.committed && pending.commits <= now {
                pending.committed = true;
                self.committed = pending.version.clone();
            }
        }
        self.pending.retain_mut(|pending| {
            let due = pending.committed && pending.lists <= now;
            if due {
                self.listed = pending.version.take();
            }
            !due
        });
    }

    /// The newest state, committed or not: the next edit builds on it.
    fn newest(&self) -> Option<&Version> {
        self.pending.last().map_or(self.committed.as_ref(), |pending| pending.version.as_ref())
    }
}

/// All records.
#[derive(Debug, Default)]
pub(super) struct Store {
    rows: BTreeMap<u64, Row>,
    next_id: u64,
    /// Ids with a state on its way: the others need no look.
    unsettled: BTreeSet<u64>,
    blacklist: BTreeSet<String>,
    /// What was deleted, and when, for the list that tells of it.
    pub deleted: BTreeMap<u64, Timestamp>,
    /// Raw texts put in place of records, by position: what a broken CRM may answer.
    pub odd_rows: Vec<(u64, String)>,
    /// Which records live on in another one.
    pub merged: BTreeMap<u64, u64>,
    pub activities: Activities,
    /// Records that take no write, and what whoever tries is told.
    pub unwritable: BTreeMap<u64, String>,
    /// Fields of records, likewise.
    pub unwritable_fields: BTreeMap<(u64, String), String>,
}

/// When a state becomes visible.
#[derive(Debug, Clone, Copy)]
pub(super) struct Visible {
    /// To reads by id.
    pub commits: Timestamp,
    /// To lists.
    pub lists: Timestamp,
}

impl Store {
    pub fn create(&mut self, version: Version, visible: Visible, now: Timestamp) -> u64 {
        self.next_id += 1;
        let id = self.next_id;
        self.rows.insert(id, Row::default());
        self.put(id, Some(version), visible, now);
        id
    }

    /// Writes a state; `None` deletes.
    pub fn put(&mut self, id: u64, version: Option<Version>, visible: Visible, now: Timestamp) {
        let Some(row) = self.rows.get_mut(&id) else { return };
        let Visible { commits, lists } = visible;
        row.pending.push(Pending { commits, lists, committed: false, version });
        row.settle(now);
        if !row.pending.is_empty() {
            self.unsettled.insert(id);
        }
    }

    pub fn newest(&self, id: u64) -> Option<&Version> {
        self.rows.get(&id)?.newest()
    }

    /// How many records there ever were.
    pub fn ids_ever(&self) -> u64 {
        self.next_id
    }

    /// Moves what has become visible by `now` to where reads find it.
    pub fn settle(&mut self, now: Timestamp) {
        let rows = &mut self.rows;
        self.unsettled.retain(|id| {
            rows.get_mut(id).is_some_and(|row| {
                row.settle(now);
                !row.pending.is_empty()
            })
        });
    }

    /// What lists show, in order of id, from above `after`.
    pub fn listed_after(&self, after: u64) -> impl Iterator<Item = (u64, &Version)> {
        use std::ops::Bound::{Excluded, Unbounded};
        self.rows
            .range((Excluded(after), Unbounded))
            .filter_map(|(id, row)| Some((*id, row.listed.as_ref()?)))
    }

    pub fn committed(&self, id: u64) -> Option<&Version> {
        self.rows.get(&id)?.committed.as_ref()
    }

    /// The record that answers to this id: itself, or the one it was merged into.
    pub fn merged_into(&self, id: u64) -> u64 {
        let mut id = id;
        while let Some(into) = self.merged.get(&id) {
            id = *into;
        }
        id
    }

    pub fn ids(&self) -> Vec<u64> {
        self.rows.iter().filter(|(_, row)| row.newest().is_some()).map(|(id, _)| *id).collect()
    }

    /// Puts a number on the blacklist or takes it off; no record's time moves by that.
    pub fn blacklist(&mut self, number: &str, on: bool) {
        if on {
            self.blacklist.insert(plain(number));
        } else {
            self.blacklist.remove(&plain(number));
        }
    }

    pub fn blacklisted_numbers(&self) -> impl Iterator<Item = &str> {
        self.blacklist.iter().map(String::as_str)
    }

    pub fn is_blacklisted(&self, version: &Version) -> bool {
        number_of(version).is_some_and(|number| self.blacklist.contains(&number))
    }
}

/// A record's number in the blacklist's form.
pub(super) fn number_of(version: &Version) -> Option<String> {
    version.fields.get("phone").and_then(Value::as_str).map(plain)
}

/// Digits and a leading plus: as a CRM compares numbers.
pub(super) fn plain(number: &str) -> String {
    number.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect()
}
