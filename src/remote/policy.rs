//! What to do after a try: again (when), or give up. Numbers of the policy in one place.
//!
//! This is the layer of seconds. Minutes and hours are the operation's row (design section 4).

use super::answer::{BodyCheck, FailureCheck};
use super::backoff::Intervals;
use super::outcome::Fault;
use super::text::BadText;
use super::{CallClass, CallContext};
use crate::env::Env;
use std::time::Duration;
use tokio::time::Instant;

/// How one side is called. `Default` holds what the config's defaults file says.
#[derive(Clone)]
pub struct ClientConfig {
    /// The base URL: requests to another scheme, host or port are refused, because they would carry
    /// the token there (a paging link in an answer may name any host). `None`: no check.
    pub base_url: Option<String>,
    /// Requests at once; two of the dialler's are kept for locks.
    pub max_in_flight: usize,
    /// Requests per second over all classes, with a burst of one second; `None`: no limit but the slots.
    pub requests_per_second: Option<f64>,
    /// How long one try may take, from the first byte to the end of the answer. `settle_after` is
    /// twice this, at least 60 s.
    pub request_timeout: Duration,
    /// How long one try of a lock may take.
    pub lock_timeout: Duration,
    /// How long the head of a streamed answer may take: the server builds the whole list first.
    pub stream_head_timeout: Duration,
    /// All tries, waits and the queue for a slot together: reads.
    pub read_deadline: Duration,
    /// The same for writes. Short, because the gate is asked before the call, not inside it.
    pub write_deadline: Duration,
    /// The same for locks; afterwards the operation's row repeats them by [`lock_backoff`].
    pub lock_deadline: Duration,
    /// HTTP tries of a read.
    pub read_tries: u32,
    /// HTTP tries of a write (only what was certainly not executed is repeated).
    pub write_tries: u32,
    /// The first wait between two tries; it doubles.
    pub first_wait: Duration,
    /// The longest wait between two tries where the server names none.
    pub longest_wait: Duration,
    /// The longest Retry-After that is waited for inside the call of a read; for locks every
    /// Retry-After is cut to it. Beyond it the error carries the wish.
    pub retry_after_cap: Duration,
    /// The same for writes: short, because a block that arrives while one waits would not be seen.
    pub write_retry_after_cap: Duration,
    /// The longest Retry-After that is honoured in any way: waited for, kept silent for, carried by an error.
    pub retry_after_max: Duration,
    /// The largest complete answer in bytes, after decompression.
    pub body_limit: usize,
    /// The longest streamed answer in bytes, after decompression.
    pub stream_limit: u64,
    /// Streamed answers at once: they count against bytes, not against `max_in_flight`.
    pub streams: usize,
    /// A streamed body must bring so many bytes per second over [`Self::throughput_window`].
    pub least_bytes_per_second: u64,
    /// Over how much waiting the throughput is measured; time the reader takes does not count.
    pub throughput_window: Duration,
    /// How many different contacts or operations must fail without a success in between until the
    /// breaker opens.
    pub breaker_subjects: usize,
    /// How long a write in flight may still take after shutdown began, before it is given up as
    /// uncertain. Reads are given up at once.
    pub shutdown_grace: Duration,
    /// What becomes of 2xx bodies with bytes that are no UTF-8.
    pub bad_text: BadText,
    /// Errors that 2xx bodies carry.
    pub body_check: Option<BodyCheck>,
    /// What 4xx and 5xx bodies say more exactly than their status.
    pub failure_check: Option<FailureCheck>,
}

impl Default for ClientConfig {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            base_url: None,
            max_in_flight: 8,
            requests_per_second: None,
            request_timeout: seconds(30),
            lock_timeout: seconds(10),
            stream_head_timeout: seconds(300),
            read_deadline: seconds(150),
            write_deadline: seconds(60),
            lock_deadline: seconds(30),
            read_tries: 4,
            write_tries: 3,
            first_wait: Duration::from_millis(500),
            longest_wait: seconds(15),
            retry_after_cap: seconds(60),
            write_retry_after_cap: seconds(10),
            retry_after_max: seconds(3600),
            body_limit: 16 << 20,
            stream_limit: 8 << 30,
            streams: 2,
            least_bytes_per_second: 1024,
            throughput_window: seconds(60),
            breaker_subjects: 5,
            shutdown_grace: seconds(30),
            bad_text: BadText::Refuse,
            body_check: None,
            failure_check: None,
        }
    }
}

impl std::fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientConfig")
            .field("base_url", &self.base_url)
            .field("max_in_flight", &self.max_in_flight)
            .finish_non_exhaustive()
    }
}

impl ClientConfig {
    /// The usual numbers for a side whose answers may take so long. A lock is waited for as long as
    /// everything else: one that is given up before such a side answers is never known to have arrived.
    pub fn with_timeout(request_timeout: Duration) -> Self {
        let usual = Self::default();
        let lock_timeout = request_timeout.max(usual.lock_timeout);
        let lock_deadline = usual.lock_deadline.max(lock_timeout + usual.lock_timeout);
        Self { request_timeout, lock_timeout, lock_deadline, ..usual }
    }

    /// How long one try of this call may take.
    pub(super) fn try_timeout(&self, context: &CallContext) -> Duration {
        if context.class == CallClass::Lock { self.lock_timeout } else { self.request_timeout }
    }

    /// The longest Retry-After that the error of this call carries.
    pub(super) fn longest_wish(&self, context: &CallContext) -> Duration {
        match context.class {
            CallClass::Lock => self.retry_after_cap.min(self.retry_after_max),
            CallClass::Push | CallClass::WriteBack | CallClass::Harvest | CallClass::Audit => {
                self.retry_after_max
            }
        }
    }

    fn deadline(&self, context: &CallContext) -> Duration {
        match (context.class, context.write) {
            (CallClass::Lock, _) => self.lock_deadline,
            (_, true) => self.write_deadline,
            (_, false) => self.read_deadline,
        }
    }
}

/// The waits of the lock lane after the first, second ... failure in a row: 1, 2, 5, 10 s, then
/// every 30 s (semantics 8). Whoever repeats a lock from the ledger uses the same ladder.
pub fn lock_backoff(failures: u32) -> Duration {
    Duration::from_secs(match failures {
        0 | 1 => 1,
        2 => 2,
        3 => 5,
        4 => 10,
        _ => 30,
    })
}

/// What to do after a failed try.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Wait so long, then try again.
    Again(Duration),
    /// The call is over.
    GiveUp,
}

/// Attempts, waits and deadline of one call.
#[derive(Debug)]
pub(super) struct Pace {
    tries: u32,
    most_tries: u32,
    /// When the call must be over.
    pub deadline: Instant,
    waits: Intervals,
}

impl Pace {
    /// The pace of a call that starts now.
    pub fn new(config: &ClientConfig, context: &CallContext, env: &Env) -> Self {
        Self {
            tries: 0,
            most_tries: if context.write { config.write_tries } else { config.read_tries }.max(1),
            deadline: env.instant() + config.deadline(context),
            waits: Intervals::new(config.first_wait, config.longest_wait),
        }
    }

    /// A streamed answer: as many tries as a read, but each head may take its long time.
    pub fn for_stream(config: &ClientConfig, context: &CallContext, env: &Env) -> Self {
        let whole = config.read_deadline + config.stream_head_timeout * config.read_tries.max(1);
        Self { deadline: env.instant() + whole, ..Self::new(config, context, env) }
    }

    /// Decides after the `fault` of a try that has just ended.
    pub fn next(&mut self, config: &ClientConfig, context: &CallContext, fault: &Fault, env: &Env) -> Next {
        self.tries += 1;
        let lock = context.class == CallClass::Lock;
        let may_repeat = if context.write { fault.certainly_not_executed() } else { fault.is_transient() };
        if !may_repeat || self.tries >= self.most_tries {
            return Next::GiveUp;
        }
        let wait = match fault {
            Fault::Refused { retry_after: Some(wish) } => {
                let cap = if context.write && !lock {
                    config.write_retry_after_cap
                } else {
                    config.retry_after_cap
                };
                let wish = (*wish).min(config.retry_after_max);
                if wish > cap && !lock {
                    return Next::GiveUp;
                }
                wish.min(cap)
            }
            _ if lock => lock_backoff(self.tries),
            _ => self.waits.next(env.random()),
        };
        if env.instant() + wait >= self.deadline { Next::GiveUp } else { Next::Again(wait) }
    }
}
