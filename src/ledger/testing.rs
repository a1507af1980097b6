//! A ledger in a temporary folder with one route, for the tests of this room.

use super::write_back::want;
use super::{LeaseBatch, LeaseOrder, Leaving, Ledger, Plan, QueuePlace, RouteFacts, Said, Tells};
use crate::domain::limits::WaveLimits;
use crate::domain::policy::{Clearing, RouteState};
use crate::domain::{Activities, HistoryId, LinkId, RouteName, Shapes, Timestamp, Values};
use crate::env::Env;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// The ledger with helpers that write rows directly.
pub(super) struct Scene {
    pub(super) ledger: Ledger,
    pub(super) route: RouteName,
    generation: AtomicI64,
    _folder: tempfile::TempDir,
}

/// Route `leads` of client `house`, on, pinned to campaign 7. Time begins at 2030-01-07T09:00Z, a Monday.
pub(super) async fn scene() -> Scene {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let start: Timestamp = "2030-01-07T09:00:00Z".parse().expect("an instant");
    let ledger = Ledger::open_simulated(&folder.path().join("ledger.sqlite"), Env::simulated(start, 1))
        .await
        .expect("a new ledger");
    let route = RouteName::from("leads");
    let facts = RouteFacts {
        route: route.clone(),
        client: "house".to_owned(),
        crm: "sales".to_owned(),
        object: "person".to_owned(),
        waves: WaveLimits::default(),
    };
    ledger.route_register(facts, RouteState::On).await.expect("a route");
    let pinned = crate::domain::PinnedCampaign { id: crate::domain::CampaignId(7), name: None };
    ledger.route_pin_campaign(route.clone(), pinned).await.expect("a pinned campaign");
    Scene { ledger, route, generation: AtomicI64::new(0), _folder: folder }
}

impl Scene {
    /// Lets hours pass; the test must run with paused time.
    pub(super) async fn wait(&self, hours: u64) {
        tokio::time::advance(Duration::from_secs(3600 * hours)).await;
    }

    /// A link of a record; callable.
    pub(super) async fn link(&self, record: &str, contact: Option<i64>, numbers: &[&str]) -> LinkId {
        let (route, record) = (self.route.0.clone(), record.to_owned());
        let numbers: Vec<String> = numbers.iter().map(|n| (*n).to_owned()).collect();
        self.ledger
            .write("test_link", move |tx| {
                tx.execute(
                    "INSERT INTO links (client, route, record_id, user_data, folded, campaign_id, contact_id, wish,
                                        wish_code, created_at)
                     VALUES ('house', ?1, ?2, ?1 || '-' || ?2, ?1 || '-' || ?2, 7, ?3, 'callable', 'new_record',
                             '2030-01-07T08:00:00.000000Z')",
                    (&route, &record, contact),
                )?;
                let id = tx.last_insert_rowid();
                for number in numbers {
                    tx.execute("INSERT INTO link_numbers (number, link_id) VALUES (?1, ?2)", (number, id))?;
                }
                Ok(LinkId(id))
            })
            .await
            .expect("a link")
    }

    /// An operation of a link in a state.
    pub(super) async fn operation(&self, link: LinkId, kind: &'static str, state: &'static str) -> i64 {
        let generation = self.generation.fetch_add(1, Ordering::Relaxed);
        self.ledger
            .write("test_operation", move |tx| {
                tx.execute(
                    "INSERT INTO operations (link_id, generation, kind, state, code, cause, decided_at, created_at,
                                             not_before, leased_at, settle_at)
                     VALUES (?1, ?2, ?3, ?4, 'new_record', 'run:1', '2030-01-07T09:00:00.000000Z',
                             '2030-01-07T09:00:00.000000Z', '2030-01-07T09:00:00.000000Z',
                             '2030-01-07T09:00:00.000000Z', '2030-01-07T09:01:00.000000Z')",
                    (link.0, generation - 1_000_000, kind, state),
                )?;
                Ok(tx.last_insert_rowid())
            })
            .await
            .expect("an operation")
    }

    /// Leases what may go, without fields, the gate unasked.
    pub(super) async fn lease(&self) -> LeaseBatch {
        let order = LeaseOrder {
            limit: 10,
            after: QueuePlace::default(),
            absent_since: "2030-01-01T00:00:00Z".parse().expect("an instant"),
            only: None,
            clearing: Clearing::Never,
            drips: Vec::new(),
            today: None,
            plan: |_, _, _, _| Plan::Send(Values::new()),
            question: |_| None,
        };
        self.ledger.operations_lease(order).await.expect("a lease")
    }

    /// Kind and state of a link's operations in the order of their generations.
    pub(super) async fn operations(&self, link: LinkId) -> Vec<(String, String)> {
        self.ledger
            .read("test_operations", move |connection| {
                connection
                    .prepare("SELECT kind, state FROM operations WHERE link_id = ?1 ORDER BY generation")?
                    .query_map([link.0], |row| Ok((row.get(0)?, row.get(1)?)))?
                    .collect()
            })
            .await
            .expect("operations")
    }

    /// A call of a link and of contact 11, first seen now, with these columns beside.
    pub(super) async fn call(&self, link: LinkId, call: i64, columns: &'static str) {
        let now = super::sql::time(self.ledger.env.now());
        self.ledger
            .write("test_call", move |tx| {
                tx.execute(
                    "INSERT INTO calls (history_id, contact_id, link_id, campaign_id, hash, row, first_seen_at, changed_at,
                                        run_id)
                     VALUES (?1, 11, ?2, 7, x'', '{}', ?3, ?3, 1)",
                    (call, link.0, now),
                )?;
                tx.execute(&format!("UPDATE calls SET {columns} WHERE history_id = ?1"), [call])
            })
            .await
            .expect("a call");
    }

    /// A route like the scene's but for its name and what is `set` (`campaign_id = 8`).
    pub(super) async fn route_beside(&self, name: &str, set: &[&str]) {
        let name = format!("route = '{name}'");
        let set = [&[name.as_str()], set].concat().join(", ");
        self.put(format!(
            "CREATE TEMP TABLE beside AS SELECT * FROM routes WHERE route = 'leads';
             UPDATE beside SET {set};
             INSERT INTO routes SELECT * FROM beside;
             DROP TABLE beside;"
        ))
        .await;
    }

    /// Record 1 with these calls, each with a result of its own (51: 1), on a route whose calls become activities.
    pub(super) async fn calls_go_back(&self, calls: &[i64]) -> LinkId {
        let set = self.ledger.write_back_set(self.route.clone(), Shapes::Activities, Activities::Change);
        set.await.expect("a beginning");
        let link = self.link("1", Some(11), &[]).await;
        for call in calls {
            self.call(link, *call, "result_code = history_id - 50").await;
        }
        link
    }

    /// The CRM is to be told of these calls.
    pub(super) async fn want_calls(&self, calls: &[i64]) {
        let (calls, now) = (calls.to_vec(), self.ledger.env.now());
        let wanted = self.ledger.write("test_want", move |tx| {
            calls.into_iter().try_for_each(|call| want(tx, HistoryId(call), now))
        });
        wanted.await.expect("wanted");
    }

    /// What a statement says, as text.
    pub(super) async fn says(&self, sql: &'static str) -> Vec<String> {
        let read = self.ledger.read("test_says", move |connection| {
            let mut statement = connection.prepare(sql)?;
            statement
                .query_map([], |row| {
                    row.get::<_, rusqlite::types::Value>(0).map(|value| match value {
                        rusqlite::types::Value::Null => "NULL".to_owned(),
                        rusqlite::types::Value::Integer(number) => number.to_string(),
                        rusqlite::types::Value::Real(number) => number.to_string(),
                        rusqlite::types::Value::Text(text) => text,
                        rusqlite::types::Value::Blob(_) => "a blob".to_owned(),
                    })
                })?
                .collect()
        });
        read.await.expect("rows")
    }

    /// Puts rows as a test needs them.
    pub(super) async fn put(&self, sql: impl Into<String>) {
        let sql = sql.into();
        self.ledger.write("test_put", move |tx| tx.execute_batch(&sql)).await.expect("put");
    }

    /// The steps in which SQLite answers a statement.
    pub(super) async fn plan_of(&self, sql: &str) -> Vec<String> {
        let sql = format!("EXPLAIN QUERY PLAN {sql}");
        let plan = self.ledger.read("test_plan", move |connection| {
            let mut statement = connection.prepare(&sql)?;
            let none = vec![rusqlite::types::Null; statement.parameter_count()];
            statement.query_map(rusqlite::params_from_iter(none), |row| row.get("detail"))?.collect()
        });
        plan.await.expect("a plan")
    }

    /// A contact that a sweep saw with a number.
    pub(super) async fn contact_number(&self, contact: i64, number: &'static str) {
        self.ledger
            .write("test_contact", move |tx| {
                tx.execute(
                    "INSERT INTO contacts (contact_id, campaign_id, seen_seq, seen_at)
                     VALUES (?1, 7, 1, '2030-01-07T08:00:00.000000Z')",
                    [contact],
                )?;
                tx.execute(
                    "INSERT INTO contact_numbers (number, contact_id) VALUES (?1, ?2)",
                    (number, contact),
                )
            })
            .await
            .expect("a contact");
    }
}

/// A request with these values, as JSON, and a digest of one byte.
pub(super) fn leaving(tells: Tells, digest: u8, values: &str) -> Leaving {
    Leaving {
        tells,
        digest: vec![digest],
        values: values.to_owned(),
        rules: std::collections::BTreeMap::new(),
        person: None,
        carrying: "{}".to_owned(),
        then_again: false,
    }
}

/// A person who takes something back.
pub(super) fn a_mistake() -> Said {
    Said { who: "ada".to_owned(), text: "a mistake".to_owned() }
}

/// Overwrites a table's first page, in which a look-up in it begins.
pub(super) fn spoil(path: &std::path::Path, table: &str) {
    let connection = rusqlite::Connection::open(path).expect("opened");
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").expect("all in one file");
    let (page, size): (u64, u64) = connection
        .query_row(
            "SELECT rootpage, (SELECT page_size FROM pragma_page_size) FROM sqlite_schema WHERE name = ?1",
            [table],
            |row| Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get::<_, i64>(1)?.unsigned_abs())),
        )
        .expect("a table");
    drop(connection);
    let file = std::fs::OpenOptions::new().write(true).open(path).expect("a file");
    file.write_all_at(&vec![0xff; usize::try_from(size).expect("a page")], (page - 1) * size)
        .expect("spoilt");
}

impl Ledger {
    /// Has a statement take the writer with it.
    pub(crate) async fn writer_break(&self) {
        let broken = self.write("test_panic", |_| -> rusqlite::Result<()> {
            std::panic::resume_unwind(Box::new("broken by a test"))
        });
        assert!(broken.await.is_err());
    }
}
