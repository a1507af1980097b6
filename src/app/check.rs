//! `check`: all problems of the config, then what both sides say.

use super::LoadedSettings;
use super::parts::{RealTransports, sides};
use crate::check::{self, Finding, Level};
use crate::control::End;
use crate::crm::CrmRead;
use crate::env::Env;
use serde_json::json;
use std::path::Path;

/// Checks and prints. With `offline` nobody is asked.
///
/// # Errors
/// The config's problems, all at once.
pub async fn run(config: &Path, offline: bool, as_json: bool) -> anyhow::Result<End> {
    let LoadedSettings { settings, warnings } = match super::load_all(config) {
        Ok(loaded) => loaded,
        Err(problems) if as_json => {
            for problem in &problems.0 {
                let place = problem.place.as_ref().map(ToString::to_string);
                println!(
                    "{}",
                    json!({ "level": "error", "key": problem.key, "place": place, "given": problem.given,
                            "expected": problem.expected, "remedy": problem.remedy })
                );
            }
            return Ok(End::Usage);
        }
        Err(problems) => return Err(problems.into()),
    };
    let mut findings: Vec<Finding> = warnings
        .into_iter()
        .map(|warning| Finding {
            level: Level::Warning,
            about: "config".to_owned(),
            text: warning.to_string(),
            remedy: None,
        })
        .collect();
    findings.extend(check::remarks(&settings));
    if !offline {
        let env = Env::real();
        let built = sides(&settings, &env, &RealTransports, None)?;
        let crms = built.crms.iter().map(|(name, crm)| (name.clone(), &**crm as &dyn CrmRead)).collect();
        let sides = check::Sides { dialler: &*built.dialler, crms };
        findings.extend(check::online(&settings, &sides, &env).await);
    }
    let worst = findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok);
    for finding in &findings {
        if as_json {
            println!(
                "{}",
                json!({ "level": finding.level.to_string(), "about": finding.about, "text": finding.text,
                        "remedy": finding.remedy })
            );
        } else {
            println!("{:8} {}: {}", finding.level.to_string(), finding.about, finding.text);
            if let Some(remedy) = &finding.remedy {
                println!("         {remedy}");
            }
        }
    }
    if !as_json {
        println!(
            "{}",
            match (worst, offline) {
                (Level::Error, _) => "this will not work as it stands",
                (Level::Warning, _) => "it will work, but look at the warnings",
                (Level::Ok | Level::Note, true) => "the config is fine; nobody was asked",
                (Level::Ok | Level::Note, false) => "all is well",
            }
        );
    }
    Ok(if worst == Level::Error { End::Failed } else { End::Done })
}
