//! The policy under a paused clock, over a transport that plays a script.

mod streams;

use super::*;
use crate::domain::Timestamp;
use crate::env::Env;
use ::http::HeaderValue;
use futures_util::StreamExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

#[derive(Debug, Clone)]
enum Step {
    Answer(u16, &'static [(&'static str, &'static str)], &'static str),
    NotSent,
    Broken,
    Hang,
    /// So many chunks of 100 bytes, one every so many seconds.
    Slow(u32, u64),
}

const OK: Step = Step::Answer(200, &[], "{}");
const ERROR_500: Step = Step::Answer(500, &[], "");

#[derive(Debug)]
struct Script {
    steps: Mutex<Vec<Step>>,
    last: Step,
    sent: AtomicUsize,
    env: Env,
}

#[async_trait::async_trait]
impl Transport for Script {
    async fn send(&self, _request: Request) -> Result<Response, TransportError> {
        self.sent.fetch_add(1, Ordering::Relaxed);
        let step = {
            let mut steps = self.steps.lock().unwrap();
            if steps.is_empty() { self.last.clone() } else { steps.remove(0) }
        };
        let (status, headers, body) = match step {
            Step::Answer(status, headers, body) => {
                let chunk = Bytes::from_static(body.as_bytes());
                (status, headers, futures_util::stream::once(async { Ok(chunk) }).boxed())
            }
            Step::NotSent => return Err(TransportError::NotSent("connection refused".to_owned())),
            Step::Broken => return Err(TransportError::Broken("reset".to_owned())),
            Step::Hang => std::future::pending().await,
            Step::Slow(chunks, seconds) => {
                let env = self.env.clone();
                let body = futures_util::stream::unfold(chunks, move |left| {
                    let env = env.clone();
                    async move {
                        env.sleep(Duration::from_secs(seconds)).await;
                        (left > 0).then(|| (Ok(Bytes::from_static(&[b' '; 100])), left - 1))
                    }
                });
                (200, &[] as &[_], body.boxed())
            }
        };
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, HeaderValue::from_static(value));
        }
        Ok(Response { status: StatusCode::from_u16(status).unwrap(), headers: map, body })
    }
}

#[derive(Default)]
struct Sink(Mutex<Vec<&'static str>>);

impl ports::CallSink for Sink {
    fn tried(&self, tried: Try) {
        self.0.lock().unwrap().push(tried.outcome);
    }
}

struct Bench {
    client: Client,
    script: Arc<Script>,
    sink: Arc<Sink>,
    env: Env,
    began: tokio::time::Instant,
}

/// A client over `steps`, and then `last` for ever.
fn bench_with(config: ClientConfig, steps: &[Step], last: Step) -> Bench {
    let start: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
    let env = Env::simulated(start, 7);
    let script = Arc::new(Script {
        steps: Mutex::new(steps.to_vec()),
        last,
        sent: AtomicUsize::new(0),
        env: env.clone(),
    });
    let sink = Arc::new(Sink::default());
    let auth = Auth::fixed(AuthScheme::Bearer, "token".to_owned().into());
    let client =
        Client::new(Side::Dialler, config, script.clone(), auth, env.clone(), Some(sink.clone() as Arc<_>));
    Bench { client, script, sink, began: env.instant(), env }
}

fn bench(steps: &[Step], last: Step) -> Bench {
    bench_with(ClientConfig::default(), steps, last)
}

impl Bench {
    fn request() -> Request {
        Request {
            method: Method::GET,
            url: "http://dialler.test/x".to_owned(),
            headers: HeaderMap::new(),
            body: None,
        }
    }

    async fn call(&self, context: CallContext) -> Result<Answer, CallErrorKind> {
        self.client.call(context, Self::request()).await.map_err(|error| error.kind)
    }

    async fn read(&self) -> Result<Answer, CallErrorKind> {
        self.call(CallContext::read("a read", CallClass::Harvest)).await
    }

    async fn write(&self) -> Result<Answer, CallErrorKind> {
        self.write_about(1).await
    }

    async fn write_about(&self, contact: i64) -> Result<Answer, CallErrorKind> {
        self.call(CallContext::write("a write", CallClass::Push, Some(OperationId(1))).about(contact)).await
    }

    async fn lock(&self, contact: i64) -> Result<Answer, CallErrorKind> {
        self.call(CallContext::write("a lock", CallClass::Lock, Some(OperationId(2))).about(contact)).await
    }

    fn sent(&self) -> usize {
        self.script.sent.load(Ordering::Relaxed)
    }

    fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    fn outcomes(&self) -> Vec<&'static str> {
        self.sink.0.lock().unwrap().clone()
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_is_repeated_after_anything_transient_and_a_write_only_if_it_was_not_executed() {
    let bench = bench(&[ERROR_500, Step::Broken, Step::Answer(200, &[], "<html>log in</html>")], OK);
    assert!(bench.read().await.is_ok());
    assert_eq!(bench.sent(), 4);

    for step in [ERROR_500, Step::Broken, Step::Answer(200, &[], "{\"cut\":"), Step::Answer(503, &[], "")] {
        let bench = self::bench(&[step], OK);
        assert_eq!(bench.write().await.unwrap_err(), CallErrorKind::Uncertain);
        assert_eq!((bench.sent(), bench.outcomes()), (1, vec!["uncertain"]));
    }

    let bench = self::bench(&[Step::NotSent, Step::Answer(429, &[("retry-after", "2")], "")], OK);
    assert!(bench.write().await.is_ok());
    assert_eq!(bench.outcomes(), ["not_sent", "refused", "done"]);
}

#[tokio::test(start_paused = true)]
async fn tries_are_counted() {
    let bench = bench(&[], ERROR_500);
    assert_eq!(bench.read().await.unwrap_err(), CallErrorKind::Unavailable);
    assert_eq!(bench.sent(), 4);
    let bench = self::bench(&[], Step::NotSent);
    assert_eq!(bench.write().await.unwrap_err(), CallErrorKind::NotSent);
    assert_eq!(bench.outcomes(), ["not_sent"; 3]);
}

#[tokio::test(start_paused = true)]
async fn what_speaks_about_the_request_is_not_repeated() {
    for (step, kind) in [
        (
            Step::Answer(400, &[], r#"{"status":400,"error":"Name missing"}"#),
            CallErrorKind::Rejected { status: 400, text: "Name missing".to_owned() },
        ),
        (Step::Answer(404, &[], r#"{"status":404,"error":"no contact"}"#), CallErrorKind::NotFound),
        (Step::Answer(404, &[], ""), CallErrorKind::WrongUrl),
        (Step::Answer(404, &[], "<html>not here</html>"), CallErrorKind::WrongUrl),
        (Step::Answer(302, &[("location", "https://elsewhere.test/")], ""), CallErrorKind::WrongUrl),
        (Step::Answer(405, &[], "{}"), CallErrorKind::WrongUrl),
        (Step::Answer(401, &[], ""), CallErrorKind::Unauthorized),
    ] {
        let bench = bench(std::slice::from_ref(&step), OK);
        assert_eq!(bench.read().await.unwrap_err(), kind, "read, {step:?}");
        let bench = self::bench(std::slice::from_ref(&step), OK);
        assert_eq!(bench.write().await.unwrap_err(), kind, "write, {step:?}");
        assert_eq!(bench.sent(), 1, "{step:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_honoured_in_seconds_and_as_a_date_and_capped() {
    let bench = bench(&[Step::Answer(429, &[("retry-after", "7")], "")], OK);
    assert!(bench.read().await.is_ok());
    assert_eq!(bench.seconds(), 7.0);

    let date: &[_] =
        &[("date", "Mon, 23 Nov 2026 09:00:00 GMT"), ("retry-after", "Mon, 23 Nov 2026 09:00:20 GMT")];
    let bench = self::bench(&[Step::Answer(503, date, "")], OK);
    assert!(bench.read().await.is_ok());
    assert_eq!(bench.seconds(), 20.0, "against the server's own clock");

    for (wish, carried) in [("600", 600), ("86400", 3600), ("99999999999999999999999", 3600)] {
        let header: &'static [_] = Box::leak(Box::new([("retry-after", wish)]));
        let bench = self::bench(&[], Step::Answer(429, header, ""));
        let refused = CallErrorKind::Refused { retry_after: Some(Duration::from_secs(carried)) };
        assert_eq!(bench.read().await.unwrap_err(), refused);
        assert_eq!((bench.sent(), bench.seconds()), (1, 0.0));
    }

    let bench = self::bench(&[Step::Answer(429, &[("retry-after", "30")], "")], OK);
    let refused = CallErrorKind::Refused { retry_after: Some(Duration::from_secs(30)) };
    assert_eq!(bench.write().await.unwrap_err(), refused, "a write must ask the gate again");
    assert_eq!(bench.write_about(2).await.unwrap_err(), refused, "and nobody else is sent meanwhile");
    assert_eq!(bench.sent(), 1);
    assert!(bench.read().await.is_ok(), "a read waits for it");
    assert_eq!(bench.seconds(), 30.0);
}

#[tokio::test(start_paused = true)]
async fn locks_have_a_breaker_and_a_ladder_of_their_own() {
    let bench = bench(&[ERROR_500, ERROR_500, ERROR_500, ERROR_500, ERROR_500], OK);
    for contact in 0..5 {
        assert_eq!(bench.write_about(contact).await.unwrap_err(), CallErrorKind::Uncertain);
    }
    assert_eq!(bench.write_about(6).await.unwrap_err(), CallErrorKind::NotSent, "the breaker is open");
    assert_eq!(bench.sent(), 5, "and nothing left");
    assert!(bench.lock(6).await.is_ok(), "a lock goes through");
    assert!(bench.client.is_withholding(false) && !bench.client.is_withholding(true));
    tokio::time::advance(Duration::from_secs(10)).await;
    assert!(bench.write_about(7).await.is_ok(), "the probe");
    assert!(bench.write_about(8).await.is_ok());

    let bench = self::bench(&[Step::NotSent, Step::NotSent], OK);
    assert!(bench.lock(1).await.is_ok());
    assert_eq!(bench.seconds(), 3.0, "1 s, then 2 s");
    let ladder: Vec<_> = (1..=6).map(|failures| lock_backoff(failures).as_secs()).collect();
    assert_eq!(ladder, [1, 2, 5, 10, 30, 30]);

    let bench = self::bench(&[], Step::Answer(429, &[("retry-after", "86400")], ""));
    let refused = CallErrorKind::Refused { retry_after: Some(Duration::from_secs(60)) };
    assert_eq!(bench.lock(1).await.unwrap_err(), refused);

    let bench = self::bench(&[], Step::Answer(401, &[], ""));
    assert_eq!(bench.lock(1).await.unwrap_err(), CallErrorKind::Unauthorized);
    assert_eq!((bench.sent(), bench.seconds()), (1, 0.0), "reported at once");
}

#[tokio::test(start_paused = true)]
async fn reads_that_fail_for_locks_do_not_count_against_the_locks() {
    for failing in [Step::Answer(500, &[], ""), Step::Answer(429, &[("retry-after", "600")], "")] {
        let bench = bench_with(ClientConfig { read_tries: 1, ..ClientConfig::default() }, &[], failing);
        for contact in 0..5 {
            let look = CallContext::read("a look", CallClass::Lock).about(contact);
            assert!(bench.call(look).await.is_err());
        }
        *bench.script.steps.lock().unwrap() = vec![OK];
        let began = bench.seconds();
        assert!(bench.lock(9).await.is_ok());
        assert_eq!(bench.seconds(), began, "at once");
    }
}

#[tokio::test(start_paused = true)]
async fn failed_locks_pause_the_lock_lane_only() {
    let bench = bench(&[ERROR_500, ERROR_500, ERROR_500], OK);
    for contact in 0..3 {
        assert_eq!(bench.lock(contact).await.unwrap_err(), CallErrorKind::Uncertain);
    }
    assert!(bench.client.is_withholding(true));
    assert!(bench.write().await.is_ok());
    assert_eq!(bench.seconds(), 0.0);
    assert!(bench.lock(9).await.is_ok(), "it waits for its turn");
    assert_eq!(bench.seconds(), 1.0);
}

#[tokio::test(start_paused = true)]
async fn one_contact_that_always_fails_shuts_nobody_out() {
    let bench = bench(&[], ERROR_500);
    for _ in 0..20 {
        assert_eq!(bench.write_about(4711).await.unwrap_err(), CallErrorKind::Uncertain);
    }
    assert_eq!(bench.sent(), 20);
    assert!(!bench.client.is_withholding(false));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_not_answered_ends() {
    let bench = bench(&[Step::Hang], OK);
    assert_eq!(bench.write().await.unwrap_err(), CallErrorKind::Uncertain);
    assert_eq!(bench.seconds(), 30.0);
    let bench = self::bench(&[], Step::Hang);
    assert_eq!(bench.read().await.unwrap_err(), CallErrorKind::Unavailable);
    assert!(bench.seconds() <= 150.0, "{}", bench.seconds());
    let bench = self::bench(&[Step::Slow(1000, 10)], OK);
    assert_eq!(bench.write().await.unwrap_err(), CallErrorKind::Uncertain, "a slow body");
    assert_eq!(bench.seconds(), 30.0);
}

#[tokio::test(start_paused = true)]
async fn shutdown_ends_every_wait() {
    for (write, kind, after) in
        [(true, CallErrorKind::Uncertain, 30.0), (false, CallErrorKind::Unavailable, 0.0)]
    {
        let bench = Arc::new(bench(&[], Step::Hang));
        let running = tokio::spawn({
            let bench = bench.clone();
            async move { if write { bench.write().await } else { bench.read().await } }
        });
        tokio::task::yield_now().await;
        bench.env.shutdown().cancel();
        assert_eq!(running.await.unwrap().unwrap_err(), kind);
        assert_eq!(bench.seconds(), after);
        assert_eq!(bench.write().await.unwrap_err(), CallErrorKind::NotSent);
        assert_eq!(bench.sent(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_contradicts_its_status_is_uncertain_or_bad() {
    let body_check: BodyCheck = Arc::new(|_, body| match body {
        br#"{"status":500}"# => Err(BodyFault::Untrusted("status 500".to_owned())),
        br#"{"fault":1}"# => Err(BodyFault::Rejected("no".to_owned())),
        _ => Ok(()),
    });
    let config = ClientConfig { body_check: Some(body_check), ..ClientConfig::default() };
    let contradicts = Step::Answer(200, &[], r#"{"status":500}"#);
    let bench = bench_with(config.clone(), &[], contradicts);
    assert_eq!(bench.write().await.unwrap_err(), CallErrorKind::Uncertain);
    assert_eq!(bench.read().await.unwrap_err(), CallErrorKind::BadAnswer);
    let bench = bench_with(config, &[], Step::Answer(200, &[], r#"{"fault":1}"#));
    let rejected = CallErrorKind::Rejected { status: 200, text: "no".to_owned() };
    assert_eq!(bench.write().await.unwrap_err(), rejected);
    assert_eq!(bench.outcomes(), ["rejected"]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_says_more_than_its_status_is_not_repeated() {
    let failure_check: FailureCheck = Arc::new(|status, body| {
        (status == 500 && body == br#"{"fault":1}"#)
            .then(|| BodyFault::Configuration("no such field".to_owned()))
    });
    let config = ClientConfig { failure_check: Some(failure_check), ..ClientConfig::default() };
    let bench = bench_with(config.clone(), &[], Step::Answer(500, &[], r#"{"fault":1}"#));
    assert_eq!(bench.read().await.unwrap_err(), CallErrorKind::Configuration);
    assert_eq!(bench.sent(), 1);
    let bench = bench_with(config, &[], ERROR_500);
    assert_eq!(bench.read().await.unwrap_err(), CallErrorKind::Unavailable);
    assert_eq!(bench.sent(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_token_goes_to_its_own_host_only() {
    for (base, sent) in
        [("http://dialler.test:80/rest", 1), ("http://other.test", 0), ("https://dialler.test", 0)]
    {
        let config = ClientConfig { base_url: Some(base.to_owned()), ..ClientConfig::default() };
        let bench = bench_with(config, &[], OK);
        let outcome = bench.read().await;
        assert_eq!((outcome.is_ok(), bench.sent()), (sent == 1, sent), "{base}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_403_on_every_call_is_the_token() {
    let bench = bench(&[], Step::Answer(403, &[], ""));
    for _ in 0..4 {
        assert!(matches!(bench.read().await, Err(CallErrorKind::Rejected { status: 403, .. })));
    }
    assert_eq!(bench.read().await.unwrap_err(), CallErrorKind::Unauthorized);
}

#[tokio::test(start_paused = true)]
async fn a_side_whose_tokens_are_all_refused_is_left_alone_but_for_locks() {
    let bench = bench(&[], Step::Answer(401, &[], ""));
    for _ in 0..5 {
        assert_eq!(bench.read().await.unwrap_err(), CallErrorKind::Unauthorized);
        assert_eq!(bench.write().await.unwrap_err(), CallErrorKind::Unauthorized);
    }
    assert_eq!(bench.sent(), 1, "one refusal says it all");
    assert_eq!(bench.lock(1).await.unwrap_err(), CallErrorKind::Unauthorized);
    assert_eq!(bench.sent(), 2, "a lock is tried");
    bench.client.auth().reload();
    assert!(bench.read().await.is_err());
    assert_eq!(bench.sent(), 3, "SIGHUP goes round again");
    assert!(bench.env.sleep(Duration::from_secs(60)).await);
    assert!(bench.read().await.is_err());
    assert_eq!(bench.sent(), 4, "and so does a minute");
}
