//! The environment as the uppermost layer: `DIALBRIDGE__SECTION__KEY`.
//!
//! Names are matched here and not by the `config` crate: that one folds them to lower case (so a
//! route `Leads` or a field `PhoneNumber1` would silently become a second key) and says nothing
//! about names that fit no key.

use super::Setting;
use super::keys::SECTIONS;
use super::kind::{KeySpec, Kind, RawValue, SectionSpec};
use super::tree::{Layer, did_you_mean, keys_of};
use crate::domain::{Place, Problem, suggest};

/// Names of ours that are no settings. The crash points are in test builds only (`env::crash`).
const OTHERS: &[&str] = if cfg!(debug_assertions) {
    &["DIALBRIDGE_CONFIG", "DIALBRIDGE_CRASH_AT"]
} else {
    &["DIALBRIDGE_CONFIG"]
};

/// The layer of all variables; `tables` are the named tables that the files hold (`route.leads`).
pub(super) fn read(
    environment: &[(String, String)],
    tables: &[String],
    problems: &mut Vec<Problem>,
) -> Layer {
    let mut layer = Layer::default();
    for (variable, text) in environment {
        if !variable.starts_with("DIALBRIDGE_") || OTHERS.contains(&variable.as_str()) {
            continue;
        }
        match setting(variable, text, tables) {
            Ok((dotted, value)) => {
                layer.leaves.insert(dotted, Setting { value, place: place() });
            }
            Err(problem) => problems.push(problem.at(place())),
        }
    }
    layer
}

fn place() -> Place {
    Place { file: "(environment)".into(), line: None }
}

fn setting(variable: &str, text: &str, tables: &[String]) -> Result<(String, RawValue), Problem> {
    let Some(path) = variable.strip_prefix("DIALBRIDGE__") else {
        let expected = "DIALBRIDGE__SECTION__KEY with two underscores each";
        return Err(Problem::new(variable, "no variable of dialbridge's", expected));
    };
    let parts: Vec<&str> = path.split("__").collect();
    let (section, dotted, key) = match parts.as_slice() {
        [section, key] => {
            let section = find_section(variable, section, false)?;
            (section, section.name.to_owned(), *key)
        }
        [section, name, key] => {
            let section = find_section(variable, section, true)?;
            (section, find_table(variable, section, name, tables)?, *key)
        }
        [_, _, table, _] if ["fields", "headers"].contains(&folded(table).as_str()) => {
            return Err(Problem::new(
                variable,
                "an entry of a table",
                "expressions and headers in the files only",
            ));
        }
        _ => return Err(Problem::new(variable, "no setting", "DIALBRIDGE__SECTION__KEY")),
    };
    let spec = find_key(variable, section, key)?;
    match spec.kind.parse_variable(text) {
        Some(value) => Ok((format!("{dotted}.{}", spec.name), value)),
        None => {
            let given = match spec.kind {
                Kind::Texts | Kind::Words | Kind::Paths | Kind::TextList | Kind::Durations(..) => {
                    "a list or table".to_owned()
                }
                _ => spec.shown(&RawValue::Text(text.to_owned())),
            };
            Err(Problem::new(variable, given, spec.kind.expected().replace(", without quotes", "")))
        }
    }
}

fn folded(part: &str) -> String {
    part.to_lowercase().replace('-', "_")
}

fn find_section(variable: &str, part: &str, named: bool) -> Result<&'static SectionSpec, Problem> {
    let name = folded(part);
    let fitting = || SECTIONS.iter().filter(|section| section.named == named);
    fitting().find(|section| section.name == name).ok_or_else(|| {
        let names: Vec<&str> = fitting().map(|section| section.name).collect();
        let problem = Problem::new(variable, "no such section", format!("one of {}", names.join(", ")));
        did_you_mean(problem, suggest(&name, names))
    })
}

/// A shell cannot export a name with '-', so `SPRING_LEADS` stands for `spring-leads` too.
fn find_table(
    variable: &str,
    section: &SectionSpec,
    part: &str,
    tables: &[String],
) -> Result<String, Problem> {
    let wanted = format!("{}.{}", section.name, folded(part));
    let found: Vec<&String> = tables.iter().filter(|table| folded(table) == wanted).collect();
    match found.as_slice() {
        [one] => Ok((*one).clone()),
        [] => {
            let expected = format!("the name of a [{}.NAME] in the files", section.name);
            Err(Problem::new(variable, format!("no such {}", section.name), expected))
        }
        _ => Err(Problem::new(variable, "several names fit", "names that differ in more than case and '-'")),
    }
}

fn find_key(variable: &str, section: &SectionSpec, part: &str) -> Result<&'static KeySpec, Problem> {
    let name = folded(part);
    let spec = SECTIONS
        .iter()
        .filter(|candidate| candidate.name == section.name)
        .flat_map(|candidate| candidate.keys)
        .find(|spec| spec.name == name);
    spec.ok_or_else(|| {
        let near = suggest(&name, section.keys.iter().map(|spec| spec.name));
        did_you_mean(Problem::new(variable, "no such key", keys_of(section)), near)
    })
}
