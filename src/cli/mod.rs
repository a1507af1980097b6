//! The command line: reads through the ledger, acts through control, and says how it ended by its status.

mod args;
mod blocks;
mod contacts;
mod ledger;
mod output;
mod route_args;
mod routes;
mod send;
mod status;
mod story;
mod table;

use crate::app;
use crate::control::{Command, End};
use crate::domain::policy::Job;
use crate::domain::{RecordId, RouteName};
use args::{Cli, JobName, TokenVerb, Verb};
use clap::Parser as _;
use output::Output;
use std::path::Path;
use std::process::ExitCode;

/// Parses the arguments and runs the verb.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("dialbridge: the runtime cannot start: {error}");
            return ExitCode::from(End::Failed.exit_code());
        }
    };
    let end = runtime.block_on(run(cli));
    // A reader that hangs in a blocking call must not keep a finished command from ending.
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    ExitCode::from(end.exit_code())
}

async fn run(cli: Cli) -> End {
    let config = cli.config;
    let result = match cli.verb {
        Verb::Demo(args) => app::demo::run(app::demo::DemoOptions {
            keep: args.keep,
            records: args.records,
            folder: args.folder,
        })
        .await
        .map(|()| End::Done),
        Verb::Run => app::daemon::run(&config).await,
        Verb::Check(args) => app::check::run(&config, args.offline, args.json.json).await,
        Verb::Sync(args) => {
            let job = args.job.map(|job| match job {
                JobName::Pull => Job::Pull,
                JobName::Push => Job::Push,
                JobName::Harvest => Job::Harvest,
            });
            let output = Output::new(args.json.json);
            if args.dry_run {
                routes::show(&config, args.route, output).await
            } else {
                let command = Command::Sync { job, route: args.route.map(RouteName), full: args.full };
                send::send(&config, command, output).await
            }
        }
        Verb::Try(args) => try_record(&config, args).await,
        Verb::Status(json) => status::status(&config, Output::new(json.json)).await,
        Verb::Route(verb) => routes::route(&config, verb).await,
        Verb::Plan(verb) => routes::plan(&config, verb).await,
        Verb::Freeze(args) => routes::freeze(&config, args).await,
        Verb::Thaw { reason } => routes::thaw(&config, reason).await,
        Verb::Ledger(verb) => ledger::run(&config, verb).await,
        Verb::Block(verb) => blocks::run(&config, verb).await,
        Verb::Contacts(verb) => contacts::run(&config, verb).await,
        Verb::Token(TokenVerb::Test { side, file, json }) => {
            app::token::test(&config, side.as_deref(), file, json.json).await
        }
        Verb::Simulate(args) => app::simulate::run(app::simulate::SimulateOptions {
            records: args.records,
            dialler_port: args.dialler_port,
            crm_port: args.crm_port,
            seed: args.seed,
            agents: args.agents,
        })
        .await
        .map(|()| End::Done),
    };
    result.unwrap_or_else(|error| fail(&error))
}

/// Says what failed; a config's mistakes are a matter of usage.
fn fail(error: &anyhow::Error) -> End {
    match error.downcast_ref::<app::Problems>() {
        Some(problems) => {
            eprintln!("{problems}");
            End::Usage
        }
        None => {
            eprintln!("dialbridge: {error:#}");
            End::Failed
        }
    }
}

async fn try_record(config: &Path, args: args::TryArgs) -> anyhow::Result<End> {
    let output = Output::new(args.json.json);
    let route = RouteName(args.route);
    let record = RecordId(args.record);
    let trial = app::trial::run(config, &route, &record).await?;
    output.value(&trial, || trial.to_string());
    if args.send {
        return send::send(config, Command::SendRecord { route, record }, output).await;
    }
    Ok(End::Done)
}
