//! Asks a route's CRM: does it answer, how many records are there, does the mapping fit real ones.

use super::finding::{Finding, Level, remedy_of};
use super::settings::RouteSettings;
use crate::crm::{CrmRead, Page, Right};
use crate::domain::{Reason, Record, suggest};
use crate::env::Env;
use crate::mapping::Condition;
use crate::remote::CallError;
use chrono::TimeDelta;
use std::collections::{BTreeMap, BTreeSet};

/// What a route's CRM showed.
#[derive(Default)]
pub(super) struct Probed {
    pub(super) findings: Vec<Finding>,
    /// The join keys of the first records, in the form in which keys collide.
    pub(super) keys: BTreeSet<String>,
}

/// All findings about one route's CRM.
pub(super) async fn probe(route: &RouteSettings, crm: &dyn CrmRead, env: &Env) -> Probed {
    let about = format!("crm.{}", route.crm);
    let name = format!("route.{}", route.name);
    let mut page = match crm.changed_since(None, None).await {
        Ok(page) => page,
        Err(error) => {
            return Probed { findings: vec![Finding::unanswered(&about, &error)], keys: BTreeSet::new() };
        }
    };
    let (list, records) = match crm.contract().object.as_str() {
        "" => ("the list".to_owned(), "records".to_owned()),
        object => (object.to_owned(), format!("records of {object}")),
    };
    let mut findings =
        vec![Finding::new(Level::Ok, &about, format!("answers, the token is right, {list} is readable"))];
    findings.push(match crm.count().await {
        Ok(Some(0)) => {
            Finding::new(Level::Warning, &name, format!("the connector's filter selects no {records}"))
        }
        Ok(Some(count)) => Finding::new(Level::Ok, &name, format!("{count} {records} will be read")),
        Ok(None) => Finding::new(Level::Note, &name, "this CRM cannot say how many records will be read"),
        Err(error) => Finding::unanswered(&about, &error),
    });
    if page.crm_time.is_none() {
        let text = "tells no time of its own; the cursor follows the greatest modification time seen";
        findings.push(Finding::new(Level::Note, &about, text));
    }
    findings.extend(rights(route, crm, &about).await);
    findings.extend(deletions(crm, &about, env).await);
    let unknown = companions(&about, crm, &mut page, &mut findings).await;
    findings.extend(judge_page(route, &name, &page, &unknown, env));
    let key = |record: &Record| route.mapping.template().render(&record.id).ok();
    let keys = page.records.iter().flatten().filter_map(key);
    Probed { findings, keys: keys.map(|key| key.folded().0).collect() }
}

/// Whether what the route tells the CRM may be written by the token's user; nothing is written for it.
async fn rights(route: &RouteSettings, crm: &dyn CrmRead, about: &str) -> Vec<Finding> {
    let Some(told) = &route.write_back else { return Vec::new() };
    let telling = &told.telling;
    let contract = crm.contract();
    let (apart, plain): (Vec<&str>, Vec<&str>) = telling
        .fields()
        .chain(telling.block_names())
        .chain(telling.status_names())
        .partition(|name| contract.apart.iter().any(|apart| apart == name));
    let fields = !plain.is_empty() || !route.two_way.is_empty();
    let mut asked = Vec::new();
    if telling.has_activity() {
        asked.push((Right::Activities, "add activities".to_owned()));
    }
    if fields {
        asked.push((Right::Fields, "write fields of records".to_owned()));
    }
    asked.extend(apart.into_iter().map(|name| (Right::Apart(name), format!("write {name}"))));
    let mut findings = Vec::new();
    for (right, in_words) in asked {
        findings.push(judge_right(crm.may_write(right).await, &in_words, about));
    }
    findings
}

/// The list of what was deleted, where the connector names one: asked for the last hour, which changes nothing there.
async fn deletions(crm: &dyn CrmRead, about: &str, env: &Env) -> Option<Finding> {
    match crm.deleted_since(env.now() - TimeDelta::hours(1)).await {
        Ok(None) => None,
        Ok(Some(ids)) => {
            let text = format!("its list of deleted records can be read: {} in the last hour", ids.len());
            Some(Finding::new(Level::Ok, about, text))
        }
        Err(error) => {
            let text = format!(
                "its list of deleted records ([read.deleted] of the connector) cannot be read: {error}"
            );
            let remedy = format!("{} Until then every pull ends there.", remedy_of(about, &error));
            Some(Finding::new(Level::Error, about, text).remedy(remedy))
        }
    }
}

fn judge_right(answer: Result<Option<bool>, CallError>, in_words: &str, about: &str) -> Finding {
    match answer {
        Ok(Some(true)) => Finding::new(Level::Ok, about, format!("the token's user may {in_words}")),
        Ok(Some(false)) => Finding::new(Level::Error, about, format!("the token's user may not {in_words}"))
            .remedy("Give that user the right in the CRM; without it every call of the route is rejected."),
        Ok(None) => {
            let text = format!(
                "whether the token's user may {in_words} cannot be asked of this CRM without doing it"
            );
            Finding::new(Level::Note, about, text)
        }
        Err(error) => {
            let text = format!("whether the token's user may {in_words} could not be asked: {error}");
            Finding::new(Level::Warning, about, text)
        }
    }
}

/// Reads every companion and gives the page's records what they say; the names of those that could not be
/// read and that no record carries itself.
async fn companions(
    about: &str,
    crm: &dyn CrmRead,
    page: &mut Page,
    findings: &mut Vec<Finding>,
) -> BTreeSet<String> {
    let mut unknown = BTreeSet::new();
    let contract = crm.contract();
    for companion in &contract.companions {
        let is_flag = contract.flags.contains(companion);
        findings.push(match crm.companion(companion).await {
            Ok(ids) => {
                if is_flag {
                    page.set_flag(companion, &ids);
                }
                Finding::new(Level::Ok, about, format!("companion {companion}: {} records", ids.len()))
            }
            Err(error) => {
                unknown.extend(is_flag.then(|| companion.clone()));
                Finding::unanswered(about, &error)
            }
        });
    }
    unknown
}

/// A page of real records through the mapping; nothing of them is shown but counts and field names.
fn judge_page(
    route: &RouteSettings,
    name: &str,
    page: &Page,
    unknown: &BTreeSet<String>,
    env: &Env,
) -> Vec<Finding> {
    let records: Vec<&Record> = page.records.iter().filter_map(|record| record.as_ref().ok()).collect();
    let mut findings = Vec::new();
    let unreadable = page.records.len() - records.len();
    if unreadable > 0 {
        let text = format!("{unreadable} of the first {} records cannot be read", page.records.len());
        findings
            .push(Finding::new(Level::Warning, name, text).remedy("They will be parked with their reasons."));
    }
    if records.is_empty() {
        findings.push(Finding::new(Level::Note, name, "no record to try the expressions on"));
        return findings;
    }
    let mut missing: BTreeMap<(String, String), usize> = BTreeMap::new();
    for name in records.iter().flat_map(|record| route.mapping.missing_names(record)) {
        *missing.entry(name).or_default() += 1;
    }
    let before = missing.len();
    // The companion's own failure is told already.
    missing.retain(|(_, missing), _| !unknown.contains(missing));
    let undecided = missing.len() < before;
    let none_at_all = missing.values().any(|count| *count == records.len());
    let names: BTreeSet<&str> =
        records.iter().flat_map(|record| record.fields.keys().map(String::as_str)).collect();
    for ((key, missing), count) in &missing {
        let near = suggest(missing, names.iter().copied());
        findings.push(missing_name(name, key, (missing, near), *count, records.len()));
    }
    if missing.is_empty() && !undecided {
        findings.push(Finding::new(Level::Ok, name, "real records carry every name in the expressions"));
    }
    if !none_at_all && !undecided {
        findings.push(verdicts(route, name, &records, env));
    }
    findings.extend(longest_user_data(route, name, &records));
    findings
}

/// A name that all records lack is a mistake; one that some lack is a CRM that leaves out what is empty.
fn missing_name(
    about: &str,
    key: &str,
    (missing, near): (&str, Option<&str>),
    count: usize,
    of: usize,
) -> Finding {
    if count == of {
        let text = format!("{key}: a real record carries no {missing:?}");
        let hint = near.map(|near| format!("Did you mean {near:?}? ")).unwrap_or_default();
        let remedy = format!(
            "{hint}See the field's name in the CRM and the rights of the token's user: an absent field is never read as \
             false."
        );
        return Finding::new(Level::Error, about, text).remedy(remedy);
    }
    let text = format!("{key}: {count} of the first {of} records carry no {missing:?}");
    let remedy = format!(
        "Such records are parked, because an absent field is never read as false. If this CRM leaves out what is empty, \
         let the connector ask for the field, or write `{missing} is defined and {missing}`."
    );
    Finding::new(Level::Warning, about, text).remedy(remedy)
}

/// What would become of the page's records, by count and reason.
fn verdicts(route: &RouteSettings, name: &str, records: &[&Record], env: &Env) -> Finding {
    let today = env.now().with_timezone(&route.time_zone).date_naive();
    let (mut wanted, mut blocked, mut not_eligible, mut deleted) = (0, 0, 0, 0);
    let mut unusable: BTreeMap<&str, usize> = BTreeMap::new();
    for record in records {
        if record.deleted {
            deleted += 1;
            continue;
        }
        let mapped = route.mapping.map(record, today);
        let mut reason = |reason: &Reason| *unusable.entry(reason.code.as_str()).or_default() += 1;
        match (&mapped.block, &mapped.eligible, &mapped.user_data, &mapped.fields) {
            (Condition::Broken(broken), ..) | (_, Condition::Broken(broken), ..) => reason(broken),
            (Condition::True, ..) => blocked += 1,
            (_, Condition::False, ..) => not_eligible += 1,
            (_, _, Err(bad), _) | (_, _, _, Some(Err(bad))) => reason(bad),
            (_, _, Ok(_), Some(Ok(_)) | None) => wanted += 1,
        }
    }
    let mut text = format!(
        "of the first {} records {wanted} would be imported, {not_eligible} are not eligible, {blocked} blocked, \
         {deleted} deleted",
        records.len()
    );
    for (reason, count) in &unusable {
        text.push_str(&format!(", {count} unusable ({reason})"));
    }
    let level = if wanted == 0 { Level::Warning } else { Level::Ok };
    let finding = Finding::new(level, name, text);
    if wanted == 0 {
        finding.remedy("If that is not meant, try one: dialbridge try --route R CRM-ID")
    } else {
        finding
    }
}

/// A key that does not fit cannot be cut, so it is better known before the first import.
fn longest_user_data(route: &RouteSettings, name: &str, records: &[&Record]) -> Option<Finding> {
    let template = route.mapping.template();
    let bad: Vec<String> = records
        .iter()
        .filter_map(|record| template.render(&record.id).err())
        .map(|reason| reason.to_string())
        .collect();
    let kinds: BTreeSet<&String> = bad.iter().collect();
    let first = kinds.first()?;
    let text = format!("{} of {} records get no UserData: {first}", bad.len(), records.len());
    Some(Finding::new(Level::Error, name, text).remedy(format!("Change route.{}.user_data.", route.name)))
}
