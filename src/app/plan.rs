//! `plan show`: what waits and would be sent; nothing is changed.

use crate::domain::RouteName;
use crate::jobs::push::plan::plan;
use crate::ledger::PlanView;
use std::path::Path;

/// What waits on one route, or on each.
///
/// # Errors
/// The config or the ledger cannot be read, or there is no such route.
pub async fn views(config: &Path, route: Option<RouteName>) -> anyhow::Result<Vec<PlanView>> {
    let settings = super::load(config)?;
    let ledger = super::open_reading(&settings).await?;
    let routes = match route {
        Some(wanted) => {
            let found = settings.routes.values().find(|found| found.name == wanted || found.id == wanted);
            let names: Vec<&str> = settings.routes.keys().map(RouteName::as_str).collect();
            match found {
                Some(found) => vec![found.id.clone()],
                None => anyhow::bail!("there is no route {wanted}; the config has {}", names.join(", ")),
            }
        }
        None => settings.routes.values().map(|route| route.id.clone()).collect(),
    };
    let mut views = Vec::with_capacity(routes.len());
    for route in routes {
        views.push(ledger.plan_view(route, plan).await?);
    }
    Ok(views)
}
