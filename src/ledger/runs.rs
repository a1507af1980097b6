//! Runs: one row per execution of a job, with its balance.

use super::budget::{self, SweepCost};
use super::sql::{get_named, get_time, get_time_opt, time};
use super::{Ledger, LedgerError};
use crate::domain::policy::Job;
use crate::domain::{CampaignId, Counts, RouteName, RunId, Timestamp};
use crate::runtime::{RunEnded, RunEnding, RunLog};
use rusqlite::{Connection, OptionalExtension as _, named_params};
use serde::Serialize;

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunEnd {
    /// It did all it was to do; its balance must add up.
    Done,
    /// It stopped on the way; what it stored stays, the next run goes on. The text is for people.
    Failed(String),
}

/// What starts when a job runs.
#[derive(Debug, Clone)]
pub struct RunStart {
    /// The job.
    pub job: Job,
    /// The route; `None` for a harvest.
    pub route: Option<RouteName>,
    /// The campaign of a harvest.
    pub campaign: Option<CampaignId>,
    /// `schedule`, `hand`, `start` or `hint`.
    pub cause: &'static str,
}

/// A row of `runs` for people.
#[derive(Debug, Clone, Serialize)]
pub struct RunRow {
    /// Its number.
    pub id: RunId,
    /// The job.
    pub job: Job,
    /// The route, if it ran for one.
    pub route: Option<String>,
    /// The campaign, if it ran for one.
    pub campaign: Option<CampaignId>,
    /// What started it.
    pub cause: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// `running`, `done`, `failed` or `interrupted`.
    pub state: String,
    /// Why it failed.
    pub error: Option<String>,
    /// What went on beside it: a companion that was not taken, or what its list left open.
    pub remark: Option<String>,
    /// Its balance.
    pub counts: Counts,
    /// The list it read, or that rested.
    pub sweep: Option<SweepCost>,
}

const COUNT_COLUMNS: &str = "requests, bytes, records_read, repeats, stale, unchanged, queued, adopted, skipped, \
    blocked, parked, parked_new, taken, done, refused, uncertain, superseded, put_back, listed, due, \
    foreign_contacts, calls_new, calls_changed, noted, held, gone";

/// The first good run after a failure is the end of that failure, and stands.
pub(super) const FORGET: &str =
    "DELETE FROM runs WHERE id = ?1 AND job = 'push' AND state = 'done' AND taken = 0 AND requests = 0
        AND parked_new = 0 AND NOT EXISTS (SELECT 1 FROM operations WHERE run_id = ?1)
        AND coalesce((SELECT state FROM runs WHERE job = 'push' AND id < ?1 ORDER BY id DESC LIMIT 1), 'done') = 'done'";

impl Ledger {
    /// The same ledger, which notes in `log` every run whose end it stores.
    #[must_use]
    pub fn noting_runs_in(&self, log: &RunLog) -> Self {
        let mut noting = self.clone();
        noting.run_log = Some(log.clone());
        noting
    }

    /// A run begins.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn run_start(&self, start: RunStart) -> Result<RunId, LedgerError> {
        let now = time(self.env.now());
        self.write("run_start", move |tx| {
            tx.prepare_cached(
                "INSERT INTO runs (job, route, campaign_id, cause, started_at, state)
                 VALUES (?1, ?2, ?3, ?4, ?5, 'running')",
            )?
            .execute((
                start.job.as_str(),
                start.route.map(|r| r.0),
                start.campaign.map(|c| c.0),
                start.cause,
                now,
            ))?;
            Ok(RunId(tx.last_insert_rowid()))
        })
        .await
    }

    /// A run ends. The ledger refuses a finished run whose balance does not add up.
    ///
    /// # Errors
    /// The ledger cannot be written, or the balance is wrong (a defect of ours).
    pub async fn run_finish(&self, run: RunId, end: RunEnd, counts: Counts) -> Result<(), LedgerError> {
        let now = time(self.env.now());
        let (state, error, ending) = match end {
            RunEnd::Done => ("done", None, RunEnding::Done),
            RunEnd::Failed(text) => ("failed", Some(text), RunEnding::Failed),
        };
        let ended = self.write("run_finish", move |tx| {
            let c = counts;
            tx.prepare_cached(
                "UPDATE runs SET finished_at = :now, state = :state, error = :error, requests = :requests,
                    bytes = :bytes, records_read = :records_read, repeats = :repeats, stale = :stale,
                    unchanged = :unchanged, queued = :queued, adopted = :adopted, skipped = :skipped,
                    blocked = :blocked, parked = :parked, parked_new = :parked_new, taken = :taken, done = :done,
                    refused = :refused, uncertain = :uncertain, superseded = :superseded, put_back = :put_back,
                    listed = :listed, due = :due, foreign_contacts = :foreign_contacts, calls_new = :calls_new,
                    calls_changed = :calls_changed, noted = :noted, held = :held, gone = :gone
                 WHERE id = :id RETURNING job, started_at, finished_at",
            )?
            .query_row(named_params! {
                ":id": run.0, ":now": now, ":state": state, ":error": error,
                ":requests": c.requests, ":bytes": c.bytes, ":records_read": c.records_read, ":repeats": c.repeats,
                ":stale": c.stale, ":unchanged": c.unchanged, ":queued": c.queued, ":adopted": c.adopted,
                ":skipped": c.skipped, ":blocked": c.blocked, ":parked": c.parked, ":parked_new": c.parked_new,
                ":taken": c.taken, ":done": c.done, ":refused": c.refused, ":uncertain": c.uncertain,
                ":superseded": c.superseded, ":put_back": c.put_back, ":listed": c.listed, ":due": c.due,
                ":foreign_contacts": c.foreign_contacts, ":calls_new": c.calls_new,
                ":calls_changed": c.calls_changed, ":noted": c.noted, ":held": c.held, ":gone": c.gone,
            }, |row| {
                let took = get_time(row, "finished_at")? - get_time(row, "started_at")?;
                Ok(RunEnded { run, job: get_named(row, "job", Job::parse)?, ending, took, counts: c })
            })
        });
        let ended = ended.await?;
        if let Some(log) = &self.run_log {
            log.ended(ended);
        }
        Ok(())
    }

    /// Forgets a run that ended well and found nothing to do: a push that was asked for in vain, every minute, would
    /// hide those that did something. `false`: it did something, and stands.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn run_forget(&self, run: RunId) -> Result<bool, LedgerError> {
        let forgotten = self.write("run_forget", move |tx| {
            let gone = tx.execute(FORGET, [run.0])?;
            Ok(gone == 1)
        });
        let forgotten = forgotten.await?;
        if let Some(log) = self.run_log.as_ref().filter(|_| forgotten) {
            log.forgotten(run);
        }
        Ok(forgotten)
    }

    /// Says what went on beside a run.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn run_remark(&self, run: RunId, remark: String) -> Result<(), LedgerError> {
        self.write("run_remark", move |tx| {
            tx.execute("UPDATE runs SET remark = ?2 WHERE id = ?1", (run.0, remark))?;
            Ok(())
        })
        .await
    }

    /// What was running when the program died is marked; called once at start.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn runs_mark_interrupted(&self) -> Result<usize, LedgerError> {
        let now = time(self.env.now());
        self.write("runs_mark_interrupted", move |tx| {
            tx.execute(
                "UPDATE runs SET state = 'interrupted', finished_at = ?1,
                        error = 'the program ended while it ran; the next run goes on from what was stored'
                 WHERE state = 'running'",
                [now],
            )
        })
        .await
    }

    /// The newest runs first.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn runs_list(&self, route: Option<RouteName>, limit: u32) -> Result<Vec<RunRow>, LedgerError> {
        self.read("runs_list", move |connection| {
            let sql = format!(
                "SELECT id, job, route, campaign_id, cause, started_at, finished_at, state, error, remark, {COUNT_COLUMNS}
                 FROM runs WHERE ?1 IS NULL OR route = ?1 ORDER BY id DESC LIMIT ?2"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map((route.map(|r| r.0), limit), run_row)?;
            rows.map(|row| with_sweep(connection, row?)).collect()
        })
        .await
    }

    /// One run.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn run_show(&self, run: RunId) -> Result<Option<RunRow>, LedgerError> {
        self.read("run_show", move |connection| {
            let sql = format!(
                "SELECT id, job, route, campaign_id, cause, started_at, finished_at, state, error, remark, {COUNT_COLUMNS}
                 FROM runs WHERE id = ?1"
            );
            let row = connection.prepare_cached(&sql)?.query_row([run.0], run_row).optional()?;
            row.map(|row| with_sweep(connection, row)).transpose()
        })
        .await
    }
}

impl RunRow {
    /// Its balance as a line: the equation of its job.
    pub fn balance(&self) -> String {
        let c = &self.counts;
        match self.job {
            Job::Pull => format!(
                "{} read = {} repeats + {} stale + {} unchanged + {} queued + {} adopted + {} skipped + {} blocked + {} \
                 parked",
                c.records_read,
                c.repeats,
                c.stale,
                c.unchanged,
                c.queued,
                c.adopted,
                c.skipped,
                c.blocked,
                c.parked
            ),
            Job::Push | Job::Settle => format!(
                "{} taken = {} done + {} refused + {} uncertain + {} superseded + {} parked + {} put back",
                c.taken, c.done, c.refused, c.uncertain, c.superseded, c.parked, c.put_back
            ),
            Job::WriteBack => format!(
                "{} taken = {} done + {} unchanged + {} held + {} refused + {} uncertain + {} parked + {} gone + {} put \
                 back",
                c.taken, c.done, c.unchanged, c.held, c.refused, c.uncertain, c.parked, c.gone, c.put_back
            ),
            Job::Harvest => format!(
                "{} listed = {} unchanged + {} due + {} foreign; {} calls new, {} changed",
                c.listed, c.unchanged, c.due, c.foreign_contacts, c.calls_new, c.calls_changed
            ),
        }
    }
}

fn with_sweep(connection: &Connection, row: RunRow) -> rusqlite::Result<RunRow> {
    let sweep = budget::of_run(connection, row.id)?;
    let of_list = sweep.as_ref().and_then(|sweep| sweep.remark.clone());
    let said: Vec<String> = [of_list, row.remark].into_iter().flatten().collect();
    Ok(RunRow { sweep, remark: (!said.is_empty()).then(|| said.join("; ")), ..row })
}

fn run_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<RunRow> {
    Ok(RunRow {
        id: RunId(row.get("id")?),
        job: get_named(row, "job", Job::parse)?,
        route: row.get("route")?,
        campaign: row.get::<_, Option<i64>>("campaign_id")?.map(CampaignId),
        cause: row.get("cause")?,
        started_at: get_time(row, "started_at")?,
        finished_at: get_time_opt(row, "finished_at")?,
        state: row.get("state")?,
        error: row.get("error")?,
        remark: row.get("remark")?,
        sweep: None,
        counts: Counts {
            requests: row.get("requests")?,
            bytes: row.get("bytes")?,
            records_read: row.get("records_read")?,
            repeats: row.get("repeats")?,
            stale: row.get("stale")?,
            unchanged: row.get("unchanged")?,
            queued: row.get("queued")?,
            adopted: row.get("adopted")?,
            skipped: row.get("skipped")?,
            blocked: row.get("blocked")?,
            parked: row.get("parked")?,
            parked_new: row.get("parked_new")?,
            taken: row.get("taken")?,
            done: row.get("done")?,
            refused: row.get("refused")?,
            uncertain: row.get("uncertain")?,
            superseded: row.get("superseded")?,
            put_back: row.get("put_back")?,
            listed: row.get("listed")?,
            due: row.get("due")?,
            foreign_contacts: row.get("foreign_contacts")?,
            calls_new: row.get("calls_new")?,
            calls_changed: row.get("calls_changed")?,
            noted: row.get("noted")?,
            held: row.get("held")?,
            gone: row.get("gone")?,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::testing::scene;

    #[tokio::test(start_paused = true)]
    async fn a_run_that_does_not_add_up_cannot_be_stored_as_done() {
        let scene = scene().await;
        let counts = |job| match job {
            Job::Pull => Counts { records_read: 3, unchanged: 1, queued: 1, ..Counts::default() },
            Job::Push | Job::Settle => Counts { taken: 2, done: 1, ..Counts::default() },
            Job::WriteBack => Counts { taken: 3, done: 1, held: 1, ..Counts::default() },
            Job::Harvest => Counts { listed: 5, due: 4, ..Counts::default() },
        };
        for job in [Job::Pull, Job::Push, Job::Harvest, Job::WriteBack] {
            let begin =
                || scene.ledger.run_start(RunStart { job, route: None, campaign: None, cause: "hand" });
            let run = begin().await.expect("a run");
            let short = scene.ledger.run_finish(run, RunEnd::Done, counts(job)).await;
            assert!(short.is_err(), "{job}: one is missing");
            // What failed says how far it came.
            let failed = RunEnd::Failed("broken off".to_owned());
            scene.ledger.run_finish(run, failed, counts(job)).await.expect("a failed run may be short");
            let mut whole = counts(job);
            (whole.skipped, whole.put_back, whole.unchanged) =
                (1, 1, whole.unchanged + i64::from(job == Job::Harvest));
            let run = begin().await.expect("a run");
            scene.ledger.run_finish(run, RunEnd::Done, whole).await.expect("it adds up");
        }
    }
}
