//! A route's facts in the ledger: its state, its campaign once pinned, why it was stopped, its cursor.

use super::sql::{Columns, time};
use super::{Ledger, LedgerError, block_store, leaving};
use crate::domain::limits::WaveLimits;
use crate::domain::policy::RouteState;
use crate::domain::{CampaignId, PinnedCampaign, Reason, RouteName, RunId, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Transaction, named_params};
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
    /// More additions and changes than that need approval.
    pub waves: WaveLimits,
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
    /// Paused: what it is after that.
    pub state_after: Option<RouteState>,
    /// When a pilot ends by itself, also one that is paused.
    pub pilot_until: Option<Timestamp>,
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
    /// Calls that began before then are not told to the CRM; `None`: none is.
    pub write_back_since: Option<Timestamp>,
}

impl RouteRow {
    /// Whether it has not acted since it began, or was set so: also in a pause.
    pub fn is_dry(&self) -> bool {
        match self.state {
            RouteState::Dry => true,
            RouteState::Paused => self.state_after == Some(RouteState::Dry),
            RouteState::On | RouteState::Pilot => false,
        }
    }

    /// When it comes to be something else by itself.
    pub fn ends_at(&self) -> Option<Timestamp> {
        match self.state {
            RouteState::Paused => self.state_until,
            RouteState::Pilot => self.pilot_until,
            RouteState::Dry | RouteState::On => None,
        }
    }
}

const SELECT: &str = "SELECT r.route, r.client, r.crm, r.object, r.campaign_id, r.campaign_name, r.state, r.state_since, r.state_who, r.state_text,
            r.state_until, r.state_after, r.pilot_until, r.harvest_paused,
            (SELECT count(*) FROM waves w WHERE w.route = r.route AND w.state = 'held'),
            r.stopped, r.stopped_params, r.stopped_since, c.position, c.moved_at, r.revision, r.decided_on, r.write_back_since,
            (SELECT min(x.since) FROM differences x WHERE x.ended_at IS NULL)
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
        let (row, epoch) = self
            .write("route_register", move |tx| {
                let epoch = take_blocks_along(tx, &facts, &now)?;
                tx.prepare_cached(
                "INSERT INTO routes (route, client, crm, object, state, state_since, state_who, state_text,
                                     max_new_per_run, max_changed_per_run, max_new_percent, max_changed_percent)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'dialbridge', 'first start', ?7, ?8, ?9, ?10)
                 ON CONFLICT (route) DO UPDATE SET client = excluded.client, crm = excluded.crm,
                    object = excluded.object, max_new_per_run = excluded.max_new_per_run,
                    max_changed_per_run = excluded.max_changed_per_run, max_new_percent = excluded.max_new_percent,
                    max_changed_percent = excluded.max_changed_percent",
            )?
            .execute((
                &facts.route.0,
                &facts.client,
                &facts.crm,
                &facts.object,
                first_state.as_str(),
                now,
                facts.waves.new.per_run,
                facts.waves.changed.per_run,
                facts.waves.new.percent,
                facts.waves.changed.percent,
            ))?;
                let row = tx
                    .prepare_cached(&format!("{SELECT} WHERE r.route = ?1"))?
                    .query_row([&facts.route.0], route_row)?;
                Ok((row, epoch))
            })
            .await?;
        if let Some(epoch) = epoch {
            self.publish_epoch(epoch);
        }
        Ok(row)
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
        self.read("route_show", move |connection| known(connection, &route)).await
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
        let now = self.env.now();
        self.write("route_pin_campaign", move |tx| pin_in(tx, &route, &campaign, now)).await
    }

    /// The same in place of another one, unless an import is under way or in doubt: then nothing is pinned, and the answer is
    /// `false`. Asked in the same transaction, because a lease may come between a question and a word.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn route_repin_campaign(
        &self,
        route: RouteName,
        campaign: PinnedCampaign,
    ) -> Result<bool, LedgerError> {
        let now = self.env.now();
        self.write("route_repin_campaign", move |tx| {
            let doubts: bool = tx.prepare_cached(leaving::DOUBTS)?.query_row([&route.0], |row| row.get(0))?;
            if !doubts {
                pin_in(tx, &route, &campaign, now)?;
            }
            Ok(!doubts)
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

/// A route's row; `None`: it was never registered.
pub(super) fn known(connection: &Connection, route: &RouteName) -> rusqlite::Result<Option<RouteRow>> {
    connection
        .prepare_cached(&format!("{SELECT} WHERE r.route = ?1"))?
        .query_row([&route.0], route_row)
        .optional()
}

fn route_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<RouteRow> {
    let mut columns = Columns::of(row);
    let mut route = stored_row(&mut columns)?;
    if let Some(since) = columns.time_opt()? {
        // Its own state is what it goes back to; a pause of its own stays one.
        if route.state != RouteState::Paused {
            route.state_after = Some(route.state);
        }
        route.state = RouteState::Paused;
        route.state_since = since;
        route.state_who = "dialbridge".to_owned();
        route.state_text = "identity: the ledger or a side is not what it was".to_owned();
        route.state_until = None;
    }
    Ok(route)
}

fn stored_row(columns: &mut Columns<'_, '_>) -> rusqlite::Result<RouteRow> {
    Ok(RouteRow {
        route: RouteName(columns.next()?),
        client: columns.next()?,
        crm: columns.next()?,
        object: columns.next()?,
        campaign: columns.next::<Option<i64>>()?.map(CampaignId),
        campaign_name: columns.next()?,
        state: columns.named(RouteState::parse)?,
        state_since: columns.time()?,
        state_who: columns.next()?,
        state_text: columns.next()?,
        state_until: columns.time_opt()?,
        state_after: columns.next::<Option<String>>()?.and_then(|text| RouteState::parse(&text)),
        pilot_until: columns.time_opt()?,
        harvest_paused: columns.next()?,
        waves_held: columns.next()?,
        stopped: columns.reason_opt()?,
        stopped_since: columns.time_opt()?,
        cursor: columns.time_opt()?,
        cursor_moved_at: columns.time_opt()?,
        revision: columns.next()?,
        decided_on: columns.next()?,
        write_back_since: columns.time_opt()?,
    })
}

/// A route under another client, or whose CRM has another name in the config now, takes its links along and a copy of
/// the blocks that held for them: whoever said no under the old name is not made callable by a new one. Answers the
/// block list's new epoch.
fn take_blocks_along(tx: &Transaction<'_>, new: &RouteFacts, now: &str) -> rusqlite::Result<Option<i64>> {
    let old: Option<(String, String)> = tx
        .prepare_cached(
            "SELECT client, crm FROM routes
             WHERE route = ?1 AND (client <> ?2 OR crm <> ?3 AND object = ?4)",
        )?
        .query_row((&new.route.0, &new.client, &new.crm, &new.object), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((client, crm)) = old else { return Ok(None) };
    tx.prepare_cached("UPDATE links SET client = ?2 WHERE route = ?1")?
        .execute((&new.route.0, &new.client))?;
    tx.prepare_cached(
        "INSERT OR IGNORE INTO blocks (client, kind, crm, object, record_id, number, code, params, source, since, until, who)
         SELECT :client, kind, CASE WHEN crm = :old_crm AND object = :object THEN :crm ELSE crm END, object, record_id,
                number, code, params, source, since, until, who
         FROM blocks WHERE client = :old_client AND lifted_at IS NULL AND (until IS NULL OR until > :now)",
    )?
    .execute(named_params! {
        ":client": new.client, ":old_client": client, ":crm": new.crm, ":old_crm": crm, ":object": new.object,
        ":now": now,
    })?;
    block_store::epoch_raise(tx).map(Some)
}

fn pin_in(
    tx: &Transaction<'_>,
    route: &RouteName,
    campaign: &PinnedCampaign,
    now: Timestamp,
) -> rusqlite::Result<()> {
    leaving::campaign_changes(tx, route, campaign.id, now)?;
    tx.execute(
        "UPDATE routes SET campaign_id = ?2, campaign_name = ?3 WHERE route = ?1",
        (&route.0, campaign.id.0, &campaign.name),
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Block, BlockSubject, LinkId, ReasonCode, RecordId, RecordKey};
    use crate::ledger::testing::{Scene, scene};
    use crate::ledger::{GateAnswer, Opens};

    fn block(scene: &Scene, subject: BlockSubject) -> Block {
        Block {
            subject,
            reason: ReasonCode::BlockedByHand.into(),
            source: "operator".to_owned(),
            since: scene.ledger.env.now(),
            said_last: scene.ledger.env.now(),
            until: None,
            who: None,
        }
    }

    async fn register(scene: &Scene, client: &str, crm: &str) -> Result<(), LedgerError> {
        let facts = RouteFacts {
            route: scene.route.clone(),
            client: client.to_owned(),
            crm: crm.to_owned(),
            object: "person".to_owned(),
            waves: WaveLimits::default(),
        };
        scene.ledger.route_register(facts, RouteState::Dry).await.map(|_| ())
    }

    async fn shut(scene: &Scene, link: LinkId) -> Result<bool, LedgerError> {
        let answer = scene.ledger.gate_ask(link, Opens::Contact).await?;
        Ok(matches!(answer, GateAnswer::Shut(_)))
    }

    #[tokio::test(start_paused = true)]
    async fn a_route_of_another_client_takes_links_and_blocks_along() -> Result<(), LedgerError> {
        let scene = scene().await;
        let ada = scene.link("1", Some(1), &["+4930111"]).await;
        let berta = scene.link("2", Some(2), &["+4930222"]).await;
        let number = |number: &str| block(&scene, BlockSubject::Number(number.to_owned()));
        scene.ledger.block_add("house", number("+4930111")).await?;
        register(&scene, "acme", "sales").await?;
        assert!(shut(&scene, ada).await?, "the no of before still holds");
        assert!(!shut(&scene, berta).await?);
        let added = scene.ledger.block_add("acme", number("+4930222")).await?;
        assert_eq!(added.links_locked, 1, "and a new one reaches who was there");
        assert!(shut(&scene, berta).await?);
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn a_crm_of_another_name_keeps_its_records_blocked() -> Result<(), LedgerError> {
        let scene = scene().await;
        let ada = scene.link("1", Some(1), &[]).await;
        let record =
            RecordKey { crm: "sales".to_owned(), object: "person".to_owned(), id: RecordId::from("1") };
        scene.ledger.block_add("house", block(&scene, BlockSubject::Record(record))).await?;
        register(&scene, "house", "odoo").await?;
        assert!(shut(&scene, ada).await?);
        register(&scene, "house", "odoo").await?;
        assert_eq!(scene.ledger.blocks_list(None, false, 10).await?.len(), 2, "copied once");
        Ok(())
    }
}
