//! What a person has done to a contact that no harvest has seen: is who said no out of reach there too?

use crate::support::world::{CAMPAIGN, OTHER, Setup, World, minutes};
use dialbridge::control::{Command, ContactAct, End};
use dialbridge::domain::{BlockSubject, ContactId};
use serde_json::json;

/// A route of another client; its campaign is `OTHER`.
const NEIGHBOUR: &str = r#"
[route.winback]
crm          = "sales"
campaign     = 551
client       = "neighbour"
only_if      = "phone and active"
beside       = "ignore"
[route.winback.fields]
Name         = "name"
PhoneNumber1 = "phone | phone('DE')"
"#;

const NUMBER: &str = "+493023125900";

async fn act(world: &World, contact: i64, act: ContactAct) -> (End, String) {
    let contact = ContactId(contact);
    world.command(Command::Contact { contact, act, reason: "asked us".to_owned() }).await
}

/// A locked contact with this number; nothing has read it yet.
fn unseen(world: &World, campaign: i64, number: &str) -> i64 {
    let contact = world.dialler.put(campaign, &[("Name", "Ada"), ("PhoneNumber1", number)]);
    assert!(world.dialler.portal().lock(contact));
    contact
}

async fn block(world: &World, client: &str) {
    let blocked = Command::BlockAdd {
        client: client.to_owned(),
        subjects: vec![BlockSubject::Number(NUMBER.to_owned())],
        reason: "said no".to_owned(),
        source: "operator".to_owned(),
        until: None,
    };
    world.must(blocked).await;
}

fn locked(world: &World, contact: i64) -> bool {
    world.dialler.contact(contact).expect("a contact").locked
}

#[tokio::test(start_paused = true)]
async fn does_who_said_no_stay_out_of_reach_in_a_contact_that_nothing_has_read() {
    for campaign in [CAMPAIGN, OTHER] {
        let world = World::usual().await;
        world.sync_all().await;
        world.block_number(NUMBER).await;
        let contact = unseen(&world, campaign, "493023125900");
        let mark = world.mark();
        for shut in [ContactAct::Unlock, ContactAct::Reset, ContactAct::Delete] {
            let (end, said) = act(&world, contact, shut).await;
            assert_eq!(end, End::Failed, "{shut:?} in {campaign}: {said}");
            assert!(said.contains("must not be called"), "{shut:?} in {campaign}: {said}");
        }
        let values = [("PhoneNumber2".to_owned(), json!("493023125901"))].into();
        let numbers = vec!["+493023125901".to_owned()];
        let update = Command::ContactUpdate {
            contact: ContactId(contact),
            values,
            numbers,
            reason: "asked us".to_owned(),
        };
        let (end, said) = world.command(update).await;
        assert_eq!(end, End::Failed, "another number in {campaign}: {said}");
        world.live(minutes(30)).await;
        assert!(locked(&world, contact));
        let writes = world.writes(mark);
        assert!(writes.iter().all(|write| *write == "lock"), "in {campaign}: {writes:?}");
        world.ends().await;
    }
}

#[tokio::test(start_paused = true)]
async fn whose_blocks_hold_where_nobody_knows_whose_contact_it_is() {
    for (client, campaign, end) in [
        ("neighbour", OTHER, End::Failed),
        ("neighbour", CAMPAIGN, End::Done),
        ("neighbour", 600, End::Failed),
        ("default", 600, End::Failed),
    ] {
        let world = World::new(Setup { more: NEIGHBOUR, ..Setup::default() }).await;
        world.dialler.add_campaign(dialbridge::sim::dialler::SimCampaign::new(600, "Somebody's"));
        world.sync_all().await;
        block(&world, client).await;
        let contact = unseen(&world, campaign, "493023125900");
        let (ended, said) = act(&world, contact, ContactAct::Unlock).await;
        assert_eq!(ended, end, "a no to {client}, in {campaign}: {said}");
        assert_eq!(locked(&world, contact), end == End::Failed, "a no to {client}, in {campaign}");
        world.ends().await;
    }
}

#[tokio::test(start_paused = true)]
async fn is_a_number_asked_for_that_the_contact_got_since_the_last_harvest() {
    let world = World::usual().await;
    let contact = unseen(&world, CAMPAIGN, "493023125901");
    world.sync_all().await;
    world.block_number(NUMBER).await;
    assert!(world.dialler.portal().edit(contact, "PhoneNumber1", "493023125900"));
    let (end, said) = act(&world, contact, ContactAct::Unlock).await;
    assert_eq!(end, End::Failed, "{said}");
    // And once it has another one again, nothing of it is left.
    assert!(world.dialler.portal().edit(contact, "PhoneNumber1", "493023125901"));
    world.live(minutes(30)).await;
    let (end, said) = act(&world, contact, ContactAct::Unlock).await;
    assert_eq!(end, End::Done, "{said}");
    assert!(!locked(&world, contact));
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_no_heard_that_comes_while_an_unlock_by_hand_waits() {
    for campaign in [CAMPAIGN, OTHER] {
        let world = World::usual().await;
        world.sync_all().await;
        let contact = unseen(&world, campaign, "493023125900");
        let reason = || "a look".to_owned();
        world.must(Command::Freeze { reason: reason(), until: None, even_locks: false }).await;
        let (end, said) = act(&world, contact, ContactAct::Unlock).await;
        assert_eq!(end, End::Done, "it waits: {said}");
        world.block_number(NUMBER).await;
        let mark = world.mark();
        world.must(Command::Thaw { reason: reason() }).await;
        world.live(minutes(5)).await;
        assert!(locked(&world, contact), "in {campaign}: {}", world.story().await);
        assert!(!world.writes(mark).contains(&"unlock"), "in {campaign}: {:?}", world.writes(mark));
        world.ends().await;
    }
}
