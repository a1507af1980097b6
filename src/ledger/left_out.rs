//! Records and operations that are left out, for people: counted by reason first, listed second (users 26).

use super::sql::{call_at, get_reason, get_time};
use super::{Ledger, LedgerError, NamedCall, ParkedCount, ParkedItem};
use crate::domain::{HistoryId, RouteName};
use rusqlite::{Row, named_params};

/// Who is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftOut {
    /// Who needs a person.
    Parked,
    /// Who is not to be in the dialler: not eligible, deleted, blocked, put aside.
    Skipped,
}

/// Which of them are listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listing {
    /// All.
    All,
    /// Those with one reason, by its code.
    Reason(String),
    /// Those whose reason is not shared by more than so many of the same route.
    Rare(i64),
}

const PARKED: &str =
    "SELECT 'record' AS kind, NULL AS operation, route, record_id, user_data, code, params, since
       FROM records WHERE state = 'parked'
     UNION ALL
     SELECT 'operation', o.id, l.route, l.record_id, l.user_data, o.outcome, o.outcome_params, o.finished_at
       FROM operations o JOIN links l ON l.id = o.link_id WHERE o.state = 'parked'
     UNION ALL
     SELECT 'unidentified', NULL, route, NULL, NULL, code, params, first_seen FROM unidentified";

/// Whoever is back, or would be unlocked, and stays locked for a final result is no skipped record: it is the contact's own state.
const SKIPPED: &str = "SELECT state AS kind, NULL AS operation, route, record_id, user_data,
            coalesce(code, 'discarded') AS code, params, since
       FROM records WHERE state IN ('skipped', 'blocked', 'discarded')
     UNION ALL
     SELECT 'locked', NULL, l.route, l.record_id, l.user_data, l.wish_code, l.wish_params, coalesce(l.locked_at, l.created_at)
       FROM links l JOIN records d ON d.route = l.route AND d.record_id = l.record_id AND d.state = 'linked'
       WHERE l.wish = 'locked' AND l.wish_code IN ('final_result', 'number_ended')";

const CALL_AT: &str = call_at!("c");

fn named_call(row: &Row<'_>) -> rusqlite::Result<Option<NamedCall>> {
    let Some(call) = row.get::<_, Option<i64>>("history_id")? else { return Ok(None) };
    Ok(Some(NamedCall {
        call: HistoryId(call),
        at: get_time(row, "call_at")?,
        result: row.get("result")?,
        agent: row.get("agent")?,
    }))
}

impl LeftOut {
    fn rows(self) -> &'static str {
        match self {
            Self::Parked => PARKED,
            Self::Skipped => SKIPPED,
        }
    }
}

impl Ledger {
    /// How many, by reason, most first.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn left_out_counts(
        &self,
        who: LeftOut,
        route: Option<RouteName>,
    ) -> Result<Vec<ParkedCount>, LedgerError> {
        self.read("left_out_counts", move |connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT kind, route, code, count(*) AS n, min(since) AS since FROM ({}) AS w
                     WHERE ?1 IS NULL OR route = ?1 GROUP BY kind, route, code ORDER BY n DESC, code",
                    who.rows()
                ))?
                .query_map([route.map(|route| route.0)], |row| {
                    Ok(ParkedCount {
                        kind: row.get("kind")?,
                        route: row.get("route")?,
                        code: row.get("code")?,
                        count: row.get("n")?,
                        since: get_time(row, "since")?,
                    })
                })?
                .collect()
        })
        .await
    }

    /// Who, oldest first.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn left_out_list(
        &self,
        who: LeftOut,
        route: Option<RouteName>,
        which: Listing,
        limit: u32,
    ) -> Result<Vec<ParkedItem>, LedgerError> {
        let (code, rare) = match which {
            Listing::All => (None, i64::MAX),
            Listing::Reason(code) => (Some(code), i64::MAX),
            Listing::Rare(most) => (None, most),
        };
        self.read("left_out_list", move |connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT w.*, c.history_id, {CALL_AT} AS call_at, coalesce(t.name, CAST(c.result_code AS TEXT)) AS result,
                            json_extract(c.row, '$.UsersID') AS agent
                     FROM (SELECT w.*, count(*) OVER (PARTITION BY kind, route, code) AS alike FROM ({}) AS w) w
                     LEFT JOIN calls c ON c.history_id = CAST(json_extract(w.params, '$.call') AS INTEGER)
                     LEFT JOIN result_codes t ON t.campaign_id = c.campaign_id AND t.code = c.result_code
                     WHERE (:route IS NULL OR w.route = :route) AND (:code IS NULL OR w.code = :code) AND alike <= :rare
                     ORDER BY w.since, w.route, w.record_id LIMIT :limit",
                    who.rows()
                ))?
                .query_map(
                    named_params! { ":route": route.map(|r| r.0), ":code": code, ":rare": rare, ":limit": limit },
                    |row| {
                        let reason = get_reason(row, "code", "params")?;
                        Ok(ParkedItem {
                            kind: row.get("kind")?,
                            operation: row.get("operation")?,
                            route: row.get("route")?,
                            record: row.get("record_id")?,
                            user_data: row.get("user_data")?,
                            text: reason.to_string(),
                            reason,
                            call: named_call(row)?,
                            since: get_time(row, "since")?,
                        })
                    },
                )?
                .collect()
        })
        .await
    }
}
