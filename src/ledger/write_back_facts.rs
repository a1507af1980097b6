//! From what a row's values are worked out: its call, or all calls of its record, as they are now.

use super::inputs::link_view;
use super::sql::get_time_opt;
use super::write_back::fields_are_told;
use super::write_back_take::{TellFacts, ToTell};
use super::{blocks_told, edits, status_told};
use crate::domain::{
    CallFacts, CallResult, CampaignId, ContactId, HistoryFacts, HistoryId, LinkId, LinkView, Timestamp, Told,
};
use rusqlite::{Connection, OptionalExtension as _};

/// The row with everything its values are worked out from.
pub(super) fn with_facts(connection: &Connection, (told, row): (Told, ToTell)) -> rusqlite::Result<ToTell> {
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
    let of_calls = fields_are_told(connection, link)?;
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
                of_calls,
            })
        })
}
