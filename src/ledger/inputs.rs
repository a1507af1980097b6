//! What a decision must know, read inside the transaction that stores it: between reading and storing
//! nobody else can have moved the link.

use super::held_out::{self, Whom};
use super::sql::{Columns, get_reason, get_time, get_time_opt, time};
use super::{Ledger, LedgerError, calls_lost, edits, finals, gate};
use crate::domain::{
    Anew, Block, BlockSubject, ContactId, Deletion, Ended, Lane, LastResult, LinkId, LinkView, LockState,
    Reason, RecordId, RecordKey, RouteName, Stands, Wish,
};
use rusqlite::{Connection, OptionalExtension as _, Params, Statement};
use std::collections::BTreeSet;

/// A link as a decision sees it, with its row's number.
pub(super) fn link_of_record(
    connection: &Connection,
    route: &RouteName,
    record: &RecordId,
) -> rusqlite::Result<Option<(LinkId, LinkView)>> {
    let found = connection
        .prepare_cached("SELECT id FROM links WHERE route = ?1 AND record_id = ?2")?
        .query_row((&route.0, &record.0), |row| row.get::<_, i64>(0))
        .optional()?;
    found.map(|id| Ok((LinkId(id), link_view(connection, LinkId(id))?))).transpose()
}

/// A link as a decision sees it.
pub(super) fn link_view(connection: &Connection, link: LinkId) -> rusqlite::Result<LinkView> {
    let (lane, deletion) = lane(connection, link)?;
    let edits = edits::of_link(connection, link)?;
    let lost = calls_lost::of_link(connection, link)?;
    connection
        .prepare_cached(
            "SELECT l.contact_id, l.base, l.desired, l.wish, l.lock_state, l.vanished_at IS NOT NULL,
                    coalesce(r.kept, '[]'), coalesce(r.campaign_id <> l.campaign_id, 0), l.begins_anew
             FROM links l LEFT JOIN routes r ON r.route = l.route WHERE l.id = ?1",
        )?
        .query_row([link.0], |row| {
            let mut columns = Columns::of(row);
            Ok(LinkView {
                contact: columns.next::<Option<i64>>()?.map(ContactId),
                base: columns.json()?,
                desired: columns.json()?,
                wish: columns.named(Wish::parse)?,
                lock: columns.named(LockState::parse)?,
                vanished: columns.next()?,
                lane,
                edits,
                kept: columns.json()?,
                deletion,
                stands: if columns.next()? { Stands::InTheOldCampaign } else { Stands::Here },
                anew: if columns.next()? { Anew::Owed } else { Anew::No },
                calls_lost: lost,
            })
        })
}

/// What is open in a link's lane, and whether its contact is about to be deleted because its record left: what a person
/// deletes is that person's.
fn lane(connection: &Connection, link: LinkId) -> rusqlite::Result<(Lane, Deletion)> {
    let (busy, waiting, deletions): (i64, i64, i64) = connection
        .prepare_cached(
            "SELECT count(*) FILTER (WHERE state IN ('sending', 'uncertain')),
                    count(*) FILTER (WHERE state = 'waiting'),
                    count(*) FILTER (WHERE kind = 'delete' AND code <> 'by_hand')
             FROM operations WHERE link_id = ?1 AND (state IN ('sending', 'uncertain') OR state = 'waiting')",
        )?
        .query_row([link.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let lane = match (busy, waiting) {
        (0, 0) => Lane::Idle,
        (0, _) => Lane::Waiting,
        _ => Lane::Busy,
    };
    Ok((lane, if deletions > 0 { Deletion::Open } else { Deletion::No }))
}

/// All blocks in force against the record or one of the numbers, oldest first.
pub(super) fn blocks_in_force(
    connection: &Connection,
    client: &str,
    record: Option<&RecordKey>,
    numbers: &[String],
    now: &str,
) -> rusqlite::Result<Vec<Block>> {
    let mut found = Vec::new();
    if let Some(key) = record {
        let mut statement = connection.prepare_cached(
            "SELECT * FROM blocks WHERE record_id = ?1 AND crm = ?2 AND object = ?3 AND client = ?4
                AND kind = 'record' AND lifted_at IS NULL AND (until IS NULL OR until > ?5)",
        )?;
        add_blocks(&mut statement, (&key.id.0, &key.crm, &key.object, client, now), &mut found)?;
    }
    let mut statement = connection.prepare_cached(
        "SELECT * FROM blocks WHERE number = ?1 AND client = ?2 AND kind = 'number' AND lifted_at IS NULL
            AND (until IS NULL OR until > ?3)",
    )?;
    for number in numbers {
        add_blocks(&mut statement, (number, client, now), &mut found)?;
    }
    Ok(found)
}

/// All blocks in force against one of the numbers, whoever's client they were said to.
pub(super) fn number_blocks_of_anyone(
    connection: &Connection,
    numbers: &[String],
    now: &str,
) -> rusqlite::Result<Vec<Block>> {
    let mut statement = connection.prepare_cached(
        "SELECT * FROM blocks WHERE number = ?1 AND kind = 'number' AND lifted_at IS NULL
            AND (until IS NULL OR until > ?2)",
    )?;
    let mut found = Vec::new();
    for number in numbers {
        add_blocks(&mut statement, (number, now), &mut found)?;
    }
    Ok(found)
}

/// All blocks in force against one of the contacts, oldest first: whoever's client it is, because a contact is one
/// row of one dialler.
pub(super) fn contact_blocks(
    connection: &Connection,
    contacts: &[ContactId],
    now: &str,
) -> rusqlite::Result<Vec<Block>> {
    let mut statement = connection.prepare_cached(
        "SELECT * FROM blocks WHERE contact_id = ?1 AND kind = 'contact' AND lifted_at IS NULL
            AND (until IS NULL OR until > ?2)",
    )?;
    let mut found = Vec::new();
    for contact in contacts {
        add_blocks(&mut statement, (contact.0, now), &mut found)?;
    }
    Ok(found)
}

/// What the statement finds, oldest first. Put in order here: there is nearly always none, and SQLite would prepare a
/// sorter at each question of the gate.
fn add_blocks(
    statement: &mut Statement<'_>,
    asked: impl Params,
    found: &mut Vec<Block>,
) -> rusqlite::Result<()> {
    let mut blocks: Vec<(i64, Block)> =
        statement.query_map(asked, |row| Ok((row.get("id")?, block_row(row)?)))?.collect::<Result<_, _>>()?;
    blocks.sort_unstable_by_key(|(id, _)| *id);
    found.extend(blocks.into_iter().map(|(_, block)| block));
    Ok(())
}

/// The contacts that a link has or ever had: who was locked by hand stays so when another contact takes its place.
pub(super) fn contacts_of(connection: &Connection, link: LinkId) -> rusqlite::Result<Vec<ContactId>> {
    // `UNION ALL`, and a set of our own: for the other one SQLite makes a temporary table at each question of the gate.
    let contacts: BTreeSet<ContactId> = connection
        .prepare_cached(
            "SELECT contact_id FROM links WHERE id = ?1 AND contact_id IS NOT NULL
             UNION ALL SELECT contact_id FROM link_contacts WHERE link_id = ?1",
        )?
        .query_map([link.0], |row| row.get(0).map(ContactId))?
        .collect::<Result<_, _>>()?;
    Ok(contacts.into_iter().collect())
}

/// A row of `blocks`.
pub(super) fn block_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Block> {
    let (number, contact): (Option<String>, Option<i64>) = (row.get("number")?, row.get("contact_id")?);
    let subject = match (number, contact) {
        (Some(number), _) => BlockSubject::Number(number),
        (None, Some(contact)) => BlockSubject::Contact(ContactId(contact)),
        (None, None) => BlockSubject::Record(RecordKey {
            crm: row.get("crm")?,
            object: row.get("object")?,
            id: RecordId(row.get("record_id")?),
        }),
    };
    let since = get_time(row, "since")?;
    Ok(Block {
        subject,
        reason: get_reason(row, "code", "params")?,
        source: row.get("source")?,
        since,
        said_last: get_time_opt(row, "said_last")?.unwrap_or(since),
        until: get_time_opt(row, "until")?,
        who: row.get("who")?,
    })
}

/// What a decision about one record would rest on, read for `try`.
#[derive(Debug, Clone)]
pub struct RecordInputs {
    /// The link, if there is one.
    pub link: Option<LinkView>,
    /// Its key.
    pub user_data: Option<String>,
    /// The blocks in force by which it is decided.
    pub blocks: Vec<Block>,
    /// Those by numbers that are not the record's, but were sent to its contact or seen there: the gate asks by them
    /// too before anybody is made callable.
    pub by_its_contact: Vec<Block>,
    /// The last result.
    pub last_result: LastResult,
    /// Those of the numbers on which somebody else was called to an end.
    pub ended: Vec<Ended>,
    /// Why the person is held out because of a call on another route, if so.
    pub held_out: Option<Reason>,
}

impl Ledger {
    /// What a decision about this record would rest on now.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn record_inputs(
        &self,
        client: String,
        route: RouteName,
        key: RecordKey,
        numbers: Vec<String>,
    ) -> Result<RecordInputs, LedgerError> {
        let at = self.env.now();
        let now = time(at);
        self.read("record_inputs", move |connection| {
            let link = link_of_record(connection, &route, &key.id)?;
            let mut blocks = blocks_in_force(connection, &client, Some(&key), &numbers, &now)?;
            let mut more = Vec::new();
            if let Some((id, view)) = &link {
                blocks.extend(contact_blocks(connection, &contacts_of(connection, *id)?, &now)?);
                more = gate::numbers_of_contact(connection, *id, view.contact)?;
                more.retain(|number| !numbers.contains(number));
            }
            let whom = Whom { client: &client, route: &route, key: &key, numbers: &numbers };
            let (last_result, ended) =
                finals::of_person_and_numbers(connection, &whom, link.as_ref().map(|(id, _)| *id))?;
            Ok(RecordInputs {
                last_result,
                ended,
                link: link.map(|(_, view)| view),
                user_data: connection
                    .prepare_cached("SELECT user_data FROM records WHERE route = ?1 AND record_id = ?2")?
                    .query_row((&route.0, &key.id.0), |row| row.get(0))
                    .optional()?
                    .flatten(),
                held_out: held_out::against(connection, &whom, at)?,
                by_its_contact: blocks_in_force(connection, &client, None, &more, &now)?,
                blocks,
            })
        })
        .await
    }
}
