//! What is the CRM told of a call, and what is it never told?

use super::told::{Telling, TellingSpec};
use super::told_names::CALL_NAMES;
use crate::domain::{
    BlockFacts, CallFacts, CallResult, CampaignId, ContactId, HistoryFacts, HistoryId, InDialler,
    InvalidNumber, Reason, ReasonCode, RecordId, RouteName, StandingFacts, Timestamp, ToldBefore,
};
use chrono_tz::Tz;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn at(text: &str) -> Option<Timestamp> {
    Some(text.parse().expect("an instant"))
}

fn call() -> CallFacts {
    CallFacts {
        call: HistoryId(77),
        contact: ContactId(215_001),
        campaign: Some(CampaignId(538)),
        started: at("2026-03-29T00:59:30.400Z"),
        ended: at("2026-03-29T01:01:00.900Z"),
        number: Some("4930123".to_owned()),
        outbound: Some(true),
        answered: true,
        cause: Some(16),
        recording: Some(223_402),
        agent: Some(5),
        agent_name: None,
        note: None,
        next_try: None,
        result: Some(CallResult {
            code: 5_384,
            name: Some("Appointment".to_owned()),
            export_key: Some("APPOINTMENT".to_owned()),
        }),
        open: false,
        erased: false,
    }
}

fn spec(activity: &[(&str, &str)], fields: &[(&str, &str)], results: &[(&str, &str)]) -> TellingSpec {
    let table = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    };
    TellingSpec {
        status: BTreeMap::new(),
        route: RouteName::from("leads"),
        zone: Tz::Europe__Berlin,
        activity: table(activity),
        fields: table(fields),
        blocks: BTreeMap::new(),
        results: table(results),
    }
}

fn telling(activity: &[(&str, &str)], fields: &[(&str, &str)], results: &[(&str, &str)]) -> Telling {
    Telling::parse(&spec(activity, fields, results)).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn told(telling: &Telling, call: &CallFacts) -> Result<Value, Reason> {
    telling.activity(&RecordId::from("42"), call).map(|values| json!(values))
}

#[test]
fn a_call_is_told_in_utc_and_in_the_routes_zone() {
    let telling = telling(
        &[
            ("start", "started"),
            ("odoo", "started | date('%Y-%m-%d %H:%M:%S')"),
            ("text", "'Called at ' ~ started_local ~ ' (' ~ seconds ~ ' s) by ' ~ agent"),
            ("record", "id"),
            ("way", "direction"),
        ],
        &[],
        &[],
    );
    let expected = json!({
        "start": "2026-03-29T00:59:30Z",
        "odoo": "2026-03-29 00:59:30",
        // Half a minute before the clocks go forward.
        "text": "Called at 2026-03-29 01:59:30 (90 s) by 5",
        "record": 42,
        "way": "out",
    });
    assert_eq!(told(&telling, &call()), Ok(expected));
}

#[test]
fn a_result_is_mapped_by_place_by_key_and_by_name_in_this_order() {
    let by = |results: &[(&str, &str)]| told(&telling(&[("x", "outcome")], &[], results), &call());
    assert_eq!(by(&[("Appointment", "n")]), Ok(json!({"x": "n"})));
    assert_eq!(by(&[("Appointment", "n"), ("APPOINTMENT", "k")]), Ok(json!({"x": "k"})));
    let all = [("Appointment", "n"), ("APPOINTMENT", "k"), ("538/5384", "p")];
    assert_eq!(by(&all), Ok(json!({"x": "p"})));
    // The same number means something else in another campaign.
    let reason = by(&[("539/5384", "other")]).expect_err("not mapped");
    assert_eq!(reason.code, ReasonCode::UnmappedResult);
    assert_eq!(
        reason.to_string(),
        "its result APPOINTMENT of campaign 538 is not mapped: add it to [route.leads.results]"
    );
}

#[test]
fn an_unmapped_result_holds_up_only_what_needs_its_word() {
    let without = telling(&[("text", "result ~ '/' ~ result_code")], &[("n", "calls")], &[]);
    assert_eq!(told(&without, &call()), Ok(json!({"text": "Appointment/5384"})));
    let no_result = CallFacts { result: None, ..call() };
    let with = telling(&[("x", "outcome")], &[], &[]);
    assert_eq!(told(&with, &no_result), Ok(json!({"x": null})), "nothing to map yet");
}

#[test]
fn a_call_under_way_waits_and_a_result_without_a_call_does_not() {
    let telling = telling(&[("s", "seconds"), ("way", "direction")], &[], &[]);
    let under_way = CallFacts { ended: None, open: true, ..call() };
    assert_eq!(told(&telling, &under_way).expect_err("waits").code, ReasonCode::CallUnderWay);
    let by_system = CallFacts { started: None, ended: None, outbound: None, agent: None, ..call() };
    assert_eq!(told(&telling, &by_system), Ok(json!({"s": null, "way": null})));
}

#[test]
fn a_row_says_whether_it_is_a_call_an_inbound_one_or_a_result_and_whether_the_system_set_it() {
    let telling = telling(&[("kind", "kind"), ("system", "by_system"), ("file", "recording")], &[], &[]);
    let told = |call: CallFacts| told(&telling, &call).expect("told");
    assert_eq!(told(call()), json!({"kind": "call", "system": false, "file": 223_402}));
    let inbound = CallFacts { outbound: Some(false), recording: None, ..call() };
    assert_eq!(told(inbound), json!({"kind": "inbound", "system": false, "file": null}));
    let result = CallFacts { started: None, ended: None, outbound: None, agent: None, ..call() };
    assert_eq!(told(result), json!({"kind": "result", "system": true, "file": 223_402}));
    let unanswered = CallFacts { agent: None, result: None, ..call() };
    assert_eq!(told(unanswered)["system"], false, "nobody set a result");
}

#[test]
fn fields_follow_from_the_newest_call_and_the_newest_result() {
    let telling = telling(
        &[],
        &[
            ("last", "last_started"),
            ("outcome", "last_outcome"),
            ("tries", "attempts"),
            ("first", "first_started_local"),
            ("again", "next_try_local"),
        ],
        &[("APPOINTMENT", "appointment")],
    );
    let newest =
        CallFacts { call: HistoryId(80), started: at("2026-03-30T08:00:00Z"), result: None, ..call() };
    let history = HistoryFacts {
        calls: 3,
        attempts: 2,
        answered: 1,
        first_started: call().started,
        next_try: at("2026-04-01T08:30:00Z"),
        last: Some(newest),
        last_with_result: Some(call()),
        blocked: None,
        standing: None,
        of_calls: true,
    };
    let fields = telling.record_fields(&RecordId::from("42"), &history).expect("fields");
    let expected = json!({
        "last": "2026-03-30T08:00:00Z", "outcome": "appointment", "tries": 2, "first": "2026-03-29 01:59:30",
        "again": "2026-04-01 10:30:00",
    });
    assert_eq!(json!(fields), expected);
}

#[test]
fn a_no_is_told_in_the_routes_words_and_where_there_is_none_nothing_is() {
    let blocks =
        [("dnc", "true"), ("why", "reason ~ ' (' ~ source ~ ', ' ~ since_local ~ ')'"), ("n", "numbers")];
    let blocks = blocks.map(|(name, text)| (name.to_owned(), text.to_owned()));
    let spec = TellingSpec { blocks: blocks.into(), ..spec(&[], &[("calls", "calls")], &[]) };
    let telling = Telling::parse(&spec).expect("no mistake");
    let record = RecordId::from("42");
    assert!(telling.block_fields(&record, None).expect("nothing").is_empty());
    let blocked = BlockFacts {
        since: at("2026-03-29T01:00:00Z").expect("an instant"),
        reason: "asked us".to_owned(),
        source: "operator".to_owned(),
        who: None,
        numbers: vec!["+4930123".to_owned()],
    };
    let expected = json!({
        "dnc": true, "why": "asked us (operator, 2026-03-29 03:00:00)", "n": ["+4930123"],
    });
    assert_eq!(json!(telling.block_fields(&record, Some(&blocked)).expect("fields")), expected);
    let wrong = TellingSpec { blocks: [("x".to_owned(), "calls".to_owned())].into(), ..spec };
    let problems = Telling::parse(&wrong).expect_err("no name of a block");
    assert_eq!(problems[0].key, "route.leads.block_fields.x");
}

#[test]
fn all_mistakes_come_at_once_with_what_may_be_meant() {
    let spec = spec(&[("a", "outcom"), ("b", "started | nosuch"), ("c", "today")], &[("d", "started")], &[]);
    let problems = Telling::parse(&spec).expect_err("mistakes");
    let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 4, "{texts:#?}");
    let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
    let expected = [
        "route.leads.activity.a",
        "route.leads.activity.b",
        "route.leads.activity.c",
        "route.leads.result_fields.d",
    ];
    assert_eq!(keys, expected);
    assert!(texts[0].contains("Did you mean outcome?"), "{}", texts[0]);
}

#[test]
fn the_revision_changes_with_everything_that_changes_what_is_told() {
    let first = telling(&[("a", "result")], &[], &[]).revision().to_owned();
    assert_eq!(first, telling(&[("a", "result")], &[], &[]).revision());
    for other in [
        telling(&[("a", "result_key")], &[], &[]),
        telling(&[("a", "result")], &[("n", "calls")], &[]),
        telling(&[("a", "result")], &[], &[("X", "y")]),
    ] {
        assert_ne!(first, other.revision());
    }
}

fn any_call() -> impl Strategy<Value = CallFacts> {
    let time = || {
        proptest::option::of(0_i64..4_000_000_000)
            .prop_map(|s| s.and_then(|s| Timestamp::from_timestamp(s, 0)))
    };
    let text = || proptest::option::of("\\PC{0,12}");
    let result = proptest::option::of((any::<i64>(), text(), text()))
        .prop_map(|found| found.map(|(code, name, export_key)| CallResult { code, name, export_key }));
    (time(), time(), text(), proptest::option::of(any::<bool>()), any::<bool>(), result, any::<bool>())
        .prop_map(|(started, ended, number, outbound, answered, result, open)| CallFacts {
            started,
            ended,
            number,
            outbound,
            answered,
            result,
            open,
            ..call()
        })
}

#[test]
fn an_invalid_number_is_told_with_its_cause_and_day() {
    let told = [
        ("invalid", "number1_invalid"),
        ("cause", "number1_invalid_cause"),
        ("day", "number1_invalid_since | date('%d.%m.%Y')"),
        ("here", "number1_invalid_since_local"),
        ("other", "number2_invalid"),
        ("other_cause", "number2_invalid_cause"),
        ("other_since", "number2_invalid_since_local"),
        ("all", "invalid_numbers | join(' ')"),
        ("synced", "synced_local"),
    ];
    let status = told.map(|(field, text)| (field.to_owned(), text.to_owned())).into();
    let telling = Telling::parse(&TellingSpec { status, ..spec(&[], &[], &[]) }).expect("right");
    let mark = |number: &str| InvalidNumber {
        number: number.to_owned(),
        since: "2026-03-02T22:30:00Z".parse().expect("an instant"),
        cause: Some(1),
    };
    let standing = StandingFacts {
        place: InDialler::Callable,
        reason: None,
        since: None,
        synced: "2026-03-02T22:30:00Z".parse().ok(),
        next_try: None,
        // The second one was corrected since.
        numbers: vec![Some("+4930111".to_owned()), Some("+4930333".to_owned())],
        invalid: vec![mark("+4930111"), mark("+4930222")],
        told: ToldBefore::Anything,
    };
    let fields = telling.status_fields(&RecordId::from("42"), Some(&standing)).map(|values| json!(values));
    let expected = json!({
        "invalid": true, "cause": 1, "day": "02.03.2026", "here": "2026-03-02 23:30:00", "other": false,
        "other_cause": null, "other_since": null, "all": "+4930111 +4930222",
        "synced": "2026-03-02 23:30:00",
    });
    assert_eq!(fields, Ok(expected));
}

proptest! {
    #[test]
    fn whatever_a_call_holds_it_is_told_or_named_as_what_it_waits_for(call in any_call()) {
        let names: Vec<(String, String)> =
            CALL_NAMES.iter().map(|name| ((*name).to_owned(), (*name).to_owned())).collect();
        let pairs: Vec<(&str, &str)> = names.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        let telling = telling(&pairs, &[], &[]);
        match told(&telling, &call) {
            Ok(values) => {
                prop_assert_eq!(values.as_object().map(serde_json::Map::len), Some(CALL_NAMES.len()));
                prop_assert_eq!(told(&telling, &call), Ok(values), "deterministic");
                prop_assert!(call.result.is_none(), "nobody mapped one");
            }
            Err(reason) => {
                let expected = if call.is_under_way() { ReasonCode::CallUnderWay } else { ReasonCode::UnmappedResult };
                prop_assert_eq!(reason.code, expected);
            }
        }
    }
}
