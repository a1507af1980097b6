//! The question of contacts that a list or a batch did not name: asked about one by one, twice, and gone where they are not there.

use super::bearers::{Bearer, key_moved};
use super::contacts::{ContactSeen, WRITTEN_SINCE, store_seen};
use super::due::{self, HarvestRules};
use super::sql::{get_time_opt, json, time};
use super::trail::{self, Added, BeforeFrom, By};
use super::{Ledger, LedgerError, call_notes, calls_lost, unlisted};
use crate::domain::{ContactId, FoldedUserData, LinkId, RunId, Seq, Timestamp};
use rusqlite::{OptionalExtension as _, Transaction, named_params};

/// Whose word it is that a contact is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// A list's only: many at once are not believed.
    Nobodys,
    /// A person's.
    Believed,
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
    /// Contacts that a complete list did not name are to be asked about one by one.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn missing_enter(&self, ids: Vec<ContactId>, word: Word) -> Result<(), LedgerError> {
        let now = self.env.now();
        self.write("missing_enter", move |tx| {
            for id in ids {
                enter_missing(tx, id, word, now)?;
                if word == Word::Believed {
                    unlisted::found(tx, id)?;
                }
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

/// It is to be asked about by itself.
pub(super) fn enter_missing(
    tx: &Transaction<'_>,
    id: ContactId,
    word: Word,
    now: Timestamp,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO harvest_due (contact_id, reason, at, since, believed)
         VALUES (?1, 'missing', ?2, ?2, ?3)
         ON CONFLICT (contact_id, reason) DO UPDATE SET believed = max(believed, excluded.believed)",
    )?
    .execute((id.0, time(now), word == Word::Believed))?;
    Ok(())
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
    if unlisted::not_found(tx, id, rules, now)? {
        rest(tx, id, now + rules.second_look)?;
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
    rest(tx, id, at)?;
    due::replace(tx, id, "missing", now, Some(at))
}

fn rest(tx: &Transaction<'_>, id: ContactId, at: Timestamp) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE harvest_due SET at = max(at, ?2) WHERE contact_id = ?1")?
        .execute((id.0, time(at)))?;
    tx.prepare_cached("UPDATE contacts SET audit_at = max(audit_at, ?2) WHERE contact_id = ?1")?
        .execute((id.0, time(at)))?;
    Ok(())
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
    calls_lost::note(tx, id, now)?;
    tx.prepare_cached("DELETE FROM harvest_due WHERE contact_id = ?1")?.execute([id.0])?;
    calls_end(tx, id, now)?;
    unlisted::gone(tx, id, now)?;
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
