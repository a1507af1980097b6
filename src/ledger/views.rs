//! Reading for people: calls.

use super::sql::{get_time, get_time_opt, time};
use super::{Ledger, LedgerError};
use crate::domain::{CampaignId, ContactId, FoldedUserData, HistoryId, RouteName, Timestamp};
use rusqlite::{Connection, named_params};
use serde::Serialize;

/// Which calls are asked for; what is `None` does not narrow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallFilter {
    /// Calls of this contact.
    pub contact: Option<ContactId>,
    /// Calls of all contacts this key ever had.
    pub user_data: Option<String>,
    /// Calls of this campaign.
    pub campaign: Option<CampaignId>,
    /// Calls of this route's records.
    pub route: Option<RouteName>,
    /// Calls that started (or, without a start, were first seen) at or after this.
    pub since: Option<Timestamp>,
}

/// A call, as the view `v_calls` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "each is a column of the view `v_calls`")]
pub struct CallView {
    pub call: HistoryId,
    pub revision: i64,
    pub contact: ContactId,
    pub route: Option<String>,
    pub record: Option<String>,
    pub user_data: Option<String>,
    pub campaign: Option<CampaignId>,
    pub direction: Option<String>,
    pub test_call: bool,
    pub number: Option<String>,
    pub started: Option<Timestamp>,
    pub ended: Option<Timestamp>,
    pub answered: bool,
    pub cause_code: Option<i64>,
    pub agent: Option<i64>,
    pub result_code: Option<i64>,
    pub result: Option<String>,
    pub result_key: Option<String>,
    pub result_state: String,
    pub time_read: Option<String>,
    pub first_seen: Timestamp,
}

impl Ledger {
    /// Calls, newest first.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn calls_list(&self, filter: CallFilter, limit: u32) -> Result<Vec<CallView>, LedgerError> {
        self.read("calls_list", move |connection| calls(connection, &filter, limit)).await
    }
}

pub(super) fn calls(
    connection: &Connection,
    filter: &CallFilter,
    limit: u32,
) -> rusqlite::Result<Vec<CallView>> {
    // By key: the calls of all contacts its link ever had, and of contacts that bear it without a link.
    connection
        .prepare_cached(
            "SELECT * FROM v_calls
             WHERE (:contact IS NULL OR contact = :contact)
               AND (:campaign IS NULL OR campaign = :campaign)
               AND (:route IS NULL OR route = :route)
               AND (:since IS NULL OR coalesce(started, first_seen) >= :since)
               AND (:folded IS NULL OR contact IN (
                    SELECT contact_id FROM contacts WHERE folded = :folded
                    UNION SELECT j.contact_id FROM link_contacts j JOIN links l ON l.id = j.link_id
                          WHERE l.folded = :folded))
             ORDER BY coalesce(started, first_seen) DESC, call DESC LIMIT :limit",
        )?
        .query_map(
            named_params! {
                ":contact": filter.contact.map(|c| c.0), ":campaign": filter.campaign.map(|c| c.0),
                ":route": filter.route.as_ref().map(|r| r.0.as_str()), ":since": filter.since.map(time),
                ":folded": filter.user_data.as_deref().map(|u| FoldedUserData::of(u).0), ":limit": limit,
            },
            call_view,
        )?
        .collect()
}

fn call_view(row: &rusqlite::Row<'_>) -> rusqlite::Result<CallView> {
    Ok(CallView {
        call: HistoryId(row.get("call")?),
        revision: row.get("revision")?,
        contact: ContactId(row.get("contact")?),
        route: row.get("route")?,
        record: row.get("record")?,
        user_data: row.get("user_data")?,
        campaign: row.get::<_, Option<i64>>("campaign")?.map(CampaignId),
        direction: row.get("direction")?,
        test_call: row.get::<_, String>("test_call")? == "yes",
        number: row.get("number")?,
        started: get_time_opt(row, "started")?,
        ended: get_time_opt(row, "ended")?,
        answered: row.get("answered")?,
        cause_code: row.get("cause_code")?,
        agent: row.get("agent")?,
        result_code: row.get("result_code")?,
        result: row.get("result")?,
        result_key: row.get("result_key")?,
        result_state: row.get("result_state")?,
        time_read: row.get("time_read")?,
        first_seen: get_time(row, "first_seen")?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::scene;

    #[tokio::test(start_paused = true)]
    async fn every_view_can_be_read() {
        let scene = scene().await;
        let views: Vec<String> = scene
            .ledger
            .read("test_views", |connection| {
                let names: Vec<String> = connection
                    .prepare("SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY name")?
                    .query_map([], |row| row.get(0))?
                    .collect::<Result<_, _>>()?;
                for name in &names {
                    connection
                        .query_row(&format!("SELECT count(*) FROM {name}"), [], |row| row.get::<_, i64>(0))?;
                }
                Ok(names)
            })
            .await
            .expect("readable views");
        let expected = [
            // Not for people: where a client's blocks lock contacts of others.
            "client_campaigns",
            "v_blocked_foreign",
            "v_blocks",
            "v_calls",
            "v_changes",
            "v_conflicts",
            "v_contacts",
            "v_differences",
            "v_due",
            "v_hints",
            "v_identity",
            "v_notes",
            "v_operations",
            "v_parked",
            "v_runs",
            "v_skipped",
            "v_words",
            "v_write_backs",
        ];
        assert_eq!(views, expected);
    }
}
