//! Who said no in a call: the record and its numbers are blocked within the route's client, in the transaction that takes
//! the result from the queue. A call is heard once per result, so that what a person lifted stays lifted.

use super::block_store::add_in;
use super::results_due::words_in;
use super::sql::{get_time, time};
use super::{Ledger, LedgerError};
use crate::domain::result_words::ResultWords;
use crate::domain::{
    Block, BlockSubject, CampaignId, ContactId, HistoryId, Reason, ReasonCode, RecordId, RecordKey,
    RouteName, RunId, Timestamp,
};
use chrono_tz::Tz;
use rusqlite::{Connection, OptionalExtension as _, Transaction, named_params};
use std::collections::BTreeSet;
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
    connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM results_due)")?.query_row([], |row| row.get(0))
}

#[derive(Default)]
struct Taken {
    heard: i64,
    epoch: Option<i64>,
}

/// A route with words.
struct Hearing {
    route: RouteName,
    client: String,
    crm: String,
    object: String,
    campaign: Option<CampaignId>,
    words: ResultWords,
}

impl Hearing {
    /// A record's route hears for it; a contact that is nobody's, whoever calls that campaign.
    fn hears(&self, due: &Due) -> bool {
        let whose = match &due.record {
            Some((route, _)) => *route == self.route,
            None => due.campaign.is_some() && due.campaign == self.campaign,
        };
        whose && self.words.names(due.campaign, due.code, due.export_key.as_deref(), due.name.as_deref())
    }

    fn key(&self, record: &RecordId) -> RecordKey {
        RecordKey { crm: self.crm.clone(), object: self.object.clone(), id: record.clone() }
    }
}

/// A result that is due.
struct Due {
    call: HistoryId,
    code: i64,
    contact: ContactId,
    campaign: Option<CampaignId>,
    record: Option<(RouteName, RecordId)>,
    export_key: Option<String>,
    name: Option<String>,
    number: Option<String>,
    agent: Option<i64>,
    at: Timestamp,
}

impl Due {
    /// The result in plain words, as far as any are known.
    fn spoken(&self) -> String {
        self.name.clone().or_else(|| self.export_key.clone()).unwrap_or_else(|| self.code.to_string())
    }
}

fn take(
    tx: &Transaction<'_>,
    reading: &CallReading,
    now: Timestamp,
    run: Option<RunId>,
) -> rusqlite::Result<Taken> {
    let routes = hearing(tx)?;
    let mut taken = Taken::default();
    for due in due(tx)? {
        for route in routes.iter().filter(|route| route.hears(&due)) {
            if to_be_blocked(tx, &due, route, now)? {
                taken.heard += 1;
                taken.epoch = taken.epoch.max(block(tx, &due, route, reading, now, run)?);
            }
        }
        tx.prepare_cached("DELETE FROM results_due WHERE history_id = ?1 AND code = ?2")?
            .execute((due.call.0, due.code))?;
    }
    Ok(taken)
}

fn hearing(connection: &Connection) -> rusqlite::Result<Vec<Hearing>> {
    connection
        .prepare_cached(
            "SELECT route, client, crm, object, campaign_id, opt_out_results FROM routes
             WHERE opt_out_results IS NOT NULL",
        )?
        .query_map([], |row| {
            Ok(Hearing {
                route: RouteName(row.get(0)?),
                client: row.get(1)?,
                crm: row.get(2)?,
                object: row.get(3)?,
                campaign: row.get::<_, Option<i64>>(4)?.map(CampaignId),
                words: words_in(&row.get::<_, String>(5)?),
            })
        })?
        .collect()
}

fn due(connection: &Connection) -> rusqlite::Result<Vec<Due>> {
    connection
        .prepare_cached(
            "SELECT d.history_id, d.code, k.contact_id, k.campaign_id, k.number, l.route, l.record_id, c.export_key,
                    c.name, json_extract(k.row, '$.UsersID') AS agent,
                    coalesce(k.started_at, k.created_at, k.first_seen_at) AS at
             FROM results_due d JOIN calls k ON k.history_id = d.history_id
             LEFT JOIN links l ON l.id = k.link_id AND l.route IS NOT NULL
             LEFT JOIN result_codes c ON c.campaign_id = k.campaign_id AND c.code = d.code
             ORDER BY d.history_id LIMIT ?1",
        )?
        .query_map([AT_ONCE], |row| {
            let route: Option<String> = row.get("route")?;
            let record: Option<String> = row.get("record_id")?;
            Ok(Due {
                call: HistoryId(row.get("history_id")?),
                code: row.get("code")?,
                contact: ContactId(row.get("contact_id")?),
                campaign: row.get::<_, Option<i64>>("campaign_id")?.map(CampaignId),
                record: route.zip(record).map(|(route, record)| (RouteName(route), RecordId(record))),
                export_key: row.get("export_key")?,
                name: row.get("name")?,
                number: row.get("number")?,
                agent: row.get("agent")?,
                at: get_time(row, "at")?,
            })
        })?
        .collect()
}

/// Whether this no is new: to nobody's contact it is heard once, and once more when the contact has become a record's,
/// unless a person has lifted what it had blocked.
fn to_be_blocked(tx: &Transaction<'_>, due: &Due, route: &Hearing, now: Timestamp) -> rusqlite::Result<bool> {
    let before: Option<(bool, bool)> = tx
        .prepare_cached(
            "SELECT o.record_id IS NOT NULL, EXISTS (SELECT 1 FROM blocks b
                    WHERE b.id = o.block_id AND b.lifted_at IS NOT NULL)
             FROM opt_outs o WHERE o.history_id = ?1 AND o.code = ?2 AND o.route = ?3",
        )?
        .query_row((due.call.0, due.code, &route.route.0), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (heard_for_record, lifted) = before.unwrap_or((false, false));
    let record = due.record.as_ref().map(|(_, record)| record.as_str());
    if before.is_some() && (heard_for_record || record.is_none()) {
        return Ok(false);
    }
    tx.prepare_cached(
        "INSERT INTO opt_outs (history_id, code, route, record_id, at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (history_id, code, route) DO UPDATE SET record_id = excluded.record_id",
    )?
    .execute((due.call.0, due.code, &route.route.0, record, time(now)))?;
    Ok(!lifted)
}

/// Blocks the record and each number; the block list's epoch after it.
fn block(
    tx: &Transaction<'_>,
    due: &Due,
    route: &Hearing,
    reading: &CallReading,
    now: Timestamp,
    run: Option<RunId>,
) -> rusqlite::Result<Option<i64>> {
    let key = due.record.as_ref().map(|(_, record)| route.key(record));
    let mut numbers = numbers_of(tx, due, route, key.as_ref())?;
    numbers.extend(due.number.as_deref().and_then(|number| (reading.to_e164)(number)));
    let subjects = key.into_iter().map(BlockSubject::Record);
    let subjects: Vec<_> = subjects.chain(numbers.into_iter().map(BlockSubject::Number)).collect();
    let date = due.at.with_timezone(&reading.zone).format("%Y-%m-%d");
    let reason = Reason::new(ReasonCode::SaidNoInCall)
        .with("call", due.call)
        .with("date", date)
        .with("result", due.spoken());
    let (mut first, mut epoch) = (None, None);
    for subject in subjects {
        let block = Block {
            subject,
            reason: reason.clone(),
            source: format!("result:{}", route.route),
            since: now,
            said_last: now,
            until: None,
            who: due.agent.map(|agent| format!("agent {agent}")),
        };
        let added = add_in(tx, &route.client, &block, now, run)?;
        first = first.or(Some(added.id));
        epoch = epoch.max(Some(added.epoch));
    }
    tx.prepare_cached(
        "UPDATE opt_outs SET block_id = ?4 WHERE history_id = ?1 AND code = ?2 AND route = ?3",
    )?
    .execute((due.call.0, due.code, &route.route.0, first))?;
    Ok(epoch)
}

pub(super) const NUMBERS_OF: &str = "WITH own (id, contact_id) AS (
        SELECT l.id, l.contact_id FROM routes r CROSS JOIN links l ON l.route = r.route
        WHERE l.client = :client AND l.record_id = :record AND r.crm = :crm AND r.object = :object)
     SELECT number FROM link_numbers WHERE link_id IN (SELECT id FROM own)
     UNION SELECT number FROM sent_numbers WHERE link_id IN (SELECT id FROM own)
     UNION SELECT number FROM contact_numbers WHERE contact_id = :contact
               OR contact_id IN (SELECT contact_id FROM own)";

/// Every number that is known of whoever said no: what the record maps to and what was sent, on all routes of the
/// client, and what the dialler was seen to have.
fn numbers_of(
    tx: &Transaction<'_>,
    due: &Due,
    route: &Hearing,
    key: Option<&RecordKey>,
) -> rusqlite::Result<BTreeSet<String>> {
    tx.prepare_cached(NUMBERS_OF)?
        .query_map(
            named_params! {
                ":client": route.client, ":record": key.map(|key| key.id.as_str()), ":crm": route.crm,
                ":object": route.object, ":contact": due.contact.0,
            },
            |row| row.get(0),
        )?
        .collect()
}
