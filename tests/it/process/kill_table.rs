//! Every write of the ledger is a point at which the program may end: each is either met by one of the kill tests, or excused
//! here with the reason why a death there can neither double nor lose anything.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Reason -> the writes it excuses.
const EXCUSED: &[(&str, &[&str])] = &[
    (
        "a person's command: one transaction, answered only after it; killed it was not said, and is given again",
        &[
            "block_wave_seen",
            "blocks_lift",
            "conflict_resolve",
            "calls_lost_reopen",
            "final_reopen",
            "freeze_begin",
            "freeze_end",
            "hold_release",
            "listed_approved",
            "operation_discard",
            "operation_retry",
            "parked_retry_all",
            "record_discard",
            "record_retry",
            "record_send_by_hand",
            "results_approve",
            "results_backfill",
            "results_discard",
            "results_remap",
            "results_retry",
            "route_set_state",
            "wave_decide",
        ],
    ),
    (
        "a person's `takeover` or `reconcile`: what is stored first only has more read and sent again; what ends it comes \
         last, and until then it is asked for again",
        &[
            "drift_mend",
            "harvest_everything",
            "locks_send_again",
            "reconcile_keep",
            "routes_decide_anew",
            "sample_keep",
        ],
    ),
    (
        "what the config says: compared and stored at every start, before anything is sent",
        &[
            "blocks_told_set",
            "differences_set",
            "foreign_set",
            "hold_rules_set",
            "opt_out_words_set",
            "owners_set",
            "route_leaving_set",
            "route_register",
            "side_is_at",
            "status_told_set",
            "write_back_set",
        ],
    ),
    (
        "a rule about what the ledger has, no answer of a side: the next run finds the same and stores it then",
        &[
            "absences_hold",
            "blocks_end_due",
            "erased_ask",
            "holds_end_due",
            "listed_take",
            "lock_round_begin",
            "lock_round_go_on",
            "pilots_choose",
            "route_decided_on",
            "routes_end_spans",
            "settle_due",
            "status_take",
            "write_back_brake",
            "write_back_release",
        ],
    ),
    (
        "what a side says each time it is asked, stored before the cursor or the list moves on: it is asked again",
        &[
            "companion_failed",
            "deletions_heard",
            "pass_heard",
            "pass_rewind",
            "route_repin_campaign",
            "route_set_revision",
            "run_joins_pass",
            "contacts_unlisted",
            "unlisted_hold",
            "unlisted_enter",
            "elsewhere_note",
        ],
    ),
    (
        "when something is tried again: without it, it is tried sooner",
        &[
            "due_postpone",
            "hints_postpone",
            "operations_put_back",
            "operations_refreshed",
            "operations_of_the_gone",
        ],
    ),
    (
        "stands before the request leaves: without it nothing has left, and the operation is as one whose lease was the last deed",
        &["calls_rest", "operation_try_clearing", "update_narrow"],
    ),
    (
        "settled again by the next look: the row or operation it speaks of stays open until its own end is stored",
        &["edits_in_doubt", "edits_without_record", "write_back_objection_known"],
    ),
    (
        "learned of the dialler's ways by its answers: the next such answer teaches it again",
        &["clearing_learn"],
    ),
    (
        "for people: what is parked without it is shown to a person, or a run's remark is missing",
        &["operations_unpark", "route_judge_stop", "run_forget", "run_remark", "unidentified_forget"],
    ),
    (
        "a block list is read again whole until it is noted as taken",
        &[
            "block_file_begins",
            "block_file_failed",
            "block_file_rests",
            "block_file_taken",
            "block_files_named",
        ],
    ),
    (
        "the nightly upkeep: what it did not erase or look over, it does the night after",
        &[
            "bodies_prune",
            "calls_erase",
            "gone_erase",
            "kept_erase",
            "look_store",
            "prune",
            "trail_erase",
            "trail_passed",
        ],
    ),
    ("changes nothing", &["ping"]),
];

/// The code of the files below a folder, without their tests.
fn code(folder: &str) -> Vec<String> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, found);
            } else if !matches!(
                path.file_name().and_then(|name| name.to_str()),
                Some("tests.rs" | "testing.rs")
            ) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut found);
    let text = |path: &PathBuf| std::fs::read_to_string(path).expect("a file");
    found.iter().map(|path| text(path).split("#[cfg(test)]").next().unwrap_or_default().to_owned()).collect()
}

/// The names that stand in quotes right after `before`, whatever white space is between.
fn quoted_after(texts: &[String], before: &str) -> BTreeSet<String> {
    let quoted = |rest: &str| {
        let name = rest.trim_start().strip_prefix('"')?.split('"').next()?;
        Some(name.to_owned())
    };
    texts.iter().flat_map(|text| text.split(before).skip(1).filter_map(quoted)).collect()
}

/// The points that the kill tests end the program at, as they stand there: `NAME` or `NAME:NTH`.
fn met() -> BTreeSet<String> {
    let tests = code("tests/it/process");
    let points = ["inside_commit_", "after_"].into_iter().flat_map(|begin| {
        let names =
            tests.iter().flat_map(move |text| text.split(&format!("\"{begin}")).skip(1).collect::<Vec<_>>());
        names.filter_map(move |rest| Some(format!("{begin}{}", rest.split(['"', ':']).next()?)))
    });
    points.collect()
}

#[test]
fn every_write_of_the_ledger_is_killed_or_excused() {
    let ledger = code("src/ledger");
    let mut writes = quoted_after(&ledger, ".write(");
    writes.extend(quoted_after(&ledger, ".post_statement("));
    assert!(writes.len() > 100, "only {} writes were found in the sources", writes.len());
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    EXCUSED.iter().flat_map(|(_, names)| *names).for_each(|name| *reasons.entry(name).or_default() += 1);
    let met = met();
    let is_met = |name: &str| met.contains(&format!("inside_commit_{name}"));
    let wrong =
        |what: &str, names: Vec<String>| (!names.is_empty()).then(|| format!("{what}: {}", names.join(", ")));
    let all = writes.iter().cloned();
    let excused = reasons.keys().map(|name| (*name).to_owned());
    let neither = all.filter(|name| !is_met(name) && !reasons.contains_key(name.as_str())).collect();
    let both = excused.clone().filter(|name| is_met(name)).collect();
    let unknown = excused.filter(|name| !writes.contains(name)).collect();
    let twice = reasons.iter().filter(|(_, times)| **times > 1).map(|(name, _)| (*name).to_owned()).collect();
    let problems = [
        wrong("neither killed nor excused", neither),
        wrong("excused and killed", both),
        wrong("excused and no write", unknown),
        wrong("excused twice", twice),
    ];
    let problems: Vec<String> = problems.into_iter().flatten().collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_other_point_is_killed_too() {
    let points = quoted_after(&code("src"), "crash::point(");
    assert!(points.len() >= 6, "{points:?}");
    let met = met();
    let missed: Vec<&String> = points.iter().filter(|point| !met.contains(*point)).collect();
    assert!(missed.is_empty(), "points at which nothing ends: {missed:?}");
}
