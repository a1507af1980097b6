//! The whole table of the merge: each combination of its inputs by name, with its verdict, and none left out.

use super::merge::{Merged, Sides, merge};
use crate::domain::{ConflictRule, ConflictWord, DesiredValue, Edit, FieldName, Pair, SeenOn, Take};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Who changed the field since both sides last agreed on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Moved {
    Nobody,
    Crm,
    Dialler,
    Alike,
    Differently,
}

/// Whether the dialler's value would destroy something in the CRM that the agent never saw or hardly meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Harm {
    None,
    Destroys,
}

/// What a person said of the values as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Word {
    None,
    Crm,
    Dialler,
}

use Harm::Destroys;
use Merged::{Agreed, Alike as Same, Conflict as Ask, ToCrm as C, ToDialler as D};
use Moved::{Alike, Crm, Dialler, Differently, Nobody};

/// By the rules `crm`, `dialler`, `ask`. What was seen on a contact before has the same verdict, but for `Alike`.
const TABLE: [(Moved, Harm, Word, [Merged; 3]); 30] = [
    (Nobody, Harm::None, Word::None, [Agreed; 3]),
    (Nobody, Harm::None, Word::Crm, [Agreed; 3]),
    (Nobody, Harm::None, Word::Dialler, [Agreed; 3]),
    (Nobody, Destroys, Word::None, [Agreed; 3]),
    (Nobody, Destroys, Word::Crm, [Agreed; 3]),
    (Nobody, Destroys, Word::Dialler, [Agreed; 3]),
    (Crm, Harm::None, Word::None, [D; 3]),
    (Crm, Harm::None, Word::Crm, [D; 3]),
    (Crm, Harm::None, Word::Dialler, [D; 3]),
    (Crm, Destroys, Word::None, [D; 3]),
    (Crm, Destroys, Word::Crm, [D; 3]),
    (Crm, Destroys, Word::Dialler, [D; 3]),
    (Dialler, Harm::None, Word::None, [C; 3]),
    (Dialler, Harm::None, Word::Crm, [D; 3]),
    (Dialler, Harm::None, Word::Dialler, [C; 3]),
    (Dialler, Destroys, Word::None, [Ask; 3]),
    (Dialler, Destroys, Word::Crm, [D; 3]),
    (Dialler, Destroys, Word::Dialler, [C; 3]),
    (Alike, Harm::None, Word::None, [Same; 3]),
    (Alike, Harm::None, Word::Crm, [Same; 3]),
    (Alike, Harm::None, Word::Dialler, [Same; 3]),
    (Alike, Destroys, Word::None, [Same; 3]),
    (Alike, Destroys, Word::Crm, [Same; 3]),
    (Alike, Destroys, Word::Dialler, [Same; 3]),
    (Differently, Harm::None, Word::None, [D, C, Ask]),
    (Differently, Harm::None, Word::Crm, [D; 3]),
    (Differently, Harm::None, Word::Dialler, [C; 3]),
    (Differently, Destroys, Word::None, [D, Ask, Ask]),
    (Differently, Destroys, Word::Crm, [D; 3]),
    (Differently, Destroys, Word::Dialler, [C; 3]),
];

/// A field with what was agreed on, what the CRM has and what the dialler has.
struct Example {
    field: &'static str,
    base: Option<Pair>,
    crm: DesiredValue,
    dialler: Value,
}

fn text(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { json!(text) }
}

/// What the dialler takes of a text that is too long for it: its first letter.
fn cut(long: &str) -> Value {
    text(long.get(..1).unwrap_or_default())
}

fn examples(moved: Moved, harm: Harm) -> Vec<Example> {
    let plain = |field, [base, crm, dialler]: [&str; 3]| Example {
        field,
        base: Some(Pair { crm: text(base), dialler: text(base) }),
        crm: DesiredValue::same(text(crm)),
        dialler: text(dialler),
    };
    let shortened = |[base, crm]: [&str; 2], dialler: Value| Example {
        field: "City",
        base: Some(Pair { crm: text(base), dialler: cut(base) }),
        crm: DesiredValue { crm: text(crm), send: cut(crm) },
        dialler,
    };
    match (moved, harm) {
        (Nobody, Harm::None) => vec![
            plain("City", ["Ulm", "Ulm", "Ulm"]),
            plain("City", ["", "", ""]),
            Example { base: None, ..plain("City", ["", "", ""]) },
            // A number as the dialler writes it is the same number.
            Example {
                field: "PhoneNumber1",
                base: Some(Pair { crm: json!("+4930123"), dialler: json!("4930123") }),
                crm: DesiredValue { crm: json!("+4930123"), send: json!("4930123") },
                dialler: json!("+49 30 123"),
            },
        ],
        (Crm, Harm::None) => vec![
            plain("City", ["Ulm", "Bonn", "Ulm"]),
            plain("City", ["Ulm", "", "Ulm"]),
            plain("City", ["", "Bonn", ""]),
            Example { base: None, ..plain("City", ["", "Bonn", ""]) },
        ],
        (Dialler, Harm::None) => vec![
            plain("City", ["Ulm", "Ulm", "Hof"]),
            plain("City", ["Ulm", "Ulm", ""]),
            Example { base: None, ..plain("City", ["", "", "Hof"]) },
        ],
        (Alike, Harm::None) => vec![
            plain("City", ["Ulm", "Hof", "Hof"]),
            plain("City", ["Ulm", "", ""]),
            Example { base: None, ..plain("City", ["", "Hof", "Hof"]) },
        ],
        (Differently, Harm::None) => vec![
            plain("City", ["Ulm", "Bonn", "Hof"]),
            plain("City", ["Ulm", "", "Hof"]),
            plain("City", ["Ulm", "Bonn", ""]),
            Example { base: None, ..plain("City", ["", "Bonn", "Hof"]) },
        ],
        (Nobody, Destroys) => vec![
            plain("Name", ["", "", ""]),
            plain("PhoneNumber1", ["", "", ""]),
            shortened(["Ulm", "Ulm"], cut("Ulm")),
        ],
        (Crm, Destroys) => vec![
            plain("Name", ["", "Ada", ""]),
            plain("PhoneNumber1", ["", "4930123", ""]),
            shortened(["Ulm", "Bonn"], cut("Ulm")),
        ],
        (Dialler, Destroys) => vec![
            plain("Name", ["Ada", "Ada", ""]),
            plain("PhoneNumber1", ["4930123", "4930123", ""]),
            shortened(["Ulm", "Ulm"], json!("Hof")),
        ],
        (Alike, Destroys) => vec![
            plain("Name", ["Ada", "", ""]),
            plain("PhoneNumber1", ["4930123", "", ""]),
            shortened(["Ulm", "Hof"], cut("Hof")),
        ],
        (Differently, Destroys) => vec![
            plain("Name", ["Ada", "Berta", ""]),
            plain("PhoneNumber1", ["4930123", "4930124", ""]),
            shortened(["Ulm", "Bonn"], json!("Hof")),
        ],
    }
}

/// That word, said of the CRM's value; and where there is none, also one that was said of another value.
fn words(word: Word, crm: &Value) -> Vec<Option<ConflictWord>> {
    let said = |take, against: Value| Some(ConflictWord { take, against });
    match word {
        Word::None => {
            let other = json!("another value");
            vec![None, said(Take::Crm, other.clone()), said(Take::Dialler, other)]
        }
        Word::Crm => vec![said(Take::Crm, crm.clone())],
        Word::Dialler => vec![said(Take::Dialler, crm.clone())],
    }
}

#[test]
fn every_combination_is_named_and_has_its_verdict() {
    let mut named = BTreeSet::new();
    for (moved, harm, word, verdicts) in TABLE {
        assert!(named.insert((moved, harm, word)), "named twice: {moved:?} {harm:?} {word:?}");
        for example in examples(moved, harm) {
            let field = FieldName::parse(example.field).expect("a field");
            for (rule, verdict) in ConflictRule::ALL.iter().zip(verdicts) {
                for (on, verdict) in
                    [(SeenOn::Contact, verdict), (SeenOn::ContactBefore, on_the_next(verdict))]
                {
                    for word in words(word, &example.crm.crm) {
                        let edit = Edit { dialler: example.dialler.clone(), rule: *rule, word, on };
                        let sides =
                            Sides { field, base: example.base.as_ref(), crm: &example.crm, edit: &edit };
                        assert_eq!(merge(sides), verdict, "{moved:?} {harm:?} {sides:?}");
                    }
                }
            }
        }
    }
    assert_eq!(named.len(), 5 * 2 * 3, "each once");
    assert_eq!(ConflictRule::ALL, [ConflictRule::Crm, ConflictRule::Dialler, ConflictRule::Ask]);
}

/// The contact that came after the one it was seen on does not hold what the CRM has as well.
fn on_the_next(verdict: Merged) -> Merged {
    match verdict {
        Same => D,
        Agreed | D | C | Ask => verdict,
    }
}
