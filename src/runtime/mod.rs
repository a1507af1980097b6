//! When jobs run: schedules in a named zone, a heartbeat, and one runner per job that never overlaps
//! with itself.

mod bookends;
mod heartbeat;
mod report;
mod run_log;
mod runner;
mod schedule;
mod scheduler;

pub use heartbeat::Heartbeat;
pub use run_log::{RunEnded, RunEnding, RunLog};
pub use runner::{Activator, Activity, Ask, Mark, Missing, Outcome, RunnerStatus, Scope};
pub use schedule::{Schedule, ScheduleError};
pub use scheduler::Scheduler;
