//! The close of a day: everybody called in the last days is read again, and what the dialler counts and the ledger has not is
//! drift (users 14).

use super::sql::{get_time, get_time_opt, time};
use super::unlisted::unlisted_held;
use super::{Ledger, LedgerError};
use crate::domain::{CampaignId, Timestamp};
use chrono::NaiveDate;
use rusqlite::{Connection, Transaction, named_params};
use serde::Serialize;

/// A day, from its first instant until that of the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DaySpan {
    /// Which.
    pub day: NaiveDate,
    /// From then on.
    pub from: Timestamp,
    /// Until before then.
    pub until: Timestamp,
}

/// How the close of a day stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Closing {
    /// The campaign.
    pub campaign: CampaignId,
    /// The day.
    pub day: NaiveDate,
    /// When the pass began.
    pub began_at: Timestamp,
    /// When it came to its end.
    pub closed_at: Option<Timestamp>,
    /// Contacts whose history was read again.
    pub contacts: i64,
    /// Calls of the last three days that only this pass found.
    pub found: i64,
    /// Contacts for whom the dialler counts more tries than it has calls,
    pub short_contacts: i64,
    /// and how many more.
    pub short_calls: i64,
    /// Calls of the day that came, or changed, after it was closed.
    pub late: i64,
}

/// What became of a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DayEnd {
    /// Everybody was read.
    Closed,
    /// So many could not be read yet.
    Open(i64),
    /// No harvest since the pass began came to its end with a complete list: who else was called is not known.
    Unlisted,
}

impl Ledger {
    /// Puts everybody called in these days onto the due list, where one of them is not closed. When the pass began; `None`:
    /// nothing is to be closed, or the campaign was not harvested before these days ended.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn closing_begin(
        &self,
        campaign: CampaignId,
        days: Vec<DaySpan>,
    ) -> Result<Option<Timestamp>, LedgerError> {
        let now = self.env.now();
        self.write("closing_begin", move |tx| {
            let first: Option<Timestamp> = tx
                .prepare_cached("SELECT min(began_at) AS first FROM sweeps WHERE campaign_id = ?1")?
                .query_row([campaign.0], |row| get_time_opt(row, "first"))?;
            let Some(first) = first else { return Ok(None) };
            let mut open = false;
            for day in days.iter().filter(|day| day.until > first) {
                open |= begin_day(tx, campaign, day, now)?;
            }
            let Some(since) = days.iter().map(|day| day.from).min().filter(|_| open) else { return Ok(None) };
            let asked = ask_everybody(tx, campaign, since, now)?;
            tx.prepare_cached(
                "UPDATE closings SET contacts = ?3 WHERE campaign_id = ?1 AND began_at = ?2 AND closed_at IS NULL",
            )?
            .execute((campaign.0, time(now), i64::try_from(asked).unwrap_or(i64::MAX)))?;
            Ok(Some(now))
        })
        .await
    }

    /// Closes the days of a pass, if a complete list said since then who was called, and everybody was read. Whoever the list
    /// shows changed and could not be read counts too: of somebody called for the first time nothing else is known.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn closing_end(
        &self,
        campaign: CampaignId,
        began: Timestamp,
        days: Vec<DaySpan>,
    ) -> Result<DayEnd, LedgerError> {
        let now = self.env.now();
        self.write("closing_end", move |tx| {
            if !listed_since(tx, campaign, began)? {
                return Ok(DayEnd::Unlisted);
            }
            let open: i64 = tx
                .prepare_cached(
                    // Whom a wave holds because the dialler does not name them any more, nobody can read.
                    concat!("SELECT count(DISTINCT d.contact_id) FROM harvest_due d JOIN contacts c ON c.contact_id = d.contact_id
                     WHERE (d.reason = 'hint' AND d.since <= ?2 OR d.reason = 'changed')
                       AND c.campaign_id = ?1 AND c.gone_at IS NULL AND NOT ", unlisted_held!("d.contact_id")),
                )?
                .query_row((campaign.0, time(began)), |row| row.get(0))?;
            let span = days.iter().map(|day| day.from).min().zip(days.iter().map(|day| day.until).max());
            let (0, Some((from, until))) = (open, span) else { return Ok(DayEnd::Open(open)) };
            let found: i64 = tx
                .prepare_cached(
                    "SELECT count(*) FROM calls WHERE campaign_id = ?1 AND first_seen_at >= ?2
                       AND coalesce(started_at, created_at) >= ?3 AND coalesce(started_at, created_at) < ?4",
                )?
                .query_row((campaign.0, time(began), time(from), time(until)), |row| row.get(0))?;
            let (contacts, calls) = short(tx, campaign, from, until)?;
            tx.prepare_cached(
                "UPDATE closings SET closed_at = ?3, found = ?4, short_contacts = ?5, short_calls = ?6
                 WHERE campaign_id = ?1 AND began_at = ?2 AND closed_at IS NULL",
            )?
            .execute((campaign.0, time(began), time(now), found, contacts, calls))?;
            Ok(DayEnd::Closed)
        })
        .await
    }

    /// How the close of a day stands, by campaign.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn closings_of(&self, day: DaySpan) -> Result<Vec<Closing>, LedgerError> {
        self.read("closings_of", move |connection| {
            connection
                .prepare_cached(
                    "SELECT k.*, (SELECT count(*) FROM calls c WHERE c.campaign_id = k.campaign_id
                                    AND coalesce(c.started_at, c.created_at) >= :from
                                    AND coalesce(c.started_at, c.created_at) < :until
                                    AND c.changed_at > k.closed_at) AS late
                     FROM closings k WHERE k.day = :day ORDER BY k.campaign_id",
                )?
                .query_map(
                    named_params! {
                        ":day": day.day.to_string(), ":from": time(day.from), ":until": time(day.until),
                    },
                    |row| closing_in(row, day.day),
                )?
                .collect()
        })
        .await
    }

    /// How the newest day of each campaign stands.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn closings_last(&self) -> Result<Vec<Closing>, LedgerError> {
        self.read("closings_last", |connection| {
            connection
                .prepare_cached(
                    "SELECT k.*, 0 AS late FROM closings k
                     WHERE k.day = (SELECT max(day) FROM closings o WHERE o.campaign_id = k.campaign_id)
                     ORDER BY k.campaign_id",
                )?
                .query_map([], |row| {
                    let day: String = row.get("day")?;
                    closing_in(row, day.parse().unwrap_or_default())
                })?
                .collect()
        })
        .await
    }
}

/// Whether the day is not closed yet.
fn begin_day(
    tx: &Transaction<'_>,
    campaign: CampaignId,
    day: &DaySpan,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    let begun = tx
        .prepare_cached(
            "INSERT INTO closings (campaign_id, day, began_at) VALUES (?1, ?2, ?3)
             ON CONFLICT (campaign_id, day) DO UPDATE SET began_at = excluded.began_at WHERE closed_at IS NULL",
        )?
        .execute((campaign.0, day.day.to_string(), time(now)))?;
    Ok(begun > 0)
}

/// Whether a harvest that began since then came to its end, with a complete list.
fn listed_since(connection: &Connection, campaign: CampaignId, began: Timestamp) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM sweeps s JOIN runs r ON r.id = s.run_id
                WHERE s.campaign_id = ?1 AND s.began_at >= ?2 AND s.kind = 'list' AND s.complete = 1
                  AND r.state = 'done')",
        )?
        .query_row((campaign.0, time(began)), |row| row.get(0))
}

/// Everybody called since then, whatever their fingerprint says.
fn ask_everybody(
    tx: &Transaction<'_>,
    campaign: CampaignId,
    since: Timestamp,
    now: Timestamp,
) -> rusqlite::Result<usize> {
    tx.prepare_cached(
        "INSERT INTO harvest_due (contact_id, reason, at, since)
         SELECT contact_id, 'hint', ?3, ?3 FROM contacts
         WHERE campaign_id = ?1 AND active_at >= ?2 AND gone_at IS NULL
         ON CONFLICT (contact_id, reason) DO UPDATE SET at = min(at, excluded.at)",
    )?
    .execute((campaign.0, time(since), time(now)))
}

/// Contacts of which the dialler counts more tries than it has calls, noticed before the days ended, and how many more.
fn short(
    connection: &Connection,
    campaign: CampaignId,
    from: Timestamp,
    until: Timestamp,
) -> rusqlite::Result<(i64, i64)> {
    connection
        .prepare_cached(
            "SELECT count(*), coalesce(sum(tries - rows), 0) FROM (
                SELECT c.tries, (SELECT count(*) FROM calls k
                        WHERE k.contact_id = c.contact_id AND k.outbound = 1 AND k.test IS NOT 1
                          AND k.started_text IS NOT NULL
                          AND coalesce(k.started_at, k.created_at, k.first_seen_at) > coalesce(c.reset_at, '')) AS rows
                FROM harvest_due d JOIN contacts c ON c.contact_id = d.contact_id
                WHERE d.reason = 'sum' AND d.since < ?3 AND c.campaign_id = ?1 AND c.active_at >= ?2
                  AND c.gone_at IS NULL)
             WHERE tries > rows",
        )?
        .query_row((campaign.0, time(from), time(until)), |row| Ok((row.get(0)?, row.get(1)?)))
}

fn closing_in(row: &rusqlite::Row<'_>, day: NaiveDate) -> rusqlite::Result<Closing> {
    Ok(Closing {
        campaign: CampaignId(row.get("campaign_id")?),
        day,
        began_at: get_time(row, "began_at")?,
        closed_at: get_time_opt(row, "closed_at")?,
        contacts: row.get("contacts")?,
        found: row.get("found")?,
        short_contacts: row.get("short_contacts")?,
        short_calls: row.get("short_calls")?,
        late: row.get("late")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::policy::Job;
    use crate::domain::{Counts, RunId, Seq};
    use crate::ledger::testing::{Scene, scene};
    use crate::ledger::{RunEnd, RunStart, SweepCounts};

    const CAMPAIGN: CampaignId = CampaignId(7);

    /// A harvest now, with a list that is complete or not.
    async fn harvested(scene: &Scene, complete: bool, end: RunEnd) {
        let start = RunStart { job: Job::Harvest, route: None, campaign: Some(CAMPAIGN), cause: "schedule" };
        let run: RunId = scene.ledger.run_start(start).await.expect("a run");
        let sweep = scene.ledger.sweep_begin(Some(CAMPAIGN), Some(run), Seq(1)).await.expect("a sweep");
        let counts = SweepCounts { complete, ..SweepCounts::default() };
        scene.ledger.sweep_end(sweep, counts).await.expect("its end");
        scene.ledger.run_finish(run, end, Counts::default()).await.expect("ended");
    }

    #[tokio::test(start_paused = true)]
    async fn a_day_is_closed_only_by_a_harvest_that_saw_the_whole_list_and_read_whoever_changed() {
        let scene = scene().await;
        harvested(&scene, true, RunEnd::Done).await;
        scene.wait(16).await;
        let until = scene.ledger.env.now();
        let day = DaySpan { day: until.date_naive(), from: until - chrono::TimeDelta::days(1), until };
        scene.wait(1).await;
        let began = scene.ledger.closing_begin(CAMPAIGN, vec![day]).await.expect("begun").expect("open");
        let end = || async { scene.ledger.closing_end(CAMPAIGN, began, vec![day]).await.expect("an end") };
        assert_eq!(end().await, DayEnd::Unlisted, "the list before the pass says nothing of the day's end");
        harvested(&scene, true, RunEnd::Failed("HTTP 401".to_owned())).await;
        harvested(&scene, false, RunEnd::Done).await;
        assert_eq!(end().await, DayEnd::Unlisted, "a failed harvest, or a cut list");

        harvested(&scene, true, RunEnd::Done).await;
        scene.contact_number(11, "+4930111").await;
        let sql = "INSERT INTO harvest_due (contact_id, reason, at, since, failed) VALUES (11, 'changed', ?1, ?1, 1)";
        let now = time(scene.ledger.env.now());
        scene.ledger.write("test_due", move |tx| tx.execute(sql, [now])).await.expect("due");
        assert_eq!(end().await, DayEnd::Open(1), "first called that day, and its history not read");
        let sql = "DELETE FROM harvest_due";
        scene.ledger.write("test_due", move |tx| tx.execute(sql, [])).await.expect("read");
        assert_eq!(end().await, DayEnd::Closed);
    }
}
