//! The choices a route can make, as enums.

use super::operation::named_enum;
use serde::{Deserialize, Serialize};
use std::fmt;

named_enum! {
    /// How a block that came from the CRM ends.
    Unblock {
        /// Only a person (or its stated end) lifts it.
        Person = "person",
        /// Its source too, when it withdraws it in a complete answer seen twice.
        Source = "source",
    }
}

named_enum! {
    /// Whose value wins where an adopted contact differs from the record.
    AdoptConflict {
        /// CRM-owned fields are sent by `/update`, all others keep the dialler's value.
        CrmOwned = "crm_owned",
        /// The dialler's values stay.
        KeepDialler = "keep_dialler",
    }
}

named_enum! {
    /// What contacts in the campaign that are not ours mean.
    Beside {
        /// The route does not leave `dry`.
        Hold = "hold",
        /// They are meant to be there.
        Ignore = "ignore",
    }
}

named_enum! {
    /// What happens to contacts of others that bear a blocked number.
    Foreign {
        /// They are locked like ours.
        Lock = "lock",
        /// They are shown and left alone.
        Report = "report",
    }
}

named_enum! {
    /// What happens to a link whose contact was deleted in the dialler by somebody else.
    Vanished {
        /// The link says so; nothing is imported again.
        Mark = "mark",
        /// The record is imported again.
        Import = "import",
    }
}

named_enum! {
    /// When a contact is read for what agents changed in two-way fields, besides the sweeps.
    ReadBefore {
        /// Never.
        Never = "never",
        /// Right before its fields are changed.
        Update = "update",
    }
}

named_enum! {
    /// What becomes of a route's contacts when its config names another campaign: the dialler moves none.
    CampaignChange {
        /// The route stops until a person has said which.
        Refuse = "refuse",
        /// Each is deleted in the old campaign once its calls were read, and imported into the new one.
        Move = "move",
        /// They stay where they are; who is new goes into the new one.
        Keep = "keep",
    }
}

named_enum! {
    /// Whether a route acts.
    RouteState {
        /// Reads, maps, decides; sends nothing but locks.
        Dry = "dry",
        /// Acts for the records of its pilot; decides about all others and sends nothing but locks for them.
        Pilot = "pilot",
        /// Acts.
        On = "on",
        /// Sends nothing but locks; harvesting goes on.
        Paused = "paused",
    }
}

named_enum! {
    /// What a wave brings.
    WaveKind {
        /// Contacts that do not exist yet.
        New = "new",
        /// Updates of contacts, and unlocks.
        Changed = "changed",
    }
}

impl WaveWhat {
    /// Whether it means something on a route that is dry, too: its locks go, and its CRM is read.
    pub const fn counts_dry(self) -> bool {
        match self {
            Self::LockedByScope | Self::Missing | Self::Vanished => true,
            Self::New | Self::Changed | Self::Removed | Self::RemovedByScope | Self::Told | Self::Listed => {
                false
            }
        }
    }
}

named_enum! {
    /// What a person decides about, wave by wave.
    WaveWhat {
        /// Contacts that do not exist yet.
        New = "new",
        /// Updates of contacts, and unlocks.
        Changed = "changed",
        /// Deletions of contacts whose records left, and resets of those that are back.
        Removed = "removed",
        /// The same, where only the route's condition became another one.
        RemovedByScope = "removed_by_scope",
        /// Locks, where only the route's condition became another one.
        LockedByScope = "locked_by_scope",
        /// Calls and fields that the CRM is to be told of.
        Told = "told",
        /// Objections of a list in a file, or of other records, that the CRM is to be told of.
        Listed = "listed",
        /// Known records that the CRM does not name any more.
        Missing = "missing",
        /// Contacts that the dialler does not name any more.
        Vanished = "vanished",
    }
}

named_enum! {
    /// Where a wave stands.
    WaveState {
        /// Within the limit.
        Open = "open",
        /// Past the limit: it needs approval.
        Held = "held",
        /// A person lets it go.
        Approved = "approved",
        /// A person put it aside.
        Rejected = "rejected",
    }
}

named_enum! {
    /// Why everything is read again.
    PassReason {
        /// The route has never been read to the end.
        First = "first",
        /// Mapping, conditions or connector changed.
        Revision = "revision",
        /// What a dry route decided is decided anew before it is sent.
        LeftDry = "left_dry",
        /// A person asked for it.
        ByHand = "by_hand",
        /// Once a week, for what came too late under an old time.
        Weekly = "weekly",
    }
}

named_enum! {
    /// A job that runs for a route (pull, push, write-back) or a campaign (harvest).
    Job {
        /// CRM changes into decisions.
        Pull = "pull",
        /// Decisions into the dialler.
        Push = "push",
        /// Calls and contacts into the ledger.
        Harvest = "harvest",
        /// Uncertain operations to an end.
        Settle = "settle",
        /// Calls into the CRM.
        WriteBack = "write_back",
    }
}

named_enum! {
    /// What is known of how the dialler empties a field; documented nowhere, found out on the first case.
    Clearing {
        /// Nothing yet: `null` is tried.
        TryNull = "try_null",
        /// `null` did nothing: `""` is tried.
        TryEmpty = "try_empty",
        /// `null` empties.
        Null = "null",
        /// `""` empties.
        Empty = "empty",
        /// Neither does: an emptied field is shown, not sent.
        Never = "never",
    }
}

impl PassReason {
    /// For people.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::First => "the first read",
            Self::Revision => "the mapping changed",
            Self::LeftDry => "the route left dry",
            Self::ByHand => "by hand",
            Self::Weekly => "once a week",
        }
    }
}
