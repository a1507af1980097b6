//! The offline half of `check`: from the raw config to [`Settings`], touching nothing but local files.

use super::block_lists;
use super::notes::Notes;
use super::overlap;
use super::reach;
use super::route;
use super::settings::{HarvestSettings, LedgerSettings, LogFormat, LogSettings, PushSettings, Settings};
use super::siblings;
use super::traps;
use crate::config::{Loaded, RawConfig};
use crate::domain::identity::Watch;
use crate::domain::policy::Foreign;
use crate::domain::{Problem, RouteName};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Judges of texts whose rooms `check` may not enter.
pub struct Validators<'a> {
    /// Whether a text is a schedule in a zone (`runtime`'s own parse); the error says why not.
    pub cron: &'a dyn Fn(&str, chrono_tz::Tz) -> Result<(), String>,
}

/// What came out.
#[derive(Debug)]
pub struct Checked {
    /// Everything, if nothing is wrong.
    pub settings: Option<Settings>,
    /// What must be mended before anything starts, in the order of the files; empty with settings.
    pub problems: Vec<Problem>,
    /// What starts, but should be known.
    pub warnings: Vec<Problem>,
}

/// Checks everything that can be checked without the two sides. Mistakes of form (already in `loaded`)
/// and of meaning come out together.
pub fn offline(loaded: &Loaded, validators: &Validators<'_>) -> Checked {
    let mut notes = Notes::new(&loaded.places);
    let settings = settings(&loaded.raw, validators, &mut notes);
    let mut problems = loaded.problems.clone();
    // A room may find again what the form already showed.
    let found = std::mem::take(&mut notes.problems);
    problems.extend(found.into_iter().filter(|problem| {
        !loaded.problems.iter().any(|known| known.key == problem.key && known.place == problem.place)
    }));
    // What one broken file swallowed must not be called missing from another.
    if loaded.broken {
        problems.retain(|problem| problem.given != route::NO_SUCH_CRM);
    }
    let order: BTreeMap<&str, usize> =
        loaded.files.iter().enumerate().map(|(index, file)| (file.as_str(), index)).collect();
    problems.sort_by_key(|problem| {
        let place = problem.place.as_ref();
        let file = place.and_then(|place| order.get(place.file.as_str())).copied();
        (file.unwrap_or(usize::MAX), place.and_then(|place| place.line))
    });
    Checked { settings: settings.filter(|_| problems.is_empty()), problems, warnings: notes.warnings }
}

/// Every part is looked at before any is missed, so that no mistake hides behind another.
fn settings(raw: &RawConfig, validators: &Validators<'_>, notes: &mut Notes<'_>) -> Option<Settings> {
    let dialler = reach::dialler(&raw.dialler, notes);
    let crms: BTreeMap<_, _> = raw
        .crm
        .iter()
        .filter_map(|(name, crm)| Some((name.clone(), reach::crm(name, crm, notes)?)))
        .collect();
    let zone = raw.dialler.time_zone.as_ref().and_then(|zone| zone.value.parse().ok());
    let about = route::About { raw, zone, validators };
    let routes: BTreeMap<_, _> = raw
        .route
        .iter()
        .filter_map(|(name, raw)| {
            Some((RouteName::from(name.as_str()), route::route(name, raw, &about, notes)?))
        })
        .collect();
    overlap::check(&routes, notes);
    siblings::check(&raw.route, &crms, &routes, notes);
    traps::check(&crms, &routes, notes);
    let blocks_country = reach::country("blocks.country", raw.blocks.country.as_ref(), notes);
    let block_files = block_lists::files(raw, notes);
    let ledger = LedgerSettings {
        path: reach::path(raw.ledger.path.as_ref()?),
        keep_bodies: *raw.ledger.keep_bodies,
        keep_runs: *raw.ledger.keep_runs,
        keep_changes: *raw.ledger.keep_changes,
        watch: raw.ledger.identity.as_ref().and_then(|word| Watch::parse(&word.value)),
    };
    let control_socket = control_socket(raw, &ledger, notes);
    let standing_locks = route::time_of_day("push.standing_locks", &raw.push.standing_locks.value, notes);
    let dialler = dialler?;
    Some(Settings {
        blocks_country: blocks_country.or_else(|| dialler.country.clone()),
        block_files,
        foreign: Foreign::parse(&raw.blocks.foreign.value)?,
        dialler,
        crms,
        routes,
        push: PushSettings {
            retry: raw.push.retry.value.clone(),
            max_retry_after: *raw.push.max_retry_after,
            settle_calls: *raw.push.settle_calls,
            standing_locks: standing_locks?,
        },
        harvest: HarvestSettings {
            audit_active: *raw.harvest.audit_active,
            audit_rest: *raw.harvest.audit_rest,
        },
        ledger,
        log: LogSettings {
            format: match raw.log.format.value.as_str() {
                "json" => LogFormat::Json,
                "journald" => LogFormat::Journald,
                _ => LogFormat::Text,
            },
            level: raw.log.level.value.clone(),
        },
        control_socket,
    })
}

/// Longest path that a Unix socket's address holds on Linux, its closing zero left out.
const SOCKET_BYTES: usize = 107;

fn control_socket(raw: &RawConfig, ledger: &LedgerSettings, notes: &mut Notes<'_>) -> PathBuf {
    let socket = match &raw.control.socket {
        Some(socket) => reach::path(socket),
        None => ledger.path.with_file_name("control.sock"),
    };
    let length = socket.as_os_str().len();
    if length > SOCKET_BYTES {
        let given = format!("a path of {length} bytes");
        let expected = format!("at most {SOCKET_BYTES}: a Unix socket's address holds no more");
        let remedy = "Set control.socket = \"/run/dialbridge/control.sock\"";
        let problem = Problem::new("control.socket", given, expected).remedy(remedy);
        // Without a key of its own the socket follows from the ledger's path.
        notes.problem(match raw.control.socket.as_ref().or(raw.ledger.path.as_ref()) {
            Some(setting) => problem.at(setting.place.clone()),
            None => problem,
        });
    }
    socket
}
