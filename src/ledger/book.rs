//! What a reconcile reads of the ledger, and its own notes of what the two sides named: those stand in temporary tables
//! on disk, so that memory stays flat. It cannot write the ledger: its connection is open for reading only, and of the
//! ledger it hands out reads.

use super::drift::{self, CalledContact};
use super::sql::get_json;
use super::{KnownRecord, Ledger, LedgerError, LockShown, RouteRow};
use crate::domain::{
    Base, CampaignId, ContactId, FoldedUserData, HistoryId, LinkId, RecordId, RouteName, Suspects,
};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// A contact that the dialler's list named.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedContact {
    /// Its number.
    pub id: ContactId,
    /// Its UserData, to the letter.
    pub user_data: Option<String>,
    /// The record whose key that would be, by the route's template.
    pub keyed: Option<RecordId>,
    /// Whether it was ever called: it has tries or a result.
    pub called: bool,
    /// Of what the dialler writes, as lists show it; none where it was read by its number, which shows more.
    pub fingerprint: Option<Vec<u8>>,
}

/// What the ledger has of a contact of ours.
#[derive(Debug, Clone, PartialEq)]
pub struct OurContact {
    /// The contact.
    pub contact: ContactId,
    /// Its link.
    pub link: LinkId,
    /// Its record.
    pub record: RecordId,
    /// What both sides last agreed on.
    pub base: Base,
    /// Whether something is on its way to it, or was just there.
    pub busy: bool,
    /// Goes up with each answer.
    pub answered: i64,
}

/// The book of one reconcile of one route.
#[derive(Clone)]
pub struct ReconcileBook {
    reads: Ledger,
    notes: Arc<Mutex<Connection>>,
}

impl std::fmt::Debug for ReconcileBook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ReconcileBook")
    }
}

const NOTES: &str = "PRAGMA temp_store = FILE;
    CREATE TEMP TABLE named (record_id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
    CREATE TEMP TABLE listed (
        contact_id INTEGER PRIMARY KEY, user_data TEXT, folded TEXT, keyed TEXT, called INTEGER NOT NULL,
        fingerprint BLOB) STRICT;
    CREATE INDEX temp.listed_folded ON listed (folded) WHERE folded IS NOT NULL;";

impl Ledger {
    /// A new, empty book beside the ledger; closed, its notes are gone.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn reconcile_book(&self) -> Result<ReconcileBook, LedgerError> {
        let path = self.path().to_owned();
        let opened = self.env.aside(move || {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(&path, flags)?;
            connection.busy_timeout(std::time::Duration::from_secs(5))?;
            connection.execute_batch(NOTES)?;
            Ok(connection)
        });
        let opened: rusqlite::Result<Connection> = opened.await.ok_or(LedgerError::Closed)?;
        let connection = opened.map_err(|error| LedgerError::sort("reconcile_book", &error))?;
        Ok(ReconcileBook { reads: self.reading(), notes: Arc::new(Mutex::new(connection)) })
    }
}

impl ReconcileBook {
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        what: &'static str,
        body: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let notes = self.notes.clone();
        let asked =
            self.reads.env.aside(move || body(&mut notes.lock().unwrap_or_else(PoisonError::into_inner)));
        let asked = asked.await.ok_or(LedgerError::Closed)?;
        asked.map_err(|error| LedgerError::sort(what, &error))
    }

    /// The route.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn route(&self, route: RouteName) -> Result<Option<RouteRow>, LedgerError> {
        self.reads.route_show(route).await
    }

    /// What is known of these records.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn records_known(
        &self,
        route: RouteName,
        ids: Vec<RecordId>,
    ) -> Result<HashMap<RecordId, KnownRecord>, LedgerError> {
        self.reads.records_known(route, ids).await
    }

    /// Which of these are in a companion, by the ledger's copy of it.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn companion_members(
        &self,
        route: RouteName,
        name: String,
        ids: Vec<RecordId>,
    ) -> Result<Option<BTreeSet<RecordId>>, LedgerError> {
        self.reads.companion_members(route, name, ids).await
    }

    /// Whether the dialler shows locks.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn lock_shown(&self) -> Result<LockShown, LedgerError> {
        self.reads.lock_shown().await
    }

    /// Notes which records the CRM named.
    ///
    /// # Errors
    /// The notes cannot be written.
    pub async fn records_named(&self, ids: Vec<RecordId>) -> Result<(), LedgerError> {
        self.ask("records_named", move |notes| {
            let tx = notes.transaction()?;
            {
                let mut insert = tx.prepare_cached("INSERT OR IGNORE INTO named (record_id) VALUES (?1)")?;
                for id in ids {
                    insert.execute([id.0])?;
                }
            }
            tx.commit()
        })
        .await
    }

    /// Notes which contacts the dialler listed, and says what the ledger has of those that are the route's.
    ///
    /// # Errors
    /// The notes cannot be written, or the ledger not be read.
    pub async fn contacts_listed(
        &self,
        route: RouteName,
        contacts: Vec<ListedContact>,
    ) -> Result<Vec<OurContact>, LedgerError> {
        self.ask("contacts_listed", move |notes| {
            let tx = notes.transaction()?;
            let mut ours = Vec::new();
            {
                let mut insert = tx.prepare_cached(
                    "INSERT OR IGNORE INTO listed (contact_id, user_data, folded, keyed, called, fingerprint)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?;
                for contact in contacts {
                    let folded = contact.user_data.as_deref().map(FoldedUserData::of).map(|folded| folded.0);
                    let keyed = contact.keyed.map(|record| record.0);
                    insert.execute((
                        contact.id.0,
                        contact.user_data,
                        folded,
                        keyed,
                        contact.called,
                        contact.fingerprint,
                    ))?;
                    ours.extend(our_contact(&tx, &route, contact.id)?);
                }
            }
            tx.commit()?;
            Ok(ours)
        })
        .await
    }

    /// What the ledger has of so many contacts of the route in a row, from a place that `chance` (0 to 1) chooses among all
    /// links. Whose record is noted as missing is left out: that is looked after already.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn contacts_sampled(
        &self,
        route: RouteName,
        chance: f64,
        count: u32,
    ) -> Result<Vec<OurContact>, LedgerError> {
        self.ask("contacts_sampled", move |notes| {
            let last: i64 =
                notes.query_row("SELECT coalesce(max(id), 0) FROM links", [], |row| row.get(0))?;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_precision_loss,
                reason = "any place will do"
            )]
            let place = (last as f64 * chance) as i64;
            let mut found = sampled(notes, &route, (place, last), count)?;
            // Behind the last link comes the first one.
            let rest = count.saturating_sub(u32::try_from(found.len()).unwrap_or(u32::MAX));
            found.extend(sampled(notes, &route, (0, place), rest)?);
            Ok(found.into_iter().filter(|our| !our.busy).collect())
        })
        .await
    }

    /// What the ledger has of this contact now; `None`: it is not the route's any more.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn contact_ours(
        &self,
        route: RouteName,
        contact: ContactId,
    ) -> Result<Option<OurContact>, LedgerError> {
        self.ask("contact_ours", move |notes| our_contact(notes, &route, contact)).await
    }

    /// What the notes and the ledger together say; `listed`: whether the campaign's list was complete.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn suspects(
        &self,
        route: RouteName,
        campaign: CampaignId,
        question: drift::Question,
    ) -> Result<Suspects, LedgerError> {
        let now = self.reads.env.now();
        self.ask("suspects", move |notes| drift::answer(notes, &route, campaign, question, now)).await
    }

    /// Whether a contact that was found so is so still, bearing this UserData now.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn still_unheld(
        &self,
        route: RouteName,
        unheld: drift::Unheld,
        contact: ContactId,
        user_data: String,
    ) -> Result<bool, LedgerError> {
        self.ask("still_unheld", move |notes| drift::still_unheld(notes, &route, unheld, contact, &user_data))
            .await
    }

    /// This ledger's name in the keys of activities.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn instance(&self) -> Result<String, LedgerError> {
        Ok(self.reads.instance().await?.unwrap_or_default())
    }

    /// The newest calls of the route that became activities of the CRM, below one of them: [`super::TOLD_PAGE`] at most.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn calls_told(
        &self,
        route: RouteName,
        below: Option<HistoryId>,
    ) -> Result<Vec<drift::ToldCall>, LedgerError> {
        let now = self.reads.env.now();
        self.ask("calls_told", move |notes| drift::calls_told(notes, &route, below, now)).await
    }

    /// The oldest of them.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn call_told_first(&self, route: RouteName) -> Result<Option<HistoryId>, LedgerError> {
        self.ask("call_told_first", move |notes| drift::call_told_first(notes, &route)).await
    }

    /// How many contacts of the list are nobody's, and how many locks cannot be looked at.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn beside(&self, route: RouteName) -> Result<(u64, u64), LedgerError> {
        self.ask("beside", move |notes| drift::beside(notes, &route)).await
    }

    /// Listed contacts of the route that were called and of which the harvest has nothing left to read, by number.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn called(
        &self,
        route: RouteName,
        after: ContactId,
    ) -> Result<Vec<CalledContact>, LedgerError> {
        self.ask("called", move |notes| drift::called(notes, &route, after)).await
    }

    /// Contacts of the route that stand in another campaign than this one, as many as one read takes, by number.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn elsewhere(
        &self,
        route: RouteName,
        campaign: CampaignId,
        after: ContactId,
    ) -> Result<Vec<ContactId>, LedgerError> {
        self.ask("elsewhere", move |notes| drift::elsewhere(notes, &route, campaign, after)).await
    }

    /// Which of these history rows the ledger does not have.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn calls_unknown(&self, ids: Vec<i64>) -> Result<Vec<i64>, LedgerError> {
        self.ask("calls_unknown", move |notes| {
            let mut known = notes.prepare_cached("SELECT 1 FROM calls WHERE history_id = ?1")?;
            let mut unknown = Vec::new();
            for id in ids {
                if !known.exists([id])? {
                    unknown.push(id);
                }
            }
            Ok(unknown)
        })
        .await
    }
}

/// Links with contacts behind the first place, up to the second one.
fn sampled(
    notes: &Connection,
    route: &RouteName,
    (after, until): (i64, i64),
    count: u32,
) -> rusqlite::Result<Vec<OurContact>> {
    let contacts: Vec<i64> = notes
        .prepare_cached(
            "SELECT l.contact_id FROM links l
             WHERE l.id > ?2 AND l.id <= ?3 AND l.route = ?1 AND l.contact_id IS NOT NULL AND l.vanished_at IS NULL
               AND NOT EXISTS (SELECT 1 FROM record_absences a WHERE a.route = l.route AND a.record_id = l.record_id)
             ORDER BY l.id LIMIT ?4",
        )?
        .query_map((&route.0, after, until, count), |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut found = Vec::new();
    for contact in contacts {
        found.extend(our_contact(notes, route, ContactId(contact))?);
    }
    Ok(found)
}

fn our_contact(
    notes: &Connection,
    route: &RouteName,
    contact: ContactId,
) -> rusqlite::Result<Option<OurContact>> {
    notes
        .prepare_cached(
            "SELECT l.id, l.record_id, l.base, l.answered_seq,
                    EXISTS (SELECT 1 FROM operations o WHERE o.link_id = l.id
                            AND o.state IN ('waiting', 'sending', 'uncertain'))
                    OR l.complete = 0 AS busy
             FROM links l WHERE l.contact_id = ?1 AND l.route = ?2 AND l.vanished_at IS NULL",
        )?
        .query_row((contact.0, &route.0), |row| {
            Ok(OurContact {
                contact,
                link: LinkId(row.get("id")?),
                record: RecordId(row.get("record_id")?),
                base: get_json(row, "base")?,
                busy: row.get("busy")?,
                answered: row.get("answered_seq")?,
            })
        })
        .optional()
}
