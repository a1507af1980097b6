//! What a house of many linked contacts costs: a reconcile in full, and a list of people who said no while the CRM is down.

use super::{bound, carry_out, child, close, megabytes, parts, peak, report, seconds};
use crate::sides::{CAMPAIGN, Sides};
use anyhow::{Context as _, ensure};
use dialbridge::control::Command;
use dialbridge::dialler::{DiallerRead as _, Listed};
use dialbridge::domain::policy::Job;
use dialbridge::domain::{BlockSubject, CampaignId};
use dialbridge::remote::CallClass;
use futures_util::StreamExt as _;
use serde_json::json;
use std::path::Path;
use std::time::Instant;

/// One in so many contacts stands in the list.
const ONE_IN: u32 = 50;

/// In the parent process.
pub fn measure(contacts: u32) -> anyhow::Result<()> {
    let sides = Sides::start(contacts, 0)?;
    child(&["pull", sides.folder()])?;
    child(&["push", sides.folder()])?;
    child(&["harvest", sides.folder()])?;
    let agreed = child(&["reconcile", sides.folder()])?;
    ensure!(agreed["contacts"] == json!(contacts), "{agreed}: not every contact was compared");
    ensure!(agreed["drift"] == json!(0), "{agreed}: nothing was changed by anybody");
    println!("a reconcile of {contacts} records and their contacts");
    println!("  both sides read and compared       {:8.1} s", seconds(&agreed));
    bound("its peak memory", &megabytes(&agreed), "under 100 MB", peak(&agreed) < 100.0)?;
    sides.tell("crm_down")?;
    let said_no = (contacts / ONE_IN).to_string();
    let locked = child(&["block", sides.folder(), &said_no])?;
    let locks = sides.locks()?;
    ensure!(locks.to_string() == said_no, "{locks} locks for {said_no} people");
    println!("{said_no} of {contacts} people in a list of objections, the CRM down");
    let figure = format!("{:8.1} s", seconds(&locked));
    bound("until the last lock", &figure, "under 60 s", seconds(&locked) < 60.0)?;
    let said_no = sides.tell("say_no")?;
    let heard = child(&["hear", sides.folder()])?;
    let locks = sides.locks()? - locks;
    ensure!(locks.to_string() == said_no, "{locks} locks for {said_no} people");
    println!("{said_no} of {contacts} people who said so in a call, the CRM down");
    let figure = format!("{:8.1} s", seconds(&heard));
    bound("from the harvest to the last lock", &figure, "under 60 s", seconds(&heard) < 60.0)?;
    Ok(())
}

/// The role: everything compared once.
pub async fn reconcile(folder: &Path) -> anyhow::Result<()> {
    let settings = dialbridge::app::load(&folder.join("dialbridge.toml"))?;
    let began = Instant::now();
    let found =
        dialbridge::app::reconcile::run(&settings, None, dialbridge::app::reconcile::Depth::Usual).await?;
    let of = found.first().context("a route")?;
    report(began, json!({ "contacts": of.contacts, "drift": of.total() }))
}

/// The role: from the list's arrival until the last of its people is locked.
pub async fn block(folder: &Path, count: &str) -> anyhow::Result<()> {
    let parts = parts(folder).await?;
    let numbers = numbers(&parts, count.parse()?).await?;
    let subjects = numbers.into_iter().map(BlockSubject::Number).collect();
    let began = Instant::now();
    let (reason, source) = ("measured".to_owned(), "file:no.csv".to_owned());
    let add = Command::BlockAdd { client: "default".to_owned(), subjects, reason, source, until: None };
    carry_out(&parts, add).await?;
    carry_out(&parts, Command::Sync { job: Some(Job::Push), route: None, full: false }).await?;
    report(began, json!({}))?;
    close(parts).await;
    Ok(())
}

/// The role: from the harvest that finds the results until the last of these people is locked.
pub async fn hear(folder: &Path) -> anyhow::Result<()> {
    let parts = parts(folder).await?;
    let began = Instant::now();
    for job in [Job::Harvest, Job::Push] {
        carry_out(&parts, Command::Sync { job: Some(job), route: None, full: false }).await?;
    }
    report(began, json!({}))?;
    close(parts).await;
    Ok(())
}

async fn numbers(parts: &dialbridge::app::parts::Parts, count: usize) -> anyhow::Result<Vec<String>> {
    let mut list = parts.dialler.list_contacts(Some(CampaignId(CAMPAIGN)), CallClass::Audit).await?;
    let mut numbers = Vec::with_capacity(count);
    while numbers.len() < count {
        let Listed::Contact(contact) = list.next().await.context("too few contacts")?? else { continue };
        let number = contact.get("PhoneNumber1").as_str().unwrap_or_default();
        numbers.extend(dialbridge::mapping::dialler_number_to_e164(number, Some("DE")));
    }
    Ok(numbers)
}
