//! Calls that go back into the CRM: which of them are told, entered in the transaction that stores the call.

use super::sql::{get_named, get_time, get_time_opt, time};
use super::{Ledger, LedgerError};
use crate::domain::{
    Activities, CampaignId, HistoryId, LinkId, ReasonCode, RecordId, RouteName, Shapes, Timestamp,
};
use chrono::TimeDelta;
use rusqlite::{Connection, OptionalExtension as _, Transaction, named_params};

impl Ledger {
    /// What a route's calls become, by its config. The first time it is the beginning: calls before it are never told
    /// (users 10). A route that is switched off keeps both: what waits goes on waiting, and what comes is entered.
    /// Answers the beginning.
    ///
    /// # Errors
    /// The ledger cannot be written, or does not know the route.
    pub async fn write_back_set(
        &self,
        route: RouteName,
        shapes: Shapes,
        activities: Activities,
    ) -> Result<Timestamp, LedgerError> {
        let now = time(self.env.now());
        self.write("write_back_set", move |tx| {
            tx.prepare_cached(
                "UPDATE routes SET write_back_shapes = ?2, write_back_since = coalesce(write_back_since, ?3), activities = ?4
                 WHERE route = ?1 AND (write_back_shapes, write_back_since IS NULL, activities) IS NOT (?2, 0, ?4)",
            )?
            .execute((&route.0, shapes.as_str(), &now, activities.as_str()))?;
            tx.prepare_cached("SELECT write_back_since FROM routes WHERE route = ?1")?
                .query_row([&route.0], |row| get_time(row, "write_back_since"))
        })
        .await
    }
}

/// What met no record and was certainly not executed: fields, and an activity that nobody has created. One that is there is not put
/// there a second time, nor one that may be. What the pull knows as deleted stays so.
macro_rules! met_nobody {
    () => {
        "+state = 'gone' AND (kind = 'fields' OR activity IS NULL AND doubts = 0) AND NOT EXISTS (SELECT 1 FROM links g JOIN records x
                    ON x.route = g.route AND x.record_id = g.record_id
                 WHERE g.id = write_backs.link_id AND x.code IN ('record_deleted', 'record_gone'))"
    };
}

/// What came to rest waits again: there is something newer to tell. Also what a person put aside, which is for that time
/// only. Not a create in doubt: told once more it might be there twice, whatever is newer.
macro_rules! rests {
    () => {
        concat!(
            "(state IN ('done', 'held') OR state = 'parked' AND code IS NOT 'in_doubt' OR state = 'never' AND code = 'discarded' OR ",
            met_nobody!(),
            ")"
        )
    };
}

macro_rules! again {
    () => {
        concat!(
            "tries = CASE WHEN ",
            rests!(),
            " THEN 0 ELSE tries END,
             doubts = CASE WHEN ",
            rests!(),
            " THEN 0 ELSE doubts END,
             due_at = CASE WHEN ",
            rests!(),
            " THEN excluded.due_at ELSE due_at END,
             waits_since = CASE WHEN ",
            rests!(),
            " THEN excluded.due_at ELSE waits_since END,
             code = CASE WHEN ",
            rests!(),
            " THEN NULL ELSE code END,
             params = CASE WHEN ",
            rests!(),
            " THEN '{}' ELSE params END,
             state = CASE WHEN ",
            rests!(),
            " THEN 'waiting' ELSE state END"
        )
    };
}

/// A call that a route with write-back has to do with.
struct Concerned {
    link: i64,
    revision: i64,
    shapes: Shapes,
    never: Option<ReasonCode>,
}

/// A call is new or changed: its activity is to be told, and the record's fields are to be worked out anew. What is
/// under way keeps its state: its end sees that more is wanted, also where only an agent's note is new, which is no
/// revision of the call.
pub(super) fn want(tx: &Transaction<'_>, call: HistoryId, now: Timestamp) -> rusqlite::Result<()> {
    let Some(concerned) = concerned(tx, call)? else { return Ok(()) };
    let (of_calls, of_fields) = match concerned.shapes {
        Shapes::Activities => (true, false),
        // Where a record stands changes with its calls.
        Shapes::Fields | Shapes::Nothing => (false, true),
        Shapes::Both => (true, true),
    };
    if of_calls {
        tx.prepare_cached(concat!(
            "INSERT INTO write_backs (kind, link_id, history_id, wanted, state, code, due_at, waits_since, changed_at,
                                      created_at)
             VALUES ('activity', :link, :call, :wanted, CASE WHEN :never IS NULL THEN 'waiting' ELSE 'never' END, :never,
                     :now, :now, :now, :now)
             ON CONFLICT (history_id) WHERE history_id IS NOT NULL DO UPDATE SET
                wanted = max(wanted + 1, excluded.wanted), link_id = excluded.link_id,
                changed_at = excluded.changed_at, ",
            again!()
        ))?
        .execute(named_params! {
            ":link": concerned.link, ":call": call.0, ":wanted": concerned.revision,
            ":never": concerned.never.map(ReasonCode::as_str), ":now": time(now),
        })?;
    }
    // What was told of earlier calls as well (a backfill) follows their results, too.
    if of_fields && (concerned.never.is_none() || fields_are_told(tx, LinkId(concerned.link))?) {
        want_of_calls(tx, LinkId(concerned.link), now)?;
    }
    Ok(())
}

/// What follows from a record's calls is to be told: from now on it is told whenever anything of the record is.
pub(super) fn want_of_calls(tx: &Transaction<'_>, link: LinkId, now: Timestamp) -> rusqlite::Result<()> {
    want_fields(tx, link, now)?;
    tx.prepare_cached(
        "UPDATE write_backs SET of_calls = 1 WHERE link_id = ?1 AND kind = 'fields' AND of_calls = 0",
    )?
    .execute([link.0])?;
    Ok(())
}

/// Whether what follows from the calls of a link's record is told.
pub(super) fn fields_are_told(connection: &Connection, link: LinkId) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM write_backs WHERE link_id = ?1 AND kind = 'fields' AND of_calls = 1)",
        )?
        .query_row([link.0], |row| row.get(0))
}

/// Fields of a link's record are to be worked out anew, or merged with what the dialler's side changed.
pub(super) fn want_fields(tx: &Transaction<'_>, link: LinkId, now: Timestamp) -> rusqlite::Result<()> {
    tx.prepare_cached(concat!(
        "INSERT INTO write_backs (kind, link_id, wanted, state, due_at, waits_since, changed_at, created_at)
         SELECT 'fields', l.id, 1, 'waiting', ?2, ?2, ?2, ?2 FROM links l JOIN routes r ON r.route = l.route
         WHERE l.id = ?1 AND r.write_back_since IS NOT NULL
         ON CONFLICT (link_id) WHERE kind = 'fields' DO UPDATE SET
            wanted = wanted + 1,
            changed_at = excluded.changed_at, ",
        again!()
    ))?
    .execute((link.0, time(now)))?;
    Ok(())
}

/// Somebody said no: that is told by itself, before and whatever else of the record waits, backs off or is held.
pub(super) fn want_objection(tx: &Transaction<'_>, link: LinkId, now: Timestamp) -> rusqlite::Result<()> {
    want_fields(tx, link, now)?;
    tx.prepare_cached(
        "UPDATE write_backs SET due_at = CASE WHEN state = 'waiting' AND objection IS NULL THEN ?2 ELSE due_at END,
                objection = CASE WHEN objection IN ('under_way', 'again') THEN 'again' ELSE 'waits' END
         WHERE link_id = ?1 AND kind = 'fields'",
    )?
    .execute((link.0, time(now)))?;
    Ok(())
}

/// Less stands against the link's record than before: its no, if one waits, does not leave as it was read.
pub(super) fn objection_moved(tx: &Transaction<'_>, link: LinkId) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "UPDATE write_backs SET wanted = wanted + 1
         WHERE link_id = ?1 AND kind = 'fields' AND state = 'waiting' AND objection IS NOT NULL",
    )?
    .execute([link.0])?;
    Ok(())
}

/// A record that was deleted is there again: what of it met nobody is told.
pub(super) fn record_is_back(
    tx: &Transaction<'_>,
    route: &RouteName,
    record: &RecordId,
    now: Timestamp,
) -> rusqlite::Result<()> {
    tx.prepare_cached(concat!(
        "UPDATE write_backs SET state = 'waiting', code = NULL, params = '{}', tries = 0, due_at = ?3, waits_since = ?3, changed_at = ?3
         WHERE link_id IN (SELECT id FROM links WHERE route = ?1 AND record_id = ?2) AND ",
        met_nobody!()
    ))?
    .execute((&route.0, &record.0, time(now)))?;
    Ok(())
}

/// After so many tellings that met nobody a record is not tried again because it can be read: it cannot be written.
const TRIES_WHILE_READ: i64 = 3;
/// What met nobody waits so many minutes, by its tries.
const WAITS: [i64; 3] = [1, 10, 60];

/// A telling met no record, and whoever asked for it found it: it was hidden for a while, and is told, each time later.
pub(super) fn record_was_there(
    tx: &Transaction<'_>,
    route: &RouteName,
    record: &RecordId,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let [first, second, later] = WAITS.map(|minutes| time(now + TimeDelta::minutes(minutes)));
    tx.prepare_cached(concat!(
        "UPDATE write_backs SET state = 'waiting', code = NULL, params = '{}', changed_at = ?3,
                due_at = CASE WHEN tries < 2 THEN ?4 WHEN tries = 2 THEN ?5 ELSE ?6 END
         WHERE link_id IN (SELECT id FROM links WHERE route = ?1 AND record_id = ?2) AND tries <= ?7 AND ",
        met_nobody!()
    ))?
    .execute((&route.0, &record.0, time(now), first, second, later, TRIES_WHILE_READ))?;
    Ok(())
}

/// A link has come to have calls that were stored without one.
pub(super) fn want_all_of(tx: &Transaction<'_>, link: LinkId, now: Timestamp) -> rusqlite::Result<()> {
    let untold: Vec<i64> = tx
        .prepare_cached(
            "SELECT c.history_id FROM calls c JOIN links l ON l.id = c.link_id JOIN routes r ON r.route = l.route
             WHERE c.link_id = ?1 AND r.write_back_since IS NOT NULL
               AND NOT EXISTS (SELECT 1 FROM write_backs w WHERE w.history_id = c.history_id)",
        )?
        .query_map([link.0], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    untold.into_iter().try_for_each(|call| want(tx, HistoryId(call), now))
}

/// The CRM no longer has a call's activity, and a person wants it there: it is made anew, with the look that its connector takes before.
pub(super) fn tell_anew(tx: &Transaction<'_>, call: HistoryId, now: Timestamp) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "UPDATE write_backs SET state = 'waiting', activity = NULL, written = NULL, digest = NULL, code = NULL, params = '{}', tries = 0,
                doubts = 0, due_at = ?2, waits_since = ?2, changed_at = ?2
         WHERE kind = 'activity' AND history_id = ?1 AND state = 'done'
           AND NOT EXISTS (SELECT 1 FROM calls k WHERE k.history_id = ?1 AND k.erased_at IS NOT NULL)",
    )?
    .execute((call.0, time(now)))?;
    Ok(())
}

/// A result has come to have another name or key: what was held for the want of a word is looked at again.
pub(super) fn release_unmapped(
    tx: &Transaction<'_>,
    campaign: CampaignId,
    result: i64,
    now: Timestamp,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "UPDATE write_backs SET state = 'waiting', code = NULL, params = '{}', due_at = ?3, waits_since = ?3, changed_at = ?3
         WHERE state = 'held' AND code = ?4 AND +link_id IN (
             SELECT link_id FROM calls WHERE campaign_id = ?1 AND result_code = ?2 AND link_id IS NOT NULL)",
    )?
    .execute((campaign.0, result, time(now), ReasonCode::UnmappedResult.as_str()))?;
    Ok(())
}

fn concerned(tx: &Transaction<'_>, call: HistoryId) -> rusqlite::Result<Option<Concerned>> {
    tx.prepare_cached(
        "SELECT c.link_id, c.revision, c.test, coalesce(c.started_at, c.created_at, c.first_seen_at) AS began,
                r.write_back_since, r.write_back_shapes
         FROM calls c JOIN links l ON l.id = c.link_id JOIN routes r ON r.route = l.route
         WHERE c.history_id = ?1 AND r.write_back_since IS NOT NULL",
    )?
    .query_row([call.0], |row| {
        let since = get_time_opt(row, "write_back_since")?;
        let early = since.is_some_and(|since| get_time(row, "began").is_ok_and(|began| began < since));
        let never = if row.get::<_, Option<bool>>("test")? == Some(true) {
            Some(ReasonCode::TestCall)
        } else {
            early.then_some(ReasonCode::BeforeWriteBack)
        };
        Ok(Concerned {
            link: row.get("link_id")?,
            revision: row.get("revision")?,
            shapes: get_named(row, "write_back_shapes", Shapes::parse)?,
            never,
        })
    })
    .optional()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::testing::{Scene, scene};

    async fn wanted(scene: &Scene, link: LinkId) {
        let now = scene.ledger.env.now();
        scene.ledger.write("test_want", move |tx| want_fields(tx, link, now)).await.expect("wanted");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_new_of_a_call_while_it_is_told_is_told_after_it_though_its_revision_is_the_same() {
        let scene = scene().await;
        let set = scene.ledger.write_back_set(scene.route.clone(), Shapes::Activities, Activities::Change);
        set.await.expect("a beginning");
        let link = scene.link("1", Some(11), &[]).await;
        scene.call(link, 51, "started_at = first_seen_at").await;
        let again = || {
            let now = scene.ledger.env.now();
            scene.ledger.write("test_note", move |tx| want(tx, HistoryId(51), now))
        };
        again().await.expect("wanted");
        scene.put("UPDATE write_backs SET state = 'sending', sent = wanted").await;
        again().await.expect("wanted");
        let newer = scene.says("SELECT wanted > sent FROM write_backs").await;
        assert_eq!(newer, ["1"], "an agent's note came while the call was told");
    }

    #[tokio::test(start_paused = true)]
    async fn fields_that_met_no_record_are_told_of_again_once_it_may_be_there() {
        let scene = scene().await;
        scene
            .ledger
            .write_back_set(scene.route.clone(), Shapes::Fields, Activities::Change)
            .await
            .expect("a beginning");
        let link = scene.link("1", Some(11), &[]).await;
        wanted(&scene, link).await;
        let state = "SELECT state FROM write_backs";
        for code in ["record_deleted", "record_gone"] {
            scene.put("UPDATE write_backs SET state = 'gone', code = 'record_gone'").await;
            let known = format!(
                "INSERT OR REPLACE INTO records (route, record_id, hash, state, code, since, meet, decided_at, run_id)
                 VALUES ('leads', '1', x'', 'skipped', '{code}', '', 'done', '', 1)"
            );
            scene.put(Box::leak(known.into_boxed_str())).await;
            wanted(&scene, link).await;
            assert_eq!(scene.says(state).await, ["gone"], "the pull knows: {code}");
        }
        scene.put("UPDATE records SET state = 'linked', code = NULL").await;
        let (route, now) = (scene.route.clone(), scene.ledger.env.now());
        let back = scene
            .ledger
            .write("test_back", move |tx| record_is_back(tx, &route, &RecordId("1".to_owned()), now));
        back.await.expect("stored");
        assert_eq!(scene.says(state).await, ["waiting"], "the pull found it again");
        // A portal that said 404 of somebody who is there.
        scene.put("UPDATE write_backs SET state = 'gone', code = 'record_gone'").await;
        wanted(&scene, link).await;
        assert_eq!(scene.says(state).await, ["waiting"], "there is something newer to tell");
    }

    #[tokio::test(start_paused = true)]
    async fn an_activity_that_met_no_record_waits_again_unless_it_may_be_there() {
        let scene = scene().await;
        let calls = [51, 52, 53];
        scene.calls_go_back(&calls).await;
        let states = "SELECT state FROM write_backs ORDER BY history_id";
        let gone = async || {
            scene.put("UPDATE write_backs SET state = 'gone', code = 'record_gone'").await;
            // The second is there, and was removed by somebody; the third may be there.
            scene.put("UPDATE write_backs SET activity = 'a' WHERE history_id = 52").await;
            scene.put("UPDATE write_backs SET doubts = 1 WHERE history_id = 53").await;
        };
        scene.want_calls(&calls).await;
        gone().await;
        scene.want_calls(&calls).await;
        assert_eq!(scene.says(states).await, ["waiting", "gone", "gone"], "something newer");
        gone().await;
        let (route, now) = (scene.route.clone(), scene.ledger.env.now());
        let back = scene
            .ledger
            .write("test_back", move |tx| record_is_back(tx, &route, &RecordId("1".to_owned()), now));
        back.await.expect("stored");
        assert_eq!(scene.says(states).await, ["waiting", "gone", "gone"], "the pull found it again");
    }
}
