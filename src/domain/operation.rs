//! Operations: intended remote effects, and the states they go through.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! named_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant),+ }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// As it stands in the ledger and in answers.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// Reads what [`Self::as_str`] wrote.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.as_str()) }
        }
    };
}
pub(crate) use named_enum;

named_enum! {
    /// What an operation does to the dialler.
    OperationKind {
        /// Make the contact.
        Import = "import",
        /// Change fields by ID.
        Update = "update",
        /// Take the contact out of the dialler's reach. Overtakes everything.
        Lock = "lock",
        /// Put a contact that we locked back.
        Unlock = "unlock",
        /// Set counters and result back.
        Reset = "reset",
        /// Remove the contact, its history too.
        Delete = "delete",
    }
}

named_enum! {
    /// Where an operation stands.
    OperationState {
        /// Waits for its turn, or for `not_before`.
        Waiting = "waiting",
        /// Leased; committed before the first byte. At the next start: uncertain.
        Sending = "sending",
        /// May or may not have arrived; settled after the quiet time.
        Uncertain = "uncertain",
        /// Answered as wished.
        Done = "done",
        /// The remote side said no, or nothing was left to do; the reason says which.
        Refused = "refused",
        /// Needs a person; visible, replaced by the next decision.
        Parked = "parked",
        /// A newer wish of the same link took its place, or a final result came before it was sent.
        Superseded = "superseded",
        /// A block or a person took it back before it was sent.
        Cancelled = "cancelled",
    }
}

impl OperationKind {
    /// Whether it could make somebody callable: these pass the gate right before sending.
    ///
    /// An update is one only if it carries a number; the caller knows.
    pub fn makes_callable(self) -> bool {
        match self {
            Self::Import | Self::Unlock | Self::Reset => true,
            Self::Update | Self::Lock | Self::Delete => false,
        }
    }

    /// Whether it states a wish that the newest one replaces; the others are events, never merged.
    pub fn is_wish(self) -> bool {
        match self {
            Self::Import | Self::Update | Self::Lock | Self::Unlock => true,
            Self::Reset | Self::Delete => false,
        }
    }
}

impl OperationState {
    /// Whether nothing more will happen to it by itself.
    pub fn is_final(self) -> bool {
        match self {
            Self::Waiting | Self::Sending | Self::Uncertain => false,
            Self::Done | Self::Refused | Self::Parked | Self::Superseded | Self::Cancelled => true,
        }
    }
}
