//! The real daemon under a clock that is changed while it runs (libfaketime): what virtual time does not reach is the
//! heartbeat's own waiting, the suspended process, the jump of the system's clock.

use super::house::{Daemon, House};
use std::path::PathBuf;
use std::time::Duration;

/// A clock for one process, read from a file.
struct FakeClock {
    file: PathBuf,
    library: String,
}

impl FakeClock {
    fn new(house: &House) -> Self {
        let library =
            std::env::var("DIALBRIDGE_FAKETIME").expect("DIALBRIDGE_FAKETIME names libfaketime.so.1");
        Self { file: house.path("clock"), library }
    }

    /// In UTC; it goes on from there.
    fn set(&self, at: &str) {
        // By renaming: a half-written time would be read.
        let new = self.file.with_extension("new");
        std::fs::write(&new, format!("@{at}\n")).expect("written");
        std::fs::rename(&new, &self.file).expect("renamed");
    }

    async fn daemon(&self, house: &House) -> Daemon {
        let file = self.file.to_str().expect("a path");
        house
            .daemon_with(&[
                ("LD_PRELOAD", &self.library),
                ("FAKETIME_TIMESTAMP_FILE", file),
                ("FAKETIME_NO_CACHE", "1"),
                ("DONT_FAKE_MONOTONIC", "1"),
                ("TZ", "UTC"),
            ])
            .await
    }
}

/// How many runs the schedule has started: the heartbeat looks once a second.
async fn runs(house: &House) -> usize {
    house.env.sleep(Duration::from_secs(9)).await;
    let ran = house.run(&["ledger", "runs", "--json", "--limit", "100"]).await.expect(0);
    ran.json().iter().filter(|run| run["job"] == "pull" && run["cause"] == "schedule").count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs libfaketime and a minute; the full proof runs it"]
async fn half_past_two_comes_once_whatever_the_clock_does() {
    let house = House::new(3).await;
    // The pull's schedule, which has no run before and after its hours as a harvest's has.
    let text = house.config_text("").replace("pull          = \"0 0 29 2 *\"", "pull = \"30 2 * * *\"");
    assert!(text.contains("30 2"), "the pull has a time");
    std::fs::write(house.config(), text).expect("written");
    house.switched_on().await;
    house.run(&["sync"]).await.expect(0);
    let clock = FakeClock::new(&house);

    // The night that is an hour longer: 2:30 in Berlin is 0:30 UTC, and once more 1:30 UTC.
    clock.set("2026-10-25 00:29:57");
    let daemon = clock.daemon(&house).await;
    assert_eq!(runs(&house).await, 1, "{}", daemon.log());
    clock.set("2026-10-25 01:29:57");
    assert_eq!(runs(&house).await, 1, "the second passage is none");
    // The night that is an hour shorter: 2:30 does not exist, its hour's end is 1:00 UTC.
    clock.set("2027-03-28 00:59:00");
    assert_eq!(runs(&house).await, 2, "what lies between two looks is made up for once");
    clock.set("2027-03-28 00:59:57");
    assert_eq!(runs(&house).await, 3);
    // Set back by months: what is due next is due, not only when the old time comes again.
    clock.set("2026-12-01 01:29:50");
    assert_eq!(runs(&house).await, 3, "not by being set back");
    assert_eq!(runs(&house).await, 4);
    // Suspended over the time: once, when it wakes.
    clock.set("2026-12-02 01:29:57");
    daemon.signal("STOP");
    house.env.sleep(Duration::from_secs(6)).await;
    daemon.signal("CONT");
    assert_eq!(runs(&house).await, 5, "{}", daemon.log());
}
