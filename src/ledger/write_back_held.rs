//! What cannot be told yet, and when it waits again.

use super::sql::{call_at, get_named, time};
use super::write_back_end::forgets_what_was_told;
use super::{Ledger, LedgerError, echoes};
use crate::domain::{CallResult, CampaignId, LinkId, ReasonCode, RouteName, Told, WriteBackId};
use chrono::TimeDelta;

/// A row that another mapping held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldRow {
    /// Its number.
    pub id: WriteBackId,
    /// What it tells.
    pub told: Told,
    /// Why it was held.
    pub code: ReasonCode,
    /// The campaign of the call that it would tell the result of.
    pub campaign: Option<CampaignId>,
    /// That result; of fields, the newest.
    pub result: Option<CallResult>,
}

impl Ledger {
    /// What of the route another mapping than this one held.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn write_back_held(
        &self,
        route: RouteName,
        rules: String,
    ) -> Result<Vec<HeldRow>, LedgerError> {
        self.read("write_back_held", move |connection| {
            connection
                .prepare_cached(concat!(
                    "SELECT w.id, w.kind, w.code, c.campaign_id, c.result_code, t.name, t.export_key
                     FROM write_backs w JOIN links l ON l.id = w.link_id
                     LEFT JOIN calls c ON c.history_id = coalesce(w.history_id, (
                        SELECT k.history_id FROM calls k
                        WHERE k.link_id = w.link_id AND k.test IS NOT 1 AND k.result_code IS NOT NULL
                        ORDER BY ",
                    call_at!("k"),
                    " DESC, k.history_id DESC LIMIT 1))
                     LEFT JOIN result_codes t ON t.campaign_id = c.campaign_id AND t.code = c.result_code
                     WHERE w.state = 'held' AND +l.route = ?1 AND w.rules IS NOT ?2"
                ))?
                .query_map((&route.0, &rules), |row| {
                    let code: Option<i64> = row.get("result_code")?;
                    let (name, export_key) = (row.get("name")?, row.get("export_key")?);
                    Ok(HeldRow {
                        id: WriteBackId(row.get("id")?),
                        told: get_named(row, "kind", Told::parse)?,
                        code: get_named(row, "code", ReasonCode::parse)?,
                        campaign: row.get::<_, Option<i64>>("campaign_id")?.map(CampaignId),
                        result: code.map(|code| CallResult { code, name, export_key }),
                    })
                })?
                .collect()
        })
        .await
    }

    /// At the beginning of a run: `again`, which another mapping held and this one can tell, and what waited for a call's
    /// end that will not come any more, wait from now on, as news: who approved what waited before has not approved these.
    /// What else was held is held by these rules from now on. Nothing of the route is under way then, so what is said to be
    /// (its end could not be stored) may have happened, and is asked about after the quiet time.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn write_back_release(
        &self,
        route: RouteName,
        rules: String,
        again: Vec<WriteBackId>,
        quiet: TimeDelta,
    ) -> Result<usize, LedgerError> {
        let ask_at = self.env.now() + quiet;
        let at = self.env.now();
        let now = time(at);
        let again = serde_json::Value::from_iter(again.iter().map(|row| row.0)).to_string();
        self.write("write_back_release", move |tx| {
            let cut_off: Vec<(i64, i64)> = tx
                .prepare_cached(
                    "SELECT id, link_id FROM write_backs
                     WHERE state = 'sending' AND (SELECT route FROM links l WHERE l.id = +link_id) = ?1",
                )?
                .query_map([&route.0], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<Result<_, _>>()?;
            for (row, link) in cut_off {
                echoes::told(tx, WriteBackId(row), LinkId(link), at)?;
            }
            tx.prepare_cached(concat!(
                "UPDATE write_backs SET state = 'uncertain', due_at = ?2, changed_at = ?3, ",
                forgets_what_was_told!(),
                " WHERE state = 'sending' AND (SELECT route FROM links l WHERE l.id = +link_id) = ?1"
            ))?
            .execute((&route.0, time(ask_at), &now))?;
            let released = tx
                .prepare_cached(
                    "UPDATE write_backs SET state = 'waiting', code = NULL, params = '{}', due_at = ?2, waits_since = ?2,
                            changed_at = ?2
                     WHERE state = 'held' AND (SELECT route FROM links l WHERE l.id = +link_id) = ?1
                       AND (id IN (SELECT value FROM json_each(?3))
                            OR code IN (?4, ?5) AND (SELECT open FROM calls k WHERE k.history_id = write_backs.history_id) = 0)",
                )?
                .execute((
                    &route.0,
                    &now,
                    &again,
                    ReasonCode::CallUnderWay.as_str(),
                    ReasonCode::ResultAwaited.as_str(),
                ))?;
            tx.prepare_cached(
                "UPDATE write_backs SET rules = ?2 WHERE state = 'held' AND rules IS NOT ?2
                    AND (SELECT route FROM links l WHERE l.id = +link_id) = ?1",
            )?
            .execute((&route.0, &rules))?;
            Ok(released)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::RunId;
    use crate::ledger::testing::{Scene, leaving, scene};
    use crate::ledger::{Brake, Leaving, Said, TellBrake, TellEnd, Tells};
    use serde_json::Map;

    /// Two calls held by rules of before, for the want of a word.
    async fn held() -> Scene {
        let scene = scene().await;
        scene.calls_go_back(&[51, 52]).await;
        scene.want_calls(&[51, 52]).await;
        scene.put("UPDATE write_backs SET state = 'held', code = 'unmapped_result', rules = 'before'").await;
        scene
    }

    #[tokio::test(start_paused = true)]
    async fn what_another_mapping_held_is_news_when_it_can_be_told_and_stays_held_where_it_cannot() {
        let scene = held().await;
        scene.wait(1).await;
        let said = Said { who: "ada".to_owned(), text: "meant".to_owned() };
        scene.ledger.results_approve(scene.route.clone(), said).await.expect("approved");
        scene.wait(1).await;
        let rows = scene.ledger.write_back_held(scene.route.clone(), "now".to_owned()).await.expect("rows");
        let codes: Vec<Option<i64>> =
            rows.iter().map(|row| row.result.as_ref().map(|result| result.code)).collect();
        assert_eq!(codes, [Some(1), Some(2)]);
        let (route, rows) = (scene.route.clone(), vec![rows[1].id]);
        let released =
            scene.ledger.write_back_release(route, "now".to_owned(), rows, TimeDelta::zero()).await;
        assert_eq!(released.expect("released"), 1);
        let brake = scene
            .ledger
            .write_back_brake(scene.route.clone(), TellBrake { per_run: 0, per_day: None, percent: None })
            .await
            .expect("a brake");
        assert!(matches!(brake, Brake::Holds { count: 1, .. }), "nobody approved it: {brake:?}");
        let rows = scene.ledger.write_back_held(scene.route.clone(), "now".to_owned()).await.expect("rows");
        assert_eq!(rows, [], "not asked again before the config changes");
        assert_eq!(scene.says("SELECT state FROM write_backs ORDER BY id").await, ["held", "waiting"]);
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_may_have_happened_counts_as_a_doubt() {
        let scene = held().await;
        scene.put("UPDATE write_backs SET state = 'waiting', code = NULL").await;
        let row = WriteBackId(1);
        let at = scene.ledger.env.now();
        let ends = [
            TellEnd::Again(at),
            TellEnd::Again(at),
            TellEnd::Uncertain(at),
            TellEnd::Again(at),
            TellEnd::Again(at),
        ];
        let mut doubts = Vec::new();
        for end in ends {
            let leaving = leaving(Tells::TheRest, 1, "{}");
            // After the doubt, what is sent next is the answer of the question about it.
            let begun = scene.ledger.write_back_begin(row, 1, leaving).await.expect("begun");
            assert_eq!(begun, doubts.len() != 3);
            scene.ledger.write_back_end(row, 1, RunId(1), end, None).await.expect("ended");
            doubts.push(scene.says("SELECT doubts FROM write_backs WHERE id = 1").await.remove(0));
        }
        assert_eq!(doubts, ["0", "0", "1", "1", "1"]);
    }

    #[tokio::test(start_paused = true)]
    async fn whichever_way_a_telling_comes_to_be_in_doubt_it_forgets_what_was_told_before() {
        // What goes by itself beside all that was told (an edit of an agent) puts none of that in doubt.
        for (tells, sent, kept) in
            [(Tells::TheRest, 1, "- 07"), (Tells::TheRest, 7, "07 07"), (Tells::Objection, 1, "07 -")]
        {
            for way in 0..3 {
                let scene = held().await;
                let known = "UPDATE write_backs SET state = 'waiting', code = NULL, digest = x'07', objection_told = x'07'";
                scene.put(known).await;
                let leaving = leaving(tells, sent, "{}");
                let (row, at, ledger) = (WriteBackId(1), scene.ledger.env.now(), &scene.ledger);
                assert!(ledger.write_back_begin(row, 1, leaving).await.expect("begun"));
                let lost = match way {
                    0 => ledger
                        .write_back_end(row, 1, RunId(1), TellEnd::Uncertain(at), None)
                        .await
                        .map(usize::from),
                    1 => ledger.write_backs_mark_interrupted(at).await,
                    _ => {
                        let (route, rules) = (scene.route.clone(), "before".to_owned());
                        ledger
                            .write_back_release(route, rules, Vec::new(), TimeDelta::zero())
                            .await
                            .map(|_| 1)
                    }
                };
                assert_eq!(lost.expect("in doubt"), 1);
                let told = "SELECT state || ' ' || iif(digest IS NULL, '-', hex(digest)) || ' ' || iif(objection_told IS NULL, '-', hex(objection_told))
                            FROM write_backs ORDER BY id";
                let expected = [format!("uncertain {kept}"), "waiting 07 07".to_owned()];
                assert_eq!(scene.says(told).await, expected, "{tells:?} {sent} {way}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_looked_at_again_once_it_arrived_rests_where_it_is_rejected() {
        for (end, state) in [
            (TellEnd::Parked(ReasonCode::Rejected.into()), "parked 1"),
            (TellEnd::Done { activity: None, carried: Vec::new(), before: Map::new() }, "waiting 2"),
        ] {
            let scene = held().await;
            scene.put("UPDATE write_backs SET state = 'waiting', code = NULL").await;
            let leaving = Leaving { then_again: true, ..leaving(Tells::TheRest, 1, "{}") };
            assert!(scene.ledger.write_back_begin(WriteBackId(1), 1, leaving).await.expect("begun"));
            scene.ledger.write_back_end(WriteBackId(1), 1, RunId(1), end, None).await.expect("ended");
            let stands = scene.says("SELECT state || ' ' || wanted FROM write_backs WHERE id = 1").await;
            assert_eq!(stands, [state]);
        }
    }
}
