//! Whoever was called to an end is not brought back as new: judged over all imports, and not by where everybody stands in the end.

use super::judge::record_of;
use super::leaving::is_an_end;
use super::life::Life;
use super::past::{Past, done};
use chrono::TimeDelta;
use dialbridge::sim::dialler::Actor;

/// Once an end could be read, the key is imported no more, whatever became of its contact; of how many ends it was asked.
pub fn nobody_is_brought_back(life: &Life, past: &Past, wrong: &mut Vec<String>) -> u64 {
    // Without the batch read nobody knows which results are final: every one may be.
    let told = life.world.dialler.journal().requests_of("batch").iter().any(done);
    let mut judged = 0;
    for (ended, recorded) in &past.recorded {
        let Some(key) = past.keys.get(ended).filter(|key| !life.truth.portal_keys.contains(*key)) else {
            continue;
        };
        let begun_anew = record_of(key).is_none_or(|(_, record)| life.truth.reset_by_hand.contains(&record));
        // Of several calls the newest counts, and a correction may be an older one's.
        let one_call = recorded.iter().all(|(_, row, _)| *row == recorded[0].1);
        if begun_anew || !one_call || life.truth.meddled_with(ended) {
            continue;
        }
        for (place, (at, _, result)) in recorded.iter().enumerate() {
            let until = recorded.get(place + 1).map(|(at, ..)| *at);
            let Some(read) = past.history_read(*ended, *at, until).filter(|_| is_an_end(result, told)) else {
                continue;
            };
            judged += 1;
            let known = read + TimeDelta::minutes(3);
            let made = past.made.iter().filter(|(contact, (made, _, by))| {
                *contact != ended
                    && *by == Actor::Client
                    && past.keys.get(contact) == Some(key)
                    && *made > known
                    && until.is_none_or(|until| *made < until)
            });
            wrong.extend(made.map(|(contact, (made, ..))| {
                format!("{key} was imported at {made} as {contact}, though {ended} had ended with {result} at {at}")
            }));
        }
    }
    judged
}
