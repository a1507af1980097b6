//! The tokens of an expression: just enough of minijinja's grammar to find the record's names in it.
//!
//! Only texts that minijinja has already compiled are cut up here, so nothing needs to be refused.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A name or a keyword.
    Word,
    /// A text in quotes.
    Text,
    /// A number.
    Number,
    /// An operator or a bracket.
    Sign,
}

/// One token with its place in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    /// What it is.
    pub kind: Kind,
    /// Its text, quotes included.
    pub text: &'a str,
    /// Where it begins, in bytes.
    pub start: usize,
}

impl<'a> Token<'a> {
    /// Whether it is this sign.
    pub fn is_sign(&self, sign: &str) -> bool {
        self.kind == Kind::Sign && self.text == sign
    }

    /// Whether it is this word.
    pub fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text == word
    }

    /// A quoted text's content; `None` where it holds escapes (then it is no plain name).
    pub fn plain_text(&self) -> Option<&'a str> {
        let inner = self.text.get(1..self.text.len().checked_sub(1)?)?;
        (self.kind == Kind::Text && !inner.contains('\\')).then_some(inner)
    }
}

/// Cuts `source` into tokens; blanks are dropped.
pub fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(first) = source[at..].chars().next() {
        if first.is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let rest = &source[at..];
        let (kind, length) = if first.is_ascii_alphabetic() || first == '_' {
            (Kind::Word, run(rest, |c| c.is_ascii_alphanumeric() || c == '_'))
        } else if first.is_ascii_digit() {
            (Kind::Number, number_length(rest))
        } else if first == '\'' || first == '"' {
            (Kind::Text, text_length(rest, first))
        } else {
            (Kind::Sign, sign_length(rest, first))
        };
        found.push(Token { kind, text: &rest[..length], start: at });
        at += length;
    }
    found
}

fn run(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

/// `12`, `1_000`, `0x1f`, `1.5`, `1.5e-3`.
fn number_length(text: &str) -> usize {
    let digit_at = |at: usize| text[at..].starts_with(|c: char| c.is_ascii_digit());
    let mut end = run(text, |c| c.is_ascii_alphanumeric() || c == '_');
    if text[end..].starts_with('.') && digit_at(end + 1) {
        end += 1 + run(&text[end + 1..], |c| c.is_ascii_alphanumeric() || c == '_');
    }
    let exponent = text[..end].ends_with(['e', 'E']) && !text.starts_with("0x") && !text.starts_with("0X");
    if exponent && text[end..].starts_with(['+', '-']) && digit_at(end + 1) {
        end += 1 + run(&text[end + 1..], |c| c.is_ascii_digit());
    }
    end
}

fn text_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == quote {
            return at + 1;
        }
    }
    text.len()
}

fn sign_length(text: &str, first: char) -> usize {
    let long = ["==", "!=", "<=", ">=", "//", "**"].iter().any(|sign| text.starts_with(sign));
    if long { 2 } else { first.len_utf8() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_at_the_right_places() {
        let texts: Vec<_> = tokens("a.b[-1] ~ 'it\\'s \"x\"'|cut(3)!=1.5 and x1==\"ü\"")
            .iter()
            .map(|token| token.text.to_owned())
            .collect();
        assert_eq!(tokens("1.5e-3-2").len(), 3);
        assert_eq!(
            texts,
            [
                "a",
                ".",
                "b",
                "[",
                "-",
                "1",
                "]",
                "~",
                "'it\\'s \"x\"'",
                "|",
                "cut",
                "(",
                "3",
                ")",
                "!=",
                "1.5",
                "and",
                "x1",
                "==",
                "\"ü\""
            ]
        );
    }

    proptest::proptest! {
        #[test]
        fn tokens_cover_any_text(text in "\\PC{0,60}") {
            let mut at = 0;
            for token in tokens(&text) {
                proptest::prop_assert!(text[at..token.start].chars().all(|c| c.is_ascii_whitespace()));
                at = token.start + token.text.len();
                proptest::prop_assert_eq!(&text[token.start..at], token.text);
            }
        }
    }
}
