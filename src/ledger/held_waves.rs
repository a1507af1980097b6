//! Waves that no operation makes: what the CRM would be told, and known records that it does not name any more. Too many at
//! once wait for a person's word, while the route goes on with everything else.

use super::sql::{get_time, time};
use super::waves::next_source;
use super::words::Said;
use super::{Ledger, LedgerError, absent, edits_end, results_words};
use crate::domain::limits::MissingLimits;
use crate::domain::{ContactId, HistoryId, LinkId, ReasonCode, RecordId, RouteName, Timestamp};
use chrono::TimeDelta;
use rusqlite::{Connection, OptionalExtension as _, Transaction, named_params};
use serde::Serialize;

/// The source of a wave of tellings.
pub(super) const TOLD: &str = "write_back";
/// The source of a wave of tellings that rest on a list.
pub(super) const LISTED: &str = "listed";
/// The source of a wave of missing records.
pub(super) const MISSING: &str = "missing";
/// The source of a wave of contacts that the dialler does not name any more.
pub(super) const VANISHED: &str = "vanished";
/// So long a record that was found gone counts for "many at once".
pub(super) const COUNTED_FOR: TimeDelta = TimeDelta::days(1);
/// When some of a wave's records are there again, the others are asked for after so long.
const LOOK_AGAIN: TimeDelta = TimeDelta::minutes(10);

/// Whether a brake holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Brake {
    /// It does not.
    Off,
    /// It does: what waits is this wave.
    Holds {
        /// Its number.
        wave: i64,
        /// How many it holds.
        count: i64,
        /// Whether it has just begun to.
        new: bool,
    },
}

/// What is measured of a route.
#[derive(Clone, Copy)]
pub(super) struct Measured {
    pub(super) count: i64,
    pub(super) bound: i64,
    pub(super) many: bool,
}

/// A record, or a call of one, that such a wave holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WaveRecord {
    /// The record.
    pub record: Option<RecordId>,
    /// Its contact.
    pub contact: Option<ContactId>,
    /// The call that would be told; none where the record's fields would be, or where it is missing.
    pub call: Option<HistoryId>,
    /// Since when.
    pub since: Timestamp,
}

impl Ledger {
    /// Whether complete walks fail to name so many known records that nothing is concluded from it before a person has seen
    /// whom. Where it is no longer so many, because they are there again, the others are looked for as usual.
    ///
    /// # Errors
    /// The ledger cannot be used.
    pub async fn absences_hold(&self, route: RouteName, limits: MissingLimits) -> Result<Brake, LedgerError> {
        let at = self.env.now();
        let known = route.clone();
        let as_before = self.read("absences_hold_asked", move |connection| {
            let before = before(connection, &known)?;
            // Each pull asks, and nearly always nobody is missing: all who are known are not counted for that.
            if before.is_none() && !anybody_missing(connection, &known)? {
                return Ok(Some(Brake::Off));
            }
            let measured = missing(connection, &known, limits, at)?;
            Ok(match (before, measured.many) {
                (None, false) => Some(Brake::Off),
                (Some(held), true) if held.is_all_of(measured) => {
                    Some(Brake::Holds { wave: held.wave, count: measured.count, new: false })
                }
                (None, true) | (Some(_), _) => None,
            })
        });
        if let Some(brake) = as_before.await? {
            return Ok(brake);
        }
        self.write("absences_hold", move |tx| {
            let measured = missing(tx, &route, limits, at)?;
            let before = before(tx, &route)?;
            let brake = stand(tx, &route, MISSING, measured, at)?;
            match (brake, before) {
                (Brake::Holds { wave, .. }, before) => {
                    tx.execute(
                        "UPDATE record_absences SET wave_id = ?2
                         WHERE route = ?1 AND by_pass = 1 AND gone_at IS NULL AND wave_id IS NULL",
                        (&route.0, wave),
                    )?;
                    // Some are there again, so the others may be.
                    if before.is_some_and(|before| before.holds < before.held) {
                        absent::ask_again(tx, at, at + LOOK_AGAIN, wave)?;
                    }
                }
                (Brake::Off, Some(before)) => {
                    absent::ask_again(tx, at, at, before.wave)?;
                    tx.execute(
                        "UPDATE record_absences SET wave_id = NULL WHERE wave_id = ?1",
                        [before.wave],
                    )?;
                }
                (Brake::Off, None) => {}
            }
            Ok(brake)
        })
        .await
    }
}

/// The wave of missing records that holds, as it was last measured.
#[derive(Clone, Copy)]
struct Before {
    wave: i64,
    /// By how many, then.
    held: i64,
    bound: i64,
    /// How many of these are missing still.
    holds: i64,
}

impl Before {
    /// Whether nobody came to it and nobody left it since.
    fn is_all_of(self, measured: Measured) -> bool {
        (self.held, self.holds, self.bound) == (measured.count, measured.count, measured.bound)
    }
}

fn anybody_missing(connection: &Connection, route: &RouteName) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM record_absences WHERE route = ?1 AND by_pass = 1 AND gone_at IS NULL)",
        )?
        .query_row([&route.0], |row| row.get(0))
}

fn before(connection: &Connection, route: &RouteName) -> rusqlite::Result<Option<Before>> {
    let Some(wave) = standing(connection, route, MISSING)? else { return Ok(None) };
    connection
        .prepare_cached(
            "SELECT operations, bound, (SELECT count(*) FROM record_absences WHERE wave_id = ?1 AND gone_at IS NULL)
             FROM waves WHERE id = ?1",
        )?
        .query_row([wave], |row| {
            Ok(Before { wave, held: row.get(0)?, bound: row.get(1)?, holds: row.get(2)? })
        })
        .optional()
}

/// Known records that complete walks did not name. Those found gone within a day count as well, unless a person let them go.
fn missing(
    connection: &Connection,
    route: &RouteName,
    limits: MissingLimits,
    now: Timestamp,
) -> rusqlite::Result<Measured> {
    connection
        .prepare_cached(
            "SELECT count(*), count(*) FILTER (WHERE a.gone_at IS NULL),
                    (SELECT count(*) FROM records k WHERE k.route = :route AND k.link_id IS NOT NULL)
             FROM record_absences a LEFT JOIN waves w ON w.id = a.wave_id
             WHERE a.route = :route AND a.by_pass = 1 AND w.state IS NOT 'approved'
               AND (a.gone_at IS NULL OR a.gone_at > :since)",
        )?
        .query_row(named_params! { ":route": route.0, ":since": time(now - COUNTED_FOR) }, |row| {
            let count = |at| row.get::<_, i64>(at).map(|n| usize::try_from(n).unwrap_or_default());
            let (missing, known) = (count(0)?, count(2)?);
            let many = limits.are_many(missing, known);
            Ok(Measured { count: row.get(1)?, bound: limits.most_of(known), many })
        })
}

/// The wave of this source that no person has decided about and that holds.
pub(super) fn standing(
    connection: &Connection,
    route: &RouteName,
    source: &str,
) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached(
            "SELECT id FROM waves WHERE route = ?1 AND state = 'held' AND (source = ?2 OR source BETWEEN ?2 || '#' AND ?2 || '#~')",
        )?
        .query_row((&route.0, source), |row| row.get(0))
        .optional()
}

/// The wave stands, with its measure; or it is over by itself.
pub(super) fn stand(
    tx: &Transaction<'_>,
    route: &RouteName,
    source: &str,
    measured: Measured,
    now: Timestamp,
) -> rusqlite::Result<Brake> {
    let Measured { count, bound, many } = measured;
    let held = standing(tx, route, source)?;
    match (held, many) {
        (None, false) => Ok(Brake::Off),
        (Some(wave), false) => {
            tx.execute("UPDATE waves SET state = 'open', operations = ?2 WHERE id = ?1", (wave, count))?;
            Ok(Brake::Off)
        }
        (Some(wave), true) => {
            tx.execute("UPDATE waves SET operations = ?2, bound = ?3 WHERE id = ?1", (wave, count, bound))?;
            Ok(Brake::Holds { wave, count, new: false })
        }
        (None, true) => {
            let wave = tx.query_row(
                concat!(
                    "INSERT INTO waves (route, source, kind, operations, bound, since, state)
                 SELECT ?1, ",
                    next_source!(),
                    ", 'changed', ?3, ?4, ?5, 'held'
                 FROM waves WHERE route = ?1 AND (source = ?2 OR source BETWEEN ?2 || '#' AND ?2 || '#~')
                 RETURNING id"
                ),
                (&route.0, source, count, bound, time(now)),
                |row| row.get(0),
            )?;
            Ok(Brake::Holds { wave, count, new: true })
        }
    }
}

/// Whoever says so of what waits has decided about its wave as well.
pub(super) fn told_approved(
    tx: &Transaction<'_>,
    now: &str,
    route: &RouteName,
    said: &Said,
) -> rusqlite::Result<()> {
    let Some(wave) = standing(tx, route, TOLD)? else { return Ok(()) };
    tx.execute(
        "UPDATE waves SET state = 'approved', decided_at = ?2, who = ?3, text = ?4 WHERE id = ?1",
        (wave, now, &said.who, &said.text),
    )?;
    Ok(())
}

/// A person does not want it told: each row rests until there is something newer to tell, and what agents changed by then is
/// told with nothing newer either.
pub(super) fn leave_untold(
    tx: &Transaction<'_>,
    now: &str,
    route: &RouteName,
    said: &Said,
) -> rusqlite::Result<()> {
    let left: Vec<(LinkId, bool)> = tx
        .prepare_cached(
            "UPDATE write_backs SET state = 'never', code = ?2, params = '{}', changed_at = ?3
             WHERE state = 'waiting' AND objection IS NULL AND EXISTS (
                 SELECT 1 FROM links l JOIN routes r ON r.route = l.route
                 WHERE l.id = +link_id AND l.route = ?1 AND write_backs.waits_since > r.write_back_approved)
             RETURNING link_id, kind = 'fields'",
        )?
        .query_map((&route.0, ReasonCode::Discarded.as_str(), now), |row| {
            Ok((LinkId(row.get(0)?), row.get(1)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    for (link, _) in left.into_iter().filter(|(_, of_fields)| *of_fields) {
        edits_end::put_aside(tx, link, now)?;
    }
    results_words::keep(tx, now, "discard", route, None, said)
}

/// A person says that they may well be gone: each is looked for once more, by itself, and leaves where it is not there.
pub(super) fn look_again(tx: &Transaction<'_>, at: Timestamp, wave: i64) -> rusqlite::Result<()> {
    let now = time(at);
    tx.prepare_cached(
        "UPDATE hints SET not_before = ?2
         WHERE source = 'absent' AND taken_at IS NULL AND not_before > ?2
           AND (route, record_id) IN (SELECT route, record_id FROM record_absences WHERE wave_id = ?1)",
    )?
    .execute((wave, now))?;
    absent::ask_again(tx, at, at, wave)
}

/// A person does not believe it: nobody is asked for before the next complete walk fails to name them, however long the CRM's
/// list of deletions does.
pub(super) fn leave_missing(tx: &Transaction<'_>, now: &str, wave: i64) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "UPDATE hints SET taken_at = ?2
         WHERE source = 'absent' AND taken_at IS NULL
           AND (route, record_id) IN (SELECT route, record_id FROM record_absences WHERE wave_id = ?1)",
    )?
    .execute((wave, now))?;
    tx.prepare_cached(
        "INSERT OR REPLACE INTO absences_left (route, record_id, at)
         SELECT route, record_id, ?2 FROM record_absences WHERE wave_id = ?1 AND gone_at IS NULL",
    )?
    .execute((wave, now))?;
    tx.prepare_cached("DELETE FROM record_absences WHERE wave_id = ?1 AND gone_at IS NULL")?
        .execute([wave])?;
    Ok(())
}

/// What a wave of tellings holds, activities first.
pub(super) fn untold(connection: &Connection, route: &RouteName) -> rusqlite::Result<Vec<WaveRecord>> {
    connection
        .prepare_cached(
            "SELECT l.record_id, l.contact_id, t.history_id, t.waits_since AS since
             FROM write_backs t CROSS JOIN links l ON l.id = t.link_id CROSS JOIN routes r ON r.route = l.route
             WHERE t.state = 'waiting' AND t.objection IS NULL AND l.route = ?1
               AND t.waits_since > r.write_back_approved
             ORDER BY t.history_id IS NULL, t.history_id, t.id",
        )?
        .query_map([&route.0], record)?
        .collect()
}

/// Whom a list names, and of whom the CRM is not told before a person says so.
pub(super) fn listed(connection: &Connection, route: &RouteName) -> rusqlite::Result<Vec<WaveRecord>> {
    connection
        .prepare_cached(
            "SELECT l.record_id, l.contact_id, NULL AS history_id, o.at AS since
             FROM listed_objections o CROSS JOIN links l ON l.id = o.link_id
             WHERE o.state = 'waits' AND +l.route = ?1 ORDER BY o.link_id",
        )?
        .query_map([&route.0], record)?
        .collect()
}

/// Whom a wave of missing records holds.
pub(super) fn absent(connection: &Connection, wave: i64) -> rusqlite::Result<Vec<WaveRecord>> {
    connection
        .prepare_cached(
            "SELECT a.record_id, l.contact_id, NULL AS history_id, a.asked_at AS since FROM record_absences a
             LEFT JOIN links l ON l.route = a.route AND l.record_id = a.record_id
             WHERE a.wave_id = ?1 AND a.gone_at IS NULL ORDER BY a.asked_at, a.record_id",
        )?
        .query_map([wave], record)?
        .collect()
}

pub(super) fn record(row: &rusqlite::Row<'_>) -> rusqlite::Result<WaveRecord> {
    Ok(WaveRecord {
        record: row.get::<_, Option<String>>("record_id")?.map(RecordId),
        contact: row.get::<_, Option<i64>>("contact_id")?.map(ContactId),
        call: row.get::<_, Option<i64>>("history_id")?.map(HistoryId),
        since: get_time(row, "since")?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::write_back::{want_fields, want_objection};
    use super::*;
    use crate::domain::{Activities, Shapes};
    use crate::ledger::testing::{Scene, scene};
    use crate::ledger::{TellBrake, WaveWord};

    async fn wanted(scene: &Scene, links: &[LinkId]) {
        let (now, links) = (scene.ledger.env.now(), links.to_vec());
        let write = scene.ledger.write("test_want", move |tx| {
            links.iter().try_for_each(|link| want_fields(tx, *link, now))?;
            want_objection(tx, links[0], now)
        });
        write.await.expect("wanted");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_to_be_told_rests_and_a_higher_limit_lets_a_wave_go() {
        let scene = scene().await;
        let route = || scene.route.clone();
        let set = scene.ledger.write_back_set(route(), Shapes::Fields, Activities::Change);
        set.await.expect("a beginning");
        let mut links = Vec::new();
        for id in ["1", "2", "3"] {
            links.push(scene.link(id, None, &[]).await);
        }
        wanted(&scene, &links).await;
        // The no of the first one belongs to no wave.
        let most = |per_run| TellBrake { per_run, per_day: None, percent: None };
        let held = scene.ledger.write_back_brake(route(), most(1)).await.expect("a brake");
        let Brake::Holds { wave, count: 2, new: true } = held else { panic!("{held:?}") };
        let decided =
            scene.ledger.wave_decide(wave, WaveWord::Reject, "ada".to_owned(), "not these".to_owned());
        assert_eq!(decided.await.expect("decided").map(|decided| decided.waiting), Some(2));
        let states = "SELECT state FROM write_backs ORDER BY id";
        assert_eq!(scene.says(states).await, ["waiting", "never", "never"]);
        assert_eq!(scene.ledger.write_back_brake(route(), most(1)).await.expect("a brake"), Brake::Off);
        scene.wait(1).await;
        wanted(&scene, &links[1..]).await;
        wanted(&scene, &links).await;
        scene.put("UPDATE write_backs SET objection = NULL").await;
        let again = scene.ledger.write_back_brake(route(), most(1)).await.expect("a brake");
        assert!(
            matches!(again, Brake::Holds { wave: next, count: 3, new: true } if next != wave),
            "{again:?}"
        );
        assert_eq!(scene.ledger.write_back_brake(route(), most(3)).await.expect("a brake"), Brake::Off);
        assert_eq!(scene.ledger.waves_list(None, false).await.expect("waves"), []);
    }
}
