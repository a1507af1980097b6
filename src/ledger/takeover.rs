//! What a takeover does to the ledger: everything is harvested, locked and decided once more.

use super::decisions::Cause;
use super::sql::get_reason;
use super::{Ledger, LedgerError, lane, passes};
use crate::domain::{LinkId, Reason, RouteName, Timestamp};
use rusqlite::Transaction;

impl Ledger {
    /// Every contact's history is read again by the next harvest, whatever the ledger knows of it.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn harvest_everything(&self) -> Result<(), LedgerError> {
        self.write("harvest_everything", |tx| {
            tx.execute("UPDATE contacts SET fingerprint = NULL WHERE gone_at IS NULL", [])?;
            // What was restored does not know when the list was last read.
            tx.execute("UPDATE sweeps SET rests_until = NULL WHERE rests_until IS NOT NULL", [])?;
            Ok(())
        })
        .await
    }

    /// Queues a lock for every contact that is to be out of reach, whatever the ledger knows of it; answers how many.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn locks_send_again(&self, who: String) -> Result<usize, LedgerError> {
        let now = self.env.now();
        self.write("locks_send_again", move |tx| lock_all(tx, now, &who)).await
    }

    /// Whatever waits was decided from an older memory: it is decided anew, by a pass over everything, before it is
    /// sent. Answers how many routes that is; one that was never read has decided nothing.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn routes_decide_anew(&self) -> Result<usize, LedgerError> {
        let now = self.env.now();
        self.write("routes_decide_anew", move |tx| {
            let routes: Vec<RouteName> = tx
                .prepare_cached("SELECT route FROM routes")?
                .query_map([], |row| row.get(0).map(RouteName))?
                .collect::<rusqlite::Result<_>>()?;
            let mut anew = 0;
            for route in &routes {
                anew += usize::from(passes::decide_anew(tx, now, route)?);
            }
            Ok(anew)
        })
        .await
    }

    /// How many contacts of the route's links the dialler did not show when they were last looked for.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn route_without_contact(&self, route: RouteName) -> Result<i64, LedgerError> {
        self.read("route_without_contact", move |connection| {
            connection
                .prepare_cached(
                    "SELECT count(*) FROM links l JOIN contacts c ON c.contact_id = l.contact_id
                     WHERE l.route = ?1 AND (c.asked_at IS NOT NULL OR c.gone_at IS NOT NULL)",
                )?
                .query_row([route.0], |row| row.get(0))
        })
        .await
    }
}

fn lock_all(tx: &Transaction<'_>, now: Timestamp, who: &str) -> rusqlite::Result<usize> {
    let wished: Vec<(i64, Reason)> = tx
        .prepare_cached(
            "SELECT id, wish_code, wish_params FROM links
             WHERE wish = 'locked' AND contact_id IS NOT NULL AND vanished_at IS NULL",
        )?
        .query_map([], |row| Ok((row.get("id")?, get_reason(row, "wish_code", "wish_params")?)))?
        .collect::<rusqlite::Result<_>>()?;
    let cause = Cause { at: now, decided_at: now, text: format!("person:{who}"), run: None };
    for (link, reason) in &wished {
        lane::lock_unless_waiting(tx, LinkId(*link), reason, &cause)?;
    }
    Ok(wished.len())
}
