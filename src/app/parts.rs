//! Builds everything once, from validated settings: clients, ports, jobs, runners.

use super::Problems;
use super::activities::{Common, DayActivity, PullActivity, PushActivity};
use super::block_files;
use super::closing::ClosingActivity;
use super::harvesting::{HarvestActivity, harvest_units, hear_opt_outs, set_hold_rules, to_e164};
use super::routes::{self, RoutePart};
use super::upkeep::{LookActivity, UpkeepActivity};
use super::write_back;
use crate::check::{BatchRead, CrmSettings, Settings};
use crate::control::{Control, Runners};
use crate::crm::{self, Connector, CrmRead};
use crate::dialler::CampaignRef;
use crate::dialler::jtel::{self, JtelClient, JtelConfig};
use crate::domain::{CampaignId, Problem, RouteName, Timestamp};
use crate::env::Env;
use crate::jobs::block_files::BlockFiles;
use crate::jobs::campaigns::WantedCampaign;
use crate::jobs::glimpse::Glimpser;
use crate::jobs::write_back::Agents;
use crate::ledger::Ledger;
use crate::remote::http::{HttpOptions, HttpTransport};
use crate::remote::{Auth, AuthScheme, BadText, Client, ClientConfig, Side, Transport};
use crate::runtime::Activator;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

/// Where requests go: over the network, or into a router of the simulation.
pub trait Transports: Send + Sync {
    /// The transport of one side.
    ///
    /// # Errors
    /// Certificates or addresses that cannot be used.
    fn transport(&self, side: Side, options: &HttpOptions) -> Result<Arc<dyn Transport>, Vec<Problem>>;
}

/// The network.
#[derive(Debug, Clone, Copy)]
pub struct RealTransports;

impl Transports for RealTransports {
    fn transport(&self, _side: Side, options: &HttpOptions) -> Result<Arc<dyn Transport>, Vec<Problem>> {
        let (transport, _warned_by_check) = HttpTransport::new(options.clone())?;
        Ok(Arc::new(transport))
    }
}

/// The program, built.
pub struct Parts {
    /// Clock and shutdown.
    pub env: Env,
    /// The ledger.
    pub ledger: Ledger,
    /// The dialler.
    pub dialler: Arc<JtelClient>,
    /// The routes by the name the ledger knows.
    pub routes: BTreeMap<RouteName, RoutePart>,
    /// Where commands go.
    pub control: Arc<Control>,
    /// What is done to the ledger once a day.
    pub upkeep: Activator,
    /// The look over a copy of the ledger, once a day.
    pub look: Activator,
    /// The close of the days that are over, each night.
    pub closing: Activator,
    /// The block lists of the config.
    pub block_files: Arc<BlockFiles>,
    /// Every task that must end before the ledger closes.
    pub tracker: TaskTracker,
    /// When push has something to do next, as its last run saw it.
    pub push_due: watch::Receiver<Option<Timestamp>>,
    clients: Vec<Client>,
}

impl Parts {
    /// Reads the token files again (SIGHUP).
    pub fn reload_tokens(&self) {
        for client in &self.clients {
            for warning in client.auth().reload().warnings {
                tracing::warn!(side = %client.side(), "{warning}");
            }
        }
    }
}

/// The two sides without a ledger: what reading verbs and `check` need.
pub struct Sides {
    /// The dialler.
    pub dialler: Arc<JtelClient>,
    /// The CRM of each route.
    pub crms: BTreeMap<RouteName, Arc<Connector>>,
    /// The object and the whole connector of each route: parts of its revision.
    pub(super) versions: BTreeMap<RouteName, String>,
    clients: Vec<Client>,
}

/// Builds the clients of both sides. With a ledger every try of a write is kept in it.
///
/// # Errors
/// Everything in the config that cannot be built.
pub fn sides(
    settings: &Settings,
    env: &Env,
    transports: &dyn Transports,
    ledger: Option<&Ledger>,
) -> Result<Sides, Problems> {
    let mut problems = Vec::new();
    let dialler =
        build_dialler(settings, env, transports, ledger).map_err(|found| problems.extend(found)).ok();
    let mut clients: Vec<Client> = dialler.iter().map(|(_, client)| client.clone()).collect();
    let mut by_crm: BTreeMap<&str, (Client, crm::ConnectorFile)> = BTreeMap::new();
    for (name, crm) in &settings.crms {
        match build_crm_client(crm, settings.push.max_retry_after, env, transports) {
            Ok(built) => {
                clients.push(built.0.clone());
                by_crm.insert(name, built);
            }
            Err(found) => problems.extend(found),
        }
    }
    let mut crms = BTreeMap::new();
    let mut versions = BTreeMap::new();
    for route in settings.routes.values() {
        let (Some((client, file)), Some(crm)) =
            (by_crm.get(route.crm.as_str()), settings.crms.get(&route.crm))
        else {
            continue;
        };
        let names = route.mapping.names().iter().cloned();
        let caller = Arc::new(client.clone());
        let connector = Connector::new(
            file.clone(),
            &crm.http.base_url,
            route.object.as_deref(),
            names,
            caller,
            env.clone(),
        );
        match connector {
            Ok(connector) => {
                let object = &connector.contract().object;
                versions.insert(route.id.clone(), reading(object, file));
                crms.insert(route.id.clone(), Arc::new(connector));
            }
            Err(problem) => problems.push(problem),
        }
    }
    match dialler {
        Some((dialler, _)) if problems.is_empty() => {
            Ok(Sides { dialler: Arc::new(dialler), crms, versions, clients })
        }
        _ => Err(Problems(problems)),
    }
}

/// How a route's records are read, as a part of its revision: by all that is in the connector's file, not by a
/// version that its author forgot to raise.
fn reading(object: &str, file: &crm::ConnectorFile) -> String {
    format!("{object} {file:?}")
}

fn build_dialler(
    settings: &Settings,
    env: &Env,
    transports: &dyn Transports,
    ledger: Option<&Ledger>,
) -> Result<(JtelClient, Client), Vec<Problem>> {
    let dialler = &settings.dialler;
    let transport = transports.transport(Side::Dialler, &dialler.http)?;
    let (auth, _warned_by_check) =
        Auth::from_files(AuthScheme::Bearer, "dialler.token_file", &dialler.token_files)?;
    let config = ClientConfig {
        base_url: Some(dialler.http.base_url.clone()),
        max_in_flight: dialler.max_in_flight,
        requests_per_second: dialler.requests_per_second,
        retry_after_max: settings.push.max_retry_after,
        body_check: Some(jtel::body_check()),
        failure_check: Some(jtel::failure_check()),
        ..ClientConfig::with_timeout(dialler.request_timeout)
    };
    let sink = ledger.map(|ledger| Arc::new(ledger.clone()) as Arc<dyn crate::remote::ports::CallSink>);
    let client = Client::new(Side::Dialler, config, transport, auth, env.clone(), sink);
    let mut jtel = JtelConfig::new(dialler.http.base_url.clone(), dialler.time_zone);
    jtel.release = dialler.release;
    jtel.paths = dialler.paths.clone();
    jtel.language = dialler.languages_id;
    jtel.batch_size = dialler.batch_size;
    jtel.batch_read = match dialler.batch_read {
        BatchRead::Probe => None,
        BatchRead::On => Some(true),
        BatchRead::Off => Some(false),
    };
    Ok((JtelClient::new(jtel, client.clone()), client))
}

fn build_crm_client(
    crm: &CrmSettings,
    max_retry_after: Duration,
    env: &Env,
    transports: &dyn Transports,
) -> Result<(Client, crm::ConnectorFile), Vec<Problem>> {
    let file = crm.connector.clone();
    let transport = transports.transport(Side::Crm, &crm.http)?;
    let key = format!("crm.{}.token_file", crm.name);
    let (auth, _warned_by_check) = Auth::from_files(file.auth.clone(), &key, &crm.token_files)?;
    let config = ClientConfig {
        base_url: Some(crm.http.base_url.clone()),
        max_in_flight: crm.max_in_flight,
        requests_per_second: crm.requests_per_second,
        retry_after_max: max_retry_after,
        bad_text: BadText::Mark,
        body_check: file.body_check(),
        failure_check: file.failure_check(),
        // A page may hold a few records of many megabytes; one of them must not fail the others.
        body_limit: 64 << 20,
        ..ClientConfig::with_timeout(crm.request_timeout)
    };
    Ok((Client::new(Side::Crm, config, transport, auth, env.clone(), None), file))
}

/// Opens the ledger and builds the program; nothing runs yet.
///
/// # Errors
/// The ledger or a part cannot be had.
pub async fn build(settings: Arc<Settings>, env: Env, transports: &dyn Transports) -> anyhow::Result<Parts> {
    let ledger = Ledger::open(&settings.ledger.path, env.clone()).await?;
    build_on(ledger, settings, env, transports).await
}

/// The same on a ledger that is open already.
///
/// # Errors
/// A part cannot be had.
pub async fn build_on(
    ledger: Ledger,
    settings: Arc<Settings>,
    env: Env,
    transports: &dyn Transports,
) -> anyhow::Result<Parts> {
    super::identity::begin(&ledger, &settings, &env).await?;
    ledger.runs_mark_interrupted().await?;
    write_back::begin(&ledger, &settings, &env).await?;
    ledger.foreign_set(settings.foreign).await?;
    let sides = sides(&settings, &env, transports, Some(&ledger))?;
    let watched = super::identity::watched(&settings);
    let routes = routes::begin(&ledger, &settings, &env, &sides, &watched).await?;
    hear_opt_outs(&ledger, &settings).await?;
    let block_files = Arc::new(block_files::of(&settings, &ledger, &env));
    block_files.begin().await?;
    set_hold_rules(&ledger, &settings).await?;
    let tracker = TaskTracker::new();
    let (next_due, push_due) = watch::channel(None);
    let rows = ledger.routes_list().await?;
    let pinned = rows.into_iter().filter_map(|row| Some((row.route, row.campaign?))).collect();
    let common = Common {
        instance: ledger.instance().await?.unwrap_or_default().into(),
        settings: settings.clone(),
        env: env.clone(),
        ledger: ledger.clone(),
        dialler: sides.dialler.clone(),
        sides: watched.clone(),
        agents: Arc::new(Agents::new(sides.dialler.clone(), env.clone())),
    };
    let runners = runners(&common, &routes, &tracker, &pinned, next_due);
    let control = Arc::new(Control {
        ledger: ledger.clone(),
        env: env.clone(),
        runners,
        beside: settings.routes.values().map(|route| (route.id.clone(), route.beside)).collect(),
        alone: false,
        sides: watched,
        glimpser: Glimpser {
            dialler: sides.dialler.clone(),
            to_e164: to_e164(settings.dialler.country.clone()),
        },
        lookers: super::reconcile::lookers(&routes, &sides.dialler),
        block_files: block_files.clone(),
    });
    let upkeep = UpkeepActivity { ledger: ledger.clone(), keep: (&settings.ledger).into() };
    let upkeep = Activator::start("upkeep", &env, &tracker, Arc::new(upkeep));
    let look = LookActivity { ledger: ledger.clone(), env: env.clone() };
    let look = Activator::start("ledger check", &env, &tracker, Arc::new(look));
    let closing = ClosingActivity {
        ledger: ledger.clone(),
        env: env.clone(),
        zone: settings.dialler.time_zone,
        harvests: control.runners.harvests.clone(),
    };
    let closing = Activator::start("close of the day", &env, &tracker, Arc::new(closing));
    Ok(Parts {
        env,
        ledger,
        dialler: sides.dialler,
        routes,
        control,
        upkeep,
        look,
        closing,
        block_files,
        tracker,
        push_due,
        clients: sides.clients,
    })
}

fn runners(
    common: &Common,
    routes: &BTreeMap<RouteName, RoutePart>,
    tracker: &TaskTracker,
    pinned: &BTreeMap<RouteName, CampaignId>,
    next_due: watch::Sender<Option<Timestamp>>,
) -> Runners {
    let wanted: Vec<WantedCampaign> = routes
        .values()
        .map(|part| WantedCampaign {
            route: part.settings.id.clone(),
            campaign: part.settings.campaign.clone(),
            change: part.settings.campaign_change,
        })
        .collect();
    let env = &common.env;
    let push = PushActivity::new(common, routes, wanted.clone(), next_due);
    let push = Activator::start("push", env, tracker, Arc::new(push));
    let pulls = routes
        .iter()
        .map(|(name, part)| {
            let activity = PullActivity { pull: part.pull.clone(), push: push.clone() };
            (name.clone(), Activator::start(&format!("pull {name}"), env, tracker, Arc::new(activity)))
        })
        .collect();
    let days = routes
        .iter()
        .filter(|(_, part)| part.settings.mapping.uses_today())
        .map(|(name, part)| {
            let activity = DayActivity { pull: part.pull.clone(), push: push.clone() };
            (name.clone(), Activator::start(&format!("day {name}"), env, tracker, Arc::new(activity)))
        })
        .collect();
    let write_backs = write_back::runners(common, routes, tracker);
    let harvests = harvest_units(&wanted, pinned)
        .into_iter()
        .map(|(campaign, served)| {
            let name = match &campaign {
                CampaignRef::Id(id) => format!("harvest campaign {id}"),
                CampaignRef::Name(name) => format!("harvest {name}"),
            };
            let wanted = wanted.iter().filter(|want| served.contains(&want.route)).cloned().collect();
            let told = served.iter().filter_map(|route| write_backs.get(route).cloned()).collect();
            let activity = HarvestActivity::new(common, wanted, push.clone(), told);
            (served, Activator::start(&name, env, tracker, Arc::new(activity)))
        })
        .collect();
    let reconciles = super::reconcile::runners(common, routes, tracker);
    let samples = super::reconcile::samples(common, routes, tracker);
    Runners { pulls, days, push: Some(push), harvests, write_backs, reconciles, samples }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_changes_how_records_are_read_changes_the_revision() {
        let text = crm::bundled("sim-id").expect("a bundled connector");
        let file = |text: &str| crm::parse(text, "test").unwrap_or_else(|problems| panic!("{problems:#?}"));
        let now = reading("contacts", &file(text));
        assert_eq!(now, reading("contacts", &file(text)), "the same file is the same");
        assert_ne!(now, reading("leads", &file(text)));
        for (from, to) in [
            ("[false, \"\"]", "[false]"),
            ("\"/modified_at\"", "\"/changed_at\""),
            ("is = false", "is = true"),
        ] {
            assert!(text.contains(from));
            assert_ne!(now, reading("contacts", &file(&text.replacen(from, to, 1))), "{from} -> {to}");
        }
    }
}
