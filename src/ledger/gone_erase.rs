//! What the ledger forgets of those who are gone: rows and numbers of contacts that the dialler has no more, and what links of
//! records that the CRM has no more wished and had. Neither grows old by its number, so each is walked by when it was known.
//!
//! What a promise rests on stays. By the numbers of whoever was called a final result is known, so those stay with the calls; a
//! block bears its number itself. A contact that is there is locked by its numbers, however long its record is gone.

use super::sql::time;
use super::{Ledger, LedgerError};
use chrono::TimeDelta;
use rusqlite::{Connection, OptionalExtension as _, Transaction};

/// So many are looked for, and erased, at once.
const CHUNK: u32 = 500;

/// Of `c`, a contact that is gone: nobody has it, it was never called, and nothing is to be read of it.
macro_rules! nobodys {
    () => {
        "NOT EXISTS (SELECT 1 FROM links l WHERE l.contact_id = c.contact_id)
         AND NOT EXISTS (SELECT 1 FROM calls k WHERE k.contact_id = c.contact_id)
         AND NOT EXISTS (SELECT 1 FROM harvest_due d WHERE d.contact_id = c.contact_id)"
    };
}

/// Of `l`, a link: somebody was called under it.
macro_rules! called {
    () => {
        "EXISTS (SELECT 1 FROM calls k WHERE k.link_id = l.id)"
    };
}

/// Of `l`, the link of a record that is gone: no contact of it is there, nothing is on its way or needs a person, no edit waits for
/// the record's return, and there is something to erase.
macro_rules! over {
    () => {
        concat!(
            "(l.contact_id IS NULL OR l.vanished_at IS NOT NULL)
             AND NOT EXISTS (SELECT 1 FROM operations o WHERE o.link_id = l.id
                             AND o.state IN ('waiting', 'sending', 'uncertain', 'parked'))
             AND NOT EXISTS (SELECT 1 FROM edits e WHERE e.link_id = l.id)
             AND NOT EXISTS (SELECT 1 FROM write_backs w WHERE w.link_id = l.id
                             AND w.state IN ('waiting', 'sending', 'uncertain'))
             AND (l.desired <> '{}' OR l.base <> '{}' OR NOT ",
            called!(),
            " AND (EXISTS (SELECT 1 FROM link_numbers n WHERE n.link_id = l.id)
                   OR EXISTS (SELECT 1 FROM sent_numbers n WHERE n.link_id = l.id)))"
        )
    };
}

/// From a time on (`?1`) until another one (`?2`): when it was known, and the id.
pub(super) const CONTACTS: &str = concat!(
    "SELECT c.gone_at, c.contact_id FROM contacts c WHERE c.gone_at BETWEEN ?1 AND ?2 AND ",
    nobodys!(),
    " ORDER BY c.gone_at LIMIT ?3"
);
/// The same, in the words of the index.
pub(super) const LINKS: &str = concat!(
    "SELECT r.since, l.id FROM records r CROSS JOIN links l ON l.route = r.route AND l.record_id = r.record_id
     WHERE r.code IN ('record_deleted', 'record_gone') AND r.since BETWEEN ?1 AND ?2 AND ",
    over!(),
    " ORDER BY r.since LIMIT ?3"
);

/// What is looked for, and how one of it is erased: whether it was, asked once more by then.
struct Forgetting {
    find: &'static str,
    erase: fn(&Transaction<'_>, i64, &str) -> rusqlite::Result<bool>,
}

const ALL: [Forgetting; 2] =
    [Forgetting { find: CONTACTS, erase: contact }, Forgetting { find: LINKS, erase: link }];

impl Ledger {
    /// Erases what is left of contacts and records that are gone since longer than `keep`. Answers of how many.
    ///
    /// # Errors
    /// The ledger cannot be written; what was erased before stays so.
    pub async fn gone_erase(&self, keep: TimeDelta) -> Result<usize, LedgerError> {
        let until = time(self.env.now().checked_sub_signed(keep).unwrap_or_default());
        let mut erased = 0;
        for Forgetting { find, erase } in ALL {
            let mut since = String::new();
            loop {
                let (from, before) = (since, until.clone());
                // Looked for by a reader: the writer must not search.
                let found = self.read("gone_old", move |reader| old(reader, find, &from, &before)).await?;
                let Some((last, _)) = found.last().cloned() else { break };
                let before = until.clone();
                let some = self.write("gone_erase", move |tx| {
                    found.iter().try_fold(0, |some, (_, id)| Ok(some + usize::from(erase(tx, *id, &before)?)))
                });
                let some = some.await?;
                erased += some;
                // What is erased is not found again; of what came to be needed meanwhile there is another night.
                if some == 0 {
                    break;
                }
                since = last;
            }
        }
        Ok(erased)
    }
}

fn old(
    connection: &Connection,
    find: &str,
    since: &str,
    until: &str,
) -> rusqlite::Result<Vec<(String, i64)>> {
    connection
        .prepare_cached(find)?
        .query_map((since, until, CHUNK), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

fn contact(tx: &Transaction<'_>, id: i64, until: &str) -> rusqlite::Result<bool> {
    const GOES: &str = concat!(
        "SELECT EXISTS (SELECT 1 FROM contacts c WHERE c.contact_id = ?1 AND c.gone_at <= ?2 AND ",
        nobodys!(),
        ")"
    );
    if !tx.prepare_cached(GOES)?.query_row((id, until), |row| row.get(0))? {
        return Ok(false);
    }
    tx.prepare_cached("DELETE FROM contact_numbers WHERE contact_id = ?1")?.execute([id])?;
    tx.prepare_cached("DELETE FROM contacts WHERE contact_id = ?1")?.execute([id])?;
    Ok(true)
}

fn link(tx: &Transaction<'_>, id: i64, until: &str) -> rusqlite::Result<bool> {
    const GOES: &str = concat!(
        "SELECT ",
        called!(),
        " FROM links l JOIN records r ON r.route = l.route AND r.record_id = l.record_id
         WHERE l.id = ?1 AND r.code IN ('record_deleted', 'record_gone') AND r.since <= ?2 AND ",
        over!()
    );
    let called: Option<bool> =
        tx.prepare_cached(GOES)?.query_row((id, until), |row| row.get(0)).optional()?;
    let Some(called) = called else { return Ok(false) };
    // Before what it had: a number with a mark would have the CRM told of a record that it has no more.
    tx.prepare_cached("DELETE FROM invalid_numbers WHERE link_id = ?1")?.execute([id])?;
    tx.prepare_cached("UPDATE links SET desired = '{}', base = '{}' WHERE id = ?1")?.execute([id])?;
    if !called {
        tx.prepare_cached("DELETE FROM link_numbers WHERE link_id = ?1")?.execute([id])?;
        tx.prepare_cached("DELETE FROM sent_numbers WHERE link_id = ?1")?.execute([id])?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{BlocksTold, LinkId};
    use crate::ledger::testing::{Scene, scene};

    const KEEP: TimeDelta = TimeDelta::days(400);

    async fn erased(scene: &Scene) -> usize {
        scene.ledger.gone_erase(KEEP).await.expect("erased")
    }

    #[tokio::test(start_paused = true)]
    async fn contacts_that_are_gone_go_with_their_numbers_unless_something_needs_them() {
        let scene = scene().await;
        for contact in 11..=17 {
            scene.contact_number(contact, "+49301").await;
        }
        // 11: nobody's. 12: called once. 13: gone lately. 14: a link's. 15: locked by us. 16: to be read. 17: there.
        scene.put("UPDATE contacts SET gone_at = '2028-01-01' WHERE contact_id < 17").await;
        scene.put("UPDATE contacts SET gone_at = '2029-12-01' WHERE contact_id = 13").await;
        let link = scene.link("1", Some(14), &[]).await;
        scene.call(link, 51, "contact_id = 12, link_id = NULL, result_code = 7").await;
        scene
            .put(
                "INSERT INTO links (client, contact_id, wish, wish_code, created_at) VALUES ('house', 15, 'locked', 'blocked', '');
                 INSERT INTO harvest_due (contact_id, reason, at, since) VALUES (16, 'hint', '', '');
                 INSERT INTO contact_marks (contact_id, number, at) VALUES (11, '+49301', '')",
            )
            .await;
        assert_eq!(erased(&scene).await, 1);
        for sql in [
            "SELECT contact_id FROM contacts ORDER BY 1",
            "SELECT contact_id FROM contact_numbers ORDER BY 1",
        ] {
            assert_eq!(scene.says(sql).await, ["12", "13", "14", "15", "16", "17"], "{sql}");
        }
        assert_eq!(erased(&scene).await, 0, "once");
    }

    /// Of a record that is gone since 2028.
    async fn gone(scene: &Scene, record: &str, contact: Option<i64>) -> LinkId {
        let link = scene.link(record, contact, &["+49302"]).await;
        scene
            .put(format!(
                "INSERT INTO records (route, record_id, hash, state, code, since, meet, decided_at, run_id)
                     VALUES ('leads', '{record}', x'', 'skipped', 'record_gone', '2028-01-01', 'done', '', 1);
                 INSERT INTO sent_numbers (number, link_id) VALUES ('+49303', {link});
                 INSERT INTO invalid_numbers (link_id, number, at) VALUES ({link}, '+49302', '2027-01-01');
                 UPDATE links SET desired = '{{\"Name\":1}}', base = '{{\"Name\":1}}' WHERE id = {link}",
                link = link.0
            ))
            .await;
        link
    }

    #[tokio::test(start_paused = true)]
    async fn what_links_of_records_that_are_gone_wished_and_had_goes_unless_something_needs_it() {
        let scene = scene().await;
        scene.ledger.status_told_set(scene.route.clone(), BlocksTold::Told).await.expect("set");
        let (_over, _there) = (gone(&scene, "1", None).await, gone(&scene, "2", Some(12)).await);
        let (called, edited) = (gone(&scene, "3", None).await, gone(&scene, "4", None).await);
        let (waits, vanished) = (gone(&scene, "5", None).await, gone(&scene, "6", Some(16)).await);
        gone(&scene, "7", None).await;
        scene.put("UPDATE records SET since = '2029-12-01' WHERE record_id = '7'").await;
        scene.call(called, 51, "result_code = 7").await;
        scene.operation(waits, "lock", "waiting").await;
        scene
            .put(format!(
                "UPDATE links SET vanished_at = '2028-01-01' WHERE id = {};
                 INSERT INTO edits (link_id, field, dialler, rule, seen_at) VALUES ({}, 'City', '1', 'dialler', '');
                 DELETE FROM status_due",
                vanished.0, edited.0
            ))
            .await;
        assert_eq!(erased(&scene).await, 3);
        let empty = "SELECT record_id FROM links WHERE desired = '{}' AND base = '{}' ORDER BY 1";
        assert_eq!(scene.says(empty).await, ["1", "3", "6"]);
        for table in ["link_numbers", "sent_numbers"] {
            let kept =
                format!("SELECT l.record_id FROM {table} n JOIN links l ON l.id = n.link_id ORDER BY 1");
            // By those of whoever was called a final result is known.
            assert_eq!(scene.says(kept.leak()).await, ["2", "3", "4", "5", "7"], "{table}");
        }
        assert_eq!(scene.says("SELECT count(*) FROM status_due").await, ["0"], "nobody is told of it");
        assert_eq!(erased(&scene).await, 0, "once");
    }

    #[tokio::test(start_paused = true)]
    async fn many_are_erased_in_several_transactions() {
        let scene = scene().await;
        scene
            .put(
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)
                 INSERT INTO contacts (contact_id, seen_seq, seen_at, gone_at) SELECT i, 1, '', '2028-01-01' FROM n",
            )
            .await;
        assert_eq!(erased(&scene).await, 1200);
    }
}
