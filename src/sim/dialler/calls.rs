//! One call through its life: it is dialled, it ends and moves the contact's fields, its history row
//! comes seconds later, its result minutes to days after the row.

use super::judge::{Actor, What};
use super::model::{CallLeg, ResultType, SimContact, SimRow};
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
        }
    }

    /// With a result, recorded so long after the row.
    #[must_use]
    pub fn result(mut self, export_key: &str, after_row: Duration) -> Self {
        self.result = Some((export_key.to_owned(), after_row));
        self
    }
}

/// A call that is under way.
#[derive(Debug, Clone)]
pub(super) struct Call {
    contact: i64,
    slot: usize,
    number: String,
    start: Timestamp,
    connect: Option<Timestamp>,
    end: Timestamp,
    plan: CallPlan,
}

/// What the row of a call brings with it.
#[derive(Debug, Clone)]
pub(super) enum WithRow {
    /// Nothing: the contact is free again.
    Nothing,
    /// An agent's result, so long after the row.
    Later(String, Duration),
    /// A result that the dialler records by itself, on a row of its own without a call.
    Automatic(&'static str),
    /// A result on the row itself.
    OnRow(&'static str),
}

/// What is due at some instant.
#[derive(Debug, Clone)]
pub(super) enum Event {
    /// An agent looks for the next contact.
    AgentFree(usize),
    /// A call ends.
    CallEnds(Box<Call>),
    /// A row appears.
    RowComes(Box<SimRow>, WithRow),
    /// A result is recorded or corrected.
    ResultComes { contact: i64, row: i64, key: String, user: Option<i64> },
    /// Somebody calls in.
    Inbound,
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

    /// Dials a contact now, whether or not it could be offered; false when it has no number there.
    pub(super) fn dial(&mut self, at: Timestamp, id: i64, plan: CallPlan) -> Option<Timestamp> {
        let contact = self.contact(id)?;
        let slot = plan.slot.or_else(|| Self::slot_to_dial(contact))?;
        let number = contact.number(slot)?.to_owned();
        let rung = at + delta(plan.ring);
        let connected = matches!(plan.outcome, Outcome::Answered | Outcome::Mailbox);
        let connect = connected.then_some(rung);
        let end = if connected { rung + delta(plan.talk) } else { rung };
        self.note(by(Actor::Agent, at), contact, What::Dialled { number: number.clone(), test: plan.test });
        self.alter(id, |contact| contact.in_work = true);
        let call = Call { contact: id, slot, number, start: at, connect, end, plan };
        self.engine.push(end, Event::CallEnds(Box::new(call)));
        Some(end)
    }

    pub(super) fn call_ends(&mut self, call: Call) {
        let Call { contact: id, slot, ref plan, end, .. } = call;
        let moves = !plan.test && plan.outcome != Outcome::BrokenOff;
        let max_tries = self.engine.max_tries;
        let with_row = self.alter(id, |contact| {
            if !moves {
                contact.in_work = false;
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
            // Nobody else takes it up before its result is known.
            contact.in_work = !matches!(with_row, WithRow::Nothing);
            if contact.in_work {
                contact.dialling.next_try = None;
            }
            with_row
        });
        let Some(with_row) = with_row else { return };
        self.remember_retry(id);
        let leg = self.leg(&call);
        let row_at = end + delta(plan.row_delay);
        self.row_to_come(row_at, id, Some(leg), plan.user, with_row);
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

    fn row_to_come(
        &mut self,
        at: Timestamp,
        contact: i64,
        call: Option<CallLeg>,
        user: Option<i64>,
        with_row: WithRow,
    ) {
        let Some(known) = self.contact(contact) else { return };
        let row = SimRow { call, user, ..SimRow::empty(known, at) };
        self.engine.push(at, Event::RowComes(Box::new(row), with_row));
    }

    pub(super) fn row_comes(&mut self, row: SimRow, with_row: WithRow) {
        let (contact, at, user) = (row.contact, row.created, row.user);
        let template = SimRow { call: None, user: None, ..row.clone() };
        let Some(id) = self.file_row(by(Actor::System, at), row) else { return };
        match with_row {
            WithRow::Nothing => {}
            WithRow::Later(key, after) => {
                let event = Event::ResultComes { contact, row: id, key, user };
                self.engine.push(at + delta(after), event);
            }
            WithRow::Automatic(key) => {
                if let Some(own) = self.file_row(by(Actor::System, at), template) {
                    self.record_result(by(Actor::System, at), contact, own, key, None);
                }
            }
            WithRow::OnRow(key) => self.record_result(by(Actor::System, at), contact, id, key, None),
        }
    }

    /// Records (or corrects) a result on a row and on its contact.
    pub(super) fn record_result(
        &mut self,
        cause: Cause,
        contact: i64,
        row: i64,
        key: &str,
        user: Option<i64>,
    ) {
        let campaign = self.contact(contact).map(|contact| contact.campaign);
        let code = campaign.and_then(|id| self.campaigns.get(&id)?.result_by_key(key));
        let Some((code, kind)) = code.map(|code| (code.id, code.kind)) else { return };
        // A reset may have taken the row; the contact gets its result all the same.
        let known = self.row_mut(contact, row);
        let corrected = known.as_ref().is_some_and(|row| row.result.is_some());
        if let Some(row) = known {
            row.result = Some(code);
            row.result_type = Some(kind);
        }
        let uid =
            user.and_then(|id| self.users.iter().find(|user| user.id == id)).map(|user| user.uid.clone());
        let due = match kind {
            ResultType::Done | ResultType::Aborted => None,
            ResultType::Delay => Some(cause.at + TimeDelta::minutes(60)),
            ResultType::Appointment => Some(cause.at + TimeDelta::days(1)),
        };
        let zone = self.config.time_zone;
        self.alter(contact, |contact| {
            contact.in_work = false;
            contact.dialling.result = Some(code);
            contact.dialling.result_type = Some(kind);
            contact.dialling.next_try = due;
            if let (ResultType::Appointment, Some(due)) = (kind, due) {
                let local = due.with_timezone(&zone).format("%Y-%m-%dT%H:%M:%S").to_string();
                for (field, value) in [("FollowUpDateTime", Some(local)), ("FollowUpUsersUID", uid)] {
                    if let Some(place) = super::fields::place(field) {
                        contact.set(place, value.into());
                    }
                }
            }
        });
        self.remember_retry(contact);
        if let Some(known) = self.contact(contact) {
            self.note(cause, known, What::ResultRecorded { row, key: key.to_owned(), corrected });
        }
    }

    /// Records a result on a row of its own without a call, where the campaign has such a code.
    pub(super) fn record_result_alone(&mut self, cause: Cause, contact: i64, key: &str) {
        let Some(known) = self.contact(contact).cloned() else { return };
        let coded = self.campaigns.get(&known.campaign).and_then(|campaign| campaign.result_by_key(key));
        if coded.is_some()
            && let Some(row) = self.file_row(cause, SimRow::empty(&known, cause.at))
        {
            self.record_result(cause, contact, row, key, None);
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
        self.row_to_come(end + delta(row_delay), id, Some(leg), Some(3), with_row);
        true
    }

    /// Puts a contact with a `dtNextTry` among those that agents take up first.
    fn remember_retry(&mut self, id: i64) {
        if let Some(at) = self.contact(id).and_then(|contact| contact.dialling.next_try) {
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
