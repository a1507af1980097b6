//! Companions: whoever entered or left one counts as changed and is read by id (users 1).

use super::Work;
use crate::jobs::JobError;
use crate::ledger::CompanionTaken;

impl Work<'_> {
    /// Reads each companion whole and compares it with the ledger's copy. One that fails, or shrinks too
    /// much to be believed, changes nothing and is reported; the pull goes on.
    pub(super) async fn companions(&mut self) -> Result<(), JobError> {
        for name in self.context.crm.contract().companions.clone() {
            self.stop_if_ending()?;
            let route = self.context.route.route.clone();
            let why = match self.context.crm.companion(&name).await {
                Ok(answer) => match self.context.ledger.companion_take(route, name.clone(), answer).await? {
                    CompanionTaken::Taken { .. } => None,
                    CompanionTaken::Suspect { had, has } => Some(format!(
                        "it shrank from {had} to {has} records; believed when read so once more"
                    )),
                },
                Err(error) => {
                    let why = error.to_string();
                    self.context.ledger.companion_failed(route, name.clone(), why.clone()).await?;
                    Some(why)
                }
            };
            self.counts.requests += 1;
            if let Some(why) = why {
                tracing::warn!(route = %self.context.route.route, companion = name, why, "companion not taken");
                self.not_taken.push((name, why));
            }
        }
        Ok(())
    }
}
