//! Tests of the offline check over whole configs.

use super::*;
use crate::config::{SourceFile, Sources, load};
use crate::domain::RouteName;
use crate::env::Env;
use std::path::{Path, PathBuf};
use std::time::Duration;

mod siblings;

/// Stands in for the scheduler's parse, which `check` may not import: five fields.
fn five_fields(text: &str, _zone: chrono_tz::Tz) -> Result<(), String> {
    let fields = text.split_whitespace().count();
    if fields == 5 { Ok(()) } else { Err(format!("{text:?} has {fields} fields")) }
}

/// A folder with token files, and configs read as if they stood in it.
struct House {
    folder: tempfile::TempDir,
}

impl House {
    fn new() -> Self {
        let house = Self { folder: tempfile::tempdir().expect("a folder") };
        house.secret("dialler", "d1aller-token");
        house.secret("crm", "crm-token");
        house
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn secret(&self, name: &str, token: &str) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::write(self.path(name), token).expect("it is writable");
        std::fs::set_permissions(self.path(name), PermissionsExt::from_mode(0o600)).expect("it is ours");
    }

    fn check(&self, text: &str) -> Checked {
        let name = self.path("dialbridge.toml").display().to_string();
        let files = vec![SourceFile { name, text: text.into() }];
        offline(&load(&Sources { files, environment: Vec::new() }), &Validators { cron: &five_fields })
    }

    /// Problems, with the folder left out of them.
    fn problems(&self, text: &str) -> Vec<String> {
        let folder = format!("{}/", self.folder.path().display());
        let checked = self.check(text);
        assert_eq!(checked.settings.is_some(), checked.problems.is_empty());
        checked.problems.iter().map(|problem| problem.to_string().replace(&folder, "")).collect()
    }
}

const GOOD: &str = r#"[dialler]
base_url   = "https://acd.example.com:8443/rest/v1.0/3"
token_file = "dialler"
time_zone  = "Europe/Berlin"
[crm.sales]
connector  = "odoo"
base_url   = "https://crm.example.com"
token_file = "crm"
[route.leads]
crm       = "sales"
campaign  = "Spring leads"
only_if   = "phone and active"
block_if  = "phone_sanitized_blacklisted"
[route.leads.fields]
Name         = "name"
PhoneNumber1 = "phone | phone('DE')"
[ledger]
path = "ledger.sqlite"
"#;

/// One mistake in an otherwise right config, and how its message begins.
fn one_mistake(replaced: &str, by: &str, begins: &str) {
    let house = House::new();
    let text = GOOD.replacen(replaced, by, 1);
    assert_ne!(text, GOOD, "{replaced} stands in the config");
    let found = house.problems(&text);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].starts_with(begins), "{}\ndoes not begin with\n{begins}", found[0]);
}

#[test]
fn a_good_config_becomes_settings() {
    let house = House::new();
    let checked = house.check(GOOD);
    assert_eq!(checked.problems, Vec::new());
    assert_eq!(checked.warnings, Vec::new());
    let settings = checked.settings.expect("nothing is wrong");
    assert_eq!(settings.dialler.clients_id, 3);
    assert_eq!(settings.dialler.settle_after, Duration::from_secs(60));
    assert_eq!(settings.push.settle_calls, Duration::from_mins(15));
    assert_eq!(settings.dialler.release, None);
    assert_eq!(settings.dialler.token_files, [house.path("dialler")]);
    assert_eq!(settings.ledger.path, house.path("ledger.sqlite"));
    assert_eq!(settings.control_socket, house.path("control.sock"));
    let route = &settings.routes[&RouteName::from("leads")];
    assert_eq!(route.mapping.template().to_string(), "'leads-' ~ id");
    assert_eq!(route.time_zone, chrono_tz::Europe::Berlin);
    assert_eq!(route.max_decision_age, Duration::from_mins(15));
}

#[test]
fn ten_mistakes_ten_messages_each_with_its_line() {
    let house = House::new();
    house.secret("empty", "");
    let text = r#"[dialler]
base_url = "https://acd.example.com:8443/rest/v1.0"
token_file = "no-such-file"
time_zone = "Europe/Berlln"
max_in_flght = 8
request_timeout = "30"
[crm.sales]
connector = "odoo"
base_url = "http://crm.example.com"
token_file = "empty"
max_in_flight = "4"
[route.leads]
crm = "slaes"
campaign = "Spring leads"
pull = "*/2 * * *"
[route.leads.fields]
Name = "name"
PhoneNumber1 = "phone | phone('DE')"
[ledger]
path = "ledger.sqlite"
"#;
    let found = house.problems(text);
    let expected = [
        "dialbridge.toml:2: dialler.base_url: an address that does not end in a number; expected the ClientsID",
        "dialbridge.toml:3: dialler.token_file: no-such-file: No such file",
        "dialbridge.toml:4: dialler.time_zone: \"Europe/Berlln\"; expected a time zone",
        "dialbridge.toml:5: dialler.max_in_flght: no such key; expected one of",
        "dialbridge.toml:6: dialler.request_timeout: the text \"30\"; expected a span of time",
        "dialbridge.toml:9: crm.sales.base_url: plain HTTP; expected",
        "dialbridge.toml:10: crm.sales.token_file: empty is empty; expected the token",
        "dialbridge.toml:11: crm.sales.max_in_flight: the text \"4\"; expected a whole number",
        "dialbridge.toml:13: route.leads.crm: no such CRM; expected the name of a [crm.NAME]: sales. \"slaes\" stands \
         nowhere. Did you mean \"sales\"?",
        "dialbridge.toml:15: route.leads.pull: \"*/2 * * *\" has 4 fields; expected five fields",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (line, begin) in found.iter().zip(expected) {
        assert!(line.starts_with(begin), "{line}\ndoes not begin with\n{begin}");
    }
    assert!(found[2].ends_with("Did you mean Europe/Berlin?"), "{}", found[2]);
}

#[test]
fn what_a_route_says_is_judged_where_it_stands() {
    one_mistake("\"name\"", "\"name | upperr\"", "dialbridge.toml:15: route.leads.fields.Name: ");
    one_mistake(
        "PhoneNumber1 =",
        "Nmae = \"name\"\nPhoneNumber1 =",
        "dialbridge.toml:16: route.leads.fields.Nmae: ",
    );
    one_mistake(
        "campaign ",
        "reconcile = \"nevr\"\ncampaign ",
        "dialbridge.toml:11: route.leads.reconcile: \"nevr\" has 1 fields; expected five fields (minute hour day month \
         weekday), such as \"30 4 * * Sun\", or \"never\"",
    );
    one_mistake("campaign ", "id = \"a_b\"\ncampaign ", "dialbridge.toml:11: route.leads.id: \"a_b\"");
    one_mistake(
        "campaign ",
        "day_start = \"6:00\"\ncampaign ",
        "dialbridge.toml:11: route.leads.day_start: ",
    );
    one_mistake("campaign ", "country = \"Germany\"\ncampaign ", "dialbridge.toml:11: route.leads.country: ");
    one_mistake(
        "campaign ",
        "time_zone = \"Berlin\"\ncampaign ",
        "dialbridge.toml:11: route.leads.time_zone: ",
    );
    one_mistake("campaign ", "client = \"A B\"\ncampaign ", "dialbridge.toml:11: route.leads.client: ");
    one_mistake("campaign ", "user_data = \"'x'\"\ncampaign ", "dialbridge.toml:11: route.leads.user_data: ");
}

#[test]
fn a_careless_choice_for_records_that_leave_is_told_with_its_line() {
    let told = |given: &str, begins: &str| {
        let by = format!("[route.leads.leave]\n{given}\n[route.leads.fields]");
        one_mistake("[route.leads.fields]", &by, &format!("dialbridge.toml:{begins}"));
    };
    told("opt_out = \"keep\"", "15: route.leads.leave.opt_out: \"keep\" for somebody who must not be called");
    told("opt_out = [\"lock\", \"reset\"]", "15: route.leads.leave.opt_out: \"reset\"");
    told("erased = \"lock\"", "15: route.leads.leave.erased: no such reason to leave");
    told("deleted = \"delte\"", "15: route.leads.leave.deleted: \"delte\"");
    told("deleted = 5", "15: route.leads.leave.deleted: the whole number 5");
    told("deleted = [\"delete\", \"reset\"]", "15: route.leads.leave.deleted: \"delete\" and \"reset\"");
    told(
        "ineligible = [\"keep\", \"end_date\"]",
        "15: route.leads.leave.ineligible: \"keep\" and \"end_date\"",
    );
    told("ineligible = \"mark\"", "15: route.leads.leave.ineligible: \"mark\" without a field");
    let marked = "ineligible = \"mark\"\n[route.leads.mark]\n";
    told(&format!("{marked}PhoneNumber2 = \"1\""), "17: route.leads.mark.PhoneNumber2: a phone number");
    told(&format!("{marked}Nane = \"x\""), "17: route.leads.mark.Nane: no field of a dialler contact");
    told(&format!("{marked}Region = \"x\"\nName = \"x\""), "18: route.leads.mark.Name: ");
    told("[route.leads.mark]\nTag = \"x\"", "16: route.leads.mark: Tag, which nothing sets");
    let agents =
        format!("[route.leads.leave]\n{marked}Comment = \"x\"\n[route.leads.fields]\nComment = \"name\"");
    one_mistake(
        "[route.leads.fields]",
        &agents,
        "dialbridge.toml:17: route.leads.mark.Comment: a field that is the agents' too",
    );
}

#[test]
fn what_a_side_says_is_judged_where_it_stands() {
    one_mistake("time_zone ", "release = \"new\"\ntime_zone ", "dialbridge.toml:4: dialler.release: ");
    one_mistake(
        "time_zone ",
        "client_key = \"k\"\ntime_zone ",
        "dialbridge.toml:4: dialler.client_key: alone",
    );
    one_mistake("time_zone ", "ca_file = \"no\"\ntime_zone ", "dialbridge.toml:4: dialler.ca_file: ");
    one_mistake("https://crm.example.com", "crm.example.com", "dialbridge.toml:7: crm.sales.base_url: ");
    let long = format!("path = \"{}/l.sqlite\"", "d".repeat(120));
    one_mistake("path = \"ledger.sqlite\"", &long, "dialbridge.toml:18: control.socket: ");
}

#[test]
fn a_connector_is_bundled_or_a_file_that_is_judged_too() {
    one_mistake(
        "\"odoo\"",
        "\"odo\"",
        "dialbridge.toml:6: crm.sales.connector: no bundled connector \"odo\"",
    );
    one_mistake("\"odoo\"", "\"./no.toml\"", "dialbridge.toml:6: crm.sales.connector: ");
    let house = House::new();
    std::fs::write(house.path("mine.toml"), "name = \"mine\"\nversion = 1\n").expect("it is writable");
    let found = house.problems(&GOOD.replace("\"odoo\"", "\"mine.toml\""));
    assert!(found.iter().any(|line| line.starts_with("mine.toml:2: ")), "{found:#?}");
}

#[test]
fn a_secret_goes_readable_to_no_token_address_unless_chosen() {
    let house = House::new();
    house.secret("crm", "id:secret");
    let file = crate::crm::bundled("sim-link").expect("it is bundled");
    let plain = file.replace("\"/oauth/token\"", "\"http://login.example.com/token\"");
    std::fs::write(house.path("mine.toml"), plain).expect("it is writable");
    let text = GOOD.replace("\"odoo\"", "\"mine.toml\"");
    let found = house.problems(&text);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].starts_with("dialbridge.toml:6: crm.sales.connector: ") && found[0].contains("https"));
    let chosen = text.replace("[route.leads]", "allow_http = true\n[route.leads]");
    assert_eq!(house.problems(&chosen), Vec::<String>::new());
    house.secret("crm", "only-one-part");
    let found = house.problems(&chosen);
    assert!(found.len() == 1 && found[0].contains("ID:SECRET"), "{found:#?}");
}

#[test]
fn headers_of_the_config_join_those_of_the_connector() {
    let house = House::new();
    let with =
        |line: &str| GOOD.replace("[route.leads]", &format!("[crm.sales.headers]\n{line}\n[route.leads]"));
    let settings = house.check(&with("X-Odoo-Database = \"crm\"")).settings.expect("nothing is wrong");
    assert_eq!(settings.crms["sales"].connector.headers["x-odoo-database"], "crm");
    for (line, why) in [("\"a b\" = \"x\"", "no name of a header"), ("Authorization = \"x\"", "a secret")] {
        let found = house.problems(&with(line));
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(
            found[0].starts_with("dialbridge.toml:10: crm.sales.headers.") && found[0].contains(why),
            "{found:#?}"
        );
    }
}

#[test]
fn plain_http_by_choice_and_open_token_files_are_warnings() {
    use std::os::unix::fs::PermissionsExt;
    let house = House::new();
    std::fs::set_permissions(house.path("crm"), PermissionsExt::from_mode(0o644)).expect("it is ours");
    let text = GOOD.replace("\"https://crm.example.com\"", "\"http://crm.example.com\"\nallow_http = true");
    let checked = house.check(&text);
    assert_eq!(checked.problems, Vec::new());
    let lines: Vec<_> = checked.warnings.iter().filter_map(|warning| warning.place.as_ref()?.line).collect();
    assert_eq!(lines, [8, 9], "{:#?}", checked.warnings);
}

#[test]
fn consent_in_only_if_is_a_warning() {
    let text = GOOD.replace("phone and active", "phone and not do_not_call");
    let checked = House::new().check(&text);
    assert_eq!(checked.problems, Vec::new());
    assert_eq!(checked.warnings.len(), 1, "{:#?}", checked.warnings);
    assert_eq!(checked.warnings[0].place.as_ref().and_then(|place| place.line), Some(12));
}

#[test]
fn a_comparison_with_what_the_connector_reads_as_empty_is_a_warning() {
    for (written, warned) in [
        ("phone and active != false", 1),
        ("phone and '' == active", 1),
        ("phone and active is false", 1),
        ("phone and active == true", 0),
        ("phone and not active", 0),
    ] {
        let checked = House::new().check(&GOOD.replace("phone and active", written));
        assert_eq!(checked.problems, Vec::new());
        assert_eq!(checked.warnings.len(), warned, "{written}: {:#?}", checked.warnings);
        let lines = checked.warnings.iter().filter_map(|warning| warning.place.as_ref()?.line);
        assert!(lines.eq(std::iter::repeat_n(12, warned)), "{written}");
    }
    let field = House::new().check(&GOOD.replace("\"name\"", "\"'x' if name == '' else name\""));
    assert!(field.warnings[0].to_string().contains("route.leads.fields.Name"), "{:#?}", field.warnings);
}

#[test]
fn fields_that_only_one_request_takes_are_remarked() {
    let of = |line: &str| {
        let text = GOOD.replace("PhoneNumber1 =", &format!("{line}\nPhoneNumber1 ="));
        remarks(&House::new().check(&text).settings.expect("nothing is wrong"), &Env::real())
    };
    let once = of("ReservedUsersUID = \"owner\"");
    assert_eq!(once.len(), 1, "{once:#?}");
    assert!(once[0].text.contains("ReservedUsersUID at import only"), "{once:#?}");
    assert!(of("Region = \"region\"")[0].text.contains("Region by update only"));
    assert_eq!(of("City = \"city\""), []);
}

#[test]
fn it_is_remarked_that_without_modification_times_a_changed_condition_may_hold_nobody() {
    let mut settings = House::new().check(GOOD).settings.expect("nothing is wrong");
    assert_eq!(remarks(&settings, &Env::real()), []);
    settings.crms.get_mut("sales").expect("its CRM").connector.record.modified = None;
    let found = remarks(&settings, &Env::real());
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].text.contains("max_locked_by_scope does not hold everybody"), "{found:#?}");
}

#[test]
fn all_examples_are_right() {
    let house = House::new();
    house.secret("dialler.next", "next-token");
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples");
    let mut seen = 0;
    for entry in std::fs::read_dir(examples).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("readable");
        // The paths of a server's secrets become those of this test; the authority's file is not ours.
        let text = text.replace("/etc/dialbridge/secrets/", "").replace("ca_file", "#ca_file");
        let found = house.problems(&text);
        assert_eq!(found, Vec::<String>::new(), "{}", path.display());
        seen += 1;
    }
    assert!(seen >= 2, "the examples are where they were");
}
