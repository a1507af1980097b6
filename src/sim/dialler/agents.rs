//! The agents: they take up callable contacts and dial, by seed; everything that is due later waits in
//! a queue and happens when the simulator's clock has passed it.

use super::calls::{CallPlan, Outcome, delta};
use super::engine::Event;
use super::fields::{BEGIN_PLACE, END_PLACE};
use super::judge::Actor;
use super::model::{SimContact, Work};
use super::results::NewResult;
use super::state::{Cause, State};
use crate::domain::Timestamp;
use chrono::Timelike;
use std::time::Duration;

/// A length of time drawn evenly between two bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The shortest.
    pub from: Duration,
    /// The longest.
    pub to: Duration,
}

impl Span {
    /// Between two numbers of seconds.
    pub const fn seconds(from: u64, to: u64) -> Self {
        Self { from: Duration::from_secs(from), to: Duration::from_secs(to) }
    }

    fn draw(self, rng: &mut fastrand::Rng) -> Duration {
        self.from + self.to.saturating_sub(self.from).mul_f64(rng.f64())
    }
}

/// How agents work. Shares are probabilities from 0 to 1, weights are relative.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentsConfig {
    /// How many work at once.
    pub agents: usize,
    /// They stop after so many calls; `None`: never.
    pub calls: Option<u64>,
    /// Only these campaigns; `None`: all.
    pub campaigns: Option<Vec<i64>>,
    /// Only from this hour to before that one, in the dialler's local time.
    pub hours: Option<(u32, u32)>,
    /// How calls end.
    pub outcomes: Vec<(Outcome, f64)>,
    /// The results of answered calls, by export key.
    pub results: Vec<(String, f64)>,
    /// From the offer to the dialling.
    pub preview: Span,
    /// Ringing.
    pub ring: Span,
    /// Talking.
    pub talk: Span,
    /// From the end of the call, when the fields move, to the row.
    pub row_delay: Span,
    /// From the row to the result, usually.
    pub result_delay: Span,
    /// Share of results that come much later.
    pub late_results: f64,
    /// From the row to such a result.
    pub late_result_delay: Span,
    /// Share of answered calls that never get a result.
    pub no_result: f64,
    /// Share of results that are corrected.
    pub corrections: f64,
    /// From the row to the correction.
    pub correction_delay: Span,
    /// From a call without success to the next try.
    pub retry: Span,
    /// An agent's pause between calls.
    pub wrap_up: Span,
    /// How long an agent without a contact to call waits.
    pub idle: Span,
    /// Share of test calls.
    pub test_calls: f64,
    /// Share of answered calls in which the agent writes into the contact's free text.
    pub comments: f64,
    /// Time between inbound calls; `None`: none.
    pub inbound: Option<Span>,
    /// Tries on all numbers after which the dialler gives up by itself.
    pub max_tries: u32,
}

impl Default for AgentsConfig {
    fn default() -> Self {
        let results = [
            ("SALE", 2.0),
            ("NO_INTEREST", 4.0),
            ("DO_NOT_CALL", 1.0),
            ("CALL_LATER", 2.0),
            ("APPOINTMENT", 1.0),
        ];
        Self {
            agents: 4,
            calls: None,
            campaigns: None,
            hours: None,
            outcomes: vec![
                (Outcome::Answered, 4.0),
                (Outcome::NoAnswer, 3.0),
                (Outcome::Busy, 1.0),
                (Outcome::InvalidNumber, 0.5),
                (Outcome::Mailbox, 1.0),
                (Outcome::BrokenOff, 0.3),
            ],
            results: results.map(|(key, weight)| (key.to_owned(), weight)).to_vec(),
            preview: Span::seconds(0, 0),
            ring: Span::seconds(5, 30),
            talk: Span::seconds(20, 300),
            row_delay: Span::seconds(5, 60),
            result_delay: Span::seconds(5, 120),
            late_results: 0.2,
            late_result_delay: Span::seconds(10 * 60, 3 * 86_400),
            no_result: 0.05,
            corrections: 0.02,
            correction_delay: Span::seconds(7 * 86_400, 8 * 86_400),
            retry: Span::seconds(1_800, 4 * 3_600),
            wrap_up: Span::seconds(5, 20),
            idle: Span::seconds(20, 60),
            test_calls: 0.01,
            comments: 0.0,
            inbound: Some(Span::seconds(600, 3_600)),
            max_tries: 5,
        }
    }
}

fn weighted<'a, T>(rng: &mut fastrand::Rng, choices: &'a [(T, f64)]) -> Option<&'a T> {
    let mut point = rng.f64() * choices.iter().map(|(_, weight)| weight).sum::<f64>();
    for (choice, weight) in choices {
        point -= weight;
        if point < 0.0 {
            return Some(choice);
        }
    }
    choices.last().map(|(choice, _)| choice)
}

/// How many contacts an agent looks at before a pause.
const WALK: usize = 2_000;

impl State {
    /// Lets everything happen that is due up to `now`, in its order. Called before every request, so that
    /// requests and agents meet as they would in time.
    pub(super) fn advance(&mut self, now: Timestamp) {
        while let Some((at, event)) = self.engine.take_due(now) {
            match event {
                Event::AgentFree(agent) => self.agent_free(at, agent),
                Event::CallEnds(call) => self.call_ends(*call),
                Event::PreviewEnds { agent, contact, taking, offered, plan } => {
                    let still = self.contact(contact).is_some_and(|c| c.work == Work::Offered(taking));
                    let end = if still { self.dial(at, offered, contact, *plan) } else { None };
                    if end.is_none() && still {
                        self.alter(contact, |contact| contact.work = Work::Free);
                    }
                    self.agent_goes_on(at, agent, end);
                }
                Event::AgentWrites { contact, text } => self.agent_writes(at, contact, text),
                Event::RowComes(row, with_row, call) => self.row_comes(*row, with_row, call),
                Event::ResultComes(given) => {
                    let cause = Cause { actor: Actor::Agent, request: None, at };
                    self.record_result(cause, &given);
                    self.correct_some_day(at, given);
                }
                Event::Inbound => self.somebody_calls_in(at),
            }
        }
    }

    /// Sets the agents to work from `at` on; those at work before go on under the new settings.
    pub(super) fn start_agents(&mut self, at: Timestamp, settings: AgentsConfig) {
        let working = self.engine.settings.as_ref().map_or(0, |before| before.agents);
        for agent in working..settings.agents {
            let first = settings.idle.draw(&mut self.rng);
            self.engine.push(at + delta(first), Event::AgentFree(agent));
        }
        let had_inbound = self.engine.settings.as_ref().is_some_and(|before| before.inbound.is_some());
        if let (Some(span), false) = (settings.inbound, had_inbound) {
            let first = span.draw(&mut self.rng);
            self.engine.push(at + delta(first), Event::Inbound);
        }
        self.engine.max_tries = settings.max_tries;
        self.engine.settings = Some(settings);
    }

    /// No agent takes up another contact; calls under way end, and their rows and results come.
    pub(super) fn stop_agents(&mut self) {
        self.engine.settings = None;
        for contact in self.engine.send_home() {
            self.alter(contact, |contact| contact.work = Work::Free);
        }
    }

    fn agent_free(&mut self, at: Timestamp, agent: usize) {
        let Some(settings) = self.engine.settings.clone().filter(|settings| agent < settings.agents) else {
            return;
        };
        if settings.calls == Some(0) {
            return;
        }
        let Some(contact) = self.pick(at, &settings) else { return self.agent_goes_on(at, agent, None) };
        let plan = self.draw_plan(agent, contact, &settings);
        if settings.preview.to.is_zero() {
            let end = self.dial(at, at, contact, plan);
            return self.agent_goes_on(at, agent, end);
        }
        let taking = self.engine.take_up();
        self.alter(contact, |contact| contact.work = Work::Offered(taking));
        let dials_at = at + delta(settings.preview.draw(&mut self.rng));
        let plan = Box::new(plan);
        self.engine.push(dials_at, Event::PreviewEnds { agent, contact, taking, offered: at, plan });
    }

    /// When the agent looks for the next one: some time after the call's end, or a little later where there was none.
    fn agent_goes_on(&mut self, at: Timestamp, agent: usize, call_ends: Option<Timestamp>) {
        let Some(settings) = self.engine.settings.as_mut() else { return };
        let free = match call_ends {
            Some(end) => {
                settings.calls.iter_mut().for_each(|left| *left = left.saturating_sub(1));
                end + delta(settings.wrap_up.draw(&mut self.rng))
            }
            None => at + delta(settings.idle.draw(&mut self.rng)).max(chrono::TimeDelta::seconds(1)),
        };
        self.engine.push(free, Event::AgentFree(agent));
    }

    fn draw_plan(&mut self, agent: usize, contact: i64, settings: &AgentsConfig) -> CallPlan {
        let users: Vec<i64> = self.users.iter().map(|user| user.id).collect();
        let rng = &mut self.rng;
        let outcome = weighted(rng, &settings.outcomes).copied().unwrap_or(Outcome::NoAnswer);
        let late = rng.f64() < settings.late_results;
        let delay = if late { settings.late_result_delay } else { settings.result_delay };
        let key = weighted(rng, &settings.results).cloned();
        let none = rng.f64() < settings.no_result;
        CallPlan {
            outcome,
            slot: None,
            ring: settings.ring.draw(rng),
            talk: settings.talk.draw(rng),
            row_delay: settings.row_delay.draw(rng),
            result: key.filter(|_| !none).map(|key| (key, delay.draw(rng))),
            retry: settings.retry.draw(rng),
            user: users.get(agent % users.len().max(1)).copied(),
            test: rng.f64() < settings.test_calls,
            // Drawn only where agents write at all, so that a seed's life without it stays what it was.
            comment: (settings.comments > 0.0 && rng.f64() < settings.comments)
                .then(|| format!("Note {} on {contact}", rng.u32(..))),
        }
    }

    /// Whether the dialler would offer the contact now.
    pub fn is_callable(&self, contact: &SimContact, at: Timestamp) -> bool {
        let local = at.with_timezone(&self.config.time_zone).naive_local();
        let free = match contact.work {
            Work::Free => true,
            Work::Offered(_) | Work::InCall(_) => false,
            Work::AwaitsResult { again, .. } => again.is_some_and(|again| again <= at),
        };
        free && !contact.locked
            && !contact.is_final()
            && contact.dialling.next_try.is_none_or(|due| due <= at)
            && contact.date(BEGIN_PLACE).is_none_or(|begin| begin <= local)
            && contact.date(END_PLACE).is_none_or(|end| local <= end)
            && Self::slot_to_dial(contact).is_some()
    }

    /// The next contact to call: those whose next try is due, then any.
    fn pick(&mut self, at: Timestamp, settings: &AgentsConfig) -> Option<i64> {
        let hour = at.with_timezone(&self.config.time_zone).hour();
        if settings.hours.is_some_and(|(from, to)| hour < from || hour >= to) {
            return None;
        }
        let offered = |state: &Self, id: i64| {
            state.contact(id).is_some_and(|contact| {
                settings.campaigns.as_ref().is_none_or(|all| all.contains(&contact.campaign))
                    && state.is_callable(contact, at)
            })
        };
        while let Some((due, id)) = self.engine.retries.first().copied().filter(|(due, _)| *due <= at) {
            self.engine.retries.remove(&(due, id));
            if offered(self, id) {
                return Some(id);
            }
        }
        // Dates pass without a change, so now and then they look all the same.
        let looked = self.engine.nobody.is_some_and(|(when, changes)| {
            changes == self.changes && at < when + chrono::TimeDelta::minutes(10)
        });
        if looked {
            return None;
        }
        // A few tries at random meet one where many are callable; else a bounded walk from a random one,
        // so that a dialler full of finished contacts stays cheap.
        for _ in 0..16 {
            let id = self.any_contact()?;
            if offered(self, id) {
                return Some(id);
            }
        }
        let (from, before) = match self.engine.walked.take() {
            Some(place) => place,
            None => (self.any_contact()?, 0),
        };
        let walk: Vec<i64> = self.contacts_from(from).take(WALK + 1).map(|contact| contact.id).collect();
        let found = walk.iter().take(WALK).copied().find(|id| offered(self, *id));
        if found.is_none() {
            match walk.get(WALK) {
                // The rest is looked at the next time.
                Some(next) if before + WALK < self.contacts().len() => {
                    self.engine.walked = Some((*next, before + WALK));
                }
                Some(_) | None => self.engine.nobody = Some((at, self.changes)),
            }
        }
        found
    }

    fn correct_some_day(&mut self, at: Timestamp, given: NewResult) {
        let Some(settings) = self.engine.settings.clone() else { return };
        if self.rng.f64() >= settings.corrections {
            return;
        }
        if let Some(other) = weighted(&mut self.rng, &settings.results).filter(|other| **other != given.key) {
            let when = at + delta(settings.correction_delay.draw(&mut self.rng));
            let corrected = NewResult { key: other.clone(), user: None, call: None, ..given };
            self.engine.push(when, Event::ResultComes(corrected));
        }
    }

    fn somebody_calls_in(&mut self, at: Timestamp) {
        let Some(settings) = self.engine.settings.clone() else { return };
        let Some(span) = settings.inbound else { return };
        let next = span.draw(&mut self.rng).max(Duration::from_secs(1));
        self.engine.push(at + delta(next), Event::Inbound);
        if let Some(contact) = self.any_contact() {
            let (talk, row) = (settings.talk.draw(&mut self.rng), settings.row_delay.draw(&mut self.rng));
            self.call_in(at, contact, talk, row);
        }
    }
}
