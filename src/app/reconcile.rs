//! `reconcile`: both sides and the ledger are read, and nothing is written anywhere.

use super::activities::Common;
use super::reading::reading;
use super::routes::{RoutePart, pull_route};
use super::unread::in_words;
use crate::check::{RouteSettings, Settings};
use crate::dialler::jtel::JtelClient;
use crate::domain::{FieldName, RouteName};
use crate::env::Env;
use crate::jobs::JobError;
pub use crate::jobs::reconcile::Depth;
pub use crate::jobs::reconcile::Reconciled;
use crate::jobs::reconcile::{Looker, look, sample};
use crate::ledger::Ledger;
use crate::runtime::{Activator, Activity, Ask, Outcome, RunLog};
use anyhow::anyhow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio_util::task::TaskTracker;

/// Looks at one route, or at each.
///
/// # Errors
/// A side or the ledger cannot be read.
pub async fn run(
    settings: &Settings,
    route: Option<&RouteName>,
    depth: Depth,
) -> anyhow::Result<Vec<Reconciled>> {
    let env = Env::real();
    let reading = reading(settings, &env)?;
    let ledger = super::open_reading(settings).await?;
    let mut all = Vec::new();
    for wanted in settings.routes.values().filter(|one| route.is_none_or(|route| *route == one.id)) {
        let Some(side) = reading.routes.get(&wanted.id) else { continue };
        let route = pull_route(wanted, side.crm.contract(), &side.version);
        let (crm, dialler) = (side.crm.clone(), reading.dialler.clone());
        let looker =
            Looker { env: env.clone(), crm, dialler, route: Arc::new(route), theirs: theirs(wanted) };
        let found = look(&looker, &ledger.reconcile_book().await?, depth).await;
        let unread = |error| {
            anyhow!("route {}: nothing was compared: {}", wanted.id, in_words(&error, settings, wanted))
        };
        all.push(found.map_err(unread)?);
    }
    Ok(all)
}

/// The fields that agents may change.
fn theirs(route: &RouteSettings) -> BTreeSet<FieldName> {
    route.kept.iter().chain(&route.append).chain(route.two_way.keys()).copied().collect()
}

/// What the daemon looks with.
pub(super) fn lookers(
    routes: &BTreeMap<RouteName, RoutePart>,
    dialler: &Arc<JtelClient>,
) -> BTreeMap<RouteName, Looker> {
    let looker = |part: &RoutePart| Looker {
        env: part.pull.env.clone(),
        crm: part.pull.crm.clone(),
        dialler: dialler.clone(),
        route: part.pull.route.clone(),
        theirs: theirs(&part.settings),
    };
    routes.iter().map(|(name, part)| (name.clone(), looker(part))).collect()
}

/// A reconcile by schedule: it looks, keeps the numbers and mends nothing.
struct ReconcileActivity {
    ledger: Ledger,
    looker: Looker,
}

impl ReconcileActivity {
    async fn look(&self) -> Result<Reconciled, JobError> {
        let found = look(&self.looker, &self.ledger.reconcile_book().await?, Depth::Usual).await?;
        let route = self.looker.route.route.clone();
        self.ledger.reconcile_keep(route, found.total(), found.numbers()).await?;
        Ok(found)
    }
}

#[async_trait::async_trait]
impl Activity for ReconcileActivity {
    async fn run(&self, _ask: &Ask, _log: &RunLog) -> Outcome {
        match self.look().await {
            Ok(found) => {
                let text = match found.total() {
                    0 => "everything agrees".to_owned(),
                    drift => format!(
                        "{drift} things do not agree; `dialbridge reconcile --route {}` names them",
                        self.looker.route.route
                    ),
                };
                Outcome::Done { run: None, text, parked_new: false }
            }
            Err(error) => Outcome::Failed { text: error.to_string() },
        }
    }
}

/// One for each route.
pub(super) fn runners(
    common: &Common,
    routes: &BTreeMap<RouteName, RoutePart>,
    tracker: &TaskTracker,
) -> BTreeMap<RouteName, Activator> {
    lookers(routes, &common.dialler)
        .into_iter()
        .map(|(name, looker)| {
            let activity = ReconcileActivity { ledger: common.ledger.clone(), looker };
            let title = format!("reconcile {name}");
            (name, Activator::start(&title, &common.env, tracker, Arc::new(activity)))
        })
        .collect()
}

/// The hourly sample of a route's records: it looks, keeps the numbers and mends nothing.
struct SampleActivity {
    ledger: Ledger,
    looker: Looker,
    records: u32,
}

impl SampleActivity {
    async fn look(&self) -> Result<Reconciled, JobError> {
        let found = sample(&self.looker, &self.ledger.reconcile_book().await?, self.records).await?;
        let route = self.looker.route.route.clone();
        self.ledger.sample_keep(route, found.contacts, found.total(), found.numbers()).await?;
        Ok(found)
    }
}

#[async_trait::async_trait]
impl Activity for SampleActivity {
    async fn run(&self, _ask: &Ask, _log: &RunLog) -> Outcome {
        match self.look().await {
            Ok(found) => {
                let text = format!(
                    "{} records looked at on both sides, {} things do not agree",
                    found.contacts,
                    found.total()
                );
                Outcome::Done { run: None, text, parked_new: false }
            }
            Err(error) => Outcome::Failed { text: error.to_string() },
        }
    }
}

/// When: between the usual times of pulls and harvests.
pub(super) const SAMPLE_WHEN: &str = "37 * * * *";

/// One for each route that is sampled.
pub(super) fn samples(
    common: &Common,
    routes: &BTreeMap<RouteName, RoutePart>,
    tracker: &TaskTracker,
) -> BTreeMap<RouteName, Activator> {
    let sampled = |(name, looker): (RouteName, Looker)| {
        let records = routes.get(&name).map_or(0, |part| part.settings.sample);
        let activity = SampleActivity { ledger: common.ledger.clone(), looker, records };
        let title = format!("sample {name}");
        (records > 0).then(|| (name, Activator::start(&title, &common.env, tracker, Arc::new(activity))))
    };
    lookers(routes, &common.dialler).into_iter().filter_map(sampled).collect()
}
