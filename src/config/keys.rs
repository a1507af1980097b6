//! Every key there is: one list from which the structs, the check of a file and the reader are made.
//!
//! `config/defaults.toml` explains each key to people; a test holds the two against each other.

use super::Setting;
use super::kind::{FromRaw, KeySpec, Kind, Leaves, NameOrNumber, Need, SectionSpec};
use crate::domain::Place;
use crate::domain::hold::{CoolOff, UnmappedAbort};
use crate::domain::identity::Watch;
use crate::domain::policy::{AdoptConflict, Beside, CampaignChange, Foreign, Unblock, Vanished};
use std::collections::BTreeMap;
use std::time::Duration;

macro_rules! setting {
    (Default $t:ty) => { Setting<$t> };
    (Optional $t:ty) => { Option<Setting<$t>> };
    (Required $t:ty) => { Option<Setting<$t>> };
}

macro_rules! take {
    (Default $leaves:ident $name:ident) => {
        read($leaves, stringify!($name)).expect(
            "config/defaults.toml holds a right value of every key with a default, and wrong ones are dropped \
             before the layers are joined; a test reads all of them",
        )
    };
    ($need:ident $leaves:ident $name:ident) => {
        read($leaves, stringify!($name))
    };
}

macro_rules! sections {
    ($($(#[$doc:meta])* $raw:ident $section:literal named $named:literal {
        $($(#[$key_doc:meta])* $name:ident: $t:ty, $need:ident, $kind:expr;)+
    })+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq)]
            pub struct $raw {
                /// The line of its header; without a line where no file has the section.
                pub place: Place,
                $($(#[$key_doc])* pub $name: setting!($need $t),)+
            }

            impl $raw {
                pub(super) fn take(place: Place, leaves: &Leaves) -> Self {
                    Self { place, $($name: take!($need leaves $name),)+ }
                }
            }
        )+

        /// All sections with all their keys.
        pub const SECTIONS: &[SectionSpec] = &[$(SectionSpec {
            name: $section,
            named: $named,
            keys: &[$(KeySpec { name: stringify!($name), kind: $kind, need: Need::$need },)+],
        },)+];
    };
}

fn read<T: FromRaw>(leaves: &Leaves, key: &str) -> Option<Setting<T>> {
    let leaf = leaves.get(key)?;
    T::from_raw(&leaf.value).map(|value| Setting { value, place: leaf.place.clone() })
}

const SECOND: u64 = 1;
const MINUTE: u64 = 60;
const HOUR: u64 = 3_600;
const DAY: u64 = 86_400;

const UNBLOCK: &[&str] = &[Unblock::Person.as_str(), Unblock::Source.as_str()];
const ADOPT: &[&str] = &[AdoptConflict::CrmOwned.as_str(), AdoptConflict::KeepDialler.as_str()];
const BESIDE: &[&str] = &[Beside::Hold.as_str(), Beside::Ignore.as_str()];
const FOREIGN: &[&str] = &[Foreign::Lock.as_str(), Foreign::Report.as_str()];
const WATCH: &[&str] = &[Watch::Host.as_str(), Watch::File.as_str()];
const UNMAPPED: &[&str] = &[UnmappedAbort::Hold.as_str(), UnmappedAbort::Pass.as_str()];
const CAMPAIGN_CHANGE: &[&str] =
    &[CampaignChange::Refuse.as_str(), CampaignChange::Move.as_str(), CampaignChange::Keep.as_str()];
const VANISHED: &[&str] = &[Vanished::Mark.as_str(), Vanished::Import.as_str()];

sections! {
    /// `[dialler]`.
    RawDialler "dialler" named false {
        /// Up to and with the ClientsID.
        base_url: String, Required, Kind::Text;
        /// Where the token lies: one path, or two while it is being rotated.
        token_file: Vec<String>, Required, Kind::OneOrTwo;
        /// The zone of its times, which carry none.
        time_zone: String, Required, Kind::Text;
        /// The jtel release: decides what an import may do.
        release: String, Optional, Kind::Text;
        /// Country of the numbers that the dialler holds without an international prefix.
        country: String, Optional, Kind::Text;
        /// How numbers are sent.
        phone_format: String, Default, Kind::Choice(&["digits", "e164"]);
        /// Whether the batch read is there.
        batch_read: String, Default, Kind::Choice(&["probe", "on", "off"]);
        /// Keys of one batch read.
        batch_size: u32, Default, Kind::Integer(1, 100);
        /// The language of result texts in the batch read (`languagesID`).
        languages_id: u32, Optional, Kind::Integer(1, 1_000_000);
        /// Addresses of its operations that differ from the documented ones.
        paths: BTreeMap<String, Setting<String>>, Optional, Kind::Texts;
        /// Requests at the same time, locks' own two slots included.
        max_in_flight: u32, Default, Kind::Integer(3, 64);
        /// Requests per second, all classes together.
        requests_per_second: f64, Optional, Kind::Number(0.1, 1_000.0);
        /// Deadline of one request; long downloads are held to a least speed instead.
        request_timeout: Duration, Default, Kind::Duration(SECOND, 10 * MINUTE);
        /// Quiet time before an uncertain write is asked about.
        settle_after: Duration, Optional, Kind::Duration(SECOND, DAY);
        /// Plain HTTP by explicit choice.
        allow_http: bool, Default, Kind::Bool;
        /// Certificates (PEM) believed instead of the system's.
        ca_file: String, Optional, Kind::Text;
        /// Our certificate (PEM).
        client_certificate: String, Optional, Kind::Text;
        /// Its key (PEM).
        client_key: String, Optional, Kind::Text;
        /// Proxy; none by default, whatever the environment says.
        proxy: String, Optional, Kind::Text;
    }

    /// `[crm.NAME]`.
    RawCrm "crm" named true {
        /// A bundled connector's name, or the path of a connector file.
        connector: String, Required, Kind::Text;
        /// The CRM's address, without the API's path.
        base_url: String, Required, Kind::Text;
        /// Where the token lies: one path, or two while it is being rotated.
        token_file: Vec<String>, Required, Kind::OneOrTwo;
        /// Headers of every request beyond the connector's own; no secrets.
        headers: BTreeMap<String, Setting<String>>, Optional, Kind::Texts;
        /// Requests at the same time.
        max_in_flight: u32, Default, Kind::Integer(1, 64);
        /// Requests per second.
        requests_per_second: f64, Optional, Kind::Number(0.1, 1_000.0);
        /// Deadline of one request.
        request_timeout: Duration, Default, Kind::Duration(SECOND, 10 * MINUTE);
        /// Plain HTTP by explicit choice.
        allow_http: bool, Default, Kind::Bool;
        /// Certificates (PEM) believed instead of the system's.
        ca_file: String, Optional, Kind::Text;
        /// Our certificate (PEM).
        client_certificate: String, Optional, Kind::Text;
        /// Its key (PEM).
        client_key: String, Optional, Kind::Text;
        /// Proxy; none by default, whatever the environment says.
        proxy: String, Optional, Kind::Text;
    }

    /// `[route.NAME]`.
    RawRoute "route" named true {
        /// The name of a `[crm.NAME]`.
        crm: String, Required, Kind::Text;
        /// The campaign, by name (pinned by ID once resolved) or number.
        campaign: NameOrNumber, Required, Kind::NameOrNumber;
        /// The CRM's object, where it is not the connector's own.
        object: String, Optional, Kind::Text;
        /// What the ledger knows the route by, so that it can be renamed.
        id: String, Optional, Kind::Text;
        /// Whose list it is: blocks hold within one client.
        client: String, Default, Kind::Text;
        /// Eligible now.
        only_if: String, Optional, Kind::Text;
        /// Must not be called, by whatever route.
        block_if: String, Optional, Kind::Text;
        /// Who lifts a block that `block_if` made.
        unblock: String, Default, Kind::Choice(UNBLOCK);
        /// Results by which somebody says no: by export key, by name, or as CAMPAIGN/CODE.
        opt_out_results: Vec<String>, Optional, Kind::TextList;
        /// What an abort (or a result of unknown type) without a word in `results` means for other routes.
        unmapped_abort: String, Default, Kind::Choice(UNMAPPED);
        /// For how long other routes leave somebody alone after a final result.
        cool_off: CoolOff, Optional, Kind::CoolOff;
        /// The join key's template.
        user_data: String, Optional, Kind::Text;
        /// Cron of the pull.
        pull: String, Default, Kind::Text;
        /// Cron of the harvest; one campaign is harvested as often as its most frequent route asks.
        harvest: String, Default, Kind::Text;
        /// Cron of the push besides the one after each pull.
        push: String, Default, Kind::Text;
        /// Cron of the write-back besides the one after each harvest; without it no call goes back into the CRM.
        write_back: String, Optional, Kind::Text;
        /// Cron of the reconcile; `never`: only by hand.
        reconcile: String, Default, Kind::Text;
        /// So many records by chance are compared on both sides each hour; 0: none.
        sample: u32, Default, Kind::Integer(0, 500);
        /// The zone of the crons and of `today`.
        time_zone: String, Optional, Kind::Text;
        /// When conditions that depend on the date are decided again.
        day_start: String, Default, Kind::Text;
        /// How often everything is read again without being asked.
        full_pass: Duration, Default, Kind::Duration(HOUR, 31 * DAY);
        /// More known records that a full pass does not name wait for a person.
        max_missing: u32, Default, Kind::Integer(1, 10_000_000);
        /// The same in a hundred of those that are known.
        max_missing_percent: u32, Default, Kind::Integer(1, 100);
        /// How old a decision may be when what makes somebody callable is sent.
        max_decision_age: Duration, Default, Kind::Duration(MINUTE, HOUR);
        /// Whose value wins where an adopted contact differs.
        adopt_conflict: String, Default, Kind::Choice(ADOPT);
        /// What follows when somebody else deleted the contact.
        vanished: String, Default, Kind::Choice(VANISHED);
        /// More contacts that the dialler does not name any more wait for a person.
        max_vanished: u32, Default, Kind::Integer(1, 10_000_000);
        /// The same in a hundred of the route's contacts in a campaign.
        max_vanished_percent: u32, Default, Kind::Integer(1, 100);
        /// What becomes of the route's contacts when it gets another campaign.
        campaign_change: String, Default, Kind::Choice(CAMPAIGN_CHANGE);
        /// What becomes of the contact of a record that leaves, by reason.
        leave: BTreeMap<String, Setting<String>>, Optional, Kind::Words;
        /// Dialler field = text: what `mark` in `leave` sets.
        mark: BTreeMap<String, Setting<String>>, Optional, Kind::Texts;
        /// More deletions of contacts than that in one run need approval.
        max_deleted_per_run: u32, Default, Kind::Integer(0, 10_000_000);
        /// More within a day need approval.
        max_deleted_per_day: u32, Default, Kind::Integer(0, 10_000_000);
        /// More contacts that only a changed condition locks need approval.
        max_locked_by_scope: u32, Default, Kind::Integer(0, 10_000_000);
        /// The same in a hundred of the route's contacts.
        max_locked_by_scope_percent: u32, Default, Kind::Integer(0, 100);
        /// More in a hundred of the route's contacts need approval.
        max_deleted_percent: u32, Default, Kind::Integer(0, 100);
        /// What happens to a value that does not fit its field.
        too_long: String, Default, Kind::Choice(&["cut", "park"]);
        /// Country of numbers without an international prefix.
        country: String, Optional, Kind::Text;
        /// What contacts in the campaign that are not ours mean.
        beside: String, Default, Kind::Choice(BESIDE);
        /// More new contacts than that in one run need approval.
        max_new_per_run: u32, Default, Kind::Integer(0, 10_000_000);
        /// The same in a hundred of the route's contacts.
        max_new_percent: u32, Optional, Kind::Integer(0, 1000);
        /// New contacts a day; the rest waits for the next one.
        max_new_per_day: u32, Default, Kind::Integer(1, 10_000_000);
        /// More changed contacts than that in one run need approval.
        max_changed_per_run: u32, Default, Kind::Integer(0, 10_000_000);
        /// The same in a hundred of the route's contacts.
        max_changed_percent: u32, Optional, Kind::Integer(0, 100);
        /// Changed contacts a day; the rest waits for the next one.
        max_changed_per_day: u32, Optional, Kind::Integer(1, 10_000_000);
        /// Whether agents are told by their names.
        agents: bool, Default, Kind::Bool;
        /// More waiting calls than that are not told to the CRM without approval.
        max_write_back_per_run: u32, Default, Kind::Integer(0, 10_000_000);
        /// The same in a hundred of the route's contacts.
        max_write_back_percent: u32, Optional, Kind::Integer(0, 1000);
        /// More told within a day than that needs approval.
        max_write_back_per_day: u32, Optional, Kind::Integer(1, 10_000_000);
        /// So often one record's fields are written within an hour, or the same values brought back within a day.
        max_own_changes: u32, Default, Kind::Integer(1, 10_000);
        /// The CRM's word for a result: by export key, by name, or as CAMPAIGN/CODE.
        results: BTreeMap<String, Setting<String>>, Optional, Kind::Texts;
        /// Field of a call's activity in the CRM = expression over the call.
        activity: BTreeMap<String, Setting<String>>, Optional, Kind::Texts;
        /// Field of the record in the CRM = expression over its calls.
        result_fields: BTreeMap<String, Setting<String>>, Optional, Kind::Texts;
        /// Field of the record in the CRM = expression over what blocks it.
        block_fields: BTreeMap<String, Setting<String>>, Optional, Kind::Texts;
        /// Field of the record in the CRM = expression over where it stands in the dialler.
        status_fields: BTreeMap<String, Setting<String>>, Optional, Kind::Texts;
        /// Whether a contact is read right before its fields are changed.
        read_before_update: bool, Default, Kind::Bool;
        /// Mapped field = whose it is once its contact is there.
        owners: BTreeMap<String, Setting<String>>, Optional, Kind::Texts;
        /// Two-way field = whose value stands where both sides changed it.
        two_way: BTreeMap<String, Setting<String>>, Optional, Kind::Texts;
        /// Dialler field = expression over the record.
        fields: BTreeMap<String, Setting<String>>, Required, Kind::Texts;
    }

    /// `[push]`.
    RawPush "push" named false {
        /// Waits between the tries of one operation; the last one repeats.
        retry: Vec<Duration>, Default, Kind::Durations(SECOND, DAY);
        /// A Retry-After is honoured up to this.
        max_retry_after: Duration, Default, Kind::Duration(SECOND, DAY);
        /// A contact's calls must have come to rest for so long before it is deleted.
        settle_calls: Duration, Default, Kind::Duration(MINUTE, DAY);
        /// From when on all wished locks are sent again, in the dialler's zone.
        standing_locks: String, Default, Kind::Text;
    }

    /// `[harvest]`.
    RawHarvest "harvest" named false {
        /// The rolling audit reads contacts with a try or a result in the last 14 days this often.
        audit_active: Duration, Default, Kind::Duration(HOUR, 30 * DAY);
        /// And all others this often.
        audit_rest: Duration, Default, Kind::Duration(HOUR, 365 * DAY);
    }

    /// `[blocks]`.
    RawBlocks "blocks" named false {
        /// Country of numbers in block lists without an international prefix.
        country: String, Optional, Kind::Text;
        /// What happens to contacts of others that bear a blocked number.
        foreign: String, Default, Kind::Choice(FOREIGN);
        /// Client = its block lists, read at the start and whenever they change.
        files: BTreeMap<String, Setting<String>>, Optional, Kind::Paths;
    }

    /// `[ledger]`.
    RawLedger "ledger" named false {
        /// The SQLite file.
        path: String, Required, Kind::Text;
        /// How long bodies of failed operations are kept; they hold personal data.
        keep_bodies: Duration, Default, Kind::Duration(0, 3_650 * DAY);
        /// How long runs, attempts and answered hints are kept.
        keep_runs: Duration, Default, Kind::Duration(30 * DAY, 3_650 * DAY);
        /// How long the values in the trail of changes are kept.
        keep_changes: Duration, Default, Kind::Duration(30 * DAY, 3_650 * DAY);
        /// By what it knows its home.
        identity: String, Optional, Kind::Choice(WATCH);
    }

    /// `[log]`.
    RawLog "log" named false {
        /// For people, for machines, or for the journal.
        format: String, Default, Kind::Choice(&["text", "json", "journald"]);
        /// The least serious line that is written.
        level: String, Default, Kind::Choice(&["error", "warn", "info", "debug", "trace"]);
    }

    /// `[control]`.
    RawControl "control" named false {
        /// The Unix socket of the commands.
        socket: String, Optional, Kind::Text;
    }
}

/// All of it.
#[derive(Debug, Clone, PartialEq)]
pub struct RawConfig {
    /// `[dialler]`.
    pub dialler: RawDialler,
    /// `[crm.NAME]` by name.
    pub crm: BTreeMap<String, RawCrm>,
    /// `[route.NAME]` by name.
    pub route: BTreeMap<String, RawRoute>,
    /// `[push]`.
    pub push: RawPush,
    /// `[harvest]`.
    pub harvest: RawHarvest,
    /// `[blocks]`.
    pub blocks: RawBlocks,
    /// `[ledger]`.
    pub ledger: RawLedger,
    /// `[log]`.
    pub log: RawLog,
    /// `[control]`.
    pub control: RawControl,
}
