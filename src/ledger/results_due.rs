//! Results that are yet to be looked at for a no (semantics 7): entered in the transaction that stores them, again when
//! a code gets its name or a contact its record, and when a route's list of words changes.

use super::{Ledger, LedgerError, shown_nos};
use crate::domain::result_words::ResultWords;
use crate::domain::{CampaignId, ContactId, HistoryId, RouteName};
use rusqlite::{Connection, ToSql, Transaction};
use std::collections::BTreeMap;

/// A call with this result, new or changed.
pub(super) fn enter(tx: &Transaction<'_>, call: HistoryId) -> rusqlite::Result<()> {
    enter_where(tx, "history_id = ?1", &[&call.0])
}

/// All calls with a code whose name was not known before.
pub(super) fn enter_code(tx: &Transaction<'_>, campaign: CampaignId, code: i64) -> rusqlite::Result<()> {
    shown_nos::enter_code(tx, campaign, code)?;
    enter_where(tx, "campaign_id = ?1 AND result_code = ?2", &[&campaign.0, &code])
}

/// The calls of a contact that has come to be a record's: a no was heard for its numbers only.
pub(super) fn enter_contact(tx: &Transaction<'_>, contact: ContactId) -> rusqlite::Result<()> {
    enter_where(tx, "contact_id = ?1", &[&contact.0])
}

/// Nobody gives a test call a result in earnest; and where no route has words nobody looks.
fn enter_where(tx: &Transaction<'_>, which: &str, params: &[&dyn ToSql]) -> rusqlite::Result<()> {
    tx.prepare_cached(&format!(
        "INSERT OR IGNORE INTO results_due (history_id, code)
         SELECT history_id, result_code FROM calls
         WHERE {which} AND result_code IS NOT NULL AND test IS NOT 1
           AND EXISTS (SELECT 1 FROM routes WHERE opt_out_results IS NOT NULL)"
    ))?
    .execute(params)?;
    Ok(())
}

impl Ledger {
    /// The words of the config's routes by which a result is a no, maybe none. A route that left the config keeps its last
    /// ones: its contacts may be called still, and who says no there is not asked which routes there are. Where a list
    /// changed, results of earlier calls that are on it now are looked at too; nothing is lifted.
    ///
    /// # Errors
    /// The ledger cannot be used.
    pub async fn opt_out_words_set(
        &self,
        words: BTreeMap<RouteName, ResultWords>,
    ) -> Result<(), LedgerError> {
        let before = self.read("opt_out_words", words_of).await?;
        let moved = |(route, list): &(RouteName, ResultWords)| {
            before.get(route).map_or(!list.is_empty(), |had| had != list)
        };
        let moved: Vec<_> = words.into_iter().filter(moved).collect();
        if moved.is_empty() {
            return Ok(());
        }
        self.write("opt_out_words_set", move |tx| {
            for (route, list) in moved {
                let json = (!list.is_empty()).then(|| serde_json::Value::from_iter(list.iter()).to_string());
                tx.execute("UPDATE routes SET opt_out_results = ?2 WHERE route = ?1", (&route.0, json))?;
                enter_named(tx, &list)?;
            }
            shown_nos::enter_all(tx)
        })
        .await
    }
}

/// The lists as the ledger has them.
fn words_of(connection: &Connection) -> rusqlite::Result<BTreeMap<RouteName, ResultWords>> {
    connection
        .prepare_cached("SELECT route, opt_out_results FROM routes WHERE opt_out_results IS NOT NULL")?
        .query_map([], |row| Ok((RouteName(row.get(0)?), words_in(&row.get::<_, String>(1)?))))?
        .collect()
}

/// A list as [`Ledger::opt_out_words_set`] wrote it.
pub(super) fn words_in(json: &str) -> ResultWords {
    let words: Vec<String> = serde_json::from_str(json).unwrap_or_default();
    ResultWords::new(words.iter().map(String::as_str))
}

/// All calls with a result on the list, whosever: who was treated already is passed over when it is taken.
fn enter_named(tx: &Transaction<'_>, words: &ResultWords) -> rusqlite::Result<()> {
    let mut statement = tx.prepare_cached(
        "SELECT k.campaign_id, k.result_code, c.export_key, c.name
         FROM (SELECT DISTINCT campaign_id, result_code FROM calls WHERE result_code IS NOT NULL) k
         LEFT JOIN result_codes c ON c.campaign_id = k.campaign_id AND c.code = k.result_code
         WHERE k.campaign_id IS NOT NULL",
    )?;
    let mut rows = statement.query([])?;
    let mut named = Vec::new();
    while let Some(row) = rows.next()? {
        let (campaign, code) = (CampaignId(row.get(0)?), row.get(1)?);
        let (key, name): (Option<String>, Option<String>) = (row.get(2)?, row.get(3)?);
        if words.names(Some(campaign), code, key.as_deref(), name.as_deref()) {
            named.push((campaign, code));
        }
    }
    named.into_iter().try_for_each(|(campaign, code)| enter_code(tx, campaign, code))
}
