//! Calls by (history id, revision): the revision is raised each time the content changes.

use super::history::ReadContext;
use super::sql::{get_time, json, time};
use super::{Ledger, LedgerError, call_erase, called_numbers, held_again, results_due, write_back};
use crate::domain::{CallTimes, CampaignId, ContactId, HistoryId, ReadTime, TimeReading, Timestamp};
use rusqlite::{OptionalExtension as _, Row, Transaction, named_params};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// A history row, its times resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct CallRow {
    /// Its number.
    pub id: HistoryId,
    /// Its fields as received; what the batch read nests is laid out flat.
    pub fields: Map<String, Value>,
    /// The number that was called, in E.164; `None` where the row names none that can be read.
    pub number: Option<String>,
    /// Its times as instants.
    pub times: CallTimes,
}

impl CallRow {
    /// The campaign in which the call was made, where the row says it.
    pub(super) fn campaign(&self) -> Option<CampaignId> {
        self.fields.get("DiallerCampaignsID").and_then(Value::as_i64).map(CampaignId)
    }
}

/// A result code as the batch read explains it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultCode {
    /// The number; it differs from campaign to campaign for the same thing.
    pub code: i64,
    /// Its text.
    pub name: Option<String>,
    /// The key by which a back-end knows it.
    pub export_key: Option<String>,
    /// Success, final.
    pub done: Option<bool>,
    /// Failure, final.
    pub aborted: Option<bool>,
    /// To be called again after some time.
    pub delay: Option<bool>,
    /// To be called at a date.
    pub appointment: Option<bool>,
}

/// Fields of a row that are no part of the call: they show the contact as it is now, and rows of years would
/// change with it.
const NOT_OF_THE_CALL: [&str; 4] = ["UserData", "UserData2", "UserData3", "ClientsID"];

impl Ledger {
    /// When the rows around a history id of the campaign were created, as far as that is sure: ids are given
    /// in the order of creation, so this settles the doubled hour (semantics 23).
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn call_neighbours(
        &self,
        campaign: CampaignId,
        id: HistoryId,
    ) -> Result<(Option<Timestamp>, Option<Timestamp>), LedgerError> {
        self.read("call_neighbours", move |connection| {
            let side = |sql: &str| -> rusqlite::Result<Option<Timestamp>> {
                connection
                    .prepare_cached(sql)?
                    .query_row((campaign.0, id.0), |row| get_time(row, "created_at"))
                    .optional()
            };
            // Of a doubtful one the first occurrence is stored: nothing after it is earlier than that. As an upper bound
            // it would be wrong.
            let before = side(
                "SELECT created_at FROM calls WHERE campaign_id = ?1 AND history_id < ?2 AND created_at IS NOT NULL
                    AND resolved <> 'gap' ORDER BY history_id DESC LIMIT 1",
            )?;
            let after = side(
                "SELECT created_at FROM calls WHERE campaign_id = ?1 AND history_id > ?2 AND created_at IS NOT NULL
                    AND resolved NOT IN ('first', 'gap') ORDER BY history_id LIMIT 1",
            )?;
            Ok((before, after))
        })
        .await
    }
}

/// What became of a row.
pub(super) enum Stored {
    /// Not known before.
    New,
    /// Its content changed.
    Changed,
    /// As stored.
    Same,
}

/// A call as it is stored.
struct Known {
    revision: i64,
    hash: Vec<u8>,
    row: String,
    resolved: Option<String>,
    erased: bool,
}

impl Known {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            revision: row.get("revision")?,
            hash: row.get("hash")?,
            row: row.get("row")?,
            resolved: row.get("resolved")?,
            erased: row.get::<_, Option<String>>("erased_at")?.is_some(),
        })
    }
}

pub(super) fn store_call(
    tx: &Transaction<'_>,
    contact: ContactId,
    link: Option<i64>,
    row: &CallRow,
    context: &ReadContext,
    now: Timestamp,
) -> rusqlite::Result<Stored> {
    let old = tx
        .prepare_cached("SELECT revision, hash, row, resolved, erased_at FROM calls WHERE history_id = ?1")?
        .query_row([row.id.0], Known::read)
        .optional()?;
    let Some(Known { revision, hash, row: old_row, resolved, erased }) = old else {
        insert_call(tx, contact, link, row, context, now)?;
        called_numbers::note(tx, row, contact, link)?;
        results_due::enter(tx, row.id)?;
        held_again::result_came(tx, row.id, now)?;
        write_back::want(tx, row.id, now)?;
        return Ok(Stored::New);
    };
    // A field that an answer leaves out says nothing: history and batch read do not show the same set.
    let mut merged: Map<String, Value> = serde_json::from_str(&old_row).unwrap_or_default();
    if erased && call_erase::says_the_same(&merged, &row.fields, &hash) {
        return Ok(Stored::Same);
    }
    merged.extend(row.fields.clone());
    let new_hash = content_hash(&merged);
    if new_hash == hash {
        let better = |old: &str| TimeReading::parse(old) > row.times.how();
        if resolved.as_deref().is_some_and(better) {
            set_times(tx, row)?;
        }
        return Ok(Stored::Same);
    }
    tx.prepare_cached(
        "INSERT INTO call_revisions (history_id, revision, row, seen_at, run_id)
         SELECT history_id, revision, row, changed_at, run_id FROM calls WHERE history_id = ?1",
    )?
    .execute([row.id.0])?;
    let facts = Facts::of(&merged);
    tx.prepare_cached(
        "UPDATE calls SET revision = :revision, hash = :hash, row = :row, started_text = :text, outbound = :outbound,
                test = :test, number = :number, result_code = :code, result_type = :type, open = :open,
                no_result_given = 0, erased_at = NULL, changed_at = :now, run_id = :run, link_id = coalesce(link_id, :link)
         WHERE history_id = :id",
    )?
    .execute(named_params! {
        ":id": row.id.0, ":revision": revision + 1, ":hash": new_hash, ":row": json(&merged)?,
        ":text": facts.started_text, ":outbound": facts.outbound, ":test": facts.test, ":number": facts.number,
        ":code": facts.result_code, ":type": facts.result_type, ":open": facts.open, ":now": time(now),
        ":run": context.run.0, ":link": link,
    })?;
    set_times(tx, row)?;
    called_numbers::note(tx, row, contact, link)?;
    results_due::enter(tx, row.id)?;
    held_again::result_came(tx, row.id, now)?;
    write_back::want(tx, row.id, now)?;
    Ok(Stored::Changed)
}

fn insert_call(
    tx: &Transaction<'_>,
    contact: ContactId,
    link: Option<i64>,
    row: &CallRow,
    context: &ReadContext,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let facts = Facts::of(&row.fields);
    let campaign = row.campaign().unwrap_or(context.campaign).0;
    tx.prepare_cached(
        "INSERT INTO calls (history_id, contact_id, link_id, campaign_id, hash, row, started_text, outbound, test,
                            number, result_code, result_type, open, first_seen_at, changed_at, run_id)
         VALUES (:id, :contact, :link, :campaign, :hash, :row, :text, :outbound, :test, :number, :code, :type, :open,
                 :now, :now, :run)",
    )?
    .execute(named_params! {
        ":id": row.id.0, ":contact": contact.0, ":link": link, ":campaign": campaign,
        ":hash": content_hash(&row.fields), ":row": json(&row.fields)?, ":text": facts.started_text,
        ":outbound": facts.outbound, ":test": facts.test, ":number": facts.number, ":code": facts.result_code,
        ":type": facts.result_type, ":open": facts.open, ":now": time(now), ":run": context.run.0,
    })?;
    set_times(tx, row)
}

/// An end once seen stays: a row that no longer carries it says nothing.
fn set_times(tx: &Transaction<'_>, row: &CallRow) -> rusqlite::Result<()> {
    let text = |read: Option<ReadTime>| read.map(|read| time(read.at));
    tx.prepare_cached(
        "UPDATE calls SET started_at = coalesce(?2, started_at), ended_at = coalesce(?3, ended_at),
                created_at = coalesce(?4, created_at), resolved = coalesce(?5, resolved)
         WHERE history_id = ?1",
    )?
    .execute((
        row.id.0,
        text(row.times.start),
        text(row.times.end),
        text(row.times.created),
        row.times.how().map(TimeReading::as_str),
    ))?;
    Ok(())
}

/// What of a row stands in columns of its own.
struct Facts {
    started_text: Option<String>,
    outbound: Option<bool>,
    test: Option<bool>,
    number: Option<String>,
    result_code: Option<i64>,
    result_type: Option<i64>,
    open: bool,
}

impl Facts {
    fn of(fields: &Map<String, Value>) -> Self {
        let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
        let flag = |name: &str| fields.get(name).and_then(Value::as_bool);
        let number = |name: &str| fields.get(name).and_then(Value::as_i64);
        let (started_text, ended, test) = (text("dtCallStart"), text("dtCallEnd"), flag("bTestCall"));
        let result_code = number("DiallerCampaignsResultCodesID");
        // A row may have a result and no call (facts 4); nobody gives a test call a result.
        let unfinished = result_code.is_none() || (started_text.is_some() && ended.is_none());
        Self {
            open: unfinished && test != Some(true),
            started_text,
            outbound: flag("bOutbound"),
            test,
            number: text("PhoneNumber"),
            result_code,
            result_type: number("DiallerResultCodesTypesID"),
        }
    }
}

/// Hash of the row's own scalars, by name; the text of its times, not what they were resolved to.
pub(super) fn content_hash(fields: &Map<String, Value>) -> Vec<u8> {
    let mut own: Vec<(&String, &Value)> = fields
        .iter()
        .filter(|(name, value)| {
            !NOT_OF_THE_CALL.contains(&name.as_str())
                && !matches!(value, Value::Object(_) | Value::Array(_) | Value::Null)
        })
        .collect();
    own.sort_by_key(|(name, _)| *name);
    let mut hasher = Sha256::new();
    for (name, value) in own {
        hasher.update(name.as_bytes());
        hasher.update([0]);
        hasher.update(value.to_string().as_bytes());
        hasher.update([0]);
    }
    hasher.finalize().to_vec()
}

fn known_code(tx: &Transaction<'_>, campaign: CampaignId, code: i64) -> rusqlite::Result<Option<ResultCode>> {
    tx.prepare_cached(
        "SELECT name, export_key, done, aborted, delay, appointment FROM result_codes
         WHERE campaign_id = ?1 AND code = ?2",
    )?
    .query_row((campaign.0, code), |row| {
        Ok(ResultCode {
            code,
            name: row.get(0)?,
            export_key: row.get(1)?,
            done: row.get(2)?,
            aborted: row.get(3)?,
            delay: row.get(4)?,
            appointment: row.get(5)?,
        })
    })
    .optional()
}

pub(super) fn learn_code(
    tx: &Transaction<'_>,
    campaign: CampaignId,
    code: &ResultCode,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let known = known_code(tx, campaign, code.code)?;
    // Seen again on the same day and unchanged: nothing is written.
    tx.prepare_cached(
        "INSERT INTO result_codes (campaign_id, code, name, export_key, done, aborted, delay, appointment, first_seen,
                                   last_seen)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)
         ON CONFLICT (campaign_id, code) DO UPDATE SET name = excluded.name, export_key = excluded.export_key,
            done = excluded.done, aborted = excluded.aborted, delay = excluded.delay,
            appointment = excluded.appointment, last_seen = excluded.last_seen
         WHERE (name, export_key, done, aborted, delay, appointment) IS NOT
               (excluded.name, excluded.export_key, excluded.done, excluded.aborted, excluded.delay,
                excluded.appointment)
            OR last_seen < substr(excluded.last_seen, 1, 10)",
    )?
    .execute((
        campaign.0,
        code.code,
        &code.name,
        &code.export_key,
        code.done,
        code.aborted,
        code.delay,
        code.appointment,
        time(now),
    ))?;
    if known.as_ref() == Some(code) {
        return Ok(());
    }
    held_again::code_learned(tx, campaign, code.code, now)?;
    if known.is_some_and(|known| known.name == code.name && known.export_key == code.export_key) {
        return Ok(());
    }
    write_back::release_unmapped(tx, campaign, code.code, now)?;
    results_due::enter_code(tx, campaign, code.code)
}
