//! When a no must hold at the latest, and whether anybody was dialled after it.

use super::judge::{record_of, target};
use super::life::Life;
use super::past::{Past, answered_at, clear, done, in_doubt};
use super::truth::{Door, Holds, Objection};
use chrono::TimeDelta;
use dialbridge::domain::Timestamp;
use dialbridge::sim::journal::Asked;

/// Nobody is dialled more than a minute after their no could be read.
pub fn nobody_is_called_who_said_no(life: &Life, past: &Past, wrong: &mut Vec<String>) -> Judged {
    let mut judged = Judged::default();
    for objection in &life.truth.objections {
        for (contact, key) in &past.keys {
            let Some((_, record)) = record_of(key).filter(|(_, record)| holds(life, objection, *record))
            else {
                continue;
            };
            if life.truth.portal_touched.contains(contact) || life.truth.portal_keys.contains(key) {
                continue;
            }
            let Some(deadline) = deadline(life, past, objection, *contact, key) else { continue };
            judged.contacts += 1;
            judged.of_another += u64::from(record != objection.record);
            judged.moved += u64::from(life.truth.moved.contains(contact));
            for (at, dialled) in &past.dials {
                let stood = objection.until.is_none_or(|until| *at < until);
                if dialled == contact && *at > deadline && stood {
                    wrong.push(format!(
                        "{key} ({contact}) was dialled at {at}, deadline {deadline}: {objection:?}"
                    ));
                }
            }
        }
    }
    judged
}

/// Of how many contacts it was asked.
#[derive(Default)]
pub struct Judged {
    pub contacts: u64,
    /// Those of another record with the number of whoever said no.
    pub of_another: u64,
    /// Those that a portal user moved.
    pub moved: u64,
}

/// Whether a no holds against a record from when it could be read: by a number only where the record always had it.
pub fn holds(life: &Life, objection: &Objection, record: u64) -> bool {
    let by_number = match objection.door {
        Door::Hand | Door::List | Door::Blacklist => true,
        Door::Field | Door::Told | Door::Record | Door::Result { .. } => record != objection.record,
    };
    let renumbered = life.truth.renumbered.contains(&record);
    life.truth.means(objection, record) == Holds::Yes && !(by_number && renumbered)
}

/// When the no must hold at the latest; `None` where it cannot be said.
pub fn deadline(
    life: &Life,
    past: &Past,
    objection: &Objection,
    contact: i64,
    key: &str,
) -> Option<Timestamp> {
    let minute = TimeDelta::seconds(60);
    let mut deadline = readable(life, past, objection, objection.at)? + minute;
    loop {
        let before = deadline;
        // What a killed process had read is read again.
        for death in life.truth.deaths.iter().filter(|death| objection.at <= **death && **death <= before) {
            deadline = deadline.max(readable(life, past, objection, *death)? + minute);
        }
        // A contact is locked by its number, so the number must be known.
        deadline = deadline.max(known(past, contact, key)? + minute);
        // What is in doubt may take effect after the lock; the lock is sent again after the quiet time.
        for write in &past.writes {
            let about = target(write) == key || target(write) == contact.to_string();
            let opens = matches!(write.kind.name, "import" | "unlock" | "reset");
            let doubtful = in_doubt(write)
                || life
                    .truth
                    .deaths
                    .iter()
                    .any(|death| write.at <= *death && *death <= write.at + TimeDelta::seconds(100));
            if about && opens && doubtful && write.at <= deadline {
                deadline = deadline.max(write.at + TimeDelta::seconds(60) + minute + minute);
            }
        }
        if deadline == before {
            return Some(deadline);
        }
    }
}

/// A CRM is doubted only where somebody deleted records of it.
pub fn doubts_have_a_reason(life: &Life, wrong: &mut Vec<String>) {
    let gone = |since: Timestamp| life.truth.deleted.values().any(|at| *at <= since);
    for (since, _) in life.truth.doubts.iter().filter(|(since, _)| !gone(*since)) {
        wrong.push(format!("the CRM was doubted at {since}, with all its records there"));
    }
}

/// When the no could be read first at or after an instant.
fn readable(life: &Life, past: &Past, objection: &Objection, after: Timestamp) -> Option<Timestamp> {
    let kinds: &[&str] = match objection.door {
        // A list is looked at as soon as it changes, and again at each start.
        Door::Hand | Door::Record | Door::List => return Some(objection.at.max(after)),
        Door::Result { contact, until } => {
            let read = past.history_read(contact, after, until);
            let listed = past.listed(life, contact, after, until);
            // Whoever is listed with another result has their history read, and that may fail by itself.
            let failed = past.reads_of(contact).any(|asked| {
                !done(asked)
                    && listed.is_some_and(|listed| asked.at >= listed)
                    && read.is_none_or(|read| asked.at < read)
            });
            return if failed { read } else { read.min(listed).or(read) };
        }
        Door::Field | Door::Told => &["list", "search", "feed"],
        Door::Blacklist => &["blacklisted", "by_numbers"],
    };
    let requests = life.world.crm.journal.requests();
    // While route `leads` doubts that this is its CRM, it reads none; the other one looks at no such field.
    let read = |asked: &&Asked| kinds.contains(&asked.kind.name) && !life.truth.doubted(asked.at);
    let mut lists = requests.iter().filter(|asked| asked.at >= after).filter(read);
    let listed = answered_at(lists.find(|asked| done(asked))?)?;
    // Whoever is deleted before anybody reads their no has said it to nobody.
    if life.truth.deleted.get(&objection.record).is_some_and(|gone| *gone <= listed) {
        return None;
    }
    if objection.door != Door::Blacklist {
        return Some(listed);
    }
    // Whoever entered the list is read by id, and that may fail by itself.
    let id = objection.record.to_string();
    let named = |asked: &&Asked| asked.param("ids").is_some_and(|ids| ids.split(',').any(|one| one == id));
    let mut reads = requests.iter().filter(|asked| asked.at >= listed).filter(named).peekable();
    if reads.peek().is_none() { Some(listed) } else { answered_at(reads.find(|asked| done(asked))?) }
}

/// When we could know a contact's number: from the answer of what made it, or from a read after it.
fn known(past: &Past, contact: i64, key: &str) -> Option<Timestamp> {
    let (made, request, _) = *past.made.get(&contact)?;
    let by_answer = request.and_then(|seq| past.asked(seq)).filter(|asked| !in_doubt(asked));
    if let Some(answered) = by_answer.and_then(|asked| asked.answered.as_ref()) {
        return Some(answered.at);
    }
    let names_it = |asked: &&Asked| {
        let answered = asked.answered.as_ref()?;
        let tells = match asked.kind.name {
            "by_user_data" => asked.param("userData") == Some(key),
            "list" | "batch" => true,
            _ => false,
        };
        (tells && asked.at >= made && clear(answered) && answered.status == Some(200)).then_some(answered.at)
    };
    past.requests.iter().find_map(|asked| names_it(&asked))
}
