//! The judge of what the CRM was told by a program that is killed again and again: by the CRM's own activities.

use super::house::House;
use dialbridge::domain::Timestamp;
use dialbridge::sim::faults::{Action, Rule};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What is in doubt is asked about after twice the CRM's time-out, at least a minute, and the connector's lag.
const QUIET: Duration = Duration::from_secs(130);

/// Calls that go back into a CRM which doubles whatever is blindly repeated.
#[derive(Debug, Default)]
pub struct Telling {
    /// Write-backs whose request was on its way when their process died, by number.
    in_doubt: BTreeSet<i64>,
}

impl Telling {
    /// From now on the house's calls are told, by a connector without an external key.
    pub fn begin(house: &House) -> Self {
        let telling = "write_back = \"0 0 29 2 *\"\n[route.leads.activity]\nsubject = \"'call ' ~ call\"\n\
                       [route.leads.result_fields]\ncalls = \"calls\"\n[route.leads.fields]";
        let text = house.config_text("").replacen("\"sim-id\"", "\"sim-offset\"", 1);
        std::fs::write(house.config(), text.replacen("[route.leads.fields]", telling, 1)).expect("written");
        Self::default()
    }

    /// The CRM takes as long for an activity as the dialler does for a contact.
    pub fn slow(&self, house: &House, latency: Action) {
        house.crm.faults.clear();
        house.crm.faults.add(Rule::new(latency).path("/activities"));
    }

    /// Notes what a death left in doubt: what the ledger has as being sent, of which the CRM has seen a request.
    pub async fn note(&mut self, house: &House, began: Timestamp) {
        if !house.ledger().exists() {
            return;
        }
        let posted = house.crm.journal.requests_where(|asked| {
            asked.kind.write && asked.path.contains("/activities") && asked.at >= began
        });
        if posted.is_empty() {
            return;
        }
        let sending = open(house)
            .await
            .into_iter()
            .filter(|row| row["state"] == "sending" && row["kind"] == "activity");
        self.in_doubt.extend(sending.filter_map(|row| row["id"].as_i64()));
    }

    /// How many really were.
    pub fn in_doubt(&self) -> usize {
        self.in_doubt.len()
    }

    /// No call has two activities; and once what was in doubt could be asked about, every call has one.
    pub async fn judge(&self, house: &House, to_the_end: bool) {
        house.crm.faults.clear();
        let once = told(house);
        assert!(once.values().all(|times| *times == 1), "told twice: {once:?}");
        if !to_the_end {
            assert!(!once.is_empty(), "nothing was told: this has tested nothing");
            return;
        }
        assert!(
            self.in_doubt() >= 5,
            "only {} tellings were in doubt: this has tested little",
            self.in_doubt()
        );
        house.env.sleep(QUIET).await;
        house.run(&["sync", "write-back"]).await.expect(0);
        every_call_was_told_once(house).await;
    }
}

/// Nothing is open any more, and the CRM has each call once.
pub async fn every_call_was_told_once(house: &House) {
    assert_eq!(open(house).await, Vec::<Value>::new(), "all is settled");
    let once = told(house);
    assert!(once.values().all(|times| *times == 1), "told twice: {once:?}");
    let calls =
        house.run(&["ledger", "calls", "--route", "leads", "--limit", "100000", "--json"]).await.expect(0);
    for call in calls.json() {
        let subject = format!("call {}", call["call"]);
        assert!(once.contains_key(&subject) || call["test_call"] == true, "{subject} was never told");
    }
}

async fn open(house: &House) -> Vec<Value> {
    house.run(&["results", "open", "--limit", "100000", "--json"]).await.expect(0).json()
}

/// How often the CRM has each call.
fn told(house: &House) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for activity in house.crm.activities() {
        let subject = activity.fields.get("subject").and_then(Value::as_str).unwrap_or_default().to_owned();
        *times.entry(subject).or_default() += 1;
    }
    times
}
