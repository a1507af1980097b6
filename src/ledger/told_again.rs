//! What is told on purpose: calls again whose result got another word, and calls from before the route's beginning.

use super::results_words::keep;
use super::sql::time;
use super::words::Said;
use super::write_back::want_of_calls;
use super::{Ledger, LedgerError};
use crate::domain::result_words::ResultWords;
use crate::domain::{CampaignId, LinkId, ReasonCode, RouteName, Shapes, Timestamp};
use rusqlite::{Connection, Transaction, named_params};
use serde::Serialize;
use std::collections::BTreeMap;

/// What is told on purpose, or would be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct OnPurpose {
    /// Calls whose activities are worked out (anew).
    pub calls: i64,
    /// Of these, held until now for the want of a word.
    pub held: i64,
    /// Calls that the CRM has and does not let be changed: they stay as they are.
    pub fixed: i64,
    /// Records whose fields are worked out anew.
    pub records: i64,
    /// The route's `max_write_back_per_run` counts these rows; more wait for approval.
    pub rows: i64,
}

/// Rows of the CRM's that rest: told, or held for the want of a word.
const RESTS: &str = "(w.state = 'done' OR w.state = 'held' AND w.code = 'unmapped_result')";
/// Of these, what the CRM does not let be changed.
const FIXED: &str = "(w.kind = 'activity' AND w.activity IS NOT NULL AND EXISTS (
        SELECT 1 FROM links g JOIN routes f ON f.route = g.route WHERE g.id = w.link_id AND f.activities = 'fixed'))";
/// Calls of a route that began in a span and are no tests.
const IN_SPAN: &str = "FROM calls c JOIN links l ON l.id = c.link_id
     WHERE l.route = :route AND c.test IS NOT 1 AND c.erased_at IS NULL
       AND coalesce(c.started_at, c.created_at, c.first_seen_at) >= :from
       AND coalesce(c.started_at, c.created_at, c.first_seen_at) < :until
       AND NOT EXISTS (SELECT 1 FROM write_backs w WHERE w.history_id = c.history_id
            AND NOT (w.state = 'never' AND w.code = 'before_write_back'))";

impl Ledger {
    /// What `results_remap` would bring about, by route.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn results_remap_plan(
        &self,
        result: String,
        route: Option<RouteName>,
    ) -> Result<BTreeMap<RouteName, OnPurpose>, LedgerError> {
        self.read("results_remap_plan", move |connection| remapped(connection, &result, route.as_ref())).await
    }

    /// Calls with this result that were told, or held for the want of a word, are worked out anew with the words that the
    /// config has now, and the fields of their records; what says the same as before costs no request.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn results_remap(
        &self,
        result: String,
        route: Option<RouteName>,
        said: Said,
    ) -> Result<BTreeMap<RouteName, OnPurpose>, LedgerError> {
        let now = time(self.env.now());
        self.write("results_remap", move |tx| {
            let plan = remapped(tx, &result, route.as_ref())?;
            let said = Said { text: format!("{result}: {}", said.text), ..said };
            let codes = codes(tx, &result)?;
            for route in plan.keys() {
                for (campaign, code) in &codes {
                    tx.prepare_cached(&format!(
                        "UPDATE write_backs AS w SET state = 'waiting', code = NULL, params = '{{}}', tries = 0, doubts = 0, due_at = ?4,
                                waits_since = ?4, changed_at = ?4
                         WHERE {RESTS} AND NOT {FIXED} AND w.link_id IN (
                             SELECT c.link_id FROM calls c JOIN links l ON l.id = c.link_id
                             WHERE c.campaign_id = ?2 AND c.result_code = ?3 AND c.erased_at IS NULL AND l.route = ?1)
                           AND (w.history_id IS NULL OR w.history_id IN (
                             SELECT history_id FROM calls WHERE campaign_id = ?2 AND result_code = ?3 AND erased_at IS NULL))"
                    ))?
                    .execute((&route.0, campaign.0, code, &now))?;
                }
                keep(tx, &now, "remap", route, None, &said)?;
            }
            Ok(plan)
        })
        .await
    }

    /// What `results_backfill` would bring about; `None`: the route's calls do not go back.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn results_backfill_plan(
        &self,
        route: RouteName,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Option<OnPurpose>, LedgerError> {
        self.read("results_backfill_plan", move |connection| backfilled(connection, &route, from, until))
            .await
    }

    /// Calls of a span that began before the route's calls went back are told after all, oldest first, and their records'
    /// fields worked out from all calls there are, so that no older result takes the place of a newer one.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn results_backfill(
        &self,
        route: RouteName,
        from: Timestamp,
        until: Timestamp,
        said: Said,
    ) -> Result<Option<OnPurpose>, LedgerError> {
        let now = self.env.now();
        self.write("results_backfill", move |tx| {
            let Some(plan) = backfilled(tx, &route, from, until)? else { return Ok(None) };
            let links = links_in_span(tx, &route, from, until)?;
            let (activities, fields) = wanted(shapes(tx, &route)?);
            if activities {
                enter_activities(tx, &route, from, until, now)?;
            }
            if fields {
                links.into_iter().try_for_each(|link| want_of_calls(tx, link, now))?;
            }
            let span = format!("{} to {}", from.date_naive(), until.date_naive());
            keep(
                tx,
                &time(now),
                "backfill",
                &route,
                None,
                &Said { text: format!("{span}: {}", said.text), ..said },
            )?;
            Ok(Some(plan))
        })
        .await
    }
}

fn wanted(shapes: Option<Shapes>) -> (bool, bool) {
    match shapes {
        Some(Shapes::Both) => (true, true),
        Some(Shapes::Activities) => (true, false),
        Some(Shapes::Fields) => (false, true),
        Some(Shapes::Nothing) | None => (false, false),
    }
}

fn shapes(connection: &Connection, route: &RouteName) -> rusqlite::Result<Option<Shapes>> {
    let name: Option<String> = connection
        .prepare_cached("SELECT write_back_shapes FROM routes WHERE route = ?1")?
        .query_row([&route.0], |row| row.get(0))?;
    Ok(name.as_deref().and_then(Shapes::parse))
}

/// The codes that are called so, by whichever of their names.
fn codes(connection: &Connection, result: &str) -> rusqlite::Result<Vec<(CampaignId, i64)>> {
    let words = ResultWords::new([result]);
    let mut statement = connection.prepare_cached(
        "SELECT k.campaign_id, k.result_code, t.export_key, t.name
         FROM (SELECT DISTINCT campaign_id, result_code FROM calls
               WHERE result_code IS NOT NULL AND campaign_id IS NOT NULL) k
         LEFT JOIN result_codes t ON t.campaign_id = k.campaign_id AND t.code = k.result_code",
    )?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (campaign, code) = (CampaignId(row.get(0)?), row.get(1)?);
        let (key, name): (Option<String>, Option<String>) = (row.get(2)?, row.get(3)?);
        if words.names(Some(campaign), code, key.as_deref(), name.as_deref()) {
            found.push((campaign, code));
        }
    }
    Ok(found)
}

fn remapped(
    connection: &Connection,
    result: &str,
    route: Option<&RouteName>,
) -> rusqlite::Result<BTreeMap<RouteName, OnPurpose>> {
    let mut found: BTreeMap<RouteName, OnPurpose> = BTreeMap::new();
    let sql = format!(
        "SELECT l.route, count(DISTINCT w.id) FILTER (WHERE w.kind = 'activity' AND NOT {FIXED}) AS calls,
                count(DISTINCT w.id) FILTER (WHERE w.kind = 'activity' AND w.state = 'held' AND NOT {FIXED}) AS held,
                count(DISTINCT w.id) FILTER (WHERE {FIXED}) AS fixed,
                count(DISTINCT w.id) FILTER (WHERE w.kind = 'fields') AS records
         FROM calls c JOIN links l ON l.id = c.link_id
         JOIN write_backs w ON w.link_id = c.link_id AND (w.history_id IS NULL OR w.history_id = c.history_id)
         WHERE c.campaign_id = :campaign AND c.result_code = :code AND c.erased_at IS NULL AND {RESTS}
           AND l.route IS NOT NULL AND (:route IS NULL OR l.route = :route) GROUP BY l.route"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    for (campaign, code) in codes(connection, result)? {
        let mut rows = statement.query(named_params! {
            ":campaign": campaign.0, ":code": code, ":route": route.map(|route| &route.0),
        })?;
        while let Some(row) = rows.next()? {
            let of_route = found.entry(RouteName(row.get("route")?)).or_default();
            let (calls, records): (i64, i64) = (row.get("calls")?, row.get("records")?);
            of_route.calls += calls;
            of_route.held += row.get::<_, i64>("held")?;
            of_route.fixed += row.get::<_, i64>("fixed")?;
            of_route.records += records;
            of_route.rows += calls + records;
        }
    }
    Ok(found)
}

fn backfilled(
    connection: &Connection,
    route: &RouteName,
    from: Timestamp,
    until: Timestamp,
) -> rusqlite::Result<Option<OnPurpose>> {
    let (activities, fields) = wanted(shapes(connection, route)?);
    if !activities && !fields {
        return Ok(None);
    }
    let of_span = named_params! { ":route": route.0, ":from": time(from), ":until": time(until) };
    let (calls, records): (i64, i64) = connection
        .prepare_cached(&format!("SELECT count(*), count(DISTINCT c.link_id) {IN_SPAN}"))?
        .query_row(of_span, |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (calls, records) = (if activities { calls } else { 0 }, if fields { records } else { 0 });
    Ok(Some(OnPurpose { calls, held: 0, fixed: 0, records, rows: calls + records }))
}

fn links_in_span(
    tx: &Transaction<'_>,
    route: &RouteName,
    from: Timestamp,
    until: Timestamp,
) -> rusqlite::Result<Vec<LinkId>> {
    tx.prepare_cached(&format!("SELECT DISTINCT c.link_id {IN_SPAN}"))?
        .query_map(named_params! { ":route": route.0, ":from": time(from), ":until": time(until) }, |row| {
            row.get(0).map(LinkId)
        })?
        .collect()
}

fn enter_activities(
    tx: &Transaction<'_>,
    route: &RouteName,
    from: Timestamp,
    until: Timestamp,
    now: Timestamp,
) -> rusqlite::Result<()> {
    tx.prepare_cached(&format!(
        "INSERT INTO write_backs (kind, link_id, history_id, wanted, state, due_at, waits_since, changed_at, created_at)
         SELECT 'activity', c.link_id, c.history_id, c.revision, 'waiting', :now, :now, :now, :now {IN_SPAN}
         ON CONFLICT (history_id) WHERE history_id IS NOT NULL DO UPDATE SET
            state = 'waiting', code = NULL, params = '{{}}', wanted = excluded.wanted, tries = 0, doubts = 0,
            due_at = excluded.due_at, waits_since = excluded.waits_since, changed_at = excluded.changed_at
         WHERE write_backs.state = 'never' AND write_backs.code = :before"
    ))?
    .execute(named_params! {
        ":route": route.0, ":from": time(from), ":until": time(until), ":now": time(now),
        ":before": ReasonCode::BeforeWriteBack.as_str(),
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Activities;
    use crate::ledger::testing::scene;

    #[tokio::test(start_paused = true)]
    async fn a_remap_leaves_out_what_the_crm_does_not_let_be_changed_and_counts_it() {
        for (activities, calls, fixed, waiting) in
            [(Activities::Change, 2, 0, 2), (Activities::Fixed, 1, 1, 1)]
        {
            let scene = scene().await;
            let set = scene.ledger.write_back_set(scene.route.clone(), Shapes::Activities, activities);
            set.await.expect("a beginning");
            let link = scene.link("1", Some(11), &[]).await;
            for call in [51, 52] {
                scene.call(link, call, "result_code = 1").await;
            }
            scene.want_calls(&[51, 52]).await;
            scene
                .put(
                    "UPDATE write_backs SET state = 'done', activity = '9' WHERE history_id = 51;
                     UPDATE write_backs SET state = 'held', code = 'unmapped_result' WHERE history_id = 52;",
                )
                .await;
            let said = Said { who: "ada".to_owned(), text: "renamed".to_owned() };
            let plan = scene.ledger.results_remap("7/1".to_owned(), None, said).await.expect("remapped");
            let of = plan[&scene.route];
            assert_eq!((of.calls, of.fixed, of.rows), (calls, fixed, calls), "{activities:?}");
            let found = scene.says("SELECT id FROM write_backs WHERE state = 'waiting'").await.len();
            assert_eq!(found, waiting, "{activities:?}");
        }
    }
}
