//! Whether the ledger is sound: the file itself, and what no row may say. Reads only.

use super::{Ledger, LedgerError, readers, trail_proof};
use rusqlite::Connection;
use serde::Serialize;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// What.
    pub what: &'static str,
    /// What is wrong, the first few; nothing: it is sound.
    pub wrong: Vec<String>,
}

/// So many findings of one kind are named.
const NAMED: usize = 20;

/// What no row may say: what it is about, and the statement that finds it.
const ROWS: &[(&str, &str)] = &[
    (
        "the balances of runs",
        "SELECT 'run ' || id || ' (' || job || ') is done and does not add up' FROM runs
         WHERE state = 'done' AND NOT CASE job
            WHEN 'pull' THEN records_read = repeats + stale + unchanged + queued + adopted + skipped + blocked + parked
            WHEN 'push' THEN taken = done + refused + uncertain + superseded + parked + put_back
            WHEN 'harvest' THEN listed = unchanged + due + foreign_contacts
            WHEN 'write_back' THEN taken = done + unchanged + held + refused + uncertain + parked + gone + put_back
            ELSE 1 END",
    ),
    (
        "runs and their ends",
        "SELECT 'run ' || id || ' is ' || state || ' and its end says otherwise' FROM runs
         WHERE (finished_at IS NULL) <> (state = 'running')",
    ),
    (
        "contacts of links",
        "SELECT 'link ' || l.id || ' has contact ' || l.contact_id || ' and no campaign'
         FROM links l JOIN routes r ON r.route = l.route
         WHERE l.contact_id IS NOT NULL AND l.campaign_id IS NULL AND r.campaign_id IS NULL
         UNION ALL
         SELECT 'contact ' || contact_id || ' belongs to ' || count(*) || ' links' FROM links
         WHERE contact_id IS NOT NULL AND route IS NOT NULL GROUP BY contact_id HAVING count(*) > 1",
    ),
    (
        "records and their links",
        "SELECT 'record ' || d.record_id || ' of route ' || d.route || ' has the link of another record'
         FROM records d JOIN links l ON l.id = d.link_id
         WHERE l.route IS NOT d.route OR l.record_id IS NOT d.record_id",
    ),
    (
        "states of operations",
        "SELECT 'operation ' || id || ' is ' || state || ' and has no end' FROM operations
         WHERE state IN ('done', 'refused', 'superseded', 'cancelled') AND finished_at IS NULL
         UNION ALL
         SELECT 'operation ' || id || ' waits and has an end' FROM operations
         WHERE state = 'waiting' AND finished_at IS NOT NULL
         UNION ALL
         SELECT 'operation ' || id || ' is in doubt and nothing says until when' FROM operations
         WHERE state = 'uncertain' AND settle_at IS NULL
         UNION ALL
         SELECT 'operation ' || o.id || ' is of generation ' || o.generation || ', above its link' FROM operations o
         JOIN links l ON l.id = o.link_id WHERE o.generation > l.generation",
    ),
    (
        "lanes",
        "SELECT 'the lane of link ' || link_id || ' has ' || count(*) || ' operations under way' FROM operations
         WHERE state IN ('sending', 'uncertain') AND kind <> 'lock' GROUP BY link_id HAVING count(*) > 1",
    ),
    (
        "cursors",
        "SELECT 'route ' || route || ' is read up to ' || position || ', after it was moved there' FROM cursors
         WHERE position > moved_at AND julianday(position) - julianday(moved_at) > 1",
    ),
];

impl Ledger {
    /// Looks the whole ledger over, as it stands at one moment; a large one takes minutes.
    ///
    /// # Errors
    /// It cannot be read at all.
    pub async fn check_all(&self) -> Result<Vec<Checked>, LedgerError> {
        let path = self.path().to_owned();
        let looked = self.env.aside(move || {
            // A connection of its own: those of the pool are interrupted after seconds.
            let mut connection = readers::open(&path)?;
            look(&mut connection)
        });
        let looked = looked.await.ok_or(LedgerError::Closed)?;
        let result = looked.map_err(|error| LedgerError::sort("check_all", &error));
        self.health.judge(&result);
        result
    }
}

/// Looks over whatever file is open.
pub(super) fn look(connection: &mut Connection) -> rusqlite::Result<Vec<Checked>> {
    let moment = connection.transaction()?;
    let mut found = vec![
        Checked { what: "the file", wrong: texts(&moment, "PRAGMA integrity_check(20)")? },
        Checked { what: "references between rows", wrong: references(&moment)? },
        Checked { what: "the views", wrong: views(&moment)? },
        Checked { what: "the trail of changes", wrong: trail_proof::broken(&moment)? },
    ];
    found[0].wrong.retain(|line| line != "ok");
    for (what, sql) in ROWS {
        found.push(Checked { what, wrong: texts(&moment, sql)? });
    }
    found.iter_mut().for_each(|checked| checked.wrong.truncate(NAMED));
    Ok(found)
}

fn texts(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<String>> {
    connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
}

fn references(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare("PRAGMA foreign_key_check")?;
    let rows = statement.query_map([], |row| {
        let (table, row_id, parent): (String, Option<i64>, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let which = row_id.map_or_else(String::new, |id| format!(" {id}"));
        Ok(format!("row{which} of {table} names a row of {parent} that is not there"))
    })?;
    rows.collect()
}

fn views(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let names = texts(connection, "SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY name")?;
    let unreadable = |name: &String| {
        let read =
            connection.query_row(&format!("SELECT count(*) FROM {name}"), [], |row| row.get::<_, i64>(0));
        read.err().map(|error| format!("{name} cannot be read: {error}"))
    };
    Ok(names.iter().filter_map(unreadable).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::testing::scene;

    async fn wrong(ledger: &Ledger) -> Vec<String> {
        let found = ledger.check_all().await.expect("looked over");
        assert!(found.len() > 8, "{found:?}");
        found.into_iter().flat_map(|checked| checked.wrong).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn what_no_row_may_say_is_found_and_a_sound_ledger_has_nothing() {
        let scene = scene().await;
        let link = scene.link("1", Some(11), &[]).await;
        scene.operation(link, "update", "waiting").await;
        assert_eq!(wrong(&scene.ledger).await, Vec::<String>::new());
        let spoil = scene.ledger.write("test_spoil", move |tx| {
            tx.execute("UPDATE operations SET finished_at = created_at, generation = 99", [])?;
            tx.execute_batch("PRAGMA ignore_check_constraints = ON")?;
            tx.execute(
                "INSERT INTO runs (job, cause, started_at, finished_at, state, listed)
                 VALUES ('harvest', 'hand', '2030', '2030', 'done', 3)",
                [],
            )
        });
        spoil.await.expect("spoiled");
        let found = wrong(&scene.ledger).await.join("\n");
        for words in ["waits and has an end", "above its link", "does not add up"] {
            assert!(found.contains(words), "{words}: {found}");
        }
    }
}
