//! Waves that nothing holds up, and of which a person should hear: locks by a condition that changed, and blocks that came
//! in numbers (users 5).

use super::sql::{get_time, time};
use super::words::Said;
use super::{Ledger, LedgerError};
use crate::domain::{RouteName, Timestamp};
use chrono::TimeDelta;
use rusqlite::named_params;
use serde::Serialize;

/// Contacts that are out of reach because a route's condition or mapping became another one.
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

/// Contacts that came out of reach because their records no longer fulfil the route's condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftWave {
    /// The route.
    pub route: RouteName,
    /// How many.
    pub contacts: i64,
    /// Since when.
    pub since: Timestamp,
}

impl LeftWave {
    /// By what name a person says that they have seen it.
    pub fn source(&self) -> String {
        format!("{LEFT}{}", self.route)
    }
}

/// What the name of such a wave begins with.
const LEFT: &str = "only_if:";
/// Of a route's contacts at least one in so many is news; of a hundred thousand some fifty come and go in any hour.
const ONE_IN: i64 = 100;

/// Blocks are looked through from the newest, and not further back than this.
const LOOKED_THROUGH: i64 = 100_000;

impl Ledger {
    /// What the newest change of each route's condition or mapping put out of reach, unless it is over for longer than that.
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
                     JOIN records r ON r.route = f.route AND r.state IN ('skipped', 'parked')
                        AND r.code IN ('not_eligible', 'no_name', 'no_phone') AND r.since >= f.began_at
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

    /// Sources that brought at least so many blocks within this time, unless a person has seen them, they are lifted, or it is
    /// over for longer than `told_for`. Of each the greatest wave.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn block_waves(
        &self,
        within: TimeDelta,
        least: i64,
        told_for: TimeDelta,
    ) -> Result<Vec<BlockWave>, LedgerError> {
        let since = time(self.env.now() - told_for);
        let within = within.num_seconds();
        self.read("block_waves", move |connection| {
            connection
                .prepare_cached(
                    "SELECT source, max(together) AS blocks, first AS since FROM (
                         SELECT source, count(*) OVER hour AS together, min(since) OVER hour AS first FROM (
                             SELECT source, since, CAST(strftime('%s', since) AS INTEGER) AS at FROM blocks b
                             WHERE id > (SELECT coalesce(max(id), 0) FROM blocks) - ?3 AND since > ?1 AND lifted_at IS NULL
                               AND since > coalesce((SELECT max(w.at) FROM block_wave_words w WHERE w.source = b.source), ''))
                         WINDOW hour AS (PARTITION BY source ORDER BY at RANGE BETWEEN ?4 PRECEDING AND CURRENT ROW))
                     GROUP BY source HAVING max(together) >= ?2 ORDER BY source",
                )?
                .query_map((since, least, LOOKED_THROUGH, within), |row| {
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

    /// Routes of whose contacts at least so many, and one in a hundred, came out of reach within this time because their records were
    /// archived, deleted, or edited, or a day passed, and `only_if` holds no more: one click over there is to be seen here. Not those of a condition that
    /// became another one ([`Ledger::scope_changes`]), nor what a person has seen.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn left_waves(
        &self,
        within: TimeDelta,
        least: i64,
        told_for: TimeDelta,
    ) -> Result<Vec<LeftWave>, LedgerError> {
        let since = time(self.env.now() - told_for);
        let within = within.num_seconds();
        self.read("left_waves", move |connection| {
            connection
                .prepare_cached(
                    "SELECT route, max(together) AS contacts, first AS since FROM (
                         SELECT route, count(*) OVER hour AS together, min(since) OVER hour AS first FROM (
                             SELECT r.route, r.since, CAST(strftime('%s', r.since) AS INTEGER) AS at
                             FROM records r JOIN links l ON l.id = r.link_id AND l.contact_id IS NOT NULL
                             WHERE r.state = 'skipped' AND +r.code IN ('not_eligible', 'record_deleted') AND r.since > :since
                               AND NOT EXISTS (SELECT 1 FROM runs n JOIN full_passes f ON f.id = n.pass_id
                                               WHERE n.id = r.run_id AND f.why = 'revision')
                               AND r.since > coalesce((SELECT max(w.at) FROM block_wave_words w
                                                       WHERE w.source = :left || r.route), ''))
                         WINDOW hour AS (PARTITION BY route ORDER BY at RANGE BETWEEN :within PRECEDING AND CURRENT ROW)) AS w
                     GROUP BY route HAVING max(together) >= max(:least, (SELECT count(*) FROM links l
                         WHERE l.route = w.route AND l.contact_id IS NOT NULL) / :one_in) ORDER BY route",
                )?
                .query_map(
                    named_params! {
                        ":since": since, ":left": LEFT, ":within": within, ":least": least, ":one_in": ONE_IN,
                    },
                    |row| {
                        Ok(LeftWave {
                            route: RouteName(row.get("route")?),
                            contacts: row.get("contacts")?,
                            since: get_time(row, "since")?,
                        })
                    },
                )?
                .collect()
        })
        .await
    }

    /// A person has seen what this source blocked, or the route's condition put out of reach, until now, and means it. `false`: it
    /// did nothing.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn block_wave_seen(&self, source: &str, said: Said) -> Result<bool, LedgerError> {
        let now = time(self.env.now());
        let source = source.to_owned();
        self.write("block_wave_seen", move |tx| {
            let stored = tx.execute(
                "INSERT INTO block_wave_words (at, source, who, text)
                 SELECT ?1, ?2, ?3, ?4 WHERE EXISTS (SELECT 1 FROM blocks WHERE source = ?2)
                     OR EXISTS (SELECT 1 FROM routes WHERE ?5 || route = ?2)",
                (now, source, said.who, said.text, LEFT),
            )?;
            Ok(stored > 0)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::{Block, BlockSubject, Reason, ReasonCode};
    use crate::ledger::Said;
    use crate::ledger::testing::scene;
    use chrono::TimeDelta;

    #[tokio::test(start_paused = true)]
    async fn many_blocks_of_one_source_within_an_hour_are_a_wave_until_a_person_has_seen_it() {
        let scene = scene().await;
        for (source, count) in [("file:list.csv", 5), ("operator", 4)] {
            let since = scene.ledger.env.now();
            let blocks = (0..count).map(|n| Block {
                subject: BlockSubject::Number(format!("+49301{n}{count}")),
                reason: Reason::new(ReasonCode::BlockedByHand).with("text", "said no"),
                source: source.to_owned(),
                since,
                said_last: since,
                until: None,
                who: None,
            });
            scene.ledger.blocks_import("house", blocks.collect()).await.expect("blocked");
        }
        let waves = || scene.ledger.block_waves(TimeDelta::hours(1), 5, TimeDelta::days(7));
        let found = async || -> Vec<(String, i64)> {
            waves().await.expect("waves").into_iter().map(|wave| (wave.source, wave.blocks)).collect()
        };
        let of_list = [("file:list.csv".to_owned(), 5)];
        assert_eq!(found().await, of_list);
        // Once is no wave with what comes a day later, and no person has seen it yet.
        scene.wait(30).await;
        scene.put("UPDATE blocks SET since = '2030-01-08T14:00:00.000000Z' WHERE id = 1").await;
        assert_eq!(found().await, []);
        scene.put("UPDATE blocks SET since = (SELECT since FROM blocks WHERE id = 2) WHERE id = 1").await;
        assert_eq!(found().await, of_list, "nobody has seen it");
        let said = || Said { who: "ada".to_owned(), text: "the list of November".to_owned() };
        assert!(!scene.ledger.block_wave_seen("file:other.csv", said()).await.expect("stored"));
        assert!(scene.ledger.block_wave_seen("file:list.csv", said()).await.expect("stored"));
        assert_eq!(found().await, []);
    }
}
