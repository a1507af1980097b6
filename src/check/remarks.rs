//! What is right and yet surprises: fields that only one of the dialler's two requests takes.

use super::finding::{Finding, Level};
use super::settings::Settings;
use crate::domain::{FieldName, Taken};

/// Remarks about the routes; nobody is asked.
pub fn remarks(settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    for route in settings.routes.values() {
        let about = format!("route.{}", route.name);
        let of = |taken: Taken| {
            let fields = route.mapping.fields().filter(move |field| field.spec().taken == taken);
            fields.map(FieldName::as_str).collect::<Vec<_>>().join(", ")
        };
        let (once, second) = (of(Taken::Import), of(Taken::Update));
        if !once.is_empty() {
            let text = format!("the dialler takes {once} at import only");
            let remedy = "A later change in the CRM is not sent to a contact that is there already.";
            findings.push(Finding::new(Level::Note, &about, text).remedy(remedy));
        }
        if !second.is_empty() {
            let text = format!("the dialler takes {second} by update only");
            let remedy = "Nothing to do: a second request follows each import.";
            findings.push(Finding::new(Level::Note, &about, text).remedy(remedy));
        }
    }
    findings
}
