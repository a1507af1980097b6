//! The client of one side: every call goes through it, and with it through the one policy.

use super::answer::{Answer, StreamedAnswer};
use super::breaker::{Breaker, Pass, Rule, Shut, common_ladder};
use super::hidden::Hidden;
use super::limits::{Limits, Slot};
use super::outcome::Fault;
use super::policy::{ClientConfig, Next, Pace, lock_backoff};
use super::rate::Rate;
use super::{Auth, CallClass, CallContext, CallError, Request, Response, Side, Transport, Try, ports};
use crate::domain::Timestamp;
use crate::env::Env;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Distinct locks that must fail until the lock lane pauses.
const LOCK_SUBJECTS: usize = 3;

/// One side's client; cheap to clone, all clones share slots, breakers and token.
#[derive(Debug, Clone)]
pub struct Client {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub side: Side,
    pub config: ClientConfig,
    pub transport: Arc<dyn Transport>,
    pub auth: Auth,
    pub env: Env,
    sink: Option<Arc<dyn ports::CallSink>>,
    limits: Limits,
    rate: Option<Rate>,
    pub streams: Arc<Semaphore>,
    breaker: Breaker,
    lock_breaker: Breaker,
    /// Of the reads that look for whom to lock: what they meet must not count against the locks themselves.
    look_breaker: Breaker,
    pub server_time: Mutex<Option<Timestamp>>,
    /// Answers 403 in a row.
    pub forbidden: AtomicU32,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner")
            .field("side", &self.side)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// A failed try: the fault, and the status if there was one.
pub(super) struct Failed {
    pub fault: Fault,
    pub status: Option<u16>,
}

impl Failed {
    pub fn without_status(fault: Fault) -> Self {
        Self { fault, status: None }
    }
}

/// What a try wants of the answer.
pub(super) enum Want {
    /// The whole body, judged.
    Complete(Answer),
    /// The body as it comes.
    Stream(Response),
}

fn withheld(why: &str) -> Failed {
    Failed::without_status(Fault::Withheld(format!("nothing was sent: {why}")))
}

impl Client {
    /// Builds the client of one side. `sink` keeps the tries of writes.
    pub fn new(
        side: Side,
        config: ClientConfig,
        transport: Arc<dyn Transport>,
        auth: Auth,
        env: Env,
        sink: Option<Arc<dyn ports::CallSink>>,
    ) -> Self {
        let limits = Limits::new(side, config.max_in_flight);
        let rate = Rate::new(config.requests_per_second, env.instant());
        let streams = Arc::new(Semaphore::new(config.streams.max(1)));
        let breaker =
            Breaker::new(Rule { subjects: config.breaker_subjects.max(1), open_for: common_ladder });
        let of_locks = || Breaker::new(Rule { subjects: LOCK_SUBJECTS, open_for: lock_backoff });
        Self {
            inner: Arc::new(Inner {
                side,
                config,
                transport,
                auth,
                env,
                sink,
                limits,
                rate,
                streams,
                breaker,
                lock_breaker: of_locks(),
                look_breaker: of_locks(),
                server_time: Mutex::new(None),
                forbidden: AtomicU32::new(0),
            }),
        }
    }

    /// The side it talks to.
    pub fn side(&self) -> Side {
        self.inner.side
    }

    /// Its token, for `reload` at SIGHUP and for what `status` shows.
    pub fn auth(&self) -> &Auth {
        &self.inner.auth
    }

    /// The `Date` header of the newest answer.
    pub fn server_time(&self) -> Option<Timestamp> {
        *self.inner.server_time.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether so many calls failed that the next ones are withheld; `locks` asks about the lock lane.
    pub fn is_withholding(&self, locks: bool) -> bool {
        if locks { self.inner.lock_breaker.is_open() } else { self.inner.breaker.is_open() }
    }

    /// One call, repeated as the policy allows; answers with a complete, bounded, believed 2xx answer.
    ///
    /// # Errors
    /// One kind per decision, see [`super::CallErrorKind`]. Ends soon after shutdown began: a write
    /// that was in flight then is `Uncertain`.
    pub async fn call(&self, context: CallContext, request: Request) -> Result<Answer, CallError> {
        let inner = &*self.inner;
        let pace = Pace::new(&inner.config, &context, &inner.env);
        match Box::pin(inner.repeat(&context, &request, pace, false)).await? {
            Want::Complete(answer) => Ok(answer),
            Want::Stream(_) => Err(CallError::unusable_answer(inner.side, &context, "streamed unasked")),
        }
    }

    /// One read whose body is handed on while it arrives (the big list). Status and headers are
    /// checked and repeated as for [`Self::call`]; the body has no total deadline but a least
    /// throughput, and takes no slot: at most [`ClientConfig::streams`] run at once.
    ///
    /// # Errors
    /// As for [`Self::call`]; what goes wrong later is the last item of the body.
    pub async fn stream(&self, context: CallContext, request: Request) -> Result<StreamedAnswer, CallError> {
        let inner = &*self.inner;
        let permit = tokio::select! {
            biased;
            permit = inner.streams.clone().acquire_owned() => permit.ok(),
            () = inner.env.shutdown().cancelled() => None,
        };
        let pace = Pace::for_stream(&inner.config, &context, &inner.env);
        match Box::pin(inner.repeat(&context, &request, pace, true)).await? {
            Want::Stream(response) => Ok(super::stream::watched(self.clone(), context, response, permit)),
            Want::Complete(_) => Err(CallError::unusable_answer(inner.side, &context, "complete unasked")),
        }
    }
}

impl Inner {
    async fn repeat(
        &self,
        context: &CallContext,
        request: &Request,
        mut pace: Pace,
        stream: bool,
    ) -> Result<Want, CallError> {
        self.check_origin(context, request)?;
        loop {
            let Failed { fault, status } =
                match self.with_token(context, request, pace.deadline, stream).await {
                    Ok(want) => return Ok(want),
                    Err(failed) => failed,
                };
            let next = pace.next(&self.config, context, &fault, &self.env);
            if let Next::Again(wait) = next
                && self.env.sleep(wait).await
            {
                continue;
            }
            return Err(fault.into_error(self.side, context, status, self.config.longest_wish(context)));
        }
    }

    /// A token goes to its own side only: a paging link in an answer may name any host.
    fn check_origin(&self, context: &CallContext, request: &Request) -> Result<(), CallError> {
        let Some(base) = &self.config.base_url else { return Ok(()) };
        if origin(base).is_some() && origin(base) == origin(&request.url) {
            return Ok(());
        }
        let why = "the address lies on another host than the base URL: nothing was sent, because the token would go there";
        Err(Fault::WrongUrl(why.to_owned()).into_error(self.side, context, None, self.config.retry_after_max))
    }

    /// One try, and after a 401 one more for each other token there is.
    async fn with_token(
        &self,
        context: &CallContext,
        request: &Request,
        deadline: Instant,
        stream: bool,
    ) -> Result<Want, Failed> {
        // Two files, each with a new content at most: a token that changes faster than that is refused.
        let mut renewed = false;
        if self.auth.rests(self.env.instant()) {
            if context.class != CallClass::Lock {
                return Err(Failed::without_status(Fault::Unauthorized(self.auth.advice())));
            }
            // A lock is asked for all the same, with every token: whoever must not be called is worth a refusal more.
            self.auth.go_round();
        }
        for _ in 0..5 {
            let credential = self.credential(deadline).await?;
            let mut signed = request.clone();
            if let Some(credential) = &credential {
                signed.headers.insert(credential.name.clone(), credential.value.clone());
            }
            let tried = self.in_slot(context, signed, deadline, stream).await;
            if let (Ok(_), Some(used)) = (&tried, &credential) {
                self.auth.accepted(used);
            }
            let Err(Failed { fault: Fault::Unauthorized(_), status }) = &tried else { return tried };
            let status = *status;
            let advice = || Failed { fault: Fault::Unauthorized(self.auth.advice()), status };
            let Some(used) = &credential else { return Err(advice()) };
            // An access token may end before its time; a second one that is refused speaks of the secret.
            if self.auth.access_refused(used).await && !renewed {
                renewed = true;
            } else if !self.auth.refused(used, self.env.instant()) {
                return Err(advice());
            }
        }
        Err(Failed { fault: Fault::Unauthorized(self.auth.advice()), status: Some(401) })
    }

    /// Waits for a slot and the breaker, sends, reports.
    async fn in_slot(
        &self,
        context: &CallContext,
        request: Request,
        deadline: Instant,
        stream: bool,
    ) -> Result<Want, Failed> {
        let subject = context.subject.as_deref().unwrap_or(&context.what);
        let (_slot, pass) = self.admitted(context, subject, deadline, stream).await?;
        if self.env.shutdown().is_cancelled() {
            return Err(withheld("dialbridge is shutting down"));
        }
        if context.still.as_ref().is_some_and(|holds| !holds()) {
            return Err(Failed::without_status(Fault::Overtaken));
        }
        let (sent_at, hidden) = (self.env.now(), Hidden::of(&request));
        let tried = if stream {
            self.send_for_stream(request).await
        } else {
            self.send_complete(context, request).await
        };
        let tried =
            tried.map_err(|Failed { fault, status }| Failed { fault: fault.without(&hidden), status });
        self.report(pass, context, &tried);
        if let (Some(sink), Some(kept)) = (&self.sink, self.as_try(context, sent_at, &tried)) {
            sink.tried(kept);
        }
        tried
    }

    /// A slot and the breaker's leave. Locks and reads wait for it, without holding a slot; writes
    /// fail at once while it is refused, because the operation's row is the better place to wait.
    async fn admitted<'a>(
        &'a self,
        context: &CallContext,
        subject: &'a str,
        deadline: Instant,
        stream: bool,
    ) -> Result<(Option<Slot>, Pass<'a>), Failed> {
        let lock = context.class == CallClass::Lock;
        let (breaker, failed) = match (lock, context.write) {
            (true, true) => (&self.lock_breaker, "too many locks failed"),
            (true, false) => (&self.look_breaker, "too many reads for locks failed"),
            (false, _) => (&self.breaker, "too many different calls failed"),
        };
        loop {
            let slot = if stream { None } else { Some(self.slot(context.class, deadline).await?) };
            let now = self.env.instant();
            let (wait, why) = match breaker.admit(subject, now) {
                Ok(pass) => {
                    self.paced(context.class, deadline).await?;
                    return Ok((slot, pass));
                }
                Err(Shut::Open(wait)) if lock => (wait, failed.to_owned()),
                Err(Shut::Silent(wait)) if lock || !context.write => {
                    (wait, format!("it asked to be left alone, for {} s more", wait.as_secs().max(1)))
                }
                Err(Shut::Silent(wait)) => {
                    return Err(Failed::without_status(Fault::Refused { retry_after: Some(wait) }));
                }
                Err(Shut::Open(wait)) => {
                    let seconds = wait.as_secs().max(1);
                    return Err(withheld(&format!("{failed}, the next one is tried in {seconds} s")));
                }
            };
            drop(slot);
            if now + wait >= deadline || !self.env.sleep(wait).await {
                return Err(withheld(&why));
            }
        }
    }

    async fn slot(&self, class: CallClass, deadline: Instant) -> Result<Slot, Failed> {
        tokio::select! {
            biased;
            () = self.env.shutdown().cancelled() => Err(withheld("dialbridge is shutting down")),
            slot = tokio::time::timeout_at(deadline, self.limits.acquire(class)) => slot.map_err(|_| {
                withheld("no slot came free in time; raise max_in_flight, or let less run at once")
            }),
        }
    }

    /// Waits for the rate, holding the slot: so the slots' order of classes holds here too.
    async fn paced(&self, class: CallClass, deadline: Instant) -> Result<(), Failed> {
        let Some(rate) = &self.rate else { return Ok(()) };
        match tokio::time::timeout_at(deadline, rate.wait(class, &self.env)).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(withheld("dialbridge is shutting down")),
            Err(_) => {
                Err(withheld("requests_per_second left no room in time; raise it, or let less run at once"))
            }
        }
    }

    fn report(&self, pass: Pass<'_>, context: &CallContext, tried: &Result<Want, Failed>) {
        let now = self.env.instant();
        match tried {
            Ok(_) => pass.good(),
            Err(Failed { fault, .. }) if fault.counts_for_breaker() => pass.bad(now),
            Err(Failed { fault: Fault::Rejected(_) | Fault::NotFound, .. }) => pass.good(),
            Err(Failed { fault: Fault::Refused { retry_after: Some(wish) }, .. }) => {
                let cap = self.config.longest_wish(context);
                tracing::info!(side = %self.side, what = %context.what, seconds = wish.as_secs(), "asked to come back later");
                pass.silence(Some(now + (*wish).min(cap)));
            }
            Err(_) => drop(pass),
        }
    }

    /// The try of a write as it is stored; `None` where nothing is to be stored.
    fn as_try(&self, context: &CallContext, sent_at: Timestamp, tried: &Result<Want, Failed>) -> Option<Try> {
        let operation = context.operation.filter(|_| context.write)?;
        let (outcome, status, detail) = match tried {
            Ok(Want::Complete(answer)) => ("done", Some(answer.status.as_u16()), String::new()),
            Ok(Want::Stream(response)) => ("done", Some(response.status.as_u16()), String::new()),
            Err(Failed { fault, status }) => (fault.as_attempt()?, *status, fault.attempt_detail()),
        };
        Some(Try { operation, sent_at, answered_at: self.env.now(), outcome, status, detail })
    }
}

/// Scheme, host and port of a URL, with the scheme's own port filled in.
fn origin(url: &str) -> Option<(String, String, u16)> {
    let uri: http::Uri = url.parse().ok()?;
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let port = uri.port_u16().or(match scheme.as_str() {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    })?;
    Some((scheme, uri.host()?.to_ascii_lowercase(), port))
}
