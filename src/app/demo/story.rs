//! What happens in the demo, step by step; every number comes from what was really done.

use crate::app::daemon::Daemon;
use crate::app::say::say;
use crate::app::simulate::{CAMPAIGN, Simulated};
use crate::control::{Answer, Command, End, Line, RouteWord};
use crate::domain::policy::Job;
use crate::domain::{BlockSubject, RouteName};
use crate::sim::dialler::{AgentsConfig, Outcome, Span};
use anyhow::{Context as _, bail};
use serde_json::json;
use std::time::Duration;

/// Tells the story, printing progress as it goes.
pub(super) async fn tell(simulated: &Simulated, daemon: &Daemon, records: u32) -> anyhow::Result<()> {
    say!("1. The route begins dry: it reads and decides, and sends nothing.");
    sync(daemon, Some(Job::Pull)).await?;
    if !simulated.dialler.journal().writes().is_empty() {
        bail!("a dry route wrote to the dialler");
    }
    say!("2. Switched on: everything is decided anew, then imported.");
    let on = Command::Route { route: route(), word: RouteWord::On, reason: "the demo".to_owned() };
    command(daemon, on).await?;
    sync(daemon, Some(Job::Push)).await?;
    say!("3. Agents dial; what they did is harvested.");
    let dialled = dial(simulated, u64::from((records / 10).clamp(10, 300))).await?;
    say!("   {dialled} calls were made");
    sync(daemon, Some(Job::Harvest)).await?;
    say!("   and told to the CRM: an activity of its record for each call.");
    sync(daemon, Some(Job::WriteBack)).await?;
    say!("4. The CRM changes: names edited, a record archived, a number deleted, a number blacklisted.");
    edit(simulated)?;
    say!("   and somebody says no on the phone: blocked by hand.");
    let no = number_of(simulated, 20)?;
    let block = Command::BlockAdd {
        client: "default".to_owned(),
        subjects: vec![BlockSubject::Number(no)],
        reason: "said no on the phone".to_owned(),
        source: "operator".to_owned(),
        until: None,
    };
    command(daemon, block).await?;
    sync(daemon, None).await?;
    say!("5. Once more with nothing changed: nothing is written.");
    let written = || {
        let told = simulated.crm.journal.requests().iter().filter(|asked| asked.kind.write).count();
        simulated.dialler.journal().writes().len() + told
    };
    let before = written();
    sync(daemon, None).await?;
    let after = written();
    if after != before {
        bail!("a run with nothing changed made {} writes", after - before);
    }
    // A harvest wakes a push; the report begins when that one has ended.
    if let Some(push) = &daemon.parts.control.runners.push {
        push.run_now("demo").await.context("the daemon is ending")?;
    }
    say!();
    Ok(())
}

fn route() -> RouteName {
    RouteName("leads".to_owned())
}

async fn sync(daemon: &Daemon, job: Option<Job>) -> anyhow::Result<()> {
    command(daemon, Command::Sync { job, route: None, full: false }).await
}

/// The way every command goes; what the daemon answers is the progress shown.
async fn command(daemon: &Daemon, command: Command) -> anyhow::Result<()> {
    let (answer, mut lines) = Answer::channel();
    let work = daemon.parts.control.execute(command, "demo".to_owned(), answer);
    let tell = async {
        let mut end = End::Failed;
        let mut said = Vec::new();
        while let Some(line) = lines.recv().await {
            match line {
                Line::Text(text) => {
                    say!("   {text}");
                    said.push(text);
                }
                Line::Error(text) => said.push(text),
                Line::Data(_) => {}
                Line::End { end: ended } => end = ended,
            }
        }
        (end, said)
    };
    let ((), (end, said)) = tokio::join!(work, tell);
    match end {
        End::Done | End::ParkedNew => Ok(()),
        End::Failed | End::Usage => bail!("the daemon answered: {}", said.join("; ")),
    }
}

/// How chance is seeded while they dial.
const SEED: u64 = 1;

/// Agents at work as in a house, only faster. Each call has a row and each answered one a result, both at once: one
/// harvest reads all of them.
fn agents(calls: u64) -> AgentsConfig {
    let moment = |from, to| Span { from: Duration::from_millis(from), to: Duration::from_millis(to) };
    AgentsConfig {
        agents: 20,
        calls: Some(calls),
        campaigns: Some(vec![CAMPAIGN.1]),
        outcomes: vec![
            (Outcome::Answered, 4.0),
            (Outcome::NoAnswer, 3.0),
            (Outcome::Busy, 1.0),
            (Outcome::Mailbox, 1.0),
        ],
        ring: moment(50, 150),
        talk: moment(50, 250),
        row_delay: moment(20, 100),
        result_delay: moment(20, 100),
        wrap_up: moment(20, 100),
        idle: moment(50, 500),
        late_results: 0.0,
        no_result: 0.0,
        corrections: 0.0,
        test_calls: 0.0,
        inbound: None,
        ..AgentsConfig::default()
    }
}

/// The simulated agents dial until so many calls were made and all of them have ended; answers how many.
async fn dial(simulated: &Simulated, calls: u64) -> anyhow::Result<usize> {
    let dialler = &simulated.dialler;
    dialler.reseed(SEED);
    dialler.start_agents(agents(calls));
    tokio::time::timeout(Duration::from_secs(60), async {
        while dialler.next_due().is_some() {
            dialler.env().sleep(Duration::from_millis(50)).await;
            dialler.tick();
        }
    })
    .await
    .context("the simulated calls do not end")?;
    dialler.stop_agents();
    Ok(dialler.journal().dials().len())
}

fn edit(simulated: &Simulated) -> anyhow::Result<()> {
    let editor = simulated.crm.editor();
    let ids = editor.ids();
    let id = |at: usize| ids.get(at).copied().context("too few records");
    for at in 30..45 {
        editor.edit(id(at)?, json!({ "name": format!("Renamed {at:05}") }));
    }
    editor.archive(id(50)?, true);
    editor.edit(id(51)?, json!({ "phone": false }));
    editor.edit(id(52)?, json!({ "name": "" }));
    let number = editor.field(id(53)?, "phone").and_then(|phone| phone.as_str().map(str::to_owned));
    editor.blacklist(&number.context("the record has a number")?, true);
    Ok(())
}

fn number_of(simulated: &Simulated, at: usize) -> anyhow::Result<String> {
    let editor = simulated.crm.editor();
    let id = editor.ids().get(at).copied().context("too few records")?;
    let phone = editor.field(id, "phone").and_then(|phone| phone.as_str().map(str::to_owned));
    let digits: String =
        phone.context("the record has a number")?.chars().filter(|c| !c.is_whitespace()).collect();
    Ok(digits)
}
