//! Names in `only_if` that look like consent or a ban on calling: `check` warns of them (semantics 7), and whoever is out of the
//! route by what they say waits with no wave of a changed condition, because it may be a no.

use super::expression::{Expression, Inputs};
use super::filters::Options;
use super::record::{Condition, condition};
use super::token::{Token, tokens};
use crate::domain::{Problem, RouteName};

/// Words in a name that speak of consent or of a ban on calling, without signs and in lower case.
const CONSENT_WORDS: &[&str] = &[
    "consent",
    "optout",
    "optedout",
    "optin",
    "donotcall",
    "donotphone",
    "donotcontact",
    "dnc",
    "nocall",
    "blacklist",
    "blocklist",
    "blocked",
    "suppress",
    "unsubscribe",
    "robinson",
    "gdpr",
    "dsgvo",
    "donotdisturb",
    "permission",
    "einwilligung",
    "zustimmung",
    "erlaubnis",
    "sperre",
    "sperrvermerk",
    "kontaktverbot",
    "werbeverbot",
    "keinanruf",
    "gesperrt",
    "widerspruch",
    "widerruf",
];

/// What is allowed but looks wrong.
pub fn warnings(route: &RouteName, only_if: Option<&Expression>) -> Vec<Problem> {
    only_if.into_iter().flat_map(names_in).map(|name| consent_warning(route, &name)).collect()
}

/// The names in it that speak of consent.
fn names_in(expression: &Expression) -> Vec<String> {
    let mut names: Vec<String> = expression.paths.iter().map(ToString::to_string).collect();
    names.retain(|name| speaks_of_consent(name));
    names
}

/// Whether a name looks like consent or a ban on calling.
pub fn speaks_of_consent(name: &str) -> bool {
    let plain: String = name.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect();
    CONSENT_WORDS.iter().any(|word| plain.contains(word))
}

fn consent_warning(route: &RouteName, name: &str) -> Problem {
    Problem::new(
        format!("route.{route}.only_if"),
        format!("{name} looks like consent or a ban on calling"),
        "block_if for what forbids calling a person",
    )
    .remedy(
        "only_if holds for this route only and its return unlocks by itself; block_if blocks the record and \
         its numbers in all routes until a person lifts it.",
    )
}

/// Those parts of a condition (`a and b and c`) that speak of consent; the whole of it where it cannot be taken apart.
pub fn parts(only_if: &Expression, options: &Options) -> Vec<Expression> {
    let compile = |source: &str| Expression::compile(&only_if.label, source, options).map(|(part, _)| part);
    let parts: Result<Vec<_>, _> = ands(&only_if.source).into_iter().map(compile).collect();
    let parts = match parts {
        Ok(parts) => parts,
        // It was read as a whole.
        Err(_) => compile(&only_if.source).into_iter().collect(),
    };
    parts.into_iter().filter(|part| !names_in(part).is_empty()).collect()
}

/// The name of consent that keeps a record out, if one does: a part that is not true, or of which that cannot be told.
pub fn says_no(parts: &[Expression], inputs: &Inputs<'_>) -> Option<String> {
    let out = |part: &&Expression| match condition(Some(part), inputs) {
        Condition::False | Condition::Broken(_) => true,
        Condition::True | Condition::NotAsked => false,
    };
    parts.iter().find(out).and_then(|part| names_in(part).into_iter().next())
}

/// The source cut at every `and` of its outermost level; whole where something stands there that binds less.
fn ands(source: &str) -> Vec<&str> {
    let (mut cuts, mut depth) = (Vec::new(), 0_usize);
    let all = tokens(source);
    for (at, token) in all.iter().enumerate() {
        let attribute = at.checked_sub(1).and_then(|before| all.get(before)).is_some_and(|b| b.is_sign("."));
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            "or" | "if" | "else" if depth == 0 && !attribute => return vec![source],
            "and" if depth == 0 && !attribute => cuts.push(token),
            _ => {}
        }
    }
    let (mut parts, mut from) = (Vec::new(), 0);
    for Token { text, start, .. } in cuts {
        parts.push(source[from..*start].trim());
        from = start + text.len();
    }
    parts.push(source[from..].trim());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Record, RecordId};
    use serde_json::{Value, json};

    fn says(source: &str, fields: Value) -> Option<String> {
        let options = Options { zone: chrono_tz::Europe::Berlin, country: None };
        let (only_if, _) = Expression::compile("only_if", source, &options).expect("compiles");
        let Value::Object(fields) = fields else { unreachable!() };
        let record = Record { id: RecordId::from("1"), modified: None, deleted: false, fields };
        let today = chrono::NaiveDate::from_ymd_opt(2030, 1, 7).expect("a day");
        let options_value = minijinja::Value::from_object(options.clone());
        says_no(&parts(&only_if, &options), &Inputs { record: &record, today, options: &options_value })
    }

    #[test]
    fn a_no_in_only_if_is_told_from_what_else_keeps_a_record_out() {
        let long = "active and stage == 'new' and not do_not_call";
        for (source, fields, no) in [
            (long, json!({"active": true, "stage": "old", "do_not_call": false}), None),
            (long, json!({"active": false, "stage": "old", "do_not_call": true}), Some("do_not_call")),
            ("active", json!({"active": false}), None),
            (
                "consent == 'given' and active",
                json!({"active": true, "consent": "withdrawn"}),
                Some("consent"),
            ),
            ("consent == 'given' and active", json!({"active": false, "consent": "given"}), None),
            // What cannot be taken apart is taken for a no as a whole, and so is what cannot be told.
            ("active or consent", json!({"active": false, "consent": false}), Some("consent")),
            ("(active and consent)", json!({"active": false, "consent": true}), Some("consent")),
            ("active and consent", json!({"active": false}), Some("consent")),
            ("Anrufsperre_bis is none", json!({"Anrufsperre_bis": "2031-01-01"}), Some("Anrufsperre_bis")),
            ("x_kein_anruf != 'ja'", json!({"x_kein_anruf": "ja"}), Some("x_kein_anruf")),
            ("Zustimmung == 'ja'", json!({"Zustimmung": ""}), Some("Zustimmung")),
            (
                "call_permission and Erlaubnis",
                json!({"call_permission": false, "Erlaubnis": true}),
                Some("call_permission"),
            ),
            ("not Kontaktverbot", json!({"Kontaktverbot": true}), Some("Kontaktverbot")),
            ("not Werbeverbot", json!({"Werbeverbot": true}), Some("Werbeverbot")),
            ("not do_not_disturb", json!({"do_not_disturb": true}), Some("do_not_disturb")),
            ("record['a and b'] and 'and' != dnc", json!({"a and b": false, "dnc": "x"}), None),
        ] {
            assert_eq!(says(source, fields).as_deref(), no, "{source}");
        }
    }
}
