//! The online half of `check`: asks both sides, without side effects, whether the config fits them.

use super::finding::Finding;
use super::settings::Settings;
use super::{overlap, probe_crm, probe_dialler};
use crate::crm::CrmRead;
use crate::dialler::DiallerRead;
use crate::domain::RouteName;
use crate::env::Env;
use std::collections::BTreeMap;

/// The two sides, as far as they read.
pub struct Sides<'a> {
    /// The dialler.
    pub dialler: &'a dyn DiallerRead,
    /// Each route's own view of its CRM (object and fields differ from route to route), by the route's id.
    pub crms: BTreeMap<RouteName, &'a dyn CrmRead>,
}

/// Asks everything. An unanswered question is a finding, never an end: the other side is still asked.
///
/// Costs one list of each campaign, one page of each route's records and each companion.
pub async fn online(settings: &Settings, sides: &Sides<'_>, env: &Env) -> Vec<Finding> {
    let mut findings = probe_dialler::probe(settings, sides.dialler, env).await;
    let mut keys = Vec::new();
    for route in settings.routes.values() {
        if let Some(crm) = sides.crms.get(&route.id) {
            let probed = probe_crm::probe(route, *crm, env).await;
            findings.extend(probed.findings);
            keys.push((&route.name, probed.keys));
        }
    }
    findings.extend(overlap::in_practice(&keys));
    findings
}
