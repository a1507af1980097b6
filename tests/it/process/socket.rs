//! The control socket among people: somebody who connects and says nothing, and a folder where it cannot be made.

use super::house::{Daemon, House};
use super::service::until;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// As `nc -U control.sock` does.
fn says_nothing(house: &House) -> UnixStream {
    UnixStream::connect(house.path("control.sock")).expect("the socket is there")
}

async fn ends_soon(daemon: &mut Daemon) {
    let ended = tokio::time::timeout(Duration::from_secs(20), daemon.ended()).await;
    assert_eq!(ended.expect("it waits for whoever says nothing").code(), Some(0), "{}", daemon.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_connects_and_says_nothing_holds_up_neither_a_reload_nor_the_end() {
    let house = House::new(3).await;
    house.switched_on().await;
    let mut daemon = house.daemon().await;
    let _idle = says_nothing(&house);
    let text = house.config_text("").replace("City          = \"city\"", "City = \"name\"");
    std::fs::write(house.config(), text).expect("written");
    daemon.signal("HUP");
    let reloaded = until(&house, &daemon, "reloaded: the new config is taken");
    assert!(tokio::time::timeout(Duration::from_secs(20), reloaded).await.is_ok(), "{}", daemon.log());
    let _idle_too = says_nothing(&house);
    // It answers others meanwhile.
    house.run(&["sync"]).await.expect(0);
    daemon.signal("TERM");
    ends_soon(&mut daemon).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_under_way_is_answered_although_the_end_began() {
    use dialbridge::sim::faults::{Action, Rule};
    let house = House::new(1).await;
    house.switched_on().await;
    let latency = Action::Latency { before: Duration::ZERO, after: Duration::from_millis(1500) };
    let mut daemon = house.daemon().await;
    house.run(&["sync"]).await.expect(0);
    house.dialler.faults().add(Rule::new(latency).path("/update"));
    house.crm.editor().edit(1, serde_json::json!({ "name": "Changed" }));
    let command = async { house.run(&["sync"]).await };
    let end = async {
        while house.dialler.journal().requests_of("update").is_empty() {
            house.env.sleep(Duration::from_millis(10)).await;
        }
        daemon.signal("TERM");
    };
    let (ran, ()) = tokio::join!(command, end);
    assert!(!ran.said().contains("hung up"), "{}", ran.said());
    ends_soon(&mut daemon).await;
    assert_eq!(&*house.dialler.contacts_with("leads-1")[0].name, "Changed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_config_whose_socket_cannot_be_made_leaves_the_old_one_going_on() {
    let house = House::new(3).await;
    house.switched_on().await;
    let mut daemon = house.daemon().await;
    for round in 1..=5 {
        let more = format!("\n[control]\nsocket = \"missing-{round}/control.sock\"\n");
        house.write_config(&more);
        daemon.signal("HUP");
        let said = format!("missing-{round}/control.sock");
        until(&house, &daemon, &said).await;
        house.write_config("");
        // The old config's socket is there again, and the daemon behind it works.
        let mut answers = false;
        for _ in 0..500 {
            answers = UnixStream::connect(house.path("control.sock")).is_ok();
            if answers {
                break;
            }
            house.env.sleep(Duration::from_millis(10)).await;
        }
        assert!(answers, "round {round}: {}", daemon.log());
    }
    assert_eq!(daemon.log().matches("the old one goes on").count(), 5, "{}", daemon.log());
    house.run(&["sync"]).await.expect(0);
    assert_eq!(house.dialler.len(), 3);
    daemon.signal("TERM");
    ends_soon(&mut daemon).await;
}
