//! Does one record's no reach all others of the same person, in whichever CRM; and can everybody still take it back?

use super::write_back::field;
use crate::support::world::{SECOND_CRM, Setup, World, minutes};
use dialbridge::control::Command;
use dialbridge::domain::{BlockSubject, RecordId, RecordKey};
use dialbridge::ledger::BlockRow;
use serde_json::{Value, json};

const BLOCK_IF: &str = "only_if = \"phone and active\"\nblock_if = \"do_not_call or phone_blacklisted\"\nwrite_back = \"* * * * *\"";
const BY_SOURCE: &str = "only_if = \"phone and active\"\nblock_if = \"do_not_call or phone_blacklisted\"\nunblock = \"source\"\nwrite_back = \"* * * * *\"";
const TOLD: &str = "[route.leads.block_fields]\ndo_not_call = \"true\"\nno_to = \"source\"\n";

const NOT_TOLD: &str = "[route.leads.result_fields]\ncalls = \"calls\"\n";

async fn world(route_keys: &'static str) -> World {
    World::new(Setup { connector: "sim-id", route_keys, more: TOLD, ..Setup::default() }).await
}

/// Records of one number: one person, or a household.
fn same_number<const N: usize>(world: &World, names: [&str; N]) -> [u64; N] {
    let ids = names.map(|name| world.record(name));
    let phone = field(world, ids[0], "phone");
    ids[1..].iter().for_each(|id| {
        world.editor().edit(*id, json!({ "phone": phone }));
    });
    ids
}

fn says_no(world: &World, id: u64, no: bool) {
    world.editor().edit(id, json!({ "do_not_call": no }));
}

fn no_of(world: &World, id: u64) -> (bool, Value) {
    (field(world, id, "do_not_call") == true, field(world, id, "no_to"))
}

fn told_by(source: &str) -> (bool, Value) {
    (true, json!(source))
}

const ITS_OWN: (bool, Value) = (true, Value::Null);
const NO_NO: (bool, Value) = (false, Value::Null);

async fn lift(world: &World, subject: BlockSubject) {
    let (client, reason) = ("default".to_owned(), "asked to be called".to_owned());
    world.must(Command::BlockRemove { client, subject, source: None, reason }).await;
}

async fn lift_operators(world: &World, subject: BlockSubject) {
    let (client, reason) = ("default".to_owned(), "asked to be called".to_owned());
    let source = Some("operator".to_owned());
    world.must(Command::BlockRemove { client, subject, source, reason }).await;
}

async fn nothing_more_is_written(world: &World) {
    let writes = world.crm_writes();
    world.live(minutes(15)).await;
    assert_eq!(world.crm_writes(), writes, "{}", world.story().await);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_no_of_one_record_told_to_the_others_with_its_number_and_not_to_itself() {
    for keys in [BLOCK_IF, BY_SOURCE] {
        let world = world(keys).await;
        let [ada, adele, alma] = same_number(&world, ["Ada", "Adele", "Alma"]);
        let bert = world.record("Bert");
        world.sync_all().await;
        // Two of them say so themselves.
        says_no(&world, ada, true);
        says_no(&world, alma, true);
        world.live(minutes(5)).await;
        assert_eq!(no_of(&world, adele), told_by("crm:leads"), "{}", world.story().await);
        assert_eq!([ada, alma, bert].map(|id| no_of(&world, id)), [ITS_OWN, ITS_OWN, NO_NO]);
        assert!([ada, adele, alma].iter().all(|id| world.locked(*id)) && !world.locked(bert));
        nothing_more_is_written(&world).await;
    }
}

/// One person is put on the blacklist of the CRM, and all its records show it: none needs to be told.
#[tokio::test(start_paused = true)]
async fn is_nobody_told_what_their_record_says_by_the_next_look_itself() {
    let world = world(BLOCK_IF).await;
    let [ada, adele] = same_number(&world, ["Ada", "Adele"]);
    world.sync_all().await;
    world.editor().blacklist(&world.number(ada), true);
    world.live(minutes(5)).await;
    assert!([ada, adele].iter().all(|id| world.locked(*id)));
    assert_eq!([ada, adele].map(|id| no_of(&world, id)), [NO_NO, NO_NO]);
    assert_eq!(world.crm_writes(), 0, "{}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_no_end_that_its_record_takes_back_once_those_who_were_told_do_so_too() {
    for first in ["whose it is", "who was told"] {
        let world = world(BY_SOURCE).await;
        let [ada, adele] = same_number(&world, ["Ada", "Adele"]);
        world.sync_all().await;
        says_no(&world, ada, true);
        world.live(minutes(5)).await;
        assert_eq!(no_of(&world, adele), told_by("crm:leads"));
        let (one, other) = if first == "whose it is" { (ada, adele) } else { (adele, ada) };
        let writes = world.crm_writes();
        says_no(&world, one, false);
        world.live(minutes(10)).await;
        // Somebody may rely on what stands at the other: the number stays blocked, and nobody is told a second time.
        assert!(world.locked(ada) && world.locked(adele), "{first}: {}", world.story().await);
        assert_eq!((world.crm_writes(), no_of(&world, one).0), (writes, false), "{first}");
        says_no(&world, other, false);
        world.live(minutes(10)).await;
        assert!(!world.locked(ada) && !world.locked(adele), "{first}: {}", world.story().await);
        assert_eq!(world.crm_writes(), writes, "{first}");
        // Said there from now on, it is a word of its own, which the first one is told.
        says_no(&world, adele, true);
        world.live(minutes(5)).await;
        assert_eq!(no_of(&world, ada), told_by("crm:leads"), "{first}: {}", world.story().await);
        nothing_more_is_written(&world).await;
    }
}

#[tokio::test(start_paused = true)]
async fn is_a_no_that_an_operator_takes_back_said_anew_by_what_the_crm_was_told_of_it() {
    for keys in [BLOCK_IF, BY_SOURCE] {
        let world = world(keys).await;
        let [ada, adele] = same_number(&world, ["Ada", "Adele"]);
        world.sync_all().await;
        world.block_number(&world.number(ada)).await;
        world.live(minutes(5)).await;
        assert_eq!([ada, adele].map(|id| no_of(&world, id)), [told_by("operator"), told_by("operator")]);
        let writes = world.crm_writes();
        lift(&world, BlockSubject::Number(world.number(ada))).await;
        says_no(&world, adele, false);
        let [_, alma] = same_number(&world, ["Alma", "Anna"]);
        world.editor().edit(alma, json!({ "phone": field(&world, ada, "phone") }));
        world.live(minutes(10)).await;
        // What still stands at Ada holds Ada, until somebody takes it away there.
        assert!(world.locked(ada), "{}", world.story().await);
        assert!(!world.locked(adele) && !world.locked(alma), "{}", world.story().await);
        assert!(world.told(ada).await.contains("taken back since"), "{}", world.told(ada).await);
        assert_eq!((world.crm_writes(), no_of(&world, alma)), (writes, NO_NO));
        world.assert_at_rest().await;
        says_no(&world, ada, false);
        world.live(minutes(10)).await;
        assert!(!world.locked(ada), "{}", world.story().await);
        nothing_more_is_written(&world).await;
    }
}

/// The field that we wrote says so already: who says no by another one is heard all the same.
#[tokio::test(start_paused = true)]
async fn is_a_no_heard_that_comes_by_another_door_where_ours_stands_already() {
    for taken_back in [false, true] {
        let world = world(BLOCK_IF).await;
        let ada = world.record("Ada");
        world.sync_all().await;
        let number = world.number(ada);
        world.block_number(&number).await;
        world.live(minutes(5)).await;
        if taken_back {
            lift(&world, BlockSubject::Number(number.clone())).await;
            world.live(minutes(5)).await;
        }
        world.editor().blacklist(&number, true);
        world.live(minutes(5)).await;
        if !taken_back {
            lift_operators(&world, BlockSubject::Number(number.clone())).await;
        }
        let standing = world.ledger().blocks_list(None, false, 100).await.expect("blocks");
        let by_number = |row: &BlockRow| row.subject == BlockSubject::Number(number.clone());
        let sources: Vec<&str> =
            standing.iter().filter(|row| by_number(row)).map(|row| row.source.as_str()).collect();
        assert_eq!(sources, ["crm:leads"], "taken back before {taken_back}: {standing:#?}");
        world.ends().await;
    }
}

/// What an operator takes back is the operator's: whoever says no in the CRM, before or after, is not called for it.
#[tokio::test(start_paused = true)]
async fn does_an_own_word_of_the_crm_outlive_what_an_operator_takes_back() {
    for after in [false, true] {
        let world = world(BLOCK_IF).await;
        let [ada, adele] = same_number(&world, ["Ada", "Adele"]);
        world.sync_all().await;
        if !after {
            says_no(&world, ada, true);
            world.live(minutes(5)).await;
        }
        world.block_number(&world.number(ada)).await;
        world.live(minutes(5)).await;
        if after {
            // Taken away and said anew: that is hers.
            says_no(&world, ada, false);
            world.live(minutes(5)).await;
            says_no(&world, ada, true);
            world.live(minutes(5)).await;
        }
        lift_operators(&world, BlockSubject::Number(world.number(ada))).await;
        says_no(&world, adele, false);
        world.live(minutes(15)).await;
        assert!(world.locked(ada) && world.locked(adele), "after {after}: {}", world.story().await);
        world.ends().await;
    }
}

fn two_crms(telling: &'static str) -> Setup {
    let more = format!(
        r#"{telling}
[crm.second]
connector    = "sim-id"
base_url     = "{SECOND_CRM}"
token_file   = "crm.token"
allow_http   = true
[route.winback]
crm          = "second"
campaign     = 551
push         = "0 * * * *"
pull         = "* * * * *"
write_back   = "* * * * *"
only_if      = "phone and active"
block_if     = "do_not_call"
beside       = "ignore"
[route.winback.fields]
Name         = "name"
PhoneNumber1 = "phone | phone('DE')"
[route.winback.block_fields]
do_not_call  = "true"
no_to        = "source"
"#
    );
    Setup {
        connector: "sim-id",
        route_keys: BLOCK_IF,
        more: Box::leak(more.into_boxed_str()),
        ..Setup::default()
    }
}

#[tokio::test(start_paused = true)]
async fn is_a_no_of_one_crm_told_to_the_other_one_of_the_client() {
    let world = World::new(two_crms(TOLD)).await;
    let ada = world.record("Ada");
    let second = world.second_crm.editor();
    let there = second.create(json!({
        "name": "A. Lovelace", "phone": field(&world, ada, "phone"), "do_not_call": false,
    }));
    world.live(minutes(5)).await;
    let contact = || world.dialler.contacts_with(&format!("winback-{there}"))[0].clone();
    assert!(!world.locked(ada) && !contact().locked, "{}", world.story().await);
    says_no(&world, ada, true);
    world.live(minutes(5)).await;
    let said = || (second.field(there, "do_not_call"), second.field(there, "no_to"));
    assert_eq!(said(), (Some(json!(true)), Some(json!("crm:leads"))), "{}", world.story().await);
    assert!(world.locked(ada) && contact().locked);
    assert_eq!(no_of(&world, ada), ITS_OWN, "what comes back from there is no news");
    nothing_more_is_written(&world).await;
}

/// The table is new: what stood before is told, too.
#[tokio::test(start_paused = true)]
async fn is_an_older_no_of_another_record_told_when_that_is_switched_on() {
    let mut world =
        World::new(Setup { connector: "sim-id", route_keys: BLOCK_IF, more: NOT_TOLD, ..Setup::default() })
            .await;
    let [ada, adele] = same_number(&world, ["Ada", "Adele"]);
    world.sync_all().await;
    says_no(&world, ada, true);
    world.live(minutes(3)).await;
    world
        .configure(&Setup { connector: "sim-id", route_keys: BLOCK_IF, more: TOLD, ..Setup::default() })
        .await;
    world.live(minutes(3)).await;
    assert_eq!([ada, adele].map(|id| no_of(&world, id)), [ITS_OWN, told_by("crm:leads")]);
    nothing_more_is_written(&world).await;
}

/// A wrong condition of one route must not mark all that another one reads.
#[tokio::test(start_paused = true)]
async fn do_many_nos_of_one_crm_wait_for_a_person_before_the_others_are_told() {
    let keys = Box::leak(format!("{BLOCK_IF}\nmax_write_back_per_run = 2").into_boxed_str());
    let world = world(keys).await;
    let pairs: Vec<[u64; 2]> = (0..3).map(|_| same_number(&world, ["Ada", "Adele"])).collect();
    world.sync_all().await;
    pairs.iter().for_each(|[one, _]| says_no(&world, *one, true));
    world.live(minutes(10)).await;
    assert!(pairs.iter().flatten().all(|id| world.locked(*id)), "{}", world.story().await);
    assert_eq!(world.crm_writes(), 0, "{}", world.story().await);
    let waves = world.ledger().waves_list(None, false).await.expect("waves");
    assert_eq!(waves.len(), 1, "{waves:?}");
    world.ends().await;
}

fn record(id: u64) -> BlockSubject {
    let id = RecordId(id.to_string());
    BlockSubject::Record(RecordKey { crm: "sales".to_owned(), object: "contacts".to_owned(), id })
}

/// An operator's no to a record alone goes and comes back as one to a number does.
#[tokio::test(start_paused = true)]
async fn does_a_record_come_back_whose_no_an_operator_takes_back_there_and_here() {
    let world = world(BLOCK_IF).await;
    let ada = world.record("Ada");
    world.sync_all().await;
    world.block(record(ada)).await;
    world.live(minutes(5)).await;
    assert_eq!(no_of(&world, ada), told_by("operator"));
    lift_operators(&world, record(ada)).await;
    world.live(minutes(5)).await;
    assert!(world.locked(ada), "{}", world.story().await);
    says_no(&world, ada, false);
    world.live(minutes(10)).await;
    assert!(!world.locked(ada), "{}", world.story().await);
    nothing_more_is_written(&world).await;
}

#[tokio::test(start_paused = true)]
async fn is_whoever_has_a_number_told_that_comes_to_a_record_which_says_no_already() {
    let world = world(BLOCK_IF).await;
    let (ada, berta) = (world.record("Ada"), world.record("Berta"));
    world.sync_all().await;
    says_no(&world, ada, true);
    world.live(minutes(5)).await;
    assert_eq!(no_of(&world, berta), NO_NO);
    world.editor().edit(ada, json!({ "phone": field(&world, berta, "phone") }));
    world.live(minutes(10)).await;
    assert!(world.locked(berta));
    assert_eq!(no_of(&world, berta), told_by("crm:leads"), "{}", world.story().await);
    nothing_more_is_written(&world).await;
}

#[tokio::test(start_paused = true)]
async fn does_nothing_of_a_no_stay_whose_marks_a_clerk_took_away_before_a_person_took_it_back() {
    let world = world(BLOCK_IF).await;
    let [ada, adele] = same_number(&world, ["Ada", "Adele"]);
    world.sync_all().await;
    let number = BlockSubject::Number(world.number(ada));
    world.block_number(&world.number(ada)).await;
    world.live(minutes(10)).await;
    assert_eq!([ada, adele].map(|id| no_of(&world, id).0), [true, true], "{}", world.story().await);
    [ada, adele].iter().for_each(|id| says_no(&world, *id, false));
    world.live(minutes(10)).await;
    assert!(world.locked(ada) && world.locked(adele), "a clerk lifts nothing on this route");
    lift(&world, number).await;
    world.live(minutes(10)).await;
    assert!(!world.locked(ada) && !world.locked(adele), "{}", world.story().await);
    nothing_more_is_written(&world).await;
}

/// Our mark stands at the record that was told; with a word of its own beside it, the clerk takes the number out.
#[tokio::test(start_paused = true)]
async fn is_a_number_blocked_that_leaves_with_a_new_no_beside_a_mark_of_ours_that_a_person_took_back() {
    let world = world(
        "only_if = \"phone and active\"\nblock_if = \"do_not_call or stage == 'no'\"\nwrite_back = \"* * * * *\"",
    )
    .await;
    let [ada, bert] = same_number(&world, ["Ada", "Bert"]);
    world.sync_all().await;
    let number = world.number(ada);
    world.block_number(&number).await;
    world.live(minutes(5)).await;
    assert_eq!([no_of(&world, ada), no_of(&world, bert)], [told_by("operator"), told_by("operator")]);
    lift(&world, BlockSubject::Number(number)).await;
    for field in ["do_not_call", "no_to"] {
        world.editor().edit(bert, json!({ field: null }));
    }
    world.live(minutes(5)).await;
    assert!(world.locked(ada) && !world.locked(bert), "{}", world.story().await);
    world.editor().edit(ada, json!({ "stage": "no", "phone": null }));
    world.live(minutes(5)).await;
    assert!(world.locked(ada) && world.locked(bert), "{}", world.story().await);
    world.ends().await;
}
