//! The simulated jtel dialler: contacts, campaigns, agents and the portal behind its REST API.
//!
//! Written from the API page and from what else is known of it, never from our own client. Where the
//! page is silent, [`DiallerConfig`] has a switch. Time is the clock of its [`Env`]: what is due happens
//! when a request (or a look at the state) finds the clock past it, so that it runs in real and in
//! virtual time alike.

pub mod agents;
pub mod calls;
mod commands;
pub mod config;
mod engine;
pub mod fields;
pub mod input;
pub mod json;
pub mod judge;
mod list;
pub mod model;
pub mod portal;
mod results;
mod routes;
pub mod state;

#[cfg(test)]
mod tests;

pub use agents::{AgentsConfig, Span};
pub use calls::{CallPlan, Outcome};
pub use config::DiallerConfig;
pub use judge::{Actor, Deed, What};
pub use model::{SimCampaign, SimContact, SimRow, SimUser, Work};
pub use portal::PortalUser;
pub use routes::classify;
pub use state::{Cause, State};

use crate::domain::Timestamp;
use crate::env::Env;
use crate::sim::faults::Faults;
use crate::sim::journal::{Detail, Journal};
use crate::sim::wire::Wire;
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A simulated dialler; clones share it.
#[derive(Debug, Clone)]
pub struct DiallerSim {
    state: Arc<Mutex<State>>,
    env: Env,
    faults: Faults,
    journal: Journal<Deed>,
}

impl DiallerSim {
    /// An empty dialler with two campaigns (538 "Spring leads", 551 "Winback"), five agents, a full
    /// journal and no faults. Chance comes from `env`.
    pub fn new(config: DiallerConfig, env: Env) -> Self {
        Self::with_detail(config, env, Detail::Full)
    }

    /// The same with a journal of the caller's choice; benchmarks only count.
    pub fn with_detail(config: DiallerConfig, env: Env, detail: Detail) -> Self {
        let journal = Journal::new(detail);
        let mut rng = env.fork_rng();
        let faults = Faults::new(rng.u64(..));
        let mut state = State::new(config, journal.clone(), rng);
        for campaign in [SimCampaign::new(538, "Spring leads"), SimCampaign::new(551, "Winback")] {
            state.campaigns.insert(campaign.id, campaign);
        }
        state.users =
            (3..8).map(|id| SimUser { id, uid: format!("agent{id}"), name: format!("Agent {id}") }).collect();
        Self { state: Arc::new(Mutex::new(state)), env, faults, journal }
    }

    /// The API, behind the journal and the faults.
    pub fn router(&self) -> axum::Router {
        let wire = Wire {
            faults: self.faults.clone(),
            journal: self.journal.clone(),
            env: self.env.clone(),
            classify,
        };
        wire.wrap(routes::routes(self.clone()))
    }

    /// The faults.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The journal.
    pub fn journal(&self) -> &Journal<Deed> {
        &self.journal
    }

    /// Its clock.
    pub fn env(&self) -> &Env {
        &self.env
    }

    /// A person in the portal.
    pub fn portal(&self) -> PortalUser {
        PortalUser::new(self.clone())
    }

    /// Looks at, or changes, the state at this instant; what is due has happened before.
    pub fn with<T>(&self, act: impl FnOnce(&mut State, Timestamp) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.env.now();
        state.advance(now);
        act(&mut state, now)
    }

    /// Looks at the state at this instant.
    pub fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        self.with(|state, _| look(state))
    }

    /// Lets everything happen that is due by now.
    pub fn tick(&self) {
        self.with(|_, _| ());
    }

    /// Lets everything happen that is due up to an instant, also one in the future. What requests see
    /// then is ahead of their clock, so this is for preparing a state.
    pub fn run_until(&self, until: Timestamp) {
        self.with(|state, _| state.advance(until));
    }

    /// When the next thing is due.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.read(|state| state.engine.next_due())
    }

    /// Changes switches while it runs (not the tokens: see [`Self::set_tokens`]).
    pub fn configure(&self, change: impl FnOnce(&mut DiallerConfig)) {
        self.with(|state, _| change(&mut state.config));
    }

    /// The tokens accepted from now on; the others are dead at once (facts 1).
    pub fn set_tokens(&self, tokens: &[&str]) {
        self.with(|state, _| state.tokens = tokens.iter().map(|&token| token.to_owned()).collect());
    }

    /// Adds or replaces a campaign.
    pub fn add_campaign(&self, campaign: SimCampaign) {
        self.with(|state, _| drop(state.campaigns.insert(campaign.id, campaign)));
    }

    /// From now on chance is this seed's, whatever happened before.
    pub fn reseed(&self, seed: u64) {
        self.with(|state, _| state.rng = fastrand::Rng::with_seed(seed));
    }

    /// Sets agents to work.
    pub fn start_agents(&self, settings: AgentsConfig) {
        self.with(|state, now| state.start_agents(now, settings));
    }

    /// Lets no agent take up another contact.
    pub fn stop_agents(&self) {
        self.with(|state, _| state.stop_agents());
    }

    /// An agent dials this contact now, even one that would not be offered; false without a number.
    pub fn call(&self, contact: i64, plan: CallPlan) -> bool {
        self.with(|state, now| state.dial(now, now, contact, plan).is_some())
    }

    /// The contact calls in now, talks a minute, and its row comes so long after.
    pub fn inbound_call(&self, contact: i64, row_delay: Duration) -> bool {
        self.with(|state, now| state.call_in(now, contact, Duration::from_secs(60), row_delay))
    }

    /// A contact as it is now.
    pub fn contact(&self, id: i64) -> Option<Arc<SimContact>> {
        self.read(|state| state.contact(id).cloned())
    }

    /// The history rows of a contact that can be read now.
    pub fn history(&self, id: i64) -> Vec<SimRow> {
        self.read(|state| state.rows(id).to_vec())
    }

    /// How many contacts there are.
    pub fn len(&self) -> usize {
        self.read(|state| state.contacts().len())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Puts a contact there as if long known; returns its ID. Fields by name, `UserData` and `Name`
    /// among them; unknown names are passed over.
    pub fn put(&self, campaign: i64, fields: &[(&str, &str)]) -> i64 {
        self.with(|state, at| {
            let cause = Cause { actor: Actor::System, request: None, at };
            state.create(cause, campaign, |contact| {
                for (name, value) in fields {
                    match (*name, fields::place(name)) {
                        ("Name", _) => contact.name = (*value).into(),
                        ("UserData", _) => contact.user_data = Some((*value).into()),
                        (_, Some(place)) => {
                            contact.set(place, Value::from(*value));
                        }
                        (_, None) => {}
                    }
                }
            })
        })
    }

    /// Fills a campaign with `n` contacts: UserData `PREFIX-1` to `PREFIX-n`, names, one number each.
    pub fn seed(&self, campaign: i64, prefix: &str, n: usize) {
        self.with(|state, at| {
            let cause = Cause { actor: Actor::System, request: None, at };
            for index in 1..=n {
                state.create(cause, campaign, |contact| {
                    contact.name = format!("Person {index:07}").into();
                    contact.user_data = Some(format!("{prefix}-{index}").into());
                    contact.set(fields::phone_place(0), format!("4930{:08}", index).into());
                    for (name, value) in
                        [("FirstName", "Kim"), ("City", "Berlin"), ("Company", "Musterfirma GmbH")]
                    {
                        if let Some(place) = fields::place(name) {
                            contact.set(place, value.into());
                        }
                    }
                });
            }
        });
    }
}
