//! The circuit breaker of one side (and a second one of its locks), and the pause a server asks for.
//!
//! It counts *distinct* contacts or operations: one contact that always gives 500 must not shut the
//! side (semantics 25). Own code, because the published breakers count calls and read their own clock.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long others wait while a probe is out.
const PROBE_WAIT: Duration = Duration::from_secs(1);

/// When a breaker opens, and for how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    /// Distinct subjects that must fail without a success in between.
    pub subjects: usize,
    /// How long it stays open at the first, second ... time in a row.
    pub open_for: fn(u32) -> Duration,
}

/// 10, 30, then 60 s: the ladder of everything but locks.
pub(super) fn common_ladder(opened: u32) -> Duration {
    Duration::from_secs(match opened {
        0 | 1 => 10,
        2 => 30,
        _ => 60,
    })
}

#[derive(Debug, Default)]
struct State {
    failed: BTreeSet<String>,
    /// How often it opened since the last success.
    opened: u32,
    open_until: Option<Instant>,
    probing: bool,
    last_probe: Option<String>,
    /// Until when the server asked for silence.
    silent_until: Option<Instant>,
}

/// The breaker; closed at first.
#[derive(Debug)]
pub(super) struct Breaker {
    rule: Rule,
    state: Mutex<State>,
}

/// Why a call may not go out now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shut {
    /// Too many failed; the next probe is due after so long.
    Open(Duration),
    /// The server asked for silence for so long.
    Silent(Duration),
}

/// Leave to send one request. Dropped without a report (the call was cancelled) it tells nothing.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    breaker: &'a Breaker,
    subject: &'a str,
    probe: bool,
}

impl Breaker {
    /// A closed breaker.
    pub fn new(rule: Rule) -> Self {
        Self { rule, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for leave to send a request about `subject`.
    pub fn admit<'a>(&'a self, subject: &'a str, now: Instant) -> Result<Pass<'a>, Shut> {
        let mut state = self.state();
        if let Some(until) = state.silent_until.filter(|until| *until > now) {
            return Err(Shut::Silent(until - now));
        }
        let Some(until) = state.open_until else { return Ok(Pass { breaker: self, subject, probe: false }) };
        if until > now {
            return Err(Shut::Open(until - now));
        }
        if state.probing {
            return Err(Shut::Open(PROBE_WAIT));
        }
        state.probing = true;
        Ok(Pass { breaker: self, subject, probe: true })
    }

    /// Whether it is open or waits for its probe.
    pub fn is_open(&self) -> bool {
        self.state().open_until.is_some()
    }
}

impl Pass<'_> {
    /// The side answered sensibly (also with a rejection).
    pub fn good(self) {
        let mut state = self.breaker.state();
        let silent_until = state.silent_until;
        // An answer to a request from before the opening proves as much as a probe's.
        *state = State { silent_until, ..State::default() };
    }

    /// The side failed.
    pub fn bad(self, now: Instant) {
        let mut state = self.breaker.state();
        if self.probe {
            // The same contact twice as the probe proves little: let somebody else try soon.
            let again = state.last_probe.as_deref() == Some(self.subject);
            state.last_probe = Some(self.subject.to_owned());
            state.opened += 1;
            let wait = if again { PROBE_WAIT } else { (self.breaker.rule.open_for)(state.opened) };
            state.open_until = Some(now + wait);
            return;
        }
        if state.open_until.is_some() {
            return;
        }
        state.failed.insert(self.subject.to_owned());
        if state.failed.len() >= self.breaker.rule.subjects {
            state.failed.clear();
            state.opened += 1;
            state.open_until = Some(now + (self.breaker.rule.open_for)(state.opened));
        }
    }

    /// The server asks for silence: nobody sends until then.
    pub fn silence(self, until: Option<Instant>) {
        let mut state = self.breaker.state();
        state.silent_until = state.silent_until.max(until);
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.probe {
            self.breaker.state().probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule { subjects: 3, open_for: common_ladder };

    fn fail(breaker: &Breaker, subject: &str) {
        let now = Instant::now();
        breaker.admit(subject, now).unwrap().bad(now);
    }

    #[tokio::test(start_paused = true)]
    async fn one_contact_that_always_fails_does_not_open_it() {
        let breaker = Breaker::new(RULE);
        for _ in 0..100 {
            fail(&breaker, "4711");
        }
        assert!(!breaker.is_open());
        fail(&breaker, "4712");
        breaker.admit("4713", Instant::now()).unwrap().good();
        fail(&breaker, "4714");
        fail(&breaker, "4715");
        assert!(!breaker.is_open(), "a success in between starts the count anew");
        fail(&breaker, "4716");
        assert!(breaker.is_open());
    }

    #[tokio::test(start_paused = true)]
    async fn half_open_lets_one_probe_through_and_believes_it() {
        let breaker = Breaker::new(RULE);
        for subject in ["1", "2", "3"] {
            fail(&breaker, subject);
        }
        assert_eq!(breaker.admit("4", Instant::now()).unwrap_err(), Shut::Open(Duration::from_secs(10)));
        tokio::time::advance(Duration::from_secs(10)).await;
        let probe = breaker.admit("4", Instant::now()).unwrap();
        assert_eq!(breaker.admit("5", Instant::now()).unwrap_err(), Shut::Open(PROBE_WAIT));
        drop(probe);
        let probe = breaker.admit("4", Instant::now()).unwrap();
        probe.bad(Instant::now());
        assert_eq!(breaker.admit("5", Instant::now()).unwrap_err(), Shut::Open(Duration::from_secs(30)));
        tokio::time::advance(Duration::from_secs(30)).await;
        fail(&breaker, "4");
        assert_eq!(
            breaker.admit("5", Instant::now()).unwrap_err(),
            Shut::Open(PROBE_WAIT),
            "the same contact as a probe twice: the next one may try soon"
        );
        tokio::time::advance(PROBE_WAIT).await;
        breaker.admit("5", Instant::now()).unwrap().good();
        assert!(!breaker.is_open());
        breaker.admit("6", Instant::now()).unwrap().good();
    }

    #[tokio::test(start_paused = true)]
    async fn silence_holds_everybody_until_it_ends() {
        let breaker = Breaker::new(RULE);
        let until = Instant::now() + Duration::from_secs(7);
        breaker.admit("1", Instant::now()).unwrap().silence(Some(until));
        assert_eq!(breaker.admit("2", Instant::now()).unwrap_err(), Shut::Silent(Duration::from_secs(7)));
        tokio::time::advance(Duration::from_secs(7)).await;
        breaker.admit("2", Instant::now()).unwrap().good();
    }
}
