//! `try`: reads one record under one route and shows what would happen.

use super::parts::{RealTransports, sides};
use crate::crm::CrmRead as _;
use crate::domain::{Policy, RecordId, RouteName};
use crate::env::Env;
use crate::jobs::pull::{PullContext, PullRoute};
use crate::jobs::trial::{Trial, try_record};
use crate::ledger::Ledger;
use anyhow::Context as _;
use std::path::Path;
use std::sync::Arc;

/// Reads both sides and, where there is one, the ledger; changes nothing.
///
/// # Errors
/// The config, a side or the ledger cannot be read.
pub async fn run(config: &Path, route: &RouteName, record: &RecordId) -> anyhow::Result<Trial> {
    let settings = super::load(config)?;
    let env = Env::real();
    let sides = sides(&settings, &env, &RealTransports, None)?;
    let names: Vec<String> = settings.routes.keys().map(ToString::to_string).collect();
    let wanted = settings.routes.values().find(|found| found.name == *route || found.id == *route);
    let wanted =
        wanted.with_context(|| format!("there is no route {route}; the config has {}", names.join(", ")))?;
    let connector = sides.crms.get(&wanted.id).context("the route's CRM could not be built")?;
    // Before the first start there is no ledger yet: an empty one in memory's place says the same.
    let scratch = super::scratch_folder()?;
    let ledger = if settings.ledger.path.exists() {
        Ledger::open_read_only(&settings.ledger.path, env.clone()).await?
    } else {
        let path = scratch.join("empty.sqlite");
        drop(Ledger::open(&path, env.clone()).await?);
        Ledger::open_read_only(&path, env.clone()).await?
    };
    let known = ledger.route_show(wanted.id.clone()).await?;
    let context = PullContext {
        ledger,
        env,
        crm: connector.clone(),
        route: Arc::new(PullRoute {
            route: wanted.id.clone(),
            client: wanted.client.clone(),
            crm: wanted.crm.clone(),
            object: connector.contract().object.clone(),
            policy: Policy { adopt_conflict: wanted.adopt_conflict, vanished: wanted.vanished },
            unblock: wanted.unblock,
            zone: wanted.time_zone,
            day_start: wanted.day_start,
            mapping: wanted.mapping.clone(),
            revision: String::new(),
        }),
    };
    let campaign = known.and_then(|row| row.campaign);
    let trial = try_record(&context, &*sides.dialler, campaign, record).await;
    std::fs::remove_dir_all(&scratch).with_context(|| format!("{} cannot be removed", scratch.display()))?;
    Ok(trial?)
}
