//! What is asked of the program, line by line in `tests/requirements.toml`: each line names the tests that would miss
//! it, and these exist and are run.

use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    requirement: Vec<Requirement>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Requirement {
    id: usize,
    /// One plain sentence.
    text: String,
    /// Where it is promised: `promise 4`, or `FILE, HEADING` of a document of this tree.
    source: String,
    /// `path::of::test` as cargo names it, or `gate: STEP` for a step of the gate or of the full proof.
    tests: Vec<String>,
}

/// Whether an ordinary `cargo test` runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Runs {
    Always,
    /// It is `#[ignore]`d.
    OnDemand,
}

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every test by its path, as cargo names it.
fn tests_that_exist() -> BTreeMap<String, Runs> {
    fn walk(folder: &Path, modules: &[String], found: &mut BTreeMap<String, Runs>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let mut modules = modules.to_vec();
            let stem = path.file_stem().and_then(|stem| stem.to_str()).expect("a plain name").to_owned();
            if path.is_dir() {
                modules.push(stem);
                walk(&path, &modules, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                if !matches!(stem.as_str(), "mod" | "lib" | "main") {
                    modules.push(stem);
                }
                collect(&std::fs::read_to_string(&path).expect("a file"), &modules, found);
            }
        }
    }
    let mut found = BTreeMap::new();
    for folder in ["src", "tests/it"] {
        walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &[], &mut found);
    }
    found
}

/// The tests of one file, formatted as `cargo fmt` leaves it: a module of its own begins and ends at the margin.
fn collect(text: &str, modules: &[String], found: &mut BTreeMap<String, Runs>) {
    let (mut inner, mut is_test, mut runs) = (None, false, Runs::Always);
    for line in text.lines() {
        let opened =
            line.trim_start_matches("pub ").strip_prefix("mod ").and_then(|rest| rest.strip_suffix(" {"));
        if let Some(name) = opened {
            inner = Some(name.to_owned());
        } else if line == "}" {
            inner = None;
        }
        let line = line.trim();
        is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        if line.starts_with("#[ignore") {
            runs = Runs::OnDemand;
        }
        let signature = line.strip_prefix("async ").unwrap_or(line);
        if let Some(rest) = signature.strip_prefix("fn ") {
            if is_test {
                let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                let path: Vec<String> = modules.iter().chain(&inner).cloned().chain([name]).collect();
                found.insert(path.join("::"), runs);
            }
            (is_test, runs) = (false, Runs::Always);
        }
    }
}

/// The steps of the gate and of the full proof, by name.
fn steps() -> BTreeSet<String> {
    let gates = read(".ci/run") + &read(".ci/full");
    let named = |line: &str| line.trim().strip_prefix("step \"")?.split('"').next().map(str::to_owned);
    gates.lines().filter_map(named).collect()
}

/// The filters by which the gate and the full proof run what an ordinary `cargo test` leaves out.
fn run_on_demand() -> BTreeSet<String> {
    let gates = read(".ci/run") + &read(".ci/full");
    let filter = |line: &str| line.split_once("--test it ")?.1.split_whitespace().next().map(str::to_owned);
    gates.lines().filter(|line| line.contains("--ignored")).filter_map(filter).collect()
}

/// Why a test that a line names does not count; nothing if it does.
fn does_not_count(
    test: &str,
    tests: &BTreeMap<String, Runs>,
    steps: &BTreeSet<String>,
    on_demand: &BTreeSet<String>,
) -> Option<&'static str> {
    if let Some(step) = test.strip_prefix("gate: ") {
        return (!steps.contains(step)).then_some("is no step of the gate");
    }
    match tests.get(test) {
        None => Some("does not exist"),
        Some(Runs::Always) => None,
        Some(Runs::OnDemand) if on_demand.iter().any(|filter| test.contains(filter.as_str())) => None,
        Some(Runs::OnDemand) => Some("is left out by cargo test, and no gate runs it"),
    }
}

/// Whether a promise of that number, or a heading of that document, is there.
fn is_a_source(source: &str, promises: usize) -> bool {
    if let Some(number) = source.strip_prefix("promise ") {
        return number.parse().is_ok_and(|number: usize| (1..=promises).contains(&number));
    }
    let Some((file, heading)) = source.split_once(", ") else { return false };
    let documents = ["README.md", "ARCHITECTURE.md", "docs/connectors.md", "tests/real/README.md"];
    documents.contains(&file)
        && read(file)
            .lines()
            .any(|line| line.starts_with('#') && line.trim_start_matches('#').trim() == heading)
}

#[test]
fn every_requirement_names_a_test_that_would_miss_it() {
    let list: List = toml::from_str(&read("tests/requirements.toml")).expect("a readable list");
    let (tests, steps, on_demand) = (tests_that_exist(), steps(), run_on_demand());
    assert!(tests.len() > 400 && steps.len() > 5 && on_demand.len() > 2, "the tree is read as it was");
    let promises = read("ARCHITECTURE.md").lines().filter(|line| line.contains(". **")).count();
    let (mut broken, mut texts) = (Vec::new(), BTreeSet::new());
    for (place, requirement) in list.requirement.iter().enumerate() {
        let Requirement { id, text, source, tests: named } = requirement;
        let mut say = |what: String| broken.push(format!("{id}: {what}"));
        if *id != place + 1 {
            say(format!("stands in place {}: the numbers run from 1 without gaps", place + 1));
        }
        if !text.ends_with('.') || !texts.insert(text) {
            say(format!("no sentence of its own: {text:?}"));
        }
        if !is_a_source(source, promises) {
            say(format!("{source:?} is no promise and no heading of a document"));
        }
        if named.is_empty() || named.iter().collect::<BTreeSet<_>>().len() != named.len() {
            say(format!("names no test, or one twice: {text}"));
        }
        for test in named {
            if let Some(why) = does_not_count(test, &tests, &steps, &on_demand) {
                say(format!("{test} {why}"));
            }
        }
    }
    assert!(broken.is_empty(), "tests/requirements.toml:\n{}", broken.join("\n"));
    assert!(list.requirement.len() > 100, "the list is there");
}

#[test]
fn what_is_no_test_of_ours_is_told() {
    let mut found = BTreeMap::new();
    let text = "#[test]\nfn one() {}\nfn helper() {}\nmod tests {\n    #[ignore = \"x\"]\n    #[tokio::test]\n    \
                async fn two() {}\n    #[test]\n    fn three() {}\n}\n#[test]\nfn four() {}\n";
    collect(text, &["a".to_owned(), "b".to_owned()], &mut found);
    let shown: Vec<(&str, Runs)> = found.iter().map(|(path, runs)| (path.as_str(), *runs)).collect();
    let expected = [
        ("a::b::four", Runs::Always),
        ("a::b::one", Runs::Always),
        ("a::b::tests::three", Runs::Always),
        ("a::b::tests::two", Runs::OnDemand),
    ];
    assert_eq!(shown, expected);
    let (steps, gates) = (BTreeSet::from(["demo".to_owned()]), BTreeSet::from(["tests::".to_owned()]));
    let judged = |test| does_not_count(test, &found, &steps, &gates);
    assert_eq!((judged("a::b::one"), judged("gate: demo"), judged("a::b::tests::two")), (None, None, None));
    assert_eq!(judged("a::b::helper"), Some("does not exist"));
    assert_eq!(judged("gate: dmo"), Some("is no step of the gate"));
    let nobody = does_not_count("a::b::tests::two", &found, &steps, &BTreeSet::new());
    assert_eq!(nobody, Some("is left out by cargo test, and no gate runs it"));
    assert!(is_a_source("promise 10", 10) && is_a_source("README.md, Operating", 10));
    assert!(
        !is_a_source("promise 11", 10) && !is_a_source("README.md, Opera", 10) && !is_a_source("issue 2", 10)
    );
}
