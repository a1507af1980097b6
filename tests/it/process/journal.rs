//! The log in systemd's journal, whose socket has one place: the program runs in a namespace in which this place is a
//! folder of the test.

use super::house::House;
use std::collections::BTreeMap;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

const JOURNALD: &str = "[log]\nformat = \"journald\"\n";

/// `run`, with `folder` in the place of the journal's.
fn run_beside(house: &House, folder: &std::path::Path) -> Child {
    let program = house.command(&["run"]);
    let program = program.as_std();
    let script = "mount -t tmpfs none /run && mkdir -p /run/systemd/journal && mount --bind \"$1\" /run/systemd/journal \
                  && shift && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", script, "sh"]).arg(folder);
    command.arg(program.get_program()).args(program.get_args());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    command.spawn().expect("unshare of util-linux")
}

/// A datagram of the journal's native protocol.
fn fields(mut datagram: &[u8]) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    while let Some(end) = datagram.iter().position(|byte| *byte == b'\n') {
        let (line, rest) = (&datagram[..end], &datagram[end + 1..]);
        let line = std::str::from_utf8(line).expect("a field's name");
        if let Some((name, value)) = line.split_once('=') {
            fields.insert(name.to_owned(), value.to_owned());
            datagram = rest;
        } else {
            let (length, rest) = rest.split_first_chunk::<8>().expect("a length");
            let length = usize::try_from(u64::from_le_bytes(*length)).expect("a length");
            fields.insert(line.to_owned(), String::from_utf8_lossy(&rest[..length]).into_owned());
            datagram = &rest[length + 1..];
        }
    }
    fields
}

/// Waits until each of these runners has told of a run, in whatever order; the first such entry of each.
fn until_told<const N: usize>(journal: &UnixDatagram, runners: [&str; N]) -> [BTreeMap<String, String>; N] {
    journal.set_read_timeout(Some(Duration::from_secs(60))).expect("a time-out");
    let (mut buffer, mut entries) = (vec![0; 65_536], Vec::new());
    loop {
        let told = runners.map(|runner| {
            let of = |entry: &&BTreeMap<String, String>| {
                entry.contains_key("DIALBRIDGE_RUN")
                    && entry.get("DIALBRIDGE_RUNNER").is_some_and(|name| name.starts_with(runner))
            };
            entries.iter().find(of).cloned()
        });
        if told.iter().all(Option::is_some) {
            return told.map(Option::unwrap_or_default);
        }
        let length = journal.recv(&mut buffer).expect("an entry in time");
        entries.push(fields(&buffer[..length]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs namespaces; the gate runs it"]
async fn the_counts_of_a_run_are_fields_of_the_journal() {
    let house = House::new(4).await;
    house.write_config(JOURNALD);
    house.switched_on().await;
    let folder = house.path("journal");
    std::fs::create_dir(&folder).expect("a folder");
    let journal = UnixDatagram::bind(folder.join("socket")).expect("a socket");
    let _daemon = run_beside(&house, &folder);
    let [push, entry] = until_told(&journal, ["push", "harvest"]);
    assert_eq!((&*push["SYSLOG_IDENTIFIER"], &*push["PRIORITY"]), ("dialbridge", "6"), "{push:?}");
    assert!(push["DIALBRIDGE_DURATION_MS"].parse::<i64>().is_ok(), "{push:?}");
    assert_eq!(entry["DIALBRIDGE_CAUSE"], "start", "{entry:?}");
    let run =
        house.run(&["ledger", "show", &entry["DIALBRIDGE_RUN"], "--json"]).await.expect(0).json().remove(0);
    for (field, column) in [("DIALBRIDGE_LISTED", "listed"), ("DIALBRIDGE_REQUESTS", "requests")] {
        assert_eq!(entry[field], run["counts"][column].to_string(), "{entry:?} {run}");
    }
    assert!(entry["MESSAGE"].contains("contacts listed"), "{entry:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs namespaces; the gate runs it"]
async fn without_a_journal_nothing_is_started_and_the_way_out_is_said() {
    let house = House::new(1).await;
    house.write_config(JOURNALD);
    let folder = house.path("journal");
    std::fs::create_dir(&folder).expect("a folder");
    let ended = run_beside(&house, &folder).wait_with_output();
    let ended = tokio::time::timeout(Duration::from_secs(60), ended).await.expect("it ends").expect("it ran");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("log.format") && said.contains("\"json\""), "{said}");
    assert!(
        !house.ledger().exists() && house.crm.journal.requests_since(0).is_empty(),
        "nothing was started: {said}"
    );
    // The offline check judges the config, not the machine.
    house.run(&["check", "--offline"]).await.expect(0);
}
