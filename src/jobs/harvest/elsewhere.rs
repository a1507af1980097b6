//! Contacts of ours in campaigns that no route names any more: somebody moved them in the dialler, or their route was
//! given another campaign (semantics 18). Their campaign's list is others' and may be large, so they are read by
//! their numbers: what is due, and each in turn as the audit reads where a list is blind.

use super::read::{Pass, Tally};
use super::{Harvest, HarvestReport, JobError, budget};
use crate::ledger::Share;

impl Harvest<'_> {
    pub(super) async fn read_elsewhere(&self, report: &mut HarvestReport) -> Result<(), JobError> {
        let Self { ctx, run, .. } = *self;
        // Younger than that of the campaign's own: its missing ones have just been found here.
        let cutoff = ctx.env.now();
        for place in ctx.ledger.campaigns_elsewhere(self.campaign, ctx.listed.clone()).await? {
            let in_turn = ctx.settings.rules.audit.map(|audit| Share::Elsewhere { audit });
            let due = [Share::Missing, Share::Changed, Share::Due];
            for share in due.into_iter().chain(in_turn) {
                let limit = match share {
                    Share::Missing => ctx.settings.single_reads,
                    Share::Changed | Share::Due => usize::MAX,
                    Share::Likely { .. } | Share::Audit | Share::Elsewhere { .. } => {
                        budget::likely_limit(ctx, place.contacts)
                    }
                };
                let pass = Pass { ctx, campaign: place.campaign, run, share, result_in_list: false };
                let mut tally = Tally::default();
                let result = pass.run(cutoff, limit, &mut tally).await;
                tally.report(share, report);
                result?;
            }
        }
        Ok(())
    }
}
