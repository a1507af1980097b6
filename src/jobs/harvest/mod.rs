//! Harvest: every contact's calls and results into the ledger, at a cost that follows the changes.
//!
//! The unit is (dialler, campaign), whatever routes feed it (semantics 18). A sweep compares the streamed
//! list with the ledger; what changed goes onto the due list; then the due list and the audit's share are
//! read. Contacts without a link of ours ("foreign") are swept, indexed by number and harvested as well: a
//! block must find them, and one that is adopted later brings its calls along. The run's balance counts them
//! apart: listed = unchanged + due + foreign. A list that takes long is read less often (`budget`). Campaigns that no
//! route names and in which contacts of ours stand are read with the harvest that answers for them (`elsewhere`).

mod budget;
mod edited;
mod elsewhere;
mod history;
mod overseen;
mod read;
mod sight;
mod sweep;
mod tally;

pub use crate::ledger::ToE164;
pub(in crate::jobs) use edited::compare as edits_of;
pub use elsewhere::Listed;
pub(in crate::jobs) use read::is_untouched;
pub(in crate::jobs) use sight::{carries_result, fingerprint, is_dialler_owned};

use super::JobError;
use crate::dialler::DiallerRead;
use crate::domain::policy::Job;
use crate::domain::result_words::ResultWords;
use crate::domain::{CampaignId, RouteName, RunId, Seq, Timestamp, TwoWay};
use crate::env::Env;
use crate::ledger::{
    CallReading, Counts, HarvestRules, LastList, Ledger, RunEnd, RunStart, Share, SweepCounts, SweepKind,
};
use crate::remote::CallError;
use budget::Plan;
use chrono::TimeDelta;
use read::Pass;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use sweep::{Strangers, Swept};

/// What a harvest works with.
#[derive(Clone)]
pub struct HarvestContext {
    /// The ledger.
    pub ledger: Ledger,
    /// Clock and shutdown.
    pub env: Env,
    /// The dialler.
    pub dialler: Arc<dyn DiallerRead>,
    /// The zone of its times.
    pub zone: chrono_tz::Tz,
    /// How numbers in the dialler are read.
    pub to_e164: Arc<ToE164>,
    /// The campaigns that routes name, this one among them.
    pub listed: Vec<Listed>,
    /// When what is read.
    pub settings: HarvestSettings,
    /// When the schedule has the campaign harvested next; `None` without one.
    pub next_due: Option<Timestamp>,
    /// `schedule`, `hand`, `start`, `hint`, `takeover` or `closing`.
    pub cause: &'static str,
}

impl HarvestContext {
    /// How what a call carries is read.
    fn reading(&self) -> CallReading {
        CallReading { to_e164: self.to_e164.clone(), zone: self.zone }
    }
}

/// The harvest's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HarvestSettings {
    /// Ladder, waiting and audit.
    pub rules: HarvestRules,
    /// When so many contacts are missing that nothing is concluded.
    pub brake: Brake,
    /// So many history requests at once; the call policy's limits hold beside it.
    pub in_flight: usize,
    /// At most so many missing contacts are asked about in one run; the others follow in the next.
    pub single_reads: usize,
    /// Whether Comments are kept, for what changes in them.
    pub notes: Notes,
    /// How numbers are read (the country); when it changes, the index of numbers is made anew.
    pub numbers_revision: String,
    /// The fields that agents may change, by route.
    pub two_way: BTreeMap<RouteName, TwoWay>,
    /// The results that each route that maps them has a word for, or takes for a no.
    pub words: Vec<ResultWords>,
}

impl Default for HarvestSettings {
    fn default() -> Self {
        Self {
            rules: HarvestRules::default(),
            brake: Brake::default(),
            in_flight: 4,
            single_reads: 500,
            notes: Notes::Left,
            numbers_revision: String::new(),
            two_way: BTreeMap::new(),
            words: Vec::new(),
        }
    }
}

/// What becomes of the contacts' Comments: agents' words are stored where somebody asks for them only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notes {
    /// They are not looked at.
    Left,
    /// What changes in them is a note of the call.
    Kept,
}

/// Absence is believed within bounds only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Brake {
    /// Holds when more than `percent` of the contacts and more than `contacts` are missing.
    At {
        /// Percent of those expected.
        percent: usize,
        /// Contacts.
        contacts: usize,
    },
    /// A person has looked and lets it through.
    Off,
}

impl Default for Brake {
    fn default() -> Self {
        Self::At { percent: 20, contacts: 10 }
    }
}

impl Brake {
    /// Whether so many missing of so many expected are too many to be believed.
    pub(in crate::jobs) fn holds(self, missing: usize, expected: usize) -> bool {
        match self {
            Self::At { percent, contacts } => missing > contacts && missing * 100 > expected * percent,
            Self::Off => false,
        }
    }
}

/// What a harvest did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct HarvestReport {
    /// The run, if one was begun.
    pub run: Option<RunId>,
    /// The balance.
    pub counts: Counts,
    /// The sweep and the requests by share.
    pub sweep: SweepCounts,
    /// Missing contacts that were asked about.
    pub asked_singly: i64,
    /// Contacts confirmed gone in this run.
    pub gone: i64,
    /// Contacts whose own read failed; they are tried again later.
    pub failed: i64,
    /// Rows with a time that does not exist in the configured zone: the zone is wrong.
    pub times_in_gap: i64,
    /// Results by which somebody said no, found in this run.
    pub opt_outs: i64,
}

/// Harvests one campaign: sweep (or, while the list rests, who is likely to move), due list, audit. Whatever was
/// stored before a failure stays.
///
/// # Errors
/// The dialler or the ledger cannot be used, the list was cut, or the program is ending.
pub async fn harvest(ctx: &HarvestContext, campaign: CampaignId) -> Result<HarvestReport, JobError> {
    let pass = Harvest::begin(ctx, campaign).await?;
    let list = ctx.ledger.list_last(campaign).await?;
    // A person who asks for a harvest asks for the list, and so do a takeover and the close of a day.
    let plan = match ctx.cause {
        "hand" | "takeover" | "closing" => Plan::List,
        _ => budget::plan(list.as_ref(), ctx.env.now(), ctx.next_due),
    };
    let mut report = HarvestReport { run: Some(pass.run), ..HarvestReport::default() };
    let result = match plan {
        Plan::List => pass.with_list(&mut report).await,
        Plan::Likely { until } => pass.between_lists(list, until, &mut report).await,
    };
    tell_gap(ctx, &mut report);
    let end = match &result {
        Ok(()) => RunEnd::Done,
        Err(error) => RunEnd::Failed(error.to_string()),
    };
    pass.close(&report, end).await?;
    result.map(|()| report)
}

/// One harvest under way.
struct Harvest<'a> {
    ctx: &'a HarvestContext,
    campaign: CampaignId,
    run: RunId,
    sweep: i64,
    began: Seq,
    /// When the last one began.
    before: Option<Timestamp>,
}

impl<'a> Harvest<'a> {
    async fn begin(ctx: &'a HarvestContext, campaign: CampaignId) -> Result<Self, JobError> {
        let start = RunStart { job: Job::Harvest, route: None, campaign: Some(campaign), cause: ctx.cause };
        let run = ctx.ledger.run_start(start).await?;
        let before = ctx.ledger.sweep_last(Some(campaign)).await?.map(|last| last.began_at);
        let began = ctx.ledger.next_seq();
        let sweep = ctx.ledger.sweep_begin(Some(campaign), Some(run), began).await?;
        Ok(Self { ctx, campaign, run, sweep, began, before })
    }

    async fn with_list(&self, report: &mut HarvestReport) -> Result<(), JobError> {
        // A dialler that does not answer at all is not asked for histories; a cut list says nothing about them.
        match self.read_list(Strangers::Harvested, report).await? {
            Some(error) if report.sweep.contacts == 0 => Err(error.into()),
            failure => {
                self.read_due(report).await?;
                self.read_held(self.campaign, report).await?;
                failure.map_or(Ok(()), |error| Err(error.into()))
            }
        }
    }

    /// Reads the list and asks about whom it does not name; answers why it is not complete.
    async fn read_list(
        &self,
        strangers: Strangers,
        report: &mut HarvestReport,
    ) -> Result<Option<CallError>, JobError> {
        let Self { ctx, campaign, began, .. } = *self;
        let began_at = ctx.env.now();
        let mut swept = sweep::sweep(ctx, campaign, began, strangers).await?;
        let took = TimeDelta::milliseconds(swept.counts.list_ms);
        // A list of which nothing came cost the dialler nothing.
        if swept.counts.bytes > 0 {
            swept.counts.rests_until = budget::rests_until(began_at, took, ctx.next_due);
        }
        take_over(report, &swept);
        sweep::ask_for_missing(ctx, campaign, began, &mut swept).await?;
        report.sweep = swept.counts;
        Ok(swept.failure)
    }

    /// The list rests: nothing is concluded from anybody's absence, and no fingerprint moves.
    async fn between_lists(
        &self,
        list: Option<LastList>,
        until: Timestamp,
        report: &mut HarvestReport,
    ) -> Result<(), JobError> {
        report.sweep.kind = SweepKind::Likely;
        report.sweep.rests_until = Some(until);
        report.sweep.carries_result = list.and_then(|list| list.carries_result);
        self.read_due(report).await?;
        self.read_held(self.campaign, report).await
    }

    async fn read_due(&self, report: &mut HarvestReport) -> Result<(), JobError> {
        let Self { ctx, campaign, before, .. } = *self;
        // Unknown on an empty list: then there is nothing to be blind for.
        let result_in_list = report.sweep.carries_result.unwrap_or(true);
        let cutoff = ctx.env.now();
        let likely = Share::Likely { tried_since: budget::day_began(ctx) };
        for share in [Share::Missing, Share::Changed, Share::Due, likely, Share::Audit] {
            let limit = match share {
                Share::Missing => ctx.settings.single_reads,
                Share::Changed | Share::Due => usize::MAX,
                Share::Likely { .. } => self.likely_limit(report.sweep.kind).await?,
                Share::Audit => audit_limit(ctx, campaign, before, result_in_list, report).await?,
                // Not of this campaign: `read_elsewhere`, `read_held`.
                Share::Elsewhere { .. } | Share::Held => 0,
            };
            self.pass(campaign, share, result_in_list).run_into(cutoff, limit, report).await?;
        }
        self.read_elsewhere(report).await
    }

    /// Reads of contacts in `campaign`, which need not be this harvest's.
    fn pass(&self, campaign: CampaignId, share: Share, result_in_list: bool) -> Pass<'a> {
        Pass { ctx: self.ctx, campaign, run: self.run, share, result_in_list }
    }

    async fn close(&self, report: &HarvestReport, end: RunEnd) -> Result<(), JobError> {
        self.ctx.ledger.sweep_end(self.sweep, report.sweep.clone()).await?;
        Ok(self.ctx.ledger.run_finish(self.run, end, report.counts).await?)
    }

    async fn likely_limit(&self, kind: SweepKind) -> Result<usize, JobError> {
        match kind {
            // The list has just said who moved.
            SweepKind::List => Ok(0),
            SweepKind::Likely => {
                let counted = self.ctx.ledger.contacts_active(self.campaign, self.ctx.env.now()).await?;
                Ok(budget::likely_limit(self.ctx, counted.all))
            }
        }
    }
}

fn tell_gap(ctx: &HarvestContext, report: &mut HarvestReport) {
    report.sweep.in_gap = report.times_in_gap;
    if report.times_in_gap > 0 {
        report.sweep.remark(format!(
            "{} rows carry a time that does not exist in {}: [dialler] time_zone is wrong",
            report.times_in_gap, ctx.zone
        ));
    }
}

fn take_over(report: &mut HarvestReport, swept: &Swept) {
    report.sweep = swept.counts.clone();
    report.counts.requests = 1;
    report.counts.bytes = swept.counts.bytes;
    report.counts.listed = swept.counts.contacts;
    report.counts.unchanged = swept.unchanged;
    report.counts.due = swept.due;
    report.counts.foreign_contacts = swept.foreign;
    report.opt_outs += swept.opt_outs;
}

/// How many contacts the audit may read now: its share, for the time since the last sweep, of one read per
/// contact a day (contacts/100 batched requests a day), less what the due list took. The due list itself is
/// not cut off: it is bounded by its ladder, and it is how results are seen. A quarter is the audit's in any
/// case, so that a busy campaign does not starve it, and one batch more, so that a small one moves at all.
async fn audit_limit(
    ctx: &HarvestContext,
    campaign: CampaignId,
    before: Option<Timestamp>,
    result_in_list: bool,
    report: &HarvestReport,
) -> Result<usize, JobError> {
    let Some(audit) = &ctx.settings.rules.audit else { return Ok(0) };
    let day = TimeDelta::hours(24);
    let passed = before.map_or(day, |before| (ctx.env.now() - before).clamp(TimeDelta::zero(), day));
    let counted = ctx.ledger.contacts_active(campaign, ctx.env.now() - audit.active_for).await?;
    // Where the list is blind for results, active contacts are read hourly, and the budget is as large.
    let per_day = if result_in_list { counted.all } else { counted.all + 24 * counted.active };
    let share = per_day.saturating_mul(passed.num_seconds()) / day.num_seconds();
    let allowed = (share / 4).max(share - report.sweep.read_due) + 100;
    Ok(usize::try_from(allowed).unwrap_or(0))
}
