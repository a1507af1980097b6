//! The numbers that a link's contact has by what we sent and what was answered. A sweep would show them too, but
//! minutes later, and a block must find them at once.

use super::sql::get_json;
use crate::domain::{Base, LinkId, OperationId, OperationKind, Values, e164_as_sent};
use rusqlite::{OptionalExtension as _, Transaction};
use serde_json::Value;
use std::collections::BTreeSet;

/// A body that is about to leave: from its first byte on the contact may have these numbers.
pub(super) fn leaving(tx: &Transaction<'_>, link: LinkId, body: &Values) -> rusqlite::Result<()> {
    for number in of_values(body) {
        tx.prepare_cached("INSERT OR IGNORE INTO sent_numbers (number, link_id) VALUES (?1, ?2)")?
            .execute((number, link.0))?;
    }
    Ok(())
}

/// What counts now: what both sides agree on, and what is under way or in doubt, so that until a change of a number
/// is settled both the old and the new one do.
pub(super) fn refresh(tx: &Transaction<'_>, link: LinkId) -> rusqlite::Result<()> {
    let base: Option<Base> = tx
        .prepare_cached("SELECT base FROM links WHERE id = ?1")?
        .query_row([link.0], |row| get_json(row, "base"))
        .optional()?;
    let Some(base) = base else { return Ok(()) };
    let mut have: BTreeSet<String> = base
        .iter()
        .filter(|(field, _)| field.is_phone())
        .filter_map(|(_, pair)| pair.dialler.as_str().and_then(e164_as_sent))
        .collect();
    let mut open = tx.prepare_cached(
        "SELECT body FROM operations WHERE link_id = ?1 AND state IN ('sending', 'uncertain') AND body IS NOT NULL",
    )?;
    for body in open.query_map([link.0], |row| row.get::<_, String>(0))? {
        have.extend(of_values(&serde_json::from_str(&body?).unwrap_or_default()));
    }
    let had: BTreeSet<String> = tx
        .prepare_cached("SELECT number FROM sent_numbers WHERE link_id = ?1")?
        .query_map([link.0], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for gone in had.difference(&have) {
        tx.prepare_cached("DELETE FROM sent_numbers WHERE link_id = ?1 AND number = ?2")?
            .execute((link.0, gone))?;
    }
    for new in have.difference(&had) {
        tx.prepare_cached("INSERT INTO sent_numbers (number, link_id) VALUES (?1, ?2)")?
            .execute((new, link.0))?;
    }
    Ok(())
}

/// The same for the link of an operation.
pub(super) fn refresh_of(tx: &Transaction<'_>, id: OperationId) -> rusqlite::Result<()> {
    let link = tx
        .prepare_cached("SELECT link_id FROM operations WHERE id = ?1 AND kind IN ('import', 'update')")?
        .query_row([id.0], |row| row.get(0).map(LinkId))
        .optional()?;
    link.map_or(Ok(()), |link| refresh(tx, link))
}

/// The same once an operation of this kind has ended.
pub(super) fn refresh_after(tx: &Transaction<'_>, link: LinkId, kind: OperationKind) -> rusqlite::Result<()> {
    match kind {
        OperationKind::Import | OperationKind::Update => refresh(tx, link),
        OperationKind::Lock | OperationKind::Unlock | OperationKind::Reset | OperationKind::Delete => Ok(()),
    }
}

fn of_values(body: &Values) -> impl Iterator<Item = String> {
    body.iter().filter(|(field, _)| field.is_phone()).filter_map(|(_, value)| match value {
        Value::String(text) => e164_as_sent(text),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    })
}
