//! What a person says of a wave that is held, carried out in one transaction.

use super::hand_acts::delete_over;
use super::sql::time;
use super::waves::rows;
use super::words::Said;
use super::{Ledger, LedgerError, held_waves, listed, results_words, status_told, unlisted};
use crate::domain::policy::{WaveState, WaveWhat};
use crate::domain::{LinkId, ReasonCode, RouteName, Timestamp};
use rusqlite::Transaction;

/// What a person says of a wave that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaveWord {
    /// It is sent.
    Approve,
    /// What of it waits is put aside until the records change.
    Reject,
}

/// What a word on a wave concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaveDecided {
    /// Its route.
    pub route: RouteName,
    /// What it is made of.
    pub what: WaveWhat,
    /// How many operations, rows or records waited.
    pub waiting: i64,
}

impl Ledger {
    /// Decides about a held wave; `None`: none of this number is.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn wave_decide(
        &self,
        wave: i64,
        word: WaveWord,
        who: String,
        text: String,
    ) -> Result<Option<WaveDecided>, LedgerError> {
        let at = self.env.now();
        let decided = self.write("wave_decide", move |tx| {
            let Some(held) = rows(tx, None, false)?.into_iter().find(|row| row.id == wave) else {
                return Ok(None);
            };
            let now = time(at);
            let state = match word {
                WaveWord::Approve => WaveState::Approved,
                WaveWord::Reject => WaveState::Rejected,
            };
            tx.execute(
                "UPDATE waves SET state = ?2, decided_at = ?3, who = ?4, text = ?5 WHERE id = ?1",
                (wave, state.as_str(), &now, &who, &text),
            )?;
            let said = Said { who, text };
            match (held.what, word) {
                (WaveWhat::Told, WaveWord::Approve) => {
                    results_words::approve(tx, &now, &held.route, &said)?;
                }
                (WaveWhat::Told, WaveWord::Reject) => held_waves::leave_untold(tx, &now, &held.route, &said)?,
                // Those go by this word, a few at a time.
                (WaveWhat::Listed, WaveWord::Approve) => {}
                (WaveWhat::Listed, WaveWord::Reject) => listed::rejected(tx, &held.route, &now)?,
                (WaveWhat::Missing, WaveWord::Approve) => held_waves::look_again(tx, at, wave)?,
                (WaveWhat::Missing, WaveWord::Reject) => held_waves::leave_missing(tx, &now, wave)?,
                (WaveWhat::Vanished, WaveWord::Approve) => unlisted::believed(tx, at, wave)?,
                (WaveWhat::Vanished, WaveWord::Reject) => unlisted::left(tx, &now, wave)?,
                (
                    WaveWhat::New | WaveWhat::Changed | WaveWhat::Removed | WaveWhat::RemovedByScope,
                    WaveWord::Approve,
                ) => {}
                (WaveWhat::LockedByScope, WaveWord::Approve) => status_told::of_wave(tx, wave)?,
                (WaveWhat::LockedByScope, WaveWord::Reject) => {
                    left_callable(tx, wave, at)?;
                    cancel(tx, &now, wave)?;
                }
                (
                    WaveWhat::New | WaveWhat::Changed | WaveWhat::Removed | WaveWhat::RemovedByScope,
                    WaveWord::Reject,
                ) => cancel(tx, &now, wave)?,
            }
            Ok(Some(WaveDecided { route: held.route, what: held.what, waiting: held.waiting }))
        });
        let decided = decided.await?;
        if let (Some(WaveDecided { route, what: WaveWhat::Listed, .. }), WaveWord::Approve) = (&decided, word)
        {
            self.listed_approved(route.clone()).await?;
        }
        Ok(decided)
    }
}

fn cancel(tx: &Transaction<'_>, now: &str, wave: i64) -> rusqlite::Result<()> {
    // Whom a person does not want to be set back is not owed it any more.
    tx.execute(
        "UPDATE links SET begins_anew = 0 WHERE id IN
            (SELECT link_id FROM operations WHERE wave_id = ?1 AND state = 'waiting' AND kind = 'reset')",
        [wave],
    )?;
    tx.execute(
        "UPDATE operations SET state = 'cancelled', outcome = ?2, finished_at = ?3
         WHERE wave_id = ?1 AND state = 'waiting'",
        (wave, ReasonCode::Discarded.as_str(), now),
    )?;
    Ok(())
}

/// A lock is a standing wish: whom a person leaves callable must not be locked by the next night's round, and is not deleted, set
/// back or marked by what the same decision wished beside the lock.
fn left_callable(tx: &Transaction<'_>, wave: i64, now: Timestamp) -> rusqlite::Result<()> {
    let left: Vec<LinkId> = tx
        .prepare(
            "SELECT id FROM links WHERE wish = 'locked' AND lock_state = 'open' AND wish_code IN (?2, 'no_phone', 'no_name')
               AND id IN (SELECT link_id FROM operations WHERE wave_id = ?1 AND state = 'waiting')",
        )?
        .query_map((wave, ReasonCode::NotEligible.as_str()), |row| row.get(0).map(LinkId))?
        .collect::<rusqlite::Result<_>>()?;
    for link in left {
        tx.prepare_cached(
            "UPDATE links SET wish = 'callable', wish_code = ?2, wish_params = '{}', begins_anew = 0 WHERE id = ?1",
        )?
        .execute((link.0, ReasonCode::Discarded.as_str()))?;
        tx.prepare_cached(
            "UPDATE operations SET state = 'cancelled', outcome = ?2, finished_at = ?3
             WHERE link_id = ?1 AND state = 'waiting' AND kind IN ('delete', 'reset', 'update') AND code = ?4
               AND cause NOT LIKE 'person:%'",
        )?
        .execute((
            link.0,
            ReasonCode::Discarded.as_str(),
            time(now),
            ReasonCode::NotEligible.as_str(),
        ))?;
        delete_over(tx, link, "a person left its contact callable", now)?;
    }
    Ok(())
}
