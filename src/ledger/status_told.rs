//! Where a record stands in the dialler, as the CRM is told of it: whose standing moved, and what it is now.
//!
//! What moves it is noted by triggers (`status_due`): a dozen places change a link, and none of them may forget it.

use super::decisions::LinkOwner;
use super::sql::{get_time, get_time_opt, time};
use super::write_back::want_fields;
use super::{Ledger, LedgerError, held_again};
use crate::domain::{
    BlocksTold, ContactId, Decision, InDialler, InvalidNumber, LinkId, Reason, ReasonCode, RouteName,
    StandingFacts, Timestamp, ToldBefore, Verdict, e164_as_sent, field::PHONE_SLOTS,
};
use rusqlite::{Connection, OptionalExtension as _, Transaction};

/// So many are taken in one transaction.
const CHUNK: u32 = 500;

/// A number in a slot that the dialler marks as invalid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidSlot {
    /// Its place, from 1.
    pub slot: usize,
    /// The number in it, in E.164 where it can be read.
    pub number: String,
    /// Its last cause code.
    pub cause: Option<i64>,
}

impl Ledger {
    /// Whether a route tells where its records stand. Where it begins to, it tells of all: those that have no link get one when
    /// they are decided anew, with the numbers that the ledger did not keep.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn status_told_set(&self, route: RouteName, told: BlocksTold) -> Result<(), LedgerError> {
        let now = self.env.now();
        self.write("status_told_set", move |tx| {
            let changed = tx
                .prepare_cached("UPDATE routes SET status_told = ?2 WHERE route = ?1 AND status_told <> ?2")?
                .execute((&route.0, told.as_str()))?;
            match told {
                BlocksTold::Told if changed > 0 => {
                    tx.prepare_cached(
                        "INSERT OR IGNORE INTO status_due SELECT id FROM links WHERE route = ?1",
                    )?
                    .execute([&route.0])?;
                    tx.prepare_cached(LEFT_ASIDE)?.execute((&route.0, time(now))).map(|_| ())
                }
                BlocksTold::Told | BlocksTold::Kept => Ok(()),
            }
        })
        .await
    }

    /// Whose standing moved has its fields worked out anew. Answers how many.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn status_take(&self, route: RouteName) -> Result<usize, LedgerError> {
        let now = self.env.now();
        let mut taken = 0;
        loop {
            let wanted = route.clone();
            let due = self.read("status_due", move |connection| due(connection, &wanted)).await?;
            if due.is_empty() {
                return Ok(taken);
            }
            taken += due.len();
            self.write("status_take", move |tx| {
                due.iter().try_for_each(|link| {
                    tx.prepare_cached("DELETE FROM status_due WHERE link_id = ?1")?.execute([link.0])?;
                    // Of whom the CRM has no more it cannot be told, and many of them are no CRM that takes nothing.
                    if held_again::record_is_gone(tx, *link)? { Ok(()) } else { want_fields(tx, *link, now) }
                })
            })
            .await?;
        }
    }
}

/// Records without a link that the route would call, but for what stands against them. Not those that the config or the CRM as a
/// whole may spoil: many of them together would be a strike of the brake, and they are decided anew with what mends them.
const LEFT_ASIDE: &str = "INSERT INTO hints (route, record_id, source, at)
     SELECT route, record_id, 'standing', ?2 FROM records
     WHERE route = ?1 AND state <> 'linked' AND state IN ('parked', 'blocked', 'skipped') AND link_id IS NULL
       AND user_data IS NOT NULL AND code NOT IN ('not_eligible', 'record_deleted', 'record_gone', 'missing_name',
           'expression_failed', 'bad_user_data', 'record_too_large', 'record_unreadable')
       AND coalesce(params ->> '$.key', params ->> '$.field', '') NOT IN ('only_if', 'block_if')";

/// Whether the CRM is to hear where a record stands that has no contact, which only a link can bear. Whom the route's conditions
/// leave out is not its business, but another's that may tell the same field; who is gone cannot be told of.
pub(super) fn is_wanted(
    tx: &Transaction<'_>,
    owner: &LinkOwner,
    decision: &Decision,
) -> rusqlite::Result<bool> {
    let stands = match &decision.verdict {
        Verdict::Parked(_) | Verdict::Blocked(_) => true,
        Verdict::Skipped(reason) => !matches!(
            reason.code,
            ReasonCode::NotEligible | ReasonCode::RecordDeleted | ReasonCode::RecordGone
        ),
        Verdict::Unchanged | Verdict::Queued | Verdict::Adopted => false,
    };
    if !stands {
        return Ok(false);
    }
    tx.prepare_cached("SELECT status_told = 'told' FROM routes WHERE route = ?1")?
        .query_row([&owner.route.0], |row| row.get(0))
}

/// What is told of a link's record moved, or begins to be told.
pub(super) fn moved(tx: &Transaction<'_>, link: LinkId) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT OR IGNORE INTO status_due (link_id) SELECT l.id FROM links l JOIN routes r ON r.route = l.route
         WHERE l.id = ?1 AND r.status_told = 'told'",
    )?
    .execute([link.0])?;
    Ok(())
}

fn due(connection: &Connection, route: &RouteName) -> rusqlite::Result<Vec<LinkId>> {
    connection
        .prepare_cached(
            "SELECT d.link_id FROM status_due d CROSS JOIN links l ON l.id = d.link_id WHERE +l.route = ?1 LIMIT ?2",
        )?
        .query_map((&route.0, CHUNK), |row| row.get(0).map(LinkId))?
        .collect()
}

/// The slots of a contact that are marked now. A mark that is new is the present number's.
pub(super) fn marks_seen(
    tx: &Transaction<'_>,
    contact: ContactId,
    marked: &[InvalidSlot],
    now: Timestamp,
) -> rusqlite::Result<()> {
    let before: String = tx
        .prepare_cached("SELECT invalid FROM contacts WHERE contact_id = ?1")?
        .query_row([contact.0], |row| row.get(0))?;
    let slots: Vec<usize> = marked.iter().map(|mark| mark.slot).collect();
    let present = serde_json::Value::from(slots).to_string();
    if before == present {
        return Ok(());
    }
    tx.prepare_cached("UPDATE contacts SET invalid = ?2 WHERE contact_id = ?1")?
        .execute((contact.0, present))?;
    let before: Vec<usize> = serde_json::from_str(&before).unwrap_or_default();
    let link: Option<i64> = tx
        .prepare_cached("SELECT id FROM links WHERE contact_id = ?1 AND route IS NOT NULL")?
        .query_row([contact.0], |row| row.get(0))
        .optional()?;
    let (at, new) = (time(now), marked.iter().filter(|mark| !before.contains(&mark.slot)));
    for mark in new {
        // For whichever record comes to have the contact.
        tx.prepare_cached(
            "INSERT OR IGNORE INTO contact_marks (contact_id, number, at, cause) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute((contact.0, &mark.number, &at, mark.cause))?;
        let Some(link) = link else { continue };
        tx.prepare_cached(
            "INSERT OR IGNORE INTO invalid_numbers (link_id, number, at, cause) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute((link, &mark.number, &at, mark.cause))?;
    }
    link.map_or(Ok(()), |link| moved(tx, LinkId(link)))
}

/// The locks of a wave may go: whoever they are for stands somewhere else from now on, though their links wish what they did.
pub(super) fn of_wave(tx: &Transaction<'_>, wave: i64) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT OR IGNORE INTO status_due (link_id)
         SELECT o.link_id FROM operations o JOIN links l ON l.id = o.link_id JOIN routes r ON r.route = l.route
         WHERE o.wave_id = ?1 AND o.state = 'waiting' AND r.status_told = 'told'",
    )?
    .execute([wave])?;
    Ok(())
}

/// Where a link's record stands; `None`: its route does not tell.
pub(super) fn facts(connection: &Connection, link: LinkId) -> rusqlite::Result<Option<StandingFacts>> {
    let standing = connection
        .prepare_cached(
            "SELECT l.contact_id, l.wish, l.wish_code, l.wish_params, l.vanished_at, l.base, l.synced_at, t.next_try,
                    l.wish = 'callable' AND l.lock_state = 'locked' AS still_locked,
                    (SELECT max(c.since) FROM link_contacts c WHERE c.link_id = l.id AND c.contact_id = l.contact_id) AS since,
                    EXISTS (SELECT 1 FROM operations o JOIN waves w ON w.id = o.wave_id WHERE o.link_id = l.id
                            AND o.kind = 'lock' AND o.state = 'waiting' AND w.state = 'held') AS held
             FROM links l JOIN routes r ON r.route = l.route LEFT JOIN contacts t ON t.contact_id = l.contact_id
             WHERE l.id = ?1 AND r.status_told = 'told'",
        )?
        .query_row([link.0], |row| {
            let contact: Option<i64> = row.get("contact_id")?;
            let vanished: Option<Timestamp> = get_time_opt(row, "vanished_at")?;
            let wish: String = row.get("wish")?;
            let place = match (contact, vanished) {
                (None, _) => InDialler::Absent,
                (Some(_), Some(_)) => InDialler::Gone,
                // A lock that waits for a person keeps nobody from being called.
                (Some(_), None) if wish == "locked" && !row.get::<_, bool>("held")? => InDialler::Locked,
                (Some(_), None) if row.get("still_locked")? => InDialler::Locked,
                (Some(_), None) => InDialler::Callable,
            };
            let (code, params): (String, String) = (row.get("wish_code")?, row.get("wish_params")?);
            let base: String = row.get("base")?;
            Ok(StandingFacts {
                place,
                reason: why_not_callable(place, &wish, &code, &params).map(|why| why.to_string()),
                since: get_time_opt(row, "since")?,
                synced: get_time_opt(row, "synced_at")?.filter(|_| contact.is_some()),
                next_try: get_time_opt(row, "next_try")?,
                numbers: numbers(&base),
                invalid: Vec::new(),
                told: ToldBefore::Anything,
            })
        })
        .optional()?;
    let Some(standing) = standing else { return Ok(None) };
    let invalid = connection
        .prepare_cached(
            "SELECT number, at, cause FROM invalid_numbers WHERE link_id = ?1 ORDER BY at, number",
        )?
        .query_map([link.0], |row| {
            Ok(InvalidNumber {
                number: row.get("number")?,
                since: get_time(row, "at")?,
                cause: row.get("cause")?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(Some(StandingFacts { invalid, told: told_before(connection, link)?, ..standing }))
}

/// Why nobody calls it; `None`: somebody may.
fn why_not_callable(place: InDialler, wish: &str, code: &str, params: &str) -> Option<Reason> {
    match (place, wish) {
        (InDialler::Callable, _) | (InDialler::Absent | InDialler::Gone, "callable") => None,
        (InDialler::Locked, "callable") => Some(ReasonCode::StillLocked.into()),
        (InDialler::Locked | InDialler::Absent | InDialler::Gone, _) => Reason::from_stored(code, params),
    }
}

/// What the CRM was told of a link's record in its fields, for sure or perhaps. An erased value was one.
fn told_before(connection: &Connection, link: LinkId) -> rusqlite::Result<ToldBefore> {
    let in_doubt: bool = connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM write_backs w WHERE w.link_id = ?1 AND w.kind = 'fields'
                AND (w.doubts > 0 OR EXISTS (SELECT 1 FROM write_back_attempts a
                                             WHERE a.write_back_id = w.id AND a.outcome = 'uncertain')))",
        )?
        .query_row([link.0], |row| row.get(0))?;
    if in_doubt {
        return Ok(ToldBefore::Anything);
    }
    let fields = connection
        .prepare_cached(
            "SELECT DISTINCT c.field FROM changes c JOIN write_backs w ON w.id = c.write_back_id AND w.kind = 'fields'
             WHERE c.link_id = ?1 AND c.side = 'crm' AND coalesce(c.after, '?') NOT IN ('null', 'false', '\"\"', '[]')",
        )?
        .query_map([link.0], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(ToldBefore::These(fields))
}

/// The numbers in the six slots as the dialler last answered them.
fn numbers(base: &str) -> Vec<Option<String>> {
    let base: serde_json::Value = serde_json::from_str(base).unwrap_or_default();
    let number = |slot: &&str| {
        let text = base.get(*slot)?.get("dialler")?.as_str()?;
        Some(e164_as_sent(text).unwrap_or_else(|| text.to_owned()))
    };
    PHONE_SLOTS.iter().map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::super::WaveWord;
    use super::super::testing::scene;
    use super::*;

    fn mark(slot: usize, number: &str) -> InvalidSlot {
        InvalidSlot { slot, number: number.to_owned(), cause: Some(1) }
    }

    #[tokio::test(start_paused = true)]
    async fn a_mark_is_the_numbers_that_it_came_with_and_not_the_next_ones_in_its_slot() {
        let scene = scene().await;
        let link = scene.link("1", Some(11), &[]).await;
        scene
            .put("UPDATE links SET base = '{\"PhoneNumber1\":{\"crm\":\"x\",\"dialler\":\"4930111\"}}'")
            .await;
        scene.put("INSERT INTO contacts (contact_id, seen_seq, seen_at) VALUES (11, 1, '')").await;
        scene.ledger.status_told_set(scene.route.clone(), BlocksTold::Told).await.expect("set");
        let now = scene.ledger.env.now();
        let seen = |marks: Vec<InvalidSlot>| {
            scene.ledger.write("test_seen", move |tx| marks_seen(tx, ContactId(11), &marks, now))
        };
        let told = || async {
            let read = scene.ledger.read("test_facts", move |connection| facts(connection, link));
            let facts = read.await.expect("read").expect("told");
            let invalid: Vec<String> = facts.invalid.iter().map(|one| one.number.clone()).collect();
            (invalid, facts.invalid_in(1).is_some())
        };
        assert_eq!(told().await, (vec![], false));
        seen(vec![mark(1, "+4930111")]).await.expect("stored");
        assert_eq!(told().await, (vec!["+4930111".to_owned()], true));
        // Corrected in the CRM: the dialler keeps the slot's mark.
        scene
            .put("UPDATE links SET base = '{\"PhoneNumber1\":{\"crm\":\"x\",\"dialler\":\"4930222\"}}'")
            .await;
        seen(vec![mark(1, "+4930222")]).await.expect("stored");
        assert_eq!(told().await, (vec!["+4930111".to_owned()], false));
        // A reset takes the mark away, and the next one is the new number's.
        seen(vec![]).await.expect("stored");
        seen(vec![mark(1, "+4930222")]).await.expect("stored");
        assert_eq!(told().await, (vec!["+4930111".to_owned(), "+4930222".to_owned()], true));
    }

    #[tokio::test(start_paused = true)]
    async fn a_mark_from_before_the_contact_was_a_records_is_known_with_its_day_once_it_is() {
        let scene = scene().await;
        scene.put("INSERT INTO contacts (contact_id, seen_seq, seen_at) VALUES (11, 1, '')").await;
        scene.ledger.status_told_set(scene.route.clone(), BlocksTold::Told).await.expect("set");
        let first = scene.ledger.env.now();
        let seen = |marks: Vec<InvalidSlot>| {
            let now = scene.ledger.env.now();
            scene.ledger.write("test_seen", move |tx| marks_seen(tx, ContactId(11), &marks, now))
        };
        seen(vec![mark(1, "+4930111")]).await.expect("stored");
        // Corrected by somebody over there before we came: the slot keeps the first one's mark.
        seen(vec![mark(1, "+4930222"), mark(2, "+4930333")]).await.expect("stored");
        scene.wait(24).await;
        for (record, leaves) in [("1", ""), ("2", "UPDATE links SET contact_id = NULL WHERE record_id = '1'")]
        {
            let link = scene.link(record, None, &[]).await;
            scene
                .put(format!("{leaves}; UPDATE links SET contact_id = 11 WHERE record_id = '{record}'"))
                .await;
            let read = scene.ledger.read("test_facts", move |connection| facts(connection, link));
            let told = read.await.expect("read").expect("told").invalid;
            let told: Vec<_> = told.iter().map(|one| (one.number.as_str(), one.since, one.cause)).collect();
            assert_eq!(told, [("+4930111", first, Some(1)), ("+4930333", first, Some(1))], "record {record}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_moves_a_records_standing_makes_it_due_on_routes_that_tell_it() {
        let scene = scene().await;
        let link = scene.link("1", None, &[]).await;
        let due = "SELECT CAST(count(*) AS TEXT) FROM status_due";
        scene.put("UPDATE links SET contact_id = 11").await;
        assert_eq!(scene.says(due).await, ["0"], "the route does not tell");
        scene.ledger.status_told_set(scene.route.clone(), BlocksTold::Told).await.expect("set");
        assert_eq!(scene.says(due).await, ["1"], "all that stand are told of at the beginning");
        let begun = scene.ledger.write_back_set(
            scene.route.clone(),
            crate::domain::Shapes::Fields,
            crate::domain::Activities::Change,
        );
        begun.await.expect("begun");
        assert_eq!(scene.ledger.status_take(scene.route.clone()).await.expect("taken"), 1);
        assert_eq!(scene.says(due).await, ["0"]);
        scene.put("UPDATE links SET desired = '{}', sent_seq = 9").await;
        assert_eq!(scene.says(due).await, ["0"], "that is nobody's business");
        scene.put("UPDATE links SET wish = 'locked', wish_code = 'not_eligible'").await;
        assert_eq!(scene.ledger.status_take(scene.route.clone()).await.expect("taken"), 1);
        let facts = scene.ledger.read("test_facts", move |connection| facts(connection, link)).await;
        let facts = facts.expect("read").expect("told");
        assert_eq!(facts.place, InDialler::Locked);
        assert_eq!(facts.reason.as_deref(), Some("not eligible: only_if is false"));

        // A lock that waits for a person locks nobody; once they let it go the CRM is told.
        scene
            .put(
                "INSERT INTO waves (id, route, source, kind, bound, since, state)
                 VALUES (1, 'leads', 'lock scope pass:1', 'changed', 1, '2030-01-07T09:00:00.000000Z', 'held')",
            )
            .await;
        scene.operation(link, "lock", "waiting").await;
        scene.put("UPDATE operations SET wave_id = 1").await;
        let place = async || {
            let now = scene.ledger.read("test_facts", move |connection| super::facts(connection, link)).await;
            now.expect("read").map(|facts| (facts.place, facts.reason.is_some()))
        };
        assert_eq!(place().await, Some((InDialler::Callable, false)));
        let said = scene.ledger.wave_decide(1, WaveWord::Approve, "anna".to_owned(), "meant".to_owned());
        assert!(said.await.expect("decided").is_some());
        assert_eq!(scene.says(due).await, ["1"]);
        assert_eq!(place().await, Some((InDialler::Locked, true)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_contact_that_is_seen_twice_before_the_crm_is_told_is_stored_both_times() {
        let scene = scene().await;
        scene.link("1", Some(11), &[]).await;
        scene.ledger.status_told_set(scene.route.clone(), BlocksTold::Told).await.expect("set");
        // As a sweep stores what it sees: an upsert, whose answer to a conflict would count for the triggers, too.
        for _ in 0..2 {
            for next_try in ["2030-01-07T10:00:00.000000Z", "2030-01-07T11:00:00.000000Z"] {
                let seen = scene.ledger.write("test_seen", move |tx| {
                    tx.execute(
                        "INSERT INTO contacts (contact_id, seen_seq, seen_at, next_try) VALUES (11, 1, '', ?1)
                         ON CONFLICT (contact_id) DO UPDATE SET next_try = excluded.next_try",
                        [next_try],
                    )
                });
                assert_eq!(seen.await.expect("stored"), 1);
            }
        }
    }
}
