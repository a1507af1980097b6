//! Waves that nothing holds up, in words: a person should hear of them. Pure: the facts are arguments.

use super::concerns::{Concern, Weight};
use super::shell;
use crate::ledger::{BlockWave, LeftWave, ScopeChange};
use chrono::TimeDelta;

/// How long a changed condition is told of.
pub(super) const SCOPE_TOLD_FOR: TimeDelta = TimeDelta::days(7);
/// Blocks within that time are one wave ...
pub(super) const WAVE_OF: TimeDelta = TimeDelta::hours(1);
/// ... that is told of for so long, unless a person has seen it ...
pub(super) const WAVE_TOLD_FOR: TimeDelta = TimeDelta::days(7);
/// ... if they are so many.
pub(super) const WAVE_FROM: i64 = 50;

/// A condition that became another one put people out of reach.
pub(super) fn scope(change: &ScopeChange) -> Concern {
    Concern {
        weight: Weight::Person,
        what: format!(
            "a change of scope: by the new conditions or the new mapping of route {} {} contacts are out of reach and locked, but for \
             those that wait for approval (`dialbridge plan list`)",
            change.route, change.contacts
        ),
        since: Some(change.since),
        remedy: format!(
            "nothing, if that is meant (said for {} days); else put only_if or the fields of the route back, and they are unlocked. \
             `dialbridge ledger skipped` and `ledger parked` list them",
            SCOPE_TOLD_FOR.num_days()
        ),
    }
}

/// Many who came out of reach at once by what was edited in the CRM.
pub(super) fn left(wave: &LeftWave) -> Concern {
    Concern {
        weight: Weight::Person,
        what: format!(
            "{} contacts of route {} came out of reach within an hour: their records were archived or deleted, or no longer fulfil \
             only_if",
            wave.contacts, wave.route
        ),
        since: Some(wave.since),
        remedy: format!(
            "if that is meant, `dialbridge block seen --source {} --reason TEXT` (else it is said for {} days); if not, mend the \
             records in the CRM, and they are unlocked. `dialbridge ledger skipped --route {}` counts and lists them",
            shell::word(&wave.source()),
            WAVE_TOLD_FOR.num_days(),
            wave.route
        ),
    }
}

/// Many objections at once are heard, and told.
pub(super) fn blocks(wave: &BlockWave) -> Concern {
    Concern {
        weight: Weight::Person,
        what: format!("{} blocks came from {} within an hour, and hold", wave.blocks, wave.source),
        since: Some(wave.since),
        remedy: format!(
            "if that is meant, `dialbridge block seen --source {source} --reason TEXT` (else it is said for {} days); locks do not \
             wait. If not, mend the source, then `dialbridge block remove --source {source} --since {since} --plan` shows what \
             taking it back does, and the command that does it",
            WAVE_TOLD_FOR.num_days(),
            source = shell::word(&wave.source),
            since = wave.since.format("%Y-%m-%dT%H:%M:%SZ"),
        ),
    }
}
