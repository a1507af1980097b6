//! What the routes and the simulators of a life are set to, drawn by the seed.

use super::leaving::Leaving;
use crate::support::world::{Setup, WINBACK};
use dialbridge::sim::dialler::DiallerConfig;
use dialbridge::sim::dialler::config::{
    BatchUnknown, BeforeResult, ListBuild, LockInPreview, NotFound, PhoneForm, Release, UserDataMatch,
    UserDataScope,
};

/// Deleted records are found, each by itself: what a sudden lack of many means is a scenario of its own.
const PASS: &str = "\nfull_pass = \"1h\"\n";
const LISTS: &str = "\n[blocks.files]\ndefault = [\"no.csv\"]\n";
const AUDIT: &str = "\n[harvest]\naudit_active = \"1h\"\naudit_rest = \"1h\"\n";
/// What the calls of route `leads` become, where the connector can write. `NO_INTEREST` has a word or not.
const TOLD: &str = r#"
[route.leads.activity]
subject = "'call ' ~ call ~ ': ' ~ outcome"
body    = "note"
[route.leads.block_fields]
do_not_call = "true"
[route.leads.results]
SALE        = "won"
DO_NOT_CALL = "never"
CALL_LATER  = "again"
APPOINTMENT = "appointment"
MAX_TRIES   = "not reached"
NO_NUMBER   = "no number"
INCOMING    = "called us"
"#;
/// What comes of its calls as a whole.
const RESULT_FIELDS: &str =
    "[route.leads.result_fields]\nlast_outcome = \"last_outcome\"\ncalls = \"calls\"\n";
/// Where a record stands.
const STATUS: &str = "[route.leads.status_fields]\nstanding = \"status\"\n";
const KEYS: &str = "only_if = \"phone and active\"\nblock_if = \"phone_blacklisted or do_not_call\"";
/// By key, and by number where no batch read names keys.
const HEARS: &str = "opt_out_results = [\"DO_NOT_CALL\", \"538/5383\", \"551/5513\"]\n";
/// What is more than that in one run is held until a person lets it go; no objection is.
const BRAKES: &str = "max_new_per_run = 3\nmax_changed_per_run = 2\nmax_deleted_per_run = 1\n";
const COOL_OFF: &str = "cool_off = { days = 90, after = [\"abort\"], across = \"client\" }\n";

/// Whose the free text is that agents write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comment {
    /// The route has nothing to do with it.
    Unmapped,
    /// The dialler's, once its contact is there.
    Dialler,
    /// Both have a part of it.
    Append,
    /// Both may change it, and what an agent wrote stands.
    TwoWay,
}

/// What the routes say, beside what becomes of who leaves.
#[derive(Debug, Clone, Copy)]
pub struct Ways {
    /// Whether `DO_NOT_CALL` in a call is an objection.
    pub hears: bool,
    /// Whether `NO_INTEREST` has no word though others have one, so that it holds people out of the other route.
    pub unmapped: bool,
    /// Whether an abort on `leads` keeps people out of the other route.
    pub cool_off: bool,
    /// Whose the free text is.
    pub comment: Comment,
    /// Whether the CRM is told of calls; with which rule for the city that both sides may change.
    pub tells: Option<&'static str>,
    /// Whether fields of the record follow from its calls.
    pub result_fields: bool,
    /// Whether the CRM is told where a record stands.
    pub status: bool,
    /// Whether little at once is much.
    pub brakes: bool,
    /// Whether the record takes its own no back; else only a person does.
    pub unblocks: bool,
}

impl Ways {
    fn of(rng: &mut fastrand::Rng, can_write: bool) -> Self {
        let tells = can_write.then(|| one(rng, &["crm", "dialler", "ask"]));
        let comment = one(rng, &[Comment::Unmapped, Comment::Dialler, Comment::Append, Comment::TwoWay]);
        let hears = rng.u32(0..4) > 0;
        Self {
            hears,
            unmapped: if tells.is_some() { rng.bool() } else { hears },
            cool_off: rng.u32(0..3) == 0,
            comment: if tells.is_none() && comment == Comment::TwoWay { Comment::Append } else { comment },
            tells,
            result_fields: rng.bool(),
            status: tells.is_some() && rng.bool(),
            brakes: rng.u32(0..3) == 0,
            unblocks: rng.bool(),
        }
    }

    fn keys(self) -> String {
        let says = |it: bool, keys| if it { keys } else { "" };
        let told = says(self.tells.is_some(), "write_back = \"*/2 * * * *\"\n");
        let brakes = says(self.brakes, BRAKES);
        let unblocks = says(self.unblocks, "unblock = \"source\"\n");
        let ends = format!("{}{}", says(self.hears, HEARS), says(self.cool_off, COOL_OFF));
        format!("{KEYS}\n{told}{brakes}{unblocks}{ends}")
    }

    fn tables(self) -> String {
        let mut tables = String::new();
        if let Some(rule) = self.tells {
            tables.push_str(TOLD);
            if !self.unmapped {
                tables.push_str("NO_INTEREST = \"declined\"\n");
            }
            if self.result_fields {
                tables.push_str(RESULT_FIELDS);
            }
            if self.status {
                tables.push_str(STATUS);
            }
            tables.push_str(&format!("[route.leads.two_way]\nCity = \"{rule}\"\n"));
            if self.comment == Comment::TwoWay {
                tables.push_str("Comment = \"dialler\"\n");
            }
        }
        if self.comment == Comment::Append {
            tables.push_str("[route.leads.owners]\nComment = \"append\"\n");
        }
        tables
    }
}

pub fn one<T: Copy>(rng: &mut fastrand::Rng, of: &[T]) -> T {
    of[rng.usize(..of.len())]
}

/// What was drawn.
pub struct Drawn {
    pub setup: Setup,
    /// The same without the second route, where it has one.
    pub alone: Option<Setup>,
    pub ways: Ways,
}

/// The world of a seed, and what its routes say.
pub fn setup(seed: u64, leaving: Leaving, rng: &mut fastrand::Rng) -> Drawn {
    let release = one(rng, &[Release::Before3_39, Release::From3_39]);
    let connector = one(rng, &["sim-id", "sim-offset", "sim-cursor", "sim-page", "sim-next", "sim-link"]);
    let dialler_keys = match (release, rng.bool()) {
        (Release::From3_39, true) => "release = \"3.39\"",
        _ => "",
    };
    let dialler = dialler(release, rng);
    // Two routes are not on one campaign: where the first moves into the second's, there is no second.
    let two = rng.bool() && leaving != Leaving::Moves;
    let ways = Ways::of(rng, connector != "sim-next");
    let winback = if ways.hears {
        // Only calls on `leads` hold somebody out of the other route.
        WINBACK.replace("only_if", &format!("{HEARS}unmapped_abort = \"pass\"\n{PASS}only_if"))
    } else {
        WINBACK.replace("only_if", &format!("{PASS}only_if"))
    };
    let winback = if two { winback.as_str() } else { "" };
    let usual = Setup::default();
    let comment = if ways.comment == Comment::Unmapped { "" } else { "\nComment = \"comment\"" };
    let more = |winback: &str| {
        let tables = format!("{}{}", leaving.tables(), ways.tables());
        format!("{tables}{winback}{AUDIT}{LISTS}").leak()
    };
    let setup = Setup {
        seed,
        connector,
        dialler,
        dialler_keys,
        fields: format!("{}{comment}", usual.fields).leak(),
        more: more(winback),
        route_keys: format!("{}{PASS}{}", ways.keys(), leaving.keys()).leak(),
        ..usual
    };
    let alone = two.then(|| Setup { more: more(""), ..setup.clone() });
    Drawn { setup, alone, ways }
}

fn dialler(release: Release, rng: &mut fastrand::Rng) -> DiallerConfig {
    DiallerConfig {
        release,
        batch_read: rng.bool(),
        batch_unknown: one(rng, &[BatchUnknown::Drop, BatchUnknown::Fail]),
        userdata_match: one(
            rng,
            &[
                UserDataMatch::Exact,
                UserDataMatch::CaseInsensitive,
                UserDataMatch::CaseInsensitiveTrimmed,
                UserDataMatch::Like,
            ],
        ),
        userdata_scope: one(rng, &[UserDataScope::Campaign, UserDataScope::Tenant]),
        result_in_list: rng.bool(),
        not_found: one(rng, &[NotFound::Json404, NotFound::EmptyList]),
        phones: one(rng, &[PhoneForm::AsSent, PhoneForm::StripPlus]),
        list_build: one(rng, &[ListBuild::Snapshot, ListBuild::Walking]),
        before_result: one(rng, &[BeforeResult::Waits, BeforeResult::Offered]),
        lock_in_preview: one(rng, &[LockInPreview::Withdraws, LockInPreview::DialsOn]),
        ..DiallerConfig::default()
    }
}
