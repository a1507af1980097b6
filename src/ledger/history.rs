//! What one read of a history changes, in one transaction: calls, fingerprint, due list, audit.

use super::call_notes;
use super::calls::{CallRow, ResultCode, Stored, learn_code, store_call};
use super::contacts::{ContactSeen, store_seen};
use super::due::{self, HarvestRules, Share};
use super::sql::{get_time, get_time_opt, time};
use super::{Ledger, LedgerError, results_codes, standing};
use crate::domain::{CallResult, CampaignId, ContactId, RunId, Seq, Timestamp};
use rusqlite::{OptionalExtension as _, Transaction};
use serde_json::Value;
use std::collections::BTreeSet;

/// What one read of a contact's history brought.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryRead {
    /// The contact.
    pub contact: ContactId,
    /// Read order of the request.
    pub seq: Seq,
    /// When it was sent: what came onto the due list later is not served by it.
    pub sent_at: Timestamp,
    /// The fingerprint for which it was made.
    pub fingerprint: Option<Vec<u8>>,
    /// The contact's fields, where the batch read gave them.
    pub seen: Option<ContactSeen>,
    /// Its decoded result, where the batch read gave one.
    pub result: Option<ResultCode>,
    /// The rows.
    pub rows: Vec<CallRow>,
}

/// What is stored beside the reads of a chunk.
#[derive(Debug, Clone)]
pub struct ReadContext {
    /// The run.
    pub run: RunId,
    /// The campaign being harvested.
    pub campaign: CampaignId,
    /// Which part of the work it was.
    pub share: Share,
    /// Whether the plain list carries the current result code.
    pub result_in_list: bool,
    /// The rules.
    pub rules: HarvestRules,
}

/// What a chunk changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChunkStored {
    /// Rows that were new.
    pub calls_new: i64,
    /// Rows whose content changed.
    pub calls_changed: i64,
    /// Contacts whose outbound rows and tries disagree.
    pub not_adding_up: i64,
    /// Results that no call of the campaign had before.
    pub results_new: Vec<(CampaignId, CallResult)>,
}

impl Ledger {
    /// Stores what a chunk of reads brought: calls, fingerprints, due list and audit, in ONE transaction, so
    /// that a fingerprint never stands without what its read found (semantics 1).
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn history_store(
        &self,
        reads: Vec<HistoryRead>,
        context: ReadContext,
    ) -> Result<ChunkStored, LedgerError> {
        let now = self.env.now();
        self.write("history_store", move |tx| {
            let mut stored = ChunkStored::default();
            for read in &reads {
                store_read(tx, read, &context, now, &mut stored)?;
            }
            if context.share == Share::Audit {
                tx.prepare_cached(
                    "INSERT INTO meta (key, value) VALUES ('harvest_found_by_audit', ?1)
                     ON CONFLICT (key) DO UPDATE SET value = CAST(value AS INTEGER) + CAST(excluded.value AS INTEGER)
                     WHERE excluded.value <> '0'",
                )?
                .execute([(stored.calls_new + stored.calls_changed).to_string()])?;
            }
            Ok(stored)
        })
        .await
    }

    /// How many calls the audit found that the ladder had missed, ever.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn found_by_audit(&self) -> Result<i64, LedgerError> {
        self.read("found_by_audit", |connection| {
            let value: Option<i64> = connection
                .prepare_cached(
                    "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'harvest_found_by_audit'",
                )?
                .query_row([], |row| row.get(0))
                .optional()?;
            Ok(value.unwrap_or(0))
        })
        .await
    }
}

fn store_read(
    tx: &Transaction<'_>,
    read: &HistoryRead,
    context: &ReadContext,
    now: Timestamp,
    stored: &mut ChunkStored,
) -> rusqlite::Result<()> {
    if let Some(seen) = &read.seen {
        store_seen(tx, seen, read.seq, &context.rules, now)?;
    }
    if let Some(code) = &read.result {
        for campaign in campaigns_of(code.code, &read.rows, context.campaign) {
            learn_code(tx, campaign, code, now)?;
        }
    }
    let link: Option<i64> = tx
        .prepare_cached(
            "SELECT link_id FROM link_contacts WHERE contact_id = ?1 ORDER BY until IS NULL DESC, since DESC LIMIT 1",
        )?
        .query_row([read.contact.0], |row| row.get(0))
        .optional()?;
    for row in &read.rows {
        match store_call(tx, read.contact, link, row, context, now)? {
            Stored::New => stored.calls_new += 1,
            Stored::Changed => stored.calls_changed += 1,
            Stored::Same => continue,
        }
        stored.results_new.extend(results_codes::first_of_its_kind(tx, row.id)?);
    }
    call_notes::attach(tx, read.contact, now)?;
    standing::called(tx, read.contact, now)?;
    due::serve(tx, read.contact, read.fingerprint.as_deref(), read.sent_at, now, &context.rules)?;
    wait_for_results(tx, read.contact, &context.rules, now)?;
    if !adds_up(tx, read.contact, &context.rules, now)? {
        stored.not_adding_up += 1;
    }
    note_read(tx, read, context, now)
}

/// Whose code a contact's result is: that of the campaigns whose calls bear it. A contact that was moved keeps the result
/// that it brought along, and `known_here` does not have its number.
fn campaigns_of(code: i64, rows: &[CallRow], known_here: CampaignId) -> BTreeSet<CampaignId> {
    let bears = |row: &&CallRow| {
        row.fields.get("DiallerCampaignsResultCodesID").and_then(Value::as_i64) == Some(code)
    };
    let theirs: BTreeSet<CampaignId> =
        rows.iter().filter(bears).map(|row| row.campaign().unwrap_or(known_here)).collect();
    if theirs.is_empty() { [known_here].into() } else { theirs }
}

/// As long as a call has no result or no end, its contact is looked at by the ladder, up to seven days.
fn wait_for_results(
    tx: &Transaction<'_>,
    contact: ContactId,
    rules: &HarvestRules,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let too_old = time(now - rules.waiting);
    tx.prepare_cached(
        "UPDATE calls SET open = 0, no_result_given = (result_code IS NULL)
         WHERE contact_id = ?1 AND open = 1 AND first_seen_at <= ?2",
    )?
    .execute((contact.0, too_old))?;
    let newest: Option<Timestamp> = tx
        .prepare_cached("SELECT max(first_seen_at) AS newest FROM calls WHERE contact_id = ?1 AND open = 1")?
        .query_row([contact.0], |row| get_time_opt(row, "newest"))?;
    let since = newest.unwrap_or(now);
    due::replace(tx, contact, "waiting", since, newest.and_then(|since| rules.next_waiting(since, now)))
}

/// Whether the outbound rows since our last reset are as many as the tries; if not, the contact stays due.
fn adds_up(
    tx: &Transaction<'_>,
    contact: ContactId,
    rules: &HarvestRules,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    let (tries, rows): (i64, i64) = tx
        .prepare_cached(
            "SELECT coalesce((SELECT tries FROM contacts WHERE contact_id = ?1), 0),
                    count(*) FROM calls k
             WHERE k.contact_id = ?1 AND k.outbound = 1 AND k.test IS NOT 1 AND k.started_text IS NOT NULL
               AND coalesce(k.started_at, k.created_at, k.first_seen_at)
                   > coalesce((SELECT reset_at FROM contacts WHERE contact_id = ?1), '')",
        )?
        .query_row([contact.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if tries == rows {
        due::replace(tx, contact, "sum", now, None)?;
        return Ok(true);
    }
    let since: Option<Timestamp> = tx
        .prepare_cached("SELECT since FROM harvest_due WHERE contact_id = ?1 AND reason = 'sum'")?
        .query_row([contact.0], |row| get_time(row, "since"))
        .optional()?;
    let since = since.unwrap_or(now);
    due::replace(tx, contact, "sum", since, Some(rules.next_sum(since, now)))?;
    Ok(false)
}

fn note_read(
    tx: &Transaction<'_>,
    read: &HistoryRead,
    context: &ReadContext,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let newest: Option<Timestamp> = tx
        .prepare_cached(
            "SELECT max(coalesce(started_at, created_at, first_seen_at)) AS newest FROM calls WHERE contact_id = ?1",
        )?
        .query_row([read.contact.0], |row| get_time_opt(row, "newest"))?;
    let touched: bool = tx
        .prepare_cached("SELECT tries > 0 OR result_code IS NOT NULL FROM contacts WHERE contact_id = ?1")?
        .query_row([read.contact.0], |row| row.get(0))
        .optional()?
        .unwrap_or(false);
    // A change of a contact with tries or a result: it was active until a moment ago, whatever its rows say.
    let active = newest.max((read.fingerprint.is_some() && touched).then_some(now));
    let old: Option<Timestamp> = tx
        .prepare_cached("SELECT active_at FROM contacts WHERE contact_id = ?1")?
        .query_row([read.contact.0], |row| get_time_opt(row, "active_at"))
        .optional()?
        .flatten();
    let active = active.max(old);
    let audit = context.rules.next_audit(read.contact, active, context.result_in_list, now);
    tx.prepare_cached(
        "UPDATE contacts SET read_at = ?2, active_at = ?3, audit_at = coalesce(?4, audit_at),
                result_code = CASE WHEN ?5 THEN result_code ELSE (SELECT result_code FROM calls
                    WHERE contact_id = ?1 AND result_code IS NOT NULL
                      AND coalesce(started_at, created_at, first_seen_at) > coalesce(contacts.reset_at, '')
                    ORDER BY history_id DESC LIMIT 1) END
         WHERE contact_id = ?1",
    )?
    .execute((
        read.contact.0,
        // Of what came after it was asked for it says nothing, however late it is stored.
        time(read.sent_at),
        active.map(time),
        audit.map(time),
        // The newest row's result stands in for the current one only where nothing better is known.
        context.result_in_list || read.seen.as_ref().is_some_and(|seen| seen.result.is_some()),
    ))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::scene;
    use super::*;
    use crate::domain::{CallTimes, HistoryId, ReadTime, TimeReading};
    use serde_json::{Value, json};

    fn row(id: i64, start: Option<Timestamp>, more: Value) -> CallRow {
        let mut fields = json!({"DiallerContactsHistoryID": id, "bOutbound": true, "bTestCall": false});
        let object = fields.as_object_mut().expect("an object");
        object.extend(more.as_object().expect("an object").clone());
        let start = start.map(|at| ReadTime { at, how: TimeReading::First });
        if start.is_some() {
            object.insert("dtCallStart".to_owned(), json!("as received"));
        }
        let fields = object.clone();
        CallRow {
            id: HistoryId(id),
            fields,
            number: None,
            times: CallTimes { start, ..CallTimes::default() },
        }
    }

    async fn store(ledger: &Ledger, rows: Vec<CallRow>) -> ChunkStored {
        let read = HistoryRead {
            contact: ContactId(1),
            seq: ledger.next_seq(),
            sent_at: ledger.env.now(),
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
        ledger.history_store(vec![read], context).await.expect("stored")
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_is_a_revision_and_the_old_content_is_kept() {
        let scene = scene().await;
        let now = scene.ledger.env.now();
        let with =
            |code: Value| row(5, Some(now), json!({"DiallerCampaignsResultCodesID": code, "UserData2": "x"}));
        assert_eq!(store(&scene.ledger, vec![with(json!(3))]).await.calls_new, 1);
        assert_eq!(store(&scene.ledger, vec![with(json!(3))]).await.calls_changed, 0);
        // What shows the contact, and what an answer leaves out, is no change of the call.
        let other = row(5, Some(now), json!({"UserData2": "y"}));
        assert_eq!(store(&scene.ledger, vec![other]).await.calls_changed, 0);
        assert_eq!(store(&scene.ledger, vec![with(json!(4))]).await.calls_changed, 1);
        assert_eq!(
            store(&scene.ledger, vec![with(Value::Null)]).await.calls_changed,
            1,
            "a result taken back"
        );
        let kept: Vec<i64> = scene
            .ledger
            .read("test_revisions", |connection| {
                connection
                    .prepare(
                        "SELECT json_extract(row, '$.DiallerCampaignsResultCodesID') FROM call_revisions
                              ORDER BY revision",
                    )?
                    .query_map([], |row| row.get(0))?
                    .collect()
            })
            .await
            .expect("revisions");
        assert_eq!(kept, [3, 4]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_better_reading_of_a_time_is_no_revision() {
        let scene = scene().await;
        let now = scene.ledger.env.now();
        store(&scene.ledger, vec![row(5, Some(now), json!({}))]).await;
        let mut better = row(5, Some(now), json!({}));
        better.times.start =
            Some(ReadTime { at: now + chrono::TimeDelta::hours(1), how: TimeReading::ByOrder });
        assert_eq!(store(&scene.ledger, vec![better]).await.calls_changed, 0);
        let calls = scene.ledger.calls_list(super::super::CallFilter::default(), 9).await.expect("calls");
        assert_eq!(calls[0].started, Some(now + chrono::TimeDelta::hours(1)));
        assert_eq!((calls[0].time_read.as_deref(), calls[0].revision), (Some("by_order"), 1));
    }

    #[tokio::test(start_paused = true)]
    async fn rows_and_tries_are_compared_since_our_last_reset() {
        let scene = scene().await;
        scene.contact_number(1, "+4930111").await;
        let old = scene.ledger.env.now();
        assert_eq!(store(&scene.ledger, vec![row(5, Some(old), json!({}))]).await.not_adding_up, 1);
        scene.wait(1).await;
        let now = scene.ledger.env.now();
        scene
            .ledger
            .write("test_reset", move |tx| due::enter_ours(tx, ContactId(1), now, true))
            .await
            .expect("reset");
        let due = |at| scene.ledger.due_take(CampaignId(7), Share::Due, at, 9);
        assert_eq!(due(now).await.expect("due").len(), 1, "what we did is read at once");
        assert_eq!(store(&scene.ledger, Vec::new()).await.not_adding_up, 0, "the old row is from before");
        let result_only = row(6, None, json!({"DiallerCampaignsResultCodesID": 3}));
        assert_eq!(store(&scene.ledger, vec![result_only]).await.not_adding_up, 0, "a result is no try");
    }
}
