//! Contacts of ours that the dialler does not name any more: many of a route at once are a wave, and nothing is concluded from
//! their absence before a person has seen whom; a few are asked about one by one (promise 4).

use super::due::HarvestRules;
use super::held_waves::{Brake, VANISHED, WaveRecord, record, standing};
use super::missing::{Word, enter_missing};
use super::sql::time;
use super::vanish_brake::{as_before, ask_anew, hold, joins, limits_of, measured};
use super::{Ledger, LedgerError};
use crate::domain::{CampaignId, ContactId, RouteName, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Transaction};
use std::collections::{BTreeMap, BTreeSet};

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
    /// A wave holds them: nothing is concluded of them.
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

    /// Contacts that were last seen in `campaign` and of which nothing is concluded: somebody may have moved them, or the dialler does not tell
    /// of them just now.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn unlisted_there(&self, campaign: CampaignId) -> Result<Vec<ContactId>, LedgerError> {
        self.read("unlisted_there", move |connection| {
            connection
                .prepare_cached(concat!(
                    "SELECT a.contact_id FROM contact_absences a CROSS JOIN contacts k ON k.contact_id = a.contact_id
                     WHERE k.campaign_id = ?1 AND k.gone_at IS NULL AND ",
                    unlisted_held!("a.contact_id")
                ))?
                .query_map([campaign.0], |row| row.get(0).map(ContactId))?
                .collect()
        })
        .await
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

/// Those that a wave holds, and those that are to be asked about; whom a person does not believe gone is neither.
fn split(connection: &Connection, ids: Vec<ContactId>) -> rusqlite::Result<(Vec<ContactId>, Vec<ContactId>)> {
    let mut statement = connection.prepare_cached(concat!(
        "SELECT ",
        unlisted_held!("?1"),
        ", EXISTS (SELECT 1 FROM contact_absences WHERE contact_id = ?1 AND left_at IS NOT NULL)"
    ))?;
    let (mut held, mut to_ask) = (Vec::new(), Vec::new());
    for id in ids {
        match statement.query_row([id.0], |row| Ok((row.get(0)?, row.get(1)?)))? {
            (true, false) => held.push(id),
            (true, true) => {}
            (false, _) => to_ask.push(id),
        }
    }
    Ok((held, to_ask))
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
    let Some(route) = note(tx, id, None, now)?.filter(|_| !known) else { return Ok(false) };
    // Measured when it came to be missing, and no more where a wave stands: that counts the whole route.
    match standing(tx, &route, VANISHED)? {
        Some(wave) => joins(tx, &route, wave).map(|()| true),
        None => {
            hold(tx, &route, rules, now)?;
            is_held(tx, id)
        }
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

/// A person says that they may well be gone: each is asked about, twice, and counts as gone where it is not there.
pub(super) fn believed(tx: &Transaction<'_>, now: Timestamp, wave: i64) -> rusqlite::Result<()> {
    ask_anew(tx, wave)?;
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

#[cfg(test)]
mod tests {
    use crate::domain::{CampaignId, ContactId};
    use crate::ledger::Share;
    use crate::ledger::testing::scene;

    #[tokio::test(start_paused = true)]
    async fn whom_a_person_does_not_believe_gone_is_left_out_of_every_share_and_nobody_else_is() {
        let scene = scene().await;
        scene
            .put(
                "INSERT INTO contacts (contact_id, campaign_id, seen_seq, seen_at, active_at, audit_at)
                    VALUES (1, 7, 1, '2030', '2030-01-07T08:00', '2030-01-07T08:00'),
                           (2, 7, 1, '2030', '2030-01-07T08:00', '2030-01-07T08:00');
                 INSERT INTO contact_absences (contact_id, route, campaign_id, asked_at, left_at)
                    VALUES (1, 'leads', 7, '2030-01-07T08:00', '2030-01-07T08:30');
                 INSERT INTO harvest_due (contact_id, reason, at, since)
                    SELECT c.contact_id, r.value, '2030-01-07T08:00', '2030-01-07T08:00'
                    FROM contacts c, json_each('[\"changed\",\"hint\",\"missing\"]') r;",
            )
            .await;
        let now = scene.ledger.env.now();
        let likely = Share::Likely { tried_since: now - chrono::TimeDelta::hours(3) };
        for share in [Share::Changed, Share::Due, likely, Share::Audit, Share::Missing] {
            let taken = scene.ledger.due_take(CampaignId(7), share, now, 10).await.expect("a page");
            let ids: Vec<ContactId> = taken.iter().map(|due| due.id).collect();
            assert_eq!(ids, [ContactId(2)], "{share:?}");
        }
        // Each of them is looked for by number.
        let there = scene.ledger.unlisted_there(CampaignId(7)).await.expect("a list");
        assert_eq!(there, [ContactId(1)]);
    }
}
