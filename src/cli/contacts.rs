//! `contacts`: the dialler's contacts by hand. Reads go straight to the dialler; acts go through the
//! ledger and the gate like any other operation.

use super::args::{ActArgs, ContactsVerb, WhichArgs};
use super::output::{Output, print_line};
use super::send;
use crate::app;
use crate::control::{Command, ContactAct, End};
use crate::domain::ContactId;
use anyhow::bail;
use std::path::Path;

/// Runs one of the contacts' verbs.
pub async fn run(config: &Path, verb: ContactsVerb) -> anyhow::Result<End> {
    match verb {
        ContactsVerb::List { campaign, json } => {
            let mut shown = Output::new(json.json).stream();
            app::contacts::list(config, campaign, |contact| {
                shown.push(&contact.fields, || app::contacts::line(&contact));
            })
            .await?;
            shown.end();
            Ok(End::Done)
        }
        ContactsVerb::Get(WhichArgs { contact, json }) => {
            let found = app::contacts::resolve(config, &contact).await?;
            Output::new(json.json)
                .value(&found.fields, || serde_json::to_string_pretty(&found.fields).unwrap_or_default());
            Ok(End::Done)
        }
        ContactsVerb::History(WhichArgs { contact, json }) => {
            let found = app::contacts::resolve(config, &contact).await?;
            let rows = app::contacts::history(config, found.id).await?;
            Output::new(json.json).value(&rows, || serde_json::to_string_pretty(&rows).unwrap_or_default());
            Ok(End::Done)
        }
        ContactsVerb::Lock(args) => act(config, args, ContactAct::Lock).await,
        ContactsVerb::Unlock(args) => act(config, args, ContactAct::Unlock).await,
        ContactsVerb::Reset(args) => act(config, args, ContactAct::Reset).await,
        ContactsVerb::Delete(args) => act(config, args, ContactAct::Delete).await,
    }
}

async fn act(config: &Path, args: ActArgs, act: ContactAct) -> anyhow::Result<End> {
    let found = app::contacts::resolve(config, &args.contact).await?;
    print_line(&app::contacts::line(&found));
    let lost = match act {
        ContactAct::Lock | ContactAct::Unlock => None,
        ContactAct::Reset => Some("its counters and its result will be gone"),
        ContactAct::Delete => Some("the contact and its whole history will be gone from the dialler"),
    };
    if let Some(lost) = lost
        && !args.yes
    {
        bail!("{lost}; say --yes if that is meant");
    }
    let contact: ContactId = found.id;
    send::send(config, Command::Contact { contact, act, reason: args.reason }, Output::new(false)).await
}
