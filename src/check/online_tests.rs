//! Tests of the online check against two small sides that answer from memory.

use super::*;
use crate::config::{SourceFile, Sources, load};
use crate::crm::{CrmRead, Page, PageToken, ReadContract};
use crate::dialler::{
    BatchQuery, Campaign, ContactList, ContactWithHistory, DiallerRead, Listed, ServerFacts, User,
};
use crate::domain::result_words::ResultWords;
use crate::domain::{
    CampaignId, Contact, ContactId, HistoryRow, Record, RecordId, RouteName, Timestamp, UserData,
};
use crate::env::Env;
use crate::remote::{CallClass, CallError, CallErrorKind, Side};
use futures_util::stream::StreamExt;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

fn error(side: Side, kind: CallErrorKind) -> CallError {
    CallError { side, kind, what: "something".into(), detail: "no".into(), status: None }
}

fn object(value: Value) -> serde_json::Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

#[derive(Clone)]
struct Dialler {
    campaigns: Vec<Campaign>,
    contacts: Vec<Value>,
    newest_call: &'static str,
    batch: bool,
    refuses: Option<CallErrorKind>,
}

impl Dialler {
    fn history_of(&self) -> Vec<HistoryRow> {
        let row = json!({"DiallerContactsHistoryID": 1, "dtCreatedDiallerContactsHistory": self.newest_call});
        HistoryRow::from_fields(object(row)).into_iter().collect()
    }
}

#[async_trait::async_trait]
impl DiallerRead for Dialler {
    async fn list_contacts(
        &self,
        _campaign: Option<CampaignId>,
        _class: CallClass,
    ) -> Result<ContactList, CallError> {
        let contacts: Vec<_> = self
            .contacts
            .iter()
            .filter_map(|contact| Contact::from_fields(object(contact.clone())))
            .collect();
        let items =
            futures_util::stream::iter(contacts.into_iter().map(|contact| Ok(Listed::Contact(contact))));
        Ok(ContactList::new(items.boxed(), Arc::new(AtomicU64::new(9_000_001))))
    }

    async fn contact(&self, _id: ContactId, _class: CallClass) -> Result<Option<Contact>, CallError> {
        Ok(None)
    }

    async fn contacts_by_user_data(&self, _: &UserData, _: CallClass) -> Result<Vec<Contact>, CallError> {
        Ok(Vec::new())
    }

    async fn read_batch(
        &self,
        query: &BatchQuery,
        _class: CallClass,
    ) -> Result<Option<Vec<ContactWithHistory>>, CallError> {
        let contact = |id: &ContactId| ContactWithHistory {
            contact: Contact { id: *id, campaign: None, user_data: None, fields: serde_json::Map::new() },
            result: None,
            history: self.history_of(),
        };
        Ok(self.batch.then(|| query.ids.iter().map(contact).collect()))
    }

    async fn history(&self, _id: ContactId, _class: CallClass) -> Result<Option<Vec<HistoryRow>>, CallError> {
        Ok(Some(self.history_of()))
    }

    async fn history_by_user_data(&self, _: &str) -> Result<Option<Vec<HistoryRow>>, CallError> {
        Ok(None)
    }

    async fn campaigns(&self) -> Result<Vec<Campaign>, CallError> {
        match &self.refuses {
            Some(kind) => Err(error(Side::Dialler, kind.clone())),
            None => Ok(self.campaigns.clone()),
        }
    }

    async fn users(&self) -> Result<Vec<User>, CallError> {
        Ok(Vec::new())
    }

    fn facts(&self) -> ServerFacts {
        ServerFacts { server_time: Some(noon()), ..ServerFacts::default() }
    }
}

struct Crm {
    contract: ReadContract,
    records: Vec<(&'static str, Value)>,
    /// What it says was deleted, if it has such a list.
    deleted: Option<Result<BTreeSet<RecordId>, CallErrorKind>>,
}

#[async_trait::async_trait]
impl CrmRead for Crm {
    fn contract(&self) -> &ReadContract {
        &self.contract
    }

    async fn changed_since(&self, _: Option<Timestamp>, _: Option<&PageToken>) -> Result<Page, CallError> {
        let read = |(id, fields): &(&str, Value)| Record {
            id: RecordId::from(*id),
            modified: None,
            deleted: false,
            fields: object(fields.clone()),
        };
        let records = self.records.iter().map(|record| Ok(read(record))).collect();
        Ok(Page { records, crm_time: Some(noon()), bytes: 1, ..Page::empty() })
    }

    async fn fetch(&self, _ids: &[RecordId]) -> Result<Page, CallError> {
        Err(error(Side::Crm, CallErrorKind::Unavailable))
    }

    async fn companion(&self, _name: &str) -> Result<BTreeSet<RecordId>, CallError> {
        Err(error(Side::Crm, CallErrorKind::Rejected { status: 403, text: String::new() }))
    }

    async fn count(&self) -> Result<Option<u64>, CallError> {
        Ok(Some(48_000))
    }

    async fn deleted_since(&self, _: Timestamp) -> Result<Option<BTreeSet<RecordId>>, CallError> {
        self.deleted.clone().transpose().map_err(|kind| error(Side::Crm, kind))
    }
}

/// 12:00 UTC: 13:00 in Berlin in winter.
fn noon() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().expect("a time")
}

fn dialler() -> Dialler {
    let contact = |id: u32, user_data: Value, tries: u32| json!({"ID": id, "UserData": user_data, "nTriesPhoneNumber1": tries, "DiallerCampaignsResultCodesID": null});
    Dialler {
        campaigns: vec![Campaign { id: CampaignId(551), name: "Spring leads".into() }],
        contacts: vec![
            contact(1, json!("leads-7"), 1),
            contact(2, json!("K-4711"), 0),
            contact(3, json!(null), 0),
            contact(4, json!("LEADS-8 "), 0),
        ],
        newest_call: "2026-11-23T12:58:00.123",
        batch: true,
        refuses: None,
    }
}

fn crm(record: Value) -> Crm {
    crm_of(vec![("7", record)])
}

fn crm_of(records: Vec<(&'static str, Value)>) -> Crm {
    let contract = ReadContract {
        object: "res.partner".into(),
        resolution: Duration::from_secs(1),
        lag: Duration::ZERO,
        overlap: Duration::ZERO,
        companions: vec!["blacklist".into()],
        flags: Vec::new(),
        apart: Vec::new(),
    };
    Crm { contract, records, deleted: None }
}

fn settings(folder: &tempfile::TempDir, campaign: &str) -> Settings {
    settings_with(folder, campaign, "")
}

fn settings_with(folder: &tempfile::TempDir, campaign: &str, more: &str) -> Settings {
    std::fs::write(folder.path().join("token"), "t0ken").expect("it is writable");
    let text = format!(
        r#"
[dialler]
base_url = "https://acd.example.com/rest/v1.0/3"
token_file = "token"
time_zone = "Europe/Berlin"
[crm.sales]
connector = "odoo"
base_url = "https://crm.example.com"
token_file = "token"
[route.leads]
crm = "sales"
campaign = {campaign}
only_if = "active"
[route.leads.fields]
Name = "name"
PhoneNumber1 = "phone | phone('DE')"
{more}
[ledger]
path = "l.sqlite"
"#
    );
    let name = folder.path().join("c.toml").display().to_string();
    let sources = Sources { files: vec![SourceFile { name, text }], environment: Vec::new() };
    let checked = offline(&load(&sources), &Validators { cron: &|_, _| Ok(()) });
    assert_eq!(checked.problems, Vec::new());
    checked.settings.expect("nothing is wrong")
}

async fn ask(campaign: &str, dialler: &Dialler, crm: &Crm) -> Vec<Finding> {
    ask_route("leads", campaign, dialler, crm).await
}

async fn ask_route(id: &str, campaign: &str, dialler: &Dialler, crm: &Crm) -> Vec<Finding> {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = settings(&folder, &format!("{campaign}\nid = \"{id}\""));
    let crms: BTreeMap<RouteName, &dyn CrmRead> = [(RouteName::from(id), crm as &dyn CrmRead)].into();
    online(&settings, &Sides { dialler, crms }, &Env::simulated(noon(), 1)).await
}

fn good_record() -> Value {
    json!({"name": "Anna", "phone": "030 23125000", "active": true})
}

#[track_caller]
fn says(findings: &[Finding], level: Level, text: &str) {
    let found = findings.iter().any(|finding| finding.level == level && finding.to_string().contains(text));
    assert!(found, "{level}: {text}\nnot in\n{findings:#?}");
}

#[tokio::test]
async fn both_sides_fit() {
    let findings = ask("\"Spring leads\"", &dialler(), &crm(good_record())).await;
    says(&findings, Level::Ok, "dialler: answers, the token is right, 1 campaigns");
    says(&findings, Level::Ok, "its campaign is \"Spring leads\", number 551");
    says(
        &findings,
        Level::Warning,
        "4 contacts in the campaign (read in 0 s): 2 look like ours, 1 carry another UserData, 1 none",
    );
    says(&findings, Level::Ok, "carries the current result code");
    says(&findings, Level::Ok, "the batch read is there");
    says(&findings, Level::Ok, "Europe/Berlin fits: its newest call was 1 minutes ago");
    says(&findings, Level::Ok, "48000 records of res.partner will be read");
    says(&findings, Level::Ok, "carry every name");
    says(&findings, Level::Ok, "of the first 1 records 1 would be imported");
    // The companion alone is forbidden: one error, and everything else was still asked.
    says(&findings, Level::Error, "crm.sales: CRM: something");
    assert_eq!(findings.iter().filter(|finding| finding.level == Level::Error).count(), 1, "{findings:#?}");
}

#[tokio::test]
async fn a_renamed_route_has_its_crm_asked_too() {
    let findings = ask_route("spring", "551", &dialler(), &crm(good_record())).await;
    says(&findings, Level::Ok, "48000 records of res.partner will be read");
}

#[tokio::test]
async fn a_name_that_no_record_carries_is_an_error() {
    let findings = ask("551", &dialler(), &crm(json!({"name": "Anna", "phone": "030 23125000"}))).await;
    says(&findings, Level::Error, "route.leads: only_if: a real record carries no \"active\"");
}

#[tokio::test]
async fn a_campaign_that_is_not_there_or_there_twice_is_an_error() {
    let mut twice = dialler();
    let findings = ask("\"Spring leeds\"", &twice, &crm(good_record())).await;
    says(&findings, Level::Error, "there is no campaign \"Spring leeds\" Did you mean \"Spring leads\"?");
    twice.campaigns.push(Campaign { id: CampaignId(552), name: "Spring leads".into() });
    let findings = ask("\"Spring leads\"", &twice, &crm(good_record())).await;
    says(&findings, Level::Error, "2 campaigns are called");
}

#[tokio::test]
async fn a_wrong_zone_puts_calls_into_the_future() {
    // The dialler runs in Moscow: 15:00 there when it is 12:00 UTC.
    let moscow = Dialler { newest_call: "2026-11-23 14:59:00", ..dialler() };
    let findings = ask("551", &moscow, &crm(good_record())).await;
    says(&findings, Level::Error, "read in Europe/Berlin, its newest call lies 119 minutes in the future");
    let gap = Dialler { newest_call: "2026-03-29T02:30:00.000", ..dialler() };
    says(
        &ask("551", &gap, &crm(good_record())).await,
        Level::Error,
        "an hour that Europe/Berlin does not have",
    );
    let old = Dialler { newest_call: "2026-11-23T10:00:00.000", ..dialler() };
    says(&ask("551", &old, &crm(good_record())).await, Level::Note, "was 180 minutes ago");
    let zoned = Dialler { newest_call: "2026-11-23T10:00:00.000Z", ..dialler() };
    says(&ask("551", &zoned, &crm(good_record())).await, Level::Note, "carry a zone of their own");
}

#[tokio::test]
async fn without_the_batch_read_and_the_result_code_it_says_so() {
    let mut plain = Dialler { batch: false, ..dialler() };
    for contact in &mut plain.contacts {
        contact.as_object_mut().expect("an object").remove("DiallerCampaignsResultCodesID");
    }
    let findings = ask("551", &plain, &crm(good_record())).await;
    says(&findings, Level::Note, "the batch read is not there");
    says(&findings, Level::Note, "the list of contacts carries no result code");
    says(&findings, Level::Ok, "Europe/Berlin fits");
}

#[tokio::test]
async fn a_no_by_name_that_nobody_can_hear_without_the_batch_read_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = |lines: &str| {
        let mut settings = settings(&folder, "551");
        let route = settings.routes.values_mut().next().expect("a route");
        route.opt_out_results = ResultWords::new(lines.split(','));
        route.hold_rules.words = ResultWords::new(lines.split(','));
        settings
    };
    // On the first day nobody is in the campaign yet, and it is known all the same.
    let heard = [("NEVER,538/4", false, false), ("NEVER,551/4", false, true), ("NEVER", true, true)];
    for ((words, batch, heard), called) in heard.into_iter().flat_map(|one| [(one, true), (one, false)]) {
        let contacts = if called { dialler().contacts } else { Vec::new() };
        let (dialler, crm) = (Dialler { batch, contacts, ..dialler() }, crm(good_record()));
        let crms = [(RouteName::from("leads"), &crm as &dyn CrmRead)].into();
        let findings =
            online(&keys(words), &Sides { dialler: &dialler, crms }, &Env::simulated(noon(), 1)).await;
        let deaf = findings
            .iter()
            .any(|one| one.level == Level::Error && one.text.contains("nobody who says so is heard"));
        assert_eq!(deaf, !heard, "{words}, {batch}, {called}: {findings:#?}");
    }
}

#[tokio::test]
async fn a_dialler_that_refuses_the_token_does_not_hide_the_crm() {
    let shut = Dialler { refuses: Some(CallErrorKind::Unauthorized), ..dialler() };
    let findings = ask("551", &shut, &crm(good_record())).await;
    says(&findings, Level::Error, "Put a valid token into the file that dialler.token_file names");
    says(&findings, Level::Ok, "48000 records");
}

#[tokio::test]
async fn the_list_of_deleted_records_is_asked_for_where_there_is_one() {
    let list = |deleted| Crm { deleted, ..crm(good_record()) };
    let told = |findings: &[Finding]| {
        let of_it = |finding: &&Finding| finding.text.contains("list of deleted records");
        findings.iter().find(of_it).map(|finding| finding.level)
    };
    assert_eq!(told(&ask("551", &dialler(), &list(None)).await), None);
    let findings = ask("551", &dialler(), &list(Some(Ok(BTreeSet::new())))).await;
    assert_eq!(told(&findings), Some(Level::Ok));
    let findings = ask("551", &dialler(), &list(Some(Err(CallErrorKind::WrongUrl)))).await;
    assert_eq!(told(&findings), Some(Level::Error));
    says(&findings, Level::Error, "Correct crm.sales.base_url");
}

#[tokio::test]
async fn a_name_that_some_records_lack_is_a_warning_and_the_others_are_judged() {
    let records = vec![("7", good_record()), ("8", json!({"name": "Berta", "phone": "030 23125001"}))];
    let findings = ask("551", &dialler(), &crm_of(records)).await;
    says(&findings, Level::Warning, "only_if: 1 of the first 2 records carry no \"active\"");
    says(&findings, Level::Ok, "of the first 2 records 1 would be imported");
}

const SECOND: &str = r#"
[route.others]
crm = "sales"
campaign = 551
user_data = "'leads-x-' ~ id"
[route.others.fields]
Name = "name"
PhoneNumber1 = "phone | phone('DE')"
"#;

#[tokio::test]
async fn keys_that_meet_in_real_records_are_an_error_though_the_templates_look_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = settings_with(&folder, "551", SECOND);
    let (first, other) = (crm_of(vec![("x-7", good_record())]), crm_of(vec![("7", good_record())]));
    let crms: BTreeMap<RouteName, &dyn CrmRead> =
        [(RouteName::from("leads"), &first as &dyn CrmRead), (RouteName::from("others"), &other)].into();
    let findings = online(&settings, &Sides { dialler: &dialler(), crms }, &Env::simulated(noon(), 1)).await;
    says(&findings, Level::Error, "1 of its first records get the same UserData as records of [route.leads]");
}

#[tokio::test]
async fn what_a_sweep_costs_is_estimated_from_the_first() {
    let findings = ask("551", &dialler(), &crm(good_record())).await;
    says(&findings, Level::Note, "each harvest reads this list whole: 10 MB in 0 s");
}
