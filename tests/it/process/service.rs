//! The daemon under a service manager: what it is told, and a config that changes while it runs.

use super::house::{Daemon, House};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

/// What a service manager hears.
struct Manager(UnixDatagram);

impl Manager {
    fn new(house: &House) -> Self {
        let socket = UnixDatagram::bind(house.path("notify.sock")).expect("a socket");
        socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a time-out");
        Self(socket)
    }

    /// The next word that is not a mere sign of life; how many of these came before it.
    fn hears(&self) -> (String, usize) {
        let mut signs = 0;
        loop {
            let mut text = [0; 4096];
            let length = self.0.recv(&mut text).expect("a word in time");
            let said = String::from_utf8_lossy(&text[..length]).into_owned();
            if said.trim() == "WATCHDOG=1" {
                signs += 1;
            } else {
                return (said, signs);
            }
        }
    }

    fn hears_sign_of_life(&self) -> bool {
        let mut text = [0; 4096];
        self.0.recv(&mut text).is_ok_and(|length| text[..length].starts_with(b"WATCHDOG=1"))
    }
}

async fn managed(house: &House) -> (Manager, Daemon) {
    let manager = Manager::new(house);
    let socket = house.path("notify.sock");
    let daemon = house
        .daemon_with(&[("NOTIFY_SOCKET", socket.to_str().expect("a path")), ("WATCHDOG_USEC", "3000000")])
        .await;
    (manager, daemon)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_manager_hears_of_the_start_of_life_and_of_the_end() {
    let house = House::new(3).await;
    let (manager, mut daemon) = managed(&house).await;
    assert!(manager.hears().0.contains("READY=1"));
    // The scheduler beats once a second, a third of the watchdog's time.
    assert!(manager.hears_sign_of_life() && manager.hears_sign_of_life());
    daemon.signal("HUP");
    let (said, _) = manager.hears();
    assert!(said.contains("RELOADING=1") && said.contains("MONOTONIC_USEC="), "{said}");
    assert!(manager.hears().0.contains("READY=1"));
    daemon.signal("TERM");
    assert!(manager.hears().0.contains("STOPPING=1"));
    assert_eq!(daemon.ended().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_process_gives_no_sign_of_life() {
    let house = House::new(3).await;
    let (manager, daemon) = managed(&house).await;
    assert!(manager.hears().0.contains("READY=1"));
    daemon.signal("STOP");
    house.env.sleep(Duration::from_millis(200)).await;
    // What was under way when it was stopped may still lie there.
    manager.0.set_nonblocking(true).expect("a socket");
    while manager.hears_sign_of_life() {}
    house.env.sleep(Duration::from_secs(2)).await;
    assert!(!manager.hears_sign_of_life(), "the watchdog would never bite");
    daemon.signal("CONT");
    house.env.sleep(Duration::from_secs(2)).await;
    assert!(manager.hears_sign_of_life(), "and afterwards it lives");
}

/// Waits until the log says something.
pub async fn until(house: &House, daemon: &Daemon, text: &str) {
    for _ in 0..3000 {
        if daemon.log().contains(text) {
            return;
        }
        house.env.sleep(Duration::from_millis(10)).await;
    }
    panic!("{text:?} is not in the log: {}", daemon.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_config_is_refused_with_all_its_mistakes_and_the_old_one_goes_on() {
    let house = House::new(3).await;
    house.switched_on().await;
    let daemon = house.daemon().await;
    let good = house.config_text("");
    let bad = good
        .replace("max_in_flight", "max_inflight")
        .replace("only_if       = \"phone and active\"", "only_if = \"phone and\"");
    std::fs::write(house.config(), format!("{bad}\n[nonsense]\nx = 1\n")).expect("written");
    daemon.signal("HUP");
    until(&house, &daemon, "the config was not taken; the old one goes on").await;
    assert!(daemon.log().contains("nonsense") && daemon.log().contains("only_if"), "{}", daemon.log());
    // The daemon still works, under its socket.
    std::fs::write(house.config(), &good).expect("written");
    house.run(&["sync"]).await.expect(0);
    assert_eq!(house.dialler.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_config_is_taken_without_a_restart() {
    let house = House::new(3).await;
    house.switched_on().await;
    let daemon = house.daemon().await;
    house.run(&["sync"]).await.expect(0);
    let text = house.config_text("").replace("City          = \"city\"", "City = \"name\"");
    std::fs::write(house.config(), text).expect("written");
    daemon.signal("HUP");
    until(&house, &daemon, "reloaded: the new config is taken").await;
    house.run(&["sync"]).await.expect(0);
    let contact = &house.dialler.contacts_with("leads-1")[0];
    assert_eq!(contact.get("City"), serde_json::json!(&*contact.name));
    // And once more with nothing changed: the parts stay.
    daemon.signal("HUP");
    until(&house, &daemon, "reloaded: the config is as it was").await;
}
