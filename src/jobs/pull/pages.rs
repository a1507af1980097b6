//! Everything modified since the cursor, page by page, and the cursor's move at the end.

use super::Work;
use super::clock::{Clock, time_delta};
use super::examine::unreadable_hash;
use super::store::{Batch, Changed};
use crate::crm::{Page, Places};
use crate::domain::{BadRecord, Reason, Record, RecordId, Timestamp};
use crate::jobs::JobError;
use crate::ledger::KnownRecord;
use std::collections::HashMap;

/// So long a record without an id is shown after it was last seen: nobody can tell whether it was mended.
const SHOWN_FOR: chrono::TimeDelta = chrono::TimeDelta::days(30);

impl Work<'_> {
    /// Reads from below the cursor without a ceiling; moves the cursor by the CRM's clock, minus its lag.
    pub(super) async fn changes(&mut self) -> Result<(), JobError> {
        let context = self.context;
        let contract = context.crm.contract().clone();
        let row = context.ledger.route_show(context.route.route.clone()).await?;
        // Under another mapping every record must be looked at again: that is the pass's work.
        self.begin_pass(row.as_ref()).await?;
        let cursor = row.as_ref().and_then(|row| row.cursor);
        let same_revision = row.and_then(|row| row.revision).as_deref() == Some(&context.route.revision);
        let since =
            cursor.map(|cursor| cursor - time_delta(contract.overlap) - time_delta(contract.resolution));
        let mut clock = Clock::new(context.env.now());
        let (mut token, mut places) = (None, Places::default());
        loop {
            self.stop_if_ending()?;
            let asked = context.env.now();
            let page = context.crm.changed_since(since, token.as_ref()).await?;
            self.counts.requests += 1;
            clock.see(&page);
            self.check_skew(&page, asked, contract.overlap)?;
            let next = page.next.clone();
            self.page(page, asked).await?;
            match next {
                Some(next) if !places.enter(&next) => return Err(in_a_circle()),
                // Nobody was ever imported: there is nobody to be locked either.
                Some(_) if self.struck.is_some() && since.is_none() => return Ok(()),
                Some(next) => token = Some(next),
                None => break,
            }
        }
        if self.struck.is_some() {
            return Ok(());
        }
        if cursor.is_none() {
            self.first_pass_done().await?;
        }
        self.move_cursor(&clock, same_revision).await
    }

    async fn move_cursor(&self, clock: &Clock, same_revision: bool) -> Result<(), JobError> {
        let (ledger, route) = (&self.context.ledger, &self.context.route);
        if let Some(read_at) = clock.position() {
            let to = read_at - time_delta(self.context.crm.contract().lag);
            ledger.cursor_move(route.route.clone(), to, self.run).await?;
        }
        if !same_revision {
            ledger.route_set_revision(route.route.clone(), route.revision.clone()).await?;
        }
        Ok(ledger.unidentified_forget(route.route.clone(), self.context.env.now() - SHOWN_FOR).await?)
    }

    /// `asked` is when the request left, by our clock: a decision is not younger than that.
    pub(super) async fn page(&mut self, mut page: Page, asked: Timestamp) -> Result<(), JobError> {
        self.context.flag(&mut page).await?;
        self.counts.bytes += i64::try_from(page.bytes).unwrap_or(i64::MAX);
        self.counts.records_read += page.records.len() as i64;
        let (named, unidentified) = self.split(page.records);
        let changed = self.drop_known(named).await?;
        let batch = Batch { changed, unidentified, ..Batch::default() };
        self.store(batch, asked).await.map(|_| ())
    }

    /// What has an id, and what has none.
    pub(super) fn split(&self, records: Vec<Result<Record, BadRecord>>) -> (Vec<Changed>, Vec<Reason>) {
        let route = &self.context.route;
        let (mut named, mut unidentified) = (Vec::with_capacity(records.len()), Vec::new());
        for record in records {
            match record {
                Ok(record) => {
                    let hash = route.mapping.hash(&record, &route.revision).to_vec();
                    named.push(Changed::Record(Box::new(record), hash));
                }
                Err(BadRecord { id: Some(id), reason }) => named.push(Changed::Unreadable(id, reason)),
                Err(BadRecord { id: None, reason }) => unidentified.push(reason),
            }
        }
        (named, unidentified)
    }

    /// Drops what is unchanged by content, and what is older than the version last seen.
    async fn drop_known(&mut self, records: Vec<Changed>) -> Result<Vec<Changed>, JobError> {
        let ids = records.iter().map(|record| record.id().clone()).collect();
        let known = self.context.ledger.records_known(self.context.route.route.clone(), ids).await?;
        let mut changed: Vec<Changed> = Vec::new();
        let mut page = Seniority { known: known.len() as i64, ..Seniority::default() };
        let mut in_page: HashMap<RecordId, usize> = HashMap::new();
        for record in records {
            match self.classify(&record, known.get(record.id())) {
                Seen::Repeat => self.counts.repeats += 1,
                Seen::Unchanged => self.counts.unchanged += 1,
                Seen::Stale => {
                    page.stale += 1;
                    page.far += i64::from(record.age_behind(&known[record.id()]) >= FAR);
                }
                Seen::Changed => match in_page.get(record.id()) {
                    // The same record twice in one page: the later version counts.
                    Some(at) => {
                        self.counts.repeats += 1;
                        changed[*at] = record;
                    }
                    None => {
                        in_page.insert(record.id().clone(), changed.len());
                        changed.push(record);
                    }
                },
            }
        }
        self.counts.stale += page.stale;
        self.seniority.add(page);
        if page.is_set_back() || self.seniority.is_set_back() {
            return Err(JobError::Stopped(
                "most records that were read are older than what was seen before: the CRM was set back or another one \
                 answers; nothing of this page was taken. Check base_url and the CRM's restore, then start the route again"
                    .to_owned(),
            ));
        }
        Ok(changed)
    }

    fn classify(&self, record: &Changed, known: Option<&KnownRecord>) -> Seen {
        let Some(known) = known else { return Seen::Changed };
        let same = match record {
            Changed::Record(_, hash) => *hash == known.hash,
            Changed::Unreadable(_, reason) => unreadable_hash(&self.context.route, reason) == known.hash,
        };
        match (same, record.is_older(known)) {
            (true, _) if known.run == self.run => Seen::Repeat,
            (true, _) => Seen::Unchanged,
            (false, true) => Seen::Stale,
            (false, false) => Seen::Changed,
        }
    }
}

/// A list without an end, whose cursor would never move.
pub(super) fn in_a_circle() -> JobError {
    JobError::Stopped(
        "the CRM's pages lead in a circle: one that was read already comes again; check the connector's paging"
            .to_owned(),
    )
}

/// No list shows a record in a version that much older than the one last seen because it lags.
const FAR: chrono::TimeDelta = chrono::TimeDelta::hours(1);

/// How many of the records that were known before came in an older version, and how many of these in a far older one.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seniority {
    known: i64,
    stale: i64,
    far: i64,
}

impl Seniority {
    /// Most of a page, or of all pages of a run so far; of a few records all, and far behind. Single ones prove nothing
    /// (an index that lags shows them in an older version): those are dropped, and the rest goes on.
    fn is_set_back(self) -> bool {
        match self.known {
            ..3 => false,
            3..20 => self.far == self.known,
            20.. => self.stale * 2 > self.known,
        }
    }

    fn add(&mut self, page: Self) {
        self.known += page.known;
        self.stale += page.stale;
        self.far += page.far;
    }
}

enum Seen {
    Repeat,
    Unchanged,
    Stale,
    Changed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_most_and_of_a_few_all_that_are_far_behind_speak_of_a_crm_that_was_set_back() {
        for (known, stale, far, set_back) in [
            (0, 0, 0, false),
            (2, 2, 2, false),
            (3, 3, 3, true),
            (3, 3, 2, false),
            (4, 3, 3, false),
            (19, 19, 19, true),
            (19, 18, 18, false),
            (19, 19, 0, false),
            (20, 10, 10, false),
            (20, 11, 0, true),
            (200, 101, 0, true),
        ] {
            assert_eq!(
                Seniority { known, stale, far }.is_set_back(),
                set_back,
                "{stale} of {known}, {far} far"
            );
        }
    }
}
