//! How the simulated dialler writes its answers: envelopes, contacts, rows, local times.

use super::config::{DiallerConfig, TimeForm};
use super::fields::{GIVEN, Kind, place};
use super::model::{ResultCode, ResultType, SimCampaign, SimContact, SimRow, SimUser};
use crate::domain::Timestamp;
use chrono::{NaiveDateTime, TimeZone};
use serde_json::{Value, json};
use std::sync::LazyLock;

/// Where a field of an answered contact comes from.
#[derive(Debug, Clone, Copy)]
enum Source {
    Id,
    Campaign,
    UserData,
    Name,
    Given(u8),
    Tries(usize),
    Cause(usize),
    Invalid(usize),
    EndReason(usize),
    LastEndReason,
    Mailbox,
    NextTry,
}

/// The 72 fields of an answered contact with their keys, ready to be written. In no order that means
/// anything, as in the samples.
static ANSWERED: LazyLock<Vec<(String, Source)>> = LazyLock::new(|| {
    let mut fields: Vec<(String, Source)> = vec![
        ("bLastResultMailbox".to_owned(), Source::Mailbox),
        ("LastAcdAgentEndReasonsID".to_owned(), Source::LastEndReason),
        ("dtNextTry".to_owned(), Source::NextTry),
        ("Name".to_owned(), Source::Name),
        ("UserData".to_owned(), Source::UserData),
        ("ID".to_owned(), Source::Id),
        ("DiallerCampaignsID".to_owned(), Source::Campaign),
    ];
    for slot in 0..6 {
        let n = slot + 1;
        fields.push((format!("bPhoneNumber{n}Invalid"), Source::Invalid(slot)));
        fields.push((format!("PhoneNumber{n}LastAcdAgentEndReasonsID"), Source::EndReason(slot)));
        fields.push((format!("nTriesPhoneNumber{n}"), Source::Tries(slot)));
        fields.push((format!("nPhoneNumber{n}LastCause"), Source::Cause(slot)));
    }
    fields.extend(
        GIVEN.iter().filter_map(|given| Some((given.name.to_owned(), Source::Given(place(given.name)?)))),
    );
    // Scattered by a fixed rule, so that nobody leans on an order.
    fields.sort_by_key(|(name, _)| name.bytes().fold(7u32, |h, b| h.wrapping_mul(31).wrapping_add(b.into())));
    for (index, (name, _)) in fields.iter_mut().enumerate() {
        *name = format!("{}\"{name}\":", if index == 0 { "{" } else { "," });
    }
    fields
});

fn text(out: &mut Vec<u8>, text: &str) {
    // Writing into a vector cannot fail, and a text is always valid JSON.
    if serde_json::to_writer(&mut *out, text).is_err() {
        out.extend_from_slice(b"null");
    }
}

fn number<N: Into<i64>>(out: &mut Vec<u8>, number: Option<N>) {
    match number {
        Some(number) => out.extend_from_slice(number.into().to_string().as_bytes()),
        None => out.extend_from_slice(b"null"),
    }
}

fn boolean(out: &mut Vec<u8>, value: Option<bool>) {
    out.extend_from_slice(match value {
        Some(true) => b"true",
        Some(false) => b"false",
        None => b"null",
    });
}

/// An instant as the dialler writes it, with or without milliseconds.
pub fn time(config: &DiallerConfig, at: Timestamp, millis: bool) -> String {
    let local = at.with_timezone(&config.time_zone);
    let form = if millis { "%Y-%m-%dT%H:%M:%S%.3f" } else { "%Y-%m-%dT%H:%M:%S" };
    match config.time_form {
        TimeForm::Naive => local.format(form).to_string(),
        TimeForm::Offset => local.format(&format!("{form}%:z")).to_string(),
        TimeForm::Utc => at.format(&format!("{form}Z")).to_string(),
    }
}

/// A local time that was given from outside, as the dialler writes it.
fn given_time(config: &DiallerConfig, text: &str) -> String {
    let local: Option<NaiveDateTime> = super::fields::parse_naive(text);
    match (config.time_form, local) {
        (TimeForm::Naive, _) | (_, None) => text.to_owned(),
        (TimeForm::Offset | TimeForm::Utc, Some(local)) => config
            .time_zone
            .from_local_datetime(&local)
            .earliest()
            .map_or_else(|| text.to_owned(), |at| time(config, at.to_utc(), false)),
    }
}

/// Writes a contact; `extra` are members to be added, as `,"key":value`.
pub fn contact(out: &mut Vec<u8>, contact: &SimContact, config: &DiallerConfig, extra: &str) {
    let dialling = &contact.dialling;
    for (key, source) in ANSWERED.iter() {
        if matches!(source, Source::Campaign) && !config.campaign_in_answers {
            continue;
        }
        out.extend_from_slice(key.as_bytes());
        match *source {
            Source::Id => number(out, Some(contact.id)),
            Source::Campaign => number(out, Some(contact.campaign)),
            Source::Name => text(out, &contact.name),
            Source::UserData => match &contact.user_data {
                Some(user_data) => text(out, user_data),
                None => out.extend_from_slice(b"null"),
            },
            Source::Given(place) => match (contact.given_at(place), GIVEN[usize::from(place)].kind) {
                (None, _) => out.extend_from_slice(b"null"),
                (Some(Value::String(given)), Kind::Date) => text(out, &given_time(config, given)),
                (Some(Value::String(given)), _) => text(out, given),
                (Some(other), _) => out.extend_from_slice(other.to_string().as_bytes()),
            },
            Source::Tries(slot) => number(out, Some(dialling.tries[slot])),
            Source::Cause(slot) => number(out, dialling.causes[slot]),
            Source::Invalid(slot) => boolean(out, dialling.invalid[slot]),
            Source::EndReason(slot) => number(out, dialling.end_reasons[slot]),
            Source::LastEndReason => number(out, dialling.last_end_reason),
            Source::Mailbox => boolean(out, dialling.mailbox),
            Source::NextTry => match dialling.next_try {
                Some(at) => text(out, &time(config, at, false)),
                None => out.extend_from_slice(b"null"),
            },
        }
    }
    if let Some(field) = config.lock_field {
        out.extend_from_slice(format!(",\"{field}\":{}", contact.locked).as_bytes());
    }
    out.extend_from_slice(extra.as_bytes());
    out.push(b'}');
}

/// The current result, where plain contacts carry it.
pub fn plain_extra(contact: &SimContact, config: &DiallerConfig) -> String {
    if !config.result_in_list {
        return String::new();
    }
    let result = contact.dialling.result.map_or_else(|| "null".to_owned(), |id| id.to_string());
    format!(",\"DiallerCampaignsResultCodesID\":{result}")
}

/// Contacts in the small envelope.
pub fn contacts<'a>(list: impl Iterator<Item = &'a SimContact>, config: &DiallerConfig) -> Vec<u8> {
    small(list, |out, one| contact(out, one, config, &plain_extra(one, config)))
}

/// The small envelope: `records`, `count`, `status`.
pub fn small<T>(list: impl Iterator<Item = T>, mut write: impl FnMut(&mut Vec<u8>, T)) -> Vec<u8> {
    let mut out = b"{\"records\":[".to_vec();
    let mut count = 0;
    for one in list {
        if count > 0 {
            out.push(b',');
        }
        write(&mut out, one);
        count += 1;
    }
    out.extend_from_slice(format!("],\"count\":{count},\"status\":200}}").as_bytes());
    out
}

/// How a list envelope begins.
pub const LIST_HEAD: &str = r#"{"filter":"","limitStart":0,"limitPageSize":-1,"records":["#;

/// How a list envelope ends.
pub fn list_tail(count: usize, order_by: &str) -> String {
    format!("],\"count\":{count},\"orderBy\":\"{order_by}\",\"ascending\":true,\"status\":200}}")
}

/// A whole list in its envelope.
pub fn list(records: &[Value], order_by: &str) -> Vec<u8> {
    let mut out = LIST_HEAD.to_owned();
    for (index, record) in records.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(&record.to_string());
    }
    out.push_str(&list_tail(records.len(), order_by));
    out.into_bytes()
}

/// `DiallerResultCodesTypesID` of a type.
pub fn type_id(config: &DiallerConfig, kind: ResultType) -> i64 {
    let [done, aborted, delay, appointment] = config.result_type_ids;
    match kind {
        ResultType::Done => done,
        ResultType::Aborted => aborted,
        ResultType::Delay => delay,
        ResultType::Appointment => appointment,
    }
}

/// A history row, flat as the history requests answer it.
pub fn row(row: &SimRow, config: &DiallerConfig) -> Value {
    let call = row.call.as_ref();
    let at = |at: Option<Timestamp>| at.map(|at| time(config, at, true));
    let number = call.map(|call| call.number.as_str());
    let country = call.map(|_| 49);
    json!({
        "DiallerContactsHistoryID": row.id,
        "DiallerContactsID": row.contact,
        "DiallerCampaignsID": row.campaign,
        "ClientsID": config.client_id,
        "UserData": row.user_data.as_deref(),
        "UserData2": row.more_user_data[0],
        "UserData3": row.more_user_data[1],
        "bOutbound": call.map(|call| call.outbound),
        "bTestCall": call.map(|call| call.test),
        "bCallerHangup": call.map(|call| call.caller_hangup),
        "ServiceNumbersID": call.map(|_| 99),
        "UsersID": row.user,
        // Facts 4: the customer stands in ANumber even when the dialler called.
        "ANumber": number,
        "ANumber_CountryCodesID": country,
        "ANumber_AreaCodesID": call.map(|_| 4645),
        "BNumber": call.map(|_| "49894614950665"),
        "BNumber_CountryCodesID": country,
        "BNumber_AreaCodesID": call.map(|_| 4645),
        "PhoneNumber": number,
        "PhoneNumberOffset": call.map(|call| call.slot),
        "CONNRES": call.map(|call| call.connres),
        "CauseCodesID": call.map(|call| call.cause),
        "StatisticsPartAID": call.map(|call| call.statistics),
        "DiallerCampaignsResultCodesID": row.result,
        "DiallerResultCodesTypesID": row.result_type.map(|kind| type_id(config, kind)),
        "dtCallStart": at(call.map(|call| call.start)),
        "dtCallAlert": at(call.and_then(|call| call.alert)),
        "dtCallConnect": at(call.and_then(|call| call.connect)),
        "dtCallEnd": at(call.and_then(|call| call.end)),
        "dtCreatedDiallerContactsHistory": time(config, row.created, true),
    })
}

/// What the batch read adds to a contact: its result, decoded, and its history with the call record.
pub fn batch_extra(
    contact: &SimContact,
    result: Option<&ResultCode>,
    rows: &[SimRow],
    language: i64,
    config: &DiallerConfig,
) -> String {
    let decoded = result.map(|code| {
        let [german, english] = &code.content;
        json!({
            "ID": code.id,
            "Content": if language == 2 { english } else { german },
            "ExportKey": code.export_key,
            "bDone": code.kind == ResultType::Done,
            "bAborted": code.kind == ResultType::Aborted,
            "bDelay": code.kind == ResultType::Delay,
            "bAppointment": code.kind == ResultType::Appointment,
        })
    });
    let history: Vec<Value> = rows
        .iter()
        .map(|one| {
            let mut value = row(one, config);
            let nested = one.call.as_ref().map(|call| {
                json!({
                    "ID": call.statistics,
                    "bOutbound": call.outbound,
                    "dtCallStart": time(config, call.start, true),
                    "dtCallEnd": call.end.map(|at| time(config, at, true)),
                })
            });
            value["StatisticsPartA"] = nested.unwrap_or_default();
            value
        })
        .collect();
    format!(
        ",\"DiallerCampaignsResultCodesID\":{},\"DiallerCampaignsResultCodes\":{},\"DiallerContactsHistory\":{}",
        contact.dialling.result.map_or_else(|| "null".to_owned(), |id| id.to_string()),
        Value::from(decoded),
        Value::from(history),
    )
}

/// A campaign.
pub fn campaign(campaign: &SimCampaign, config: &DiallerConfig) -> Value {
    let code = |key| campaign.result_by_key(key).map(|code| code.id);
    json!({
        "ID": campaign.id,
        "Name": campaign.name,
        "ClientsID": config.client_id,
        "LanguagesID": 1,
        "ContactPreviewTime": null,
        "nMaxParallelLines": 5,
        "dtTo": null,
        "bCallerIDActive": null,
        "bCloseContactsOnIncomingCallsMatchCallerID": campaign.close_on_inbound,
        "AbortOnNoTelNumberResultCodesID": code("NO_NUMBER"),
        "IncomingCallResultCodesID": code("INCOMING"),
    })
}

/// A user.
pub fn user(user: &SimUser) -> Value {
    json!({ "ID": user.id, "UID": user.uid, "Name": user.name, "NickName": null, "bActive": true })
}
