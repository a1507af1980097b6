//! Answer notes: a value that the dialler holds otherwise than it was sent, told once (semantics 9). A note stands
//! until a later answer to the same field says something else.

use super::sql::{self, time};
use crate::domain::{FieldName, LinkId, OperationId, Reason, Timestamp};
use rusqlite::{OptionalExtension as _, Transaction};

/// Keeps what is noted of the fields that were answered now; `None`: as sent.
pub(super) fn keep(
    tx: &Transaction<'_>,
    now: Timestamp,
    link: LinkId,
    operation: OperationId,
    answers: &[(FieldName, Option<Reason>)],
) -> rusqlite::Result<()> {
    for (field, reason) in answers {
        let stands: Option<(i64, String, String)> = tx
            .prepare_cached(
                "SELECT id, code, params FROM answer_notes WHERE link_id = ?1 AND field = ?2 AND ended_at IS NULL",
            )?
            .query_row((link.0, field.as_str()), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let noted = reason.as_ref().map(|reason| (sql::code(reason), reason.params_json()));
        if let Some((id, code, params)) = &stands {
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
