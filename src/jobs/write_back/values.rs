//! What a row's values are, by what the ledger knows now. Pure: sending and showing take them from here.

use crate::crm::CrmValues;
use crate::domain::{Activities, CallFacts, HistoryFacts, Reason, ReasonCode, TellRule, Timestamp};
use crate::ledger::ToTell;
use crate::mapping::Telling;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// What a request tells.
pub(super) struct Words {
    /// What goes now.
    pub values: CrmValues,
    /// By which rule each of them goes.
    pub rules: BTreeMap<String, TellRule>,
    /// What that comes to, beside what was told of the rest before.
    pub digest: Vec<u8>,
}

/// The values of a record's row, beside somebody's no, which goes by itself.
pub(super) struct RecordValues {
    /// What goes now.
    pub words: Words,
    /// Why what follows from the calls does not go along, where it does not.
    pub left_out: Option<Reason>,
}

/// What of a record's digest is the calls'; the rest is where it stands. Each is told without the other, too, and then is
/// no news because the other is missing.
const OF_CALLS: usize = 32;

/// A call's activity.
pub(super) fn of_call(
    telling: &Telling,
    activities: Activities,
    row: &ToTell,
    call: &CallFacts,
) -> Result<Words, Reason> {
    if call.open && activities == Activities::Fixed && row.activity.is_none() {
        return Err(ReasonCode::ResultAwaited.into());
    }
    if !telling.has_activity() {
        return Err(ReasonCode::NotAsked.into());
    }
    let values = telling.activity(&row.record, call)?;
    let digest = digest(&values, None);
    Ok(Words { rules: by_rule(&values, TellRule::Activity), values, digest })
}

/// What follows from a record's calls, and where it stands. That waits for nothing: where the calls cannot be told now, it
/// goes alone; so it does where the newest of them is erased, of which the CRM keeps what it was told.
pub(super) fn of_record(
    telling: &Telling,
    row: &ToTell,
    history: &HistoryFacts,
) -> Result<RecordValues, Reason> {
    let mut standing = telling.status_fields(&row.record, history.standing.as_ref())?;
    // Of the whole: what was told before this rule says the same by it.
    let of_standing = digest(&standing, None);
    if let Some(facts) = &history.standing {
        standing.retain(|field, value| facts.tells(field, value));
    }
    let told_before = || {
        let told = row.digest.as_deref().and_then(|told| told.get(..OF_CALLS));
        told.map_or_else(|| vec![0; OF_CALLS], <[u8]>::to_vec)
    };
    let erased = history.last.as_ref().is_some_and(|last| last.erased);
    let (mut values, of_calls, left_out) = match telling.record_fields(&row.record, history) {
        _ if erased => (CrmValues::new(), told_before(), None),
        Ok(values) => {
            let of_calls = digest(&values, None);
            (values, of_calls, None)
        }
        Err(reason) if standing.is_empty() => return Err(reason),
        Err(reason) => (CrmValues::new(), told_before(), Some(reason)),
    };
    let digest = [of_calls, of_standing].concat();
    let mut rules = by_rule(&values, TellRule::ResultFields);
    rules.extend(by_rule(&standing, TellRule::StatusFields));
    values.extend(standing);
    Ok(RecordValues { words: Words { values, rules, digest }, left_out })
}

/// Somebody's no, unless the CRM was told just that. A second one is told also where a person has taken the first one back
/// over there.
pub(super) fn of_objection(
    telling: &Telling,
    row: &ToTell,
    history: &HistoryFacts,
) -> Result<Option<(CrmValues, Vec<u8>)>, Reason> {
    let blocked = history.blocked.as_ref();
    let no = telling.block_fields(&row.record, blocked)?;
    let digest = digest(&no, blocked.map(|blocked| blocked.since));
    let known = no.is_empty() || row.objection_told.as_ref() == Some(&digest);
    Ok((!known).then_some((no, digest)))
}

/// All of these go by one rule.
pub(super) fn by_rule(values: &CrmValues, rule: TellRule) -> BTreeMap<String, TellRule> {
    values.keys().map(|name| (name.clone(), rule)).collect()
}

/// Whether the CRM was told just these, or there is nothing to tell.
pub(super) fn is_known(row: &ToTell, words: &Words) -> bool {
    words.values.is_empty() || row.digest.as_deref() == Some(words.digest.as_slice())
}

/// What is told, as one number: a revision of the call that says the same costs no request.
pub(super) fn digest(values: &CrmValues, no: Option<Timestamp>) -> Vec<u8> {
    let mut hash = Sha256::new();
    for (name, value) in values {
        hash.update(name.as_bytes());
        hash.update([0]);
        hash.update(value.to_string().as_bytes());
        hash.update([0]);
    }
    if let Some(since) = no {
        hash.update(since.to_rfc3339().as_bytes());
    }
    hash.finalize().to_vec()
}
