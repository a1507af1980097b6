//! A contact as a person's act found it in the dialler. The last harvest may be older than its numbers, or never have
//! seen it, and a campaign that no route names is not harvested at all: what the act saw is kept with it, so that the
//! gate knows it too, when it is sent and when it is answered.

use crate::domain::{CampaignId, ContactId, Timestamp};
use crate::ledger::sql::time;
use rusqlite::Transaction;

/// A contact as one read of it alone showed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glimpse {
    /// Its number.
    pub contact: ContactId,
    /// Its campaign, where the answer carries it.
    pub campaign: Option<CampaignId>,
    /// Its numbers in E.164, as far as they can be read.
    pub numbers: Vec<String>,
}

impl Glimpse {
    /// It was not looked at: a lock needs no more than the contact.
    #[must_use]
    pub fn none(contact: ContactId) -> Self {
        Self { contact, campaign: None, numbers: Vec::new() }
    }
}

/// Keeps the numbers until a list shows the contact. Numbers come on top: what a list showed is taken back only by
/// another list, which compares faces, so the face is one that agrees with nothing. Any list is younger than this.
pub(super) fn keep(tx: &Transaction<'_>, seen: &Glimpse, now: Timestamp) -> rusqlite::Result<()> {
    if seen.campaign.is_none() && seen.numbers.is_empty() {
        return Ok(());
    }
    let campaign = seen.campaign.map(|campaign| campaign.0);
    tx.prepare_cached(
        "INSERT INTO contacts (contact_id, campaign_id, seen_seq, seen_at) VALUES (?1, ?2, 0, ?3)
         ON CONFLICT (contact_id) DO UPDATE SET campaign_id = coalesce(campaign_id, excluded.campaign_id)",
    )?
    .execute((seen.contact.0, campaign, time(now)))?;
    let mut new = 0;
    for number in &seen.numbers {
        new += tx
            .prepare_cached("INSERT OR IGNORE INTO contact_numbers (number, contact_id) VALUES (?1, ?2)")?
            .execute((number, seen.contact.0))?;
    }
    if new > 0 {
        tx.prepare_cached("UPDATE contacts SET face = x'' WHERE contact_id = ?1 AND face IS NOT NULL")?
            .execute([seen.contact.0])?;
    }
    Ok(())
}
