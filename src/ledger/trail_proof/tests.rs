//! What a person with the file in hand could do to the trail, and what the proof says of it.

use super::*;
use crate::domain::{LinkId, OperationId, WriteBackId};
use crate::ledger::testing::{Scene, scene};
use crate::ledger::trail::{Added, BeforeFrom, By, ByOperation, FieldTrail, add, append};
use chrono::TimeDelta;
use rusqlite::Transaction;
use serde_json::json;

const FREE: &str = "DROP TRIGGER changes_are_not_edited; DROP TRIGGER changes_are_not_deleted;";

const BY: ByOperation<'_> =
    ByOperation { cause: "run:1", rule: "record_changed", said_by: None, decided_by: Vec::new() };

async fn change(scene: &Scene, link: LinkId, fields: &[&str]) -> rusqlite::Result<()> {
    let changed = |field: &&str| FieldTrail {
        field: (*field).to_owned(),
        before: Some(json!("Ulm")),
        before_from: BeforeFrom::Base,
        after: Some(json!("+49301234")),
    };
    let (changes, now): (Vec<_>, _) = (fields.iter().map(changed).collect(), scene.ledger.env.now());
    let write =
        scene.ledger.write("test_change", move |tx| add(tx, now, link, OperationId(1), &BY, &changes));
    write.await.expect("added");
    Ok(())
}

/// Five rows in two answers.
async fn trail() -> Scene {
    let scene = scene().await;
    let link = scene.link("1", Some(7), &[]).await;
    change(&scene, link, &["City", "Name"]).await.expect("added");
    change(&scene, link, &["City", "PhoneNumber1", "Name"]).await.expect("added");
    scene
}

async fn by_hand(scene: &Scene, sql: &'static str) {
    let write = scene.ledger.write("test_by_hand", move |tx: &Transaction<'_>| {
        tx.execute_batch(FREE)?;
        tx.execute_batch(sql)
    });
    write.await.expect("written");
}

async fn proof(scene: &Scene) -> TrailProof {
    scene.ledger.trail_verify().await.expect("a proof")
}

#[tokio::test(start_paused = true)]
async fn a_trail_that_nobody_touched_is_unbroken() {
    let scene = trail().await;
    let proof = proof(&scene).await;
    assert_eq!((proof.rows, proof.erased, proof.change, &proof.broken), (5, 0, Some(5), &None));
    assert_eq!(proof.chain.expect("its end").len(), 64);
    let empty = super::super::testing::scene().await;
    assert_eq!(empty.ledger.trail_verify().await.expect("a proof"), TrailProof::default());
}

#[tokio::test(start_paused = true)]
async fn the_first_row_that_was_touched_is_named() {
    let touched: [(&'static str, i64, &str); 12] = [
        ("UPDATE changes SET after = '\"+49309999\"' WHERE id = 3", 3, "changed"),
        ("UPDATE changes SET cause = 'run:9' WHERE id = 2", 2, "changed"),
        ("UPDATE changes SET rule = NULL WHERE id = 2", 2, "changed"),
        ("UPDATE changes SET rule = 'by_hand' WHERE id = 2", 2, "changed"),
        ("UPDATE changes SET person = 'ada' WHERE id = 2", 2, "changed"),
        ("UPDATE changes SET at = '2030-01-07T09:00:01.000000Z' WHERE id = 1", 1, "changed"),
        ("DELETE FROM changes WHERE id = 3", 4, "between 2 and it were taken out"),
        ("DELETE FROM changes WHERE id < 3", 3, "rows before it were taken out"),
        (
            "UPDATE changes SET id = id + 100 WHERE id > 2;
             INSERT INTO changes SELECT 3, at, link_id, operation_id, side, field, before, before_from, after, cause,
                write_back_id, before_salt, after_salt, before_digest, after_digest, chain, rule, person
             FROM changes WHERE id = 2",
            3,
            "put in",
        ),
        (
            "INSERT INTO changes (at, link_id, side, field, before_from, cause) VALUES ('2030', 1, 'dialler', 'City', 'none', 'x')",
            6,
            "without a digest",
        ),
        ("UPDATE changes SET before = NULL WHERE id = 4", 4, "taken out of it"),
        ("UPDATE changes SET before_salt = NULL WHERE id = 4", 4, "put into it"),
    ];
    for (sql, change, why) in touched {
        let scene = trail().await;
        by_hand(&scene, sql).await;
        let broken = proof(&scene).await.broken.unwrap_or_else(|| panic!("not seen: {sql}"));
        assert_eq!(broken.change, change, "{sql}");
        assert!(broken.why.contains(why), "{sql}: {}", broken.why);
        let checked = scene.ledger.check_all().await.expect("looked over");
        assert!(
            checked.iter().any(|checked| checked.what == "the trail of changes" && !checked.wrong.is_empty())
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_that_went_or_was_made_anew_is_seen_by_what_was_told_outside() {
    let scene = trail().await;
    let head = scene.ledger.trail_head_keep().await.expect("told").expect("there are rows");
    assert_eq!(head.change, 5);
    assert_eq!(scene.ledger.trail_head_keep().await.expect("told"), None, "nothing is told twice");
    assert_eq!(proof(&scene).await.heads, 1);
    by_hand(&scene, "DELETE FROM changes WHERE id = 5").await;
    let broken = proof(&scene).await.broken.expect("seen");
    assert_eq!((broken.change, broken.why.contains("ends before it")), (5, true), "{}", broken.why);
    // Somebody who knows how it is made makes another row in its place.
    change(&scene, LinkId(1), &["City"]).await.expect("added");
    let broken = proof(&scene).await.broken.expect("seen");
    assert_eq!((broken.change, broken.why.contains("another row")), (5, true), "{}", broken.why);
    // A line that was cut while it was written hides no later one; a takeover begins anew.
    let file = scene.ledger.path().with_extension("sqlite.trail");
    let mut text = std::fs::read_to_string(&file).expect("told");
    text.truncate(text.len() - 20);
    std::fs::write(&file, text).expect("cut");
    assert_eq!(proof(&scene).await.broken, None);
    scene.ledger.trail_head_keep().await.expect("told").expect("by itself on its line");
    assert_eq!(proof(&scene).await.heads, 1);
}

#[tokio::test(start_paused = true)]
async fn erased_values_are_gone_and_the_trail_is_as_provable_as_before() {
    let scene = trail().await;
    scene.wait(24 * 400).await;
    change(&scene, LinkId(1), &["City"]).await.expect("added");
    assert_eq!(scene.ledger.trail_erase(TimeDelta::days(401)).await.expect("erased"), 0, "not old enough");
    assert_eq!(scene.ledger.trail_erase(TimeDelta::days(400)).await.expect("erased"), 5);
    assert_eq!(scene.ledger.trail_erase(TimeDelta::days(400)).await.expect("erased"), 0, "once");
    let proven = proof(&scene).await;
    assert_eq!((proven.rows, proven.erased, proven.broken), (6, 10, None));
    let left: (i64, i64) = scene
        .ledger
        .read("test_left", |connection| {
            connection.query_row(
                "SELECT count(*), count(before) + count(after) + count(before_salt) + count(after_salt) FROM changes
                 WHERE id <= 5",
                [],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
        })
        .await
        .expect("read");
    assert_eq!(left, (5, 0), "neither value nor salt is left");
    let told = scene.ledger.changes_list(LinkId(1), 10).await.expect("a trail");
    assert_eq!(told[0].before.as_deref(), Some("\"(erased)\""));
    // What was erased can be neither given another digest nor be erased again into something else.
    for sql in
        ["UPDATE changes SET before_digest = zeroblob(32) WHERE id = 1", "UPDATE changes SET cause = 'x'"]
    {
        assert!(scene.ledger.write("test_edit", move |tx| tx.execute(sql, [])).await.is_err(), "{sql}");
    }
    by_hand(&scene, "UPDATE changes SET before_digest = zeroblob(32) WHERE id = 2").await;
    assert_eq!(proof(&scene).await.broken.expect("seen").change, 2);
}

#[tokio::test(start_paused = true)]
async fn what_a_failure_rolls_back_leaves_no_gap() {
    let scene = trail().await;
    let now = scene.ledger.env.now();
    let failed = scene.ledger.write("test_failed", move |tx| {
        let changed =
            FieldTrail { field: "City".to_owned(), before: None, before_from: BeforeFrom::None, after: None };
        add(tx, now, LinkId(1), OperationId(1), &BY, &[changed])?;
        tx.execute("INSERT INTO nowhere VALUES (1)", [])
    });
    assert!(failed.await.is_err());
    change(&scene, LinkId(1), &["City"]).await.expect("added");
    let proof = proof(&scene).await;
    assert_eq!((proof.rows, proof.change, proof.broken), (6, Some(6), None));
}

#[tokio::test(start_paused = true)]
async fn what_was_told_before_a_takeover_is_counted_and_the_trail_of_then_stays_proven() {
    let scene = trail().await;
    scene.ledger.trail_head_keep().await.expect("told").expect("there are rows");
    let known = scene.ledger.write("test_identity", |tx| {
        tx.execute(
            "INSERT INTO identity (id, instance, generation, host, path, since) VALUES (1, 'a', 1, 'h', 'p', '2030')
             ON CONFLICT DO NOTHING",
            [],
        )
    });
    known.await.expect("an identity");
    // What was told after the backup that takes the ledger's place, and what is told of the ledger that goes on.
    let file = scene.ledger.path().with_extension("sqlite.trail");
    let told = std::fs::read_to_string(&file).expect("told");
    let lost = told.replace("\"change\":5", "\"change\":9");
    assert_ne!(lost, told);
    std::fs::write(&file, told + &lost).expect("written");
    scene.ledger.identity_take_over(None, "test".to_owned()).await.expect("taken over");
    let after = proof(&scene).await;
    assert_eq!((after.heads, after.earlier, after.earlier_held, &after.broken), (1, 2, 1, &None));
    by_hand(&scene, "DELETE FROM changes WHERE id = 5").await;
    assert_eq!(proof(&scene).await.broken.expect("seen").change, 5, "the trail as it was at the takeover");
}

#[tokio::test(start_paused = true)]
async fn what_the_crm_was_last_told_is_erased_once_it_was_told_something_newer() {
    let scene = scene().await;
    scene.link("1", Some(7), &[]).await;
    let tell = |value: &'static str| {
        let now = scene.ledger.env.now();
        scene.ledger.write("test_told", move |tx| {
            let added = Added {
                side: "crm",
                field: "city",
                rule: Some("result_fields"),
                person: None,
                before: Some(json!("by a clerk").to_string()),
                before_from: BeforeFrom::Answer,
                after: Some(json!(value).to_string()),
            };
            append(tx, now, LinkId(1), By::WriteBack(WriteBackId(1)), "run:1", vec![added])
        })
    };
    let keep = TimeDelta::days(400);
    tell("Ulm").await.expect("told");
    scene.wait(24 * 401).await;
    assert_eq!(
        scene.ledger.trail_erase(keep).await.expect("erased"),
        0,
        "it is what the next change finds there"
    );
    let had = "SELECT coalesce(before, '-') || ' ' || after FROM changes ORDER BY id";
    assert_eq!(scene.says(had).await, ["- \"Ulm\""], "what a clerk had written goes in its time");
    assert_eq!(proof(&scene).await.broken, None);
    tell("Bonn").await.expect("told");
    assert_eq!(
        scene.ledger.trail_erase(keep).await.expect("erased"),
        1,
        "passed long ago, and not forgotten"
    );
    // A row whose time a wrong clock wrote holds up nobody behind it.
    by_hand(&scene, "UPDATE changes SET at = '2099' WHERE id = 2").await;
    change(&scene, LinkId(1), &["City", "Name"]).await.expect("added");
    scene.wait(24 * 401).await;
    assert_eq!(scene.ledger.trail_erase(keep).await.expect("erased"), 2);
}
