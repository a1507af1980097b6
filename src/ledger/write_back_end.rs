//! How a write-back ended: its row, its attempt and the trail, in one transaction.

use super::edits_end::{self, CarriedEdit};
use super::sql::{code, get_json, time};
use super::told_trail::{self, Because};
use super::{Ledger, LedgerError, echoes, hints};
use crate::domain::{LinkId, Reason, ReasonCode, RouteName, RunId, Timestamp, WriteBackId};
use rusqlite::{OptionalExtension as _, Transaction};
use serde_json::{Map, Value};

/// What became of one row.
#[derive(Debug, Clone, PartialEq)]
pub enum TellEnd {
    /// The CRM was told.
    Done {
        /// The activity's id there, where it is one and the CRM named it.
        activity: Option<String>,
        /// What of it the dialler's side had changed.
        carried: Vec<CarriedEdit>,
        /// What the record's fields had right before, as far as that was read.
        before: Map<String, Value>,
    },
    /// It knows already: the values are those last told.
    Unchanged,
    /// It cannot be told yet, by the mapping of this revision.
    Held(Reason, String),
    /// Certainly not executed, and worth another try.
    Again(Timestamp),
    /// It may have happened: to be asked about then.
    Uncertain(Timestamp),
    /// It is still in doubt, and the question about it reached nobody: to be asked once more then.
    AskLater(Timestamp),
    /// Only a person, or a new word about the call, brings it further.
    Parked(Reason),
    /// The record no longer exists in the CRM.
    Gone,
}

/// The attempt that led to an end; none where nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// As in `attempts.outcome`.
    pub outcome: &'static str,
    /// What the other side said; no values of ours.
    pub detail: String,
}

/// Where a row stands, as far as its end asks.
pub(super) struct Standing {
    pub link: i64,
    state: String,
    sent: Option<i64>,
    wanted: i64,
    then_again: bool,
    pub values: Map<String, Value>,
    pub because: Because,
    route: String,
    /// What is under way tells of a no.
    objection: bool,
}

/// From here on the CRM may say what was sent or what it was told before: what is wanted next goes there, whichever of the two it
/// is (semantics 3). An edit that went by itself bears the digest of what was told before, and puts none of that in doubt.
macro_rules! forgets_what_was_told {
    () => {
        "digest = CASE WHEN objection IN ('under_way', 'again') OR sending = digest THEN digest END,
         objection_told = CASE WHEN objection IN ('under_way', 'again') THEN NULL ELSE objection_told END"
    };
}
pub(super) use forgets_what_was_told;

impl Ledger {
    /// Stores how one row ended that was read while `seen` was wanted. Where meanwhile something newer is, it waits again.
    /// `false`: nothing was sent for it, and what was decided rests on facts that are no longer the newest.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn write_back_end(
        &self,
        row: WriteBackId,
        seen: i64,
        run: RunId,
        end: TellEnd,
        tried: Option<Tried>,
    ) -> Result<bool, LedgerError> {
        let now = self.env.now();
        self.write("write_back_end", move |tx| {
            let Some(standing) = standing(tx, row)? else { return Ok(false) };
            if standing.state == "waiting" && standing.wanted != seen {
                return Ok(false);
            }
            if let Some(tried) = &tried {
                tx.prepare_cached(
                    "INSERT INTO write_back_attempts (write_back_id, route, run_id, at, tells, outcome, detail, of_objection)
                     VALUES (?1, ?7, ?2, ?3, ?4, ?5, ?6, ?8)",
                )?
                .execute((
                    row.0,
                    run.0,
                    time(now),
                    standing.sent.unwrap_or(standing.wanted),
                    tried.outcome,
                    &tried.detail,
                    &standing.route,
                    standing.objection,
                ))?;
            }
            store(tx, row, run, &standing, &end, now)?;
            Ok(true)
        })
        .await
    }

    /// What was under way when the program died may have happened; called once at start.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn write_backs_mark_interrupted(&self, ask_at: Timestamp) -> Result<usize, LedgerError> {
        let now = self.env.now();
        self.write("write_backs_mark_interrupted", move |tx| {
            let cut_off: Vec<(i64, i64)> = tx
                .prepare_cached("SELECT id, link_id FROM write_backs WHERE state = 'sending'")?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<Result<_, _>>()?;
            for (row, link) in cut_off {
                echoes::told(tx, WriteBackId(row), LinkId(link), now)?;
            }
            tx.execute(
                concat!(
                    "UPDATE write_backs SET state = 'uncertain', due_at = ?1, changed_at = ?2, ",
                    forgets_what_was_told!(),
                    " WHERE state = 'sending'"
                ),
                (time(ask_at), time(now)),
            )
        })
        .await
    }

    /// Whether each of the last tellings of a route was rejected or met no record, oldest first, since a person last said something of its
    /// results.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn write_back_rejections(
        &self,
        route: RouteName,
        limit: usize,
    ) -> Result<Vec<bool>, LedgerError> {
        self.read("write_back_rejections", move |connection| {
            let mut last: Vec<bool> = connection
                .prepare_cached(
                    "SELECT a.outcome <> 'done' FROM write_back_attempts a
                     WHERE a.route = ?1 AND a.outcome IN ('done', 'rejected', 'not_found')
                       AND a.at > coalesce((SELECT max(at) FROM write_back_words WHERE route = ?1
                                            AND verb IN ('approve', 'retry', 'discard')), '')
                     ORDER BY a.id DESC LIMIT ?2",
                )?
                .query_map((&route.0, i64::try_from(limit).unwrap_or(i64::MAX)), |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            last.reverse();
            Ok(last)
        })
        .await
    }

    /// Whether another row of the route was told between the last two requests for this one: then it is this one that the
    /// CRM cannot take, and not the CRM that is ill (semantics 25). What was told before, or after it was well again, says
    /// nothing of the time between.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn write_back_others_succeed(&self, row: WriteBackId) -> Result<bool, LedgerError> {
        self.read("write_back_others_succeed", move |connection| {
            connection
                .prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM write_backs w JOIN links l ON l.id = w.link_id
                        JOIN write_back_attempts a ON a.route = l.route
                        WHERE w.id = ?1 AND a.outcome = 'done' AND a.write_back_id <> w.id
                          AND a.at >= (SELECT t.at FROM write_back_attempts t WHERE t.write_back_id = w.id
                                       ORDER BY t.at DESC LIMIT 1 OFFSET 1)
                          AND a.at <= (SELECT t.at FROM write_back_attempts t WHERE t.write_back_id = w.id
                                       ORDER BY t.at DESC LIMIT 1))",
                )?
                .query_row([row.0], |row| row.get(0))
        })
        .await
    }
}

fn standing(tx: &Transaction<'_>, row: WriteBackId) -> rusqlite::Result<Option<Standing>> {
    tx.prepare_cached(
        "SELECT w.link_id, w.state, w.sent, w.wanted, w.then_again, coalesce(w.sending_values, '{}') AS sending_values,
                coalesce(w.because, '{}') AS because, l.route, coalesce(w.objection IN ('under_way', 'again'), 0) AS objection
         FROM write_backs w JOIN links l ON l.id = w.link_id WHERE w.id = ?1",
    )?
    .query_row([row.0], |row| {
        Ok(Standing {
            link: row.get("link_id")?,
            state: row.get("state")?,
            sent: row.get("sent")?,
            wanted: row.get("wanted")?,
            then_again: row.get("then_again")?,
            values: get_json(row, "sending_values")?,
            because: get_json(row, "because")?,
            route: row.get("route")?,
            objection: row.get("objection")?,
        })
    })
    .optional()
}

fn store(
    tx: &Transaction<'_>,
    row: WriteBackId,
    run: RunId,
    standing: &Standing,
    end: &TellEnd,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let newer = standing.sent.is_some_and(|sent| standing.wanted > sent);
    let settled = |state: &'static str| if newer { "waiting" } else { state };
    let at = time(now);
    match end {
        TellEnd::Done { activity, carried, before } => {
            echoes::told(tx, row, LinkId(standing.link), now)?;
            tx.prepare_cached(
                "UPDATE write_backs SET state = ?2, written = sent, sending_values = NULL, because = NULL, let_go_by = NULL,
                        carrying = CASE WHEN objection IN ('under_way', 'again') THEN carrying END,
                        digest = CASE WHEN objection IN ('under_way', 'again') THEN digest ELSE sending END,
                        objection_told = CASE WHEN objection IN ('under_way', 'again') THEN sending ELSE objection_told END,
                        objection = CASE objection WHEN 'under_way' THEN NULL WHEN 'again' THEN 'waits' ELSE objection END,
                        activity = coalesce(?3, activity), code = NULL, params = '{}', tries = 0, doubts = 0, due_at = ?4,
                        changed_at = ?4,
                        wanted = wanted + then_again, then_again = 0
                 WHERE id = ?1",
            )?
            .execute((row.0, if standing.then_again { "waiting" } else { settled("done") }, activity, &at))?;
            edits_end::carried(tx, LinkId(standing.link), carried, now)?;
            told_trail::enter(tx, row, run, standing, (carried, before), now)
        }
        TellEnd::Unchanged => {
            tx.prepare_cached(
                "UPDATE write_backs SET state = 'done', written = wanted, code = NULL, params = '{}', tries = 0, doubts = 0,
                        objection = NULL, sending_values = NULL, carrying = NULL, because = NULL, let_go_by = NULL, changed_at = ?2
                 WHERE id = ?1 AND state = 'waiting'",
            )?
            .execute((row.0, &at))?;
            Ok(())
        }
        TellEnd::Held(reason, rules) => {
            tx.prepare_cached(
                "UPDATE write_backs SET state = 'held', code = ?2, params = ?3, rules = ?4, changed_at = ?5
                 WHERE id = ?1 AND state = 'waiting'",
            )?
            .execute((row.0, code(reason), reason.params_json(), rules, &at))?;
            Ok(())
        }
        TellEnd::Again(due) => to(tx, row, "waiting", None, *due, &at),
        TellEnd::Uncertain(due) => {
            echoes::told(tx, row, LinkId(standing.link), now)?;
            to(tx, row, "uncertain", None, *due, &at)?;
            tx.prepare_cached(concat!(
                "UPDATE write_backs SET ",
                forgets_what_was_told!(),
                " WHERE id = ?1"
            ))?
            .execute([row.0])?;
            Ok(())
        }
        TellEnd::AskLater(due) => {
            tx.prepare_cached(
                "UPDATE write_backs SET due_at = ?2, changed_at = ?3 WHERE id = ?1 AND state = 'uncertain'",
            )?
            .execute((row.0, time(*due), &at))?;
            Ok(())
        }
        // What may be there is not told again, however new the news.
        TellEnd::Parked(reason) if standing.state == "waiting" || reason.code == ReasonCode::InDoubt => {
            to(tx, row, "parked", Some(reason), now, &at)
        }
        TellEnd::Parked(reason) => to(tx, row, settled("parked"), (!newer).then_some(reason), now, &at),
        TellEnd::Gone => {
            to(tx, row, "gone", Some(&ReasonCode::RecordGone.into()), now, &at)?;
            // Together: whoever came to rest without it would be asked about by nobody after a crash between the two.
            hints::not_there_in(tx, now, LinkId(standing.link))
        }
    }
}

fn to(
    tx: &Transaction<'_>,
    row: WriteBackId,
    state: &str,
    reason: Option<&Reason>,
    due: Timestamp,
    now: &str,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "UPDATE write_backs SET state = ?2, code = ?3, params = ?4, due_at = ?5, changed_at = ?6,
                tries = tries + (state = 'uncertain' AND ?2 = 'uncertain'),
                objection = CASE WHEN objection IN ('under_way', 'again') AND ?2 <> 'uncertain' THEN 'waits' ELSE objection END,
                doubts = CASE WHEN state = 'sending' AND ?2 <> 'uncertain' THEN max(doubts - 1, 0)
                              ELSE doubts + (state = 'uncertain' AND ?2 = 'uncertain') END,
                sending_values = CASE WHEN doubt THEN sending_values END, carrying = CASE WHEN doubt THEN carrying END
         FROM (SELECT ?2 = 'uncertain' OR ?2 = 'waiting' AND (SELECT state FROM write_backs WHERE id = ?1) = 'uncertain' AS doubt)
         WHERE id = ?1",
    )?
    .execute((
        row.0,
        state,
        reason.map(code),
        reason.map_or_else(|| "{}".to_owned(), Reason::params_json),
        time(due),
        now,
    ))?;
    Ok(())
}
