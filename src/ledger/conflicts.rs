//! Conflicts: two-way fields whose value a person must choose, and values of the dialler that the CRM does not take.

use super::sql::{get_json, get_named, get_reason_opt, get_time, time};
use super::{Ledger, LedgerError, Said, write_back};
use crate::domain::{ConflictRule, ContactId, LinkId, Reason, RouteName, Take, Timestamp};
use rusqlite::{OptionalExtension as _, Row, named_params};
use serde::Serialize;
use serde_json::Value;

/// A field that waits for a person.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Conflict {
    /// Its number.
    pub conflict: i64,
    /// The route.
    pub route: RouteName,
    /// The record.
    pub record: String,
    /// Its key.
    pub user_data: Option<String>,
    /// Its contact.
    pub contact: Option<ContactId>,
    /// The dialler's field.
    pub field: String,
    /// `conflict`: both sides changed it; `refused`: the CRM does not take the dialler's value, or a person did not want it told
    /// (the reason says which).
    pub state: String,
    /// What both sides last agreed on, as the CRM writes it.
    pub agreed: Option<Value>,
    /// What the CRM has.
    pub crm: Option<Value>,
    /// What the dialler has.
    pub dialler: Value,
    /// What decides a conflict of this field, by the config.
    pub rule: ConflictRule,
    /// Since when it waits.
    pub since: Timestamp,
    /// Why the CRM does not take it.
    pub reason: Option<Reason>,
}

/// How many wait on a route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConflictCount {
    /// The route.
    pub route: RouteName,
    /// `conflict` or `refused`.
    pub state: String,
    /// How many.
    pub count: i64,
    /// Since when the first waits.
    pub since: Timestamp,
}

const COLUMNS: &str = "SELECT e.id, l.route, l.record_id, l.user_data, l.contact_id, e.field, e.state,
    coalesce(e.agreed, 'null') AS agreed, coalesce(e.crm, 'null') AS crm, e.dialler, e.rule, e.since, e.code, e.params
    FROM edits e JOIN links l ON l.id = e.link_id WHERE e.state <> 'seen' AND l.route IS NOT NULL";

impl Ledger {
    /// What waits for a person, oldest first.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn conflicts_list(
        &self,
        route: Option<RouteName>,
        limit: u32,
    ) -> Result<Vec<Conflict>, LedgerError> {
        self.read("conflicts_list", move |connection| {
            connection
                .prepare_cached(&format!(
                    "{COLUMNS} AND (:route IS NULL OR l.route = :route) ORDER BY e.since, e.id LIMIT :limit"
                ))?
                .query_map(named_params! { ":route": route.map(|route| route.0), ":limit": limit }, conflict)?
                .collect()
        })
        .await
    }

    /// One of them.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn conflict_show(&self, id: i64) -> Result<Option<Conflict>, LedgerError> {
        self.read("conflict_show", move |connection| {
            connection
                .prepare_cached(&format!("{COLUMNS} AND e.id = ?1"))?
                .query_row([id], conflict)
                .optional()
        })
        .await
    }

    /// A person says whose value stands: it holds for the values that were shown, and is carried out by the next
    /// write-back. The route comes back; `None`: nothing waits by that number.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn conflict_resolve(
        &self,
        id: i64,
        take: Take,
        said: Said,
    ) -> Result<Option<RouteName>, LedgerError> {
        let now = self.env.now();
        self.write("conflict_resolve", move |tx| {
            let found: Option<(i64, String, String)> = tx
                .prepare_cached(
                    "UPDATE edits SET take = ?2, against = coalesce(crm, 'null'), state = 'seen', since = NULL, code = NULL
                     WHERE id = ?1 AND state <> 'seen'
                     RETURNING link_id, field, (SELECT route FROM links WHERE links.id = link_id)",
                )?
                .query_row((id, take.as_str()), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                .optional()?;
            let Some((link, field, route)) = found else { return Ok(None) };
            tx.prepare_cached(
                "INSERT INTO conflict_words (at, link_id, field, take, who, text) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute((time(now), link, field, take.as_str(), said.who, said.text))?;
            write_back::want_fields(tx, LinkId(link), now)?;
            Ok(Some(RouteName(route)))
        })
        .await
    }

    /// How many wait, by route and state; what a person put aside waits for nobody.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn conflicts_count(&self) -> Result<Vec<ConflictCount>, LedgerError> {
        self.read("conflicts_count", move |connection| {
            connection
                .prepare_cached(
                    "SELECT l.route, e.state, count(*) AS n, min(e.since) AS since
                     FROM edits e JOIN links l ON l.id = e.link_id
                     WHERE e.state <> 'seen' AND e.code IS NOT 'discarded' AND l.route IS NOT NULL GROUP BY l.route, e.state ORDER BY l.route, e.state",
                )?
                .query_map([], |row| {
                    Ok(ConflictCount {
                        route: RouteName(row.get("route")?),
                        state: row.get("state")?,
                        count: row.get("n")?,
                        since: get_time(row, "since")?,
                    })
                })?
                .collect()
        })
        .await
    }
}

fn conflict(row: &Row<'_>) -> rusqlite::Result<Conflict> {
    Ok(Conflict {
        conflict: row.get("id")?,
        route: RouteName(row.get("route")?),
        record: row.get("record_id")?,
        user_data: row.get("user_data")?,
        contact: row.get::<_, Option<i64>>("contact_id")?.map(ContactId),
        field: row.get("field")?,
        state: row.get("state")?,
        agreed: get_json(row, "agreed")?,
        crm: get_json(row, "crm")?,
        dialler: get_json(row, "dialler")?,
        rule: get_named(row, "rule", ConflictRule::parse)?,
        since: get_time(row, "since")?,
        reason: get_reason_opt(row, "code", "params")?,
    })
}
