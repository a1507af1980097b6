//! Who is held out of a route because of a call on another one: an input of the decision, asked once more when what makes
//! somebody callable is leased. The person is known by the record, or by a number, within the client, as for blocks.

use super::leaving::campaigns_of;
use super::sql::{call_at, get_json, get_time};
use crate::domain::hold::{Hold, HoldRules, Outcome, ResultType};
use crate::domain::{
    CampaignId, ContactId, HistoryId, LinkId, Reason, RecordId, RecordKey, RouteName, Timestamp,
};
use rusqlite::{Connection, OptionalExtension as _, named_params};
use std::collections::BTreeSet;

/// Somebody of whom it is asked.
pub(super) struct Whom<'a> {
    pub client: &'a str,
    /// The route that wants to call: its own results do not count here.
    pub route: &'a RouteName,
    pub key: &'a RecordKey,
    pub numbers: &'a [String],
}

/// Another route of the client that says what its results mean for others.
struct Other {
    route: RouteName,
    same_object: bool,
    rules: HoldRules,
}

/// Why this person is held out, if so; of several reasons the one that lasts longest.
pub(super) fn against(
    connection: &Connection,
    whom: &Whom<'_>,
    now: Timestamp,
) -> rusqlite::Result<Option<Reason>> {
    let mut found: Option<Hold> = None;
    for other in others(connection, whom)? {
        let links = links_of(connection, &other, whom)?.into_iter().map(Called::Of);
        let strangers = strangers_of(connection, &other, whom)?.into_iter().map(Called::Nobody);
        for called in links.chain(strangers) {
            let outcome = last_outcome(connection, called)?;
            let hold = outcome.and_then(|outcome| other.rules.hold(&other.route, &outcome, now));
            found = hold.map(|hold| hold.longer(found.take())).or(found);
        }
    }
    Ok(found.map(|hold| hold.reason))
}

/// The same of the record of a link; `None` too for a lane without a record.
pub(super) fn against_link(
    connection: &Connection,
    link: LinkId,
    now: Timestamp,
) -> rusqlite::Result<Option<Reason>> {
    match Person::of(connection, link)? {
        Some(person) => against(connection, &person.whom(), now),
        None => Ok(None),
    }
}

/// Whose link it is.
pub(super) struct Person {
    client: String,
    route: RouteName,
    key: RecordKey,
    numbers: Vec<String>,
}

impl Person {
    /// `None` for a lane without a record.
    pub(super) fn of(connection: &Connection, link: LinkId) -> rusqlite::Result<Option<Self>> {
        let owner = connection
            .prepare_cached(
                "SELECT r.client, r.route, r.crm, r.object, l.record_id FROM links l JOIN routes r ON r.route = l.route
                 WHERE l.id = ?1",
            )?
            .query_row([link.0], |row| {
                let key = RecordKey { crm: row.get(2)?, object: row.get(3)?, id: RecordId(row.get(4)?) };
                Ok((row.get(0)?, RouteName(row.get(1)?), key))
            })
            .optional()?;
        let Some((client, route, key)) = owner else { return Ok(None) };
        Ok(Some(Self { client, route, key, numbers: numbers_of(connection, link)? }))
    }

    pub(super) fn whom(&self) -> Whom<'_> {
        Whom { client: &self.client, route: &self.route, key: &self.key, numbers: &self.numbers }
    }
}

/// The numbers of a link's record.
pub(super) fn numbers_of(connection: &Connection, link: LinkId) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare_cached("SELECT number FROM link_numbers WHERE link_id = ?1")?
        .query_map([link.0], |row| row.get(0))?
        .collect()
}

fn others(connection: &Connection, whom: &Whom<'_>) -> rusqlite::Result<Vec<Other>> {
    connection
        .prepare_cached(
            "SELECT route, crm = :crm AND object = :object AS same_object, hold_rules FROM routes
             WHERE client = :client AND route <> :route AND hold_rules IS NOT NULL ORDER BY route",
        )?
        .query_map(
            named_params! {
                ":crm": whom.key.crm, ":object": whom.key.object, ":client": whom.client, ":route": whom.route.0,
            },
            |row| {
                Ok(Other {
                    route: RouteName(row.get("route")?),
                    same_object: row.get("same_object")?,
                    rules: get_json(row, "hold_rules")?,
                })
            },
        )?
        .collect()
}

/// Whoever on a route has a number, or was called on it while they had it.
const BEARERS: &str = "SELECT n.link_id FROM link_numbers n CROSS JOIN links l ON l.id = n.link_id
     WHERE n.number = ?1 AND l.route = ?2
     UNION ALL
     SELECT l.id FROM called_numbers n CROSS JOIN calls c ON c.history_id = n.history_id CROSS JOIN links l ON l.id = c.link_id
     WHERE n.number = ?1 AND l.route = ?2";

/// Whether a call `k` is of a contact that is no record's: a lane that only holds locks is none.
macro_rules! nobodys {
    ($k:literal) => {
        concat!("(", $k, ".link_id IS NULL OR (SELECT route FROM links WHERE id = ", $k, ".link_id) IS NULL)")
    };
}
pub(super) use nobodys;

pub(super) const STRANGERS: &str = concat!(
    "SELECT c.contact_id FROM (SELECT contact_id FROM contact_numbers WHERE number = ?1 UNION
                               SELECT k.contact_id FROM called_numbers n CROSS JOIN calls k ON k.history_id = n.history_id
                               WHERE n.number = ?1) b
     CROSS JOIN calls c ON c.contact_id = b.contact_id
     WHERE ",
    nobodys!("c"),
    " AND +c.campaign_id IN (",
    campaigns_of!("?2"),
    ") AND +c.campaign_id NOT IN (",
    campaigns_of!("?3"),
    ")"
);

/// The person's links on the other route.
fn links_of(connection: &Connection, other: &Other, whom: &Whom<'_>) -> rusqlite::Result<BTreeSet<LinkId>> {
    let mut found = BTreeSet::new();
    if other.same_object {
        let own = connection
            .prepare_cached("SELECT id FROM links WHERE route = ?1 AND record_id = ?2")?
            .query_row((&other.route.0, &whom.key.id.0), |row| row.get(0).map(LinkId))
            .optional()?;
        found.extend(own);
    }
    let mut bearers = connection.prepare_cached(BEARERS)?;
    for number in whom.numbers {
        for link in bearers.query_map((number, &other.route.0), |row| row.get(0).map(LinkId))? {
            found.insert(link?);
        }
    }
    Ok(found)
}

/// Contacts of no record in the campaigns that the other route has or had, and the own one not, which bear one of the numbers or were
/// called on it: by a number a person is known whoever's contact it is (users 18).
fn strangers_of(
    connection: &Connection,
    other: &Other,
    whom: &Whom<'_>,
) -> rusqlite::Result<BTreeSet<ContactId>> {
    let mut found = BTreeSet::new();
    let mut strangers = connection.prepare_cached(STRANGERS)?;
    for number in whom.numbers {
        let named = (number, &other.route.0, &whom.route.0);
        for contact in strangers.query_map(named, |row| row.get(0).map(ContactId))? {
            found.insert(contact?);
        }
    }
    Ok(found)
}

/// Whose calls are meant.
#[derive(Debug, Clone, Copy)]
pub(super) enum Called {
    /// Those of a record's link, over all contacts it ever had.
    Of(LinkId),
    /// Those of a contact while it was nobody's.
    Nobody(ContactId),
}

macro_rules! newest {
    ($($whose:tt)+) => {
        concat!(
            "SELECT c.history_id, c.campaign_id, c.result_code, t.export_key, t.name, t.done, t.aborted,
                    t.delay = 1 OR t.appointment = 1 AS again,
                    ",
            call_at!("c"),
            " AS at,
                    EXISTS (SELECT 1 FROM holds_released h
                            WHERE h.history_id = c.history_id AND h.code = c.result_code) AS released
             FROM calls c LEFT JOIN result_codes t ON t.campaign_id = c.campaign_id AND t.code = c.result_code
             WHERE ",
            $($whose)+,
            " AND c.result_code IS NOT NULL AND c.test IS NOT 1
               AND c.changed_at > coalesce((SELECT max(o.finished_at)
                      FROM (SELECT c.link_id AS id UNION SELECT s.id FROM links s WHERE s.contact_id = c.contact_id) s
                      CROSS JOIN operations o ON o.link_id = s.id
                      WHERE o.contact_id = c.contact_id AND o.kind = 'reset' AND o.state = 'done' AND o.code = 'by_hand'), '')
             ORDER BY ",
            call_at!("c"),
            " DESC, c.history_id DESC LIMIT 1",
        )
    };
}

/// The newest result, unless a reset of ours came after it, or a person said of exactly this one that it holds nobody.
pub(super) fn last_outcome(connection: &Connection, called: Called) -> rusqlite::Result<Option<Outcome>> {
    let (sql, id) = match called {
        Called::Of(link) => (newest!("c.link_id = ?1"), link.0),
        Called::Nobody(contact) => (newest!(concat!("c.contact_id = ?1 AND ", nobodys!("c"))), contact.0),
    };
    let newest = connection
        .prepare_cached(sql)?
        .query_row([id], |row| Ok((row.get::<_, bool>("released")?, outcome_in(row)?)))
        .optional()?;
    Ok(newest.and_then(|(released, outcome)| (!released).then_some(outcome)))
}

fn outcome_in(row: &rusqlite::Row<'_>) -> rusqlite::Result<Outcome> {
    Ok(Outcome {
        call: HistoryId(row.get("history_id")?),
        campaign: row.get::<_, Option<i64>>("campaign_id")?.map(CampaignId),
        code: row.get("result_code")?,
        export_key: row.get("export_key")?,
        name: row.get("name")?,
        kind: ResultType::of(row.get("done")?, row.get("aborted")?, row.get("again")?),
        at: get_time(row, "at")?,
    })
}

#[cfg(test)]
mod tests;
