//! Whether a ledger is at home: where it lives and what was last seen in its place, against what it remembers. Pure.

use super::operation::named_enum;
use super::{Reason, ReasonCode, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;

named_enum! {
    /// By what a ledger knows its home.
    Watch {
        /// Machine and path too.
        Host = "host",
        /// The file alone, which may come to lie anywhere.
        File = "file",
    }
}

/// Where the ledger lies now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Here {
    /// The machine, as a keyed hash; `None` where it has no id.
    pub host: Option<String>,
    /// The file, without links.
    pub path: String,
}

/// What the ledger remembers of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Where it was at home.
    pub home: Here,
    /// How far it has come.
    pub mark: Mark,
    /// When this file was made as a backup, if it is one.
    pub backup_at: Option<Timestamp>,
}

/// How far a ledger had come; kept beside it, so that an older copy in its place is noticed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The same in every copy of one ledger.
    pub instance: String,
    /// Raised by each backup (in the copy) and by each takeover.
    pub generation: i64,
    /// How many transactions changed something.
    pub commits: i64,
}

/// What stands beside the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MarkSeen {
    /// Nothing, or nothing that can be read.
    Missing,
    /// The mark as last written.
    Seen(Mark),
}

/// Something by which the ledger, or a side it talks with, is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// `ledger`, `dialler` or `crm:ROUTE`.
    pub subject: String,
    /// What differs.
    pub reason: Reason,
    /// Since when it is known.
    pub since: Timestamp,
}

impl Difference {
    /// What a person should know and do, in two sentences.
    pub fn in_words(&self) -> String {
        format!("{}. {}", capitalised(&self.reason.to_string()), capitalised(self.remedy()))
    }

    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self.reason.code {
            ReasonCode::OtherPeople => {
                "correct the address and start again, or say `dialbridge takeover` if this is the one that is meant"
            }
            ReasonCode::OtherHost | ReasonCode::OtherPath => {
                "say `dialbridge takeover` if this is its new home and nothing runs in the old one; a copy for tests \
                 wants a config of its own with test systems"
            }
            _ => "say `dialbridge takeover` if the work is to go on from here, or put the newer ledger back",
        }
    }
}

/// What differs between the ledger's memory and where it is found.
pub fn differences(known: &Known, here: &Here, seen: &MarkSeen, watch: Watch) -> Vec<Reason> {
    let mut found = Vec::new();
    if watch == Watch::Host {
        // A machine without an id, then or now, says nothing.
        if let (Some(was), Some(now)) = (&known.home.host, &here.host)
            && was != now
        {
            found.push(ReasonCode::OtherHost.into());
        }
        if known.home.path != here.path {
            let reason = Reason::new(ReasonCode::OtherPath);
            found.push(reason.with("was", &known.home.path).with("now", &here.path));
        }
    }
    if let Some(at) = known.backup_at {
        let at = at.format("%Y-%m-%d %H:%M UTC");
        found.push(Reason::new(ReasonCode::LedgerIsBackup).with("at", at));
        return found;
    }
    let mine = &known.mark;
    match seen {
        // Where it came to lie anew nothing stood beside it yet.
        MarkSeen::Missing if !found.is_empty() => {}
        MarkSeen::Missing => found.push(ReasonCode::MarkMissing.into()),
        MarkSeen::Seen(mark) if mark.instance != mine.instance => {
            found.push(ReasonCode::LedgerReplaced.into());
        }
        MarkSeen::Seen(mark) if (mark.generation, mark.commits) > (mine.generation, mine.commits) => {
            let missing = (mark.commits - mine.commits).max(0);
            found.push(Reason::new(ReasonCode::LedgerOlder).with("commits", missing));
        }
        MarkSeen::Seen(_) => {}
    }
    found
}

/// Fewer than that say something only together: one deleted contact of three is no other dialler, all three are.
const SOME: usize = 5;

/// Fewer than that say nothing at all: two records of a trial are deleted soon.
const LEAST: usize = 3;

/// Whether so few of a sample agree that it is another system: less than nine in ten; of a few, none.
pub fn sample_differs(agree: usize, of: usize) -> bool {
    match of {
        0..LEAST => false,
        LEAST..SOME => agree == 0,
        SOME.. => of - agree >= 2 && agree * 10 < of * 9,
    }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(host: &str, path: &str) -> Here {
        Here { host: (!host.is_empty()).then(|| host.to_owned()), path: path.to_owned() }
    }

    fn mark(instance: &str, generation: i64, commits: i64) -> Mark {
        Mark { instance: instance.to_owned(), generation, commits }
    }

    fn codes(here: &Here, seen: MarkSeen, watch: Watch) -> Vec<ReasonCode> {
        let known = Known { home: home("a", "/var/l"), mark: mark("i", 2, 100), backup_at: None };
        differences(&known, here, &seen, watch).into_iter().map(|reason| reason.code).collect()
    }

    #[test]
    fn each_way_of_being_elsewhere_has_its_name() {
        use ReasonCode::{LedgerOlder, LedgerReplaced, MarkMissing, OtherHost, OtherPath};
        let seen = |generation, commits| MarkSeen::Seen(mark("i", generation, commits));
        let at_home = home("a", "/var/l");
        for (here, mark_seen, watch, expected) in [
            (&at_home, seen(2, 100), Watch::Host, vec![]),
            (&at_home, seen(2, 99), Watch::Host, vec![]),
            (&at_home, seen(2, 101), Watch::Host, vec![LedgerOlder]),
            (&at_home, seen(3, 7), Watch::File, vec![LedgerOlder]),
            (&at_home, MarkSeen::Missing, Watch::Host, vec![MarkMissing]),
            (&at_home, MarkSeen::Seen(mark("j", 1, 1)), Watch::File, vec![LedgerReplaced]),
            (&home("b", "/var/l"), seen(2, 100), Watch::Host, vec![OtherHost]),
            (&home("", "/var/l"), seen(2, 100), Watch::Host, vec![]),
            (&home("a", "/tmp/l"), MarkSeen::Missing, Watch::Host, vec![OtherPath]),
            (&home("b", "/tmp/l"), seen(2, 100), Watch::File, vec![]),
            (&home("b", "/tmp/l"), MarkSeen::Missing, Watch::File, vec![MarkMissing]),
            (&home("b", "/tmp/l"), seen(2, 101), Watch::Host, vec![OtherHost, OtherPath, LedgerOlder]),
        ] {
            assert_eq!(codes(here, mark_seen.clone(), watch), expected, "{here:?} {mark_seen:?} {watch}");
        }
    }

    #[test]
    fn a_sample_differs_below_nine_in_ten_and_of_a_few_where_none_agrees() {
        for (of, most_that_differ) in [
            (0, None),
            (1, None),
            (2, None),
            (3, Some(0)),
            (4, Some(0)),
            // One of a few may have been deleted.
            (5, Some(3)),
            (10, Some(8)),
            (19, Some(17)),
            (20, Some(17)),
            (50, Some(44)),
        ] {
            for agree in 0..=of {
                let expected = most_that_differ.is_some_and(|most| agree <= most);
                assert_eq!(sample_differs(agree, of), expected, "{agree} of {of}");
            }
        }
    }
}
