//! The taxonomy of outcomes: what an HTTP answer, or its absence, means (semantics, "Outcomes of a
//! write"; the dialler's return codes, facts section 2).

use super::answer::BodyFault;
use super::hidden::Hidden;
use super::{CallContext, CallError, CallErrorKind, Side, TransportError};
use crate::domain::Timestamp;
use http::{HeaderMap, StatusCode, header};
use std::time::Duration;

/// Longest piece of a server's own words that is kept.
const TEXT_CHARS: usize = 300;

/// How one try failed, before it is known what that means for the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing left this machine.
    NotSent(String),
    /// The breaker is open, no slot came free, or shutdown began: there was no HTTP try at all.
    Withheld(String),
    /// What allowed the call no longer holds: there was no HTTP try either.
    Overtaken,
    /// 429, or 503 with Retry-After.
    Refused {
        /// The server's wish, uncapped.
        retry_after: Option<Duration>,
    },
    /// 401.
    Unauthorized(String),
    /// 4xx that speaks about this request.
    Rejected(String),
    /// 404 with JSON.
    NotFound,
    /// 404 without JSON, 3xx, 405, 407.
    WrongUrl(String),
    /// The request names what the other side does not have.
    Misconfigured(String),
    /// No complete answer, or 5xx: a write may have happened.
    Undecided(String),
    /// 2xx, but the body is cut, foreign or contradicts it.
    Untrusted(String),
    /// Shutdown while the answer was awaited.
    Interrupted,
}

impl Fault {
    /// Whether a read may be repeated after it.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::NotSent(_) | Self::Refused { .. } | Self::Undecided(_) | Self::Untrusted(_) => true,
            Self::Withheld(_)
            | Self::Overtaken
            | Self::Unauthorized(_)
            | Self::Rejected(_)
            | Self::NotFound
            | Self::WrongUrl(_)
            | Self::Misconfigured(_)
            | Self::Interrupted => false,
        }
    }

    /// Whether a write may be repeated after it: it was certainly not executed and may be later.
    pub fn certainly_not_executed(&self) -> bool {
        match self {
            Self::NotSent(_) | Self::Refused { .. } => true,
            Self::Withheld(_)
            | Self::Overtaken
            | Self::Unauthorized(_)
            | Self::Rejected(_)
            | Self::NotFound
            | Self::WrongUrl(_)
            | Self::Misconfigured(_)
            | Self::Undecided(_)
            | Self::Untrusted(_)
            | Self::Interrupted => false,
        }
    }

    /// Whether it says that the side is ill (and not that it disliked this request).
    pub fn counts_for_breaker(&self) -> bool {
        match self {
            Self::NotSent(_) | Self::Undecided(_) | Self::Untrusted(_) => true,
            Self::Withheld(_)
            | Self::Overtaken
            | Self::Refused { .. }
            | Self::Unauthorized(_)
            | Self::Rejected(_)
            | Self::NotFound
            | Self::WrongUrl(_)
            | Self::Misconfigured(_)
            | Self::Interrupted => false,
        }
    }

    /// `attempts.outcome` of a write; `None` where there was no HTTP try.
    pub fn as_attempt(&self) -> Option<&'static str> {
        match self {
            Self::Withheld(_) | Self::Overtaken => None,
            Self::NotSent(_) => Some("not_sent"),
            Self::Refused { .. } => Some("refused"),
            Self::Unauthorized(_) => Some("unauthorized"),
            Self::Rejected(_) => Some("rejected"),
            Self::NotFound => Some("not_found"),
            Self::WrongUrl(_) => Some("wrong_url"),
            Self::Misconfigured(_) => Some("rejected"),
            Self::Undecided(_) | Self::Untrusted(_) | Self::Interrupted => Some("uncertain"),
        }
    }

    /// The same, the request's secrets taken out of the server's words.
    pub fn without(self, hidden: &Hidden) -> Self {
        match self {
            Self::Rejected(text) => Self::Rejected(hidden.out_of(text)),
            Self::Misconfigured(text) => Self::Misconfigured(hidden.out_of(text)),
            // Our own words.
            Self::NotSent(_)
            | Self::Withheld(_)
            | Self::Overtaken
            | Self::Refused { .. }
            | Self::Unauthorized(_)
            | Self::NotFound
            | Self::WrongUrl(_)
            | Self::Undecided(_)
            | Self::Untrusted(_)
            | Self::Interrupted => self,
        }
    }

    /// What happened, for the attempt's row; a rejection's text may hold personal data.
    pub fn attempt_detail(&self) -> String {
        match self {
            Self::Rejected(text) => text.clone(),
            other => other.detail(),
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::NotSent(why) => format!("nothing was sent: {why}"),
            Self::Withheld(why)
            | Self::Unauthorized(why)
            | Self::WrongUrl(why)
            | Self::Misconfigured(why) => why.clone(),
            Self::Undecided(why) | Self::Untrusted(why) => why.clone(),
            Self::Refused { retry_after: Some(wish) } => {
                format!("busy, asks to come back in {} s", wish.as_secs())
            }
            Self::Refused { retry_after: None } => "busy, asks to come back later".to_owned(),
            Self::Rejected(_) => {
                "the request was not accepted; its answer is kept with the operation".to_owned()
            }
            Self::Overtaken => {
                "nothing was sent: what allowed it no longer held when its turn came".to_owned()
            }
            Self::NotFound => "the address is right, but the object is not there".to_owned(),
            Self::Interrupted => "shutdown came before the answer".to_owned(),
        }
    }

    /// The error of the call that ends with this fault.
    pub fn into_error(
        self,
        side: Side,
        context: &CallContext,
        status: Option<u16>,
        longest_wish: Duration,
    ) -> CallError {
        let detail = self.detail();
        let kind = match self {
            Self::NotSent(_) | Self::Withheld(_) => CallErrorKind::NotSent,
            Self::Overtaken => CallErrorKind::Overtaken,
            Self::Refused { retry_after } => {
                CallErrorKind::Refused { retry_after: retry_after.map(|wish| wish.min(longest_wish)) }
            }
            Self::Unauthorized(_) => CallErrorKind::Unauthorized,
            Self::Rejected(text) => CallErrorKind::Rejected { status: status.unwrap_or(0), text },
            Self::NotFound => CallErrorKind::NotFound,
            Self::WrongUrl(_) => CallErrorKind::WrongUrl,
            Self::Misconfigured(_) => CallErrorKind::Configuration,
            Self::Undecided(_) | Self::Untrusted(_) | Self::Interrupted if context.write => {
                CallErrorKind::Uncertain
            }
            Self::Untrusted(_) => CallErrorKind::BadAnswer,
            Self::Undecided(_) | Self::Interrupted => CallErrorKind::Unavailable,
        };
        CallError { side, kind, what: context.what.clone(), detail, status }
    }
}

impl From<TransportError> for Fault {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::NotSent(why) => Self::NotSent(why),
            TransportError::Broken(why) => Self::Undecided(why),
        }
    }
}

impl From<BodyFault> for Fault {
    fn from(fault: BodyFault) -> Self {
        match fault {
            BodyFault::Untrusted(why) => Self::Untrusted(why),
            BodyFault::Rejected(text) => Self::Rejected(cut(&text)),
            BodyFault::NotFound => Self::NotFound,
            BodyFault::WrongUrl(why) => Self::WrongUrl(why),
            BodyFault::Unauthorized => {
                Self::Unauthorized("the answer says that the token is wrong".to_owned())
            }
            BodyFault::Refused(retry_after) => Self::Refused { retry_after },
            BodyFault::Configuration(text) => Self::Misconfigured(cut(&text)),
        }
    }
}

/// Judges a 2xx answer's complete body: JSON, or nothing at all with 204.
pub(super) fn judge_success(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<(), Fault> {
    if body.is_empty() && matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT) {
        return Ok(());
    }
    if status == StatusCode::MULTI_STATUS {
        return Err(Fault::Untrusted(
            "answered in part (207): some of what was asked for failed at the other side".to_owned(),
        ));
    }
    if looks_like_html(headers, body) {
        return Err(Fault::Untrusted(format!(
            "an HTML page with status {status}: a log-in page or a proxy answered, not the API"
        )));
    }
    // Checked apart: serde_json skips over what it ignores without looking at its encoding.
    if std::str::from_utf8(body).is_err() {
        return Err(Fault::Untrusted(format!("the body is not in UTF-8 ({} bytes)", body.len())));
    }
    match serde_json::from_slice::<serde::de::IgnoredAny>(strip_bom(body)) {
        Ok(_) => Ok(()),
        Err(error) => Err(Fault::Untrusted(format!(
            "the body is {} ({} bytes, error at line {} column {})",
            if error.is_eof() { "cut" } else { "no JSON" },
            body.len(),
            error.line(),
            error.column()
        ))),
    }
}

/// Judges any other status. `body` is what could be read of it; `complete` says whether that is all.
pub(super) fn judge_failure(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    complete: bool,
    now: Timestamp,
) -> Fault {
    let retry_after = retry_after(headers, now);
    match status.as_u16() {
        401 => {
            Fault::Unauthorized("the token is refused (401): put a valid one into the token file".to_owned())
        }
        429 => Fault::Refused { retry_after },
        503 if retry_after.is_some() => Fault::Refused { retry_after },
        404 => judge_404(body, complete),
        405 => Fault::WrongUrl("the address does not take this method (405): check the base URL".to_owned()),
        407 => Fault::WrongUrl("the proxy wants a log-in (407): check `proxy`".to_owned()),
        // We ask for nothing on that condition.
        304 => Fault::Untrusted(
            "\"not modified\" (304) to a question without conditions: a cache answers".to_owned(),
        ),
        300..=399 => Fault::WrongUrl(format!(
            "redirected ({}); redirects are not followed, because they would carry the token along: \
             set the base URL to the right address",
            status.as_u16()
        )),
        // The server gave up waiting for the request, yet something may have reached a back end.
        408 => Fault::Undecided("the server timed out (408)".to_owned()),
        400..=499 => Fault::Rejected(servers_words(body)),
        code => Fault::Undecided(format!("HTTP {code}")),
    }
}

fn judge_404(body: &[u8], complete: bool) -> Fault {
    if !complete {
        return Fault::Undecided(
            "404 with a cut body: not known whether the address or the object is missing".to_owned(),
        );
    }
    let body = strip_bom(body);
    // A JSON *object*: facts section 2 give `{"status": .., "error": ".."}`. A page or a bare word
    // comes from whatever answers at a wrong address.
    match serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(body) {
        Ok(_) => Fault::NotFound,
        Err(_) if body.is_empty() => Fault::WrongUrl(
            "404 with an empty body: there is no such endpoint; check the base URL (it ends in the \
             ClientsID) and the release"
                .to_owned(),
        ),
        Err(_) => {
            Fault::WrongUrl("404 without JSON: another server answers here; check the base URL".to_owned())
        }
    }
}

/// From here on a number in Retry-After is an instant (2001), not a span.
const EPOCH: u64 = 1_000_000_000;

/// The wish in Retry-After: seconds, an instant as seconds since 1970, or an HTTP date against the server's own Date (else `now`).
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let from = server_time(headers).unwrap_or(now);
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        // More digits than fit are still a wish to stay away.
        let number: u64 = text.parse().unwrap_or(u64::from(u32::MAX));
        // Nobody asks for thirty years: some servers write when it is over, as seconds since 1970.
        let since = u64::try_from(from.timestamp()).unwrap_or(0);
        let seconds = if number >= EPOCH { number.saturating_sub(since) } else { number };
        return Some(Duration::from_secs(seconds));
    }
    let until = http_date(text)?;
    Some((until - from).to_std().unwrap_or(Duration::ZERO))
}

/// The `Date` header.
pub(super) fn server_time(headers: &HeaderMap) -> Option<Timestamp> {
    http_date(headers.get(header::DATE)?.to_str().ok()?)
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, the one form that servers must send.
fn http_date(text: &str) -> Option<Timestamp> {
    // Without the weekday: a server that gets it wrong still means the day.
    let text = text.split_once(", ").map_or(text, |(_, rest)| rest);
    chrono::DateTime::parse_from_rfc2822(text.trim()).ok().map(|time| time.to_utc())
}

fn looks_like_html(headers: &HeaderMap, body: &[u8]) -> bool {
    let declared = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.to_ascii_lowercase().starts_with("text/html"));
    let first = strip_bom(body).iter().find(|b| !b.is_ascii_whitespace());
    // A server that declares its JSON as text/html is wrong, but harmless.
    first == Some(&b'<') || (declared && !matches!(first, Some(b'{' | b'[')))
}

/// A body without the byte order mark that some servers write.
pub(crate) fn strip_bom(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

/// The server's own words out of an error body: `error` (jtel), `message` or `detail`, else its beginning.
fn servers_words(body: &[u8]) -> String {
    let body = strip_bom(body);
    if let Ok(serde_json::Value::Object(fields)) = serde_json::from_slice(body) {
        for key in ["error", "message", "detail"] {
            if let Some(text) = fields.get(key).and_then(serde_json::Value::as_str) {
                return cut(text);
            }
        }
    }
    cut(&String::from_utf8_lossy(&body[..body.len().min(4 * TEXT_CHARS)]))
}

fn cut(text: &str) -> String {
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(TEXT_CHARS).collect()
}
