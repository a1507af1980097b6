//! Conditions that depend on the date are decided again once a day, from the ledger alone (users 6).
//!
//! On the day a consent lapses the record does not change, so a change-driven pull never sees it. No CRM is
//! needed for it, and no pull: at `day_start` it is a run of its own.

use super::store::{Batch, add, page_store};
use super::{PullContext, Work};
use crate::domain::policy::{PassReason, Unblock};
use crate::domain::scope::Before;
use crate::domain::{CrmSide, Reason, ReasonCode, Record, RecordId, UserData};
use crate::jobs::JobError;
use crate::ledger::{Basis, BlockWord, Counts, KeptRecord, PulledRecord, Standing};
use crate::mapping::Condition;
use chrono::{Days, NaiveDate, TimeDelta};

/// The values of a record that nobody may call are kept so long without a change of its state (semantics 29).
const KEPT_FOR: TimeDelta = TimeDelta::days(30);

/// So many days ahead it is worked out when a record whose values are erased is to be read again.
const AHEAD: u64 = 366;

/// What a day makes of a record.
enum Today {
    /// Nothing new.
    Same,
    /// `block_if` is true now.
    Blocked,
    /// Not eligible any more.
    Lapsed,
    /// Nobody can tell any more whether it may be called.
    Untold(Reason),
    /// It may be called now, or its block withdrawn: to be read by id.
    Ask,
}

/// What a batch of records comes to.
#[derive(Default)]
struct Day {
    stored: Vec<PulledRecord>,
    ask: Vec<RecordId>,
    erased: Vec<(RecordId, Vec<u8>, Option<NaiveDate>)>,
}

impl PullContext {
    /// The day's decisions as a run of its own, for the mornings on which no pull runs or the CRM is down.
    ///
    /// # Errors
    /// The ledger cannot be used.
    pub async fn decide_day(&self, cause: &'static str) -> Result<Counts, JobError> {
        let mut work = Work::begin(self, cause).await?;
        let result = work.dated().await;
        work.end(result).await?;
        Ok(work.counts)
    }
}

impl Work<'_> {
    /// Once a day from `day_start` on: whoever's conditions turned out otherwise is locked from what the
    /// ledger keeps, or read again by id where more than that is needed.
    pub(super) async fn dated(&mut self) -> Result<(), JobError> {
        let (route, ledger) = (&self.context.route, &self.context.ledger);
        if !route.mapping.uses_today() {
            return Ok(());
        }
        let local = self.context.env.now().with_timezone(&route.zone);
        let today = local.date_naive();
        let row = ledger.route_show(route.route.clone()).await?;
        let pulled = row.as_ref().and_then(|row| row.revision.as_deref()) == Some(&route.revision);
        let done = row.and_then(|row| row.decided_on);
        if local.time() < route.day_start || done.as_deref() == Some(&today.to_string()) {
            return Ok(());
        }
        // Until a pass has read everything anew, values stand here that another mapping asked for.
        let pass = ledger.pass_open(route.route.clone()).await?;
        let same_revision = pulled && pass.is_none_or(|pass| pass.why != PassReason::Revision);
        let mut after = RecordId(String::new());
        loop {
            self.stop_if_ending()?;
            let batch = ledger.records_kept(route.route.clone(), after.clone(), 500).await?;
            let Some(last) = batch.last() else { break };
            after = last.id.clone();
            self.decide_dated(batch, today, same_revision).await?;
        }
        ledger.erased_ask(route.route.clone(), today).await?;
        ledger.route_decided_on(route.route.clone(), today).await?;
        Ok(())
    }

    async fn decide_dated(
        &mut self,
        batch: Vec<KeptRecord>,
        today: NaiveDate,
        same_revision: bool,
    ) -> Result<(), JobError> {
        let (ledger, name) = (self.context.ledger.clone(), self.context.route.route.clone());
        let Day { stored, ask, erased } = self.sort_by_day(batch, today, same_revision).await;
        if !ask.is_empty() {
            ledger.hints_add(name.clone(), ask, "dated").await?;
        }
        if !stored.is_empty() {
            self.counts.records_read += stored.len() as i64;
            let now = self.context.env.now();
            let store = page_store(self.context, self.run, stored, Batch::default(), now);
            let counts = ledger.page_store(store).await?;
            add(&mut self.counts, &counts);
        }
        if !erased.is_empty() {
            ledger.kept_erase(name, erased).await?;
        }
        Ok(())
    }

    async fn sort_by_day(&self, batch: Vec<KeptRecord>, today: NaiveDate, same_revision: bool) -> Day {
        let long_ago = self.context.env.now() - KEPT_FOR;
        let mut day = Day::default();
        for kept in batch {
            let record = as_record(&kept);
            let (block, side) = match self.judge(&record, kept.standing, today) {
                Today::Same if kept.standing != Standing::Callable && kept.since < long_ago => {
                    let again_on = self.opens_on(&record, kept.standing, today);
                    day.erased.push((kept.id, kept.hash, again_on));
                    // A year of days takes its time: others have their turn between two records.
                    tokio::task::yield_now().await;
                    continue;
                }
                Today::Same => continue,
                Today::Ask => {
                    day.ask.push(kept.id);
                    continue;
                }
                // Decided from what the ledger knows, without asking anybody; its numbers, of which the ledger knows none before it
                // has a contact, are read, because nobody who has one of them is to be called either.
                Today::Blocked => {
                    day.ask.push(kept.id.clone());
                    (BlockWord::Set, CrmSide::Ineligible(ReasonCode::NotEligible.into()))
                }
                Today::Lapsed => {
                    let says_no = self.context.route.mapping.says_no_on(&record, today);
                    let reason = Reason::not_eligible(says_no.as_deref());
                    (BlockWord::Unknown, CrmSide::Ineligible(reason))
                }
                // What another mapping kept may lack a name that this one asks for: it will be read.
                Today::Untold(_) if !same_revision => continue,
                Today::Untold(reason) => (BlockWord::Unknown, CrmSide::Uncallable(reason)),
            };
            let before = match &side {
                CrmSide::Ineligible(reason) if reason.rests_on_rules() => self.before_on(&record, today),
                _ => Before::Untold,
            };
            day.stored.push(from_kept(kept, block, side, before));
        }
        day
    }

    fn judge(&self, record: &Record, standing: Standing, day: NaiveDate) -> Today {
        let (block, eligible) = self.context.route.mapping.conditions_on(record, day);
        match (block, eligible, standing) {
            (Condition::True, _, Standing::Blocked) => Today::Same,
            // Where only others say no the numbers of this one are not blocked yet.
            (
                Condition::True,
                _,
                Standing::Callable | Standing::Waiting | Standing::Apart | Standing::BlockedByOthers,
            ) => Today::Blocked,
            (_, Condition::False, Standing::Callable) => Today::Lapsed,
            (
                _,
                Condition::False,
                Standing::Waiting | Standing::Blocked | Standing::BlockedByOthers | Standing::Apart,
            ) => Today::Same,
            (Condition::Broken(reason), _, Standing::Callable)
            | (_, Condition::Broken(reason), Standing::Callable) => Today::Untold(reason),
            (_, Condition::True | Condition::NotAsked, Standing::Callable | Standing::Apart) => Today::Same,
            (_, _, Standing::Waiting) => Today::Ask,
            (Condition::False, _, Standing::Blocked) => match self.context.route.unblock {
                Unblock::Source => Today::Ask,
                Unblock::Person => Today::Same,
            },
            (_, Condition::Broken(_), Standing::Apart) => Today::Same,
            (Condition::NotAsked | Condition::Broken(_), _, Standing::Blocked)
            | (_, _, Standing::BlockedByOthers) => Today::Same,
        }
    }

    /// The first day on which there is something to ask the CRM about a record that is out of reach, or on which it comes to say no.
    fn opens_on(&self, record: &Record, standing: Standing, today: NaiveDate) -> Option<NaiveDate> {
        (1..=AHEAD)
            .filter_map(|days| today.checked_add_days(Days::new(days)))
            .find(|day| matches!(self.judge(record, standing, *day), Today::Ask | Today::Blocked))
    }
}

fn as_record(kept: &KeptRecord) -> Record {
    Record { id: kept.id.clone(), modified: kept.modified, deleted: false, fields: kept.values.clone() }
}

fn from_kept(kept: KeptRecord, block: BlockWord, crm: CrmSide, before: Before) -> PulledRecord {
    let key = kept.user_data.unwrap_or_default();
    PulledRecord {
        id: kept.id,
        hash: kept.hash,
        modified: kept.modified,
        user_data: UserData::parse(&key)
            .map_err(|error| Reason::new(ReasonCode::BadUserData).with("problem", error)),
        numbers: Vec::new(),
        block,
        no_rests_on: None,
        crm,
        kept: Some(serde_json::Value::Object(kept.values).to_string()),
        basis: Basis::Kept,
        before,
        notes: Vec::new(),
    }
}
