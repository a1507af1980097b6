//! What goes over the wire: envelopes read and believed or not, values written.

use crate::domain::{Contact, FieldKind, HistoryRow, Values};
use crate::remote::{BodyCheck, BodyFault, FailureCheck};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Every answer's frame: `records` and `count` for data, `status` alone for commands (facts 3.1).
#[derive(Deserialize)]
struct Frame {
    status: Option<i64>,
    count: Option<i64>,
    records: Option<Vec<IgnoredAny>>,
}

#[derive(Deserialize)]
struct Records {
    records: Vec<Value>,
}

/// Judges the body of every complete 2xx answer of the dialler: its `status` must not contradict
/// HTTP, its `count` must be the number of its records, and one of the two must be there at all.
pub fn body_check() -> BodyCheck {
    Arc::new(|http, body| {
        let frame: Frame = serde_json::from_slice(body)
            .map_err(|_| BodyFault::Untrusted("the body is JSON, but no answer of the dialler".to_owned()))?;
        check_status(i64::from(http.as_u16()), frame.status).map_err(BodyFault::Untrusted)?;
        match (frame.records, frame.count, frame.status) {
            (Some(records), Some(count), _) if usize::try_from(count) == Ok(records.len()) => Ok(()),
            (Some(records), Some(count), _) => Err(BodyFault::Untrusted(format!(
                "the body says count {count} and holds {} records",
                records.len()
            ))),
            (Some(_), None, _) => {
                Err(BodyFault::Untrusted("the body holds records without a count".to_owned()))
            }
            (None, _, Some(_)) => Ok(()),
            (None, _, None) => {
                Err(BodyFault::Untrusted("the body holds neither records nor a status".to_owned()))
            }
        }
    })
}

/// Judges the body of every 404 of the dialler. Its own says `{"status": 404, "error": "<text>"}` (facts 2):
/// any other object comes from a gateway or another program, and is no word about a contact.
pub fn failure_check() -> FailureCheck {
    const KNOWN: [&str; 4] = ["status", "error", "records", "count"];
    Arc::new(|http, body| {
        if http != http::StatusCode::NOT_FOUND {
            return None;
        }
        let fields: Map<String, Value> = serde_json::from_slice(body).ok()?;
        let ours = fields.get("status").and_then(Value::as_i64) == Some(404)
            && fields.get("error").is_some_and(Value::is_string)
            && fields.keys().all(|key| KNOWN.contains(&key.as_str()));
        (!ours).then(|| {
            BodyFault::WrongUrl(
                "404 with JSON that is not the dialler's: something else answers here (a gateway?); check the base URL"
                    .to_owned(),
            )
        })
    })
}

/// Whether the body's own `status` contradicts the HTTP status.
pub(super) fn check_status(http: i64, body: Option<i64>) -> Result<(), String> {
    match body {
        Some(status) if status != http => Err(format!("HTTP {http}, but the body says status {status}")),
        _ => Ok(()),
    }
}

/// The records of an answer that [`body_check`] has believed.
pub(super) fn records(body: &[u8]) -> Result<Vec<Map<String, Value>>, &'static str> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let answer: Records = serde_json::from_slice(body).map_err(|_| "it holds no records")?;
    answer
        .records
        .into_iter()
        .map(|record| match record {
            Value::Object(fields) => Ok(fields),
            _ => Err("one of its records is no object"),
        })
        .collect()
}

/// The contacts of an answer. One without an ID spoils the answer: a contact that is dropped here
/// would be taken for absent, and made a second time.
pub(super) fn contacts(body: &[u8]) -> Result<Vec<Contact>, &'static str> {
    records(body)?
        .into_iter()
        .map(|fields| Contact::from_fields(fields).ok_or("a contact has no ID"))
        .collect()
}

/// Why an answer about UserData is not believed.
pub(super) const NO_KEY: &str = "a contact that it names for its UserData shows none";

/// The contacts of an answer to a UserData. One that shows none would be passed over as nobody's, and its record made
/// a second contact.
pub(super) fn all_keyed(contacts: Vec<Contact>) -> Result<Vec<Contact>, &'static str> {
    if contacts.iter().all(|contact| contact.user_data.is_some()) { Ok(contacts) } else { Err(NO_KEY) }
}

/// The history rows of an answer.
pub(super) fn history(body: &[u8]) -> Result<Vec<HistoryRow>, &'static str> {
    records(body)?.into_iter().map(history_row).collect()
}

fn history_row(fields: Map<String, Value>) -> Result<HistoryRow, &'static str> {
    HistoryRow::from_fields(fields).ok_or("a history row has no DiallerContactsHistoryID")
}

/// One record of the batch read: plain fields, `DiallerCampaignsResultCodes`, `DiallerContactsHistory`.
pub(super) fn extended(
    mut fields: Map<String, Value>,
) -> Result<crate::dialler::ContactWithHistory, &'static str> {
    let result = match fields.remove("DiallerCampaignsResultCodes") {
        Some(Value::Object(code)) => Some(code),
        Some(Value::Null) | None => None,
        Some(_) => return Err("a result code is no object"),
    };
    let rows = match fields.remove("DiallerContactsHistory") {
        Some(Value::Array(rows)) => rows,
        Some(Value::Null) | None => Vec::new(),
        Some(_) => return Err("a history is no list"),
    };
    let history = rows
        .into_iter()
        .map(|row| match row {
            Value::Object(fields) => history_row(fields),
            _ => Err("a history row is no object"),
        })
        .collect::<Result<_, _>>()?;
    let contact = Contact::from_fields(fields).ok_or("a contact has no ID")?;
    Ok(crate::dialler::ContactWithHistory { contact, result, history })
}

/// Values as the dialler takes them: numbers as numbers, times naive in its own zone.
pub(super) fn body(values: &Values, zone: chrono_tz::Tz) -> Map<String, Value> {
    values
        .iter()
        .map(|(field, value)| (field.as_str().to_owned(), written(field.spec().kind, value, zone)))
        .collect()
}

/// One value in the form of its field; what has another shape goes as it is, and the dialler judges it.
fn written(kind: FieldKind, value: &Value, zone: chrono_tz::Tz) -> Value {
    let Value::String(text) = value else { return value.clone() };
    match kind {
        FieldKind::Number => match serde_json::from_str::<serde_json::Number>(text.trim()) {
            Ok(number) => Value::Number(number),
            Err(_) => value.clone(),
        },
        FieldKind::DateTime => naive_local(text.trim(), zone).map_or_else(|| value.clone(), Value::String),
        FieldKind::Text(_) | FieldKind::LongText | FieldKind::Phone => value.clone(),
    }
}

/// `2030-01-01T00:00:00` (the page's samples) from a date, a naive time or one with an offset.
fn naive_local(text: &str, zone: chrono_tz::Tz) -> Option<String> {
    const FORM: &str = "%Y-%m-%dT%H:%M:%S";
    if let Ok(time) = chrono::DateTime::parse_from_rfc3339(text) {
        return Some(time.with_timezone(&zone).format(FORM).to_string());
    }
    for form in ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"] {
        if let Ok(time) = chrono::NaiveDateTime::parse_from_str(text, form) {
            return Some(time.format(FORM).to_string());
        }
    }
    let date = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    Some(format!("{date}T00:00:00"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::FieldName;
    use serde_json::json;

    #[test]
    fn a_body_is_believed_only_if_it_agrees_with_itself() {
        let check = body_check();
        let judged = |body: &str| check(http::StatusCode::OK, body.as_bytes());
        assert_eq!(judged(r#"{"status":200}"#), Ok(()));
        assert_eq!(judged(r#"{"records":[{"ID":1}],"count":1,"status":200}"#), Ok(()));
        for body in [
            r#"{"status":404,"error":"x"}"#,
            r#"{"records":[{"ID":1}],"count":2,"status":200}"#,
            r#"{"records":[],"status":200}"#,
            r#"{"ok":true}"#,
            r#"[1]"#,
        ] {
            assert!(matches!(judged(body), Err(BodyFault::Untrusted(_))), "{body}");
        }
    }

    #[test]
    fn only_the_diallers_own_404_speaks_of_a_contact() {
        let check = failure_check();
        let judged = |body: &str| check(http::StatusCode::NOT_FOUND, body.as_bytes());
        assert_eq!(judged(r#"{"status":404,"error":"Contact not found"}"#), None);
        assert_eq!(judged(""), None, "judged for every side");
        for body in [
            r#"{"message":"no Route matched with those values"}"#,
            r#"{"timestamp":"2026-03-02T09:00:00Z","status":404,"error":"Not Found","path":"/rest"}"#,
            r#"{"status":404}"#,
        ] {
            assert!(matches!(judged(body), Some(BodyFault::WrongUrl(_))), "{body}");
        }
        assert_eq!(check(http::StatusCode::BAD_REQUEST, b"{}"), None);
    }

    #[test]
    fn values_are_written_in_the_diallers_form() {
        let values: Values = [
            ("Amount", json!("12.50")),
            ("Name", json!("12")),
            ("dtBeginDate", json!("2026-07-01T10:00:00Z")),
            ("dtEndDate", json!("2026-12-24")),
            ("Email", Value::Null),
        ]
        .into_iter()
        .map(|(name, value)| (FieldName::parse(name).unwrap(), value))
        .collect();
        assert_eq!(
            Value::Object(body(&values, chrono_tz::Europe::Berlin)),
            json!({
                "Amount": 12.50, "Name": "12", "Email": null,
                "dtBeginDate": "2026-07-01T12:00:00", "dtEndDate": "2026-12-24T00:00:00",
            })
        );
    }

    #[test]
    fn the_batch_read_is_taken_apart() {
        let record = json!({
            "ID": 7, "UserData": "k", "DiallerCampaignsResultCodes": {"ExportKey": "MAX"},
            "DiallerContactsHistory": [{"DiallerContactsHistoryID": 9, "StatisticsPartA": {"ID": 1}}],
        });
        let Value::Object(fields) = record else { unreachable!("an object literal") };
        let read = extended(fields).unwrap();
        assert_eq!(read.contact.id.0, 7);
        assert_eq!(read.history[0].id.0, 9);
        assert_eq!(read.result.unwrap()["ExportKey"], "MAX");
        assert!(!read.contact.fields.contains_key("DiallerContactsHistory"));
    }
}
