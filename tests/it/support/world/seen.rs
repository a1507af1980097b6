//! What can be seen in a world, of both sides and of the ledger.

use super::{World, key};
use dialbridge::domain::Timestamp;
use dialbridge::ledger::{ParkedItem, RunRow};
use dialbridge::sim::crm::{Editor, SimCrm};
use dialbridge::sim::dialler::SimContact;
use dialbridge::sim::journal::Asked;
use serde_json::{Value, json};
use std::sync::Arc;

impl World {
    /// Now.
    pub fn now(&self) -> Timestamp {
        self.env.now()
    }

    /// Whoever edits the CRM.
    pub fn editor(&self) -> Editor {
        self.crm.editor()
    }

    /// A record with a name and a number of its own.
    pub fn record(&self, name: &str) -> u64 {
        let editor = self.editor();
        let n = editor.ids().len() + 1;
        editor.create(json!({
            "name": name, "phone": format!("+49 30 23125 {n:03}"), "email": "a@example.com", "city": "Ulm",
            "zip": "89073", "street": "Hafengasse 1", "stage": "new", "score": 5, "comment": false, "do_not_call": false,
        }))
    }

    /// The number of a record made by [`Self::record`], as E.164.
    pub fn number(&self, id: u64) -> String {
        let phone = self.editor().field(id, "phone").expect("a record");
        phone.as_str().expect("a number").chars().filter(|c| !c.is_whitespace()).collect()
    }

    /// The contacts with a record's UserData on route `leads`.
    pub fn contacts(&self, id: u64) -> Vec<Arc<SimContact>> {
        self.dialler.contacts_with(&key(id))
    }

    /// The one contact of a record.
    #[track_caller]
    pub fn contact(&self, id: u64) -> Arc<SimContact> {
        let found = self.contacts(id);
        assert_eq!(found.len(), 1, "contacts of record {id}: {found:?}");
        found[0].clone()
    }

    /// A field of a record's contact.
    #[track_caller]
    pub fn value(&self, id: u64, field: &str) -> Value {
        self.contact(id).get(field)
    }

    /// Whether a record's contact is locked.
    #[track_caller]
    pub fn locked(&self, id: u64) -> bool {
        self.contact(id).locked
    }

    /// The number the dialler's journal gives next.
    pub fn mark(&self) -> u64 {
        self.dialler.journal().mark()
    }

    /// What the dialler was asked to change since.
    pub fn writes_since(&self, mark: u64) -> Vec<Asked> {
        self.dialler.journal().requests_where(|asked| asked.seq >= mark && asked.kind.write)
    }

    /// The same as `kind contact-or-key`, for messages and comparison.
    pub fn writes(&self, mark: u64) -> Vec<&'static str> {
        self.writes_since(mark).iter().map(|asked| asked.kind.name).collect()
    }

    /// What is parked, in words: `record: reason`.
    pub async fn parked(&self) -> Vec<String> {
        let items: Vec<ParkedItem> = self.ledger().parked_list(None, 1000).await.expect("a list");
        items.iter().map(|item| format!("{}: {}", item.record.as_deref().unwrap_or("?"), item.text)).collect()
    }

    /// The newest runs first.
    pub async fn runs(&self) -> Vec<RunRow> {
        self.ledger().runs_list(None, 1000).await.expect("runs")
    }

    /// What happened, for a message: operations and runs as the ledger has them, and the dialler's requests.
    pub async fn story(&self) -> String {
        let operations = self.ledger().operations_list(None, false, 200).await.expect("operations");
        let runs = self.runs().await;
        let mut text = String::from("operations:\n");
        for operation in operations {
            text.push_str(&format!("  {}\n", json!(operation)));
        }
        text.push_str("runs:\n");
        for run in runs.iter().rev().take(60) {
            text.push_str(&format!(
                "  {} {} {} {}\n",
                run.started_at,
                run.job.as_str(),
                run.state,
                run.balance()
            ));
        }
        text.push_str("requests:\n");
        for asked in self.dialler.journal().requests() {
            let body = String::from_utf8_lossy(&asked.body).chars().take(120).collect::<String>();
            text.push_str(&format!(
                "  {} {} {} {body} -> {:?}\n",
                asked.at, asked.kind.name, asked.path, asked.answered
            ));
        }
        text
    }

    /// What `ledger contact` says of a record.
    pub async fn told(&self, id: u64) -> String {
        dialbridge::cli::contact_told(&self.settings, self.ledger(), key(id)).await.expect("a story")
    }

    /// Writes into the CRMs so far.
    pub fn crm_writes(&self) -> usize {
        let writes = |crm: &SimCrm| crm.journal.requests().iter().filter(|asked| asked.kind.write).count();
        writes(&self.crm) + writes(&self.second_crm)
    }
}
