//! The ledger: every statement on the SQLite file, behind functions that say what they are for.
//!
//! One writer (`writer`), a small pool of readers (`readers`), migrations (`migrate`). No rusqlite
//! type crosses this room's border. All times are UTC.

mod decisions;
mod error;
mod inputs;
mod migrate;
mod open;
mod readers;
mod routes;
mod runs;
mod sql;
mod writer;

pub use decisions::{Cause, LinkOwner};
pub use error::{LedgerError, OpenError};
pub use open::{Ledger, LedgerLock};
pub use routes::{RouteFacts, RouteRow};
pub use runs::{Counts, RunEnd, RunRow, RunStart};
