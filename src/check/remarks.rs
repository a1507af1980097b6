//! What is right and yet surprises: fields that only one of the dialler's two requests takes, records without modification times, a socket
//! without a folder.

use super::finding::{Finding, Level};
use super::settings::{RouteSettings, Settings};
use crate::domain::{FieldName, Taken};
use crate::env::Env;

/// Remarks about the routes; nobody is asked.
pub fn remarks(settings: &Settings, env: &Env) -> Vec<Finding> {
    let mut findings: Vec<Finding> = socket_folder(settings, env).into_iter().collect();
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
        findings.extend(untimed(settings, route, &about));
    }
    findings
}

/// Where nobody can tell by the rules before whose doing it is that a record is out, its modification time does.
fn untimed(settings: &Settings, route: &RouteSettings, about: &str) -> Option<Finding> {
    let crm = settings.crms.get(&route.crm)?;
    if crm.connector.record.modified.is_some() {
        return None;
    }
    let text = format!(
        "the records of crm.{} bear no modification time, so max_locked_by_scope does not hold everybody",
        crm.name
    );
    let remedy = "Where only_if or the mapping changes to names that the former ones did not read together with them, whoever is out \
                  is locked at once. Look at `dialbridge plan` before such a change.";
    Some(Finding::new(Level::Note, about, text).remedy(remedy))
}

/// Without its socket the daemon does not start. A warning only: where systemd makes the folder it is not there before
/// the start, and whoever asks here need not be the daemon's user.
fn socket_folder(settings: &Settings, env: &Env) -> Option<Finding> {
    let folder = settings.control_socket.parent()?;
    // Beside the ledger it is the ledger that misses its folder.
    if Some(folder) == settings.ledger.path.parent() {
        return None;
    }
    let shown = folder.display();
    let (text, remedy) = if !folder.is_dir() {
        let remedy = "The daemon does not start without it. The unit makes /run/dialbridge at each start; make another one \
                      yourself, for the daemon's user to write in, or leave control.socket out: the socket then lies \
                      beside the ledger.";
        (format!("{shown}, the folder of the control socket, is not there"), remedy)
    } else if !env.may_write_in(folder) {
        let remedy = "The daemon's user must be allowed to, else the daemon does not start; whoever only gives commands \
                      need not.";
        (format!("you may not write in {shown}, the folder of the control socket"), remedy)
    } else {
        return None;
    };
    Some(Finding::new(Level::Warning, "control.socket", text).remedy(remedy))
}
