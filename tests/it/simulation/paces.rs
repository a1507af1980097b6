//! Whether both sides go on being read: what was said is to be heard within the interval of the side it was said to, and a judge that
//! waits for the next read would wait with a program that reads no more.

use super::life::Life;
use super::past::{Past, done};
use chrono::TimeDelta;
use dialbridge::domain::Timestamp;
use dialbridge::sim::journal::Asked;

/// After something went wrong a side may rest, or its route wait, for so long.
const RESTS: TimeDelta = TimeDelta::minutes(20);

/// While nothing happens the simulated world asks for a pull every ten minutes only. No side is left unread for much longer than its interval while the other one is spoken with. Answers how many intervals were looked at.
pub fn both_sides_are_read(life: &Life, past: &Past, wrong: &mut Vec<String>) -> u64 {
    let of_crm = life.world.crm.journal.requests();
    let crm =
        Spoken { name: "the CRM", requests: &of_crm, kinds: &["list", "search", "feed"], most: minutes(10) };
    let dialler =
        Spoken { name: "the dialler", requests: &past.requests, kinds: &["list"], most: minutes(15) };
    crm.is_read(life, &dialler, wrong) + dialler.is_read(life, &crm, wrong)
}

fn minutes(count: i64) -> TimeDelta {
    TimeDelta::minutes(count)
}

/// A side, what it was asked, and how it is read.
struct Spoken<'a> {
    name: &'static str,
    requests: &'a [Asked],
    kinds: &'static [&'static str],
    /// How far two reads lie apart at most.
    most: TimeDelta,
}

impl Spoken<'_> {
    fn is_read(&self, life: &Life, other: &Spoken<'_>, wrong: &mut Vec<String>) -> u64 {
        let reads: Vec<Timestamp> = self
            .requests
            .iter()
            .filter(|asked| self.kinds.contains(&asked.kind.name))
            .map(|asked| asked.at)
            .collect();
        for pair in reads.windows(2) {
            let (from, to) = (pair[0], pair[1]);
            if to - from > self.most
                && other.goes_on(from, to, self.most)
                && !self.had_a_reason(life, from, to)
            {
                wrong.push(format!(
                    "{} was not read from {from} to {to}, and nothing was wrong with it",
                    self.name
                ));
            }
        }
        reads.len() as u64
    }

    /// Whether it was spoken with for so long within these times: nobody may have let time pass with nothing running.
    fn goes_on(&self, from: Timestamp, to: Timestamp, so_long: TimeDelta) -> bool {
        let mut within = self.requests.iter().map(|asked| asked.at).filter(|at| from < *at && *at < to);
        within.next().is_some_and(|first| within.last().is_some_and(|last| last - first > so_long))
    }

    /// Whether something failed, the program ended or began, or the side was doubted.
    fn had_a_reason(&self, life: &Life, from: Timestamp, to: Timestamp) -> bool {
        let near = |at: Timestamp| from - RESTS <= at && at <= to;
        let truth = &life.truth;
        self.requests.iter().any(|asked| near(asked.at) && !done(asked))
            || truth.deaths.iter().chain(&truth.starts).any(|at| near(*at))
            || truth.doubts.iter().any(|(since, until)| *since <= to && from <= *until)
    }
}
