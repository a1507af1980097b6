//! The plan: what waits on a route and would be sent, and what of it needs approval, wave by wave: counted by reason and
//! by field, with examples. Nothing is changed.

use super::lease::Planner;
use super::plan_parts::{Scope, aside, part};
use super::sql::time;
use super::{
    FreezeRow, Ledger, LedgerError, RouteRow, WaveRecord, WaveRow, freeze, held_waves, routes, unlisted,
    waves,
};
use crate::domain::policy::{RouteState, WaveWhat};
use crate::domain::{FieldName, OperationKind, ReasonCode, RouteName};
use rusqlite::Connection;
use serde::Serialize;
use serde_json::Value;

/// What a route would send, and what it leaves aside.
#[derive(Debug, Clone, Serialize)]
pub struct PlanView {
    /// The route.
    pub route: RouteName,
    /// Its state; `None`: nothing was ever read for it.
    pub state: Option<RouteRow>,
    /// The freeze that stands.
    pub frozen: Option<FreezeRow>,
    /// All that waits.
    #[serde(flatten)]
    pub all: PlanPart,
    /// What of it needs approval, oldest first.
    pub waves: Vec<WavePlan>,
    /// Records that are not sent, by state and reason.
    pub aside: Vec<AsideGroup>,
}

/// What a wave that needs approval would send.
#[derive(Debug, Clone, Serialize)]
pub struct WavePlan {
    /// The wave.
    pub wave: WaveRow,
    /// Its route's state: what a dry route decided is decided anew before a word on it counts.
    pub route_state: Option<RouteState>,
    /// What of it waits.
    #[serde(flatten)]
    pub part: PlanPart,
    /// Where no operation makes it: which calls and records wait, all of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<WaveRecord>,
}

/// Operations that wait, from three sides.
#[derive(Debug, Clone, Serialize)]
pub struct PlanPart {
    /// By kind and reason.
    pub groups: Vec<PlanGroup>,
    /// By kind and field.
    pub fields: Vec<PlanFieldCount>,
    /// A few of each kind.
    pub examples: Vec<PlanExample>,
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

/// How many waiting operations of one kind send a field.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlanFieldCount {
    /// The kind.
    pub kind: OperationKind,
    /// The dialler's field.
    pub field: FieldName,
    /// How many.
    pub count: i64,
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
        let now = time(self.env.now());
        self.read("plan_view", move |connection| {
            let look = |wave| part(connection, &Scope { route: &route, wave }, planner, clearing);
            let state = routes::known(connection, &route)?;
            let waves = waves::held(connection, &route)?
                .into_iter()
                .map(|wave| {
                    let route_state = state.as_ref().map(|row| row.state);
                    let records = records(connection, &wave)?;
                    Ok(WavePlan { part: look(Some(wave.id))?, wave, route_state, records })
                })
                .collect::<rusqlite::Result<_>>()?;
            Ok(PlanView {
                state,
                frozen: freeze::standing(connection, &now)?,
                all: look(None)?,
                waves,
                aside: aside(connection, &route)?,
                route: route.clone(),
            })
        })
        .await
    }

    /// What a wave would send.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn plan_of_wave(&self, wave: WaveRow, planner: Planner) -> Result<WavePlan, LedgerError> {
        let clearing = self.clearing().await?;
        self.read("plan_of_wave", move |connection| {
            let scope = Scope { route: &wave.route, wave: Some(wave.id) };
            let route_state = routes::known(connection, &wave.route)?.map(|row| row.state);
            Ok(WavePlan {
                part: part(connection, &scope, planner, clearing)?,
                records: records(connection, &wave)?,
                wave: wave.clone(),
                route_state,
            })
        })
        .await
    }
}

fn records(connection: &Connection, wave: &WaveRow) -> rusqlite::Result<Vec<WaveRecord>> {
    match wave.what {
        WaveWhat::Told => held_waves::untold(connection, &wave.route),
        WaveWhat::Listed => held_waves::listed(connection, &wave.route),
        WaveWhat::Missing => held_waves::absent(connection, wave.id),
        WaveWhat::Vanished => unlisted::records(connection, wave.id),
        WaveWhat::New
        | WaveWhat::Changed
        | WaveWhat::Removed
        | WaveWhat::RemovedByScope
        | WaveWhat::LockedByScope => Ok(Vec::new()),
    }
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
