//! What taking a wrong list back would do: which blocks go, which stay and why, and who could be called again.

use super::block_reach::{BLOCKED_WITHOUT_LINK, RECORDS_OF_KEY, links_of};
use super::blocks_lift::{Fate, Lifted, fate, of_span};
use super::gate::numbers_of_contact;
use super::inputs::{blocks_in_force, contact_blocks, number_blocks_of_anyone};
use super::sql::time;
use super::{Ledger, LedgerError, echoes};
use crate::domain::{Block, BlockSpan, BlockSubject, ContactId, LinkId, RecordId, RecordKey, RouteName};
use rusqlite::Connection;
use serde::Serialize;
use std::collections::BTreeSet;

/// What lifting the blocks of a span would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LiftPlan {
    /// How many would be lifted, and how many would be left.
    #[serde(flatten)]
    pub lifted: Lifted,
    /// Of those that would be lifted, blocks of somebody whom another source blocks as well, who stays blocked.
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

impl Ledger {
    /// What [`blocks_lift`](Self::blocks_lift) would do, naming at most so many. Read a few blocks at a time: a long list takes longer
    /// than one read may.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn blocks_lift_plan(
        &self,
        client: &str,
        span: BlockSpan,
        most: usize,
    ) -> Result<LiftPlan, LedgerError> {
        let now = time(self.env.now());
        let (mut plan, mut seen, mut more) = (LiftPlan::default(), Seen::default(), true);
        while more {
            let (client, span, now) = (client.to_owned(), span.clone(), now.clone());
            (plan, seen, more) = self
                .read("blocks_lift_plan", move |connection| {
                    let (client, span, now) = (&client, &span, &now);
                    let mut planned = Planned { connection, client, span, now, most, plan, seen };
                    let more = planned.go_on()?;
                    Ok((planned.plan, planned.seen, more))
                })
                .await?;
        }
        Ok(plan)
    }
}

/// Whoever was looked at already: several blocks name one.
#[derive(Default)]
struct Seen {
    /// The last block.
    after: i64,
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
    plan: LiftPlan,
    seen: Seen,
}

impl Planned<'_> {
    /// Looks at the next few; whether there was any.
    fn go_on(&mut self) -> rusqlite::Result<bool> {
        let blocks = of_span(self.connection, self.client, self.span, self.now, self.seen.after)?;
        for (id, block) in &blocks {
            self.seen.after = *id;
            let fate = fate(self.connection, self.client, self.span, block)?;
            self.plan.lifted.count(fate);
            if fate == Fate::Lifted {
                self.lifted(&block.subject)?;
            }
        }
        Ok(!blocks.is_empty())
    }

    fn lifted(&mut self, subject: &BlockSubject) -> rusqlite::Result<()> {
        let left = self.left_of(subject)?;
        self.plan.blocked_by_others += u64::from(left);
        for link in links_of(self.connection, self.client, subject)? {
            self.link(link)?;
        }
        if left { Ok(()) } else { self.unlinked(subject) }
    }

    /// Whether one of these would stand after the lift.
    fn any_left(&self, standing: &[Block]) -> rusqlite::Result<bool> {
        for block in standing {
            // What the CRM says of a number because it was told of this goes with it.
            if matches!(block.subject, BlockSubject::Number(_)) && !echoes::is_own(block) {
                continue;
            }
            if !self.span.covers(block)
                || fate(self.connection, self.client, self.span, block)? != Fate::Lifted
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether another source, or this one at another time, blocks the same.
    fn left_of(&self, subject: &BlockSubject) -> rusqlite::Result<bool> {
        let (key, numbers) = match subject {
            BlockSubject::Record(key) => (Some(key), Vec::new()),
            BlockSubject::Number(number) => (None, vec![number.clone()]),
            BlockSubject::Contact(_) => return Ok(false),
        };
        let standing = blocks_in_force(self.connection, self.client, key, &numbers, self.now)?;
        self.any_left(&standing)
    }

    fn link(&mut self, link: LinkId) -> rusqlite::Result<()> {
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
        if !self.any_left(&standing)? {
            self.plan.told += u64::from(told);
            self.free(freed);
        }
        Ok(())
    }

    /// Records that were blocked before they came to have a link.
    fn unlinked(&mut self, subject: &BlockSubject) -> rusqlite::Result<()> {
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
                self.free(Freed { route, record, contact: None });
            }
        }
        Ok(())
    }

    fn free(&mut self, freed: Freed) {
        self.plan.freed += 1;
        if self.plan.whom.len() < self.most {
            self.plan.whom.push(freed);
        }
    }
}
