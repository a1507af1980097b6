//! Of which names of a condition less than the value need be kept: whether it holds anything, and which of a few fixed
//! texts it is.

use super::token::{Kind, Token, tokens};
use std::collections::{BTreeMap, BTreeSet};

/// The names that stand in these conditions alone, after `not`, or beside a fixed text with `==` or `!=` between them,
/// between `and`s and `or`s that are in no bracket, and nowhere else; each with the texts it is compared with. In doubt
/// a name is none of them.
pub fn bare(sources: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let (mut alone, mut otherwise) = (BTreeMap::<String, BTreeSet<String>>::new(), BTreeSet::new());
    for source in sources {
        let found = tokens(source);
        // Which side of a choice counts depends on more than whether a name holds anything.
        let chosen = found.iter().any(|token| token.is_word("if"));
        for operand in operands(&found) {
            match asked(operand).filter(|_| !chosen) {
                Some((name, text)) => {
                    alone.entry(name.to_owned()).or_default().extend(text.map(str::to_owned))
                }
                None => {
                    let words = operand.iter().filter(|token| token.kind == Kind::Word);
                    otherwise.extend(words.map(|token| token.text.to_owned()));
                }
            }
        }
    }
    alone.retain(|name, _| !otherwise.contains(name));
    alone
}

/// The one name of an operand, and the fixed text it is compared with.
fn asked<'s>(operand: &[Token<'s>]) -> Option<(&'s str, Option<&'s str>)> {
    let operand = match operand {
        [not, rest @ ..] if not.is_word("not") => rest,
        all => all,
    };
    match operand {
        [name] if name.kind == Kind::Word => Some((name.text, None)),
        [name, sign, text] | [text, sign, name]
            if name.kind == Kind::Word && (sign.is_sign("==") || sign.is_sign("!=")) =>
        {
            Some((name.text, Some(text.plain_text()?)))
        }
        _ => None,
    }
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
    fn a_name_is_bare_only_where_its_truth_and_a_few_texts_are_all_that_counts() {
        for (sources, names) in [
            (&["phone and not active or x"][..], "active, phone, x"),
            (&["phone and until >= today"], "phone"),
            (&["phone and phone | length > 3"], ""),
            (&["phone", "country == 'DE' and phone != mobile"], "country 'DE'"),
            (&["'new' != stage and not stage == \"won\"", "stage or until < today"], "stage 'new' 'won'"),
            (&["stage == 'new' and stage | lower == 'x'"], ""),
            (&["stage == 'it\\'s' and score == 3 and done == false"], ""),
            (&["a if b else c and d"], ""),
            (&["a and (b or c) and partner.city == 'x' and d[0] and not e in f"], "a"),
            (&["x | default(a and b) == y and z"], "z"),
            (&["'a and b' == c and x"], "c 'a and b', x"),
        ] {
            let told = bare(sources)
                .into_iter()
                .map(|(name, texts)| texts.into_iter().fold(name, |told, text| format!("{told} '{text}'")));
            assert_eq!(told.collect::<Vec<_>>().join(", "), names, "{sources:?}");
        }
    }
}
