//! Sends a command: to the daemon through its socket, or, without one, under its lock by ourselves.

use super::output::{Output, print_line};
use crate::app::{self, Settings};
use crate::control::{self, Answer, Command, End, Line};
use anyhow::Context as _;
use serde_json::Value;
use std::path::Path;

/// Carries a command out, wherever the ledger's lock is held, and shows its answer.
pub async fn send(config: &Path, command: Command, output: Output) -> anyhow::Result<End> {
    if output.is_json() {
        let (end, values) = send_for_values(config, command).await?;
        output.value(&values, String::new);
        return Ok(end);
    }
    carry_out(app::load(config)?, command, |line| match line {
        Line::Text(text) => print_line(&text),
        Line::Error(text) => eprintln!("dialbridge: {text}"),
        Line::Data(_) | Line::End { .. } => {}
    })
    .await
}

/// The same, with its answer for programs.
pub async fn send_for_values(config: &Path, command: Command) -> anyhow::Result<(End, Vec<Value>)> {
    let mut values = Vec::new();
    let end = carry_out(app::load(config)?, command, |line| match line {
        Line::Data(value) => values.push(value),
        Line::Error(text) => eprintln!("dialbridge: {text}"),
        Line::Text(_) | Line::End { .. } => {}
    })
    .await?;
    Ok((end, values))
}

async fn carry_out(settings: Settings, command: Command, mut show: impl FnMut(Line)) -> anyhow::Result<End> {
    let socket = &settings.control_socket;
    let asked = control::ask(socket, &command, &mut show).await;
    if let Some(end) = asked.with_context(|| unreachable(socket))? {
        return Ok(end);
    }
    // No daemon: the same code under the same exclusive lock.
    let local = app::local::open(settings).await?;
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
    local.close().await;
    Ok(end)
}

/// What it takes to give the daemon commands.
pub fn unreachable(socket: &Path) -> String {
    format!(
        "the daemon's socket {} cannot be used; whoever gives commands must be root or in the socket's group",
        socket.display()
    )
}
