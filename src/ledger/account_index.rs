//! The index of all contacts of the account by key: made by a sweep of the whole account, good for a
//! quarter of an hour, so that a first load costs one list and not one request per record (semantics 5).

use super::sql::{get_time, time};
use super::{Ledger, LedgerError};
use crate::domain::{CampaignId, ContactId, FoldedUserData, Seq, Timestamp};
use rusqlite::OptionalExtension as _;
use std::collections::HashMap;

/// A listed contact, as far as the index needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexRow {
    /// Its number.
    pub id: ContactId,
    /// Its campaign.
    pub campaign: Option<CampaignId>,
    /// Its key, to the letter.
    pub user_data: Option<String>,
}

impl Ledger {
    /// When the newest complete sweep of the account began, if not before `since`.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn account_index_since(&self, since: Timestamp) -> Result<Option<Timestamp>, LedgerError> {
        self.read("account_index_since", move |connection| {
            connection
                .prepare_cached(
                    "SELECT began_at FROM sweeps WHERE campaign_id IS NULL AND complete = 1 AND began_at >= ?1
                     ORDER BY began_at DESC LIMIT 1",
                )?
                .query_row([time(since)], |row| get_time(row, "began_at"))
                .optional()
        })
        .await
    }

    /// Stores what a part of the list showed. What the harvest compares by is left alone.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn account_sweep_store(&self, began: Seq, rows: Vec<IndexRow>) -> Result<(), LedgerError> {
        let now = time(self.env.now());
        self.write("account_sweep_store", move |tx| {
            let mut insert = tx.prepare_cached(
                "INSERT INTO contacts (contact_id, campaign_id, user_data, folded, seen_seq, seen_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (contact_id) DO UPDATE SET campaign_id = coalesce(excluded.campaign_id, campaign_id),
                    user_data = excluded.user_data, folded = excluded.folded, seen_seq = excluded.seen_seq,
                    seen_at = excluded.seen_at, gone_at = NULL
                 WHERE excluded.seen_seq >= contacts.seen_seq
                   AND (contacts.user_data IS NOT excluded.user_data OR contacts.gone_at IS NOT NULL)",
            )?;
            for row in &rows {
                let folded = row.user_data.as_deref().map(FoldedUserData::of);
                let folded = folded.filter(|key| !key.as_str().is_empty());
                insert.execute((
                    row.id.0,
                    row.campaign.map(|c| c.0),
                    &row.user_data,
                    folded.as_ref().map(FoldedUserData::as_str),
                    began.0,
                    &now,
                ))?;
            }
            Ok(())
        })
        .await
    }

    /// How many contacts the dialler is known to have.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn contacts_known(&self) -> Result<usize, LedgerError> {
        self.read("contacts_known", |connection| {
            connection
                .prepare_cached("SELECT count(*) FROM contacts WHERE gone_at IS NULL")?
                .query_row([], |row| row.get::<_, i64>(0))
                .map(|known| usize::try_from(known).unwrap_or(0))
        })
        .await
    }

    /// The contacts that bear one of these keys, folded.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn account_index_find(
        &self,
        keys: Vec<FoldedUserData>,
    ) -> Result<HashMap<FoldedUserData, Vec<ContactId>>, LedgerError> {
        self.read("account_index_find", move |connection| {
            let mut statement = connection
                .prepare_cached("SELECT contact_id FROM contacts WHERE folded = ?1 AND gone_at IS NULL")?;
            let mut found = HashMap::new();
            for key in keys {
                let ids: Vec<ContactId> = statement
                    .query_map([key.as_str()], |row| row.get(0).map(ContactId))?
                    .collect::<rusqlite::Result<_>>()?;
                if !ids.is_empty() {
                    found.insert(key, ids);
                }
            }
            Ok(found)
        })
        .await
    }
}
