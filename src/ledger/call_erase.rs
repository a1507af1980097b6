//! Calls older than their retention lose their texts and numbers; that there was a call, when, how it ended and what the
//! CRM was told of it stays. The dialler goes on naming such calls: of them only what is kept is compared, so that
//! nothing comes back, nothing is a change and nothing is told anew.

use super::calls::content_hash;
use super::sql::{json, time};
use super::{Ledger, LedgerError, called_numbers};
use crate::domain::{HistoryId, Timestamp};
use chrono::TimeDelta;
use rusqlite::{Connection, Transaction};
use serde_json::{Map, Value};

/// So many calls are looked at, and erased, at once.
const CHUNK: u32 = 1_000;

/// What stays of a row: its times, and numbers and flags that are codes. Telephone numbers are no codes.
pub(super) fn lasting(fields: &Map<String, Value>) -> Map<String, Value> {
    let stays = |name: &str, value: &Value| match value {
        Value::Bool(_) => true,
        Value::Number(_) => !name.ends_with("Number"),
        Value::String(_) => name.starts_with("dt"),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    };
    let kept = fields.iter().filter(|(name, value)| stays(name, value));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Whether a row, received once more, says of an erased call what is known of it.
pub(super) fn says_the_same(known: &Map<String, Value>, received: &Map<String, Value>, hash: &[u8]) -> bool {
    let mut merged = known.clone();
    merged.extend(lasting(received));
    // What is received as null is no longer there.
    merged.retain(|name, _| !received.get(name).is_some_and(Value::is_null));
    content_hash(&merged) == hash
}

impl Ledger {
    /// Erases texts and numbers of calls that did not change for so long. What still waits for its result, or is still to
    /// be told or looked at, is left. Answers how many calls.
    ///
    /// # Errors
    /// The ledger cannot be written; what was erased before stays so.
    pub async fn calls_erase(&self, keep: TimeDelta) -> Result<usize, LedgerError> {
        let now = self.env.now();
        let before = time(now.checked_sub_signed(keep).unwrap_or_default());
        let (mut from, mut erased) = ((String::new(), 0), 0);
        loop {
            let until = before.clone();
            let found = self.read("calls_old", move |connection| old(connection, &from, &until)).await?;
            let Some(last) = found.last().cloned() else { return Ok(erased) };
            from = last;
            let ids: Vec<i64> = found.into_iter().map(|(_, id)| id).collect();
            let until = before.clone();
            erased += self.write("calls_erase", move |tx| erase(tx, &ids, &until, now)).await?;
        }
    }
}

const OLD: &str = "c.erased_at IS NULL AND c.open = 0 AND c.changed_at <= ?2
     AND NOT EXISTS (SELECT 1 FROM results_due d WHERE d.history_id = c.history_id)
     AND NOT EXISTS (SELECT 1 FROM write_backs w WHERE w.history_id = c.history_id
                     AND w.state NOT IN ('done', 'never', 'gone'))
     AND NOT EXISTS (SELECT 1 FROM write_backs f WHERE f.link_id = c.link_id AND f.kind = 'fields'
                     AND f.state NOT IN ('done', 'never', 'gone'))";

/// By the index over what is not erased yet: what is old enough, and nothing else, from a place on.
const NEXT: &str = "SELECT c.changed_at, c.history_id FROM calls c
     WHERE c.erased_at IS NULL AND c.open = 0 AND c.changed_at <= ?2
       AND (c.changed_at, c.history_id) > (?1, ?3)
       AND NOT EXISTS (SELECT 1 FROM results_due d WHERE d.history_id = c.history_id)
       AND NOT EXISTS (SELECT 1 FROM write_backs w WHERE w.history_id = c.history_id
                       AND w.state NOT IN ('done', 'never', 'gone'))
       AND NOT EXISTS (SELECT 1 FROM write_backs f WHERE f.link_id = c.link_id AND f.kind = 'fields'
                       AND f.state NOT IN ('done', 'never', 'gone'))
     ORDER BY c.changed_at, c.history_id LIMIT ?4";

/// The next ones, each with the place where it stands.
fn old(
    connection: &Connection,
    (since, id): &(String, i64),
    before: &str,
) -> rusqlite::Result<Vec<(String, i64)>> {
    connection
        .prepare_cached(NEXT)?
        .query_map((since, before, id, CHUNK), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// Asked once more in the writer's transaction: a result may have come meanwhile.
fn erase(tx: &Transaction<'_>, ids: &[i64], before: &str, now: Timestamp) -> rusqlite::Result<usize> {
    let mut read =
        tx.prepare_cached(&format!("SELECT c.row FROM calls c WHERE c.history_id = ?1 AND {OLD}"))?;
    let mut update = tx.prepare_cached(
        "UPDATE calls SET row = ?2, hash = ?3, number = NULL, note = NULL, erased_at = ?4 WHERE history_id = ?1",
    )?;
    let mut older = tx.prepare_cached("DELETE FROM call_revisions WHERE history_id = ?1")?;
    let mut erased = 0;
    for id in ids {
        let rows: Vec<String> =
            read.query_map((id, before), |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        for row in rows {
            let kept = lasting(&serde_json::from_str(&row).unwrap_or_default());
            older.execute([id])?;
            called_numbers::forget(tx, HistoryId(*id))?;
            erased += update.execute((id, json(&kept)?, content_hash(&kept), time(now)))?;
        }
    }
    Ok(erased)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{CampaignId, ContactId, RunId};
    use crate::ledger::testing::{Scene, scene};
    use crate::ledger::{
        CallFilter, CallRow, CallView, ChunkStored, HarvestRules, HistoryRead, ReadContext, Share,
    };
    use serde_json::json;

    const KEEP: TimeDelta = TimeDelta::days(400);

    /// A call as a history names it.
    async fn named(scene: &Scene, more: Value) -> ChunkStored {
        let mut fields = json!({
            "DiallerContactsHistoryID": 5, "bOutbound": true, "PhoneNumber": "4930111", "ANumber": 4930111,
            "dtCallStart": "2030-01-07T09:00:00", "dtCallEnd": "2030-01-07T09:01:00", "UsersID": 8,
        });
        fields.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let fields = fields.as_object().expect("an object").clone();
        let number = fields["PhoneNumber"].as_str().map(|digits| format!("+{digits}"));
        let rows = vec![CallRow { id: HistoryId(5), fields, number, times: Default::default() }];
        let read = HistoryRead {
            contact: ContactId(1),
            seq: scene.ledger.next_seq(),
            sent_at: scene.ledger.env.now(),
            fingerprint: None,
            seen: None,
            result: None,
            rows,
        };
        let context = ReadContext {
            run: RunId(1),
            campaign: CampaignId(7),
            share: Share::Due,
            result_in_list: true,
            rules: HarvestRules::default(),
        };
        scene.ledger.history_store(vec![read], context).await.expect("stored")
    }

    async fn call(scene: &Scene) -> CallView {
        scene.ledger.calls_list(CallFilter::default(), 9).await.expect("calls").remove(0)
    }

    async fn stored(scene: &Scene) -> String {
        let read = scene.ledger.read("test_row", |connection| {
            connection.query_row("SELECT row FROM calls", [], |row| row.get(0))
        });
        read.await.expect("a row")
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_call_loses_texts_and_numbers_and_naming_it_again_is_no_change_and_brings_nothing_back() {
        let scene = scene().await;
        let result = json!({"DiallerCampaignsResultCodesID": 3, "Remark": "was rude"});
        named(&scene, result.clone()).await;
        scene.wait(24 * 399).await;
        assert_eq!(scene.ledger.calls_erase(KEEP).await.expect("erased"), 0, "not old enough");
        scene.wait(24 * 2).await;
        assert_eq!(scene.ledger.calls_erase(KEEP).await.expect("erased"), 1);
        assert_eq!(scene.ledger.calls_erase(KEEP).await.expect("erased"), 0, "once");
        let numbers = "SELECT count(*) || coalesce(max(number), '') FROM called_numbers";
        assert_eq!(scene.says(numbers).await, ["0"], "nor is anybody known by it");
        let gone = |row: &str| !row.contains("4930111") && !row.contains("rude");
        assert!(gone(&stored(&scene).await), "{}", stored(&scene).await);
        let known = call(&scene).await;
        assert_eq!(
            (known.number, known.result_code, known.agent, known.revision),
            (None, Some(3), Some(8), 1)
        );
        // As a whole, and as another kind of read shows it: less of it.
        for more in [result, json!({"DiallerCampaignsResultCodesID": 3, "UserData2": "y"})] {
            assert_eq!(named(&scene, more).await.calls_changed, 0);
        }
        assert!(gone(&stored(&scene).await), "it came back");
        assert_eq!(scene.says(numbers).await, ["0"], "it came back");
        // A correction after all is one, and the call is kept for as long again.
        assert_eq!(named(&scene, json!({"DiallerCampaignsResultCodesID": 4})).await.calls_changed, 1);
        let known = call(&scene).await;
        assert_eq!(
            (known.number.as_deref(), known.result_code, known.revision),
            (Some("4930111"), Some(4), 2)
        );
        assert_eq!(scene.says(numbers).await, ["1+4930111"]);
        assert_eq!(scene.ledger.calls_erase(KEEP).await.expect("erased"), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_old_is_found_without_a_walk_over_all_calls() {
        let plan = scene().await.plan_of(NEXT).await;
        let first = plan.first().cloned().unwrap_or_default();
        assert!(
            first.contains("SEARCH c USING") && first.contains("calls_to_erase (changed_at"),
            "{plan:#?}"
        );
        assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{plan:#?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_for_its_result_or_is_still_to_be_told_is_left() {
        let scene = scene().await;
        named(&scene, json!({})).await;
        scene.wait(24 * 401).await;
        assert_eq!(scene.ledger.calls_erase(KEEP).await.expect("erased"), 0, "its result is waited for");
        named(&scene, json!({"DiallerCampaignsResultCodesID": 3})).await;
        scene.wait(24 * 401).await;
        let link = scene.link("1", Some(1), &[]).await;
        let wait = scene.ledger.write("test_told", move |tx| {
            tx.execute(
                "INSERT INTO write_backs (kind, link_id, history_id, wanted, state, due_at, waits_since, changed_at, created_at)
                 VALUES ('activity', ?1, 5, 1, 'waiting', '2030', '2030', '2030', '2030')",
                [link.0],
            )
        });
        wait.await.expect("a row");
        assert_eq!(scene.ledger.calls_erase(KEEP).await.expect("erased"), 0, "the CRM does not know yet");
        let told =
            scene.ledger.write("test_told", |tx| tx.execute("UPDATE write_backs SET state = 'done'", []));
        told.await.expect("told");
        let fields = scene.ledger.write("test_fields", move |tx| {
            tx.execute(
                "INSERT INTO write_backs (kind, link_id, wanted, state, code, due_at, waits_since, changed_at, created_at)
                 VALUES ('fields', ?1, 1, 'held', 'unmapped_result', '2030', '2030', '2030', '2030')",
                [link.0],
            )
        });
        fields.await.expect("a row");
        scene.put("UPDATE calls SET link_id = (SELECT link_id FROM write_backs LIMIT 1)").await;
        assert_eq!(scene.ledger.calls_erase(KEEP).await.expect("erased"), 0, "its result waits for a word");
        scene.put("UPDATE write_backs SET state = 'done', code = NULL").await;
        assert_eq!(scene.ledger.calls_erase(KEEP).await.expect("erased"), 1);
    }
}
