//! `results`: what the CRM was told of calls.

use super::Json;
use chrono::NaiveDate;
use clap::{Args, Subcommand};

/// `results`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ResultsArgs {
    /// What to do; without it, the balance of a day is shown.
    #[command(subcommand)]
    pub verb: Option<ResultsVerb>,
    /// Which day, in the dialler's zone: `today`, `yesterday` or YYYY-MM-DD.
    #[arg(long, default_value = "yesterday", value_parser = day)]
    pub day: Day,
    /// One route only.
    #[arg(long)]
    pub route: Option<String>,
    /// Every call of the day that the CRM does not have, with the reason and what to do.
    #[arg(long)]
    pub missing: bool,
    /// Do what can be done about these: what was parked is told again (`results retry` says the same of one route).
    #[arg(long, conflicts_with = "missing")]
    pub retry_missing: bool,
    /// Why, with --retry-missing; it stands in the ledger.
    #[arg(long, default_value = "", requires = "retry_missing")]
    pub reason: String,
    /// At most so many.
    #[arg(long, default_value_t = 200)]
    pub limit: u32,
    /// For programs.
    #[command(flatten)]
    pub json: Json,
}

/// A day as a person names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Day {
    /// The one under way.
    Today,
    /// The one before.
    Yesterday,
    /// By its date.
    On(NaiveDate),
}

fn day(text: &str) -> Result<Day, String> {
    match text {
        "today" => Ok(Day::Today),
        "yesterday" => Ok(Day::Yesterday),
        date => NaiveDate::parse_from_str(date, "%Y-%m-%d")
            .map(Day::On)
            .map_err(|_| "today, yesterday or a date such as 2026-03-02".to_owned()),
    }
}

/// `backfill`.
#[derive(Debug, Args)]
pub struct BackfillArgs {
    /// The route.
    #[arg(long)]
    pub route: String,
    /// The first day, YYYY-MM-DD in the dialler's zone.
    #[arg(long)]
    pub from: NaiveDate,
    /// The last day.
    #[arg(long)]
    pub to: NaiveDate,
    /// Only show how much that is.
    #[arg(long)]
    pub plan: bool,
    /// That as one JSON document, for programs.
    #[arg(long, requires = "plan")]
    pub json: bool,
    /// Why, where there is something to say; it stands in the ledger.
    #[arg(long, default_value = "")]
    pub reason: String,
}

/// `results retry`.
#[derive(Debug, Args)]
pub struct RetryArgs {
    /// The route.
    #[arg(long)]
    pub route: String,
    /// One row only, by the number that `results open` shows.
    #[arg(long)]
    pub id: Option<i64>,
    /// The calls of one day only, and the fields of their records: `today`, `yesterday` or YYYY-MM-DD in the dialler's zone.
    #[arg(long, value_parser = day, conflicts_with_all = ["id", "from", "to"])]
    pub day: Option<Day>,
    /// The calls from this day on, YYYY-MM-DD in the dialler's zone, with --to.
    #[arg(long, requires = "to", conflicts_with = "id")]
    pub from: Option<NaiveDate>,
    /// The last day.
    #[arg(long, requires = "from")]
    pub to: Option<NaiveDate>,
    /// Only show how much that is, and what stands against it.
    #[arg(long)]
    pub plan: bool,
    /// That as one JSON document, for programs.
    #[arg(long, requires = "plan")]
    pub json: bool,
    /// Why, where there is something to say; it stands in the ledger.
    #[arg(long, default_value = "")]
    pub reason: String,
}

/// What to do about results.
#[derive(Debug, Subcommand)]
pub enum ResultsVerb {
    /// What waits, is held, parked or in doubt, of all days.
    Open {
        /// One route only.
        #[arg(long)]
        route: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 200)]
        limit: u32,
        /// For programs.
        #[command(flatten)]
        json: Json,
    },
    /// Every result code ever seen, and the CRM's word for it.
    Codes {
        /// The route whose campaigns (earlier ones too) and words are meant; without it, the results of all campaigns there ever were.
        #[arg(long)]
        route: Option<String>,
        /// Print the table for the config, with what is mapped already.
        #[arg(long, requires = "route")]
        init: bool,
        /// For programs.
        #[command(flatten)]
        json: Json,
    },
    /// Let what waits go, though it is more than `max_write_back_per_run`.
    Approve {
        /// The route.
        #[arg(long)]
        route: String,
        /// Why; it stands in the ledger.
        #[arg(long)]
        reason: String,
    },
    /// Tell again what is parked.
    Retry(RetryArgs),
    /// Let go whom the result of this call holds out of other routes.
    Release {
        /// The call, as the reason names it.
        call: i64,
        /// Why; it stands in the ledger.
        #[arg(long)]
        reason: String,
    },
    /// Let whom this call's final result keeps from being called again on its own campaign be called again.
    Reopen {
        /// The call, as the reason names it.
        #[arg(required_unless_present = "contact")]
        call: Option<i64>,
        /// Or the contact that is gone and whose last calls were never read.
        #[arg(long, conflicts_with = "call")]
        contact: Option<i64>,
        /// Why; it stands in the ledger.
        #[arg(long)]
        reason: String,
    },
    /// Tell again, with the words that the config has now, what was told with a result.
    Remap {
        /// The result: its export key, its name, or CAMPAIGN/CODE.
        #[arg(long)]
        code: String,
        /// One route only.
        #[arg(long)]
        route: Option<String>,
        /// Only show how much that is.
        #[arg(long)]
        plan: bool,
        /// That as one JSON document, for programs.
        #[arg(long, requires = "plan")]
        json: bool,
        /// Why, where there is something to say; it stands in the ledger.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Leave one parked or held row untold, until there is something newer to tell.
    Discard {
        /// The number that `results open` shows.
        id: i64,
        /// Why; it stands in the ledger.
        #[arg(long)]
        reason: String,
    },
}
