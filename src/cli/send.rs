//! Sends a command: to the daemon through its socket, or, without one, under its lock by ourselves.

use super::output::{Output, print_line};
use crate::app;
use crate::control::{self, Answer, Command, End, Line};
use crate::domain::policy::Job;
use std::path::Path;

/// Carries a command out, wherever the ledger's lock is held.
pub async fn send(config: &Path, command: Command, output: Output) -> anyhow::Result<End> {
    let settings = app::load(config)?;
    let show = move |line: Line| match line {
        Line::Text(text) if !output.is_json() => print_line(&text),
        Line::Data(value) if output.is_json() => print_line(&value.to_string()),
        Line::Text(_) | Line::Data(_) | Line::End { .. } => {}
    };
    if let Some(end) = control::ask(&settings.control_socket, &command, show).await? {
        return Ok(end);
    }
    // No daemon: the same code under the same exclusive lock. A status needs a daemon to speak of.
    if command == Command::Status {
        print_line("the daemon is not running");
        return Ok(End::Done);
    }
    let local = app::local::open(settings).await?;
    // A daemon wakes its push for the locks; without one nobody would send them before the next start.
    let locks = matches!(command, Command::BlockAdd { .. });
    let mut end = carry_out(&local, command, &show).await;
    if locks && end == End::Done {
        let push = Command::Sync { job: Some(Job::Push), route: None, full: false };
        end = end.and(carry_out(&local, push, &show).await);
    }
    local.close().await;
    Ok(end)
}

async fn carry_out(local: &app::local::Local, command: Command, show: &impl Fn(Line)) -> End {
    let (answer, mut lines) = Answer::channel();
    let who = format!("user:{}", app::user_name());
    let work = local.control.execute(command, who, answer);
    let tell = async {
        let mut end = End::Failed;
        while let Some(line) = lines.recv().await {
            match line {
                Line::End { end: ended } => end = ended,
                other => show(other),
            }
        }
        end
    };
    let ((), end) = tokio::join!(work, tell);
    end
}
