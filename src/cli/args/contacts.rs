//! `contacts`: the dialler's contacts, by hand.

use super::Json;
use clap::{Args, Subcommand};

/// `contacts`.
#[derive(Debug, Subcommand)]
pub enum ContactsVerb {
    /// The contacts of a campaign (or of the account) as the dialler lists them.
    List {
        /// The campaign's number.
        #[arg(long)]
        campaign: Option<i64>,
        /// For programs.
        #[command(flatten)]
        json: Json,
    },
    /// One contact.
    Get(WhichArgs),
    /// Its calls and results.
    History(WhichArgs),
    /// Out of the dialler's reach.
    Lock(ActArgs),
    /// Back into it.
    Unlock(ActArgs),
    /// Counters to 0, result removed, as if it was just imported.
    Reset(ActArgs),
    /// Removed with its history.
    Delete(ActArgs),
}

/// A contact, by its number or its UserData (then exactly one must have it).
#[derive(Debug, Args)]
pub struct WhichArgs {
    /// The contact's number, or a UserData.
    pub contact: String,
    /// For programs.
    #[command(flatten)]
    pub json: Json,
}

/// A contact and why.
#[derive(Debug, Args)]
pub struct ActArgs {
    /// The contact's number, or a UserData.
    pub contact: String,
    /// Why; it stands in the ledger.
    #[arg(long)]
    pub reason: String,
    /// Needed where something is lost (reset, delete).
    #[arg(long)]
    pub yes: bool,
}
