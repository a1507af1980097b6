//! `conflicts`: fields that both sides changed.

use super::Json;
use clap::{Subcommand, ValueEnum};

/// What to do about conflicts.
#[derive(Debug, Subcommand)]
pub enum ConflictsVerb {
    /// Every field that waits for a person, with its values.
    List {
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
    /// One of them: what both sides had when they agreed, and what each has now.
    Show {
        /// The number that `conflicts list` shows.
        id: i64,
        /// For programs.
        #[command(flatten)]
        json: Json,
    },
    /// Say whose value stands. It holds for the values that were shown: if the CRM's changes again, you are asked again.
    Resolve {
        /// The number that `conflicts list` shows.
        id: i64,
        /// Whose value.
        #[arg(long)]
        take: SideName,
        /// Why; it stands in the ledger.
        #[arg(long)]
        reason: String,
    },
}

/// A side by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SideName {
    /// The CRM's value: the dialler gets it.
    Crm,
    /// The dialler's value: the CRM is told of it.
    Dialler,
}
