//! `block`: who must not be called.

use super::args::{BlockVerb, WhomArgs};
use super::output::Output;
use super::send;
use super::table::table;
use crate::app;
use crate::control::{Command, End};
use crate::domain::{BlockSubject, RecordId, RecordKey, RouteName, Timestamp};
use anyhow::{Context as _, bail};
use std::path::Path;

/// Runs one of the block list's verbs.
pub async fn run(config: &Path, verb: BlockVerb) -> anyhow::Result<End> {
    let command = match verb {
        BlockVerb::List(list) => return show(config, &list).await,
        BlockVerb::Add { whom, reason, until } => Command::BlockAdd {
            client: whom.client.clone(),
            subjects: vec![subject(config, whom).await?],
            reason,
            source: "operator".to_owned(),
            until: until.as_deref().map(end).transpose()?,
        },
        BlockVerb::Remove { whom, reason } => Command::BlockRemove {
            client: whom.client.clone(),
            subject: subject(config, whom).await?,
            reason,
        },
        BlockVerb::Import { file, reason, client } => {
            let subjects = from_file(config, &file)?;
            Command::BlockAdd {
                client,
                subjects,
                reason,
                source: format!("file:{}", file.display()),
                until: None,
            }
        }
    };
    send::send(config, command, Output::new(false)).await
}

async fn show(config: &Path, list: &super::args::ListArgs) -> anyhow::Result<End> {
    let settings = app::load(config)?;
    let ledger = app::open_reading(&settings).await?;
    let blocks = ledger.blocks_list(None, false, list.limit).await?;
    Output::new(list.json.json).values(&blocks, || {
        let rows: Vec<Vec<String>> = blocks
            .iter()
            .map(|block| {
                vec![
                    match &block.subject {
                        BlockSubject::Record(key) => key.to_string(),
                        BlockSubject::Number(number) => number.clone(),
                    },
                    block.client.clone(),
                    block.source.clone(),
                    block.since.format("%Y-%m-%d %H:%M").to_string(),
                    block.until.map(|at| at.format("%Y-%m-%d %H:%M").to_string()).unwrap_or_default(),
                    block.reason.to_string(),
                ]
            })
            .collect();
        table(&["who", "client", "source", "since (UTC)", "until", "why"], &rows)
    });
    Ok(End::Done)
}

async fn subject(config: &Path, whom: WhomArgs) -> anyhow::Result<BlockSubject> {
    let settings = app::load(config)?;
    match (whom.number, whom.record, whom.route) {
        (Some(number), None, _) => match app::number_to_e164(&settings, &number) {
            Some(number) => Ok(BlockSubject::Number(number)),
            None => bail!(
                "{number:?} is no valid phone number; write it with its country (+49 ...) or set [blocks] country"
            ),
        },
        (None, Some(record), Some(route)) => {
            let ledger = app::open_reading(&settings).await?;
            let row = ledger.route_show(RouteName(route.clone())).await?;
            let row = row.with_context(|| format!("the ledger knows no route {route}"))?;
            Ok(BlockSubject::Record(RecordKey { crm: row.crm, object: row.object, id: RecordId(record) }))
        }
        _ => bail!("say whom: --number N, or --route R --record ID"),
    }
}

/// `2027-01-31` (that day's first instant in UTC) or a whole instant.
pub(super) fn end(text: &str) -> anyhow::Result<Timestamp> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(instant);
    }
    let day: chrono::NaiveDate =
        text.parse().with_context(|| format!("{text:?} is neither a day (2027-01-31) nor an instant"))?;
    Ok(day.and_time(chrono::NaiveTime::MIN).and_utc())
}

/// All numbers of the file, or every line that is none: nothing is blocked half.
fn from_file(config: &Path, file: &Path) -> anyhow::Result<Vec<BlockSubject>> {
    let settings = app::load(config)?;
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter(file)?)
        .from_path(file)
        .with_context(|| format!("{} cannot be read", file.display()))?;
    let mut column = 0;
    let mut subjects = Vec::new();
    let mut bad = Vec::new();
    for (index, row) in reader.records().enumerate() {
        let row = row.with_context(|| format!("{} cannot be read as CSV", file.display()))?;
        if index == 0
            && let Some(named) = row.iter().position(|cell| {
                let cell = cell.trim().trim_start_matches('\u{feff}');
                ["number", "phone", "telefon", "nummer", "telefonnummer"]
                    .iter()
                    .any(|name| cell.eq_ignore_ascii_case(name))
            })
        {
            column = named;
            continue;
        }
        let cell = row.get(column).unwrap_or_default().trim().trim_start_matches('\u{feff}');
        if cell.is_empty() || cell.starts_with('#') {
            continue;
        }
        match app::number_to_e164(&settings, cell) {
            Some(number) => subjects.push(BlockSubject::Number(number)),
            None => bad.push(index + 1),
        }
    }
    if !bad.is_empty() {
        let shown: Vec<String> = bad.iter().take(20).map(ToString::to_string).collect();
        bail!(
            "{}: lines without a valid phone number: {} (line {}{}); nothing was blocked. Correct them, or write \
             numbers with their country",
            file.display(),
            bad.len(),
            shown.join(", "),
            if bad.len() > shown.len() { ", ..." } else { "" }
        );
    }
    if subjects.is_empty() {
        bail!("{} holds no number", file.display());
    }
    subjects.sort();
    subjects.dedup();
    Ok(subjects)
}

/// German spreadsheets write semicolons.
fn delimiter(file: &Path) -> anyhow::Result<u8> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    Ok(if text.lines().next().is_some_and(|line| line.contains(';')) { b';' } else { b',' })
}
