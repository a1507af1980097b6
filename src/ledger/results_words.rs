//! What a person says of write-backs: let them go, leave them.

use super::sql::time;
use super::words::Said;
use super::{Ledger, LedgerError, edits_end, held_waves};
use crate::domain::{LinkId, Reason, ReasonCode, RouteName, WriteBackId};
use rusqlite::{OptionalExtension as _, Transaction};

impl Ledger {
    /// What waits now may be told, however much it is. Answers how many rows that are.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn results_approve(&self, route: RouteName, said: Said) -> Result<i64, LedgerError> {
        let now = time(self.env.now());
        self.write("results_approve", move |tx| {
            held_waves::told_approved(tx, &now, &route, &said)?;
            approve(tx, &now, &route, &said)
        })
        .await
    }

    /// One parked or held row is not told, until there is something newer to tell; one in doubt, not at all: it may be
    /// there. `false`: there is no such row.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn results_discard(&self, row: WriteBackId, said: Said) -> Result<bool, LedgerError> {
        let now = time(self.env.now());
        self.write("results_discard", move |tx| {
            let found: Option<(String, i64, bool)> = tx
                .prepare_cached(
                    "SELECT l.route, w.link_id, w.kind = 'fields' FROM write_backs w JOIN links l ON l.id = w.link_id
                     WHERE w.id = ?1 AND w.state IN ('parked', 'held')",
                )?
                .query_row([row.0], |found| Ok((found.get(0)?, found.get(1)?, found.get(2)?)))
                .optional()?;
            let Some((route, link, of_fields)) = found else { return Ok(false) };
            let route = RouteName(route);
            let reason = Reason::from(ReasonCode::Discarded);
            tx.prepare_cached(
                "UPDATE write_backs SET state = 'never', code = CASE WHEN code = 'in_doubt' THEN code ELSE ?2 END,
                        params = CASE WHEN code = 'in_doubt' THEN params ELSE ?3 END, changed_at = ?4 WHERE id = ?1",
            )?
            .execute((row.0, reason.code.as_str(), reason.params_json(), &now))?;
            if of_fields {
                edits_end::put_aside(tx, LinkId(link), &now)?;
            }
            keep(tx, &now, "discard", &route, Some(row), &said)?;
            Ok(true)
        })
        .await
    }
}

/// What waits to be told by then may go.
pub(super) fn approve(
    tx: &Transaction<'_>,
    now: &str,
    route: &RouteName,
    said: &Said,
) -> rusqlite::Result<i64> {
    let waiting: i64 = tx
        .prepare_cached(
            "SELECT count(*) FROM write_backs w JOIN links l ON l.id = w.link_id JOIN routes r ON r.route = l.route
             WHERE l.route = ?1 AND w.state = 'waiting' AND w.waits_since > r.write_back_approved",
        )?
        .query_row([&route.0], |row| row.get(0))?;
    tx.prepare_cached("UPDATE routes SET write_back_approved = ?2 WHERE route = ?1")?
        .execute((&route.0, now))?;
    keep(tx, now, "approve", route, None, said)?;
    Ok(waiting)
}

pub(super) fn keep(
    tx: &Transaction<'_>,
    now: &str,
    verb: &str,
    route: &RouteName,
    row: Option<WriteBackId>,
    said: &Said,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO write_back_words (at, verb, route, write_back_id, who, text) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute((now, verb, &route.0, row.map(|row| row.0), &said.who, &said.text))?;
    Ok(())
}
