//! Configs as careless people write them: does each message say what happened, to what, and what to do next?

use super::house::{House, Ran};
use std::os::unix::fs::PermissionsExt as _;

/// The config with one text for another, as bytes.
fn config(house: &House, wrong: &[(&str, &str)]) -> String {
    let mut text = house.config_text("");
    for (right, wrong) in wrong {
        assert!(text.contains(right), "{right} stands in the config");
        text = text.replacen(right, wrong, 1);
    }
    text
}

async fn check(house: &House, config: impl AsRef<[u8]>) -> Ran {
    std::fs::write(house.config(), config).expect("written");
    house.run(&["check", "--offline"]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn is_a_city_a_german_weekday_or_a_sixth_field_told_with_what_is_meant() {
    let house = House::new(1).await;
    let wrong = [
        ("\"Europe/Berlin\"", "\"Berlin\""),
        ("pull          = \"0 0 29 2 *\"", "pull = \"0 */2 * * * *\""),
        ("harvest       = \"0 0 29 2 *\"", "harvest = \"*/5 7-21 * * Mo-Sa\""),
        ("only_if       = \"phone and active\"", "only_if = phone and active"),
    ];
    let ran = check(&house, config(&house, &wrong)).await.expect(2);
    for said in [
        "time_zone: \"Berlin\"; expected a time zone such as \"Europe/Berlin\". Did you mean Europe/Berlin?",
        "pull: \"0 */2 * * * *\" is no schedule: it has 6 fields; expected five fields",
        "\"Mo-Sa\" is no weekday (0-7, or Mon Tue Wed Thu Fri Sat Sun)",
        "TOML: a text without quotes; expected KEY = \"text\"",
    ] {
        assert!(ran.err.contains(said), "{said}: {}", ran.said());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn is_a_file_from_windows_read_where_it_can_be_and_told_how_to_mend_where_not() {
    let house = House::new(1).await;
    let right = config(&house, &[("Spring leads", "Frühjahr Köln"), ("\nonly_if ", "\n\tonly_if\t")]);
    let windows = format!("\u{feff}{}", right.replace('\n', "\r\n"));
    check(&house, &windows).await.expect(0);
    let latin: Vec<u8> = right.chars().map(|c| u8::try_from(c).expect("Latin-1")).collect();
    let ran = check(&house, latin)
        .await
        .expect(2)
        .says("an old Windows editor")
        .says("iconv -f windows-1252 -t utf-8");
    let line = right.lines().position(|line| line.contains("Köln")).expect("it stands there") + 1;
    assert!(ran.err.contains(&format!("dialbridge.toml:{line}: ")), "{}", ran.said());
    let wide: Vec<u8> = windows.encode_utf16().flat_map(u16::to_le_bytes).collect();
    check(&house, wide).await.expect(2).says("UTF-16").says("iconv -f utf-16 -t utf-8");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn is_it_said_what_is_wrong_with_a_tokens_file_and_never_what_it_holds() {
    let house = House::new(1).await;
    let token = house.path("crm.token");
    let secret = "canary-of-a-token";
    for (bytes, said) in [
        (format!("\u{feff}{secret}\r\n").into_bytes(), "begins with a byte order mark"),
        (
            format!("\u{feff}{secret}").encode_utf16().flat_map(u16::to_le_bytes).collect(),
            "is UTF-16, as PowerShell",
        ),
        (format!("\"{secret}\"\n").into_bytes(), "without quotes"),
        (format!("{secret}\n{secret}\n").into_bytes(), "holds more than one token"),
        (Vec::new(), "is empty"),
    ] {
        std::fs::write(&token, bytes).expect("written");
        let ran = check(&house, config(&house, &[])).await.expect(2).says(said).says("crm.token");
        assert!(!ran.said().contains("canary"), "{}", ran.said());
    }
    // A line's end as Windows writes it is none of the token.
    std::fs::write(&token, format!("{secret}\r\n")).expect("written");
    check(&house, config(&house, &[])).await.expect(0);
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o644)).expect("set");
    check(&house, config(&house, &[])).await.expect(0).says("has mode 644").says("chmod 640");
    std::fs::remove_file(&token).expect("removed");
    check(&house, config(&house, &[])).await.expect(2).says("crm.token").says("that the service may read");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn are_two_routes_of_one_name_refused_and_two_into_one_campaign_told() {
    let house = House::new(1).await;
    let second = |name: &str| {
        format!(
            "\n[route.{name}]\ncrm = \"sales\"\ncampaign = \"Spring leads\"\n[route.{name}.fields]\nName = \"name\"\n\
                 PhoneNumber1 = \"phone\"\n"
        )
    };
    let text = config(&house, &[]);
    check(&house, format!("{text}{}", second("leads"))).await.expect(2).says("leads stands there twice");
    let ran = check(&house, format!("{text}{}", second("partners"))).await.expect(0);
    ran.says("route.partners.campaign: the campaign of [route.leads]").says("is called twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn is_a_misspelt_name_told_before_the_first_start() {
    let house = House::new(5).await;
    let wrong = [("PhoneNumber1  = \"phone |", "PhoneNumber1 = \"phnoe |"), ("city", "ctiy")];
    check(&house, config(&house, &wrong)).await.expect(0);
    let ran = house.run(&["check"]).await.expect(1);
    for said in ["\"phnoe\"", "\"ctiy\"", "Did you mean \"phone\"?", "Did you mean \"city\"?"] {
        assert!(ran.out.contains(said), "{said}: {}", ran.said());
    }
    let wrong = [("\"phone and active\"", "\"phone und active\"")];
    check(&house, config(&house, &wrong)).await.expect(2).says("only_if: ").says("such as");
}
