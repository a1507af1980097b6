//! `contacts`: the dialler's contacts by hand. Reads go straight to the dialler; acts go through the
//! ledger and the gate like any other operation.

use super::args::{ActArgs, ContactsVerb, WhichArgs};
use super::output::Output;
use super::send;
use crate::app;
use crate::app::contacts::ToLock;
use crate::control::{Command, ContactAct, End};
use crate::domain::ContactId;
use anyhow::bail;
use std::path::Path;

/// Runs one of the contacts' verbs.
pub async fn run(config: &Path, verb: ContactsVerb) -> anyhow::Result<End> {
    match verb {
        ContactsVerb::List { campaign, json } => {
            let output = Output::new(json.json);
            app::contacts::list(config, campaign, |contact| {
                output.value(&contact.fields, || app::contacts::line(&contact));
            })
            .await?;
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
            Output::new(json.json).values(&rows, || serde_json::to_string_pretty(&rows).unwrap_or_default());
            Ok(End::Done)
        }
        ContactsVerb::Lock(args) => act(config, args, ContactAct::Lock).await,
        ContactsVerb::Unlock(args) => act(config, args, ContactAct::Unlock).await,
        ContactsVerb::Reset(args) => act(config, args, ContactAct::Reset).await,
        ContactsVerb::Delete(args) => act(config, args, ContactAct::Delete).await,
    }
}

async fn act(config: &Path, args: ActArgs, act: ContactAct) -> anyhow::Result<End> {
    let contact = match act {
        ContactAct::Lock => to_lock(config, &args.contact).await?,
        ContactAct::Unlock | ContactAct::Reset | ContactAct::Delete => {
            let found = app::contacts::resolve(config, &args.contact).await?;
            println!("{}", app::contacts::line(&found));
            found.id
        }
    };
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
    send::send(config, Command::Contact { contact, act, reason: args.reason }, Output::new(false)).await
}

async fn to_lock(config: &Path, which: &str) -> anyhow::Result<ContactId> {
    Ok(match app::contacts::resolve_to_lock(config, which).await? {
        ToLock::Found(contact) => {
            println!("{}", app::contacts::line(&contact));
            contact.id
        }
        ToLock::Unread(contact, error) => {
            println!(
                "contact {contact} cannot be read ({error:#}); it is locked by its number, as soon as the dialler answers"
            );
            contact
        }
    })
}
