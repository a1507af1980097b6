//! A final result, or one on another route that holds the person out, that came after it was decided to let somebody be
//! called (again), or to bring a contact another number: asked for once more when the operation is leased, because it may
//! have waited for long.

use super::finals;
use super::held_out::{self, Person, Whom};
use super::hints;
use super::leased::Leased;
use super::sql::{self, time};
use crate::domain::ended::brought;
use crate::domain::{LastResult, LinkId, OperationId, OperationKind, Reason, ReasonCode, Timestamp, Values};
use rusqlite::Transaction;

/// Whether an operation may still go.
pub(super) enum Standing {
    /// Nothing came in its way.
    Stands,
    /// It was given up: its last result is final now, or the person is held out.
    Overtaken,
}

/// Gives the operation up if its last result is final now, or a call on another route holds the person out. What a person asked for themselves stands: nobody else may
/// undo a final result. One of ours that a person let go stays one of ours.
pub(super) fn judge(tx: &Transaction<'_>, operation: &Leased, now: Timestamp) -> rusqlite::Result<Standing> {
    // Who was called to an end stays where that was, with what was said (users 4): a move would delete it.
    let moves = operation.kind == OperationKind::Delete && operation.reason.code == ReasonCode::CampaignMoves;
    if !moves && !operation.kind.makes_callable() || operation.reason.code == ReasonCode::ByHand {
        return Ok(Standing::Stands);
    }
    let person = Person::of(tx, operation.link)?;
    let last = match &person {
        Some(person) => finals::of_person(tx, &person.whom(), Some(operation.link))?,
        None => finals::of_link(tx, operation.link)?,
    };
    let against = match (last, &person) {
        (LastResult::Final(call), _) => Some(Reason::final_result(call)),
        (LastResult::None | LastResult::Open, Some(person)) if !moves => {
            held_out::against(tx, &person.whom(), now)?
        }
        (LastResult::None | LastResult::Open, _) => None,
    };
    let Some(reason) = against else { return Ok(Standing::Stands) };
    give_up(tx, operation.id, operation.link, &reason, now)?;
    Ok(Standing::Overtaken)
}

/// Gives an update up that would bring its contact a number on which somebody else was called to an end. The contact stays
/// as it is, with the number it has, and its record is decided anew, which locks it. What a person gave is that person's.
pub(super) fn judge_numbers(
    tx: &Transaction<'_>,
    operation: &Leased,
    values: &Values,
    now: Timestamp,
) -> rusqlite::Result<Standing> {
    if operation.kind != OperationKind::Update || operation.given.is_some() {
        return Ok(Standing::Stands);
    }
    let sent = values.iter().map(|(field, value)| (*field, value));
    let numbers: Vec<String> = brought(sent, &operation.view.base).into_iter().collect();
    if numbers.is_empty() {
        return Ok(Standing::Stands);
    }
    let Some(person) = Person::of(tx, operation.link)? else { return Ok(Standing::Stands) };
    let whom = Whom { numbers: &numbers, ..person.whom() };
    match finals::ended_numbers(tx, &whom, Some(operation.link))?.first() {
        Some(ended) => {
            end(tx, operation.id, &Reason::number_ended(ended.call), now)?;
            hints::link_in(tx, now, operation.link, "overtaken")?;
            Ok(Standing::Overtaken)
        }
        None => Ok(Standing::Stands),
    }
}

fn end(tx: &Transaction<'_>, id: OperationId, reason: &Reason, now: Timestamp) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "UPDATE operations SET state = 'superseded', outcome = ?3, outcome_params = ?4, finished_at = ?2 WHERE id = ?1",
    )?
    .execute((id.0, time(now), sql::code(reason), reason.params_json()))?;
    Ok(())
}

/// An unlock waited, and was taken back by a decision that knows the result as final: the contact is as locked as before, and that is
/// wished, so that each night says so once more and a result that is taken back has the record decided anew. What has left
/// already, or a person asked for, is not undone.
pub(super) fn stays_locked(tx: &Transaction<'_>, link: LinkId, notes: &[Reason]) -> rusqlite::Result<()> {
    let Some(reason) = notes.iter().find(|note| note.code == ReasonCode::FinalResult) else { return Ok(()) };
    tx.prepare_cached(
        "UPDATE links SET wish = 'locked', wish_code = ?2, wish_params = ?3
         WHERE id = ?1 AND lock_state = 'locked' AND wish = 'callable'
           AND NOT EXISTS (SELECT 1 FROM operations o WHERE o.link_id = links.id AND o.kind = 'unlock'
                AND o.state IN ('waiting', 'sending', 'uncertain'))",
    )?
    .execute((link.0, sql::code(reason), reason.params_json()))?;
    Ok(())
}

/// The link wishes what it wished before, and its record is decided anew, so that it is told what it waits for.
fn give_up(
    tx: &Transaction<'_>,
    id: OperationId,
    link: LinkId,
    reason: &Reason,
    now: Timestamp,
) -> rusqlite::Result<()> {
    end(tx, id, reason, now)?;
    // Where a person's unlock waits as well, that one decides.
    tx.prepare_cached(
        "UPDATE links SET wish_code = ?2, wish_params = ?3,
                wish = CASE WHEN contact_id IS NULL OR vanished_at IS NOT NULL THEN 'none' ELSE 'locked' END
         WHERE id = ?1 AND (contact_id IS NULL OR vanished_at IS NOT NULL OR lock_state = 'locked')
           AND NOT EXISTS (SELECT 1 FROM operations o WHERE o.link_id = links.id AND o.state = 'waiting'
                AND o.kind = 'unlock' AND o.code = 'by_hand')",
    )?
    .execute((link.0, sql::code(reason), reason.params_json()))?;
    hints::link_in(tx, now, link, "overtaken")
}

#[cfg(test)]
mod tests {
    use crate::domain::LinkId;
    use crate::ledger::testing::{Scene, scene};

    /// A call whose result is of a type (`done`), or of none that is known.
    async fn call(scene: &Scene, link: LinkId, code: i64, done: Option<i64>) {
        let written = scene.ledger.write("test_call", move |tx| {
            if let Some(done) = done {
                tx.execute(
                    "INSERT INTO result_codes (campaign_id, code, done, delay, first_seen, last_seen)
                     VALUES (7, ?1, ?2, 1 - ?2, '2030-01-07T09:00:00.000000Z', '2030-01-07T09:00:00.000000Z')",
                    (code, done),
                )?;
            }
            tx.execute(
                "INSERT INTO calls (history_id, contact_id, link_id, campaign_id, hash, row, result_code, first_seen_at,
                                    changed_at, run_id)
                 VALUES (?1, 90, ?2, 7, x'', '{}', ?1, '2030-01-07T09:00:00.000000Z',
                         '2030-01-07T09:00:00.000000Z', 1)",
                (code, link.0),
            )
        });
        written.await.expect("a call");
    }

    /// A route of the same client, whose results hold others out, with a call that nobody has a word for.
    async fn refused_elsewhere(scene: &Scene, number: &'static str) {
        let rules = "hold_rules = '{\"words\":[\"SALE\"],\"unmapped\":\"hold\",\"cool_off\":null}'";
        scene.route_beside("winback", &["campaign_id = 8", rules]).await;
        let written = scene.ledger.write("test_route", move |tx| {
            tx.execute_batch(
                "INSERT INTO links (client, route, record_id, user_data, folded, campaign_id, contact_id, wish, wish_code,
                                    created_at)
                    VALUES ('house', 'winback', '77', 'winback-77', 'winback-77', 8, 91, 'callable', 'new_record',
                            '2030-01-07T08:00:00.000000Z');
                 INSERT INTO calls (history_id, contact_id, link_id, campaign_id, hash, row, result_code, first_seen_at,
                                    changed_at, run_id)
                    SELECT 12, 91, id, 8, x'', '{}', 83, '2030-01-07T09:00:00.000000Z', '2030-01-07T09:00:00.000000Z', 1
                    FROM links WHERE route = 'winback';",
            )?;
            tx.execute("INSERT INTO link_numbers SELECT ?1, id FROM links WHERE route = 'winback'", [number])
        });
        written.await.expect("another route");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_made_anew_whom_a_call_on_another_route_holds_out_while_the_import_waited() {
        for (number, state) in [("+49301", "superseded"), ("+49302", "sending")] {
            let scene = scene().await;
            let link = scene.link("1", None, &["+49301"]).await;
            scene.operation(link, "import", "waiting").await;
            refused_elsewhere(&scene, number).await;
            let absent = scene.ledger.write("test_absent", move |tx| {
                tx.execute(
                    "UPDATE links SET absent_at = '2030-01-07T09:00:00.000000Z' WHERE id = ?1",
                    [link.0],
                )
            });
            absent.await.expect("asked for");
            scene.lease().await;
            assert_eq!(scene.operations(link).await, [("import".to_owned(), state.to_owned())], "{number}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_made_anew_who_was_called_to_an_end_under_another_record_while_the_import_waited() {
        for (number, state) in [("+49301", "superseded"), ("+49302", "sending")] {
            let scene = scene().await;
            let link = scene.link("1", None, &["+49301"]).await;
            scene.operation(link, "import", "waiting").await;
            let other = scene.link("2", Some(90), &[number]).await;
            call(&scene, other, 11, Some(1)).await;
            let absent = scene.ledger.write("test_absent", move |tx| {
                tx.execute(
                    "UPDATE links SET absent_at = '2030-01-07T09:00:00.000000Z' WHERE id = ?1",
                    [link.0],
                )
            });
            absent.await.expect("asked for");
            scene.lease().await;
            assert_eq!(scene.operations(link).await, [("import".to_owned(), state.to_owned())], "{number}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_made_anew_whose_result_became_final_while_the_import_waited() {
        let results =
            [(Some(0), "sending", "callable"), (Some(1), "superseded", "none"), (None, "superseded", "none")];
        for (done, state, wish) in results {
            let scene = scene().await;
            // Its contact is gone; the calls that it had are the record's still.
            let link = scene.link("1", None, &[]).await;
            scene.operation(link, "import", "waiting").await;
            call(&scene, link, 11, done).await;
            let absent = scene.ledger.write("test_absent", move |tx| {
                tx.execute(
                    "UPDATE links SET absent_at = '2030-01-07T09:00:00.000000Z' WHERE id = ?1",
                    [link.0],
                )
            });
            absent.await.expect("asked for");
            let batch = scene.lease().await;
            assert_eq!(scene.operations(link).await, [("import".to_owned(), state.to_owned())], "{done:?}");
            assert_eq!((batch.going.len() as i64) + batch.superseded, 1, "each is counted once");
            let read = scene.ledger.read("test_link", move |connection| {
                connection.query_row(
                    "SELECT l.wish, (SELECT count(*) FROM hints) FROM links l WHERE l.id = ?1",
                    [link.0],
                    |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)),
                )
            });
            let expected = (wish.to_owned(), i64::from(state != "sending"));
            assert_eq!(read.await.expect("a link"), expected, "its record is decided anew: {done:?}");
        }
    }
}
