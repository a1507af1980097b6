//! Tests of the whole room: defaults against code, layers, and all mistakes at once.

use super::*;
use std::path::Path;
use std::time::Duration;

const GOOD: &str = r#"
[dialler]
base_url   = "https://acd.example.com:8443/rest/v1.0/3"
token_file = "/secrets/dialler"
time_zone  = "Europe/Berlin"
[crm.sales]
connector  = "odoo"
base_url   = "https://crm.example.com"
token_file = "/secrets/crm"
[route.leads]
crm      = "sales"
campaign = "Spring leads"
[route.leads.fields]
Name = "name"
PhoneNumber1 = "phone"
[ledger]
path = "ledger.sqlite"
"#;

fn sources(files: &[(&str, &str)], environment: &[(&str, &str)]) -> Sources {
    let file = |(name, text): &(&str, &str)| SourceFile { name: (*name).into(), text: (*text).into() };
    let variable = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
    Sources {
        files: files.iter().map(file).collect(),
        environment: environment.iter().map(variable).collect(),
    }
}

fn problems(files: &[(&str, &str)], environment: &[(&str, &str)]) -> Vec<String> {
    load(&sources(files, environment)).problems.iter().map(ToString::to_string).collect()
}

/// Whether a table's keys are the administrator's own.
fn holds_texts(section: &str) -> bool {
    let tables = [".headers", ".results", ".activity", "_fields", ".two_way", ".owners", ".leave", ".mark"];
    tables.iter().any(|table| section.ends_with(table))
        || ["dialler.paths", "blocks.files"].contains(&section)
}

#[test]
fn every_key_stands_in_the_defaults_file_with_a_comment_and_every_key_there_is_known() {
    let mut section = String::new();
    let mut active: Vec<String> = Vec::new();
    let mut examples: Vec<String> = Vec::new();
    let mut before = "";
    for line in DEFAULTS.lines() {
        let header = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if let Some(header) = header {
            section = header.to_owned();
        } else if !holds_texts(&section)
            && let Some((key, _)) = line.trim_start_matches('#').split_once(" = ")
            && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        {
            let list = if line.starts_with('#') { &mut examples } else { &mut active };
            list.push(format!("{section}.{key}"));
            let explained = before.starts_with("# ") || section == "route.NAME.fields";
            assert!(explained, "{section}.{key} has no comment above it");
        }
        before = line;
    }
    for spec in SECTIONS {
        let table = if spec.named { format!("{}.NAME", spec.name) } else { spec.name.to_owned() };
        for key in spec.keys.iter().filter(|key| !key.kind.is_table()) {
            let dotted = format!("{table}.{}", key.name);
            let list = if key.need == Need::Default { &mut active } else { &mut examples };
            let found = list.iter().position(|name| *name == dotted);
            let state = if key.need == Need::Default { "with its default" } else { "as a '#' example" };
            list.remove(found.unwrap_or_else(|| panic!("{dotted} is missing in defaults.toml, {state}")));
        }
    }
    assert_eq!(active, Vec::<String>::new(), "keys in defaults.toml that the code does not know");
    examples.retain(|key| !key.starts_with("route.NAME.fields."));
    assert_eq!(examples, Vec::<String>::new(), "keys in defaults.toml that the code does not know");
}

#[test]
fn the_defaults_file_is_right_also_with_all_its_examples() {
    let with_examples: String = DEFAULTS
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(rest) if !rest.starts_with(' ') && rest.contains(" = ") => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    assert_eq!(problems(&[("defaults.toml", &with_examples)], &[]), Vec::<String>::new());
    let mut found = Vec::new();
    tree::read(&SourceFile { name: "defaults".into(), text: DEFAULTS.into() }, &mut found);
    assert_eq!(found, Vec::new());
}

#[test]
fn a_small_config_is_filled_from_the_defaults_and_knows_its_places() {
    let loaded = load(&sources(&[("a.toml", GOOD)], &[]));
    assert_eq!(loaded.problems, Vec::new());
    let raw = loaded.raw;
    assert_eq!(*raw.dialler.max_in_flight, 8);
    assert_eq!(raw.dialler.max_in_flight.place.to_string(), "(defaults)");
    let zone = raw.dialler.time_zone.expect("it is given");
    assert_eq!((zone.value.as_str(), zone.place.to_string().as_str()), ("Europe/Berlin", "a.toml:5"));
    assert_eq!(*raw.crm["sales"].max_in_flight, 4);
    let route = &raw.route["leads"];
    assert_eq!(*route.max_decision_age, Duration::from_mins(15));
    assert_eq!(route.place.line, Some(10));
    assert_eq!(route.campaign.as_ref().map(|c| &c.value), Some(&NameOrNumber::Name("Spring leads".into())));
    let fields = route.fields.as_ref().expect("they are given");
    assert_eq!(fields["PhoneNumber1"].place.to_string(), "a.toml:15");
    assert_eq!(*raw.push.retry.first().expect("five waits"), Duration::from_mins(1));
}

#[test]
fn later_layers_win_key_by_key_and_the_environment_wins_over_all() {
    let over = "[dialler]\nmax_in_flight = 6\n[ledger]\npath = \"other.sqlite\"\n[route.more-leads]\ncrm = \
                \"sales\"\ncampaign = 2811\n[route.more-leads.fields]\nName = \"name\"\n";
    let environment = [
        ("DIALBRIDGE__DIALLER__MAX_IN_FLIGHT", "5"),
        ("DIALBRIDGE__ROUTE__MORE_LEADS__PULL", "0 * * * *"),
        ("DIALBRIDGE__CRM__SALES__ALLOW_HTTP", "true"),
        ("DIALBRIDGE_CONFIG", "a.toml"),
        ("HOME", "/root"),
    ];
    let loaded = load(&sources(&[("a.toml", GOOD), ("conf.d/b.toml", over)], &environment));
    assert_eq!(loaded.problems, Vec::new());
    let raw = loaded.raw;
    assert_eq!(*raw.dialler.max_in_flight, 5);
    assert_eq!(raw.dialler.max_in_flight.place.to_string(), "(environment)");
    let path = raw.ledger.path.expect("it is given");
    assert_eq!((path.value.as_str(), path.place.to_string().as_str()), ("other.sqlite", "conf.d/b.toml:4"));
    assert_eq!(raw.route["more-leads"].pull.value, "0 * * * *");
    assert_ne!(raw.route["leads"].pull.value, "0 * * * *");
    assert!(*raw.crm["sales"].allow_http);
    // The base survives beside what the layer above says.
    assert_eq!(raw.dialler.base_url.expect("it is given").place.to_string(), "a.toml:3");
}

#[test]
fn all_mistakes_are_told_at_once_with_file_line_given_and_expected() {
    let text = r#"
[dialler]
base_url = "https://acd.example.com/rest/v1.0/3"
token_file = "/secrets/dialler"
timezone = "Europe/Berlin"
time_zone = "Europe/Berlin"
max_in_flight = 1.9
request_timeout = 30
allow_http = "yes"
[crm.sales]
connector = "odoo"
base_url = 17
token_file = ["a", "b", "c"]
max_in_flight = 0
[route.leads]
crm = "sales"
campaign = true
unblock = "nobody"
[route.leads.fields]
Name = 5
PhoneNumber1 = "phone"
[ledgr]
path = "x"
"#;
    let found = problems(&[("a.toml", text)], &[]);
    let expected = [
        "a.toml:5: dialler.timezone: no such key; expected one of base_url,",
        "a.toml:7: dialler.max_in_flight: the number 1.9; expected a whole number from 3 to 64",
        "a.toml:8: dialler.request_timeout: the whole number 30; expected a span of time",
        "a.toml:9: dialler.allow_http: the text \"yes\"; expected true or false",
        "a.toml:12: crm.sales.base_url: a number; expected a text",
        "a.toml:13: crm.sales.token_file: a list of 3; expected the path",
        "a.toml:14: crm.sales.max_in_flight: the whole number 0; expected a whole number from 1 to 64",
        "a.toml:17: route.leads.campaign: true; expected a name in quotes, or a number",
        "a.toml:18: route.leads.unblock: the text \"nobody\"; expected one of \"person\", \"source\"",
        "a.toml:20: route.leads.fields.Name: the whole number 5; expected a text",
        "a.toml:22: ledgr: no such section; expected [dialler]",
    ];
    for begin in expected {
        assert!(found.iter().any(|line| line.starts_with(begin)), "{begin}\nnot in\n{found:#?}");
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    assert!(found.iter().any(|line| line.ends_with("Did you mean time_zone?")));
    assert!(found.iter().any(|line| line.ends_with("Did you mean ledger?")));
}

#[test]
fn several_syntax_errors_are_told_each_once_and_cause_no_false_accusations() {
    let text = "[dialler]\nbase_url = \"https://x/3\ntime_zone = Berlin\n[crm.sales\nconnector = \"odoo\"\n";
    let loaded = load(&sources(&[("a.toml", text)], &[]));
    let lines: Vec<_> = loaded.problems.iter().filter_map(|p| p.place.as_ref()?.line).collect();
    assert_eq!(lines, [2, 3, 4], "{:#?}", loaded.problems);
    assert!(loaded.broken);
}

#[test]
fn what_nobody_can_guess_is_asked_for() {
    let found = problems(&[("a.toml", "[dialler]\n[crm.sales]\nconnector = 5\n")], &[]);
    for begin in [
        "a.toml:1: dialler.base_url: missing",
        "a.toml:2: crm.sales.token_file: missing",
        "a.toml: route: nothing; expected at least one [route.NAME]",
        "a.toml: ledger.path: missing",
    ] {
        assert!(found.iter().any(|line| line.starts_with(begin)), "{begin}\nnot in\n{found:#?}");
    }
    // A wrong value is not missing as well.
    assert_eq!(found.iter().filter(|line| line.contains("crm.sales.connector")).count(), 1);
}

#[test]
fn a_route_in_two_files_and_the_old_array_form_are_refused() {
    let again = "[route.leads]\npull = \"0 * * * *\"\n";
    let found = problems(&[("a.toml", GOOD), ("conf.d/b.toml", again)], &[]);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].contains("conf.d/b.toml:1") && found[0].contains("a.toml:10"), "{found:#?}");

    let found = problems(&[("a.toml", "[[route]]\nname = \"leads\"\n")], &[]);
    assert!(found.iter().any(|line| line.contains("[[route]]; expected tables [route.NAME]")), "{found:#?}");
}

#[test]
fn unknown_names_in_the_environment_are_problems() {
    let environment = [
        ("DIALBRIDGE__DIALLER__MAX_IN_FLIHGT", "5"),
        ("DIALBRIDGE_DIALLER_MAX_IN_FLIGHT", "5"),
        ("DIALBRIDGE__DIALLER__MAX_IN_FLIGHT", "5.5"),
        ("DIALBRIDGE__ROUTE__OTHER__PULL", "* * * * *"),
        ("DIALBRIDGE__ROUTE__LEADS__FIELDS__NAME", "name"),
    ];
    let found = problems(&[("a.toml", GOOD)], &environment);
    assert_eq!(found.len(), environment.len(), "{found:#?}");
    for (line, (variable, _)) in found.iter().zip(environment) {
        assert!(line.starts_with(&format!("(environment): {variable}: ")), "{line}");
    }
    assert!(found[0].ends_with("Did you mean max_in_flight?"));
}

#[test]
fn a_token_in_the_config_is_pointed_to_its_file_and_not_repeated() {
    let text = GOOD.replace("token_file = \"/secrets/crm\"", "token = \"s3cr3t\"");
    let found = problems(&[("a.toml", &text)], &[]);
    assert!(found.iter().any(|line| line.contains("token_file = \"PATH\"")), "{found:#?}");
    assert!(!found.iter().any(|line| line.contains("s3cr3t")), "{found:#?}");
}

#[test]
fn files_are_read_from_disk_in_order_of_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let main = folder.path().join("dialbridge.toml");
    let write =
        |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("it is writable");
    write("dialbridge.toml", GOOD);
    std::fs::create_dir(folder.path().join("conf.d")).expect("a folder");
    write("conf.d/20.toml", "[log]\nlevel = \"debug\"\n");
    write("conf.d/10.toml", "[log]\nlevel = \"warn\"\n");
    write("conf.d/.30.toml.swp", "no toml");
    write("conf.d/README", "no toml");
    let sources = Sources::read(&main, Vec::new()).expect("readable");
    assert_eq!(sources.files.len(), 3);
    let loaded = load(&sources);
    assert_eq!(loaded.problems, Vec::new());
    assert_eq!(loaded.raw.log.level.value, "debug");

    let missing = Sources::read(Path::new("no/such.toml"), Vec::new()).expect_err("it is not there");
    assert!(missing[0].to_string().starts_with("no/such.toml: config: cannot be read"), "{missing:?}");
}
