//! A sweep of the whole account into the index by key: for a first load, when many keys are unknown.

use super::meet::Meeter;
use crate::dialler::Listed;
use crate::domain::{Timestamp, UserData};
use crate::jobs::JobError;
use crate::jobs::harvest::Brake;
use crate::ledger::{IndexRow, MeetItem, SweepCounts};
use crate::remote::CallClass;
use futures_util::StreamExt as _;

/// So many contacts are stored at once.
const CHUNK: usize = 500;
/// So many keys are asked for before an empty account is believed.
const PROBE: usize = 10;

impl Meeter<'_> {
    /// Lists the account; answers when the list was asked for, `None` if it is not complete enough to say
    /// that a key is not there. `due` are the keys it is wanted for.
    pub(super) async fn sweep_account(&self, due: &[MeetItem]) -> Result<Option<Timestamp>, JobError> {
        let ledger = self.ledger;
        let began = ledger.next_seq();
        let began_at = self.env.now();
        let sweep = ledger.sweep_begin(None, Some(self.run), began).await?;
        self.count(|counts| counts.requests += 1);
        let asked = self.env.instant();
        let mut contacts = self.read.list_contacts(None, CallClass::Push).await?;
        let mut chunk = Vec::with_capacity(CHUNK);
        let mut counts = SweepCounts::default();
        let ended = loop {
            let contact = match contacts.next().await {
                None => break Ok(()),
                Some(Ok(Listed::Contact(contact))) => contact,
                Some(Ok(Listed::Bad(_))) => {
                    counts.bad += 1;
                    continue;
                }
                Some(Err(error)) => break Err(JobError::from(error)),
            };
            if let Err(ending) = self.stop_if_ending() {
                break Err(ending);
            }
            counts.contacts += 1;
            chunk.push(IndexRow { id: contact.id, campaign: contact.campaign, user_data: contact.user_data });
            if chunk.len() == CHUNK {
                ledger.account_sweep_store(began, std::mem::take(&mut chunk)).await?;
            }
        };
        counts.bytes = contacts.bytes() as i64;
        counts.list_ms = i64::try_from(asked.elapsed().as_millis()).unwrap_or(i64::MAX);
        ledger.account_sweep_store(began, chunk).await?;
        // A list with an unreadable element may hide a key of ours: it is no index.
        counts.complete = ended.is_ok() && counts.bad == 0;
        if counts.bad > 0 {
            counts.remark(format!("{} of its elements cannot be read", counts.bad));
        }
        if counts.complete
            && let Some(doubt) = self.doubt(counts.contacts, due).await?
        {
            tracing::warn!("the list of the account is not used: {doubt}");
            counts.complete = false;
            counts.remark(doubt);
        }
        let complete = counts.complete;
        ledger.sweep_end(sweep, counts).await?;
        ended?;
        Ok(complete.then_some(began_at))
    }

    /// Why a list that came whole is no index all the same: absence from a list is a question. Much less in
    /// it than we know of, or nothing at all although our keys are found when asked for.
    async fn doubt(&self, listed: i64, due: &[MeetItem]) -> Result<Option<String>, JobError> {
        let listed = usize::try_from(listed).unwrap_or_default();
        let known = self.ledger.contacts_known().await?;
        if Brake::default().holds(known.saturating_sub(listed), known) {
            return Ok(Some(format!("it has {listed} contacts, and {known} are known")));
        }
        if listed > 0 {
            return Ok(None);
        }
        let keys: Vec<&UserData> = due.iter().take(PROBE).map(|item| &item.user_data).collect();
        let asked = self.ask(&keys).await?;
        self.count(|counts| counts.requests += 1);
        Ok((!asked.found.is_empty()).then(|| "it is empty, but keys of ours are found by asking".to_owned()))
    }
}
