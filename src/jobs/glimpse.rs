//! One look at one contact, for what a person has done to it: its numbers as they are now.

use super::harvest::ToE164;
use crate::dialler::DiallerRead;
use crate::domain::{Contact, ContactId, DiallerSide};
use crate::ledger::Glimpse;
use crate::remote::CallClass;
use std::fmt;
use std::sync::Arc;

/// Looks at contacts.
#[derive(Clone)]
pub struct Glimpser {
    /// The dialler.
    pub dialler: Arc<dyn DiallerRead>,
    /// How its numbers are read.
    pub to_e164: Arc<ToE164>,
}

impl fmt::Debug for Glimpser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Glimpser")
    }
}

impl Glimpser {
    /// The contact as it is now.
    ///
    /// # Errors
    /// There is none, or it cannot be read; the text says what that means for the act.
    pub async fn look(&self, contact: ContactId) -> Result<Glimpse, String> {
        match self.dialler.contact(contact, CallClass::Push).await {
            Ok(Some(found)) => Ok(glimpse(&found, &*self.to_e164)),
            Ok(None) => Err(format!("the dialler has no contact {contact}; nothing was done")),
            Err(error) => Err(format!(
                "contact {contact} cannot be read, so nobody can tell whether its numbers are blocked; nothing was done, \
                 say it again once the dialler answers ({error})"
            )),
        }
    }
}

/// The contact that was found for a key, if exactly one was.
pub(in crate::jobs) fn found(side: &DiallerSide, to_e164: &ToE164) -> Option<Glimpse> {
    match side {
        DiallerSide::Found(contact) => Some(glimpse(contact, to_e164)),
        DiallerSide::Linked | DiallerSide::NotMet | DiallerSide::Absent | DiallerSide::Ambiguous { .. } => {
            None
        }
    }
}

/// What a read contact shows of that.
pub fn glimpse(contact: &Contact, to_e164: &ToE164) -> Glimpse {
    Glimpse {
        contact: contact.id,
        campaign: contact.campaign,
        numbers: contact.numbers().filter_map(|(_, number)| to_e164(number)).collect(),
    }
}
