//! What people do and what goes wrong, drawn by the seed.

use super::leaving::Leaving;
use super::truth::{Door, Objection, Truth};
use crate::support::world::{CAMPAIGN, OTHER, Setup, WINBACK, World, key, minutes, seconds};
use dialbridge::control::{Command, ContactAct, Parked, ResultsWord};
use dialbridge::domain::{ContactId, Timestamp};
use dialbridge::remote::Side;
use dialbridge::sim::dialler::config::{
    BatchUnknown, BeforeResult, ListBuild, LockInPreview, NotFound, PhoneForm, Release, UserDataMatch,
    UserDataScope,
};
use dialbridge::sim::dialler::{AgentsConfig, DiallerConfig, Span};
use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule};
use serde_json::{Value, json};
use std::time::Duration;

/// How many things happen.
const DEEDS: usize = 70;
/// Records at the beginning.
const RECORDS: usize = 10;

/// A world, the seed's chance, and what is known of both.
pub struct Life {
    pub world: World,
    pub truth: Truth,
    /// What the route says of records that leave.
    pub leaving: Leaving,
    rng: fastrand::Rng,
    named: u64,
    /// Until when a fault delays effects: of the dialler, of the CRM.
    delayed_until: [Timestamp; 2],
}

impl Life {
    /// A world whose every switch is drawn by the seed, with the program, agents and some records in it.
    pub async fn new(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let leaving = Leaving::of(seed);
        let world = World::new(setup(seed, leaving, &mut rng)).await;
        let delayed_until = [world.now(); 2];
        let mut life = Self { world, truth: Truth::default(), leaving, rng, named: 0, delayed_until };
        for _ in 0..RECORDS {
            life.create();
        }
        life.world.dialler.start_agents(AgentsConfig {
            agents: 3,
            preview: Span::seconds(0, 90),
            comments: 0.4,
            retry: Span::seconds(300, 1_800),
            corrections: 0.1,
            correction_delay: Span::seconds(600, 7_200),
            ..AgentsConfig::default()
        });
        life.world.live(minutes(5)).await;
        life
    }

    /// Everything.
    pub async fn happen(&mut self) {
        for deed in 0..DEEDS {
            if deed == DEEDS / 2 && self.leaving == Leaving::Moves {
                self.world.configure_campaign(OTHER).await;
            }
            self.deed().await;
            // Much at once, then a while of nothing.
            let most = if self.rng.u32(0..3) > 0 { 10_000 } else { 300_000 };
            let rest = Duration::from_millis(self.rng.u64(0..most));
            self.world.live(rest).await;
        }
    }

    /// The faults end, nobody does anything any more, and what was left open comes to its end.
    pub async fn calm_down(&mut self) {
        self.world.dialler.faults().clear();
        self.world.crm.faults.clear();
        self.world.dialler.stop_agents();
        self.world.live(minutes(60)).await;
        // What needs a person gets one. Where somebody deleted two of a dozen contacts, the next start doubts the dialler.
        let differs = self.world.ledger().differences_standing().await.expect("differences");
        if !differs.is_empty() {
            let _done = self.world.command(Command::Takeover { confirmed: true }).await;
        }
        let word = ResultsWord::Retry { route: "leads".into(), id: None };
        let _done = self.world.command(Command::Results { word, reason: String::new() }).await;
        let retry = Command::Retry { what: Parked::All { route: None }, reason: String::new() };
        let _done = self.world.command(retry).await;
        // Longer than the longest wait of an operation and than the quiet times behind it.
        self.world.live(minutes(5 * 60)).await;
    }

    async fn deed(&mut self) {
        match self.rng.u32(0..100) {
            0..14 => self.create(),
            14..30 => self.edit(),
            30..36 => self.there_and_back().await,
            36..46 => self.archive(),
            46..52 => self.object().await,
            52..57 => self.renumber(),
            57..63 => self.portal(),
            63..88 => self.fault(),
            88..90 => self.reset().await,
            90..94 => self.crm_fault(),
            94 => {
                self.named += 1;
                self.world.change_token(&format!("sim-token-{}", self.named));
            }
            95..98 => {
                self.world.crash().await;
                self.truth.deaths.push(self.world.now());
            }
            _ => self.world.restart().await,
        }
    }

    /// Whether what is changed in the dialler's city is to reach the CRM.
    pub fn two_way_city(&self) -> bool {
        let mut routes = self.world.settings.routes.values();
        routes.any(|route| route.name.as_str() == "leads" && !route.two_way.is_empty())
    }

    fn create(&mut self) {
        self.named += 1;
        let id = self.world.record(&format!("Name {}", self.named));
        for field in ["name", "city", "phone", "email", "zip"] {
            let value = self.world.editor().field(id, field).unwrap_or_default();
            self.truth.says(id, field, value);
        }
        // Numbers must be one person's: what a shared one does is a scenario of its own.
        let phone = format!("+49 30 9{seed:06}", seed = 100_000 + id);
        self.write(id, "phone", json!(phone));
    }

    fn any(&mut self) -> u64 {
        let ids = self.world.editor().ids();
        ids[self.rng.usize(..ids.len())]
    }

    fn write(&mut self, id: u64, field: &'static str, value: Value) {
        self.world.editor().edit(id, json!({ field: value.clone() }));
        self.truth.says(id, field, value);
    }

    fn edit(&mut self) {
        let id = self.any();
        self.named += 1;
        match self.rng.u32(0..5) {
            0 => self.write(id, "name", json!(format!("Renamed {}", self.named))),
            1 => self.write(id, "city", json!(format!("Town {}", self.named))),
            2 => self.write(id, "email", json!(format!("n{}@example.com", self.named))),
            // Emptied, and an edit without a difference.
            3 => self.write(id, "email", json!(false)),
            _ => {
                let city = self.world.editor().field(id, "city").unwrap_or_default();
                self.world.editor().edit(id, json!({ "city": city }));
            }
        }
    }

    /// A, B, A with as much or as little between them as chance has it.
    async fn there_and_back(&mut self) {
        let id = self.any();
        let first = self.world.editor().field(id, "city").unwrap_or_default();
        self.named += 1;
        self.write(id, "city", json!(format!("Between {}", self.named)));
        self.world.live(Duration::from_millis(self.rng.u64(0..150_000))).await;
        self.write(id, "city", first);
    }

    fn archive(&mut self) {
        let (id, archived) = (self.any(), self.rng.bool());
        self.world.editor().archive(id, archived);
    }

    async fn object(&mut self) {
        let id = self.any();
        let number = self.world.number(id);
        let door = match self.rng.u32(0..3) {
            0 => Door::Field,
            1 => Door::Blacklist,
            _ => Door::Hand,
        };
        match door {
            Door::Field => self.world.editor().edit(id, json!({ "do_not_call": true })),
            Door::Blacklist => self.world.editor().blacklist(&number, true),
            Door::Hand => self.world.block_number(&number).await,
        }
        self.truth.objections.push(Objection { record: id, number, at: self.world.now(), door });
    }

    fn renumber(&mut self) {
        let id = self.any();
        self.named += 1;
        self.truth.renumbered.insert(id);
        self.write(id, "phone", json!(format!("+49 30 8{:06}", 100_000 + self.named)));
    }

    /// A person in the portal, who knows nothing of us.
    fn portal(&mut self) {
        let id = self.any();
        let Some(contact) = self.world.contacts(id).first().cloned() else { return };
        let portal = self.world.dialler.portal();
        self.named += 1;
        let touched = match self.rng.u32(0..6) {
            0 | 1 => {
                let city = json!(format!("Portal {}", self.named));
                portal.edit(contact.id, "City", city.clone());
                if self.two_way_city() {
                    self.truth.says(id, "city", city.clone());
                }
                self.truth.portal_wrote.entry((contact.id, "City")).or_default().push(city);
                false
            }
            2 => {
                portal.edit(contact.id, "Comment", format!("rang {}", self.named));
                false
            }
            3 => portal.lock(contact.id),
            4 => {
                // A CSV that overwrites, and so unlocks; or, without overwriting, doubles.
                let overwrite = self.rng.bool();
                let name = &contact.name;
                let number = contact.get("PhoneNumber1");
                let csv = format!(
                    "Name;FirstName;PhoneNumber1;UserData\n{name};Kim;{};{}\n",
                    number.as_str().unwrap_or("4930777"),
                    key(id)
                );
                portal.import_csv(CAMPAIGN, &csv, overwrite);
                self.truth.portal_keys.insert(key(id));
                true
            }
            _ => {
                self.truth.portal_keys.insert(key(id));
                portal.delete(contact.id)
            }
        };
        if touched {
            self.truth.portal_touched.insert(contact.id);
        }
    }

    /// Somebody wants a contact to begin anew.
    async fn reset(&mut self) {
        let id = self.any();
        let Some(contact) = self.world.contacts(id).first().map(|contact| ContactId(contact.id)) else {
            return;
        };
        let act = ContactAct::Reset;
        let _whatever =
            self.world.command(Command::Contact { contact, act, reason: "asked".to_owned() }).await;
    }

    /// A fault of the dialler for a while: everywhere but on locks.
    fn fault(&mut self) {
        let until = self.world.now() + chrono::TimeDelta::seconds(self.rng.i64(20..900));
        let action = self.action();
        let action = self.one_delay(Side::Dialler, action, until);
        let rule = Rule::new(action).chance(0.3 + 0.7 * self.rng.f64());
        let rule = self.place(rule);
        self.world.dialler.faults().add(rule.between(self.world.now(), until));
    }

    /// Delays add up, and what takes effect after the quiet time (60 s after our time-out) is promised by nobody:
    /// one of them at a time.
    fn one_delay(&mut self, side: Side, action: Action, until: Timestamp) -> Action {
        let now = self.world.now();
        let delayed = &mut self.delayed_until[usize::from(side == Side::Crm)];
        if !delays(&action) {
            return action;
        }
        if now < *delayed {
            return Action::Reset(Effect::Done);
        }
        *delayed = until;
        action
    }

    /// Where a fault strikes.
    fn place(&mut self, rule: Rule) -> Rule {
        match self.rng.u32(0..10) {
            0 => rule.path("/import"),
            1 => rule.path("/update"),
            2 => rule.path("/unlock"),
            3 => rule.path("/reset"),
            4 => rule.path("/history"),
            5 => rule.path("contact?userData"),
            6 => rule.path("dialler/contacts?"),
            7 => rule.path("/campaigns"),
            // The batch read is posted to the list's address.
            8 => rule.method(http::Method::POST).path_end("dialler/contacts"),
            // A contact by its number, which begins so.
            _ => rule.method(http::Method::GET).path("dialler/contacts/2"),
        }
    }

    fn crm_fault(&mut self) {
        let until = self.world.now() + chrono::TimeDelta::seconds(self.rng.i64(20..600));
        let action = match self.action() {
            Action::ContradictingStatus | Action::WrongNumber { .. } => Action::Empty404,
            other => self.one_delay(Side::Crm, other, until),
        };
        let rule = Rule::new(action).chance(0.3 + 0.7 * self.rng.f64());
        self.world.crm.faults.add(rule.between(self.world.now(), until));
    }

    fn action(&mut self) -> Action {
        let effect = match self.rng.u32(0..4) {
            0 => Effect::None,
            1 | 2 => Effect::Done,
            _ => Effect::Late(seconds(self.rng.u64(1..50))),
        };
        let retry_after = match self.rng.u32(0..3) {
            0 => RetryAfter::Absent,
            1 => RetryAfter::Seconds(self.rng.u64(1..90)),
            _ => RetryAfter::Date(self.rng.u64(1..90)),
        };
        match self.rng.u32(0..9) {
            0 => Action::Reset(effect),
            1 => {
                Action::Latency { before: seconds(self.rng.u64(0..50)), after: seconds(self.rng.u64(0..50)) }
            }
            2 => Action::Status { code: 429, retry_after, effect: Effect::None },
            3 => Action::Status { code: 500, retry_after: RetryAfter::Absent, effect },
            4 => Action::Status {
                code: [502, 504][self.rng.usize(..2)],
                retry_after: RetryAfter::Absent,
                effect,
            },
            // With Retry-After the work was not done (facts 7).
            5 => Action::Status { code: 503, retry_after: RetryAfter::Seconds(20), effect: Effect::None },
            6 => Action::Html(effect),
            7 => Action::Truncate { clean: self.rng.bool() },
            _ => Action::ContradictingStatus,
        }
    }
}

fn delays(action: &Action) -> bool {
    match action {
        Action::Latency { .. } => true,
        Action::Reset(effect) | Action::Status { effect, .. } | Action::Html(effect) => {
            matches!(effect, Effect::Late(_))
        }
        _ => false,
    }
}

const AUDIT: &str = "\n[harvest]\naudit_active = \"1h\"\naudit_rest = \"1h\"\n";
/// What the calls of route `leads` become, where the connector can write.
const TOLD: &str = r#"
[route.leads.activity]
subject = "'call ' ~ call ~ ': ' ~ outcome"
[route.leads.results]
SALE        = "won"
NO_INTEREST = "declined"
DO_NOT_CALL = "never"
CALL_LATER  = "again"
APPOINTMENT = "appointment"
MAX_TRIES   = "not reached"
NO_NUMBER   = "no number"
INCOMING    = "called us"
"#;
const KEYS: &str = "only_if = \"phone and active\"\nblock_if = \"phone_blacklisted or do_not_call\"";

/// Where the connector can write, both sides may change the city, by one rule or another.
const RULES: [&str; 3] = ["crm", "dialler", "ask"];

/// Tables with and without a second route; without telling, and with it under each rule.
static TABLES: std::sync::LazyLock<[[String; 4]; 2]> = std::sync::LazyLock::new(|| {
    let two_way = RULES.map(|rule| format!("[route.leads.two_way]\nCity = \"{rule}\"\n"));
    ["", WINBACK].map(|more| {
        let told = |two_way: &String| format!("{TOLD}{two_way}{more}{AUDIT}");
        [format!("{more}{AUDIT}"), told(&two_way[0]), told(&two_way[1]), told(&two_way[2])]
    })
});
fn one<T: Copy>(rng: &mut fastrand::Rng, of: &[T]) -> T {
    of[rng.usize(..of.len())]
}

fn setup(seed: u64, leaving: Leaving, rng: &mut fastrand::Rng) -> Setup {
    let release = one(rng, &[Release::Before3_39, Release::From3_39]);
    let dialler = DiallerConfig {
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
    };
    let setup = Setup {
        seed,
        connector: one(rng, &["sim-id", "sim-offset", "sim-cursor", "sim-page", "sim-next", "sim-link"]),
        dialler,
        dialler_keys: match (release, rng.bool()) {
            (Release::From3_39, true) => "release = \"3.39\"",
            _ => "",
        },
        ..Setup::default()
    };
    // Two routes are not on one campaign: where the first moves into the second's, there is no second.
    let two = rng.bool() && leaving != Leaving::Moves;
    let rule = 1 + rng.usize(..RULES.len());
    let tells = if setup.connector == "sim-next" { 0 } else { rule };
    let more = format!("{}{}", leaving.tables(), TABLES[usize::from(two)][tells]);
    let told = if tells > 0 { "\nwrite_back = \"*/2 * * * *\"" } else { "" };
    let keys = format!("{KEYS}{told}{}", leaving.keys());
    Setup { more: more.leak(), route_keys: keys.leak(), ..setup }
}
