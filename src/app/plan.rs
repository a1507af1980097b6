//! `plan`: what would be done; nothing is done. `plan show` tells what waits by the ledger as it is; `plan` alone reads the
//! CRM besides, asks the dialler who is there already, and decides on a copy of the ledger that is thrown away.

use super::harvesting::{hear_opt_outs, set_hold_rules, to_e164};
use super::reading::{Reading, reading};
use super::routes::{pull_route, register};
use super::scratch::with_scratch;
use super::{block_files, unread, write_back};
use crate::check::{RouteSettings, Settings};
use crate::domain::{Reason, RouteName};
use crate::env::Env;
use crate::jobs::JobError;
use crate::jobs::campaigns::WantedCampaign;
use crate::jobs::identity::Sides as Unwatched;
use crate::jobs::pull::{PullContext, pull};
use crate::jobs::push::plan::{kept, plan};
use crate::jobs::push::{DryMeet, meet_dry};
pub use crate::jobs::write_back::WouldTell;
use crate::jobs::write_back::would_tell;
use crate::ledger::{Counts, Ledger, PlanView, TakenOver, Untold, UntoldGroup, WavePlan};
use anyhow::Context as _;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;

/// What would be done on a route if everything ran now.
#[derive(Debug, Serialize)]
pub struct DryRun {
    /// What reading the CRM would bring; `None`: it could not be read.
    pub pulled: Option<Pulled>,
    /// Why not.
    pub not_read: Option<String>,
    /// Which contacts are there already under the keys of new records.
    pub met: Met,
    /// What would be sent to the dialler, what is decided already included.
    #[serde(flatten)]
    pub view: PlanView,
    /// How much the CRM is to be told of calls, as far as they were harvested: all of it.
    pub untold_counts: Vec<UntoldGroup>,
    /// The first of it, value by value.
    pub told: Vec<WouldTell>,
    /// Row by row, the oldest first.
    pub untold: Vec<Untold>,
}

/// What asking the dialler for the keys of everything that waits showed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Met {
    /// These are there, and would be taken over instead of made a second time.
    There(TakenOver),
    /// Nobody was asked for: the route's campaign cannot be told.
    NoCampaign(Reason),
    /// The dialler does not answer.
    NotAsked(String),
}

/// The balance of the reading.
#[derive(Debug, Default, Serialize)]
pub struct Pulled {
    /// Records read.
    pub read: i64,
    /// Of which nothing changed.
    pub unchanged: i64,
    /// For which something would be sent.
    pub queued: i64,
    /// Which are not eligible.
    pub skipped: i64,
    /// Which are blocked.
    pub blocked: i64,
    /// Which would need a person.
    pub parked: i64,
}

impl Pulled {
    fn add(&mut self, counts: &Counts) {
        self.read += counts.records_read;
        self.unchanged += counts.unchanged + counts.repeats + counts.stale;
        self.queued += counts.queued + counts.adopted;
        self.skipped += counts.skipped;
        self.blocked += counts.blocked;
        self.parked += counts.parked;
    }
}

/// So many calls are named.
const UNTOLD: u32 = 10_000;
/// Of so many it is said what would be written.
const TOLD: u32 = 20;

/// A dry run of everything: the CRM is read as by a pull (with a full pass, where one is due), and decided about on a copy
/// of the ledger. It holds no half of anything that writes to a side.
///
/// # Errors
/// The ledger cannot be copied or read.
pub async fn dry_run(settings: &Settings, route: Option<&RouteName>) -> anyhow::Result<Vec<DryRun>> {
    let env = Env::real();
    with_scratch(&env, |scratch| on_a_copy(settings, route, scratch, env.clone())).await
}

async fn on_a_copy(
    settings: &Settings,
    route: Option<&RouteName>,
    scratch: PathBuf,
    env: Env,
) -> anyhow::Result<Vec<DryRun>> {
    let reading = reading(settings, &env)?;
    let copy = Ledger::try_out(&settings.ledger.path, &scratch, env.clone()).await?;
    begin(&copy, &env, &reading, settings).await?;
    let mut runs = Vec::new();
    for wanted in settings.routes.values().filter(|one| route.is_none_or(|route| *route == one.id)) {
        runs.push(of_route(&copy, &env, &reading, settings, wanted).await?);
    }
    Ok(runs)
}

/// What a start with this config would do to the ledger, done to the copy: who said no by a word that is new, or stands on a
/// list, is blocked there, too.
async fn begin(copy: &Ledger, env: &Env, reading: &Reading, settings: &Settings) -> anyhow::Result<()> {
    for wanted in settings.routes.values() {
        let side = reading.routes.get(&wanted.id).context(NOT_BUILT)?;
        register(copy, wanted, &pull_route(wanted, side.crm.contract(), &side.version)).await?;
        write_back::register(copy, wanted, side.once_there).await?;
    }
    hear_opt_outs(copy, settings).await?;
    set_hold_rules(copy, settings).await?;
    block_files::of(&Arc::new(settings.clone()), copy, env).look().await?;
    Ok(())
}

const NOT_BUILT: &str = "the route's CRM could not be built";

async fn of_route(
    copy: &Ledger,
    env: &Env,
    reading: &Reading,
    settings: &Settings,
    wanted: &RouteSettings,
) -> anyhow::Result<DryRun> {
    let side = reading.routes.get(&wanted.id).context(NOT_BUILT)?;
    let known = pull_route(wanted, side.crm.contract(), &side.version);
    // Looking changes nothing, whoever answers.
    let (ledger, sides, crm) = (copy.clone(), Unwatched::default(), side.crm.clone());
    let context = PullContext { ledger, env: env.clone(), crm, route: Arc::new(known), sides };
    let RouteSettings { id: route, campaign, campaign_change: change, .. } = wanted;
    let dry = DryMeet {
        copy: copy.clone(),
        env: env.clone(),
        read: reading.dialler.clone(),
        to_e164: to_e164(settings.dialler.country.clone()),
        wanted: WantedCampaign { route: route.clone(), campaign: campaign.clone(), change: *change },
        policy: context.route.policy.clone(),
    };
    let pinned = dry.pin().await;
    let (pulled, not_read) = match pulled(&context).await {
        Ok(pulled) => (Some(pulled), None),
        Err(error) => (None, Some(unread::in_words(&error, settings, wanted))),
    };
    let met = met(&dry, pinned).await?;
    if let Some(telling) = &wanted.write_back {
        // What a list would tell is shown as told, or as a wave, like at a run.
        copy.listed_take(wanted.id.clone(), telling.max_per_run.into()).await?;
    }
    let told = match write_back::shown(copy, env, wanted, side, &reading.dialler) {
        Some(shown) => would_tell(&shown, TOLD).await?,
        None => Vec::new(),
    };
    let route = wanted.id.clone();
    Ok(DryRun {
        pulled,
        not_read,
        met,
        view: copy.plan_view(route.clone(), plan).await?,
        untold_counts: copy.results_untold_counts(route.clone()).await?,
        told,
        untold: copy.results_untold(Some(route), UNTOLD).await?,
    })
}

/// Who is there already; `pinned`: whether the dialler told the route's campaign.
async fn met(dry: &DryMeet, pinned: Result<(), JobError>) -> anyhow::Result<Met> {
    let began = dry.env.now();
    let asked = match pinned {
        Ok(()) => meet_dry(dry).await,
        Err(error) => Err(error),
    };
    Ok(match asked {
        Ok(None) => Met::There(dry.copy.taken_over(dry.wanted.route.clone(), began, kept).await?),
        Ok(Some(reason)) => Met::NoCampaign(reason),
        Err(JobError::Ledger(error)) => return Err(error.into()),
        Err(error) => Met::NotAsked(error.to_string()),
    })
}

/// Pulls until no full pass is under way.
async fn pulled(context: &PullContext) -> Result<Pulled, JobError> {
    let mut pulled = Pulled::default();
    loop {
        let report = pull(context, "hand").await?;
        pulled.add(&report.counts);
        match &report.pass {
            Some(pass) => pulled.add(&pass.counts),
            None => return Ok(pulled),
        }
        if report.pass.is_some_and(|pass| pass.finished) {
            return Ok(pulled);
        }
    }
}

/// What waits on one route, or on each.
///
/// # Errors
/// The ledger cannot be read.
pub async fn views(settings: &Settings, route: Option<RouteName>) -> anyhow::Result<Vec<PlanView>> {
    let ledger = super::open_reading(settings).await?;
    let routes = match route {
        Some(route) => vec![route],
        None => settings.routes.values().map(|route| route.id.clone()).collect(),
    };
    let mut views = Vec::with_capacity(routes.len());
    for route in routes {
        views.push(ledger.plan_view(route, plan).await?);
    }
    Ok(views)
}

/// What one wave that needs approval would send; `None`: none of this number does.
///
/// # Errors
/// The ledger cannot be read.
pub async fn wave(settings: &Settings, wave: i64) -> anyhow::Result<Option<WavePlan>> {
    let ledger = super::open_reading(settings).await?;
    let held = ledger.waves_list(None, false).await?;
    let Some(row) = held.into_iter().find(|row| row.id == wave) else { return Ok(None) };
    Ok(Some(ledger.plan_of_wave(row, plan).await?))
}
