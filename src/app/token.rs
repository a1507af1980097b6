//! `token test`: tries a token before it is put in place; a file, a question, nothing changed.

use super::known::Usage;
use super::parts::{RealTransports, Sides, sides};
use super::say::say;
use crate::check::Settings;
use crate::control::End;
use crate::crm::CrmRead as _;
use crate::dialler::DiallerRead as _;
use crate::env::Env;
use crate::remote::{Auth, AuthScheme, CallError, CallErrorKind};
use anyhow::Context as _;
use serde_json::json;
use std::path::{Path, PathBuf};

/// A side as the command names it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Asked {
    Dialler,
    Crm(String),
}

impl Asked {
    fn name(&self) -> String {
        match self {
            Self::Dialler => "dialler".to_owned(),
            Self::Crm(name) => format!("crm.{name}"),
        }
    }
}

/// Tries `file` at a side, or, without one, every file that the config names for it. Without a side all are
/// tried.
///
/// # Errors
/// The config, the side or the file cannot be used.
pub async fn test(
    config: &Path,
    side: Option<&str>,
    file: Option<PathBuf>,
    as_json: bool,
) -> anyhow::Result<End> {
    let settings = super::load(config)?;
    let all: Vec<Asked> =
        std::iter::once(Asked::Dialler).chain(settings.crms.keys().cloned().map(Asked::Crm)).collect();
    let names = all.iter().map(Asked::name).collect::<Vec<_>>().join(", ");
    let chosen = match side {
        Some(side) => {
            let is = |asked: &&Asked| asked.name() == side || **asked == Asked::Crm(side.to_owned());
            let found = all.iter().find(is).cloned();
            vec![found.ok_or_else(|| Usage(format!("there is no side {side:?}; the config has {names}")))?]
        }
        None if file.is_some() => {
            return Err(Usage(format!("say whose token the file holds: {names}")).into());
        }
        None => all,
    };
    let mut end = End::Done;
    let mut answers = Vec::new();
    for asked in chosen {
        let files = match &file {
            Some(file) => vec![file.clone()],
            None => token_files(&settings, &asked),
        };
        for file in files {
            let said = try_file(&settings, &asked, &file).await?;
            end = if said.is_ok() { end } else { End::Failed };
            let (good, text) = match said {
                Ok(text) => (true, text),
                Err(text) => (false, text),
            };
            if !as_json {
                say!("{}: {}: {text}", asked.name(), file.display());
            }
            let file = file.display().to_string();
            answers.push(json!({ "side": asked.name(), "file": file, "good": good, "text": text }));
        }
    }
    if as_json {
        say!("{}", serde_json::Value::Array(answers));
    }
    Ok(end)
}

fn token_files(settings: &Settings, asked: &Asked) -> Vec<PathBuf> {
    match asked {
        Asked::Dialler => settings.dialler.token_files.clone(),
        Asked::Crm(name) => settings.crms.get(name).map(|crm| crm.token_files.clone()).unwrap_or_default(),
    }
}

/// Asks with this token alone; the outer error is a file that cannot be used.
async fn try_file(settings: &Settings, asked: &Asked, file: &Path) -> anyhow::Result<Result<String, String>> {
    let mut settings = settings.clone();
    let scheme = match asked {
        Asked::Dialler => {
            settings.dialler.token_files = vec![file.to_owned()];
            AuthScheme::Bearer
        }
        Asked::Crm(name) => {
            let crm = settings.crms.get_mut(name).context("it stands in the config")?;
            crm.token_files = vec![file.to_owned()];
            crm.connector.auth.clone()
        }
    };
    let key = format!("{}.token_file", asked.name());
    let (_, warnings) = Auth::from_files(scheme, &key, &[file.to_owned()]).map_err(super::Problems)?;
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
    let env = Env::real();
    let sides = sides(&settings, &env, &RealTransports, None)?;
    Ok(match ask(&settings, &sides, asked, &env).await? {
        Ok(()) => Ok("the token is taken".to_owned()),
        Err(error) if error.kind == CallErrorKind::Unauthorized => {
            Err("the token is refused; nothing was changed, the configured one goes on as before".to_owned())
        }
        Err(error) => Err(format!("it cannot be told: {error}")),
    })
}

/// The cheapest question that needs the token.
async fn ask(
    settings: &Settings,
    sides: &Sides,
    asked: &Asked,
    env: &Env,
) -> anyhow::Result<Result<(), CallError>> {
    let Asked::Crm(name) = asked else { return Ok(sides.dialler.campaigns().await.map(|_| ())) };
    let route = settings.routes.values().find(|route| route.crm == *name);
    let crm = route.and_then(|route| sides.crms.get(&route.id));
    let crm = crm.with_context(|| format!("no route reads crm.{name}, so there is nothing to ask it"))?;
    Ok(crm.changed_since(Some(env.now()), None).await.map(|_| ()))
}
