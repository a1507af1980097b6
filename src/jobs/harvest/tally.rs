//! What the reads of a harvest did, counted by what they were for.

use super::HarvestReport;
use crate::ledger::Share;

/// What a pass did.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) requests: i64,
    pub(super) singles: i64,
    pub(super) contacts: i64,
    pub(super) calls_new: i64,
    pub(super) calls_changed: i64,
    pub(super) not_adding_up: i64,
    pub(super) asked: i64,
    pub(super) gone: i64,
    pub(super) failed: i64,
    pub(super) in_gap: i64,
    pub(super) opt_outs: i64,
}

impl Tally {
    pub(super) fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.singles += other.singles;
        self.contacts += other.contacts;
        self.calls_new += other.calls_new;
        self.calls_changed += other.calls_changed;
        self.not_adding_up += other.not_adding_up;
        self.asked += other.asked;
        self.gone += other.gone;
        self.failed += other.failed;
        self.in_gap += other.in_gap;
        self.opt_outs += other.opt_outs;
    }

    /// Adds it to what the run reports.
    pub(super) fn report(&self, share: Share, report: &mut HarvestReport) {
        let (requests, contacts) = match share {
            Share::Changed => (&mut report.sweep.requests_changed, &mut report.sweep.read_changed),
            Share::Due => (&mut report.sweep.requests_due, &mut report.sweep.read_due),
            Share::Likely { .. } => (&mut report.sweep.requests_likely, &mut report.sweep.read_likely),
            Share::Audit => (&mut report.sweep.requests_audit, &mut report.sweep.read_audit),
            Share::Elsewhere { .. } | Share::Held => {
                (&mut report.sweep.requests_elsewhere, &mut report.sweep.read_elsewhere)
            }
            // Asking about a missing contact reads no history.
            Share::Missing => (&mut report.sweep.requests_single, &mut report.asked_singly),
        };
        *requests += self.requests;
        *contacts += self.contacts;
        report.sweep.requests_single += self.singles;
        report.sweep.not_adding_up += self.not_adding_up;
        if share == Share::Audit {
            report.sweep.found_by_audit += self.calls_new + self.calls_changed;
        }
        report.counts.calls_new += self.calls_new;
        report.counts.calls_changed += self.calls_changed;
        report.counts.requests += self.requests + self.singles;
        report.gone += self.gone;
        report.failed += self.failed;
        report.times_in_gap += self.in_gap;
        report.opt_outs += self.opt_outs;
    }
}
