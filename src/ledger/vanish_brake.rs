//! When so many contacts of a route are missing from the dialler that a person has to see whom, and whom the wave then holds.

use super::due::HarvestRules;
use super::held_waves::{Brake, COUNTED_FOR, Measured, VANISHED, stand, standing};
use super::sql::time;
use super::waves::contacts_of;
use crate::domain::limits::MissingLimits;
use crate::domain::{RouteName, Timestamp};
use rusqlite::{Connection, Transaction, named_params};

/// Of a route that left the config nobody says what is usual: as many as are never few are many.
const LEFT_OVER: MissingLimits = MissingLimits { most: 0, percent: 100 };

pub(super) fn limits_of(route: &RouteName, rules: &HarvestRules) -> MissingLimits {
    rules.vanished.get(route).copied().unwrap_or(LEFT_OVER)
}

/// What holds, where nothing is to be written for it: no wave and none to begin, or one to which nobody came and which nobody left.
pub(super) fn as_before(
    connection: &Connection,
    route: &RouteName,
    measured: Measured,
) -> rusqlite::Result<Option<Brake>> {
    let Some(wave) = standing(connection, route, VANISHED)? else {
        return Ok((!measured.many).then_some(Brake::Off));
    };
    let same: bool = connection
        .prepare_cached(
            "SELECT operations = ?2 AND bound = ?3
                    AND ?2 = (SELECT count(*) FROM contact_absences WHERE wave_id = ?1 AND gone_at IS NULL)
             FROM waves WHERE id = ?1",
        )?
        .query_row((wave, measured.count, measured.bound), |row| row.get(0))?;
    let holds = Brake::Holds { wave, count: measured.count, new: false };
    Ok((measured.many && same).then_some(holds))
}

/// Whether so many of the route's contacts are missing that a person has to see whom; those of a wave that is over by itself are
/// asked about as usual.
pub(super) fn hold(
    tx: &Transaction<'_>,
    route: &RouteName,
    rules: &HarvestRules,
    now: Timestamp,
) -> rusqlite::Result<Brake> {
    let before = standing(tx, route, VANISHED)?;
    tx.prepare_cached("DELETE FROM contact_absences WHERE route = ?1 AND gone_at <= ?2")?
        .execute((&route.0, time(now - COUNTED_FOR)))?;
    let measured = measured(tx, route, limits_of(route, rules), now)?;
    let brake = stand(tx, route, VANISHED, measured, now)?;
    match (brake, before) {
        (Brake::Holds { wave, .. }, _) => joins(tx, route, wave)?,
        (Brake::Off, Some(wave)) => {
            ask_anew(tx, wave)?;
            tx.prepare_cached("UPDATE contact_absences SET wave_id = NULL WHERE wave_id = ?1")?
                .execute([wave])?;
        }
        (Brake::Off, None) => {}
    }
    Ok(brake)
}

/// What was asked of them before it was known how many there are says nothing: each is asked about twice from here on.
pub(super) fn ask_anew(tx: &Transaction<'_>, wave: i64) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "UPDATE contacts SET asked_at = NULL WHERE asked_at IS NOT NULL
           AND contact_id IN (SELECT contact_id FROM contact_absences WHERE wave_id = ?1 AND gone_at IS NULL)",
    )?
    .execute([wave])?;
    Ok(())
}

/// Whoever came to be missing on the route is of its wave: what was asked of them says nothing yet.
pub(super) fn joins(tx: &Transaction<'_>, route: &RouteName, wave: i64) -> rusqlite::Result<()> {
    const NEW: &str = "SELECT contact_id FROM contact_absences
        WHERE route = ?1 AND gone_at IS NULL AND left_at IS NULL AND wave_id IS NULL";
    tx.prepare_cached(&format!(
        "DELETE FROM harvest_due WHERE reason = 'missing' AND believed = 0 AND contact_id IN ({NEW})"
    ))?
    .execute([&route.0])?;
    tx.prepare_cached(
        "UPDATE contact_absences SET wave_id = ?2
         WHERE route = ?1 AND gone_at IS NULL AND left_at IS NULL AND wave_id IS NULL",
    )?
    .execute((&route.0, wave))?;
    Ok(())
}

/// How many of the route's contacts are missing, by the whole route and by each campaign it has contacts in: one that was emptied
/// must not hide behind the others. Those found gone within a day count as well, unless a person let them go.
pub(super) fn measured(
    connection: &Connection,
    route: &RouteName,
    limits: MissingLimits,
    now: Timestamp,
) -> rusqlite::Result<Measured> {
    let missing: Vec<(Option<i64>, usize, i64)> = connection
        .prepare_cached(
            "SELECT a.campaign_id, count(*), count(*) FILTER (WHERE a.gone_at IS NULL)
             FROM contact_absences a LEFT JOIN waves w ON w.id = a.wave_id
             WHERE a.route = :route AND a.left_at IS NULL AND w.state IS NOT 'approved'
               AND (a.gone_at IS NULL OR a.gone_at > :since)
             GROUP BY a.campaign_id",
        )?
        .query_map(named_params! { ":route": route.0, ":since": time(now - COUNTED_FOR) }, |row| {
            Ok((row.get(0)?, usize::try_from(row.get::<_, i64>(1)?).unwrap_or_default(), row.get(2)?))
        })?
        .collect::<Result<_, _>>()?;
    let all: usize = missing.iter().map(|(_, missing, _)| missing).sum();
    let count = missing.iter().map(|(_, _, waits)| waits).sum();
    let few = Measured { count, bound: limits.most_of(0), many: false };
    // A few are never many: who else there is need not be counted.
    if all < MissingLimits::FEW {
        return Ok(few);
    }
    let mut measured = of(all, known(connection, route, None)?, limits, few);
    for (campaign, missing, _) in missing.into_iter().filter(|(_, missing, _)| *missing >= MissingLimits::FEW)
    {
        measured = of(missing, known(connection, route, campaign)?, limits, measured);
    }
    Ok(measured)
}

/// The narrower of two measures, if this one is too many.
fn of(missing: usize, known: usize, limits: MissingLimits, so_far: Measured) -> Measured {
    // Those that are gone by now were known as well.
    let known = known.max(missing);
    if !limits.are_many(missing, known) {
        return so_far;
    }
    let bound = limits.most_of(known);
    Measured { bound: if so_far.many { so_far.bound.min(bound) } else { bound }, many: true, ..so_far }
}

/// How many contacts a route has, in one campaign or in all.
fn known(connection: &Connection, route: &RouteName, campaign: Option<i64>) -> rusqlite::Result<usize> {
    let count: i64 = match campaign {
        None => contacts_of(connection, &route.0)?,
        Some(campaign) => connection
            .prepare_cached(
                "SELECT count(*) FROM links l JOIN contacts k ON k.contact_id = l.contact_id
                 WHERE l.route = ?1 AND l.vanished_at IS NULL AND k.campaign_id = ?2",
            )?
            .query_row((&route.0, campaign), |row| row.get(0))?,
    };
    Ok(usize::try_from(count).unwrap_or_default())
}
