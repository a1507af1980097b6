//! Newtypes for every id, so that a contact's number can never be passed where a record's id belongs.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number_id!(/// A contact's number in the dialler (`ID`, `DiallerContactsID`).
    ContactId);
number_id!(/// A (sub) campaign's number in the dialler (`DiallerCampaignsID`).
    CampaignId);
number_id!(/// A history row's number in the dialler (`DiallerContactsHistoryID`).
    HistoryId);
number_id!(/// A link's row in the ledger; also the name of its lane.
    LinkId);
number_id!(/// An operation's row in the ledger.
    OperationId);
number_id!(/// A run's row in the ledger.
    RunId);
number_id!(/// A number from the ledger's one sequence of remote reads and writes (read order).
    Seq);
text_id!(/// A record's id exactly as the CRM wrote it (integers stay integers).
    RecordId);
text_id!(/// An activity's id exactly as the CRM wrote it.
    ActivityId);
text_id!(/// A route's name in the config.
    RouteName);

/// What a call is called in the CRM: the same text whenever the call is told, and no other call's.
///
/// A repeated create is known by it, and so is a call that this installation's ledger has forgotten. Letters,
/// digits and `-` only, so that it fits any field and no query reads a part of it as a pattern.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallKey(String);

impl CallKey {
    /// The key of the dialler's history row. `instance` names the ledger: two installations that write into one CRM
    /// may harvest diallers that count their rows alike.
    pub fn new(instance: &str, call: HistoryId) -> Self {
        let instance = instance.chars().filter(char::is_ascii_alphanumeric).take(12);
        Self(format!("dialbridge-{}-{call}", instance.collect::<String>()))
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CallKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The join key: `[A-Za-z0-9.:-]`, 1 to 64 characters, never cut.
///
/// The narrow alphabet keeps out what a server may trim, fold or read as a pattern
/// (`%`, `_`, blanks, umlauts): how jtel matches UserData is documented nowhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct UserData(String);

/// Why a text is no UserData.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UserDataError {
    /// Nothing in it.
    #[error("it is empty")]
    Empty,
    /// More than 64 characters; cutting would join two persons.
    #[error("it has {0} characters, at most 64 fit")]
    TooLong(usize),
    /// A character outside the alphabet.
    #[error("it contains {0:?}; only letters, digits, '.', ':' and '-' are allowed")]
    BadCharacter(char),
}

impl UserData {
    /// The dialler's column length.
    pub const MAX_CHARS: usize = 64;

    /// Checks `text` against the alphabet and the length.
    ///
    /// # Errors
    /// Says which rule is broken.
    pub fn parse(text: &str) -> Result<Self, UserDataError> {
        let length = text.chars().count();
        if length == 0 {
            return Err(UserDataError::Empty);
        }
        if length > Self::MAX_CHARS {
            return Err(UserDataError::TooLong(length));
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-');
        match text.chars().find(|c| !allowed(*c)) {
            Some(bad) => Err(UserDataError::BadCharacter(bad)),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form in which two keys collide on a server that ignores case and blanks.
    pub fn folded(&self) -> FoldedUserData {
        FoldedUserData::of(&self.0)
    }
}

impl fmt::Display for UserData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A UserData of either side, trimmed and in lower case; unique per dialler over all routes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FoldedUserData(pub String);

impl FoldedUserData {
    /// Folds any text, also one that is no valid [`UserData`] (somebody else's).
    pub fn of(text: &str) -> Self {
        Self(text.trim().to_lowercase())
    }

    /// The folded text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_a_call_is_one_call_s_of_one_installation_and_nothing_a_query_reads_a_pattern_in() {
        let key = CallKey::new("9f%_86d0-81.e7c2 and more", HistoryId(4711));
        assert_eq!(key.as_str(), "dialbridge-9f86d081e7c2-4711");
        assert_ne!(key, CallKey::new("9f86d081e7c2", HistoryId(471)));
        assert_ne!(key, CallKey::new("0f86d081e7c2", HistoryId(4711)));
    }
}
