//! The ledger: every statement on the SQLite file, behind functions that say what they are for.
//!
//! One writer (`writer`), a small pool of readers (`readers`), migrations (`migrate`). No rusqlite
//! type crosses this room's border. All times are UTC.

mod account_index;
mod answer;
mod attempts;
mod bearers;
mod block_reach;
mod block_store;
mod blocks;
mod by_hand;
mod calls;
mod clearing;
mod companions;
mod contacts;
mod decisions;
mod doubles;
mod due;
mod ends;
mod error;
mod gate;
mod health;
mod hints;
mod history;
mod holder;
mod inputs;
mod kept;
mod lane;
mod lease;
mod meet;
mod meet_due;
mod migrate;
mod open;
mod parked;
mod pull;
mod readers;
mod routes;
mod runs;
mod settle;
mod source_blocks;
mod sql;
mod sweeps;
#[cfg(test)]
mod testing;
mod trail;
mod views;
mod writer;

pub use account_index::IndexRow;
pub use answer::{BaseChange, Done, Ended, Ending};
pub use attempts::AttemptRow;
pub use blocks::{BlockAdded, BlockRow};
pub use by_hand::{OpenCount, OperationRow};
pub use calls::{CallRow, ResultCode};
pub use companions::CompanionTaken;
pub use contacts::{ContactSeen, IndexedContact, Known, KnownRow, Sighting};
pub use decisions::{Cause, LinkOwner};
pub use due::{AuditRules, DueContact, HarvestRules, Share};
pub use ends::LastEnd;
pub use error::{LedgerError, OpenError};
pub use gate::GateAnswer;
pub use hints::Hint;
pub use history::{ChunkStored, HistoryRead, ReadContext};
pub use inputs::RecordInputs;
pub use kept::KeptRecord;
pub use lease::{LeaseBatch, LeaseOrder, Leased, Plan, QueuePlace};
pub use meet::{Decide, MeetCounts, Meeting};
pub use meet_due::{MeetItem, MeetSince};
pub use open::{Ledger, LedgerLock};
pub use parked::{ParkedCount, ParkedItem};
pub use pull::{BlockWord, KnownRecord, PageStore, PulledRecord};
pub use routes::{RouteFacts, RouteRow};
pub use runs::{Counts, RunEnd, RunRow, RunStart};
pub use settle::CountersBefore;
pub use sweeps::{Absence, ContactCounts, LastSweep, SweepCounts};
pub use trail::{BeforeFrom, ChangeRow, FieldTrail};
pub use views::{CallFilter, CallView, ContactStory, Event, LinkStory};
