//! What the CRM says because we told it. A no that goes into a record comes back with the next pull. It blocks as any other, for
//! nobody can see whether somebody over there relies on it; but it is told to nobody, and where a person takes back what it was
//! told of, it holds its own record alone, until the CRM says so no more.

use super::block_reach::{hint, links_of};
use super::block_store::lift_in;
use super::blocks_told::{Against, against};
use super::source_blocks::{OF_CRM, Says, saying_no_with};
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
    "UPDATE write_backs AS w SET no_there = NULL, no_told_at = NULL, no_rests_on = NULL WHERE w.no_told_at < :asked AND ",
    of_record!()
);
const TAKEN_BACK: &str = concat!(
    "UPDATE write_backs AS w SET no_there = 'taken_back' WHERE w.no_there = 'told' AND ",
    of_record!()
);

/// Whose word it is where the CRM says no. What was told after it was asked does not explain it, who said so before needed no telling,
/// and where what the no rests on has changed since it was first seen, somebody has said so over there as well.
pub(super) fn word(tx: &Transaction<'_>, says: &Says<'_>) -> rusqlite::Result<Word> {
    let &Says { client, key, asked, .. } = says;
    let own: bool = tx
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM blocks WHERE kind = 'record' AND record_id = ?1 AND crm = ?2 AND object = ?3
                AND client = ?4 AND lifted_at IS NULL AND code = ?5)",
        )?
        .query_row((&key.id.0, &key.crm, &key.object, client, Word::Own.code().as_str()), |row| row.get(0))?;
    if own {
        return Ok(Word::Own);
    }
    let there: Option<String> = tx.prepare_cached(THERE)?.query_row(
        named_params! {
            ":record": key.id.0, ":client": client, ":crm": key.crm, ":object": key.object, ":asked": time(asked),
        },
        |row| row.get(0),
    )?;
    let word = match there.as_deref() {
        None => return Ok(Word::Own),
        Some("taken_back") => Word::TakenBack,
        Some(_) => Word::Told,
    };
    Ok(if rests_on_more(tx, says)? { Word::Own } else { word })
}

/// Whether the no rests on something else than when it was first seen; seen first, it is noted. By the route that told it: another
/// one's `block_if` reads other fields.
fn rests_on_more(tx: &Transaction<'_>, says: &Says<'_>) -> rusqlite::Result<bool> {
    let Some(rests_on) = says.rests_on else { return Ok(false) };
    let seen: Option<(i64, Option<Vec<u8>>)> = tx
        .prepare_cached(
            "SELECT w.id, w.no_rests_on FROM links l CROSS JOIN write_backs w ON w.link_id = l.id
             WHERE l.route = ?1 AND l.record_id = ?2 AND w.kind = 'fields' AND w.no_there IS NOT NULL",
        )?
        .query_row((&says.route.0, &says.key.id.0), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match seen {
        Some((_, Some(first))) => Ok(first != rests_on),
        Some((row, None)) => {
            tx.prepare_cached("UPDATE write_backs SET no_rests_on = ?2 WHERE id = ?1")?
                .execute((row, rests_on))?;
            Ok(false)
        }
        None => Ok(false),
    }
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
            "UPDATE write_backs SET no_there = 'told', no_told_at = ?2, no_rests_on = NULL
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
        } else {
            end_with_it(tx, client, &key, &numbers, said, now)?;
        }
    }
    Ok(())
}

/// The CRM says so no more where it was told, and the route lifts nothing by itself: what came back from there ends with the word that
/// a person takes back.
fn end_with_it(
    tx: &Transaction<'_>,
    client: &str,
    key: &RecordKey,
    numbers: &[String],
    said: &Said,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let echoes: Vec<(i64, String)> = tx
        .prepare_cached(
            "SELECT id, source FROM blocks WHERE kind = 'record' AND record_id = ?1 AND crm = ?2 AND object = ?3 AND client = ?4
                AND lifted_at IS NULL AND code = ?5",
        )?
        .query_map((&key.id.0, &key.crm, &key.object, client, Word::Told.code().as_str()), |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<Result<_, _>>()?;
    let subject = BlockSubject::Record(key.clone());
    for (block, source) in echoes {
        lift_in(tx, client, &subject, Some(&source), &said.who, &said.text, now)?;
        free_numbers(tx, client, (block, &source), numbers, said, now)?;
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
    echoes
        .into_iter()
        .try_for_each(|(block, source)| free_numbers(tx, client, (block, &source), numbers, said, now))
}

/// The numbers that an echo held, those it was said with and those its record has: free, unless another record says no with them.
fn free_numbers(
    tx: &Transaction<'_>,
    client: &str,
    (block, source): (i64, &str),
    numbers: &[String],
    said: &Said,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let mut held: Vec<String> = tx
        .prepare_cached("SELECT number FROM said_numbers WHERE block_id = ?1")?
        .query_map([block], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    held.extend(numbers.iter().cloned());
    for number in held {
        if saying_no_with(tx, client, source, &number)?.is_empty() {
            let subject = BlockSubject::Number(number);
            lift_in(tx, client, &subject, Some(source), &said.who, &said.text, now)?;
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
