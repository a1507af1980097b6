//! The reading halves of both sides, for verbs that must not be able to write: what they hold has no method that does.

use super::Problems;
use super::parts::{RealTransports, sides};
use crate::check::Settings;
use crate::crm::CrmRead;
use crate::dialler::DiallerRead;
use crate::domain::{Activities, RouteName};
use crate::env::Env;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Both sides, to be read.
pub(super) struct Reading {
    /// The dialler.
    pub dialler: Arc<dyn DiallerRead>,
    /// The CRM of each route.
    pub routes: BTreeMap<RouteName, ReadingSide>,
}

/// The CRM of one route, to be read.
pub(super) struct ReadingSide {
    /// Its reading half.
    pub crm: Arc<dyn CrmRead>,
    /// How its records are read: a part of the route's revision.
    pub version: String,
    /// What becomes of an activity once it is there; `None`: nothing can be written there.
    pub once_there: Option<Activities>,
}

/// Builds the clients of both sides and keeps what reads.
///
/// # Errors
/// Everything in the config that cannot be built.
pub(super) fn reading(settings: &Settings, env: &Env) -> Result<Reading, Problems> {
    let mut built = sides(settings, env, &RealTransports, None)?;
    let routes = built.crms.into_iter().map(|(route, connector)| {
        let version = built.versions.remove(&route).unwrap_or_default();
        let once_there =
            connector.writer().map(|writer| crate::crm::CrmWrite::contract(&writer).once_there());
        (route, ReadingSide { crm: connector, version, once_there })
    });
    Ok(Reading { routes: routes.collect(), dialler: built.dialler })
}
