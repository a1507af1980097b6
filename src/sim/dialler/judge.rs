//! What happened in the simulated dialler, and the questions tests ask about it.

use super::DiallerSim;
use super::model::SimContact;
use crate::domain::Timestamp;
use crate::sim::journal::{Asked, Happened, Journal};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Who did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// Somebody over the API.
    Client,
    /// A person (or a CSV file) in the portal.
    Portal,
    /// An agent, or a caller.
    Agent,
    /// The dialler itself.
    System,
}

/// One effect on a contact.
#[derive(Debug, Clone, PartialEq)]
pub struct Deed {
    /// Who.
    pub actor: Actor,
    /// The contact's ID.
    pub contact: i64,
    /// Its UserData, after the deed.
    pub user_data: Option<Arc<str>>,
    /// What.
    pub what: What,
}

/// What was done.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// It was made.
    Created {
        /// In this campaign.
        campaign: i64,
    },
    /// These fields changed (`Name`, `UserData` and `DiallerCampaignsID` among them).
    Updated {
        /// Their names.
        fields: Vec<&'static str>,
    },
    /// It was locked.
    Locked {
        /// Whether it was locked before.
        was: bool,
    },
    /// It was unlocked.
    Unlocked {
        /// Whether it was locked before.
        was: bool,
    },
    /// It was reset.
    Reset {
        /// How many tries went with it.
        tries: u32,
    },
    /// It was deleted, its history with it.
    Deleted,
    /// An agent (or the dialler for one) dialled it.
    Dialled {
        /// The number.
        number: String,
        /// A test call.
        test: bool,
        /// When the agent was offered it.
        offered: Timestamp,
    },
    /// An agent wrote into its free text during a call.
    Commented {
        /// What.
        text: String,
    },
    /// It called in.
    CalledIn {
        /// Its number.
        number: String,
    },
    /// A history row can be read from now on.
    RowAppeared {
        /// The row.
        row: i64,
    },
    /// A result was recorded or corrected.
    ResultRecorded {
        /// The row it stands on.
        row: i64,
        /// The code's export key.
        key: String,
        /// Whether an earlier result was replaced.
        corrected: bool,
    },
}

/// A dial although the contact had been locked over the API.
#[derive(Debug, Clone, PartialEq)]
pub struct DialAfterLock {
    /// The contact.
    pub contact: i64,
    /// When the last lock over the API took effect.
    pub locked_at: Timestamp,
    /// When it was dialled.
    pub dialled_at: Timestamp,
    /// Who had unlocked it meanwhile.
    pub unlocked_by: Option<Actor>,
    /// The request that did, if it was one.
    pub unlocked_by_request: Option<u64>,
}

impl Journal<Deed> {
    /// The import requests for a UserData (to the letter), carried out or not.
    pub fn imports_of(&self, user_data: &str) -> Vec<Asked> {
        self.requests_where(|asked| {
            asked.kind.name == "import" && asked.json()["UserData"].as_str() == Some(user_data)
        })
    }

    /// The effects on a contact.
    pub fn deeds_on(&self, contact: i64) -> Vec<Happened<Deed>> {
        self.effects_where(|happened| happened.effect.contact == contact)
    }

    /// How many contacts were ever made with each UserData, by whomever.
    pub fn creations(&self) -> BTreeMap<Arc<str>, u64> {
        let mut made = BTreeMap::new();
        for happened in self.effects() {
            if let (What::Created { .. }, Some(key)) = (happened.effect.what, happened.effect.user_data) {
                *made.entry(key).or_default() += 1;
            }
        }
        made
    }

    /// Every dial, in order: when, which contact, which number.
    pub fn dials(&self) -> Vec<(Timestamp, i64, String)> {
        self.effects()
            .into_iter()
            .filter_map(|happened| match happened.effect.what {
                What::Dialled { number, .. } => Some((happened.at, happened.effect.contact, number)),
                _ => None,
            })
            .collect()
    }

    /// The same with when the contact was offered to who dialled it: offered, dialled, which contact.
    pub fn offers(&self) -> Vec<(Timestamp, Timestamp, i64)> {
        self.effects()
            .into_iter()
            .filter_map(|happened| match happened.effect.what {
                What::Dialled { offered, .. } => Some((offered, happened.at, happened.effect.contact)),
                _ => None,
            })
            .collect()
    }

    /// The dials of a number, compared by its digits.
    pub fn dials_of_number(&self, number: &str) -> Vec<Timestamp> {
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        let wanted = digits(number);
        self.dials()
            .into_iter()
            .filter(|(_, _, dialled)| digits(dialled) == wanted)
            .map(|(at, ..)| at)
            .collect()
    }

    /// The dials of contacts that had been locked over the API. The simulator never dials a locked
    /// contact, so each of these was unlocked meanwhile; the answer says by whom.
    pub fn dials_after_lock(&self) -> Vec<DialAfterLock> {
        let mut locks: BTreeMap<i64, DialAfterLock> = BTreeMap::new();
        let mut found = Vec::new();
        for Happened { at, request, effect, .. } in self.effects() {
            let contact = effect.contact;
            match effect.what {
                What::Locked { .. } if effect.actor == Actor::Client => {
                    let lock = DialAfterLock {
                        contact,
                        locked_at: at,
                        dialled_at: at,
                        unlocked_by: None,
                        unlocked_by_request: None,
                    };
                    locks.insert(contact, lock);
                }
                What::Unlocked { .. } => {
                    if let Some(lock) = locks.get_mut(&contact) {
                        lock.unlocked_by = Some(effect.actor);
                        lock.unlocked_by_request = request;
                    }
                }
                What::Dialled { .. } => {
                    if let Some(lock) = locks.get(&contact) {
                        found.push(DialAfterLock { dialled_at: at, ..lock.clone() });
                    }
                }
                What::Created { .. }
                | What::Updated { .. }
                | What::Locked { .. }
                | What::Reset { .. }
                | What::Deleted
                | What::Commented { .. }
                | What::CalledIn { .. }
                | What::RowAppeared { .. }
                | What::ResultRecorded { .. } => {}
            }
        }
        found
    }
}

impl DiallerSim {
    /// The contacts that have this UserData now, to the letter, whatever the matching switch says.
    pub fn contacts_with(&self, user_data: &str) -> Vec<Arc<SimContact>> {
        self.read(|state| {
            state.contacts().filter(|c| c.user_data.as_deref() == Some(user_data)).cloned().collect()
        })
    }

    /// The UserData that more than one contact has now, with how many.
    pub fn doubled(&self) -> BTreeMap<Arc<str>, usize> {
        let mut counts: BTreeMap<Arc<str>, usize> = BTreeMap::new();
        self.read(|state| {
            for key in state.contacts().filter_map(|contact| contact.user_data.clone()) {
                *counts.entry(key).or_default() += 1;
            }
        });
        counts.retain(|_, count| *count > 1);
        counts
    }
}
