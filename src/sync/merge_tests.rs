//! Every combination of the merge, and what must hold over any history of edits on both sides.

use super::merge::{Merged, Sides, edited_base, merge, merged_changes};
use crate::domain::{
    Anew, Base, ConflictRule, ConflictWord, ContactId, Deletion, Desired, DesiredValue, Edit, Edits,
    FieldName, Lane, LinkView, LockState, Pair, SeenOn, Stands, Take, Wish,
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn city() -> FieldName {
    FieldName::parse("City").expect("a field")
}

fn pair(text: &str) -> Pair {
    Pair { crm: json!(text), dialler: json!(text) }
}

fn edit(dialler: &str, rule: ConflictRule, word: Option<ConflictWord>) -> Edit {
    Edit {
        dialler: if dialler.is_empty() { Value::Null } else { json!(dialler) },
        rule,
        word,
        on: SeenOn::Contact,
    }
}

#[test]
fn an_edit_of_a_contact_that_is_gone_goes_to_the_crm_and_is_never_taken_for_what_the_next_contact_holds() {
    let gone = Edit { on: SeenOn::ContactBefore, ..edit("Bonn", ConflictRule::Crm, None) };
    let base: Base = [(city(), pair("Ulm"))].into();
    let verdict = |crm: &str| {
        let crm = DesiredValue::same(json!(crm));
        merge(Sides { field: city(), base: base.get(&city()), crm: &crm, edit: &gone })
    };
    assert_eq!(verdict("Ulm"), Merged::ToCrm, "nobody changed it there");
    assert_eq!(verdict("Kiel"), Merged::ToDialler, "by the rule");
    assert_eq!(verdict("Bonn"), Merged::ToDialler, "the CRM has it, the contact that came after has not");
    let edits: Edits = [(city(), gone.clone())].into();
    let written_over = edited_base(&base, &edits);
    assert_eq!(written_over.get(&city()), base.get(&city()), "an update writes over what that one holds");
}

#[test]
fn a_persons_word_holds_for_the_values_it_was_said_of() {
    let base = pair("Ulm");
    for rule in ConflictRule::ALL {
        for (take, verdict) in [(Take::Crm, Merged::ToDialler), (Take::Dialler, Merged::ToCrm)] {
            for crm in ["Ulm", "Bonn"] {
                let word = Some(ConflictWord { take, against: json!(crm) });
                let edit = edit("Hof", *rule, word);
                let crm = DesiredValue::same(json!(crm));
                let sides = Sides { field: city(), base: Some(&base), crm: &crm, edit: &edit };
                assert_eq!(merge(sides), verdict, "{sides:?}");
            }
        }
        let old = Some(ConflictWord { take: Take::Dialler, against: json!("Bonn") });
        let (with, without) = (edit("Hof", *rule, old), edit("Hof", *rule, None));
        let newer = DesiredValue::same(json!("Kiel"));
        let of = |edit| merge(Sides { field: city(), base: Some(&base), crm: &newer, edit });
        assert_eq!(of(&with), of(&without), "the CRM has another value than the one that was shown");
    }
}

#[test]
fn what_an_agent_never_saw_or_hardly_meant_is_not_destroyed_unasked() {
    let long = "x".repeat(70);
    let cut = DesiredValue { crm: json!(long), send: json!(&long[..64]) };
    let base = Pair { crm: json!(long), dialler: json!(&long[..64]) };
    let number = DesiredValue { crm: json!("+4930123"), send: json!("4930123") };
    let numbers = Pair { crm: json!("+4930123"), dialler: json!("4930123") };
    let name = DesiredValue::same(json!("Ada"));
    for (field, base, crm, dialler) in [
        ("City", &base, &cut, "Hof"),
        ("PhoneNumber1", &numbers, &number, ""),
        ("Name", &pair("Ada"), &name, ""),
    ] {
        let field = FieldName::parse(field).expect("a field");
        for rule in ConflictRule::ALL {
            let asked = edit(dialler, *rule, None);
            let sides = |edit| Sides { field, base: Some(base), crm, edit };
            assert_eq!(merge(sides(&asked)), Merged::Conflict, "{field}, {rule}");
            let word = ConflictWord { take: Take::Dialler, against: crm.crm.clone() };
            let said = edit(dialler, *rule, Some(word));
            assert_eq!(merge(sides(&said)), Merged::ToCrm, "{field}, {rule}: a person saw both");
        }
    }
    // A number as the dialler writes it is the same number.
    let field = FieldName::parse("PhoneNumber1").expect("a field");
    let same = edit("+49 30 123", ConflictRule::Crm, None);
    assert_eq!(merge(Sides { field, base: Some(&numbers), crm: &number, edit: &same }), Merged::Agreed);
}

#[test]
fn an_update_carries_only_what_the_merge_gives_to_the_dialler() {
    let name = |name: &str| FieldName::parse(name).expect("a field");
    let desired: Desired =
        [("City", "Bonn"), ("Company", "New"), ("Email", "a@example.org"), ("Title", "Dr")]
            .map(|(field, value)| (name(field), DesiredValue::same(json!(value))))
            .into();
    let base: Base = [("City", "Ulm"), ("Company", "Old"), ("Email", "a@example.org"), ("Title", "")]
        .map(|(field, value)| (name(field), pair(value)))
        .into();
    let edits: Edits = [
        (name("City"), edit("Hof", ConflictRule::Ask, None)),
        (name("Company"), edit("Other", ConflictRule::Crm, None)),
        (name("Email"), edit("b@example.org", ConflictRule::Crm, None)),
    ]
    .into();
    let sent: Vec<(&str, Value, Value)> = merged_changes(&desired, &base, &link(edits, &[]))
        .into_iter()
        .map(|change| (change.field.as_str(), change.before, change.send))
        .collect();
    assert_eq!(
        sent,
        [("Company", json!("Other"), json!("New")), ("Title", json!(""), json!("Dr"))],
        "City waits for a person, Email goes to the CRM; what is written over is what stands there"
    );
}

fn link(edits: Edits, kept: &[&str]) -> LinkView {
    LinkView {
        contact: Some(ContactId(7)),
        base: Base::new(),
        desired: Desired::new(),
        wish: Wish::Callable,
        lock: LockState::Open,
        vanished: false,
        lane: Lane::Idle,
        deletion: Deletion::No,
        anew: Anew::No,
        stands: Stands::Here,
        calls_lost: None,
        edits,
        kept: kept.iter().filter_map(|name| FieldName::parse(name)).collect(),
    }
}

#[test]
fn what_is_the_diallers_is_sent_with_the_import_and_never_again() {
    let name = |name: &str| FieldName::parse(name).expect("a field");
    let desired: Desired =
        ["Comment", "City", "Region"].map(|field| (name(field), DesiredValue::same(json!("new")))).into();
    let base: Base = ["Comment", "City", "Region"].map(|field| (name(field), pair("old"))).into();
    let sent = |base: &Base, kept: &[&str]| -> Vec<&str> {
        let changes = merged_changes(&desired, base, &link(Edits::new(), kept));
        changes.iter().map(|change| change.field.as_str()).collect()
    };
    assert_eq!(sent(&base, &[]), ["City", "Comment", "Region"]);
    assert_eq!(sent(&base, &["Comment", "Region"]), ["City"]);
    // Newly mapped, the agents' text is not written over; what no import takes follows it once.
    assert_eq!(sent(&Base::new(), &["Comment", "Region"]), ["City", "Region"]);
}

/// What kind of field it is, as far as the merge asks.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// A text that fits.
    Text,
    /// A text of which the dialler takes the first letter.
    Cut,
    /// A number, which nobody empties unasked.
    Number,
}

impl Kind {
    fn field(self) -> FieldName {
        match self {
            Self::Text | Self::Cut => city(),
            Self::Number => FieldName::parse("PhoneNumber1").expect("a field"),
        }
    }

    /// What somebody enters in the CRM.
    fn entered(self, number: u8) -> Value {
        match (self, value(number)) {
            (Self::Cut, Value::String(text)) => json!(format!("{text} and more")),
            (Self::Text | Self::Number | Self::Cut, value) => value,
        }
    }

    fn sent(self, crm: &Value) -> DesiredValue {
        let send = match (self, crm) {
            (Self::Cut, Value::String(text)) => json!(text[..1]),
            (Self::Text | Self::Number | Self::Cut, crm) => crm.clone(),
        };
        DesiredValue { crm: crm.clone(), send }
    }
}

/// Both sides and what they agreed on, as one field lives.
#[derive(Debug, Clone, PartialEq)]
struct Field {
    kind: Kind,
    base: Pair,
    crm: Value,
    dialler: Value,
    word: Option<ConflictWord>,
}

impl Field {
    fn new(kind: Kind, number: u8) -> Self {
        let crm = kind.entered(number);
        let dialler = kind.sent(&crm).send;
        Self { kind, base: Pair { crm: crm.clone(), dialler: dialler.clone() }, crm, dialler, word: None }
    }

    /// An agent's value; a word on another one is none.
    fn agent(&mut self, number: u8) {
        if self.dialler != value(number) {
            (self.dialler, self.word) = (value(number), None);
        }
    }

    fn verdict(&self, rule: ConflictRule) -> Merged {
        let edit = Edit { dialler: self.dialler.clone(), rule, word: self.word.clone(), on: SeenOn::Contact };
        let crm = self.kind.sent(&self.crm);
        let sides = Sides { field: self.kind.field(), base: Some(&self.base), crm: &crm, edit: &edit };
        assert_eq!(merge(sides), merge(sides), "deterministic");
        merge(sides)
    }

    /// Somebody is asked, and answers.
    fn asked(&mut self, rule: ConflictRule, take: Take) {
        if self.verdict(rule) == Merged::Conflict {
            self.word = Some(ConflictWord { take, against: self.crm.clone() });
        }
    }

    /// One round: the verdict is carried out. Says how many writes that took.
    fn round(&mut self, rule: ConflictRule) -> (Merged, usize) {
        let verdict = self.verdict(rule);
        let writes = match verdict {
            Merged::Agreed | Merged::Conflict => return (verdict, 0),
            Merged::Alike => 0,
            Merged::ToDialler => {
                self.dialler = self.kind.sent(&self.crm).send;
                1
            }
            Merged::ToCrm => {
                self.crm = self.dialler.clone();
                1
            }
        };
        self.base = Pair { crm: self.crm.clone(), dialler: self.dialler.clone() };
        self.word = None;
        (verdict, writes)
    }
}

#[derive(Debug, Clone)]
enum Event {
    Crm(u8),
    Dialler(u8),
    Word(Take),
    Round,
}

fn value(number: u8) -> Value {
    if number == 0 { Value::Null } else { json!(number.to_string()) }
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let take = proptest::sample::select(vec![Take::Crm, Take::Dialler]);
    let event = prop_oneof![
        (0..4u8).prop_map(Event::Crm),
        (0..4u8).prop_map(Event::Dialler),
        take.prop_map(Event::Word),
        Just(Event::Round),
    ];
    proptest::collection::vec(event, 0..12)
}

fn rules() -> impl Strategy<Value = ConflictRule> {
    proptest::sample::select(ConflictRule::ALL)
}

fn kinds() -> impl Strategy<Value = Kind> {
    proptest::sample::select(vec![Kind::Text, Kind::Cut, Kind::Number])
}

proptest! {
    #[test]
    fn any_history_is_at_rest_after_one_round_and_never_flaps(
        kind in kinds(), events in events(), rule in rules(),
    ) {
        let mut field = Field::new(kind, 1);
        let (mut edits, mut writes) = (0, 0);
        for event in events {
            match event {
                Event::Crm(number) => (field.crm, edits) = (kind.entered(number), edits + 1),
                Event::Dialler(number) => {
                    field.agent(number);
                    edits += 1;
                }
                Event::Word(take) => field.asked(rule, take),
                Event::Round => writes += field.round(rule).1,
            }
        }
        let (verdict, more) = field.round(rule);
        writes += more;
        prop_assert!(writes <= edits, "{writes} writes for {edits} edits");
        let rest = field.clone();
        let (again, none) = field.round(rule);
        prop_assert_eq!(none, 0, "a second round writes nothing");
        prop_assert_eq!(&field, &rest);
        match verdict {
            Merged::Conflict => prop_assert_eq!(again, Merged::Conflict, "it waits for a person"),
            Merged::Agreed | Merged::Alike | Merged::ToDialler | Merged::ToCrm => {
                prop_assert_eq!(again, Merged::Agreed);
                prop_assert_eq!(&kind.sent(&field.crm).send, &field.dialler);
            }
        }
    }

    #[test]
    fn a_field_that_one_side_changed_has_its_value_on_both(
        kind in kinds(), from in 0..4u8, to in 0..4u8, in_crm in any::<bool>(), rule in rules(),
    ) {
        let mut field = Field::new(kind, from);
        if in_crm { field.crm = kind.entered(to) } else { field.agent(to) }
        let crm = field.crm.clone();
        // What an agent never saw or hardly meant is a person's to say.
        if field.round(rule).0 == Merged::Conflict {
            prop_assert!(!in_crm && kind != Kind::Text);
            prop_assert_eq!(&field.crm, &crm);
            field.asked(rule, Take::Dialler);
            field.round(rule);
        }
        prop_assert_eq!(&field.dialler, &value(to));
        let came_back = kind == Kind::Cut && value(to) == kind.sent(&kind.entered(from)).send;
        let expected = if in_crm || came_back { crm } else { value(to) };
        prop_assert_eq!(&field.crm, &expected);
    }

    #[test]
    fn where_both_changed_it_the_rule_says_whose_value_stands(
        from in 0..4u8, crm in 0..4u8, dialler in 0..4u8, rule in rules(),
    ) {
        prop_assume!(crm != from && dialler != from && crm != dialler);
        let mut field = Field { crm: value(crm), dialler: value(dialler), ..Field::new(Kind::Text, from) };
        field.round(rule);
        let expected = match rule {
            ConflictRule::Crm => (value(crm), value(crm)),
            ConflictRule::Dialler => (value(dialler), value(dialler)),
            ConflictRule::Ask => (value(crm), value(dialler)),
        };
        prop_assert_eq!((field.crm, field.dialler), expected);
    }
}
