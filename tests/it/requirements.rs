//! Every requirement names the test that would miss it, and that test exists.

use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::Path;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    requirement: Vec<Requirement>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Requirement {
    id: u32,
    says: String,
    tests: Vec<String>,
}

/// Names of all tests: `#[test]` functions of the sources and the integration tests, and scripts.
fn tests_that_exist() -> BTreeSet<String> {
    fn walk(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                collect(&std::fs::read_to_string(&path).expect("a file"), found);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = BTreeSet::new();
    for folder in ["src", "tests", "benches"] {
        walk(&root.join(folder), &mut found);
    }
    found
}

fn collect(text: &str, found: &mut BTreeSet<String>) {
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") || line.starts_with("proptest! {") {
            is_test = true;
        }
        let signature = line.strip_prefix("async ").unwrap_or(line);
        if is_test && let Some(rest) = signature.strip_prefix("fn ") {
            found.insert(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
            is_test = false;
        }
    }
}

#[test]
fn every_requirement_names_a_test_that_exists() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/requirements.toml");
    let list: List = toml::from_str(&std::fs::read_to_string(path).expect("the list")).expect("a readable list");
    let tests = tests_that_exist();
    let mut broken = Vec::new();
    let mut ids = BTreeSet::new();
    for requirement in &list.requirement {
        if !ids.insert(requirement.id) {
            broken.push(format!("{} is given twice", requirement.id));
        }
        if requirement.tests.is_empty() {
            broken.push(format!("{} has no test: {}", requirement.id, requirement.says));
        }
        for test in &requirement.tests {
            let exists = match test.strip_prefix("script:") {
                Some(script) => Path::new(env!("CARGO_MANIFEST_DIR")).join(script).exists(),
                None => tests.contains(test),
            };
            if !exists {
                broken.push(format!("{} names {test}, which does not exist", requirement.id));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}
