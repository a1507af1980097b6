//! What a person should know first, and what to do about it. Pure: the facts are arguments.

use super::zone::Zone;
use crate::domain::Timestamp;
use crate::domain::identity::Difference;
use crate::domain::policy::{RouteState, WaveKind, WaveWhat};
use crate::ledger::{
    CompanionTrouble, DayFull, FailingJob, FreezeRow, LastLook, LocksFailing, Look, OpenCount,
    OverwrittenCount, ParkedCount, RouteRow, WaveRow,
};
use serde::Serialize;

/// How long an import that met somebody is told of.
pub const OVERWRITTEN_DAYS: i64 = 7;

/// How much something weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// Something that should go on does not.
    Trouble,
    /// Work goes on, and something waits for a person.
    Person,
    /// Meant so, and worth knowing.
    Note,
}

/// Something a person should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Concern {
    /// How much it weighs.
    pub weight: Weight,
    /// What it is.
    pub what: String,
    /// Since when.
    pub since: Option<Timestamp>,
    /// What to do.
    pub remedy: String,
}

/// What it is judged by.
pub struct Facts<'a> {
    /// Whether no daemon runs.
    pub daemon_down: bool,
    /// What differs from what the ledger remembers.
    pub differences: &'a [Difference],
    /// The routes of the config.
    pub routes: Vec<&'a RouteRow>,
    /// What fails.
    pub failing: &'a [FailingJob],
    /// What is parked.
    pub parked: &'a [ParkedCount],
    /// What waits.
    pub to_send: &'a [OpenCount],
    /// In which zone times are told.
    pub zone: Zone,
}

/// What these facts say; others may join it before it is put [`in_order`].
pub fn concerns(facts: &Facts<'_>) -> Vec<Concern> {
    let mut found: Vec<Concern> = facts.differences.iter().map(differs).collect();
    if facts.daemon_down {
        found.push(Concern {
            weight: Weight::Trouble,
            what: "the daemon is not running: nothing is read, sent or locked by itself".to_owned(),
            since: None,
            remedy: "systemctl start dialbridge; its log: journalctl -u dialbridge".to_owned(),
        });
    }
    found.extend(facts.routes.iter().filter_map(|row| stopped(row)));
    found.extend(facts.failing.iter().map(failing));
    found.extend(facts.parked.iter().map(parked));
    found.extend(facts.to_send.iter().filter(|open| open.state == "uncertain").map(in_doubt));
    if facts.differences.is_empty() {
        found.extend(facts.routes.iter().filter_map(|row| not_on(row, facts.zone)));
    }
    found
}

/// The heaviest first.
pub fn in_order(mut concerns: Vec<Concern>) -> Vec<Concern> {
    concerns.sort_by_key(|concern| concern.weight);
    concerns
}

/// Locks that the dialler does not take.
pub(super) fn locks_failing(failing: &LocksFailing) -> Concern {
    let LocksFailing { route, count, since } = failing;
    Concern {
        weight: Weight::Trouble,
        what: format!(
            "route {route}: {count} locks were tried again and again and the dialler does not take them: these people must not be \
             called, and may be"
        ),
        since: Some(*since),
        remedy: format!(
            "lock them in the dialler's portal; they are tried every 30 s. `dialbridge ledger operations --route {route}` names \
             them, the log says what the dialler answers"
        ),
    }
}

fn stopped(row: &RouteRow) -> Option<Concern> {
    let reason = row.stopped.as_ref()?;
    Some(Concern {
        weight: Weight::Trouble,
        what: format!("route {} sends nothing but locks; {reason}", row.route),
        since: row.stopped_since,
        remedy: format!(
            "mend that; it goes on by itself once that is seen to be mended, or at once with `dialbridge route on {} \
             --reason TEXT`. `dialbridge check` asks both sides",
            row.route
        ),
    })
}

fn failing(job: &FailingJob) -> Concern {
    let of = job.route.as_ref().map(|route| format!(" {route}"));
    let of = of.or_else(|| job.campaign.map(|campaign| format!(" of campaign {campaign}")));
    Concern {
        weight: Weight::Trouble,
        what: format!(
            "{}{} fails, {} runs in a row: {}",
            job.job,
            of.unwrap_or_default(),
            job.runs,
            job.error
        ),
        since: Some(job.since),
        remedy: "it is tried again at every run and goes on from where it was; `dialbridge check` asks both sides \
                 what is wrong"
            .to_owned(),
    }
}

/// Everything stands still, because a person said so.
pub fn frozen(freeze: &FreezeRow, zone: Zone) -> Concern {
    Concern {
        weight: Weight::Trouble,
        what: frozen_in_words(freeze, zone),
        since: Some(freeze.since),
        remedy: THAW.to_owned(),
    }
}

/// How a freeze ends.
pub const THAW: &str = "`dialbridge thaw --reason TEXT` ends it; what waited is sent then";

/// Who froze what, until when, and why.
pub fn frozen_in_words(freeze: &FreezeRow, zone: Zone) -> String {
    let locks = if freeze.even_locks {
        "nothing is written, NOT EVEN LOCKS: whoever says no meanwhile may be called"
    } else {
        "nothing but locks is written"
    };
    let until =
        freeze.until.map_or_else(|| "until it is thawed".to_owned(), |at| format!("until {}", zone.at(at)));
    format!("FROZEN by {}, {until} ({}): {locks}", freeze.who, freeze.text)
}

/// All routes are paused, because the ledger or a side is not what it was.
fn differs(difference: &Difference) -> Concern {
    Concern {
        weight: Weight::Trouble,
        what: format!("all routes are paused (identity), nothing but locks is sent: {}", difference.reason),
        since: Some(difference.since),
        remedy: difference.remedy().to_owned(),
    }
}

/// What the nightly look over the ledger found, or that it could not look.
pub fn ledger_look(last: &LastLook) -> Option<Concern> {
    let (weight, what, remedy) = match &last.look {
        Look::Sound => return None,
        Look::Wrong(text) => (
            Weight::Trouble,
            format!("the ledger is not sound: {text}"),
            "`dialbridge ledger check` tells all of it; keep a copy of the file, stop the daemon and restore the newest \
             backup that is sound (README, \"What it stores\")",
        ),
        Look::NotLooked(text) => (
            Weight::Person,
            format!("the ledger could not be looked over: {text}"),
            "it is tried again every night; `dialbridge ledger check` looks at once, at the ledger itself",
        ),
    };
    Some(Concern { weight, what, since: Some(last.at), remedy: remedy.to_owned() })
}

/// More at once than the route's limit allows.
pub fn wave(wave: &WaveRow) -> Concern {
    Concern {
        weight: Weight::Person,
        what: format!("wave {} needs approval: {}", wave.id, wave_in_words(wave)),
        since: Some(wave.since),
        remedy: format!(
            "`dialbridge plan show --wave {id}` shows it; then `dialbridge plan approve {id} --reason TEXT` or `plan reject \
             {id} --reason TEXT`. Meanwhile nothing of it is sent",
            id = wave.id
        ),
    }
}

/// What a wave wants, and which limit holds it.
pub fn wave_in_words(wave: &WaveRow) -> String {
    let (waiting, route) = (wave.waiting, &wave.route);
    if wave.removes_by_scope() {
        return format!(
            "{waiting} deletions of route {route}, which rest on its changed condition alone; the contacts are \
             locked"
        );
    }
    let (what, limit) = match wave.what {
        WaveWhat::Removed | WaveWhat::RemovedByScope => (
            "deletions and resets",
            "max_deleted_per_run, or what max_deleted_per_day and max_deleted_percent leave of it",
        ),
        WaveWhat::New => ("new contacts", "max_new_per_run, max_new_percent"),
        WaveWhat::Changed => ("changes", "max_changed_per_run, max_changed_percent"),
        WaveWhat::LockedByScope => (
            "contacts, which only the changed condition or mapping would lock and which may be called meanwhile,",
            "max_locked_by_scope, or what max_locked_by_scope_percent and the changes of the day before leave of it",
        ),
        WaveWhat::Told => (
            "calls and records to be told to the CRM",
            "max_write_back_per_run, or what max_write_back_per_day and max_write_back_percent leave of it",
        ),
        WaveWhat::Listed => (
            "objections of a list in a file, or of other records, to be told to the CRM (the contacts are locked)",
            "max_write_back_per_run, counted over a day",
        ),
        WaveWhat::Missing => ("records not named by the CRM any more", "max_missing, max_missing_percent"),
        WaveWhat::Vanished => {
            ("contacts not named by the dialler any more", "max_vanished, max_vanished_percent")
        }
    };
    format!("{waiting} {what} of route {route}, more than {} at once ({limit})", wave.bound)
}

/// A route has sent as much today as it may.
pub fn day_full(full: &DayFull) -> Concern {
    let (what, key) = match full.kind {
        WaveKind::New => ("new contacts", "max_new_per_day"),
        WaveKind::Changed => ("changes", "max_changed_per_day"),
    };
    Concern {
        weight: Weight::Note,
        what: format!(
            "{} {what} of route {} wait for tomorrow: {} a day are sent ({key})",
            full.waiting, full.route, full.most
        ),
        since: None,
        remedy: format!(
            "nothing, if that is meant; else raise {key} in the config, then `systemctl reload dialbridge`"
        ),
    }
}

/// Imports that met somebody: their calls and results were not ours to write over (semantics 5).
pub fn overwritten(count: &OverwrittenCount) -> Concern {
    Concern {
        weight: Weight::Person,
        what: format!(
            "{} imports of route {} met a contact that was there before; its fields were written over",
            count.count, count.route
        ),
        since: Some(count.since),
        remedy: format!(
            "`dialbridge ledger contact {}` tells one's story (`ledger operations` has them all): is it the same person, and who else fills the campaign? Said for {OVERWRITTEN_DAYS} days; their history is read by itself",
            count.example
        ),
    }
}

/// A set that matters without moving a record's time, and is not taken.
pub fn companion(trouble: &CompanionTrouble) -> Concern {
    Concern {
        weight: Weight::Trouble,
        what: format!(
            "companion {} of route {} is not taken, {} times: {}",
            trouble.companion, trouble.route, trouble.failed, trouble.failure
        ),
        since: None,
        remedy: "what was taken before holds; `dialbridge check` asks the CRM for it".to_owned(),
    }
}

fn parked(count: &ParkedCount) -> Concern {
    let route = count.route.as_deref().map(|route| format!(" of route {route}")).unwrap_or_default();
    Concern {
        weight: Weight::Person,
        what: format!(
            "{} parked ({}){route}: {}",
            count.count,
            count.kind,
            super::left_out::sentence(&count.code)
        ),
        since: Some(count.since),
        remedy: format!(
            "`dialbridge ledger parked --reason {}` lists them; mended in the CRM, they come back by themselves",
            count.code
        ),
    }
}

fn in_doubt(open: &OpenCount) -> Concern {
    Concern {
        weight: Weight::Note,
        what: format!("{} {} may or may not have happened", open.count, open.kind),
        since: None,
        remedy: "nothing: the dialler is asked about them after the quiet time".to_owned(),
    }
}

fn not_on(row: &RouteRow, zone: Zone) -> Option<Concern> {
    let (does, remedy) = match row.state {
        RouteState::On => return None,
        RouteState::Dry => ("decides and sends nothing but locks", "`dialbridge route on"),
        RouteState::Pilot => ("is a pilot: it acts for a few records only", "`dialbridge route on"),
        RouteState::Paused if row.harvest_paused => {
            ("is paused: it sends nothing but locks and harvests nothing", "`dialbridge route resume")
        }
        RouteState::Paused => ("is paused: it sends nothing but locks", "`dialbridge route resume"),
    };
    let until = row.ends_at().map(|at| format!(", until {}", zone.at(at))).unwrap_or_default();
    Some(Concern {
        weight: Weight::Note,
        what: format!("route {} {does}{until} ({}: {})", row.route, row.state_who, row.state_text),
        since: Some(row.state_since),
        remedy: format!("if that is not meant: {remedy} {} --reason TEXT`", row.route),
    })
}
