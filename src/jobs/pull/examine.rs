//! What the mapping makes of one record: the same for a page, a hint, a refresh and `try`.

use super::PullRoute;
use crate::domain::scope::Before;
use crate::domain::{CrmSide, Reason, Record, RecordId, Timestamp};
use crate::ledger::{Basis, BlockWord, PulledRecord};
use crate::mapping::Condition;
use sha2::{Digest as _, Sha256};

/// Applies conditions and mapping. `now` gives today's date in the route's zone.
pub fn examine(route: &PullRoute, record: &Record, hash: Vec<u8>, now: Timestamp) -> PulledRecord {
    let today = now.with_timezone(&route.zone).date_naive();
    let mapped = route.mapping.map(record, today);
    let block = match &mapped.block {
        Condition::True => BlockWord::Set,
        Condition::False => BlockWord::Clear,
        Condition::Broken(_) | Condition::NotAsked => BlockWord::Unknown,
    };
    let crm = mapped.crm_side(record.deleted);
    let mut notes = mapped.cuts;
    notes.extend(mapped.notes);
    PulledRecord {
        id: record.id.clone(),
        hash,
        modified: record.modified,
        user_data: mapped.user_data,
        numbers: mapped.numbers,
        block,
        no_rests_on: route.mapping.no_rests_on(record),
        crm,
        kept: kept(route, record),
        basis: Basis::Read,
        before: Before::Untold,
        notes,
    }
}

/// A record of which nothing but the id can be read: whether it may be called cannot be told, so it is parked under
/// its id and its contact is locked (users 3).
pub(super) fn unreadable(route: &PullRoute, id: &RecordId, reason: Reason) -> PulledRecord {
    PulledRecord {
        id: id.clone(),
        hash: unreadable_hash(route, &reason),
        modified: None,
        user_data: route.mapping.template().render(id),
        numbers: Vec::new(),
        block: BlockWord::Unknown,
        no_rests_on: None,
        crm: CrmSide::Uncallable(reason),
        kept: None,
        basis: Basis::Unreadable,
        before: Before::Untold,
        notes: Vec::new(),
    }
}

/// By which it counts as unchanged while nothing else is the matter with it.
pub(super) fn unreadable_hash(route: &PullRoute, reason: &Reason) -> Vec<u8> {
    let mut hash = Sha256::new();
    for part in [route.revision.as_str(), "unreadable", reason.code.as_str(), &reason.params_json()] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize().to_vec()
}

/// What the dated conditions need, so that a day can be decided without asking the CRM; kept only for
/// routes whose conditions use `today` (semantics 29).
fn kept(route: &PullRoute, record: &Record) -> Option<String> {
    if !route.mapping.uses_today() {
        return None;
    }
    Some(serde_json::Value::Object(route.mapping.kept(record)).to_string())
}
