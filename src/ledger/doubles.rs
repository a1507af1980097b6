//! Second contacts with one of our UserData, found by a sweep: all but the linked one are locked, and the
//! record is shown to a person (semantics 16). Two callable contacts are one person called twice.

use super::decisions::{Cause, lane_of_contact};
use super::sql::{self, time};
use super::{Ledger, LedgerError, lane};
use crate::domain::{CampaignId, ContactId, LinkId, Reason, ReasonCode, RunId, Timestamp};
use rusqlite::{Connection, Transaction};

/// A second contact with the key of a link.
struct Double {
    link: LinkId,
    client: String,
    kept: ContactId,
    other: ContactId,
}

impl Ledger {
    /// Locks every second contact of the campaign's links that is not locked by us yet, in whichever
    /// campaign it stands, and parks the records. Answers how many locks were queued.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn doubles_lock(&self, campaign: CampaignId, run: Option<RunId>) -> Result<usize, LedgerError> {
        let now = self.env.now();
        let none =
            self.read("doubles_find", move |connection| Ok(find(connection, campaign)?.is_empty())).await?;
        if none {
            return Ok(0);
        }
        self.write("doubles_lock", move |tx| {
            let doubles = find(tx, campaign)?;
            doubles.iter().try_fold(0, |locked, double| Ok(locked + usize::from(lock(tx, double, now, run)?)))
        })
        .await
    }
}

/// Exact matches only: a key that is equal when folded is somebody else's. A contact of which its number's own read said that
/// it is not there is no second one, also before that counts as gone: somebody gave the link's contact another number.
fn find(connection: &Connection, campaign: CampaignId) -> rusqlite::Result<Vec<Double>> {
    connection
        .prepare_cached(
            "SELECT l.id, l.client, l.contact_id, c.contact_id
             FROM links l JOIN routes r ON r.route = l.route
                  JOIN contacts c ON c.folded = l.folded AND c.user_data = l.user_data
             WHERE r.campaign_id = ?1 AND l.contact_id IS NOT NULL
               AND c.contact_id <> l.contact_id AND c.gone_at IS NULL AND c.asked_at IS NULL
               AND NOT EXISTS (SELECT 1 FROM links f WHERE f.contact_id = c.contact_id AND f.wish = 'locked')",
        )?
        .query_map([campaign.0], |row| {
            Ok(Double {
                link: LinkId(row.get(0)?),
                client: row.get(1)?,
                kept: ContactId(row.get(2)?),
                other: ContactId(row.get(3)?),
            })
        })?
        .collect()
}

fn lock(tx: &Transaction<'_>, double: &Double, now: Timestamp, run: Option<RunId>) -> rusqlite::Result<bool> {
    let reason = Reason::new(ReasonCode::SeveralContacts)
        .with("contacts", format!("{}, {}", double.kept, double.other));
    let text = run.map_or_else(|| "sweep".to_owned(), |run| format!("run:{run}"));
    let cause = Cause { at: now, decided_at: now, text, run };
    let lane = lane_of_contact(tx, now, &double.client, double.other)?;
    let queued = lane::lock(tx, lane, &reason, &cause)?.is_some();
    tx.prepare_cached(
        "UPDATE records SET state = 'parked', code = ?2, params = ?3, since = ?4 WHERE link_id = ?1 AND state = 'linked'",
    )?
    .execute((double.link.0, sql::code(&reason), reason.params_json(), time(now)))?;
    Ok(queued)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::testing::scene;

    async fn seen(scene: &crate::ledger::testing::Scene, contact: i64, user_data: &'static str) {
        scene
            .ledger
            .write("test_contact", move |tx| {
                tx.execute(
                    "INSERT INTO contacts (contact_id, campaign_id, user_data, folded, seen_seq, seen_at)
                     VALUES (?1, 7, ?2, lower(?2), 1, '2030-01-07T08:00:00.000000Z')",
                    (contact, user_data),
                )
            })
            .await
            .expect("a contact");
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_contact_with_our_key_is_locked_once_and_the_linked_one_is_kept() {
        let scene = scene().await;
        let link = scene.link("1", Some(10), &[]).await;
        seen(&scene, 10, "leads-1").await;
        seen(&scene, 11, "leads-1").await;
        // Equal only when folded: somebody else's.
        seen(&scene, 12, "LEADS-1").await;
        let lock = || scene.ledger.doubles_lock(CampaignId(7), None);
        assert_eq!(lock().await.expect("stored"), 1);
        assert!(scene.operations(link).await.is_empty(), "the linked contact stays as it is");
        let lanes: Vec<i64> = scene
            .ledger
            .read("test_lanes", |connection| {
                connection
                    .prepare("SELECT l.contact_id FROM operations o JOIN links l ON l.id = o.link_id WHERE o.kind = 'lock'")?
                    .query_map([], |row| row.get(0))?
                    .collect()
            })
            .await
            .expect("lanes");
        assert_eq!(lanes, [11]);
        assert_eq!(lock().await.expect("stored"), 0, "found again by the next sweep, locked already");
        seen(&scene, 13, "leads-1").await;
        scene.put("UPDATE contacts SET asked_at = '2030-01-07T08:00:00.000000Z' WHERE contact_id = 13").await;
        assert_eq!(lock().await.expect("stored"), 0, "not there when it was asked for");
        scene.put("UPDATE contacts SET asked_at = NULL WHERE contact_id = 13").await;
        assert_eq!(lock().await.expect("stored"), 1, "it is there after all");
    }
}
