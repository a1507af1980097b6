//! `try`: one record, looked at and, on demand, sent and read back.

use super::args::TryArgs;
use super::output::Output;
use super::send;
use crate::app::trial::{Speech, Tried, TriedExpression};
use crate::app::{self, known};
use crate::control::{Command, End};
use crate::domain::RecordId;
use serde_json::{Value, json};
use std::path::Path;

/// Tries a record.
pub async fn run(config: &Path, args: TryArgs) -> anyhow::Result<End> {
    let output = Output::new(args.json.json);
    let route = known::route(&app::load(config)?, &args.route)?.id.clone();
    let record = RecordId(args.record);
    let (speech, hide): (_, fn(&Value) -> Value) = match args.redact {
        true => (Speech::Redacted, redacted),
        false => (Speech::Open, Value::clone),
    };
    let tried = app::trial::run(config, &route, &record, speech).await?;
    if !output.is_json() {
        output.value(&(), || text(&tried, record.as_str(), hide));
    }
    let mut answer = shown(&tried, hide);
    let mut end = End::Done;
    // Clap lets neither of the two stand without the other.
    if let Some(reason) = args.reason.filter(|_| args.send) {
        let command = Command::SendRecord { route, record, reason };
        if output.is_json() {
            let (ended, sent) = send::send_for_values(config, command).await?;
            (end, answer["sent"]) = (ended, Value::Array(sent));
        } else {
            end = send::send(config, command, output).await?;
        }
        let back = read_back(config, &tried, hide).await;
        if !output.is_json() {
            output.value(&(), || read_back_text(&back));
        }
        answer["read_back"] = back;
    }
    if output.is_json() {
        output.value(&answer, String::new);
    }
    Ok(end)
}

/// The contact as the dialler holds it now.
async fn read_back(config: &Path, tried: &Tried, hide: fn(&Value) -> Value) -> Value {
    let Some(user_data) = &tried.trial.user_data else { return Value::Null };
    match app::contacts::resolve(config, user_data).await {
        Ok(contact) => hide_all(&Value::Object(contact.fields), hide),
        Err(error) => json!({ "error": format!("{error:#}") }),
    }
}

fn read_back_text(back: &Value) -> String {
    let mut text = String::from("read back:\n");
    for (name, value) in back.as_object().into_iter().flatten() {
        if !value.is_null() {
            text.push_str(&format!("  {name} = {value}\n"));
        }
    }
    text
}

/// Everything, with what is personal hidden where that was asked for; reasons were spoken that way already.
fn shown(tried: &Tried, hide: fn(&Value) -> Value) -> Value {
    let mut value = serde_json::to_value(tried).unwrap_or_default();
    for place in ["record", "expressions", "numbers", "changes"] {
        value[place] = hide_all(&value[place], hide);
    }
    let body = hide_all(&value["request"]["body"], hide);
    if let Some(request) = value["request"].as_object_mut() {
        request.insert("body".to_owned(), body);
    }
    value
}

/// Names, keys and sources stay; values are hidden.
fn hide_all(value: &Value, hide: fn(&Value) -> Value) -> Value {
    const STAY: [&str; 9] =
        ["key", "source", "field", "id", "ID", "UserData", "DiallerCampaignsID", "error", "cut"];
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| {
                let stays = STAY.contains(&name.as_str());
                (name.clone(), if stays { value.clone() } else { hide_all(value, hide) })
            })
            .collect(),
        Value::Array(items) => match items.as_slice() {
            // A name beside its value.
            [Value::String(name), of] if name.chars().all(|c| c.is_alphanumeric() || "_.[]".contains(c)) => {
                json!([name, hide_all(of, hide)])
            }
            _ => items.iter().map(|item| hide_all(item, hide)).collect(),
        },
        other => hide(other),
    }
}

/// What can be said of a value without saying it.
fn redacted(value: &Value) -> Value {
    match value {
        Value::String(text) if text.is_empty() => value.clone(),
        Value::String(text) => json!(format!("<text of {} characters>", text.chars().count())),
        Value::Number(_) => json!("<a number>"),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => value.clone(),
    }
}

fn text(tried: &Tried, id: &str, hide: fn(&Value) -> Value) -> String {
    let trial = &tried.trial;
    let mut text = format!("record {id} under route {}\n", trial.route);
    if let Some(Value::Object(fields)) = trial.record.as_ref().map(|record| hide_all(record, hide)) {
        for (name, value) in fields {
            text.push_str(&format!("  {name} = {value}\n"));
        }
    }
    if let Some(user_data) = &trial.user_data {
        text.push_str(&format!("UserData: {user_data}\n"));
    }
    if !trial.expressions.is_empty() {
        text.push_str("expressions\n");
    }
    for expression in &trial.expressions {
        text.push_str(&expression_text(expression, hide));
    }
    for note in &trial.notes {
        text.push_str(&format!("note: {note}\n"));
    }
    if !trial.numbers.is_empty() {
        let numbers: Vec<String> =
            trial.numbers.iter().map(|number| bare(&hide(&Value::from(number.as_str())))).collect();
        text.push_str(&format!("numbers: {}\n", numbers.join(", ")));
    }
    for block in &trial.blocks {
        text.push_str(&format!("BLOCKED: {block}\n"));
    }
    if !trial.dialler.is_empty() {
        text.push_str(&format!("dialler: {}\n", trial.dialler));
    }
    for double in &trial.doubles {
        text.push_str(&format!("DOUBLE: contact {double} bears the same UserData\n"));
    }
    text.push_str(&format!("verdict: {}\n", trial.verdict));
    for operation in &trial.operations {
        text.push_str(&format!("  {operation}\n"));
    }
    for change in &trial.changes {
        let before =
            change.before.as_ref().map_or("(never sent)".to_owned(), |value| hide(value).to_string());
        text.push_str(&format!("    {}: {before} -> {}\n", change.field, hide(&change.after)));
    }
    if let Some(request) = &tried.request {
        text.push_str(&format!("request: {} {}\n", request.method, request.url));
        if let Some(body) = &request.body {
            let body = hide_all(body, hide);
            text.push_str(&serde_json::to_string_pretty(&body).unwrap_or_default());
        }
    }
    text
}

fn expression_text(expression: &TriedExpression, hide: fn(&Value) -> Value) -> String {
    let mut text = format!("  {} = {}\n", expression.key, expression.source);
    for (name, value) in &expression.inputs {
        match value {
            Some(value) => text.push_str(&format!("      {name}: {}\n", hide(value))),
            None => text.push_str(&format!("      {name}: NOT IN THE RECORD\n")),
        }
    }
    match (&expression.result, &expression.error) {
        (Some(result), _) => text.push_str(&format!("      -> {}", hide(result))),
        (None, Some(error)) => text.push_str(&format!("      -> FAILED: {error}")),
        (None, None) => text.push_str("      -> nothing"),
    }
    if let Some(send) = expression.send.as_ref().filter(|send| Some(*send) != expression.result.as_ref()) {
        text.push_str(&format!(", sent as {}", hide(send)));
    }
    if let Some(cut) = &expression.cut {
        text.push_str(&format!(" (CUT: {cut})"));
    }
    text.push('\n');
    text
}

fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
