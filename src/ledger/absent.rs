//! Ids that an answer did not name: absence is a question, a second look answers it (promise 4).

use super::decisions;
use super::finals;
use super::held_out;
use super::inputs;
use super::pull::PageStore;
use super::record_store::cause;
use super::sql::{json, time};
use super::{Ledger, LedgerError, bearers, write_back};
use crate::domain::scope::Doing;
use crate::domain::{CrmSide, DecisionInput, DiallerSide, Reason, RecordId, RouteName, Timestamp};
use chrono::TimeDelta;
use rusqlite::{OptionalExtension as _, Transaction};

/// How far apart the two looks lie at least.
const SECOND_LOOK: TimeDelta = TimeDelta::minutes(10);

/// So long a record that was found gone counts for "many at once".
const COUNTED_FOR: TimeDelta = TimeDelta::days(1);

impl Ledger {
    /// Of these ids, the ones that were missed long enough ago for the second look, and that no wave holds.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn absences_due(
        &self,
        route: RouteName,
        ids: Vec<RecordId>,
    ) -> Result<Vec<RecordId>, LedgerError> {
        let before = time(self.env.now() - SECOND_LOOK);
        self.read("absences_due", move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM record_absences
                                WHERE route = ?1 AND record_id = ?2 AND asked_at <= ?3 AND gone_at IS NULL
                                  AND (wave_id IS NULL OR (SELECT state FROM waves w WHERE w.id = wave_id) <> 'held'))",
            )?;
            let mut due = Vec::new();
            for id in ids {
                if statement.query_row((&route.0, &id.0, &before), |row| row.get(0))? {
                    due.push(id);
                }
            }
            Ok(due)
        })
        .await
    }

    /// The CRM says that these ids were deleted: whoever of them is known is asked for, and is gone when not found then. Of whom
    /// a person did not believe that is not asked for again.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn deletions_heard(&self, route: RouteName, ids: Vec<RecordId>) -> Result<(), LedgerError> {
        if ids.is_empty() {
            return Ok(());
        }
        let now = self.env.now();
        self.write("deletions_heard", move |tx| {
            let mut left = tx.prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM absences_left WHERE route = ?1 AND record_id = ?2)",
            )?;
            for id in &ids {
                if !left.query_row((&route.0, &id.0), |row| row.get::<_, bool>(0))? {
                    ask_by_pass(tx, now, &route, id)?;
                }
            }
            Ok(())
        })
        .await
    }

    /// How many known records of the route answers by id did not name, or of which that found out within a day. A person who
    /// switches the route has seen those until then: they count no more.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn absences_by_id(&self, route: RouteName) -> Result<usize, LedgerError> {
        let since = time(self.env.now() - COUNTED_FOR);
        self.read("absences_by_id", move |connection| {
            let count: i64 = connection
                .prepare_cached(
                    "SELECT count(*) FROM record_absences a JOIN routes r ON r.route = a.route
                     WHERE a.route = ?1 AND NOT a.by_pass AND a.asked_at > r.state_since
                       AND (a.gone_at IS NULL OR a.gone_at > ?2)",
                )?
                .query_row((route.0, since), |row| row.get(0))?;
            Ok(usize::try_from(count).unwrap_or_default())
        })
        .await
    }
}

/// A complete walk did not name a known record: it is asked for by itself, not before the second look is due.
pub(super) fn ask_by_pass(
    tx: &Transaction<'_>,
    now: Timestamp,
    route: &RouteName,
    id: &RecordId,
) -> rusqlite::Result<()> {
    ask(tx, now, route, id)?;
    tx.prepare_cached(
        "UPDATE record_absences SET by_pass = 1 WHERE route = ?1 AND record_id = ?2 AND asked_at = ?3",
    )?
    .execute((&route.0, &id.0, time(now)))?;
    Ok(())
}

/// A known record was not named in an answer: it is asked for again, not before the second look is due. Not while a wave
/// holds it: then a person is asked, and who of the others is there again says when it is worth asking.
pub(super) fn ask(
    tx: &Transaction<'_>,
    now: Timestamp,
    route: &RouteName,
    id: &RecordId,
) -> rusqlite::Result<()> {
    let known: Option<i64> = tx
        .prepare_cached(
            "SELECT 1 FROM records WHERE route = ?1 AND record_id = ?2 AND code IS NOT 'record_gone'",
        )?
        .query_row((&route.0, &id.0), |row| row.get(0))
        .optional()?;
    if known.is_none() {
        return Ok(());
    }
    tx.prepare_cached(
        "INSERT INTO record_absences (route, record_id, asked_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
    )?
    .execute((&route.0, &id.0, time(now)))?;
    tx.prepare_cached(
        "INSERT INTO hints (route, record_id, source, at, not_before)
         SELECT ?1, ?2, 'absent', ?3, ?4
         WHERE NOT EXISTS (SELECT 1 FROM hints WHERE route = ?1 AND record_id = ?2 AND source = 'absent'
                           AND taken_at IS NULL AND not_before > ?3)
           AND NOT EXISTS (SELECT 1 FROM record_absences a JOIN waves w ON w.id = a.wave_id
                           WHERE a.route = ?1 AND a.record_id = ?2 AND w.state = 'held')",
    )?
    .execute((&route.0, &id.0, time(now), time(now + SECOND_LOOK)))?;
    Ok(())
}

/// Whomever a wave holds is asked for once more, not before that time, unless that is to be done anyway.
pub(super) fn ask_again(
    tx: &Transaction<'_>,
    now: Timestamp,
    not_before: Timestamp,
    wave: i64,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO hints (route, record_id, source, at, not_before)
         SELECT a.route, a.record_id, 'absent', ?2, ?3 FROM record_absences a
         WHERE a.wave_id = ?1 AND a.gone_at IS NULL
           AND NOT EXISTS (SELECT 1 FROM hints h WHERE h.route = a.route AND h.record_id = a.record_id
                           AND h.source = 'absent' AND h.taken_at IS NULL)",
    )?
    .execute((wave, time(now), time(not_before)))?;
    Ok(())
}

/// It is there: whatever was asked is answered.
pub(super) fn found(
    tx: &Transaction<'_>,
    route: &RouteName,
    id: &RecordId,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let asked = tx
        .prepare_cached("DELETE FROM record_absences WHERE route = ?1 AND record_id = ?2")?
        .execute((&route.0, &id.0))?;
    // Whoever told of it meanwhile did not meet it either.
    if asked > 0 {
        write_back::record_was_there(tx, route, id, now)?;
    }
    over(tx, route, id)
}

/// What a person said of its absence is over: it is known now whether it is there.
fn over(tx: &Transaction<'_>, route: &RouteName, id: &RecordId) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM absences_left WHERE route = ?1 AND record_id = ?2")?
        .execute((&route.0, &id.0))?;
    Ok(())
}

/// A record whose id the CRM no longer has: like one that is no longer eligible.
pub(super) fn store_gone(
    tx: &Transaction<'_>,
    now: Timestamp,
    page: &PageStore,
    id: &RecordId,
) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE record_absences SET gone_at = ?3 WHERE route = ?1 AND record_id = ?2")?
        .execute((&page.route.0, &id.0, time(now)))?;
    over(tx, &page.route, id)?;
    let Some((link, view)) = inputs::link_of_record(tx, &page.route, id)? else {
        return set_gone(tx, now, page, id);
    };
    let dialler = if view.contact.is_some() { DiallerSide::Linked } else { DiallerSide::NotMet };
    // Whom a person locked is only locked, whatever the route says of deleted records. Any other no is of the
    // record or of its numbers: it outlives the contact, and keeping who asked to be erased for it helps nobody.
    let blocks = inputs::contact_blocks(tx, &inputs::contacts_of(tx, link)?, &time(now))?;
    let decision = (page.decide)(&DecisionInput {
        link: Some(&view),
        crm: &CrmSide::Gone(reason_of(page)),
        dialler: &dialler,
        blocks: &blocks,
        last_result: finals::of_link(tx, link)?,
        ended: &[],
        held_out: held_out::against_link(tx, link, now)?.as_ref(),
        policy: &page.policy,
    });
    decisions::store(tx, &cause(page, now), Some(link), None, &decision, None, Doing::Record)?;
    set_gone(tx, now, page, id)?;
    if decision.meet { bearers::ask(tx, &page.route, id) } else { Ok(()) }
}

fn reason_of(page: &PageStore) -> Reason {
    Reason::gone(page.survivor.as_ref())
}

fn set_gone(tx: &Transaction<'_>, now: Timestamp, page: &PageStore, id: &RecordId) -> rusqlite::Result<()> {
    // The hash goes, so that a record that comes back is decided anew.
    tx.prepare_cached(
        "UPDATE records SET state = 'skipped', code = 'record_gone', params = ?5, since = ?3, hash = x'', run_id = ?4
         WHERE route = ?1 AND record_id = ?2 AND code IS NOT 'record_gone'",
    )?
    .execute((&page.route.0, &id.0, time(now), page.run.0, json(&reason_of(page).params)?))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::limits::{MissingLimits, WaveLimits};
    use crate::domain::policy::{AdoptConflict, CampaignChange, RouteState, Vanished};
    use crate::domain::{Anew, Decision, Deletion, Policy, ReasonCode, RunId, Verdict, Wish};
    use crate::ledger::testing::{Scene, scene};
    use crate::ledger::{Brake, RouteFacts, WaveWord};

    /// Left callable, unless it is held out.
    fn keep(input: &DecisionInput<'_>) -> Decision {
        Decision {
            verdict: Verdict::Skipped(ReasonCode::RecordGone.into()),
            wish: if input.held_out.is_some() { Wish::Locked } else { Wish::Callable },
            intents: Vec::new(),
            desired: None,
            adopted: None,
            agreed: crate::domain::Base::new(),
            meet: false,
            deletion: Deletion::No,
            anew: Anew::No,
            lock_others: Vec::new(),
            notes: Vec::new(),
        }
    }

    const LIMITS: MissingLimits = MissingLimits { most: 500, percent: 10 };

    /// Thirty records that the CRM says it deleted: a wave that is held.
    async fn many_deleted() -> (Scene, Vec<RecordId>, i64) {
        let scene = scene().await;
        scene
            .put(
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30)
                 INSERT INTO records (route, record_id, hash, state, since, decided_at, run_id)
                 SELECT 'leads', i, x'', 'linked', '', '', 1 FROM n",
            )
            .await;
        let ids: Vec<RecordId> = (1..=30).map(|id| RecordId(id.to_string())).collect();
        scene.ledger.deletions_heard(scene.route.clone(), ids.clone()).await.expect("heard");
        let held = scene.ledger.absences_hold(scene.route.clone(), LIMITS).await.expect("a brake");
        let Brake::Holds { wave, count: 30, new: true } = held else { panic!("{held:?}") };
        (scene, ids, wave)
    }

    #[tokio::test(start_paused = true)]
    async fn whom_a_wave_holds_is_asked_for_once_more_when_something_changed_and_not_before() {
        let (scene, ids, wave) = many_deleted().await;
        let route = || scene.route.clone();
        let waiting = "SELECT count(*) FROM hints WHERE source = 'absent' AND taken_at IS NULL";
        assert_eq!(scene.says(waiting).await, ["30"], "the look that every absence gets");
        let look = async |named: &[RecordId]| {
            scene.put("UPDATE hints SET taken_at = at").await;
            let (route, now) = (scene.route.clone(), scene.ledger.env.now());
            let (there, missing): (Vec<_>, Vec<_>) =
                ids.clone().into_iter().partition(|id| named.contains(id));
            let write = scene.ledger.write("test_look", move |tx| {
                there.iter().try_for_each(|id| found(tx, &route, id, now))?;
                missing.iter().try_for_each(|id| ask(tx, now, &route, id))
            });
            write.await.expect("looked");
            scene.ledger.absences_hold(scene.route.clone(), LIMITS).await.expect("a brake")
        };
        for _ in 0..3 {
            scene.wait(1).await;
            assert_eq!(look(&[]).await, Brake::Holds { wave, count: 30, new: false });
            scene.ledger.deletions_heard(route(), ids.clone()).await.expect("heard");
            assert_eq!(scene.says(waiting).await, ["0"], "nothing changed: nobody is asked for");
        }
        assert_eq!(look(&ids[..2]).await, Brake::Holds { wave, count: 28, new: false });
        assert_eq!(scene.says(waiting).await, ["28"], "two are there again: so may the others be");
        // Where the wave is over by itself, everybody is looked for as usual.
        assert_eq!(look(&ids[..15]).await, Brake::Off);
        assert_eq!(scene.says(waiting).await, ["15"]);
    }

    #[tokio::test(start_paused = true)]
    async fn whom_a_wave_held_is_looked_for_once_a_person_says_that_they_may_be_gone() {
        let (scene, _, wave) = many_deleted().await;
        scene.put("UPDATE hints SET taken_at = at").await;
        let approve = scene.ledger.wave_decide(wave, WaveWord::Approve, "ada".to_owned(), "yes".to_owned());
        approve.await.expect("decided");
        assert_eq!(scene.ledger.hints_waiting(scene.route.clone(), 100).await.expect("hints").len(), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn of_whom_a_person_did_not_believe_that_he_is_gone_no_list_of_deletions_asks_again() {
        let (scene, ids, wave) = many_deleted().await;
        let heard = || scene.ledger.deletions_heard(scene.route.clone(), ids.clone());
        let reject = scene.ledger.wave_decide(wave, WaveWord::Reject, "ada".to_owned(), "no".to_owned());
        reject.await.expect("decided");
        heard().await.expect("heard");
        let asked = "SELECT count(*) FROM record_absences";
        assert_eq!(scene.says(asked).await, ["0"], "the list still names them");
        let (route, there, now) = (scene.route.clone(), ids[0].clone(), scene.ledger.env.now());
        scene.ledger.write("test_found", move |tx| found(tx, &route, &there, now)).await.expect("found");
        heard().await.expect("heard");
        assert_eq!(scene.says("SELECT record_id FROM record_absences").await, ["1"], "it was there since");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_is_gone_is_judged_by_what_other_routes_say_as_well() {
        for (rules, expected) in [("NULL", "callable"), (HOLDS, "locked")] {
            let scene = scene().await;
            let link = scene.link("1", Some(11), &[]).await;
            let facts = RouteFacts {
                route: RouteName::from("other"),
                client: "house".to_owned(),
                crm: "sales".to_owned(),
                object: "person".to_owned(),
                waves: WaveLimits::default(),
            };
            scene.ledger.route_register(facts, RouteState::On).await.expect("a route");
            let write = scene.ledger.write("test_call", move |tx| {
                tx.execute_batch(&format!(
                    "UPDATE routes SET hold_rules = {rules} WHERE route = 'other';
                     INSERT INTO links (id, client, route, record_id, user_data, folded, campaign_id, contact_id, wish,
                                        wish_code, created_at)
                        VALUES (99, 'house', 'other', '1', 'o-1', 'o-1', 8, 12, 'callable', 'new_record', '2030');
                     INSERT INTO calls (history_id, contact_id, link_id, campaign_id, hash, row, result_code,
                                        first_seen_at, changed_at, run_id)
                        VALUES (5, 12, 99, 8, x'00', '{{}}', 3, '2030-01-07T08:10:00.000000Z', '2030', 1);"
                ))
            });
            write.await.expect("a call");
            let page = PageStore {
                route: scene.route.clone(),
                client: "house".to_owned(),
                crm: "sales".to_owned(),
                object: "person".to_owned(),
                policy: Policy {
                    adopt_conflict: AdoptConflict::CrmOwned,
                    vanished: Vanished::Mark,
                    campaign_change: CampaignChange::Keep,
                    leaving: std::sync::Arc::default(),
                },
                unblock: crate::domain::policy::Unblock::Person,
                run: RunId(1),
                decided_at: scene.ledger.env.now(),
                records: Vec::new(),
                missing: Vec::new(),
                gone: vec![RecordId::from("1")],
                survivor: None,
                unidentified: Vec::new(),
                hints_taken: Vec::new(),
                decide: keep,
            };
            scene.ledger.page_store(page).await.expect("stored");
            let wish = scene.ledger.read("test_wish", move |connection| {
                connection.query_row("SELECT wish FROM links WHERE id = ?1", [link.0], |row| row.get(0))
            });
            assert_eq!(wish.await.map(|wish: String| wish).expect("a link"), expected, "{rules}");
        }
    }

    /// Results without a word hold, and this one has none.
    const HOLDS: &str = "'{\"words\":[\"SALE\"],\"unmapped\":\"hold\",\"cool_off\":null}'";
}
