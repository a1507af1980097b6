//! Free text that both sides write (users 29): the CRM's part stands between two marks, what agents write around it is
//! theirs and stays to the letter. Pure and total.

use serde_json::Value;

/// Before the CRM's part.
const OPEN: &str = "[CRM]";
/// Behind it.
const CLOSE: &str = "[/CRM]";

/// A text of the CRM's as it is sent. Marks in the text itself are taken out: they would say where it ends.
pub fn marked(text: &str) -> String {
    let mut text = text.to_owned();
    while text.contains(OPEN) || text.contains(CLOSE) {
        text = text.replace(OPEN, "").replace(CLOSE, "");
    }
    format!("{OPEN} {} {CLOSE}", text.trim())
}

/// Whether a value that is to be sent is such a part, and nothing beside it.
pub fn is_part(value: &Value) -> bool {
    value.as_str().is_some_and(|text| found(text) == Some((0, text.len())))
}

/// The CRM's part of what the dialler holds; `None`: there is none.
pub fn part_of(held: &Value) -> Option<&str> {
    let text = held.as_str()?;
    found(text).map(|(from, to)| &text[from..to])
}

/// What is to be held in the place of `held` so that the CRM's part is `wished`, or gone (`null`). What stands around it
/// stays; without a part the new one goes above everything.
pub fn put(held: &Value, wished: &Value) -> Value {
    let text = held.as_str().unwrap_or_default();
    let part = wished.as_str().filter(|part| !part.is_empty());
    let put = match (found(text), part) {
        (Some((from, to)), Some(part)) => format!("{}{part}{}", &text[..from], &text[to..]),
        (Some((from, to)), None) => {
            let (before, after) = (&text[..from], &text[to..]);
            // The line that was ours goes with it.
            format!("{before}{}", after.strip_prefix('\n').unwrap_or(after))
        }
        (None, Some(part)) if text.is_empty() => part.to_owned(),
        (None, Some(part)) => format!("{part}\n{text}"),
        (None, None) => text.to_owned(),
    };
    if put.is_empty() { Value::Null } else { Value::from(put) }
}

/// From where to where the part goes: the first end that has a beginning before it, and the nearest beginning, so that a
/// mark that somebody damaged never swallows what agents wrote.
fn found(text: &str) -> Option<(usize, usize)> {
    let mut from = 0;
    while let Some(end) = text[from..].find(CLOSE).map(|at| from + at) {
        if let Some(begin) = text[..end].rfind(OPEN).filter(|begin| *begin >= from) {
            return Some((begin, end + CLOSE.len()));
        }
        from = end + CLOSE.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn after(held: &str, wished: Value) -> Value {
        put(&json!(held), &wished)
    }

    #[test]
    fn what_agents_wrote_stays_and_the_part_is_replaced_where_it_stands() {
        let (old, new) = (json!(marked("mornings")), json!(marked("evenings")));
        assert_eq!(new, json!("[CRM] evenings [/CRM]"));
        for (held, wished, held_then) in [
            ("", &new, json!("[CRM] evenings [/CRM]")),
            ("rang twice", &new, json!("[CRM] evenings [/CRM]\nrang twice")),
            ("[CRM] mornings [/CRM]\nrang twice", &new, json!("[CRM] evenings [/CRM]\nrang twice")),
            ("above [CRM] mornings [/CRM] below", &new, json!("above [CRM] evenings [/CRM] below")),
            ("[CRM] mornings [/CRM]\nrang twice", &json!(null), json!("rang twice")),
            ("[CRM] mornings [/CRM]", &json!(null), json!(null)),
            ("rang twice", &json!(null), json!("rang twice")),
            // Marks that somebody damaged.
            ("[CRM] mornings\nrang", &new, json!("[CRM] evenings [/CRM]\n[CRM] mornings\nrang")),
            ("x [/CRM] y", &new, json!("[CRM] evenings [/CRM]\nx [/CRM] y")),
            ("[CRM] rang [CRM] mornings [/CRM]", &new, json!("[CRM] rang [CRM] evenings [/CRM]")),
        ] {
            assert_eq!(after(held, wished.clone()), held_then, "{held}");
        }
        assert!(is_part(&old) && !is_part(&json!("x [CRM] mornings [/CRM]")) && !is_part(&json!(null)));
        assert_eq!(marked("a [CR[CRM]M] b [/CRM]"), "[CRM] a  b [/CRM]");
    }

    /// Agents' text with marks and halves of marks in it.
    fn text() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            "[a-z ]{0,6}",
            Just("\n".to_owned()),
            Just(OPEN.to_owned()),
            Just(CLOSE.to_owned()),
            Just("[CR".to_owned())
        ];
        proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn the_part_is_what_was_wished_and_saying_it_again_changes_nothing(held in text(), crm in text()) {
            let wished = json!(marked(&crm));
            prop_assert!(is_part(&wished));
            let once = put(&json!(held), &wished);
            prop_assert_eq!(part_of(&once), wished.as_str());
            prop_assert_eq!(put(&once, &wished), once);
        }

        #[test]
        fn whatever_the_crm_says_in_turn_what_stands_around_its_part_stays(
            above in "[a-z\n ]{0,9}", below in "[a-z\n ]{0,9}", says in proptest::collection::vec(text(), 1..5),
        ) {
            let mut held = json!(format!("{above}{}{below}", marked("first")));
            for crm in &says {
                held = put(&held, &json!(marked(crm)));
            }
            let last = marked(says.last().expect("one"));
            prop_assert_eq!(held, json!(format!("{above}{last}{below}")));
        }

        #[test]
        fn nothing_of_a_text_without_a_part_is_lost(held in text(), crm in text()) {
            prop_assume!(part_of(&json!(held)).is_none());
            let held_then = put(&json!(held), &json!(marked(&crm)));
            prop_assert!(held_then.as_str().expect("a text").ends_with(&held));
        }
    }
}
