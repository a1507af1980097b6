//! The routes of the config, as parts of the program.

use super::parts::Sides;
use super::write_back;
use crate::check::{RouteSettings, Settings};
use crate::crm::{Connector, CrmRead, CrmWrite, ReadContract};
use crate::domain::leave::Leave;
use crate::domain::policy::RouteState;
use crate::domain::{Policy, RouteName};
use crate::env::Env;
use crate::jobs::identity::Sides as Watched;
use crate::jobs::pull::{PullContext, PullRoute};
use crate::ledger::{ByBlock, Ledger, LedgerError, RouteFacts};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A route with everything its jobs need.
#[derive(Clone)]
pub struct RoutePart {
    /// From the config.
    pub settings: RouteSettings,
    /// What pulls.
    pub pull: PullContext,
    /// What calls are told to, where the connector has a write half.
    pub told: Option<Arc<dyn CrmWrite>>,
    /// Reads what the fields had that it is told of, many records at once.
    pub before: Option<Arc<dyn CrmRead>>,
}

/// Makes the routes known to the ledger, and builds what each needs to be pulled and told.
pub(super) async fn begin(
    ledger: &Ledger,
    settings: &Settings,
    env: &Env,
    sides: &Sides,
    watched: &Watched,
) -> anyhow::Result<BTreeMap<RouteName, RoutePart>> {
    let mut routes = BTreeMap::new();
    for route in settings.routes.values() {
        let Some(connector) = sides.crms.get(&route.id) else { continue };
        let version = sides.versions.get(&route.id).map_or("", String::as_str);
        let pull_route = pull_route(route, connector.contract(), version);
        register(ledger, route, &pull_route).await?;
        let told = connector.writer().map(|writer| Arc::new(writer) as Arc<dyn CrmWrite>);
        write_back::register(ledger, route, told.as_ref().map(|told| told.contract().once_there())).await?;
        let pull = PullContext {
            ledger: ledger.clone(),
            env: env.clone(),
            crm: connector.clone(),
            route: Arc::new(pull_route),
            sides: watched.clone(),
        };
        let before = before(route, connector);
        routes.insert(route.id.clone(), RoutePart { settings: route.clone(), pull, told, before });
    }
    Ok(routes)
}

fn before(route: &RouteSettings, connector: &Connector) -> Option<Arc<dyn CrmRead>> {
    let telling = &route.write_back.as_ref()?.telling;
    let names: Vec<String> = telling.fields().chain(telling.status_names()).map(str::to_owned).collect();
    if names.is_empty() {
        return None;
    }
    connector.of_other_fields(names).map(|reader| Arc::new(reader) as Arc<dyn CrmRead>)
}

/// Makes a route known. One that this ledger does not know begins by deciding without sending.
pub(super) async fn register(
    ledger: &Ledger,
    route: &RouteSettings,
    known: &PullRoute,
) -> Result<(), LedgerError> {
    let facts = RouteFacts {
        route: route.id.clone(),
        client: route.client.clone(),
        crm: route.crm.clone(),
        object: known.object.clone(),
        waves: route.waves,
    };
    ledger.route_register(facts, RouteState::Dry).await?;
    let by_block = if route.leaving.opt_out == Leave::LOCK { ByBlock::Locks } else { ByBlock::LocksAndMore };
    ledger.route_leaving_set(route.id.clone(), route.max_deleted, by_block).await
}

/// What a pull of a route knows of it, whose records are read as in this version.
pub(super) fn pull_route(route: &RouteSettings, read: &ReadContract, version: &str) -> PullRoute {
    PullRoute {
        route: route.id.clone(),
        client: route.client.clone(),
        crm: route.crm.clone(),
        object: read.object.clone(),
        policy: Policy {
            adopt_conflict: route.adopt_conflict,
            vanished: route.vanished,
            campaign_change: route.campaign_change,
            leaving: route.leaving.clone(),
        },
        unblock: route.unblock,
        zone: route.time_zone,
        day_start: route.day_start,
        full_pass: route.full_pass,
        missing: route.missing,
        mapping: route.mapping.clone(),
        rules: route.mapping.rules_text(version),
        revision: route.mapping.revision(version),
    }
}
