//! Who must not be called, as the CRM is told of it: whatever somebody said elsewhere than in the record, and for good.
//!
//! What one record says is told to all others with its number, in whichever CRM. Its own word is not told back to it: with
//! `unblock = "source"` it would never end. Nor is what it says because we told it (`echoes.rs`) told to anybody. A block with an
//! end, and a lock of one contact by hand, are no objections.

use super::block_reach::{RECORDS_OF_KEY, hint, links_of, links_under};
use super::decisions::LinkOwner;
use super::gate::numbers_of_contact;
use super::inputs::{block_row, blocks_in_force};
use super::source_blocks::OF_CRM;
use super::sql::get_named;
use super::write_back::want_objection;
use super::{Ledger, LedgerError, echoes, listed};
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
        if let (Said::InTheCrm, BlockSubject::Number(number)) = (where_said(block), &block.subject) {
            want_of_others(tx, &client, number, now)?;
            continue;
        }
        for link in links_under(tx, &client, &block.subject, now)? {
            want(tx, link, block, now)?;
        }
    }
    Ok(())
}

/// A record has come to say no of itself: the others with its number are read once more before they are told of it, because they
/// may say so themselves by then (one person is put on the CRM's blacklist, and two records show it).
pub(super) fn want_of_others(
    tx: &Transaction<'_>,
    client: &str,
    number: &str,
    now: Timestamp,
) -> rusqlite::Result<()> {
    for link in links_of(tx, client, &BlockSubject::Number(number.to_owned()))? {
        let Some(Against { key, route, blocks, told: BlocksTold::Told, .. }) = against(tx, link)? else {
            continue;
        };
        if !blocks.iter().any(is_its_own) {
            hint(tx, &route, &key.id.0, "another record says no", now)?;
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
    match where_said(block) {
        Said::Elsewhere if is_told(block) => {}
        Said::Elsewhere | Said::InTheCrm => return Ok(()),
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
    Ok(!told_of(blocks_in_force(tx, &owner.client, Some(&key), numbers, "")?).is_empty())
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

/// Where somebody said no.
enum Said {
    /// In a record of a CRM.
    InTheCrm,
    /// To an agent, an operator, or by a list.
    Elsewhere,
}

fn where_said(block: &Block) -> Said {
    if block.source.starts_with(OF_CRM) { Said::InTheCrm } else { Said::Elsewhere }
}

/// Whether it is one for a record that does not say so itself.
fn is_told(block: &Block) -> bool {
    let told = match (where_said(block), &block.subject) {
        (Said::Elsewhere, BlockSubject::Record(_) | BlockSubject::Number(_)) => true,
        (Said::InTheCrm, BlockSubject::Number(_)) => echoes::is_own(block),
        // A record is not told its own word; a lock by hand is of that contact.
        (Said::InTheCrm, BlockSubject::Record(_)) | (_, BlockSubject::Contact(_)) => false,
    };
    block.until.is_none() && told
}

/// Whether the record that it stands against says so of itself.
fn is_its_own(block: &Block) -> bool {
    match (where_said(block), &block.subject) {
        (Said::InTheCrm, BlockSubject::Record(_)) => echoes::is_own(block),
        (Said::InTheCrm | Said::Elsewhere, _) => false,
    }
}

/// What of all that stands against a record it is told: whoever says no in the CRM is not told that others there do, too.
fn told_of(mut standing: Vec<Block>) -> Vec<Block> {
    let itself = standing.iter().any(is_its_own);
    standing.retain(|block| match where_said(block) {
        Said::Elsewhere => is_told(block),
        Said::InTheCrm => is_told(block) && !itself,
    });
    standing
}

/// What stands against a link's record, and was not said in it.
pub(super) fn facts(connection: &Connection, link: LinkId) -> rusqlite::Result<Option<BlockFacts>> {
    Ok(standing(connection, link)?.and_then(|(blocks, numbers)| summed_up(blocks, numbers)))
}

/// The blocks of which the CRM is told, with all numbers that are known of the link; `None`: its route tells of none.
fn standing(connection: &Connection, link: LinkId) -> rusqlite::Result<Option<(Vec<Block>, Vec<String>)>> {
    Ok(match against(connection, link)? {
        Some(Against { blocks, numbers, told: BlocksTold::Told, .. }) => Some((told_of(blocks), numbers)),
        Some(Against { told: BlocksTold::Kept, .. }) | None => None,
    })
}

/// What stands against a link's record.
pub(super) struct Against {
    pub key: RecordKey,
    pub route: String,
    pub told: BlocksTold,
    pub blocks: Vec<Block>,
    /// All that are known of the link.
    pub numbers: Vec<String>,
}

/// What stands against a link's record; `None`: it has none.
pub(super) fn against(connection: &Connection, link: LinkId) -> rusqlite::Result<Option<Against>> {
    let found: Option<(String, String, RecordKey, Option<i64>, BlocksTold)> = connection
        .prepare_cached(
            "SELECT l.client, l.route, r.crm, r.object, l.record_id, l.contact_id, r.blocks_told
             FROM links l JOIN routes r ON r.route = l.route WHERE l.id = ?1",
        )?
        .query_row([link.0], |row| {
            let key = RecordKey { crm: row.get(2)?, object: row.get(3)?, id: RecordId(row.get(4)?) };
            Ok((
                row.get(0)?,
                row.get(1)?,
                key,
                row.get(5)?,
                get_named(row, "blocks_told", BlocksTold::parse)?,
            ))
        })
        .optional()?;
    let Some((client, route, key, contact, told)) = found else { return Ok(None) };
    let mut numbers: Vec<String> = connection
        .prepare_cached("SELECT number FROM link_numbers WHERE link_id = ?1")?
        .query_map([link.0], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    numbers.extend(numbers_of_contact(connection, link, contact.map(ContactId))?);
    numbers.sort();
    numbers.dedup();
    // Those with an end are told to nobody, so it makes no difference when this is asked.
    let blocks = blocks_in_force(connection, &client, Some(&key), &numbers, "")?;
    Ok(Some(Against { key, route, told, blocks, numbers }))
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
