//! What is said of a side that could not be read: where it was looked for, and what to do.

use crate::check::{RouteSettings, Settings, remedy_of};
use crate::jobs::JobError;
use crate::remote::Side;

/// Why a route's side could not be read.
pub(super) fn in_words(error: &JobError, settings: &Settings, route: &RouteSettings) -> String {
    let JobError::Call(call) = error else { return error.to_string() };
    let (table, http) = match call.side {
        Side::Crm => (format!("crm.{}", route.crm), settings.crms.get(&route.crm).map(|crm| &crm.http)),
        Side::Dialler => ("dialler".to_owned(), Some(&settings.dialler.http)),
    };
    let address = http.map_or("nowhere", |http| http.base_url.as_str());
    format!("{call} (asked at {address}, {table}.base_url). {}", remedy_of(&table, call))
}
