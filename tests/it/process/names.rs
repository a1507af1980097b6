//! Routes and clients as people name them.

use super::house::House;

/// A second route of another client, whose name and id differ.
const SECOND: &str = r#"
[route.autumn]
id            = "autumn-2"
client        = "second"
crm           = "sales"
campaign      = 538
user_data     = "'autumn-' ~ id"
pull          = "0 0 29 2 *"
push          = "0 0 29 2 *"
harvest       = "0 0 29 2 *"
beside        = "ignore"

[route.autumn.fields]
Name          = "name"
PhoneNumber1  = "phone | phone('DE')"
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_verb_takes_a_route_by_name_and_by_id_and_refuses_others() {
    let house = House::new(3).await;
    house.write_config(SECOND);
    house.run(&["sync", "pull"]).await.expect(0);
    for name in ["autumn", "autumn-2"] {
        house.run(&["sync", "pull", "--route", name]).await.expect(0).says("pull autumn-2");
        house.run(&["route", "dry", name, "--reason", "look"]).await.expect(0).says("dry");
        house.run(&["try", "--route", name, "1"]).await.expect(0).says("autumn-1");
        assert!(!house.run(&["ledger", "runs", "--route", name, "--json"]).await.expect(0).json().is_empty());
        for verb in ["operations", "parked", "skipped", "calls"] {
            house.run(&["ledger", verb, "--route", name]).await.expect(0);
        }
        house.run(&["ledger", "retry", "--all", "--route", name]).await.expect(0).says("nothing is parked");
    }
    let wrong: &[&[&str]] = &[
        &["sync", "--route", "autum"],
        &["route", "on", "autum", "--reason", "x"],
        &["try", "--route", "autum", "1"],
        &["ledger", "runs", "--route", "autum"],
        &["ledger", "retry", "--all", "--route", "autum"],
        &["block", "add", "--route", "autum", "--record", "1", "--reason", "x"],
    ];
    for verb in wrong {
        let ran = house.run(verb).await.expect(2).says("there is no route autum");
        assert!(ran.err.contains("Did you mean \"autumn\"?") && ran.out.is_empty(), "{}", ran.said());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_holds_within_the_client_of_its_route_and_never_within_none() {
    let house = House::new(3).await;
    house.run(&["sync", "pull"]).await.expect(0);
    let add = ["block", "add", "--number", "+49 30 23125 999", "--reason", "no"];
    house.run(&add).await.expect(0);
    house.write_config(SECOND);
    house.run(&["sync", "pull"]).await.expect(0);
    house.run(&add).await.expect(2).says("several clients").says("--client default or --client second");
    let within = |client| [&add[..], &["--client", client]].concat();
    house.run(&within("secnd")).await.expect(2).says("there is no client secnd").says("\"second\"");
    house.run(&within("second")).await.expect(0).says("1 of them new");
    house.run(&["block", "add", "--route", "autumn", "--record", "2", "--reason", "no"]).await.expect(0);
    let blocks = house.run(&["block", "list", "--client", "second", "--json"]).await.expect(0).json();
    assert_eq!(blocks.len(), 2, "{blocks:?}");
    assert!(blocks.iter().all(|block| block["client"] == "second"), "{blocks:?}");
    let lift = ["block", "remove", "--route", "autumn-2", "--record", "2", "--reason", "back"];
    house.run(&lift).await.expect(0).says("1 blocks lifted");
    house.run(&["block", "list", "--ended"]).await.expect(0).says("back");
}
