//! What a write-back has to do next, with everything the mapping needs; and the moment before it is sent.

use super::acts::{anything, route_acts};
use super::sql::{get_named, time};
use super::write_back_facts::with_facts;
use super::{Ledger, LedgerError, told_trail};
use crate::domain::{
    CallFacts, HistoryFacts, HistoryId, LinkId, LinkView, RecordId, RouteName, TellRule, Timestamp, Told,
    WriteBackId,
};
use rusqlite::{Connection, named_params};
use std::collections::BTreeMap;

/// The facts of one row, as they are now.
#[derive(Debug, Clone, PartialEq)]
pub enum TellFacts {
    /// Of an activity.
    Call(Box<CallFacts>),
    /// Of a record's fields.
    History(Box<HistoryFacts>),
}

/// One row that is to be told, or asked about.
#[derive(Debug, Clone, PartialEq)]
pub struct ToTell {
    /// Its number.
    pub id: WriteBackId,
    /// Its link: one request at a time, because a CRM locks records.
    pub link: LinkId,
    /// The record.
    pub record: RecordId,
    /// The call, where it is one's activity.
    pub call: Option<HistoryId>,
    /// What is wanted now.
    pub wanted: i64,
    /// What the request in doubt told.
    pub sent: Option<i64>,
    /// The CRM's id of the activity, once known.
    pub activity: Option<String>,
    /// Whether the CRM may know it from a time that this ledger has forgotten: the call is older than the takeover by
    /// which it came to be at home here.
    pub maybe_told: bool,
    /// Digest of the values last told.
    pub digest: Option<Vec<u8>>,
    /// Digest of the objection last told.
    pub objection_told: Option<Vec<u8>>,
    /// Requests since something last went well.
    pub tries: u32,
    /// Of these, and of the questions about them, how many had no usable answer: what was certainly not executed is none.
    pub doubts: u32,
    /// From what the values are worked out.
    pub facts: TellFacts,
    /// Of fields: the link with what the dialler's side changed and the CRM can be told of, if anything.
    pub edited: Option<Box<LinkView>>,
}

/// How far a walk over what waits has come: activities first, in order of their calls, then the fields of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Behind this call's activity.
    Call(HistoryId),
    /// Behind the fields of this link's record.
    Record(LinkId),
}

impl ToTell {
    /// The place behind it.
    pub fn place(&self) -> Place {
        self.call.map_or(Place::Record(self.link), Place::Call)
    }
}

/// Which of a row's two tellings a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tells {
    /// Somebody's no, by itself.
    Objection,
    /// What follows from calls, and what the dialler's side changed.
    TheRest,
}

/// What leaves with one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaving {
    /// What it tells.
    pub tells: Tells,
    /// Digest of the objection, or of the values that follow from calls: the others are told once and never again.
    pub digest: Vec<u8>,
    /// All values, as JSON.
    pub values: String,
    /// By which rule each of them is told.
    pub rules: BTreeMap<String, TellRule>,
    /// Whose word they rest on, where it is one's who is known.
    pub person: Option<String>,
    /// Of which fields of the dialler's side they tell, with the CRM's names, as JSON.
    pub carrying: String,
    /// Whether the row is to be looked at once more when it is told: what follows from calls could not go with it.
    pub then_again: bool,
}

/// What of it is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approval {
    /// All that waited at that moment: what comes later is measured anew.
    NotNeeded(Timestamp),
    /// What a person approved: the brake holds the rest.
    Needed,
}

/// What is asked for, by which index, and in which order: each is named, because a plan that sorts all that waits for every page
/// looks as good to SQLite while little waits.
struct Asked {
    index: &'static str,
    which: &'static str,
    order: &'static str,
}

/// Whatever else of the record waits or is in doubt: whole values of its fields do not mind.
const OBJECTIONS: Asked = Asked {
    index: "write_backs_objections",
    which: "w.objection IS NOT NULL AND w.state = 'waiting'",
    order: "w.id",
};
/// Whoever waits for an answer longest first: a run does not come to all of them where answers are slow.
const DOUBTFUL: Asked = Asked {
    index: "write_backs_state",
    which: "w.state = 'uncertain'",
    order: "w.due_at, w.kind = 'fields', w.history_id, w.id",
};
/// Nothing of a record that has a request under way or in doubt.
const CALLS: Asked = Asked {
    index: "write_backs_calls_waiting",
    which: "w.state = 'waiting' AND w.kind = 'activity' AND w.history_id > :after AND w.objection IS NULL
            AND (w.waits_since <= :by OR w.waits_since <= r.write_back_approved)
            AND NOT EXISTS (SELECT 1 FROM write_backs o WHERE o.link_id = w.link_id AND o.state IN ('sending', 'uncertain'))",
    order: "w.history_id",
};
/// Nor the fields of one of which an activity waits.
const RECORDS: Asked = Asked {
    index: "write_backs_records_waiting",
    which: "w.state = 'waiting' AND w.kind = 'fields' AND w.link_id > :after AND w.objection IS NULL
            AND (w.waits_since <= :by OR w.waits_since <= r.write_back_approved)
            AND NOT EXISTS (SELECT 1 FROM write_backs o WHERE o.link_id = w.link_id
                AND (o.state IN ('sending', 'uncertain') OR o.kind = 'activity' AND o.state = 'waiting'))",
    order: "w.link_id",
};
const COLUMNS: &str =
    "w.id, w.kind, w.link_id, l.record_id, w.history_id, w.wanted, w.sent, w.activity, w.digest, w.objection_told, w.tries, w.doubts,
    w.rules IS NOT 'by hand' AND coalesce((SELECT i.since > r.write_back_since AND coalesce(c.started_at, c.created_at, c.first_seen_at) < i.since
              FROM identity i, calls c WHERE c.history_id = w.history_id), 0) AS maybe_told";

impl Ledger {
    /// Objections that are to be told, oldest first. No brake holds them; what holds everything does.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn write_back_objections(
        &self,
        route: RouteName,
        limit: u32,
    ) -> Result<Vec<ToTell>, LedgerError> {
        let now = time(self.env.now());
        self.read("write_back_objections", move |connection| {
            let rows = rows(connection, &OBJECTIONS, &route, &now, limit)?;
            rows.into_iter().map(|row| with_facts(connection, row)).collect()
        })
        .await
    }

    /// The CRM knows this row's objection, or it was taken back: the rest of the row goes its way.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn write_back_objection_known(&self, row: WriteBackId, wanted: i64) -> Result<(), LedgerError> {
        self.write("write_back_objection_known", move |tx| {
            tx.prepare_cached(
                "UPDATE write_backs SET objection = NULL WHERE id = ?1 AND state = 'waiting' AND wanted = ?2",
            )?
            .execute((row.0, wanted))?;
            Ok(())
        })
        .await
    }

    /// What else waits and is due behind a place, oldest first; nothing of a record that has a request under way or in doubt, its fields
    /// only when no activity of it waits. Nothing while the route does not act, everything is frozen, or the ledger is not
    /// at home; in a pilot, what belongs to its records.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn write_back_take(
        &self,
        route: RouteName,
        approval: Approval,
        behind: Option<Place>,
        limit: u32,
    ) -> Result<Vec<ToTell>, LedgerError> {
        let now = time(self.env.now());
        self.read("write_back_take", move |connection| {
            let page = |asked: &Asked, after: i64, limit: u32| {
                let by = match approval {
                    Approval::NotNeeded(by) => time(by),
                    Approval::Needed => String::new(),
                };
                let params = named_params! {
                    ":route": route.0, ":now": now, ":after": after, ":by": by, ":limit": limit,
                };
                found(connection, &select(asked), params)
            };
            let mut rows = match behind {
                None => page(&CALLS, i64::MIN, limit)?,
                Some(Place::Call(call)) => page(&CALLS, call.0, limit)?,
                Some(Place::Record(_)) => Vec::new(),
            };
            let left = limit.saturating_sub(u32::try_from(rows.len()).unwrap_or(limit));
            if left > 0 {
                let after = match behind {
                    None | Some(Place::Call(_)) => i64::MIN,
                    Some(Place::Record(link)) => link.0,
                };
                rows.extend(page(&RECORDS, after, left)?);
            }
            rows.into_iter().map(|row| with_facts(connection, row)).collect()
        })
        .await
    }

    /// What waits, whether or not the route acts and the row is due: for a dry run.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn write_back_shown(&self, route: RouteName, limit: u32) -> Result<Vec<ToTell>, LedgerError> {
        self.read("write_back_shown", move |connection| {
            let rows = found(connection, &shown(), named_params! { ":route": route.0, ":limit": limit })?;
            rows.into_iter().map(|row| with_facts(connection, row)).collect()
        })
        .await
    }

    /// What is in doubt and was left alone for long enough.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn write_back_doubtful(
        &self,
        route: RouteName,
        limit: u32,
    ) -> Result<Vec<ToTell>, LedgerError> {
        let now = time(self.env.now());
        self.read("write_back_doubtful", move |connection| {
            let rows = rows(connection, &DOUBTFUL, &route, &now, limit)?;
            rows.into_iter().map(|row| with_facts(connection, row)).collect()
        })
        .await
    }

    /// The CRM has an activity of this row's call already.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn write_back_found(&self, row: WriteBackId, activity: String) -> Result<(), LedgerError> {
        self.write("write_back_found", move |tx| {
            tx.prepare_cached("UPDATE write_backs SET activity = ?2 WHERE id = ?1")?
                .execute((row.0, activity))?;
            Ok(())
        })
        .await
    }

    /// The moment before these values are sent: from here on it may have happened. `false`: meanwhile something else is wanted.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn write_back_begin(
        &self,
        row: WriteBackId,
        wanted: i64,
        leaving: Leaving,
    ) -> Result<bool, LedgerError> {
        let now = time(self.env.now());
        self.write("write_back_begin", move |tx| {
            let because = told_trail::because(tx, row, &leaving)?;
            let begun = tx
                .prepare_cached(
                    "UPDATE write_backs SET state = 'sending', sent = ?2, sending = ?3, sending_values = ?5, sent_at = ?4, because = ?9,
                            carrying = CASE WHEN ?8 THEN carrying ELSE ?7 END, objection = CASE WHEN ?8 THEN 'under_way' ELSE objection END, tries = tries + 1, doubts = doubts + 1, changed_at = ?4, then_again = ?6
                     WHERE id = ?1 AND state = 'waiting' AND wanted = ?2",
                )?
                .execute((
                    row.0,
                    wanted,
                    leaving.digest,
                    now,
                    leaving.values,
                    leaving.then_again,
                    leaving.carrying,
                    leaving.tells == Tells::Objection,
                    because,
                ))?;
            Ok(begun == 1)
        })
        .await
    }
}

/// How many could go now that nobody approved.
pub(super) fn unapproved(connection: &Connection, route: &RouteName, now: &str) -> rusqlite::Result<i64> {
    connection
        .prepare_cached(concat!(
            "SELECT count(*) FILTER (WHERE w.waits_since > r.write_back_approved)
             FROM write_backs w CROSS JOIN links l ON l.id = w.link_id CROSS JOIN routes r ON r.route = l.route
             WHERE w.state = 'waiting' AND w.objection IS NULL AND w.due_at <= :now AND +l.route = :route AND ",
            route_acts!()
        ))?
        .query_row(named_params! { ":route": route.0, ":now": now }, |row| row.get(0))
}

/// Of a million told calls none is looked at.
fn select(asked: &Asked) -> String {
    let Asked { index, which, order } = asked;
    format!(
        "SELECT {COLUMNS} FROM write_backs w INDEXED BY {index} CROSS JOIN links l ON l.id = w.link_id
         CROSS JOIN routes r ON r.route = l.route
         WHERE {which} AND +l.route = :route AND w.due_at <= :now AND {} AND {} ORDER BY {order} LIMIT :limit",
        anything!(),
        route_acts!()
    )
}

fn shown() -> String {
    format!(
        "SELECT {COLUMNS} FROM write_backs w CROSS JOIN links l ON l.id = w.link_id CROSS JOIN routes r ON r.route = l.route
         WHERE w.state = 'waiting' AND +l.route = :route ORDER BY w.kind = 'fields', w.history_id, w.id LIMIT :limit"
    )
}

fn rows(
    connection: &Connection,
    asked: &Asked,
    route: &RouteName,
    now: &str,
    limit: u32,
) -> rusqlite::Result<Vec<(Told, ToTell)>> {
    let params = named_params! { ":route": route.0, ":now": now, ":limit": limit };
    found(connection, &select(asked), params)
}

fn found(
    connection: &Connection,
    sql: &str,
    params: &[(&str, &dyn rusqlite::ToSql)],
) -> rusqlite::Result<Vec<(Told, ToTell)>> {
    connection
        .prepare_cached(sql)?
        .query_map(params, |row| {
            let empty = HistoryFacts {
                calls: 0,
                attempts: 0,
                answered: 0,
                first_started: None,
                last: None,
                next_try: None,
                last_with_result: None,
                blocked: None,
                standing: None,
                of_calls: false,
            };
            let to_tell = ToTell {
                id: WriteBackId(row.get("id")?),
                link: LinkId(row.get("link_id")?),
                record: RecordId(row.get("record_id")?),
                call: row.get::<_, Option<i64>>("history_id")?.map(HistoryId),
                wanted: row.get("wanted")?,
                sent: row.get("sent")?,
                activity: row.get("activity")?,
                maybe_told: row.get("maybe_told")?,
                digest: row.get("digest")?,
                objection_told: row.get("objection_told")?,
                tries: row.get("tries")?,
                doubts: row.get("doubts")?,
                facts: TellFacts::History(Box::new(empty)),
                edited: None,
            };
            Ok((get_named(row, "kind", Told::parse)?, to_tell))
        })?
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Activities, Shapes};
    use crate::ledger::testing::scene;

    #[tokio::test(start_paused = true)]
    async fn what_waits_is_found_without_a_look_at_all_that_was_told() {
        let scene = scene().await;
        for (asked, by) in [
            (OBJECTIONS, "SCAN w USING INDEX write_backs_objections"),
            (DOUBTFUL, "SEARCH w USING INDEX write_backs_state (state=? AND due_at<?)"),
            (CALLS, "SEARCH w USING INDEX write_backs_calls_waiting (history_id>?)"),
            (RECORDS, "SEARCH w USING INDEX write_backs_records_waiting (link_id>?)"),
        ] {
            let plan = scene.plan_of(&select(&asked)).await;
            assert_eq!(plan.first().map(String::as_str), Some(by), "{plan:#?}");
            let sorted = plan.iter().any(|step| step.contains("ORDER BY"));
            assert_eq!(sorted, asked.index == "write_backs_state", "no page sorts all that waits: {plan:#?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_walk_over_what_waits_comes_by_each_row_once_whatever_waits_again_behind_it() {
        let scene = scene().await;
        let route = || scene.route.clone();
        let set = scene.ledger.write_back_set(route(), Shapes::Both, Activities::Change);
        set.await.expect("a beginning");
        for n in 1..=5 {
            let link = scene.link(&n.to_string(), None, &[]).await;
            scene.call(link, 100 - n, "result_code = 1").await;
            scene.want_calls(&[100 - n]).await;
        }
        // Of these records no activity waits any more.
        scene.put("UPDATE write_backs SET state = 'done' WHERE kind = 'activity' AND link_id > 3").await;
        let (mut behind, mut walked) = (None, Vec::new());
        loop {
            let page = scene
                .ledger
                .write_back_take(route(), Approval::NotNeeded(scene.ledger.env.now()), behind, 2)
                .await;
            let page = page.expect("a page");
            let Some(last) = page.last() else { break };
            behind = Some(last.place());
            walked.extend(page.iter().map(ToTell::place));
        }
        let calls = [97, 98, 99].map(|call| Place::Call(HistoryId(call)));
        let records = [4, 5].map(|link| Place::Record(LinkId(link)));
        assert_eq!(walked, calls.into_iter().chain(records).collect::<Vec<_>>());
    }
}
