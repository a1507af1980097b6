//! Whether a route acts: its state by a person's word, pilots, pauses that end.

use super::halts::Reach;
use super::sql::{self, get_time_opt, time};
use super::words::{self, About};
use super::{Ledger, LedgerError, Said, passes};
use crate::domain::policy::RouteState;
use crate::domain::{RecordId, RouteName, Timestamp};
use rusqlite::{OptionalExtension as _, Transaction, named_params};
use serde::{Deserialize, Serialize};

/// What a person says of a route.
#[derive(Debug, Clone, PartialEq)]
pub struct StateChange {
    /// What it shall be.
    pub state: NewState,
    /// Who says so, and why.
    pub said: Said,
}

/// What a route shall be.
#[derive(Debug, Clone, PartialEq)]
pub enum NewState {
    /// It decides and sends nothing but locks.
    Dry,
    /// It acts for a few records only.
    Pilot {
        /// Which.
        whom: Pilot,
        /// Its end; then the route is what it was before.
        until: Option<Timestamp>,
    },
    /// It acts.
    On,
    /// It sends nothing but locks.
    Paused {
        /// Its end; then the route is what it was before.
        until: Option<Timestamp>,
        /// Whether its campaign is not harvested either (unless another route's harvest needs it).
        harvest_too: bool,
    },
    /// What it was before the pause.
    Resumed,
}

/// For whom a pilot acts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pilot {
    /// These records.
    Records(Vec<RecordId>),
    /// The first so many that are to be imported.
    First(u32),
}

/// What became of the route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateNow {
    /// Its state.
    pub state: RouteState,
    /// What else that means.
    pub changed: Changed,
}

/// What a person's word on a route brought besides the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// Nothing else.
    Plainly,
    /// Everything that was decided is decided anew before it is sent.
    LeftDry,
    /// A route that is not paused was to go on: nothing was changed.
    NotPaused,
}

impl Ledger {
    /// Sets whether a route acts. `None`: the ledger does not know the route.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn route_set_state(
        &self,
        route: RouteName,
        change: StateChange,
    ) -> Result<Option<StateNow>, LedgerError> {
        let now = self.env.now();
        let set = self.write("route_set_state", move |tx| {
            let Some(before) = state_of(tx, &route)? else { return Ok(None) };
            if change.state == NewState::Resumed && before.state != RouteState::Paused {
                return Ok(Some(StateNow { state: before.state, changed: Changed::NotPaused }));
            }
            let row = Row::of(&change.state, &before);
            tx.prepare_cached(
                "UPDATE routes SET state = :state, state_since = :now, state_who = :who, state_text = :text,
                        state_until = :until, state_after = :after, harvest_paused = :harvest, pilot_first = :first,
                        pilot_until = :pilot_until, pilot_after = :pilot_after
                 WHERE route = :route",
            )?
            .execute(named_params! {
                ":route": route.0, ":state": row.state.as_str(), ":now": time(now), ":who": change.said.who,
                ":text": change.said.text, ":until": row.until.map(time), ":after": row.after.map(RouteState::as_str),
                ":harvest": row.harvest_too, ":first": row.first, ":pilot_until": row.pilot.until.map(time),
                ":pilot_after": row.pilot.after.map(RouteState::as_str),
            })?;
            if let NewState::Pilot { whom, .. } = &change.state {
                set_pilots(tx, &route, whom)?;
            }
            let about = About::Route(&route, row.until.or(row.pilot.until));
            words::keep(tx, now, row.state.as_str(), about, &change.said)?;
            let leaves_dry = before.state == RouteState::Dry
                || before.state == RouteState::Paused && before.after == Some(RouteState::Dry);
            let acts = matches!(row.state, RouteState::On | RouteState::Pilot);
            let anew = leaves_dry && acts && passes::decide_anew(tx, now, &route)?;
            let changed = if anew { Changed::LeftDry } else { Changed::Plainly };
            Ok(Some(StateNow { state: row.state, changed }))
        })
        .await?;
        match set.map(|now| now.state) {
            Some(RouteState::Dry | RouteState::Pilot | RouteState::Paused) => self.halt(Reach::AllButLocks),
            Some(RouteState::On) | None => {}
        }
        Ok(set)
    }

    /// Pauses and pilots whose end has come are over; answers which routes are what they were before.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn routes_end_spans(&self) -> Result<Vec<(RouteName, RouteState)>, LedgerError> {
        let now = self.env.now();
        let due = self
            .read("routes_spans_due", move |connection| {
                connection
                    .prepare_cached(
                        "SELECT count(*) FROM routes WHERE state = 'paused' AND state_until <= ?1
                            OR state = 'pilot' AND pilot_until <= ?1",
                    )?
                    .query_row([time(now)], |row| row.get::<_, i64>(0))
            })
            .await?;
        if due == 0 {
            return Ok(Vec::new());
        }
        let ended = self
            .write("routes_end_spans", move |tx| {
                let mut ended = over(tx, END_PAUSES, now, "the pause came to its end")?;
                ended.extend(over(tx, END_PILOTS, now, "the pilot came to its end")?);
                Ok(ended)
            })
            .await?;
        if ended.iter().any(|(_, state)| *state == RouteState::Dry) {
            self.halt(Reach::AllButLocks);
        }
        Ok(ended)
    }

    /// Pilots that are to act for the first so many records choose them among those that wait.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn pilots_choose(&self) -> Result<(), LedgerError> {
        let wanting =
            self.read("pilots_wanting", |connection| connection.prepare_cached(PILOTS_WANTING)?.exists([]));
        if wanting.await? { self.write("pilots_choose", choose_pilots).await } else { Ok(()) }
    }
}

const END_PAUSES: &str = "
    UPDATE routes SET state = coalesce(state_after, 'dry'), state_since = ?1, state_who = 'dialbridge', state_text = ?2,
           state_until = NULL, state_after = NULL, harvest_paused = 0
    WHERE state = 'paused' AND state_until <= ?1 RETURNING route, state";

const END_PILOTS: &str = "
    UPDATE routes SET state = coalesce(pilot_after, 'dry'), state_since = ?1, state_who = 'dialbridge', state_text = ?2,
           pilot_until = NULL, pilot_after = NULL
    WHERE state = 'pilot' AND pilot_until <= ?1 RETURNING route, state";

/// What has an end and has come to it.
fn over(
    tx: &Transaction<'_>,
    sql: &str,
    now: Timestamp,
    text: &str,
) -> rusqlite::Result<Vec<(RouteName, RouteState)>> {
    let ended: Vec<(RouteName, RouteState)> = tx
        .prepare_cached(sql)?
        .query_map((time(now), text), |row| {
            Ok((RouteName(row.get("route")?), sql::get_named(row, "state", RouteState::parse)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    let said = Said { who: "dialbridge".to_owned(), text: text.to_owned() };
    for (route, state) in &ended {
        words::keep(tx, now, state.as_str(), About::Route(route, None), &said)?;
    }
    Ok(ended)
}

/// The state a route was in, what its pause was to go back to, and its pilot.
struct Before {
    state: RouteState,
    after: Option<RouteState>,
    first: Option<u32>,
    pilot: PilotEnd,
}

/// When a pilot ends, and what its route is then; neither, where it has no end.
#[derive(Debug, Clone, Copy, Default)]
struct PilotEnd {
    until: Option<Timestamp>,
    after: Option<RouteState>,
}

fn state_of(tx: &Transaction<'_>, route: &RouteName) -> rusqlite::Result<Option<Before>> {
    let states =
        "SELECT state, state_after, pilot_first, pilot_until, pilot_after FROM routes WHERE route = ?1";
    tx.prepare_cached(states)?
        .query_row([&route.0], |row| {
            let named = |column: &str| -> rusqlite::Result<Option<RouteState>> {
                let text: Option<String> = row.get(column)?;
                Ok(text.as_deref().and_then(RouteState::parse))
            };
            Ok(Before {
                state: sql::get_named(row, "state", RouteState::parse)?,
                after: named("state_after")?,
                first: row.get("pilot_first")?,
                pilot: PilotEnd { until: get_time_opt(row, "pilot_until")?, after: named("pilot_after")? },
            })
        })
        .optional()
}

/// The columns of a new state.
struct Row {
    state: RouteState,
    until: Option<Timestamp>,
    after: Option<RouteState>,
    harvest_too: bool,
    first: Option<u32>,
    pilot: PilotEnd,
}

impl Row {
    fn of(new: &NewState, before: &Before) -> Self {
        let plain = |state| Self {
            state,
            until: None,
            after: None,
            harvest_too: false,
            first: before.first,
            pilot: PilotEnd::default(),
        };
        // What was before a pause that is said once more is what was before the first.
        let acted = match before.state {
            RouteState::Paused => before.after.unwrap_or(RouteState::Dry),
            RouteState::Dry | RouteState::Pilot | RouteState::On => before.state,
        };
        match new {
            NewState::Dry => plain(RouteState::Dry),
            NewState::On => plain(RouteState::On),
            NewState::Pilot { whom, until } => {
                let first = match whom {
                    Pilot::Records(_) => None,
                    Pilot::First(first) => Some(*first),
                };
                // A pilot after a pilot ends where the first would have; without an end of its own, in dry.
                let after = match acted {
                    RouteState::On => RouteState::On,
                    RouteState::Pilot => before.pilot.after.unwrap_or(RouteState::Dry),
                    RouteState::Dry | RouteState::Paused => RouteState::Dry,
                };
                let pilot = PilotEnd { until: *until, after: until.map(|_| after) };
                Self { first, pilot, ..plain(RouteState::Pilot) }
            }
            // A pilot keeps its end through a pause.
            NewState::Paused { until, harvest_too } => Self {
                until: *until,
                after: Some(acted),
                harvest_too: *harvest_too,
                pilot: before.pilot,
                ..plain(RouteState::Paused)
            },
            NewState::Resumed => Self { pilot: before.pilot, ..plain(acted) },
        }
    }
}

fn set_pilots(tx: &Transaction<'_>, route: &RouteName, pilot: &Pilot) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM pilots WHERE route = ?1")?.execute([&route.0])?;
    match pilot {
        Pilot::Records(records) => {
            let mut insert =
                tx.prepare_cached("INSERT OR IGNORE INTO pilots (route, record_id) VALUES (?1, ?2)")?;
            for record in records {
                insert.execute((&route.0, &record.0))?;
            }
        }
        // Chosen when the first of them are about to be sent.
        Pilot::First(_) => {}
    }
    Ok(())
}

/// Pilots with fewer records than they are to act for.
const PILOTS_WANTING: &str = "
    SELECT r.route, r.pilot_first - (SELECT count(*) FROM pilots p WHERE p.route = r.route) AS missing
    FROM routes r WHERE r.state = 'pilot' AND r.pilot_first IS NOT NULL AND missing > 0";

/// Pilots that are to act for the first so many records choose them among the imports that wait and may
/// be sent.
pub(super) fn choose_pilots(tx: &Transaction<'_>) -> rusqlite::Result<()> {
    let wanting: Vec<(String, i64)> = tx
        .prepare_cached(PILOTS_WANTING)?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (route, missing) in wanting {
        tx.prepare_cached(
            "INSERT OR IGNORE INTO pilots (route, record_id)
             SELECT l.route, l.record_id FROM operations o JOIN links l ON l.id = o.link_id
             WHERE l.route = ?1 AND o.state = 'waiting' AND o.kind = 'import'
               AND NOT EXISTS (SELECT 1 FROM waves w WHERE w.id = o.wave_id AND w.state = 'rejected')
               AND NOT EXISTS (SELECT 1 FROM pilots p WHERE p.route = l.route AND p.record_id = l.record_id)
             ORDER BY o.id LIMIT ?2",
        )?
        .execute((&route, missing))?;
    }
    Ok(())
}
