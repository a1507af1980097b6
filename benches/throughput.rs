//! Throughput and memory against the simulated sides, over real HTTP: each figure beside its target.
//!
//! `cargo bench` measures, `cargo bench -- --quick` only tries whether everything still works. Own harness: a
//! measurement takes minutes and is one run, not a distribution of many. The simulators run in a process
//! of their own and every measured job in a fresh one, so that its peak memory (`VmHWM`) is the job's alone.
//! The ledger is written as in operation: `synchronous=FULL`, on the disk of the folder for temporary files.

mod linked;
mod service;
mod sides;

use anyhow::{Context as _, bail, ensure};
use dialbridge::app::parts::{Parts, RealTransports, build};
use dialbridge::control::{Answer, Command, End, Line, RouteWord};
use dialbridge::dialler::{CampaignRef, ImportMode, WriteContext};
use dialbridge::domain::policy::Job;
use dialbridge::domain::{CampaignId, FieldName, Permit, RouteName, UserData, Values};
use dialbridge::env::Env;
use dialbridge::jobs::harvest::{HarvestContext, HarvestSettings, Listed, harvest};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use sides::{CAMPAIGN, Sides};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

/// How much is measured.
struct Sizes {
    imports: u32,
    records: u32,
    contacts: u32,
    linked: u32,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["simulate", records, contacts] => in_runtime(sides::serve_from(records, contacts)),
        ["bare", folder, imports] => in_runtime(bare(folder.as_ref(), imports)),
        ["push", folder] => in_runtime(push(folder.as_ref())),
        ["pull", folder] => in_runtime(pull(folder.as_ref())),
        ["harvest", folder] => in_runtime(harvest_once(folder.as_ref())),
        ["reconcile", folder] => in_runtime(linked::reconcile(folder.as_ref())),
        ["hear", folder] => in_runtime(linked::hear(folder.as_ref())),
        ["block", folder, count] => in_runtime(linked::block(folder.as_ref(), count)),
        [] => measure(&Sizes { imports: 5_000, records: 200_000, contacts: 200_000, linked: 100_000 }),
        ["--quick"] => measure(&Sizes { imports: 200, records: 500, contacts: 500, linked: 200 }),
        other => Err(anyhow::anyhow!("{other:?}: nothing or --quick")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn in_runtime(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

// The measurements, in the parent process.

fn measure(sizes: &Sizes) -> anyhow::Result<()> {
    imports(sizes)?;
    unchanged(sizes)?;
    harvested(sizes)?;
    linked::measure(sizes.linked)?;
    served(sizes)
}

fn served(sizes: &Sizes) -> anyhow::Result<()> {
    let figures = service::measure(sizes.contacts)?;
    println!("the daemon, {} contacts", sizes.contacts);
    println!("  from its start until it is ready   {:8.3} s", figures.ready.as_secs_f64());
    println!("  its memory idle                    {:8.1} MB", figures.idle);
    let swept = format!("{:8.1} MB", figures.swept);
    bound("its peak memory with a sweep", &swept, "under 100 MB", figures.swept < 100.0)?;
    Ok(())
}

/// The bare loop before and after, so that a machine that slows down meanwhile is seen.
fn imports(sizes: &Sizes) -> anyhow::Result<()> {
    let count = sizes.imports.to_string();
    let rate = |report: &Value| f64::from(sizes.imports) / seconds(report);
    let bare = || -> anyhow::Result<f64> {
        let sides = Sides::start(0, 0)?;
        let report = child(&["bare", sides.folder(), &count])?;
        ensure!(sides.imports()? == u64::from(sizes.imports), "the bare loop did not import all");
        Ok(rate(&report))
    };
    let before = bare()?;
    let sides = Sides::start(sizes.imports, 0)?;
    child(&["pull", sides.folder()])?;
    let report = child(&["push", sides.folder()])?;
    ensure!(sides.imports()? == u64::from(sizes.imports), "the push did not import all");
    let ours = rate(&report);
    let after = bare()?;
    println!("imports per second, {} imports", sizes.imports);
    println!("  a bare loop over the same client   {before:8.0}  and afterwards {after:.0}");
    let share = ours / before.midpoint(after);
    line("push, ledger written", &format!("{ours:8.0}  {share:.2} of it"), "at least 0.33", share >= 0.33);
    bound("its peak memory", &megabytes(&report), "under 100 MB", peak(&report) < 100.0)?;
    Ok(())
}

fn unchanged(sizes: &Sizes) -> anyhow::Result<()> {
    let sides = Sides::start(sizes.records, 0)?;
    let first = child(&["pull", sides.folder()])?;
    // Every record's modification time moves, and nothing else.
    sides.tell("touch")?;
    let second = child(&["pull", sides.folder()])?;
    let read = &second["unchanged"];
    ensure!(*read == json!(sizes.records), "{read} of {} records were read unchanged", sizes.records);
    println!("pull of {} records", sizes.records);
    println!("  all new (decided, nothing sent)    {:8.1} s  {}", seconds(&first), megabytes(&first));
    println!("  all unchanged                      {:8.1} s", seconds(&second));
    bound("its peak memory", &megabytes(&second), "under 100 MB", peak(&second) < 100.0)?;
    Ok(())
}

fn harvested(sizes: &Sizes) -> anyhow::Result<()> {
    let sides = Sides::start(0, sizes.contacts)?;
    let first = child(&["harvest", sides.folder()])?;
    let called = sides.tell("call")?;
    let before = sides.histories()?;
    let second = child(&["harvest", sides.folder()])?;
    let requests = sides.histories()? - before;
    let share = |name: &str| second[name].as_i64().unwrap_or_default();
    let most = (share("changed") + share("due") + share("audit")) / 100 + 10;
    ensure!(share("calls").to_string() == called, "{} of {called} calls were found", share("calls"));
    println!("harvest of {} contacts, {called} of them called since", sizes.contacts);
    println!("  the first one (all are new)        {:8.1} s  {}", seconds(&first), megabytes(&first));
    println!("  the second one                     {:8.1} s", seconds(&second));
    for name in ["changed", "due", "audit"] {
        let asked = &second[format!("{name}_requests")];
        println!("    {name:<8}{:>7} contacts read in {asked} requests", share(name));
    }
    let holds = i64::try_from(requests).is_ok_and(|requests| requests <= most);
    bound("history requests", &format!("{requests:8}"), &format!("at most {most}"), holds)?;
    bound("its peak memory", &megabytes(&second), "under 100 MB", peak(&second) < 100.0)?;
    Ok(())
}

/// A bound that hangs on no machine's pace: past it the benchmark fails.
fn bound(what: &str, figure: &str, target: &str, met: bool) -> anyhow::Result<()> {
    line(what, figure, target, met);
    ensure!(met, "{what}: {figure}, and the bound is {target}");
    Ok(())
}

/// A figure beside its target: a slow machine misses it without anything being wrong.
fn line(what: &str, figure: &str, target: &str, met: bool) {
    println!("  {what:<34} {figure}  (target: {target}{})", if met { "" } else { "; MISSED" });
}

fn seconds(report: &Value) -> f64 {
    report["seconds"].as_f64().unwrap_or(f64::NAN)
}

fn peak(report: &Value) -> f64 {
    report["peak_kb"].as_f64().unwrap_or(f64::NAN) / 1024.0
}

fn megabytes(report: &Value) -> String {
    format!("{:8.1} MB", peak(report))
}

/// Runs one role in a process of its own and reads its report, the last line.
fn child(arguments: &[&str]) -> anyhow::Result<Value> {
    let output = std::process::Command::new(std::env::current_exe()?)
        .args(arguments)
        .stderr(std::process::Stdio::inherit())
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    ensure!(output.status.success(), "{arguments:?} failed: {text}");
    serde_json::from_str(text.lines().last().unwrap_or_default()).context("a report")
}

// The roles, each in its own process.

/// Prints the report of a role: how long, how much memory, and what it counted.
fn report(began: Instant, mut counted: Value) -> anyhow::Result<()> {
    counted["seconds"] = json!(began.elapsed().as_secs_f64());
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|text| text.split_whitespace().next()).context("this is Linux")?;
    counted["peak_kb"] = json!(peak.parse::<u64>()?);
    println!("{counted}");
    Ok(())
}

async fn parts(folder: &Path) -> anyhow::Result<Parts> {
    let settings = dialbridge::app::load(&folder.join("dialbridge.toml"))?;
    build(Arc::new(settings), Env::real(), &RealTransports).await
}

async fn close(parts: Parts) {
    parts.env.shutdown().cancel();
    parts.tracker.close();
    parts.tracker.wait().await;
}

async fn carry_out(parts: &Parts, command: Command) -> anyhow::Result<()> {
    let (answer, mut lines) = Answer::channel();
    parts.control.execute(command, "bench".to_owned(), answer).await;
    let mut said = Vec::new();
    while let Some(line) = lines.recv().await {
        match line {
            Line::Text(text) | Line::Error(text) => said.push(text),
            Line::End { end: End::Done | End::ParkedNew } => return Ok(()),
            Line::End { .. } => bail!("{}", said.join("; ")),
            Line::Data(_) => {}
        }
    }
    bail!("no end")
}

/// The same client and as many imports at once as push has slots, and nothing else.
async fn bare(folder: &Path, imports: &str) -> anyhow::Result<()> {
    use dialbridge::dialler::DiallerWrite as _;
    let imports: u32 = imports.parse()?;
    let parts = parts(folder).await?;
    let (dialler, campaign) = (&parts.dialler, CampaignRef::Id(CampaignId(CAMPAIGN)));
    let mode = ImportMode { overwrite: true, reset: Some(false), unlock: Some(false) };
    #[expect(clippy::disallowed_methods, reason = "there is no ledger in a bare loop, so there is no gate")]
    let permit = Permit::granted_by_gate(0);
    let (permit, campaign) = (&permit, &campaign);
    let began = Instant::now();
    let mut sent = futures_util::stream::iter(1..=imports)
        .map(async |number| -> anyhow::Result<()> {
            let user_data = UserData::parse(&format!("bare-{number}"))?;
            let context = WriteContext { operation: None, still: None };
            dialler.import(permit, campaign, &user_data, &values(number)?, mode, context).await?;
            Ok(())
        })
        .buffer_unordered(sides::SLOTS);
    while let Some(one) = sent.next().await {
        one?;
    }
    report(began, json!({}))?;
    drop(sent);
    close(parts).await;
    Ok(())
}

/// As many and as long fields as the route of the push maps.
fn values(number: u32) -> anyhow::Result<Values> {
    let name = |name| FieldName::parse(name).context("a field");
    Ok(Values::from([
        (name("Name")?, json!(format!("Name {number:05}"))),
        (name("PhoneNumber1")?, json!(format!("4930{number:08}"))),
        (name("Email")?, json!(format!("name{number:05}@example.com"))),
        (name("City")?, json!("Hamburg")),
        (name("PostalCode")?, json!("20095")),
    ]))
}

/// From the moment the freeze is over until all is answered and stored; what is known of the dialler
/// beforehand (nothing) is asked for in this time, too.
async fn push(folder: &Path) -> anyhow::Result<()> {
    let parts = parts(folder).await?;
    let began = Instant::now();
    carry_out(&parts, Command::Thaw { reason: "measured".to_owned() }).await?;
    carry_out(&parts, Command::Sync { job: Some(Job::Push), route: None, full: false }).await?;
    report(began, json!({}))?;
    close(parts).await;
    Ok(())
}

async fn pull(folder: &Path) -> anyhow::Result<()> {
    let parts = parts(folder).await?;
    // On, so that what is decided may be sent; frozen, so that nothing is sent before it is measured.
    let reason = || "measured".to_owned();
    carry_out(&parts, Command::Freeze { reason: reason(), until: None, even_locks: false }).await?;
    let route = RouteName::from("leads");
    carry_out(&parts, Command::Route { route, word: RouteWord::On, reason: reason() }).await?;
    let began = Instant::now();
    carry_out(&parts, Command::Sync { job: Some(Job::Pull), route: None, full: false }).await?;
    let runs = parts.ledger.runs_list(None, 10).await?;
    let run = runs.iter().find(|run| run.job == Job::Pull).context("a run")?;
    report(began, json!({ "unchanged": run.counts.unchanged }))?;
    close(parts).await;
    Ok(())
}

async fn harvest_once(folder: &Path) -> anyhow::Result<()> {
    let parts = parts(folder).await?;
    let context = HarvestContext {
        ledger: parts.ledger.clone(),
        env: parts.env.clone(),
        dialler: parts.dialler.clone(),
        zone: chrono_tz::Europe::Berlin,
        to_e164: Arc::new(|number: &str| dialbridge::mapping::dialler_number_to_e164(number, Some("DE"))),
        listed: vec![Listed { campaign: CampaignId(CAMPAIGN), every: None }],
        settings: HarvestSettings { numbers_revision: "DE".to_owned(), ..HarvestSettings::default() },
        next_due: None,
        cause: "hand",
    };
    let began = Instant::now();
    let done = harvest(&context, CampaignId(CAMPAIGN)).await?;
    let sweep = &done.sweep;
    report(
        began,
        json!({
            "calls": done.counts.calls_new,
            "changed": sweep.read_changed, "changed_requests": sweep.requests_changed,
            "due": sweep.read_due, "due_requests": sweep.requests_due,
            "audit": sweep.read_audit, "audit_requests": sweep.requests_audit,
        }),
    )?;
    drop(context);
    close(parts).await;
    Ok(())
}

/// A folder for a config and a ledger.
fn folder() -> anyhow::Result<(tempfile::TempDir, PathBuf)> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().to_owned();
    Ok((folder, path))
}
