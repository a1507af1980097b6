//! Blocks inside a transaction: stored or kept, lifted, the epoch raised, contacts locked.

use super::block_reach::{decide_anew, links_under, mark_records};
use super::blocks::BlockAdded;
use super::decisions::Cause;
use super::sql::{self, time};
use super::{blocks_told, lane, leaving, listed};
use crate::domain::{Block, BlockSubject, Reason, ReasonCode, RunId, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Transaction, named_params};

/// Adds a block inside another transaction (a pull's page); the caller publishes the greatest epoch it got
/// after its commit ([`publish_epoch`](crate::ledger::Ledger::publish_epoch)).
pub(super) fn add_in(
    tx: &Transaction<'_>,
    client: &str,
    block: &Block,
    now: Timestamp,
    run: Option<RunId>,
) -> rusqlite::Result<BlockAdded> {
    let (id, new) = keep_or_insert(tx, client, block)?;
    let epoch = if new { epoch_raise(tx)? } else { epoch_read(tx)? };
    let reason = reason_of(block);
    let cause = Cause { at: now, decided_at: now, text: format!("block:{id}"), run };
    let mut links_locked = 0;
    for link in links_under(tx, client, &block.subject, now)? {
        links_locked += usize::from(lane::lock(tx, link, &reason, &cause)?.is_some());
        if new {
            leaving::blocked(tx, link, now)?;
            blocks_told::want(tx, link, block, now)?;
        }
    }
    mark_records(tx, client, &block.subject, &reason, &time(now))?;
    if new {
        blocks_told::want_unlinked(tx, client, block, now)?;
    }
    Ok(BlockAdded { id, epoch, new, links_locked })
}

/// Lifts blocks inside another transaction; `source` narrows it to one source. Raises no epoch: a lifted
/// block makes no permit wrong, but the caller may.
pub(super) fn lift_in(
    tx: &Transaction<'_>,
    client: &str,
    subject: &BlockSubject,
    source: Option<&str>,
    who: &str,
    why: &str,
    now: Timestamp,
) -> rusqlite::Result<usize> {
    let key = SubjectKey::of(subject);
    let lifted = tx
        .prepare_cached(
            "UPDATE blocks SET lifted_at = :now, lifted_by = :who, lifted_why = :why
             WHERE (client = :client OR :contact IS NOT NULL) AND lifted_at IS NULL AND number IS :number
               AND contact_id IS :contact AND crm IS :crm AND object IS :object AND record_id IS :record
               AND (:source IS NULL OR source = :source)",
        )?
        .execute(named_params! {
            ":now": time(now), ":who": who, ":why": why, ":client": client, ":number": key.number, ":crm": key.crm,
            ":object": key.object, ":record": key.record, ":contact": key.contact, ":source": source,
        })?;
    if lifted > 0 {
        decide_anew(tx, client, subject, now)?;
        listed::taken_back(tx, client, subject)?;
    }
    Ok(lifted)
}

/// The stored epoch.
pub(super) fn epoch_read(connection: &Connection) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'blocks_epoch'")?
        .query_row([], |row| row.get(0))
}

pub(super) fn epoch_raise(tx: &Transaction<'_>) -> rusqlite::Result<i64> {
    tx.prepare_cached(
        "UPDATE meta SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT) WHERE key = 'blocks_epoch'
         RETURNING CAST(value AS INTEGER)",
    )?
    .query_row([], |row| row.get(0))
}

/// How a block reads as the reason of a lock.
pub(super) fn reason_of(block: &Block) -> Reason {
    Reason::new(ReasonCode::Blocked).with("subject", block.subject.spoken()).with("why", &block.reason)
}

struct SubjectKey<'a> {
    kind: &'static str,
    number: Option<&'a str>,
    crm: Option<&'a str>,
    object: Option<&'a str>,
    record: Option<&'a str>,
    contact: Option<i64>,
}

impl<'a> SubjectKey<'a> {
    fn of(subject: &'a BlockSubject) -> Self {
        let none = Self { kind: "", number: None, crm: None, object: None, record: None, contact: None };
        match subject {
            BlockSubject::Number(number) => Self { kind: "number", number: Some(number), ..none },
            BlockSubject::Contact(contact) => Self { kind: "contact", contact: Some(contact.0), ..none },
            BlockSubject::Record(key) => Self {
                kind: "record",
                crm: Some(&key.crm),
                object: Some(&key.object),
                record: Some(key.id.as_str()),
                ..none
            },
        }
    }
}

/// The same source blocking the same again keeps the row, notes when it said so, and may move its end, outwards only.
fn keep_or_insert(tx: &Transaction<'_>, client: &str, block: &Block) -> rusqlite::Result<(i64, bool)> {
    let key = SubjectKey::of(&block.subject);
    let until = block.until.map(time);
    let present: Option<(i64, Option<String>)> = tx
        .prepare_cached(
            "SELECT id, until FROM blocks WHERE client = :client AND source = :source AND lifted_at IS NULL
                AND number IS :number AND contact_id IS :contact AND crm IS :crm AND object IS :object
                AND record_id IS :record",
        )?
        .query_row(
            named_params! {
                ":client": client, ":source": block.source, ":number": key.number, ":crm": key.crm,
                ":object": key.object, ":record": key.record, ":contact": key.contact,
            },
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    if let Some((id, old)) = present {
        tx.prepare_cached(
            "UPDATE blocks SET said_last = ?2 WHERE id = ?1 AND coalesce(said_last, since) < ?2",
        )?
        .execute((id, time(block.said_last)))?;
        let further = match (&old, &until) {
            (Some(old), Some(new)) => new > old,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if further {
            tx.execute("UPDATE blocks SET until = ?2 WHERE id = ?1", (id, until))?;
        }
        return Ok((id, further));
    }
    tx.prepare_cached(
        "INSERT INTO blocks (client, kind, crm, object, record_id, number, contact_id, code, params, source, since,
                             until, who)
         VALUES (:client, :kind, :crm, :object, :record, :number, :contact, :code, :params, :source, :since, :until,
                 :who)",
    )?
    .execute(named_params! {
        ":client": client, ":kind": key.kind, ":crm": key.crm, ":object": key.object, ":record": key.record,
        ":number": key.number, ":contact": key.contact, ":code": sql::code(&block.reason), ":params": block.reason.params_json(),
        ":source": block.source, ":since": time(block.since), ":until": until, ":who": block.who,
    })?;
    Ok((tx.last_insert_rowid(), true))
}
