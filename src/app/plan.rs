//! `plan show`: what waits and would be sent; nothing is changed.

use super::Settings;
use crate::domain::RouteName;
use crate::jobs::push::plan::plan;
use crate::ledger::{PlanView, WavePlan};

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
