//! Result codes as calls have brought them, with the names that the dialler gave for them.

use super::sql::get_time_opt;
use super::{Ledger, LedgerError};
use crate::domain::{CallResult, CampaignId, HistoryId, RouteName, Timestamp};
use rusqlite::{OptionalExtension as _, Transaction};
use serde::Serialize;

/// A result code that was seen, or that the dialler explained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "columns of `result_codes`, and counts over `calls`")]
pub struct CodeSeen {
    pub campaign: Option<CampaignId>,
    pub code: i64,
    pub name: Option<String>,
    pub export_key: Option<String>,
    pub done: Option<bool>,
    pub aborted: Option<bool>,
    pub delay: Option<bool>,
    pub appointment: Option<bool>,
    pub calls: i64,
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
}

/// From code to code by the index: a campaign has a few of them in a million calls.
const CODES_OF: &str = "WITH RECURSIVE k (code) AS (
        SELECT min(result_code) FROM calls WHERE campaign_id = ?1 AND result_code IS NOT NULL
        UNION ALL
        SELECT (SELECT min(c.result_code) FROM calls c
                WHERE c.campaign_id = ?1 AND c.result_code IS NOT NULL AND c.result_code > k.code)
        FROM k WHERE k.code IS NOT NULL)
     SELECT k.code, t.name, t.export_key FROM k
     LEFT JOIN result_codes t ON t.campaign_id = ?1 AND t.code = k.code WHERE k.code IS NOT NULL ORDER BY k.code";

/// The result of this call, if no other call of its campaign has it.
pub(super) fn first_of_its_kind(
    tx: &Transaction<'_>,
    call: HistoryId,
) -> rusqlite::Result<Option<(CampaignId, CallResult)>> {
    tx.prepare_cached(
        "SELECT c.campaign_id, c.result_code, t.name, t.export_key FROM calls c
         LEFT JOIN result_codes t ON t.campaign_id = c.campaign_id AND t.code = c.result_code
         WHERE c.history_id = ?1 AND c.result_code IS NOT NULL AND c.campaign_id IS NOT NULL
           AND (SELECT count(*) FROM (SELECT 1 FROM calls k WHERE k.campaign_id = c.campaign_id
                    AND k.result_code IS NOT NULL AND k.result_code = c.result_code LIMIT 2)) = 1",
    )?
    .query_row([call.0], |row| {
        let result = CallResult { code: row.get(1)?, name: row.get(2)?, export_key: row.get(3)? };
        Ok((CampaignId(row.get(0)?), result))
    })
    .optional()
}

impl Ledger {
    /// The results that calls of a campaign have, each once.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn results_of(&self, campaign: CampaignId) -> Result<Vec<CallResult>, LedgerError> {
        self.read("results_of", move |connection| {
            connection
                .prepare_cached(CODES_OF)?
                .query_map([campaign.0], |row| {
                    Ok(CallResult {
                        code: row.get("code")?,
                        name: row.get("name")?,
                        export_key: row.get("export_key")?,
                    })
                })?
                .collect()
        })
        .await
    }

    /// Every result code ever seen, with how often; of the campaigns in which a route's calls were, the present one
    /// included, or of all.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn results_codes(&self, route: Option<RouteName>) -> Result<Vec<CodeSeen>, LedgerError> {
        self.read("results_codes", move |connection| {
            connection
                .prepare_cached(
                    "WITH meant AS (
                        SELECT campaign_id AS id FROM routes WHERE route = ?1
                        UNION
                        SELECT c.campaign_id FROM links l JOIN calls c ON c.link_id = l.id WHERE l.route = ?1),
                     seen AS (
                        SELECT campaign_id, result_code AS code, count(*) AS calls,
                               min(coalesce(started_at, created_at, first_seen_at)) AS first,
                               max(coalesce(started_at, created_at, first_seen_at)) AS last
                        FROM calls WHERE result_code IS NOT NULL GROUP BY campaign_id, result_code)
                     SELECT s.campaign_id, s.code, t.name, t.export_key, t.done, t.aborted, t.delay, t.appointment, s.calls,
                            s.first, s.last
                     FROM seen s LEFT JOIN result_codes t ON t.campaign_id = s.campaign_id AND t.code = s.code
                     WHERE ?1 IS NULL OR s.campaign_id IN (SELECT id FROM meant)
                     UNION ALL
                     SELECT t.campaign_id, t.code, t.name, t.export_key, t.done, t.aborted, t.delay, t.appointment, 0,
                            NULL, NULL
                     FROM result_codes t WHERE (?1 IS NULL OR t.campaign_id IN (SELECT id FROM meant))
                       AND NOT EXISTS (SELECT 1 FROM seen s WHERE s.campaign_id = t.campaign_id AND s.code = t.code)
                     ORDER BY 1, 9 DESC, 2",
                )?
                .query_map([route.map(|route| route.0)], |row| {
                    Ok(CodeSeen {
                        campaign: row.get::<_, Option<i64>>("campaign_id")?.map(CampaignId),
                        code: row.get("code")?,
                        name: row.get("name")?,
                        export_key: row.get("export_key")?,
                        done: row.get("done")?,
                        aborted: row.get("aborted")?,
                        delay: row.get("delay")?,
                        appointment: row.get("appointment")?,
                        calls: row.get("calls")?,
                        first: get_time_opt(row, "first")?,
                        last: get_time_opt(row, "last")?,
                    })
                })?
                .collect()
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::testing::scene;

    #[tokio::test(start_paused = true)]
    async fn the_results_of_a_campaign_are_found_without_a_look_at_its_calls() {
        let scene = scene().await;
        let link = scene.link("1", Some(11), &[]).await;
        for (call, columns) in
            [(1, "result_code = 9"), (2, "result_code = 3"), (3, "result_code = 9"), (4, "open = 1")]
        {
            scene.call(link, call, columns).await;
        }
        scene.call(link, 5, "result_code = 4, campaign_id = 8").await;
        let seen = scene.ledger.results_of(CampaignId(7)).await.expect("results");
        assert_eq!(seen.iter().map(|result| result.code).collect::<Vec<_>>(), [3, 9]);
        for (call, first) in [(1, None), (2, Some(3)), (4, None), (5, Some(4))] {
            let found = scene.ledger.write("test_first", move |tx| first_of_its_kind(tx, HistoryId(call)));
            assert_eq!(found.await.expect("read").map(|(_, result)| result.code), first, "{call}");
        }
        let plan = scene.plan_of(CODES_OF).await.join("\n");
        assert!(!plan.contains("SCAN c") && plan.contains("calls_result"), "{plan}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_route_is_shown_the_results_of_its_earlier_campaigns_too_and_of_no_others() {
        let scene = scene().await;
        let link = scene.link("1", Some(11), &[]).await;
        scene.call(link, 1, "result_code = 9").await;
        scene.call(link, 2, "result_code = 3, campaign_id = 6").await;
        scene.call(link, 3, "result_code = 5, campaign_id = 8, link_id = NULL").await;
        let ledger = &scene.ledger;
        let codes = |route: Option<RouteName>| async move {
            let seen = ledger.results_codes(route).await.expect("codes");
            seen.into_iter().map(|code| (code.campaign.map(|id| id.0), code.code)).collect::<Vec<_>>()
        };
        assert_eq!(codes(Some(scene.route.clone())).await, [(Some(6), 3), (Some(7), 9)]);
        assert_eq!(codes(None).await.len(), 3);
    }
}
