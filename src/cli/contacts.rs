//! `contacts`: the dialler's contacts by hand. Reads go straight to the dialler; acts go through the
//! ledger and the gate like any other operation.

use super::args::{ActArgs, ContactsVerb, WhichArgs};
use super::output::{Output, print, print_line};
use super::send;
use super::table::table;
use crate::app::contacts::{self, Shown, ToLock};
use crate::app::known::{self, Usage};
use crate::app::{self, Settings};
use crate::control::{Command, ContactAct, End};
use crate::domain::field::FieldKind;
use crate::domain::field::Taken;
use crate::domain::{ContactId, FieldName, RecordId, suggest};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;

/// Runs one of the contacts' verbs.
pub async fn run(config: &Path, verb: ContactsVerb) -> anyhow::Result<End> {
    match verb {
        ContactsVerb::List { campaign, json } => {
            let mut shown = Output::new(json.json).stream();
            contacts::list(config, campaign.as_deref(), |contact| {
                shown.push(&contact.fields, || contacts::line(&contact));
            })
            .await?;
            shown.end();
            Ok(End::Done)
        }
        ContactsVerb::Get(WhichArgs { contact, json }) => {
            let found = contacts::resolve(config, &contact).await?;
            Output::new(json.json).value(&found.fields, || fields_text(&found.fields));
            Ok(End::Done)
        }
        ContactsVerb::History(WhichArgs { contact, json }) => {
            let found = contacts::resolve(config, &contact).await?;
            let rows = contacts::history(config, found.id).await?;
            Output::new(json.json).value(&rows, || history_text(&rows));
            Ok(End::Done)
        }
        ContactsVerb::Import { route, record, reason } => {
            let route = known::route(&app::load(config)?, &route)?.id.clone();
            let command = Command::SendRecord { route, record: RecordId(record), reason };
            send::send(config, command, Output::new(false)).await
        }
        ContactsVerb::Update { contact, set, reason } => update(config, &contact, &set, reason).await,
        ContactsVerb::Lock(args) => act(config, args, ContactAct::Lock).await,
        ContactsVerb::Unlock(args) => act(config, args, ContactAct::Unlock).await,
        ContactsVerb::Reset(args) => act(config, args, ContactAct::Reset).await,
        ContactsVerb::Delete(args) => act(config, args, ContactAct::Delete).await,
    }
}

/// What it has; what is empty goes without saying.
fn fields_text(fields: &Map<String, Value>) -> String {
    let filled = fields.iter().filter(|(_, value)| !value.is_null());
    let rows: Vec<Vec<String>> = filled
        .map(|(name, value)| {
            vec![name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)]
        })
        .collect();
    table(&["field", "value"], &rows)
}

fn history_text(rows: &[Map<String, Value>]) -> String {
    if rows.is_empty() {
        return "It was never called.".to_owned();
    }
    let rows: Vec<String> = rows
        .iter()
        .map(|row| {
            let number = row.get("DiallerContactsHistoryID").cloned().unwrap_or_default();
            format!("call {number}\n{}", fields_text(row))
        })
        .collect();
    rows.join("\n")
}

/// Shows who it is and what will be lost, asks where something is lost, and does it.
async fn act(config: &Path, args: ActArgs, act: ContactAct) -> anyhow::Result<End> {
    let settings = app::load(config)?;
    if act == ContactAct::Lock {
        let contact = to_lock(config, &args.contact).await?;
        let command = Command::Contact { contact, act, reason: args.reason };
        return send::send(config, command, Output::new(false)).await;
    }
    let Shown { contact, text, calls } = contacts::shown(config, &settings, &args.contact).await?;
    print_line(&text);
    let lost = match act {
        ContactAct::Lock | ContactAct::Unlock => None,
        ContactAct::Reset => {
            Some(format!("its counters ({} tries) and its result will be gone", contact.tries()))
        }
        ContactAct::Delete => {
            Some(format!("the contact and its history ({calls} rows) will be gone from the dialler"))
        }
    };
    if let Some(lost) = lost
        && !args.yes
    {
        confirm(&lost)?;
    }
    let command = Command::Contact { contact: contact.id, act, reason: args.reason };
    send::send(config, command, Output::new(false)).await
}

/// A person at a terminal says yes; a script must have said so before.
pub fn confirm(lost: &str) -> anyhow::Result<()> {
    if !std::io::stdin().is_terminal() {
        return Err(Usage(format!("{lost}; say --yes if that is meant")).into());
    }
    print(&format!("{lost}. Type yes to go on: "));
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    if answer.trim() == "yes" {
        return Ok(());
    }
    Err(Usage("nothing was done".to_owned()).into())
}

async fn update(config: &Path, which: &str, set: &[String], reason: String) -> anyhow::Result<End> {
    let settings = app::load(config)?;
    let mut values = BTreeMap::new();
    let mut numbers = Vec::new();
    for text in set {
        let (field, value, number) = setting(&settings, text)?;
        values.insert(field.as_str().to_owned(), value);
        numbers.extend(number);
    }
    let shown = contacts::shown(config, &settings, which).await?;
    print_line(&shown.text);
    for (field, value) in &values {
        let before = shown.contact.fields.get(field).unwrap_or(&Value::Null);
        print_line(&format!("  {field}: {before} -> {value}"));
    }
    let command = Command::ContactUpdate { contact: shown.contact.id, values, numbers, reason };
    send::send(config, command, Output::new(false)).await
}

/// `FIELD=VALUE`, as the dialler takes it; for a phone slot also its number in E.164.
fn setting(settings: &Settings, text: &str) -> Result<(FieldName, Value, Option<String>), Usage> {
    let (name, value) = text.split_once('=').ok_or_else(|| Usage(format!("{text:?} is not FIELD=VALUE")))?;
    let field = FieldName::parse(name).ok_or_else(|| {
        let known = crate::domain::field::FIELDS.iter().map(|spec| spec.name);
        let hint = suggest(name, known).map(|name| format!("; did you mean {name}?")).unwrap_or_default();
        Usage(format!("there is no field {name} that may be changed{hint}"))
    })?;
    let spec = field.spec();
    match spec.taken {
        Taken::Import => return Err(Usage(format!("the dialler takes {name} at import only"))),
        Taken::Update | Taken::Both => {}
    }
    if value.is_empty() {
        return if spec.clearable {
            Ok((field, Value::Null, None))
        } else {
            Err(Usage(format!("{name} cannot be emptied")))
        };
    }
    match spec.kind {
        FieldKind::Text(most) if value.chars().count() > most => {
            Err(Usage(format!("{name}: at most {most} characters fit")))
        }
        FieldKind::Phone => match app::number_to_e164(settings, value) {
            Some(number) => {
                Ok((field, Value::from(settings.dialler.phone_format.write(&number)), Some(number)))
            }
            None => {
                Err(Usage(format!("{name}: {value:?} is no valid phone number; write it with its country")))
            }
        },
        FieldKind::Text(_) | FieldKind::LongText | FieldKind::Number | FieldKind::DateTime => {
            Ok((field, Value::from(value), None))
        }
    }
}

/// A lock needs no more than the contact's number: it is wished also while the dialler cannot be read.
async fn to_lock(config: &Path, which: &str) -> anyhow::Result<ContactId> {
    Ok(match contacts::resolve_to_lock(config, which).await? {
        ToLock::Found(contact) => {
            print_line(&contacts::line(&contact));
            contact.id
        }
        ToLock::Unread(contact, error) => {
            print_line(&format!(
                "contact {contact} cannot be read ({error:#}); it is locked by its number, as soon as the dialler answers"
            ));
            contact
        }
    })
}
