//! Numbers on which somebody else was called to an end: none of them is brought to a contact that could be called on it.

use super::{Base, FieldName, HistoryId, e164_as_sent};
use serde_json::Value;
use std::collections::BTreeSet;

/// A number on which somebody else was called to an end in the route's campaigns (users 4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// E.164.
    pub number: String,
    /// The call that ended with a final result.
    pub call: HistoryId,
}

/// The numbers (E.164) that a contact would get with these values and has not got by the base. One in doubt is no number it
/// has: what was sent may not have arrived, and would be sent again.
pub fn brought<'a>(
    values: impl IntoIterator<Item = (FieldName, &'a Value)>,
    base: &'a Base,
) -> BTreeSet<String> {
    let has: BTreeSet<String> = numbers(base.iter().map(|(field, pair)| (*field, &pair.dialler))).collect();
    numbers(values).filter(|number| !has.contains(number)).collect()
}

fn numbers<'a>(values: impl IntoIterator<Item = (FieldName, &'a Value)>) -> impl Iterator<Item = String> {
    values
        .into_iter()
        .filter(|(field, _)| field.is_phone())
        .filter_map(|(_, value)| value.as_str().and_then(e164_as_sent))
}
