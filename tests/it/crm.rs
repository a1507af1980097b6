//! The connector against the simulated CRM, in process and under virtual time.

use dialbridge::app::in_process::InProcess;
use dialbridge::crm::{Connector, CrmRead, bundled, parse};
use dialbridge::domain::{BadRecord, ReasonCode, Record, RecordId, Timestamp};
use dialbridge::env::Env;
use dialbridge::remote::{Auth, AuthScheme, CallError, CallErrorKind, Client, ClientConfig, Side};
use dialbridge::sim::crm::{Comparator, Login, Precision, Settings, SimCrm};
use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule};
use dialbridge::sim::journal::{Asked, Detail};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

const STYLES: [&str; 6] = ["sim-id", "sim-offset", "sim-cursor", "sim-page", "sim-next", "sim-link"];
const TOKEN: &str = "a-token";

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

struct World {
    env: Env,
    crm: SimCrm,
}

impl World {
    fn new(settings: Settings) -> Self {
        let env = Env::simulated(at("2026-03-02T10:00:00.250Z"), 7);
        let settings = Settings { login: Login::Token(TOKEN.to_owned()), ..settings };
        let crm = SimCrm::new(settings, env.clone(), 7, Detail::Full);
        Self { env, crm }
    }

    fn connector(&self, style: &str) -> Connector {
        self.changed(style, &[])
    }

    /// The bundled file with some of its text replaced.
    fn changed(&self, style: &str, changes: &[(&str, &str)]) -> Connector {
        let mut text = bundled(style).expect("a bundled file").to_owned();
        for (from, to) in changes {
            assert!(text.contains(from), "{from} is not in {style}");
            text = text.replacen(from, to, 1);
        }
        let file = parse(&text, style).unwrap_or_else(|problems| panic!("{problems:#?}"));
        let config = ClientConfig {
            base_url: Some("http://crm.invalid/".to_owned()),
            body_check: file.body_check(),
            ..ClientConfig::default()
        };
        let secret = match &file.auth {
            AuthScheme::Basic | AuthScheme::OAuth2(_) => format!("sim:{TOKEN}"),
            AuthScheme::Bearer | AuthScheme::Header(_) | AuthScheme::Word(_) => TOKEN.to_owned(),
        };
        let auth = Auth::fixed(file.auth.clone(), secret.into());
        let transport = Arc::new(InProcess::new(self.crm.router()));
        let client = Client::new(Side::Crm, config, transport, auth, self.env.clone(), None);
        Connector::new(file, "http://crm.invalid/", None, [], Arc::new(client), self.env.clone())
            .expect("an object")
    }

    async fn wait(&self, seconds: u64) {
        self.env.sleep(Duration::from_secs(seconds)).await;
    }

    fn requests(&self) -> usize {
        self.crm.journal.requests().len()
    }
}

/// All pages from `since`, and the CRM's time of the first.
async fn pull(
    connector: &Connector,
    since: Option<Timestamp>,
) -> Result<(Vec<Result<Record, BadRecord>>, Option<Timestamp>), CallError> {
    let first = connector.changed_since(since, None).await?;
    let (crm_time, mut records, mut next) = (first.crm_time, first.records, first.next);
    while let Some(token) = next {
        let page = connector.changed_since(since, Some(&token)).await?;
        records.extend(page.records);
        next = page.next;
    }
    Ok((records, crm_time))
}

fn ids(records: &[Result<Record, BadRecord>]) -> BTreeSet<u64> {
    let id = |record: &Record| record.id.as_str().parse().expect("a number");
    records.iter().filter_map(|record| record.as_ref().ok()).map(id).collect()
}

fn latest(records: &[Result<Record, BadRecord>]) -> BTreeMap<&str, &Record> {
    records.iter().filter_map(|record| record.as_ref().ok()).map(|r| (r.id.as_str(), r)).collect()
}

#[tokio::test(start_paused = true)]
async fn every_paging_style_reads_everything_and_then_only_what_changed() {
    for style in STYLES {
        let world = World::new(Settings::default());
        let editor = world.crm.editor();
        editor.seed(950, 1);
        let connector = world.connector(style);
        let (all, crm_time) = pull(&connector, None).await.unwrap();
        assert_eq!(ids(&all).len(), 950, "{style}");
        assert_eq!(crm_time, Some(at("2026-03-02T10:00:00Z")), "{style}");

        world.wait(100).await;
        editor.edit(17, json!({ "stage": "won" }));
        world.wait(100).await;
        let asked = world.requests();
        let (changed, _) = pull(&connector, Some(at("2026-03-02T10:01:00Z"))).await.unwrap();
        assert_eq!(ids(&changed), BTreeSet::from([17]), "{style}");
        // One list request, and the clock's where one is declared.
        assert_eq!(world.requests() - asked, if style == "sim-cursor" { 2 } else { 1 }, "{style}");
        let record = changed[0].as_ref().unwrap();
        assert_eq!(record.fields["stage"], json!("won"));
        assert_eq!(record.modified, Some(at("2026-03-02T10:01:40Z")), "{style}");
        assert_eq!(connector.count().await.unwrap(), Some(950));
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_when_rows_change_between_pages() {
    for style in STYLES {
        let world = World::new(Settings { unstable_ties: true, ..Settings::default() });
        world.crm.editor().seed(950, 2);
        let mut rng = fastrand::Rng::with_seed(3);
        world.crm.between_pages(move |editor| {
            for _ in 0..20 {
                editor.edit(rng.u64(1..951), json!({ "stage": "won" }));
            }
        });
        let (all, _) = pull(&world.connector(style), None).await.unwrap();
        assert_eq!(ids(&all).len(), 950, "{style}");
    }
}

/// CRMs of offsets and of page numbers in the order of ids: a deletion shifts every later page.
const SHIFTING: [&str; 2] = ["sim-offset", "sim-page"];
const IN_ORDER_OF_IDS: [(&str, &str); 2] =
    [("modified_at {direction}", "id asc"), ("order     = \"modified\"", "order = \"id\"")];

/// The same where ids are texts: how a CRM sorts these is its own affair.
const IN_ORDER_OF_TEXTS: [(&str, &str); 3] =
    [IN_ORDER_OF_IDS[0], IN_ORDER_OF_IDS[1], ("id_type  = \"integer\"", "id_type = \"text\"")];

/// The records that the CRM still has.
fn ids_left(world: &World) -> BTreeSet<u64> {
    world.crm.editor().ids().into_iter().collect()
}

/// Requests for the first page.
fn begun(world: &World) -> usize {
    let first = |asked: &Asked| asked.json()["offset"] == json!(0) || asked.param("page") == Some("1");
    world.crm.journal.requests_where(first).len()
}

/// Every record that is left is read, in one walk, though one goes after each page.
#[tokio::test(start_paused = true)]
async fn a_list_in_the_order_of_ids_is_read_to_its_end_however_often_it_shifts() {
    for style in SHIFTING {
        for (gone, of_page) in [(1, "long read"), (200, "just read"), (203, "unread")] {
            let world = World::new(Settings::default());
            world.crm.editor().seed(1_950, 2);
            let mut pages = 0;
            world.crm.between_pages(move |editor| {
                if pages < 9 {
                    editor.delete(200 * pages + gone);
                }
                pages += 1;
            });
            let connector = world.changed(style, &IN_ORDER_OF_IDS);
            let (all, _) = pull(&connector, None).await.unwrap();
            let (found, left) = (ids(&all), ids_left(&world));
            let missed: Vec<_> = left.difference(&found).collect();
            assert!(left.len() <= 1_942 && missed.is_empty(), "{style}, {of_page}: {missed:?}");
        }
    }
}

/// A connector that promises an order which the CRM does not keep.
#[tokio::test(start_paused = true)]
async fn no_place_is_found_again_in_a_list_that_is_not_in_the_order_of_ids() {
    let newest_first = [("modified_at {direction}", "id desc"), IN_ORDER_OF_IDS[1]];
    for style in SHIFTING {
        let world = World::new(Settings::default());
        world.crm.editor().seed(950, 2);
        let mut pages = 0;
        world.crm.between_pages(move |editor| {
            pages += 1;
            if pages <= 2 {
                editor.delete(940 + pages);
            }
        });
        let (all, _) = pull(&world.changed(style, &newest_first), None).await.unwrap();
        let missed: Vec<_> = ids_left(&world).difference(&ids(&all)).copied().collect();
        assert!(missed.is_empty(), "{style}: {missed:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_place_in_a_shifted_list_of_text_ids_is_found_again_by_the_last_row_read() {
    for style in SHIFTING {
        let world = World::new(Settings::default());
        world.crm.editor().seed(450, 2);
        let mut deleted = 0;
        world.crm.between_pages(move |editor| {
            deleted += 1;
            editor.delete(deleted);
        });
        let (all, _) = pull(&world.changed(style, &IN_ORDER_OF_TEXTS), None).await.unwrap();
        let found = ids(&all);
        let missed: Vec<_> = ids_left(&world).difference(&found).copied().collect();
        assert!(missed.is_empty(), "{style}: {missed:?}");
    }
}

/// Where the very row goes by which the place would be found again.
#[tokio::test(start_paused = true)]
async fn a_shifted_list_whose_place_nobody_can_tell_is_begun_again_and_at_last_given_up() {
    for (style, times) in SHIFTING.into_iter().flat_map(|style| [(style, 2), (style, 100)]) {
        let world = World::new(Settings::default());
        world.crm.editor().seed(950, 2);
        let mut deleted = 0;
        world.crm.between_pages(move |editor| {
            if deleted < times {
                editor.delete(200 + deleted);
            }
            deleted += 1;
        });
        let read = pull(&world.changed(style, &IN_ORDER_OF_TEXTS), None).await;
        if times == 2 {
            let found = ids(&read.unwrap().0);
            let missed: Vec<_> = ids_left(&world).difference(&found).copied().collect();
            assert!(missed.is_empty(), "{style}: {missed:?}");
            assert!(begun(&world) >= 2, "it was begun again, else this test shows nothing: {style}");
        } else {
            let error = read.unwrap_err();
            assert_eq!(error.kind, CallErrorKind::BadAnswer);
            assert!(error.detail.contains("raise `limit`"), "{style}: {error}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_burst_in_one_instant_is_read_whole_or_not_at_all() {
    let world = World::new(Settings { unstable_ties: true, ..Settings::default() });
    let editor = world.crm.editor();
    editor.seed(1_000, 4);
    let since = at("2026-03-02T10:01:00Z");
    world.wait(100).await;
    let every: Vec<u64> = (1..=900).collect();
    editor.burst(&every, &json!({ "stage": "won" }));
    let instant = editor.modified(1).unwrap();
    world.wait(100).await;
    editor.edit(950, json!({ "stage": "won" }));
    for style in SHIFTING {
        // Ties that stand differently each time: no two readings agree.
        world.crm.set(|settings| settings.unstable_ties = true);
        let error = pull(&world.connector(style), Some(since)).await.unwrap_err();
        assert!(error.detail.contains("2026-03-02 10:01:40 UTC"), "{style}: {error}");
        // Ties that stand: read in both directions, which agree.
        world.crm.set(|settings| settings.unstable_ties = false);
        let mark = world.crm.journal.mark();
        let (changed, _) = pull(&world.connector(style), Some(since)).await.unwrap();
        assert_eq!(ids(&changed), every.iter().copied().chain([950]).collect(), "{style}");
        let asked = world.crm.journal.requests_since(mark);
        let sort =
            |asked: &Asked| asked.param("sort").map_or(asked.json()["sort"].to_string(), str::to_owned);
        let sorts: BTreeSet<String> = asked.iter().map(sort).collect();
        assert_eq!(sorts.len(), 2, "{style}: {sorts:?}");
    }
    // By id no burst is special.
    let (changed, _) = pull(&world.connector("sim-id"), Some(since)).await.unwrap();
    assert_eq!(ids(&changed).len(), 901);
    assert_eq!(instant, editor.modified(900).unwrap());
}

#[tokio::test(start_paused = true)]
async fn an_exclusive_filter_is_met_by_asking_one_step_earlier() {
    for style in STYLES {
        let world = World::new(Settings { comparator: Comparator::Exclusive, ..Settings::default() });
        let id = world.crm.editor().create(json!({ "name": "Name 1" }));
        let since = Some(at("2026-03-02T10:00:00Z"));
        let right = world.changed(style, &[("comparator = \"gte\"", "comparator = \"gt\"")]);
        assert_eq!(ids(&pull(&right, since).await.unwrap().0), BTreeSet::from([id]), "{style}");
        let wrong = world.connector(style);
        assert!(pull(&wrong, since).await.unwrap().0.is_empty(), "the declaration is what finds it");
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_later_in_the_same_second_or_minute_is_found() {
    let coarse = [("resolution = \"1s\"", "resolution = \"1m\"")];
    for (precision, changes) in [(Precision::Second, &[][..]), (Precision::Minute, &coarse[..])] {
        for style in STYLES {
            let world = World::new(Settings { precision, ..Settings::default() });
            let editor = world.crm.editor();
            let id = editor.create(json!({ "stage": "new" }));
            let connector = world.changed(style, changes);
            let (_, _) = pull(&connector, None).await.unwrap();
            // The cursor of a reader without any lag: the very instant of what it saw.
            let seen = editor.modified(id).unwrap();
            world.env.sleep(Duration::from_millis(300)).await;
            editor.edit(id, json!({ "stage": "won" }));
            let (changed, _) = pull(&connector, Some(seen)).await.unwrap();
            assert_eq!(latest(&changed)["1"].fields["stage"], json!("won"), "{style} {precision:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_commit_under_an_old_time_is_found_behind_lag_and_overlap() {
    let world = World::new(Settings::default());
    let editor = world.crm.editor();
    let id = editor.create(json!({ "stage": "new" }));
    world.wait(60).await;
    let connector = world.connector("sim-id");
    let contract = connector.contract();
    let behind = |time: Timestamp| time - (contract.lag + contract.overlap);
    editor.edit_slowly(id, json!({ "stage": "won" }), Duration::from_secs(4));
    world.wait(3).await;
    let (before, crm_time) = pull(&connector, Some(at("2026-03-02T10:00:50Z"))).await.unwrap();
    assert!(before.is_empty(), "not committed yet");
    let cursor = crm_time.unwrap();
    world.wait(30).await;
    assert!(editor.modified(id).unwrap() < cursor, "its time lies below what was read");
    let (blind, _) = pull(&connector, Some(cursor)).await.unwrap();
    assert!(blind.is_empty(), "without the lag it would be lost");
    let (after, _) = pull(&connector, Some(behind(cursor))).await.unwrap();
    assert_eq!(latest(&after)["1"].fields["stage"], json!("won"));
}

#[tokio::test(start_paused = true)]
async fn bad_records_harm_nobody_else() {
    for style in STYLES {
        let world = World::new(Settings::default());
        let editor = world.crm.editor();
        editor.seed(5, 5);
        let large = "x".repeat(10 << 20);
        editor.make_odd(1, json!({ "id": 1, "active": true, "name": large }).to_string());
        editor.make_odd(2, r#"{ "id": null, "active": true, "name": "Name 2" }"#);
        editor.make_odd(3, r#"{ "id": 3, "active": true, "modified_at": "yesterday" }"#);
        editor.make_odd(4, r#"{ "id": 4, "name": "Name 4" }"#);
        let (records, _) = pull(&world.connector(style), None).await.unwrap();
        let mut bad: Vec<_> = records
            .iter()
            .filter_map(|record| record.as_ref().err())
            .map(|bad| (bad.id.as_ref().map(RecordId::to_string), bad.reason.code))
            .collect();
        bad.sort();
        let known = |id: &str| Some(id.to_owned());
        let expected = [
            (None, ReasonCode::NoId),
            (known("1"), ReasonCode::RecordTooLarge),
            (known("3"), ReasonCode::RecordUnreadable),
            // An absent deleted flag is not "alive".
            (known("4"), ReasonCode::RecordUnreadable),
        ];
        assert_eq!(bad, expected, "{style}");
        assert_eq!(ids(&records), BTreeSet::from([5]), "{style}");
    }
}

#[tokio::test(start_paused = true)]
async fn empty_values_are_null_and_the_deleted_flag_is_read_before() {
    let world = World::new(Settings::default());
    let editor = world.crm.editor();
    editor.create(json!({ "name": "Name 1", "comment": false, "city": "", "zip": 0 }));
    editor.archive(1, true);
    let (records, _) = pull(&world.connector("sim-id"), None).await.unwrap();
    let record = records[0].as_ref().unwrap();
    assert!(record.deleted);
    for name in ["comment", "city", "active"] {
        assert_eq!(record.fields.get(name), Some(&json!(null)), "{name} stays, as null");
    }
    assert_eq!(record.fields["zip"], json!(0));
    assert_eq!(record.fields["id"], json!(1));
}

#[tokio::test(start_paused = true)]
async fn a_blacklisted_number_moves_no_time_and_is_found_by_the_companion() {
    for style in STYLES {
        let world = World::new(Settings::default());
        let editor = world.crm.editor();
        editor.seed(300, 6);
        world.wait(60).await;
        let connector = world.connector(style);
        assert_eq!(connector.companion("phone_blacklisted").await.unwrap(), BTreeSet::new());
        for id in [40, 250] {
            let number = editor.field(id, "phone").unwrap();
            editor.blacklist(number.as_str().unwrap(), true);
        }
        let (changed, _) = pull(&connector, Some(at("2026-03-02T10:00:30Z"))).await.unwrap();
        assert!(changed.is_empty(), "{style}");
        let set = connector.companion("phone_blacklisted").await.unwrap();
        assert_eq!(set, BTreeSet::from([RecordId::from("40"), RecordId::from("250")]), "{style}");
        let page =
            connector.fetch(&[RecordId::from("40"), RecordId::from("4711"), RecordId::from("x")]).await;
        let page = page.unwrap();
        assert_eq!(page.records.len(), 1, "what does not exist is simply not there");
        assert_eq!(page.records[0].as_ref().unwrap().fields["phone_blacklisted"], json!(true));
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_with_status_200_is_an_error_and_a_wrong_token_is_one_too() {
    for style in STYLES {
        let world = World::new(Settings { error_in_200: true, ..Settings::default() });
        let connector = world.connector(style);
        let error = connector.changed_since(None, None).await.unwrap_err();
        assert!(matches!(error.kind, CallErrorKind::Refused { .. }), "{error:?}");
        assert!(connector.companion("phone_blacklisted").await.is_err());
        world.crm.set(|settings| settings.login = Login::Token("another".to_owned()));
        let error = connector.changed_since(None, None).await.unwrap_err();
        assert_eq!(error.kind, CallErrorKind::Unauthorized, "{style}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_cap_nobody_declared_loses_nothing_where_the_end_is_an_empty_page() {
    let world = World::new(Settings { page_cap: 50, ..Settings::default() });
    world.crm.editor().seed(330, 8);
    let careful = [("last_page = \"short\"", "last_page = \"empty\"")];
    for style in ["sim-id", "sim-offset", "sim-page"] {
        let (all, _) = pull(&world.changed(style, &careful), None).await.unwrap();
        assert_eq!(ids(&all).len(), 330, "{style}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_crms_time_is_its_own_and_not_ours() {
    let world = World::new(Settings { clock_skew_seconds: -300, ..Settings::default() });
    for style in STYLES {
        let page = world.connector(style).changed_since(None, None).await.unwrap();
        assert_eq!(page.crm_time, Some(at("2026-03-02T09:55:00Z")), "{style}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_access_token_is_renewed_before_its_end_and_once_after_a_401() {
    let life = Duration::from_secs(300);
    let world = World::new(Settings { access_life: life, ..Settings::default() });
    world.crm.editor().seed(3, 1);
    let connector = world.connector("sim-link");
    for _ in 0..60 {
        assert_eq!(connector.count().await.unwrap(), Some(3));
        world.wait(20).await;
    }
    let refused = |asked: &Asked| asked.answered.as_ref().is_some_and(|answer| answer.status == Some(401));
    assert_eq!(world.crm.journal.requests_where(refused).len(), 0, "renewed in time");
    assert_eq!(world.crm.journal.count("token"), 5, "20 minutes at 270 s each");
    world.crm.revoke_access();
    assert_eq!(connector.count().await.unwrap(), Some(3));
    assert_eq!(world.crm.journal.requests_where(refused).len(), 1);
    assert_eq!(world.crm.journal.count("token"), 6);
    // A secret that is refused is told, and not asked with again and again.
    world.crm.set(|settings| settings.login = Login::Token("another".to_owned()));
    let mark = world.crm.journal.mark();
    let error = connector.count().await.unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Unauthorized);
    assert_eq!(world.crm.journal.requests_since(mark).len(), 2, "the call, and one request for a token");
}

#[tokio::test(start_paused = true)]
async fn many_calls_at_once_ask_for_one_access_token() {
    let world = World::new(Settings::default());
    world.crm.faults.add(
        Rule::new(Action::Latency { before: Duration::from_secs(2), after: Duration::ZERO })
            .path("/oauth/token"),
    );
    let connector = world.connector("sim-link");
    let calls = futures_util::future::join_all((0..8).map(|_| connector.count())).await;
    assert!(calls.iter().all(Result::is_ok), "{calls:?}");
    assert_eq!(world.crm.journal.count("token"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_address_that_fails_is_asked_again_and_sends_nothing_else() {
    let world = World::new(Settings::default());
    let connector = world.connector("sim-link");
    let broken = |code| {
        let status = Action::Status { code, retry_after: RetryAfter::Absent, effect: Effect::None };
        Rule::new(status).path("/oauth/token")
    };
    world.crm.faults.add(broken(502).times(1));
    assert_eq!(connector.count().await.unwrap(), Some(0), "once is nothing");
    world.crm.revoke_access();
    let connector = world.connector("sim-link");
    for (code, kind) in [(502, CallErrorKind::NotSent), (404, CallErrorKind::WrongUrl)] {
        world.crm.faults.clear();
        world.crm.faults.add(broken(code));
        let mark = world.crm.journal.mark();
        let error = connector.count().await.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.detail.contains("access token"), "{error}");
        let asked = world.crm.journal.requests_since(mark);
        assert!(asked.iter().all(|asked| asked.kind.name == "token"), "{asked:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_answers_as_another_is_not_named_and_ignored_ids_are_noticed() {
    let ids = |ids: &[u64]| -> Vec<RecordId> { ids.iter().map(|id| RecordId(id.to_string())).collect() };
    let named = |page: dialbridge::crm::Page| -> Vec<String> {
        page.records.into_iter().map(|record| record.expect("a good one").id.0).collect()
    };
    let ignoring = [("/api/{object}/by-ids", "/api/{object}"), ("{ ids = ", "{ limit = \"{limit}\", ids = ")];
    let world = World::new(Settings::default());
    world.crm.editor().seed(9, 1);
    world.crm.editor().merge(4, 7);
    world.crm.editor().merge(5, 7);
    world.wait(60).await;
    let connector = world.connector("sim-id");
    for (asked, found) in
        [(&[4][..], &[][..]), (&[3, 4], &["3"]), (&[4, 7], &["7"]), (&[3, 4, 5, 6], &["3", "6"])]
    {
        assert_eq!(named(connector.fetch(&ids(asked)).await.expect("an answer")), found, "{asked:?}");
    }
    let before = world.requests();
    connector.fetch(&ids(&[1, 2, 3])).await.expect("an answer");
    assert_eq!(world.requests() - before, 1, "no second question where none is open");
    let ignoring = world.changed("sim-id", &ignoring);
    for asked in [&[8][..], &[8, 9], &[6, 8, 9]] {
        let error = ignoring.fetch(&ids(asked)).await.expect_err("others are answered");
        assert_eq!(error.kind, CallErrorKind::BadAnswer);
        assert!(error.to_string().contains("ignores the ids"), "{error}");
    }
}
