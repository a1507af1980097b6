//! Waves that nothing holds up, and of which a person should hear: locks by a condition that changed, and blocks that came
//! in numbers (users 5).

use super::sql::{get_time, time};
use super::{Ledger, LedgerError};
use crate::domain::{RouteName, Timestamp};
use chrono::TimeDelta;
use serde::Serialize;

/// Contacts that are out of reach because a route's condition became another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScopeChange {
    /// The route.
    pub route: RouteName,
    /// How many are out of reach for it still.
    pub contacts: i64,
    /// Since when everything is, or was, read again for it.
    pub since: Timestamp,
}

/// Blocks that one source brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BlockWave {
    /// Which.
    pub source: String,
    /// How many.
    pub blocks: i64,
    /// Since when.
    pub since: Timestamp,
}

/// Blocks are looked through from the newest, and not further back than this.
const LOOKED_THROUGH: i64 = 100_000;

impl Ledger {
    /// What the newest change of each route's condition put out of reach, unless it is over for longer than that.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn scope_changes(&self, told_for: TimeDelta) -> Result<Vec<ScopeChange>, LedgerError> {
        let since = time(self.env.now() - told_for);
        self.read("scope_changes", move |connection| {
            connection
                .prepare_cached(
                    "SELECT f.route, f.began_at, count(*) AS contacts
                     FROM (SELECT route, max(id) AS id FROM full_passes
                           WHERE why = 'revision' AND state <> 'replaced' AND coalesce(finished_at, began_at) > ?1
                           GROUP BY route) AS newest
                     JOIN full_passes f ON f.id = newest.id
                     JOIN records r ON r.route = f.route AND r.state = 'skipped' AND r.code = 'not_eligible'
                        AND r.since >= f.began_at
                     JOIN runs n ON n.id = r.run_id AND n.pass_id = f.id
                     JOIN links l ON l.id = r.link_id AND l.contact_id IS NOT NULL
                     GROUP BY f.route ORDER BY f.route",
                )?
                .query_map([since], |row| {
                    Ok(ScopeChange {
                        route: RouteName(row.get("route")?),
                        contacts: row.get("contacts")?,
                        since: get_time(row, "began_at")?,
                    })
                })?
                .collect()
        })
        .await
    }

    /// Sources that brought at least so many blocks within this time.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn block_waves(&self, within: TimeDelta, least: i64) -> Result<Vec<BlockWave>, LedgerError> {
        let since = time(self.env.now() - within);
        self.read("block_waves", move |connection| {
            connection
                .prepare_cached(
                    "SELECT source, count(*) AS blocks, min(since) AS since FROM blocks
                     WHERE id > (SELECT coalesce(max(id), 0) FROM blocks) - ?3 AND since > ?1
                     GROUP BY source HAVING count(*) >= ?2 ORDER BY source",
                )?
                .query_map((since, least, LOOKED_THROUGH), |row| {
                    Ok(BlockWave {
                        source: row.get("source")?,
                        blocks: row.get("blocks")?,
                        since: get_time(row, "since")?,
                    })
                })?
                .collect()
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::{Block, BlockSubject, Reason, ReasonCode};
    use crate::ledger::testing::scene;
    use chrono::TimeDelta;

    #[tokio::test(start_paused = true)]
    async fn many_blocks_of_one_source_within_an_hour_are_a_wave() {
        let scene = scene().await;
        for (source, count) in [("file:list.csv", 5), ("operator", 4)] {
            let since = scene.ledger.env.now();
            let blocks = (0..count).map(|n| Block {
                subject: BlockSubject::Number(format!("+49301{n}{count}")),
                reason: Reason::new(ReasonCode::BlockedByHand).with("text", "said no"),
                source: source.to_owned(),
                since,
                until: None,
                who: None,
            });
            scene.ledger.blocks_import("house", blocks.collect()).await.expect("blocked");
        }
        let waves = || scene.ledger.block_waves(TimeDelta::hours(1), 5);
        let found: Vec<(String, i64)> =
            waves().await.expect("waves").into_iter().map(|wave| (wave.source, wave.blocks)).collect();
        assert_eq!(found, [("file:list.csv".to_owned(), 5)]);
        scene.wait(2).await;
        assert_eq!(waves().await.expect("waves"), [], "it is told while it is news");
    }
}
