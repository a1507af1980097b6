//! How the simulated CRM behaves.

use std::time::Duration;

/// How fine the times are that the CRM's filters and answers show; it stores microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// Milliseconds.
    Millisecond,
    /// Seconds, as Odoo shows them.
    Second,
    /// Minutes, as Salesforce's getUpdated shows them.
    Minute,
}

impl Precision {
    /// In microseconds.
    pub fn micros(self) -> i64 {
        match self {
            Self::Millisecond => 1_000,
            Self::Second => 1_000_000,
            Self::Minute => 60_000_000,
        }
    }
}

/// Whether "modified since T" includes T.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparator {
    /// It does.
    Inclusive,
    /// It does not.
    Exclusive,
}

/// Who may ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// Everybody.
    Open,
    /// Whoever brings this token, as `Authorization: Bearer`, as `X-Api-Key`, as the password of `sim`, or an
    /// access token that was granted for it.
    Token(String),
}

/// What whoever may ask may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rights {
    /// Read and write.
    Write,
    /// Read; every write is answered with 403.
    Read,
}

/// How a write is answered that is not accepted because of what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// With status 422.
    Status,
    /// With status 200 and an error in its body, as JSON-RPC does.
    InBody,
}

/// How a list without records is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Empty {
    /// As a list that has none.
    List,
    /// With status 204 and no body at all, as Zoho does.
    NoContent,
}

/// How the simulated CRM behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How fine its times are to the outside.
    pub precision: Precision,
    /// What its filter does at the edge.
    pub comparator: Comparator,
    /// Pages are never longer, whatever is asked for.
    pub page_cap: usize,
    /// How long after its commit a change shows up in lists (an index that lags). Reads by id are
    /// not held up.
    pub visibility_lag: Duration,
    /// How many seconds its clock is ahead (negative: behind): modification times and Date header.
    pub clock_skew_seconds: i64,
    /// Whether its answers have no Date header.
    pub no_date: bool,
    /// Who may ask.
    pub login: Login,
    /// What they may do.
    pub rights: Rights,
    /// How it says that a write is not accepted.
    pub rejection: Rejection,
    /// How long after its creation a look-up finds an activity (an index that lags).
    pub activity_lag: Duration,
    /// Whether lists in order of time break ties by a changing order, as databases may.
    pub unstable_ties: bool,
    /// Whether lists ignore the filter on times, as some CRMs do with a filter they do not know.
    pub ignores_since: bool,
    /// Whether a record shows itself that its number is on the blacklist, or only the blacklist does.
    pub shows_blacklisted: bool,
    /// How long an access token lives.
    pub access_life: Duration,
    /// Where the addresses of next pages lead, if elsewhere than to this CRM (`https://host`).
    pub next_page_at: Option<String>,
    /// How long the token of a next page is known; `None`: for ever.
    pub page_token_life: Option<Duration>,
    /// Whether the page after the second is the first again, where pages name the next one's address.
    pub pages_in_a_circle: bool,
    /// Whether a page after which none follows has no `Link` header at all, where pages are named so.
    pub bare_last_page: bool,
    /// Whether every list is answered with status 200 and an error in its body.
    pub error_in_200: bool,
    /// How a list without records is answered.
    pub empty: Empty,
    /// So many fields of a record are answered at most, in the order of their names, and nothing says that there are
    /// more: a cap of the CRM's own, or rights that were narrowed.
    pub fields_cap: Option<usize>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            precision: Precision::Second,
            comparator: Comparator::Inclusive,
            page_cap: 1_000,
            visibility_lag: Duration::ZERO,
            clock_skew_seconds: 0,
            no_date: false,
            login: Login::Open,
            rights: Rights::Write,
            rejection: Rejection::Status,
            activity_lag: Duration::ZERO,
            unstable_ties: false,
            ignores_since: false,
            shows_blacklisted: true,
            access_life: Duration::from_secs(3600),
            next_page_at: None,
            page_token_life: None,
            pages_in_a_circle: false,
            bare_last_page: false,
            error_in_200: false,
            empty: Empty::List,
            fields_cap: None,
        }
    }
}
