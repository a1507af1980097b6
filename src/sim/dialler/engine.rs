//! The queue of what is due in the simulated dialler.

use super::agents::AgentsConfig;
use super::calls::CallPlan;
use super::model::SimRow;
use super::results::NewResult;
use crate::domain::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A call that is under way.
#[derive(Debug, Clone)]
pub(super) struct Call {
    /// Which time it is that the contact was taken up.
    pub(super) id: u64,
    pub(super) contact: i64,
    /// Where the contact was when it was dialled; its row belongs there.
    pub(super) campaign: i64,
    pub(super) slot: usize,
    pub(super) number: String,
    pub(super) start: Timestamp,
    pub(super) connect: Option<Timestamp>,
    pub(super) end: Timestamp,
    pub(super) plan: CallPlan,
}

/// What the row of a call brings with it.
#[derive(Debug, Clone)]
pub(super) enum WithRow {
    /// Nothing: the contact is free again.
    Nothing,
    /// An agent's result, so long after the row.
    Later(String, Duration),
    /// A result that the dialler records by itself, on a row of its own without a call.
    Automatic(&'static str),
    /// A result on the row itself.
    OnRow(&'static str),
}

/// What is due at some instant.
#[derive(Debug, Clone)]
pub(super) enum Event {
    /// An agent looks for the next contact.
    AgentFree(usize),
    /// An agent who was offered a contact dials it, if it is still there to be dialled.
    PreviewEnds { agent: usize, contact: i64, taking: u64, offered: Timestamp, plan: Box<CallPlan> },
    /// An agent writes into the contact's free text.
    AgentWrites { contact: i64, text: String },
    /// A call ends.
    CallEnds(Box<Call>),
    /// A row appears; of which call, where agents made it.
    RowComes(Box<SimRow>, WithRow, Option<u64>),
    /// A result is recorded or corrected.
    ResultComes(NewResult),
    /// Somebody calls in.
    Inbound,
}

/// What is due, and how the agents work.
#[derive(Debug)]
pub(super) struct Engine {
    queue: BTreeMap<(Timestamp, u64), Event>,
    next: u64,
    taken_up: u64,
    pub(super) settings: Option<AgentsConfig>,
    /// Contacts with a `dtNextTry`; entries may be out of date.
    pub(super) retries: BTreeSet<(Timestamp, i64)>,
    /// Tries after which the dialler gives up.
    pub(super) max_tries: u32,
    /// When nobody callable was found, and at which count of changes.
    pub(super) nobody: Option<(Timestamp, u64)>,
    /// Where a walk that found nobody goes on, and how many it has passed.
    pub(super) walked: Option<(i64, usize)>,
}

impl Default for Engine {
    fn default() -> Self {
        Self {
            queue: BTreeMap::new(),
            next: 0,
            taken_up: 0,
            settings: None,
            retries: BTreeSet::new(),
            max_tries: AgentsConfig::default().max_tries,
            nobody: None,
            walked: None,
        }
    }
}

impl Engine {
    pub(super) fn push(&mut self, at: Timestamp, event: Event) {
        self.next += 1;
        self.queue.insert((at, self.next), event);
    }

    /// A number for the next time that somebody takes a contact up.
    pub(super) fn take_up(&mut self) -> u64 {
        self.taken_up += 1;
        self.taken_up
    }

    /// When the next thing is due.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.queue.first_key_value().map(|((at, _), _)| *at)
    }

    pub(super) fn take_due(&mut self, now: Timestamp) -> Option<(Timestamp, Event)> {
        let entry = self.queue.first_entry().filter(|entry| entry.key().0 <= now)?;
        let ((at, _), event) = entry.remove_entry();
        Some((at, event))
    }

    /// Nobody takes up another contact and nobody calls in; the contacts that agents were looking at.
    pub(super) fn send_home(&mut self) -> Vec<i64> {
        let mut looked_at = Vec::new();
        self.queue.retain(|_, event| match event {
            Event::AgentFree(_) | Event::Inbound => false,
            Event::PreviewEnds { contact, .. } => {
                looked_at.push(*contact);
                false
            }
            Event::AgentWrites { .. } | Event::CallEnds(_) | Event::RowComes(..) | Event::ResultComes(_) => {
                true
            }
        });
        looked_at
    }
}
