//! The whole program over TLS, by the keys of its config, in an environment full of proxies.

use super::house::{House, Ran, finish};
use crate::support::fault_server::{Fault, FaultServer, answer};
use crate::support::tls::{Clients, Proxy, TlsFront, file};
use dialbridge::sim::faults::{Action, Rule};
use std::net::SocketAddr;

fn address(url: &str) -> SocketAddr {
    let host = url.trim_start_matches("http://").split('/').next().expect("a host");
    host.parse().expect("an address")
}

/// The dialler behind TLS that wants a client certificate; the CRM stays plain.
async fn over_tls(house: &mut House) -> TlsFront {
    let front = TlsFront::start("server", Clients::Known, address(&house.dialler_url)).await;
    let path = house.dialler_url.split("/rest").nth(1).expect("a path").to_owned();
    house.dialler_url = format!("{}/rest{path}", front.url());
    front
}

/// Writes the config with more keys for `[dialler]`.
fn write_config(house: &House, keys: &str) {
    let text = house.config_text("").replacen("[dialler]\n", &format!("[dialler]\n{keys}"), 1);
    std::fs::write(house.config(), text).expect("the config is written");
}

fn certificates(identity: bool) -> String {
    let line = |key: &str, name: &str| format!("{key} = \"{}\"\n", file(name).display());
    let mut text = line("ca_file", "ca.pem");
    if identity {
        text += &line("client_certificate", "client.pem");
        text += &line("client_key", "client.key");
    }
    text
}

async fn check_in(house: &House, proxy: &str) -> Ran {
    let mut command = house.command(&["check"]);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env(name, proxy).env(name.to_lowercase(), proxy);
    }
    command.env_remove("NO_PROXY").env_remove("no_proxy");
    finish(command).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_those_of_the_config_and_no_proxy_is_taken_from_the_environment() {
    let mut house = House::new(3).await;
    let _front = over_tls(&mut house).await;
    let spy = FaultServer::start([Fault::ThenClose(answer("502 No", &[], ""))]).await;
    write_config(&house, &certificates(true));
    check_in(&house, &spy.url()).await.expect(0).says("it will work");
    assert!(!house.dialler.journal().requests().is_empty() && !house.crm.journal.requests().is_empty());
    assert_eq!(spy.connections(), 0, "{:?}", spy.received());

    // Without each of the keys it says which side, and fails.
    write_config(&house, &certificates(false));
    // The server's alert comes behind its half of the handshake, and may find the connection given up already.
    let mut alert = false;
    for _ in 0..5 {
        let ran = check_in(&house, &spy.url()).await.expect(1);
        alert = ran.said().contains("CertificateRequired");
        if alert {
            break;
        }
    }
    assert!(alert, "no check of five says what the server wants");
    write_config(&house, "");
    check_in(&house, &spy.url()).await.expect(1).says("dialler.ca_file");
    assert_eq!(spy.connections(), 0, "{:?}", spy.received());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_of_the_config_carries_its_side_and_no_other() {
    let mut house = House::new(3).await;
    let _front = over_tls(&mut house).await;
    let proxy = Proxy::start().await;
    write_config(&house, &format!("{}proxy = \"{}\"\n", certificates(true), proxy.url()));
    house.run(&["check"]).await.expect(0);
    let target = address(&house.dialler_url.replace("https", "http"));
    let asked = proxy.asked();
    assert!(!asked.is_empty() && asked.iter().all(|line| *line == format!("CONNECT {target} HTTP/1.1")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compressed_answers_are_read_from_both_sides() {
    let house = House::new(300).await;
    for faults in [&house.crm.faults, house.dialler.faults()] {
        faults.add(Rule::new(Action::Gzip));
    }
    house.switched_on().await;
    house.run(&["sync"]).await.expect(0);
    assert_eq!(house.dialler.len(), 300);
    house.dial(house.contact_ids().into_iter().take(5)).await;
    house.run(&["sync", "harvest"]).await.expect(0);
    assert_eq!(house.run(&["ledger", "calls", "--json"]).await.expect(0).json().len(), 5);
    house.run(&["check"]).await.expect(0);
    house.run(&["sync"]).await.expect(0);
    assert_eq!(house.dialler.journal().requests_of("import").len(), 300, "each was sent once");
    assert!(house.run(&["ledger", "parked", "--json"]).await.expect(0).json().is_empty());
}
