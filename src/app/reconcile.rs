//! `reconcile`: both sides and the ledger are read, and nothing is written anywhere.

use super::parts::{RealTransports, sides};
use super::routes::{RoutePart, pull_route};
use crate::check::Settings;
use crate::dialler::jtel::JtelClient;
use crate::domain::RouteName;
use crate::env::Env;
pub use crate::jobs::reconcile::Reconciled;
use crate::jobs::reconcile::{Looker, look};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Looks at one route, or at each.
///
/// # Errors
/// A side or the ledger cannot be read.
pub async fn run(settings: &Settings, route: Option<&RouteName>) -> anyhow::Result<Vec<Reconciled>> {
    let env = Env::real();
    let sides = sides(settings, &env, &RealTransports, None)?;
    let ledger = super::open_reading(settings).await?;
    let mut all = Vec::new();
    for wanted in settings.routes.values().filter(|one| route.is_none_or(|route| *route == one.id)) {
        let (Some(route), Some(crm)) = (pull_route(wanted, &sides), sides.crms.get(&wanted.id)) else {
            continue;
        };
        let (crm, dialler) = (crm.clone(), sides.dialler.clone());
        let looker = Looker { env: env.clone(), crm, dialler, route: Arc::new(route) };
        all.push(look(&looker, &ledger.reconcile_book().await?).await?);
    }
    Ok(all)
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
    };
    routes.iter().map(|(name, part)| (name.clone(), looker(part))).collect()
}
