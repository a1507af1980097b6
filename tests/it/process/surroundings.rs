//! What stands around the program: a CRM that is down at the start, who may give commands, the simulators as servers.

use super::house::{House, finish, program};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Child;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crm_that_is_down_keeps_the_daemon_from_nothing_else() {
    let mut house = House::new(5).await;
    house.switched_on().await;
    house.run(&["sync", "push"]).await.expect(0);
    let nobody = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.local_addr().expect("an address")
    };
    house.crm_url = format!("http://{nobody}");
    house.write_config("");
    let mut daemon = house.daemon().await;
    house.dial(house.contact_ids()).await;
    house.run(&["sync", "pull"]).await.expect(1);
    house.run(&["sync", "harvest"]).await.expect(0);
    assert_eq!(house.run(&["ledger", "calls", "--json"]).await.expect(0).json().len(), 5);
    house.run(&["block", "add", "--number", &house.number(1), "--reason", "said no"]).await.expect(0);
    house.run(&["sync", "push"]).await.expect(0);
    assert!(house.dialler.contacts_with("leads-1")[0].locked);
    assert!(house.run(&["ledger", "parked", "--json"]).await.expect(0).json().is_empty());
    daemon.signal("TERM");
    assert_eq!(daemon.ended().await.code(), Some(0), "{}", daemon.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_are_the_groups_to_give_and_bear_the_name_of_who_gave_them() {
    let house = House::new(2).await;
    house.switched_on().await;
    let add = async |number: &str| {
        house.run(&["block", "add", "--number", number, "--reason", "no"]).await.expect(0);
    };
    add("+49 30 23125 991").await;
    let _daemon = house.daemon().await;
    let socket = std::fs::metadata(house.path("control.sock")).expect("a socket");
    assert_eq!(socket.permissions().mode() & 0o777, 0o660);
    add("+49 30 23125 992").await;
    let list = house.run(&["block", "list", "--json"]).await.expect(0).json();
    let who = |number: &str| {
        let row = list.iter().find(|row| row["subject"].to_string().contains(number)).expect("a block");
        row["who"].as_str().expect("a name").to_owned()
    };
    let (alone, beside) = (who("23125991"), who("23125992"));
    assert!(alone.starts_with("user:"), "{alone}");
    let uid = std::fs::metadata(house.config()).expect("a file").uid();
    assert_eq!(beside, format!("uid:{uid}"), "the peer's, which cannot be claimed");
}

/// A child whose words go into a file; killed when dropped.
struct Talking {
    child: Child,
    words: PathBuf,
}

impl Talking {
    fn start(folder: &Path, args: &[&str]) -> Self {
        let words = folder.join("words");
        let file = std::fs::File::create(&words).expect("a file");
        let child = program(Path::new("/nonexistent"), args)
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(Stdio::inherit())
            .spawn()
            .expect("it starts");
        Self { child, words }
    }

    async fn says(&mut self, house: &House, text: &str) -> String {
        for _ in 0..6_000 {
            let said = std::fs::read_to_string(&self.words).expect("text");
            if said.contains(text) {
                return said;
            }
            assert_eq!(self.child.try_wait().expect("a child"), None, "it ended: {said}");
            house.env.sleep(Duration::from_millis(20)).await;
        }
        panic!("it never says {text:?}");
    }

    async fn interrupted(&mut self) -> Option<i32> {
        let pid = self.child.id().expect("it runs").to_string();
        let sent = std::process::Command::new("kill").args(["-INT", &pid]).status();
        assert!(sent.expect("kill is there").success());
        let ended = tokio::time::timeout(Duration::from_secs(60), self.child.wait()).await;
        ended.expect("it ends").expect("it was ours").code()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_simulators_serve_whoever_has_their_addresses() {
    let house = House::new(0).await;
    let mut servers = Talking::start(&house.path(""), &["simulate", "--records", "7"]);
    let said = servers.says(&house, "Ctrl-C ends both").await;
    let urls: Vec<&str> = said.split_whitespace().filter(|word| word.starts_with("http://")).collect();
    assert_eq!(urls.len(), 2, "two addresses: {said}");
    // The config that is printed is one to begin with.
    let config =
        said.split("[dialler]").nth(1).and_then(|rest| rest.split("Ctrl-C").next()).expect("a config");
    std::fs::write(house.config(), format!("[dialler]{config}")).expect("written");
    house.write_token("sim-token", "sim-token");
    house.run(&["check", "--offline"]).await.expect(0).says("it will work");
    house.run(&["check"]).await.expect(0).says("7 records");
    house.switched_on().await;
    house.run(&["sync"]).await.expect(0);
    assert_eq!(house.run(&["contacts", "list", "--json"]).await.expect(0).json().len(), 7);
    assert_eq!(servers.interrupted().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demo_that_is_kept_goes_on_until_it_is_told_to_end() {
    let house = House::new(0).await;
    let home = house.path("demo");
    let folder = home.to_str().expect("a plain name");
    let args = ["demo", "--keep", "--records", "100", "--folder", folder];
    let mut demo = Talking::start(&house.path(""), &args);
    demo.says(&house, "Everything goes on running").await;
    let config = home.join("dialbridge.toml");
    let status = finish(program(&config, &["status"])).await.expect(0);
    assert!(!status.out.contains("the daemon is not running"), "{}", status.said());
    finish(program(&config, &["ledger", "runs"])).await.expect(0);
    assert_eq!(demo.interrupted().await, Some(0));
    finish(program(&config, &["status"])).await.expect(0).says("the daemon is not running");
}
