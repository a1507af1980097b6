//! The inputs and the outcome of a decision about one record; the decision itself is `sync::decide`.

use super::leave::Leaving;
use super::operation::named_enum;
use super::policy::{AdoptConflict, CampaignChange, Vanished};
use super::{
    Base, Block, CampaignId, Contact, ContactId, Desired, Edits, Ended, HistoryId, Kept, OperationKind,
    Reason,
};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

named_enum! {
    /// What the newest decision wants of a contact.
    Wish {
        /// Nothing: the record has no contact and shall have none.
        None = "none",
        /// It may be called.
        Callable = "callable",
        /// It must be out of the dialler's reach.
        Locked = "locked",
    }
}

named_enum! {
    /// Whether we locked the contact, as answered. What others did cannot be read (facts 3.6).
    LockState {
        /// Not by us.
        Open = "open",
        /// By us.
        Locked = "locked",
    }
}

/// The lane of a link, as far as a decision must know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Nothing open.
    Idle,
    /// Operations wait, none has been sent: the newest wish replaces them.
    Waiting,
    /// One is being sent or uncertain: what it did is not known, so the base may be older than the dialler.
    Busy,
}

/// A contact's deletion because its record left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    /// None is on its way (or wished).
    No,
    /// One is.
    Open,
}

/// Whether a contact that is locked begins anew: its counters are set back when its record is there again, right before it
/// is unlocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anew {
    /// It goes on where it stopped.
    No,
    /// It does, unless somebody says no or its last result is final.
    Owed,
}

/// Where the link's contact was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stands {
    /// In the route's campaign, as far as is known.
    Here,
    /// In the campaign that the route had before.
    InTheOldCampaign,
}

/// What the ledger knows of the link.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkView {
    /// The present contact.
    pub contact: Option<ContactId>,
    /// What both sides last agreed on.
    pub base: Base,
    /// What the last decision wanted the fields to be.
    pub desired: Desired,
    /// What the last decision wanted of the contact.
    pub wish: Wish,
    /// Whether we locked it.
    pub lock: LockState,
    /// Whether the contact was deleted by somebody else.
    pub vanished: bool,
    /// Its lane.
    pub lane: Lane,
    /// What the dialler's side changed in two-way fields.
    pub edits: Edits,
    /// The mapped fields that are the dialler's after the import.
    pub kept: Kept,
    /// Whether the contact is about to be deleted because its record left.
    pub deletion: Deletion,
    /// Whether the contact begins anew when its record is back.
    pub anew: Anew,
    /// In which campaign it was made.
    pub stands: Stands,
    /// A contact of it that is gone and of which calls were never read, one of which may have been its end.
    pub calls_lost: Option<ContactId>,
}

/// What the CRM says about the record, conditions and mapping applied.
#[derive(Debug, Clone, PartialEq)]
pub enum CrmSide {
    /// Deleted, archived, or its id no longer exists.
    Gone(Reason),
    /// `only_if` is false.
    Ineligible(Reason),
    /// Eligible, and every field could be mapped.
    Eligible(Desired),
    /// Without a name or a usable number, or nobody can tell whether it may be called: parked and locked.
    Uncallable(Reason),
    /// A field or the key could not be worked out: parked; a contact that exists stays as it is.
    Unusable(Reason),
}

/// What is known of the dialler for a link without a contact.
#[derive(Debug, Clone, PartialEq)]
pub enum DiallerSide {
    /// The link has its contact; nothing was read now.
    Linked,
    /// The key was not asked for yet.
    NotMet,
    /// Asked over the whole tenant: no contact has the key.
    Absent,
    /// One contact has it, to the letter, in the route's campaign.
    Found(Box<Contact>),
    /// Something else was found: elsewhere, folded only, or several. All of them by number.
    Ambiguous {
        /// Why it is ambiguous.
        reason: Reason,
        /// The contacts that bear our UserData to the letter: locked if the record must not be called.
        ours: Vec<ContactId>,
        /// Those that bear it up to case or blanks: somebody else's, as far as anybody knows, and yet locked where the record says no or
        /// is not eligible (semantics 5).
        alike: Vec<ContactId>,
    },
}

/// The last recorded result of the person in the route's campaign: of the record's own contacts, and of others that
/// are the same record or bear one of its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastResult {
    /// None.
    None,
    /// One after which the dialler goes on (delay, appointment).
    Open,
    /// Done or abort, or of unknown type: not undone by any automatic rule that does not name it. By this call.
    Final(HistoryId),
}

/// The route's choices that a decision needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Whose value wins at adoption.
    pub adopt_conflict: AdoptConflict,
    /// What to do when the contact is gone.
    pub vanished: Vanished,
    /// What becomes of contacts in the campaign that the route had before.
    pub campaign_change: CampaignChange,
    /// What becomes of the contact of a record that leaves, by reason.
    pub leaving: Arc<Leaving>,
}

impl Policy {
    /// For a route that left the config: nothing that somebody may have written is written over, nobody is deleted.
    pub fn careful() -> Self {
        Self {
            adopt_conflict: AdoptConflict::KeepDialler,
            vanished: Vanished::Mark,
            campaign_change: CampaignChange::Keep,
            leaving: Arc::default(),
        }
    }
}

/// Everything a decision rests on.
#[derive(Debug, Clone, Copy)]
pub struct DecisionInput<'a> {
    /// The link, if there is one.
    pub link: Option<&'a LinkView>,
    /// The CRM's side.
    pub crm: &'a CrmSide,
    /// The dialler's side.
    pub dialler: &'a DiallerSide,
    /// All blocks in force against the record or one of its numbers.
    pub blocks: &'a [Block],
    /// The last result.
    pub last_result: LastResult,
    /// Those of the record's numbers on which somebody else was called to an end.
    pub ended: &'a [Ended],
    /// Why the person is held out because of a call on another route, if so.
    pub held_out: Option<&'a Reason>,
    /// The route's choices.
    pub policy: &'a Policy,
}

/// Where a record counts in the run's balance.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Nothing to do.
    Unchanged,
    /// Operations were queued.
    Queued,
    /// An existing contact was taken over.
    Adopted,
    /// Not to be in the dialler now.
    Skipped(Reason),
    /// Must not be called.
    Blocked(Reason),
    /// Needs a person.
    Parked(Reason),
}

/// An operation that the decision asks for; the ledger gives it link, generation and row.
#[derive(Debug, Clone, PartialEq)]
pub struct Intent {
    /// What to do. The body of an update is computed when it is leased, from `desired` and `base`.
    pub kind: OperationKind,
    /// Why.
    pub reason: Reason,
}

/// The outcome of a decision. The route's state is applied by push, not here, so that a dry route
/// shows the same decisions.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// For the balance.
    pub verdict: Verdict,
    /// What is wanted of the contact from now on, and why.
    pub wish: Wish,
    /// Operations to queue; whatever waited in the lane and only stated a wish is superseded first.
    pub intents: Vec<Intent>,
    /// Replaces the link's desired values.
    pub desired: Option<Desired>,
    /// The base of an adopted contact.
    pub adopted: Option<(ContactId, Base)>,
    /// What both sides came to agree on by themselves: they were changed alike.
    pub agreed: Base,
    /// Ask the dialler for the key: whoever bears it must not be called. (An import is never sent unasked.)
    pub meet: bool,
    /// Whether the contact is to be deleted: one on its way that is not wished any more is taken back.
    pub deletion: Deletion,
    /// Whether the contact begins anew when its record is back.
    pub anew: Anew,
    /// Further contacts to be locked: they bear our UserData, and the record must not be called.
    pub lock_others: Vec<ContactId>,
    /// Said once, beside the verdict.
    pub notes: Vec<Reason>,
}

/// A campaign a route feeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinnedCampaign {
    /// Its number.
    pub id: CampaignId,
    /// Its name when it was pinned.
    pub name: Option<String>,
}
