//! How far may the CRM's clock be from ours before its route stops?

use crate::support::world::{Setup, World};
use dialbridge::sim::crm::Settings as CrmSettings;

/// What the pull says of a CRM whose clock is so many seconds ahead, read by this connector.
async fn pulled(connector: &'static str, skew: i64) -> Option<String> {
    let crm = CrmSettings { clock_skew_seconds: skew, ..CrmSettings::default() };
    let world = World::new(Setup { connector, crm, ..Setup::default() }).await;
    world.record("Ada");
    let said = world.pull().await.err().map(|error| error.to_string());
    world.ends().await;
    said
}

/// A connector whose lag is ten minutes, as Odoo's, and whose overlap is two.
fn odoo_like() -> (tempfile::TempDir, &'static str) {
    let folder = tempfile::tempdir().expect("a folder");
    let text = dialbridge::crm::bundled("sim-id").expect("the bundled file");
    let text = text.replacen("lag        = \"5s\"", "lag        = \"10m\"", 1);
    let text = text.replacen("overlap    = \"5s\"", "overlap    = \"2m\"", 1);
    let path = folder.path().join("slow.toml");
    std::fs::write(&path, text).expect("a written file");
    let path = path.to_str().expect("a plain name").to_owned();
    (folder, path.leak())
}

#[tokio::test(start_paused = true)]
async fn does_a_clock_stop_the_route_just_beyond_the_overlap_and_not_at_it() {
    let (_folder, connector) = odoo_like();
    for at in [119, -119] {
        assert_eq!(pulled(connector, at).await, None, "{at}");
    }
    // Within the lag still, but the lag is for late commits.
    for beyond in [122, -122, 300] {
        let said = pulled(connector, beyond).await.expect("the route must stop");
        assert!(said.contains("and 120 are allowed"), "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn is_no_clock_held_to_less_than_a_minute() {
    for near in [58, -58] {
        assert_eq!(pulled("sim-id", near).await, None, "{near}");
    }
    for far in [62, -62] {
        let said = pulled("sim-id", far).await.expect("the route must stop");
        assert!(said.contains("and 60 are allowed"), "{said}");
    }
}
