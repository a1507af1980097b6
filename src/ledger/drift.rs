//! Where the ledger and what the two sides named do not agree: a book's questions, and what mends the answers through
//! the ordinary ways of pull, push and harvest.

use super::sql::{get_json, json, time};
use super::{Ledger, LedgerError, bearers, due, hints, write_back};
use crate::domain::{
    Base, CampaignId, ContactId, FieldName, HistoryId, LinkId, Pair, RecordId, RouteName, Suspect, Suspects,
    Timestamp,
};
use chrono::TimeDelta;
use rusqlite::{Connection, OptionalExtension as _, Transaction, named_params};
use serde_json::{Value, json as object};

/// What is asked of notes and ledger together. The answers are suspicions: each is looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Records of the ledger that the CRM did not name.
    RecordOrphaned,
    /// Contacts of links that the list did not name.
    ContactMissing,
    /// Listed contacts with the key of a link that has another one.
    ContactDoubled,
    /// Listed contacts with a key of ours that are no record's contact.
    Unheld(Unheld),
    /// Locks that are wished for and were not sent, and do not wait.
    LockMissing,
    /// Calls that the CRM should know of and does not.
    CallUntold,
}

/// Whose key a contact bears that is no record's contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unheld {
    /// A record's that the ledger knows.
    OfKnown,
    /// That of a record which neither the ledger knows nor the CRM named.
    OfNobody,
}

/// So long a call may wait to be told until that is worth a word.
const TOLD_WITHIN: TimeDelta = TimeDelta::hours(1);
/// So many called contacts at once: as many as one batch read takes.
const CALLED: i64 = 100;

const REST: &str = " AND NOT EXISTS (SELECT 1 FROM operations o WHERE o.link_id = l.id
        AND o.state IN ('waiting', 'sending', 'uncertain'))";

/// Of `s`, a listed contact: whom a record has that is there, or whom we keep locked by itself, is no question.
const UNHELD: &str = " AND NOT EXISTS (SELECT 1 FROM links h WHERE h.contact_id = s.contact_id
        AND (h.wish = 'locked' OR h.route IS NOT NULL AND h.vanished_at IS NULL))";

/// To the letter: a key that is equal only when folded is somebody else's. Records parked for what was found are a person's, and
/// the dialler is asked about them anyway.
fn unheld(whose: Unheld) -> String {
    match whose {
        Unheld::OfKnown => format!(
            "SELECT d.record_id, s.contact_id, l.id AS link_id,
                    'its record is ' || d.state || coalesce(' (' || d.code || ')', '') AS details
             FROM listed s CROSS JOIN records d ON d.folded = s.folded AND d.user_data = s.user_data
                  LEFT JOIN links l ON l.route = d.route AND l.record_id = d.record_id
             WHERE +d.route = :route AND d.meet = 'done'
               AND (d.state <> 'parked' OR d.code NOT IN ('several_contacts', 'found_elsewhere', 'folded_match'))
               AND (l.contact_id IS NULL OR l.vanished_at IS NOT NULL){UNHELD}{REST}"
        ),
        Unheld::OfNobody => format!(
            "SELECT NULL AS record_id, s.contact_id, NULL AS link_id, 'UserData ' || s.user_data AS details
             FROM listed s
             WHERE :route IS NOT NULL AND s.keyed IS NOT NULL
               AND NOT EXISTS (SELECT 1 FROM records d WHERE d.folded = s.folded)
               AND NOT EXISTS (SELECT 1 FROM named n WHERE n.record_id = s.keyed){UNHELD}"
        ),
    }
}

/// Asked again for one contact.
pub(super) fn still_unheld(
    notes: &Connection,
    route: &RouteName,
    whose: Unheld,
    contact: ContactId,
    user_data: &str,
) -> rusqlite::Result<bool> {
    let sql = format!("{} AND s.contact_id = :contact AND s.user_data = :user_data", unheld(whose));
    notes
        .prepare_cached(&sql)?
        .exists(named_params! { ":route": route.0, ":contact": contact.0, ":user_data": user_data })
}

fn sql(question: Question) -> String {
    match question {
        Question::RecordOrphaned => {
            "SELECT d.record_id, l.contact_id, d.link_id, d.state AS details FROM records d LEFT JOIN links l ON l.id = d.link_id
             WHERE d.route = :route AND NOT EXISTS (SELECT 1 FROM named n WHERE n.record_id = d.record_id)
               AND NOT EXISTS (SELECT 1 FROM record_absences a WHERE a.route = d.route AND a.record_id = d.record_id)"
                .to_owned()
        }
        Question::ContactMissing => format!(
            "SELECT l.record_id, l.contact_id, l.id AS link_id, 'neither in the campaign''s list nor there by its number' AS details
             FROM links l
             WHERE l.route = :route AND l.contact_id IS NOT NULL AND l.vanished_at IS NULL
               AND NOT EXISTS (SELECT 1 FROM listed s WHERE s.contact_id = l.contact_id){REST}"
        ),
        Question::ContactDoubled => format!(
            "SELECT l.record_id, s.contact_id, l.id AS link_id, 'its record has contact ' || l.contact_id AS details
             FROM links l JOIN listed s ON s.folded = l.folded AND s.contact_id <> l.contact_id
             WHERE l.route = :route AND l.folded IS NOT NULL AND l.contact_id IS NOT NULL
               AND l.vanished_at IS NULL{REST}"
        ),
        Question::Unheld(whose) => unheld(whose),
        Question::LockMissing => format!(
            "SELECT l.record_id, l.contact_id, l.id AS link_id, l.wish_code AS details FROM links l
             WHERE l.route = :route AND l.wish = 'locked' AND l.lock_state = 'open' AND l.contact_id IS NOT NULL
               AND l.vanished_at IS NULL{REST}"
        ),
        Question::CallUntold => format!("SELECT l.record_id, k.contact_id, l.id AS link_id,
                    coalesce('call ' || w.history_id, 'its fields') || ': ' || w.state || coalesce(' (' || w.code || ')', '')
                        AS details
             FROM write_backs w JOIN links l ON l.id = w.link_id LEFT JOIN calls k ON k.history_id = w.history_id
             WHERE l.route = :route AND w.state NOT IN ('done', 'never', 'gone')
               AND (w.state <> 'waiting' OR w.waits_since < :late)
             UNION ALL
             SELECT l.record_id, k.contact_id, l.id, 'call ' || k.history_id || ': never entered' {NEVER_ENTERED}"),
    }
}

/// Over the calls `k` of links `l`: those that the route tells of and that no run entered.
const NEVER_ENTERED: &str = "FROM calls k JOIN links l ON l.id = k.link_id JOIN routes r ON r.route = l.route
             WHERE l.route = :route AND r.write_back_shapes IN ('activities', 'both') AND k.test IS NOT 1
               AND coalesce(k.started_at, k.created_at, k.first_seen_at) >= r.write_back_since
               AND NOT EXISTS (SELECT 1 FROM write_backs w WHERE w.history_id = k.history_id)";

pub(super) fn answer(
    notes: &Connection,
    route: &RouteName,
    campaign: CampaignId,
    question: Question,
    now: Timestamp,
) -> rusqlite::Result<Suspects> {
    let mut statement = notes.prepare_cached(&sql(question))?;
    let all: [(&str, &dyn rusqlite::ToSql); 3] =
        [(":route", &route.0), (":campaign", &campaign.0), (":late", &time(now - TOLD_WITHIN))];
    let mut asked = Vec::new();
    for (name, value) in all {
        if statement.parameter_index(name)?.is_some() {
            asked.push((name, value));
        }
    }
    let mut rows = statement.query(asked.as_slice())?;
    let mut suspects = Suspects::default();
    while let Some(row) = rows.next()? {
        let suspect = Suspect {
            record: row.get::<_, Option<String>>("record_id")?.map(RecordId),
            contact: row.get::<_, Option<i64>>("contact_id")?.map(ContactId),
            link: row.get::<_, Option<i64>>("link_id")?.map(LinkId),
            details: row.get("details")?,
        };
        suspects.add(|| suspect);
    }
    Ok(suspects)
}

/// So many calls that were told are named at once.
pub const TOLD_PAGE: u32 = 100;

/// A call that the CRM was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldCall {
    /// Its record.
    pub record: RecordId,
    /// Its contact.
    pub contact: ContactId,
    /// The call.
    pub call: HistoryId,
}

/// By the calls' own index, page after page: most are done, so that their state must not be what is looked for.
const CALLS_TOLD: &str =
    "SELECT l.record_id, k.contact_id, w.history_id FROM write_backs w CROSS JOIN links l ON l.id = w.link_id
     JOIN calls k ON k.history_id = w.history_id
     WHERE l.route = ?1 AND w.kind = 'activity' AND +w.state = 'done' AND w.sent_at < ?2 AND w.history_id < ?4
       AND k.erased_at IS NULL
     ORDER BY w.history_id DESC LIMIT ?3";
const FIRST_TOLD: &str = "SELECT w.history_id FROM write_backs w CROSS JOIN links l ON l.id = w.link_id
     WHERE l.route = ?1 AND w.kind = 'activity' AND +w.state = 'done' AND w.history_id IS NOT NULL
     ORDER BY w.history_id LIMIT 1";

/// The oldest call of the route that became an activity.
pub(super) fn call_told_first(notes: &Connection, route: &RouteName) -> rusqlite::Result<Option<HistoryId>> {
    notes.prepare_cached(FIRST_TOLD)?.query_row([&route.0], |row| row.get(0).map(HistoryId)).optional()
}

/// The newest of them below a call; what was told a moment ago may not be visible yet.
pub(super) fn calls_told(
    notes: &Connection,
    route: &RouteName,
    below: Option<HistoryId>,
    now: Timestamp,
) -> rusqlite::Result<Vec<ToldCall>> {
    notes
        .prepare_cached(CALLS_TOLD)?
        .query_map(
            (&route.0, time(now - TOLD_WITHIN), TOLD_PAGE, below.map_or(i64::MAX, |below| below.0)),
            |row| {
                Ok(ToldCall {
                    record: RecordId(row.get(0)?),
                    contact: ContactId(row.get(1)?),
                    call: HistoryId(row.get(2)?),
                })
            },
        )?
        .collect()
}

pub(super) fn beside(notes: &Connection, route: &RouteName) -> rusqlite::Result<(u64, u64)> {
    let count = |sql: &str| -> rusqlite::Result<u64> {
        let count: i64 = notes.query_row(sql, named_params! { ":route": route.0 }, |row| row.get(0))?;
        Ok(count.unsigned_abs())
    };
    Ok((
        count(
            "SELECT count(*) FROM listed s WHERE :route IS NOT NULL AND NOT EXISTS
                (SELECT 1 FROM links l WHERE l.contact_id = s.contact_id AND l.route IS NOT NULL)",
        )?,
        count(
            "SELECT count(*) FROM links WHERE route = :route AND lock_state = 'locked' AND contact_id IS NOT NULL",
        )?,
    ))
}

/// Whose fields moved since the last sweep is read by the harvest anyway, and so is whoever waits for a row.
pub(super) fn called(
    notes: &Connection,
    route: &RouteName,
    after: ContactId,
) -> rusqlite::Result<Vec<CalledContact>> {
    notes
        .prepare_cached(
            "SELECT s.contact_id, c.tries FROM listed s JOIN contacts c ON c.contact_id = s.contact_id
             WHERE s.contact_id > ?1 AND s.called = 1 AND (s.fingerprint IS NULL OR c.fingerprint IS s.fingerprint)
               AND EXISTS (SELECT 1 FROM links l WHERE l.contact_id = s.contact_id AND l.route = ?2)
               AND NOT EXISTS (SELECT 1 FROM harvest_due d WHERE d.contact_id = s.contact_id AND d.reason <> 'sum')
             ORDER BY s.contact_id LIMIT ?3",
        )?
        .query_map((after.0, &route.0, CALLED), |row| {
            Ok(CalledContact { id: ContactId(row.get(0)?), tries: row.get(1)? })
        })?
        .collect()
}

/// Contacts of the route that were last seen, or imported, in another campaign than its present one, whose list names none of them:
/// as many as one read takes, by number.
pub(super) fn elsewhere(
    notes: &Connection,
    route: &RouteName,
    campaign: CampaignId,
    after: ContactId,
) -> rusqlite::Result<Vec<ContactId>> {
    notes
        .prepare_cached(
            "SELECT l.contact_id FROM links l LEFT JOIN contacts c ON c.contact_id = l.contact_id
             WHERE l.route = ?1 AND l.vanished_at IS NULL AND l.contact_id > ?3
               AND coalesce(c.campaign_id, l.campaign_id, ?2) <> ?2
             ORDER BY l.contact_id LIMIT ?4",
        )?
        .query_map((&route.0, campaign.0, after.0, CALLED), |row| row.get(0).map(ContactId))?
        .collect()
}

/// Somebody of the list who was called, as the list shows them, and as the ledger knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalledContact {
    /// Who.
    pub id: ContactId,
    /// How often they were tried. Whoever was tried more often by now has a call that no harvest can know yet.
    pub tries: i64,
}

/// What a reconcile found and a person wants mended; everything goes the ordinary way from here.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Mend {
    /// Records to be read by id and decided anew.
    pub records: Vec<RecordId>,
    /// Records whose keys the dialler is to be asked for.
    pub keys: Vec<RecordId>,
    /// Contacts whose histories are to be read.
    pub histories: Vec<ContactId>,
    /// Calls whose activities are to be made anew.
    pub activities: Vec<HistoryId>,
    /// Whether the route's calls are entered that no run entered.
    pub never_entered: bool,
    /// What was seen of the CRM's fields in the dialler, where it is not what was agreed on.
    pub fields: Vec<(LinkId, Vec<(FieldName, Value)>)>,
}

impl Ledger {
    /// Marks what does not agree as due, in one transaction; pull, push and harvest do the rest.
    ///
    /// # Errors
    /// The ledger cannot be written; nothing is marked then.
    pub async fn drift_mend(&self, route: RouteName, mend: Mend) -> Result<(), LedgerError> {
        let now = self.env.now();
        self.write("drift_mend", move |tx| {
            for record in &mend.records {
                hints::add_in(tx, now, &route, record, "reconcile")?;
            }
            for record in &mend.keys {
                bearers::ask(tx, &route, record)?;
            }
            for contact in &mend.histories {
                due::enter(tx, *contact, "hint", now)?;
            }
            if mend.never_entered {
                enter_untold(tx, &route, now)?;
            }
            for call in &mend.activities {
                write_back::tell_anew(tx, *call, now)?;
            }
            mend.fields.iter().try_for_each(|(link, seen)| agree_no_more(tx, *link, seen))
        })
        .await
    }
}

fn enter_untold(tx: &Transaction<'_>, route: &RouteName, now: Timestamp) -> rusqlite::Result<()> {
    let links: Vec<i64> = tx
        .prepare_cached(&format!("SELECT DISTINCT l.id {NEVER_ENTERED}"))?
        .query_map(named_params! { ":route": route.0 }, |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    links.into_iter().try_for_each(|link| write_back::want_all_of(tx, LinkId(link), now))
}

/// The dialler's half is what was seen, the CRM's agrees with nothing: the next decision sends what is desired.
fn agree_no_more(tx: &Transaction<'_>, link: LinkId, seen: &[(FieldName, Value)]) -> rusqlite::Result<()> {
    let base: Option<Base> = tx
        .prepare_cached("SELECT base FROM links WHERE id = ?1")?
        .query_row([link.0], |row| get_json(row, "base"))
        .optional()?;
    let Some(mut base) = base else { return Ok(()) };
    for (field, dialler) in seen {
        base.insert(*field, Pair { crm: object!({ "replaced": true }), dialler: dialler.clone() });
    }
    tx.prepare_cached("UPDATE links SET base = ?2 WHERE id = ?1")?.execute((link.0, json(&base)?))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Activities, Shapes};
    use crate::ledger::testing::scene;

    #[tokio::test]
    async fn whose_key_a_contact_bears_is_looked_up_and_no_table_walked_but_the_list() {
        let scene = scene().await;
        let book = scene.ledger.reconcile_book().await.expect("a book");
        for whose in [Unheld::OfKnown, Unheld::OfNobody] {
            let sql = format!("EXPLAIN QUERY PLAN {}", unheld(whose));
            let plan = book.ask("test_plan", move |notes| {
                let mut statement = notes.prepare(&sql)?;
                statement.query_map([rusqlite::types::Null], |row| row.get("detail"))?.collect()
            });
            let plan: Vec<String> = plan.await.expect("a plan");
            let scans: Vec<&String> = plan.iter().filter(|step| step.contains("SCAN")).collect();
            assert!(scans.iter().all(|step| step.starts_with("SCAN s")), "{whose:?}: {plan:#?}");
            assert!(plan.iter().any(|step| step.contains("records_folded")), "{whose:?}: {plan:#?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whom_we_keep_locked_or_is_being_looked_for_is_no_question() {
        let scene = scene().await;
        scene
            .put(
                "INSERT INTO records (route, record_id, hash, user_data, folded, state, code, since, meet, decided_at, run_id)
                 VALUES ('leads', '1', x'', 'leads-1', 'leads-1', 'blocked', 'blocked', '', 'done', '', 1)",
            )
            .await;
        let suspected = async || {
            let book = scene.ledger.reconcile_book().await.expect("a book");
            let (id, user_data) = (ContactId(11), Some("leads-1".to_owned()));
            let seen =
                super::super::ListedContact { id, user_data, keyed: None, called: false, fingerprint: None };
            book.contacts_listed(scene.route.clone(), vec![seen]).await.expect("noted");
            let asked = book.suspects(scene.route.clone(), CampaignId(7), Question::Unheld(Unheld::OfKnown));
            asked.await.expect("read").first
        };
        let found = suspected().await;
        assert_eq!((found.len(), found[0].record.clone()), (1, Some(RecordId("1".to_owned()))));
        assert_eq!(found[0].details, "its record is blocked (blocked)");
        let mend = Mend { keys: vec![RecordId("1".to_owned())], ..Mend::default() };
        scene.ledger.drift_mend(scene.route.clone(), mend).await.expect("marked");
        assert_eq!(suspected().await, [], "the dialler is about to be asked");
        scene
            .put(
                "UPDATE records SET meet = 'done';
                 INSERT INTO links (client, contact_id, wish, wish_code, created_at) VALUES ('house', 11, 'locked', 'blocked', '')",
            )
            .await;
        assert_eq!(suspected().await, [], "whom we keep locked");
        scene.put("UPDATE links SET wish = 'callable'").await;
        assert_eq!(suspected().await.len(), 1);
    }

    #[tokio::test]
    async fn what_was_told_is_walked_page_after_page_and_sorted_for_none() {
        let scene = scene().await;
        for sql in [CALLS_TOLD, FIRST_TOLD] {
            let steps = scene.plan_of(sql).await;
            assert!(steps[0].contains("USING INDEX write_backs_call"), "{steps:#?}");
            assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{steps:#?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_no_run_entered_are_entered_by_a_repair() {
        let scene = scene().await;
        let set = scene.ledger.write_back_set(scene.route.clone(), Shapes::Activities, Activities::Change);
        set.await.expect("a beginning");
        let link = scene.link("1", Some(11), &[]).await;
        scene.call(link, 51, "started_at = first_seen_at").await;
        scene.put("DELETE FROM write_backs").await;
        let waiting = || async {
            let count = scene.ledger.read("test_waiting", |connection| {
                let sql = "SELECT count(*) FROM write_backs WHERE history_id = 51 AND state = 'waiting'";
                connection.query_row(sql, [], |row| row.get::<_, i64>(0))
            });
            count.await.expect("read")
        };
        for (never_entered, entered) in [(false, 0), (true, 1), (true, 1)] {
            let mend = Mend { never_entered, ..Mend::default() };
            scene.ledger.drift_mend(scene.route.clone(), mend).await.expect("marked");
            assert_eq!(waiting().await, entered, "{never_entered}");
        }
    }
}
