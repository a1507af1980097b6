//! Block lists that the config names: what was last read of each, so that only what changed is read again.

use super::sql::{get_time_opt, time};
use super::{Ledger, LedgerError};
use crate::domain::Timestamp;
use rusqlite::{OptionalExtension as _, Transaction, named_params};
use serde::Serialize;
use std::collections::HashSet;

/// What is known of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BlockFileRow {
    /// Within which client it blocks.
    pub client: String,
    /// The file.
    pub path: String,
    /// The digest of the text that was taken last; an empty one agrees with none: blocks of it were lifted since, and it is to be read
    /// again.
    #[serde(skip)]
    pub digest: Option<Vec<u8>>,
    /// When that was.
    pub read_at: Option<Timestamp>,
    /// Numbers in it.
    pub numbers: i64,
    /// Lines in it that name nobody.
    pub bad: i64,
    /// The first of them, by their number in the file.
    pub bad_lines: Vec<u64>,
    /// Since when it cannot be read.
    pub failing_since: Option<Timestamp>,
    /// Why not.
    pub error: Option<String>,
    /// Since when a text of it is being taken, while nobody of the client becomes callable.
    pub taking_since: Option<Timestamp>,
}

/// What was taken of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockFileTaken {
    /// Within which client it blocks.
    pub client: String,
    /// The file.
    pub path: String,
    /// The digest of its text.
    pub digest: Vec<u8>,
    /// Numbers in it.
    pub numbers: usize,
    /// How often blocks of it had been lifted when its reading began.
    pub lifts: i64,
    /// Lines that name nobody.
    pub bad: usize,
    /// The first of them.
    pub bad_lines: Vec<u64>,
}

impl Ledger {
    /// Those of these numbers that this source does not block yet.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn numbers_not_blocked(
        &self,
        client: &str,
        source: &str,
        numbers: Vec<String>,
    ) -> Result<Vec<String>, LedgerError> {
        let (client, source) = (client.to_owned(), source.to_owned());
        self.read("numbers_not_blocked", move |connection| {
            let mut standing = connection.prepare_cached(
                "SELECT 1 FROM blocks
                 WHERE number = ?1 AND client = ?2 AND source = ?3 AND kind = 'number' AND lifted_at IS NULL",
            )?;
            let mut missing = Vec::new();
            for number in numbers {
                if !standing.exists((&number, &client, &source))? {
                    missing.push(number);
                }
            }
            Ok(missing)
        })
        .await
    }

    /// All lists that were ever named.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn block_files(&self) -> Result<Vec<BlockFileRow>, LedgerError> {
        self.read("block_files", |connection| {
            connection
                .prepare_cached("SELECT * FROM block_files ORDER BY client, path")?
                .query_map([], file_row)?
                .collect()
        })
        .await
    }

    /// What is known of one.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn block_file(&self, client: &str, path: &str) -> Result<Option<BlockFileRow>, LedgerError> {
        let (client, path) = (client.to_owned(), path.to_owned());
        self.read("block_file", move |connection| {
            connection
                .prepare_cached("SELECT * FROM block_files WHERE client = ?1 AND path = ?2")?
                .query_row((client, path), file_row)
                .optional()
        })
        .await
    }

    /// Those of these numbers that a link or a contact bears, or was sent.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn numbers_borne(&self, numbers: Vec<String>) -> Result<HashSet<String>, LedgerError> {
        self.read("numbers_borne", move |connection| {
            let mut borne = connection.prepare_cached(
                "SELECT 1 WHERE EXISTS (SELECT 1 FROM link_numbers WHERE number = ?1)
                    OR EXISTS (SELECT 1 FROM contact_numbers WHERE number = ?1)
                    OR EXISTS (SELECT 1 FROM sent_numbers WHERE number = ?1)",
            )?;
            let mut found = HashSet::new();
            for number in numbers {
                if borne.exists([&number])? {
                    found.insert(number);
                }
            }
            Ok(found)
        })
        .await
    }

    /// The lists that the config names: none but these can be under way.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn block_files_named(&self, named: Vec<(String, String)>) -> Result<(), LedgerError> {
        let named = serde_json::Value::from_iter(named.into_iter().map(|(client, path)| vec![client, path]));
        self.write("block_files_named", move |tx| {
            tx.execute(
                "UPDATE block_files SET taking_since = NULL WHERE taking_since IS NOT NULL AND NOT EXISTS (SELECT 1 FROM json_each(?1) n
                    WHERE n.value ->> 0 = client AND n.value ->> 1 = path)",
                [named.to_string()],
            )
            .map(|_| ())
        })
        .await
    }

    /// A list is about to be taken: until it was, nobody of the client becomes callable. Answers how often blocks of it have been
    /// lifted by now.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn block_file_begins(&self, client: &str, path: &str) -> Result<i64, LedgerError> {
        let (client, path, now) = (client.to_owned(), path.to_owned(), time(self.env.now()));
        self.write("block_file_begins", move |tx| {
            tx.execute(
                "INSERT INTO block_files (client, path, taking_since) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET taking_since = ?3 WHERE taking_since IS NULL",
                (&client, &path, now),
            )?;
            tx.query_row(
                "SELECT lifts FROM block_files WHERE client = ?1 AND path = ?2",
                (&client, &path),
                |row| row.get(0),
            )
        })
        .await
    }

    /// A list holds what was taken of it already, and nobody waits for it.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn block_file_rests(&self, client: &str, path: &str) -> Result<(), LedgerError> {
        let (client, path) = (client.to_owned(), path.to_owned());
        self.write("block_file_rests", move |tx| {
            tx.execute(
                "UPDATE block_files SET taking_since = NULL WHERE client = ?1 AND path = ?2 AND taking_since IS NOT NULL",
                (client, path),
            )
            .map(|_| ())
        })
        .await
    }

    /// A list was taken whole: its numbers are blocked. Were blocks of it lifted meanwhile, it is to be read again: what was
    /// found blocked may have been lifted behind it.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn block_file_taken(&self, taken: BlockFileTaken) -> Result<(), LedgerError> {
        let now = time(self.env.now());
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.write("block_file_taken", move |tx| {
            tx.execute(
                "INSERT INTO block_files (client, path, digest, read_at, numbers, bad, bad_lines)
                 VALUES (:client, :path, :digest, :now, :numbers, :bad, :lines)
                 ON CONFLICT DO UPDATE SET digest = iif(lifts = :lifts, excluded.digest, x''), read_at = excluded.read_at,
                    numbers = excluded.numbers, bad = excluded.bad, bad_lines = excluded.bad_lines,
                    failing_since = NULL, error = NULL, taking_since = NULL",
                named_params! {
                    ":client": taken.client, ":path": taken.path, ":digest": taken.digest, ":now": now,
                    ":numbers": count(taken.numbers), ":bad": count(taken.bad), ":lifts": taken.lifts,
                    ":lines": serde_json::Value::from(taken.bad_lines).to_string(),
                },
            )
            .map(|_| ())
        })
        .await
    }

    /// A list cannot be read; what was taken of it before stands, and nobody waits for the rest. Whether that is news.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn block_file_failed(
        &self,
        client: &str,
        path: &str,
        error: &str,
    ) -> Result<bool, LedgerError> {
        let now = time(self.env.now());
        let (client, path, error) = (client.to_owned(), path.to_owned(), error.to_owned());
        self.write("block_file_failed", move |tx| {
            let changed = tx.execute(
                "INSERT INTO block_files (client, path, failing_since, error) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO UPDATE SET failing_since = coalesce(failing_since, ?3), error = ?4, taking_since = NULL
                 WHERE error IS NOT ?4 OR taking_since IS NOT NULL",
                (client, path, now, error),
            )?;
            Ok(changed > 0)
        })
        .await
    }
}

/// Blocks of the source are lifted in this transaction: a list in a file is read again, and what it still names is blocked anew,
/// whether its wrong lines went before or go later.
pub(super) fn read_again(tx: &Transaction<'_>, client: &str, source: &str) -> rusqlite::Result<()> {
    let Some(path) = source.strip_prefix("file:") else { return Ok(()) };
    tx.prepare_cached(
        "UPDATE block_files SET lifts = lifts + 1, digest = iif(digest IS NULL, NULL, x'') WHERE client = ?1 AND path = ?2",
    )?
    .execute((client, path))?;
    Ok(())
}

fn file_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<BlockFileRow> {
    let lines: String = row.get("bad_lines")?;
    Ok(BlockFileRow {
        client: row.get("client")?,
        path: row.get("path")?,
        digest: row.get("digest")?,
        read_at: get_time_opt(row, "read_at")?,
        numbers: row.get("numbers")?,
        bad: row.get("bad")?,
        bad_lines: serde_json::from_str(&lines).unwrap_or_default(),
        failing_since: get_time_opt(row, "failing_since")?,
        error: row.get("error")?,
        taking_since: get_time_opt(row, "taking_since")?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::scene;
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_list_that_cannot_be_read_keeps_what_was_read_of_it_and_its_first_failure() {
        let scene = scene().await;
        let ledger = &scene.ledger;
        let taken = BlockFileTaken {
            client: "house".to_owned(),
            path: "no.csv".to_owned(),
            digest: vec![1],
            numbers: 2,
            lifts: 0,
            bad: 1,
            bad_lines: vec![3],
        };
        ledger.block_file_taken(taken.clone()).await.expect("stored");
        assert!(ledger.block_file_failed("house", "no.csv", "gone").await.expect("stored"));
        let first = ledger.block_file("house", "no.csv").await.expect("read").expect("known");
        scene.wait(1).await;
        assert!(
            !ledger.block_file_failed("house", "no.csv", "gone").await.expect("stored"),
            "that is no news"
        );
        assert!(ledger.block_file_failed("house", "no.csv", "closed").await.expect("stored"));
        let row = ledger.block_file("house", "no.csv").await.expect("read").expect("known");
        assert_eq!((row.numbers, &row.bad_lines, &row.digest), (2, &vec![3], &Some(vec![1])));
        assert_eq!((row.failing_since, row.error.as_deref()), (first.failing_since, Some("closed")));
        ledger.block_file_taken(taken).await.expect("stored");
        assert_eq!(ledger.block_files().await.expect("read")[0].error, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_of_which_something_is_lifted_while_it_is_read_is_read_once_more() {
        let scene = scene().await;
        let ledger = &scene.ledger;
        let taken = |lifts| BlockFileTaken {
            client: "house".to_owned(),
            path: "no.csv".to_owned(),
            digest: vec![1],
            numbers: 1,
            lifts,
            bad: 0,
            bad_lines: Vec::new(),
        };
        let digest = async || ledger.block_files().await.expect("read")[0].digest.clone().expect("one");
        let lifts = ledger.block_file_begins("house", "no.csv").await.expect("begun");
        let lift =
            |source: &'static str| ledger.write("test_lift", move |tx| read_again(tx, "house", source));
        lift("file:other.csv").await.expect("another list");
        lift("file:no.csv").await.expect("lifted");
        ledger.block_file_taken(taken(lifts)).await.expect("stored");
        assert!(digest().await.is_empty(), "what it found blocked may be free by now");
        let lifts = ledger.block_file_begins("house", "no.csv").await.expect("begun");
        ledger.block_file_taken(taken(lifts)).await.expect("stored");
        assert_eq!(digest().await, [1]);
    }
}
