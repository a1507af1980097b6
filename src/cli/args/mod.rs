//! The command line, as clap reads it.

mod blocks;
mod conflicts;
mod contacts;
pub mod help;
mod ledger;
mod results;

pub use blocks::{BlockListArgs, BlockVerb, RemoveArgs, WhomArgs};
pub use conflicts::{ConflictsVerb, SideName};
pub use contacts::{ActArgs, ContactsVerb, WhichArgs};
pub use ledger::{LedgerVerb, ListArgs, ParkedArgs};
pub use results::{BackfillArgs, Day, ResultsArgs, ResultsVerb, RetryArgs};

use super::route_args::{FreezeArgs, PlanArgs, RouteVerb};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Keeps a CRM and an outbound dialler in step.
///
/// Exit status: 0 done, 1 failed, 2 usage or config, 3 done but something new was parked.
#[derive(Debug, Parser)]
#[command(name = "dialbridge", version, arg_required_else_help = true, max_term_width = 100)]
pub struct Cli {
    /// The config file.
    #[arg(long, short, global = true, default_value = "/etc/dialbridge/dialbridge.toml")]
    pub config: PathBuf,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// See it work: simulated CRM and dialler on this machine, the real daemon between them.
    Demo(DemoArgs),
    /// The daemon.
    Run,
    /// Look the config over, and ask both sides, without changing anything.
    Check(CheckArgs),
    /// Run jobs now and show those runs.
    Sync(SyncArgs),
    /// What would happen to this one record, and why.
    Try(TryArgs),
    /// How things stand.
    Status(Json),
    /// Whether a route acts.
    #[command(subcommand)]
    Route(RouteVerb),
    /// What would be done now; what waits to be sent, and what needs approval.
    Plan(PlanArgs),
    /// Write nothing anywhere; reading and harvesting go on, and nothing is lost.
    Freeze(FreezeArgs),
    /// The freeze is over.
    Thaw {
        /// Why; it stands in the ledger.
        #[arg(long)]
        reason: String,
    },
    /// The work goes on from a ledger that was restored, cloned or moved.
    Takeover {
        /// Do not ask.
        #[arg(long)]
        yes: bool,
        /// For programs.
        #[command(flatten)]
        json: Json,
    },
    /// Do CRM, dialler and ledger agree? Compares everything and changes nothing.
    Reconcile(ReconcileArgs),
    /// What the CRM was told of calls, day by day, and what it was not.
    Results(ResultsArgs),
    /// Fields that both sides changed.
    #[command(subcommand)]
    Conflicts(ConflictsVerb),
    /// Tell the CRM of calls from before the route's calls went back into it.
    Backfill(BackfillArgs),
    /// What the ledger holds.
    #[command(subcommand)]
    Ledger(LedgerVerb),
    /// Who must not be called.
    #[command(subcommand)]
    Block(BlockVerb),
    /// The dialler's contacts, by hand.
    #[command(subcommand)]
    Contacts(ContactsVerb),
    /// Tokens, before they are put in place.
    #[command(subcommand)]
    Token(TokenVerb),
    /// The simulated CRM and dialler as servers.
    Simulate(SimulateArgs),
}

/// Every reading verb can answer for programs.
#[derive(Debug, Clone, Copy, Args)]
pub struct Json {
    /// One JSON document, for programs.
    #[arg(long)]
    pub json: bool,
}

/// `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Leave everything running until Ctrl-C.
    #[arg(long)]
    pub keep: bool,
    /// How many records the simulated CRM begins with.
    #[arg(long, default_value_t = 3000, value_parser = clap::value_parser!(u32).range(100..=200_000))]
    pub records: u32,
    /// Where to put config and ledger; a new folder of its own without it.
    #[arg(long)]
    pub folder: Option<PathBuf>,
}

/// `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Files only: a side that is down is no reason not to start.
    #[arg(long)]
    pub offline: bool,
    /// For programs.
    #[command(flatten)]
    pub json: Json,
}

/// A job by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum JobName {
    /// CRM changes into decisions.
    Pull,
    /// Decisions into the dialler.
    Push,
    /// Calls and contacts into the ledger.
    Harvest,
    /// Calls into the CRM.
    WriteBack,
}

/// `sync`.
#[derive(Debug, Args)]
pub struct SyncArgs {
    /// One job; all of them in their order without it.
    pub job: Option<JobName>,
    /// One route only.
    #[arg(long)]
    pub route: Option<String>,
    /// Read everything again, by a full pass.
    #[arg(long)]
    pub full: bool,
    /// Contacts that the campaign's list does not name really are missing, however many: somebody has looked into the
    /// dialler. Each is asked about twice before it counts as gone. Only `sync harvest --route R`.
    #[arg(long, requires = "route", conflicts_with_all = ["full", "dry_run"])]
    pub believe_missing: bool,
    /// Send nothing: show what a push would send now, counted by reason, with examples.
    #[arg(long)]
    pub dry_run: bool,
    /// End with 3 if anything is parked at all, not only what this run parked.
    #[arg(long)]
    pub strict: bool,
    /// For programs.
    #[command(flatten)]
    pub json: Json,
}

/// `try`.
#[derive(Debug, Args)]
pub struct TryArgs {
    /// The route under which to look at it.
    #[arg(long)]
    pub route: String,
    /// The record's id in the CRM.
    pub record: String,
    /// Send it as an ordinary operation, whatever the route's state, and read it back; with --reason.
    #[arg(long, requires = "reason")]
    pub send: bool,
    /// Why it is sent; it stands in the ledger.
    #[arg(long, requires = "send")]
    pub reason: Option<String>,
    /// Hide personal values.
    #[arg(long)]
    pub redact: bool,
    /// For programs.
    #[command(flatten)]
    pub json: Json,
}

/// `reconcile`.
#[derive(Debug, Args)]
pub struct ReconcileArgs {
    /// One route only.
    #[arg(long)]
    pub route: Option<String>,
    /// Mark what does not agree as due, and let the ordinary runs mend it.
    #[arg(long)]
    pub repair: bool,
    /// Look for every activity in the CRM, a request each, and not for some hundred only; with --repair those are told again that
    /// somebody removed there.
    #[arg(long)]
    pub every_activity: bool,
    /// For programs.
    #[command(flatten)]
    pub json: Json,
}

/// `token`.
#[derive(Debug, Subcommand)]
pub enum TokenVerb {
    /// Ask a side with a token, and change nothing.
    Test {
        /// `dialler`, or a CRM's name; all of them without it.
        side: Option<String>,
        /// A file with the new token; without it those of the config are tried, each by itself.
        #[arg(long)]
        file: Option<PathBuf>,
        /// For programs.
        #[command(flatten)]
        json: Json,
    },
}

/// `simulate`.
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// How many records the CRM begins with.
    #[arg(long, default_value_t = 1000)]
    pub records: u32,
    /// The dialler's port; a free one without it.
    #[arg(long, default_value_t = 0)]
    pub dialler_port: u16,
    /// The CRM's port; a free one without it.
    #[arg(long, default_value_t = 0)]
    pub crm_port: u16,
    /// By what chance is seeded.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Agents dial by themselves.
    #[arg(long)]
    pub agents: bool,
}
