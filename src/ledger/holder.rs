//! Which link holds a contact: one at a time, handed over whole.

use super::decisions::join_contact;
use super::sql::{get_reason, time};
use super::{hints, leaving};
use crate::domain::{ContactId, LinkId, Reason, Timestamp};
use rusqlite::{OptionalExtension as _, Transaction, named_params};

/// What is set where a link has a `:contact` from now on.
macro_rules! takes {
    () => {
        "contact_id = :contact, vanished_at = NULL, absent_at = NULL,
         campaign_id = coalesce((SELECT r.campaign_id FROM routes r WHERE r.route = links.route), campaign_id)"
    };
}
pub(super) use takes;

/// The link has this contact from now on; a lane that only held locks for it gives it up. Answers why that lane
/// held it locked, if it did.
pub(super) fn take_contact(
    tx: &Transaction<'_>,
    link: LinkId,
    contact: ContactId,
    how: &str,
    now: Timestamp,
) -> rusqlite::Result<Option<Reason>> {
    let held = free_contact(tx, link, contact, now)?;
    tx.prepare_cached(concat!("UPDATE links SET ", takes!(), " WHERE id = :link"))?
        .execute(named_params! { ":link": link.0, ":contact": contact.0 })?;
    join_contact(tx, now, link, contact, how)?;
    Ok(held)
}

/// A contact stands in one link only. A lane without a record hands it over, what waits there and its lock
/// included; another record's link keeps its history and loses the contact, because the server's answer counts.
/// Answers why the lane held it locked, if it did.
pub(super) fn free_contact(
    tx: &Transaction<'_>,
    link: LinkId,
    contact: ContactId,
    now: Timestamp,
) -> rusqlite::Result<Option<Reason>> {
    let (locked, holder, bare): (bool, Option<i64>, bool) = tx
        .prepare_cached(
            "SELECT l.contact_id IS NOT ?1 AND (l.lock_state <> 'open' OR l.locked_at IS NOT NULL), h.id, h.route IS NULL
             FROM links l LEFT JOIN links h ON h.contact_id = ?1 AND h.id <> l.id WHERE l.id = ?2",
        )?
        .query_row((contact.0, link.0), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    if locked {
        // Whether we locked it was said of the contact that the link had.
        tx.prepare_cached("UPDATE links SET lock_state = 'open', locked_at = NULL WHERE id = ?1")?
            .execute([link.0])?;
    }
    let Some(holder) = holder else { return Ok(None) };
    if !bare {
        return lose_contact(tx, LinkId(holder), now).map(|()| None);
    }
    let held: Option<Reason> = tx
        .prepare_cached("SELECT wish_code, wish_params FROM links WHERE id = ?1 AND wish = 'locked'")?
        .query_row([holder], |row| get_reason(row, "wish_code", "wish_params"))
        .optional()?;
    let top: i64 = tx
        .prepare_cached("SELECT max(generation) FROM links WHERE id IN (?1, ?2)")?
        .query_row((holder, link.0), |row| row.get(0))?;
    // The generations of the two lanes must not meet.
    tx.prepare_cached("UPDATE operations SET link_id = ?2, generation = generation + ?3 WHERE link_id = ?1")?
        .execute((holder, link.0, top))?;
    tx.prepare_cached("UPDATE links SET generation = ?2 WHERE id = ?1")?.execute((link.0, 2 * top))?;
    tx.prepare_cached(
        "UPDATE links SET lock_state = (SELECT lock_state FROM links WHERE id = ?1),
                          locked_at = (SELECT locked_at FROM links WHERE id = ?1) WHERE id = ?2",
    )?
    .execute((holder, link.0))?;
    tx.prepare_cached("UPDATE calls SET link_id = ?2 WHERE link_id = ?1")?.execute((holder, link.0))?;
    tx.prepare_cached("DELETE FROM link_contacts WHERE link_id = ?1")?.execute([holder])?;
    tx.prepare_cached("DELETE FROM link_numbers WHERE link_id = ?1")?.execute([holder])?;
    tx.prepare_cached("DELETE FROM sent_numbers WHERE link_id = ?1")?.execute([holder])?;
    tx.prepare_cached("DELETE FROM answer_notes WHERE link_id = ?1")?.execute([holder])?;
    tx.prepare_cached("DELETE FROM links WHERE id = ?1")?.execute([holder])?;
    Ok(held)
}

/// The contact is another record's by the server's word: its key was rewritten there. Whoever had it is decided anew, without one.
pub(super) fn lose_contact(tx: &Transaction<'_>, link: LinkId, now: Timestamp) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE link_contacts SET until = ?2 WHERE link_id = ?1 AND until IS NULL")?
        .execute((link.0, time(now)))?;
    leaving::without_contact(tx, link)?;
    hints::link_in(tx, now, link, "contact of another record")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{OperationId, ReasonCode};
    use crate::ledger::testing::scene;
    use crate::ledger::{Done, Ending};

    #[tokio::test]
    async fn who_has_a_contact_is_found_without_reading_every_link() {
        let scene = scene().await;
        for sql in [
            "SELECT id, route IS NULL FROM links WHERE contact_id = ?1 AND id <> ?2",
            "SELECT id FROM links WHERE contact_id = ?1 ORDER BY route IS NULL LIMIT 1",
            "UPDATE links SET vanished_at = NULL WHERE contact_id = ?1 AND vanished_at IS NOT NULL",
            "SELECT l.id FROM contact_numbers n JOIN links l ON l.contact_id = n.contact_id WHERE n.number = ?1",
        ] {
            let plan = scene.plan_of(sql).await.join("; ");
            assert!(plan.contains("links_by_contact") && !plan.contains("SCAN l"), "{sql}: {plan}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_bare_lane_with_notes_on_answers_is_handed_over() {
        let scene = scene().await;
        let link = scene.link("1", None, &[]).await;
        let write = scene.ledger.write("test_bare", move |tx| {
            tx.execute_batch(
                "INSERT INTO links (id, client, contact_id, wish, wish_code, created_at)
                    VALUES (99, 'house', 11, 'none', 'by_hand', '2030');
                 INSERT INTO answer_notes (link_id, field, code, since, operation_id)
                    VALUES (99, 'City', 'shortened', '2030', 1);",
            )?;
            free_contact(tx, link, ContactId(11), Timestamp::UNIX_EPOCH)
        });
        write.await.expect("handed over");
        let left = scene.ledger.read("test_left", |connection| {
            connection.query_row("SELECT count(*) FROM links WHERE id = 99", [], |row| row.get(0))
        });
        assert_eq!(left.await.map(|left: i64| left).expect("read"), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn an_import_that_met_a_contact_locked_by_itself_locks_it_again_and_asks_for_a_decision() {
        let scene = scene().await;
        let link = scene.link("1", None, &[]).await;
        let import = OperationId(scene.operation(link, "import", "sending").await);
        let write = scene.ledger.write("test_bare", |tx| {
            tx.execute(
                "INSERT INTO links (client, contact_id, wish, wish_code, lock_state, locked_at, created_at)
                 VALUES ('house', 11, 'locked', 'locked_by_hand', 'locked', '2030-01-07T08:00:00.000000Z',
                         '2030-01-07T08:00:00.000000Z')",
                [],
            )
        });
        write.await.expect("a bare lane");
        let done = Done { contact: Some(ContactId(11)), ..Done::default() };
        scene.ledger.operation_end(import, Ending::Done(Box::new(done))).await.expect("stored");
        let stored = scene.operations(link).await;
        assert!(stored.contains(&("lock".to_owned(), "waiting".to_owned())), "{stored:?}");
        let (wish, code, hints): (String, String, i64) = scene
            .ledger
            .read("test_link", move |connection| {
                connection.query_row(
                    "SELECT wish, wish_code, (SELECT count(*) FROM hints) FROM links WHERE id = ?1",
                    [link.0],
                    |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
                )
            })
            .await
            .expect("a link");
        assert_eq!((wish.as_str(), code.as_str(), hints), ("locked", ReasonCode::LockedByHand.as_str(), 1));
    }
}
