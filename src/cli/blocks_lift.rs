//! `block remove --source`: a wrong list is taken back, or shown what that would do.

use super::args::RemoveArgs;
use super::blocks::end;
use super::output::Output;
use super::send;
use super::shell;
use super::zone::Zone;
use crate::app::known::Usage;
use crate::app::{self, Settings, block_files};
use crate::control::{Command, End, left_in_words};
use crate::domain::{BlockSpan, Timestamp};
use crate::ledger::{Freed, LiftPlan, Lifted};
use chrono::{SecondsFormat, SubsecRound as _};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::Path;

/// So many are named in words; `--json` names all.
const NAMED: usize = 20;

/// Which blocks are meant; `None`: no source is named.
///
/// # Errors
/// A time cannot be read, or means nothing. To lift takes an end, and one that is past: whoever says no after the plan was shown
/// was seen by nobody.
pub(super) fn span(zone: Zone, remove: &RemoveArgs, now: Timestamp) -> Result<Option<BlockSpan>, Usage> {
    let Some((source, since)) = remove.source.as_ref().zip(remove.since.as_ref()) else { return Ok(None) };
    // As the ledger writes it.
    let now = now.trunc_subsecs(6);
    let since = end(since, zone)?;
    if since >= now {
        return Err(Usage("--since lies in the future; nothing was lifted".to_owned()));
    }
    let until = match remove.until.as_ref().map(|until| end(until, zone)).transpose()? {
        None if remove.plan => now,
        None => {
            return Err(Usage(
                "--until is missing; nothing was lifted. --plan shows what would be, and the command with the instant until which \
                 that was looked at"
                    .to_owned(),
            ));
        }
        Some(until) if until > now && !remove.plan => {
            return Err(Usage(
                "--until lies in the future, and who says no until then was shown to nobody; nothing was lifted. --plan shows the \
                 command with its instant"
                    .to_owned(),
            ));
        }
        Some(until) => until.min(now),
    };
    if until <= since {
        return Err(Usage("--until lies before --since, or is the same; nothing was lifted".to_owned()));
    }
    Ok(Some(BlockSpan { source: source.clone(), since, until }))
}

/// What `--plan` answers.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    plan: LiftPlan,
    /// What it would be lifted by, with the reason.
    command: String,
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
        return send::send(config, command, Output::new(false)).await;
    }
    let ledger = app::open_reading(settings).await?;
    let most = if remove.json.json { usize::MAX } else { NAMED };
    let (command, source) = (command(&span, &remove), span.source.clone());
    let plan = ledger.blocks_lift_plan(&client, span, most).await?;
    let again = match source.strip_prefix("file:") {
        Some(path) if block_files::is_named(settings, &client, path) => {
            let known = ledger.block_file(&client, path).await?;
            Some(from_list(known.and_then(|known| known.error).as_deref()))
        }
        Some(_) => Some(
            "The file is no list of the config: also whom it rightly names is free, until it is imported again.".to_owned(),
        ),
        None => source.starts_with("crm:").then(|| {
            "What block_if still says of them in the CRM comes back with the next pull: correct it there first.".to_owned()
        }),
    };
    let shown = Shown { plan, command };
    Output::new(remove.json.json).value(&shown, || in_words(&source, &shown, again.as_deref()));
    Ok(End::Done)
}

/// What lifts just what was shown.
fn command(span: &BlockSpan, remove: &RemoveArgs) -> String {
    let client = remove.client.as_ref().map(|client| format!(" --client {}", shell::word(client)));
    format!(
        "dialbridge block remove --source {} --since {} --until {}{} --reason TEXT",
        shell::word(&span.source),
        instant(span.since),
        instant(span.until),
        client.unwrap_or_default()
    )
}

fn instant(at: Timestamp) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

fn in_words(source: &str, shown: &Shown, again: Option<&str>) -> String {
    let Shown { plan: LiftPlan { lifted, blocked_by_others, freed, told, whom }, command } = shown;
    if *lifted == Lifted::default() {
        return format!(
            "{source} wrote no block that stands in this time; `dialbridge block list` shows sources and times."
        );
    }
    let mut text = String::new();
    let mut line = |words: &str| {
        let _infallible = writeln!(text, "{words}");
    };
    if lifted.blocks == 0 {
        line("There is nothing to lift.");
        left_in_words(*lifted, source).iter().for_each(|left| line(left));
        return text;
    }
    line(&format!(
        "{} blocks of {source} would be lifted; {blocked_by_others} of them are of somebody whom another source blocks as well, and \
         who stays blocked.",
        lifted.blocks
    ));
    left_in_words(*lifted, source).iter().for_each(|left| line(left));
    line(&format!(
        "{freed} records and contacts could be called again, unless their conditions or a final result stand against it{}",
        if whom.is_empty() { "." } else { ":" }
    ));
    whom.iter().for_each(|freed| line(&format!("  {}", named(freed))));
    if let Some(more) = freed.checked_sub(whom.len() as u64).filter(|more| *more > 0) {
        line(&format!("  and {more} more, which `--json` names"));
    }
    if *told > 0 {
        line(&format!("The CRM was told of {told} of them: what stands there is taken back there."));
    }
    again.into_iter().for_each(&mut line);
    line(&format!("Nothing was lifted. -> {command}"));
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

/// What a list of the config does when its blocks are lifted; with the error where it could not be read when it was looked at last.
fn from_list(unread: Option<&str>) -> String {
    match unread {
        None => "Correct the file, before or after: it is read again at once, and whom it names then is blocked anew.".to_owned(),
        Some(unread) => format!(
            "The file cannot be read ({unread}): until it can, or is taken out of [blocks.files], nothing of it is lifted, and its \
             numbers stay blocked."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Cli;
    use super::super::args::{BlockVerb, Verb};
    use super::*;
    use clap::Parser as _;

    const NOW: &str = "2030-01-07T09:00:00.123456789Z";

    /// What the words mean in the zone of nobody, or what is wrong with them.
    fn meant(words: &str) -> Result<String, String> {
        let line = format!("dialbridge block remove --source operator {words}");
        let cli = Cli::try_parse_from(line.split_whitespace()).map_err(|error| error.to_string())?;
        let Verb::Block(BlockVerb::Remove(remove)) = cli.verb else { panic!("{line}") };
        let now = NOW.parse().expect("an instant");
        let span = span(Zone::utc(), &remove, now).map_err(|Usage(text)| text)?.expect("a source");
        Ok(command(&span, &remove))
    }

    #[test]
    fn of_a_list_that_cannot_be_read_nothing_is_said_to_be_lifted() {
        assert!(from_list(None).contains("read again at once"));
        assert!(from_list(Some("no such file")).contains("(no such file): until it can"));
    }

    #[test]
    fn only_what_a_plan_has_shown_is_lifted() {
        let of = |until: &str| {
            Ok(format!(
                "dialbridge block remove --source operator --since 2030-01-07T00:00:00Z --until {until} --reason TEXT"
            ))
        };
        assert_eq!(meant("--since 2030-01-07 --plan"), of("2030-01-07T09:00:00.123456Z"));
        assert_eq!(meant("--since 2030-01-07 --until 2030-02-01 --plan"), of("2030-01-07T09:00:00.123456Z"));
        assert_eq!(
            meant("--since 2030-01-07 --until 2030-01-07T08:00:00Z --reason x"),
            of("2030-01-07T08:00:00Z")
        );
        for (words, wrong) in [
            ("--since 2030-01-07 --reason x", "--until is missing"),
            ("--since 2030-01-07 --until 2030-01-08 --reason x", "--until lies in the future"),
            ("--since 2030-01-07 --until 2030-01-07 --plan", "--until lies before --since"),
            ("--since 2030-01-31 --plan", "--since lies in the future"),
            ("--since 2030-13-45 --plan", "neither a day"),
            ("--since 2030-01-07 --plan --route leads", "cannot be used with"),
            ("--since 2030-01-07 --number 030123 --reason x", "cannot be used with"),
            ("--number 030123 --plan", "cannot be used with"),
            ("--number 030123 --until 2030-01-07 --reason x", "cannot be used with"),
            ("--plan", "--source SOURCE --since TIME --plan"),
        ] {
            let said = meant(words).expect_err(words);
            assert!(said.contains(wrong), "{words}: {said}");
        }
    }
}
