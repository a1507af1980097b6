//! The balance of results: every call of a day is told to the CRM, or has a state that says why not (users 14).

use super::leaving::campaigns_of;
use super::sql::{get_json, get_reason_opt, get_time, get_time_opt, time};
use super::{Ledger, LedgerError};
use crate::domain::{HistoryId, Reason, ReasonCode, RouteName, Timestamp};
use rusqlite::{Connection, named_params};
use serde::Serialize;
use std::collections::BTreeMap;

/// The calls of a span, by what became of them in the CRM.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ResultsBalance {
    /// Rows of the dialler's history that the ledger has.
    pub calls: i64,
    /// The CRM was told of them.
    pub told: i64,
    /// Of these: it was told how they were before, and not how they are now.
    pub told_older: i64,
    /// They wait for their turn.
    pub waiting: i64,
    /// They cannot be told yet: no end, or a result that nobody mapped.
    pub held: i64,
    /// It may have happened; it will be asked about.
    pub uncertain: i64,
    /// A person must look.
    pub parked: i64,
    /// The record no longer exists in the CRM.
    pub gone: i64,
    /// Not to be told, by the code of the rule.
    pub never: BTreeMap<String, i64>,
    /// Of a route whose calls stay with us.
    pub not_asked: i64,
    /// Of all of these: without a result yet.
    pub without_result: i64,
}

impl ResultsBalance {
    /// Whether every call has its place.
    pub fn adds_up(&self) -> bool {
        let never: i64 = self.never.values().sum();
        self.calls
            == self.told
                + self.waiting
                + self.held
                + self.uncertain
                + self.parked
                + self.gone
                + never
                + self.not_asked
    }
}

/// The balances of a span.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Results {
    /// By route.
    pub routes: BTreeMap<String, ResultsBalance>,
    /// Calls of contacts that are no record's of ours, by campaign.
    pub of_others: BTreeMap<i64, i64>,
}

/// A call, or a record's fields, that the CRM does not have as the ledger does.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Untold {
    /// Its row in `write_backs`, for `retry` and `discard`.
    pub id: i64,
    /// `activity` or `fields`.
    pub kind: String,
    /// The call.
    pub call: Option<HistoryId>,
    /// The route.
    pub route: RouteName,
    /// The record.
    pub record: String,
    /// When the call began.
    pub started: Option<Timestamp>,
    /// `waiting`, `sending`, `uncertain`, `held` or `parked`.
    pub state: String,
    /// Why, where there is more to say than that.
    pub reason: Option<Reason>,
    /// When it is tried, or asked about, next.
    pub due: Timestamp,
    /// What the last request's answer was.
    pub last_answer: Option<String>,
}

/// What the CRM does not have yet, counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UntoldGroup {
    /// `activity` or `fields`.
    pub kind: String,
    /// `waiting`, `sending`, `uncertain`, `held` or `parked`.
    pub state: String,
    /// How many rows, all of them.
    pub count: i64,
}

/// Write-backs that need somebody, counted by why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UntoldCount {
    /// The route.
    pub route: RouteName,
    /// `held` or `parked`.
    pub state: String,
    /// The reason's code.
    pub code: String,
    /// How many rows.
    pub count: i64,
    /// The oldest.
    pub since: Timestamp,
    /// Results without a word of the CRM's, by name or number; empty for other reasons.
    pub results: Vec<String>,
}

/// What became of a call `c` of link `l`: `w` is its activity, `f` the fields of its record on a route that makes fields alone
/// of calls. These tell of all of a record's calls at once, so each of them has the state of its record; but for those of which
/// no field ever tells.
pub(super) const BECAME: &str = "LEFT JOIN routes r ON r.route = l.route
     LEFT JOIN write_backs w ON w.history_id = c.history_id
     LEFT JOIN write_backs f ON w.id IS NULL AND r.write_back_shapes = 'fields' AND c.test IS NOT 1
          AND coalesce(c.started_at, c.created_at, c.first_seen_at) >= r.write_back_since AND f.link_id = l.id AND f.kind = 'fields'";

/// The code of a call of which neither tells: by the rules of `write_back::want`.
pub(super) const NEVER: &str = "CASE WHEN w.id IS NOT NULL THEN w.code WHEN f.id IS NOT NULL THEN f.code
     WHEN r.write_back_shapes IS NOT 'fields' THEN :not_asked WHEN c.test = 1 THEN :test
     WHEN coalesce(c.started_at, c.created_at, c.first_seen_at) < r.write_back_since THEN :before ELSE :not_asked END";

pub(super) const BEGAN: &str = "(c.started_at >= :from AND c.started_at < :until OR c.started_at IS NULL
     AND coalesce(c.created_at, c.first_seen_at) >= :from AND coalesce(c.created_at, c.first_seen_at) < :until)";

impl Ledger {
    /// What became of the calls that began in this span.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn results(
        &self,
        route: Option<RouteName>,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Results, LedgerError> {
        self.read("results", move |connection| {
            let mut found = Results::default();
            by_route(connection, route.as_ref(), from, until, &mut found)?;
            of_others(connection, route.as_ref(), from, until, &mut found)?;
            Ok(found)
        })
        .await
    }

    /// What of all times the CRM does not have and is not settled, oldest first.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn results_untold(
        &self,
        route: Option<RouteName>,
        limit: u32,
    ) -> Result<Vec<Untold>, LedgerError> {
        self.read("results_untold", move |connection| {
            connection
                .prepare_cached(
                    "SELECT w.id, w.kind, w.history_id, l.route, l.record_id, c.started_at, w.state, w.code, w.params, w.due_at,
                            (SELECT outcome || CASE detail WHEN '' THEN '' ELSE ': ' || detail END
                             FROM write_back_attempts a WHERE a.write_back_id = w.id ORDER BY a.id DESC LIMIT 1) AS answer
                     FROM write_backs w JOIN links l ON l.id = w.link_id LEFT JOIN calls c ON c.history_id = w.history_id
                     WHERE (:route IS NULL OR l.route = :route) AND w.state NOT IN ('done', 'never', 'gone')
                     ORDER BY coalesce(c.started_at, w.created_at), w.id LIMIT :limit",
                )?
                .query_map(
                    named_params! { ":route": route.as_ref().map(|route| &route.0), ":limit": limit },
                    |row| {
                        Ok(Untold {
                            id: row.get("id")?,
                            kind: row.get("kind")?,
                            call: row.get::<_, Option<i64>>("history_id")?.map(HistoryId),
                            route: RouteName(row.get("route")?),
                            record: row.get("record_id")?,
                            started: get_time_opt(row, "started_at")?,
                            state: row.get("state")?,
                            reason: get_reason_opt(row, "code", "params")?,
                            due: get_time(row, "due_at")?,
                            last_answer: row.get("answer")?,
                        })
                    },
                )?
                .collect()
        })
        .await
    }

    /// The same, counted: also where there are more than anybody lists.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn results_untold_counts(&self, route: RouteName) -> Result<Vec<UntoldGroup>, LedgerError> {
        self.read("results_untold_counts", move |connection| {
            connection
                .prepare_cached(
                    "SELECT w.kind, w.state, count(*) AS count FROM write_backs w CROSS JOIN links l ON l.id = w.link_id
                     WHERE w.state IN ('waiting', 'sending', 'uncertain', 'held', 'parked') AND +l.route = ?1
                     GROUP BY w.kind, w.state ORDER BY w.kind, w.state",
                )?
                .query_map([route.0], |row| {
                    Ok(UntoldGroup { kind: row.get("kind")?, state: row.get("state")?, count: row.get("count")? })
                })?
                .collect()
        })
        .await
    }

    /// What is parked, and what waits for a word of a person's in the config.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn results_stuck(&self) -> Result<Vec<UntoldCount>, LedgerError> {
        self.read("results_stuck", |connection| {
            connection
                .prepare_cached(
                    "SELECT l.route, w.state, w.code, count(*) AS count, min(w.changed_at) AS since,
                            json_group_array(DISTINCT json_extract(w.params, '$.result'))
                                FILTER (WHERE w.code = ?1) AS results
                     FROM write_backs w JOIN links l ON l.id = w.link_id
                     WHERE w.state IN ('parked', 'held') AND (w.state = 'parked' OR w.code = ?1)
                     GROUP BY l.route, w.state, w.code ORDER BY l.route, w.state, w.code",
                )?
                .query_map([ReasonCode::UnmappedResult.as_str()], |row| {
                    Ok(UntoldCount {
                        route: RouteName(row.get("route")?),
                        state: row.get("state")?,
                        code: row.get("code")?,
                        count: row.get("count")?,
                        since: get_time(row, "since")?,
                        results: get_json(row, "results")?,
                    })
                })?
                .collect()
        })
        .await
    }
}

fn by_route(
    connection: &Connection,
    route: Option<&RouteName>,
    from: Timestamp,
    until: Timestamp,
    found: &mut Results,
) -> rusqlite::Result<()> {
    let sql = format!(
        "SELECT l.route, coalesce(w.state, f.state, 'never') AS place, {NEVER} AS why, w.written IS NOT NULL AS known, count(*) AS calls,
                count(*) FILTER (WHERE c.result_code IS NULL) AS without
         FROM calls c JOIN links l ON l.id = c.link_id AND l.route IS NOT NULL {BECAME}
         WHERE {BEGAN} AND (:route IS NULL OR l.route = :route) GROUP BY l.route, place, why, known"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(named_params! {
        ":from": time(from), ":until": time(until), ":route": route.map(|route| &route.0),
        ":not_asked": ReasonCode::NotAsked.as_str(), ":test": ReasonCode::TestCall.as_str(),
        ":before": ReasonCode::BeforeWriteBack.as_str(),
    })?;
    while let Some(row) = rows.next()? {
        let balance = found.routes.entry(row.get("route")?).or_default();
        let calls: i64 = row.get("calls")?;
        balance.calls += calls;
        balance.without_result += row.get::<_, i64>("without")?;
        let state: String = row.get("place")?;
        let code: Option<String> = row.get("why")?;
        // Of what was told once and then put aside, or whose record has gone since, the CRM has the older content.
        let known: bool = row.get("known")?;
        let place = match state.as_str() {
            "done" => &mut balance.told,
            "gone" | "never" if known => {
                balance.told_older += calls;
                &mut balance.told
            }
            "waiting" => &mut balance.waiting,
            "held" => &mut balance.held,
            "sending" | "uncertain" => &mut balance.uncertain,
            "parked" => &mut balance.parked,
            "gone" => &mut balance.gone,
            _never if code.as_deref() == Some(ReasonCode::NotAsked.as_str()) => &mut balance.not_asked,
            _never => balance.never.entry(code.unwrap_or_default()).or_default(),
        };
        *place += calls;
    }
    Ok(())
}

/// Calls of contacts that are no record's: of a route those in the campaigns that it has and had.
fn of_others(
    connection: &Connection,
    route: Option<&RouteName>,
    from: Timestamp,
    until: Timestamp,
    found: &mut Results,
) -> rusqlite::Result<()> {
    let sql = format!(
        "SELECT coalesce(c.campaign_id, 0), count(*) FROM calls c LEFT JOIN links l ON l.id = c.link_id
         WHERE l.route IS NULL AND {BEGAN}
           AND (:route IS NULL OR c.campaign_id IN ({}))
         GROUP BY 1",
        campaigns_of!(":route")
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let route = route.map(|route| &route.0);
    let mut rows =
        statement.query(named_params! { ":from": time(from), ":until": time(until), ":route": route })?;
    while let Some(row) = rows.next()? {
        found.of_others.insert(row.get(0)?, row.get(1)?);
    }
    Ok(())
}
