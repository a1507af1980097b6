//! What is only right or wrong about a route beside another one.

use super::*;

fn second_route(name: &str, lines: &str) -> String {
    format!(
        "{GOOD}[route.{name}]\ncrm = \"sales\"\ncampaign = \"Spring leads\"\n{lines}\n[route.{name}.fields]\nName = \
         \"name\"\nPhoneNumber1 = \"phone\"\n"
    )
}

#[test]
fn two_routes_may_share_a_campaign_but_never_a_user_data() {
    let house = House::new();
    assert_eq!(house.problems(&second_route("others", "")), Vec::<String>::new());
    let same = house.problems(&second_route("others", "user_data = \"'leads-' ~ id\""));
    assert_eq!(same.len(), 1, "{same:#?}");
    assert!(same[0].starts_with("dialbridge.toml:22: route.others.user_data: "), "{same:#?}");
    let folded = house.problems(&second_route("others", "user_data = \"'LEADS-' ~ id\""));
    assert_eq!(folded.len(), 1, "{folded:#?}");
    let longer = house.problems(&second_route("others", "user_data = \"'leads-1' ~ id\""));
    assert_eq!(longer.len(), 1, "leads-1 and 12, leads- and 112: {longer:#?}");
    assert_eq!(house.problems(&second_route("leads-b2b", "")), Vec::<String>::new());
    let id = house.problems(&second_route("others", "id = \"leads\""));
    assert_eq!(id.len(), 1, "{id:#?}");
    assert!(id[0].contains("route.others.id"), "{id:#?}");
}

#[test]
fn a_route_that_hears_no_no_beside_one_that_does_is_a_warning() {
    const WORDS: &str = "opt_out_results = [\"NEVER\"]";
    let hears = GOOD.replacen("only_if", &format!("{WORDS}\nonly_if"), 1);
    for (lines, warned) in [("", 1), ("opt_out_results = []", 0), (WORDS, 0), ("client = \"another\"", 0)] {
        let warnings = House::new().check(&second_route("others", lines).replacen(GOOD, &hears, 1)).warnings;
        let of_it = |one: &&crate::domain::Problem| {
            one.key == "route.others.opt_out_results" && one.to_string().contains("of the same client")
        };
        let deaf: Vec<_> = warnings.iter().filter(of_it).collect();
        assert_eq!(deaf.len(), warned, "{lines}: {warnings:#?}");
        let says = |part| deaf.iter().all(|one| one.to_string().contains(part));
        assert!(says("[route.leads]") && says("[route.others]") && says(WORDS), "{deaf:#?}");
    }
}

#[test]
fn a_renamed_route_keeps_its_user_data() {
    let text = GOOD.replace("route.leads", "route.spring").replace("campaign ", "id = \"leads\"\ncampaign ");
    let checked = House::new().check(&text);
    assert_eq!(checked.problems, Vec::new());
    let settings = checked.settings.expect("nothing is wrong");
    let route = &settings.routes[&RouteName::from("spring")];
    assert_eq!(route.id, RouteName::from("leads"));
    assert_eq!(route.mapping.template().to_string(), "'leads-' ~ id");
}

/// The good config with these lines and tables, told of calls.
fn told(keys: &str, tables: &str) -> Checked {
    let text = GOOD.replacen("only_if", &format!("write_back = \"* * * * *\"\n{keys}\nonly_if"), 1);
    House::new().check(&text.replacen("[ledger]", &format!("{tables}\n[ledger]"), 1))
}

#[test]
fn a_no_that_the_crm_is_not_told_of_is_a_warning() {
    let calls = "[route.leads.result_fields]\nx_calls = \"attempts\"";
    let no = "[route.leads.block_fields]\nx_no = \"true\"";
    let both = format!("{calls}\n{no}");
    let words = "opt_out_results = [\"NEVER\"]";
    for (keys, tables, warned) in [(words, calls, true), (words, &both, false), ("", calls, false)] {
        let checked = told(keys, tables);
        assert_eq!(checked.problems, Vec::new());
        let mute = checked.warnings.iter().any(|one| one.to_string().contains("no [block_fields]"));
        assert_eq!(mute, warned, "{keys}: {:#?}", checked.warnings);
    }
    // A route that tells of nothing keeps its noes as well, though its CRM could be told.
    let silent = House::new().check(&GOOD.replacen("only_if", &format!("{words}\nonly_if"), 1));
    let told = |one: &crate::domain::Problem| one.to_string().contains("Add write_back = ");
    assert!(silent.problems.is_empty() && silent.warnings.iter().any(told), "{silent:#?}");
}

#[test]
fn what_a_no_is_written_into_is_written_by_nothing_else() {
    let no = "[route.leads.block_fields]\nx_no = \"true\"\n";
    for (tables, key) in [
        ("[route.leads.result_fields]\nx_no = \"last_outcome\"", "route.leads.result_fields"),
        ("[route.leads.status_fields]\nx_no = \"status\"", "route.leads.status_fields"),
        ("[route.leads.two_way]\nCity = \"crm\"", "route.leads.two_way"),
    ] {
        let text = format!("{no}{tables}");
        let mapped = |text: String| text.replacen("Name         =", "City = \"x_no\"\nName         =", 1);
        let keys = "write_back = \"* * * * *\"\nonly_if";
        let text =
            mapped(GOOD.replacen("only_if", keys, 1)).replacen("[ledger]", &format!("{text}\n[ledger]"), 1);
        let problems = House::new().problems(&text);
        assert_eq!(problems.len(), 1, "{tables}: {problems:#?}");
        assert!(problems[0].contains(key) && problems[0].contains("writes a no"), "{problems:#?}");
    }
    // Nor is that by which block_if hears one.
    let heard =
        GOOD.replacen("block_if  = \"phone_sanitized_blacklisted\"", "block_if = \"x_state == 'never'\"", 1);
    let keys = "write_back = \"* * * * *\"\nonly_if";
    let writes = "[route.leads.result_fields]\nx_state = \"last_outcome\"\n[ledger]";
    let problems = House::new().problems(&heard.replacen("only_if", keys, 1).replacen("[ledger]", writes, 1));
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert!(problems[0].contains("x_state, by which block_if of route leads hears a no"), "{problems:#?}");
    let checked = told("", "[route.leads.result_fields]\ndo_not_call = \"last_outcome\"");
    let warned = |one: &crate::domain::Problem| one.to_string().contains("looks like consent");
    assert!(checked.problems.is_empty() && checked.warnings.iter().any(warned), "{checked:#?}");
}

#[test]
fn a_field_that_is_told_and_decides_what_is_told_next_is_warned_of() {
    let tables = "[route.leads.status_fields]\nx_bad = \"number1_invalid\"";
    let warned = |text: &str| {
        let keys = "write_back = \"* * * * *\"\nonly_if";
        let text = text.replacen("only_if", keys, 1).replacen("[ledger]", &format!("{tables}\n[ledger]"), 1);
        let checked = House::new().check(&text);
        assert!(checked.problems.is_empty(), "{checked:#?}");
        checked
            .warnings
            .iter()
            .any(|one| one.to_string().contains("x_bad, which only_if or [fields] of route leads reads"))
    };
    assert!(!warned(GOOD));
    let mapped = "City = \"'' if x_bad else 'Ulm'\"\nName         =";
    assert!(warned(&GOOD.replacen("Name         =", mapped, 1)));
}
