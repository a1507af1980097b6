//! Reading the dialler's contacts by hand.

use super::Settings;
use super::known::Usage;
use super::parts::{RealTransports, sides};
use crate::dialler::jtel::JtelClient;
use crate::dialler::{DiallerRead as _, Listed};
use crate::domain::{CampaignId, Contact, ContactId, HistoryRow, UserData};
use crate::env::Env;
use crate::jobs::glimpse::glimpse;
use crate::ledger::GateAnswer;
use crate::remote::CallClass;
use anyhow::{Context as _, bail};
use futures_util::StreamExt as _;
use serde_json::{Map, Value};
use std::path::Path;
use std::sync::Arc;

fn dialler(config: &Path) -> anyhow::Result<Arc<JtelClient>> {
    let settings = super::load(config)?;
    Ok(sides(&settings, &Env::real(), &RealTransports, None)?.dialler)
}

/// Hands on each contact as it arrives: of a campaign (by number or name), or of the account.
///
/// # Errors
/// There is no such campaign, or the list broke off; what was handed on before is not complete.
pub async fn list(
    config: &Path,
    campaign: Option<&str>,
    mut each: impl FnMut(Contact),
) -> anyhow::Result<()> {
    let dialler = dialler(config)?;
    let campaign = match campaign {
        Some(named) => Some(campaign_of(&dialler, named).await?),
        None => None,
    };
    let mut contacts = dialler.list_contacts(campaign, CallClass::Harvest).await?;
    while let Some(listed) = contacts.next().await {
        match listed.context("the list is not complete")? {
            Listed::Contact(contact) => each(contact),
            Listed::Bad(bad) => eprintln!("one contact cannot be read: {bad:?}"),
        }
    }
    Ok(())
}

async fn campaign_of(dialler: &JtelClient, named: &str) -> anyhow::Result<CampaignId> {
    let campaigns = dialler.campaigns().await?;
    let by_number = |id: i64| campaigns.iter().find(|campaign| campaign.id == CampaignId(id));
    let found = campaigns
        .iter()
        .find(|campaign| campaign.name == named)
        .or_else(|| named.parse().ok().and_then(by_number));
    match found {
        Some(campaign) => Ok(campaign.id),
        None => {
            let names: Vec<String> =
                campaigns.iter().map(|campaign| format!("{} ({})", campaign.name, campaign.id)).collect();
            Err(Usage(format!("there is no campaign {named}; the dialler has {}", names.join(", "))).into())
        }
    }
}

/// A contact before a person acts on it.
pub struct Shown {
    /// The contact.
    pub contact: Contact,
    /// Name, campaign, last result and blocks, for people.
    pub text: String,
    /// Rows of its history.
    pub calls: usize,
}

/// Resolves to exactly one contact, and tells who it is.
///
/// # Errors
/// None or several, or a side or the ledger cannot be read.
pub async fn shown(config: &Path, settings: &Settings, which: &str) -> anyhow::Result<Shown> {
    let contact = resolve(config, which).await?;
    let dialler = dialler(config)?;
    let rows = dialler.history(contact.id, CallClass::Push).await?.unwrap_or_default();
    let campaigns = dialler.campaigns().await?;
    let campaign = campaigns.iter().find(|campaign| Some(campaign.id) == contact.campaign);
    let mut text = line(&contact);
    if let Some(campaign) = campaign {
        text.push_str(&format!("\n  campaign {:?}", campaign.name));
    }
    let last = rows.iter().max_by_key(|row| row.id);
    if let Some(code) = last.and_then(|row| row.fields.get("DiallerCampaignsResultCodesID")) {
        text.push_str(&format!("; last recorded result code {code}"));
    }
    if settings.ledger.path.exists() {
        let ledger = super::open_reading(settings).await?;
        let seen = glimpse(&contact, &*super::harvesting::to_e164(settings.dialler.country.clone()));
        if let GateAnswer::Shut(block) = ledger.gate_ask_contact(seen).await? {
            text.push_str(&format!("\n  BLOCKED: {}", block.reason));
        }
    }
    Ok(Shown { contact, text, calls: rows.len() })
}

/// The one contact that is meant: by its number, or by a UserData that exactly one contact has.
///
/// # Errors
/// None, or several: then they are named, and an act takes one of their numbers.
pub async fn resolve(config: &Path, which: &str) -> anyhow::Result<Contact> {
    let dialler = dialler(config)?;
    if let Ok(id) = which.parse::<i64>() {
        let found = dialler.contact(ContactId(id), CallClass::Push).await?;
        return found.with_context(|| format!("the dialler has no contact {id}"));
    }
    let user_data =
        UserData::parse(which).map_err(|error| anyhow::anyhow!("{which:?} is no UserData: {error}"))?;
    let mut found = dialler.contacts_by_user_data(&user_data, CallClass::Push).await?;
    found.retain(|contact| contact.user_data.as_deref() == Some(which));
    match found.len() {
        0 => bail!("the dialler has no contact with the UserData {which}"),
        1 => found.pop().context("one contact"),
        _ => {
            let ids: Vec<String> = found.iter().map(|contact| contact.id.to_string()).collect();
            bail!("several contacts have the UserData {which}: {}; name one by its number", ids.join(", "))
        }
    }
}

/// What is to be locked: read where the dialler can be read, else by its number alone.
pub enum ToLock {
    /// It is there.
    Found(Box<Contact>),
    /// The dialler does not answer, and a lock needs no more than the number.
    Unread(ContactId, anyhow::Error),
}

/// The one contact that is meant, for a lock: a dialler that is down must not keep the wish from being stored.
///
/// # Errors
/// None, or several; or it cannot be read and was not named by its number.
pub async fn resolve_to_lock(config: &Path, which: &str) -> anyhow::Result<ToLock> {
    let Ok(id) = which.parse::<i64>() else {
        return Ok(ToLock::Found(Box::new(resolve(config, which).await?)));
    };
    let id = ContactId(id);
    match dialler(config)?.contact(id, CallClass::Lock).await {
        Ok(Some(contact)) => Ok(ToLock::Found(Box::new(contact))),
        Ok(None) => bail!("the dialler has no contact {id}"),
        Err(error) => Ok(ToLock::Unread(id, error.into())),
    }
}

/// A contact's history.
///
/// # Errors
/// The contact is gone or the dialler cannot be read.
pub async fn history(config: &Path, id: ContactId) -> anyhow::Result<Vec<Map<String, Value>>> {
    let rows = dialler(config)?.history(id, CallClass::Push).await?;
    let rows: Vec<HistoryRow> = rows.with_context(|| format!("the dialler has no contact {id}"))?;
    Ok(rows.into_iter().map(|row| row.fields).collect())
}

/// A contact in a line.
pub fn line(contact: &Contact) -> String {
    let text = |field: &str| contact.get(field).as_str().unwrap_or_default().to_owned();
    format!(
        "contact {}  campaign {}  UserData {}  {} {}  {} tries  result {}",
        contact.id,
        contact.campaign.map_or_else(|| "?".to_owned(), |id| id.to_string()),
        contact.user_data.as_deref().unwrap_or("-"),
        text("FirstName"),
        text("Name"),
        contact.tries(),
        contact.result_code().map_or_else(|| "-".to_owned(), |code| code.to_string()),
    )
}
