//! A delete takes the contact's history with it, and a reset its result and perhaps its history: a call that is running, or
//! wrapped up, between the last harvest and either would be gone. So they go only when its calls have come to rest
//! (semantics 20). A reset that a person asked for is that person's.

use super::fate::Fate;
use super::{Work, quiet};
use crate::domain::{HistoryRow, OperationKind, ReasonCode};
use crate::jobs::JobError;
use crate::jobs::harvest::is_untouched;
use crate::ledger::{CallsRest, Ending, Leased};
use crate::remote::{CallClass, CallError};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::time::Duration;

/// A history that cannot be read now is read again then.
const LATER: Duration = Duration::from_secs(300);

/// What was put back, and whether the pass must stop for it.
type PutBack = (Fate, Option<JobError>);

impl Work<'_> {
    /// Whether it must wait, and was put back, or is not to be sent at all.
    pub(super) async fn must_wait(&self, leased: &Leased) -> Result<Option<PutBack>, JobError> {
        if !waits_for_calls(leased.kind, leased.reason.code) {
            return Ok(None);
        }
        let (ledger, limits) = (&self.context.ledger, &self.context.limits);
        let Some(contact) = leased.view.contact else { return Ok(None) };
        self.count(|counts| counts.requests += 1);
        let rows = match self.context.read.history(contact, CallClass::Push).await {
            Ok(Some(rows)) => Ok(Some(rows)),
            // A history may be said not to be while the contact is there (as settling knows): only the contact counts.
            Ok(None) => match self.context.read.contact(contact, CallClass::Push).await {
                // Gone already: the request itself says so.
                Ok(None) => return Ok(None),
                // Whom nobody has called has an empty one (as the harvest knows).
                Ok(Some(seen)) if is_untouched(&seen) => Ok(Some(Vec::new())),
                Ok(Some(_)) => Ok(None),
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        };
        let until = match rows {
            Ok(None) => self.context.env.now() + quiet(LATER),
            Ok(Some(rows)) => {
                let open = rows.iter().filter(|row| !is_over(row)).map(|row| row.id).collect();
                let settle = quiet(limits.settle_calls);
                match ledger.calls_rest(leased.id, contact, picture(&rows), open, settle).await? {
                    CallsRest::Over => return Ok(None),
                    CallsRest::Until(until) => until,
                    CallsRest::GivenUp => return Ok(Some((Fate::Refused, None))),
                }
            }
            Err(error) => return self.later(leased, error).await,
        };
        ledger.operation_end(leased.id, Ending::Again { not_before: Some(until) }).await?;
        Ok(Some((Fate::PutBack, None)))
    }

    async fn later(&self, leased: &Leased, error: CallError) -> Result<Option<PutBack>, JobError> {
        let not_before = Some(self.context.env.now() + quiet(LATER));
        self.context.ledger.operation_end(leased.id, Ending::Again { not_before }).await?;
        Ok(Some((Fate::PutBack, error.speaks_of_the_side().then(|| error.into()))))
    }
}

/// Whether an operation goes only when its contact's calls have come to rest.
pub(in crate::jobs) fn waits_for_calls(kind: OperationKind, why: ReasonCode) -> bool {
    match kind {
        OperationKind::Delete => true,
        OperationKind::Reset => why != ReasonCode::ByHand,
        OperationKind::Import | OperationKind::Update | OperationKind::Lock | OperationKind::Unlock => false,
    }
}

/// Whether a row is no call that is still under way.
fn is_over(row: &HistoryRow) -> bool {
    let of = |name: &str| {
        let nested = row.get("StatisticsPartA").get(name).unwrap_or(&Value::Null);
        Some(row.get(name)).filter(|value| !value.is_null()).unwrap_or(nested).clone()
    };
    of("dtCallStart").is_null() || !of("dtCallEnd").is_null()
}

fn picture(rows: &[HistoryRow]) -> String {
    let mut texts: Vec<String> =
        rows.iter().map(|row| Value::Object(row.fields.clone()).to_string()).collect();
    texts.sort_unstable();
    let mut hash = Sha256::new();
    for text in texts {
        hash.update(text.as_bytes());
        hash.update([0]);
    }
    hash.finalize().iter().fold(String::new(), |mut hex, byte| {
        let _never_fails = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(fields: Value) -> HistoryRow {
        HistoryRow::from_fields(fields.as_object().expect("an object").clone()).expect("a row")
    }

    #[test]
    fn a_call_without_an_end_is_under_way_and_a_result_without_a_call_is_not() {
        for (fields, over) in [
            (json!({ "DiallerContactsHistoryID": 1, "dtCallStart": "a", "dtCallEnd": null }), false),
            (json!({ "DiallerContactsHistoryID": 1, "dtCallStart": "a", "dtCallEnd": "b" }), true),
            (json!({ "DiallerContactsHistoryID": 1, "dtCallStart": null, "dtCallEnd": null }), true),
            (json!({ "DiallerContactsHistoryID": 1, "StatisticsPartA": { "dtCallStart": "a" } }), false),
            (
                json!({ "DiallerContactsHistoryID": 1, "StatisticsPartA": { "dtCallStart": "a", "dtCallEnd": "b" } }),
                true,
            ),
        ] {
            assert_eq!(is_over(&row(fields.clone())), over, "{fields}");
        }
    }

    #[test]
    fn the_picture_moves_with_every_row_and_not_with_their_order() {
        let (one, two) = (
            row(json!({ "DiallerContactsHistoryID": 1, "result": null })),
            row(json!({ "DiallerContactsHistoryID": 2 })),
        );
        let changed = row(json!({ "DiallerContactsHistoryID": 1, "result": 7 }));
        assert_eq!(picture(&[one.clone(), two.clone()]), picture(&[two.clone(), one.clone()]));
        assert_ne!(picture(&[one.clone(), two.clone()]), picture(&[changed, two]));
        assert_ne!(picture(&[one]), picture(&[]));
    }
}
