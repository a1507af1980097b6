//! One `[route.NAME]`: what it names must exist, what it says must be readable.

use super::leaving;
use super::notes::Notes;
use super::offline::Validators;
use super::reach;
use super::settings::RouteSettings;
use super::telling;
use super::two_way;
use crate::config::{NameOrNumber, RawConfig, RawRoute, Setting};
use crate::dialler::CampaignRef;
use crate::domain::hold::{HoldRules, UnmappedAbort};
use crate::domain::limits::{MissingLimits, RemovalLimits, WaveLimit, WaveLimits};
use crate::domain::policy::{AdoptConflict, Beside, CampaignChange, ReadBefore, Unblock, Vanished};
use crate::domain::result_words::ResultWords;
use crate::domain::{CampaignId, FieldName, Owner, Problem, RouteName, suggest};
use crate::mapping::numbers::Country;
use crate::mapping::{Mapping, MappingSpec, TooLong};
use chrono::NaiveTime;
use chrono_tz::Tz;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What is given where a route names a CRM that is not there.
pub(super) const NO_SUCH_CRM: &str = "no such CRM";

/// What a route is judged against.
pub(super) struct About<'a> {
    pub(super) raw: &'a RawConfig,
    /// The dialler's zone, if it is one.
    pub(super) zone: Option<Tz>,
    pub(super) validators: &'a Validators<'a>,
}

/// In place of a cron.
const NEVER: &str = "never";
const CRON: &str = "five fields (minute hour day month weekday), such as \"*/5 7-21 * * Mon-Sat\"";
const CRON_OR_NEVER: &str =
    "five fields (minute hour day month weekday), such as \"30 4 * * Sun\", or \"never\"";

/// Checks one route; every mistake in it is noted.
pub(super) fn route(
    name: &str,
    raw: &RawRoute,
    about: &About<'_>,
    notes: &mut Notes<'_>,
) -> Option<RouteSettings> {
    let key = |key: &str| format!("route.{name}.{key}");
    let crm = raw.crm.as_ref().filter(|crm| known_crm(&key("crm"), &crm.value, about.raw, notes));
    let id = raw.id.as_ref().map_or(Some(name.to_owned()), |id| route_id(&key("id"), &id.value, notes));
    let client = client(&key("client"), &raw.client.value, notes);
    let own_zone = raw.time_zone.as_ref().map(|text| reach::zone(&key("time_zone"), text, notes));
    let zone = own_zone.unwrap_or(about.zone);
    // A wrong zone has its own message; the crons are judged all the same.
    let crons = [("pull", &raw.pull, CRON), ("harvest", &raw.harvest, CRON), ("push", &raw.push, CRON)];
    let reconcile = Some(&raw.reconcile).filter(|text| text.value != NEVER);
    let reconciled = reconcile.map(|text| ("reconcile", text, CRON_OR_NEVER));
    for (cron, text, expected) in crons.into_iter().chain(reconciled) {
        if let Err(why) = (about.validators.cron)(&text.value, zone.unwrap_or(Tz::UTC)) {
            notes.problem(Problem::new(key(cron), why, expected));
        }
    }
    let day_start = time_of_day(&key("day_start"), &raw.day_start.value, notes);
    let own_country = reach::country(&key("country"), raw.country.as_ref(), notes);
    let country = own_country.or_else(|| {
        let given = about.raw.dialler.country.as_ref().map(|text| text.value.clone());
        // A wrong one has its own message; any country will do to judge the expressions.
        given.map(|given| if Country::parse(&given).is_some() { given } else { "DE".to_owned() })
    });
    // As with the crons: the expressions are judged all the same.
    let dialler_zone = about.zone.unwrap_or(Tz::UTC);
    let spec = spec(name, id.as_deref().unwrap_or(name), raw, about, dialler_zone, country.clone());
    let mapping = mapping(&spec, notes);
    let two_way = two_way::two_way(name, raw, mapping.as_ref(), notes);
    let kept = two_way::kept(name, raw, mapping.as_ref(), notes);
    let leaving = leaving::leaving(name, raw, kept.as_ref(), notes);
    let write_back = telling::telling(name, raw, zone, about.validators, notes);
    Some(RouteSettings {
        name: RouteName::from(name),
        id: RouteName::from(id?.as_str()),
        crm: crm?.value.clone(),
        campaign: match &raw.campaign.as_ref()?.value {
            NameOrNumber::Name(name) => CampaignRef::Name(name.trim().to_owned()),
            NameOrNumber::Number(number) => CampaignRef::Id(CampaignId(*number)),
        },
        object: raw.object.as_ref().map(|text| text.value.clone()),
        client: client?,
        unblock: Unblock::parse(&raw.unblock.value)?,
        opt_out_results: ResultWords::new(
            raw.opt_out_results.iter().flat_map(|list| &list.value).map(String::as_str),
        ),
        hold_rules: HoldRules {
            words: result_words(raw),
            unmapped: UnmappedAbort::parse(&raw.unmapped_abort.value)?,
            cool_off: raw.cool_off.as_ref().map(|cool_off| cool_off.value.clone()),
            zone: dialler_zone,
        },
        pull: raw.pull.value.clone(),
        harvest: raw.harvest.value.clone(),
        push: raw.push.value.clone(),
        time_zone: zone?,
        day_start: day_start?,
        full_pass: *raw.full_pass,
        missing: MissingLimits { most: *raw.max_missing, percent: *raw.max_missing_percent },
        max_decision_age: *raw.max_decision_age,
        adopt_conflict: AdoptConflict::parse(&raw.adopt_conflict.value)?,
        vanished: Vanished::parse(&raw.vanished.value)?,
        max_vanished: MissingLimits { most: *raw.max_vanished, percent: *raw.max_vanished_percent },
        campaign_change: CampaignChange::parse(&raw.campaign_change.value)?,
        leaving: Arc::new(leaving?),
        max_deleted: RemovalLimits {
            per_run: *raw.max_deleted_per_run,
            per_day: *raw.max_deleted_per_day,
            percent: *raw.max_deleted_percent,
            locked_by_scope: *raw.max_locked_by_scope,
            locked_by_scope_percent: *raw.max_locked_by_scope_percent,
        },
        country,
        beside: Beside::parse(&raw.beside.value)?,
        waves: WaveLimits {
            new: WaveLimit {
                per_run: Some(*raw.max_new_per_run),
                percent: raw.max_new_percent.as_ref().map(|percent| percent.value),
            },
            changed: WaveLimit {
                per_run: Some(*raw.max_changed_per_run),
                percent: raw.max_changed_percent.as_ref().map(|percent| percent.value),
            },
        },
        max_new_per_day: *raw.max_new_per_day,
        reconcile: reconcile.map(|text| text.value.clone()),
        sample: *raw.sample,
        write_back: write_back?,
        kept: kept?,
        append: owners_say(raw, Owner::Append).iter().filter_map(|name| FieldName::parse(name)).collect(),
        two_way: two_way?,
        read_before_update: if *raw.read_before_update { ReadBefore::Update } else { ReadBefore::Never },
        max_changed_per_day: raw.max_changed_per_day.as_ref().map(|most| most.value),
        mapping: Arc::new(mapping?),
    })
}

/// The results that the route has a word for: the CRM's, whether or not it is told of calls, or that they are a no.
fn result_words(raw: &RawRoute) -> ResultWords {
    let told = raw.results.iter().flat_map(|table| table.value.keys());
    let no = raw.opt_out_results.iter().flat_map(|list| &list.value);
    ResultWords::new(told.chain(no).map(String::as_str))
}

fn known_crm(key: &str, crm: &str, raw: &RawConfig, notes: &mut Notes<'_>) -> bool {
    if raw.crm.contains_key(crm) {
        return true;
    }
    let names: Vec<&str> = raw.crm.keys().map(String::as_str).collect();
    let expected = format!("the name of a [crm.NAME]: {}", names.join(", "));
    // The name itself belongs to the remedy: `offline` knows the problem by what is given.
    let remedy = match suggest(crm, names) {
        Some(near) => format!("{crm:?} stands nowhere. Did you mean {near:?}?"),
        None => format!("{crm:?} stands nowhere."),
    };
    notes.problem(Problem::new(key, NO_SUCH_CRM, expected).remedy(remedy));
    false
}

/// Like a route's name: it stands at the beginning of UserData.
fn route_id(key: &str, id: &str, notes: &mut Notes<'_>) -> Option<String> {
    if (1..=40).contains(&id.len()) && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        return Some(id.to_owned());
    }
    let expected = "1 to 40 letters, digits and '-': it becomes part of UserData";
    notes.problem(Problem::new(key, format!("{id:?}"), expected));
    None
}

/// Blocks are kept under this name; two spellings of one client would not share them.
fn client(key: &str, client: &str, notes: &mut Notes<'_>) -> Option<String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    if client.len() <= 40 && client.chars().all(plain) {
        return Some(client.to_owned());
    }
    let expected = "at most 40 small letters, digits, '-' and '_'";
    notes.problem(Problem::new(key, format!("{client:?}"), expected));
    None
}

/// A time of day as the config writes it.
pub(super) fn time_of_day(key: &str, text: &str, notes: &mut Notes<'_>) -> Option<NaiveTime> {
    // chrono also takes "6:00"; one way to write it is enough, and "24:00" is the next day.
    let time = NaiveTime::parse_from_str(text, "%H:%M").ok().filter(|_| text.len() == 5);
    if time.is_none() {
        notes.problem(Problem::new(key, format!("{text:?}"), "a time of day such as \"06:00\""));
    }
    time
}

/// What `mapping` is asked. Dates are written in the dialler's zone; which day `today` is, the caller
/// says in the route's zone.
fn spec(
    name: &str,
    id: &str,
    raw: &RawRoute,
    about: &About<'_>,
    zone: Tz,
    country: Option<String>,
) -> MappingSpec {
    let text = |setting: &Option<Setting<String>>| setting.as_ref().map(|text| text.value.clone());
    let fields = raw.fields.iter().flat_map(|fields| &fields.value);
    MappingSpec {
        // A renamed route keeps its UserData: they begin with the id that never changes.
        user_data: text(&raw.user_data).or_else(|| Some(format!("'{id}-' ~ id"))),
        only_if: text(&raw.only_if),
        block_if: text(&raw.block_if),
        fields: fields.map(|(name, text)| (name.clone(), text.value.clone())).collect(),
        country,
        phone_format: reach::phone_format(&about.raw.dialler),
        append: owners_say(raw, Owner::Append),
        too_long: if raw.too_long.value == "park" { TooLong::Park } else { TooLong::Cut },
        ..MappingSpec::new(RouteName::from(name), zone)
    }
}

/// The fields whose owner is said to be this one.
fn owners_say(raw: &RawRoute, owner: Owner) -> BTreeSet<String> {
    let said = raw.owners.iter().flat_map(|owners| &owners.value);
    said.filter(|(_, text)| text.value == owner.as_str()).map(|(field, _)| field.clone()).collect()
}

fn mapping(spec: &MappingSpec, notes: &mut Notes<'_>) -> Option<Mapping> {
    // Without any field the missing table is the message.
    if spec.fields.is_empty() {
        return None;
    }
    let parsed = Mapping::parse(spec).map(|mapping| {
        let warnings = mapping.warnings(&spec.route);
        (mapping, warnings)
    });
    notes.take(parsed)
}
