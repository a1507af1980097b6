//! What goes wrong on the way to a simulator, and when: rules with a matcher and an action, by seed.
//!
//! Shared by both simulators; [`super::wire`] carries it out.

use crate::domain::Timestamp;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Put on an answer whose connection breaks before a byte of it was sent.
///
/// The in-process transport looks for it in the answer's extensions and reports a broken exchange.
/// Over real HTTP the same answer has a body that fails at its first poll: hyper then drops the
/// connection before it flushed the head, so the client sees it closed without any byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionReset;

/// Whether, and when, a request that is answered badly nevertheless does its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It was never carried out.
    None,
    /// It was carried out before the bad answer.
    Done,
    /// It is carried out so long after the client was answered or hung up on.
    Late(Duration),
}

/// The `Retry-After` header of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    /// No such header.
    Absent,
    /// As seconds.
    Seconds(u64),
    /// As an HTTP date so many seconds from now.
    Date(u64),
    /// As seconds since 1970, so many from now.
    Epoch(u64),
    /// As seconds, twice as many with each refusal of the same rule: a server that loses its patience.
    Doubling(u64),
}

/// What is done to a request that a rule meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The work begins `before` later and the answer leaves `after` later. The work is done even if the
    /// client hangs up meanwhile, as a real server would. Adds up over rules.
    Latency {
        /// Until the work begins.
        before: Duration,
        /// From the work to the answer.
        after: Duration,
    },
    /// An answer with this status and a JSON error body (`{"status", "error"}`): 429, 500, 401 ...
    Status {
        /// The HTTP status.
        code: u16,
        /// Its `Retry-After`.
        retry_after: RetryAfter,
        /// Whether the work was done.
        effect: Effect,
    },
    /// A JSON answer of one's choice, with nothing done: a refusal in a server's own words.
    Says {
        /// The HTTP status.
        code: u16,
        /// The body.
        body: &'static str,
    },
    /// 404 with an empty body, as for an address that is not there.
    Empty404,
    /// The connection breaks before a byte was answered.
    Reset(Effect),
    /// The answer stops in the middle of its body. `clean`: the HTTP message ends properly and only the
    /// JSON is cut (a proxy's doing); else the connection breaks.
    Truncate {
        /// See above.
        clean: bool,
    },
    /// A proxy's HTML page with status 200.
    Html(Effect),
    /// The answer's last `"key": number` is one too high (`count`, `length`, `total`).
    WrongNumber {
        /// The key.
        key: String,
    },
    /// HTTP 200 whose body says `"status": 500`.
    ContradictingStatus,
    /// The body comes in pieces of `chunk` bytes with a pause before each.
    SlowBody {
        /// Bytes per piece (at least 1).
        chunk: usize,
        /// The pause.
        pause: Duration,
    },
    /// A list that is complete, agrees with itself and has nothing in it, whatever is there.
    EmptyList,
    /// The first element of the answer's list is none (`7`); the counts stay.
    BrokenElement,
    /// The elements of the answer's lists lack this field.
    FieldLost(String),
    /// Characters of the upper half of Latin-1 come as the one byte that they are there, which is no UTF-8.
    Latin1,
    /// The right answer under another content type.
    ContentType(String),
    /// The right answer without this header, as a proxy may pass it on.
    WithoutHeader(String),
    /// The right answer, compressed by gzip. Only a real HTTP client undoes that.
    Gzip,
}

/// Which requests an action meets, and how often.
#[derive(Debug, Clone)]
pub struct Rule {
    action: Action,
    method: Option<http::Method>,
    path: Option<String>,
    end: Option<String>,
    body: Option<String>,
    chance: f64,
    skip: u64,
    times: Option<u64>,
    span: Option<(Timestamp, Timestamp)>,
}

impl Rule {
    /// Meets every request until narrowed.
    pub fn new(action: Action) -> Self {
        Self {
            action,
            method: None,
            path: None,
            end: None,
            body: None,
            chance: 1.0,
            skip: 0,
            times: None,
            span: None,
        }
    }

    /// Only this method.
    #[must_use]
    pub fn method(mut self, method: http::Method) -> Self {
        self.method = Some(method);
        self
    }

    /// Only requests whose path and query contain this text.
    #[must_use]
    pub fn path(mut self, part: &str) -> Self {
        self.path = Some(part.to_owned());
        self
    }

    /// Only requests whose path and query end with this text.
    #[must_use]
    pub fn path_end(mut self, part: &str) -> Self {
        self.end = Some(part.to_owned());
        self
    }

    /// Only requests whose body contains this text (a UserData, say).
    #[must_use]
    pub fn body(mut self, part: &str) -> Self {
        self.body = Some(part.to_owned());
        self
    }

    /// Meets each matching request with this probability (0 to 1), drawn from the plan's seed.
    #[must_use]
    pub fn chance(mut self, chance: f64) -> Self {
        self.chance = chance;
        self
    }

    /// Leaves the first `n` matching requests alone.
    #[must_use]
    pub fn skip(mut self, n: u64) -> Self {
        self.skip = n;
        self
    }

    /// Ends after `n` hits.
    #[must_use]
    pub fn times(mut self, n: u64) -> Self {
        self.times = Some(n);
        self
    }

    /// Meets only the `n`-th matching request (1 is the first).
    #[must_use]
    pub fn nth(self, n: u64) -> Self {
        self.skip(n.saturating_sub(1)).times(1)
    }

    /// Only from `from` to before `until` (an outage).
    #[must_use]
    pub fn between(mut self, from: Timestamp, until: Timestamp) -> Self {
        self.span = Some((from, until));
        self
    }

    fn matches(&self, method: &http::Method, path: &str, body: &[u8], now: Timestamp) -> bool {
        self.method.as_ref().is_none_or(|wanted| wanted == method)
            && self.path.as_ref().is_none_or(|part| path.contains(part.as_str()))
            && self.end.as_ref().is_none_or(|part| path.ends_with(part.as_str()))
            && self.body.as_ref().is_none_or(|part| contains(body, part.as_bytes()))
            && self.span.is_none_or(|(from, until)| from <= now && now < until)
    }
}

fn contains(body: &[u8], part: &[u8]) -> bool {
    part.is_empty() || body.windows(part.len()).any(|window| window == part)
}

/// Names a rule of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(u64);

#[derive(Debug)]
struct Active {
    id: RuleId,
    rule: Rule,
    met: u64,
    fired: u64,
}

#[derive(Debug)]
struct Plan {
    rng: fastrand::Rng,
    rules: Vec<Active>,
    next: u64,
    paused: bool,
}

/// A plan of faults; clones share it, so that a test can change it while the simulator runs.
#[derive(Debug, Clone)]
pub struct Faults(Arc<Mutex<Plan>>);

/// What the plan decided for one request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decision {
    /// Until the work begins.
    pub before: Duration,
    /// From the work to the answer.
    pub after: Duration,
    /// The one fault beyond latency.
    pub action: Option<Action>,
}

impl Faults {
    /// A plan without rules; probabilities are drawn from `seed`.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Plan {
            rng: fastrand::Rng::with_seed(seed),
            rules: Vec::new(),
            next: 0,
            paused: false,
        })))
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a rule. Latencies of all rules that fire add up; of the others the first that fires decides.
    pub fn add(&self, rule: Rule) -> RuleId {
        let mut plan = self.plan();
        plan.next += 1;
        let id = RuleId(plan.next);
        plan.rules.push(Active { id, rule, met: 0, fired: 0 });
        id
    }

    /// Takes a rule away.
    pub fn remove(&self, id: RuleId) {
        self.plan().rules.retain(|active| active.id != id);
    }

    /// Takes all rules away.
    pub fn clear(&self) {
        self.plan().rules.clear();
    }

    /// Lets everything pass (`true`) or applies the rules again (`false`).
    pub fn pause(&self, paused: bool) {
        self.plan().paused = paused;
    }

    /// How often a rule fired; 0 for one that is gone.
    pub fn fired(&self, id: RuleId) -> u64 {
        self.plan().rules.iter().find(|active| active.id == id).map_or(0, |active| active.fired)
    }

    /// How often any present rule fired.
    pub fn fired_in_all(&self) -> u64 {
        self.plan().rules.iter().map(|active| active.fired).sum()
    }

    /// Decides what happens to one request; counts and draws.
    pub fn decide(
        &self,
        method: &http::Method,
        path_and_query: &str,
        body: &[u8],
        now: Timestamp,
    ) -> Decision {
        let mut plan = self.plan();
        let mut decision = Decision::default();
        if plan.paused {
            return decision;
        }
        let Plan { rng, rules, .. } = &mut *plan;
        for active in rules {
            let latency = matches!(active.rule.action, Action::Latency { .. });
            if (!latency && decision.action.is_some())
                || !active.rule.matches(method, path_and_query, body, now)
            {
                continue;
            }
            active.met += 1;
            let exhausted = active.rule.times.is_some_and(|times| active.fired >= times);
            if active.met <= active.rule.skip
                || exhausted
                || (active.rule.chance < 1.0 && rng.f64() >= active.rule.chance)
            {
                continue;
            }
            active.fired += 1;
            match &active.rule.action {
                Action::Latency { before, after } => {
                    decision.before += *before;
                    decision.after += *after;
                }
                Action::Status { code, retry_after: RetryAfter::Doubling(first), effect } => {
                    let doubled = u32::try_from(active.fired - 1).ok().and_then(|n| 2_u64.checked_pow(n));
                    let seconds = first.saturating_mul(doubled.unwrap_or(u64::MAX));
                    let retry_after = RetryAfter::Seconds(seconds);
                    decision.action = Some(Action::Status { code: *code, retry_after, effect: *effect });
                }
                other => decision.action = Some(other.clone()),
            }
        }
        decision
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn decide(faults: &Faults, path: &str) -> Option<Action> {
        faults.decide(&http::Method::POST, path, b"{}", at("2026-01-01T10:00:00Z")).action
    }

    #[test]
    fn the_nth_request_is_met_and_no_other() {
        let faults = Faults::new(1);
        let rule = faults.add(Rule::new(Action::Empty404).path("/import").nth(2));
        let met: Vec<bool> = (0..4).map(|_| decide(&faults, "/x/import").is_some()).collect();
        assert_eq!(met, [false, true, false, false]);
        assert_eq!(decide(&faults, "/x/update"), None);
        assert_eq!(faults.fired(rule), 1);
    }

    #[test]
    fn latencies_add_up_and_the_first_other_rule_decides() {
        let faults = Faults::new(1);
        let second = Duration::from_secs(1);
        faults.add(Rule::new(Action::Latency { before: second, after: second }));
        faults.add(Rule::new(Action::Reset(Effect::Done)));
        let unmet = faults.add(Rule::new(Action::Empty404));
        faults.add(Rule::new(Action::Latency { before: second, after: Duration::ZERO }));
        let decision = faults.decide(&http::Method::GET, "/a", b"", at("2026-01-01T10:00:00Z"));
        assert_eq!(decision.before, second * 2);
        assert_eq!(decision.after, second);
        assert_eq!(decision.action, Some(Action::Reset(Effect::Done)));
        assert_eq!(faults.fired(unmet), 0);
    }

    #[test]
    fn the_same_seed_draws_the_same_faults() {
        let run = |seed| {
            let faults = Faults::new(seed);
            faults.add(Rule::new(Action::Empty404).chance(0.5));
            (0..64).map(|_| decide(&faults, "/a").is_some()).collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        assert!(run(7).contains(&true) && run(7).contains(&false));
    }

    #[test]
    fn an_outage_has_a_beginning_and_an_end_and_rules_narrow_by_method_and_body() {
        let faults = Faults::new(1);
        faults.add(
            Rule::new(Action::Empty404)
                .method(http::Method::POST)
                .body("leads-1\"")
                .between(at("2026-01-01T10:00:00Z"), at("2026-01-01T11:00:00Z")),
        );
        let ask = |method: http::Method, body: &str, time| {
            faults.decide(&method, "/a", body.as_bytes(), at(time)).action.is_some()
        };
        let body = r#"{"UserData":"leads-1"}"#;
        assert!(ask(http::Method::POST, body, "2026-01-01T10:00:00Z"));
        assert!(!ask(http::Method::POST, body, "2026-01-01T11:00:00Z"));
        assert!(!ask(http::Method::POST, body, "2026-01-01T09:59:59Z"));
        assert!(!ask(http::Method::GET, body, "2026-01-01T10:00:00Z"));
        assert!(!ask(http::Method::POST, r#"{"UserData":"leads-11"}"#, "2026-01-01T10:00:00Z"));
        faults.pause(true);
        assert!(!ask(http::Method::POST, body, "2026-01-01T10:00:00Z"));
    }
}
