//! Companions: whoever entered or left one counts as changed and is read by id (users 1).

use super::{PullContext, Work};
use crate::crm::Page;
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
                self.stop_if_never_read(&name, &why).await?;
                tracing::warn!(route = %self.context.route.route, companion = name, why, "companion not taken");
                self.not_taken.push((name, why));
            }
        }
        Ok(())
    }

    /// Where an expression asks who is in the set and no answer was ever had, nobody can be decided about.
    async fn stop_if_never_read(&self, name: &str, why: &str) -> Result<(), JobError> {
        let route = &self.context.route.route;
        if !self.context.flags_used().any(|flag| flag == name) {
            return Ok(());
        }
        let known = self.context.ledger.companion_members(route.clone(), name.to_owned(), Vec::new()).await?;
        if known.is_some() {
            return Ok(());
        }
        Err(JobError::Stopped(format!(
            "the route's expressions use the companion {name}, which could never be read yet, so nobody can be decided \
             about: {why}. It goes on by itself once the companion answers"
        )))
    }
}

impl PullContext {
    /// The companions that the route's expressions use and that no record carries itself.
    pub(crate) fn flags_used(&self) -> impl Iterator<Item = &String> {
        let names = self.route.mapping.names();
        self.crm.contract().flags.iter().filter(|flag| names.contains(flag))
    }

    /// Gives each record what the ledger's copies of the companions say of it. A companion that was never
    /// read says nothing: its name stays missing, which is an error in every expression.
    pub(super) async fn flag(&self, page: &mut Page) -> Result<(), JobError> {
        for companion in self.flags_used() {
            let ids = page.records.iter().flatten().map(|record| record.id.clone()).collect();
            let members =
                self.ledger.companion_members(self.route.route.clone(), companion.clone(), ids).await?;
            if let Some(members) = members {
                page.set_flag(companion, &members);
            }
        }
        Ok(())
    }
}
