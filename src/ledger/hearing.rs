//! Who hears a result as a no, and what it blocks: the record and every number known of whoever said it, within the client of the
//! route by whose words it is one.

use super::block_store::add_in;
use super::results_due::words_in;
use crate::domain::result_words::ResultWords;
use crate::domain::{
    Block, BlockSubject, CampaignId, ContactId, Reason, RecordId, RecordKey, RouteName, RunId, Timestamp,
};
use rusqlite::{Connection, Transaction, named_params};
use std::collections::BTreeSet;

/// A route with words.
pub(super) struct Hearing {
    pub(super) route: RouteName,
    client: String,
    crm: String,
    object: String,
    campaign: Option<CampaignId>,
    words: ResultWords,
}

/// A result of a contact, by whichever answer.
pub(super) struct Spoken {
    pub(super) contact: ContactId,
    pub(super) code: i64,
    pub(super) campaign: Option<CampaignId>,
    pub(super) record: Option<(RouteName, RecordId)>,
    /// Whether the contact is that record's. Of one that only bears its key, whoever calls its campaign hears as well.
    pub(super) linked: bool,
    pub(super) export_key: Option<String>,
    pub(super) name: Option<String>,
}

impl Spoken {
    /// The result in plain words, as far as any are known.
    pub(super) fn in_words(&self) -> String {
        self.name.clone().or_else(|| self.export_key.clone()).unwrap_or_else(|| self.code.to_string())
    }
}

/// What blocking somebody did.
#[derive(Default)]
pub(super) struct Blocked {
    /// The first of the blocks.
    pub(super) first: Option<i64>,
    /// All of them.
    pub(super) blocks: Vec<i64>,
    /// The block list's epoch after it.
    pub(super) epoch: Option<i64>,
}

/// All routes with words.
pub(super) fn hearing(connection: &Connection) -> rusqlite::Result<Vec<Hearing>> {
    connection
        .prepare_cached(
            "SELECT route, client, crm, object, campaign_id, opt_out_results FROM routes
             WHERE opt_out_results IS NOT NULL",
        )?
        .query_map([], |row| {
            Ok(Hearing {
                route: RouteName(row.get(0)?),
                client: row.get(1)?,
                crm: row.get(2)?,
                object: row.get(3)?,
                campaign: row.get::<_, Option<i64>>(4)?.map(CampaignId),
                words: words_in(&row.get::<_, String>(5)?),
            })
        })?
        .collect()
}

impl Hearing {
    /// A record's route hears for it; for a contact that is nobody's, or bears a record's key beside its contact, whoever calls that
    /// campaign.
    pub(super) fn hears(&self, said: &Spoken) -> bool {
        let its_record = said.record.as_ref().is_some_and(|(route, _)| *route == self.route);
        let whose = its_record || !said.linked && said.campaign.is_some() && said.campaign == self.campaign;
        whose && self.words.names(said.campaign, said.code, said.export_key.as_deref(), said.name.as_deref())
    }

    /// Blocks the record and each number that is known, or comes with it.
    pub(super) fn block(
        &self,
        tx: &Transaction<'_>,
        said: &Spoken,
        number: Option<String>,
        (reason, who): (&Reason, Option<&str>),
        now: Timestamp,
        run: Option<RunId>,
    ) -> rusqlite::Result<Blocked> {
        let key = said.record.as_ref().map(|(_, record)| self.key(record));
        let mut numbers = self.numbers_of(tx, said.contact, key.as_ref())?;
        numbers.extend(number);
        let subjects = key.into_iter().map(BlockSubject::Record);
        let mut blocked = Blocked::default();
        for subject in subjects.chain(numbers.into_iter().map(BlockSubject::Number)) {
            let block = Block {
                subject,
                reason: reason.clone(),
                source: format!("result:{}", self.route),
                since: now,
                said_last: now,
                until: None,
                who: who.map(str::to_owned),
            };
            let added = add_in(tx, &self.client, &block, now, run)?;
            blocked.blocks.push(added.id);
            blocked.epoch = blocked.epoch.max(Some(added.epoch));
        }
        blocked.first = blocked.blocks.first().copied();
        Ok(blocked)
    }

    fn key(&self, record: &RecordId) -> RecordKey {
        RecordKey { crm: self.crm.clone(), object: self.object.clone(), id: record.clone() }
    }

    /// Every number that is known of whoever said no: what the record maps to and what was sent, on all routes of the
    /// client, and what the dialler was seen to have.
    fn numbers_of(
        &self,
        tx: &Transaction<'_>,
        contact: ContactId,
        key: Option<&RecordKey>,
    ) -> rusqlite::Result<BTreeSet<String>> {
        tx.prepare_cached(NUMBERS_OF)?
            .query_map(
                named_params! {
                    ":client": self.client, ":record": key.map(|key| key.id.as_str()), ":crm": self.crm,
                    ":object": self.object, ":contact": contact.0,
                },
                |row| row.get(0),
            )?
            .collect()
    }
}

pub(super) const NUMBERS_OF: &str = "WITH own (id, contact_id) AS (
        SELECT l.id, l.contact_id FROM routes r CROSS JOIN links l ON l.route = r.route
        WHERE l.client = :client AND l.record_id = :record AND r.crm = :crm AND r.object = :object)
     SELECT number FROM link_numbers WHERE link_id IN (SELECT id FROM own)
     UNION SELECT number FROM sent_numbers WHERE link_id IN (SELECT id FROM own)
     UNION SELECT number FROM contact_numbers WHERE contact_id = :contact
               OR contact_id IN (SELECT contact_id FROM own)";
