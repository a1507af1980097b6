//! What is done to the ledger once a day: it is looked over in a copy, what was kept long enough is erased, and the end of
//! the trail is told outside it.

use crate::check::LedgerSettings;
use crate::env::Env;
use crate::ledger::{Ledger, LedgerError, Look};
use crate::runtime::{Activity, Ask, Outcome, RunLog};
use chrono::TimeDelta;

/// In the dialler's zone: before the first call of the day.
pub(super) const WHEN: &str = "40 3 * * *";

/// How long what is kept.
pub(super) struct Keep {
    bodies: TimeDelta,
    runs: TimeDelta,
    changes: TimeDelta,
}

impl From<&LedgerSettings> for Keep {
    fn from(settings: &LedgerSettings) -> Self {
        let span = |span| TimeDelta::from_std(span).unwrap_or(TimeDelta::MAX);
        Self {
            bodies: span(settings.keep_bodies),
            runs: span(settings.keep_runs),
            changes: span(settings.keep_changes),
        }
    }
}

/// The daily upkeep.
pub(super) struct UpkeepActivity {
    pub ledger: Ledger,
    pub keep: Keep,
}

impl UpkeepActivity {
    async fn keep_up(&self) -> Result<String, LedgerError> {
        let bodies = self.ledger.bodies_prune(self.keep.bodies).await?;
        let old = self.ledger.runs_prune(self.keep.runs).await?
            + self.ledger.call_contents_prune(self.keep.changes).await?;
        let calls = self.ledger.calls_erase(self.keep.changes).await?;
        let changes = self.ledger.trail_erase(self.keep.changes).await?;
        let gone = self.ledger.gone_erase(self.keep.changes).await?;
        let mut text = format!("{bodies} bodies and answers erased, kept long enough");
        if old > 0 {
            text.push_str(&format!("; {old} old runs, attempts, hints and contents of calls deleted"));
        }
        if changes > 0 {
            text.push_str(&format!("; the values of {changes} changes, too"));
        }
        if calls > 0 {
            text.push_str(&format!("; texts and numbers of {calls} calls erased"));
        }
        if gone > 0 {
            text.push_str(&format!("; what was known of {gone} contacts and records that are gone, too"));
        }
        // In the log besides, which is elsewhere and belongs to somebody else.
        if let Some(head) = self.ledger.trail_head_keep().await? {
            text.push_str(&format!("; the trail ends at change {}, {}", head.change, head.chain));
        }
        Ok(text)
    }
}

#[async_trait::async_trait]
impl Activity for UpkeepActivity {
    async fn run(&self, _ask: &Ask, _log: &RunLog) -> Outcome {
        match self.keep_up().await {
            Ok(text) => Outcome::Done { run: None, text, parked_new: false },
            Err(error) => Outcome::Failed { text: error.to_string() },
        }
    }
}

/// In the dialler's zone: long after the last call of the day and before the first, and done before the upkeep.
pub(super) const LOOK_WHEN: &str = "10 3 * * *";

/// A daemon that was down at that hour makes up for it when it starts, unless the last look is younger.
const LOOK_AGE: TimeDelta = TimeDelta::hours(26);

/// The daily look over a copy of the ledger.
pub(super) struct LookActivity {
    pub ledger: Ledger,
    pub env: Env,
}

impl LookActivity {
    async fn is_due(&self, ask: &Ask) -> Result<bool, LedgerError> {
        let since = self.ledger.unlooked_since().await?;
        Ok(ask.cause != "start" || since.is_some_and(|since| self.env.now() - since >= LOOK_AGE))
    }
}

#[async_trait::async_trait]
impl Activity for LookActivity {
    async fn run(&self, ask: &Ask, _log: &RunLog) -> Outcome {
        let done = |text: &str| Outcome::Done { run: None, text: text.to_owned(), parked_new: false };
        let looked = match self.is_due(ask).await {
            Ok(true) => self.ledger.look_aside().await,
            Ok(false) => return done("not due"),
            Err(error) => Err(error),
        };
        match looked {
            Ok(None) => done("broken off by shutdown"),
            Ok(Some(Look::Sound)) => done("the ledger was looked over in a copy: it is sound"),
            Ok(Some(Look::Wrong(text))) => Outcome::Failed {
                text: format!(
                    "the ledger is NOT sound: {text}; `dialbridge ledger check` tells all of it; keep a copy of the file, and \
                     restore the newest backup that is sound"
                ),
            },
            Ok(Some(Look::NotLooked(text))) => {
                Outcome::Failed { text: format!("the ledger could not be looked over: {text}") }
            }
            Err(error) => Outcome::Failed { text: error.to_string() },
        }
    }
}
