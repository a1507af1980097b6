//! Which fixed values an expression compares with: `check` knows which of them can never be met.

use super::token::{Kind, Token, tokens};
use serde_json::Value as Json;

/// The fixed values beside `==`, `!=` and behind `is`, as far as they are plain.
pub fn compared(source: &str) -> Vec<Json> {
    let found = tokens(source);
    let mut values = Vec::new();
    for (at, token) in found.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| found.get(at));
        let after = found.get(at + 1);
        if token.is_sign("==") || token.is_sign("!=") {
            values.extend(beside(before, after).into_iter().chain(beside(after, before)));
        } else if token.is_word("is") {
            let not = after.is_some_and(|word| word.is_word("not"));
            let tested = if not { found.get(at + 2) } else { after };
            values.extend(tested.filter(|word| word.kind == Kind::Word).and_then(fixed));
        }
    }
    values.dedup();
    values
}

/// The fixed value on one side, where a field stands on the other. A filter's closing bracket is none:
/// `x | default('') == ''` is met.
fn beside(value: Option<&Token<'_>>, field: Option<&Token<'_>>) -> Option<Json> {
    let field = field?;
    (field.kind == Kind::Word || field.is_sign("]")).then(|| fixed(value?)).flatten()
}

fn fixed(token: &Token<'_>) -> Option<Json> {
    match token.kind {
        Kind::Word if token.is_word("false") || token.is_word("False") => Some(Json::Bool(false)),
        Kind::Word if token.is_word("true") || token.is_word("True") => Some(Json::Bool(true)),
        Kind::Text => token.plain_text().map(Json::from),
        Kind::Number => token.text.parse::<i64>().ok().map(Json::from),
        Kind::Word | Kind::Sign => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn literals_beside_comparisons_are_found_and_others_are_not() {
        for (source, values) in [
            ("active == false", vec![json!(false)]),
            ("'' != name and not x", vec![json!("")]),
            ("x is not false or n == 3", vec![json!(false), json!(3)]),
            ("name | default('') ~ 'x'", vec![]),
            ("name | default('') == ''", vec![]),
            ("parts[0] == 'x'", vec![json!("x")]),
            ("x == y and z is defined", vec![]),
        ] {
            assert_eq!(compared(source), values, "{source}");
        }
    }
}
