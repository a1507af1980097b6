//! A connector's write half against the simulated CRM, in process and under virtual time: judged by what the CRM
//! holds afterwards.

use dialbridge::app::in_process::InProcess;
use dialbridge::crm::{
    Called, Caller, Connector, CrmRead as _, CrmValues, CrmWrite, Safe, Writer, bundled, parse,
};
use dialbridge::domain::{ActivityId, CallKey, HistoryId, RecordId, Timestamp};
use dialbridge::env::Env;
use dialbridge::remote::{
    Auth, AuthScheme, CallClass, CallContext, CallError, CallErrorKind, Client, ClientConfig, Request, Side,
};
use dialbridge::sim::crm::{Activity, Login, Rejection, Rights, Settings, SimCrm};
use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule};
use dialbridge::sim::journal::Detail;
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The connectors that take activities, and what they say of a create in doubt.
const STYLES: [(&str, Safe); 5] = [
    ("sim-id", Safe::Key),
    ("sim-cursor", Safe::Key),
    ("sim-link", Safe::Key),
    ("sim-offset", Safe::Find { visible_after: Duration::from_secs(60) }),
    ("sim-page", Safe::No),
];
const TOKEN: &str = "a-token";

struct World {
    env: Env,
    crm: SimCrm,
    calls: Arc<Mutex<Vec<(CallClass, bool)>>>,
}

/// The client, and a note of each call's class and whether it was one that changes something.
struct Noting(Client, Arc<Mutex<Vec<(CallClass, bool)>>>);

#[async_trait::async_trait]
impl Caller for Noting {
    async fn call(&self, context: CallContext, request: Request) -> Result<Called, CallError> {
        self.1.lock().expect("no panic").push((context.class, context.write));
        Caller::call(&self.0, context, request).await
    }
}

impl World {
    fn new() -> Self {
        let env = Env::simulated("2026-03-02T10:00:00.250Z".parse().expect("a time"), 7);
        let settings = Settings { login: Login::Token(TOKEN.to_owned()), ..Settings::default() };
        let crm = SimCrm::new(settings, env.clone(), 7, Detail::Full);
        crm.editor().seed(20, 1);
        Self { env, crm, calls: Arc::default() }
    }

    fn connector(&self, style: &str) -> Connector {
        let file = parse(bundled(style).expect("a bundled file"), style).expect("a right file");
        let config = ClientConfig {
            base_url: Some("http://crm.invalid/".to_owned()),
            body_check: file.body_check(),
            failure_check: file.failure_check(),
            ..ClientConfig::default()
        };
        let secret = match &file.auth {
            AuthScheme::Basic | AuthScheme::OAuth2(_) => format!("sim:{TOKEN}"),
            AuthScheme::Bearer | AuthScheme::Header(_) | AuthScheme::Word(_) => TOKEN.to_owned(),
        };
        let auth = Auth::fixed(file.auth.clone(), secret.into());
        let transport = Arc::new(InProcess::new(self.crm.router()));
        let client = Client::new(Side::Crm, config, transport, auth, self.env.clone(), None);
        let caller = Noting(client, self.calls.clone());
        Connector::new(file, "http://crm.invalid/", None, [], Arc::new(caller), self.env.clone())
            .expect("an object")
    }

    fn writer(&self, style: &str) -> Writer {
        self.connector(style).writer().expect("a write half")
    }

    async fn wait(&self, seconds: u64) {
        self.env.sleep(Duration::from_secs(seconds)).await;
    }

    /// The next requests of this kind go wrong so.
    fn fault(&self, action: Action, times: u64) {
        self.crm.faults.add(Rule::new(action).path("/activities").times(times));
    }
}

fn record(id: u64) -> RecordId {
    RecordId(id.to_string())
}

fn key(call: i64) -> CallKey {
    CallKey::new("0123456789ab", HistoryId(call))
}

fn values(result: &str) -> CrmValues {
    CrmValues::from([("result".to_owned(), json!(result)), ("seconds".to_owned(), json!(42))])
}

/// Its id as the connector knows it.
fn known_as(style: &str, activity: &Activity) -> ActivityId {
    match style {
        "sim-link" => ActivityId(activity.key().expect("a key").to_owned()),
        _ => ActivityId(activity.id.to_string()),
    }
}

#[tokio::test(start_paused = true)]
async fn is_a_call_told_twice_two_activities_only_where_the_connector_says_so() {
    for (style, safe) in STYLES {
        let world = World::new();
        let writer = world.writer(style);
        assert_eq!(writer.contract().activities, Some(safe), "{style}");
        let first = writer.create_activity(&record(3), &key(71), &values("busy")).await.expect(style);
        let there = world.crm.activities();
        assert_eq!(there.len(), 1, "{style}");
        assert_eq!(first, known_as(style, &there[0]), "{style}");
        assert_eq!((there[0].record, &there[0].fields["result"]), (3, &json!("busy")), "{style}");
        let again = writer.create_activity(&record(3), &key(71), &values("reached")).await.expect(style);
        let there = world.crm.activities();
        assert_eq!(there.len(), if safe == Safe::Key { 1 } else { 2 }, "{style}");
        assert_eq!(again == first, safe == Safe::Key, "{style}");
        assert_eq!(there.last().expect("one").fields["result"], json!("reached"), "{style}");
        // Another call is another activity, also of the same person.
        writer.create_activity(&record(3), &key(72), &values("busy")).await.expect(style);
        assert_eq!(world.crm.activities().len(), there.len() + 1, "{style}");
    }
}

#[tokio::test(start_paused = true)]
async fn does_a_later_result_change_the_activity_that_is_there_and_leave_the_rest_of_it() {
    for (style, _) in STYLES {
        let world = World::new();
        let writer = world.writer(style);
        assert!(writer.contract().changes_activities, "{style}");
        let id = writer.create_activity(&record(3), &key(71), &values("busy")).await.expect(style);
        let later = CrmValues::from([("result".to_owned(), json!("sold"))]);
        for _ in 0..2 {
            writer.change_activity(&record(3), &id, &key(71), &later).await.expect(style);
        }
        let there = world.crm.activities();
        assert_eq!(there.len(), 1, "{style}");
        assert_eq!(there[0].fields["result"], json!("sold"), "{style}");
        assert_eq!(there[0].fields["seconds"], json!(42), "{style}");
    }
}

#[tokio::test(start_paused = true)]
async fn is_an_activity_found_by_its_call_once_the_crm_shows_it() {
    for style in ["sim-id", "sim-offset"] {
        let world = World::new();
        world.crm.set(|settings| settings.activity_lag = Duration::from_secs(60));
        let writer = world.writer(style);
        assert!(writer.contract().finds_activities, "{style}");
        assert_eq!(writer.find_activity(&record(3), &key(7)).await.expect(style), None, "{style}");
        let id = writer.create_activity(&record(3), &key(7), &values("busy")).await.expect(style);
        writer.create_activity(&record(3), &key(71), &values("busy")).await.expect(style);
        assert_eq!(writer.find_activity(&record(3), &key(7)).await.expect(style), None, "{style}: too early");
        world.wait(60).await;
        assert_eq!(writer.find_activity(&record(3), &key(7)).await.expect(style), Some(id), "{style}");
        assert_eq!(writer.find_activity(&record(4), &key(7)).await.expect(style), None, "{style}: another's");
    }
}

#[tokio::test(start_paused = true)]
async fn is_a_look_up_that_answers_with_other_calls_taken_for_an_answer() {
    let world = World::new();
    let writer = world.writer("sim-offset");
    let other = r#"{"items":[{"id":9,"reference":"dialbridge-0123456789ab-8"}]}"#;
    world.fault(Action::Says { code: 200, body: other }, 4);
    let error = writer.find_activity(&record(3), &key(7)).await.expect_err("somebody else's");
    assert_eq!(error.kind, CallErrorKind::BadAnswer, "{error}");
    assert!(error.detail.contains("ignores"), "{error}");
    world.crm.faults.clear();
    // A CRM that looks for parts of texts finds the calls whose number goes on, too.
    let longer = r#"{"items":[{"id":8,"reference":"dialbridge-0123456789ab-71"},{"id":9,"reference":"of dialbridge-0123456789ab-7"}]}"#;
    world.fault(Action::Says { code: 200, body: longer }, 1);
    let found = writer.find_activity(&record(3), &key(7)).await.expect("an answer");
    assert_eq!(found, Some(ActivityId("9".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn does_a_written_field_come_back_as_a_changed_record_and_no_other_field_with_it() {
    for (style, _) in STYLES {
        let world = World::new();
        let connector = world.connector(style);
        let writer = connector.writer().expect("a write half");
        assert!(writer.contract().changes_records, "{style}");
        let name = world.crm.editor().field(3, "name");
        world.wait(300).await;
        let since: Timestamp = world.env.now();
        let fields = CrmValues::from([("last_result".to_owned(), json!("busy"))]);
        writer.change_record(&record(3), &fields).await.expect(style);
        world.wait(10).await;
        let page = connector.changed_since(Some(since), None).await.expect(style);
        let changed: Vec<_> = page.records.into_iter().map(|record| record.expect("a good one")).collect();
        assert_eq!(changed.len(), 1, "{style}");
        assert_eq!(
            (changed[0].id.as_str(), &changed[0].fields["last_result"]),
            ("3", &json!("busy")),
            "{style}"
        );
        assert_eq!(world.crm.editor().field(3, "name"), name, "{style}");
    }
}

#[tokio::test(start_paused = true)]
async fn are_gone_records_told_from_rejections_and_from_missing_rights() {
    for (style, _) in STYLES {
        let world = World::new();
        let (writer, editor) = (world.writer(style), world.crm.editor());
        let id = writer.create_activity(&record(5), &key(70), &values("busy")).await.expect(style);

        editor.reject_writes(4, "Stage: not a valid value");
        let rejection = if style == "sim-cursor" { Rejection::InBody } else { Rejection::Status };
        world.crm.set(|settings| settings.rejection = rejection);
        let status = if style == "sim-cursor" { 200 } else { 422 };
        let rejected = [
            writer.create_activity(&record(4), &key(71), &values("busy")).await.expect_err("rejected"),
            writer.change_record(&record(4), &values("busy")).await.expect_err("rejected"),
        ];
        for error in rejected {
            let CallErrorKind::Rejected { text, .. } = &error.kind else { panic!("{style}: {error:?}") };
            assert!(text.contains("not a valid value"), "{style}: {text}");
            assert_eq!(error.status, Some(status), "{style}");
        }
        editor.accept_writes(4);
        writer.create_activity(&record(4), &key(71), &values("busy")).await.expect(style);

        editor.delete(5);
        world.wait(1).await;
        let gone = [
            writer.create_activity(&record(5), &key(72), &values("busy")).await.expect_err("gone"),
            writer.change_activity(&record(5), &id, &key(70), &values("sold")).await.expect_err("gone"),
            writer.change_record(&record(5), &values("busy")).await.expect_err("gone"),
            writer
                .create_activity(&RecordId::from("lead-7"), &key(73), &values("busy"))
                .await
                .expect_err("no id"),
        ];
        assert!(gone.iter().all(|error| error.kind == CallErrorKind::NotFound), "{style}: {gone:?}");

        world.crm.set(|settings| settings.rights = Rights::Read);
        let before = world.crm.activities();
        let forbidden = [
            writer.create_activity(&record(6), &key(74), &values("busy")).await.expect_err("may not"),
            writer.change_record(&record(6), &values("busy")).await.expect_err("may not"),
        ];
        for error in forbidden {
            assert!(matches!(error.kind, CallErrorKind::Rejected { status: 403, .. }), "{style}: {error:?}");
        }
        assert_eq!(world.crm.activities(), before, "{style}");
        assert_eq!(world.crm.editor().field(6, "result"), None, "{style}");
    }
}

#[tokio::test(start_paused = true)]
async fn is_a_create_that_may_have_arrived_told_as_uncertain_and_never_sent_twice() {
    let broken = [
        (Action::Reset(Effect::Done), 1),
        (Action::Reset(Effect::None), 0),
        (Action::Status { code: 500, retry_after: RetryAfter::Absent, effect: Effect::Done }, 1),
        (Action::Html(Effect::Done), 1),
        (Action::Latency { before: Duration::ZERO, after: Duration::from_secs(40) }, 1),
    ];
    for (style, _) in STYLES {
        for (action, arrived) in broken.clone() {
            let world = World::new();
            let writer = world.writer(style);
            // The access token, where one is granted, is not what fails.
            writer.change_record(&record(9), &values("busy")).await.expect(style);
            let before = world.crm.journal.writes().len();
            world.fault(action.clone(), 9);
            let error =
                writer.create_activity(&record(3), &key(71), &values("busy")).await.expect_err("broken");
            assert_eq!(error.kind, CallErrorKind::Uncertain, "{style}, {action:?}: {error}");
            assert_eq!(world.crm.journal.writes().len(), before + 1, "{style}, {action:?}");
            world.wait(60).await;
            assert_eq!(world.crm.activities().len(), arrived, "{style}, {action:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn is_an_answer_without_an_id_or_with_half_of_one_in_doubt() {
    for (style, _) in STYLES.into_iter().filter(|(style, _)| *style != "sim-link") {
        for action in [Action::Says { code: 201, body: "{}" }, Action::Truncate { clean: true }] {
            let world = World::new();
            world.fault(action.clone(), 1);
            let told = world.writer(style).create_activity(&record(3), &key(71), &values("busy")).await;
            let error = told.expect_err("no id");
            assert_eq!(error.kind, CallErrorKind::Uncertain, "{style}, {action:?}: {error}");
        }
    }
    // An error that only the body tells is as open as the status it came with, unless a rule says what it means.
    let world = World::new();
    world.fault(Action::Says { code: 200, body: r#"{"success":false,"error":{"code":"ODD"}}"# }, 1);
    let told = world.writer("sim-id").create_activity(&record(3), &key(71), &values("busy")).await;
    assert_eq!(told.expect_err("failed").kind, CallErrorKind::Uncertain);
    world.fault(Action::Says { code: 200, body: r#"{"success":false,"error":{"code":"BUSY"}}"# }, 9);
    let told = world.writer("sim-id").create_activity(&record(3), &key(71), &values("busy")).await;
    assert!(matches!(told.expect_err("busy").kind, CallErrorKind::Refused { .. }));
}

#[tokio::test(start_paused = true)]
async fn does_a_create_that_arrives_late_become_one_activity_by_the_connector_s_own_word() {
    let late = Action::Reset(Effect::Late(Duration::from_secs(40)));
    for (style, safe) in STYLES {
        let world = World::new();
        world.crm.set(|settings| settings.activity_lag = Duration::from_secs(15));
        let writer = world.writer(style);
        writer.change_record(&record(9), &values("busy")).await.expect(style);
        world.fault(late.clone(), 1);
        let told = writer.create_activity(&record(3), &key(71), &values("busy")).await;
        assert_eq!(told.expect_err("in doubt").kind, CallErrorKind::Uncertain, "{style}");
        match safe {
            Safe::Key => {
                // Sent again before the first arrives.
                writer.create_activity(&record(3), &key(71), &values("busy")).await.expect(style);
                world.wait(60).await;
            }
            Safe::Find { visible_after } => {
                assert_eq!(writer.find_activity(&record(3), &key(71)).await.expect(style), None);
                world.env.sleep(visible_after).await;
                assert!(writer.find_activity(&record(3), &key(71)).await.expect(style).is_some());
            }
            Safe::No => world.wait(60).await,
        }
        assert_eq!(world.crm.activities().len(), 1, "{style}");
    }
}

#[tokio::test(start_paused = true)]
async fn is_a_busy_crm_asked_again_inside_the_call_with_one_effect() {
    for (style, _) in STYLES {
        let world = World::new();
        let busy = Action::Status { code: 429, retry_after: RetryAfter::Seconds(3), effect: Effect::None };
        world.fault(busy, 1);
        let writer = world.writer(style);
        writer.create_activity(&record(3), &key(71), &values("busy")).await.expect(style);
        assert_eq!(world.crm.activities().len(), 1, "{style}");
        assert_eq!(world.crm.journal.requests_of("activity_create").len(), 2, "{style}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_connector_cannot_do_is_said_and_sends_nothing() {
    let world = World::new();
    assert!(world.connector("sim-next").writer().is_none());
    let writer = world.writer("sim-page");
    assert!(!writer.contract().finds_activities);
    let error = writer.find_activity(&record(3), &key(71)).await.expect_err("no look-up");
    assert_eq!(error.kind, CallErrorKind::Configuration, "{error}");
    assert!(error.detail.contains("[activity.find]"), "{error}");
    assert!(world.crm.journal.requests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn does_everything_that_writes_back_leave_in_the_class_of_writing_back() {
    let world = World::new();
    let writer = world.writer("sim-offset");
    let id = writer.create_activity(&record(3), &key(71), &values("busy")).await.expect("created");
    writer.change_activity(&record(3), &id, &key(71), &values("sold")).await.expect("changed");
    writer.change_record(&record(3), &values("sold")).await.expect("written");
    writer.find_activity(&record(3), &key(71)).await.expect("asked");
    let calls = world.calls.lock().expect("no panic").clone();
    let write = (CallClass::WriteBack, true);
    assert_eq!(calls, [write, write, write, (CallClass::WriteBack, false)]);
}

#[tokio::test(start_paused = true)]
async fn does_an_error_that_a_connector_knows_of_writes_say_nothing_of_reads() {
    let world = World::new();
    let known = r#"{"name":"builtins.KeyError","message":"no_such_field"}"#;
    world.crm.faults.add(Rule::new(Action::Says { code: 500, body: known }));
    let connector = world.connector("odoo");
    let writer = connector.writer().expect("a write half");
    let error = writer.change_record(&record(3), &values("busy")).await.expect_err("a wrong name");
    assert_eq!(error.kind, CallErrorKind::Rejected { status: 500, text: "no_such_field".to_owned() });
    let error = connector.fetch(&[record(3)]).await.expect_err("no answer");
    assert_eq!(error.kind, CallErrorKind::Unavailable);
    // An error that nobody knows leaves open what was done.
    world.crm.faults.clear();
    world.crm.faults.add(Rule::new(Action::Says { code: 500, body: r#"{"name":"psycopg2.Error"}"# }));
    let error = writer.change_record(&record(3), &values("busy")).await.expect_err("an error");
    assert_eq!(error.kind, CallErrorKind::Uncertain);
}
