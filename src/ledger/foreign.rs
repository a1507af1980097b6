//! Contacts that are not ours: a block on a number reaches them too, wherever dialbridge reads (users 2).

use super::decisions::{Cause, insert_operation, lane_of_contact, next_generation};
use super::inputs::blocks_in_force;
use super::sql::time;
use super::{Ledger, LedgerError, block_store, gate, lane};
use crate::domain::policy::Foreign;
use crate::domain::{CampaignId, ContactId, Intent, LinkId, OperationKind, ReasonCode, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Transaction};

impl Ledger {
    /// What is done with contacts of others that bear a blocked number: kept in the ledger, because every
    /// transaction that learns of one must know it.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn foreign_set(&self, what: Foreign) -> Result<(), LedgerError> {
        if self.read("foreign", of).await? == what {
            return Ok(());
        }
        self.write("foreign_set", move |tx| {
            tx.execute(
                "INSERT INTO meta (key, value) VALUES ('foreign', ?1)
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                [what.as_str()],
            )?;
            Ok(())
        })
        .await
    }
}

impl Ledger {
    /// How many contacts of others bear a blocked number and are left alone, because the config says so.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn foreign_left_alone(&self) -> Result<i64, LedgerError> {
        self.read("foreign_left_alone", |connection| {
            if of(connection)? == Foreign::Lock {
                return Ok(0);
            }
            connection
                .prepare_cached(
                    "SELECT count(DISTINCT contact) FROM v_blocked_foreign WHERE lock_state = 'open'",
                )?
                .query_row([], |row| row.get(0))
        })
        .await
    }
}

fn of(connection: &Connection) -> rusqlite::Result<Foreign> {
    let stored: Option<String> = connection
        .prepare_cached("SELECT value FROM meta WHERE key = 'foreign'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(stored.as_deref().and_then(Foreign::parse).unwrap_or(Foreign::Lock))
}

/// Lanes for the contacts with a number that have no link yet, in the campaigns that are read for the client.
pub(super) fn lanes_by_number(
    tx: &Transaction<'_>,
    client: &str,
    number: &str,
    at: Timestamp,
) -> rusqlite::Result<Vec<LinkId>> {
    if of(tx)? == Foreign::Report {
        return Ok(Vec::new());
    }
    let contacts: Vec<i64> = tx
        .prepare_cached(NOBODYS_BY_NUMBER)?
        .query_map((client, number), |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    contacts.into_iter().map(|contact| lane_of_contact(tx, at, client, ContactId(contact))).collect()
}

/// From the number to its few contacts. The plus: else the walk may begin at the campaign, and go past all who are in it.
const NOBODYS_BY_NUMBER: &str = "SELECT c.contact_id FROM contact_numbers n CROSS JOIN contacts c ON c.contact_id = n.contact_id
     WHERE n.number = ?2 AND c.gone_at IS NULL AND +c.campaign_id IN (SELECT campaign_id FROM client_campaigns WHERE client = ?1)
       AND NOT EXISTS (SELECT 1 FROM links l WHERE l.contact_id = c.contact_id)";

/// A sweep saw a contact without a link: it is locked in the transaction that learns of its blocked number.
pub(super) fn lock_if_blocked(
    tx: &Transaction<'_>,
    contact: ContactId,
    now: Timestamp,
) -> rusqlite::Result<()> {
    if of(tx)? == Foreign::Report {
        return Ok(());
    }
    let numbers = gate::contact_numbers(tx, contact)?;
    for client in clients_that_read(tx, contact)? {
        if let Some(block) = blocks_in_force(tx, &client, None, &numbers, &time(now))?.into_iter().next() {
            let lane_id = lane_of_contact(tx, now, &client, contact)?;
            let cause = Cause { at: now, decided_at: now, text: "gate".to_owned(), run: None };
            lane::lock(tx, lane_id, &block_store::reason_of(&block), &cause)?;
            return Ok(());
        }
    }
    Ok(())
}

/// The clients for which a contact's campaign is read.
fn clients_that_read(tx: &Transaction<'_>, contact: ContactId) -> rusqlite::Result<Vec<String>> {
    tx.prepare_cached(
        "SELECT DISTINCT client FROM client_campaigns
         WHERE campaign_id = (SELECT campaign_id FROM contacts WHERE contact_id = ?1) ORDER BY client",
    )?
    .query_map([contact.0], |row| row.get(0))?
    .collect()
}

/// A campaign is read for a client from now on: whoever is known in it already is held against what was blocked before.
pub(super) fn lock_known(tx: &Transaction<'_>, campaign: CampaignId, now: Timestamp) -> rusqlite::Result<()> {
    let blocked: Vec<i64> = tx
        .prepare_cached(KNOWN_AND_BLOCKED)?
        .query_map([campaign.0], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    blocked.into_iter().try_for_each(|contact| lock_if_blocked(tx, ContactId(contact), now))
}

/// By the contacts of the campaign and not by all blocks: most often few of them are known yet.
const KNOWN_AND_BLOCKED: &str = "SELECT DISTINCT c.contact_id FROM contacts c
     CROSS JOIN contact_numbers n ON n.contact_id = c.contact_id CROSS JOIN blocks b ON b.number = n.number
     WHERE c.campaign_id = ?1 AND c.gone_at IS NULL AND b.kind = 'number' AND b.lifted_at IS NULL
       AND NOT EXISTS (SELECT 1 FROM links l WHERE l.contact_id = c.contact_id AND (l.route IS NOT NULL OR l.wish = 'locked'))";

/// The block for which a lane without a record was locked is lifted: it is unlocked, unless another one stands, or
/// its contact bears one of our keys a second time.
pub(super) fn release(tx: &Transaction<'_>, lane_id: LinkId, now: Timestamp) -> rusqlite::Result<()> {
    let held: bool = tx
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM links l WHERE l.id = ?1 AND l.route IS NULL AND l.wish = 'locked' AND l.wish_code = 'blocked'
                AND NOT EXISTS (SELECT 1 FROM contacts c JOIN links o ON o.folded = c.folded
                                WHERE c.contact_id = l.contact_id AND o.id <> l.id))",
        )?
        .query_row([lane_id.0], |row| row.get(0))?;
    if !held || gate::shut_for(tx, lane_id, &time(now))?.is_some() {
        return Ok(());
    }
    tx.prepare_cached(
        "UPDATE operations SET state = 'superseded', finished_at = ?2, outcome = 'newer'
         WHERE link_id = ?1 AND kind = 'lock' AND state = 'waiting'",
    )?
    .execute((lane_id.0, time(now)))?;
    tx.prepare_cached(
        "UPDATE links SET wish = 'callable', wish_code = 'eligible_again', wish_params = '{}' WHERE id = ?1",
    )?
    .execute([lane_id.0])?;
    // Locked from the first byte of a lock on; one that never left locked nothing.
    let locked: bool = tx
        .prepare_cached("SELECT lock_state = 'locked' FROM links WHERE id = ?1")?
        .query_row([lane_id.0], |row| row.get(0))?;
    if locked {
        let cause = Cause { at: now, decided_at: now, text: "block lifted".to_owned(), run: None };
        let generation = next_generation(tx, lane_id)?;
        let intent = Intent { kind: OperationKind::Unlock, reason: ReasonCode::EligibleAgain.into() };
        insert_operation(tx, &cause, lane_id, generation, &intent, None)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{KNOWN_AND_BLOCKED, NOBODYS_BY_NUMBER};
    use crate::ledger::testing::scene;

    /// A list of a million numbers asks this a million times.
    #[tokio::test]
    async fn whoever_bears_a_number_is_found_by_it_and_not_by_all_who_are_in_a_campaign() {
        let scene = scene().await;
        for (sql, first) in [
            (NOBODYS_BY_NUMBER, "SEARCH n USING PRIMARY KEY (number=?)"),
            (KNOWN_AND_BLOCKED, "SEARCH c USING INDEX contacts_campaign (campaign_id=?)"),
        ] {
            let steps = scene.plan_of(sql).await;
            let walks = |step: &&String| step.starts_with("SEARCH") || step.starts_with("SCAN");
            assert_eq!(steps.iter().find(walks).map(String::as_str), Some(first), "{steps:#?}");
        }
    }
}
