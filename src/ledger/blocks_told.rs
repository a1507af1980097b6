//! Who must not be called, as the CRM is told of it: whatever somebody said elsewhere than in the CRM, and for good.
//!
//! The CRM's own word is not told back to it: with `unblock = "source"` it would never end. A block with an end, and a lock
//! of one contact by hand, are no objections.

use super::block_reach::{RECORDS_OF_KEY, hint, links_under};
use super::decisions::LinkOwner;
use super::gate::numbers_of_contact;
use super::inputs::{block_row, blocks_in_force};
use super::sql::get_named;
use super::write_back::want_objection;
use super::{Ledger, LedgerError, listed};
use crate::domain::{
    Block, BlockFacts, BlockSubject, BlocksTold, ContactId, Decision, LinkId, RecordId, RecordKey, RouteName,
    Timestamp, Verdict,
};
use rusqlite::{Connection, OptionalExtension as _, Transaction};

impl Ledger {
    /// Whether a route tells the CRM who must not be called. Where it begins to, it is told of everybody against whom
    /// something stands by then.
    ///
    /// # Errors
    /// The ledger cannot be written, or does not know the route.
    pub async fn blocks_told_set(&self, route: RouteName, told: BlocksTold) -> Result<(), LedgerError> {
        let now = self.env.now();
        self.write("blocks_told_set", move |tx| {
            let changed = tx
                .prepare_cached("UPDATE routes SET blocks_told = ?2 WHERE route = ?1 AND blocks_told <> ?2")?
                .execute((&route.0, told.as_str()))?;
            match told {
                BlocksTold::Told if changed > 0 => want_standing(tx, &route, now),
                BlocksTold::Told | BlocksTold::Kept => Ok(()),
            }
        })
        .await
    }
}

fn want_standing(tx: &Transaction<'_>, route: &RouteName, now: Timestamp) -> rusqlite::Result<()> {
    let client: String =
        tx.query_row("SELECT client FROM routes WHERE route = ?1", [&route.0], |row| row.get(0))?;
    let standing: Vec<Block> = tx
        .prepare_cached(
            "SELECT * FROM blocks WHERE client = ?1 AND lifted_at IS NULL AND until IS NULL ORDER BY id",
        )?
        .query_map([&client], block_row)?
        .collect::<Result<_, _>>()?;
    for block in standing.iter().filter(|block| is_told(block)) {
        for link in links_under(tx, &client, &block.subject, now)? {
            want(tx, link, block, now)?;
        }
    }
    Ok(())
}

/// A block has come to stand against a link.
pub(super) fn want(
    tx: &Transaction<'_>,
    link: LinkId,
    block: &Block,
    now: Timestamp,
) -> rusqlite::Result<()> {
    if !is_told(block) {
        return Ok(());
    }
    let told = tx
        .prepare_cached(
            "SELECT r.blocks_told FROM links l JOIN routes r ON r.route = l.route WHERE l.id = ?1",
        )?
        .query_row([link.0], |row| get_named(row, "blocks_told", BlocksTold::parse))
        .optional()?;
    match told {
        Some(BlocksTold::Told) if listed::is_listed(block) => listed::want(tx, link, now),
        Some(BlocksTold::Told) => {
            listed::forget(tx, link)?;
            want_objection(tx, link, now)
        }
        Some(BlocksTold::Kept) | None => Ok(()),
    }
}

/// A record was decided with something against it: it may be there since before the link, or since before this number.
pub(super) fn want_again(tx: &Transaction<'_>, link: LinkId, now: Timestamp) -> rusqlite::Result<()> {
    match standing(tx, link)? {
        None => Ok(()),
        Some((blocks, _)) if blocks.is_empty() => Ok(()),
        Some((blocks, _)) if blocks.iter().all(listed::is_listed) => listed::want_again(tx, link, now),
        Some(_) => want_objection(tx, link, now),
    }
}

/// Whether the CRM is to hear of somebody's no, which only a link can bear.
pub(super) fn is_wanted(
    tx: &Transaction<'_>,
    owner: &LinkOwner,
    decision: &Decision,
    numbers: Option<&[String]>,
) -> rusqlite::Result<bool> {
    match &decision.verdict {
        Verdict::Blocked(_) => names(tx, owner, numbers.unwrap_or_default()),
        Verdict::Unchanged
        | Verdict::Queued
        | Verdict::Adopted
        | Verdict::Skipped(_)
        | Verdict::Parked(_) => Ok(false),
    }
}

/// Whether somebody's no names a record that has no link: it never came to the dialler, and the CRM is told all the same.
fn names(tx: &Transaction<'_>, owner: &LinkOwner, numbers: &[String]) -> rusqlite::Result<bool> {
    let key = tx
        .prepare_cached("SELECT crm, object FROM routes WHERE route = ?1 AND blocks_told = 'told'")?
        .query_row([&owner.route.0], |row| {
            Ok(RecordKey { crm: row.get(0)?, object: row.get(1)?, id: owner.record.clone() })
        })
        .optional()?;
    let Some(key) = key else { return Ok(false) };
    Ok(blocks_in_force(tx, &owner.client, Some(&key), numbers, "")?.iter().any(is_told))
}

/// A record without a link was blocked by its id: it is decided anew, so that the CRM is told of it.
pub(super) fn want_unlinked(
    tx: &Transaction<'_>,
    client: &str,
    block: &Block,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let BlockSubject::Record(key) = &block.subject else { return Ok(()) };
    if !is_told(block) {
        return Ok(());
    }
    let records: Vec<(String, String)> = tx
        .prepare_cached(&format!("{RECORDS_OF_KEY} AND d.link_id IS NULL AND r.blocks_told = 'told'"))?
        .query_map((client, &key.id.0, &key.crm, &key.object), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    records.iter().try_for_each(|(route, record)| hint(tx, route, record, "blocked", now))
}

fn is_told(block: &Block) -> bool {
    let of_contact = matches!(block.subject, BlockSubject::Contact(_));
    block.until.is_none() && !of_contact && !block.source.starts_with("crm:")
}

/// What stands against a link's record, and was not said in the CRM.
pub(super) fn facts(connection: &Connection, link: LinkId) -> rusqlite::Result<Option<BlockFacts>> {
    Ok(standing(connection, link)?.and_then(|(blocks, numbers)| summed_up(blocks, numbers)))
}

/// The blocks of which the CRM is told, with all numbers that are known of the link; `None`: its route tells of none.
fn standing(connection: &Connection, link: LinkId) -> rusqlite::Result<Option<(Vec<Block>, Vec<String>)>> {
    let found: Option<(String, RecordKey, Option<i64>)> = connection
        .prepare_cached(
            "SELECT l.client, r.crm, r.object, l.record_id, l.contact_id
             FROM links l JOIN routes r ON r.route = l.route WHERE l.id = ?1 AND r.blocks_told = 'told'",
        )?
        .query_row([link.0], |row| {
            let key = RecordKey { crm: row.get(1)?, object: row.get(2)?, id: RecordId(row.get(3)?) };
            Ok((row.get(0)?, key, row.get(4)?))
        })
        .optional()?;
    let Some((client, key, contact)) = found else { return Ok(None) };
    let mut numbers: Vec<String> = connection
        .prepare_cached("SELECT number FROM link_numbers WHERE link_id = ?1")?
        .query_map([link.0], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    numbers.extend(numbers_of_contact(connection, link, contact.map(ContactId))?);
    numbers.sort();
    numbers.dedup();
    // Those with an end are left out, so it makes no difference when this is asked.
    let mut standing = blocks_in_force(connection, &client, Some(&key), &numbers, "")?;
    standing.retain(is_told);
    Ok(Some((standing, numbers)))
}

fn summed_up(standing: Vec<Block>, mut numbers: Vec<String>) -> Option<BlockFacts> {
    let whole = standing.iter().any(|block| matches!(block.subject, BlockSubject::Record(_)));
    let named = |number: &String| {
        standing
            .iter()
            .any(|block| matches!(&block.subject, BlockSubject::Number(blocked) if blocked == number))
    };
    numbers.retain(|number| whole || named(number));
    let oldest = standing.into_iter().min_by_key(|block| block.since)?;
    Some(BlockFacts {
        since: oldest.since,
        reason: oldest.reason.to_string(),
        source: oldest.source,
        who: oldest.who,
        numbers,
    })
}
