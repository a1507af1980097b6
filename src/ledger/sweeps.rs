//! Sweeps: what one reading of a list found, and the question of contacts that it did not name.

use super::bearers::{Bearer, key_moved};
use super::budget::SweepKind;
use super::contacts::{ContactSeen, WRITTEN_SINCE, store_seen};
use super::due::{self, HarvestRules};
use super::sql::{get_time_opt, json, time};
use super::trail::{self, Added, BeforeFrom, By};
use super::{Ledger, LedgerError, call_notes};
use crate::domain::{CampaignId, ContactId, FoldedUserData, LinkId, RunId, Seq, Timestamp};
use rusqlite::{OptionalExtension as _, Transaction, named_params};
use serde::Serialize;

/// What a sweep and the reads after it counted; each is a column of `sweeps`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "each is a column of `sweeps`, explained in its migration")]
pub struct SweepCounts {
    pub kind: SweepKind,
    pub complete: bool,
    pub contacts: i64,
    pub bytes: i64,
    pub list_ms: i64,
    pub rests_until: Option<Timestamp>,
    pub refused_until: Option<Timestamp>,
    pub repeats: i64,
    pub bad: i64,
    pub carries_result: Option<bool>,
    pub missing: i64,
    pub held: i64,
    pub in_gap: i64,
    pub requests_changed: i64,
    pub requests_due: i64,
    pub requests_audit: i64,
    pub requests_likely: i64,
    pub requests_elsewhere: i64,
    pub requests_single: i64,
    pub read_changed: i64,
    pub read_due: i64,
    pub read_audit: i64,
    pub read_likely: i64,
    pub read_elsewhere: i64,
    pub found_by_audit: i64,
    pub not_adding_up: i64,
    pub remark: Option<String>,
}

impl SweepCounts {
    /// Says one more thing that a person should know.
    pub fn remark(&mut self, text: String) {
        self.remark = Some(match self.remark.take() {
            Some(said) => format!("{said}; {text}"),
            None => text,
        });
    }
}

/// Whose word it is that a contact is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// A list's only: many at once are not believed.
    Nobodys,
    /// A person's.
    Believed,
}

/// A contact that a list should name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// Its number.
    pub id: ContactId,
    /// Whether it is ours.
    pub ours: bool,
    /// Whose word it is, where it is being asked about already.
    pub absence: Word,
}

/// The newest finished sweep of a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastSweep {
    /// When it began.
    pub began_at: Timestamp,
    /// Whether its list was complete.
    pub complete: bool,
    /// Whether the list carried the result code.
    pub carries_result: Option<bool>,
}

/// How many contacts a campaign has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContactCounts {
    /// All that are not gone.
    pub all: i64,
    /// With a try or a result lately.
    pub active: i64,
}

/// What a single read said about a contact that a list did not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absence {
    /// It is there after all.
    Back,
    /// Not found for the first time, or again too soon: asked again later.
    Asked,
    /// Not found twice, far enough apart: gone.
    Gone,
    /// A write of ours is under way or younger than the read: nothing is concluded.
    Undecided,
}

impl Ledger {
    /// A list is about to be asked for; `campaign` `None`: the whole account.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn sweep_begin(
        &self,
        campaign: Option<CampaignId>,
        run: Option<RunId>,
        began: Seq,
    ) -> Result<i64, LedgerError> {
        let now = self.env.now();
        self.write("sweep_begin", move |tx| {
            tx.prepare_cached(
                "INSERT INTO sweeps (run_id, campaign_id, began_seq, began_at) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute((run.map(|r| r.0), campaign.map(|c| c.0), began.0, time(now)))?;
            Ok(tx.last_insert_rowid())
        })
        .await
    }

    /// A sweep, and the reads it led to, came to their end.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn sweep_end(&self, sweep: i64, counts: SweepCounts) -> Result<(), LedgerError> {
        let now = self.env.now();
        self.write("sweep_end", move |tx| {
            let c = counts;
            tx.prepare_cached(
                "UPDATE sweeps SET kind = :kind, bytes = :bytes, list_ms = :list_ms, rests_until = :rests, refused_until = :refused,
                    requests_likely = :rl, read_likely = :nl, requests_elsewhere = :re, read_elsewhere = :ne,
                    ended_at = :now, complete = :complete, contacts = :contacts, repeats = :repeats, bad = :bad,
                    carries_result = :carries, missing = :missing,
                    held = :held, in_gap = :gap, requests_changed = :rc, requests_due = :rd,
                    requests_audit = :ra, requests_single = :rs, read_changed = :nc, read_due = :nd,
                    read_audit = :na, found_by_audit = :found, not_adding_up = :sum, remark = :remark
                 WHERE id = :id",
            )?
            .execute(named_params! {
                ":kind": c.kind.as_str(), ":bytes": c.bytes, ":list_ms": c.list_ms,
                ":rests": c.rests_until.map(time), ":refused": c.refused_until.map(time), ":rl": c.requests_likely, ":nl": c.read_likely,
                ":held": c.held, ":gap": c.in_gap, ":re": c.requests_elsewhere, ":ne": c.read_elsewhere,
                ":id": sweep, ":now": time(now), ":complete": c.complete, ":contacts": c.contacts,
                ":repeats": c.repeats, ":bad": c.bad, ":carries": c.carries_result, ":missing": c.missing,
                ":rc": c.requests_changed, ":rd": c.requests_due, ":ra": c.requests_audit,
                ":rs": c.requests_single, ":nc": c.read_changed, ":nd": c.read_due, ":na": c.read_audit,
                ":found": c.found_by_audit, ":sum": c.not_adding_up, ":remark": c.remark,
            })?;
            Ok(())
        })
        .await
    }

    /// The newest finished sweep; `campaign` `None`: of the whole account.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn sweep_last(&self, campaign: Option<CampaignId>) -> Result<Option<LastSweep>, LedgerError> {
        self.read("sweep_last", move |connection| {
            connection
                .prepare_cached(
                    "SELECT began_at, complete, carries_result FROM sweeps
                     WHERE campaign_id IS ?1 AND ended_at IS NOT NULL ORDER BY id DESC LIMIT 1",
                )?
                .query_row([campaign.map(|c| c.0)], |row| {
                    Ok(LastSweep {
                        began_at: super::sql::get_time(row, "began_at")?,
                        complete: row.get("complete")?,
                        carries_result: row.get("carries_result")?,
                    })
                })
                .optional()
        })
        .await
    }

    /// How many contacts of the campaign are there, as far as is known, and how many of them had a try or a
    /// result since `since`.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn contacts_active(
        &self,
        campaign: CampaignId,
        since: Timestamp,
    ) -> Result<ContactCounts, LedgerError> {
        self.read("contacts_active", move |connection| {
            connection
                .prepare_cached(
                    "SELECT count(*), count(CASE WHEN active_at > ?2 THEN 1 END) FROM contacts
                     WHERE campaign_id = ?1 AND gone_at IS NULL",
                )?
                .query_row((campaign.0, time(since)), |row| {
                    Ok(ContactCounts { all: row.get(0)?, active: row.get(1)? })
                })
        })
        .await
    }

    /// A page of the contacts that a list numbered `began` should name: known before it, not gone, not written
    /// to since.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn contacts_expected(
        &self,
        campaign: CampaignId,
        began: Seq,
        after: Option<ContactId>,
        limit: usize,
    ) -> Result<Vec<Expected>, LedgerError> {
        self.read("contacts_expected", move |connection| {
            connection
                .prepare_cached(
                    "SELECT contact_id, EXISTS (SELECT 1 FROM link_contacts j WHERE j.contact_id = k.contact_id),
                            EXISTS (SELECT 1 FROM harvest_due d WHERE d.contact_id = k.contact_id
                                    AND d.reason = 'missing' AND d.believed = 1)
                     FROM contacts k
                     WHERE campaign_id = ?1 AND gone_at IS NULL AND seen_seq < ?2 AND contact_id > ?3
                     ORDER BY contact_id LIMIT ?4",
                )?
                .query_map((campaign.0, began.0, after.map_or(i64::MIN, |id| id.0), limit as i64), |row| {
                    let absence = if row.get(2)? { Word::Believed } else { Word::Nobodys };
                    Ok(Expected { id: ContactId(row.get(0)?), ours: row.get(1)?, absence })
                })?
                .collect()
        })
        .await
    }

    /// Contacts that a complete list did not name are to be asked about one by one.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn missing_enter(&self, ids: Vec<ContactId>, word: Word) -> Result<(), LedgerError> {
        let now = self.env.now();
        self.write("missing_enter", move |tx| {
            for id in ids {
                tx.prepare_cached(
                    "INSERT INTO harvest_due (contact_id, reason, at, since, believed)
                     VALUES (?1, 'missing', ?2, ?2, ?3)
                     ON CONFLICT (contact_id, reason) DO UPDATE SET believed = max(believed, excluded.believed)",
                )?
                .execute((id.0, time(now), word == Word::Believed))?;
            }
            Ok(())
        })
        .await
    }

    /// What a single read numbered `seq` said about a contact that a list or a batch did not name.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn missing_answered(
        &self,
        id: ContactId,
        seq: Seq,
        found: Option<ContactSeen>,
        rules: HarvestRules,
        run: RunId,
    ) -> Result<Absence, LedgerError> {
        let now = self.env.now();
        self.write("missing_answered", move |tx| match found {
            Some(seen) => {
                if moved(tx, &seen)? {
                    // What happened before it was moved, no list has shown.
                    due::enter(tx, id, "hint", now)?;
                }
                store_seen(tx, &seen, seq, &rules, now)?;
                tx.prepare_cached("DELETE FROM harvest_due WHERE contact_id = ?1 AND reason = 'missing'")?
                    .execute([id.0])?;
                Ok(Absence::Back)
            }
            None => not_found(tx, id, seq, &rules, run, now),
        })
        .await
    }
}

/// Whether it stands in another campaign than before.
fn moved(tx: &Transaction<'_>, seen: &ContactSeen) -> rusqlite::Result<bool> {
    tx.prepare_cached("SELECT EXISTS (SELECT 1 FROM contacts WHERE contact_id = ?1 AND campaign_id <> ?2)")?
        .query_row((seen.id.0, seen.campaign.map(|campaign| campaign.0)), |row| row.get(0))
}

fn not_found(
    tx: &Transaction<'_>,
    id: ContactId,
    seq: Seq,
    rules: &HarvestRules,
    run: RunId,
    now: Timestamp,
) -> rusqlite::Result<Absence> {
    let written: bool = tx
        .prepare_cached(&format!("WITH c (id) AS (SELECT :id) SELECT {WRITTEN_SINCE} FROM c"))?
        .query_row(named_params! { ":id": id.0, ":began": seq.0 }, |row| row.get(0))?;
    if written {
        ask_again(tx, id, now + rules.second_look, now)?;
        return Ok(Absence::Undecided);
    }
    let asked: Option<Timestamp> = tx
        .prepare_cached("SELECT asked_at FROM contacts WHERE contact_id = ?1")?
        .query_row([id.0], |row| get_time_opt(row, "asked_at"))
        .optional()?
        .flatten();
    let first = asked.unwrap_or(now);
    if now - first >= rules.second_look && asked.is_some() {
        mark_gone(tx, id, run, now)?;
        return Ok(Absence::Gone);
    }
    tx.prepare_cached("UPDATE contacts SET asked_at = ?2 WHERE contact_id = ?1")?
        .execute((id.0, time(first)))?;
    ask_again(tx, id, first + rules.second_look, now)?;
    Ok(Absence::Asked)
}

/// Everything it was due for waits for the next look, else every run would ask in vain.
fn ask_again(tx: &Transaction<'_>, id: ContactId, at: Timestamp, now: Timestamp) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE harvest_due SET at = max(at, ?2) WHERE contact_id = ?1")?
        .execute((id.0, time(at)))?;
    tx.prepare_cached("UPDATE contacts SET audit_at = max(audit_at, ?2) WHERE contact_id = ?1")?
        .execute((id.0, time(at)))?;
    due::replace(tx, id, "missing", now, Some(at))
}

/// A contact is gone: nobody will tell the results of its calls any more, nor bring another call for a note of an agent's. What
/// agents wrote was kept to tell what they add.
pub(super) fn calls_end(tx: &Transaction<'_>, id: ContactId, now: Timestamp) -> rusqlite::Result<()> {
    call_notes::attach_last(tx, id, now)?;
    tx.prepare_cached("UPDATE calls SET open = 0, no_result_given = 1 WHERE contact_id = ?1 AND open = 1")?
        .execute([id.0])?;
    tx.prepare_cached("UPDATE contacts SET comment = NULL WHERE contact_id = ?1 AND comment IS NOT NULL")?
        .execute([id.0])?;
    Ok(())
}

/// Somebody deleted it. Its calls stay; a link of ours says so, and what becomes of it is the route's choice
/// (semantics 21).
fn mark_gone(tx: &Transaction<'_>, id: ContactId, run: RunId, now: Timestamp) -> rusqlite::Result<()> {
    let at = time(now);
    tx.prepare_cached("UPDATE contacts SET gone_at = ?2, audit_at = NULL WHERE contact_id = ?1")?
        .execute((id.0, &at))?;
    tx.prepare_cached("DELETE FROM harvest_due WHERE contact_id = ?1")?.execute([id.0])?;
    calls_end(tx, id, now)?;
    let links: Vec<i64> = tx
        .prepare_cached(
            "UPDATE links SET vanished_at = ?2 WHERE contact_id = ?1 AND vanished_at IS NULL RETURNING id",
        )?
        .query_map((id.0, &at), |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for link in links {
        tx.prepare_cached("UPDATE link_contacts SET until = ?3 WHERE link_id = ?1 AND contact_id = ?2")?
            .execute((link, id.0, &at))?;
        let gone = Added {
            side: "dialler",
            field: "ID",
            rule: Some("seen"),
            person: None,
            before: Some(json(&id.0)?),
            before_from: BeforeFrom::Answer,
            after: Some("null".to_owned()),
        };
        trail::append(tx, now, LinkId(link), By::Seen, &format!("run:{}", run.0), vec![gone])?;
        // Not yet known to be nowhere: it may stand under another number, so its key is asked for first.
        tx.prepare_cached("UPDATE records SET meet = 'due' WHERE link_id = ?1 AND user_data IS NOT NULL")?
            .execute([link])?;
    }
    let key: Option<String> = tx
        .prepare_cached("SELECT folded FROM contacts WHERE contact_id = ?1")?
        .query_row([id.0], |row| row.get(0))
        .optional()?
        .flatten();
    key.map_or(Ok(()), |key| key_moved(tx, &FoldedUserData(key), Bearer::Changed))
}
