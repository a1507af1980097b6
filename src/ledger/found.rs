//! What stands against a record whose key a contact bears already: its record's blocks, and those of the contact, which
//! may have numbers that the record has not, or not any more.

use super::gate::{contact_numbers, shut_for};
use super::glimpse::{self, Glimpse};
use super::inputs::{blocks_in_force, contact_blocks};
use super::meet::Meeting;
use super::sql::time;
use super::{Ledger, LedgerError};
use crate::domain::{Block, ContactId, LinkId, LinkView, RecordKey, Timestamp};
use rusqlite::{Connection, Transaction};

impl Ledger {
    /// What would stand against a contact that a record of the client is to take over.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn blocks_of_found(&self, client: String, seen: Glimpse) -> Result<Vec<Block>, LedgerError> {
        let now = time(self.env.now());
        self.read("blocks_of_found", move |connection| blocks_of(connection, &client, &seen, &now)).await
    }
}

/// The blocks that a meeting is decided by. What the contact was seen to have is kept, so that a block that comes
/// after this finds it before any sweep does.
pub(super) fn against(
    tx: &Transaction<'_>,
    meeting: &Meeting,
    link: Option<(LinkId, &LinkView)>,
    client: &str,
    key: &RecordKey,
    at: Timestamp,
) -> rusqlite::Result<Vec<Block>> {
    let now = time(at);
    let mut blocks: Vec<Block> = match link {
        Some((id, _)) => shut_for(tx, id, &now)?.into_iter().collect(),
        None => blocks_in_force(tx, client, Some(key), &[], &now)?,
    };
    let Some(seen) = &meeting.seen else { return Ok(blocks) };
    glimpse::keep(tx, seen, at)?;
    let own: Option<ContactId> = link.filter(|(_, view)| !view.vanished).and_then(|(_, view)| view.contact);
    blocks.extend(match own {
        // A second contact under the key is locked as one; its numbers say nothing against the record's own.
        Some(own) if own != seen.contact => contact_blocks(tx, &[seen.contact], &now)?,
        Some(_) | None => blocks_of(tx, client, seen, &now)?,
    });
    Ok(blocks)
}

/// Whoever locked it by hand did so before it was the record's; its numbers count as the record's do.
fn blocks_of(
    connection: &Connection,
    client: &str,
    seen: &Glimpse,
    now: &str,
) -> rusqlite::Result<Vec<Block>> {
    let mut numbers = contact_numbers(connection, seen.contact)?;
    numbers.extend(seen.numbers.iter().cloned());
    let mut blocks = contact_blocks(connection, &[seen.contact], now)?;
    blocks.extend(blocks_in_force(connection, client, None, &numbers, now)?);
    Ok(blocks)
}
