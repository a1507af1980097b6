//! What the ledger forgets because it is old: runs with their sweeps, attempts, hints that were answered, waves that are over, older
//! contents of calls. What a promise rests on stays, however old: links with what both sides agreed on, operations, calls with their
//! results (their texts and numbers go: `call_erase.rs`), blocks, words, what was told to the CRM, and of each job the last good run and all that failed since.

use super::sql::time;
use super::{Ledger, LedgerError};
use chrono::TimeDelta;
use rusqlite::Connection;

/// So many rows are looked at, and deleted, at once.
const CHUNK: i64 = 1_000;

/// One table, walked by an id that grows with time. The walk ends at the first page without an old row: a night costs what
/// is old and what stays of it, not the table, and no index that every import would have to keep.
pub(super) struct Rule {
    /// The next `?3` rows behind an id (`?1`): id, whether it is older than `?2`, and whether it goes.
    pub walk: &'static str,
    /// Takes those of `?1`, a JSON list, out of what bears their number.
    release: Option<&'static str>,
    /// Deletes them.
    delete: &'static str,
}

/// By `keep_runs`.
pub(super) const RUNS: &[Rule] = &[
    Rule {
        walk: "SELECT a.id, a.answered_at <= ?2 AS old,
                 a.answered_at <= ?2 AND (o.state IN ('done', 'refused', 'superseded', 'cancelled') OR o.kind = 'lock') AS goes
               FROM attempts a CROSS JOIN operations o ON o.id = a.operation_id WHERE a.id > ?1 ORDER BY a.id LIMIT ?3",
        release: None,
        delete: "DELETE FROM attempts WHERE id IN (SELECT value FROM json_each(?1))",
    },
    Rule {
        walk: "SELECT id, at <= ?2 AS old, at <= ?2 AS goes FROM write_back_attempts WHERE id > ?1 ORDER BY id LIMIT ?3",
        release: None,
        delete: "DELETE FROM write_back_attempts WHERE id IN (SELECT value FROM json_each(?1))",
    },
    Rule {
        walk: "SELECT id, at <= ?2 AS old, coalesce(taken_at <= ?2, 0) AS goes
               FROM hints WHERE id > ?1 ORDER BY id LIMIT ?3",
        release: None,
        delete: "DELETE FROM hints WHERE id IN (SELECT value FROM json_each(?1))",
    },
    // The newest list of each campaign, and the newest complete one, are asked for.
    Rule {
        walk: "SELECT s.id, s.began_at <= ?2 AS old, s.began_at <= ?2
                 AND EXISTS (SELECT 1 FROM sweeps n WHERE n.campaign_id IS s.campaign_id AND n.complete >= s.complete
                             AND n.id > s.id) AS goes
               FROM sweeps s WHERE s.id > ?1 ORDER BY s.id LIMIT ?3",
        release: None,
        delete: "DELETE FROM sweeps WHERE id IN (SELECT value FROM json_each(?1))",
    },
    // Since when a job fails is told by the runs after its last good one.
    Rule {
        walk: "SELECT r.id, r.started_at <= ?2 AS old, coalesce(r.finished_at <= ?2, 0)
                 AND EXISTS (SELECT 1 FROM runs n WHERE n.job = r.job AND n.route IS r.route
                             AND n.campaign_id IS r.campaign_id AND n.state = 'done' AND n.id > r.id)
                 AND NOT EXISTS (SELECT 1 FROM sweeps s WHERE s.run_id = r.id) AS goes
               FROM runs r WHERE r.id > ?1 ORDER BY r.id LIMIT ?3",
        release: None,
        delete: "DELETE FROM runs WHERE id IN (SELECT value FROM json_each(?1))",
    },
    // The newest night of standing locks is told by `status`.
    Rule {
        walk: "SELECT id, began_at <= ?2 AS old, coalesce(finished_at <= ?2, 0)
                 AND EXISTS (SELECT 1 FROM lock_rounds n WHERE n.id > r.id) AS goes
               FROM lock_rounds r WHERE id > ?1 ORDER BY id LIMIT ?3",
        release: None,
        delete: "DELETE FROM lock_rounds WHERE id IN (SELECT value FROM json_each(?1))",
    },
    // A person's word on a wave stays, and the wave with it. One that nobody had to decide about is over when all it brought ended as
    // long ago; not that of the rules a route has now, which goes on counting.
    Rule {
        walk: "SELECT w.id, w.since <= ?2 AS old, w.since <= ?2 AND w.state = 'open'
                 AND NOT EXISTS (SELECT 1 FROM operations o WHERE o.wave_id = w.id AND coalesce(o.finished_at > ?2, 1))
                 AND NOT EXISTS (SELECT 1 FROM record_absences a WHERE a.wave_id = w.id)
                 AND NOT EXISTS (SELECT 1 FROM contact_absences a WHERE a.wave_id = w.id)
                 AND NOT EXISTS (SELECT 1 FROM routes r WHERE r.route = w.route
                                 AND w.source || '#' LIKE '% scope change:' || coalesce(r.pulling_run, 0) || '#%') AS goes
               FROM waves w WHERE w.id > ?1 ORDER BY w.id LIMIT ?3",
        release: Some("UPDATE operations SET wave_id = NULL WHERE wave_id IN (SELECT value FROM json_each(?1))"),
        delete: "DELETE FROM waves WHERE id IN (SELECT value FROM json_each(?1))",
    },
];

/// Over `call_revisions` as `v`: whether its content was replaced before `?2`. How old it was by then says nothing: of a call
/// of last year that was corrected yesterday the content until yesterday is what a person asks for.
macro_rules! replaced {
    () => {
        "coalesce((SELECT n.seen_at FROM call_revisions n WHERE n.history_id = v.history_id AND n.revision > v.revision
                   ORDER BY n.revision LIMIT 1),
                  (SELECT c.changed_at FROM calls c WHERE c.history_id = v.history_id), v.seen_at) <= ?2"
    };
}

/// By `keep_changes`: a call's present content stays. What it was before is no older than the call, and may be younger.
pub(super) const CONTENTS: &[Rule] = &[Rule {
    walk: concat!(
        "SELECT v.history_id AS id, (SELECT c.first_seen_at FROM calls c WHERE c.history_id = v.history_id) <= ?2 AS old,
             max(",
        replaced!(),
        ") AS goes
           FROM call_revisions v WHERE v.history_id > ?1 GROUP BY v.history_id ORDER BY v.history_id LIMIT ?3"
    ),
    release: None,
    delete: concat!(
        "DELETE FROM call_revisions AS v WHERE v.history_id IN (SELECT value FROM json_each(?1)) AND ",
        replaced!()
    ),
}];

impl Ledger {
    /// Deletes runs, attempts, answered hints and waves that are over, older than that. Answers how many rows went.
    ///
    /// # Errors
    /// The ledger cannot be written; what went before is gone.
    pub async fn runs_prune(&self, keep: TimeDelta) -> Result<usize, LedgerError> {
        self.prune_by(RUNS, keep).await
    }

    /// Deletes what calls were before they changed, older than that.
    ///
    /// # Errors
    /// The ledger cannot be written; what went before is gone.
    pub async fn call_contents_prune(&self, keep: TimeDelta) -> Result<usize, LedgerError> {
        self.prune_by(CONTENTS, keep).await
    }

    async fn prune_by(&self, rules: &'static [Rule], keep: TimeDelta) -> Result<usize, LedgerError> {
        let before = time(self.env.now().checked_sub_signed(keep).unwrap_or_default());
        let mut gone = 0;
        for rule in rules {
            let mut from = 0;
            loop {
                // Looked for by a reader: the writer must not search.
                let until = before.clone();
                let page =
                    self.read("prune_find", move |connection| next(connection, rule, from, &until)).await?;
                if !page.goes.is_empty() {
                    let (ids, until) = (serde_json::Value::from(page.goes).to_string(), before.clone());
                    gone += self
                        .write("prune", move |tx| {
                            if let Some(release) = rule.release {
                                tx.prepare_cached(release)?.execute([&ids])?;
                            }
                            let mut delete = tx.prepare_cached(rule.delete)?;
                            match delete.parameter_count() {
                                1 => delete.execute([&ids]),
                                _ => delete.execute((&ids, &until)),
                            }
                        })
                        .await?;
                }
                match page.next {
                    Some(next) => from = next,
                    None => break,
                }
            }
        }
        Ok(gone)
    }
}

/// A page of a walk.
struct Page {
    /// The rows that go.
    goes: Vec<i64>,
    /// Where the walk goes on, if it does.
    next: Option<i64>,
}

fn next(connection: &Connection, rule: &Rule, from: i64, before: &str) -> rusqlite::Result<Page> {
    let rows: Vec<(i64, bool, bool)> = connection
        .prepare_cached(rule.walk)?
        .query_map((from, before, CHUNK), |row| Ok((row.get("id")?, row.get("old")?, row.get("goes")?)))?
        .collect::<Result<_, _>>()?;
    let goes_on = rows.len() == CHUNK as usize && rows.iter().any(|(_, old, _)| *old);
    let next = rows.last().filter(|_| goes_on).map(|(id, _, _)| *id);
    Ok(Page { goes: rows.into_iter().filter(|(_, _, goes)| *goes).map(|(id, _, _)| id).collect(), next })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::OperationId;
    use crate::ledger::testing::{Scene, scene};

    const KEEP: TimeDelta = TimeDelta::days(90);

    async fn all(scene: &Scene, sql: &'static str) -> Vec<i64> {
        let read = scene.ledger.read("test_all", move |connection| {
            connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
        });
        read.await.expect("rows")
    }

    async fn put(scene: &Scene, sql: &'static str) {
        scene.ledger.write("test_put", move |tx| tx.execute_batch(sql)).await.expect("put");
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_call_was_until_lately_stays_however_old_the_call() {
        let scene = scene().await;
        let link = scene.link("1", Some(11), &[]).await;
        scene.call(link, 51, "revision = 3, changed_at = '2030-01-01'").await;
        put(
            &scene,
            "INSERT INTO call_revisions (history_id, revision, row, seen_at, run_id) VALUES
                (51, 1, '{}', '2029-01-01', 1), (51, 2, '{}', '2029-02-01', 1)",
        )
        .await;
        assert_eq!(scene.ledger.call_contents_prune(KEEP).await.expect("pruned"), 1);
        assert_eq!(all(&scene, "SELECT revision FROM call_revisions").await, [2], "replaced a week ago");
    }

    #[tokio::test(start_paused = true)]
    async fn old_runs_go_and_the_last_good_one_and_what_failed_since_stay() {
        let scene = scene().await;
        put(
            &scene,
            "INSERT INTO runs (id, job, route, cause, started_at, finished_at, state) VALUES
                (1, 'pull', 'leads', 'hand', '2029', '2029-01-01', 'done'),
                (2, 'pull', 'leads', 'hand', '2029', '2029-01-02', 'failed'),
                (3, 'pull', 'leads', 'hand', '2029', '2029-01-03', 'done'),
                (4, 'pull', 'leads', 'hand', '2029', '2029-01-04', 'failed'),
                (5, 'pull', 'other', 'hand', '2029', '2029-01-04', 'failed'),
                (6, 'push', NULL, 'hand', '2029', '2029-01-04', 'done'),
                (7, 'push', NULL, 'hand', '2029', '2029-12-31', 'done'),
                (8, 'harvest', NULL, 'hand', '2029', '2029-01-04', 'done'),
                (9, 'harvest', NULL, 'hand', '2029', '2029-12-31', 'done');
             INSERT INTO sweeps (run_id, campaign_id, began_seq, began_at, complete) VALUES
                (8, 7, 1, '2029-01-04', 1), (9, 7, 2, '2029-12-31', 0);",
        )
        .await;
        scene.ledger.runs_prune(KEEP).await.expect("pruned");
        assert_eq!(
            all(&scene, "SELECT id FROM runs ORDER BY id").await,
            [3, 4, 5, 7, 8, 9],
            "8 has the last complete list"
        );
        assert_eq!(scene.ledger.runs_prune(KEEP).await.expect("pruned"), 0, "once");
        let checked = scene.ledger.check_all().await.expect("looked over");
        assert!(checked.iter().all(|checked| checked.wrong.is_empty()), "{checked:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn old_nights_of_standing_locks_go_and_the_last_stays() {
        let scene = scene().await;
        let nights = "INSERT INTO lock_rounds (id, began_at, wished, finished_at) VALUES
            (1, '2029-01-01', 5, '2029-01-01'), (2, '2029-01-02', 5, NULL), (3, '2029-01-03', 5, '2029-01-03')";
        put(&scene, nights).await;
        scene.ledger.runs_prune(KEEP).await.expect("pruned");
        assert_eq!(all(&scene, "SELECT id FROM lock_rounds").await, [2, 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn old_waves_go_once_they_are_over_and_what_a_person_said_of_one_stays() {
        let scene = scene().await;
        let link = scene.link("1", Some(11), &[]).await;
        put(
            &scene,
            "UPDATE routes SET pulling_run = 9;
             INSERT INTO waves (id, route, source, kind, operations, bound, since, state, decided_at) VALUES
                (1, 'leads', 'run:1', 'new', 1, 5, '2029-01-01', 'open', NULL),
                (2, 'leads', 'run:2', 'new', 1, 5, '2029-01-01', 'open', NULL),
                (3, 'leads', 'run:3', 'new', 1, 5, '2029-01-01', 'open', NULL),
                (4, 'leads', 'run:4', 'new', 9, 5, '2029-01-01', 'held', NULL),
                (5, 'leads', 'run:5', 'new', 9, 5, '2029-01-01', 'rejected', '2029-01-02'),
                (6, 'leads', 'missing', 'changed', 30, 20, '2029-01-01', 'open', NULL),
                (7, 'leads', 'missing#2', 'changed', 30, 20, '2029-01-01', 'open', NULL),
                (8, 'leads', 'lock scope change:9', 'changed', 3, 5, '2029-01-01', 'open', NULL),
                (9, 'leads', 'lock scope change:8', 'changed', 3, 5, '2029-01-01', 'open', NULL),
                (10, 'leads', 'run:6', 'new', 1, 5, '2030-01-06', 'open', NULL);
             INSERT INTO record_absences (route, record_id, asked_at, wave_id) VALUES ('leads', '1', '2029-01-01', 7);",
        )
        .await;
        for (wave, state, finished) in
            [(1, "done", "'2029-01-01'"), (2, "waiting", "NULL"), (3, "done", "'2030-01-06'")]
        {
            let id = scene.operation(link, "update", state).await;
            let ended =
                format!("UPDATE operations SET wave_id = {wave}, finished_at = {finished} WHERE id = {id}");
            put(&scene, Box::leak(ended.into_boxed_str())).await;
        }
        scene.ledger.runs_prune(KEEP).await.expect("pruned");
        assert_eq!(all(&scene, "SELECT id FROM waves ORDER BY id").await, [2, 3, 4, 5, 7, 8, 10]);
        let bears = "SELECT coalesce(wave_id, 0) FROM operations ORDER BY id";
        assert_eq!(all(&scene, bears).await, [0, 2, 3], "what it brought stays");
        let checked = scene.ledger.check_all().await.expect("looked over");
        assert!(checked.iter().all(|checked| checked.wrong.is_empty()), "{checked:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_wave_of_a_source_whose_first_one_went_has_a_number_of_its_own() {
        let scene = scene().await;
        put(
            &scene,
            "INSERT INTO waves (id, route, source, kind, operations, bound, since, state, decided_at) VALUES
                (6, 'leads', 'missing', 'changed', 30, 20, '2029-01-01', 'open', NULL),
                (7, 'leads', 'missing#2', 'changed', 30, 20, '2029-02-01', 'rejected', '2029-02-02');
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30)
             INSERT INTO record_absences (route, record_id, asked_at, by_pass) SELECT 'leads', i, '2030', 1 FROM n",
        )
        .await;
        scene.ledger.runs_prune(KEEP).await.expect("pruned");
        let limits = crate::domain::limits::MissingLimits { most: 500, percent: 10 };
        scene.ledger.absences_hold(scene.route.clone(), limits).await.expect("a wave");
        assert_eq!(scene.says("SELECT source FROM waves ORDER BY id").await, ["missing#2", "missing#3"]);
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_of_what_is_open_or_needs_a_person_stay_and_old_contents_of_calls_go() {
        let scene = scene().await;
        let link = scene.link("1", Some(7), &[]).await;
        let mut ids = Vec::new();
        for state in ["done", "parked", "uncertain", "refused"] {
            ids.push(OperationId(scene.operation(link, "update", state).await).0);
        }
        put(
            &scene,
            "INSERT INTO attempts (operation_id, sent_at, answered_at, outcome)
                SELECT id, '2029-01-01', '2029-01-01', 'rejected' FROM operations;
             INSERT INTO attempts (operation_id, sent_at, answered_at, outcome)
                SELECT min(id), '2030-01-06', '2030-01-06', 'done' FROM operations;
             INSERT INTO hints (route, record_id, source, at, taken_at) VALUES
                ('leads', '1', 'x', '2029-01-01', '2029-01-01'), ('leads', '2', 'x', '2029-01-01', NULL);
             INSERT INTO calls (history_id, contact_id, hash, row, first_seen_at, changed_at, run_id)
                VALUES (5, 7, x'00', '{}', '2029', '2029', 1);
             INSERT INTO call_revisions (history_id, revision, row, seen_at, run_id)
                VALUES (5, 1, '{}', '2028-01-01', 1), (5, 2, '{}', '2028-02-01', 1);",
        )
        .await;
        scene.ledger.runs_prune(KEEP).await.expect("pruned");
        let kept = all(&scene, "SELECT operation_id FROM attempts ORDER BY operation_id").await;
        assert_eq!(
            kept,
            [ids[0], ids[1], ids[2]],
            "a new one of what is done, and those of what is open or parked"
        );
        assert_eq!(all(&scene, "SELECT CAST(record_id AS INTEGER) FROM hints").await, [2]);
        assert_eq!(scene.ledger.call_contents_prune(TimeDelta::days(400)).await.expect("pruned"), 1);
        assert_eq!(all(&scene, "SELECT revision FROM call_revisions").await, [2]);
        assert_eq!(all(&scene, "SELECT history_id FROM calls").await, [5]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_walk_goes_past_what_stays_and_ends_where_nothing_is_old() {
        let scene = scene().await;
        put(
            &scene,
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)
             INSERT INTO hints (id, route, record_id, source, at, taken_at)
             SELECT i, 'leads', '1', 'x', '2029-01-01', iif(i <= 1200, NULL, '2029-01-01') FROM n;
             INSERT INTO hints (id, route, record_id, source, at) VALUES (2501, 'leads', '1', 'x', '2030-01-01');",
        )
        .await;
        assert_eq!(scene.ledger.runs_prune(KEEP).await.expect("pruned"), 1300);
        assert_eq!(all(&scene, "SELECT count(*) FROM hints").await, [1201]);
    }
}
