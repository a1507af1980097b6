//! What a write-back has to do next, with everything the mapping needs; and the moment before it is sent.

use super::acts::{anything, route_acts};
use super::inputs::link_view;
use super::sql::{get_named, get_time_opt, time};
use super::{Ledger, LedgerError, blocks_told, edits, status_told};
use crate::domain::{
    CallFacts, CallResult, CampaignId, ContactId, HistoryFacts, HistoryId, LinkId, LinkView, RecordId,
    RouteName, Timestamp, Told, WriteBackId,
};
use rusqlite::{Connection, OptionalExtension as _, named_params};

/// The facts of one row, as they are now.
#[derive(Debug, Clone, PartialEq)]
pub enum TellFacts {
    /// Of an activity.
    Call(Box<CallFacts>),
    /// Of a record's fields.
    History(Box<HistoryFacts>),
}

/// One row that is to be told, or asked about.
#[derive(Debug, Clone, PartialEq)]
pub struct ToTell {
    /// Its number.
    pub id: WriteBackId,
    /// Its link: one request at a time, because a CRM locks records.
    pub link: LinkId,
    /// The record.
    pub record: RecordId,
    /// The call, where it is one's activity.
    pub call: Option<HistoryId>,
    /// What is wanted now.
    pub wanted: i64,
    /// What the request in doubt told.
    pub sent: Option<i64>,
    /// The CRM's id of the activity, once known.
    pub activity: Option<String>,
    /// Whether the CRM may know it from a time that this ledger has forgotten: the call is older than the takeover by
    /// which it came to be at home here.
    pub maybe_told: bool,
    /// Digest of the values last told.
    pub digest: Option<Vec<u8>>,
    /// Requests since something last went well.
    pub tries: u32,
    /// Of these, and of the questions about them, how many had no usable answer: what was certainly not executed is none.
    pub doubts: u32,
    /// From what the values are worked out.
    pub facts: TellFacts,
    /// Of fields: the link with what the dialler's side changed and the CRM can be told of, if anything.
    pub edited: Option<Box<LinkView>>,
}

/// What leaves with one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaving {
    /// Digest of the values that follow from calls: the others are told once and never again.
    pub digest: Vec<u8>,
    /// All values, as JSON.
    pub values: String,
    /// Of which fields of the dialler's side they tell, with the CRM's names, as JSON.
    pub carrying: String,
    /// Whether the row is to be looked at once more when it is told: what follows from calls could not go with it.
    pub then_again: bool,
}

/// How many rows wait that a person has not approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    /// Rows that could go now.
    pub due: i64,
    /// Of these, not approved.
    pub unapproved: i64,
}

const WAITING: &str = "WHERE w.state = 'waiting' AND +l.route = :route AND w.due_at <= :now
                   AND NOT EXISTS (SELECT 1 FROM write_backs o WHERE o.link_id = w.link_id
                        AND (o.state IN ('sending', 'uncertain')
                             OR w.kind = 'fields' AND o.kind = 'activity' AND o.state = 'waiting'))";
const DOUBTFUL: &str = "WHERE w.state = 'uncertain' AND +l.route = :route AND w.due_at <= :now";
const COLUMNS: &str =
    "w.id, w.kind, w.link_id, l.record_id, w.history_id, w.wanted, w.sent, w.activity, w.digest, w.tries, w.doubts,
    w.rules IS NOT 'by hand' AND coalesce((SELECT i.since > r.write_back_since AND coalesce(c.started_at, c.created_at, c.first_seen_at) < i.since
              FROM identity i, calls c WHERE c.history_id = w.history_id), 0) AS maybe_told";

impl Ledger {
    /// What waits and is due, oldest first; nothing of a record that has a request under way or in doubt, its fields
    /// only when no activity of it waits. Nothing while the route does not act, everything is frozen, or the ledger is not
    /// at home; in a pilot, what belongs to its records.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn write_back_take(&self, route: RouteName, limit: u32) -> Result<Vec<ToTell>, LedgerError> {
        let now = time(self.env.now());
        self.read("write_back_take", move |connection| {
            let rows = rows(connection, WAITING, &route, &now, limit)?;
            rows.into_iter().map(|row| with_facts(connection, row)).collect()
        })
        .await
    }

    /// What waits, whether or not the route acts and the row is due: for a dry run.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn write_back_shown(&self, route: RouteName, limit: u32) -> Result<Vec<ToTell>, LedgerError> {
        self.read("write_back_shown", move |connection| {
            let rows = found(connection, &shown(), named_params! { ":route": route.0, ":limit": limit })?;
            rows.into_iter().map(|row| with_facts(connection, row)).collect()
        })
        .await
    }

    /// What is in doubt and was left alone for long enough.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn write_back_doubtful(
        &self,
        route: RouteName,
        limit: u32,
    ) -> Result<Vec<ToTell>, LedgerError> {
        let now = time(self.env.now());
        self.read("write_back_doubtful", move |connection| {
            let rows = rows(connection, DOUBTFUL, &route, &now, limit)?;
            rows.into_iter().map(|row| with_facts(connection, row)).collect()
        })
        .await
    }

    /// How many could go now, and how many of these nobody approved.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn write_back_waiting(&self, route: RouteName) -> Result<Backlog, LedgerError> {
        let now = time(self.env.now());
        self.read("write_back_waiting", move |connection| {
            connection
                .prepare_cached(concat!(
                    "SELECT count(*), count(*) FILTER (WHERE w.waits_since > r.write_back_approved)
                     FROM write_backs w CROSS JOIN links l ON l.id = w.link_id CROSS JOIN routes r ON r.route = l.route
                     WHERE w.state = 'waiting' AND w.due_at <= :now AND +l.route = :route AND ",
                    route_acts!()
                ))?
                .query_row(named_params! { ":route": route.0, ":now": now }, |row| {
                    Ok(Backlog { due: row.get(0)?, unapproved: row.get(1)? })
                })
        })
        .await
    }

    /// The CRM has an activity of this row's call already.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn write_back_found(&self, row: WriteBackId, activity: String) -> Result<(), LedgerError> {
        self.write("write_back_found", move |tx| {
            tx.prepare_cached("UPDATE write_backs SET activity = ?2 WHERE id = ?1")?
                .execute((row.0, activity))?;
            Ok(())
        })
        .await
    }

    /// The moment before these values are sent: from here on it may have happened. `false`: meanwhile something else is wanted.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn write_back_begin(
        &self,
        row: WriteBackId,
        wanted: i64,
        leaving: Leaving,
    ) -> Result<bool, LedgerError> {
        let now = time(self.env.now());
        self.write("write_back_begin", move |tx| {
            let begun = tx
                .prepare_cached(
                    "UPDATE write_backs SET state = 'sending', sent = ?2, sending = ?3, sending_values = ?5, sent_at = ?4,
                            carrying = ?7, tries = tries + 1, doubts = doubts + 1, changed_at = ?4, wanted = wanted + ?6
                     WHERE id = ?1 AND state = 'waiting' AND wanted = ?2",
                )?
                .execute((
                    row.0,
                    wanted,
                    leaving.digest,
                    now,
                    leaving.values,
                    leaving.then_again,
                    leaving.carrying,
                ))?;
            Ok(begun == 1)
        })
        .await
    }
}

/// By state and time first: of a million told calls none is looked at.
fn select(which: &str) -> String {
    format!(
        "SELECT {COLUMNS} FROM write_backs w CROSS JOIN links l ON l.id = w.link_id CROSS JOIN routes r ON r.route = l.route
         {which} AND {} AND {} ORDER BY w.kind = 'fields', w.history_id, w.id LIMIT :limit",
        anything!(),
        route_acts!()
    )
}

fn shown() -> String {
    format!(
        "SELECT {COLUMNS} FROM write_backs w CROSS JOIN links l ON l.id = w.link_id CROSS JOIN routes r ON r.route = l.route
         WHERE w.state = 'waiting' AND +l.route = :route ORDER BY w.kind = 'fields', w.history_id, w.id LIMIT :limit"
    )
}

fn rows(
    connection: &Connection,
    which: &str,
    route: &RouteName,
    now: &str,
    limit: u32,
) -> rusqlite::Result<Vec<(Told, ToTell)>> {
    let params = named_params! { ":route": route.0, ":now": now, ":limit": limit };
    found(connection, &select(which), params)
}

fn found(
    connection: &Connection,
    sql: &str,
    params: &[(&str, &dyn rusqlite::ToSql)],
) -> rusqlite::Result<Vec<(Told, ToTell)>> {
    connection
        .prepare_cached(sql)?
        .query_map(params, |row| {
            let empty = HistoryFacts {
                calls: 0,
                attempts: 0,
                answered: 0,
                first_started: None,
                last: None,
                next_try: None,
                last_with_result: None,
                blocked: None,
                standing: None,
            };
            let to_tell = ToTell {
                id: WriteBackId(row.get("id")?),
                link: LinkId(row.get("link_id")?),
                record: RecordId(row.get("record_id")?),
                call: row.get::<_, Option<i64>>("history_id")?.map(HistoryId),
                wanted: row.get("wanted")?,
                sent: row.get("sent")?,
                activity: row.get("activity")?,
                maybe_told: row.get("maybe_told")?,
                digest: row.get("digest")?,
                tries: row.get("tries")?,
                doubts: row.get("doubts")?,
                facts: TellFacts::History(Box::new(empty)),
                edited: None,
            };
            Ok((get_named(row, "kind", Told::parse)?, to_tell))
        })?
        .collect()
}

fn with_facts(connection: &Connection, (told, row): (Told, ToTell)) -> rusqlite::Result<ToTell> {
    let facts = match (told, row.call) {
        (Told::Activity, Some(call)) => TellFacts::Call(Box::new(one_call(connection, call)?)),
        (Told::Activity | Told::Fields, _) => TellFacts::History(Box::new(history(connection, row.link)?)),
    };
    let edited = match told {
        Told::Activity => None,
        Told::Fields => edited(connection, row.link)?,
    };
    Ok(ToTell { facts, edited, ..row })
}

fn edited(connection: &Connection, link: LinkId) -> rusqlite::Result<Option<Box<LinkView>>> {
    let edits = edits::to_tell(connection, link)?;
    if edits.is_empty() {
        return Ok(None);
    }
    Ok(Some(Box::new(LinkView { edits, ..link_view(connection, link)? })))
}

fn one_call(connection: &Connection, call: HistoryId) -> rusqlite::Result<CallFacts> {
    connection
        .prepare_cached(
            "SELECT v.*, k.open AS still_open, k.erased_at IS NOT NULL AS erased, k.note, t.next_try,
                    json_extract(k.row, '$.StatisticsPartAID') AS recording
             FROM v_calls v JOIN calls k ON k.history_id = v.call
             LEFT JOIN contacts t ON t.contact_id = k.contact_id WHERE v.call = ?1",
        )?
        .query_row([call.0], |row| {
            let code: Option<i64> = row.get("result_code")?;
            let (name, export_key) = (row.get("result")?, row.get("result_key")?);
            Ok(CallFacts {
                call: HistoryId(row.get("call")?),
                contact: ContactId(row.get("contact")?),
                campaign: row.get::<_, Option<i64>>("campaign")?.map(CampaignId),
                started: get_time_opt(row, "started")?,
                ended: get_time_opt(row, "ended")?,
                number: row.get("number")?,
                outbound: row.get::<_, Option<String>>("direction")?.map(|direction| direction == "out"),
                answered: row.get("answered")?,
                cause: row.get("cause_code")?,
                recording: row.get("recording")?,
                agent: row.get("agent")?,
                agent_name: None,
                note: row.get("note")?,
                next_try: get_time_opt(row, "next_try")?,
                result: code.map(|code| CallResult { code, name, export_key }),
                open: row.get("still_open")?,
                erased: row.get("erased")?,
            })
        })
}

/// Over all contacts the link ever had: their calls bear the link.
fn history(connection: &Connection, link: LinkId) -> rusqlite::Result<HistoryFacts> {
    let newest = |with_result: bool| -> rusqlite::Result<Option<CallFacts>> {
        let call: Option<i64> = connection
            .prepare_cached(
                "SELECT history_id FROM calls WHERE link_id = ?1 AND test IS NOT 1 AND (NOT ?2 OR result_code IS NOT NULL)
                 ORDER BY coalesce(started_at, created_at, first_seen_at) DESC, history_id DESC LIMIT 1",
            )?
            .query_row((link.0, with_result), |row| row.get(0))
            .optional()?;
        call.map(|call| one_call(connection, HistoryId(call))).transpose()
    };
    let next_try: Option<Timestamp> = connection
        .prepare_cached("SELECT t.next_try FROM links l LEFT JOIN contacts t ON t.contact_id = l.contact_id WHERE l.id = ?1")?
        .query_row([link.0], |row| get_time_opt(row, "next_try"))?;
    let (last, last_with_result) = (newest(false)?, newest(true)?);
    let blocked = blocks_told::facts(connection, link)?;
    let standing = status_told::facts(connection, link)?;
    connection
        .prepare_cached(
            "SELECT count(*) AS calls, count(*) FILTER (WHERE outbound = 1) AS attempts,
                    count(*) FILTER (WHERE outbound = 1 AND json_extract(row, '$.dtCallConnect') IS NOT NULL) AS answered,
                    min(started_at) AS first
             FROM calls WHERE link_id = ?1 AND test IS NOT 1 AND started_text IS NOT NULL",
        )?
        .query_row([link.0], |row| {
            let first_started: Option<Timestamp> = get_time_opt(row, "first")?;
            Ok(HistoryFacts {
                calls: row.get("calls")?,
                attempts: row.get("attempts")?,
                answered: row.get("answered")?,
                first_started,
                next_try,
                last,
                last_with_result,
                blocked,
                standing,
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::testing::scene;

    #[tokio::test(start_paused = true)]
    async fn what_waits_is_found_without_a_look_at_all_that_was_told() {
        let scene = scene().await;
        for which in [WAITING, DOUBTFUL] {
            let plan = scene.plan_of(&select(which)).await;
            let first = plan.first().cloned().unwrap_or_default();
            assert!(first.contains("w USING INDEX write_backs_state (state=? AND due_at<?)"), "{plan:#?}");
        }
    }
}
