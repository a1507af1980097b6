//! Is each side still the one that the ledger knows? Another system behind the same name, and the same one elsewhere.

use crate::support::world::{CAMPAIGN, LEADS, Setup, World, minutes};
use dialbridge::control::{Command, End};
use dialbridge::domain::policy::RouteState;
use dialbridge::sim::crm::Editor;
use serde_json::{Value, json};

const TAKEOVER: Command = Command::Takeover { confirmed: true };

async fn differs(world: &World) -> String {
    let standing = world.ledger().differences_standing().await.expect("differences");
    standing.iter().map(|difference| difference.in_words()).collect::<Vec<_>>().join("\n")
}

async fn paused(world: &World) -> bool {
    let row = world.ledger().route_show(LEADS.into()).await.expect("a route").expect("known");
    row.state == RouteState::Paused
}

/// A world with so many people in step.
async fn people(count: usize) -> (World, Vec<u64>) {
    let world = World::usual().await;
    let ids = (0..count).map(|n| world.record(&format!("Name {n}"))).collect();
    world.sync_all().await;
    world.advance(minutes(5)).await;
    (world, ids)
}

/// Everything a record has.
fn fields(editor: &Editor, id: u64) -> Value {
    let names = ["name", "phone", "email", "city", "zip", "street", "stage", "score", "do_not_call"];
    names.iter().filter_map(|name| Some(((*name).to_owned(), editor.field(id, name)?))).collect()
}

/// Eight people under the ids of ours.
fn other_people(world: &World) {
    for n in 0..8 {
        world.editor().create(json!({
            "name": format!("Other {n}"), "phone": format!("+49 89 55500 {n:02}"), "email": false, "city": "Hof",
            "zip": "95028", "street": false, "stage": "new", "score": 1, "comment": false, "do_not_call": false,
        }));
    }
}

#[tokio::test(start_paused = true)]
async fn is_a_crm_with_other_people_behind_the_same_name_not_even_read() {
    let (mut world, ids) = people(8).await;
    let real = world.replace_crm();
    other_people(&world);
    world.restart().await;
    let mark = world.mark();
    world.try_all().await;
    world.live(minutes(90)).await;
    assert_eq!(world.writes(mark), Vec::<&str>::new(), "{}", world.story().await);
    let asked: Vec<&str> = world.crm.journal.requests().iter().map(|asked| asked.kind.name).collect();
    assert_eq!(asked, ["by_ids"], "one question, and nothing else is read");
    let told = differs(&world).await;
    assert!(
        told.contains("CRM of route leads") && told.contains("8 records") && told.contains("0 are"),
        "{told}"
    );
    assert!(paused(&world).await);
    // Whoever says no needs no CRM.
    world
        .block_number(&{
            let editor = real.editor();
            number(&editor, ids[0])
        })
        .await;
    world.live(minutes(1)).await;
    assert!(world.locked(ids[0]));

    world.crm = real;
    world.editor().edit(ids[1], json!({ "city": "Bonn" }));
    world.restart().await;
    world.live(minutes(5)).await;
    assert_eq!(
        (differs(&world).await, paused(&world).await),
        (String::new(), false),
        "corrected, it goes on"
    );
    assert_eq!(world.value(ids[1], "City"), json!("Bonn"));
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn are_a_small_crm_and_a_small_dialler_known_by_their_few_people() {
    let (mut world, ids) = people(3).await;
    let real = world.replace_crm();
    other_people(&world);
    world.restart().await;
    let mark = world.mark();
    world.try_all().await;
    world.live(minutes(30)).await;
    assert_eq!(world.writes(mark), Vec::<&str>::new(), "{}", world.story().await);
    let told = differs(&world).await;
    assert!(told.contains("3 records") && told.contains("0 are"), "{told}");
    world.crm = real;
    // One of three who is gone proves nothing.
    world.editor().delete(ids[2]);
    world.restart().await;
    world.live(minutes(5)).await;
    assert_eq!((differs(&world).await, paused(&world).await), (String::new(), false));

    world.replace_dialler();
    world.dialler.seed(CAMPAIGN, "somebody", 20);
    world.restart().await;
    world.try_all().await;
    world.live(minutes(30)).await;
    assert_eq!(world.dialler.journal().write_count(), 0, "{}", world.story().await);
    assert!(paused(&world).await);
    world.ends().await;
}

fn number(editor: &Editor, id: u64) -> String {
    let phone = editor.field(id, "phone").expect("a record");
    phone.as_str().expect("a number").chars().filter(|c| !c.is_whitespace()).collect()
}

#[tokio::test(start_paused = true)]
async fn does_a_crm_that_moved_with_its_people_go_on() {
    let (mut world, ids) = people(8).await;
    world.editor().edit(ids[0], json!({ "name": "Married" }));
    world.editor().delete(ids[7]);
    world.configure(&Setup { crm_url: "http://crm.elsewhere.invalid", ..Setup::default() }).await;
    world.advance(minutes(1)).await;
    world.sync_all().await;
    assert_eq!(differs(&world).await, "");
    assert_eq!(world.value(ids[0], "Name"), json!("Married"));
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_copy_of_last_week_known_by_whom_it_lacks() {
    let (mut world, ids) = people(20).await;
    let real = world.replace_crm();
    for id in &ids[..14] {
        world.editor().create(fields(&real.editor(), *id));
    }
    world.restart().await;
    let mark = world.mark();
    world.try_all().await;
    assert_eq!(world.writes(mark), Vec::<&str>::new());
    let told = differs(&world).await;
    assert!(told.contains("of 20 records") && told.contains("14 are"), "{told}");
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_another_dialler_behind_the_same_name_left_alone() {
    let (mut world, ids) = people(8).await;
    world.replace_dialler();
    world.dialler.seed(CAMPAIGN, "somebody", 20);
    world.editor().edit(ids[0], json!({ "city": "Bonn" }));
    world.restart().await;
    world.advance(minutes(1)).await;
    world.try_all().await;
    world.live(minutes(90)).await;
    assert_eq!(world.dialler.journal().write_count(), 0, "{}", world.story().await);
    assert_eq!(world.dialler.journal().count("list"), 0, "its contacts are not taken for ours");
    let told = differs(&world).await;
    assert!(
        told.contains("the dialler is not the one") || told.contains("The dialler is not the one"),
        "{told}"
    );
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_new_crm_that_was_taken_over_not_asked_about_again() {
    let (mut world, ids) = people(8).await;
    world.replace_crm();
    other_people(&world);
    world.restart().await;
    world.try_all().await;
    let (end, said) = world.command(TAKEOVER).await;
    assert_eq!(end, End::Done, "{said}");
    // Before the new people are in step everything starts once more.
    world.restart().await;
    world.settle_down().await;
    assert_eq!(differs(&world).await, "");
    assert_eq!(world.value(ids[0], "Name"), json!("Other 0"));
    world.restart().await;
    world.assert_at_rest().await;
    assert_eq!(differs(&world).await, "");
}

#[tokio::test(start_paused = true)]
async fn does_a_record_that_spoils_every_answer_keep_nobody_waiting_after_a_start() {
    let (mut world, ids) = people(8).await;
    world.editor().make_odd(ids[5], "7");
    world.restart().await;
    world.advance(minutes(1)).await;
    world.editor().edit(ids[0], json!({ "city": "Bonn" }));
    world.advance(minutes(1)).await;
    world.try_all().await;
    assert_eq!(world.value(ids[0], "City"), json!("Bonn"), "{}", world.story().await);
    world.ends().await;
}
