//! The look-up of a call's activity by its key, for whoever writes and for whoever only looks.

use super::call::{Endpoint, root};
use super::extract::{id_value, read_id};
use super::template::{Bindings, Slot};
use crate::domain::{ActivityId, CallKey, RecordId};
use crate::remote::{CallClass, CallContext, CallError, CallErrorKind, Side};
use serde_json::Value;

impl Endpoint {
    /// The placeholders of every request about this record.
    pub fn about(&self, what: &str, record: &RecordId) -> Result<Bindings, CallError> {
        let id = id_value(record, self.file.record.id_type).ok_or_else(|| {
            let detail =
                "this CRM's ids are numbers, so it has no record of this id: see id_type in its connector";
            error(what, CallErrorKind::NotFound, detail)
        })?;
        let mut bindings = self.bindings();
        bindings.insert(Slot::Record, id);
        Ok(bindings)
    }

    /// The record's activity under this key, if the CRM shows one.
    pub async fn find_activity(
        &self,
        class: CallClass,
        record: &RecordId,
        key: &CallKey,
    ) -> Result<Option<ActivityId>, CallError> {
        let what = format!("activity of {key}");
        let activity = self.file.writing.activity.as_ref().ok_or_else(|| lacking(&what, "[activity]"))?;
        let find = activity.find.as_ref().ok_or_else(|| lacking(&what, "[activity.find]"))?;
        let mut bindings = self.about(&what, record)?;
        bindings.insert(Slot::Key, Value::from(key.as_str()));
        let context = CallContext::read(&what, class).about(record);
        let request = self.request(&what, &find.request, &bindings)?;
        let called = self.send_as(context, request).await?;
        let Some(body) = root(&what, &called.body)? else { return Ok(None) };
        let bad = |detail: String| error(&what, CallErrorKind::BadAnswer, detail);
        let rows = find.records.list(body);
        let rows = rows.ok_or_else(|| bad(format!("the answer has no list at {}", find.records)))?;
        for row in rows {
            let shown = find.key.value(row).and_then(|value| value.as_str().map(str::to_owned));
            match shown.map_or(Likeness::None, |shown| likeness(&shown, key.as_str())) {
                Likeness::Whole => {
                    let id = read_id(find.id.raw(row));
                    let id = id.map_err(|_| bad(format!("a row has no id at {}", find.id)))?;
                    return Ok(Some(ActivityId(id.0)));
                }
                // A CRM that looks for a part of a text finds call 47 with 4.
                Likeness::Part => {}
                Likeness::None => {
                    let detail =
                        format!("a row has no such key at {}: the CRM ignores what it is asked", find.key);
                    return Err(bad(detail));
                }
            }
        }
        Ok(None)
    }
}

pub(super) fn error(what: &str, kind: CallErrorKind, detail: impl Into<String>) -> CallError {
    CallError { side: Side::Crm, kind, what: what.to_owned(), detail: detail.into(), status: None }
}

pub(super) fn lacking(what: &str, section: &str) -> CallError {
    error(what, CallErrorKind::Configuration, format!("its connector has no {section}: nothing was sent"))
}

/// How much of a key a text holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Likeness {
    /// The key, with nothing on either side that could belong to it.
    Whole,
    /// Only as a part of a longer one.
    Part,
    None,
}

fn likeness(text: &str, key: &str) -> Likeness {
    let belongs = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let mut found = text.match_indices(key).peekable();
    if found.peek().is_none() {
        return Likeness::None;
    }
    let whole = found.any(|(start, _)| {
        let (before, after) = (&text[..start], &text[start + key.len()..]);
        !before.ends_with(belongs) && !after.starts_with(belongs)
    });
    if whole { Likeness::Whole } else { Likeness::Part }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_not_found_in_a_longer_one() {
        let key = "dialbridge-9f86-47";
        for (text, expected) in [
            (key, Likeness::Whole),
            ("<dialbridge-9f86-47@crm.example>", Likeness::Whole),
            ("of dialbridge-9f86-471, and dialbridge-9f86-47", Likeness::Whole),
            ("dialbridge-9f86-471", Likeness::Part),
            ("x-dialbridge-9f86-47", Likeness::Part),
            ("dialbridge-9f86-4", Likeness::None),
            ("", Likeness::None),
        ] {
            assert_eq!(likeness(text, key), expected, "{text}");
        }
    }
}
