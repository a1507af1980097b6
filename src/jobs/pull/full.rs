//! The full pass: everything is read again, by a walk with a place of its own that survives restarts, a stretch
//! after each ordinary pull so that no change waits for it (semantics 11). What it brings is one wave.

use super::clock::time_delta;
use super::pages::in_a_circle;
use super::{PullContext, Work};
use crate::crm::{PageToken, Places};
use crate::domain::policy::PassReason;
use crate::domain::{RecordId, RunId, Timestamp};
use crate::jobs::JobError;
use crate::ledger::{Counts, PassEnd, PassRow, RouteRow};
use crate::remote::CallErrorKind;
use std::time::Duration;

/// How long one stretch may take: ordinary pulls wait for it.
const STRETCH: Duration = Duration::from_secs(60);

/// A stretch of a full pass.
#[derive(Debug, Clone)]
pub struct PassReport {
    /// Its run.
    pub run: RunId,
    /// Why everything is read again.
    pub why: PassReason,
    /// Its balance.
    pub counts: Counts,
    /// Whether the pass came to its end.
    pub finished: bool,
}

/// Why a pass has to begin, if it has to.
pub(super) fn wanted(
    row: Option<&RouteRow>,
    revision: &str,
    open: Option<&PassRow>,
    last_end: Option<Timestamp>,
    every: Duration,
    now: Timestamp,
) -> Option<PassReason> {
    // Without a cursor the ordinary pull reads everything.
    row.and_then(|row| row.cursor)?;
    match open {
        Some(pass) if pass.revision == revision => None,
        Some(_) => Some(PassReason::Revision),
        None if row.and_then(|row| row.revision.as_deref()) != Some(revision) => Some(PassReason::Revision),
        None => last_end.is_none_or(|end| now - end >= time_delta(every)).then_some(PassReason::Weekly),
    }
}

impl Work<'_> {
    /// Begins a pass where one is due; called before the pull's own pages are read.
    pub(super) async fn begin_pass(&self, row: Option<&RouteRow>) -> Result<(), JobError> {
        let (ledger, route) = (&self.context.ledger, &self.context.route);
        let open = ledger.pass_open(route.route.clone()).await?;
        let last_end = ledger.pass_last_end(route.route.clone()).await?;
        let now = self.context.env.now();
        if let Some(why) = wanted(row, &route.revision, open.as_ref(), last_end, route.full_pass, now) {
            ledger.pass_begin(route.route.clone(), route.revision.clone(), why).await?;
        }
        Ok(())
    }

    /// The first read of everything is a pass too: the next one is due a week later.
    pub(super) async fn first_pass_done(&self) -> Result<(), JobError> {
        let (ledger, route) = (&self.context.ledger, &self.context.route);
        let pass = ledger.pass_begin(route.route.clone(), route.revision.clone(), PassReason::First).await?;
        ledger.pass_move(pass.id, None, Vec::new()).await?;
        Ok(())
    }
}

/// Goes on with the pass under way for a while, as a run of its own.
pub(super) async fn go_on(context: &PullContext) -> Result<Option<PassReport>, JobError> {
    let ledger = &context.ledger;
    let Some(pass) = ledger.pass_open(context.route.route.clone()).await? else { return Ok(None) };
    let mut work = Work::begin(context, "full").await?;
    ledger.run_joins_pass(work.run, pass.id).await?;
    let result = work.stretch(&pass).await;
    let ended = work.end(result.as_ref().map_or_else(|error| Err(error.clone()), |_| Ok(()))).await;
    ended?;
    Ok(Some(PassReport { run: work.run, why: pass.why, counts: work.counts, finished: result? }))
}

impl Work<'_> {
    /// Page after page; `true`: that was the last one. Where a fault of many records strikes, the pass keeps its
    /// place and only listens: whoever objects on a later page is not dialled until somebody mends the mapping.
    async fn stretch(&mut self, pass: &PassRow) -> Result<bool, JobError> {
        let end = self.context.env.instant() + STRETCH;
        let ledger = self.context.ledger.clone();
        let mut token = pass.token.clone().map(PageToken);
        let mut places = Places::default();
        if let Some(token) = &token {
            places.enter(token);
        }
        loop {
            let listening = self.struck.is_some();
            let (mut next, seen) = self.next_page(pass, token.as_ref()).await?;
            if next.as_ref().is_some_and(|next| !places.enter(next)) {
                return Err(in_a_circle());
            }
            if self.struck.is_none() {
                let end = ledger.pass_move(pass.id, next.as_ref().map(|next| next.0.clone()), seen).await?;
                if let Some(end) = end {
                    self.tell_end(end).await?;
                    return Ok(true);
                }
            } else {
                if !listening && let Some(heard) = &pass.heard {
                    next = Some(PageToken(heard.clone()));
                }
                ledger.pass_heard(pass.id, next.as_ref().map(|next| next.0.clone())).await?;
                if next.is_none() {
                    return Ok(false);
                }
            }
            if self.context.env.instant() >= end {
                return Ok(false);
            }
            token = next;
        }
    }

    /// What the end of the walk says, beside the run: nothing is concluded from it yet.
    async fn tell_end(&self, end: PassEnd) -> Result<(), JobError> {
        let mut told = Vec::new();
        if end.out_of_scope > 0 {
            told.push(format!(
                "a change of scope: by the route's new conditions {} contacts are not eligible any more",
                end.out_of_scope
            ));
        }
        if end.asked > 0 {
            self.hold_missing().await?;
            told.push(format!("{} known records were not named: they are asked for one by one", end.asked));
        }
        if told.is_empty() {
            return Ok(());
        }
        let told = told.join("; ");
        tracing::warn!(route = %self.context.route.route, "{told}");
        Ok(self.context.ledger.run_remark(self.run, told).await?)
    }

    /// Reads and stores one page; answers where the next one begins, and whom it named.
    async fn next_page(
        &mut self,
        pass: &PassRow,
        token: Option<&PageToken>,
    ) -> Result<(Option<PageToken>, Vec<RecordId>), JobError> {
        self.stop_if_ending()?;
        let context = self.context;
        let asked = context.env.now();
        let page = match context.crm.changed_since(None, token).await {
            Ok(page) => page,
            Err(error) => {
                // A place that the CRM no longer knows must not hold the pass for ever.
                if token.is_some()
                    && matches!(error.kind, CallErrorKind::Rejected { .. } | CallErrorKind::NotFound)
                {
                    context.ledger.pass_rewind(pass.id).await?;
                }
                return Err(error.into());
            }
        };
        self.counts.requests += 1;
        let next = page.next.clone();
        let named = page.records.iter().filter_map(|record| match record {
            Ok(record) => Some(record.id.clone()),
            Err(bad) => bad.id.clone(),
        });
        let named = named.collect();
        self.page(page, asked).await?;
        Ok((next, named))
    }
}
