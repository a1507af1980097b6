//! The ledger: every statement on the SQLite file, behind functions that say what they are for.
//!
//! One writer (`writer`), a small pool of readers (`readers`), migrations (`migrate`). No rusqlite
//! type crosses this room's border. All times are UTC.

mod block_reach;
mod block_store;
mod blocks;
mod decisions;
mod error;
mod gate;
mod inputs;
mod lane;
mod migrate;
mod open;
mod readers;
mod routes;
mod runs;
mod sql;
#[cfg(test)]
mod testing;
mod writer;

pub use blocks::{BlockAdded, BlockRow};
pub use decisions::{Cause, LinkOwner};
pub use error::{LedgerError, OpenError};
pub use gate::GateAnswer;
pub use open::{Ledger, LedgerLock};
pub use routes::{RouteFacts, RouteRow};
pub use runs::{Counts, RunEnd, RunRow, RunStart};
