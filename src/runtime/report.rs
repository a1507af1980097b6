//! The lines of the log about runs: one per run, its counts as fields under the names of the ledger's columns.

use super::Outcome;
use super::run_log::{RunEnded, RunEnding};

/// An activation of a runner that ended.
pub(super) struct Activation<'a> {
    /// The runner's name (`pull leads`).
    pub runner: &'a str,
    /// What asked for it.
    pub cause: &'static str,
    /// How long all of it took.
    pub duration_ms: i64,
}

/// The fields depend on the job only: a line of a job always has all of them, so that zero and "not counted" are two
/// things to whoever reads the log with a program.
macro_rules! tell {
    ($level:ident, $by:expr, $ended:expr, $text:expr) => {{
        let (by, ended, text) = ($by, $ended, $text);
        let (run, duration_ms, c) = (ended.run.0, ended.took.num_milliseconds(), &ended.counts);
        let (runner, cause, requests, bytes) = (by.runner, by.cause, c.requests, c.bytes);
        match ended.job {
            crate::domain::policy::Job::Pull => tracing::$level!(
                runner,
                cause,
                run,
                duration_ms,
                requests,
                bytes,
                records_read = c.records_read,
                repeats = c.repeats,
                stale = c.stale,
                unchanged = c.unchanged,
                queued = c.queued,
                adopted = c.adopted,
                skipped = c.skipped,
                blocked = c.blocked,
                parked = c.parked,
                parked_new = c.parked_new,
                noted = c.noted,
                "{text}"
            ),
            crate::domain::policy::Job::Push | crate::domain::policy::Job::Settle => tracing::$level!(
                runner,
                cause,
                run,
                duration_ms,
                requests,
                bytes,
                taken = c.taken,
                done = c.done,
                refused = c.refused,
                uncertain = c.uncertain,
                superseded = c.superseded,
                parked = c.parked,
                parked_new = c.parked_new,
                put_back = c.put_back,
                "{text}"
            ),
            crate::domain::policy::Job::WriteBack => tracing::$level!(
                runner,
                cause,
                run,
                duration_ms,
                requests,
                bytes,
                taken = c.taken,
                done = c.done,
                unchanged = c.unchanged,
                held = c.held,
                refused = c.refused,
                uncertain = c.uncertain,
                parked = c.parked,
                parked_new = c.parked_new,
                gone = c.gone,
                put_back = c.put_back,
                "{text}"
            ),
            crate::domain::policy::Job::Harvest => tracing::$level!(
                runner,
                cause,
                run,
                duration_ms,
                requests,
                bytes,
                listed = c.listed,
                unchanged = c.unchanged,
                due = c.due,
                foreign_contacts = c.foreign_contacts,
                calls_new = c.calls_new,
                calls_changed = c.calls_changed,
                "{text}"
            ),
        }
    }};
}

/// Tells how an activation ended, and each of its runs. The sentence stands with the run that it is about: the first,
/// or the one that failed.
pub(super) fn tell(by: &Activation<'_>, outcome: &Outcome, runs: &[RunEnded]) {
    let about = match outcome {
        Outcome::Done { .. } => runs.first(),
        Outcome::Failed { .. } => runs.iter().rfind(|ended| ended.ending == RunEnding::Failed),
    };
    for beside in runs.iter().filter(|ended| Some(ended.run) != about.map(|about| about.run)) {
        let run = beside.run;
        match beside.ending {
            RunEnding::Done => tell!(info, by, beside, format!("run {run} belongs to it")),
            RunEnding::Failed => tell!(error, by, beside, format!("run {run} belongs to it and failed")),
        }
    }
    let Activation { runner, cause, duration_ms } = by;
    match (outcome, about) {
        (Outcome::Done { text, .. }, Some(ended)) => tell!(info, by, ended, text),
        (Outcome::Done { text, .. }, None) => tracing::info!(runner, cause, duration_ms, "{text}"),
        (Outcome::Failed { text }, Some(ended)) => tell!(error, by, ended, format!("failed: {text}")),
        (Outcome::Failed { text }, None) => tracing::error!(runner, cause, duration_ms, "failed: {text}"),
    }
}
