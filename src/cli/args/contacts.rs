//! `contacts`: the dialler's contacts, by hand.

use super::Json;
use clap::{Args, Subcommand};

/// `contacts`.
#[derive(Debug, Subcommand)]
pub enum ContactsVerb {
    /// The contacts of a campaign, or of the whole account, as the dialler lists them.
    List {
        /// The campaign, by its number or its name; the whole account without it.
        #[arg(long)]
        campaign: Option<String>,
        /// For programs.
        #[command(flatten)]
        json: Json,
    },
    /// One contact as the dialler holds it.
    Get(WhichArgs),
    /// Its calls and results.
    History(WhichArgs),
    /// Import the contact of one record now, whatever the route's state.
    Import {
        /// The route.
        #[arg(long)]
        route: String,
        /// The record's id in the CRM.
        record: String,
        /// Why; it stands in the ledger.
        #[arg(long)]
        reason: String,
    },
    /// Change fields that no route maps.
    Update {
        /// The contact's number, or a UserData.
        contact: String,
        /// A field and its new value; once for each field. An empty value empties it.
        #[arg(long = "set", value_name = "FIELD=VALUE", required = true)]
        set: Vec<String>,
        /// Why; it stands in the ledger.
        #[arg(long)]
        reason: String,
    },
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
    /// Do not ask where something is lost (reset, delete); needed in scripts.
    #[arg(long)]
    pub yes: bool,
}
