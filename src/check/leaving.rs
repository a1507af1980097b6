//! `[route.NAME.leave]` and `[route.NAME.mark]`: what becomes of the contacts of records that leave.

use super::notes::Notes;
use crate::config::{RawRoute, Setting};
use crate::domain::leave::{Counters, Leave, LeaveAct, LeaveWhy, Leaving, Reach, Removal, past};
use crate::domain::{FieldKind, FieldName, Kept, Owner, Problem, Taken, Values, suggest};
use serde_json::{Number, Value};
use std::collections::BTreeMap;

type Texts = BTreeMap<String, Setting<String>>;

/// The route's choices; every mistake in them is noted.
pub(super) fn leaving(
    name: &str,
    raw: &RawRoute,
    kept: Option<&Kept>,
    notes: &mut Notes<'_>,
) -> Option<Leaving> {
    let before = notes.problems.len();
    let both_sides = |field: FieldName| {
        let two_way = raw.two_way.as_ref().is_some_and(|table| table.value.contains_key(field.as_str()));
        let appended = raw.owners.as_ref().and_then(|table| table.value.get(field.as_str()));
        two_way
            || appended.is_some_and(|owner| owner.value == Owner::Append.as_str())
            || kept.is_some_and(|kept| kept.contains(&field))
    };
    let marks = marks(name, raw.mark.as_ref().map(|marks| &marks.value), &both_sides, notes);
    let mut leaving = Leaving::default();
    let (mut marking, mut merged) = (false, false);
    for (why, acts) in raw.leave.iter().flat_map(|leave| &leave.value) {
        let key = format!("route.{name}.leave.{why}");
        let Some(why) = LeaveWhy::parse(why) else {
            notes.problem(unknown_reason(&key, why));
            continue;
        };
        let Some(acts) = acts_of(&key, &acts.value, notes) else { continue };
        marking |= acts.contains(&LeaveAct::Mark);
        merged |= why == LeaveWhy::Merged;
        if let Some(problem) = careless(&key, why, &acts, raw.mark.is_some()) {
            notes.problem(problem);
        }
        *leaving.of_mut(why) = leave(&acts, &marks);
    }
    if !merged {
        leaving.merged = leaving.deleted.clone();
    }
    if let Some(mark) = raw.mark.as_ref().filter(|_| !marking) {
        let fields: Vec<&str> = mark.value.keys().map(String::as_str).collect();
        let key = format!("route.{name}.mark");
        let expected = "a reason in the route's `leave` that says \"mark\"";
        notes.problem(Problem::new(key, format!("{}, which nothing sets", fields.join(", ")), expected));
    }
    (notes.problems.len() == before).then_some(leaving)
}

fn unknown_reason(key: &str, given: &str) -> Problem {
    let known: Vec<&str> = LeaveWhy::ALL.iter().map(|why| why.as_str()).collect();
    let problem = Problem::new(key, "no such reason to leave", format!("one of {}", known.join(", ")));
    match suggest(given, known) {
        Some(near) => problem.remedy(format!("Did you mean {near}?")),
        None => problem,
    }
}

fn acts_of(key: &str, text: &str, notes: &mut Notes<'_>) -> Option<Vec<LeaveAct>> {
    let known = || LeaveAct::ALL.iter().map(|act| act.as_str());
    let mut acts = Vec::new();
    for word in text.split(',').map(str::trim) {
        let Some(act) = LeaveAct::parse(word) else {
            let expected = format!("one of {}, or a list of them", known().collect::<Vec<_>>().join(", "));
            let problem = Problem::new(key, format!("{word:?}"), expected);
            notes.problem(match suggest(word, known()) {
                Some(near) => problem.remedy(format!("Did you mean {near:?}?")),
                None => problem,
            });
            return None;
        };
        acts.push(act);
    }
    Some(acts)
}

/// What cannot be meant.
fn careless(key: &str, why: LeaveWhy, acts: &[LeaveAct], has_marks: bool) -> Option<Problem> {
    let has = |act| acts.contains(&act);
    let beyond = acts.iter().find(|act| !matches!(act, LeaveAct::Keep | LeaveAct::Mark));
    let problem = |given: &str, expected: &str| Some(Problem::new(key, given, expected));
    match (why, beyond) {
        (LeaveWhy::OptOut, _) if has(LeaveAct::Keep) => problem(
            "\"keep\" for somebody who must not be called",
            "\"lock\", alone or with \"delete\", \"mark\" or \"end_date\": a block always locks",
        ),
        (LeaveWhy::OptOut, _) if has(LeaveAct::Reset) => problem(
            "\"reset\" for somebody who must not be called",
            "\"lock\", alone or with \"delete\", \"mark\" or \"end_date\": a reset makes callable, and the gate is shut",
        ),
        (_, Some(beyond)) if has(LeaveAct::Keep) => {
            problem(&format!("\"keep\" and {:?}", beyond.as_str()), "\"keep\" alone or with \"mark\"")
        }
        _ if has(LeaveAct::Delete) && has(LeaveAct::Reset) => {
            problem("\"delete\" and \"reset\"", "one of the two: nothing of a deleted contact is left")
        }
        _ if has(LeaveAct::Mark) && !has_marks => {
            problem("\"mark\" without a field", "a table [route.NAME.mark] with FIELD = \"TEXT\"")
        }
        _ => None,
    }
}

/// Whatever does not say `keep` locks.
fn leave(acts: &[LeaveAct], marks: &Values) -> Leave {
    let mut leave = Leave::LOCK;
    for act in acts {
        match act {
            LeaveAct::Lock => {}
            LeaveAct::Delete => leave.removal = Removal::Deleted,
            LeaveAct::Reset => leave.counters = Counters::Reset,
            LeaveAct::Mark => leave.marks.extend(marks.clone()),
            LeaveAct::EndDate => leave.marks.extend([past()]),
            LeaveAct::Keep => leave.reach = Reach::Kept,
        }
    }
    leave
}

fn marks(
    route: &str,
    table: Option<&Texts>,
    both_sides: &dyn Fn(FieldName) -> bool,
    notes: &mut Notes<'_>,
) -> Values {
    let mut marks = Values::new();
    for (name, text) in table.into_iter().flatten() {
        let key = format!("route.{route}.mark.{name}");
        match mark(name, &text.value) {
            // What agents write is not ours to write over, and their edits of it would go into the CRM.
            Ok((field, _)) if both_sides(field) => {
                let expected = "a field that nothing maps, or that is the CRM's alone";
                notes.problem(Problem::new(key, "a field that is the agents' too", expected));
            }
            Ok((field, value)) => drop(marks.insert(field, value)),
            Err((given, expected)) => notes.problem(Problem::new(key, given, expected)),
        }
    }
    marks
}

/// One field with its value, or what is given and what would be right.
fn mark(name: &str, text: &str) -> Result<(FieldName, Value), (String, String)> {
    let usable = "a text or number field that an update takes and that may be empty, such as Comment, Tag or UserData2";
    let Some(field) = FieldName::parse(name) else {
        return Err(("no field of a dialler contact".to_owned(), usable.to_owned()));
    };
    let spec = field.spec();
    if !spec.clearable || spec.taken == Taken::Import {
        return Err((format!("{name}, which cannot be set and taken off"), usable.to_owned()));
    }
    match spec.kind {
        FieldKind::Text(most) if text.chars().count() > most => {
            Err((format!("{} characters", text.chars().count()), format!("at most {most}")))
        }
        FieldKind::Text(_) | FieldKind::LongText => Ok((field, Value::from(text))),
        FieldKind::Number => match text.parse::<Number>() {
            Ok(number) => Ok((field, Value::Number(number))),
            Err(_) => Err((format!("{text:?}"), "a number in quotes".to_owned())),
        },
        FieldKind::Phone => Err(("a phone number".to_owned(), usable.to_owned())),
        FieldKind::DateTime => Err((
            "a date".to_owned(),
            format!("{usable}; for an end date long past, \"end_date\" in the route's `leave`"),
        )),
    }
}
