//! `ledger`: what it holds.

use super::Json;
use crate::domain::{ReasonCode, suggest};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `ledger`.
#[derive(Debug, Subcommand)]
pub enum LedgerVerb {
    /// The newest runs.
    Runs(ListArgs),
    /// One run with its balance.
    Show {
        /// Its number.
        run: i64,
        /// For programs.
        #[command(flatten)]
        json: Json,
    },
    /// One person's life: what stands now, then wishes, changes, locks, blocks and calls in order of time.
    Contact {
        /// A UserData, a contact's number, a record's id, or a phone number in any usual form.
        who: String,
        /// For programs.
        #[command(flatten)]
        json: Json,
    },
    /// Operations, newest first.
    Operations {
        /// Also those that have ended.
        #[arg(long)]
        all: bool,
        /// Which and how many.
        #[command(flatten)]
        list: ListArgs,
    },
    /// What needs a person: counted by reason, then listed.
    Parked {
        /// One reason only, by its code: all of them are listed.
        #[arg(long, value_parser = reason)]
        reason: Option<String>,
        /// Which and how many.
        #[command(flatten)]
        list: ListArgs,
    },
    /// Which records are not in the dialler on purpose: counted by reason, then listed.
    Skipped {
        /// One reason only, by its code: all of them are listed.
        #[arg(long, value_parser = reason)]
        reason: Option<String>,
        /// Which and how many.
        #[command(flatten)]
        list: ListArgs,
    },
    /// Calls, newest first.
    Calls(ListArgs),
    /// Is it sound: the file, the references, the balances, the states? A large one takes minutes.
    Check(Json),
    /// Is the trail of changes unbroken: no row changed, put in or taken out since it was written?
    Verify(Json),
    /// Copy it into a new file, beside a running daemon; put in its place, the copy comes up paused.
    Backup {
        /// The file.
        file: PathBuf,
        /// For programs.
        #[command(flatten)]
        json: Json,
    },
    /// Try parked items again.
    Retry {
        /// Which.
        #[command(flatten)]
        what: ParkedArgs,
        /// Why, where there is something to say; it stands in the ledger.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Put a parked item aside until it changes.
    Discard {
        /// Which.
        #[command(flatten)]
        what: ParkedArgs,
        /// Why.
        #[arg(long)]
        reason: String,
    },
}

/// A reason's code.
fn reason(text: &str) -> Result<String, String> {
    if ReasonCode::parse(text).is_some() {
        return Ok(text.to_owned());
    }
    let codes = || ReasonCode::ALL.iter().map(|code| code.as_str());
    let hint = suggest(text, codes()).map(|code| format!("; did you mean {code}?")).unwrap_or_default();
    Err(format!("there is no reason {text}{hint}"))
}

/// Which rows, and how many.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// One route only.
    #[arg(long)]
    pub route: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
    /// For programs.
    #[command(flatten)]
    pub json: Json,
}

/// A parked item.
#[derive(Debug, Args)]
#[group(skip)]
pub struct ParkedArgs {
    /// An operation's number.
    #[arg(long, conflicts_with_all = ["record", "all"], required_unless_present_any = ["record", "all"])]
    pub operation: Option<i64>,
    /// A record's id, with --route.
    #[arg(long, requires = "route", conflicts_with = "all")]
    pub record: Option<String>,
    /// The route.
    #[arg(long)]
    pub route: Option<String>,
    /// Everything (of the route, if one is named).
    #[arg(long)]
    pub all: bool,
}
