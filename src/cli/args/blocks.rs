//! `block`: who must not be called.

use super::Json;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `block`.
#[derive(Debug, Subcommand)]
pub enum BlockVerb {
    /// Block a number or a record, in every route of the client, at once.
    Add {
        /// Whom.
        #[command(flatten)]
        whom: WhomArgs,
        /// Why.
        #[arg(long)]
        reason: String,
        /// Until when (`2027-01-31` or an instant); without end if not given.
        #[arg(long)]
        until: Option<String>,
    },
    /// What stands.
    List(BlockListArgs),
    /// Lift a block, or all that one source wrote in a time (a wrong list).
    Remove(RemoveArgs),
    /// Say that a wave of blocks from one source is meant: `status` tells of it no more.
    Seen {
        /// As `status` and `block list` name it.
        #[arg(long)]
        source: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Block every number of a file: one a line, or CSV with a column `number`, `phone`, `telefon`, `nummer`,
    /// `telefonnummer` or `rufnummer`.
    Import {
        /// The file.
        file: PathBuf,
        /// Why.
        #[arg(long)]
        reason: String,
        /// The client within which the blocks hold; needed where the config has several.
        #[arg(long)]
        client: Option<String>,
    },
}

/// Which blocks, and how many.
#[derive(Debug, Args)]
pub struct BlockListArgs {
    /// Of one client only.
    #[arg(long)]
    pub client: Option<String>,
    /// Also those that were lifted or have ended.
    #[arg(long)]
    pub ended: bool,
    /// At most so many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
    /// For programs.
    #[command(flatten)]
    pub json: Json,
}

/// Which blocks are lifted.
#[derive(Debug, Args)]
#[group(skip)]
#[command(
    override_usage = "dialbridge block remove --number N --reason TEXT [--source SOURCE] [--client CLIENT | --route ROUTE]\n       \
    dialbridge block remove --route ROUTE --record ID --reason TEXT [--source SOURCE]\n       \
    dialbridge block remove --source SOURCE --since TIME --plan [--until TIME] [--client CLIENT]\n       \
    dialbridge block remove --source SOURCE --since TIME --until TIME --reason TEXT [--client CLIENT]"
)]
pub struct RemoveArgs {
    /// A number in any usual form.
    #[arg(long, required_unless_present_any = ["record", "source"], conflicts_with = "record")]
    pub number: Option<String>,
    /// A record's id, with --route.
    #[arg(long, requires = "route")]
    pub record: Option<String>,
    /// The route by which the record, or the number's client, is known. Blocks of a source are not told apart by it.
    #[arg(long, conflicts_with = "since")]
    pub route: Option<String>,
    /// The client within which the blocks hold: the route's, or the only one of the config, if not given.
    #[arg(long)]
    pub client: Option<String>,
    /// What this source said (as `block list` names it: `file:FILE`, `crm:ROUTE`, `result:ROUTE`, `operator`): of the number or the
    /// record, where others say no of the same; or all that it wrote, with --since.
    #[arg(long)]
    pub source: Option<String>,
    /// From then on (`2027-01-31` or an instant).
    #[arg(long, requires = "source", required_unless_present_any = ["number", "record"], conflicts_with_all = ["number", "record"])]
    pub since: Option<String>,
    /// Until just before then. Must be given without --plan, which prints the command with its own instant: whoever says no after
    /// it was shown is not lifted with the others.
    #[arg(long, requires = "since", conflicts_with_all = ["number", "record"])]
    pub until: Option<String>,
    /// Lift nothing: show what would be lifted, how much of it stays blocked by another source, and who could be called again.
    #[arg(long, requires = "since", conflicts_with_all = ["number", "record"])]
    pub plan: bool,
    /// Why.
    #[arg(long, required_unless_present = "plan")]
    pub reason: Option<String>,
    /// For programs: the plan with everybody it concerns.
    #[command(flatten)]
    pub json: Json,
}

/// Whom a block is about.
#[derive(Debug, Args)]
#[group(skip)]
pub struct WhomArgs {
    /// A number in any usual form.
    #[arg(long, required_unless_present = "record", conflicts_with = "record")]
    pub number: Option<String>,
    /// A record's id, with --route.
    #[arg(long, requires = "route")]
    pub record: Option<String>,
    /// The route by which the record is known.
    #[arg(long)]
    pub route: Option<String>,
    /// The client within which the block holds: the route's, or the only one of the config, if not given.
    #[arg(long)]
    pub client: Option<String>,
}
