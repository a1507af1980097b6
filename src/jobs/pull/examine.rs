//! What the mapping makes of one record: the same for a page, a hint, a refresh and `try`.

use super::PullRoute;
use crate::domain::{Reason, Record, Timestamp};
use crate::ledger::{BlockWord, PulledRecord};
use crate::mapping::Condition;

/// A record under the route's conditions and mapping.
#[derive(Debug, Clone)]
pub struct Examined {
    /// What the ledger stores of it.
    pub pulled: PulledRecord,
    /// Said once: texts that were cut, single numbers that were not usable.
    pub notes: Vec<Reason>,
}

/// Applies conditions and mapping. `now` gives today's date in the route's zone.
pub fn examine(route: &PullRoute, record: &Record, hash: Vec<u8>, now: Timestamp) -> Examined {
    let today = now.with_timezone(&route.zone).date_naive();
    let mapped = route.mapping.map(record, today);
    let block = match &mapped.block {
        Condition::True => BlockWord::Set,
        Condition::False => BlockWord::Clear,
        Condition::Broken(_) | Condition::NotAsked => BlockWord::Unknown,
    };
    let crm = mapped.crm_side(record.deleted);
    let pulled = PulledRecord {
        id: record.id.clone(),
        hash,
        modified: record.modified,
        user_data: mapped.user_data,
        numbers: mapped.numbers,
        block,
        crm,
        kept: kept(route, record),
    };
    let mut notes = mapped.cuts;
    notes.extend(mapped.notes);
    Examined { pulled, notes }
}

/// The values that the dated conditions use, so that a day can be decided without asking the CRM; kept
/// only for routes whose conditions use `today` (semantics 29).
fn kept(route: &PullRoute, record: &Record) -> Option<String> {
    if !route.mapping.uses_today() {
        return None;
    }
    let mut values = serde_json::Map::new();
    for name in route.mapping.condition_names() {
        if let Some(value) = record.fields.get(&name) {
            values.insert(name, value.clone());
        }
    }
    Some(serde_json::Value::Object(values).to_string())
}
