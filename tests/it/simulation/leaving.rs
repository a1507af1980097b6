//! Lives in which records leave by the route's word: what it says, and whether it was done.

use super::life::Life;
use super::past::Past;
use super::truth::Holds;
use crate::support::world::key;
use chrono::TimeDelta;
use dialbridge::domain::Timestamp;
use dialbridge::ledger::{CallFilter, CallView};
use dialbridge::sim::dialler::Actor;
use serde_json::json;
use std::collections::BTreeMap;

/// What route `leads` says of records that leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaving {
    /// Nothing: they are locked.
    Locked,
    /// Archived ones are deleted.
    Deleted,
    /// Whoever says no is deleted, archived ones get a mark.
    NoDeleted,
    /// Archived ones begin anew when they come back; both they and whoever says no get a mark.
    Reset,
    /// Archived ones stay callable, with a mark.
    Kept,
    /// The route gets another campaign in the middle of the life, and its contacts with it.
    Moves,
}

const MARK: &str = "[route.leads.mark]\nTag = \"left\"\n";

impl Leaving {
    /// Drawn by the seed, apart from all else that it draws.
    pub fn of(seed: u64) -> Self {
        let all = [Self::Deleted, Self::Kept, Self::Locked, Self::NoDeleted, Self::Reset, Self::Moves];
        all[usize::try_from(seed).unwrap_or_default() % all.len()]
    }

    /// The route's keys for it.
    pub fn keys(self) -> &'static str {
        match self {
            Self::Moves => "\ncampaign_change = \"move\"",
            Self::Locked | Self::Deleted | Self::NoDeleted | Self::Reset | Self::Kept => "",
        }
    }

    /// The route's tables for it.
    pub fn tables(self) -> String {
        let (archived, opt_out, mark) = match self {
            Self::Locked | Self::Moves => return String::new(),
            Self::Deleted => ("[\"delete\"]", "[\"lock\"]", ""),
            Self::NoDeleted => ("[\"lock\", \"mark\"]", "[\"delete\"]", MARK),
            Self::Reset => ("[\"reset\", \"mark\"]", "[\"lock\", \"mark\"]", MARK),
            Self::Kept => ("[\"keep\", \"mark\"]", "[\"lock\", \"end_date\"]", MARK),
        };
        format!(
            "[route.leads.leave]\narchived = {archived}\nineligible = {archived}\nopt_out = {opt_out}\n{mark}"
        )
    }
}

impl Past {
    /// Whether a key's contacts are all deleted by us and the last result that one of them had is a final one. `told`:
    /// whether it could be read which results are.
    pub fn was_final(&self, key: &str, told: bool) -> bool {
        let of_key = self.keys.iter().filter(|(_, of)| *of == key).map(|(contact, _)| contact);
        let ours =
            of_key.filter(|contact| self.gone.get(contact).is_some_and(|(_, by)| *by == Actor::Client));
        let last = ours.filter_map(|contact| self.recorded.get(contact)?.last()).max();
        last.is_some_and(|(_, _, result)| is_an_end(result, told))
    }
}

/// Whether nobody is called again after a result; where nobody can be told which are final, each is.
pub fn is_an_end(result: &str, told: bool) -> bool {
    !told || !matches!(result, "CALL_LATER" | "APPOINTMENT")
}

/// Whoever left bears the route's mark, and whoever is here (again) does not.
pub fn marks_are_where_they_belong(life: &Life, wrong: &mut Vec<String>) {
    let (archived, blocked) = match life.leaving {
        Leaving::Locked | Leaving::Deleted | Leaving::Moves => return,
        Leaving::NoDeleted => (json!("left"), None),
        Leaving::Reset => (json!("left"), Some(json!("left"))),
        Leaving::Kept => (json!("left"), None),
    };
    let editor = life.world.editor();
    // Whom an operator locked is only locked, and what a person put aside stays as it is.
    let ours =
        |id: &u64| !life.truth.is_by_hand(*id, Timestamp::MAX_UTC) && !life.truth.rejected.contains(id);
    for id in editor.ids().into_iter().filter(ours) {
        let expected = match (life.truth.objected(id), editor.active(id), &blocked) {
            (Holds::Perhaps, _, _) | (Holds::Yes, _, None) => continue,
            (Holds::Yes, _, Some(mark)) => mark.clone(),
            (Holds::No, true, _) => json!(null),
            (Holds::No, false, _) => archived.clone(),
        };
        for contact in life.world.contacts(id) {
            let touched = life.truth.portal_keys.contains(&key(id)) || life.truth.meddled_with(&contact.id);
            let has = match contact.get("Tag") {
                text if text.as_str() == Some("") => json!(null),
                other => other,
            };
            if !touched && has != expected {
                wrong.push(format!("{} has mark {has}, expected {expected}", key(id)));
            }
        }
    }
}

/// Whoever is gone from the CRM cannot be called; how many were judged.
pub fn whoever_is_gone_cannot_be_called(life: &Life, wrong: &mut Vec<String>) -> u64 {
    let keys =
        life.truth.deleted.keys().flat_map(|id| ["leads", "winback"].map(|route| format!("{route}-{id}")));
    let mut judged = 0;
    for key in keys.filter(|key| !life.truth.portal_keys.contains(key)) {
        for contact in life.world.dialler.contacts_with(&key) {
            if !life.truth.meddled_with(&contact.id) {
                judged += 1;
                if !contact.locked {
                    wrong.push(format!("{key} is deleted in the CRM and can be called: {contact:?}"));
                }
            }
        }
    }
    judged
}

/// What a contact's calls were is in the ledger before it is deleted, with their last results.
pub async fn calls_of_the_deleted_are_known(life: &Life, past: &Past, wrong: &mut Vec<String>) {
    let calls = life.world.ledger().calls_list(CallFilter::default(), 100_000).await.expect("calls");
    // A code whose name nobody could read yet is one all the same.
    let result = |call: CallView| call.result_key.or(call.result_code.map(|code| format!("code {code}")));
    let known: BTreeMap<i64, Option<String>> =
        calls.into_iter().map(|call| (call.call.0, result(call))).collect();
    let unnamed = |stored: &Option<String>| stored.as_deref().is_some_and(|key| key.starts_with("code "));
    let told = known.values().any(Option::is_some);
    for (contact, (gone, by)) in &past.gone {
        if *by != Actor::Client {
            continue;
        }
        // Between the last look and its end nobody can see what comes.
        let seen = |at: &Timestamp| *at < *gone - TimeDelta::minutes(3);
        for (at, row) in past.rows.get(contact).into_iter().flatten().filter(|(at, _)| seen(at)) {
            let mut recorded = past.recorded.get(contact).into_iter().flatten();
            let last = recorded.rfind(|(at, of, _)| of == row && seen(at));
            let last = last.map(|(_, _, result)| result.clone());
            match known.get(row) {
                None => wrong.push(format!("call {row} of {at} went with contact {contact} at {gone}")),
                Some(stored) if told && last.is_some() && *stored != last && !unnamed(stored) => {
                    wrong.push(format!(
                        "call {row} went with contact {contact} at {gone} as {stored:?}, not {last:?}"
                    ));
                }
                Some(_) => {}
            }
        }
    }
}
