//! `check`: what was found, for people and programs.

use super::output::Output;
use crate::app::Problems;
use crate::app::check::{self, Finding, Level};
use crate::control::End;
use serde_json::{Value, json};
use std::path::Path;

/// Checks and shows.
pub async fn run(config: &Path, offline: bool, output: Output) -> anyhow::Result<End> {
    let findings = match check::run(config, offline).await {
        Ok(findings) => findings,
        Err(error) => match error.downcast_ref::<Problems>() {
            Some(problems) if output.is_json() => {
                output.value(&problem_values(problems), String::new);
                return Ok(End::Usage);
            }
            Some(_) | None => return Err(error),
        },
    };
    let worst = findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok);
    let values: Vec<Value> = findings
        .iter()
        .map(|found| {
            json!({ "level": found.level.to_string(), "about": found.about, "text": found.text,
                    "remedy": found.remedy })
        })
        .collect();
    output.value(&values, || text(&findings, worst, offline));
    Ok(if worst == Level::Error { End::Failed } else { End::Done })
}

fn problem_values(problems: &Problems) -> Vec<Value> {
    problems
        .0
        .iter()
        .map(|problem| {
            let place = problem.place.as_ref().map(ToString::to_string);
            json!({ "level": "error", "key": problem.key, "place": place, "given": problem.given,
                    "expected": problem.expected, "remedy": problem.remedy })
        })
        .collect()
}

fn text(findings: &[Finding], worst: Level, offline: bool) -> String {
    let mut text = String::new();
    for finding in findings {
        text.push_str(&format!("{:8} {}: {}\n", finding.level.to_string(), finding.about, finding.text));
        if let Some(remedy) = &finding.remedy {
            text.push_str(&format!("         {remedy}\n"));
        }
    }
    text.push_str(match (worst, offline) {
        (Level::Error, _) => "this will not work as it stands",
        (Level::Warning, _) => "it will work, but look at the warnings",
        (Level::Ok | Level::Note, true) => "the config is fine; nobody was asked",
        (Level::Ok | Level::Note, false) => "all is well",
    });
    text
}
