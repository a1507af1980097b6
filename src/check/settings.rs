//! The config with its meaning: what the program is built from.

use crate::crm::ConnectorFile;
use crate::dialler::CampaignRef;
use crate::dialler::jtel::{Paths, Release};
use crate::domain::hold::HoldRules;
use crate::domain::identity::Watch;
use crate::domain::leave::Leaving;
use crate::domain::limits::{MissingLimits, RemovalLimits, WaveLimits};
use crate::domain::policy::{AdoptConflict, Beside, CampaignChange, Foreign, ReadBefore, Unblock, Vanished};
use crate::domain::result_words::ResultWords;
use crate::domain::{Appended, Kept, RouteName, TwoWay};
use crate::mapping::{Mapping, PhoneFormat, Telling};
use crate::remote::http::HttpOptions;
use chrono::NaiveTime;
use chrono_tz::Tz;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Everything, validated.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The dialler.
    pub dialler: DiallerSettings,
    /// The CRMs by name.
    pub crms: BTreeMap<String, CrmSettings>,
    /// The routes by name.
    pub routes: BTreeMap<RouteName, RouteSettings>,
    /// Sending.
    pub push: PushSettings,
    /// Harvesting.
    pub harvest: HarvestSettings,
    /// Country of numbers in block lists; `None` where neither `[blocks]` nor the dialler names one.
    pub blocks_country: Option<String>,
    /// What happens to contacts of others that bear a blocked number.
    pub foreign: Foreign,
    /// Block lists, each with the client within which it blocks.
    pub block_files: Vec<(String, PathBuf)>,
    /// The ledger.
    pub ledger: LedgerSettings,
    /// Logging.
    pub log: LogSettings,
    /// The Unix socket of the commands.
    pub control_socket: PathBuf,
}

/// What is known of the batch read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchRead {
    /// Ask once, remember the answer.
    Probe,
    /// It is there.
    On,
    /// It is not there.
    Off,
}

/// `[dialler]`.
#[derive(Debug, Clone)]
pub struct DiallerSettings {
    /// Address (without a '/' at its end), certificates, proxy.
    pub http: HttpOptions,
    /// The last part of the address.
    pub clients_id: u64,
    /// The token's file, or two.
    pub token_files: Vec<PathBuf>,
    /// The zone of its times.
    pub time_zone: Tz,
    /// Unset counts as older than every release that matters.
    pub release: Option<Release>,
    /// Two capitals.
    pub country: Option<String>,
    /// How numbers are sent.
    pub phone_format: PhoneFormat,
    /// The batch read.
    pub batch_read: BatchRead,
    /// Keys of one batch read.
    pub batch_size: usize,
    /// The language of result texts in it.
    pub languages_id: Option<i64>,
    /// The addresses of its operations.
    pub paths: Paths,
    /// Slots, the locks' two included.
    pub max_in_flight: usize,
    /// Requests per second.
    pub requests_per_second: Option<f64>,
    /// One request's deadline.
    pub request_timeout: Duration,
    /// Quiet time before an uncertain write is asked about.
    pub settle_after: Duration,
}

/// `[crm.NAME]`.
#[derive(Debug, Clone)]
pub struct CrmSettings {
    /// Its name.
    pub name: String,
    /// The connector file, with the config's headers in it.
    pub connector: ConnectorFile,
    /// Address (without a '/' at its end), certificates, proxy.
    pub http: HttpOptions,
    /// The token's file, or two.
    pub token_files: Vec<PathBuf>,
    /// Slots.
    pub max_in_flight: usize,
    /// Requests per second.
    pub requests_per_second: Option<f64>,
    /// One request's deadline.
    pub request_timeout: Duration,
}

/// How the CRM is told who made a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentsTold {
    /// By number.
    ByNumber,
    /// By name.
    ByName,
}

/// How a route's calls go back into the CRM.
#[derive(Debug, Clone)]
pub struct WriteBackSettings {
    /// Cron of the runs besides those after a harvest, in the route's zone.
    pub schedule: String,
    /// More waiting calls need approval.
    pub max_per_run: u32,
    /// More told within a day needs approval.
    pub max_per_day: Option<u32>,
    /// More at once than so many in a hundred of the route's contacts needs approval.
    pub max_percent: Option<u32>,
    /// A record that we write to more often is parked.
    pub max_own_changes: u32,
    /// What they become.
    pub telling: Arc<Telling>,
    /// How agents are told.
    pub agents: AgentsTold,
}

/// `[route.NAME]`.
#[derive(Debug, Clone)]
pub struct RouteSettings {
    /// Its name in the config.
    pub name: RouteName,
    /// What the ledger knows it by; its name unless the config says otherwise.
    pub id: RouteName,
    /// The CRM's name; it exists.
    pub crm: String,
    /// By name or by number.
    pub campaign: CampaignRef,
    /// The CRM's object, where it is not the connector's own.
    pub object: Option<String>,
    /// Blocks hold within it.
    pub client: String,
    /// Who lifts a block of `block_if`.
    pub unblock: Unblock,
    /// Results by which somebody says no.
    pub opt_out_results: ResultWords,
    /// What its results mean for the other routes of the client.
    pub hold_rules: HoldRules,
    /// Cron of the pull, in `time_zone`.
    pub pull: String,
    /// Cron of the harvest, in `time_zone`.
    pub harvest: String,
    /// Cron of the push, in `time_zone`.
    pub push: String,
    /// The zone of the crons and of `today`.
    pub time_zone: Tz,
    /// When `today` is looked at again.
    pub day_start: NaiveTime,
    /// How often everything is read again without being asked.
    pub full_pass: Duration,
    /// More known records that it did not name are no deletions, but a doubt.
    pub missing: MissingLimits,
    /// How old a decision may be.
    pub max_decision_age: Duration,
    /// Whose value wins at adoption.
    pub adopt_conflict: AdoptConflict,
    /// What follows a contact's deletion by others.
    pub vanished: Vanished,
    /// More contacts that the dialler does not name any more wait for a person.
    pub max_vanished: MissingLimits,
    /// What becomes of the contacts in the campaign that the route had before.
    pub campaign_change: CampaignChange,
    /// What becomes of the contacts of records that leave.
    pub leaving: Arc<Leaving>,
    /// More deletions of who left, and resets of who is back, need approval.
    pub max_deleted: RemovalLimits,
    /// Country of numbers without a prefix: the route's, else the dialler's.
    pub country: Option<String>,
    /// Contacts that are not ours.
    pub beside: Beside,
    /// More new contacts, or more changed ones, need approval.
    pub waves: WaveLimits,
    /// New contacts a day.
    pub max_new_per_day: u32,
    /// Cron of the reconcile; `None`: only by hand.
    pub reconcile: Option<String>,
    /// So many records by chance are compared on both sides each hour; 0: none.
    pub sample: u32,
    /// How its calls go back into the CRM; `None`: not at all.
    pub write_back: Option<WriteBackSettings>,
    /// The mapped fields that are the dialler's after the import.
    pub kept: Kept,
    /// The mapped fields of which the CRM has a part only, between marks.
    pub append: Appended,
    /// The fields that both sides may change, each with what decides a conflict.
    pub two_way: TwoWay,
    /// Whether a contact is read right before an update, for what agents changed since the last sweep.
    pub read_before_update: ReadBefore,
    /// Changed contacts a day.
    pub max_changed_per_day: Option<u32>,
    /// Conditions, join key and fields, compiled.
    pub mapping: Arc<Mapping>,
}

/// `[push]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushSettings {
    /// Waits between the tries of one operation; never empty; the last one repeats.
    pub retry: Vec<Duration>,
    /// Cap on Retry-After.
    pub max_retry_after: Duration,
    /// A contact's calls must have come to rest for so long before it is deleted.
    pub settle_calls: Duration,
    /// From when on all wished locks are sent again, in the dialler's zone.
    pub standing_locks: NaiveTime,
}

/// `[harvest]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HarvestSettings {
    /// The audit's round over contacts with a try or a result in 14 days.
    pub audit_active: Duration,
    /// The audit's round over all others.
    pub audit_rest: Duration,
}

/// `[ledger]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerSettings {
    /// The file.
    pub path: PathBuf,
    /// How long bodies of failed operations are kept.
    pub keep_bodies: Duration,
    /// How long runs, attempts and answered hints are kept.
    pub keep_runs: Duration,
    /// How long the values in the trail of changes are kept.
    pub keep_changes: Duration,
    /// By what it knows its home; without a word: by machine and path, in a container by the file alone.
    pub watch: Option<Watch>,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
    /// Into systemd's journal, each field as a field of its own.
    Journald,
}

/// `[log]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// The form.
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: String,
}
