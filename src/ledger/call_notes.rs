//! What an agent wrote beside a call. The dialler has no note per call, so it is what changed in the contact's Comment, and
//! belongs to the newest call of that day (users 28).

use super::sql::{get_time_opt, time};
use super::write_back;
use crate::domain::{ContactId, HistoryId, Timestamp};
use chrono::TimeDelta;
use rusqlite::{OptionalExtension as _, Transaction};

/// So long after a call, and so long before its row is there, a changed Comment is about it.
const ABOUT: TimeDelta = TimeDelta::hours(24);

/// A Comment was seen. What is seen for the first time, or was sent by us, is no note.
pub(super) fn comment_seen(
    tx: &Transaction<'_>,
    contact: ContactId,
    comment: &str,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let old: Option<String> = tx
        .prepare_cached("SELECT comment FROM contacts WHERE contact_id = ?1")?
        .query_row([contact.0], |row| row.get(0))
        .optional()?
        .flatten();
    if old.as_deref() == Some(comment) {
        return Ok(());
    }
    let note = match old {
        Some(old) if !sent_by_us(tx, contact, comment)? => new_in(&old, comment).to_owned(),
        Some(_) | None => String::new(),
    };
    tx.prepare_cached(
        "UPDATE contacts SET comment = ?2, note = CASE ?3 WHEN '' THEN note ELSE ?3 END,
                noted_at = CASE ?3 WHEN '' THEN noted_at ELSE ?4 END WHERE contact_id = ?1",
    )?
    .execute((contact.0, comment, note, time(now)))?;
    Ok(())
}

/// A note that waits goes to the contact's newest call, once that is known; one that nobody's call followed is dropped.
pub(super) fn attach(tx: &Transaction<'_>, contact: ContactId, now: Timestamp) -> rusqlite::Result<()> {
    let waiting: Option<(String, Option<Timestamp>)> = tx
        .prepare_cached("SELECT note, noted_at FROM contacts WHERE contact_id = ?1 AND note IS NOT NULL")?
        .query_row([contact.0], |row| Ok((row.get("note")?, get_time_opt(row, "noted_at")?)))
        .optional()?;
    let Some((note, noted_at)) = waiting else { return Ok(()) };
    let noted_at = noted_at.unwrap_or(now);
    let call: Option<i64> = tx
        .prepare_cached(
            "SELECT history_id FROM calls WHERE contact_id = ?1 AND test IS NOT 1
               AND coalesce(started_at, created_at, first_seen_at) >= ?2 ORDER BY history_id DESC LIMIT 1",
        )?
        .query_row((contact.0, time(noted_at - ABOUT)), |row| row.get(0))
        .optional()?;
    if call.is_none() && now - noted_at < ABOUT {
        return Ok(());
    }
    tx.prepare_cached("UPDATE contacts SET note = NULL, noted_at = NULL WHERE contact_id = ?1")?
        .execute([contact.0])?;
    let Some(call) = call else { return Ok(()) };
    tx.prepare_cached(
        "UPDATE calls SET note = CASE WHEN note IS NULL THEN ?2 ELSE note || char(10) || ?2 END WHERE history_id = ?1",
    )?
    .execute((call, note))?;
    write_back::want(tx, HistoryId(call), now)
}

/// Whether it is what a record's mapping, or a person through us, put there.
fn sent_by_us(tx: &Transaction<'_>, contact: ContactId, comment: &str) -> rusqlite::Result<bool> {
    tx.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM links WHERE contact_id = ?1
                        AND coalesce(json_extract(base, '$.Comment.dialler'), '') = ?2)",
    )?
    .query_row((contact.0, comment), |row| row.get(0))
}

/// What was added; the whole where it was written anew.
fn new_in<'a>(old: &str, new: &'a str) -> &'a str {
    let (old, new) = (old.trim(), new.trim());
    new.strip_prefix(old).or_else(|| new.strip_suffix(old)).unwrap_or(new).trim()
}

#[cfg(test)]
mod tests {
    use super::new_in;

    #[test]
    fn only_what_is_new_in_a_comment_is_the_note() {
        for (old, new, note) in [
            ("", "call after six", "call after six"),
            ("call after six", "call after six\nhas moved", "has moved"),
            ("call after six", "has moved\ncall after six ", "has moved"),
            ("call after six", "has moved", "has moved"),
            ("call after six", "", ""),
        ] {
            assert_eq!(new_in(old, new), note);
        }
    }
}
