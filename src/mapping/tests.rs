//! Tests of the room as a whole.

use super::*;
use crate::domain::{CrmSide, ReasonCode, RecordId};
use chrono::NaiveDate;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn spec(fields: &[(&str, &str)]) -> MappingSpec {
    let mut spec = MappingSpec::new(RouteName::from("leads"), chrono_tz::Europe::Berlin);
    spec.fields = fields.iter().map(|(name, source)| (name.to_string(), source.to_string())).collect();
    spec
}

fn sample() -> MappingSpec {
    let mut spec = spec(&[
        ("Name", "name"),
        ("PhoneNumber1", "phone | phone('DE')"),
        ("PhoneNumber2", "mobile"),
        ("Company", "parent_id[1]"),
        ("ExternalSystemLink", "'https://crm.example.com/' ~ id"),
    ]);
    spec.country = Some("DE".into());
    spec.only_if = Some("phone and active".into());
    spec.block_if = Some("phone_sanitized_blacklisted or (until and until < today)".into());
    spec
}

fn mapping(spec: &MappingSpec) -> Mapping {
    Mapping::parse(spec).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn record(changes: Value) -> Record {
    let Value::Object(mut fields) = json!({
        "name": "Anna", "phone": "030 123456", "mobile": null, "parent_id": null, "active": true,
        "phone_sanitized_blacklisted": null, "until": null
    }) else {
        unreachable!()
    };
    for (name, value) in changes.as_object().unwrap() {
        fields.insert(name.clone(), value.clone());
    }
    Record { id: RecordId::from("42"), modified: None, deleted: false, fields }
}

fn without(name: &str) -> Record {
    let mut record = record(json!({}));
    record.fields.remove(name).unwrap();
    record
}

fn today() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 4, 1).unwrap()
}

fn field(name: &str) -> FieldName {
    FieldName::parse(name).unwrap()
}

#[test]
fn a_record_becomes_a_contact() {
    let mapped = mapping(&sample()).map(&record(json!({"parent_id": [7, "Acme"]})), today());
    assert_eq!(mapped.user_data.unwrap().as_str(), "leads-42");
    assert_eq!((mapped.block, mapped.eligible), (Condition::False, Condition::True));
    assert_eq!(mapped.numbers, ["+4930123456"]);
    let desired = mapped.fields.unwrap().unwrap();
    assert_eq!(desired.len(), 5, "one entry for every mapped field");
    assert_eq!(desired[&field("PhoneNumber1")].crm, json!("+4930123456"));
    assert_eq!(desired[&field("PhoneNumber1")].send, json!("4930123456"));
    assert!(desired[&field("PhoneNumber2")].is_empty());
    assert_eq!(desired[&field("Company")].send, json!("Acme"));
    assert_eq!(desired[&field("ExternalSystemLink")].send, json!("https://crm.example.com/42"));
}

#[test]
fn all_mistakes_are_found_at_once() {
    let mut bad = spec(&[
        ("Nam", "name"),
        ("UserData", "id"),
        ("ID", "id"),
        ("Company", "company | uper"),
        ("City", "city +"),
        ("Comment", "'seen ' ~ today"),
        ("FaxNumber", "fax | phone('Germany')"),
        ("dtEndDate", "until | date('%Y')"),
        ("Tag", "tag | date('%Q')"),
        ("Title", "range(3)"),
    ]);
    bad.user_data = Some("name ~ id".into());
    bad.only_if = Some("{{ active }}".into());
    bad.block_if = Some("x is definde".into());
    bad.country = Some("Germany".into());
    let problems = Mapping::parse(&bad).unwrap_err();
    let keys: Vec<_> = problems.iter().map(|problem| problem.key.as_str()).collect();
    for key in [
        "route.leads.country",
        "route.leads.user_data",
        "route.leads.only_if",
        "route.leads.block_if",
        "route.leads.fields.Nam",
        "route.leads.fields.UserData",
        "route.leads.fields.ID",
        "route.leads.fields.Company",
        "route.leads.fields.City",
        "route.leads.fields.Comment",
        "route.leads.fields.FaxNumber",
        "route.leads.fields.dtEndDate",
        "route.leads.fields.Tag",
        "route.leads.fields.Title",
    ] {
        assert_eq!(keys.iter().filter(|found| **found == key).count(), 1, "{key}: {problems:#?}");
    }
    let about_fields: Vec<_> = problems.iter().filter(|p| p.key == "route.leads.fields").collect();
    assert_eq!(about_fields.len(), 2, "no Name, no number: {about_fields:#?}");
    let text = problems.iter().map(ToString::to_string).collect::<String>();
    for hint in ["Did you mean Name?", "Did you mean upper?", "Did you mean defined?", "without {{ and }}"] {
        assert!(text.contains(hint), "{hint}: {text}");
    }
}

#[test]
fn consent_in_only_if_is_warned_of() {
    let mut suspicious = sample();
    suspicious.only_if = Some("phone and not x_do_not_call and HasOptedOutOfPhone__c != true".into());
    let warnings = mapping(&suspicious).warnings(&suspicious.route);
    assert_eq!(warnings.len(), 2, "{warnings:#?}");
    assert!(mapping(&sample()).warnings(&sample().route).is_empty());
}

#[test]
fn names_for_the_connector_and_for_the_daily_decision() {
    let mapping = mapping(&sample());
    let all = ["active", "mobile", "name", "parent_id", "phone", "phone_sanitized_blacklisted", "until"];
    assert_eq!(mapping.names(), all);
    let kept = mapping.kept(&record(json!({})));
    assert_eq!(kept.keys().collect::<Vec<_>>(), ["active", "phone", "phone_sanitized_blacklisted", "until"]);
    assert!(mapping.uses_today());
    assert_eq!(mapping.missing_names(&record(json!({}))), []);
    assert_eq!(mapping.missing_names(&without("active")), [("only_if".to_owned(), "active".to_owned())]);
}

#[test]
fn a_missing_name_breaks_the_condition_and_nothing_else() {
    let mapping = mapping(&sample());
    let mapped = mapping.map(&without("phone_sanitized_blacklisted"), today());
    let Condition::Broken(reason) = &mapped.block else { panic!("{:?}", mapped.block) };
    assert_eq!(reason.code, ReasonCode::MissingName);
    assert_eq!(reason.params["name"], "phone_sanitized_blacklisted");
    assert_eq!(reason.params["key"], "block_if");
    assert_eq!(mapped.eligible, Condition::True);
    let CrmSide::Uncallable(told) = mapped.crm_side(false) else { panic!("somebody would be imported") };
    assert_eq!(told, *reason);
    assert_eq!(mapped.numbers, ["+4930123456"]);
    assert!(mapped.user_data.is_ok());
}

#[test]
fn a_broken_record_can_still_be_blocked() {
    let mapping = mapping(&sample());
    let broken = record(json!({"name": null, "phone": "+49 30 1", "mobile": "0171 1234567",
        "phone_sanitized_blacklisted": true}));
    let mapped = mapping.map(&broken, today());
    assert_eq!(mapped.block, Condition::True);
    assert_eq!(mapped.numbers, ["+491711234567"]);
    assert!(mapped.user_data.is_ok());
    assert!(
        matches!(mapped.crm_side(false), CrmSide::Uncallable(reason) if reason.code == ReasonCode::NoName)
    );
    assert!(matches!(mapped.crm_side(true), CrmSide::Gone(_)));
    let without_slot = mapping.map(&without("mobile"), today());
    assert_eq!(without_slot.numbers, ["+4930123456"], "the other slot's number all the same");
    assert_eq!(without_slot.fields.unwrap().unwrap_err().code, ReasonCode::MissingName);
}

#[test]
fn what_makes_a_record_unusable() {
    let mapping = mapping(&sample());
    for (changes, code) in [
        (json!({"name": " "}), ReasonCode::NoName),
        (json!({"phone": "12"}), ReasonCode::NoPhone),
        (json!({"name": "x".repeat(10_000_000)}), ReasonCode::TooLong),
        (json!({"name": ["x"]}), ReasonCode::BadValue),
        (json!({"parent_id": "x"}), ReasonCode::MissingName),
    ] {
        let reason = mapping.map(&record(changes), today()).fields.unwrap().unwrap_err();
        assert_eq!(reason.code, code);
        assert!(reason.params_json().len() < 300);
    }
}

#[test]
fn one_bad_number_among_good_ones_is_left_out() {
    let mapped = mapping(&sample()).map(&record(json!({"mobile": "none"})), today());
    assert!(mapped.fields.unwrap().unwrap()[&field("PhoneNumber2")].is_empty());
    assert_eq!(mapped.notes.len(), 1);
    assert_eq!(mapped.notes[0].code, ReasonCode::BadPhone);
    assert_eq!(mapped.notes[0].params["field"], "PhoneNumber2");
}

#[test]
fn the_day_decides() {
    let mapping = mapping(&sample());
    for (until, block) in [
        (json!("2026-03-31"), Condition::True),
        (json!("2026-04-01"), Condition::False),
        (json!(null), Condition::False),
    ] {
        assert_eq!(mapping.map(&record(json!({"until": until})), today()).block, block);
    }
}

#[test]
fn not_eligible_goes_before_what_cannot_be_told() {
    let mut record = record(json!({"active": null}));
    record.fields.remove("phone_sanitized_blacklisted");
    let mapped = mapping(&sample()).map(&record, today());
    assert!(matches!(mapped.block, Condition::Broken(_)));
    assert_eq!(mapped.fields, None);
    assert!(matches!(mapped.crm_side(false), CrmSide::Ineligible(_)));
}

#[test]
fn texts_are_cut_and_shown() {
    let mapped = mapping(&sample()).map(&record(json!({"name": "n".repeat(70)})), today());
    assert_eq!(mapped.cuts.len(), 1);
    let name = &mapped.fields.unwrap().unwrap()[&field("Name")];
    assert_eq!(name.send, json!("n".repeat(64)));
    assert_eq!(name.crm, json!("n".repeat(70)));
    let mut strict = sample();
    strict.too_long = TooLong::Park;
    let parked = mapping(&strict).map(&record(json!({"name": "n".repeat(70)})), today());
    assert_eq!(parked.fields.unwrap().unwrap_err().code, ReasonCode::TooLong);
}

#[test]
fn the_hash_covers_what_is_used_and_the_revision() {
    let mapping = mapping(&sample());
    let hash = |record: &Record, revision: &str| mapping.hash(record, revision);
    let plain = hash(&record(json!({})), "r");
    assert_eq!(plain, hash(&record(json!({"comment": "not used"})), "r"));
    let mut deleted = record(json!({}));
    deleted.deleted = true;
    for (other, revision) in [
        (record(json!({"name": "Berta"})), "r"),
        (record(json!({"mobile": ""})), "r"),
        (without("mobile"), "r"),
        (deleted, "r"),
        (record(json!({})), "s"),
    ] {
        assert_ne!(plain, hash(&other, revision));
    }
}

#[test]
fn every_rule_is_part_of_the_revision() {
    let base = mapping(&sample()).revision("odoo 1");
    assert_eq!(base, mapping(&sample()).revision("odoo 1"));
    assert_eq!(base.len(), 16);
    let mut seen = BTreeSet::from([base]);
    let changes: [fn(&mut MappingSpec); 9] = [
        |spec| spec.user_data = Some("'x-' ~ id".into()),
        |spec| spec.only_if = None,
        |spec| spec.block_if = None,
        |spec| {
            spec.fields.insert("City".into(), "city".into());
        },
        |spec| spec.time_zone = chrono_tz::UTC,
        |spec| spec.country = None,
        |spec| spec.phone_format = PhoneFormat::E164,
        |spec| spec.too_long = TooLong::Park,
        |spec| {
            spec.append.insert("Comment".into());
        },
    ];
    for change in changes {
        let mut spec = sample();
        change(&mut spec);
        assert!(seen.insert(mapping(&spec).revision("odoo 1")));
    }
    assert!(seen.insert(mapping(&sample()).revision("odoo 2")));
}

#[test]
fn try_shows_every_expression() {
    let explained = mapping(&sample()).explain(&without("mobile"), today());
    let keys: Vec<_> = explained.iter().map(|line| line.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "user_data",
            "block_if",
            "only_if",
            "Company",
            "ExternalSystemLink",
            "Name",
            "PhoneNumber1",
            "PhoneNumber2"
        ]
    );
    assert_eq!(explained[0].result, Ok(json!("leads-42")));
    assert_eq!(explained[2].result, Ok(json!(true)));
    assert_eq!(explained[6].inputs, [("phone".to_owned(), Some(json!("030 123456")))]);
    assert_eq!(explained[6].send, Some(json!("4930123456")));
    assert_eq!(explained[7].inputs, [("mobile".to_owned(), None)]);
    assert!(explained[7].result.is_err());
    assert!(explained[1].inputs.contains(&("today".to_owned(), Some(json!("2026-04-01")))));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,100}".prop_map(Value::from),
        "[0-9+ ()/-]{0,20}".prop_map(Value::from),
        "20[0-9]{2}-[0-9]{2}-[0-9]{2}( [0-9]{2}:[0-9]{2}:[0-9]{2})?".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[abn]", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    #[test]
    fn any_record_is_mapped_within_the_fields_rules(
        values in prop::collection::btree_map("[a-h]", any_json(), 0..8),
        id in "\\PC{0,70}",
    ) {
        let mut spec = spec(&[
            ("Name", "a"),
            ("FirstName", "b ~ ' ' ~ c|upper"),
            ("PhoneNumber1", "d | phone('DE')"),
            ("PhoneNumber2", "(e or d) | phone"),
            ("Amount", "f"),
            ("dtEndDate", "g"),
            ("Comment", "h.a if h is defined else [a, b] | join(',')"),
            ("Tag", "g | date('%d.%m.%Y') | default('-')"),
        ]);
        spec.only_if = Some("a or not b".into());
        spec.block_if = Some("c == 1 or d in ['x'] or g < today".into());
        let mapping = mapping(&spec);
        let record = Record {
            id: RecordId(id), modified: None, deleted: false, fields: values.into_iter().collect(),
        };
        let mapped = mapping.map(&record, today());
        prop_assert_eq!(&mapped, &mapping.map(&record, today()), "the same input, the same result");
        if ["c", "d", "g"].iter().all(|name| !record.fields.contains_key(*name)) {
            prop_assert!(matches!(mapped.block, Condition::Broken(_)), "never false");
        }
        for number in &mapped.numbers {
            prop_assert!(number.len() <= 16 && number.starts_with('+'));
        }
        if let Some(Ok(desired)) = &mapped.fields {
            prop_assert!(matches!(mapped.eligible, Condition::True));
            prop_assert!(desired.keys().any(|field| field.is_phone() && !desired[field].is_empty()));
            prop_assert!(desired[&field("Name")].send.as_str().is_some_and(|name| !name.is_empty()));
            for (field, value) in desired {
                let fits = match (field.spec().kind, &value.send) {
                    (_, Value::Null) => true,
                    (crate::domain::FieldKind::Text(max), Value::String(text)) => text.chars().count() <= max,
                    (crate::domain::FieldKind::Phone, Value::String(text)) =>
                        text.len() <= 32 && text.bytes().all(|b| b.is_ascii_digit()),
                    (crate::domain::FieldKind::Number, Value::Number(_)) => true,
                    (crate::domain::FieldKind::DateTime, Value::String(text)) => text.len() == 19,
                    (crate::domain::FieldKind::LongText, Value::String(_)) => true,
                    _ => false,
                };
                prop_assert!(fits, "{} {}", field, value.send);
            }
        }
        mapping.explain(&record, today());
        mapping.hash(&record, "r");
    }
}
