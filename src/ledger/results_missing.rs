//! The calls of a span that the CRM does not have, whoever's they are: by what became of them.

use super::results::{BECAME, BEGAN, NEVER};
use super::sql::{get_reason_opt, get_time_opt, time};
use super::{Ledger, LedgerError};
use crate::domain::{CampaignId, HistoryId, Reason, ReasonCode, RouteName, Timestamp};
use rusqlite::named_params;
use serde::Serialize;

/// A call that the CRM does not have as the ledger does.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MissingCall {
    /// Its row in `write_backs`, for `retry` and `discard`, if it has one.
    pub id: Option<i64>,
    /// The call.
    pub call: HistoryId,
    /// Its campaign.
    pub campaign: Option<CampaignId>,
    /// The route; `None`: its contact is no record's of ours.
    pub route: Option<RouteName>,
    /// The record.
    pub record: Option<String>,
    /// When it began.
    pub started: Option<Timestamp>,
    /// As in `write_backs`; `never` too where nobody asked for it.
    pub state: String,
    /// Why, where there is more to say than that.
    pub reason: Option<Reason>,
    /// When it is tried, or asked about, next.
    pub due: Option<Timestamp>,
    /// What the last request's answer was.
    pub last_answer: Option<String>,
}

impl Ledger {
    /// The calls that began in this span and that the CRM does not have, oldest first; of all routes also those of contacts
    /// that are no record's of ours.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn results_missing(
        &self,
        route: Option<RouteName>,
        from: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<MissingCall>, LedgerError> {
        self.read("results_missing", move |connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT coalesce(w.id, f.id) AS id, c.history_id, c.campaign_id, l.route, l.record_id, c.started_at,
                            coalesce(w.state, f.state, 'never') AS state,
                            CASE WHEN l.route IS NOT NULL THEN {NEVER} END AS code,
                            coalesce(w.params, f.params, '{{}}') AS params, coalesce(w.due_at, f.due_at) AS due_at,
                            (SELECT outcome || CASE detail WHEN '' THEN '' ELSE ': ' || detail END
                             FROM write_back_attempts a WHERE a.write_back_id = coalesce(w.id, f.id) ORDER BY a.id DESC LIMIT 1) AS answer
                     FROM calls c LEFT JOIN links l ON l.id = c.link_id AND l.route IS NOT NULL
                     {BECAME}
                     WHERE {BEGAN} AND (:route IS NULL OR l.route = :route) AND coalesce(w.state, f.state) IS NOT 'done'
                     ORDER BY coalesce(c.started_at, c.created_at, c.first_seen_at), c.history_id LIMIT :limit"
                ))?
                .query_map(
                    named_params! {
                        ":route": route.as_ref().map(|route| &route.0), ":from": time(from), ":until": time(until),
                        ":not_asked": ReasonCode::NotAsked.as_str(), ":test": ReasonCode::TestCall.as_str(),
                        ":before": ReasonCode::BeforeWriteBack.as_str(), ":limit": limit,
                    },
                    |row| {
                        Ok(MissingCall {
                            id: row.get("id")?,
                            call: HistoryId(row.get("history_id")?),
                            campaign: row.get::<_, Option<i64>>("campaign_id")?.map(CampaignId),
                            route: row.get::<_, Option<String>>("route")?.map(RouteName),
                            record: row.get("record_id")?,
                            started: get_time_opt(row, "started_at")?,
                            state: row.get("state")?,
                            reason: get_reason_opt(row, "code", "params")?,
                            due: get_time_opt(row, "due_at")?,
                            last_answer: row.get("answer")?,
                        })
                    },
                )?
                .collect()
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::testing::scene;
    use chrono::TimeDelta;

    #[tokio::test(start_paused = true)]
    async fn a_call_is_missing_also_where_nobody_asked_for_it() {
        let scene = scene().await;
        let link = scene.link("1", Some(11), &[]).await;
        for call in [51, 52, 53] {
            scene.call(link, call, "started_at = first_seen_at").await;
        }
        scene
            .put(
                "UPDATE calls SET link_id = NULL WHERE history_id = 53;
                 INSERT INTO write_backs (kind, link_id, history_id, wanted, state, due_at, waits_since, changed_at,
                                          created_at, written)
                 SELECT 'activity', link_id, 52, 1, 'done', first_seen_at, first_seen_at, first_seen_at, first_seen_at, 1
                 FROM calls WHERE history_id = 52;",
            )
            .await;
        let now = scene.ledger.env.now();
        let span = (now - TimeDelta::hours(1), now + TimeDelta::hours(1));
        let missing = scene.ledger.results_missing(None, span.0, span.1, 9).await.expect("a list");
        let told: Vec<_> =
            missing.iter().map(|one| (one.call.0, one.reason.as_ref().map(|why| why.code))).collect();
        assert_eq!(told, [(51, Some(ReasonCode::NotAsked)), (53, None)]);
        let of_route = scene.ledger.results_missing(Some(scene.route.clone()), span.0, span.1, 9).await;
        assert_eq!(of_route.expect("a list").len(), 1, "nobody's calls are no route's");
        // Told once, then put aside: the CRM has the older content.
        scene.put("UPDATE write_backs SET state = 'never', code = 'discarded'").await;
        let results = scene.ledger.results(None, span.0, span.1).await.expect("a balance");
        let leads = &results.routes["leads"];
        assert!(leads.adds_up() && leads.never.is_empty(), "{leads:?}");
        assert_eq!((leads.told, leads.told_older, leads.not_asked), (1, 1, 1));
    }
}
