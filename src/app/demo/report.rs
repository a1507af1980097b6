//! The demo's report: from the ledger and from the simulators' own journals, which must agree.

use crate::app::say::say;
use crate::app::simulate::{CAMPAIGN, Simulated};
use crate::domain::policy::Job;
use crate::ledger::{Counts, Ledger, RunRow};
use crate::sim::dialler::{Actor, What};
use anyhow::{Context as _, ensure};
use std::path::Path;

/// What the simulated dialler noted of itself, whoever says what was asked for.
#[derive(Debug, Default)]
struct Noted {
    imports: i64,
    updates: i64,
    locks: i64,
    unlocks: i64,
    calls: i64,
}

impl Noted {
    fn of(simulated: &Simulated) -> Self {
        let mut noted = Self::default();
        for happened in simulated.dialler.journal().effects() {
            let deed = happened.effect;
            match (deed.actor, deed.what) {
                (Actor::Client, What::Created { .. }) => noted.imports += 1,
                (Actor::Client, What::Updated { .. }) => noted.updates += 1,
                (Actor::Client, What::Locked { .. }) => noted.locks += 1,
                (Actor::Client, What::Unlocked { .. }) => noted.unlocks += 1,
                (_, What::Dialled { .. }) => noted.calls += 1,
                _ => {}
            }
        }
        noted
    }

    fn writes(&self) -> i64 {
        self.imports + self.updates + self.locks + self.unlocks
    }
}

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
    let noted = Noted::of(simulated);
    let harvested = total(Job::Harvest, |c| c.calls_new);
    say!("Report");
    say!("  records read      {:>7}", total(Job::Pull, |c| c.records_read));
    say!("  imported          {:>7}", noted.imports);
    say!("  updated           {:>7}", noted.updates);
    say!("  locked            {:>7}", noted.locks);
    say!("  unchanged         {:>7}", total(Job::Pull, |c| c.unchanged));
    for (state, code, count) in ledger.records_by_reason().await? {
        say!("  {state:<9} now     {count:>7}   {}", code.unwrap_or_default());
    }
    say!("  blocks in force   {:>7}", ledger.blocks_count().await?);
    say!("  calls harvested   {harvested:>7}");
    let told = simulated.crm.activities().len();
    say!("  told to the CRM   {told:>7}");
    say!("\nRuns, each with a balance that the ledger enforces");
    for run in &runs {
        say!("{}", line(run, run.job.as_str()));
    }
    if let Some(pushes) = pushes(&runs) {
        say!("{}", line(&pushes, "pushes, in all"));
    }
    agree(simulated, &noted, total(Job::Push, |c| c.done), harvested)?;
    ensure!(
        told as i64 == noted.calls,
        "{told} activities stand in the CRM, {} calls were made",
        noted.calls
    );
    say!(
        "\nThe simulators' own journals agree: {} operations done, {} contacts, none doubled, {} calls, each told once.",
        noted.writes(),
        noted.imports,
        noted.calls
    );
    next(ledger, config, keep)
}

fn line(run: &RunRow, job: &str) -> String {
    format!("  {job:<11}{:<6} {:<5} {}", run.route.clone().unwrap_or_default(), run.state, run.balance())
}

/// Holds the ledger's figures against what the dialler noted.
fn agree(simulated: &Simulated, noted: &Noted, done: i64, harvested: i64) -> anyhow::Result<()> {
    let writes = noted.writes();
    ensure!(done == writes, "the ledger has {done} operations done, the dialler noted {writes}: {noted:?}");
    let calls = noted.calls;
    ensure!(harvested == calls, "{harvested} calls were harvested, {calls} were dialled");
    let contacts = simulated
        .dialler
        .read(|state| state.contacts().filter(|contact| contact.campaign == CAMPAIGN.1).count());
    ensure!(noted.imports == contacts as i64, "{} imports made {contacts} contacts", noted.imports);
    let doubled = simulated.dialler.doubled();
    ensure!(doubled.is_empty(), "contacts were doubled: {doubled:?}");
    Ok(())
}

/// What to type next, as it can be typed.
fn next(ledger: &Ledger, config: &Path, keep: bool) -> anyhow::Result<()> {
    let program = std::env::current_exe().context("the program's own path cannot be told")?;
    let (program, config) = (typed(&program), typed(config));
    say!("\nThe ledger lies in {}", ledger.path().display());
    say!("Look into it:");
    for verb in ["status", "ledger parked", "ledger contact leads-1"] {
        say!("  {program} --config {config} {verb}");
    }
    if !keep {
        say!("See it live, with agents dialling: {program} demo --keep");
    }
    Ok(())
}

/// A path as a shell takes it.
fn typed(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// All pushes as one: how many runs a push takes is a matter of timing (pull and harvest wake it, and what
/// comes meanwhile makes one more), so the single ones differ from report to report.
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
