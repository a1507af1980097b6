//! From the raw config to the parts the program is built of; all problems at once.
//!
//! Each room is asked for its own `parse`: this one knows only what joins them (names that must
//! exist, templates that must differ) and adds to every problem the file and line it came from.

mod block_lists;
mod connector;
mod finding;
mod leaving;
mod notes;
mod numbers_only;
mod offline;
mod online;
mod overlap;
mod probe_crm;
mod probe_dialler;
mod reach;
mod remarks;
mod route;
mod settings;
mod siblings;
mod telling;
mod traps;
mod two_way;

pub use finding::{Finding, Level, remedy_of};
pub use offline::{Checked, Validators, offline};
pub use online::{Sides, online};
pub use remarks::remarks;
pub use settings::{
    AgentsTold, BatchRead, CrmSettings, DiallerSettings, HarvestSettings, LedgerSettings, LogFormat,
    LogSettings, PushSettings, RouteSettings, Settings,
};

#[cfg(test)]
mod online_tests;
#[cfg(test)]
mod tests;
