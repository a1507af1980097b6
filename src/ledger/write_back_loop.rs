//! Whether something changes back what we write.

use super::sql::time;
use super::{Ledger, LedgerError};
use crate::domain::WriteBackId;
use chrono::TimeDelta;

impl Ledger {
    /// How often the fields of the row's record were written within the last hour, or, where that is more, how often within
    /// the last day one of them was written a value that it had had from us that day already.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn write_back_own_changes(&self, row: WriteBackId) -> Result<i64, LedgerError> {
        let now = self.env.now();
        self.read("write_back_own_changes", move |connection| {
            let written: i64 = connection
                .prepare_cached(
                    "SELECT count(*) FROM write_back_attempts WHERE write_back_id = ?1 AND at >= ?2 AND outcome = 'done'",
                )?
                .query_row((row.0, time(now - TimeDelta::hours(1))), |row| row.get(0))?;
            let brought_back: i64 = connection
                .prepare_cached(
                    // What is told once more beside something new goes neither to nor fro.
                    "SELECT coalesce(max(again), 0) FROM (
                        SELECT count(*) - count(DISTINCT after) AS again FROM (
                            SELECT c.field, c.after, lag(c.after) OVER (PARTITION BY c.field ORDER BY c.id) AS last
                            FROM write_backs w JOIN changes c ON c.link_id = w.link_id AND c.at >= ?2 AND c.write_back_id = w.id
                            WHERE w.id = ?1 AND c.after IS NOT NULL)
                        WHERE after IS NOT last GROUP BY field)",
                )?
                .query_row((row.0, time(now - TimeDelta::days(1))), |row| row.get(0))?;
            Ok(written.max(brought_back))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Activities, RunId, Shapes};
    use crate::ledger::testing::{leaving, scene};
    use crate::ledger::{TellEnd, Tells, Tried};
    use serde_json::Map;

    #[tokio::test(start_paused = true)]
    async fn values_that_go_to_and_fro_four_times_an_hour_are_noticed_within_a_day() {
        let scene = scene().await;
        scene
            .ledger
            .write_back_set(scene.route.clone(), Shapes::Fields, Activities::Change)
            .await
            .expect("a beginning");
        let link = scene.link("1", Some(11), &[]).await;
        let row = WriteBackId(1);
        let mut counted = Vec::new();
        for round in 0..20_u32 {
            let now = scene.ledger.env.now();
            let want = scene
                .ledger
                .write("test_want", move |tx| super::super::write_back::want_fields(tx, link, now));
            want.await.expect("wanted");
            let wanted = i64::from(round) + 1;
            // A counter that goes up beside it says nothing.
            let word = if round % 2 == 0 { "Bonn" } else { "BONN" };
            let values = format!("{{\"city\":\"{word}\",\"calls\":{round}}}");
            let leaving = leaving(Tells::TheRest, 1, &values);
            assert!(scene.ledger.write_back_begin(row, wanted, leaving).await.expect("begun"));
            let end = TellEnd::Done { activity: None, carried: Vec::new(), before: Map::new() };
            let tried = Tried { outcome: "done", detail: String::new() };
            scene.ledger.write_back_end(row, wanted, RunId(1), end, Some(tried)).await.expect("ended");
            counted.push(scene.ledger.write_back_own_changes(row).await.expect("counted"));
            tokio::time::advance(std::time::Duration::from_secs(15 * 60)).await;
        }
        assert_eq!(counted[..6], [1, 2, 3, 4, 5, 5], "four or five within the hour");
        assert_eq!(counted[19], 18, "and all that were there before within the day");
        scene.wait(30).await;
        assert_eq!(scene.ledger.write_back_own_changes(row).await.expect("counted"), 0);
    }
}
