//! Blocks that a route's `block_if` writes, and how they end where the route lets their source end them.

use super::block_store::{add_in, lift_in};
use super::echoes::{self, Word};
use super::inputs::block_row;
use super::sql::time;
use super::{blocks_told, hints};
use crate::domain::policy::Unblock;
use crate::domain::{Block, BlockSpan, BlockSubject, Reason, RecordKey, RouteName, RunId, Timestamp};
use chrono::TimeDelta;
use rusqlite::{Connection, Transaction, params};

/// What a CRM's own words against calling somebody are known by.
pub(super) const OF_CRM: &str = "crm:";

/// What is known by it that somebody said in a call.
const OF_RESULT: &str = "result:";

/// The source name of a route's own blocks.
fn source(route: &RouteName) -> String {
    format!("{OF_CRM}{route}")
}

fn subjects(key: &RecordKey, numbers: &[String]) -> Vec<BlockSubject> {
    let mut subjects = vec![BlockSubject::Record(key.clone())];
    subjects.extend(numbers.iter().cloned().map(BlockSubject::Number));
    subjects
}

/// What the CRM says of one record, and when it was asked.
pub(super) struct Says<'a> {
    pub client: &'a str,
    pub route: &'a RouteName,
    pub key: &'a RecordKey,
    pub numbers: &'a [String],
    /// Those it had until the edit that is read: whoever complains has the number taken out by the clerk who ticks the no (users 3), and
    /// it is that number that must not be called under any record.
    pub left: &'a [String],
    /// Changes whenever anything does that `block_if` reads.
    pub rests_on: Option<&'a [u8]>,
    pub asked: Timestamp,
}

/// `block_if` is true: the record and each of its numbers are blocked, over all routes of the client. What it says of itself is
/// told to the other records with these numbers.
pub(super) fn set(tx: &Transaction<'_>, now: Timestamp, run: RunId, says: &Says<'_>) -> rusqlite::Result<()> {
    let &Says { client, route, key, .. } = says;
    let word = echoes::word(tx, says)?;
    let numbers = match word {
        // A number that was given up later, while it said no already, has its block.
        Word::Own | Word::Told if stands(tx, says)? => says.numbers.to_vec(),
        Word::Own | Word::Told => [says.numbers, says.left].concat(),
        Word::TakenBack => Vec::new(),
    };
    let numbers = numbers.as_slice();
    for subject in subjects(key, numbers) {
        let of_record = matches!(subject, BlockSubject::Record(_));
        let block = Block {
            subject,
            reason: Reason::new(word.code()).with("route", route).with("record", &key.id),
            source: source(route),
            since: now,
            said_last: now,
            until: None,
            who: None,
        };
        let added = add_in(tx, client, &block, now, Some(run))?;
        let moved = (of_record || word == Word::Own) && recode(tx, added.id, word)?;
        if let BlockSubject::Number(number) = &block.subject {
            // One that came to a record which says no already, too.
            if word == Word::Own && added.new {
                blocks_told::want_of_others(tx, client, number, now)?;
            }
            continue;
        }
        note_numbers(tx, added.id, numbers, word)?;
        if word == Word::Own && (added.new || moved) {
            numbers.iter().try_for_each(|number| blocks_told::want_of_others(tx, client, number, now))?;
        }
    }
    // Said again: a withdrawal seen once before counts no more.
    mark(tx, client, route, key, 0)
}

/// Whether the record says no already; what is left of a no that a person took back is none.
fn stands(tx: &Transaction<'_>, says: &Says<'_>) -> rusqlite::Result<bool> {
    let &Says { client, route, key, .. } = says;
    tx.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM blocks WHERE kind = 'record' AND record_id = ?1 AND crm = ?2 AND object = ?3 AND client = ?4
                        AND source = ?5 AND lifted_at IS NULL AND code <> ?6)",
    )?
    .query_row(
        (&key.id.0, &key.crm, &key.object, client, source(route), Word::TakenBack.code().as_str()),
        |row| row.get(0),
    )
}

/// The row has come to be another's word; whether it was.
fn recode(tx: &Transaction<'_>, block: i64, word: Word) -> rusqlite::Result<bool> {
    let moved = tx
        .prepare_cached("UPDATE blocks SET code = ?2 WHERE id = ?1 AND code <> ?2")?
        .execute((block, word.code().as_str()))?;
    Ok(moved > 0)
}

/// The numbers that the record said no with, one after the other; it may never have had a link that bears them. Taken back they are
/// nobody's no any more.
fn note_numbers(tx: &Transaction<'_>, block: i64, numbers: &[String], word: Word) -> rusqlite::Result<()> {
    match word {
        Word::Own | Word::Told => {}
        Word::TakenBack => {
            tx.prepare_cached("DELETE FROM said_numbers WHERE block_id = ?1")?.execute([block])?;
        }
    }
    let mut insert =
        tx.prepare_cached("INSERT OR IGNORE INTO said_numbers (block_id, number) VALUES (?1, ?2)")?;
    for number in numbers {
        insert.execute((block, number))?;
    }
    Ok(())
}

/// How long after the first look the second one is, at least: a read within the same moment, of the same copy of a companion or the
/// same lagging replica, would be the same look.
const SEEN_AGAIN: TimeDelta = TimeDelta::minutes(1);

/// `block_if` is false in a complete answer. Seen by one run, the record is read again by id, not in the same one; seen by two, what this
/// source wrote for it is lifted where the route says so, and nothing else. What is left of a no that a person took back ends with it on every route.
pub(super) fn withdraw(
    tx: &Transaction<'_>,
    now: Timestamp,
    run: RunId,
    says: &Says<'_>,
    unblock: Unblock,
) -> rusqlite::Result<()> {
    let &Says { client, route, key, asked, .. } = says;
    echoes::unsaid(tx, client, key, asked)?;
    let seen: Option<i64> = tx
        .prepare_cached(
            "SELECT max(withdrawn_seen) FROM blocks WHERE kind = 'record' AND record_id = ?1 AND crm = ?2 AND object = ?3
                AND client = ?4 AND source = ?5 AND lifted_at IS NULL AND (?6 OR code = ?7)",
        )?
        .query_row(
            params![
                key.id.0,
                key.crm,
                key.object,
                client,
                source(route),
                unblock == Unblock::Source,
                Word::TakenBack.code().as_str()
            ],
            |row| row.get(0),
        )?;
    match seen {
        None => Ok(()),
        Some(0) => {
            mark(tx, client, route, key, run.0)?;
            hints::add_later(tx, now, now + SEEN_AGAIN, route, &key.id, "withdrawal")
        }
        // It asked twice, and nobody said anything in between. A long run takes the hint of its own first look.
        Some(first) if first == run.0 || began_after(tx, RunId(first), now - SEEN_AGAIN)? => {
            hints::add_later(tx, now, now + SEEN_AGAIN, route, &key.id, "withdrawal")
        }
        Some(_) => {
            // Those too that the no was said with, should the same edit have changed them.
            let numbers = match unblock {
                Unblock::Source => {
                    [said_with(tx, client, &source(route), key)?, says.numbers.to_vec()].concat()
                }
                Unblock::Person => Vec::new(),
            };
            for subject in subjects(key, &numbers) {
                if said_by_another(tx, client, route, key, &subject)? {
                    continue;
                }
                let why = "its source withdrew it, seen twice";
                lift_in(tx, client, &subject, Some(&source(route)), &source(route), why, now)?;
            }
            super::block_store::epoch_raise(tx).map(|_| ())
        }
    }
}

/// The numbers with which a record said the no that stands.
fn said_with(
    tx: &Transaction<'_>,
    client: &str,
    source: &str,
    key: &RecordKey,
) -> rusqlite::Result<Vec<String>> {
    tx.prepare_cached(
        "SELECT s.number FROM blocks b JOIN said_numbers s ON s.block_id = b.id
         WHERE b.kind = 'record' AND b.record_id = ?1 AND b.crm = ?2 AND b.object = ?3 AND b.client = ?4 AND b.source = ?5
           AND b.lifted_at IS NULL",
    )?
    .query_map((&key.id.0, &key.crm, &key.object, client, source), |row| row.get(0))?
    .collect()
}

/// Whether a run is younger than that; one that is forgotten is not.
fn began_after(tx: &Transaction<'_>, run: RunId, at: Timestamp) -> rusqlite::Result<bool> {
    tx.prepare_cached("SELECT EXISTS (SELECT 1 FROM runs WHERE id = ?1 AND started_at > ?2)")?
        .query_row((run.0, time(at)), |row| row.get(0))
}

/// Whether another record, which this source still blocks, bears the number: then it said no for it too. Where all that do so were
/// told of it, it is nobody's own word any more.
fn said_by_another(
    tx: &Transaction<'_>,
    client: &str,
    route: &RouteName,
    key: &RecordKey,
    subject: &BlockSubject,
) -> rusqlite::Result<bool> {
    let BlockSubject::Number(number) = subject else { return Ok(false) };
    let own = BlockSubject::Record(key.clone());
    let mut standing = saying_no_with(tx, client, &source(route), number)?;
    standing.retain(|block| block.subject != own);
    if !standing.is_empty() && !standing.iter().any(echoes::is_own) {
        tx.prepare_cached(
            "UPDATE blocks SET code = ?4 WHERE client = ?1 AND source = ?2 AND number = ?3 AND kind = 'number' AND lifted_at IS NULL",
        )?
        .execute((client, source(route), number, Word::Told.code().as_str()))?;
    }
    Ok(!standing.is_empty())
}

/// Whether a record that bears the number says no by the same source, and not in this span: what block_if wrote for the one
/// is no less said by the other.
pub(super) fn said_beyond(
    connection: &Connection,
    client: &str,
    span: &BlockSpan,
    number: &str,
) -> rusqlite::Result<bool> {
    if !span.source.starts_with(OF_CRM) {
        return Ok(false);
    }
    let standing = saying_no_with(connection, client, &span.source, number)?;
    Ok(standing.iter().any(|block| !span.covers(block)))
}

/// The records whose own no is one for their numbers as well, said by this source, and which bear the number or said no with it.
pub(super) fn records_saying_no_with(
    connection: &Connection,
    client: &str,
    source: &str,
    number: &str,
) -> rusqlite::Result<Vec<RecordKey>> {
    // An operator's no to a record is none to its numbers.
    if !source.starts_with(OF_CRM) && !source.starts_with(OF_RESULT) {
        return Ok(Vec::new());
    }
    let standing = saying_no_with(connection, client, source, number)?;
    Ok(standing
        .into_iter()
        .filter(echoes::is_own)
        .filter_map(|block| match block.subject {
            BlockSubject::Record(key) => Some(key),
            BlockSubject::Number(_) | BlockSubject::Contact(_) => None,
        })
        .collect())
}

/// The standing blocks that this source wrote for records which bear the number, or said no with it, and hold their numbers.
pub(super) fn saying_no_with(
    connection: &Connection,
    client: &str,
    source: &str,
    number: &str,
) -> rusqlite::Result<Vec<Block>> {
    connection
        .prepare_cached(
            "SELECT * FROM blocks b
             WHERE b.id IN (SELECT block_id FROM said_numbers WHERE number = ?1
                            UNION
                            SELECT o.id FROM link_numbers n JOIN links l ON l.id = n.link_id
                            JOIN routes r ON r.route = l.route
                            JOIN blocks o ON o.record_id = l.record_id AND o.crm = r.crm AND o.object = r.object
                            WHERE n.number = ?1 AND l.client = ?2)
               AND b.client = ?2 AND b.kind = 'record' AND b.source = ?3 AND b.lifted_at IS NULL
               AND b.code <> 'no_still_there'",
        )?
        .query_map(params![number, client, source], block_row)?
        .collect()
}

fn mark(
    tx: &Transaction<'_>,
    client: &str,
    route: &RouteName,
    key: &RecordKey,
    seen: i64,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "UPDATE blocks SET withdrawn_seen = ?6 WHERE kind = 'record' AND record_id = ?1 AND crm = ?2 AND object = ?3
            AND client = ?4 AND source = ?5 AND lifted_at IS NULL AND withdrawn_seen <> ?6",
    )?
    .execute(params![key.id.0, key.crm, key.object, client, source(route), seen])?;
    Ok(())
}
