//! A CRM's connector file: bundled or the user's, read and judged by its own room.

use super::notes::Notes;
use super::reach;
use crate::config::RawCrm;
use crate::crm::{self, ConnectorFile};
use crate::domain::{Problem, suggest};
use crate::remote::AuthScheme;
use http::{HeaderName, HeaderValue};

/// Larger than any connector file a person writes.
const MOST_BYTES: u64 = 1 << 20;

/// The connector of `table` (`crm.sales`), with the config's headers in it.
pub(super) fn connector(table: &str, raw: &RawCrm, notes: &mut Notes<'_>) -> Option<ConnectorFile> {
    let key = format!("{table}.connector");
    let setting = raw.connector.as_ref()?;
    let name = setting.value.as_str();
    let parsed = if name.contains('/') || name.ends_with(".toml") {
        let path = reach::path(setting);
        match read(&path) {
            Ok(text) => crm::parse(&text, &path.display().to_string()),
            Err(error) => {
                let given = format!("{}: {error}", path.display());
                Err(vec![Problem::new(key, given, "a connector file that dialbridge may read")])
            }
        }
    } else {
        match crm::bundled(name) {
            Some(text) => crm::parse(text, &format!("(bundled) {name}")),
            None => Err(vec![unknown(key, name)]),
        }
    };
    let mut file = notes.take(parsed.map(|file| (file, Vec::new())))?;
    add_headers(table, raw, &mut file, notes);
    if let AuthScheme::OAuth2(oauth) = &file.auth
        && oauth.token_url.starts_with("http://")
        && !*raw.allow_http
    {
        let given = "the connector's auth.token_url speaks plain HTTP";
        let problem = Problem::new(format!("{table}.connector"), given, "an address with https");
        notes.problem(
            problem.remedy(format!(
                "Or set {table}.allow_http = true if everybody on the way may read the secret"
            )),
        );
    }
    Some(file)
}

fn read(path: &std::path::Path) -> std::io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    std::fs::File::open(path)?.take(MOST_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

fn unknown(key: String, name: &str) -> Problem {
    let names: Vec<&str> = crm::bundled_names().collect();
    let expected = format!("one of {}, or the path of a file of yours (./mine.toml)", names.join(", "));
    let problem = Problem::new(key, format!("no bundled connector {name:?}"), expected);
    match suggest(name, names) {
        Some(near) => problem.remedy(format!("Did you mean {near}?")),
        None => problem,
    }
}

fn add_headers(table: &str, raw: &RawCrm, file: &mut ConnectorFile, notes: &mut Notes<'_>) {
    for (name, text) in raw.headers.iter().flat_map(|headers| &headers.value) {
        let key = format!("{table}.headers.{name}");
        let place = |problem: Problem| problem.at(text.place.clone());
        let Ok(header) = HeaderName::try_from(name.as_str()) else {
            notes.problem(place(Problem::new(key, "no name of a header", "a name such as X-Odoo-Database")));
            continue;
        };
        if header == http::header::AUTHORIZATION || header == http::header::PROXY_AUTHORIZATION {
            let expected = format!("the token's file in {table}.token_file");
            notes.problem(place(Problem::new(key, "a secret in the config", expected)));
            continue;
        }
        match HeaderValue::from_str(&text.value) {
            Ok(value) => {
                file.headers.insert(header, value);
            }
            Err(_) => notes.problem(place(Problem::new(key, "no value of a header", "visible characters"))),
        }
    }
}
