//! `takeover`: shows what differs, asks, and lets the work go on.

use super::contacts::confirm;
use super::output::Output;
use super::send;
use crate::control::{Command, End};
use std::path::Path;

/// Runs the verb; where nothing differs nobody is asked.
pub async fn run(config: &Path, yes: bool, output: Output) -> anyhow::Result<End> {
    if !yes {
        let told = send::send_for_values(config, Command::Takeover { confirmed: false }).await?.1;
        let differs =
            |value: &serde_json::Value| value["differences"].as_array().is_some_and(|d| !d.is_empty());
        if told.iter().any(differs) {
            for text in told.iter().filter_map(|value| value["told"].as_str()) {
                eprintln!("{text}");
            }
            confirm("this ledger goes on with the work, and no other may")?;
        }
    }
    send::send(config, Command::Takeover { confirmed: true }, output).await
}
