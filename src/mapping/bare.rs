//! Which names of a condition are only asked whether they hold anything: of their values no more need be kept.

use super::token::{Kind, Token, tokens};
use std::collections::BTreeSet;

/// The names that stand in these conditions alone, or after `not`, between `and`s and `or`s that are in no bracket, and
/// nowhere else. In doubt a name is none of them.
pub fn bare(sources: &[&str]) -> BTreeSet<String> {
    let (mut alone, mut otherwise) = (BTreeSet::new(), BTreeSet::new());
    for source in sources {
        let found = tokens(source);
        // Which side of a choice counts depends on more than whether a name holds anything.
        let chosen = found.iter().any(|token| token.is_word("if"));
        for operand in operands(&found) {
            match operand {
                [name] if name.kind == Kind::Word && !chosen => alone.insert(name.text.to_owned()),
                [not, name] if not.is_word("not") && name.kind == Kind::Word && !chosen => {
                    alone.insert(name.text.to_owned())
                }
                other => {
                    let words = other.iter().filter(|token| token.kind == Kind::Word);
                    otherwise.extend(words.map(|token| token.text.to_owned()));
                    true
                }
            };
        }
    }
    alone.difference(&otherwise).cloned().collect()
}

/// What stands between the `and`s and `or`s outside all brackets.
fn operands<'t, 's>(found: &'t [Token<'s>]) -> Vec<&'t [Token<'s>]> {
    let mut depth = 0_i32;
    let splits = |token: &Token<'_>| {
        if ["(", "[", "{"].iter().any(|sign| token.is_sign(sign)) {
            depth += 1;
        } else if [")", "]", "}"].iter().any(|sign| token.is_sign(sign)) {
            depth -= 1;
        }
        depth == 0 && (token.is_word("and") || token.is_word("or"))
    };
    found.split(splits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_bare_only_where_nothing_but_its_truth_counts() {
        for (sources, names) in [
            (&["phone and not active or x"][..], &["active", "phone", "x"][..]),
            (&["phone and until >= today"], &["phone"]),
            (&["phone and phone | length > 3"], &[]),
            (&["phone", "country == 'DE' and phone != mobile"], &[]),
            (&["a if b else c and d"], &[]),
            (&["a and (b or c) and partner.city and d[0] and not e in f"], &["a"]),
            (&["x | default(a and b) == y and z"], &["z"]),
            (&["'a and b' == c and x"], &["x"]),
        ] {
            assert_eq!(bare(sources).into_iter().collect::<Vec<_>>(), names, "{sources:?}");
        }
    }
}
