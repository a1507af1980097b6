//! Records and operations that are left out, for people: counted by reason first, listed second (users 26).

use super::sql::{get_reason, get_time};
use super::{Ledger, LedgerError, ParkedCount, ParkedItem};
use crate::domain::RouteName;
use rusqlite::named_params;

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

const SKIPPED: &str = "SELECT state AS kind, NULL AS operation, route, record_id, user_data,
            coalesce(code, 'discarded') AS code, params, since
       FROM records WHERE state IN ('skipped', 'blocked', 'discarded')";

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
                    "SELECT * FROM (SELECT w.*, count(*) OVER (PARTITION BY kind, route, code) AS alike FROM ({}) AS w)
                     WHERE (:route IS NULL OR route = :route) AND (:code IS NULL OR code = :code) AND alike <= :rare
                     ORDER BY since, route, record_id LIMIT :limit",
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
                            since: get_time(row, "since")?,
                        })
                    },
                )?
                .collect()
        })
        .await
    }
}
