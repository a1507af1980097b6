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
    /// Lift a block.
    Remove {
        /// Whose.
        #[command(flatten)]
        whom: WhomArgs,
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
