//! A lock is a standing wish, not an event (users 7): all wished locks are sent again every night, a few at a time, and
//! at once where somebody else wrote to the contact.

use super::contacts::ContactSeen;
use super::decisions::Cause;
use super::failing::OFTEN;
use super::lease::contact_knowable;
use super::sql::{get_time, get_time_opt, time};
use super::{Ledger, LedgerError, lane};
use crate::domain::{ContactId, LinkId, Reason, ReasonCode, RunId, Timestamp};
use rusqlite::{OptionalExtension as _, Transaction};
use serde::Serialize;

/// A night's round, for people.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LockRound {
    /// When it began.
    pub began_at: Timestamp,
    /// How many contacts were to be out of reach then.
    pub wished: i64,
    /// How many locks were sent again so far; whoever was locked since it began needs none.
    pub sent: i64,
    /// When it came to its end.
    pub finished_at: Option<Timestamp>,
}

impl Ledger {
    /// Begins a round unless one began since `due`.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn lock_round_begin(&self, due: Timestamp) -> Result<(), LedgerError> {
        let (now, due) = (time(self.env.now()), time(due));
        let begun: bool = self
            .read("lock_round_begun", {
                let due = due.clone();
                move |connection| {
                    connection
                        .prepare_cached("SELECT EXISTS (SELECT 1 FROM lock_rounds WHERE began_at >= ?1)")?
                        .query_row([due], |row| row.get(0))
                }
            })
            .await?;
        if begun {
            return Ok(());
        }
        self.write("lock_round_begin", move |tx| {
            tx.execute("UPDATE lock_rounds SET finished_at = ?1 WHERE finished_at IS NULL", [&now])?;
            tx.execute(
                "INSERT INTO lock_rounds (began_at, wished, finished_at)
                 SELECT ?1, count(*), CASE count(*) WHEN 0 THEN ?1 END FROM links
                 WHERE wish = 'locked' AND contact_id IS NOT NULL AND vanished_at IS NULL",
                [&now],
            )?;
            Ok(())
        })
        .await
    }

    /// Queues so many more of the round's locks; answers how many. None while any other lock waits: a block that is
    /// new comes first.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn lock_round_go_on(&self, limit: usize, run: RunId) -> Result<usize, LedgerError> {
        let open: bool = self
            .read("lock_round_open", |connection| {
                connection
                    .prepare_cached("SELECT EXISTS (SELECT 1 FROM lock_rounds WHERE finished_at IS NULL)")?
                    .query_row([], |row| row.get(0))
            })
            .await?;
        if !open {
            return Ok(0);
        }
        let now = self.env.now();
        self.write("lock_round_go_on", move |tx| go_on(tx, limit, run, now)).await
    }

    /// The last round.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn lock_round_last(&self) -> Result<Option<LockRound>, LedgerError> {
        self.read("lock_round_last", |connection| {
            connection
                .prepare_cached("SELECT * FROM lock_rounds ORDER BY id DESC LIMIT 1")?
                .query_row([], |row| {
                    Ok(LockRound {
                        began_at: get_time(row, "began_at")?,
                        wished: row.get("wished")?,
                        sent: row.get("sent")?,
                        finished_at: get_time_opt(row, "finished_at")?,
                    })
                })
                .optional()
        })
        .await
    }
}

/// With so many of the night's locks rejected the dialler takes none: more of them would only stand before a new no.
const MOST_REJECTED: i64 = 50;

fn go_on(tx: &Transaction<'_>, limit: usize, run: RunId, now: Timestamp) -> rusqlite::Result<usize> {
    let (round, began, after): (i64, String, i64) = tx
        .prepare_cached("SELECT id, began_at, after_link FROM lock_rounds WHERE finished_at IS NULL")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    // A new lock comes first, and where no lock gets through (a freeze, a dialler that is down) these do not pile up. One that
    // waits for an import in doubt may wait for long, and holds up nobody; nor do a few that the dialler rejects again and again.
    let others: bool = tx
        .prepare_cached(concat!(
            "SELECT EXISTS (SELECT 1 FROM operations o JOIN links l ON l.id = o.link_id
                            WHERE o.kind = 'lock' AND o.state = 'waiting'
                            AND (o.not_before <= ?1 OR o.code = 'standing_lock') AND o.attempts < ?2
                            AND NOT EXISTS (SELECT 1 FROM waves w WHERE w.id = o.wave_id AND w.state = 'held') AND ",
            contact_knowable!(),
            ") OR (SELECT count(*) FROM operations o WHERE o.kind = 'lock' AND o.state = 'waiting'
                   AND o.code = 'standing_lock' AND o.attempts >= ?2) >= ?3"
        ))?
        .query_row((time(now), OFTEN, MOST_REJECTED), |row| row.get(0))?;
    if others {
        return Ok(0);
    }
    let links: Vec<(i64, bool)> = tx
        .prepare_cached(
            "SELECT id, contact_id IS NOT NULL AND vanished_at IS NULL AND (locked_at IS NULL OR locked_at < ?2)
                    AND NOT EXISTS (SELECT 1 FROM operations o WHERE o.link_id = links.id AND o.kind = 'lock'
                                    AND o.state IN ('waiting', 'sending', 'uncertain'))
             FROM links WHERE wish = 'locked' AND id > ?1 ORDER BY id LIMIT ?3",
        )?
        .query_map((after, began, limit as i64), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let Some((last, _)) = links.last() else {
        tx.prepare_cached("UPDATE lock_rounds SET finished_at = ?2 WHERE id = ?1")?
            .execute((round, time(now)))?;
        return Ok(0);
    };
    let cause = Cause { at: now, decided_at: now, text: format!("run:{run}"), run: Some(run) };
    let mut sent = 0;
    for (link, _) in links.iter().filter(|(_, needs)| *needs) {
        forget_older(tx, LinkId(*link))?;
        let reason = ReasonCode::StandingLock.into();
        sent += usize::from(lane::lock_unless_waiting(tx, LinkId(*link), &reason, &cause)?);
    }
    tx.prepare_cached("UPDATE lock_rounds SET after_link = ?2, sent = sent + ?3 WHERE id = ?1")?
        .execute((round, last, sent as i64))?;
    // A stretch of links that need none is no end.
    Ok(sent.max(1))
}

/// Of the nights before only the last is kept: ten thousand locks a night would soon be all there is.
fn forget_older(tx: &Transaction<'_>, link: LinkId) -> rusqlite::Result<()> {
    const OLDER: &str =
        "SELECT id FROM operations WHERE link_id = ?1 AND kind = 'lock' AND code = 'standing_lock'
                         AND state = 'done'";
    tx.prepare_cached(&format!("DELETE FROM attempts WHERE operation_id IN ({OLDER})"))?.execute([link.0])?;
    tx.prepare_cached(&format!("DELETE FROM operations WHERE id IN ({OLDER})"))?.execute([link.0])?;
    Ok(())
}

/// What was known of a contact before a read is stored.
pub(super) struct Before {
    tries: i64,
    result: Option<i64>,
    face: Option<Vec<u8>>,
}

/// What is known of a contact.
pub(super) fn before(tx: &Transaction<'_>, contact: ContactId) -> rusqlite::Result<Option<Before>> {
    tx.prepare_cached("SELECT tries, result_code, face FROM contacts WHERE contact_id = ?1")?
        .query_row([contact.0], |row| {
            Ok(Before { tries: row.get(0)?, result: row.get(1)?, face: row.get(2)? })
        })
        .optional()
}

/// A read that is younger than every write of ours shows somebody else's hand: whoever is to be out of reach is locked
/// again at once.
pub(super) fn compare(
    tx: &Transaction<'_>,
    before: Option<&Before>,
    seen: &ContactSeen,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let Some(before) = before else { return Ok(()) };
    let sign = if seen.tries < before.tries {
        Foreign::CountersBack
    } else if before.result.is_some() && seen.result == Some(None) {
        Foreign::ResultGone
    } else if before.face.as_ref().is_some_and(|face| *face != seen.face) {
        Foreign::Changed
    } else {
        return Ok(());
    };
    foreign_hand(tx, seen.id, sign, now)
}

/// A contact that is to be out of reach was called after it had been locked.
pub(super) fn called(tx: &Transaction<'_>, contact: ContactId, now: Timestamp) -> rusqlite::Result<()> {
    let called: bool = tx
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM calls k JOIN links l ON l.contact_id = k.contact_id
                WHERE k.contact_id = ?1 AND k.first_seen_at = ?2 AND k.outbound = 1 AND k.test IS NOT 1
                  AND l.wish = 'locked' AND k.started_at > l.locked_at)",
        )?
        .query_row((contact.0, time(now)), |row| row.get(0))?;
    if called { foreign_hand(tx, contact, Foreign::Called, now) } else { Ok(()) }
}

/// How somebody else's hand shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Foreign {
    /// Its tries are fewer than before.
    CountersBack,
    /// A result that it had is gone.
    ResultGone,
    /// Its key, its campaign or its numbers are others, and we did not change them.
    Changed,
    /// What comes from its record is otherwise than it was sent, or what we know nothing of than before.
    Fields,
    /// It was called after we had locked it.
    Called,
}

impl Foreign {
    const fn in_words(self) -> &'static str {
        match self {
            Self::CountersBack => "its counters went back",
            Self::ResultGone => "its result is gone",
            Self::Changed => "its key, campaign or numbers were changed",
            Self::Fields => "something that we did not write was written over",
            Self::Called => "it was called",
        }
    }
}

pub(super) fn foreign_hand(
    tx: &Transaction<'_>,
    contact: ContactId,
    sign: Foreign,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let links: Vec<i64> = tx
        .prepare_cached(
            "SELECT id FROM links WHERE contact_id = ?1 AND wish = 'locked' AND vanished_at IS NULL
                AND locked_at IS NOT NULL",
        )?
        .query_map([contact.0], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let cause = Cause { at: now, decided_at: now, text: "gate".to_owned(), run: None };
    let reason = Reason::new(ReasonCode::ForeignWriting).with("sign", sign.in_words());
    for link in links {
        lane::lock_unless_waiting(tx, LinkId(link), &reason, &cause)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::testing::scene;

    #[tokio::test(start_paused = true)]
    async fn a_lock_behind_an_import_in_doubt_stops_nobody_elses_standing_lock() {
        for (state, queued) in [("uncertain", true), ("done", false)] {
            let scene = scene().await;
            let in_doubt = scene.link("1", None, &[]).await;
            scene.operation(in_doubt, "import", state).await;
            scene.operation(in_doubt, "lock", "waiting").await;
            let other = scene.link("2", Some(11), &[]).await;
            let locked = scene.ledger.write("test_locked", |tx| {
                tx.execute("UPDATE links SET wish = 'locked', locked_at = '2030-01-06T09:00:00.000000Z'", [])
            });
            locked.await.expect("written");
            scene.wait(1).await;
            scene.ledger.lock_round_begin(scene.ledger.env.now()).await.expect("begun");
            scene.ledger.lock_round_go_on(9, RunId(1)).await.expect("a stretch");
            let locks = scene.operations(other).await;
            assert_eq!(!locks.is_empty(), queued, "an import that is {state}: {locks:?}");
        }
    }
}
