//! The plan: what waits on a route and would be sent, counted by reason, with examples. Nothing is changed.

use super::by_hand_update;
use super::inputs::link_view;
use super::lease::{Plan, Planner};
use super::sql::{get_named, get_reason};
use super::{Ledger, LedgerError};
use crate::domain::policy::Clearing;
use crate::domain::{FieldName, LinkId, OperationId, OperationKind, ReasonCode, RouteName};
use rusqlite::Connection;
use serde::Serialize;
use serde_json::Value;

/// So many examples of each kind.
const EXAMPLES: u32 = 10;

/// What a route would send, and what it leaves aside.
#[derive(Debug, Clone, Serialize)]
pub struct PlanView {
    /// The route.
    pub route: RouteName,
    /// What waits, by kind and reason.
    pub groups: Vec<PlanGroup>,
    /// A few of each kind.
    pub examples: Vec<PlanExample>,
    /// Records that are not sent, by state and reason.
    pub aside: Vec<AsideGroup>,
}

/// Waiting operations of one kind and reason.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlanGroup {
    /// The kind.
    pub kind: OperationKind,
    /// The reason's code.
    pub code: String,
    /// How many.
    pub count: i64,
    /// How many of them belong to waves that need approval.
    pub held: i64,
}

/// One waiting operation.
#[derive(Debug, Clone, Serialize)]
pub struct PlanExample {
    /// The kind.
    pub kind: OperationKind,
    /// The record.
    pub record: Option<String>,
    /// Its key.
    pub user_data: Option<String>,
    /// Why.
    pub text: String,
    /// Field by field.
    pub fields: Vec<PlanField>,
}

/// One field of an example.
#[derive(Debug, Clone, Serialize)]
pub struct PlanField {
    /// The dialler's field.
    pub field: FieldName,
    /// What the dialler answered last.
    pub before: Option<Value>,
    /// What would be sent.
    pub after: Value,
}

/// Records of one state and reason.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AsideGroup {
    /// `skipped`, `blocked`, `parked` or `discarded`.
    pub state: String,
    /// The reason's code.
    pub code: String,
    /// How many.
    pub count: i64,
}

impl Ledger {
    /// What waits on a route.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn plan_view(&self, route: RouteName, planner: Planner) -> Result<PlanView, LedgerError> {
        let clearing = self.clearing().await?;
        self.read("plan_view", move |connection| {
            Ok(PlanView {
                groups: groups(connection, &route)?,
                examples: examples(connection, &route, planner, clearing)?,
                aside: aside(connection, &route)?,
                route,
            })
        })
        .await
    }
}

fn groups(connection: &Connection, route: &RouteName) -> rusqlite::Result<Vec<PlanGroup>> {
    connection
        .prepare_cached(
            "SELECT o.kind, o.code, count(*) AS n, sum(coalesce(w.state = 'held', 0)) AS held
             FROM operations o JOIN links l ON l.id = o.link_id LEFT JOIN waves w ON w.id = o.wave_id
             WHERE l.route = ?1 AND o.state = 'waiting' GROUP BY o.kind, o.code ORDER BY n DESC",
        )?
        .query_map([&route.0], |row| {
            Ok(PlanGroup {
                kind: get_named(row, "kind", OperationKind::parse)?,
                code: row.get("code")?,
                count: row.get("n")?,
                held: row.get("held")?,
            })
        })?
        .collect()
}

fn examples(
    connection: &Connection,
    route: &RouteName,
    planner: Planner,
    clearing: Clearing,
) -> rusqlite::Result<Vec<PlanExample>> {
    let mut examples = Vec::new();
    for kind in OperationKind::ALL {
        let found: Vec<(i64, i64, PlanExample)> = connection
            .prepare_cached(
                "SELECT o.id, o.link_id, o.code, o.params, l.record_id, l.user_data
                 FROM operations o JOIN links l ON l.id = o.link_id
                 WHERE l.route = ?1 AND o.state = 'waiting' AND o.kind = ?2 ORDER BY o.id LIMIT ?3",
            )?
            .query_map((&route.0, kind.as_str(), EXAMPLES), |row| {
                let example = PlanExample {
                    kind: *kind,
                    record: row.get("record_id")?,
                    user_data: row.get("user_data")?,
                    text: get_reason(row, "code", "params")?.to_string(),
                    fields: Vec::new(),
                };
                Ok((row.get("id")?, row.get("link_id")?, example))
            })?
            .collect::<rusqlite::Result<_>>()?;
        for (id, link, mut example) in found {
            let view = link_view(connection, LinkId(link))?;
            let given = by_hand_update::given(connection, OperationId(id))?;
            if let Plan::Send(values) =
                planner(*kind, given.as_ref().map(|given| &given.values), &view, clearing)
            {
                example.fields = values
                    .into_iter()
                    .map(|(field, after)| PlanField {
                        before: view.base.get(&field).map(|pair| pair.dialler.clone()),
                        field,
                        after,
                    })
                    .collect();
            }
            examples.push(example);
        }
    }
    Ok(examples)
}

fn aside(connection: &Connection, route: &RouteName) -> rusqlite::Result<Vec<AsideGroup>> {
    connection
        .prepare_cached(
            "SELECT state, code, count(*) AS n FROM records
             WHERE route = ?1 AND state <> 'linked' GROUP BY state, code ORDER BY state, n DESC",
        )?
        .query_map([&route.0], |row| {
            Ok(AsideGroup {
                state: row.get("state")?,
                code: row.get::<_, Option<String>>("code")?.unwrap_or_default(),
                count: row.get("n")?,
            })
        })?
        .collect()
}

impl PlanGroup {
    /// The reason as people read it, its parameters left open.
    pub fn reason(&self) -> String {
        reason(&self.code)
    }
}

impl AsideGroup {
    /// The reason as people read it, its parameters left open.
    pub fn reason(&self) -> String {
        reason(&self.code)
    }
}

fn reason(code: &str) -> String {
    ReasonCode::parse(code).map_or_else(|| code.to_owned(), ReasonCode::in_general)
}
