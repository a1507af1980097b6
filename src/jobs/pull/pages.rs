//! Everything modified since the cursor, page by page, and the cursor's move at the end.

use super::{PullContext, Work, examine};
use crate::crm::Page;
use crate::domain::{BadRecord, CrmSide, Reason, ReasonCode, Record, RecordId, Timestamp};
use crate::jobs::JobError;
use crate::ledger::{Counts, KnownRecord, PageStore, PulledRecord};
use std::collections::{HashMap, VecDeque};

impl Work<'_> {
    /// Reads from below the cursor without a ceiling; moves the cursor by the CRM's clock, minus its lag.
    pub(super) async fn changes(&mut self) -> Result<(), JobError> {
        let context = self.context;
        let contract = context.crm.contract().clone();
        let row = context.ledger.route_show(context.route.route.clone()).await?;
        let cursor = row.as_ref().and_then(|row| row.cursor);
        let same_revision = row.and_then(|row| row.revision).as_deref() == Some(&context.route.revision);
        // Under another mapping every record must be looked at again.
        let since = cursor
            .filter(|_| same_revision)
            .map(|cursor| cursor - time_delta(contract.overlap) - time_delta(contract.resolution));
        let mut clock = Clock::default();
        let mut token = None;
        loop {
            self.stop_if_ending()?;
            let page = context.crm.changed_since(since, token.as_ref()).await?;
            self.counts.requests += 1;
            clock.see(&page);
            self.check_skew(&page, contract.overlap.max(contract.lag))?;
            let next = page.next.clone();
            self.page(page).await?;
            match next {
                Some(next) if token.as_ref() == Some(&next) => {
                    return Err(JobError::Stopped(
                        "the CRM answers the same page again and again; check the connector's paging"
                            .to_owned(),
                    ));
                }
                Some(next) => token = Some(next),
                None => break,
            }
        }
        if let Some(read_at) = clock.position() {
            let to = read_at - time_delta(contract.lag);
            context.ledger.cursor_move(context.route.route.clone(), to, self.run).await?;
        }
        if !same_revision {
            context
                .ledger
                .route_set_revision(context.route.route.clone(), context.route.revision.clone())
                .await?;
        }
        Ok(())
    }

    /// The cursor rests on the CRM's clock; one that is far off from ours would hide changes.
    fn check_skew(&self, page: &Page, allowed: std::time::Duration) -> Result<(), JobError> {
        let Some(theirs) = page.crm_time else { return Ok(()) };
        let skew = (theirs - self.context.env.now()).abs();
        if skew > time_delta(allowed).max(chrono::TimeDelta::minutes(1)) {
            return Err(JobError::Stopped(format!(
                "the CRM's clock and this machine's are {} seconds apart, more than the overlap of {} seconds; set the \
                 clocks (NTP) on both",
                skew.num_seconds(),
                allowed.as_secs()
            )));
        }
        Ok(())
    }

    async fn page(&mut self, page: Page) -> Result<(), JobError> {
        self.counts.bytes += i64::try_from(page.bytes).unwrap_or(i64::MAX);
        let answered = page.crm_time.unwrap_or_else(|| self.context.env.now());
        let (good, bad) = split(page.records);
        self.counts.records_read += (good.len() + bad.len()) as i64;
        let changed = self.drop_known(good).await?;
        self.store(changed, bad, Vec::new(), Vec::new(), answered).await.map(|_| ())
    }

    /// Drops what is unchanged by content, and what is older than the version last seen.
    async fn drop_known(&mut self, records: Vec<Record>) -> Result<Vec<(Record, Vec<u8>)>, JobError> {
        let ids = records.iter().map(|record| record.id.clone()).collect();
        let known = self.context.ledger.records_known(self.context.route.route.clone(), ids).await?;
        let mut changed: Vec<(Record, Vec<u8>)> = Vec::new();
        let mut stale = 0;
        let known_here = known.len();
        let mut in_page: HashMap<RecordId, usize> = HashMap::new();
        for record in records {
            let hash = self.context.route.mapping.hash(&record, &self.context.route.revision).to_vec();
            match classify(&record, &hash, known.get(&record.id), self.run) {
                Seen::Repeat => self.counts.repeats += 1,
                Seen::Unchanged => self.counts.unchanged += 1,
                Seen::Stale => stale += 1,
                Seen::Changed => match in_page.get(&record.id) {
                    // The same record twice in one page: the later version counts.
                    Some(at) => {
                        self.counts.repeats += 1;
                        changed[*at] = (record, hash);
                    }
                    None => {
                        in_page.insert(record.id.clone(), changed.len());
                        changed.push((record, hash));
                    }
                },
            }
        }
        self.counts.stale += stale;
        if known_here >= 20 && stale * 2 > known_here as i64 {
            return Err(JobError::Stopped(
                "most records of a page are older than what was seen before: the CRM was set back or another one \
                 answers; nothing of the page was taken. Check base_url and the CRM's restore, then start the route again"
                    .to_owned(),
            ));
        }
        Ok(changed)
    }

    /// Maps, decides and stores; shared by pages, hints and refreshes. The records that could be decided come back.
    pub(super) async fn store(
        &mut self,
        records: Vec<(Record, Vec<u8>)>,
        bad: Vec<BadRecord>,
        gone: Vec<RecordId>,
        hints_taken: Vec<i64>,
        answered: Timestamp,
    ) -> Result<Vec<RecordId>, JobError> {
        if records.is_empty() && bad.is_empty() && gone.is_empty() && hints_taken.is_empty() {
            return Ok(Vec::new());
        }
        let now = self.context.env.now();
        let mut pulled: Vec<PulledRecord> = Vec::with_capacity(records.len());
        let mut decided = Vec::with_capacity(records.len());
        for (record, hash) in records {
            let examined = examine(&self.context.route, &record, hash, now);
            if let CrmSide::Unusable(reason) = &examined.pulled.crm {
                self.brake.see(Some(reason));
            } else {
                self.brake.see(None);
                decided.push(record.id);
            }
            pulled.push(examined.pulled);
        }
        self.brake.check()?;
        let store = page_store(self.context, self.run, pulled, bad, gone, hints_taken, answered);
        let counts = self.context.ledger.page_store(store).await?;
        add(&mut self.counts, &counts);
        Ok(decided)
    }
}

pub(super) fn page_store(
    context: &PullContext,
    run: crate::domain::RunId,
    records: Vec<PulledRecord>,
    bad: Vec<BadRecord>,
    gone: Vec<RecordId>,
    hints_taken: Vec<i64>,
    answered: Timestamp,
) -> PageStore {
    PageStore {
        route: context.route.route.clone(),
        client: context.route.client.clone(),
        crm: context.route.crm.clone(),
        object: context.route.object.clone(),
        policy: context.route.policy,
        unblock_by_source: context.route.unblock == crate::domain::policy::Unblock::Source,
        run,
        decided_at: answered,
        records,
        gone,
        unidentified: bad.iter().map(|bad| (digest(bad), bad.reason.clone())).collect(),
        hints_taken,
        decide: crate::sync::decide,
    }
}

enum Seen {
    Repeat,
    Unchanged,
    Stale,
    Changed,
}

fn classify(record: &Record, hash: &[u8], known: Option<&KnownRecord>, run: crate::domain::RunId) -> Seen {
    match known {
        None => Seen::Changed,
        Some(known) if known.hash == hash => {
            if known.run == run {
                Seen::Repeat
            } else {
                Seen::Unchanged
            }
        }
        Some(known) if is_older(record, known) => Seen::Stale,
        Some(_) => Seen::Changed,
    }
}

/// Whether it is a version from before the one last seen: a lagging index must not bring yesterday back.
pub(super) fn is_older(record: &Record, known: &KnownRecord) -> bool {
    known.modified.zip(record.modified).is_some_and(|(had, has)| has < had)
}

fn split(records: Vec<Result<Record, BadRecord>>) -> (Vec<Record>, Vec<BadRecord>) {
    let mut good = Vec::with_capacity(records.len());
    let mut bad = Vec::new();
    for record in records {
        match record {
            Ok(record) => good.push(record),
            Err(record) => bad.push(record),
        }
    }
    (good, bad)
}

/// A name for a record that has none, so that the same one is not counted anew at every pull.
fn digest(bad: &BadRecord) -> Vec<u8> {
    use sha2::Digest as _;
    let mut hash = sha2::Sha256::new();
    if let Some(id) = &bad.id {
        hash.update(id.0.as_bytes());
    }
    hash.update([0]);
    hash.update(bad.reason.code.as_str().as_bytes());
    hash.update(bad.reason.params_json().as_bytes());
    hash.finalize().to_vec()
}

pub(super) fn add(total: &mut Counts, page: &Counts) {
    total.unchanged += page.unchanged;
    total.queued += page.queued;
    total.adopted += page.adopted;
    total.skipped += page.skipped;
    total.blocked += page.blocked;
    total.parked += page.parked;
    total.parked_new += page.parked_new;
}

/// What the CRM's clock said when the read began, or the greatest modification time seen.
#[derive(Default)]
struct Clock {
    began: Option<Timestamp>,
    answered: bool,
    greatest: Option<Timestamp>,
}

impl Clock {
    fn see(&mut self, page: &Page) {
        if !self.answered {
            self.began = page.crm_time;
            self.answered = true;
        }
        let newest = page.records.iter().filter_map(|record| record.as_ref().ok()?.modified).max();
        self.greatest = self.greatest.max(newest);
    }

    fn position(&self) -> Option<Timestamp> {
        self.began.or(self.greatest)
    }
}

/// Tells one bad record from a systemic failure: at least 20 and 30 % of the last 200 for one reason
/// that can only lie in the config or the connector (semantics 14). A field too long or a number
/// missing is the record's own affair, however many there are.
#[derive(Default)]
pub(super) struct Brake {
    last: VecDeque<Option<Reason>>,
}

impl Brake {
    const WINDOW: usize = 200;
    const AT_LEAST: usize = 20;

    fn see(&mut self, reason: Option<&Reason>) {
        let systemic = reason.filter(|reason| {
            matches!(
                reason.code,
                ReasonCode::MissingName | ReasonCode::ExpressionFailed | ReasonCode::BadUserData
            )
        });
        if self.last.len() == Self::WINDOW {
            self.last.pop_front();
        }
        self.last.push_back(systemic.cloned());
    }

    fn check(&self) -> Result<(), JobError> {
        let mut times: HashMap<ReasonCode, (usize, &Reason)> = HashMap::new();
        for reason in self.last.iter().flatten() {
            times.entry(reason.code).or_insert((0, reason)).0 += 1;
        }
        let worst = times.into_values().max_by_key(|(count, _)| *count);
        match worst {
            Some((count, reason)) if count >= Self::AT_LEAST && count * 10 >= self.last.len() * 3 => {
                Err(JobError::Stopped(format!(
                    "{count} of the last {} records failed for the same reason: {reason}. Nobody was imported for it; \
                     correct the route or the CRM, then it goes on by itself",
                    self.last.len()
                )))
            }
            Some(_) | None => Ok(()),
        }
    }
}

fn time_delta(duration: std::time::Duration) -> chrono::TimeDelta {
    chrono::TimeDelta::from_std(duration).unwrap_or(chrono::TimeDelta::MAX)
}
