//! The block list: who must not be called, by record and by number, within one client.
//!
//! Every change raises the epoch, so that a permit given before it is no longer current.

use super::block_reach::decide_anew;
use super::block_store::add_in;
use super::inputs::{block_row, blocks_in_force};
use super::sql::{get_time_opt, time};
use super::{Ledger, LedgerError};
use crate::domain::{Block, BlockSubject, Reason, RecordKey, Timestamp};
use rusqlite::named_params;
use serde::Serialize;

/// So many blocks are stored in one transaction: the locks of others wait for no longer, and SQLite walks all pages that a
/// command changed at each of its statements (two thousand blocks among a hundred thousand contacts took minutes).
const PIECE: usize = 200;

/// What a new block did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BlockAdded {
    /// Its row; the old one's where the same source had blocked the same already.
    pub id: i64,
    /// The block list's epoch after it.
    pub epoch: i64,
    /// Whether it is new (or reaches further than the old one).
    pub new: bool,
    /// Links that got a lock by it.
    pub links_locked: usize,
}

/// A row of the block list for people.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BlockRow {
    /// Its number.
    pub id: i64,
    /// Within this client.
    pub client: String,
    /// What is blocked.
    pub subject: BlockSubject,
    /// Why.
    pub reason: Reason,
    /// Who or what wrote it.
    pub source: String,
    /// Since when.
    pub since: Timestamp,
    /// When its source said it last.
    pub said_last: Timestamp,
    /// Its stated end.
    pub until: Option<Timestamp>,
    /// The person, where one did it.
    pub who: Option<String>,
    /// When it ended.
    pub lifted_at: Option<Timestamp>,
    /// Who lifted it.
    pub lifted_by: Option<String>,
    /// Why.
    pub lifted_why: Option<String>,
}

const IN_FORCE: &str = "lifted_at IS NULL AND (until IS NULL OR until > :now)";

impl Ledger {
    /// Blocks a record or a number, and locks every contact of the client that falls under it, in one
    /// transaction.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn block_add(&self, client: &str, block: Block) -> Result<BlockAdded, LedgerError> {
        let added = self.blocks_import(client, vec![block]).await?;
        // One block gives one answer.
        added.into_iter().next().ok_or(LedgerError::Closed)
    }

    /// Many at once (a file), piece by piece; the answers stand in the same order.
    ///
    /// # Errors
    /// The ledger cannot be written; the pieces before that are stored, and may be said again.
    pub async fn blocks_import(
        &self,
        client: &str,
        blocks: Vec<Block>,
    ) -> Result<Vec<BlockAdded>, LedgerError> {
        let now = self.env.now();
        let mut all = Vec::with_capacity(blocks.len());
        for piece in blocks.chunks(PIECE) {
            let (client, piece) = (client.to_owned(), piece.to_vec());
            let added = self
                .write("blocks_import", move |tx| {
                    let add = |block| add_in(tx, &client, block, now, None);
                    piece.iter().map(add).collect::<Result<Vec<_>, _>>()
                })
                .await?;
            if let Some(epoch) = added.iter().map(|added| added.epoch).max() {
                self.publish_epoch(epoch);
            }
            all.extend(added);
        }
        Ok(all)
    }

    /// Ends blocks whose stated end has passed; the records they held are decided anew. Called before a push.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn blocks_end_due(&self) -> Result<usize, LedgerError> {
        let now = self.env.now();
        let due = self
            .read("blocks_end_due", move |connection| {
                connection
                    .prepare_cached(
                        "SELECT * FROM blocks
                         WHERE lifted_at IS NULL AND until IS NOT NULL AND until <= ?1 LIMIT 500",
                    )?
                    .query_map([time(now)], listed)?
                    .collect::<Result<Vec<_>, _>>()
            })
            .await?;
        if due.is_empty() {
            return Ok(0);
        }
        self.write("blocks_end_due", move |tx| {
            let mut ended = 0;
            for row in &due {
                // Somebody may have said no anew since it was read, without an end or with a later one.
                let lifted = tx
                    .prepare_cached(
                        "UPDATE blocks SET lifted_at = ?2, lifted_by = 'dialbridge', lifted_why = 'its stated end'
                         WHERE id = ?1 AND lifted_at IS NULL AND until <= ?2",
                    )?
                    .execute((row.id, time(now)))?;
                if lifted > 0 {
                    ended += 1;
                    decide_anew(tx, &row.client, &row.subject, now)?;
                }
            }
            Ok(ended)
        })
        .await
    }

    /// The blocks of a client (of all clients without one), the newest first.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn blocks_list(
        &self,
        client: Option<&str>,
        lifted_too: bool,
        limit: u32,
    ) -> Result<Vec<BlockRow>, LedgerError> {
        let client = client.map(str::to_owned);
        let now = time(self.env.now());
        self.read("blocks_list", move |connection| {
            let sql = format!(
                "SELECT * FROM blocks WHERE (:client IS NULL OR client = :client) AND (:lifted OR ({IN_FORCE}))
                 ORDER BY id DESC LIMIT :limit"
            );
            connection
                .prepare_cached(&sql)?
                .query_map(
                    named_params! { ":client": client, ":lifted": lifted_too, ":now": now, ":limit": limit },
                    listed,
                )?
                .collect()
        })
        .await
    }

    /// All blocks in force now against any of the records or numbers.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn blocks_for(
        &self,
        client: &str,
        records: Vec<RecordKey>,
        numbers: Vec<String>,
    ) -> Result<Vec<Block>, LedgerError> {
        let now = time(self.env.now());
        let client = client.to_owned();
        self.read("blocks_for", move |connection| {
            let mut found = blocks_in_force(connection, &client, None, &numbers, &now)?;
            for key in &records {
                found.extend(blocks_in_force(connection, &client, Some(key), &[], &now)?);
            }
            Ok(found)
        })
        .await
    }
}

fn listed(row: &rusqlite::Row<'_>) -> rusqlite::Result<BlockRow> {
    let Block { subject, reason, source, since, said_last, until, who } = block_row(row)?;
    Ok(BlockRow {
        id: row.get("id")?,
        client: row.get("client")?,
        subject,
        reason,
        source,
        since,
        said_last,
        until,
        who,
        lifted_at: get_time_opt(row, "lifted_at")?,
        lifted_by: row.get("lifted_by")?,
        lifted_why: row.get("lifted_why")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ReasonCode;
    use crate::ledger::testing::scene;

    #[tokio::test(start_paused = true)]
    async fn a_long_list_is_stored_piece_by_piece_and_locks_everybody_in_it() {
        let scene = scene().await;
        let number = |n: usize| format!("+4930{n:06}");
        let (first, last) = (number(0), number(2 * PIECE));
        let links = [scene.link("1", Some(1), &[&first]).await, scene.link("2", Some(2), &[&last]).await];
        let now = scene.ledger.env.now();
        let block = |n| Block {
            subject: BlockSubject::Number(number(n)),
            reason: Reason::new(ReasonCode::BlockedByHand).with("text", "said no"),
            source: "file:no.csv".to_owned(),
            since: now,
            said_last: now,
            until: None,
            who: None,
        };
        let commits = "SELECT number FROM commits";
        let before: i64 = scene.says(commits).await[0].parse().expect("a number");
        let blocks: Vec<Block> = (0..=2 * PIECE).map(block).collect();
        let added = scene.ledger.blocks_import("house", blocks).await.expect("stored");
        assert_eq!(added.iter().filter(|added| added.new).count(), 2 * PIECE + 1);
        for link in links {
            assert_eq!(scene.operations(link).await, [("lock".to_owned(), "waiting".to_owned())]);
        }
        let after: i64 = scene.says(commits).await[0].parse().expect("a number");
        assert_eq!(after - before, 3, "so that the locks of others go between them");
    }
}
