//! One call through its life: it is dialled, it ends and moves the contact's fields, its history row
//! comes seconds later, its result minutes to days after the row.

use super::config::BeforeResult;
use super::engine::{Call, Event, WithRow};
use super::judge::{Actor, What};
use super::model::{CallLeg, SimContact, SimRow, Work};
use super::results::NewResult;
use super::state::{Cause, State};
use crate::domain::Timestamp;
use chrono::TimeDelta;
use std::time::Duration;

/// How a call ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Somebody answered and an agent talked; a result follows.
    Answered,
    /// It rang and nobody came.
    NoAnswer,
    /// Busy.
    Busy,
    /// The number does not exist; its slot is marked invalid.
    InvalidNumber,
    /// An answering machine.
    Mailbox,
    /// The agent broke the attempt off (preview or manual): a row, but no field moves.
    BrokenOff,
}

/// How one call is to go.
#[derive(Debug, Clone, PartialEq)]
pub struct CallPlan {
    /// How it ends.
    pub outcome: Outcome,
    /// Which number (0 to 5); `None`: the valid one with the fewest tries.
    pub slot: Option<usize>,
    /// From dialling to the answer (or the end without one).
    pub ring: Duration,
    /// From the answer to the end.
    pub talk: Duration,
    /// From the end, when the fields move, to the row.
    pub row_delay: Duration,
    /// The result's export key, and how long after the row it is recorded. Only for answered calls.
    pub result: Option<(String, Duration)>,
    /// From the end to `dtNextTry`, where nobody was reached.
    pub retry: Duration,
    /// The agent.
    pub user: Option<i64>,
    /// A test call: a row, but no field moves.
    pub test: bool,
    /// What the agent writes into the contact's `Comment` in the middle of the talk. Only for answered calls.
    pub comment: Option<String>,
}

impl CallPlan {
    /// A call of usual lengths: 10 s ringing, 60 s talk, the row 20 s after the end (as in the API page's
    /// sample), the next try 2 h later, no result.
    pub fn new(outcome: Outcome) -> Self {
        Self {
            outcome,
            slot: None,
            ring: Duration::from_secs(10),
            talk: Duration::from_secs(60),
            row_delay: Duration::from_secs(20),
            result: None,
            retry: Duration::from_secs(2 * 3600),
            user: Some(3),
            test: false,
            comment: None,
        }
    }

    /// With a result, recorded so long after the row.
    #[must_use]
    pub fn result(mut self, export_key: &str, after_row: Duration) -> Self {
        self.result = Some((export_key.to_owned(), after_row));
        self
    }
}

pub(super) fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

fn by(actor: Actor, at: Timestamp) -> Cause {
    Cause { actor, request: None, at }
}

impl State {
    /// The slot a call would use: the valid number with the fewest tries.
    pub(super) fn slot_to_dial(contact: &SimContact) -> Option<usize> {
        (0..6)
            .filter(|slot| contact.number(*slot).is_some())
            .filter(|slot| contact.dialling.invalid[*slot] != Some(true))
            .min_by_key(|slot| contact.dialling.tries[*slot])
    }

    /// Dials a contact now, whether or not it could be offered; when the call ends, `None` when it has no number there.
    pub(super) fn dial(
        &mut self,
        at: Timestamp,
        offered: Timestamp,
        id: i64,
        plan: CallPlan,
    ) -> Option<Timestamp> {
        let number_of_call = self.engine.take_up();
        let contact = self.contact(id)?;
        let campaign = contact.campaign;
        let slot = plan.slot.or_else(|| Self::slot_to_dial(contact))?;
        let number = contact.number(slot)?.to_owned();
        let rung = at + delta(plan.ring);
        let connected = matches!(plan.outcome, Outcome::Answered | Outcome::Mailbox);
        let connect = connected.then_some(rung);
        let end = if connected { rung + delta(plan.talk) } else { rung };
        self.note(
            by(Actor::Agent, at),
            contact,
            What::Dialled { number: number.clone(), test: plan.test, offered },
        );
        self.alter(id, |contact| contact.work = Work::InCall(number_of_call));
        if let (Outcome::Answered, Some(connect), Some(text)) = (plan.outcome, connect, &plan.comment) {
            let event = Event::AgentWrites { contact: id, text: text.clone() };
            self.engine.push(connect + delta(plan.talk / 2), event);
        }
        let call =
            Call { id: number_of_call, contact: id, campaign, slot, number, start: at, connect, end, plan };
        self.engine.push(end, Event::CallEnds(Box::new(call)));
        Some(end)
    }

    pub(super) fn call_ends(&mut self, call: Call) {
        let Call { contact: id, slot, ref plan, end, .. } = call;
        let moves = !plan.test && plan.outcome != Outcome::BrokenOff;
        let max_tries = self.engine.max_tries;
        let again = end + delta(plan.retry);
        let again = (self.config.before_result == BeforeResult::Offered).then_some(again);
        let with_row = self.alter(id, |contact| {
            // Who was called again meanwhile is in that call.
            let mine = contact.work == Work::InCall(call.id);
            if mine {
                contact.work = Work::Free;
            }
            if !moves {
                return WithRow::Nothing;
            }
            note_try(contact, slot, plan.outcome, end + delta(plan.retry));
            let with_row = match (plan.outcome, &plan.result) {
                (Outcome::Answered, Some((key, after))) => WithRow::Later(key.clone(), *after),
                (Outcome::Answered, None) => WithRow::Nothing,
                _ if Self::slot_to_dial(contact).is_none() => WithRow::Automatic("NO_NUMBER"),
                _ if contact.dialling.tries_in_all() >= max_tries => WithRow::Automatic("MAX_TRIES"),
                _ => WithRow::Nothing,
            };
            let again = match with_row {
                WithRow::Nothing => return with_row,
                WithRow::Later(..) => again,
                WithRow::Automatic(_) | WithRow::OnRow(_) => None,
            };
            contact.dialling.next_try = None;
            if mine {
                contact.work = Work::AwaitsResult { call: call.id, again };
            }
            with_row
        });
        let Some(with_row) = with_row else { return };
        self.remember_retry(id);
        let leg = self.leg(&call);
        let row_at = end + delta(plan.row_delay);
        let Some(known) = self.contact(id) else { return };
        let row = SimRow {
            campaign: call.campaign,
            call: Some(leg),
            user: plan.user,
            ..SimRow::empty(known, row_at)
        };
        self.engine.push(row_at, Event::RowComes(Box::new(row), with_row, Some(call.id)));
    }

    fn leg(&mut self, call: &Call) -> CallLeg {
        let (connres, cause) = codes(call.plan.outcome);
        let rang = !matches!(call.plan.outcome, Outcome::InvalidNumber | Outcome::Busy);
        CallLeg {
            outbound: true,
            test: call.plan.test,
            number: call.number.clone(),
            slot: u8::try_from(call.slot + 1).unwrap_or(1),
            connres,
            cause: i64::from(cause),
            caller_hangup: call.plan.outcome == Outcome::Answered,
            statistics: self.statistics_number(),
            start: call.start,
            alert: rang.then(|| call.start + TimeDelta::milliseconds(1_541).min(delta(call.plan.ring))),
            connect: call.connect,
            end: Some(call.end),
        }
    }

    pub(super) fn row_comes(&mut self, row: SimRow, with_row: WithRow, call: Option<u64>) {
        let (contact, campaign, at, user) = (row.contact, row.campaign, row.created, row.user);
        let template = SimRow { call: None, user: None, ..row.clone() };
        let by_system = by(Actor::System, at);
        let Some(id) = self.file_row(by_system, row) else { return };
        let given =
            |row, key: &str, user| NewResult { contact, row, campaign, key: key.to_owned(), user, call };
        match with_row {
            WithRow::Nothing => {}
            WithRow::Later(key, after) => {
                self.engine.push(at + delta(after), Event::ResultComes(given(id, &key, user)));
            }
            WithRow::Automatic(key) => {
                if let Some(own) = self.file_row(by_system, template) {
                    self.record_result(by_system, &given(own, key, None));
                }
            }
            WithRow::OnRow(key) => self.record_result(by_system, &given(id, key, None)),
        }
    }

    /// The agent writes into the contact's free text.
    pub(super) fn agent_writes(&mut self, at: Timestamp, id: i64, text: String) {
        let Some(place) = super::fields::place("Comment") else { return };
        self.alter(id, |contact| contact.set(place, text.clone().into()));
        if let Some(contact) = self.contact(id) {
            self.note(by(Actor::Agent, at), contact, What::Commented { text });
        }
    }

    /// The contact calls in: a row comes, but no field moves, unless the campaign closes its callers.
    pub(super) fn call_in(&mut self, at: Timestamp, id: i64, talk: Duration, row_delay: Duration) -> bool {
        let Some(contact) = self.contact(id) else { return false };
        let Some((slot, number)) = (0..6).find_map(|slot| Some((slot, contact.number(slot)?.to_owned())))
        else {
            return false;
        };
        self.note(by(Actor::Agent, at), contact, What::CalledIn { number: number.clone() });
        let closes = !contact.is_final()
            && self.campaigns.get(&contact.campaign).is_some_and(|campaign| campaign.close_on_inbound);
        let end = at + delta(talk);
        let leg = CallLeg {
            outbound: false,
            test: false,
            number,
            slot: u8::try_from(slot + 1).unwrap_or(1),
            connres: 1,
            cause: 16,
            caller_hangup: true,
            statistics: self.statistics_number(),
            start: at,
            alert: None,
            connect: Some(at),
            end: Some(end),
        };
        let with_row = if closes { WithRow::OnRow("INCOMING") } else { WithRow::Nothing };
        let row_at = end + delta(row_delay);
        let Some(known) = self.contact(id) else { return false };
        let row = SimRow { call: Some(leg), user: Some(3), ..SimRow::empty(known, row_at) };
        self.engine.push(row_at, Event::RowComes(Box::new(row), with_row, None));
        true
    }

    /// Puts a contact with a `dtNextTry` (or one that is offered again before its result) among those that agents take
    /// up first.
    pub(super) fn remember_retry(&mut self, id: i64) {
        let Some(contact) = self.contact(id) else { return };
        let again = match contact.work {
            Work::AwaitsResult { again, .. } => again,
            Work::Free | Work::Offered(_) | Work::InCall(_) => None,
        };
        if let Some(at) = contact.dialling.next_try.or(again) {
            self.engine.retries.insert((at, id));
        }
    }
}

/// `CONNRES` and the Q.850 cause of an outcome.
fn codes(outcome: Outcome) -> (i64, u16) {
    match outcome {
        Outcome::Answered | Outcome::Mailbox => (1, 16),
        Outcome::NoAnswer => (2, 19),
        Outcome::Busy => (3, 17),
        Outcome::BrokenOff => (4, 16),
        Outcome::InvalidNumber => (5, 1),
    }
}

fn note_try(contact: &mut SimContact, slot: usize, outcome: Outcome, next_try: Timestamp) {
    let dialling = &mut contact.dialling;
    dialling.tries[slot] = dialling.tries[slot].saturating_add(1);
    dialling.causes[slot] = Some(codes(outcome).1);
    dialling.invalid[slot] = Some(outcome == Outcome::InvalidNumber);
    dialling.mailbox = Some(outcome == Outcome::Mailbox);
    if outcome == Outcome::Answered {
        dialling.end_reasons[slot] = Some(1);
        dialling.last_end_reason = Some(1);
    }
    dialling.next_try = Some(next_try);
}
