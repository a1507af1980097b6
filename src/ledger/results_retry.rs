//! What a person has told again of what is parked: one row, the calls of some days, or all of a route.

use super::results::BEGAN;
use super::results_words::keep;
use super::sql::time;
use super::words::Said;
use super::{Ledger, LedgerError};
use crate::domain::{ReasonCode, RouteName, Timestamp, WriteBackId};
use chrono::TimeDelta;
use rusqlite::{Connection, named_params};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// For so many days whose record was not there is tried again with a whole route: a wrong address says so of everybody.
const GONE_DAYS: i64 = 7;

/// What is tried again of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Again {
    /// All of it.
    All,
    /// One row, also one in doubt: somebody has looked at it.
    Row(WriteBackId),
    /// The calls that began in a span, and the fields of their records.
    Calls {
        /// From then on.
        from: Timestamp,
        /// Until before then.
        until: Timestamp,
    },
}

/// What would be told again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RetryPlan {
    /// Calls.
    pub calls: i64,
    /// Records with their fields.
    pub records: i64,
    /// Of both, by the code of what stands against it now.
    pub reasons: BTreeMap<String, i64>,
    /// Left out because they are in doubt, and the CRM may have them: each is looked at by itself.
    pub in_doubt: i64,
}

/// Rows `w` of a route that are tried again, or would be if they were not in doubt. Whom the pull knows as deleted is not
/// tried: that answer will not be another one. Nor, unless it is named, a create in doubt whose record was not there afterwards: it
/// may have been told before.
const STUCK: &str = "(w.state = 'parked' OR w.state = 'gone' AND w.changed_at >= :gone_since)
       AND (:row IS NULL OR w.id = :row)
       AND (w.state = 'parked' OR w.kind = 'fields' OR w.activity IS NOT NULL OR w.doubts = 0 OR w.id = :row)
       AND EXISTS (SELECT 1 FROM links l LEFT JOIN records x ON x.route = l.route AND x.record_id = l.record_id
            WHERE l.id = w.link_id AND l.route = :route
              AND (w.state = 'parked' OR coalesce(x.code, '') NOT IN ('record_deleted', 'record_gone')))
       AND (:from IS NULL OR EXISTS (SELECT 1 FROM calls c WHERE c.link_id = w.link_id
            AND (w.history_id IS NULL OR c.history_id = w.history_id) AND ";

fn stuck() -> String {
    format!("{STUCK}{BEGAN}))")
}

/// The values of `STUCK`.
struct Which {
    row: Option<i64>,
    from: Option<String>,
    until: Option<String>,
    gone_since: String,
}

impl Which {
    fn of(again: Again, now: Timestamp) -> Self {
        let gone_since = time(now - TimeDelta::days(GONE_DAYS));
        match again {
            Again::All => Self { row: None, from: None, until: None, gone_since },
            Again::Row(id) => Self { row: Some(id.0), from: None, until: None, gone_since },
            // Whoever names days means these, however long they are past.
            Again::Calls { from, until } => Self {
                row: None,
                from: Some(time(from)),
                until: Some(time(until)),
                gone_since: String::new(),
            },
        }
    }
}

impl Ledger {
    /// What `results_retry` would tell again.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn results_retry_plan(&self, route: RouteName, again: Again) -> Result<RetryPlan, LedgerError> {
        let now = self.env.now();
        self.read("results_retry_plan", move |connection| planned(connection, &route, &Which::of(again, now)))
            .await
    }

    /// What is parked is tried again, but what is in doubt, unless it is the one row that is named: that might be there
    /// twice, so somebody has to look at each. Also whose record was not there (of a whole route: in the last days), unless
    /// the pull knows it as deleted: a wrong address says so of everybody. Of a whole route the word stands also where
    /// nothing was parked: it ends the brake on rejections. Answers how many.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn results_retry(
        &self,
        route: RouteName,
        again: Again,
        said: Said,
    ) -> Result<usize, LedgerError> {
        let now = self.env.now();
        let which = Which::of(again, now);
        let now = time(now);
        self.write("results_retry", move |tx| {
            let released = tx
                .prepare_cached(&format!(
                    "UPDATE write_backs AS w SET state = 'waiting', code = NULL, params = '{{}}', tries = 0, doubts = 0, due_at = :now,
                            changed_at = :now, rules = CASE WHEN :row IS NULL THEN rules ELSE 'by hand' END, let_go_by = :who
                     WHERE {} AND (w.code <> 'in_doubt' OR w.id = :row)",
                    stuck()
                ))?
                .execute(named_params! {
                    ":route": route.0, ":row": which.row, ":from": which.from, ":until": which.until,
                    ":gone_since": which.gone_since, ":now": now, ":who": said.who,
                })?;
            let row = match again {
                Again::Row(id) => Some(id),
                Again::All | Again::Calls { .. } => None,
            };
            if released > 0 || again == Again::All {
                keep(tx, &now, "retry", &route, row, &said)?;
            }
            Ok(released)
        })
        .await
    }
}

fn planned(connection: &Connection, route: &RouteName, which: &Which) -> rusqlite::Result<RetryPlan> {
    let sql = format!(
        "SELECT w.code, w.kind, count(*) AS rows FROM write_backs w WHERE {} GROUP BY w.code, w.kind",
        stuck()
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(named_params! {
        ":route": route.0, ":row": which.row, ":from": which.from, ":until": which.until, ":gone_since": which.gone_since,
    })?;
    let mut found = RetryPlan::default();
    while let Some(row) = rows.next()? {
        let (code, kind, count): (String, String, i64) =
            (row.get("code")?, row.get("kind")?, row.get("rows")?);
        if code == ReasonCode::InDoubt.as_str() && which.row.is_none() {
            found.in_doubt += count;
            continue;
        }
        match kind.as_str() {
            "activity" => found.calls += count,
            _fields => found.records += count,
        }
        *found.reasons.entry(code).or_default() += count;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::testing::scene;

    #[tokio::test(start_paused = true)]
    async fn of_named_days_also_old_answers_are_tried_again_and_nothing_in_doubt() {
        let scene = scene().await;
        let route = scene.route.clone();
        let now = scene.ledger.env.now();
        let link = scene.link("1", Some(11), &[]).await;
        for call in [51, 52, 53, 54] {
            scene.call(link, call, "started_at = first_seen_at").await;
        }
        scene
            .put(
                "INSERT INTO write_backs (kind, link_id, history_id, wanted, state, code, due_at, waits_since, changed_at, created_at)
                 SELECT 'activity', link_id, history_id, 1, iif(history_id IN (51, 54), 'gone', 'parked'),
                        CASE history_id WHEN 52 THEN 'in_doubt' WHEN 53 THEN 'rejected' ELSE 'record_gone' END,
                        first_seen_at, first_seen_at, first_seen_at, first_seen_at FROM calls;
                 -- It may have arrived before its record went.
                 UPDATE write_backs SET doubts = 1 WHERE history_id = 54;",
            )
            .await;
        scene.wait(24 * 30).await;
        let plan = scene.ledger.results_retry_plan(route.clone(), Again::All).await.expect("a plan");
        assert_eq!((plan.calls, plan.in_doubt), (1, 1), "a record that was not there a month ago is left");
        let days = |from: i64, until: i64| Again::Calls {
            from: now + TimeDelta::days(from),
            until: now + TimeDelta::days(until),
        };
        let said = || Said { who: "ada".to_owned(), text: String::new() };
        for (again, released, words) in [(days(1, 2), 0, 0), (days(-1, 1), 2, 1), (Again::All, 0, 2)] {
            let tried = scene.ledger.results_retry(route.clone(), again, said()).await.expect("tried again");
            assert_eq!(tried, released, "{again:?}");
            let kept = scene.says("SELECT id FROM write_back_words").await.len();
            assert_eq!(kept, words, "days without anything to tell end no brake: {again:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_calls_of_a_row_are_found_by_its_link() {
        let scene = scene().await;
        let plan = scene.plan_of(&format!("SELECT w.id FROM write_backs w WHERE {}", stuck())).await;
        let walks = |step: &String| step.starts_with("SCAN");
        assert!(!plan.iter().any(walks), "{plan:#?}");
        assert!(plan.iter().any(|step| step.contains("calls_link")), "{plan:#?}");
    }
}
