//! Whether the trail of changes is unbroken, and its end told outside the ledger once a day.

use super::chain::{COLUMNS, Digest, Place, Stored};
use super::heads::{self, Head};
use super::{Ledger, LedgerError};
use crate::domain::Timestamp;
use rusqlite::Connection;
use serde::Serialize;

/// So many rows are read at once: a read is bounded in time, and the writer goes on between two.
const READ: u32 = 10_000;
/// What a look over the whole trail came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct TrailProof {
    /// Rows that follow one another.
    pub rows: u64,
    /// Values of them that are erased, and proven all the same.
    pub erased: u64,
    /// Ends of earlier days, told outside the ledger, that the trail has in their places.
    pub heads: u64,
    /// Ends told before a takeover.
    pub earlier: u64,
    /// Of these, such as the trail has in their places: all of them, unless a backup took the ledger's place.
    pub earlier_held: u64,
    /// The last row.
    pub change: Option<i64>,
    /// Its digest.
    pub chain: Option<String>,
    /// The first row that cannot be right.
    pub broken: Option<TrailBroken>,
}

/// Where the trail is broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrailBroken {
    /// The row (`change` of `v_changes`).
    pub change: i64,
    /// What is wrong with it.
    pub why: String,
}

/// A walk over the chain with what was told of it outside.
struct Walk {
    place: Place,
    heads: std::iter::Peekable<std::vec::IntoIter<Head>>,
    earlier: std::iter::Peekable<std::vec::IntoIter<Head>>,
    proof: TrailProof,
}

impl Walk {
    /// What was told in another generation proves what is there, and nothing of what is not.
    fn new(mut heads: Vec<Head>, generation: i64) -> Self {
        heads.sort_by_key(|head| head.change);
        let (heads, earlier): (Vec<_>, Vec<_>) =
            heads.into_iter().partition(|head| head.generation == generation);
        let proof = TrailProof { earlier: earlier.len() as u64, ..TrailProof::default() };
        let (heads, earlier) = (heads.into_iter().peekable(), earlier.into_iter().peekable());
        Self { place: Place::BEGINNING, heads, earlier, proof }
    }

    fn take(&mut self, row: &Stored) {
        let broken = |why| Some(TrailBroken { change: row.id, why });
        let digest = match row.proven((self.place.id, &self.place.chain)) {
            Ok(digest) => digest,
            Err(why) => return self.proof.broken = broken(why),
        };
        while let Some(head) = self.heads.next_if(|head| head.change <= row.id) {
            if head.change < row.id || head.chain != heads::hex(&digest) {
                let why = format!("at {} the trail had another row {}", told(head.at), head.change);
                return self.proof.broken = broken(why);
            }
            self.proof.heads += 1;
        }
        while let Some(head) = self.earlier.next_if(|head| head.change <= row.id) {
            let held = head.change == row.id && head.chain == heads::hex(&digest);
            self.proof.earlier_held += u64::from(held);
        }
        self.place = Place { id: row.id, chain: digest };
        self.proof.rows += 1;
        self.proof.erased += row.erased();
    }

    fn end(mut self) -> TrailProof {
        if let (None, Some(head)) = (&self.proof.broken, self.heads.next()) {
            let why = format!("at {} the trail had this row; now it ends before it", told(head.at));
            self.proof.broken = Some(TrailBroken { change: head.change, why });
        }
        if self.proof.rows > 0 {
            self.proof.change = Some(self.place.id);
            self.proof.chain = Some(heads::hex(&self.place.chain));
        }
        self.proof
    }
}

fn told(at: Timestamp) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// What is wrong with the trail of whatever file is open, without what was told outside.
pub(super) fn broken(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut walk = Walk::new(Vec::new(), 0);
    let mut statement = connection.prepare(&format!("SELECT {COLUMNS} FROM changes ORDER BY id"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        walk.take(&Stored::read(row)?);
        if walk.proof.broken.is_some() {
            break;
        }
    }
    let broken = walk.end().broken;
    Ok(broken.map(|broken| format!("change {}: {}", broken.change, broken.why)).into_iter().collect())
}

impl Ledger {
    /// Proves the whole trail, row by row, beside a running daemon, and against the ends told outside the ledger.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn trail_verify(&self) -> Result<TrailProof, LedgerError> {
        // First: what is told while the walk goes on is behind what it had to find.
        let generation = self.generation().await?;
        let heads = heads::read(self.path())
            .map_err(|error| LedgerError::NotWritable(format!("the file .trail beside it: {error}")))?;
        let mut walk = Walk::new(heads, generation);
        loop {
            let rows = self.trail_rows(walk.place.id, READ).await?;
            let last = rows.len() < READ as usize;
            for row in &rows {
                walk.take(row);
                if walk.proof.broken.is_some() {
                    return Ok(walk.end());
                }
            }
            if last {
                return Ok(walk.end());
            }
        }
    }

    async fn trail_rows(&self, after: i64, limit: u32) -> Result<Vec<Stored>, LedgerError> {
        self.read("trail_rows", move |connection| {
            connection
                .prepare_cached(&format!("SELECT {COLUMNS} FROM changes WHERE id > ?1 ORDER BY id LIMIT ?2"))?
                .query_map((after, limit), Stored::read)?
                .collect()
        })
        .await
    }

    async fn generation(&self) -> Result<i64, LedgerError> {
        self.read("generation", |connection| {
            connection.query_row("SELECT coalesce(max(generation), 0) FROM identity", [], |row| row.get(0))
        })
        .await
    }

    /// Tells the end of the trail in the file beside the ledger, so that its newest rows cannot go, and the whole cannot
    /// be made anew, unseen. Answers what was told; nothing where there is no row, or none since.
    ///
    /// # Errors
    /// The ledger cannot be read, or the file not be written.
    pub async fn trail_head_keep(&self) -> Result<Option<Head>, LedgerError> {
        let (at, generation) = (self.env.now(), self.generation().await?);
        let last: Option<(i64, Option<Digest>)> = self
            .read("trail_head_keep", |connection| {
                let mut last =
                    connection.prepare("SELECT id, chain FROM changes ORDER BY id DESC LIMIT 1")?;
                let mut rows = last.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
                rows.next().transpose()
            })
            .await?;
        let Some((change, Some(chain))) = last else { return Ok(None) };
        let head = Head { at, generation, change, chain: heads::hex(&chain) };
        let path = self.path().to_owned();
        let kept = self.env.aside(move || heads::add(&path, head)).await;
        kept.ok_or(LedgerError::Closed)?
            .map_err(|error| LedgerError::NotWritable(format!("the file .trail beside it: {error}")))
    }
}

#[cfg(test)]
mod tests;
