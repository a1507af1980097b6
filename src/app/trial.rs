//! `try`: reads one record under one route and shows what would happen.

use super::harvesting::to_e164;
use super::parts::{RealTransports, sides};
use crate::crm::CrmRead as _;
use crate::dialler::jtel::ShownRequest;
use crate::dialler::{CampaignRef, DiallerRead};
use crate::domain::policy::CampaignChange;
use crate::domain::{CampaignId, Policy, RecordId, RouteName};
use crate::env::Env;
use crate::jobs::campaigns::resolve_campaign;
use crate::jobs::glimpse::Glimpser;
use crate::jobs::identity::Sides;
use crate::jobs::pull::{PullContext, PullRoute};
use crate::jobs::trial::try_record;
pub use crate::jobs::trial::{Speech, Trial, TriedChange, TriedExpression, TriedSend};
use crate::ledger::{Ledger, RouteRow};
use anyhow::Context as _;
use std::path::Path;
use std::sync::Arc;

/// A record that was tried, with the request that would go out first.
#[derive(Debug, serde::Serialize)]
pub struct Tried {
    /// What there is to say.
    #[serde(flatten)]
    pub trial: Trial,
    /// The first request.
    pub request: Option<ShownRequest>,
}

/// Reads both sides and, where there is one, the ledger; changes nothing.
///
/// # Errors
/// The config, a side or the ledger cannot be read.
pub async fn run(
    config: &Path,
    route: &RouteName,
    record: &RecordId,
    speech: Speech,
) -> anyhow::Result<Tried> {
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
            policy: Policy {
                adopt_conflict: wanted.adopt_conflict,
                vanished: wanted.vanished,
                campaign_change: wanted.campaign_change,
                leaving: wanted.leaving.clone(),
            },
            unblock: wanted.unblock,
            zone: wanted.time_zone,
            day_start: wanted.day_start,
            full_pass: wanted.full_pass,
            missing: wanted.missing,
            mapping: wanted.mapping.clone(),
            rules: String::new(),
            revision: String::new(),
        }),
        // Looking changes nothing, whoever answers.
        sides: Sides::default(),
    };
    let change = wanted.campaign_change;
    let campaign = campaign(&*sides.dialler, &wanted.campaign, change, known.as_ref()).await;
    let glimpser =
        Glimpser { dialler: sides.dialler.clone(), to_e164: to_e164(settings.dialler.country.clone()) };
    let trial = try_record(&context, &glimpser, campaign, record, speech).await;
    std::fs::remove_dir_all(&scratch).with_context(|| format!("{} cannot be removed", scratch.display()))?;
    let trial = trial?;
    let request = trial.sends.as_ref().map(|sends| match sends {
        TriedSend::Import { campaign, user_data, values } => {
            sides.dialler.shown_import(*campaign, user_data, values)
        }
        TriedSend::Update(contact, values) => sides.dialler.shown_update(*contact, values),
        TriedSend::Lock(contact) => sides.dialler.shown_lock(*contact, true),
        TriedSend::Unlock(contact) => sides.dialler.shown_lock(*contact, false),
    });
    Ok(Tried { trial, request })
}

/// The campaign that a push would use: before the first push nothing is pinned, so the dialler is asked.
async fn campaign(
    dialler: &dyn DiallerRead,
    wanted: &CampaignRef,
    change: CampaignChange,
    known: Option<&RouteRow>,
) -> Result<CampaignId, String> {
    match resolve_campaign(dialler, wanted, change, known).await {
        Ok(found) => found.map_err(|reason| reason.to_string()),
        // What was pinned holds until the dialler says otherwise.
        Err(error) => known
            .and_then(|row| row.campaign)
            .ok_or_else(|| format!("the dialler could not be asked for its campaigns: {error}")),
    }
}
