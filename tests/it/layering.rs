//! Who may import whom, ours and third parties': law, read off the sources.
//!
//! The table stands in ARCHITECTURE.md, "Rooms". A path without `use` (`crate::ledger::...` inline)
//! counts like an import.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Room -> rooms it may import. `remote` for the ledger means its ports and the attempt they carry.
const ROOMS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("env", &["domain"]),
    ("remote", &["domain", "env"]),
    ("crm", &["domain", "env", "remote"]),
    ("dialler", &["domain", "env", "remote"]),
    ("mapping", &["domain"]),
    ("sync", &["domain"]),
    ("ledger", &["domain", "env", "remote", "runtime"]),
    ("runtime", &["domain", "env"]),
    ("config", &["domain"]),
    ("check", &["domain", "env", "config", "mapping", "sync", "crm", "dialler", "ledger", "remote"]),
    ("jobs", &["domain", "env", "remote", "crm", "dialler", "mapping", "sync", "ledger", "runtime"]),
    ("control", &["domain", "env", "ledger", "runtime", "jobs"]),
    ("cli", &["app", "control", "domain", "env", "ledger"]),
    ("sim", &["domain", "env"]),
    (
        "app",
        &[
            "check", "cli", "config", "control", "crm", "dialler", "domain", "env", "jobs", "ledger",
            "mapping", "remote", "runtime", "sim", "sync",
        ],
    ),
];

/// Of `remote` the ledger may use the ports it implements, of `runtime` likewise.
const LEDGER_MAY_USE_OF_REMOTE: &[&str] = &["ports", "Try"];

/// Crate -> where it may stand. One owner each.
const OWNERS: &[(&str, &[&str])] = &[
    ("reqwest", &["src/remote/http"]),
    ("rusqlite", &["src/ledger"]),
    ("axum", &["src/sim", "src/app"]),
    ("tower", &["src/app"]),
    ("backoff", &["src/remote/backoff.rs"]),
    ("tokio_cron_scheduler", &["src/runtime"]),
    ("croner", &["src/runtime"]),
    ("minijinja", &["src/mapping"]),
    ("rlibphonenumber", &["src/mapping"]),
    ("config", &["src/config"]),
    ("toml", &["src/config", "src/crm"]),
    ("clap", &["src/cli"]),
    // The simulated portal reads the CSV files that its user imports.
    ("csv", &["src/mapping/number_list.rs", "src/sim/dialler/portal.rs"]),
    ("flate2", &["src/sim"]),
    ("rustix", &["src/env/disk.rs"]),
    ("tracing_subscriber", &["src/app"]),
    ("tracing_journald", &["src/app/logging.rs"]),
    ("sd_notify", &["src/app/service.rs"]),
];

fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push((path.clone(), std::fs::read_to_string(&path).expect("a file")));
            }
        }
    }
    let mut found = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    walk(&root, &mut found);
    assert!(found.len() > 50, "the sources are where they were");
    found
        .into_iter()
        .map(|(path, text)| {
            let relative = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).expect("inside").to_owned();
            (relative, text)
        })
        .collect()
}

fn room(path: &Path) -> Option<String> {
    let mut parts = path.components().skip(1);
    let first = parts.next()?.as_os_str().to_str()?.to_owned();
    parts.next().map(|_| first)
}

/// Lines of code: comments and doc comments may name anything.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(number, line)| (number + 1, line)).filter(|(_, line)| {
        let line = line.trim_start();
        !line.starts_with("//")
    })
}

/// The rooms named in a line: `crate::room`, and `crate::{room::..., other::...}` on one line.
fn rooms_named(line: &str) -> Vec<(String, String)> {
    let mut named = Vec::new();
    for (at, _) in line.match_indices("crate::") {
        // `some_crate::` is somebody else's.
        if line[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &line[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            for part in group.split(',') {
                named.push(split_path(part.trim().trim_end_matches(['}', ';'])));
            }
        } else {
            named.push(split_path(rest));
        }
    }
    named
}

fn split_path(path: &str) -> (String, String) {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let first = word(path);
    let rest = path[first.len()..].strip_prefix("::").unwrap_or_default();
    (first, rest.to_owned())
}

#[test]
fn every_room_imports_only_what_the_table_allows() {
    let table: BTreeMap<&str, &[&str]> = ROOMS.iter().copied().collect();
    let mut broken = Vec::new();
    for (path, text) in sources() {
        let Some(room) = room(&path) else { continue };
        let Some(allowed) = table.get(room.as_str()) else {
            broken.push(format!("{}: the room {room} stands in no table", path.display()));
            continue;
        };
        for (line, code) in code_lines(&text) {
            for (named, rest) in rooms_named(code) {
                if !table.contains_key(named.as_str()) || named == room {
                    continue;
                }
                let fine = allowed.contains(&named.as_str())
                    && (room != "ledger"
                        || named != "remote"
                        || LEDGER_MAY_USE_OF_REMOTE
                            .iter()
                            .any(|part| rest.trim_start_matches('{').starts_with(part)));
                if !fine {
                    broken.push(format!("{}:{line}: {room} may not import {named}", path.display()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "the layering is broken:\n{}", broken.join("\n"));
}

#[test]
fn who_only_looks_is_handed_reading_halves() {
    for path in ["src/app/plan.rs", "src/app/reconcile.rs", "src/jobs/write_back/shown.rs"] {
        let (_, text) =
            sources().into_iter().find(|(found, _)| found == Path::new(path)).expect("where it was");
        for half in ["CrmWrite", "DiallerWrite", "Connector", "sides("] {
            assert!(code_lines(&text).all(|(_, line)| !line.contains(half)), "{path} names {half}");
        }
    }
}

#[test]
fn every_third_party_has_one_owner() {
    let mut broken = Vec::new();
    for (path, text) in sources() {
        let shown = path.to_string_lossy().into_owned();
        for (owned, owners) in OWNERS {
            // A module of the file's own hides the crate of its name: `config::X` is then ours.
            if owners.iter().any(|owner| shown.starts_with(owner)) || declares_module(&text, owned) {
                continue;
            }
            for (line, code) in code_lines(&text) {
                // Tests inside a room may drive a simulator's router with tower.
                let tested =
                    *owned == "tower" && shown.starts_with("src/sim") && in_tests(&path, &text, line);
                if names_crate(code, owned) && !tested {
                    broken.push(format!("{shown}:{line}: {owned} belongs to {}", owners.join(", ")));
                }
            }
        }
    }
    assert!(broken.is_empty(), "third parties outside their owner:\n{}", broken.join("\n"));
}

/// Whether a path in this line begins with the crate: nothing stands before it that makes it a part
/// of a longer path or name.
fn names_crate(code: &str, owned: &str) -> bool {
    let begins = |at: usize| {
        let before = &code[..at];
        // `::config::` names the crate, `super::config::` a module.
        let before = match before.strip_suffix("::") {
            Some(root) if !root.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '>') => root,
            _ => before,
        };
        !before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
    };
    let import = code.trim_start().trim_start_matches("pub ").strip_prefix("use ");
    let whole = import.is_some_and(|rest| {
        let word: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        word == owned && !rest[word.len()..].starts_with("::")
    });
    whole || code.match_indices(&format!("{owned}::")).any(|(at, _)| begins(at))
}

fn declares_module(text: &str, name: &str) -> bool {
    let declaration = format!("mod {name}");
    code_lines(text).any(|(_, code)| {
        code.match_indices(&declaration).any(|(at, _)| {
            matches!(code[at + declaration.len()..].trim_start().chars().next(), Some(';' | '{'))
        })
    })
}

/// Whether the line belongs to tests: of a file of tests, or below the file's `#[cfg(test)]`.
fn in_tests(path: &Path, text: &str, line: usize) -> bool {
    path.components().any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "tests.rs")))
        || text.lines().take(line).any(|line| line.trim() == "#[cfg(test)]")
}

#[test]
fn the_scanner_sees_what_it_is_to_see() {
    assert_eq!(rooms_named("let x = crate::ledger::Ledger::open();")[0].0, "ledger");
    assert_eq!(rooms_named("use crate::{env::Env, sync::decide};").len(), 2);
    assert!(rooms_named("use other_crate::ledger;").is_empty());
    assert!(code_lines("// crate::ledger\n/// crate::sync\nuse crate::env;").count() == 1);
    for code in ["use config::Config;", "let x = ::csv::Reader;", "pub use {axum::Router};", "use clap;"] {
        let named = OWNERS.iter().filter(|(owned, _)| names_crate(code, owned)).count();
        assert_eq!(named, 1, "{code}");
    }
    for code in ["super::config::X", "crate::config::X", "my_config::X", "use configs;", "self::csv::X"] {
        assert!(OWNERS.iter().all(|(owned, _)| !names_crate(code, owned)), "{code}");
    }
    assert!(declares_module("pub(crate) mod config;", "config") && declares_module("mod csv {", "csv"));
    assert!(!declares_module("// mod config;\nmod configs;", "config"));
}

#[test]
fn every_file_says_what_it_is_and_stays_small() {
    let mut broken = Vec::new();
    for (path, text) in sources() {
        if !text.starts_with("//!") {
            broken.push(format!("{}: no //! sentence at its head", path.display()));
        }
        let code = text.lines().take_while(|line| line.trim() != "#[cfg(test)]").count();
        if code > 400 {
            broken.push(format!("{}: {code} lines before its tests, 400 at most", path.display()));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn no_path_of_a_machine_and_nothing_left_open_stands_in_the_sources() {
    let mut broken = Vec::new();
    for (path, text) in sources() {
        for (line, code) in text.lines().enumerate() {
            for word in ["todo!(", "unimplemented!(", "FIXME", "XXX", "/home/", "for now"] {
                if code.contains(word) {
                    broken.push(format!("{}:{}: {word}", path.display(), line + 1));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}
