//! The documents name everything there is: every key of the connector format, every verb of the program.

use std::path::Path;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What stands in quotes after `before`, each time it occurs.
fn quoted_after<'t>(text: &'t str, before: &str) -> Vec<&'t str> {
    text.split(before).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// The keys that the parser asks for, read off its source: a new key cannot be forgotten here.
fn connector_keys() -> Vec<String> {
    let askers = [
        ".required(\"",
        ".text(\"",
        ".any_text(\"",
        ".flag(\"",
        ".number(\"",
        ".duration(\"",
        ".choice(\"",
        ".texts(\"",
        ".json(\"",
        ".section(\"",
        ".sections(\"",
        ".list(\"",
        ".text_table(\"",
        "pointer(&section, \"",
        "pointer(&inner, \"",
        "pointer(section, \"",
        "needed(root, \"",
        "needed(&root, \"",
        "needed(&read, \"",
    ];
    let mut keys = Vec::new();
    for file in
        ["src/crm/parse.rs", "src/crm/parse_auth.rs", "src/crm/parse_request.rs", "src/crm/parse_write.rs"]
    {
        let source = read(file);
        let source = source.split("#[cfg(test)]").next().unwrap_or_default();
        keys.extend(askers.iter().flat_map(|asker| quoted_after(source, asker)).map(str::to_owned));
    }
    keys.sort();
    keys.dedup();
    keys
}

#[test]
fn every_key_of_a_connector_file_is_documented() {
    let keys = connector_keys();
    for known in ["id_type", "answer_format", "last_page", "companion", "join", "omit", "begins", "paging"] {
        assert!(keys.iter().any(|key| key == known), "{known} was not found in the source: {keys:?}");
    }
    let document = read("docs/connectors.md");
    let named = |key: &str| {
        ["`", ".", "[", "[["].iter().any(|before| {
            ["`", ".", "]", " "].iter().any(|after| document.contains(&format!("{before}{key}{after}")))
        })
    };
    let missing: Vec<&String> = keys.iter().filter(|key| !named(key)).collect();
    assert!(missing.is_empty(), "docs/connectors.md does not name {missing:?}");
}

#[test]
fn the_smallest_connector_file_of_the_document_is_a_right_one() {
    let document = read("docs/connectors.md");
    let sample = document.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next());
    let sample = sample.expect("the document holds a file");
    let read = dialbridge::crm::parse(sample, "docs/connectors.md");
    assert!(read.is_ok(), "{:#?}", read.err());
}

#[test]
fn the_config_of_the_readme_is_the_example_that_is_tested() {
    let readme = read("README.md");
    let sample = readme.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next());
    let sample = sample.expect("the README holds a config");
    let example = read("config/examples/dialbridge.toml");
    assert!(example.ends_with(sample), "the README's config is not config/examples/dialbridge.toml");
}

#[test]
fn every_verb_stands_in_the_readme() {
    let readme = read("README.md");
    let help = std::process::Command::new(env!("CARGO_BIN_EXE_dialbridge"))
        .arg("--help")
        .output()
        .expect("the program starts");
    let help = String::from_utf8(help.stdout).expect("text");
    let verbs: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|verb| *verb != "help")
        .collect();
    assert!(verbs.len() > 8, "{help}");
    for verb in verbs {
        let told = readme.contains(&format!("dialbridge {verb}")) || readme.contains(&format!("-- {verb}"));
        assert!(told, "the README does not name `dialbridge {verb}`");
    }
}

/// Every verb below `command`, as its words.
fn leaves(command: &clap::Command, words: &str, found: &mut Vec<String>) {
    for verb in command.get_subcommands() {
        let path = format!("{words} {}", verb.get_name()).trim().to_owned();
        if verb.has_subcommands() { leaves(verb, &path, found) } else { found.push(path) }
    }
}

#[test]
fn every_verb_of_every_group_stands_in_the_readmes_table() {
    let readme = read("README.md");
    let operating = readme.split("## Operating").nth(1).and_then(|rest| rest.split("\n## ").next());
    let operating = operating.expect("the README says how to operate it");
    let mut verbs = Vec::new();
    leaves(&dialbridge::cli::command(), "", &mut verbs);
    let told = |verb: &str| {
        let last = verb.rsplit(' ').next().unwrap_or(verb);
        [format!("{verb} "), format!("{verb}`"), format!("`{last}`"), format!("`{last} ")]
            .iter()
            .any(|words| operating.contains(words))
    };
    // What makes the first day stands there; these two are the programs of "Two commands".
    let elsewhere = ["demo", "simulate", "run", "check"];
    let missing: Vec<&String> =
        verbs.iter().filter(|verb| !elsewhere.contains(&verb.as_str()) && !told(verb)).collect();
    assert!(verbs.len() > 35 && missing.is_empty(), "README.md, Operating, does not name {missing:?}");
}
