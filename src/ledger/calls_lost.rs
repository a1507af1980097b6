//! Calls that are lost: somebody deleted the contact in the dialler while a change of it was shown and its history not read. One of them
//! may have ended for good, so the record is not imported again by itself (users 4).

use super::sql::time;
use super::words::Said;
use super::{Ledger, LedgerError, hints};
use crate::domain::{ContactId, LinkId, RouteName, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Transaction};

/// The contact is gone: whether there was something of its calls that was not read. Asked before its rows leave the due list.
pub(super) fn note(tx: &Transaction<'_>, id: ContactId, now: Timestamp) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO calls_lost (link_id, contact_id, at)
         SELECT l.id, ?1, ?2 FROM links l WHERE l.contact_id = ?1 AND l.route IS NOT NULL
           AND EXISTS (SELECT 1 FROM harvest_due WHERE contact_id = ?1 AND reason IN ('changed', 'sum', 'waiting'))
         ON CONFLICT DO NOTHING",
    )?
    .execute((id.0, time(now)))?;
    Ok(())
}

/// It is there after all, and its history with it.
pub(super) fn found(tx: &Transaction<'_>, id: ContactId) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM calls_lost WHERE contact_id = ?1")?.execute([id.0])?;
    Ok(())
}

/// The contact of a link of which calls are lost, and of which no person said that this keeps nobody.
pub(super) fn of_link(connection: &Connection, link: LinkId) -> rusqlite::Result<Option<ContactId>> {
    connection
        .prepare_cached(
            "SELECT contact_id FROM calls_lost WHERE link_id = ?1 AND released_at IS NULL LIMIT 1",
        )?
        .query_row([link.0], |row| row.get(0).map(ContactId))
        .optional()
}

impl Ledger {
    /// A person says that the lost calls of this contact keep nobody from being called again. The route whose record is decided anew
    /// by that; `None`: no calls of it are lost.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn calls_lost_reopen(
        &self,
        contact: ContactId,
        said: Said,
    ) -> Result<Option<RouteName>, LedgerError> {
        let now = self.env.now();
        self.write("calls_lost_reopen", move |tx| {
            let link: Option<i64> = tx
                .prepare_cached(
                    "UPDATE calls_lost SET released_at = ?2, who = ?3, text = ?4 WHERE contact_id = ?1 AND released_at IS NULL
                     RETURNING link_id",
                )?
                .query_row((contact.0, time(now), &said.who, &said.text), |row| row.get(0))
                .optional()?;
            let Some(link) = link.map(LinkId) else { return Ok(None) };
            hints::link_in(tx, now, link, "reopened")?;
            tx.prepare_cached("SELECT route FROM links WHERE id = ?1")?
                .query_row([link.0], |row| row.get(0).map(RouteName))
                .map(Some)
        })
        .await
    }
}
