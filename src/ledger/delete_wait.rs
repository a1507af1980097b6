//! How long a delete waits: until its contact's calls have come to rest and the ledger has them (semantics 20).

use super::sql::{get_time_opt, parse_time, time};
use super::{Ledger, LedgerError, due};
use crate::domain::{ContactId, OperationId, Timestamp};
use chrono::TimeDelta;
use rusqlite::{OptionalExtension as _, Transaction};

/// Whether a delete may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeleteWait {
    /// Nothing is lost with the contact.
    Over,
    /// Looked at again then.
    Until(Timestamp),
}

/// A campaign that nobody harvests shows nothing new later: then its histories are read by the delete alone.
const NEXT_LOOK: TimeDelta = TimeDelta::minutes(5);

impl Ledger {
    /// Notes how the contact's history looks before it is deleted. It may go once it has looked alike for `settle`,
    /// and a harvest of its campaign, if we read that one, has stored what is seen. `at_rest`: no call is under way.
    ///
    /// # Errors
    /// The ledger cannot be written; nothing is deleted then.
    pub async fn delete_wait(
        &self,
        id: OperationId,
        contact: ContactId,
        picture: String,
        at_rest: bool,
        settle: TimeDelta,
    ) -> Result<DeleteWait, LedgerError> {
        let now = self.env.now();
        self.write("delete_wait", move |tx| {
            let known: Option<String> = tx
                .prepare_cached("SELECT before ->> '$.since' FROM operations WHERE id = ?1 AND before ->> '$.picture' = ?2")?
                .query_row((id.0, &picture), |row| row.get(0))
                .optional()?
                .flatten();
            let Some(since) = known.as_deref().and_then(parse_time).filter(|_| at_rest) else {
                tx.prepare_cached(
                    "UPDATE operations SET before = json_object('picture', ?2, 'since', ?3) WHERE id = ?1",
                )?
                .execute((id.0, &picture, time(now)))?;
                due::enter(tx, contact, "ours", now)?;
                return Ok(DeleteWait::Until(now + settle));
            };
            if now < since + settle {
                return Ok(DeleteWait::Until(since + settle));
            }
            Ok(if harvested(tx, contact, since)? { DeleteWait::Over } else { DeleteWait::Until(now + NEXT_LOOK) })
        })
        .await
    }
}

/// Whether its history was read by a harvest since then; a contact that no harvest reads counts as read. One of ours that
/// no list has named yet was not.
fn harvested(tx: &Transaction<'_>, contact: ContactId, since: Timestamp) -> rusqlite::Result<bool> {
    let read: Option<Option<Timestamp>> = tx
        .prepare_cached(
            "SELECT c.read_at FROM (SELECT ?1 AS id) AS x LEFT JOIN contacts c ON c.contact_id = x.id
             WHERE c.gone_at IS NULL
               AND (EXISTS (SELECT 1 FROM routes r WHERE r.campaign_id = c.campaign_id)
                    OR EXISTS (SELECT 1 FROM links l WHERE l.contact_id = x.id AND l.route IS NOT NULL))",
        )?
        .query_row([contact.0], |row| get_time_opt(row, "read_at"))
        .optional()?;
    Ok(read.is_none_or(|read| read.is_some_and(|read| read >= since)))
}
