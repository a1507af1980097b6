//! What people do and what goes wrong, drawn by the seed.

use super::leaving::Leaving;
use super::lifting::record_subject;
use super::setup::{Comment, Drawn, Ways, setup};
use super::truth::{Door, Objection, Truth};
use crate::support::world::{CAMPAIGN, OTHER, Setup, World, key, minutes, seconds};
use dialbridge::control::{Command, ContactAct, End, Parked, ResultsWord};
use dialbridge::domain::identity::Difference;
use dialbridge::domain::{ContactId, HistoryId, ReasonCode, Take, Timestamp};
use dialbridge::ledger::{Again, LeftOut, Listing, ParkedItem};
use dialbridge::remote::Side;
use dialbridge::sim::dialler::{AgentsConfig, Span};
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
    /// What the routes say beside that.
    pub ways: Ways,
    /// How the program is configured at the beginning, and without its second route, where it has one.
    pub(super) setup: Setup,
    pub(super) alone: Option<Setup>,
    /// Whether the second route is out of the config.
    pub(super) away: bool,
    pub(super) rng: fastrand::Rng,
    named: u64,
    /// Until when a fault delays effects: of the dialler, of the CRM.
    delayed_until: [Timestamp; 2],
}

impl Life {
    /// A world whose every switch is drawn by the seed, with the program, agents and some records in it.
    pub async fn new(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let leaving = Leaving::of(seed);
        let Drawn { setup, alone, ways } = setup(seed, leaving, &mut rng);
        let world = World::new(setup.clone()).await;
        let delayed_until = [world.now(); 2];
        let (truth, away, named) = (Truth::default(), false, 0);
        let mut life = Self { world, truth, leaving, ways, setup, alone, away, rng, named, delayed_until };
        for _ in 0..RECORDS {
            life.create();
        }
        life.bring_strangers();
        life.world.dialler.start_agents(AgentsConfig {
            agents: 3,
            preview: Span::seconds(0, 90),
            comments: 0.4,
            retry: Span::seconds(300, 1_800),
            corrections: 0.1,
            correction_delay: Span::seconds(600, 7_200),
            ..AgentsConfig::default()
        });
        life.world.live(minutes(3)).await;
        // The first load is one.
        life.approve_all().await;
        life.world.live(minutes(2)).await;
        life
    }

    /// Everything.
    pub async fn happen(&mut self) {
        for deed in 0..DEEDS {
            if deed == DEEDS / 2 && self.leaving == Leaving::Moves {
                self.begins_anew().await;
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
        self.put_back().await;
        self.world.live(minutes(60)).await;
        // What needs a person gets one. Where somebody deleted two of a dozen contacts, the next start doubts the dialler.
        if !self.note_doubts().await.is_empty() {
            let _done = self.world.command(Command::Takeover { confirmed: true }).await;
        }
        let word = ResultsWord::Retry { route: "leads".into(), again: Again::All };
        let _done = self.world.command(Command::Results { word, reason: String::new() }).await;
        self.resolve().await;
        self.approve_all().await;
        let retry = Command::Retry { what: Parked::All { route: None }, reason: String::new() };
        let _done = self.world.command(retry).await;
        self.world.live(minutes(60)).await;
        self.approve_all().await;
        // Longer than the longest wait of an operation and than the quiet times behind it.
        self.world.live(minutes(5 * 60)).await;
    }

    async fn deed(&mut self) {
        match self.rng.u32(0..100) {
            0..14 => self.create(),
            14..28 => self.edit(),
            28..30 => self.clash(),
            30..35 => self.there_and_back().await,
            35 => self.reconfigure().await,
            36..44 => self.archive(),
            44 => self.delete(),
            45 => self.block_for_a_while().await,
            46 => self.stranger_objects().await,
            47..51 => self.object().await,
            51 => self.lock_by_hand().await,
            52..57 => self.renumber(),
            57..61 => self.portal(),
            61 => self.reject_one().await,
            62 => self.approve_one().await,
            63..81 => self.fault(),
            81..84 => self.overwrite(),
            84..87 => self.lift().await,
            87 => self.clear_in_crm(),
            88..90 => self.reset().await,
            90..92 => self.crm_fault(),
            92 => self.resolve().await,
            93 => self.release().await,
            94 => {
                self.named += 1;
                self.world.change_token(&format!("sim-token-{}", self.named));
            }
            95..98 => {
                self.begins_anew().await;
                self.world.crash().await;
                self.truth.deaths.push(self.world.now());
            }
            98 => self.freeze().await,
            _ => {
                self.begins_anew().await;
                self.world.restart().await;
            }
        }
    }

    /// The program is about to start once more, and to ask again whether both sides are the ones they were.
    pub(super) async fn begins_anew(&mut self) {
        self.note_doubts().await;
        self.truth.starts.push(self.world.now());
    }

    /// Notes until now what is doubted of the CRM; answers all that is doubted.
    async fn note_doubts(&mut self) -> Vec<Difference> {
        let standing = self.world.ledger().differences_standing().await.expect("differences");
        let of_leads = standing.iter().filter(|difference| difference.subject == "crm:leads");
        self.truth.doubts.extend(of_leads.map(|difference| (difference.since, self.world.now())));
        standing
    }

    /// One run of everything.
    pub async fn one_more_run(&self) {
        self.world.sync_all().await;
        if !self.world.parts().control.runners.write_backs.is_empty() {
            self.world.write_back().await.expect("a write-back");
        }
    }

    /// Whether what is changed in the dialler's city is to reach the CRM.
    pub fn two_way_city(&self) -> bool {
        self.ways.tells.is_some()
    }

    fn create(&mut self) {
        self.named += 1;
        let id = self.world.record(&format!("Name {}", self.named));
        for field in ["name", "city", "phone", "email", "zip"] {
            let value = self.world.editor().field(id, field).unwrap_or_default();
            self.truth.says(id, field, value);
        }
        let phone = match self.rng.u32(0..4) {
            0 => self.number_of_another(id),
            _ => None,
        };
        let own = json!(format!("+49 30 9{seed:06}", seed = 100_000 + id));
        self.write(id, "phone", phone.unwrap_or(own));
    }

    /// The number of another record: of somebody who is there twice, or of a household.
    fn number_of_another(&mut self, id: u64) -> Option<Value> {
        let other = Some(self.any()).filter(|other| *other != id)?;
        self.world.editor().field(other, "phone")
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
        match self.rng.u32(0..6) {
            5 if self.ways.comment != Comment::Unmapped => {
                self.write(id, "comment", json!(format!("Remark {}", self.named)));
            }
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

    /// A clerk and an agent change the same field at once.
    fn clash(&mut self) {
        let id = self.any();
        let Some(contact) = self.world.contacts(id).first().map(|contact| contact.id) else { return };
        self.named += 1;
        self.write(id, "city", json!(format!("Clerk {}", self.named)));
        self.portal_city(id, contact, json!(format!("Agent {}", self.named)));
    }

    fn portal_city(&mut self, id: u64, contact: i64, city: Value) {
        self.world.dialler.portal().edit(contact, "City", city.clone());
        if self.two_way_city() {
            self.truth.says(id, "city", city.clone());
        }
        self.truth.portal_wrote.entry((contact, "City")).or_default().push(city);
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

    /// Somebody deletes a record: no list names it any more, and only a full pass can tell.
    fn delete(&mut self) {
        let id = self.any();
        self.world.editor().delete(id);
        self.truth.deleted.insert(id, self.world.now());
    }

    async fn object(&mut self) {
        let id = self.any();
        let number = self.truth.number(id);
        let door = match self.rng.u32(0..5) {
            0 => Door::Field,
            1 => Door::Blacklist,
            2 => Door::Record,
            3 => Door::List,
            _ => Door::Hand,
        };
        match door {
            Door::Field => self.world.editor().edit(id, json!({ "do_not_call": true })),
            Door::Blacklist => self.world.editor().blacklist(&number, true),
            Door::Hand => self.world.block_number(&number).await,
            Door::List => self.list(&number).await,
            Door::Record => {
                self.world.block(record_subject(id)).await;
            }
            Door::Told | Door::Result { .. } => unreachable!("nobody in the CRM says that"),
        }
        self.truth.objections.push(Objection { record: id, number, at: self.world.now(), door, until: None });
    }

    /// One line more in the block list.
    pub(super) async fn list(&mut self, number: &str) {
        self.truth.listed.push(number.to_owned());
        self.put_list().await;
    }

    /// The block list as it is now, in its file.
    pub(super) async fn put_list(&self) {
        let (_, path) = &self.world.settings.block_files[0];
        std::fs::write(path, self.truth.listed.join("\n")).expect("a list");
        self.world.parts().block_files.look().await.expect("a look");
    }

    /// Somebody decides about one of the fields that both sides changed.
    async fn resolve(&mut self) {
        let open = self.world.ledger().conflicts_list(None, 100).await.expect("a list");
        if open.is_empty() {
            return;
        }
        let conflict = open[self.rng.usize(..open.len())].conflict;
        let take = if self.rng.bool() { Take::Crm } else { Take::Dialler };
        let word = Command::Conflict { conflict, take, reason: "asked".to_owned() };
        let (end, _) = self.world.command(word).await;
        self.truth.resolved += u64::from(end == End::Done);
    }

    fn renumber(&mut self) {
        let id = self.any();
        self.named += 1;
        self.truth.renumbered.insert(id);
        let phone = match self.rng.u32(0..4) {
            0 => self.number_of_another(id),
            _ => None,
        };
        let new = json!(format!("+49 30 8{:06}", 100_000 + self.named));
        self.write(id, "phone", phone.unwrap_or(new));
    }

    /// A person in the portal, who knows nothing of us.
    fn portal(&mut self) {
        let id = self.any();
        let Some(contact) = self.world.contacts(id).first().cloned() else { return };
        let portal = self.world.dialler.portal();
        self.named += 1;
        let touched = match self.rng.u32(0..8) {
            0 | 1 => {
                self.portal_city(id, contact.id, json!(format!("Portal {}", self.named)));
                false
            }
            2 => {
                let text = json!(format!("rang {}", self.named));
                portal.edit(contact.id, "Comment", text.clone());
                self.truth.portal_wrote.entry((contact.id, "Comment")).or_default().push(text);
                false
            }
            3 => portal.lock(contact.id),
            // Its results come all the same, in the campaign of their rows.
            5 | 6 => {
                self.truth.moved.insert(contact.id);
                self.truth.meddled.insert(id);
                portal.move_to(contact.id, OTHER);
                false
            }
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
            self.truth.meddled.insert(id);
        }
    }

    /// A number for what nobody was called before.
    pub(super) fn new_name(&mut self) -> u64 {
        self.named += 1;
        self.named
    }

    /// Somebody wants a contact to begin anew.
    async fn reset(&mut self) {
        let id = self.any();
        let Some(contact) = self.world.contacts(id).first().map(|contact| ContactId(contact.id)) else {
            return;
        };
        self.truth.reset_by_hand.insert(id);
        let act = ContactAct::Reset;
        let _whatever =
            self.world.command(Command::Contact { contact, act, reason: "asked".to_owned() }).await;
    }

    /// Somebody says that a call's result is to keep nobody out of another route any more.
    async fn release(&mut self) {
        let calls: Vec<i64> = self.held_out().await.iter().filter_map(held_by).collect();
        if calls.is_empty() {
            return;
        }
        let call = calls[self.rng.usize(..calls.len())];
        let word = ResultsWord::Release { call: HistoryId(call) };
        let (end, _) = self.world.command(Command::Results { word, reason: "asked".to_owned() }).await;
        if end == End::Done {
            self.truth.released.insert(call);
        }
    }

    /// Who is held out of a route because of a call on another one, by our ledger.
    pub async fn held_out(&self) -> Vec<ParkedItem> {
        let skipped = self.world.ledger().left_out_list(LeftOut::Skipped, None, Listing::All, 10_000).await;
        let held =
            |item: &ParkedItem| matches!(item.reason.code, ReasonCode::HeldOut | ReasonCode::CoolingOff);
        skipped.expect("a list").into_iter().filter(held).collect()
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

/// The call because of which somebody is held out.
fn held_by(item: &ParkedItem) -> Option<i64> {
    item.reason.params.get("call")?.parse().ok()
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
