//! A history row as answered, made ready for the ledger: laid out flat, its times resolved.

use super::HarvestContext;
use crate::domain::{CampaignId, HistoryRow};
use crate::jobs::JobError;
use crate::jobs::local_time::{Neighbours, RowTexts, resolve_row};
use crate::ledger::{CallRow, ResultCode};
use serde_json::{Map, Value};

/// Fields of a call that the batch read may show inside `StatisticsPartA` only (facts 3.3: its items nest the
/// call detail record, and the page is cut off there).
const OF_THE_CALL: [&str; 12] = [
    "bOutbound",
    "bTestCall",
    "dtCallStart",
    "dtCallAlert",
    "dtCallConnect",
    "dtCallEnd",
    "CONNRES",
    "CauseCodesID",
    "bCallerHangup",
    "ANumber",
    "BNumber",
    "UsersID",
];

/// Makes rows ready. Rows of the doubled hour that their own times do not settle are settled by the rows
/// around them in the campaign, as far as these are stored.
pub(super) async fn ready(
    ctx: &HarvestContext,
    campaign: CampaignId,
    rows: Vec<HistoryRow>,
) -> Result<Vec<CallRow>, JobError> {
    let mut ready = Vec::with_capacity(rows.len());
    for row in rows {
        let fields = flat(row.fields);
        let mut times = resolve_row(ctx.zone, &texts(&fields), Neighbours::default());
        if times.how() == Some(crate::domain::TimeReading::First) {
            let (before, after) = ctx.ledger.call_neighbours(campaign, row.id).await?;
            times = resolve_row(ctx.zone, &texts(&fields), Neighbours { before, after });
        }
        let number = fields.get("PhoneNumber").and_then(Value::as_str).and_then(|text| (ctx.to_e164)(text));
        ready.push(CallRow { id: row.id, fields, number, times });
    }
    Ok(ready)
}

fn flat(mut fields: Map<String, Value>) -> Map<String, Value> {
    let nested: Vec<(String, Value)> = match fields.get("StatisticsPartA").and_then(Value::as_object) {
        Some(call) => OF_THE_CALL
            .iter()
            .filter(|name| !fields.contains_key(**name))
            .filter_map(|name| Some(((*name).to_owned(), call.get(*name)?.clone())))
            .collect(),
        None => Vec::new(),
    };
    fields.extend(nested);
    fields
}

fn texts(fields: &Map<String, Value>) -> RowTexts<'_> {
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    RowTexts {
        start: text("dtCallStart"),
        alert: text("dtCallAlert"),
        connect: text("dtCallConnect"),
        end: text("dtCallEnd"),
        created: text("dtCreatedDiallerContactsHistory"),
    }
}

/// The decoded result of the batch read; `None` without a number.
pub(super) fn result_code(result: &Map<String, Value>) -> Option<ResultCode> {
    let text = |name: &str| result.get(name).and_then(Value::as_str).map(str::to_owned);
    let flag = |name: &str| result.get(name).and_then(Value::as_bool);
    Some(ResultCode {
        code: result.get("ID").and_then(Value::as_i64)?,
        name: text("Content"),
        export_key: text("ExportKey"),
        done: flag("bDone"),
        aborted: flag("bAborted"),
        delay: flag("bDelay"),
        appointment: flag("bAppointment"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nested_call_fields_are_laid_out_flat_and_never_win() {
        let row = json!({
            "DiallerContactsHistoryID": 1, "bOutbound": false,
            "StatisticsPartA": {"ID": 9, "bOutbound": true, "dtCallStart": "2026-03-02T10:00:00"}
        });
        let flat = flat(row.as_object().expect("an object").clone());
        assert_eq!(flat["bOutbound"], json!(false));
        assert_eq!(flat["dtCallStart"], json!("2026-03-02T10:00:00"));
        assert!(!flat.contains_key("ID"));
    }
}
