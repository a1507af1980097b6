//! Reading for people: calls, and everything the ledger knows of one key.

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

/// Something that happened, in one line of a story.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// `operation`, `attempt`, `change`, `note` or `block`.
    pub kind: String,
    /// What (`import`, a field's name, a block's kind).
    pub what: String,
    /// How it stands or ended.
    pub state: String,
    /// Why, as a code, or who.
    pub why: String,
    /// Parameters, values before and after; may hold personal data.
    pub details: String,
}

/// A link, as far as people ask for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LinkStory {
    /// The route.
    pub route: String,
    /// The record.
    pub record: String,
    /// Its key, to the letter.
    pub user_data: Option<String>,
    /// The present contact.
    pub contact: Option<ContactId>,
    /// What is wanted of it.
    pub wish: String,
    /// Why.
    pub wish_why: String,
    /// Whether we locked it.
    pub lock_state: String,
    /// Since when the contact is gone.
    pub vanished: Option<Timestamp>,
    /// Contacts it had, oldest first.
    pub contacts: Vec<ContactId>,
}

/// Everything the ledger knows of one key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ContactStory {
    /// Its link, if there is one.
    pub link: Option<LinkStory>,
    /// Its calls, newest first.
    pub calls: Vec<CallView>,
    /// Operations, attempts, changes, notes and blocks, oldest first.
    pub events: Vec<Event>,
}

impl Ledger {
    /// Calls, newest first.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn calls_list(&self, filter: CallFilter, limit: u32) -> Result<Vec<CallView>, LedgerError> {
        self.read("calls_list", move |connection| calls(connection, &filter, limit)).await
    }

    /// What is known of a key: link, calls, and what was done and why.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn contact_story(&self, user_data: String) -> Result<ContactStory, LedgerError> {
        self.read("contact_story", move |connection| {
            let folded = FoldedUserData::of(&user_data);
            let found = link(connection, &folded)?;
            let (link, events) = match found {
                Some((id, link)) => (Some(link), events(connection, id)?),
                None => (None, Vec::new()),
            };
            let filter = CallFilter { user_data: Some(user_data), ..CallFilter::default() };
            Ok(ContactStory { link, calls: calls(connection, &filter, 500)?, events })
        })
        .await
    }
}

fn calls(connection: &Connection, filter: &CallFilter, limit: u32) -> rusqlite::Result<Vec<CallView>> {
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

fn link(connection: &Connection, folded: &FoldedUserData) -> rusqlite::Result<Option<(i64, LinkStory)>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, route, record_id, user_data, contact_id, wish, wish_code, lock_state, vanished_at,
                (SELECT json_group_array(contact_id) FROM (SELECT contact_id FROM link_contacts
                    WHERE link_id = links.id ORDER BY since)) AS contacts
         FROM links WHERE folded = ?1 AND route IS NOT NULL LIMIT 1",
    )?;
    let mut rows = statement.query([folded.as_str()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let contacts: Vec<i64> = super::sql::get_json(row, "contacts")?;
    let story = LinkStory {
        route: row.get("route")?,
        record: row.get("record_id")?,
        user_data: row.get("user_data")?,
        contact: row.get::<_, Option<i64>>("contact_id")?.map(ContactId),
        wish: row.get("wish")?,
        wish_why: row.get("wish_code")?,
        lock_state: row.get("lock_state")?,
        vanished: get_time_opt(row, "vanished_at")?,
        contacts: contacts.into_iter().map(ContactId).collect(),
    };
    Ok(Some((row.get("id")?, story)))
}

fn events(connection: &Connection, link: i64) -> rusqlite::Result<Vec<Event>> {
    const EVENTS: &str = "
        SELECT created_at AS at, 'operation' AS kind, kind AS what, state, code AS why, params AS details
        FROM operations WHERE link_id = ?1
        UNION ALL
        SELECT a.sent_at, 'attempt', o.kind, a.outcome, coalesce('status ' || a.status, ''), a.detail
        FROM attempts a JOIN operations o ON o.id = a.operation_id WHERE o.link_id = ?1
        UNION ALL
        SELECT at, 'change', field, side, cause,
               json_object('before', json(before), 'after', json(after)) FROM changes WHERE link_id = ?1
        UNION ALL
        SELECT n.since, 'note', 'record', CASE WHEN n.ended_at IS NULL THEN 'stands' ELSE 'ended' END, n.code, n.params
        FROM record_notes n JOIN links l ON l.id = ?1 AND l.route = n.route AND l.record_id = n.record_id
        UNION ALL
        SELECT b.since, 'block', b.kind, CASE WHEN b.lifted_at IS NULL THEN 'in force' ELSE 'lifted' END, b.code,
               b.source
        FROM blocks b JOIN links l ON l.id = ?1 AND (l.client = b.client OR b.kind = 'contact')
        LEFT JOIN routes r ON r.route = l.route
        WHERE (b.kind = 'record' AND b.record_id = l.record_id AND b.crm = r.crm AND b.object = r.object)
           OR (b.kind = 'number' AND (b.number IN (SELECT number FROM link_numbers WHERE link_id = ?1)
                OR b.number IN (SELECT number FROM sent_numbers WHERE link_id = ?1)
                OR b.number IN (SELECT number FROM contact_numbers WHERE contact_id = l.contact_id)))
           OR (b.kind = 'contact' AND (b.contact_id = l.contact_id
                OR b.contact_id IN (SELECT contact_id FROM link_contacts WHERE link_id = ?1)))
        ORDER BY at";
    connection
        .prepare_cached(EVENTS)?
        .query_map([link], |row| {
            Ok(Event {
                at: get_time(row, "at")?,
                kind: row.get("kind")?,
                what: row.get("what")?,
                state: row.get("state")?,
                why: row.get("why")?,
                details: row.get("details")?,
            })
        })?
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::scene;
    use super::*;

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
            "v_blocked_foreign",
            "v_blocks",
            "v_calls",
            "v_contacts",
            "v_hints",
            "v_notes",
            "v_operations",
            "v_parked",
            "v_runs",
        ];
        assert_eq!(views, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn a_story_tells_link_operations_and_blocks() {
        let scene = scene().await;
        let link = scene.link("1", Some(4711), &["+4930999"]).await;
        scene.operation(link, "update", "done").await;
        let block = crate::domain::Block {
            subject: crate::domain::BlockSubject::Number("+4930999".to_owned()),
            reason: crate::domain::ReasonCode::BlockedByHand.into(),
            source: "operator".to_owned(),
            since: scene.ledger.env.now(),
            until: None,
            who: None,
        };
        scene.ledger.block_add("house", block).await.expect("a block");
        let story = scene.ledger.contact_story("LEADS-1".to_owned()).await.expect("a story");
        let link = story.link.expect("its link");
        assert_eq!(
            (link.record.as_str(), link.contact, link.wish.as_str()),
            ("1", Some(ContactId(4711)), "locked")
        );
        let mut kinds: Vec<&str> = story.events.iter().map(|e| e.kind.as_str()).collect();
        kinds.sort_unstable();
        assert_eq!(kinds, ["block", "operation", "operation"]);
    }
}
