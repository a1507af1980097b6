//! How the two sides are reached: addresses, tokens, certificates, zones.

use super::connector;
use super::notes::Notes;
use super::settings::{BatchRead, CrmSettings, DiallerSettings};
use crate::config::{RawCrm, RawDialler, Setting};
use crate::dialler::jtel::{Paths, Release};
use crate::domain::{Problem, suggest};
use crate::mapping::PhoneFormat;
use crate::remote::http::{HttpOptions, HttpTransport, Identity};
use crate::remote::{Auth, AuthScheme};
use chrono_tz::Tz;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Below this an uncertain write is never asked about: the server may still be at work.
const LEAST_QUIET: Duration = Duration::from_secs(60);

/// `[dialler]`.
pub(super) fn dialler(raw: &RawDialler, notes: &mut Notes<'_>) -> Option<DiallerSettings> {
    let network = Network {
        allow_http: *raw.allow_http,
        ca_file: raw.ca_file.as_ref(),
        client_certificate: raw.client_certificate.as_ref(),
        client_key: raw.client_key.as_ref(),
        proxy: raw.proxy.as_ref(),
    };
    let http = http("dialler", raw.base_url.as_ref(), network, notes);
    let clients_id = raw.base_url.as_ref().and_then(|url| clients_id(&url.value, notes));
    let token_files = tokens(AuthScheme::Bearer, "dialler.token_file", raw.token_file.as_ref(), notes);
    let time_zone = raw.time_zone.as_ref().and_then(|text| zone("dialler.time_zone", text, notes));
    let release = raw.release.as_ref().map(|text| release(&text.value, notes));
    let country = country("dialler.country", raw.country.as_ref(), notes);
    let paths = paths(raw, notes);
    let settle_after = raw.settle_after.as_ref().map(|span| span.value);
    if let Some(given) = settle_after.filter(|given| *given < LEAST_QUIET) {
        notes.warning(Problem::new(
            "dialler.settle_after",
            format!("{} s", given.as_secs()),
            "at least 60s outside of tests: a request that is still under way may be taken for lost and sent twice",
        ));
    }
    Some(DiallerSettings {
        http: http?,
        clients_id: clients_id?,
        token_files: token_files?,
        time_zone: time_zone?,
        release: release.flatten(),
        country,
        phone_format: phone_format(raw),
        batch_read: match raw.batch_read.value.as_str() {
            "on" => BatchRead::On,
            "off" => BatchRead::Off,
            _ => BatchRead::Probe,
        },
        batch_size: *raw.batch_size as usize,
        languages_id: raw.languages_id.as_ref().map(|id| i64::from(id.value)),
        paths: paths?,
        max_in_flight: *raw.max_in_flight as usize,
        requests_per_second: raw.requests_per_second.as_ref().map(|rate| rate.value),
        request_timeout: *raw.request_timeout,
        settle_after: settle_after.unwrap_or_else(|| (*raw.request_timeout * 2).max(LEAST_QUIET)),
    })
}

/// The two words that the key takes.
pub(super) fn phone_format(raw: &RawDialler) -> PhoneFormat {
    if raw.phone_format.value == "e164" { PhoneFormat::E164 } else { PhoneFormat::DigitsWithoutPlus }
}

/// `[crm.NAME]`.
pub(super) fn crm(name: &str, raw: &RawCrm, notes: &mut Notes<'_>) -> Option<CrmSettings> {
    let table = format!("crm.{name}");
    let network = Network {
        allow_http: *raw.allow_http,
        ca_file: raw.ca_file.as_ref(),
        client_certificate: raw.client_certificate.as_ref(),
        client_key: raw.client_key.as_ref(),
        proxy: raw.proxy.as_ref(),
    };
    let http = http(&table, raw.base_url.as_ref(), network, notes);
    let connector = connector::connector(&table, raw, notes);
    let scheme = connector.as_ref().map_or(AuthScheme::Bearer, |connector| connector.auth.clone());
    let token_files = tokens(scheme, &format!("{table}.token_file"), raw.token_file.as_ref(), notes);
    Some(CrmSettings {
        name: name.to_owned(),
        connector: connector?,
        http: http?,
        token_files: token_files?,
        max_in_flight: *raw.max_in_flight as usize,
        requests_per_second: raw.requests_per_second.as_ref().map(|rate| rate.value),
        request_timeout: *raw.request_timeout,
    })
}

/// The network keys that both kinds of sides have.
struct Network<'r> {
    allow_http: bool,
    ca_file: Option<&'r Setting<String>>,
    client_certificate: Option<&'r Setting<String>>,
    client_key: Option<&'r Setting<String>>,
    proxy: Option<&'r Setting<String>>,
}

/// Asks the client itself whether it can be built.
fn http(
    table: &str,
    base_url: Option<&Setting<String>>,
    network: Network<'_>,
    notes: &mut Notes<'_>,
) -> Option<HttpOptions> {
    let identity = match (network.client_certificate, network.client_key) {
        (Some(certificate), Some(key)) => {
            Some(Identity { certificate_file: path(certificate), key_file: path(key) })
        }
        (None, None) => None,
        (Some(_), None) => half_an_identity(table, "client_certificate", "client_key", notes),
        (None, Some(_)) => half_an_identity(table, "client_key", "client_certificate", notes),
    };
    let mut options = HttpOptions::new(table, base_url?.value.trim_end_matches('/'));
    options.allow_http = network.allow_http;
    options.ca_file = network.ca_file.map(path);
    options.identity = identity;
    options.proxy = network.proxy.map(|proxy| proxy.value.clone());
    notes.take(HttpTransport::new(options.clone())).map(|_| options)
}

fn half_an_identity(table: &str, given: &str, missing: &str, notes: &mut Notes<'_>) -> Option<Identity> {
    let expected = format!("{table}.{missing} beside it");
    notes.problem(Problem::new(format!("{table}.{given}"), "alone", expected));
    None
}

/// The tokens are read once, to see that they can be; nobody keeps them here.
fn tokens(
    scheme: AuthScheme,
    key: &str,
    files: Option<&Setting<Vec<String>>>,
    notes: &mut Notes<'_>,
) -> Option<Vec<PathBuf>> {
    let files = files?;
    let paths: Vec<PathBuf> = files.value.iter().map(|file| beside(&files.place.file, file)).collect();
    notes.take(Auth::from_files(scheme, key, &paths)).map(|_| paths)
}

/// A path, from the folder of the file in which it stands.
pub(super) fn path(setting: &Setting<String>) -> PathBuf {
    beside(&setting.place.file, &setting.value)
}

/// The same of a setting that holds a path a line.
pub(super) fn each_path(setting: &Setting<String>) -> Vec<PathBuf> {
    setting.value.lines().map(|path| beside(&setting.place.file, path)).collect()
}

fn beside(file: &str, path: &str) -> PathBuf {
    Path::new(file).parent().unwrap_or(Path::new("")).join(path)
}

/// jtel's addresses name the tenant in their last part; without it every path is wrong, and every
/// answer a 404 that looks like a missing object.
fn clients_id(url: &str, notes: &mut Notes<'_>) -> Option<u64> {
    let last = url.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let id = last.parse().ok().filter(|_| last.bytes().all(|byte| byte.is_ascii_digit()));
    if id.is_none() {
        notes.problem(Problem::new(
            "dialler.base_url",
            "an address that does not end in a number",
            "the ClientsID as its last part: https://HOST:PORT/rest/v1.0/3",
        ));
    }
    id
}

/// A zone of the tz database.
pub(super) fn zone(key: &str, text: &Setting<String>, notes: &mut Notes<'_>) -> Option<Tz> {
    let zone = text.value.parse().ok();
    if zone.is_none() {
        let names = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
        let problem = Problem::new(key, format!("{:?}", text.value), "a time zone such as \"Europe/Berlin\"");
        notes.problem(match city(&text.value).or_else(|| suggest(&text.value, names)) {
            Some(near) => problem.remedy(format!("Did you mean {near}?")),
            None => problem,
        });
    }
    zone
}

/// The zone that is named after a city: people leave out the continent.
fn city(text: &str) -> Option<&'static str> {
    let wanted = text.trim().replace(' ', "_");
    let last = |name: &'static str| name.rsplit('/').next().unwrap_or(name);
    let mut names = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
    names.find(|name| name.contains('/') && last(name).eq_ignore_ascii_case(&wanted))
}

/// Two capitals; whether there is such a country is known where numbers are read.
pub(super) fn country(key: &str, text: Option<&Setting<String>>, notes: &mut Notes<'_>) -> Option<String> {
    let text = &text?.value;
    if crate::mapping::numbers::Country::parse(text).is_some() {
        return Some(text.clone());
    }
    notes.problem(Problem::new(key, format!("{text:?}"), "a country code of two letters, such as \"DE\""));
    None
}

fn release(text: &str, notes: &mut Notes<'_>) -> Option<Release> {
    let found = Release::parse(text);
    if found.is_none() {
        notes.problem(Problem::new("dialler.release", format!("{text:?}"), "a release such as \"3.39\""));
    }
    found
}

/// `[dialler.paths]`, judged by the adapter that uses them.
fn paths(raw: &RawDialler, notes: &mut Notes<'_>) -> Option<Paths> {
    let overrides = raw.paths.iter().flat_map(|paths| &paths.value);
    let overrides = overrides.map(|(name, path)| (name.as_str(), path.value.as_str()));
    notes.take(Paths::parse(overrides).map(|paths| (paths, Vec::new())))
}
