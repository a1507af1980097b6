//! Every command that changes something, as a value: what the socket carries and a person can give.

use super::reconcile::LostActivities;
use crate::domain::policy::Job;
use crate::domain::{
    BlockSpan, BlockSubject, ContactId, HistoryId, RecordId, RouteName, Take, Timestamp, WriteBackId,
};
use crate::ledger::{Again, Pilot};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// A command with everything it needs; what it leaves open is asked of the ledger and the two sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Run jobs now and show those runs.
    Sync {
        /// One job, or all in their order.
        job: Option<Job>,
        /// One route, or all.
        route: Option<RouteName>,
        /// Read everything again, by a full pass.
        #[serde(default)]
        full: bool,
    },
    /// A person has looked into the dialler: contacts that the list does not name are missing, however many. Harvest
    /// the route's campaign by that.
    BelieveMissing {
        /// The route.
        route: RouteName,
    },
    /// Set whether a route acts.
    Route {
        /// The route.
        route: RouteName,
        /// What it shall be.
        word: RouteWord,
        /// Why.
        reason: String,
    },
    /// Nothing is written anywhere until `Thaw`, or until the end.
    Freeze {
        /// Why.
        reason: String,
        /// Its end, if it has one.
        until: Option<Timestamp>,
        /// Whether locks stand still too.
        even_locks: bool,
    },
    /// The freeze is over.
    Thaw {
        /// Why.
        reason: String,
    },
    /// Decide about a wave that needs approval.
    Wave {
        /// Its number.
        wave: i64,
        /// What is said of it.
        word: WaveOrder,
        /// Why.
        reason: String,
    },
    /// Block records or numbers.
    BlockAdd {
        /// The client within which the block holds.
        client: String,
        /// What is blocked.
        subjects: Vec<BlockSubject>,
        /// Why.
        reason: String,
        /// `operator` or `file:NAME`.
        source: String,
        /// Its end, if it has one.
        until: Option<Timestamp>,
    },
    /// Lift a block.
    BlockRemove {
        /// The client.
        client: String,
        /// What is no longer blocked.
        subject: BlockSubject,
        /// Whose word is taken back; none where only one source says so.
        #[serde(default)]
        source: Option<String>,
        /// Why.
        reason: String,
    },
    /// Lift all blocks that one source wrote in a time.
    BlocksRemove {
        /// The client.
        client: String,
        /// Which.
        span: BlockSpan,
        /// Why.
        reason: String,
    },
    /// A wave of blocks is meant.
    BlocksSeen {
        /// Whose.
        source: String,
        /// Why.
        reason: String,
    },
    /// Try parked items again.
    Retry {
        /// Which.
        what: Parked,
        /// Why, where it was said.
        #[serde(default)]
        reason: String,
    },
    /// Put a parked item aside until it changes.
    Discard {
        /// Which.
        what: Parked,
        /// Why.
        reason: String,
    },
    /// Do something to one contact by hand; it passes the gate and lands in the ledger like anything else.
    Contact {
        /// Which contact.
        contact: ContactId,
        /// What.
        act: ContactAct,
        /// Why.
        reason: String,
    },
    /// Change fields of one contact by hand.
    ContactUpdate {
        /// Which contact.
        contact: ContactId,
        /// The fields with what the dialler is sent; null empties.
        values: BTreeMap<String, Value>,
        /// The numbers among them, in E.164: what the gate is asked by.
        numbers: Vec<String>,
        /// Why.
        reason: String,
    },
    /// Decide about one record now and send what is decided.
    SendRecord {
        /// The route.
        route: RouteName,
        /// The record.
        record: RecordId,
        /// Why.
        reason: String,
    },
    /// Say something of results that go back into the CRM.
    Results {
        /// What.
        word: ResultsWord,
        /// Why, where it was said.
        reason: String,
    },
    /// Say whose value of a two-way field stands.
    Conflict {
        /// Its number.
        conflict: i64,
        /// Whose.
        take: Take,
        /// Why.
        reason: String,
    },
    /// Compare both sides and the ledger in full, and mark what does not agree as due.
    Reconcile {
        /// One route, or all.
        route: Option<RouteName>,
        /// Whether every activity is looked for, and put back where the CRM lost it.
        #[serde(default)]
        activities: LostActivities,
    },
    /// The work goes on from this ledger, whatever differs.
    Takeover {
        /// Whether a person has seen what differs; without that it is only told.
        confirmed: bool,
    },
    /// What the daemon is doing.
    Status,
}

/// What becomes of results that go back into the CRM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResultsWord {
    /// What waits may go, however much it is.
    Approve {
        /// The route.
        route: RouteName,
    },
    /// What is parked is told again.
    Retry {
        /// The route.
        route: RouteName,
        /// What of it.
        again: Again,
    },
    /// One row is left untold until there is something newer.
    Discard {
        /// Which.
        id: WriteBackId,
    },
    /// A call's result holds nobody out of other routes.
    Release {
        /// The call.
        call: HistoryId,
    },
    /// Calls of a contact that were lost with it keep nobody from being called again.
    ReopenContact {
        /// The contact that is gone.
        contact: ContactId,
    },
    /// A call's final result keeps nobody of its own campaign from being called again.
    Reopen {
        /// The call.
        call: HistoryId,
    },
    /// Calls with this result are told anew, with the words that the config has now.
    Remap {
        /// The result, by one of its names.
        code: String,
        /// One route only.
        route: Option<RouteName>,
    },
    /// Calls of a span from before the route's calls went back are told after all.
    Backfill {
        /// The route.
        route: RouteName,
        /// From then on.
        from: Timestamp,
        /// Until before then.
        until: Timestamp,
    },
}

/// What a route shall be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteWord {
    /// Decide, send nothing but locks.
    Dry,
    /// Act for a few records only.
    Pilot {
        /// Which.
        whom: Pilot,
        /// Its end; then the route is what it was before.
        until: Option<Timestamp>,
    },
    /// Act.
    On,
    /// Send nothing but locks.
    Pause {
        /// Its end; then the route is what it was before.
        until: Option<Timestamp>,
        /// Whether the harvest stands still too.
        harvest_too: bool,
    },
    /// What it was before the pause.
    Resume,
}

/// What is said of a wave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaveOrder {
    /// It is sent.
    Approve,
    /// What of it waits is put aside until the records change.
    Reject,
}

/// A parked item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parked {
    /// An operation by its number.
    Operation(i64),
    /// A record.
    Record {
        /// Its route.
        route: RouteName,
        /// Its id.
        record: RecordId,
    },
    /// Everything parked on a route (or on all).
    All {
        /// The route.
        route: Option<RouteName>,
    },
}

/// What a person can have done to one contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContactAct {
    /// Out of the dialler's reach.
    Lock,
    /// Back into it.
    Unlock,
    /// Counters to 0, result removed.
    Reset,
    /// Removed with its history.
    Delete,
}

/// One line of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// For people.
    Text(String),
    /// For programs (`--json`).
    Data(serde_json::Value),
    /// Why it cannot be done: for people, also where the answer is for programs.
    Error(String),
    /// The last line.
    End {
        /// How it ended.
        end: End,
    },
}

/// How a command ended; the exit status follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Done (exit 0).
    Done,
    /// Failed (exit 1).
    Failed,
    /// It cannot be done as asked (exit 2).
    Usage,
    /// Done, but something new was parked, or something does not agree (exit 3).
    ParkedNew,
}

impl End {
    /// The worse of two ends.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let rank = |end: Self| match end {
            Self::Done => 0,
            Self::ParkedNew => 1,
            Self::Usage => 2,
            Self::Failed => 3,
        };
        if rank(other) > rank(self) { other } else { self }
    }

    /// The exit status.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::ParkedNew => 3,
        }
    }
}
