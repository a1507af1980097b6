//! Carries commands out: through the ledger and the runners, never past them.

use super::{Answer, Command, End, Parked};
use crate::domain::RouteName;
use crate::domain::policy::Beside;
use crate::env::Env;
use crate::jobs::block_files::BlockFiles;
use crate::jobs::glimpse::Glimpser;
use crate::jobs::identity::Sides;
use crate::jobs::reconcile::Looker;
use crate::ledger::{FreezeOrder, Ledger, LedgerError, Said};
use crate::runtime::{Activator, Outcome};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The runners of a daemon, by what they serve.
#[derive(Debug, Clone, Default)]
pub struct Runners {
    /// Pull, by route.
    pub pulls: BTreeMap<RouteName, Activator>,
    /// The day's decisions, by route; only where conditions depend on the date.
    pub days: BTreeMap<RouteName, Activator>,
    /// Push: one for the dialler, settle included.
    pub push: Option<Activator>,
    /// Harvest, by campaign: with the routes that feed it.
    pub harvests: Vec<(Vec<RouteName>, Activator)>,
    /// Write-back, by route; only where calls go back into the CRM.
    pub write_backs: BTreeMap<RouteName, Activator>,
    /// Reconcile, by route.
    pub reconciles: BTreeMap<RouteName, Activator>,
    /// The hourly sample, by route; only where one is taken.
    pub samples: BTreeMap<RouteName, Activator>,
}

impl Runners {
    /// Asks every runner for a run.
    pub fn activate_all(&self, cause: &'static str) {
        self.jobs().for_each(|runner| runner.activate(cause));
    }

    /// Those whose work a person asks for, and asks about.
    pub fn jobs(&self) -> impl Iterator<Item = &Activator> {
        let harvests = self.harvests.iter().map(|(_, runner)| runner);
        self.pulls.values().chain(&self.push).chain(harvests).chain(self.write_backs.values())
    }
}

/// What commands work on.
#[derive(Debug)]
pub struct Control {
    /// The ledger, open for writing.
    pub ledger: Ledger,
    /// Clock.
    pub env: Env,
    /// The runners.
    pub runners: Runners,
    /// What contacts that are not ours mean for a route, by the config.
    pub beside: BTreeMap<RouteName, Beside>,
    /// Whether no daemon goes on after the command: then nothing is woken, because a run that the end of
    /// the command breaks off helps nobody, and what cannot wait is done before the command ends.
    pub alone: bool,
    /// Whether each side is the one that the ledger knows.
    pub sides: Sides,
    /// Looks at a contact before a person's act on it passes the gate.
    pub glimpser: Glimpser,
    /// What compares everything, by route.
    pub lookers: BTreeMap<RouteName, Looker>,
    /// The block lists of the config: looked at before whoever was lifted is decided anew.
    pub block_files: Arc<BlockFiles>,
}

impl Control {
    /// Carries a command out; `who` stands in the trail.
    pub async fn execute(&self, command: Command, who: String, answer: Answer) {
        let end = match self.dispatch(command, who, &answer).await {
            Ok(end) => end,
            Err(error) => {
                answer.error(error.to_string());
                End::Failed
            }
        };
        answer.end(end);
    }

    async fn dispatch(&self, command: Command, who: String, answer: &Answer) -> Result<End, LedgerError> {
        match command {
            Command::Sync { job, route, full } => self.sync(job, route, full, answer).await,
            Command::BelieveMissing { route } => self.believe_missing(route, who, answer).await,
            Command::Route { route, word, reason } => {
                self.route(route, word, Said { who, text: reason }, answer).await
            }
            Command::Freeze { reason, until, even_locks } => {
                self.freeze(FreezeOrder { until, even_locks, who, text: reason }, answer).await
            }
            Command::Thaw { reason } => self.thaw(who, reason, answer).await,
            Command::Wave { wave, word, reason } => self.wave(wave, word, who, reason, answer).await,
            Command::BlockAdd { client, subjects, reason, source, until } => {
                self.block_add(client, subjects, reason, source, until, who, answer).await
            }
            Command::BlockRemove { client, subject, source, reason } => {
                self.block_remove(client, subject, source, Said { who, text: reason }, answer).await
            }
            Command::BlocksRemove { client, span, reason } => {
                self.blocks_remove(client, span, Said { who, text: reason }, answer).await
            }
            Command::BlocksSeen { source, reason } => {
                self.blocks_seen(source, Said { who, text: reason }, answer).await
            }
            Command::Retry { what, reason } => self.retry(what, Said { who, text: reason }, answer).await,
            Command::Discard { what, reason } => self.discard(what, Said { who, text: reason }, answer).await,
            Command::Contact { contact, act, reason } => {
                self.contact(contact, act, Said { who, text: reason }, answer).await
            }
            Command::ContactUpdate { contact, values, numbers, reason } => {
                let said = Said { who, text: reason };
                self.contact_update(contact, values, said, numbers, answer).await
            }
            Command::SendRecord { route, record, reason } => {
                self.send_record(route, record, Said { who, text: reason }, answer).await
            }
            Command::Results { word, reason } => self.results(word, Said { who, text: reason }, answer).await,
            Command::Conflict { conflict, take, reason } => {
                self.conflict(conflict, take, Said { who, text: reason }, answer).await
            }
            Command::Reconcile { route, activities } => self.reconcile(route, activities, answer).await,
            Command::Takeover { confirmed } => self.takeover(confirmed, who, answer).await,
            Command::Status => {
                self.status(answer);
                Ok(End::Done)
            }
        }
    }

    pub(super) fn unknown_route(&self, route: &RouteName) -> String {
        let names: Vec<&str> = self.runners.pulls.keys().map(RouteName::as_str).collect();
        format!("there is no route {route}; the config has {}", names.join(", "))
    }

    async fn retry(&self, what: Parked, said: Said, answer: &Answer) -> Result<End, LedgerError> {
        let found = match &what {
            Parked::Operation(id) => self.ledger.operation_retry(*id, said).await?,
            Parked::Record { route, record } => {
                self.ledger.record_retry(route.clone(), record.clone(), said).await?
            }
            Parked::All { route } => {
                let (records, operations) = self.ledger.parked_retry_all(route.clone(), said).await?;
                if records + operations == 0 {
                    answer.text("done, nothing to do: nothing is parked");
                    return Ok(End::Done);
                }
                answer.text(format!("{records} records and {operations} operations are tried again"));
                true
            }
        };
        if !found {
            answer.error("nothing parked by that name; `dialbridge ledger parked` lists what is");
            return Ok(End::Failed);
        }
        answer.text("tried again with the next run");
        self.wake_pulls();
        self.wake_push();
        Ok(End::Done)
    }

    async fn discard(&self, what: Parked, said: Said, answer: &Answer) -> Result<End, LedgerError> {
        let text = format!("put aside until it changes ({})", said.text);
        let found = match what {
            Parked::Operation(id) => self.ledger.operation_discard(id, said).await?,
            Parked::Record { route, record } => self.ledger.record_discard(route, record, said).await?,
            Parked::All { .. } => {
                answer.error("put items aside one by one: each needs its own look");
                return Ok(End::Usage);
            }
        };
        if !found {
            answer.error("nothing parked by that name; `dialbridge ledger parked` lists what is");
            return Ok(End::Failed);
        }
        answer.text(text);
        Ok(End::Done)
    }

    fn status(&self, answer: &Answer) {
        for runner in self.runners.jobs() {
            let status = runner.status();
            let (last, text) = match &status.last {
                Some((_, Outcome::Done { text, .. })) => (Some("done"), Some(text)),
                Some((_, Outcome::Failed { text })) => (Some("failed"), Some(text)),
                None => (None, None),
            };
            answer.data(json!({
                "runner": runner.name(),
                "state": if status.running_since.is_some() { "running" } else { "waiting" },
                "running_since": status.running_since,
                "last_ended": status.last.as_ref().map(|(at, _)| at),
                "last": last,
                "text": text,
            }));
        }
    }

    pub(super) fn wake_push(&self) {
        if let Some(runner) = self.runners.push.as_ref().filter(|_| !self.alone) {
            runner.activate("hand");
        }
    }

    pub(super) fn wake_pulls(&self) {
        for runner in self.runners.pulls.values().filter(|_| !self.alone) {
            runner.activate("hand");
        }
    }
}
