//! The command line: reads through the ledger, acts through control, and says how it ended by its status.

mod announced;
mod args;
mod block_file_concerns;
mod blocks;
mod blocks_lift;
mod check;
mod closing_words;
mod concerns;
mod conflicts;
mod contacts;
mod harvest_concerns;
mod ledger;
mod ledger_file;
mod left_out;
mod output;
mod plan;
mod plan_dry_run;
mod reconcile;
mod results;
mod results_codes;
mod results_concern;
mod results_untold;
mod route_args;
mod routes;
mod send;
mod shell;
mod status;
mod story;
mod sweeps;
mod table;
mod takeover;
mod told_again;
mod trial;
mod zone;

pub use ledger::contact_told;
pub use status::told as status_told;

use crate::app;
use crate::app::known::{self, Usage};
use crate::control::{Command, End};
use crate::domain::policy::Job;
use crate::ledger::LeftOut;
use args::{Cli, JobName, TokenVerb, Verb};
use clap::{CommandFactory as _, FromArgMatches as _};
use output::Output;
use std::path::Path;
use std::process::ExitCode;

/// The whole command line as clap knows it: every verb with its arguments.
pub fn command() -> clap::Command {
    args::help::with_examples(Cli::command())
}

/// Parses the arguments and runs the verb.
pub fn main() -> ExitCode {
    let matches = command().get_matches();
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
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
        Verb::Check(args) => check::run(&config, args.offline, Output::new(args.json.json)).await,
        Verb::Sync(args) => sync(&config, args).await,
        Verb::Try(args) => trial::run(&config, args).await,
        Verb::Status(json) => status::status(&config, Output::new(json.json)).await,
        Verb::Route(verb) => routes::route(&config, verb).await,
        Verb::Plan(args) => plan::run(&config, args).await,
        Verb::Freeze(args) => routes::freeze(&config, args).await,
        Verb::Thaw { reason } => routes::thaw(&config, reason).await,
        Verb::Takeover { yes, json } => takeover::run(&config, yes, Output::new(json.json)).await,
        Verb::Reconcile(args) => reconcile::run(&config, args).await,
        Verb::Results(args) => results::run(&config, args).await,
        Verb::Conflicts(verb) => conflicts::run(&config, verb).await,
        Verb::Backfill(args) => told_again::backfill(&config, args).await,
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

/// Says what failed; a config's mistakes and names that nobody bears are a matter of usage.
fn fail(error: &anyhow::Error) -> End {
    if let Some(problems) = error.downcast_ref::<app::Problems>() {
        eprintln!("{problems}");
        return End::Usage;
    }
    eprintln!("dialbridge: {error:#}");
    match error.downcast_ref::<Usage>() {
        Some(_) => End::Usage,
        None => End::Failed,
    }
}

async fn sync(config: &Path, args: args::SyncArgs) -> anyhow::Result<End> {
    let output = Output::new(args.json.json);
    if args.dry_run {
        return plan::show(config, args.route.as_deref(), output).await;
    }
    let settings = app::load(config)?;
    let job = args.job.map(|job| match job {
        JobName::Pull => Job::Pull,
        JobName::Push => Job::Push,
        JobName::Harvest => Job::Harvest,
        JobName::WriteBack => Job::WriteBack,
    });
    let route = match &args.route {
        Some(given) => Some(known::route(&settings, given)?.id.clone()),
        None => None,
    };
    let command = match (args.believe_missing, job, &route) {
        (false, _, _) => Command::Sync { job, route: route.clone(), full: args.full },
        (true, Some(Job::Harvest), Some(route)) => Command::BelieveMissing { route: route.clone() },
        (true, _, _) => {
            let text = "--believe-missing belongs to a harvest: `dialbridge sync harvest --route R --believe-missing`";
            return Err(Usage(text.to_owned()).into());
        }
    };
    let end = send::send(config, command, output).await?;
    if !args.strict {
        return Ok(end);
    }
    let ledger = app::open_reading(&settings).await?;
    let parked = ledger.left_out_counts(LeftOut::Parked, route).await?;
    Ok(if parked.is_empty() { end } else { end.and(End::ParkedNew) })
}
