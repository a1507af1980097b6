//! Reads an expression before it is used: which names of the record it takes, and what in it cannot work.
//!
//! Every reference to the record (`name`, `parent.name`, `country_id[1]`) is replaced by a variable of
//! ours, so that our own code finds its value. That is how a name that the record does not carry can be
//! an error everywhere: minijinja's strict mode lets `missing == true` and `missing != 'no'` pass as
//! plain false and true, which would read an absent do-not-call flag as "may be called". It is also why
//! only the values that are named are converted, never the record.
//!
//! `~` is made safe for empty values on the way: minijinja would join them as the text `none`.

use super::filters::{FILTERS, TESTS};
use super::joints::{Out, join_safely};
use super::path::Path;
use super::token::{Kind, Token, tokens};
use crate::domain::suggest;

/// The variables that stand in for a reference; each is followed by the reference's number.
pub const VALUE: char = 'p';
/// As [`VALUE`], in its text form (an operand of `~`).
pub const TEXT: char = 's';
/// Whether the record carries the name (`is defined`).
pub const GUARD: char = 'h';
/// The day.
pub const TODAY: &str = "today";
/// The filter that makes any operand of `~` a text.
pub const TO_TEXT: &str = "t";

/// A use of one of our filters whose arguments are to be checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterUse {
    /// The filter.
    pub name: String,
    /// Its first argument, where that is a plain text.
    pub text: Option<String>,
    /// Whether it has any argument.
    pub has_arguments: bool,
}

/// What stands wrong in an expression, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub given: String,
    /// What would be right.
    pub expected: String,
    /// A hint.
    pub remedy: Option<String>,
}

/// What was found in an expression.
#[derive(Debug, Default)]
pub struct Analysis {
    /// The source with our variables in it.
    pub rewritten: String,
    /// The references, by number.
    pub paths: Vec<Path>,
    /// Whether it asks for the day.
    pub uses_today: bool,
    /// The filters in it.
    pub filters: Vec<FilterUse>,
    /// What cannot work.
    pub faults: Vec<Fault>,
    /// The whole expression is one reference.
    pub is_path: bool,
    /// The whole expression is one reference through `phone`, with the country in quotes or none.
    pub is_phone: bool,
}

/// Reads `source`, which minijinja has compiled.
pub fn analyse(source: &str) -> Analysis {
    let mut reader = Reader { tokens: tokens(source), at: 0, out: Vec::new(), found: Analysis::default() };
    while let Some(token) = reader.peek(0) {
        reader.read(token);
    }
    let Reader { mut out, mut found, .. } = reader;
    found.is_path = matches!(out.as_slice(), [one] if one.reference.is_some());
    found.is_phone = out.first().is_some_and(|one| one.reference.is_some())
        && match found.filters.as_slice() {
            [only] if only.name == "phone" => match only.has_arguments {
                false => out.len() == 3,
                true => out.len() == 6 && only.text.is_some(),
            },
            _ => false,
        };
    join_safely(&mut out);
    found.rewritten = out.iter().map(Out::written).collect::<Vec<_>>().join(" ");
    found
}

struct Reader<'a> {
    tokens: Vec<Token<'a>>,
    at: usize,
    out: Vec<Out>,
    found: Analysis,
}

fn did_you_mean<'c>(name: &str, known: impl IntoIterator<Item = &'c str>) -> Option<String> {
    suggest(name, known).map(|near| format!("Did you mean {near}?"))
}

const KEYWORDS: &[&str] =
    &["and", "or", "not", "in", "if", "else", "is", "true", "false", "none", "True", "False", "None"];

impl<'a> Reader<'a> {
    fn peek(&self, ahead: usize) -> Option<Token<'a>> {
        self.tokens.get(self.at + ahead).copied()
    }

    fn next_is(&self, ahead: usize, sign: &str) -> bool {
        self.peek(ahead).is_some_and(|token| token.is_sign(sign))
    }

    fn after(&self, sign: &str) -> bool {
        self.at > 0 && self.tokens[self.at - 1].is_sign(sign)
    }

    fn write(&mut self, text: &str, kind: Kind) {
        self.out.push(Out { text: text.to_owned(), kind, reference: None, as_text: false });
    }

    fn fault(&mut self, given: String, expected: &str, remedy: Option<String>) {
        self.found.faults.push(Fault { given, expected: expected.to_owned(), remedy });
    }

    fn read(&mut self, token: Token<'a>) {
        if token.kind != Kind::Word {
            self.write(token.text, token.kind);
            self.at += 1;
        } else if self.after("|") {
            self.filter(token);
        } else if token.text == "is" {
            self.test(token);
        } else if token.text == "null" {
            self.write("none", Kind::Word);
            self.at += 1;
        } else if KEYWORDS.contains(&token.text) {
            self.write(token.text, Kind::Word);
            self.at += 1;
        } else if self.next_is(1, "(") {
            self.fault(
                format!("calls {}()", token.text),
                "names, operators and filters",
                did_you_mean(token.text, FILTERS.iter().copied())
                    .or_else(|| Some("Functions are written as filters: value | filter".to_owned())),
            );
            self.write(token.text, Kind::Word);
            self.at += 1;
        } else if self.next_is(1, "=") || self.after(".") {
            // A named argument, or a name below something that is no plain reference.
            self.write(token.text, Kind::Word);
            self.at += 1;
        } else if token.text == TODAY {
            self.found.uses_today = true;
            self.write(TODAY, Kind::Word);
            self.at += 1;
        } else {
            self.reference(token);
        }
    }

    fn filter(&mut self, token: Token<'a>) {
        if !FILTERS.contains(&token.text) {
            self.fault(
                format!("the filter {} does not exist", token.text),
                &format!("one of {}", FILTERS.join(", ")),
                did_you_mean(token.text, FILTERS.iter().copied()),
            );
        }
        let has_arguments = self.next_is(1, "(") && !self.next_is(2, ")");
        let text = self.peek(2).filter(|_| has_arguments && !self.next_is(3, "="));
        self.found.filters.push(FilterUse {
            name: token.text.to_owned(),
            text: text.and_then(|token| token.plain_text()).map(str::to_owned),
            has_arguments,
        });
        self.write(token.text, Kind::Word);
        self.at += 1;
    }

    /// `is [not] NAME` behind something that is no plain reference to the record, or with a test other
    /// than `defined`.
    fn test(&mut self, token: Token<'a>) {
        self.write(token.text, Kind::Word);
        self.at += 1;
        if let Some(not) = self.peek(0).filter(|token| token.is_word("not")) {
            self.write(not.text, Kind::Word);
            self.at += 1;
        }
        let Some(name) = self.peek(0).filter(|token| token.kind == Kind::Word) else { return };
        if matches!(name.text, "defined" | "undefined") {
            self.fault(
                format!("'is {}' behind something that is not a name", name.text),
                "NAME is defined",
                None,
            );
        } else if !TESTS.contains(&name.text) && !matches!(name.text, "true" | "false") {
            self.fault(
                format!("the test {} does not exist", name.text),
                &format!("one of defined, undefined, {}", TESTS.join(", ")),
                did_you_mean(name.text, TESTS.iter().copied().chain(["defined", "undefined"])),
            );
        }
        self.write(name.text, Kind::Word);
        self.at += 1;
    }

    fn reference(&mut self, token: Token<'a>) {
        let path = self.path(token);
        let number = match self.found.paths.iter().position(|known| *known == path) {
            Some(number) => number,
            None => {
                self.found.paths.push(path);
                self.found.paths.len() - 1
            }
        };
        if let Some((absent, length)) = self.guard() {
            self.at += length;
            let not = if absent { "not " } else { "" };
            self.write(&format!("({not}{GUARD}{number})"), Kind::Word);
            return;
        }
        self.out.push(Out { text: String::new(), kind: Kind::Word, reference: Some(number), as_text: false });
    }

    /// `is [not] defined|undefined` next: whether absence is asked for, and how many tokens that is.
    fn guard(&self) -> Option<(bool, usize)> {
        self.peek(0).filter(|token| token.is_word("is"))?;
        let not = self.peek(1).is_some_and(|token| token.is_word("not"));
        let length = if not { 3 } else { 2 };
        match self.peek(length - 1)?.text {
            "defined" => Some((not, length)),
            "undefined" => Some((!not, length)),
            _ => None,
        }
    }

    /// The longest reference that begins here.
    fn path(&mut self, token: Token<'a>) -> Path {
        self.at += 1;
        let quoted = |reader: &Self| {
            let name = reader.peek(1)?.plain_text()?;
            (reader.next_is(0, "[") && reader.next_is(2, "]")).then_some(name)
        };
        // `record['Home Phone']`: the way to a field whose name is no word.
        let mut path = match quoted(self).filter(|_| token.text == "record") {
            Some(name) => {
                self.at += 3;
                Path::new(name)
            }
            None => Path::new(token.text),
        };
        loop {
            if let Some(name) = quoted(self) {
                path.push_name(name);
                self.at += 3;
            } else if let Some((index, length)) = self.index() {
                path.push_index(index);
                self.at += length;
            } else if let Some(name) = self.dotted() {
                path.push_name(name);
                self.at += 2;
            } else {
                return path;
            }
        }
    }

    fn dotted(&self) -> Option<&'a str> {
        let name = self.peek(1).filter(|token| self.next_is(0, ".") && token.kind == Kind::Word)?;
        (!self.next_is(2, "(")).then_some(name.text)
    }

    fn index(&self) -> Option<(i64, usize)> {
        if !self.next_is(0, "[") {
            return None;
        }
        let minus = self.next_is(1, "-");
        let digits = if minus { 2 } else { 1 };
        let number: i64 = self.peek(digits)?.text.parse().ok()?;
        self.next_is(digits + 1, "]").then_some((if minus { -number } else { number }, digits + 2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(source: &str) -> Vec<String> {
        analyse(source).paths.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn finds_the_names_and_only_these() {
        assert_eq!(paths("name"), ["name"]);
        assert_eq!(paths("a.b[1].c ~ d['e f'] ~ \"g\""), ["a.b[1].c", "d.e f"]);
        assert_eq!(paths("a | replace('b', c) | default(d, e=f)"), ["a", "c", "d", "f"]);
        assert_eq!(paths("a if b is not none and not c else null"), ["a", "b", "c"]);
        assert_eq!(paths("record['Home Phone'] or record.x"), ["Home Phone", "record.x"]);
        assert_eq!(paths("a[b].c == a[b:2]"), ["a", "b"]);
        assert_eq!(paths("list[-1] + a - 1"), ["list[-1]", "a"]);
        assert_eq!(paths("until >= today"), ["until"]);
        assert!(analyse("until >= today").uses_today);
        assert!(!analyse("'today'").uses_today);
    }

    #[test]
    fn rewrites() {
        assert_eq!(analyse("a.b == c").rewritten, "p0 == p1");
        assert_eq!(analyse("a is defined and a is not undefined").rewritten, "(h0) and (h0)");
        assert_eq!(analyse("a is not defined or a").rewritten, "(not h0) or p0");
        assert_eq!(
            analyse("a ~ ' ' ~ b|upper ~ (c + 1)").rewritten,
            "s0 ~ ' ' ~ p1 | upper|t ~ ( p2 + 1 )|t"
        );
        assert_eq!(analyse("a ~ x[i]").rewritten, "s0 ~ p1 [ p2 ]|t");
    }

    #[test]
    fn knows_the_simple_forms() {
        assert!(analyse("a.b").is_path);
        assert!(!analyse("a.b or c").is_path);
        assert!(!analyse("a is defined").is_path);
        assert!(analyse("a|phone").is_phone);
        assert!(analyse("a.b | phone('DE')").is_phone);
        assert!(!analyse("a | phone(c)").is_phone);
        assert!(!analyse("a | phone('DE') or b").is_phone);
        assert!(!analyse("a or b | phone('DE')").is_phone);
    }

    #[test]
    fn what_cannot_work_is_said() {
        for (source, part) in [
            ("range(3)", "calls range()"),
            ("a.upper()", "calls upper()"),
            ("a | uper", "the filter uper does not exist"),
            ("a is nonee", "the test nonee does not exist"),
            ("(a or b) is defined", "'is defined' behind"),
        ] {
            let faults = analyse(source).faults;
            assert!(faults.iter().any(|fault| fault.given.contains(part)), "{source}: {faults:?}");
        }
        assert_eq!(analyse("a | uper").faults[0].remedy.as_deref(), Some("Did you mean upper?"));
    }
}
