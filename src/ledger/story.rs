//! One person's story for people: everything the ledger knows of a contact, in order of time.

use super::sql::{get_json, get_reason, get_reason_opt, get_time, get_time_opt};
use super::views::{CallFilter, CallView, calls};
use super::{Ledger, LedgerError, LockShown, Waiting, lock_shown, waits};
use crate::domain::{CampaignId, ContactId, FoldedUserData, Reason, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, named_params};
use serde::Serialize;

/// Somebody the ledger knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Person {
    /// The link; `None` for a contact without a record of ours.
    #[serde(skip)]
    pub link: Option<i64>,
    /// The route.
    pub route: Option<String>,
    /// The record.
    pub record: Option<String>,
    /// The key, to the letter.
    pub user_data: Option<String>,
    /// The present contact.
    pub contact: Option<ContactId>,
    /// Its campaign.
    pub campaign: Option<CampaignId>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// `operation` (wished), `ended` (an operation), `attempt`, `change`, `told` and `untold` (to the CRM), `note`, `block`, `lifted`, or what a person
    /// changed in the dialler (`edited`), `conflict`, or what a person said: `word` (of the record or an operation), `route` (its new state), `wave`, `freeze`.
    pub kind: String,
    /// What: an operation's kind, a field, `number`, `record` or `answer`.
    pub what: String,
    /// How it stands or ended.
    pub state: String,
    /// Why.
    pub reason: Option<Reason>,
    /// Who or what caused it: `run:ID`, `person:NAME`, `gate`, `settle:ID`, or a block's source.
    pub cause: String,
    /// The operation it belongs to.
    pub operation: Option<i64>,
    /// A field's value before, the server's own words, the end of a block or of what was said; may hold personal data.
    pub before: Option<String>,
    /// A field's value after, a person's reason.
    pub after: Option<String>,
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
    pub wish_why: Reason,
    /// Whether we locked it.
    pub lock_state: String,
    /// When the dialler took our lock.
    pub locked_at: Option<Timestamp>,
    /// Since when the contact is gone.
    pub vanished: Option<Timestamp>,
    /// Contacts it had, oldest first.
    pub contacts: Vec<ContactId>,
    /// The record's state: `linked`, `skipped`, `blocked`, `parked` or `discarded`.
    pub record_state: Option<String>,
    /// Why it is not linked.
    pub record_why: Option<Reason>,
    /// Since when it is in that state.
    pub record_since: Option<Timestamp>,
    /// What is to be sent, and what it waits for.
    pub waiting: Vec<Waiting>,
}

/// Everything the ledger knows of one person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ContactStory {
    /// The link, if there is one.
    pub link: Option<LinkStory>,
    /// Whether a lock can be seen in this dialler's answers.
    pub lock_shown: LockShown,
    /// The calls, newest first.
    pub calls: Vec<CallView>,
    /// Operations, attempts, changes and blocks, oldest first.
    pub events: Vec<Event>,
}

impl Ledger {
    /// Whom `who` may mean: a UserData, a contact's number, a record's id, or (as `number`, in E.164) a phone number.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn persons_find(
        &self,
        who: String,
        number: Option<String>,
    ) -> Result<Vec<Person>, LedgerError> {
        self.read("persons_find", move |connection| {
            let folded = FoldedUserData::of(&who);
            let by_key = persons(connection, &who, folded.as_str(), None)?;
            // To the letter before anything looser: another person's record may have that number.
            let exact = |p: &&Person| p.user_data.as_deref().is_some_and(|u| FoldedUserData::of(u) == folded);
            let keyed: Vec<Person> = by_key.iter().filter(exact).cloned().collect();
            match (keyed.is_empty(), number) {
                (false, _) => Ok(keyed),
                (true, Some(number)) if by_key.is_empty() => {
                    persons(connection, &who, folded.as_str(), Some(number))
                }
                (true, _) => Ok(by_key),
            }
        })
        .await
    }

    /// What is known of somebody: link, calls, and what was done and why.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn contact_story(&self, person: Person) -> Result<ContactStory, LedgerError> {
        let now = self.env.now();
        self.read("contact_story", move |connection| {
            let (link, events) = match person.link {
                Some(id) => (Some(link(connection, id, now)?), events(connection, id)?),
                None => (None, Vec::new()),
            };
            let filter = match person.user_data {
                Some(user_data) => CallFilter { user_data: Some(user_data), ..CallFilter::default() },
                None => CallFilter { contact: person.contact, ..CallFilter::default() },
            };
            let lock_shown = lock_shown::known(connection)?;
            Ok(ContactStory { link, lock_shown, calls: calls(connection, &filter, 500)?, events })
        })
        .await
    }
}

fn persons(
    connection: &Connection,
    who: &str,
    folded: &str,
    number: Option<String>,
) -> rusqlite::Result<Vec<Person>> {
    connection
        .prepare_cached(
            "SELECT id, route, record_id, user_data, contact_id, campaign_id FROM links
             WHERE route IS NOT NULL
               AND (folded = :folded OR record_id = :who
                    OR id IN (SELECT link_id FROM link_contacts WHERE contact_id = :id)
                    OR id IN (SELECT link_id FROM link_numbers WHERE number = :number)
                    OR contact_id IN (SELECT contact_id FROM contact_numbers WHERE number = :number))
             UNION ALL
             SELECT (SELECT id FROM links f WHERE f.contact_id = c.contact_id AND f.route IS NULL), NULL, NULL,
                    c.user_data, c.contact_id, c.campaign_id FROM contacts c
             WHERE (c.contact_id = :id OR c.folded = :folded
                    OR c.contact_id IN (SELECT contact_id FROM contact_numbers WHERE number = :number))
               AND NOT EXISTS (SELECT 1 FROM link_contacts j WHERE j.contact_id = c.contact_id)
             ORDER BY 2, 3 LIMIT 50",
        )?
        .query_map(
            named_params! {
                ":folded": folded, ":who": who, ":id": who.parse::<i64>().ok(), ":number": number,
            },
            |row| {
                Ok(Person {
                    link: row.get("id")?,
                    route: row.get("route")?,
                    record: row.get("record_id")?,
                    user_data: row.get("user_data")?,
                    contact: row.get::<_, Option<i64>>("contact_id")?.map(ContactId),
                    campaign: row.get::<_, Option<i64>>("campaign_id")?.map(CampaignId),
                })
            },
        )?
        .collect()
}

fn link(connection: &Connection, id: i64, now: Timestamp) -> rusqlite::Result<LinkStory> {
    let mut story = connection
        .prepare_cached(
            "SELECT route, record_id, user_data, contact_id, wish, wish_code, wish_params, lock_state, locked_at,
                    vanished_at,
                    (SELECT json_group_array(contact_id) FROM (SELECT contact_id FROM link_contacts
                        WHERE link_id = links.id ORDER BY since)) AS contacts
             FROM links WHERE id = ?1",
        )?
        .query_row([id], |row| {
            let contacts: Vec<i64> = get_json(row, "contacts")?;
            Ok(LinkStory {
                route: row.get::<_, Option<String>>("route")?.unwrap_or_default(),
                record: row.get::<_, Option<String>>("record_id")?.unwrap_or_default(),
                user_data: row.get("user_data")?,
                contact: row.get::<_, Option<i64>>("contact_id")?.map(ContactId),
                wish: row.get("wish")?,
                wish_why: get_reason(row, "wish_code", "wish_params")?,
                lock_state: row.get("lock_state")?,
                locked_at: get_time_opt(row, "locked_at")?,
                vanished: get_time_opt(row, "vanished_at")?,
                contacts: contacts.into_iter().map(ContactId).collect(),
                record_state: None,
                record_why: None,
                record_since: None,
                waiting: waits::of_link(connection, id, now)?,
            })
        })?;
    let record = connection
        .prepare_cached("SELECT state, code, params, since FROM records WHERE route = ?1 AND record_id = ?2")?
        .query_row((&story.route, &story.record), |row| {
            let state: String = row.get("state")?;
            Ok((state, get_reason_opt(row, "code", "params")?, get_time(row, "since")?))
        })
        .optional()?;
    if let Some((state, why, since)) = record {
        (story.record_state, story.record_why, story.record_since) = (Some(state), why, Some(since));
    }
    Ok(story)
}

const EVENTS: &str = "
    SELECT created_at AS at, 0 AS turn, 'operation' AS kind, kind AS what, state, code, params, cause, id AS operation,
           NULL AS before, NULL AS after
    FROM operations WHERE link_id = ?1
    UNION ALL
    SELECT finished_at, 2, 'ended', kind, state, outcome, outcome_params, cause, id, NULL, NULL
    FROM operations WHERE link_id = ?1 AND finished_at IS NOT NULL
    UNION ALL
    SELECT a.sent_at, 1, 'attempt', o.kind, a.outcome, NULL, '{}', o.cause, o.id,
           trim(coalesce('status ' || a.status || ' ', '') || a.detail), NULL
    FROM attempts a JOIN operations o ON o.id = a.operation_id WHERE o.link_id = ?1
    UNION ALL
    SELECT a.at, 1, 'told', coalesce('call ' || w.history_id, 'its fields'), a.outcome, NULL, '{}', 'run:' || a.run_id, NULL,
           nullif(a.detail, ''), w.activity
    FROM write_back_attempts a JOIN write_backs w ON w.id = a.write_back_id WHERE w.link_id = ?1
    UNION ALL
    SELECT w.changed_at, 4, 'untold', coalesce('call ' || w.history_id, 'its fields'), w.state, w.code, w.params, 'write_back',
           NULL, NULL, NULL
    FROM write_backs w WHERE w.link_id = ?1 AND w.state IN ('held', 'parked', 'gone', 'never')
    UNION ALL
    SELECT at, 3, 'change', field, side, NULL, '{}', coalesce('person:' || person, cause), operation_id,
           CASE WHEN before_digest IS NULL THEN before ELSE json_quote('(erased)') END,
           CASE WHEN after_digest IS NULL THEN after ELSE json_quote('(erased)') END
    FROM changes WHERE link_id = ?1
    UNION ALL
    SELECT n.since, 0, 'note', 'record', CASE WHEN n.ended_at IS NULL THEN 'stands' ELSE 'ended' END, n.code, n.params,
           'pull', NULL, NULL, NULL
    FROM record_notes n JOIN links l ON l.id = ?1 AND l.route = n.route AND l.record_id = n.record_id
    UNION ALL
    SELECT since, 4, 'note', 'answer', CASE WHEN ended_at IS NULL THEN 'stands' ELSE 'ended' END, code, params,
           'answer', operation_id, NULL, NULL
    FROM answer_notes WHERE link_id = ?1
    UNION ALL
    SELECT since, 0, 'block', kind, CASE WHEN lifted_at IS NULL THEN 'in force' ELSE 'lifted' END, code, params,
           coalesce('person:' || who, source), NULL, until, number FROM hit
    UNION ALL
    SELECT lifted_at, 0, 'lifted', kind, 'lifted', NULL, '{}', 'person:' || coalesce(lifted_by, '?'), NULL, lifted_why,
           number FROM hit WHERE lifted_at IS NOT NULL
    UNION ALL
    SELECT w.at, 0, 'word', w.verb, coalesce(w.route, ''), NULL, '{}', 'person:' || w.who, w.operation_id, w.until, w.text
    FROM words w JOIN links l ON l.id = ?1 AND w.route = l.route AND w.record_id = l.record_id
    UNION ALL
    SELECT w.at, 0, 'word', w.verb, '', NULL, '{}', 'person:' || w.who, w.operation_id, w.until, w.text
    FROM operations o JOIN words w ON w.operation_id = o.id WHERE o.link_id = ?1
    UNION ALL
    SELECT w.at, 0, 'route', w.verb, w.route, NULL, '{}', 'person:' || w.who, NULL, w.until, w.text
    FROM links l JOIN words w ON w.route = l.route AND w.record_id IS NULL AND w.operation_id IS NULL
    WHERE l.id = ?1 AND EXISTS (SELECT 1 FROM open
          WHERE w.at <= coalesce(open.until, '9') AND NOT EXISTS (SELECT 1 FROM words n WHERE n.route = w.route
                AND n.record_id IS NULL AND n.operation_id IS NULL AND n.id > w.id AND n.at <= open.since))
    UNION ALL
    SELECT f.since, 0, 'freeze', CASE f.even_locks WHEN 1 THEN 'even locks' ELSE 'all but locks' END, 'begun', NULL, '{}',
           'person:' || f.who, NULL, f.until, f.text
    FROM freezes f WHERE EXISTS (SELECT 1 FROM open
          WHERE f.since <= coalesce(open.until, '9') AND min(coalesce(f.ended_at, '9'), coalesce(f.until, '9')) > open.since)
    UNION ALL
    SELECT f.ended_at, 0, 'freeze', '', 'ended', NULL, '{}', 'person:' || f.ended_who, NULL, NULL, f.ended_text
    FROM freezes f WHERE f.ended_at IS NOT NULL AND (f.until IS NULL OR f.ended_at < f.until) AND EXISTS (SELECT 1 FROM open
          WHERE f.since <= coalesce(open.until, '9') AND f.ended_at > open.since)
    UNION ALL
    SELECT seen_at, 3, 'edited', field, rule, NULL, '{}', 'harvest', NULL, agreed, dialler FROM edits WHERE link_id = ?1
    UNION ALL
    SELECT since, 4, 'conflict', field, state, code, params, CAST(id AS TEXT), NULL, crm, dialler
    FROM edits WHERE link_id = ?1 AND state <> 'seen'
    UNION ALL
    SELECT at, 4, 'word', 'conflict', field || ' ' || take, NULL, '{}', 'person:' || who, NULL, NULL, text
    FROM conflict_words WHERE link_id = ?1
    UNION ALL
    SELECT w.decided_at, 0, 'wave', CAST(w.id AS TEXT), w.state, NULL, '{}', 'person:' || w.who, NULL, NULL, w.text
    FROM waves w WHERE w.decided_at IS NOT NULL AND w.id IN (SELECT wave_id FROM operations WHERE link_id = ?1)
    ORDER BY at, turn, operation, what";

/// When something of the link's waited or was under way: what people said of its route then is told, and no more.
const OPEN: &str =
    "open AS (SELECT created_at AS since, finished_at AS until FROM operations WHERE link_id = ?1)";

/// The blocks, past and present, that stand or stood against the link's record or numbers.
const HIT: &str = "WITH hit AS (SELECT b.* FROM blocks b JOIN links l ON l.id = ?1 AND (l.client = b.client OR b.kind = 'contact')
        LEFT JOIN routes r ON r.route = l.route
        WHERE (b.kind = 'record' AND b.record_id = l.record_id AND b.crm = r.crm AND b.object = r.object)
           OR (b.kind = 'number' AND (b.number IN (SELECT number FROM link_numbers WHERE link_id = ?1)
                OR b.number IN (SELECT number FROM sent_numbers WHERE link_id = ?1)
                OR b.number IN (SELECT number FROM contact_numbers WHERE contact_id = l.contact_id)))
           OR (b.kind = 'contact' AND (b.contact_id = l.contact_id
                OR b.contact_id IN (SELECT contact_id FROM link_contacts WHERE link_id = ?1))))";

fn events(connection: &Connection, link: i64) -> rusqlite::Result<Vec<Event>> {
    connection
        .prepare_cached(&format!("{HIT}, {OPEN} {EVENTS}"))?
        .query_map([link], |row| {
            Ok(Event {
                at: get_time(row, "at")?,
                kind: row.get("kind")?,
                what: row.get("what")?,
                state: row.get("state")?,
                reason: get_reason_opt(row, "code", "params")?,
                cause: row.get("cause")?,
                operation: row.get("operation")?,
                before: row.get("before")?,
                after: row.get("after")?,
            })
        })?
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::scene;
    use super::*;
    use crate::domain::{Block, BlockSubject, ReasonCode};

    #[tokio::test(start_paused = true)]
    async fn somebody_is_found_by_whatever_is_known_and_the_story_has_everything() {
        let scene = scene().await;
        let link = scene.link("1", Some(4711), &["+4930999"]).await;
        scene.link("2", Some(4712), &["+4930999"]).await;
        scene.operation(link, "update", "done").await;
        let block = Block {
            subject: BlockSubject::Number("+4930999".to_owned()),
            reason: ReasonCode::BlockedByHand.into(),
            source: "operator".to_owned(),
            since: scene.ledger.env.now(),
            said_last: scene.ledger.env.now(),
            until: None,
            who: None,
        };
        scene.ledger.block_add("house", block).await.expect("a block");
        let find = async |who: &str, number: Option<&str>| {
            let found = scene.ledger.persons_find(who.to_owned(), number.map(str::to_owned)).await;
            let records = |p: &Person| p.record.clone().expect("a record");
            found.expect("a search").iter().map(records).collect::<Vec<_>>()
        };
        assert_eq!(find("LEADS-1", None).await, ["1"]);
        assert_eq!(find("2", None).await, ["2"]);
        assert_eq!(find("+49 30 999", Some("+4930999")).await, ["1", "2"]);
        assert!(find("leads-9", None).await.is_empty());
        let person = scene.ledger.persons_find("leads-1".to_owned(), None).await.expect("found").remove(0);
        let story = scene.ledger.contact_story(person).await.expect("a story");
        let link = story.link.expect("its link");
        assert_eq!(
            (link.record.as_str(), link.contact, link.wish.as_str()),
            ("1", Some(ContactId(4711)), "locked")
        );
        let mut kinds: Vec<&str> = story.events.iter().map(|e| e.kind.as_str()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        assert_eq!(kinds, ["block", "operation"]);
    }
}
