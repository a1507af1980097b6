//! Answer notes: a value that the dialler holds otherwise than it was sent, told once (semantics 9). A note stands
//! until a later answer to the same field says something else.

use super::sql::{self, time};
use crate::domain::{FieldName, LinkId, OperationId, Reason, Timestamp};
use rusqlite::Transaction;

/// A note that stands.
struct Standing {
    id: i64,
    field: String,
    code: String,
    params: String,
}

/// Keeps what is noted of the fields that were answered now; `None`: as sent.
pub(super) fn keep(
    tx: &Transaction<'_>,
    now: Timestamp,
    link: LinkId,
    operation: OperationId,
    answers: &[(FieldName, Option<Reason>)],
) -> rusqlite::Result<()> {
    // Asked once for all fields: nearly always there is none, and every import answers five.
    let standing: Vec<Standing> = tx
        .prepare_cached(
            "SELECT id, field, code, params FROM answer_notes WHERE link_id = ?1 AND ended_at IS NULL",
        )?
        .query_map([link.0], |row| {
            Ok(Standing { id: row.get(0)?, field: row.get(1)?, code: row.get(2)?, params: row.get(3)? })
        })?
        .collect::<rusqlite::Result<_>>()?;
    for (field, reason) in answers {
        let stands = standing.iter().find(|note| note.field == field.as_str());
        let noted = reason.as_ref().map(|reason| (sql::code(reason), reason.params_json()));
        if let Some(Standing { id, code, params, field: _ }) = stands {
            if noted.as_ref().is_some_and(|(new, with)| new == code && with == params) {
                continue;
            }
            tx.prepare_cached("UPDATE answer_notes SET ended_at = ?2 WHERE id = ?1")?
                .execute((id, time(now)))?;
        }
        if let Some((code, params)) = noted {
            tx.prepare_cached(
                "INSERT INTO answer_notes (link_id, field, code, params, since, operation_id)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute((link.0, field.as_str(), code, params, time(now), operation.0))?;
        }
    }
    Ok(())
}
