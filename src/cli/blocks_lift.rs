//! `block remove --source`: a wrong list is taken back, or shown what that would do.

use super::args::RemoveArgs;
use super::blocks::end;
use super::output::Output;
use super::send;
use super::zone::Zone;
use crate::app::{self, Settings, block_files};
use crate::control::{Command, End, left_in_words};
use crate::domain::BlockSpan;
use crate::env::Env;
use crate::ledger::{Freed, LiftPlan, Lifted};
use anyhow::bail;
use std::fmt::Write as _;
use std::path::Path;

/// So many are named in words; `--json` names all.
const NAMED: usize = 20;

/// Which blocks are meant; `None`: no source is named.
pub(super) fn span(settings: &Settings, remove: &RemoveArgs) -> anyhow::Result<Option<BlockSpan>> {
    let Some((source, since)) = remove.source.as_ref().zip(remove.since.as_ref()) else { return Ok(None) };
    let zone = Zone::of(settings);
    let since = end(since, zone)?;
    let until = match &remove.until {
        Some(until) => end(until, zone)?,
        // What is being blocked at this moment counts as well.
        None => Env::real().now() + chrono::TimeDelta::minutes(1),
    };
    if until <= since {
        bail!("--until lies before --since, or is the same; nothing was lifted");
    }
    Ok(Some(BlockSpan { source: source.clone(), since, until }))
}

/// Lifts them, or shows what that would do.
pub(super) async fn run(
    config: &Path,
    settings: &Settings,
    client: String,
    span: BlockSpan,
    remove: RemoveArgs,
) -> anyhow::Result<End> {
    if !remove.plan {
        let command = Command::BlocksRemove { client, span, reason: remove.reason.unwrap_or_default() };
        return send::send(config, command, Output::new(remove.json.json)).await;
    }
    let ledger = app::open_reading(settings).await?;
    let most = if remove.json.json { usize::MAX } else { NAMED };
    let source = span.source.clone();
    let plan = ledger.blocks_lift_plan(&client, span, most).await?;
    let again = comes_again(settings, &client, &source);
    Output::new(remove.json.json).value(&plan, || in_words(&source, &plan, again));
    Ok(End::Done)
}

fn in_words(source: &str, plan: &LiftPlan, again: Option<&str>) -> String {
    let LiftPlan { lifted, blocked_by_others, freed, told, whom } = plan;
    if *lifted == Lifted::default() {
        return format!(
            "{source} wrote no block that stands in this time; `dialbridge block list` shows sources and times."
        );
    }
    let mut text = format!(
        "{} blocks of {source} would be lifted; {blocked_by_others} of them are of somebody whom another source blocks as well, and \
         who stays blocked.\n{freed} records and contacts could be called again, unless their conditions or a final result stand \
         against it:\n",
        lifted.blocks
    );
    for freed in whom {
        let _infallible = writeln!(text, "  {}", named(freed));
    }
    if let Some(more) = freed.checked_sub(whom.len() as u64).filter(|more| *more > 0) {
        let _infallible = writeln!(text, "  and {more} more, which `--json` names");
    }
    for left in left_in_words(*lifted, source) {
        let _infallible = writeln!(text, "{left}");
    }
    if *told > 0 {
        let _infallible =
            writeln!(text, "The CRM was told of {told} of them: what stands there is taken back there.");
    }
    if let Some(again) = again {
        let _infallible = writeln!(text, "{again}");
    }
    text.push_str("Nothing was lifted. -> the same without --plan, with --reason TEXT");
    text
}

fn named(freed: &Freed) -> String {
    let Freed { route, record, contact } = freed;
    let mut parts = Vec::new();
    parts.extend(route.as_ref().map(|route| format!("route {route}")));
    parts.extend(record.as_ref().map(|record| format!("record {record}")));
    parts.extend(contact.map(|contact| format!("contact {contact}")));
    parts.join(", ")
}

/// Who would block the same again, or would not.
fn comes_again(settings: &Settings, client: &str, source: &str) -> Option<&'static str> {
    if source.starts_with("crm:") {
        return Some(
            "What block_if still says of them in the CRM comes back with the next pull: correct it there first.",
        );
    }
    let path = source.strip_prefix("file:")?;
    Some(if block_files::is_named(settings, client, path) {
        "Correct the file, before or after: it is read again at once, and whom it names then is blocked anew."
    } else {
        "The file is no list of the config: also whom it rightly names is free, until it is imported again."
    })
}
