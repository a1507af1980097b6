//! Between the network and a simulator: keeps the log of requests and carries out the faults.

use super::faults::{Action, ConnectionReset, Effect, Faults};
use super::journal::{Answered, Asked, Journal, RequestKind};
use super::spoil::{
    broken_element, compressed, emptied, field_lost, html, latin1, replaced, reset, said, slow, status,
    truncated, typed, without,
};
use crate::domain::Timestamp;
use crate::env::Env;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use std::time::Duration;

/// The largest request body a simulator takes; a 10 MB field must fit.
const MAX_REQUEST: usize = 64 * 1024 * 1024;

/// The number under which the journal knows a request; found in the request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestSeq(pub u64);

/// What a simulator's router is wrapped with.
#[derive(Debug)]
pub struct Wire<E> {
    /// The faults.
    pub faults: Faults,
    /// The journal.
    pub journal: Journal<E>,
    /// Clock and sleep.
    pub env: Env,
    /// Names a request by method and path.
    pub classify: fn(&http::Method, &str) -> RequestKind,
}

impl<E> Clone for Wire<E> {
    fn clone(&self) -> Self {
        Self {
            faults: self.faults.clone(),
            journal: self.journal.clone(),
            env: self.env.clone(),
            classify: self.classify,
        }
    }
}

impl<E: Clone + Send + Sync + 'static> Wire<E> {
    /// Wraps a finished router: every request is noted and may meet a fault; every answer carries a
    /// `Date` by the simulator's clock.
    pub fn wrap(self, router: Router) -> Router {
        // Wrapped once more, so that addresses that are not there are noted too.
        Router::new().fallback_service(router).layer(from_fn(move |request: Request, next: Next| {
            let wire = self.clone();
            async move { wire.carry(request, next).await }
        }))
    }

    async fn carry(self, request: Request, next: Next) -> Response {
        let (mut parts, body) = request.into_parts();
        let Ok(body) = to_bytes(body, MAX_REQUEST).await else {
            return StatusCode::PAYLOAD_TOO_LARGE.into_response();
        };
        let now = self.env.now();
        let asked = Asked {
            seq: 0,
            at: now,
            kind: (self.classify)(&parts.method, parts.uri.path()),
            method: parts.method.clone(),
            path: parts.uri.path().to_owned(),
            query: query_pairs(parts.uri.query().unwrap_or_default()),
            body: body.clone(),
            answered: None,
        };
        let seq = self.journal.ask(asked);
        parts.extensions.insert(RequestSeq(seq));
        let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
        let decision = self.faults.decide(&parts.method, target, &body, now);
        let work = next.run(Request::from_parts(parts, Body::from(body)));
        let fault = decision.action.as_ref().map(|action| format!("{action:?}"));
        let answer = self.clone().answer(work, decision.before, decision.action).await;
        if !decision.after.is_zero() {
            self.env.sleep(decision.after).await;
        }
        self.finish(seq, fault, answer)
    }

    fn finish(&self, seq: u64, fault: Option<String>, mut answer: Response) -> Response {
        let at = self.env.now();
        let broken = answer.extensions().get::<ConnectionReset>().is_some();
        let status = (!broken).then(|| answer.status().as_u16());
        self.journal.answer(seq, Answered { at, status, fault });
        if let Ok(date) = HeaderValue::from_str(&http_date(at)) {
            answer.headers_mut().insert(header::DATE, date);
        }
        answer
    }

    /// Does the work as the fault wishes, and gives the answer the client is to see.
    async fn answer<W>(self, work: W, before: Duration, action: Option<Action>) -> Response
    where
        W: Future<Output = Response> + Send + 'static,
    {
        let env = self.env.clone();
        match action {
            None => perform(env, work, before).await,
            Some(Action::Latency { after, .. }) => {
                let answer = perform(env.clone(), work, before).await;
                env.sleep(after).await;
                answer
            }
            Some(Action::Status { code, retry_after, effect }) => {
                settle(&env, work, before, effect).await;
                status(code, retry_after, env.now())
            }
            Some(Action::Says { code, body }) => said(code, body),
            Some(Action::Empty404) => StatusCode::NOT_FOUND.into_response(),
            Some(Action::Reset(effect)) => {
                settle(&env, work, before, effect).await;
                reset()
            }
            Some(Action::Html(effect)) => {
                settle(&env, work, before, effect).await;
                html()
            }
            Some(Action::Truncate { clean }) => truncated(perform(env, work, before).await, clean).await,
            Some(Action::WrongNumber { key }) => {
                replaced(perform(env, work, before).await, &key, |number| number.saturating_add(1)).await
            }
            Some(Action::ContradictingStatus) => {
                replaced(perform(env, work, before).await, "status", |_| 500).await
            }
            Some(Action::SlowBody { chunk, pause }) => {
                slow(env.clone(), perform(env, work, before).await, chunk, pause)
            }
            Some(Action::EmptyList) => emptied(perform(env, work, before).await).await,
            Some(Action::BrokenElement) => broken_element(perform(env, work, before).await).await,
            Some(Action::FieldLost(name)) => field_lost(perform(env, work, before).await, &name).await,
            Some(Action::Latin1) => latin1(perform(env, work, before).await).await,
            Some(Action::ContentType(kind)) => typed(perform(env, work, before).await, &kind),
            Some(Action::WithoutHeader(name)) => without(perform(env, work, before).await, &name),
            Some(Action::Gzip) => compressed(perform(env, work, before).await).await,
        }
    }
}

/// Does the work after a while, in a task of its own: a real server goes on when the client hangs up, but
/// hyper drops the handler then.
async fn perform<W>(env: Env, work: W, before: Duration) -> Response
where
    W: Future<Output = Response> + Send + 'static,
{
    let task = tokio::spawn(async move {
        if !before.is_zero() {
            env.sleep(before).await;
        }
        work.await
    });
    task.await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// Does the work now, later or never; its answer is thrown away.
async fn settle<W>(env: &Env, work: W, before: Duration, effect: Effect)
where
    W: Future<Output = Response> + Send + 'static,
{
    match effect {
        Effect::None => {
            if !before.is_zero() {
                env.sleep(before).await;
            }
        }
        Effect::Done => drop(perform(env.clone(), work, before).await),
        Effect::Late(late) => {
            let env = env.clone();
            // Not awaited: the client is answered at once and the effect comes behind its back.
            tokio::spawn(async move { drop(perform(env, work, before + late).await) });
        }
    }
}

/// An instant in the form of HTTP headers.
pub fn http_date(at: Timestamp) -> String {
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// A query's pairs, decoded (`+` is a blank, `%XX` a byte of UTF-8).
pub fn query_pairs(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (percent_decoded(key), percent_decoded(value))
        })
        .collect()
}

fn percent_decoded(text: &str) -> String {
    let hex = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while index < bytes.len() {
        match (bytes[index], hex(bytes.get(index + 1)), hex(bytes.get(index + 2))) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                index += 3;
            }
            (b'+', _, _) => {
                decoded.push(b' ');
                index += 1;
            }
            (byte, _, _) => {
                decoded.push(byte);
                index += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::faults::{RetryAfter, Rule};
    use crate::sim::journal::Detail;
    use crate::sim::serve::serve;
    use axum::routing::post;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tower::ServiceExt;

    struct House {
        faults: Faults,
        journal: Journal<()>,
        done: Arc<AtomicU64>,
        router: Router,
        env: Env,
    }

    fn house() -> House {
        let env = Env::simulated("2026-01-01T10:00:00Z".parse().expect("a time"), 1);
        let faults = Faults::new(1);
        let journal = Journal::new(Detail::Full);
        let done = Arc::new(AtomicU64::new(0));
        let work = Arc::clone(&done);
        let inner = Router::new().route(
            "/x",
            post(move || {
                work.fetch_add(1, Ordering::SeqCst);
                async { axum::Json(serde_json::json!({ "count": 7, "records": [1, 2, 3], "status": 200 })) }
            }),
        );
        let wire = Wire {
            faults: faults.clone(),
            journal: journal.clone(),
            env: env.clone(),
            classify: |method, path| match path {
                "/x" if method == http::Method::POST => RequestKind::write("x"),
                _ => RequestKind::read("unknown"),
            },
        };
        House { faults, journal, done, router: wire.wrap(inner), env }
    }

    impl House {
        async fn ask(&self) -> Response {
            let request = Request::post("/x?a=b%20c").body(Body::from("{}")).expect("a request");
            self.router.clone().oneshot(request).await.expect("infallible")
        }

        async fn text(&self) -> Result<String, axum::Error> {
            let body = to_bytes(self.ask().await.into_body(), usize::MAX).await?;
            Ok(String::from_utf8(body.to_vec()).expect("UTF-8"))
        }

        fn done(&self) -> u64 {
            self.done.load(Ordering::SeqCst)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_innocent_request_is_noted_with_its_answer_and_dated() {
        let house = house();
        let answer = house.ask().await;
        assert_eq!(answer.headers()[header::DATE], "Thu, 01 Jan 2026 10:00:00 GMT");
        let noted = &house.journal.requests()[0];
        assert_eq!((noted.kind.name, noted.kind.write, noted.param("a")), ("x", true, Some("b c")));
        assert_eq!(noted.answered.as_ref().and_then(|a| a.status), Some(200));
        let lost = Request::get("/nowhere").body(Body::empty()).expect("a request");
        let answer = house.router.clone().oneshot(lost).await.expect("infallible");
        assert_eq!(answer.status(), 404);
        assert_eq!(house.journal.count("unknown"), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reset_has_its_effect_before_later_or_never() {
        let house = house();
        let late = Effect::Late(Duration::from_secs(30));
        for (effect, at_once, later) in [(Effect::None, 0, 0), (Effect::Done, 1, 1), (late, 0, 1)] {
            house.faults.clear();
            house.faults.add(Rule::new(Action::Reset(effect)));
            let before = house.done();
            let answer = house.ask().await;
            assert!(answer.extensions().get::<ConnectionReset>().is_some());
            assert_eq!(house.done() - before, at_once, "{effect:?}");
            house.env.sleep(Duration::from_secs(31)).await;
            assert_eq!(house.done() - before, later, "{effect:?}");
        }
        assert!(
            house.journal.requests().iter().all(|a| a.answered.as_ref().is_some_and(|a| a.status.is_none()))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_work_is_done_although_the_client_hung_up() {
        let house = house();
        let wait = Duration::from_secs(5);
        house.faults.add(Rule::new(Action::Latency { before: wait, after: wait }));
        let hung_up = tokio::time::timeout(Duration::from_secs(1), house.ask()).await;
        assert!(hung_up.is_err());
        assert_eq!(house.done(), 0);
        house.env.sleep(wait).await;
        assert_eq!(house.done(), 1);
        let began = house.env.now();
        house.ask().await;
        assert_eq!((house.env.now() - began).num_seconds(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_say_when_to_come_back_in_either_form() {
        let house = house();
        let cases = [
            (RetryAfter::Seconds(7), Some("7")),
            (RetryAfter::Date(7), Some("Thu, 01 Jan 2026 10:00:07 GMT")),
            (RetryAfter::Absent, None),
        ];
        for (retry_after, expected) in cases {
            house.faults.clear();
            let refusal = Action::Status { code: 429, retry_after, effect: Effect::None };
            house.faults.add(Rule::new(refusal));
            let answer = house.ask().await;
            assert_eq!(answer.status(), 429);
            let given = answer.headers().get(header::RETRY_AFTER).map(|v| v.to_str().expect("text"));
            assert_eq!(given, expected);
        }
        assert_eq!(house.done(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_are_cut_changed_or_foreign() {
        let house = house();
        let innocent = house.text().await.expect("a body");
        for (action, expected) in [
            (Action::Truncate { clean: true }, Some(innocent[..innocent.len() / 2].to_owned())),
            (Action::Truncate { clean: false }, None),
            (
                Action::WrongNumber { key: "count".to_owned() },
                Some(innocent.replace("\"count\":7", "\"count\":8")),
            ),
            (Action::ContradictingStatus, Some(innocent.replace("\"status\":200", "\"status\":500"))),
            (Action::SlowBody { chunk: 3, pause: Duration::from_secs(1) }, Some(innocent.clone())),
            (Action::Empty404, Some(String::new())),
        ] {
            house.faults.clear();
            house.faults.add(Rule::new(action.clone()));
            assert_eq!(house.text().await.ok(), expected, "{action:?}");
        }
        house.faults.clear();
        house.faults.add(Rule::new(Action::Html(Effect::Done)));
        let answer = house.ask().await;
        assert_eq!(answer.status(), 200);
        assert!(answer.headers()[header::CONTENT_TYPE].to_str().expect("text").starts_with("text/html"));
    }

    async fn raw(address: std::net::SocketAddr) -> Vec<u8> {
        let mut socket = tokio::net::TcpStream::connect(address).await.expect("a connection");
        let request = b"POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}";
        socket.write_all(request).await.expect("sent");
        let mut answer = Vec::new();
        // A reset while reading is one of the ways in which a broken connection shows.
        let _ended = socket.read_to_end(&mut answer).await;
        answer
    }

    #[tokio::test]
    async fn over_a_socket_a_reset_sends_no_byte_and_a_cut_body_no_end() {
        let house = house();
        let serving = serve(house.router.clone()).await.expect("a port");
        let innocent = raw(serving.address()).await;
        assert!(innocent.starts_with(b"HTTP/1.1 200"));
        house.faults.add(Rule::new(Action::Reset(Effect::Done)));
        assert_eq!(raw(serving.address()).await, b"");
        assert_eq!(house.done(), 2);
        house.faults.clear();
        house.faults.add(Rule::new(Action::Truncate { clean: false }));
        let cut = raw(serving.address()).await;
        assert!(cut.starts_with(b"HTTP/1.1 200"));
        assert!(!cut.ends_with(b"0\r\n\r\n"), "a chunked body that was cut has no last chunk");
        serving.stop().await.expect("stopped");
    }
}
