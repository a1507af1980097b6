//! Contacts of ours that the dialler does not name any more: many of a route at once are a wave, and nothing is concluded from
//! their absence before a person has seen whom; a few are asked about one by one (promise 4).

use super::due::HarvestRules;
use super::held_waves::{Brake, COUNTED_FOR, Measured, VANISHED, WaveRecord, record, stand, standing};
use super::missing::{Word, enter_missing};
use super::sql::time;
use super::{Ledger, LedgerError};
use crate::domain::limits::MissingLimits;
use crate::domain::{CampaignId, ContactId, RouteName, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Transaction, named_params};
use std::collections::{BTreeMap, BTreeSet};

/// Of a route that left the config nobody says what is usual: as many as are never few are many.
const LEFT_OVER: MissingLimits = MissingLimits { most: 0, percent: 100 };

/// Whether nothing is to be concluded of a contact's absence: a person has to see it first, or does not believe it. Nor is it asked for by
/// anything but the look for those that were moved: each question would be in vain, and stand before those of others.
macro_rules! unlisted_held {
    ($contact:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM contact_absences z LEFT JOIN waves y ON y.id = z.wave_id
                     WHERE z.contact_id = ",
            $contact,
            " AND z.gone_at IS NULL AND (z.left_at IS NOT NULL OR y.state = 'held'))"
        )
    };
}
pub(super) use unlisted_held;

/// So many are noted in one transaction.
const CHUNK: usize = 200;

/// What follows for contacts of ours that a complete list did not name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unlisted {
    /// Of no route any more: contacts that a link had before.
    pub of_no_route: Vec<ContactId>,
    /// To be asked about one by one.
    pub to_ask: Vec<ContactId>,
    /// Nothing is concluded of them.
    pub held: Vec<ContactId>,
    /// The routes with a wave that holds.
    pub waves: Vec<UnlistedWave>,
}

/// A wave of contacts that the dialler does not name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnlistedWave {
    /// Its route.
    pub route: RouteName,
    /// Its number.
    pub wave: i64,
    /// How many it holds.
    pub count: i64,
}

impl Ledger {
    /// A complete list of `campaign` did not name these contacts of ours.
    ///
    /// # Errors
    /// The ledger cannot be used.
    pub async fn contacts_unlisted(
        &self,
        campaign: CampaignId,
        missing: Vec<ContactId>,
        rules: HarvestRules,
    ) -> Result<Unlisted, LedgerError> {
        let now = self.env.now();
        let (mut unlisted, mut ours) = (Unlisted::default(), Vec::new());
        let mut routes = self.read("unlisted_stands", stands).await?;
        let known = missing.clone();
        let mut noted = self.read("unlisted_noted", move |connection| noted(connection, &known)).await?;
        let new: Vec<ContactId> = missing.iter().filter(|id| !noted.contains_key(id)).copied().collect();
        for chunk in new.chunks(CHUNK) {
            let chunk = chunk.to_vec();
            let routes_of = self.write("contacts_unlisted", move |tx| {
                chunk
                    .into_iter()
                    .map(|id| Ok((id, note(tx, id, Some(campaign), now)?)))
                    .collect::<Result<Vec<_>, _>>()
            });
            for (id, route) in routes_of.await? {
                match route {
                    Some(route) => {
                        noted.insert(id, route);
                    }
                    None => unlisted.of_no_route.push(id),
                }
            }
        }
        for id in missing {
            if let Some(route) = noted.remove(&id) {
                routes.insert(route);
                ours.push(id);
            }
        }
        for route in routes {
            if let Some((wave, count)) = self.unlisted_hold(route.clone(), rules.clone()).await? {
                unlisted.waves.push(UnlistedWave { route, wave, count });
            }
        }
        (unlisted.held, unlisted.to_ask) =
            self.read("unlisted_held", move |connection| split(connection, ours)).await?;
        Ok(unlisted)
    }

    /// The route's wave and how many it holds, if one does; nothing is written where it is as it was.
    async fn unlisted_hold(
        &self,
        route: RouteName,
        rules: HarvestRules,
    ) -> Result<Option<(i64, i64)>, LedgerError> {
        let now = self.env.now();
        let (known, limits) = (route.clone(), rules.clone());
        let as_before = self.read("unlisted_hold_asked", move |connection| {
            let measured = measured(connection, &known, limits_of(&known, &limits), now)?;
            as_before(connection, &known, measured)
        });
        let brake = match as_before.await? {
            Some(brake) => brake,
            None => self.write("unlisted_hold", move |tx| hold(tx, &route, &rules, now)).await?,
        };
        Ok(match brake {
            Brake::Holds { wave, count, new: _ } => Some((wave, count)),
            Brake::Off => None,
        })
    }
}

/// The routes of those that were missing before.
fn noted(connection: &Connection, ids: &[ContactId]) -> rusqlite::Result<BTreeMap<ContactId, RouteName>> {
    let mut statement = connection
        .prepare_cached("SELECT route FROM contact_absences WHERE contact_id = ?1 AND gone_at IS NULL")?;
    let mut noted = BTreeMap::new();
    for id in ids {
        if let Some(route) = statement.query_row([id.0], |row| row.get(0)).optional()? {
            noted.insert(*id, RouteName(route));
        }
    }
    Ok(noted)
}

/// Those of whom nothing is to be concluded, and the others.
fn split(connection: &Connection, ids: Vec<ContactId>) -> rusqlite::Result<(Vec<ContactId>, Vec<ContactId>)> {
    let mut statement = connection.prepare_cached(concat!("SELECT ", unlisted_held!("?1")))?;
    let (mut held, mut to_ask) = (Vec::new(), Vec::new());
    for id in ids {
        if statement.query_row([id.0], |row| row.get(0))? { held.push(id) } else { to_ask.push(id) }
    }
    Ok((held, to_ask))
}

fn limits_of(route: &RouteName, rules: &HarvestRules) -> MissingLimits {
    rules.vanished.get(route).copied().unwrap_or(LEFT_OVER)
}

/// What holds, where nothing is to be written for it: no wave and none to begin, or one to which nobody came and which nobody left.
#[expect(
    clippy::option_option,
    reason = "whether it is known without a write, and then whether a wave holds"
)]
fn as_before(
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

/// The routes of which such a wave holds.
fn stands(connection: &Connection) -> rusqlite::Result<BTreeSet<RouteName>> {
    connection
        .prepare_cached(
            "SELECT route FROM waves WHERE state = 'held' AND (source = ?1 OR source BETWEEN ?1 || '#' AND ?1 || '#~')",
        )?
        .query_map([VANISHED], |row| row.get(0).map(RouteName))?
        .collect()
}

/// It is not named; answers the route whose contact it is.
fn note(
    tx: &Transaction<'_>,
    id: ContactId,
    campaign: Option<CampaignId>,
    now: Timestamp,
) -> rusqlite::Result<Option<RouteName>> {
    tx.prepare_cached(
        "INSERT INTO contact_absences (contact_id, route, campaign_id, asked_at)
         SELECT l.contact_id, l.route, coalesce(?2, (SELECT k.campaign_id FROM contacts k WHERE k.contact_id = l.contact_id)), ?3
         FROM links l WHERE l.contact_id = ?1 AND l.route IS NOT NULL AND l.vanished_at IS NULL LIMIT 1
         ON CONFLICT (contact_id) DO UPDATE SET asked_at = excluded.asked_at, gone_at = NULL, wave_id = NULL, left_at = NULL
            WHERE gone_at IS NOT NULL",
    )?
    .execute((id.0, campaign.map(|campaign| campaign.0), time(now)))?;
    tx.prepare_cached("SELECT route FROM contact_absences WHERE contact_id = ?1 AND gone_at IS NULL")?
        .query_row([id.0], |row| row.get(0).map(RouteName))
        .optional()
}

fn is_held(tx: &Transaction<'_>, id: ContactId) -> rusqlite::Result<bool> {
    tx.prepare_cached(concat!("SELECT ", unlisted_held!("?1")))?.query_row([id.0], |row| row.get(0))
}

/// A read of its own did not find it. `true`: nothing is concluded of that.
pub(super) fn not_found(
    tx: &Transaction<'_>,
    id: ContactId,
    rules: &HarvestRules,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    let believed: bool = tx
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM harvest_due WHERE contact_id = ?1 AND reason = 'missing' AND believed = 1)",
        )?
        .query_row([id.0], |row| row.get(0))?;
    if believed {
        return Ok(false);
    }
    if is_held(tx, id)? {
        return Ok(true);
    }
    let known: bool = tx
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM contact_absences WHERE contact_id = ?1 AND gone_at IS NULL)",
        )?
        .query_row([id.0], |row| row.get(0))?;
    // Measured when it came to be missing: to do so at each question would count the whole route each time.
    match note(tx, id, None, now)? {
        Some(route) if !known => {
            hold(tx, &route, rules, now)?;
            is_held(tx, id)
        }
        Some(_) | None => Ok(false),
    }
}

/// It is there: nothing was missing.
pub(super) fn found(tx: &Transaction<'_>, id: ContactId) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM contact_absences WHERE contact_id = ?1")?.execute([id.0])?;
    Ok(())
}

/// It is gone, and counts for a day.
pub(super) fn gone(tx: &Transaction<'_>, id: ContactId, now: Timestamp) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE contact_absences SET gone_at = ?2 WHERE contact_id = ?1")?
        .execute((id.0, time(now)))?;
    Ok(())
}

/// Whether so many of the route's contacts are missing that a person has to see whom; those of a wave that is over by itself are
/// asked about as usual.
fn hold(
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
        (Brake::Holds { wave, .. }, _) => {
            tx.prepare_cached(
                "DELETE FROM harvest_due WHERE reason = 'missing' AND believed = 0 AND contact_id IN (
                    SELECT contact_id FROM contact_absences WHERE route = ?1 AND gone_at IS NULL AND wave_id IS NULL)",
            )?
            .execute([&route.0])?;
            tx.prepare_cached(
                "UPDATE contact_absences SET wave_id = ?2
                 WHERE route = ?1 AND gone_at IS NULL AND left_at IS NULL AND wave_id IS NULL",
            )?
            .execute((&route.0, wave))?;
        }
        (Brake::Off, Some(wave)) => {
            tx.prepare_cached("UPDATE contact_absences SET wave_id = NULL WHERE wave_id = ?1")?
                .execute([wave])?;
        }
        (Brake::Off, None) => {}
    }
    Ok(brake)
}

/// How many of the route's contacts are missing, by the whole route and by each campaign it has contacts in: one that was emptied
/// must not hide behind the others. Those found gone within a day count as well, unless a person let them go.
fn measured(
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
        None => connection
            .prepare_cached("SELECT count(*) FROM links WHERE route = ?1 AND contact_id IS NOT NULL AND vanished_at IS NULL")?
            .query_row([&route.0], |row| row.get(0))?,
        Some(campaign) => connection
            .prepare_cached(
                "SELECT count(*) FROM links l JOIN contacts k ON k.contact_id = l.contact_id
                 WHERE l.route = ?1 AND l.vanished_at IS NULL AND k.campaign_id = ?2",
            )?
            .query_row((&route.0, campaign), |row| row.get(0))?,
    };
    Ok(usize::try_from(count).unwrap_or_default())
}

/// A person says that they may well be gone: each is asked about, twice, and counts as gone where it is not there.
pub(super) fn believed(tx: &Transaction<'_>, now: Timestamp, wave: i64) -> rusqlite::Result<()> {
    of_wave(tx, wave)?.into_iter().try_for_each(|id| enter_missing(tx, id, Word::Believed, now))
}

/// A person does not believe it: nothing is concluded before they were seen again.
pub(super) fn left(tx: &Transaction<'_>, now: &str, wave: i64) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE contact_absences SET left_at = ?2 WHERE wave_id = ?1 AND gone_at IS NULL")?
        .execute((wave, now))?;
    Ok(())
}

fn of_wave(tx: &Transaction<'_>, wave: i64) -> rusqlite::Result<Vec<ContactId>> {
    tx.prepare_cached("SELECT contact_id FROM contact_absences WHERE wave_id = ?1 AND gone_at IS NULL")?
        .query_map([wave], |row| row.get(0).map(ContactId))?
        .collect()
}

/// Whom such a wave holds.
pub(super) fn records(connection: &Connection, wave: i64) -> rusqlite::Result<Vec<WaveRecord>> {
    connection
        .prepare_cached(
            "SELECT l.record_id, a.contact_id, NULL AS history_id, a.asked_at AS since FROM contact_absences a
             LEFT JOIN links l ON l.route = a.route AND l.contact_id = a.contact_id
             WHERE a.wave_id = ?1 AND a.gone_at IS NULL AND a.left_at IS NULL ORDER BY a.asked_at, a.contact_id",
        )?
        .query_map([wave], record)?
        .collect()
}
