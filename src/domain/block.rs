//! Blocks: who must not be called.

use super::{ContactId, Reason, RecordId, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A record over all routes: the same CRM object may be read by several routes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RecordKey {
    /// The name of the `[crm.NAME]` table.
    pub crm: String,
    /// The CRM's object (`res.partner`).
    pub object: String,
    /// The record.
    pub id: RecordId,
}

impl fmt::Display for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.crm, self.object, self.id)
    }
}

/// What is blocked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockSubject {
    /// A record, in whichever route.
    Record(RecordKey),
    /// A number in E.164 (`+4930123456`), in whichever record or contact.
    Number(String),
    /// A contact of the dialler, whoever's it is: what a person locked by hand.
    Contact(ContactId),
}

impl BlockSubject {
    /// How it reads in a reason: `the record`, `the number +4930123456`, or `contact 4711`.
    pub fn spoken(&self) -> String {
        match self {
            Self::Record(_) => "the record".to_owned(),
            Self::Number(number) => format!("the number {number}"),
            Self::Contact(contact) => format!("contact {contact}"),
        }
    }
}

/// A row of the block list.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// What is blocked.
    pub subject: BlockSubject,
    /// Why.
    pub reason: Reason,
    /// Who or what wrote it: `crm:ROUTE`, `companion:NAME`, `operator`, `file:NAME`, `result:ROUTE`.
    pub source: String,
    /// Since when.
    pub since: Timestamp,
    /// When its source said it last: a row is kept when it says the same again.
    pub said_last: Timestamp,
    /// Its stated end; `None`: until a person lifts it (or its source, where the route says so).
    pub until: Option<Timestamp>,
    /// The person, where one did it.
    pub who: Option<String>,
}

/// The blocks that one source wrote in a time: a list that was the wrong one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockSpan {
    /// Which source.
    pub source: String,
    /// From then on.
    pub since: Timestamp,
    /// Until just before then.
    pub until: Timestamp,
}

impl BlockSpan {
    /// Whether the block is one of them, and its source has not said it again since: that is a word of its own.
    pub fn covers(&self, block: &Block) -> bool {
        block.source == self.source && self.since <= block.since && block.said_last < self.until
    }
}
