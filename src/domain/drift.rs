//! What CRM, dialler and ledger can disagree about, and what mends it.

use super::{ContactId, LinkId, RecordId};
use serde::Serialize;

/// One kind of disagreement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftKind {
    /// A record of the CRM that no pull ever stored.
    RecordUnknown,
    /// A record that is another in the CRM than the one that was decided about.
    RecordDiffers,
    /// A record of the ledger that the CRM no longer has.
    RecordOrphaned,
    /// A contact of ours that the dialler no longer has.
    ContactMissing,
    /// A second contact with a UserData of ours.
    ContactDoubled,
    /// A contact with the UserData of a record of ours that is no record's contact in the ledger.
    ContactUnlinked,
    /// A contact with a UserData as only the route makes them, of a record that neither side knows.
    ContactOrphaned,
    /// A field of the CRM's that holds another value in the dialler than the one last agreed on.
    ContactDiffers,
    /// A contact that is to be locked and was not.
    LockMissing,
    /// A call of a contact of ours that the ledger does not have.
    CallMissing,
    /// A call that the CRM should know of and was not told.
    CallUntold,
    /// An activity that the CRM was told and no longer shows.
    ActivityMissing,
}

impl DriftKind {
    /// What it is, of so many.
    pub fn what(self) -> &'static str {
        match self {
            Self::RecordUnknown => "records of the CRM that no pull stored",
            Self::RecordDiffers => "records that are others in the CRM than when they were decided about",
            Self::RecordOrphaned => "records that the CRM no longer has",
            Self::ContactMissing => "contacts of ours that the dialler no longer has",
            Self::ContactDoubled => "second contacts with a UserData of ours",
            Self::ContactUnlinked => {
                "contacts with a UserData of ours that are no record's contact in the ledger"
            }
            Self::ContactOrphaned => {
                "contacts with a UserData of ours whose record neither the CRM nor the ledger knows"
            }
            Self::ContactDiffers => "contacts in which the CRM's fields were changed in the dialler",
            Self::LockMissing => "contacts that are to be locked and were not",
            Self::CallMissing => "calls of our contacts that are not in the ledger",
            Self::CallUntold => "calls that the CRM was not told of",
            Self::ActivityMissing => "activities that the CRM was told and does not show",
        }
    }

    /// What mends it.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::RecordUnknown | Self::RecordDiffers => {
                "--repair reads them by id; `sync pull --full` reads everything again"
            }
            Self::RecordOrphaned => {
                "--repair asks for them by id, twice; who is not found then is locked, as for any record that is gone"
            }
            Self::ContactMissing => {
                "the harvest that --repair wakes asks for them, twice; then the route's `vanished` says what becomes of them"
            }
            Self::ContactDoubled => {
                "the harvest locks all but one and parks the record; a person deletes the others (`contacts delete`)"
            }
            Self::ContactUnlinked => {
                "--repair asks the dialler for their keys, as before an import: who may be called is taken over, who must not is locked"
            }
            Self::ContactOrphaned => {
                "nothing says when they must not be called: a person looks at them (`contacts lock`, `contacts delete`)"
            }
            Self::ContactDiffers => "--repair decides them anew and sends the CRM's values",
            Self::LockMissing => "--repair decides them anew, which locks them",
            Self::CallMissing => "--repair reads their histories with the next harvest",
            Self::ActivityMissing => {
                "somebody removed them there: `reconcile --repair --every-activity` tells them again"
            }
            Self::CallUntold => {
                "--repair enters those that nobody entered; of the others `results --missing` says why; `results retry`, `results codes`"
            }
        }
    }
}

/// One thing that does not agree.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Suspect {
    /// The record.
    pub record: Option<RecordId>,
    /// The contact.
    pub contact: Option<ContactId>,
    /// The link.
    #[serde(skip)]
    pub link: Option<LinkId>,
    /// What there is to say.
    pub details: String,
}

/// Things of one kind: how many, and the first of them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Suspects {
    /// All of them.
    pub count: u64,
    /// Of which these are looked at again.
    pub first: Vec<Suspect>,
}

/// So many of one kind are looked at again, and mended at once.
pub const SUSPECTS: usize = 500;

impl Suspects {
    /// One more.
    pub fn add(&mut self, suspect: impl FnOnce() -> Suspect) {
        self.count += 1;
        if self.first.len() < SUSPECTS {
            self.first.push(suspect());
        }
    }
}
