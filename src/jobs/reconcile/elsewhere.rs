//! Contacts of the route that stand in other campaigns: no list of this one names them, so they are read by their numbers.

use super::Look;
use super::dialler::ReadBy;
use crate::dialler::BatchQuery;
use crate::domain::{Contact, ContactId, Suspects};
use crate::jobs::JobError;
use crate::remote::CallClass;

impl Look<'_> {
    /// Compares them as the list's own; who is not there by its number either is asked about as missing, like those.
    pub(super) async fn elsewhere(&mut self, differs: &mut Suspects) -> Result<(), JobError> {
        let mut after = ContactId(0);
        loop {
            self.stop_if_ending()?;
            let ids = self.book.elsewhere(self.looker.route.route.clone(), self.campaign, after).await?;
            let Some(last) = ids.last() else { break };
            after = *last;
            let mut read = self.by_numbers(&ids).await?;
            for id in
                ids.iter().filter(|id| !read.iter().any(|contact| contact.id == **id)).collect::<Vec<_>>()
            {
                match self.looker.dialler.contact(*id, CallClass::Audit).await {
                    Ok(contact) => read.extend(contact),
                    Err(error) if error.speaks_of_the_side() => return Err(error.into()),
                    // It is asked about as missing, and told there as one that cannot be read.
                    Err(_) => {}
                }
            }
            read.sort_by_key(|contact| contact.id);
            self.compare(read, ReadBy::Number, differs).await?;
        }
        Ok(())
    }

    /// Whoever the batch read does not name is read alone: a server may answer for some of many.
    async fn by_numbers(&self, ids: &[ContactId]) -> Result<Vec<Contact>, JobError> {
        let query = BatchQuery { user_data: Vec::new(), ids: ids.to_vec() };
        let read = match self.looker.dialler.read_batch(&query, CallClass::Audit).await {
            Ok(read) => read.unwrap_or_default(),
            Err(error) if error.speaks_of_the_side() => return Err(error.into()),
            Err(_) => Vec::new(),
        };
        let asked = |contact: &Contact| ids.contains(&contact.id);
        Ok(read.into_iter().map(|one| one.contact).filter(asked).collect())
    }
}
