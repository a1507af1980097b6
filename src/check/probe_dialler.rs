//! Asks the dialler: does it answer, are the campaigns there, what stands in them, does the zone fit.

use super::finding::{Finding, Level};
use super::numbers_only;
use super::overlap::ends;
use super::settings::{BatchRead, RouteSettings, Settings};
use crate::dialler::{BatchQuery, Campaign, CampaignRef, DiallerRead, Listed};
use crate::domain::policy::Beside;
use crate::domain::{CampaignId, Contact, ContactId, HistoryRow, RouteName, Timestamp, UserData, suggest};
use crate::env::Env;
use crate::remote::{CallClass, CallError, CallErrorKind};
use chrono::{MappedLocalTime, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use futures_util::StreamExt;
use std::collections::BTreeMap;
use std::time::Duration;

/// Contacts whose histories are looked at to learn the newest time.
const SAMPLE: usize = 100;
/// Without the batch read, so many histories are read one by one.
const SINGLE_SAMPLE: usize = 5;
/// A clock may be wrong by so much before a zone is accused.
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::minutes(5);
/// A call so recent proves the zone: the next one is half an hour off.
const FRESH: TimeDelta = TimeDelta::minutes(15);

/// All findings about the dialler and about the routes' campaigns.
pub(super) async fn probe(settings: &Settings, dialler: &dyn DiallerRead, env: &Env) -> Vec<Finding> {
    let campaigns = match dialler.campaigns().await {
        Ok(campaigns) => campaigns,
        Err(error) => return vec![Finding::unanswered("dialler", &error)],
    };
    let text = format!("answers, the token is right, {} campaigns", campaigns.len());
    let mut findings = vec![Finding::new(Level::Ok, "dialler", text)];
    let mut by_campaign: BTreeMap<CampaignId, Vec<&RouteSettings>> = BTreeMap::new();
    let mut seen = Seen::default();
    for route in settings.routes.values() {
        let (id, finding) = campaign(route, &campaigns);
        findings.push(finding);
        if let Some(id) = id {
            by_campaign.entry(id).or_default().push(route);
            seen.campaigns.insert(route.id.clone(), id);
        }
    }
    for (id, routes) in &by_campaign {
        let began = env.instant();
        match read_list(dialler, *id, routes, &mut seen).await {
            Ok(counts) => findings.extend(counts.findings(routes, env.instant().duration_since(began))),
            Err(error) => findings.push(Finding::unanswered("dialler", &error)),
        }
    }
    findings.extend(seen.result_code());
    let rows = histories(settings, dialler, &seen, &mut findings).await;
    findings.push(zone(settings.dialler.time_zone, &rows, dialler.facts().server_time));
    findings
}

fn campaign(route: &RouteSettings, campaigns: &[Campaign]) -> (Option<CampaignId>, Finding) {
    let about = format!("route.{}", route.name);
    let found: Vec<&Campaign> = campaigns
        .iter()
        .filter(|campaign| match &route.campaign {
            CampaignRef::Id(id) => campaign.id == *id,
            CampaignRef::Name(name) => campaign.name == *name,
        })
        .collect();
    let wanted = match &route.campaign {
        CampaignRef::Id(id) => format!("number {id}"),
        CampaignRef::Name(name) => format!("{name:?}"),
    };
    match found.as_slice() {
        [one] => {
            let text = format!("its campaign is {:?}, number {}", one.name, one.id);
            (Some(one.id), Finding::new(Level::Ok, &about, text))
        }
        [] => {
            let finding = Finding::new(Level::Error, &about, format!("there is no campaign {wanted}"));
            let near = match &route.campaign {
                CampaignRef::Name(name) => {
                    suggest(name, campaigns.iter().map(|campaign| campaign.name.as_str()))
                }
                CampaignRef::Id(_) => None,
            };
            let remedy = match near {
                Some(near) => format!("Did you mean {near:?}?"),
                None => "Make it in the dialler's portal, or correct the route's campaign.".to_owned(),
            };
            (None, finding.remedy(remedy))
        }
        several => {
            let text = format!("{} campaigns are called {wanted}", several.len());
            (None, Finding::new(Level::Error, &about, text).remedy("Name it by its number."))
        }
    }
}

/// What the lists of all campaigns showed together.
#[derive(Default)]
struct Seen {
    /// The routes' campaigns, as far as they can be told.
    campaigns: BTreeMap<RouteName, CampaignId>,
    contacts: u64,
    with_result_key: bool,
    /// Contacts with a try, the highest numbers last; at most [`SAMPLE`].
    tried: std::collections::VecDeque<ContactId>,
    any: Option<ContactId>,
}

impl Seen {
    fn take(&mut self, contact: &Contact) {
        self.contacts += 1;
        self.any = Some(contact.id);
        self.with_result_key |= contact.fields.contains_key("DiallerCampaignsResultCodesID");
        if contact.tries() > 0 {
            if self.tried.len() == SAMPLE {
                self.tried.pop_front();
            }
            self.tried.push_back(contact.id);
        }
    }

    fn result_code(&self) -> Option<Finding> {
        if self.contacts == 0 {
            let text = "the campaigns are empty: whether the list carries the result code is not known yet";
            return Some(Finding::new(Level::Note, "dialler", text));
        }
        Some(if self.with_result_key {
            Finding::new(Level::Ok, "dialler", "the list of contacts carries the current result code")
        } else {
            let text = "the list of contacts carries no result code: results are seen only by reading histories again";
            Finding::new(Level::Note, "dialler", text)
                .remedy("Nothing to do: contacts with a try are audited every hour instead.")
        })
    }
}

#[derive(Default)]
struct Counts {
    all: u64,
    ours: u64,
    others: u64,
    none: u64,
    unreadable: u64,
    /// So many bytes the list has.
    bytes: u64,
}

async fn read_list(
    dialler: &dyn DiallerRead,
    campaign: CampaignId,
    routes: &[&RouteSettings],
    seen: &mut Seen,
) -> Result<Counts, CallError> {
    let mut counts = Counts::default();
    let mut list = dialler.list_contacts(Some(campaign), CallClass::Audit).await?;
    while let Some(contact) = list.next().await {
        counts.all += 1;
        let contact = match contact? {
            Listed::Contact(contact) => contact,
            Listed::Bad(_) => {
                counts.unreadable += 1;
                continue;
            }
        };
        seen.take(&contact);
        match contact.user_data.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
            None => counts.none += 1,
            Some(text) if routes.iter().any(|route| is_of(route, text)) => counts.ours += 1,
            Some(_) => counts.others += 1,
        }
    }
    counts.bytes = list.bytes();
    Ok(counts)
}

/// Whether a UserData looks like one that the route makes. Only the ledger knows for certain.
fn is_of(route: &RouteSettings, user_data: &str) -> bool {
    let (before, behind) = ends(route.mapping.template());
    let folded = user_data.to_lowercase();
    let rest = folded.strip_prefix(&before).and_then(|rest| rest.strip_suffix(&behind));
    rest.is_some_and(|id| !id.is_empty())
}

impl Counts {
    fn findings(&self, routes: &[&RouteSettings], took: Duration) -> Vec<Finding> {
        let names: Vec<String> = routes.iter().map(|route| format!("route.{}", route.name)).collect();
        let about = names.join(", ");
        vec![self.met(&about, routes, took), self.load(&about, took)]
    }

    /// What one sweep costs the dialler (users 32); it should have five times as long until the next.
    fn load(&self, about: &str, took: Duration) -> Finding {
        let size = match self.bytes {
            bytes @ 0..1_000_000 => format!("{} kB", bytes.div_ceil(1_000)),
            bytes => format!("{} MB", bytes.div_ceil(1_000_000)),
        };
        let text = format!("each harvest reads this list whole: {size} in {} s", took.as_secs());
        let minutes = (took.as_secs() * 5).div_ceil(60);
        let finding = Finding::new(Level::Note, about, text);
        if minutes < 2 {
            return finding;
        }
        finding.remedy(format!(
            "That is much for a telephone system in calling hours: a harvest that is due less than {minutes} minutes after the \
             last reads only contacts that are likely to move, and `status` says so. Let `harvest` run no more often than that."
        ))
    }

    fn met(&self, about: &str, routes: &[&RouteSettings], took: Duration) -> Finding {
        let text = format!(
            "{} contacts in the campaign (read in {} s): {} look like ours, {} carry another UserData, {} none",
            self.all,
            took.as_secs(),
            self.ours,
            self.others,
            self.none
        );
        if self.unreadable > 0 {
            let text = format!("{text}, {} cannot be read", self.unreadable);
            let remedy = "While they are in the list, no contact's absence from it is believed.";
            return Finding::new(Level::Warning, about, text).remedy(remedy);
        }
        let foreign = self.others + self.none;
        if foreign == 0 || routes.iter().all(|route| route.beside == Beside::Ignore) {
            return Finding::new(Level::Ok, about, text);
        }
        let remedy = "They are left alone. Whoever is among them and in the CRM will stand in the campaign twice: empty \
                      it, take another, or say beside = \"ignore\".";
        Finding::new(Level::Warning, about, text).remedy(remedy)
    }
}

/// Histories of some called contacts; says on the way whether the batch read is there.
async fn histories(
    settings: &Settings,
    dialler: &dyn DiallerRead,
    seen: &Seen,
    findings: &mut Vec<Finding>,
) -> Vec<HistoryRow> {
    let sample: Vec<ContactId> = seen.tried.iter().copied().collect();
    let mut ids: Vec<ContactId> =
        if sample.is_empty() { seen.any.into_iter().collect() } else { sample.clone() };
    ids.truncate(settings.dialler.batch_size);
    if settings.dialler.batch_read == BatchRead::Off {
        findings.extend(numbers_only::findings(settings, &seen.campaigns));
    } else if let Some(rows) = by_batch(settings, dialler, (ids, seen), findings).await {
        return rows;
    }
    let mut rows = Vec::new();
    for id in sample.iter().rev().take(SINGLE_SAMPLE) {
        match dialler.history(*id, CallClass::Audit).await {
            Ok(history) => rows.extend(history.unwrap_or_default()),
            Err(error) => findings.push(Finding::unanswered("dialler", &error)),
        }
    }
    rows
}

/// A UserData that nobody has: an empty campaign shows no key, and the answer about none says as well whether there is a batch read.
const NOBODY: &str = "dialbridge check: nobody";

/// Histories by the batch read, if it is there.
async fn by_batch(
    settings: &Settings,
    dialler: &dyn DiallerRead,
    (ids, seen): (Vec<ContactId>, &Seen),
    findings: &mut Vec<Finding>,
) -> Option<Vec<HistoryRow>> {
    let nobody = UserData::parse(NOBODY).ok().filter(|_| ids.is_empty());
    let query = BatchQuery { ids, user_data: nobody.into_iter().collect() };
    let finding = match dialler.read_batch(&query, CallClass::Audit).await {
        Ok(Some(contacts)) => {
            findings.push(Finding::new(Level::Ok, "dialler", "the batch read is there"));
            return Some(contacts.into_iter().flat_map(|contact| contact.history).collect());
        }
        // It knows the address, and nobody by that name.
        Err(error) if error.kind == CallErrorKind::NotFound => {
            findings.push(Finding::new(Level::Ok, "dialler", "the batch read is there"));
            return None;
        }
        Err(error) => {
            findings.push(Finding::unanswered("dialler", &error));
            return None;
        }
        Ok(None) if settings.dialler.batch_read == BatchRead::On => {
            let text = "the batch read is not there, though dialler.batch_read = \"on\"";
            Finding::new(Level::Error, "dialler", text).remedy("Set dialler.batch_read = \"probe\".")
        }
        Ok(None) => {
            let text = "the batch read is not there: histories are read one by one, which is slower";
            Finding::new(Level::Note, "dialler", text)
        }
    };
    findings.push(finding);
    findings.extend(numbers_only::findings(settings, &seen.campaigns));
    None
}

/// Whether the newest call, read in the configured zone, fits the dialler's own clock (semantics 23).
fn zone(zone: Tz, rows: &[HistoryRow], server_time: Option<Timestamp>) -> Finding {
    let newest = rows.iter().filter_map(|row| row.get("dtCreatedDiallerContactsHistory").as_str()).max();
    let untold = |missing: &str| {
        let text = format!("{missing} to compare: whether dialler.time_zone fits cannot be told yet");
        Finding::new(Level::Note, "dialler", text)
    };
    let Some(newest) = newest else { return untold("no call") };
    let Some(server) = server_time else { return untold("no Date header") };
    let Ok(local) = NaiveDateTime::parse_from_str(&newest.replace(' ', "T"), "%Y-%m-%dT%H:%M:%S%.f") else {
        let text = "its times carry a zone of their own; dialler.time_zone is used for what we write";
        return Finding::new(Level::Note, "dialler", text);
    };
    let read = match zone.from_local_datetime(&local) {
        MappedLocalTime::Single(at) | MappedLocalTime::Ambiguous(at, _) => at.with_timezone(&Utc),
        MappedLocalTime::None => {
            let text = format!("its newest call stands at {local}, an hour that {zone} does not have");
            return Finding::new(Level::Error, "dialler", text).remedy("Correct dialler.time_zone.");
        }
    };
    let ago = server - read;
    let minutes = ago.num_minutes().abs();
    let finding = |level, text: String| Finding::new(level, "dialler", text);
    if ago < -CLOCK_TOLERANCE {
        finding(Level::Error, format!("read in {zone}, its newest call lies {minutes} minutes in the future"))
            .remedy("Correct dialler.time_zone, or the dialler's clock.")
    } else if ago <= FRESH {
        finding(Level::Ok, format!("{zone} fits: its newest call was {minutes} minutes ago"))
    } else {
        finding(Level::Note, format!("read in {zone}, the newest call seen was {minutes} minutes ago"))
            .remedy("If somebody called since then, dialler.time_zone is wrong; else all is well.")
    }
}
