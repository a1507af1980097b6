//! `check`: all problems of the config, then what both sides say.

use super::LoadedSettings;
use super::parts::{RealTransports, sides};
use crate::check;
pub use crate::check::{Finding, Level};
use crate::crm::CrmRead;
use crate::env::Env;
use std::path::Path;

/// What is found, the config's warnings first. With `offline` nobody is asked.
///
/// # Errors
/// The config's problems, all at once.
pub async fn run(config: &Path, offline: bool) -> anyhow::Result<Vec<Finding>> {
    let LoadedSettings { settings, warnings } = super::load_all(config)?;
    let mut findings: Vec<Finding> = warnings
        .into_iter()
        .map(|warning| Finding {
            level: Level::Warning,
            about: "config".to_owned(),
            text: warning.to_string(),
            remedy: None,
        })
        .collect();
    let env = Env::real();
    findings.extend(check::remarks(&settings, &env));
    if !offline {
        let built = sides(&settings, &env, &RealTransports, None)?;
        let crms = built.crms.iter().map(|(name, crm)| (name.clone(), &**crm as &dyn CrmRead)).collect();
        let sides = check::Sides { dialler: &*built.dialler, crms };
        findings.extend(check::online(&settings, &sides, &env).await);
    }
    Ok(findings)
}
