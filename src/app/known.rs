//! Names as people write them: routes by name or id, and clients, looked up in the config.

use crate::check::{RouteSettings, Settings};
use crate::domain::{RouteName, suggest};
use crate::ledger::Ledger;
use std::collections::BTreeSet;
use std::fmt;

/// It cannot be done as asked; the text says what can (exit status 2).
#[derive(Debug)]
pub struct Usage(pub String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// The route that is meant, by its name or by the id under which the ledger knows it.
///
/// # Errors
/// There is none; the text names those there are.
pub fn route<'a>(settings: &'a Settings, given: &str) -> Result<&'a RouteSettings, Usage> {
    let routes = || settings.routes.values();
    let found = routes().find(|route| route.name.as_str() == given);
    found.or_else(|| routes().find(|route| route.id.as_str() == given)).ok_or_else(|| {
        let names: Vec<&str> = routes().map(|route| route.name.as_str()).collect();
        no_such("route", given, &names)
    })
}

/// The route whose rows are to be read: one that has left the config still stands in the ledger.
///
/// # Errors
/// Neither knows it, or the ledger cannot be read.
pub async fn route_in_ledger(
    settings: &Settings,
    ledger: &Ledger,
    given: Option<&str>,
) -> anyhow::Result<Option<RouteName>> {
    let Some(given) = given else { return Ok(None) };
    match route(settings, given) {
        Ok(route) => Ok(Some(route.id.clone())),
        Err(unknown) => match ledger.route_show(RouteName(given.to_owned())).await? {
            Some(row) => Ok(Some(row.route)),
            None => Err(unknown.into()),
        },
    }
}

/// The client within which something holds: the one named, or the only one there is.
///
/// # Errors
/// No route belongs to it, so it would hold for nobody; or there are several and none is named.
pub fn client(settings: &Settings, given: Option<&str>) -> Result<String, Usage> {
    let known: BTreeSet<&str> = settings.routes.values().map(|route| route.client.as_str()).collect();
    let known: Vec<&str> = known.into_iter().collect();
    match (given, known.as_slice()) {
        (Some(given), _) if known.contains(&given) => Ok(given.to_owned()),
        (Some(given), _) => Err(no_such("client", given, &known)),
        (None, []) => Ok("default".to_owned()),
        (None, [only]) => Ok((*only).to_owned()),
        (None, several) => Err(Usage(format!(
            "the config has several clients, and a block holds within one: say --client {}",
            several.join(" or --client ")
        ))),
    }
}

fn no_such(what: &str, given: &str, known: &[&str]) -> Usage {
    let hint = suggest(given, known.iter().copied())
        .map(|name| format!(". Did you mean {name:?}?"))
        .unwrap_or_default();
    Usage(format!("there is no {what} {given}; the config has {}{hint}", known.join(", ")))
}
