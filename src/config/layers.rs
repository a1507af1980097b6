//! The layers joined by the `config` crate, and what came out of it as typed sections.

use super::keys::{
    RawBlocks, RawConfig, RawControl, RawCrm, RawDialler, RawHarvest, RawLedger, RawLog, RawPush, RawRoute,
    SECTIONS,
};
use super::kind::{Leaves, Need, RawValue, SectionSpec};
use super::sources::{DEFAULTS, SourceFile, Sources};
use super::tree::{self, Layer};
use super::{Setting, environment};
use crate::domain::{Place, Problem};
use config::{Config, ConfigError, Map, Source, Value, ValueKind};
use std::collections::BTreeMap;

/// The name of the compiled-in layer in messages.
const DEFAULTS_NAME: &str = "(defaults)";
/// In `config/defaults.toml` `[route.NAME]` stands for every route.
const ANY_NAME: &str = "NAME";

/// The config as far as it could be read, and everything that is wrong with its form.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Wrong values are left out of it: the defaults stand there, or nothing.
    pub raw: RawConfig,
    /// Mistakes of form: syntax, unknown keys, wrong types, numbers out of range, missing keys.
    pub problems: Vec<Problem>,
    /// Where every key and table stands, by dotted name.
    pub places: Places,
    /// The files' names, in the order of their layers.
    pub files: Vec<String>,
    /// Whether a broken file may have swallowed whole tables: what is missing may be there.
    pub broken: bool,
}

/// Where every key and table stands.
#[derive(Debug, Clone, Default)]
pub struct Places(BTreeMap<String, Place>);

impl Places {
    /// The place of a dotted key; of the nearest table around it, where the key itself stands nowhere.
    pub fn find(&self, key: &str) -> Option<&Place> {
        let mut key = key;
        loop {
            if let Some(place) = self.0.get(key) {
                return Some(place);
            }
            key = key.rsplit_once('.')?.0;
        }
    }

    fn of(joined: &Leaves, tables: &BTreeMap<String, Place>) -> Self {
        let mut places = tables.clone();
        for (key, setting) in joined {
            if let RawValue::Texts(texts) = &setting.value {
                let texts = texts.iter().map(|(name, text)| (format!("{key}.{name}"), text.place.clone()));
                places.extend(texts);
            }
            places.insert(key.clone(), setting.place.clone());
        }
        Self(places)
    }
}

/// Reads all sources and joins their layers. Never stops at the first mistake.
pub fn load(sources: &Sources) -> Loaded {
    let mut problems = Vec::new();
    let mut layers: Vec<Layer> = sources.files.iter().map(|file| tree::read(file, &mut problems)).collect();
    refuse_names_in_two_files(&mut layers, &mut problems);

    let mut tables: BTreeMap<String, Place> = BTreeMap::new();
    for layer in &layers {
        for (table, place) in &layer.tables {
            tables.entry(table.clone()).or_insert_with(|| place.clone());
        }
    }
    let names: Vec<String> = tables.keys().filter(|table| table.contains('.')).cloned().collect();
    layers.push(environment::read(&sources.environment, &names, &mut problems));
    layers.insert(0, defaults(&names));

    let broken = layers.iter().any(|layer| layer.broken);
    let joined = match join(&layers) {
        Ok(joined) => joined,
        Err(error) => {
            problems.push(Problem::new(
                "config",
                format!("the layers do not join: {error}"),
                "a readable config",
            ));
            defaults(&names).leaves
        }
    };
    let main =
        Place { file: sources.files.first().map_or_else(String::new, |file| file.name.clone()), line: None };
    if !broken {
        let wrong: Vec<&String> = layers.iter().flat_map(|layer| &layer.wrong).collect();
        report_missing(&joined, &tables, &wrong, &main, &mut problems);
    }
    let files = sources.files.iter().map(|file| file.name.clone()).collect();
    let places = Places::of(&joined, &tables);
    Loaded { raw: take(&joined, &tables, &main), problems, places, files, broken }
}

/// A route that stands in two files is half of one and half of the other: nobody meant that.
fn refuse_names_in_two_files(layers: &mut [Layer], problems: &mut Vec<Problem>) {
    let mut seen: BTreeMap<String, Place> = BTreeMap::new();
    for layer in layers {
        let named: Vec<(String, Place)> = layer
            .tables
            .iter()
            .filter(|(table, _)| table.contains('.'))
            .map(|(table, place)| (table.clone(), place.clone()))
            .collect();
        for (table, place) in named {
            let Some(first) = seen.get(&table) else {
                seen.insert(table, place);
                continue;
            };
            let expected = format!("each [{table}] in one file only; the other is at {first}");
            problems.push(Problem::new(&table, format!("a second [{table}]"), expected).at(place));
            let prefix = format!("{table}.");
            layer.leaves.retain(|key, _| !key.starts_with(&prefix));
        }
    }
}

/// The compiled-in layer: `[route.NAME]` copied for each route there is.
fn defaults(names: &[String]) -> Layer {
    let file = SourceFile { name: DEFAULTS_NAME.into(), text: DEFAULTS.into() };
    // Its own mistakes are found by a test, not by users.
    let mut template = tree::read(&file, &mut Vec::new());
    let mut leaves = Leaves::new();
    for (key, mut setting) in std::mem::take(&mut template.leaves) {
        setting.place = Place { file: DEFAULTS_NAME.into(), line: None };
        let (section, rest) = key.split_once('.').unwrap_or((&key, ""));
        match rest.strip_prefix(ANY_NAME).and_then(|rest| rest.strip_prefix('.')) {
            Some(leaf) => {
                for name in names.iter().filter(|name| name.split('.').next() == Some(section)) {
                    leaves.insert(format!("{name}.{leaf}"), setting.clone());
                }
            }
            None => {
                leaves.insert(key, setting);
            }
        }
    }
    Layer { leaves, ..Layer::default() }
}

/// Joins by the `config` crate, key by key, later layers over earlier ones.
fn join(layers: &[Layer]) -> Result<Leaves, ConfigError> {
    let mut builder = Config::builder();
    for layer in layers {
        builder = builder.add_source(LayerSource(layer.leaves.clone()));
    }
    let mut joined = Leaves::new();
    flatten("", &builder.build()?.collect()?, &mut joined);
    Ok(joined)
}

/// A checked layer as the `config` crate takes it; each value carries its place as its origin.
#[derive(Debug, Clone)]
struct LayerSource(Leaves);

impl Source for LayerSource {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self
            .0
            .iter()
            .map(|(key, setting)| (key.clone(), to_value(&setting.value, &setting.place)))
            .collect())
    }
}

fn to_value(raw: &RawValue, place: &Place) -> Value {
    let origin = place.to_string();
    let kind = match raw {
        RawValue::Text(text) => ValueKind::String(text.clone()),
        RawValue::Integer(number) => ValueKind::I64(*number),
        RawValue::Number(number) => ValueKind::Float(*number),
        RawValue::Bool(flag) => ValueKind::Boolean(*flag),
        RawValue::List(list) => ValueKind::Array(list.iter().map(|item| to_value(item, place)).collect()),
        RawValue::Texts(texts) => ValueKind::Table(
            texts
                .iter()
                .map(|(name, text)| {
                    (name.clone(), Value::new(Some(&text.place.to_string()), text.value.clone()))
                })
                .collect(),
        ),
        RawValue::Other(_) => ValueKind::Nil,
    };
    Value::new(Some(&origin), kind)
}

fn flatten(prefix: &str, table: &Map<String, Value>, leaves: &mut Leaves) {
    for (name, value) in table {
        let dotted = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        // `dialler.paths`, `crm.NAME.headers`: the names in them are the user's, a dot included.
        let texts = is_texts(&dotted);
        match &value.kind {
            ValueKind::Table(inner) if !texts => flatten(&dotted, inner, leaves),
            _ => {
                let value = Setting { value: from_value(value), place: place_of(value) };
                leaves.insert(dotted, value);
            }
        }
    }
}

/// Whether a dotted key names a table of texts.
fn is_texts(dotted: &str) -> bool {
    let mut parts = dotted.split('.');
    let Some(section) = parts.next().and_then(|name| SECTIONS.iter().find(|section| section.name == name))
    else {
        return false;
    };
    if section.named {
        parts.next();
    }
    match (parts.next(), parts.next()) {
        (Some(key), None) => section.keys.iter().any(|spec| spec.name == key && spec.kind.is_table()),
        _ => false,
    }
}

/// Back, without asking the crate to convert anything.
fn from_value(value: &Value) -> RawValue {
    match &value.kind {
        ValueKind::String(text) => RawValue::Text(text.clone()),
        ValueKind::I64(number) => RawValue::Integer(*number),
        ValueKind::Float(number) => RawValue::Number(*number),
        ValueKind::Boolean(flag) => RawValue::Bool(*flag),
        ValueKind::Array(list) => RawValue::List(list.iter().map(from_value).collect()),
        ValueKind::Table(table) => RawValue::Texts(
            table
                .iter()
                .filter_map(|(name, value)| match &value.kind {
                    ValueKind::String(text) => {
                        Some((name.clone(), Setting { value: text.clone(), place: place_of(value) }))
                    }
                    _ => None,
                })
                .collect(),
        ),
        ValueKind::Nil | ValueKind::I128(_) | ValueKind::U64(_) | ValueKind::U128(_) => {
            RawValue::Other("nothing")
        }
    }
}

fn place_of(value: &Value) -> Place {
    // A table is merged name by name and loses its own origin; its texts keep theirs.
    if let (None, ValueKind::Table(table)) = (value.origin(), &value.kind) {
        let places = table.values().map(place_of);
        return places.min().unwrap_or(Place { file: String::new(), line: None });
    }
    let origin = value.origin().unwrap_or_default();
    match origin.rsplit_once(':').and_then(|(file, line)| Some((file, line.parse().ok()?))) {
        Some((file, line)) => Place { file: file.to_owned(), line: Some(line) },
        None => Place { file: origin.to_owned(), line: None },
    }
}

fn report_missing(
    joined: &Leaves,
    tables: &BTreeMap<String, Place>,
    wrong: &[&String],
    main: &Place,
    problems: &mut Vec<Problem>,
) {
    for section in SECTIONS {
        let names: Vec<String> =
            if section.named { named(section, tables) } else { vec![section.name.to_owned()] };
        if names.is_empty() {
            let header = format!("[{}.NAME]", section.name);
            problems.push(
                Problem::new(section.name, "nothing", format!("at least one {header}")).at(main.clone()),
            );
        }
        for name in names {
            for spec in section.keys.iter().filter(|spec| spec.need == Need::Required) {
                let dotted = format!("{name}.{}", spec.name);
                if !joined.contains_key(&dotted) && !wrong.contains(&&dotted) {
                    let place = tables.get(&name).unwrap_or(main).clone();
                    problems.push(Problem::new(dotted, "missing", spec.kind.expected()).at(place));
                }
            }
        }
    }
}

fn named(section: &SectionSpec, tables: &BTreeMap<String, Place>) -> Vec<String> {
    let prefix = format!("{}.", section.name);
    tables.keys().filter(|table| table.starts_with(&prefix)).cloned().collect()
}

fn take(joined: &Leaves, tables: &BTreeMap<String, Place>, main: &Place) -> RawConfig {
    let place = |table: &str| tables.get(table).unwrap_or(main).clone();
    let leaves = |table: &str| -> Leaves {
        let prefix = format!("{table}.");
        joined
            .iter()
            .filter_map(|(key, setting)| Some((key.strip_prefix(&prefix)?.to_owned(), setting.clone())))
            .collect()
    };
    let names = |section: &str| {
        let prefix = format!("{section}.");
        tables
            .keys()
            .filter_map(move |table| table.strip_prefix(&prefix).map(str::to_owned))
            .collect::<Vec<_>>()
    };
    let crm = |name: String| {
        let table = format!("crm.{name}");
        (name, RawCrm::take(place(&table), &leaves(&table)))
    };
    let route = |name: String| {
        let table = format!("route.{name}");
        (name, RawRoute::take(place(&table), &leaves(&table)))
    };
    RawConfig {
        dialler: RawDialler::take(place("dialler"), &leaves("dialler")),
        crm: names("crm").into_iter().map(crm).collect(),
        route: names("route").into_iter().map(route).collect(),
        push: RawPush::take(place("push"), &leaves("push")),
        harvest: RawHarvest::take(place("harvest"), &leaves("harvest")),
        blocks: RawBlocks::take(place("blocks"), &leaves("blocks")),
        ledger: RawLedger::take(place("ledger"), &leaves("ledger")),
        log: RawLog::take(place("log"), &leaves("log")),
        control: RawControl::take(place("control"), &leaves("control")),
    }
}
