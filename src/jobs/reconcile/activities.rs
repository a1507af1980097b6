//! The activities that calls became, looked for in the CRM by their keys: the newest and some by chance, or every one.

use super::{Depth, Look};
use crate::domain::{CallKey, DriftKind, HistoryId, Suspect, Suspects};
use crate::jobs::JobError;
use crate::ledger::{TOLD_PAGE, ToldCall};
use crate::remote::CallErrorKind;

/// So many pages of older ones are looked for by chance: each is a request, and a house has a hundred thousand of them.
const BY_CHANCE: u32 = 4;

/// Whether the CRM can be asked for an activity at all.
enum Asked {
    Yes,
    No,
}

impl Look<'_> {
    pub(super) async fn activities(&mut self) -> Result<(), JobError> {
        let instance = self.book.instance().await?;
        let mut missing = Suspects::default();
        match self.look_for_all(&instance, &mut missing).await {
            Ok(()) => {}
            // What was compared before stands; whoever cannot be asked for an activity is no reason to hide it.
            Err(JobError::Call(error)) => {
                let why = format!("activities behind the first {}: {error}", self.told.activities);
                self.told.not_compared.push(why);
            }
            Err(other) => return Err(other),
        }
        self.add(DriftKind::ActivityMissing, missing.count, missing.first);
        Ok(())
    }

    async fn look_for_all(&mut self, instance: &str, missing: &mut Suspects) -> Result<(), JobError> {
        let (mut below, mut pages) = (None, 1);
        let mut newest = true;
        while pages > 0 {
            let route = self.looker.route.route.clone();
            let page = self.book.calls_told(route, below).await?;
            let Some(last) = page.last().map(|told| told.call) else { break };
            match self.look_for(instance, page, missing).await? {
                Asked::Yes => pages -= 1,
                Asked::No => return Ok(()),
            }
            below = Some(last);
            if std::mem::take(&mut newest) {
                (below, pages) = self.older(last).await?;
            }
        }
        Ok(())
    }

    /// Where it goes on behind the newest, and for how many pages.
    async fn older(&self, last: HistoryId) -> Result<(Option<HistoryId>, u32), JobError> {
        match self.depth {
            Depth::Every => Ok((Some(last), u32::MAX)),
            Depth::Usual => {
                let first = self.book.call_told_first(self.looker.route.route.clone()).await?.unwrap_or(last);
                let span = u64::try_from(last.0 - first.0).unwrap_or(0);
                // As far up as that, so that the newest of them are looked for as often as the others.
                let chance = self.looker.env.random_below(span + u64::from(BY_CHANCE * TOLD_PAGE));
                let place = first.0.saturating_add_unsigned(chance + 1).min(last.0);
                Ok((Some(HistoryId(place)), BY_CHANCE))
            }
        }
    }

    async fn look_for(
        &mut self,
        instance: &str,
        page: Vec<ToldCall>,
        missing: &mut Suspects,
    ) -> Result<Asked, JobError> {
        for told in page {
            self.stop_if_ending()?;
            let key = CallKey::new(instance, told.call);
            let there = match self.looker.crm.activity_is_there(&told.record, &key).await {
                Ok(Some(there)) => there,
                Ok(None) => return Ok(Asked::No),
                // Its record is gone, which is another kind.
                Err(error) if error.kind == CallErrorKind::NotFound => continue,
                Err(error) => return Err(error.into()),
            };
            self.told.activities += 1;
            if !there {
                self.told.lost.push(told.call);
                missing.add(|| Suspect {
                    record: Some(told.record),
                    contact: Some(told.contact),
                    link: None,
                    details: format!("call {}", told.call),
                });
            }
        }
        Ok(Asked::Yes)
    }
}
