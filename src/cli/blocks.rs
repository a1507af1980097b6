//! `block`: who must not be called.

use super::args::{BlockListArgs, BlockVerb, RemoveArgs, WhomArgs};
use super::blocks_lift;
use super::output::Output;
use super::send;
use super::table::table;
use super::zone::Zone;
use crate::app::block_files::{self, BadLine};
use crate::app::known::{self, Usage};
use crate::app::{self, Settings};
use crate::control::{Command, End};
use crate::domain::{BlockSubject, RecordId, RecordKey, Timestamp};
use crate::env::Env;
use anyhow::{Context as _, bail};
use std::path::{Path, PathBuf};

/// Runs one of the block list's verbs.
pub async fn run(config: &Path, verb: BlockVerb) -> anyhow::Result<End> {
    let settings = app::load(config)?;
    match verb {
        BlockVerb::List(list) => show(&settings, &list).await,
        BlockVerb::Add { whom, reason, until } => {
            let until = until.as_deref().map(|text| end(text, Zone::of(&settings))).transpose()?;
            let client = match (&whom.client, &whom.route) {
                (None, Some(route)) => known::route(&settings, route)?.client.clone(),
                (explicit, _) => known::client(&settings, explicit.as_deref())?,
            };
            let subjects = vec![subject(&settings, &whom).await?];
            let source = "operator".to_owned();
            let command = Command::BlockAdd { client, subjects, reason, source, until };
            send::send(config, command, Output::new(false)).await
        }
        BlockVerb::Remove(remove) => self::remove(config, &settings, remove).await,
        BlockVerb::Seen { source, reason } => {
            send::send(config, Command::BlocksSeen { source, reason }, Output::new(false)).await
        }
        BlockVerb::Import { file, reason, client } => {
            let client = known::client(&settings, client.as_deref())?;
            import(config, &settings, file, reason, client).await
        }
    }
}

async fn remove(config: &Path, settings: &Settings, remove: RemoveArgs) -> anyhow::Result<End> {
    let client = match (&remove.client, &remove.route) {
        // Also a client that has left the config: its blocks still stand, and may be lifted.
        (Some(client), _) => client.clone(),
        (None, Some(route)) => known::route(settings, route)?.client.clone(),
        (None, None) => known::client(settings, None)?,
    };
    if let Some(span) = blocks_lift::span(Zone::of(settings), &remove, Env::real().now())? {
        return blocks_lift::run(config, settings, client, span, remove).await;
    }
    let (reason, source) = (remove.reason.unwrap_or_default(), remove.source);
    let whom =
        WhomArgs { number: remove.number, record: remove.record, route: remove.route, client: remove.client };
    let command = Command::BlockRemove { client, subject: subject(settings, &whom).await?, source, reason };
    send::send(config, command, Output::new(false)).await
}

/// Blocks every number of the file. A line that is none costs that line only: who can be blocked, is.
async fn import(
    config: &Path,
    settings: &Settings,
    file: PathBuf,
    reason: String,
    client: String,
) -> anyhow::Result<End> {
    let read = block_files::read(settings, &file)?;
    for BadLine { line, what } in &read.bad {
        eprintln!("{}:{line}: {what}", file.display());
    }
    if read.numbers.is_empty() {
        bail!("{} holds no valid number; nobody was blocked", file.display());
    }
    let subjects = read.numbers.into_iter().map(BlockSubject::Number).collect();
    let source = format!("file:{}", file.display());
    let command = Command::BlockAdd { client, subjects, reason, source, until: None };
    let end = send::send(config, command, Output::new(false)).await?;
    if read.bad.is_empty() {
        return Ok(end);
    }
    eprintln!(
        "{} lines were NOT blocked, see above. Correct them (numbers with their country, +49 ...) and import the file \
         again: what stands is not blocked twice",
        read.bad.len()
    );
    Ok(end.and(End::Failed))
}

async fn show(settings: &Settings, list: &BlockListArgs) -> anyhow::Result<End> {
    let ledger = app::open_reading(settings).await?;
    let blocks = ledger.blocks_list(list.client.as_deref(), list.ended, list.limit).await?;
    let zone = Zone::of(settings);
    Output::new(list.json.json).value(&blocks, || {
        if blocks.is_empty() {
            return "Nobody is blocked.".to_owned();
        }
        let rows: Vec<Vec<String>> = blocks
            .iter()
            .map(|block| {
                let ended = match (block.lifted_at, &block.lifted_why) {
                    (Some(at), why) => format!("lifted {}: {}", zone.at(at), why.as_deref().unwrap_or("")),
                    (None, _) => block.until.map(|at| zone.at(at)).unwrap_or_default(),
                };
                let who = match &block.subject {
                    BlockSubject::Record(key) => key.to_string(),
                    BlockSubject::Number(number) => number.clone(),
                    BlockSubject::Contact(contact) => format!("contact {contact}"),
                };
                let since = zone.at(block.since);
                vec![who, block.client.clone(), block.source.clone(), since, ended, block.reason.to_string()]
            })
            .collect();
        table(&["who", "client", "source", "since", "until", "why"], &rows)
    });
    Ok(End::Done)
}

async fn subject(settings: &Settings, whom: &WhomArgs) -> anyhow::Result<BlockSubject> {
    match (&whom.number, &whom.record, &whom.route) {
        (Some(number), None, _) => match app::number_to_e164(settings, number) {
            Some(number) => Ok(BlockSubject::Number(number)),
            None => Err(Usage(format!(
                "{number:?} is no valid phone number; write it with its country (+49 ...) or set [blocks] country"
            ))
            .into()),
        },
        (None, Some(record), Some(route)) => {
            let route = known::route(settings, route)?;
            let ledger = app::open_reading(settings).await?;
            let row = ledger.route_show(route.id.clone()).await?;
            let row = row.with_context(|| {
                format!(
                    "the ledger does not know route {} yet; `dialbridge sync pull` makes it known",
                    route.name
                )
            })?;
            Ok(BlockSubject::Record(RecordKey {
                crm: row.crm,
                object: row.object,
                id: RecordId(record.clone()),
            }))
        }
        _ => Err(Usage("say whom: --number N, or --route R --record ID".to_owned()).into()),
    }
}

/// `2027-01-31` (that day's first instant where the dialler is) or a whole instant.
pub(super) fn end(text: &str, zone: Zone) -> Result<Timestamp, Usage> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(instant);
    }
    let day = text.parse().ok().and_then(|day| zone.day_start(day));
    day.ok_or_else(|| {
        Usage(format!("{text:?} is neither a day (2027-01-31) nor an instant (2027-01-31T08:00:00Z)"))
    })
}
