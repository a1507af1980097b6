//! What the dialler's lists show: contacts, their numbers, and how a sweep is compared with what is known.

use super::bearers::{self, Bearer, key_moved};
use super::decisions::Cause;
use super::due::{self, HarvestRules};
use super::hearing::{self, Hearing};
use super::overseen::{self, LockedBase, Overseen};
use super::shown_nos::{self, Heeded};
use super::sql::{get_json, time};
use super::status_told::InvalidSlot;
use super::{
    Ledger, LedgerError, block_store, call_notes, calls_lost, foreign, gate, hints, lane, standing,
    status_told, unlisted,
};
use crate::domain::{CampaignId, ContactId, FoldedUserData, LinkId, Seq, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Transaction, named_params};
use serde::Serialize;
use std::collections::HashMap;

/// A contact as one read showed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactSeen {
    /// Its number.
    pub id: ContactId,
    /// Its campaign.
    pub campaign: Option<CampaignId>,
    /// UserData, to the letter.
    pub user_data: Option<String>,
    /// Hash of UserData, campaign and numbers.
    pub face: Vec<u8>,
    /// Its numbers in E.164, as far as they can be read.
    pub numbers: Vec<String>,
    /// The sum of its tries.
    pub tries: i64,
    /// Its current result code; `None` where the answer does not carry that field at all.
    pub result: Option<Option<i64>>,
    /// From when on the dialler or an agent is likely to touch it.
    pub likely_at: Option<Timestamp>,
    /// When the dialler means to call it again.
    pub next_try: Option<Timestamp>,
    /// The slots that the dialler marks as invalid.
    pub invalid: Vec<InvalidSlot>,
    /// Its Comment, where that is kept and the answer carries it.
    pub comment: Option<String>,
}

/// What the ledger knows of a listed contact.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Known {
    /// Whether a link of ours has or had it.
    pub ours: bool,
    /// Whether the list may be older than a write of ours: then it says nothing (semantics 2).
    pub newer_than_list: bool,
    /// The row, if there is one.
    pub row: Option<KnownRow>,
    /// Of a contact that was locked and is to be out of reach: what it should show.
    pub locked: Option<LockedBase>,
}

/// The row of a contact, as far as a sweep compares it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownRow {
    /// The stored face.
    pub face: Option<Vec<u8>>,
    /// The stored fingerprint: that of the last change whose history was read.
    pub fingerprint: Option<Vec<u8>>,
    /// The fingerprint that waits for its read.
    pub pending: Option<Vec<u8>>,
    /// Whether it was being asked about, or counted as gone, for itself or for its record.
    pub missed: bool,
}

/// What a sweep wants stored about a contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sighting {
    /// It is there, and its numbers or key changed (or it is new): its row is written.
    Face(ContactSeen),
    /// Its dialler-owned fields changed: its history is due. With the row, because tries and result moved.
    Changed {
        /// What was seen.
        seen: ContactSeen,
        /// The fingerprint seen.
        fingerprint: Vec<u8>,
    },
    /// It was asked about or counted as gone, and is there.
    Back(ContactId),
    /// It is to be out of reach, and shows what somebody else wrote into the CRM's fields, by its digest (`None`: nothing any
    /// more).
    Overseen(ContactId, Overseen),
    /// The list is older than what we wrote: it is read by its number instead.
    ReadAgain(ContactId),
}

/// A contact in the index by key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IndexedContact {
    /// Its number.
    pub id: ContactId,
    /// Its campaign.
    pub campaign: Option<CampaignId>,
    /// Its UserData, to the letter.
    pub user_data: Option<String>,
}

impl Ledger {
    /// What is known of the listed contacts, in one read per chunk. `began`: the read order of the list.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn contacts_compare(
        &self,
        ids: Vec<ContactId>,
        began: Seq,
    ) -> Result<HashMap<ContactId, Known>, LedgerError> {
        self.read("contacts_compare", move |connection| compare(connection, &ids, began)).await
    }

    /// Stores what a chunk of a sweep showed, in one transaction; answers how many it showed with a no that is news.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn sweep_store(
        &self,
        chunk: Vec<Sighting>,
        began: Seq,
        rules: HarvestRules,
    ) -> Result<i64, LedgerError> {
        let now = self.env.now();
        let heeded = self
            .write("sweep_store", move |tx| {
                let routes = hearing::hearing(tx)?;
                let mut heeded = Heeded::default();
                for sighting in &chunk {
                    heeded.add(store_sighting(tx, sighting, began, &rules, &routes, now)?);
                }
                Ok(heeded)
            })
            .await?;
        if let Some(epoch) = heeded.epoch {
            self.publish_epoch(epoch);
        }
        Ok(heeded.heard)
    }

    /// Contacts with this key, folded; gone ones left out. Only as young as the last sweep of the account.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn contacts_by_key(&self, key: FoldedUserData) -> Result<Vec<IndexedContact>, LedgerError> {
        self.read("contacts_by_key", move |connection| {
            connection
                .prepare_cached(
                    "SELECT contact_id, campaign_id, user_data FROM contacts
                     WHERE folded = ?1 AND gone_at IS NULL ORDER BY contact_id",
                )?
                .query_map([key.0], indexed)?
                .collect()
        })
        .await
    }

    /// Contacts with this number (E.164), ours or not; gone ones left out.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn contacts_by_number(&self, number: String) -> Result<Vec<IndexedContact>, LedgerError> {
        self.read("contacts_by_number", move |connection| {
            connection
                .prepare_cached(
                    "SELECT c.contact_id, c.campaign_id, c.user_data FROM contact_numbers n
                     JOIN contacts c ON c.contact_id = n.contact_id
                     WHERE n.number = ?1 AND c.gone_at IS NULL ORDER BY c.contact_id",
                )?
                .query_map([number], indexed)?
                .collect()
        })
        .await
    }

    /// Contacts that bear the key of one of our links without being its contact: doubles that arose
    /// beside us (semantics 16).
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn contacts_doubled(&self, campaign: CampaignId) -> Result<Vec<IndexedContact>, LedgerError> {
        self.read("contacts_doubled", move |connection| {
            connection
                .prepare_cached(
                    "SELECT c.contact_id, c.campaign_id, c.user_data FROM links l
                     JOIN routes r ON r.route = l.route JOIN contacts c ON c.folded = l.folded
                     WHERE r.campaign_id = ?1 AND c.contact_id <> l.contact_id
                       AND c.gone_at IS NULL
                     ORDER BY c.contact_id",
                )?
                .query_map([campaign.0], indexed)?
                .collect()
        })
        .await
    }
}

fn indexed(row: &rusqlite::Row<'_>) -> rusqlite::Result<IndexedContact> {
    Ok(IndexedContact {
        id: ContactId(row.get(0)?),
        campaign: row.get::<_, Option<i64>>(1)?.map(CampaignId),
        user_data: row.get(2)?,
    })
}

/// A write of ours is newer than a read that was numbered `:began` if it was sent or answered after it,
/// or if its outcome is open.
pub(super) const WRITTEN_SINCE: &str =
    "EXISTS (SELECT 1 FROM links w WHERE w.contact_id = c.id AND (w.sent_seq > :began OR w.answered_seq > :began
        OR EXISTS (SELECT 1 FROM operations o WHERE o.link_id = w.id AND o.state IN ('sending', 'uncertain'))))";

fn compare(
    connection: &Connection,
    ids: &[ContactId],
    began: Seq,
) -> rusqlite::Result<HashMap<ContactId, Known>> {
    let list = serde_json::Value::from_iter(ids.iter().map(|id| id.0)).to_string();
    let sql = format!(
        "WITH c (id) AS (SELECT value FROM json_each(:ids))
         SELECT c.id,
                EXISTS (SELECT 1 FROM link_contacts j WHERE j.contact_id = c.id)
                    OR EXISTS (SELECT 1 FROM links l WHERE l.contact_id = c.id AND l.route IS NOT NULL),
                coalesce(k.seen_seq > :began, 0) OR {WRITTEN_SINCE},
                k.contact_id, k.face, k.fingerprint, d.fingerprint,
                k.asked_at IS NOT NULL OR k.gone_at IS NOT NULL
                    OR EXISTS (SELECT 1 FROM contact_absences a WHERE a.contact_id = c.id)
                    OR EXISTS (SELECT 1 FROM links v WHERE v.contact_id = c.id AND v.vanished_at IS NOT NULL), o.base, o.overseen, o.overseen_rest
         FROM c LEFT JOIN contacts k ON k.contact_id = c.id
                LEFT JOIN harvest_due d ON d.contact_id = c.id AND d.reason = 'changed'
                LEFT JOIN links o ON o.contact_id = c.id AND o.route IS NOT NULL AND o.wish = 'locked'
                     AND o.locked_at IS NOT NULL AND o.vanished_at IS NULL"
    );
    let mut known = HashMap::with_capacity(ids.len());
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(named_params! { ":ids": list, ":began": began.0 })?;
    while let Some(row) = rows.next()? {
        let stored = match row.get::<_, Option<i64>>(3)? {
            Some(_) => Some(KnownRow {
                face: row.get(4)?,
                fingerprint: row.get(5)?,
                pending: row.get(6)?,
                missed: row.get(7)?,
            }),
            None => None,
        };
        let locked = match row.get::<_, Option<String>>("base")? {
            Some(_) => Some(LockedBase {
                base: get_json(row, "base")?,
                overseen: row.get("overseen")?,
                rest: row.get("overseen_rest")?,
            }),
            None => None,
        };
        let entry = Known { ours: row.get(1)?, newer_than_list: row.get(2)?, row: stored, locked };
        known.insert(ContactId(row.get(0)?), entry);
    }
    Ok(known)
}

fn store_sighting(
    tx: &Transaction<'_>,
    sighting: &Sighting,
    began: Seq,
    rules: &HarvestRules,
    routes: &[Hearing],
    now: Timestamp,
) -> rusqlite::Result<Heeded> {
    match sighting {
        Sighting::Face(seen) => store_seen(tx, seen, began, rules, now).map(drop)?,
        Sighting::Changed { seen, fingerprint } => {
            let before = shown_nos::before(tx, seen.id)?;
            // A write of ours that was answered since the comparison wins: then the list is not taken.
            if store_seen(tx, seen, began, rules, now)? {
                due::enter_changed(tx, seen.id, fingerprint, rules, now)?;
                return shown_nos::heed(tx, routes, before.as_ref(), seen, now);
            }
            due::read_again(tx, seen.id, now)?;
        }
        Sighting::Back(id) => came_back(tx, *id, now)?,
        Sighting::Overseen(id, news) => overseen::store(tx, *id, news, now)?,
        Sighting::ReadAgain(id) => due::read_again(tx, *id, now)?,
    }
    Ok(Heeded::default())
}

/// Writes a contact's row, unless a younger read or write is stored already (`false`).
pub(super) fn store_seen(
    tx: &Transaction<'_>,
    seen: &ContactSeen,
    seq: Seq,
    rules: &HarvestRules,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    let old = bearers::known(tx, seen.id)?;
    let before = standing::before(tx, seen.id)?;
    let first_audit = rules.next_audit(seen.id, None, true, now).map(time);
    let folded = seen.user_data.as_deref().map(FoldedUserData::of).filter(|key| !key.as_str().is_empty());
    let changed = tx
        .prepare_cached(
            "INSERT INTO contacts (contact_id, campaign_id, user_data, folded, face, tries, result_code, seen_seq,
                                   seen_at, audit_at, likely_at, next_try)
             VALUES (:id, :campaign, :user_data, :folded, :face, :tries, :result, :seq, :now, :audit, :likely, :next_try)
             ON CONFLICT (contact_id) DO UPDATE SET campaign_id = coalesce(excluded.campaign_id, campaign_id),
                user_data = excluded.user_data, folded = excluded.folded, face = excluded.face,
                tries = excluded.tries, seen_seq = excluded.seen_seq, seen_at = excluded.seen_at,
                likely_at = excluded.likely_at, next_try = excluded.next_try,
                result_code = CASE WHEN :has_result THEN excluded.result_code ELSE result_code END,
                audit_at = coalesce(audit_at, excluded.audit_at), asked_at = NULL, gone_at = NULL
             WHERE excluded.seen_seq >= contacts.seen_seq",
        )?
        .execute(named_params! {
            ":id": seen.id.0, ":campaign": seen.campaign.map(|c| c.0), ":user_data": seen.user_data,
            ":folded": folded.as_ref().map(FoldedUserData::as_str), ":face": seen.face, ":tries": seen.tries,
            ":result": seen.result.flatten(), ":has_result": seen.result.is_some(), ":seq": seq.0,
            ":now": time(now), ":audit": first_audit, ":likely": seen.likely_at.map(time), ":next_try": seen.next_try.map(time),
        })?;
    if changed == 0 {
        return Ok(false);
    }
    if let Some(comment) = &seen.comment {
        call_notes::comment_seen(tx, seen.id, comment, seq, now)?;
    }
    status_told::marks_seen(tx, seen.id, &seen.invalid, now)?;
    came_back(tx, seen.id, now)?;
    standing::compare(tx, before.as_ref(), seen, now)?;
    bearers::tell(tx, old.as_ref(), seen, folded.as_ref())?;
    if old.and_then(|old| old.face).as_ref() != Some(&seen.face) {
        tx.prepare_cached("DELETE FROM contact_numbers WHERE contact_id = ?1")?.execute([seen.id.0])?;
        let mut insert =
            tx.prepare_cached("INSERT OR IGNORE INTO contact_numbers (number, contact_id) VALUES (?1, ?2)")?;
        for number in &seen.numbers {
            insert.execute((number, seen.id.0))?;
        }
        lock_if_blocked(tx, seen.id, now)?;
    }
    Ok(true)
}

/// Somebody gave a contact, ours or not, a number that is blocked: it is locked in the transaction that learns of it.
/// One that was locked for a block that is no longer against it has its record looked at: it says who may be called.
pub(super) fn lock_if_blocked(tx: &Transaction<'_>, id: ContactId, now: Timestamp) -> rusqlite::Result<()> {
    let links: Vec<i64> = tx
        .prepare_cached("SELECT id FROM links WHERE contact_id = ?1")?
        .query_map([id.0], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    if links.is_empty() {
        return foreign::lock_if_blocked(tx, id, now);
    }
    for link in links.into_iter().map(LinkId) {
        match gate::shut_for(tx, link, &time(now))? {
            Some(block) => {
                let cause = Cause { at: now, decided_at: now, text: "gate".to_owned(), run: None };
                lane::lock(tx, link, &block_store::reason_of(&block), &cause)?;
            }
            None => {
                hints::freed_in(tx, now, link)?;
                foreign::release(tx, link, now)?;
            }
        }
    }
    Ok(())
}

/// It is there: whatever was thought of its absence is taken back. A link that had lost it is decided anew, and
/// locked at once if it is blocked: while the contact was gone no lock could be sent.
fn came_back(tx: &Transaction<'_>, id: ContactId, now: Timestamp) -> rusqlite::Result<()> {
    let key: Option<Option<String>> = tx
        .prepare_cached(
            "UPDATE contacts SET asked_at = NULL, gone_at = NULL
             WHERE contact_id = ?1 AND (asked_at IS NOT NULL OR gone_at IS NOT NULL) RETURNING folded",
        )?
        .query_row([id.0], |row| row.get(0))
        .optional()?;
    if let Some(Some(key)) = key {
        key_moved(tx, &FoldedUserData(key), Bearer::Changed)?;
    }
    tx.prepare_cached("DELETE FROM harvest_due WHERE contact_id = ?1 AND reason = 'missing'")?
        .execute([id.0])?;
    unlisted::found(tx, id)?;
    calls_lost::found(tx, id)?;
    let links: Vec<i64> = tx
        .prepare_cached(
            "UPDATE links SET vanished_at = NULL WHERE contact_id = ?1 AND vanished_at IS NOT NULL RETURNING id",
        )?
        .query_map([id.0], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for link in &links {
        hints::vanished_in(tx, now, LinkId(*link))?;
    }
    if links.is_empty() { Ok(()) } else { lock_if_blocked(tx, id, now) }
}

#[cfg(test)]
mod tests {
    use super::super::testing::scene;
    use super::*;

    fn seen(id: i64, number: &str) -> ContactSeen {
        ContactSeen {
            id: ContactId(id),
            campaign: Some(CampaignId(7)),
            user_data: Some(format!("Leads-{id} ")),
            face: number.as_bytes().to_vec(),
            numbers: vec![number.to_owned()],
            tries: 0,
            result: Some(None),
            likely_at: None,
            next_try: None,
            invalid: Vec::new(),
            comment: None,
        }
    }

    async fn known(ledger: &Ledger, id: i64, began: Seq) -> Known {
        let mut all = ledger.contacts_compare(vec![ContactId(id)], began).await.expect("a comparison");
        all.remove(&ContactId(id)).expect("an answer for every id")
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_older_than_our_write_is_not_judged() {
        let scene = scene().await;
        let link = scene.link("1", Some(4711), &[]).await;
        let before = scene.ledger.next_seq();
        assert!(!known(&scene.ledger, 4711, before).await.newer_than_list, "nothing was written yet");
        let (sent, answered) = (scene.ledger.next_seq(), scene.ledger.next_seq());
        scene
            .ledger
            .write("test_sent", move |tx| {
                tx.execute(
                    "UPDATE links SET sent_seq = ?2, answered_seq = ?3 WHERE id = ?1",
                    (link.0, sent.0, answered.0),
                )
            })
            .await
            .expect("written");
        assert!(known(&scene.ledger, 4711, before).await.newer_than_list, "the list began before the write");
        assert!(known(&scene.ledger, 4711, sent).await.newer_than_list, "it began before the answer");
        let after = scene.ledger.next_seq();
        let judged = known(&scene.ledger, 4711, after).await;
        assert!(!judged.newer_than_list && judged.ours);
        scene.operation(link, "update", "uncertain").await;
        let later = scene.ledger.next_seq();
        assert!(known(&scene.ledger, 4711, later).await.newer_than_list, "a write is in doubt");
    }

    #[tokio::test(start_paused = true)]
    async fn an_older_read_does_not_overwrite_a_younger_one() {
        let scene = scene().await;
        let (old, new) = (scene.ledger.next_seq(), scene.ledger.next_seq());
        let store = |seen: ContactSeen, seq| {
            let changed = Sighting::Changed { seen, fingerprint: vec![1] };
            scene.ledger.sweep_store(vec![changed], seq, HarvestRules::default())
        };
        store(seen(1, "+4930222"), new).await.expect("stored");
        store(seen(1, "+4930111"), old).await.expect("passed over");
        let found = |number: &str| scene.ledger.contacts_by_number(number.to_owned());
        assert_eq!(found("+4930111").await.expect("a look-up").len(), 0);
        assert_eq!(found("+4930222").await.expect("a look-up").len(), 1);
        let by_key = scene.ledger.contacts_by_key(FoldedUserData::of("LEADS-1")).await.expect("a look-up");
        assert_eq!((by_key.len(), by_key[0].user_data.as_deref()), (1, Some("Leads-1 ")));
    }

    #[tokio::test(start_paused = true)]
    async fn a_blocked_number_that_a_sweep_sees_on_our_contact_is_locked_at_once() {
        let scene = scene().await;
        let link = scene.link("1", Some(4711), &[]).await;
        let block = crate::domain::Block {
            subject: crate::domain::BlockSubject::Number("+4930999".to_owned()),
            reason: crate::domain::ReasonCode::BlockedByHand.into(),
            source: "operator".to_owned(),
            since: scene.ledger.env.now(),
            said_last: scene.ledger.env.now(),
            until: None,
            who: None,
        };
        scene.ledger.block_add("house", block).await.expect("a block");
        assert_eq!(scene.operations(link).await.len(), 0);
        let began = scene.ledger.next_seq();
        let face = vec![Sighting::Face(seen(4711, "+4930999"))];
        scene.ledger.sweep_store(face, began, HarvestRules::default()).await.expect("stored");
        assert_eq!(scene.operations(link).await, [("lock".to_owned(), "waiting".to_owned())]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_bearer_of_our_key_is_a_double() {
        let scene = scene().await;
        scene.link("1", Some(4711), &[]).await;
        let seq = scene.ledger.next_seq();
        let mut double = seen(4712, "+4930111");
        double.user_data = Some("leads-1".to_owned());
        let face = vec![Sighting::Face(double), Sighting::Face(seen(4713, "+4930111"))];
        scene.ledger.sweep_store(face, seq, HarvestRules::default()).await.expect("stored");
        let doubles = scene.ledger.contacts_doubled(CampaignId(7)).await.expect("a look-up");
        assert_eq!(doubles.iter().map(|c| c.id.0).collect::<Vec<_>>(), [4712]);
    }
}
