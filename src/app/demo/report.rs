//! The demo's report: from the ledger and from the simulators' own journals, which must agree.

use crate::app::say::say;
use crate::app::simulate::{CAMPAIGN, Simulated};
use crate::domain::policy::Job;
use crate::ledger::{Counts, Ledger, RunRow};
use anyhow::ensure;
use std::path::Path;

/// Prints it; figures that do not agree are an error, not a line.
pub(super) async fn print(
    ledger: &Ledger,
    simulated: &Simulated,
    config: &Path,
    keep: bool,
) -> anyhow::Result<()> {
    let mut runs = ledger.runs_list(None, 1000).await?;
    runs.reverse();
    let total = |job: Job, of: fn(&Counts) -> i64| -> i64 {
        runs.iter().filter(|run| run.job == job).map(|run| of(&run.counts)).sum()
    };
    let journal = simulated.dialler.journal();
    let imports = journal.count("import") as i64;
    let updates = journal.count("update") as i64;
    let locks = journal.count("lock") as i64;
    say!("Report");
    say!("  records read      {:>7}", total(Job::Pull, |c| c.records_read));
    say!("  imported          {imports:>7}");
    say!("  updated           {updates:>7}");
    say!("  locked            {locks:>7}");
    say!("  unchanged         {:>7}", total(Job::Pull, |c| c.unchanged));
    for (state, code, count) in ledger.records_by_reason().await? {
        say!("  {state:<9} now     {count:>7}   {}", code.unwrap_or_default());
    }
    say!("  blocks in force   {:>7}", ledger.blocks_count().await?);
    say!("  calls harvested   {:>7}", total(Job::Harvest, |c| c.calls_new));
    say!("\nRuns, each with a balance that the ledger enforces");
    for run in runs.iter().filter(|run| matches!(run.job, Job::Pull | Job::Harvest)) {
        let of = run.route.clone().unwrap_or_default();
        say!("  {:<8}{of:<6} {:<5} {}", run.job.as_str(), run.state, run.balance());
    }
    if let Some(pushes) = pushes(&runs) {
        say!("  {:<8}{:<6} {:<5} {}", pushes.job.as_str(), "", pushes.state, pushes.balance());
    }
    let contacts = simulated
        .dialler
        .read(|state| state.contacts().filter(|contact| contact.campaign == CAMPAIGN.1).count());
    ensure!(imports == contacts as i64, "{imports} imports made {contacts} contacts");
    let doubled = simulated.dialler.doubled();
    ensure!(doubled.is_empty(), "contacts were doubled: {doubled:?}");
    say!("\nThe simulated dialler's own journal agrees: {contacts} contacts, none doubled.");
    let config = config.display();
    say!("\nThe ledger lies in {}", ledger.path().display());
    say!("Look into it:");
    say!("  dialbridge --config {config} status");
    say!("  dialbridge --config {config} ledger parked");
    say!("  dialbridge --config {config} ledger contact leads-1");
    if !keep {
        say!("See it live, with agents dialling: dialbridge demo --keep");
    }
    Ok(())
}

/// All pushes as one: how many runs a push takes is a matter of timing (pull and harvest wake it, and what
/// comes meanwhile makes one more), so the single ones would differ from report to report.
fn pushes(runs: &[RunRow]) -> Option<RunRow> {
    let mut all = runs.iter().filter(|run| run.job == Job::Push);
    let mut sum = all.next()?.clone();
    for run in all {
        let (to, from) = (&mut sum.counts, &run.counts);
        to.taken += from.taken;
        to.done += from.done;
        to.refused += from.refused;
        to.uncertain += from.uncertain;
        to.superseded += from.superseded;
        to.parked += from.parked;
        to.put_back += from.put_back;
        if run.state != "done" {
            sum.state.clone_from(&run.state);
        }
    }
    Some(sum)
}
