//! Conditions that depend on the date are decided again once a day, from the ledger alone (users 6).
//!
//! On the day a consent lapses the record does not change, so a change-driven pull never sees it.

use super::Work;
use super::pages::{add, page_store};
use crate::domain::{CrmSide, Reason, ReasonCode, Record, RecordId, UserData};
use crate::jobs::JobError;
use crate::ledger::{BlockWord, KeptRecord, PulledRecord};
use crate::mapping::Condition;

impl Work<'_> {
    /// Once a day from `day_start` on: whoever's conditions turned out otherwise is locked from what the
    /// ledger keeps, or read again by id where more than that is needed.
    pub(super) async fn dated(&mut self) -> Result<(), JobError> {
        let route = &self.context.route;
        if !route.mapping.uses_today() {
            return Ok(());
        }
        let local = self.context.env.now().with_timezone(&route.zone);
        let today = local.date_naive();
        let done = self.context.ledger.route_show(route.route.clone()).await?.and_then(|row| row.decided_on);
        if local.time() < route.day_start || done.as_deref() == Some(&today.to_string()) {
            return Ok(());
        }
        let mut after = RecordId(String::new());
        loop {
            self.stop_if_ending()?;
            let batch = self.context.ledger.records_kept(route.route.clone(), after.clone(), 500).await?;
            let Some(last) = batch.last() else { break };
            after = last.id.clone();
            self.decide_dated(batch, today).await?;
        }
        self.context.ledger.route_decided_on(route.route.clone(), today).await?;
        Ok(())
    }

    async fn decide_dated(
        &mut self,
        batch: Vec<KeptRecord>,
        today: chrono::NaiveDate,
    ) -> Result<(), JobError> {
        let route = &self.context.route;
        let mut lapsed = Vec::new();
        let mut ask = Vec::new();
        for kept in batch {
            let record = Record {
                id: kept.id.clone(),
                modified: kept.modified,
                deleted: false,
                fields: kept.values.clone(),
            };
            let mapped = route.mapping.map(&record, today);
            match (&mapped.block, &mapped.eligible, kept.linked) {
                // Lapsed this morning: decided from what the ledger knows, without asking anybody.
                (Condition::True, _, _) if !kept.blocked => lapsed.push(from_kept(kept, BlockWord::Set)),
                (Condition::True, _, _) => {}
                (_, Condition::False, true) => lapsed.push(from_kept(kept, BlockWord::Unknown)),
                (_, Condition::False, false) | (_, Condition::True | Condition::NotAsked, true) => {}
                // Became eligible, or cannot be worked out from what is kept: read by id.
                (_, Condition::True | Condition::NotAsked, false) => ask.push(kept.id),
                (_, Condition::Broken(_), _) => ask.push(kept.id),
            }
        }
        if !ask.is_empty() {
            self.context.ledger.hints_add(route.route.clone(), ask, "dated").await?;
        }
        if !lapsed.is_empty() {
            self.counts.records_read += lapsed.len() as i64;
            let now = self.context.env.now();
            let store = page_store(self.context, self.run, lapsed, Vec::new(), Vec::new(), Vec::new(), now);
            let counts = self.context.ledger.page_store(store).await?;
            add(&mut self.counts, &counts);
        }
        Ok(())
    }
}

fn from_kept(kept: KeptRecord, block: BlockWord) -> PulledRecord {
    PulledRecord {
        id: kept.id,
        hash: kept.hash,
        modified: kept.modified,
        user_data: UserData::parse(&kept.user_data)
            .map_err(|error| Reason::new(ReasonCode::BadUserData).with("problem", error)),
        numbers: kept.numbers,
        block,
        crm: CrmSide::Ineligible(ReasonCode::NotEligible.into()),
        kept: Some(serde_json::Value::Object(kept.values).to_string()),
    }
}
