//! A CSV of somebody else that overwrites a contact, and so makes it callable: from the first list on in which that can be seen, whoever is
//! to be out of reach is so again within a minute. What shows nothing waits for the night, and is not judged.

use super::judge::target;
use super::life::Life;
use super::past::{Past, answered_at, done, in_doubt};
use super::said_no::{deadline, holds};
use super::setup::one;
use crate::support::world::key;
use chrono::TimeDelta;
use dialbridge::domain::Timestamp;
use dialbridge::sim::journal::Asked;

/// A contact that somebody else's CSV overwrote, with another name.
#[derive(Debug, Clone, Copy)]
pub struct Overwritten {
    pub at: Timestamp,
    pub contact: i64,
    pub campaign: i64,
    pub record: u64,
}

impl Life {
    /// A CSV with another name for a contact; mostly for one of somebody who said no.
    pub(super) fn overwrite(&mut self) {
        let there = self.world.editor().ids();
        let objected = self.truth.objections.iter().filter(|no| no.stands()).map(|no| no.record);
        let objected: Vec<u64> = objected.filter(|id| there.contains(id)).collect();
        let id = match self.rng.u32(0..4) {
            1.. if !objected.is_empty() => one(&mut self.rng, &objected),
            _ => one(&mut self.rng, &there),
        };
        let Some(contact) = self.world.contacts(id).first().cloned() else { return };
        let number = contact.get("PhoneNumber1");
        let csv = format!(
            "Name;FirstName;PhoneNumber1;UserData\nListed {};Kim;{};{}\n",
            self.new_name(),
            number.as_str().unwrap_or("4930777"),
            key(id)
        );
        let report = self.world.dialler.portal().import_csv(contact.campaign, &csv, true);
        self.truth.portal_keys.insert(key(id));
        self.truth.portal_touched.insert(contact.id);
        if report.overwritten == 1 {
            let (at, contact, campaign) = (self.world.now(), contact.id, contact.campaign);
            self.truth.overwritten.push(Overwritten { at, contact, campaign, record: id });
        }
    }
}

/// Whoever was out of reach when a CSV overwrote them is so again once a list has shown it; how many were judged.
pub fn whoever_is_overwritten_is_locked_again(life: &Life, past: &Past, wrong: &mut Vec<String>) -> u64 {
    let mut judged = 0;
    for over in &life.truth.overwritten {
        // What else somebody did in the portal to a contact of theirs may be what the list shows.
        if life.truth.meddled.contains(&over.record) {
            continue;
        }
        let Some(shown) = first_shown(past, over).filter(|shown| is_out_of_reach(life, past, over, *shown))
        else {
            continue;
        };
        let until = shown + TimeDelta::seconds(60);
        // What a killed process had read is read again.
        let died = life.truth.deaths.iter().any(|death| over.at <= *death && *death <= until);
        let gone = past.gone.get(&over.contact).is_some_and(|(at, _)| *at <= until);
        if died || gone {
            continue;
        }
        judged += 1;
        let locks = past.writes.iter().filter(|write| {
            write.kind.name == "lock"
                && target(write) == over.contact.to_string()
                && done(write)
                && write.at >= over.at
        });
        if !locks.filter_map(answered_at).any(|at| at <= until) {
            wrong.push(format!("{over:?} was shown at {shown}, and not locked again within a minute"));
        }
    }
    judged
}

/// Whether somebody's no held for the contact before it was overwritten, and holds for long enough after it, and the contact was
/// locked for it.
fn is_out_of_reach(life: &Life, past: &Past, over: &Overwritten, shown: Timestamp) -> bool {
    let no = life.truth.objections.iter().any(|no| {
        let stands = no.until.is_none_or(|until| until > shown + TimeDelta::minutes(2));
        let before =
            deadline(life, past, no, over.contact, &key(over.record)).is_some_and(|held| held < over.at);
        stands && before && holds(life, no, over.record)
    });
    let about =
        |write: &&Asked| target(write) == over.contact.to_string() && write.at < over.at && done(write);
    let last = past
        .writes
        .iter()
        .rfind(|write| about(write) && matches!(write.kind.name, "lock" | "unlock" | "reset"));
    no && last.is_some_and(|write| write.kind.name == "lock")
}

/// When a list showed it first that is younger than all our writes to the contact, and beside which nobody read it by itself.
fn first_shown(past: &Past, over: &Overwritten) -> Option<Timestamp> {
    let campaign = over.campaign.to_string();
    let lists = past.requests.iter().filter(|asked| {
        asked.kind.name == "list"
            && asked.at > over.at
            && done(asked)
            && asked.param("diallerCampaignsID") == Some(campaign.as_str())
    });
    let about = |asked: &&Asked| {
        target(asked) == over.contact.to_string()
            || target(asked) == key(over.record)
            || asked.param("userData") == Some(key(over.record).as_str())
            || asked.path.ends_with(&format!("/{}", over.contact))
            || asked.json()["IDList"].as_array().is_some_and(|ids| ids.iter().any(|id| *id == over.contact))
    };
    let own: Vec<&Asked> = past.requests.iter().filter(about).collect();
    let mut clean = lists.filter_map(|list| {
        let answered = answered_at(list)?;
        let disturbs = |asked: &&&Asked| {
            let overlaps = asked.at <= answered && answered_at(asked).is_none_or(|at| at >= list.at);
            let doubtful =
                asked.kind.write && in_doubt(asked) && asked.at >= list.at - TimeDelta::minutes(15);
            overlaps || (doubtful && asked.at <= answered)
        };
        (!own.iter().any(|asked| disturbs(&asked))).then_some(answered)
    });
    clean.next()
}
