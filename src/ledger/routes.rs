//! A route's facts in the ledger: its state, its campaign once pinned, why it was stopped, its cursor.

use super::sql::{get_named, get_reason_opt, get_time, get_time_opt, time};
use super::{Ledger, LedgerError};
use crate::domain::policy::RouteState;
use crate::domain::{CampaignId, PinnedCampaign, Reason, RouteName, RunId, Timestamp};
use rusqlite::OptionalExtension as _;
use serde::Serialize;

/// What the config says of a route, as far as the ledger keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteFacts {
    /// Its name.
    pub route: RouteName,
    /// Its client: blocks hold within one.
    pub client: String,
    /// The `[crm.NAME]` it reads.
    pub crm: String,
    /// The CRM's object.
    pub object: String,
    /// More new contacts than that in one run or pass need approval.
    pub max_new_per_run: Option<u32>,
    /// More changes than that in one run or pass need approval.
    pub max_changed_per_run: Option<u32>,
}

/// A route as the ledger has it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RouteRow {
    /// Its name.
    pub route: RouteName,
    /// Its client.
    pub client: String,
    /// The CRM it reads.
    pub crm: String,
    /// The CRM's object.
    pub object: String,
    /// The pinned campaign's number.
    pub campaign: Option<CampaignId>,
    /// The campaign's name when it was pinned.
    pub campaign_name: Option<String>,
    /// Whether it acts.
    pub state: RouteState,
    /// Since when.
    pub state_since: Timestamp,
    /// Who said so.
    pub state_who: String,
    /// The reason given.
    pub state_text: String,
    /// When a pause ends by itself.
    pub state_until: Option<Timestamp>,
    /// Whether the pause holds the harvest too.
    pub harvest_paused: bool,
    /// How many waves need approval.
    pub waves_held: i64,
    /// A systemic failure stopped it.
    pub stopped: Option<Reason>,
    /// Since when it is stopped.
    pub stopped_since: Option<Timestamp>,
    /// Everything modified before it was stored.
    pub cursor: Option<Timestamp>,
    /// When the cursor moved last.
    pub cursor_moved_at: Option<Timestamp>,
    /// The mapping's revision of the last pull.
    pub revision: Option<String>,
    /// The local day of the last daily decision.
    pub decided_on: Option<String>,
}

const SELECT: &str = "SELECT r.*, c.position, c.moved_at,
            (SELECT count(*) FROM waves w WHERE w.route = r.route AND w.state = 'held') AS waves_held
     FROM routes r LEFT JOIN cursors c ON c.route = r.route";

impl Ledger {
    /// Makes the route known, or brings its facts up to date. A route the ledger does not know yet begins
    /// in `first_state`.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn route_register(
        &self,
        facts: RouteFacts,
        first_state: RouteState,
    ) -> Result<RouteRow, LedgerError> {
        let now = time(self.env.now());
        self.write("route_register", move |tx| {
            tx.prepare_cached(
                "INSERT INTO routes (route, client, crm, object, state, state_since, state_who, state_text,
                                     max_new_per_run, max_changed_per_run)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'dialbridge', 'first start', ?7, ?8)
                 ON CONFLICT (route) DO UPDATE SET client = excluded.client, crm = excluded.crm,
                    object = excluded.object, max_new_per_run = excluded.max_new_per_run,
                    max_changed_per_run = excluded.max_changed_per_run",
            )?
            .execute((
                &facts.route.0,
                &facts.client,
                &facts.crm,
                &facts.object,
                first_state.as_str(),
                now,
                facts.max_new_per_run,
                facts.max_changed_per_run,
            ))?;
            tx.prepare_cached(&format!("{SELECT} WHERE r.route = ?1"))?.query_row([&facts.route.0], route_row)
        })
        .await
    }

    /// All routes the ledger knows.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn routes_list(&self) -> Result<Vec<RouteRow>, LedgerError> {
        self.read("routes_list", |connection| {
            connection
                .prepare_cached(&format!("{SELECT} ORDER BY r.route"))?
                .query_map([], route_row)?
                .collect()
        })
        .await
    }

    /// One route.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn route_show(&self, route: RouteName) -> Result<Option<RouteRow>, LedgerError> {
        self.read("route_show", move |connection| {
            connection
                .prepare_cached(&format!("{SELECT} WHERE r.route = ?1"))?
                .query_row([route.0], route_row)
                .optional()
        })
        .await
    }

    /// Pins the campaign by its number.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn route_pin_campaign(
        &self,
        route: RouteName,
        campaign: PinnedCampaign,
    ) -> Result<(), LedgerError> {
        self.write("route_pin_campaign", move |tx| {
            tx.execute(
                "UPDATE routes SET campaign_id = ?2, campaign_name = ?3 WHERE route = ?1",
                (route.0, campaign.id.0, campaign.name),
            )?;
            Ok(())
        })
        .await
    }

    /// Moves the cursor forwards, never backwards; called when the last page is stored.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn cursor_move(&self, route: RouteName, to: Timestamp, run: RunId) -> Result<(), LedgerError> {
        let now = time(self.env.now());
        self.write("cursor_move", move |tx| {
            tx.execute(
                "INSERT INTO cursors (route, position, moved_at, run_id) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (route) DO UPDATE SET position = excluded.position, moved_at = excluded.moved_at,
                    run_id = excluded.run_id
                 WHERE excluded.position > cursors.position",
                (route.0, time(to), now, run.0),
            )?;
            Ok(())
        })
        .await
    }

    /// Notes under which revision a run pulls.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn route_pull_begins(
        &self,
        route: RouteName,
        revision: String,
        run: RunId,
    ) -> Result<(), LedgerError> {
        self.write("route_pull_begins", move |tx| {
            tx.execute(
                "UPDATE routes SET pulling_revision = ?2, pulling_run = ?3
                 WHERE route = ?1 AND pulling_revision IS NOT ?2",
                (route.0, revision, run.0),
            )?;
            Ok(())
        })
        .await
    }

    /// Notes that a pull under this revision came to its end.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn route_set_revision(&self, route: RouteName, revision: String) -> Result<(), LedgerError> {
        self.write("route_set_revision", move |tx| {
            tx.execute("UPDATE routes SET revision = ?2 WHERE route = ?1", (route.0, revision))?;
            Ok(())
        })
        .await
    }

    /// Notes that today's decisions of dated conditions were made.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn route_decided_on(
        &self,
        route: RouteName,
        day: chrono::NaiveDate,
    ) -> Result<(), LedgerError> {
        self.write("route_decided_on", move |tx| {
            tx.execute("UPDATE routes SET decided_on = ?2 WHERE route = ?1", (route.0, day.to_string()))?;
            Ok(())
        })
        .await
    }
}

fn route_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<RouteRow> {
    Ok(RouteRow {
        route: RouteName(row.get("route")?),
        client: row.get("client")?,
        crm: row.get("crm")?,
        object: row.get("object")?,
        campaign: row.get::<_, Option<i64>>("campaign_id")?.map(CampaignId),
        campaign_name: row.get("campaign_name")?,
        state: get_named(row, "state", RouteState::parse)?,
        state_since: get_time(row, "state_since")?,
        state_who: row.get("state_who")?,
        state_text: row.get("state_text")?,
        state_until: get_time_opt(row, "state_until")?,
        harvest_paused: row.get("harvest_paused")?,
        waves_held: row.get("waves_held")?,
        stopped: get_reason_opt(row, "stopped", "stopped_params")?,
        stopped_since: get_time_opt(row, "stopped_since")?,
        cursor: get_time_opt(row, "position")?,
        cursor_moved_at: get_time_opt(row, "moved_at")?,
        revision: row.get("revision")?,
        decided_on: row.get("decided_on")?,
    })
}
