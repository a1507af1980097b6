//! What asking the two sides brought to light, in sentences for an administrator.

use crate::remote::{CallError, CallErrorKind};

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Note,
    /// It will work, but perhaps not as meant.
    Warning,
    /// It will not work.
    Error,
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub level: Level,
    /// What it is about: `dialler`, `crm.sales`, `route.leads`.
    pub about: String,
    /// What was found; no secret, no personal data.
    pub text: String,
    /// What to do, where something is to be done.
    pub remedy: Option<String>,
}

impl Finding {
    pub(super) fn new(level: Level, about: &str, text: impl Into<String>) -> Self {
        Self { level, about: about.to_owned(), text: text.into(), remedy: None }
    }

    pub(super) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// A question that got no answer: what that says about the config.
    pub(super) fn unanswered(about: &str, error: &CallError) -> Self {
        let side = about.split_once(':').map_or(about, |(side, _)| side);
        Self::new(Level::Error, about, error.to_string()).remedy(remedy_of(side, error))
    }
}

/// What to do where a side did not answer as it should; `side` is its table in the config.
pub fn remedy_of(side: &str, error: &CallError) -> String {
    match error.kind {
            CallErrorKind::NotSent => {
                format!("Is {side}.base_url right, does a firewall stand between, is the certificate's ca_file set?")
            }
            CallErrorKind::Unauthorized => {
                format!("Put a valid token into the file that {side}.token_file names, and see its rights.")
            }
            CallErrorKind::WrongUrl if side.starts_with("crm.") => format!(
                "Correct {side}.base_url: the server answers, but has nothing at this address. Where one server holds \
                 several databases, name yours in [{side}.headers]."
            ),
            CallErrorKind::WrongUrl => {
                format!("Correct {side}.base_url: the server answers, but has nothing at this address.")
            }
            CallErrorKind::Configuration => {
                "Correct the name in the route's expressions or in the connector; an absent field is never read as \
                 false, so nobody is imported."
                    .into()
            }
            CallErrorKind::Refused { .. } | CallErrorKind::Overtaken => "The server asks to be left alone: try again later.".into(),
            CallErrorKind::Rejected { .. } | CallErrorKind::NotFound => {
                "The server does not accept the question: see names of objects and fields, and the user's rights.".into()
            }
            CallErrorKind::Uncertain | CallErrorKind::Unavailable => {
                "The server is down or overloaded: try again. The daemon starts all the same and waits for it.".into()
            }
            CallErrorKind::BadAnswer => {
                format!("Something else answers at {side}.base_url (a proxy's or login page?), or cuts the answer.")
            }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}: {}", self.level, self.about, self.text)?;
        match &self.remedy {
            Some(remedy) => write!(f, " {remedy}"),
            None => Ok(()),
        }
    }
}
