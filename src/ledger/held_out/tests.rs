//! Which result counts, for the route itself and for the others, and who is locked for it at once.

use super::*;
use crate::domain::LastResult;
use crate::domain::hold::UnmappedAbort;
use crate::domain::limits::WaveLimits;
use crate::domain::policy::RouteState;
use crate::domain::result_words::ResultWords;
use crate::ledger::testing::{Scene, scene};
use crate::ledger::{RouteFacts, finals};
use std::collections::BTreeMap;

async fn put(scene: &Scene, sql: String) {
    scene.ledger.write("test_put", move |tx| tx.execute_batch(&sql)).await.expect("put");
}

/// A link with a call that ended in a final result; a call of the house's own, where `test`.
async fn called(scene: &Scene, test: u8) -> LinkId {
    let link = scene.link("1", Some(11), &[]).await;
    put(
        scene,
        format!(
            "INSERT INTO result_codes (campaign_id, code, name, aborted, first_seen, last_seen)
                VALUES (7, 3, 'NO', 1, '2030', '2030');
             INSERT INTO calls (history_id, contact_id, link_id, campaign_id, hash, row, started_at, test, result_code,
                                first_seen_at, changed_at, run_id)
                VALUES (5, 11, {}, 7, x'00', '{{}}', '2030-01-07T08:00:00.000000Z', {test}, 3,
                        '2030-01-07T08:10:00.000000Z', '2030-01-07T08:10:00.000000Z', 1);",
            link.0
        ),
    )
    .await;
    link
}

async fn counts(scene: &Scene, link: LinkId) -> (LastResult, bool) {
    let read = scene.ledger.read("test_counts", move |connection| {
        Ok((finals::of_link(connection, link)?, last_outcome(connection, Called::Of(link))?.is_some()))
    });
    read.await.expect("results")
}

#[tokio::test(start_paused = true)]
async fn only_a_persons_reset_draws_a_line_under_a_final_result() {
    for (code, expected) in
        [("by_hand", (LastResult::None, false)), ("not_eligible", (LastResult::Final(HistoryId(5)), true))]
    {
        let scene = scene().await;
        let link = called(&scene, 0).await;
        let reset = scene.operation(link, "reset", "done").await;
        put(
            &scene,
            format!(
                "UPDATE operations SET code = '{code}', contact_id = 11, finished_at = '2030-01-07T09:00:00.000000Z'
                    WHERE id = {reset};
                 INSERT INTO contacts (contact_id, campaign_id, seen_seq, seen_at, reset_at)
                    VALUES (11, 7, 1, '2030-01-07T08:00:00.000000Z', '2030-01-07T09:00:00.000000Z');"
            ),
        )
        .await;
        assert_eq!(counts(&scene, link).await, expected, "{code}");
        // Whatever becomes of that contact.
        put(&scene, format!("UPDATE links SET contact_id = NULL WHERE id = {}", link.0)).await;
        assert_eq!(counts(&scene, link).await, expected, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_result_of_a_test_call_counts_for_nobody() {
    for (test, expected) in [(0, (LastResult::Final(HistoryId(5)), true)), (1, (LastResult::None, false))] {
        let scene = scene().await;
        let link = called(&scene, test).await;
        assert_eq!(counts(&scene, link).await, expected, "{test}");
    }
}

/// The same person on another route of the client, left callable when the record went, if it did.
async fn on_another_route(scene: &Scene, code: &'static str) -> LinkId {
    let facts = RouteFacts {
        route: RouteName::from("other"),
        client: "house".to_owned(),
        crm: "sales".to_owned(),
        object: "person".to_owned(),
        waves: WaveLimits::default(),
    };
    scene.ledger.route_register(facts, RouteState::On).await.expect("a route");
    put(
        scene,
        format!(
            "INSERT INTO links (id, client, route, record_id, user_data, folded, campaign_id, contact_id, wish, wish_code,
                                created_at)
                VALUES (99, 'house', 'other', '1', 'other-1', 'other-1', 8, 12, 'callable', 'new_record', '2030');
             INSERT INTO records (route, record_id, hash, state, code, since, link_id, decided_at, run_id)
                VALUES ('other', '1', x'', 'skipped', '{code}', '2030', 99, '2030', 1);"
        ),
    )
    .await;
    LinkId(99)
}

#[tokio::test(start_paused = true)]
async fn who_is_held_out_is_locked_at_once_where_no_pull_decides_any_more() {
    for (code, locks, hints) in [("record_gone", 1, 0), ("not_eligible", 0, 1)] {
        let scene = scene().await;
        called(&scene, 0).await;
        let other = on_another_route(&scene, code).await;
        let rules = HoldRules {
            words: ResultWords::new(["SALE"]),
            unmapped: UnmappedAbort::Hold,
            cool_off: None,
            zone: chrono_tz::Tz::UTC,
        };
        let rules = BTreeMap::from([(scene.route.clone(), rules)]);
        scene.ledger.hold_rules_set(rules).await.expect("stored");
        let asked = scene.operations(other).await;
        assert_eq!(asked.iter().filter(|(kind, _)| kind == "lock").count(), locks, "{code}: {asked:?}");
        let read = scene.ledger.read("test_hints", |connection| {
            connection.query_row("SELECT count(*) FROM hints WHERE route = 'other'", [], |row| row.get(0))
        });
        let hinted: i64 = read.await.expect("hints");
        assert_eq!(hinted, hints, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_old_result_that_comes_late_and_has_no_call_is_not_the_newest() {
    let scene = scene().await;
    let link = scene.link("1", Some(11), &[]).await;
    scene
        .put(
            "INSERT INTO result_codes (campaign_id, code, done, aborted, delay, first_seen, last_seen) VALUES
                   (7, 1, 0, 1, 0, '', ''), (7, 2, 0, 0, 1, '', '')",
        )
        .await;
    scene.call(link, 51, "result_code = 1, started_at = '2030-01-06T10:00:00.000000Z'").await;
    scene.wait(1).await;
    // A row that somebody imported in November.
    scene.call(link, 40, "result_code = 2, created_at = '2029-11-06T10:00:00.000000Z'").await;
    let known = scene.ledger.read("test_last", move |connection| {
        let outcome = last_outcome(connection, Called::Of(link))?.map(|outcome| outcome.call);
        Ok((outcome, finals::of_link(connection, link)?))
    });
    assert_eq!(known.await.expect("read"), (Some(HistoryId(51)), LastResult::Final(HistoryId(51))));
}

#[tokio::test(start_paused = true)]
async fn whoever_had_a_number_when_they_were_called_is_found_without_a_look_at_everybody() {
    let scene = scene().await;
    let plan = scene.plan_of(BEARERS).await;
    assert!(plan.iter().all(|step| !step.contains("SCAN")), "{plan:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_route_that_left_the_config_keeps_its_rules_until_it_says_others() {
    let scene = scene().await;
    called(&scene, 0).await;
    let other = on_another_route(&scene, "not_eligible").await;
    let rules = HoldRules {
        words: ResultWords::new(["SALE"]),
        unmapped: UnmappedAbort::Hold,
        cool_off: None,
        zone: chrono_tz::Tz::UTC,
    };
    let silent = HoldRules { unmapped: UnmappedAbort::Pass, ..rules.clone() };
    let of_route = |rules| BTreeMap::from([(scene.route.clone(), rules)]);
    for (said, held) in [(of_route(rules), true), (BTreeMap::new(), true), (of_route(silent), false)] {
        scene.ledger.hold_rules_set(said).await.expect("stored");
        let now = scene.ledger.env.now();
        let found = scene.ledger.read("test_held", move |connection| against_link(connection, other, now));
        assert_eq!(found.await.expect("read").is_some(), held);
    }
}
