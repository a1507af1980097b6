//! Which numbers were called: a record may get another one afterwards, and whoever has the old one is still the person
//! who said no on it.

use super::calls::CallRow;
use crate::domain::{ContactId, HistoryId};
use rusqlite::Transaction;

/// Notes which number a call was made on. Of a row that names none that can be read (a result may come without a call)
/// those that its contact has by now; a row that is stored anew takes nothing away.
pub(super) fn note(
    tx: &Transaction<'_>,
    call: &CallRow,
    contact: ContactId,
    link: Option<i64>,
) -> rusqlite::Result<()> {
    match &call.number {
        Some(number) => tx
            .prepare_cached("INSERT OR IGNORE INTO called_numbers (number, history_id) VALUES (?1, ?2)")?
            .execute((number, call.id.0)),
        None => tx
            .prepare_cached(
                "INSERT OR IGNORE INTO called_numbers (number, history_id)
                 SELECT n.number, ?1 FROM (SELECT number FROM contact_numbers WHERE contact_id = ?2
                                           UNION ALL SELECT number FROM link_numbers WHERE link_id = ?3) n
                 WHERE NOT EXISTS (SELECT 1 FROM called_numbers k WHERE k.history_id = ?1)",
            )?
            .execute((call.id.0, contact.0, link)),
    }?;
    Ok(())
}

/// An old call loses its numbers: nobody is known by them any more.
pub(super) fn forget(tx: &Transaction<'_>, call: HistoryId) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM called_numbers WHERE history_id = ?1")?.execute([call.0])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::testing::{Scene, scene};

    /// What is known of call 51 of contact 11 once its row named this number.
    async fn noted(scene: &Scene, number: Option<&str>) -> Vec<String> {
        let (number, times) = (number.map(str::to_owned), Default::default());
        let call = CallRow { id: HistoryId(51), fields: Default::default(), number, times };
        let link = scene.says("SELECT id FROM links").await[0].parse().expect("a link");
        let written = scene.ledger.write("test_note", move |tx| note(tx, &call, ContactId(11), Some(link)));
        written.await.expect("noted");
        scene.says("SELECT number FROM called_numbers ORDER BY number").await
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_is_known_by_its_number_and_a_result_without_a_call_by_those_of_its_contact() {
        for (number, later, expected) in [
            (Some("+49301"), None, vec!["+49301"]),
            (Some("+49301"), Some("+49302"), vec!["+49301", "+49302"]),
            (None, None, vec!["+49308", "+49309"]),
        ] {
            let scene = scene().await;
            let link = scene.link("1", Some(11), &["+49308"]).await;
            scene.contact_number(11, "+49309").await;
            scene.call(link, 51, "result_code = 3").await;
            noted(&scene, number).await;
            scene.put("UPDATE link_numbers SET number = '+49307'; DELETE FROM contact_numbers").await;
            assert_eq!(noted(&scene, later).await, expected, "{number:?} {later:?}");
        }
    }
}
