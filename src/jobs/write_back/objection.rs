//! Somebody's no, told by itself and before everything else: no brake holds it, no other call or field of its record, and
//! nothing the CRM does not take beside it (users 2, 5).
//!
//! It is a telling of the record's own row, not a part of the one that tells what follows from calls: together, a value
//! that the CRM rejects, a result without a word or a record that cannot be read would take the no along with them.

use super::ends::Fate;
use super::tell::Told;
use super::values::{RecordValues, by_rule, is_known, of_objection, of_record};
use super::{JobError, PAGE, Pass, Rejections};
use crate::domain::{Counts, HistoryFacts, TellRule};
use crate::ledger::{Leaving, TellEnd, TellFacts, Tells, ToTell};
use serde_json::json;

/// What is left of a row, beside its objection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// The CRM knows it.
    Known,
    /// It is to be told, or at least looked at, by whatever holds it.
    Waits,
}

impl Pass<'_> {
    /// Tells every objection there is. What the CRM rejects of them counts for the brake of the others.
    pub(super) async fn objections(
        &self,
        counts: &mut Counts,
        rejections: &mut Rejections,
    ) -> Result<(), JobError> {
        let mut last = None;
        loop {
            let route = self.context.route.clone();
            let waiting = self.context.ledger.write_back_objections(route, PAGE).await?;
            let first = waiting.first().map(|row| (row.id, row.wanted, row.tries));
            // As for the rest: what comes again as it was is not told for ever.
            if first.is_none() || first == last {
                return Ok(());
            }
            last = first;
            self.page(waiting, Tells::Objection, counts, rejections).await?;
        }
    }

    pub(super) async fn tell_objection(&self, row: ToTell) -> Result<Told, JobError> {
        let TellFacts::History(history) = &row.facts else {
            return self.objection_known(&row, Rest::Waits).await;
        };
        let told = match of_objection(&self.context.telling, &row, history) {
            Ok(told) => told,
            Err(reason) => return self.end_unsent(&row, Fate::Parked, TellEnd::Parked(reason)).await,
        };
        let rest = self.rest(&row, history).await;
        let Some((no, digest)) = told else { return self.objection_known(&row, rest).await };
        let leaving = Leaving {
            tells: Tells::Objection,
            digest,
            values: json!(no).to_string(),
            rules: by_rule(&no, TellRule::BlockFields),
            person: history.blocked.as_ref().and_then(|blocked| blocked.who.clone()),
            carrying: "{}".to_owned(),
            then_again: rest == Rest::Waits,
        };
        self.go(&row, &no, leaving, Vec::new()).await
    }

    async fn rest(&self, row: &ToTell, history: &HistoryFacts) -> Rest {
        if row.edited.is_some() {
            return Rest::Waits;
        }
        match of_record(&self.context.telling, row, &self.all_named(history).await) {
            Ok(RecordValues { words, left_out: None }) if is_known(row, &words) => Rest::Known,
            Ok(_) | Err(_) => Rest::Waits,
        }
    }

    async fn objection_known(&self, row: &ToTell, rest: Rest) -> Result<Told, JobError> {
        match rest {
            Rest::Known => self.end_unsent(row, Fate::Unchanged, TellEnd::Unchanged).await,
            Rest::Waits => {
                self.context.ledger.write_back_objection_known(row.id, row.wanted).await?;
                Ok(Told::just(Fate::PutBack))
            }
        }
    }
}
