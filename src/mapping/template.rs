//! The UserData template: texts, the record's id and the route's name joined by `~`, and nothing else.
//!
//! It is read without minijinja: every part is known, so "any part is null, false, empty or a fraction"
//! (semantics 10) can be checked part by part, and two routes' templates can be compared.

use super::token::{Kind, Token, tokens};
use crate::domain::{Reason, ReasonCode, RecordId, RouteName, UserData};

/// One part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// The same for every record: a text of the template, or the route's name.
    Constant(String),
    /// The record's id, exactly as the CRM wrote it.
    Id,
}

/// A checked template with the id in it exactly once or more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Part>);

impl Template {
    /// Reads `'leads-' ~ id`.
    ///
    /// # Errors
    /// What stands in it that may not, in words for "given".
    pub fn parse(source: &str, route: &RouteName) -> Result<Self, String> {
        let found = tokens(source);
        let mut parts = Vec::new();
        for (at, token) in found.iter().enumerate() {
            if at.is_multiple_of(2) {
                parts.push(part(token, route)?);
            } else if !token.is_sign("~") {
                return Err(format!("{source} has {} where ~ belongs", token.text));
            }
        }
        if found.len().is_multiple_of(2) {
            return Err(format!("{source} ends where a text, id or route belongs"));
        }
        if !parts.contains(&Part::Id) {
            return Err(format!("{source} does not name the record's id: all records would be one contact"));
        }
        let constant: String = parts.iter().filter_map(Part::constant).collect();
        match UserData::parse(&constant) {
            Err(crate::domain::UserDataError::Empty) | Ok(_) => Ok(Self(parts)),
            Err(problem) => Err(format!("{source}: {problem}")),
        }
    }

    /// The UserData of a record.
    ///
    /// # Errors
    /// `BadUserData` for an id that is empty, null, false or a fraction, and for what does not fit.
    pub fn render(&self, id: &RecordId) -> Result<UserData, Reason> {
        let bad = |problem: String| Reason::new(ReasonCode::BadUserData).with("problem", problem);
        if let Some(problem) = id_problem(id.as_str()) {
            return Err(bad(format!("the record's id is {problem}")));
        }
        let text: String = self.0.iter().map(|part| part.constant().unwrap_or(id.as_str())).collect();
        UserData::parse(&text).map_err(|problem| bad(problem.to_string()))
    }

    /// The record whose key this would be. `None`: it is no key of this template, or could be anybody's because nothing in
    /// the template is the same for all.
    pub fn record_of(&self, user_data: &str) -> Option<RecordId> {
        let constant: usize = self.0.iter().filter_map(Part::constant).map(str::len).sum();
        let ids = self.0.iter().filter(|part| **part == Part::Id).count();
        let rest = user_data.len().checked_sub(constant).filter(|rest| constant > 0 && rest % ids == 0)?;
        let before: usize = self.0.iter().map_while(Part::constant).map(str::len).sum();
        let id = RecordId::from(user_data.get(before..before + rest / ids)?);
        self.render(&id).is_ok_and(|key| key.as_str() == user_data).then_some(id)
    }

    /// The parts, in order.
    pub fn parts(&self) -> &[Part] {
        &self.0
    }
}

impl std::fmt::Display for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, part) in self.0.iter().enumerate() {
            let joint = if at == 0 { "" } else { " ~ " };
            match part {
                Part::Constant(text) => write!(f, "{joint}'{text}'")?,
                Part::Id => write!(f, "{joint}id")?,
            }
        }
        Ok(())
    }
}

impl Part {
    fn constant(&self) -> Option<&str> {
        match self {
            Self::Constant(text) => Some(text),
            Self::Id => None,
        }
    }
}

fn part(token: &Token<'_>, route: &RouteName) -> Result<Part, String> {
    match token.kind {
        Kind::Word if token.text == "id" => Ok(Part::Id),
        Kind::Word if token.text == "route" => Ok(Part::Constant(route.to_string())),
        Kind::Text => match token.plain_text() {
            Some("") => Err("an empty text".to_owned()),
            Some(text) => Ok(Part::Constant(text.to_owned())),
            None => Err(format!("{} has a backslash", token.text)),
        },
        Kind::Word | Kind::Number | Kind::Sign => Err(format!("names {}", token.text)),
    }
}

/// Why an id cannot be part of a key, in words.
fn id_problem(id: &str) -> Option<&'static str> {
    let fraction = |(whole, rest): (&str, &str)| {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        digits(whole.strip_prefix('-').unwrap_or(whole)) && digits(rest)
    };
    match id {
        _ if id.trim().is_empty() => Some("empty"),
        "null" | "None" | "none" => Some("null"),
        "false" | "true" | "False" | "True" => Some("a truth value"),
        _ if id.split_once('.').is_some_and(fraction) => Some("a fraction"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn template(source: &str) -> Result<Template, String> {
        Template::parse(source, &RouteName::from("leads"))
    }

    fn render(source: &str, id: &str) -> Result<String, Reason> {
        template(source).unwrap().render(&RecordId::from(id)).map(|data| data.to_string())
    }

    #[test]
    fn joins_texts_route_and_id() {
        assert_eq!(render("'odoo-' ~ id", "42").as_deref(), Ok("odoo-42"));
        assert_eq!(render("route~\":\"~id", "0035g00000ABCDEFGH").as_deref(), Ok("leads:0035g00000ABCDEFGH"));
        assert_eq!(render("id", "007").as_deref(), Ok("007"));
    }

    #[test]
    fn anything_else_is_refused() {
        for source in [
            "'x'",
            "",
            "id ~",
            "~ id",
            "id id",
            "id ~ name",
            "id | upper",
            "'' ~ id",
            "id + 1",
            "1 ~ id",
            "none ~ id",
            "'a b' ~ id",
            "'ä' ~ id",
            "('x' ~ id)",
        ] {
            assert!(template(source).is_err(), "{source}");
        }
    }

    #[test]
    fn ids_that_are_no_key_are_refused() {
        for id in ["", " ", "null", "false", "4.5", "-4.0", "a b", "ä", "a_b", &"9".repeat(64)] {
            let reason = render("'k-' ~ id", id).expect_err(id);
            assert_eq!(reason.code, ReasonCode::BadUserData);
        }
        assert_eq!(render("'k-' ~ id", "v1.5").as_deref(), Ok("k-v1.5"));
    }

    #[test]
    fn a_key_is_its_records_and_anything_else_is_nobodys() {
        for (source, key, expected) in [
            ("'leads-' ~ id", "leads-42", Some("42")),
            ("id ~ ':' ~ route ~ ':' ~ id", "7:leads:7", Some("7")),
            ("id ~ ':' ~ route ~ ':' ~ id", "7:leads:8", None),
            ("'leads-' ~ id", "Leads-42", None),
            ("'leads-' ~ id", "leads-", None),
            ("'leads-' ~ id", "leads", None),
            ("'leads-' ~ id", "4711", None),
            ("'leads-' ~ id", "l\u{e9}ads-42", None),
            ("id", "42", None),
        ] {
            let found = template(source).expect(source).record_of(key);
            assert_eq!(found, expected.map(RecordId::from), "{source} {key}");
        }
    }

    proptest! {
        #[test]
        fn a_value_is_in_the_alphabet_or_refused(id in "\\PC{0,80}|[a-zA-Z0-9.:-]{0,70}") {
            if let Ok(value) = render("route ~ '-' ~ id", &id) {
                prop_assert!((1..=64).contains(&value.chars().count()));
                prop_assert!(value.chars().all(|c| c.is_ascii_alphanumeric() || ".:-".contains(c)));
                prop_assert!(value.ends_with(&id), "never cut");
            }
        }
    }
}
