//! Errors that an answer's body tells: those with status 200, and those whose status says too little.

use super::format::{ConnectorFile, ErrorRule, Means, Of};
use crate::remote::{BodyCheck, BodyFault, CallError, CallErrorKind, FailureCheck, Side};
use serde_json::value::RawValue;
use std::sync::Arc;

/// Longest piece of the CRM's own words that is kept.
const TEXT_CHARS: usize = 300;

/// The first rule for this status (`None`: any 2xx) that the body meets, and the CRM's own words (they
/// may hold personal data).
pub(super) fn met<'r>(
    rules: impl IntoIterator<Item = &'r ErrorRule>,
    status: Option<u16>,
    body: &RawValue,
) -> Option<(&'r ErrorRule, String)> {
    let rule = rules
        .into_iter()
        .filter(|rule| rule.status == status)
        .find(|rule| rule.when.holds(rule.when.at.value(body).as_ref()) == Some(true))?;
    let text = match rule.text.as_ref().and_then(|at| at.value(body)) {
        Some(serde_json::Value::String(text)) => text,
        Some(other) => other.to_string(),
        None => String::new(),
    };
    Some((rule, text.chars().take(TEXT_CHARS).collect()))
}

/// What a met rule means for the call that was answered so.
pub(super) fn as_error(what: &str, rule: &ErrorRule, text: String) -> CallError {
    let (kind, detail) = match rule.means {
        Means::Unauthorized => {
            (CallErrorKind::Unauthorized, "the token is refused (an error with status 200)")
        }
        Means::Rejected => (
            CallErrorKind::Rejected { status: 200, text },
            "the request is rejected (an error with status 200)",
        ),
        Means::Refused => (
            CallErrorKind::Refused { retry_after: None },
            "not executed, to be asked again later (an error with status 200)",
        ),
        Means::NotFound => (CallErrorKind::NotFound, "the object is not there (an error with status 200)"),
        Means::Untrusted => (CallErrorKind::BadAnswer, "the answer says that it failed, with status 200"),
        Means::Configuration => {
            let detail = misconfigured(&text);
            let (kind, what) = (CallErrorKind::Configuration, what.to_owned());
            return CallError { side: Side::Crm, kind, what, detail, status: Some(200) };
        }
    };
    CallError { side: Side::Crm, kind, what: what.to_owned(), detail: detail.to_owned(), status: Some(200) }
}

fn misconfigured(text: &str) -> String {
    if text.is_empty() {
        "the CRM does not take what is asked for: see the names of fields and objects in the route, and the rights of \
         the token's user"
            .to_owned()
    } else {
        format!("the CRM does not know what is asked for: {text}")
    }
}

fn fault(rule: &ErrorRule, text: String) -> BodyFault {
    match rule.means {
        Means::Unauthorized => BodyFault::Unauthorized,
        Means::Rejected => BodyFault::Rejected(text),
        Means::Refused => BodyFault::Refused(None),
        Means::NotFound => BodyFault::NotFound,
        Means::Untrusted => BodyFault::Untrusted("the answer says that it failed".to_owned()),
        Means::Configuration => BodyFault::Configuration(misconfigured(&text)),
    }
}

/// An answer that came, but cannot be used.
pub(super) fn bad_answer(what: &str, detail: impl Into<String>) -> CallError {
    CallError {
        side: Side::Crm,
        kind: CallErrorKind::BadAnswer,
        what: what.to_owned(),
        detail: detail.into(),
        status: None,
    }
}

impl ConnectorFile {
    /// What the client of this CRM is to look for in 2xx bodies, so that its retries see errors that
    /// come with status 200 as well; `None` where the connector knows none.
    pub fn body_check(&self) -> Option<BodyCheck> {
        self.body_check_of(Of::All)
    }

    /// What the client of this CRM is to look for in the bodies of 4xx and 5xx answers; `None` where
    /// the connector knows nothing of them.
    pub fn failure_check(&self) -> Option<FailureCheck> {
        self.failure_check_of(Of::All)
    }

    /// The same, as the rules say of these answers alone.
    pub(super) fn body_check_of(&self, of: Of) -> Option<BodyCheck> {
        let rules = self.rules(|rule| rule.of == of && rule.status.is_none())?;
        Some(Arc::new(move |_, body| {
            // What is no JSON is the client's own finding.
            let Ok(body) = serde_json::from_slice::<&RawValue>(body) else { return Ok(()) };
            match met(&rules, None, body) {
                None => Ok(()),
                Some((rule, text)) => Err(fault(rule, text)),
            }
        }))
    }

    /// The same of 4xx and 5xx answers.
    pub(super) fn failure_check_of(&self, of: Of) -> Option<FailureCheck> {
        let rules = self.rules(|rule| rule.of == of && rule.status.is_some())?;
        Some(Arc::new(move |status, body| {
            // A page instead of JSON says no more than its status.
            let body = serde_json::from_slice::<&RawValue>(body).ok()?;
            let (rule, text) = met(&rules, Some(status.as_u16()), body)?;
            Some(fault(rule, text))
        }))
    }

    fn rules(&self, wanted: impl Fn(&ErrorRule) -> bool) -> Option<Vec<ErrorRule>> {
        let rules: Vec<ErrorRule> = self.errors.iter().filter(|rule| wanted(rule)).cloned().collect();
        (!rules.is_empty()).then_some(rules)
    }
}
