//! The arguments of `route`, `plan` and `freeze`.

use super::args::Json;
use clap::{ArgGroup, Args, Subcommand};

/// `route`.
#[derive(Debug, Subcommand)]
pub enum RouteVerb {
    /// All routes with their state.
    List(Json),
    /// What is decided is sent. A route that leaves `dry` decides everything anew first.
    On(RouteArgs),
    /// Decide, show, send nothing but locks. Where a new route begins.
    Dry(RouteArgs),
    /// Act for a few records only.
    #[command(group = ArgGroup::new("whom").required(true).args(["records", "first"]))]
    Pilot {
        /// The route and why.
        #[command(flatten)]
        route: RouteArgs,
        /// These records, by their id in the CRM; may be given several times.
        #[arg(long = "record")]
        records: Vec<String>,
        /// The first so many that are to be imported.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
        first: Option<u32>,
        /// Its end: a span ("2h"), a day or an instant; then the route is what it was before.
        #[arg(long)]
        until: Option<String>,
    },
    /// Send nothing but locks; harvesting goes on.
    Pause {
        /// The route and why.
        #[command(flatten)]
        route: RouteArgs,
        /// Its end: a span ("2h"), a day or an instant; then the route is what it was before.
        #[arg(long)]
        until: Option<String>,
        /// Do not harvest either.
        #[arg(long)]
        harvest: bool,
    },
    /// Back to what it was before the pause.
    Resume(RouteArgs),
}

/// A route and why.
#[derive(Debug, Args)]
pub struct RouteArgs {
    /// The route.
    pub route: String,
    /// Why; it stands in the ledger.
    #[arg(long)]
    pub reason: String,
}

/// `plan`.
#[derive(Debug, Subcommand)]
pub enum PlanVerb {
    /// What needs approval: more additions or changes at once than the route's limits allow.
    List {
        /// Also what was decided about before.
        #[arg(long)]
        all: bool,
        /// For programs.
        #[command(flatten)]
        json: Json,
    },
    /// What waits on a route and would be sent, by reason and by field, with examples; what needs approval by itself.
    Show {
        /// One route; all without it.
        #[arg(long, conflicts_with = "wave")]
        route: Option<String>,
        /// One wave that needs approval, as `plan list` numbers it.
        #[arg(long)]
        wave: Option<i64>,
        /// For programs.
        #[command(flatten)]
        json: Json,
    },
    /// Let a wave go out.
    Approve(WaveArgs),
    /// Put a wave aside; its records are decided again when they change.
    Reject(WaveArgs),
}

/// `plan`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct PlanArgs {
    /// What to do; without it: a dry run of everything. The CRM is read, and nothing is changed.
    #[command(subcommand)]
    pub verb: Option<PlanVerb>,
    /// One route only.
    #[arg(long)]
    pub route: Option<String>,
    /// For programs.
    #[command(flatten)]
    pub json: Json,
}

/// A wave and why.
#[derive(Debug, Args)]
pub struct WaveArgs {
    /// Its number, as `plan list` shows it.
    pub wave: i64,
    /// Why; it stands in the ledger.
    #[arg(long)]
    pub reason: String,
}

/// `freeze`.
#[derive(Debug, Args)]
pub struct FreezeArgs {
    /// Why; it stands in the ledger.
    #[arg(long)]
    pub reason: String,
    /// Its end: a span ("2h"), a day or an instant. Without it: until `thaw`.
    #[arg(long)]
    pub until: Option<String>,
    /// Locks too: whoever says no meanwhile may still be called.
    #[arg(long)]
    pub even_locks: bool,
}
