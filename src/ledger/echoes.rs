//! What the CRM says because we told it. A no that goes into a record comes back with the next pull. It blocks as any other, for
//! nobody can see whether somebody over there relies on it; but it is told to nobody, and where a person takes back what it was
//! told of, it holds its own record alone, until the CRM says so no more.

use super::block_reach::{hint, links_of};
use super::block_store::lift_in;
use super::blocks_told::{Against, against};
use super::source_blocks::{OF_CRM, saying_no_with};
use super::sql::time;
use super::words::Said;
use crate::domain::{Block, BlockSubject, LinkId, ReasonCode, RecordKey, Timestamp, WriteBackId};
use rusqlite::{OptionalExtension as _, Transaction, named_params};

/// Whose word it is that a record says no in the CRM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// Its own, or nobody can tell.
    Own,
    /// Ours.
    Told,
    /// Ours, and a person took back what it was told of.
    TakenBack,
}

impl Word {
    /// How it stands in the block list.
    pub(super) const fn code(self) -> ReasonCode {
        match self {
            Self::Own => ReasonCode::BlockedByCrm,
            Self::Told => ReasonCode::NoWasTold,
            Self::TakenBack => ReasonCode::NoStillThere,
        }
    }
}

/// Whether the CRM says this of itself, or may.
pub(super) fn is_own(block: &Block) -> bool {
    !matches!(block.reason.code, ReasonCode::NoWasTold | ReasonCode::NoStillThere)
}

/// The rows by which a record may have been told: through the link of any route that reads it.
macro_rules! of_record {
    () => {
        "w.kind = 'fields' AND w.link_id IN (SELECT l.id FROM routes r CROSS JOIN links l ON l.route = r.route
             WHERE l.record_id = :record AND r.client = :client AND r.crm = :crm AND r.object = :object)"
    };
}
/// Asked for every record that a pull stores, as [`UNSAID`] is.
const THERE: &str =
    concat!("SELECT max(w.no_there) FROM write_backs w WHERE w.no_told_at <= :asked AND ", of_record!());
const UNSAID: &str = concat!(
    "UPDATE write_backs AS w SET no_there = NULL, no_told_at = NULL WHERE w.no_told_at < :asked AND ",
    of_record!()
);
const TAKEN_BACK: &str =
    concat!("UPDATE write_backs AS w SET no_there = 'taken_back' WHERE w.no_there = 'told' AND ", of_record!());

/// Whose word it is, where the CRM was asked then and says no: what was told later does not explain it, and who said so before
/// needed no telling.
pub(super) fn word(
    tx: &Transaction<'_>,
    client: &str,
    key: &RecordKey,
    asked: Timestamp,
) -> rusqlite::Result<Word> {
    let own: bool = tx
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM blocks WHERE kind = 'record' AND record_id = ?1 AND crm = ?2 AND object = ?3
                AND client = ?4 AND lifted_at IS NULL AND code = ?5)",
        )?
        .query_row((&key.id.0, &key.crm, &key.object, client, Word::Own.code().as_str()), |row| row.get(0))?;
    if own {
        return Ok(Word::Own);
    }
    let there: Option<String> = tx
        .prepare_cached(THERE)?
        .query_row(
            named_params! {
                ":record": key.id.0, ":client": client, ":crm": key.crm, ":object": key.object, ":asked": time(asked),
            },
            |row| row.get(0),
        )?;
    Ok(match there.as_deref() {
        None => Word::Own,
        Some("taken_back") => Word::TakenBack,
        Some(_) => Word::Told,
    })
}

/// The CRM was told of a no, or may have been: the record is read once more, and says whether that can be seen there.
pub(super) fn told(
    tx: &Transaction<'_>,
    row: WriteBackId,
    link: LinkId,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let of_a_no = tx
        .prepare_cached(
            "UPDATE write_backs SET no_there = 'told', no_told_at = ?2
             WHERE id = ?1 AND objection IN ('under_way', 'again')",
        )?
        .execute((row.0, time(now)))?;
    if of_a_no == 0 {
        return Ok(());
    }
    let record: Option<(String, String)> = tx
        .prepare_cached("SELECT route, record_id FROM links WHERE id = ?1 AND route IS NOT NULL")?
        .query_row([link.0], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    record.map_or(Ok(()), |(route, record)| hint(tx, &route, &record, "told of a no", now))
}

/// The CRM was asked then and says no more against the record: whatever it says next is a word of its own.
pub(super) fn unsaid(
    tx: &Transaction<'_>,
    client: &str,
    key: &RecordKey,
    asked: Timestamp,
) -> rusqlite::Result<()> {
    tx.prepare_cached(UNSAID)?.execute(named_params! {
        ":record": key.id.0, ":client": client, ":crm": key.crm, ":object": key.object, ":asked": time(asked),
    })?;
    Ok(())
}

/// A person took back a block. Whoever was told of it, and against whom nothing else stands, says no by our telling alone: that
/// blocks their record until the CRM says so no more, and nobody else.
pub(super) fn taken_back(
    tx: &Transaction<'_>,
    client: &str,
    subject: &BlockSubject,
    said: &Said,
    now: Timestamp,
) -> rusqlite::Result<()> {
    for link in links_of(tx, client, subject)? {
        let Some(Against { key, blocks, numbers, .. }) = against(tx, link)? else { continue };
        let of_crm = |block: &Block| block.source.starts_with(OF_CRM);
        if blocks.iter().any(|block| !of_crm(block) || is_own(block)) {
            continue;
        }
        let told = tx.prepare_cached(TAKEN_BACK)?.execute(named_params! {
                ":record": key.id.0, ":client": client, ":crm": key.crm, ":object": key.object,
            })?;
        if told > 0 {
            holds_itself_alone(tx, client, &key, &numbers, said, now)?;
        }
    }
    Ok(())
}

fn holds_itself_alone(
    tx: &Transaction<'_>,
    client: &str,
    key: &RecordKey,
    numbers: &[String],
    said: &Said,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let echoes: Vec<(i64, String)> = tx
        .prepare_cached(
            "UPDATE blocks SET code = ?5 WHERE kind = 'record' AND record_id = ?1 AND crm = ?2 AND object = ?3 AND client = ?4
                AND lifted_at IS NULL AND code = ?6 RETURNING id, source",
        )?
        .query_map(
            (
                &key.id.0,
                &key.crm,
                &key.object,
                client,
                Word::TakenBack.code().as_str(),
                Word::Told.code().as_str(),
            ),
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?
        .collect::<Result<_, _>>()?;
    for (block, source) in echoes {
        let mut held: Vec<String> = tx
            .prepare_cached("SELECT number FROM said_numbers WHERE block_id = ?1")?
            .query_map([block], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        held.extend(numbers.iter().cloned());
        for number in held {
            if saying_no_with(tx, client, &source, &number)?.is_empty() {
                lift_in(tx, client, &BlockSubject::Number(number), Some(&source), &said.who, &said.text, now)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::testing::scene;

    /// A pull of 100,000 records asks for each of them.
    #[tokio::test(start_paused = true)]
    async fn whether_a_record_was_told_is_known_without_a_look_at_all_that_was() {
        let scene = scene().await;
        for sql in [THERE, UNSAID, TAKEN_BACK] {
            let steps = scene.plan_of(sql).await;
            let walks = |step: &&String| step.starts_with("SCAN") && *step != "SCAN r";
            assert_eq!(steps.iter().find(walks), None, "{sql}\n{steps:#?}");
            let by_link = |step: &String| step.contains("write_backs_fields") || step.contains("(link_id=?");
            assert!(steps.iter().any(by_link), "{sql}\n{steps:#?}");
        }
    }
}
