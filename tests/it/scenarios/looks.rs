//! Is somebody looking whether the ledger is sound, and is it told when it is not?

use crate::support::world::{World, minutes};
use dialbridge::cli::status_told;
use dialbridge::runtime::Outcome;

async fn look(world: &World, cause: &'static str) -> Result<String, String> {
    match world.parts().look.run_now(cause).await.expect("it ran") {
        Outcome::Done { text, .. } => Ok(text),
        Outcome::Failed { text } => Err(text),
    }
}

async fn status(world: &World) -> String {
    status_told(&world.settings, world.ledger(), world.now()).await.expect("a status")
}

fn by_hand(world: &World, sql: &str) {
    let connection = rusqlite::Connection::open(world.ledger().path()).expect("opens");
    connection.busy_timeout(std::time::Duration::from_secs(5)).expect("set");
    connection.execute_batch(&format!("PRAGMA ignore_check_constraints = ON; {sql}")).expect("written");
}

#[tokio::test(start_paused = true)]
async fn does_status_tell_what_the_nightly_look_found_until_it_is_mended() {
    let world = World::usual().await;
    world.record("Ada");
    world.sync_all().await;
    assert!(!status(&world).await.contains("Ledger: looked over"));
    let said = look(&world, "schedule").await.expect("a look");
    assert!(said.contains("sound"), "{said}");
    let told = status(&world).await;
    assert!(told.contains("Ledger: looked over") && !told.contains("not sound"), "{told}");
    by_hand(&world, "UPDATE runs SET finished_at = NULL WHERE state = 'done'");
    world.advance(minutes(1)).await;
    let said = look(&world, "schedule").await.expect_err("something is wrong");
    assert!(said.contains("NOT sound") && said.contains("ledger check"), "{said}");
    let told = status(&world).await;
    assert!(
        told.contains("NOT WELL")
            && told.contains("the ledger is not sound: CHECK constraint failed in runs"),
        "{told}"
    );
    by_hand(&world, "UPDATE runs SET finished_at = started_at WHERE state = 'done'");
    world.advance(minutes(1)).await;
    look(&world, "schedule").await.expect("sound again");
    assert!(!status(&world).await.contains("not sound"));
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_look_made_up_for_that_the_machine_slept_through_and_none_made_at_every_start() {
    let world = World::usual().await;
    world.record("Ada");
    world.sync_all().await;
    assert_eq!(
        look(&world, "start").await.as_deref(),
        Ok("not due"),
        "a new ledger has nothing to look over"
    );
    world.advance(minutes(27 * 60)).await;
    assert!(look(&world, "start").await.expect("a look").contains("sound"));
    assert_eq!(look(&world, "start").await.as_deref(), Ok("not due"));
    assert!(look(&world, "schedule").await.expect("a look").contains("sound"), "at its hour always");
    world.ends().await;
}
