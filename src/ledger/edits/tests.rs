//! What is said of an edit, and which conflict, and when the record is looked at once more.

use super::*;
use crate::domain::{DesiredValue, Pair};
use crate::ledger::edits_end::{CarriedEdit, EditEnd, EditFate, carried};
use crate::ledger::testing::{Scene, scene};
use serde_json::json;

fn city() -> FieldName {
    FieldName::parse("City").expect("a field")
}

/// A link whose contact an agent edited: from Ulm to Bonn.
async fn edited() -> (Scene, LinkId) {
    let scene = scene().await;
    let link = scene.link("1", Some(11), &[]).await;
    let base: Base = [(city(), Pair { crm: json!("Ulm"), dialler: json!("Ulm") })].into();
    let write = scene.ledger.write("test_base", move |tx| {
        tx.execute("UPDATE links SET base = ?2 WHERE id = ?1", (link.0, json(&base)?))
    });
    write.await.expect("a base");
    edit(&scene, link, "Bonn").await;
    (scene, link)
}

async fn edit(scene: &Scene, link: LinkId, value: &str) {
    let edits = vec![(city(), json!(value), ConflictRule::Ask)];
    scene.ledger.edits_in_doubt(link, edits).await.expect("an edit");
}

async fn merged(scene: &Scene, link: LinkId, what: EditFate) {
    let end = EditEnd { field: city(), dialler: json!("Bonn"), what };
    scene.ledger.edits_merged(link, vec![end]).await.expect("merged");
}

async fn in_conflict(scene: &Scene, link: LinkId, crm: &str) {
    merged(scene, link, EditFate::Conflict { agreed: json!("Ulm"), crm: json!(crm) }).await;
}

async fn numbers(scene: &Scene) -> Vec<i64> {
    let read = scene.ledger.read("test_edits", |connection| {
        connection.prepare("SELECT id FROM edits")?.query_map([], |row| row.get(0))?.collect()
    });
    read.await.expect("edits")
}

/// Why records are to be read once more.
async fn hints(scene: &Scene) -> Vec<String> {
    let read = scene.ledger.read("test_hints", |connection| {
        connection.prepare("SELECT source FROM hints ORDER BY id")?.query_map([], |row| row.get(0))?.collect()
    });
    read.await.expect("hints")
}

async fn told(scene: &Scene, link: LinkId) -> String {
    let read = scene.ledger.read("test_told", move |connection| {
        connection.query_row("SELECT crm_told FROM links WHERE id = ?1", [link.0], |row| row.get(0))
    });
    read.await.expect("a link")
}

fn value() -> DesiredValue {
    DesiredValue::same(json!("Bonn"))
}

#[tokio::test(start_paused = true)]
async fn a_conflict_of_other_values_has_another_number_and_the_same_one_keeps_its_own() {
    let (scene, link) = edited().await;
    let first = numbers(&scene).await;
    edit(&scene, link, "Bonn").await;
    in_conflict(&scene, link, "Hof").await;
    in_conflict(&scene, link, "Hof").await;
    assert_eq!(numbers(&scene).await, first, "the same values");
    in_conflict(&scene, link, "Jena").await;
    let second = numbers(&scene).await;
    assert_ne!(second, first, "the CRM has another value than was shown");
    edit(&scene, link, "Trier").await;
    let third = numbers(&scene).await;
    assert!(third.len() == 1 && third != second, "the dialler has another value than was shown: {third:?}");
}

#[tokio::test(start_paused = true)]
async fn an_edit_that_ends_lets_the_crms_own_change_go_on() {
    let (scene, link) = edited().await;
    for _ in 0..2 {
        let (contact, field, agreed) = (ContactId(11), city(), Some(json!("Ulm")));
        let undone = EditSeen { link, contact, field, agreed, what: EditWord::Undone };
        let began = scene.ledger.next_seq();
        scene.ledger.edits_store(vec![undone], began).await.expect("stored");
        assert_eq!(hints(&scene).await, ["undone in the dialler"], "said once");
    }
    edit(&scene, link, "Bonn").await;
    let (none, route) = (TwoWay::new(), scene.route.clone());
    scene.ledger.owners_set(route.clone(), none.clone(), Kept::new()).await.expect("stored");
    scene.ledger.owners_set(route, none, Kept::new()).await.expect("stored");
    assert_eq!(hints(&scene).await, ["undone in the dialler", "owners changed"], "nobody merges it any more");
}

#[tokio::test(start_paused = true)]
async fn what_both_sides_have_or_the_crm_was_told_is_read_once_more() {
    let (scene, link) = edited().await;
    merged(&scene, link, EditFate::Alike(value())).await;
    assert_eq!(hints(&scene).await, ["both sides alike"]);
    assert!(told(&scene, link).await.contains("City"), "a page that was read before says nothing of it");
    let (scene, link) = edited().await;
    let now = scene.ledger.env.now();
    let write = scene.ledger.write("test_carried", move |tx| {
        let edit = CarriedEdit {
            field: city(),
            dialler: json!("Bonn"),
            name: "town".to_owned(),
            before: json!("Ulm"),
            value: value(),
        };
        carried(tx, link, &[edit], now)
    });
    write.await.expect("carried");
    assert_eq!(hints(&scene).await, ["told the CRM"]);
}

#[tokio::test(start_paused = true)]
async fn only_an_update_that_waits_overwrites_an_edit_without_another_look() {
    for (state, looks) in [("waiting", 0), ("sending", 1), ("uncertain", 1), ("done", 1)] {
        let (scene, link) = edited().await;
        scene.operation(link, "update", state).await;
        merged(&scene, link, EditFate::Overwritten).await;
        assert_eq!(hints(&scene).await.len(), looks, "{state}");
    }
}
