//! Who said no in a call: the record and its numbers are blocked within the route's client, in the transaction that takes
//! the result from the queue. A call is heard once per result, so that what a person lifted stays lifted.

use super::hearing::{Hearing, Spoken, hearing};
use super::shown_nos::{self, Confirmed, Heeded};
use super::sql::{get_time, time};
use super::{Ledger, LedgerError};
use crate::domain::{
    CampaignId, ContactId, HistoryId, Reason, ReasonCode, RecordId, RouteName, RunId, Timestamp,
};
use chrono_tz::Tz;
use rusqlite::{Connection, OptionalExtension as _, Transaction};
use std::sync::Arc;

/// So many results are looked at in one transaction.
const AT_ONCE: i64 = 200;

/// Turns a number as the dialler writes it into E.164; `None` for what is no number.
pub type ToE164 = dyn Fn(&str) -> Option<String> + Send + Sync;

/// How what a call carries is read.
#[derive(Clone)]
pub struct CallReading {
    /// A number as the dialler writes it, in E.164.
    pub to_e164: Arc<ToE164>,
    /// The zone of the dates that people read.
    pub zone: Tz,
}

impl Ledger {
    /// Looks at every result that is due: whoever said no by a word of their route's is blocked, and their contacts get
    /// their locks. Answers how many results were a no.
    ///
    /// # Errors
    /// The ledger cannot be used; what was not looked at stays due.
    pub async fn opt_outs_take(&self, reading: CallReading, run: Option<RunId>) -> Result<i64, LedgerError> {
        let mut heard = 0;
        while self.read("results_due", any_due).await? {
            let (now, reading) = (self.env.now(), reading.clone());
            let taken = self.write("opt_outs_take", move |tx| take(tx, &reading, now, run)).await?;
            if let Some(epoch) = taken.epoch {
                self.publish_epoch(epoch);
            }
            heard += taken.heard;
        }
        Ok(heard)
    }
}

fn any_due(connection: &Connection) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM results_due) OR EXISTS (SELECT 1 FROM shown_codes_due)",
        )?
        .query_row([], |row| row.get(0))
}

/// A result that is due.
struct Due {
    call: HistoryId,
    said: Spoken,
    number: Option<String>,
    agent: Option<i64>,
    at: Timestamp,
}

fn take(
    tx: &Transaction<'_>,
    reading: &CallReading,
    now: Timestamp,
    run: Option<RunId>,
) -> rusqlite::Result<Heeded> {
    let routes = hearing(tx)?;
    // Of a code that has just got its name the calls first: what they say a list need not.
    let mut taken = Heeded::default();
    let due = due(tx)?;
    if due.is_empty() {
        return shown_nos::take_codes(tx, now);
    }
    for due in due {
        for route in routes.iter().filter(|route| route.hears(&due.said)) {
            let word = word(tx, &due, route, now)?;
            if word != Word::Known {
                taken.heard += i64::from(word == Word::New);
                taken.epoch = taken.epoch.max(block(tx, &due, route, reading, now, run)?);
            }
        }
        tx.prepare_cached("DELETE FROM results_due WHERE history_id = ?1 AND code = ?2")?
            .execute((due.call.0, due.said.code))?;
    }
    Ok(taken)
}

fn due(connection: &Connection) -> rusqlite::Result<Vec<Due>> {
    connection
        .prepare_cached(
            "SELECT d.history_id, d.code, k.contact_id, k.campaign_id, k.number, coalesce(l.route, r.route) AS route,
                    coalesce(l.record_id, r.record_id) AS record_id, l.id IS NOT NULL AS linked, c.export_key, c.name, json_extract(k.row, '$.UsersID') AS agent,
                    coalesce(k.started_at, k.created_at, k.first_seen_at) AS at
             FROM results_due d JOIN calls k ON k.history_id = d.history_id
             LEFT JOIN links l ON l.id = k.link_id AND l.route IS NOT NULL
             LEFT JOIN contacts b ON l.id IS NULL AND b.contact_id = k.contact_id
             LEFT JOIN records r ON r.folded = b.folded AND r.user_data = b.user_data
             LEFT JOIN result_codes c ON c.campaign_id = k.campaign_id AND c.code = d.code
             ORDER BY d.history_id LIMIT ?1",
        )?
        .query_map([AT_ONCE], |row| {
            let route: Option<String> = row.get("route")?;
            let record: Option<String> = row.get("record_id")?;
            Ok(Due {
                call: HistoryId(row.get("history_id")?),
                said: Spoken {
                    code: row.get("code")?,
                    contact: ContactId(row.get("contact_id")?),
                    campaign: row.get::<_, Option<i64>>("campaign_id")?.map(CampaignId),
                    record: route.zip(record).map(|(route, record)| (RouteName(route), RecordId(record))),
                    linked: row.get("linked")?,
                    export_key: row.get("export_key")?,
                    name: row.get("name")?,
                },
                number: row.get("number")?,
                agent: row.get("agent")?,
                at: get_time(row, "at")?,
            })
        })?
        .collect()
}

/// What a no is to the ledger.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    /// It was heard, and maybe taken back.
    Known,
    /// A list showed it, and it has been held since: this call takes the list's place.
    Shown,
    /// It is new.
    New,
}

/// Whether this no is new: to nobody's contact it is heard once, and once more when the contact has become a record's,
/// unless a person has lifted what it had blocked.
fn word(tx: &Transaction<'_>, due: &Due, route: &Hearing, now: Timestamp) -> rusqlite::Result<Word> {
    let before: Option<(bool, bool)> = tx
        .prepare_cached(
            "SELECT o.record_id IS NOT NULL, EXISTS (SELECT 1 FROM blocks b
                    WHERE b.id = o.block_id AND b.lifted_at IS NOT NULL)
             FROM opt_outs o WHERE o.history_id = ?1 AND o.code = ?2 AND o.route = ?3",
        )?
        .query_row((due.call.0, due.said.code, &route.route.0), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (heard_for_record, lifted) = before.unwrap_or((false, false));
    let record = due.said.record.as_ref().map(|(_, record)| record.as_str());
    let known = before.is_some() && (heard_for_record || record.is_none());
    if !known {
        tx.prepare_cached(
            "INSERT INTO opt_outs (history_id, code, route, record_id, at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (history_id, code, route) DO UPDATE SET record_id = excluded.record_id",
        )?
        .execute((due.call.0, due.said.code, &route.route.0, record, time(now)))?;
    }
    // Also one that is known: corrected and corrected back, it may have been shown before it was read.
    match shown_nos::confirm(tx, &due.said, &route.route, due.call, due.at)? {
        Confirmed::Not if known || lifted => Ok(Word::Known),
        Confirmed::Not => Ok(Word::New),
        Confirmed::Held => Ok(Word::Shown),
        Confirmed::TakenBack(block) => {
            heard_by(tx, due, route, block)?;
            Ok(Word::Known)
        }
    }
}

/// Blocks the record and each number; the block list's epoch after it. What a list showed before is this call's word from now on.
fn block(
    tx: &Transaction<'_>,
    due: &Due,
    route: &Hearing,
    reading: &CallReading,
    now: Timestamp,
    run: Option<RunId>,
) -> rusqlite::Result<Option<i64>> {
    let number = due.number.as_deref().and_then(|number| (reading.to_e164)(number));
    let date = due.at.with_timezone(&reading.zone).format("%Y-%m-%d");
    let reason = Reason::new(ReasonCode::SaidNoInCall)
        .with("call", due.call)
        .with("date", date)
        .with("result", due.said.in_words());
    let who = due.agent.map(|agent| format!("agent {agent}"));
    let blocked = route.block(tx, &due.said, number, (&reason, who.as_deref()), now, run)?;
    for id in &blocked.blocks {
        tx.prepare_cached("UPDATE blocks SET code = ?2, params = ?3, who = ?4 WHERE id = ?1 AND code = ?5")?
            .execute((
                id,
                reason.code.as_str(),
                reason.params_json(),
                &who,
                ReasonCode::SaidNoShown.as_str(),
            ))?;
    }
    heard_by(tx, due, route, blocked.first)?;
    Ok(blocked.epoch)
}

/// By which block a no is kept.
fn heard_by(tx: &Transaction<'_>, due: &Due, route: &Hearing, block: Option<i64>) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "UPDATE opt_outs SET block_id = ?4 WHERE history_id = ?1 AND code = ?2 AND route = ?3",
    )?
    .execute((due.call.0, due.said.code, &route.route.0, block))?;
    Ok(())
}
