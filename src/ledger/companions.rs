//! The ledger's copies of the companions: sets in the CRM that matter without moving a record's time.

use super::sql::{get_time_opt, time};
use super::{Ledger, LedgerError, hints};
use crate::domain::{RecordId, RouteName, Timestamp};
use rusqlite::OptionalExtension as _;
use serde::Serialize;
use std::collections::BTreeSet;

/// What became of a companion's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CompanionTaken {
    /// The copy equals the answer; whoever entered or left waits as a hint.
    Taken {
        /// How many entered.
        entered: usize,
        /// How many left.
        left: usize,
    },
    /// It shrank too much to be believed at once: who entered counts, who left does not. The same answer again is
    /// believed (semantics 31).
    Suspect {
        /// The copy's size.
        had: usize,
        /// The answer's size.
        has: usize,
    },
}

/// A companion whose last answer was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CompanionTrouble {
    /// The route.
    pub route: String,
    /// The companion.
    pub companion: String,
    /// How many answers in a row were not taken.
    pub failed: i64,
    /// Why the last one was not.
    pub failure: String,
    /// When the last complete answer was taken.
    pub read_at: Option<Timestamp>,
}

impl Ledger {
    /// The companions whose last answer was not taken.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn companions_in_trouble(&self) -> Result<Vec<CompanionTrouble>, LedgerError> {
        self.read("companions_in_trouble", |connection| {
            connection
                .prepare_cached(
                    "SELECT route, companion, failed, coalesce(failure, '') AS failure, read_at FROM companions
                     WHERE failed > 0 ORDER BY route, companion",
                )?
                .query_map([], |row| {
                    Ok(CompanionTrouble {
                        route: row.get("route")?,
                        companion: row.get("companion")?,
                        failed: row.get("failed")?,
                        failure: row.get("failure")?,
                        read_at: get_time_opt(row, "read_at")?,
                    })
                })?
                .collect()
        })
        .await
    }

    /// Compares a complete answer with the copy. The copy and the hints for whoever entered or left are
    /// stored together, so that a crash between the two loses nobody.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn companion_take(
        &self,
        route: RouteName,
        companion: String,
        answer: BTreeSet<RecordId>,
    ) -> Result<CompanionTaken, LedgerError> {
        let now = self.env.now();
        self.write("companion_take", move |tx| {
            let copy: BTreeSet<RecordId> = tx
                .prepare_cached("SELECT record_id FROM companion_members WHERE route = ?1 AND companion = ?2")?
                .query_map((&route.0, &companion), |row| row.get(0).map(RecordId))?
                .collect::<rusqlite::Result<_>>()?;
            let entered: Vec<&RecordId> = answer.difference(&copy).collect();
            let left: Vec<&RecordId> = copy.difference(&answer).collect();
            let digest = digest(&answer);
            let suspect: Option<Vec<u8>> = tx
                .prepare_cached("SELECT suspect FROM companions WHERE route = ?1 AND companion = ?2")?
                .query_row((&route.0, &companion), |row| row.get(0))
                .optional()?
                .flatten();
            // Who entered counts at once, whatever became of the rest: that is a positive fact (semantics 31).
            for id in &entered {
                hints::add_in(tx, now, &route, id, "companion")?;
                tx.prepare_cached("INSERT INTO companion_members (route, companion, record_id) VALUES (?1, ?2, ?3)")?
                    .execute((&route.0, &companion, &id.0))?;
            }
            let shrunken = shrank_too_much(copy.len(), left.len(), answer.len());
            if shrunken && suspect.as_deref() != Some(&digest[..]) {
                tx.prepare_cached(
                    "INSERT INTO companions (route, companion, failed, failure, suspect)
                     VALUES (?1, ?2, 1, 'shrank', ?3)
                     ON CONFLICT (route, companion) DO UPDATE SET failed = failed + 1, failure = 'shrank',
                        suspect = excluded.suspect, size = size + ?4",
                )?
                .execute((&route.0, &companion, &digest[..], entered.len() as i64))?;
                return Ok(CompanionTaken::Suspect { had: copy.len(), has: answer.len() });
            }
            for id in &left {
                hints::add_in(tx, now, &route, id, "companion")?;
                tx.prepare_cached(
                    "DELETE FROM companion_members WHERE route = ?1 AND companion = ?2 AND record_id = ?3",
                )?
                .execute((&route.0, &companion, &id.0))?;
            }
            tx.prepare_cached(
                "INSERT INTO companions (route, companion, read_at, size) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (route, companion) DO UPDATE SET read_at = excluded.read_at, size = excluded.size,
                    failed = 0, failure = NULL, suspect = NULL",
            )?
            .execute((&route.0, &companion, time(now), answer.len() as i64))?;
            Ok(CompanionTaken::Taken { entered: entered.len(), left: left.len() })
        })
        .await
    }

    /// Which of the named records are in the copy of a companion; `None` where it was never read, so that
    /// nobody can say.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn companion_members(
        &self,
        route: RouteName,
        companion: String,
        among: Vec<RecordId>,
    ) -> Result<Option<BTreeSet<RecordId>>, LedgerError> {
        self.read("companion_members", move |connection| {
            let read = connection
                .prepare_cached(
                    "SELECT 1 FROM companions WHERE route = ?1 AND companion = ?2 AND read_at IS NOT NULL",
                )?
                .exists((&route.0, &companion))?;
            if !read {
                return Ok(None);
            }
            let mut is_in = connection.prepare_cached(
                "SELECT 1 FROM companion_members WHERE route = ?1 AND companion = ?2 AND record_id = ?3",
            )?;
            let mut members = BTreeSet::new();
            for id in among {
                if is_in.exists((&route.0, &companion, &id.0))? {
                    members.insert(id);
                }
            }
            Ok(Some(members))
        })
        .await
    }

    /// Notes that a companion could not be read; its copy stays as it is.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn companion_failed(
        &self,
        route: RouteName,
        companion: String,
        why: String,
    ) -> Result<(), LedgerError> {
        self.write("companion_failed", move |tx| {
            tx.execute(
                "INSERT INTO companions (route, companion, failed, failure) VALUES (?1, ?2, 1, ?3)
                 ON CONFLICT (route, companion) DO UPDATE SET failed = failed + 1, failure = excluded.failure",
                (route.0, companion, why),
            )?;
            Ok(())
        })
        .await
    }
}

/// More than 20 % and more than 10 at once, or all of them: a half answer looks the same.
fn shrank_too_much(had: usize, left: usize, has: usize) -> bool {
    (left > 10 && left * 5 > had) || (had > 0 && has == 0)
}

fn digest(ids: &BTreeSet<RecordId>) -> [u8; 32] {
    use sha2::Digest as _;
    let mut hash = sha2::Sha256::new();
    for id in ids {
        hash.update(id.0.as_bytes());
        hash.update([0]);
    }
    hash.finalize().into()
}
