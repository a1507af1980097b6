//! A wrong list taken back: all blocks that one source wrote in a time, first shown, then lifted. What another source blocks
//! as well stays blocked: only this source's word is taken back. Who was locked by hand is unlocked by hand.

use super::block_files::read_again;
use super::block_reach::{BLOCKED_WITHOUT_LINK, RECORDS_OF_KEY, decide_anew, links_of};
use super::block_store::epoch_raise;
use super::gate::numbers_of_contact;
use super::inputs::{block_row, blocks_in_force, contact_blocks, number_blocks_of_anyone};
use super::sql::time;
use super::words::Said;
use super::{Ledger, LedgerError, listed};
use crate::domain::{Block, BlockSpan, BlockSubject, ContactId, LinkId, RecordId, RecordKey, RouteName};
use rusqlite::{Connection, named_params};
use serde::Serialize;
use std::collections::BTreeSet;

/// Blocks lifted in one transaction: the locks of others must not wait for a long list.
const CHUNK: i64 = 200;

/// What lifting the blocks of a span would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LiftPlan {
    /// Blocks that would be lifted.
    pub blocks: u64,
    /// Of these, blocks of somebody whom another source blocks as well, who stays blocked.
    pub blocked_by_others: u64,
    /// Records and contacts against which no block would stand any more.
    pub freed: u64,
    /// Of these, records whose no the CRM was told: that stays there.
    pub told: u64,
    /// The first of those who are freed.
    pub whom: Vec<Freed>,
}

/// Somebody against whom no block would stand any more.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Freed {
    /// The route of the record; none for a contact that is nobody's.
    pub route: Option<RouteName>,
    /// The record.
    pub record: Option<RecordId>,
    /// The contact; none where the record would be imported.
    pub contact: Option<ContactId>,
}

const OF_SPAN: &str =
    "SELECT * FROM blocks WHERE client = :client AND source = :source AND since >= :since AND since < :until
        AND kind <> 'contact' AND lifted_at IS NULL AND (until IS NULL OR until > :now) AND id > :after
     ORDER BY id LIMIT :limit";

impl Ledger {
    /// What [`blocks_lift`](Self::blocks_lift) would do, naming at most so many.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn blocks_lift_plan(
        &self,
        client: &str,
        span: BlockSpan,
        most: usize,
    ) -> Result<LiftPlan, LedgerError> {
        let (client, now) = (client.to_owned(), time(self.env.now()));
        self.read("blocks_lift_plan", move |connection| {
            Planned { connection, client: &client, span: &span, now: &now, most, seen: Seen::default() }
                .plan()
        })
        .await
    }

    /// Lifts all of a source's blocks of a time; whoever they held is decided anew, and passes the gate like anybody. Answers how
    /// many were lifted.
    ///
    /// # Errors
    /// The ledger cannot be written; what was lifted until then is lifted.
    pub async fn blocks_lift(&self, client: &str, span: BlockSpan, said: Said) -> Result<usize, LedgerError> {
        let mut lifted = 0;
        loop {
            let now = self.env.now();
            let (client, span, said) = (client.to_owned(), span.clone(), said.clone());
            let (count, epoch) = self
                .write("blocks_lift", move |tx| {
                    let blocks = of_span(tx, &client, &span, &time(now), 0)?;
                    for (id, block) in &blocks {
                        tx.prepare_cached(
                            "UPDATE blocks SET lifted_at = ?2, lifted_by = ?3, lifted_why = ?4 WHERE id = ?1",
                        )?
                        .execute((id, time(now), &said.who, &said.text))?;
                        decide_anew(tx, &client, &block.subject, now)?;
                        listed::taken_back(tx, &client, &block.subject)?;
                    }
                    if !blocks.is_empty() {
                        read_again(tx, &client, &span.source)?;
                    }
                    Ok((blocks.len(), epoch_raise(tx)?))
                })
                .await?;
            self.publish_epoch(epoch);
            if count == 0 {
                return Ok(lifted);
            }
            lifted += count;
        }
    }
}

fn of_span(
    connection: &Connection,
    client: &str,
    span: &BlockSpan,
    now: &str,
    after: i64,
) -> rusqlite::Result<Vec<(i64, Block)>> {
    connection
        .prepare_cached(OF_SPAN)?
        .query_map(
            named_params! {
                ":client": client, ":source": span.source, ":since": time(span.since), ":until": time(span.until),
                ":now": now, ":after": after, ":limit": CHUNK,
            },
            |row| Ok((row.get("id")?, block_row(row)?)),
        )?
        .collect()
}

/// Whoever was looked at already: several blocks name one.
#[derive(Default)]
struct Seen {
    links: BTreeSet<LinkId>,
    unlinked: BTreeSet<(String, String)>,
}

/// One plan under way.
struct Planned<'a> {
    connection: &'a Connection,
    client: &'a str,
    span: &'a BlockSpan,
    now: &'a str,
    most: usize,
    seen: Seen,
}

impl Planned<'_> {
    fn plan(mut self) -> rusqlite::Result<LiftPlan> {
        let mut plan = LiftPlan::default();
        let mut after = 0;
        loop {
            let blocks = of_span(self.connection, self.client, self.span, self.now, after)?;
            let Some((last, _)) = blocks.last() else { return Ok(plan) };
            after = *last;
            for (_, block) in &blocks {
                plan.blocks += 1;
                if self.left_of(&block.subject)? {
                    plan.blocked_by_others += 1;
                }
                for link in links_of(self.connection, self.client, &block.subject)? {
                    self.link(link, &mut plan)?;
                }
                self.unlinked(&block.subject, &mut plan)?;
            }
        }
    }

    /// Whether another source, or this one at another time, blocks the same.
    fn left_of(&self, subject: &BlockSubject) -> rusqlite::Result<bool> {
        let (key, numbers) = match subject {
            BlockSubject::Record(key) => (Some(key), Vec::new()),
            BlockSubject::Number(number) => (None, vec![number.clone()]),
            BlockSubject::Contact(_) => return Ok(false),
        };
        let standing = blocks_in_force(self.connection, self.client, key, &numbers, self.now)?;
        Ok(standing.iter().any(|block| !self.span.covers(block)))
    }

    fn link(&mut self, link: LinkId, plan: &mut LiftPlan) -> rusqlite::Result<()> {
        if !self.seen.links.insert(link) {
            return Ok(());
        }
        let (freed, key, told): (Freed, Option<RecordKey>, bool) = self
            .connection
            .prepare_cached(
                "SELECT l.route, l.record_id, l.contact_id, r.crm, r.object,
                        EXISTS (SELECT 1 FROM write_backs w WHERE w.link_id = l.id AND w.objection_told IS NOT NULL)
                 FROM links l LEFT JOIN routes r ON r.route = l.route WHERE l.id = ?1",
            )?
            .query_row([link.0], |row| {
                let freed = Freed {
                    route: row.get::<_, Option<String>>(0)?.map(RouteName),
                    record: row.get::<_, Option<String>>(1)?.map(RecordId),
                    contact: row.get::<_, Option<i64>>(2)?.map(ContactId),
                };
                let (crm, object): (Option<String>, Option<String>) = (row.get(3)?, row.get(4)?);
                let key = crm.zip(object).zip(freed.record.clone());
                Ok((freed, key.map(|((crm, object), id)| RecordKey { crm, object, id }), row.get(5)?))
            })?;
        let mut numbers: Vec<String> = self
            .connection
            .prepare_cached("SELECT number FROM link_numbers WHERE link_id = ?1")?
            .query_map([link.0], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        numbers.extend(numbers_of_contact(self.connection, link, freed.contact)?);
        let mut standing = match &key {
            Some(key) => blocks_in_force(self.connection, self.client, Some(key), &numbers, self.now)?,
            // Nobody knows whose contact it is: every client's blocks hold.
            None => number_blocks_of_anyone(self.connection, &numbers, self.now)?,
        };
        let contacts: Vec<ContactId> = freed.contact.into_iter().collect();
        standing.extend(contact_blocks(self.connection, &contacts, self.now)?);
        if standing.iter().all(|block| self.span.covers(block)) {
            plan.told += u64::from(told);
            self.free(freed, plan);
        }
        Ok(())
    }

    /// Records that were blocked before they came to have a link.
    fn unlinked(&mut self, subject: &BlockSubject, plan: &mut LiftPlan) -> rusqlite::Result<()> {
        if self.left_of(subject)? {
            return Ok(());
        }
        let pair = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let found: Vec<(String, String)> = match subject {
            BlockSubject::Record(key) => self
                .connection
                .prepare_cached(&format!("{RECORDS_OF_KEY} AND d.link_id IS NULL"))?
                .query_map((self.client, &key.id.0, &key.crm, &key.object), pair)?
                .collect::<Result<_, _>>()?,
            BlockSubject::Number(_) => self
                .connection
                .prepare_cached(BLOCKED_WITHOUT_LINK)?
                .query_map((self.client, subject.spoken()), pair)?
                .collect::<Result<_, _>>()?,
            BlockSubject::Contact(_) => Vec::new(),
        };
        for (route, record) in found {
            if self.seen.unlinked.insert((route.clone(), record.clone())) {
                let (route, record) = (Some(RouteName(route)), Some(RecordId(record)));
                self.free(Freed { route, record, contact: None }, plan);
            }
        }
        Ok(())
    }

    fn free(&self, freed: Freed, plan: &mut LiftPlan) {
        plan.freed += 1;
        if plan.whom.len() < self.most {
            plan.whom.push(freed);
        }
    }
}
