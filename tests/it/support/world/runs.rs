//! The program's runs: one by one, and as its schedules bring them.

#![expect(clippy::disallowed_methods, reason = "the world itself moves the paused clock")]

use super::{World, minutes};
use chrono::{TimeDelta, Timelike as _};
use dialbridge::app::daemon::{daily, push_when_due};
use dialbridge::jobs::JobError;
use dialbridge::jobs::pull::{PullReport, pull};
use dialbridge::runtime::{Outcome, Schedule};
use std::time::Duration;

/// For how long of each [`World::live`] every schedule is kept to the minute.
const LIVELY: TimeDelta = TimeDelta::minutes(15);

/// How often everything runs until both sides have come to rest.
const ROUNDS: u32 = 6;

/// How a schedule is kept in a long life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// To the minute.
    AsSet,
    /// Every tenth minute at most, once nothing new happens.
    Slackens,
}

impl World {
    /// One pull of every route, without the push that follows it in the daemon.
    ///
    /// # Errors
    /// The first that failed; the others ran.
    pub async fn pull(&self) -> Result<Vec<PullReport>, JobError> {
        let mut reports = Vec::new();
        let mut failed = None;
        for part in self.parts().routes.values() {
            match pull(&part.pull, "hand").await {
                Ok(report) => reports.push(report),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(reports), Err)
    }

    /// One push; the line it ends with, `Err` where it failed.
    pub async fn push(&self) -> Result<String, String> {
        let runner = self.parts().control.runners.push.clone().expect("a push");
        ended(runner.run_now("hand").await)
    }

    /// One harvest of every campaign.
    pub async fn harvest(&self) -> Result<String, String> {
        let mut said = Vec::new();
        for (_, runner) in &self.parts().control.runners.harvests {
            said.push(ended(runner.run_now("hand").await)?);
        }
        Ok(said.join("; "))
    }

    /// One write-back of every route whose calls are told.
    pub async fn write_back(&self) -> Result<String, String> {
        let mut said = Vec::new();
        for runner in self.parts().control.runners.write_backs.values() {
            said.push(ended(runner.run_now("hand").await)?);
        }
        Ok(said.join("; "))
    }

    /// Pull, push, harvest, push: what `sync` does. Each must succeed.
    pub async fn sync_all(&self) {
        self.pull().await.expect("a pull");
        self.push().await.expect("a push");
        self.harvest().await.expect("a harvest");
        self.push().await.expect("a second push");
    }

    /// The same, whatever fails.
    pub async fn try_all(&self) {
        let _whatever = self.pull().await;
        let _whatever = self.push().await;
        let _whatever = self.harvest().await;
        let _whatever = self.push().await;
    }

    /// Everything runs every third minute for a while: for the state in which both sides have come to rest. Once two
    /// rounds wrote nothing the time passes without runs, and everything runs once more at its end.
    pub async fn settle_down(&self) {
        let mut quiet = 0;
        for round in 1..=ROUNDS {
            if quiet < 2 || round == ROUNDS {
                let written = self.writes_of(self.sync_all()).await;
                quiet = if written.is_empty() { quiet + 1 } else { 0 };
            }
            self.advance(minutes(3)).await;
        }
    }

    /// Waits until no run is under way or asked for.
    pub async fn idle(&self) {
        for _ in 0..10_000 {
            self.env.sleep(Duration::from_millis(5)).await;
            let runners = &self.parts().control.runners;
            let pulls = runners.pulls.values().chain(runners.days.values());
            let all = pulls.chain(&runners.push).chain(runners.harvests.iter().map(|(_, r)| r));
            let all = all.chain(runners.write_backs.values());
            if all.into_iter().all(|runner| runner.status().running_since.is_none()) {
                return;
            }
        }
        panic!("the runs do not end");
    }

    /// Lets time pass; nothing of ours runs.
    pub async fn advance(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    /// Lets the daemon live: its schedules, and push when its next operation is due. After [`LIVELY`] of it pulls and
    /// write-backs come every tenth minute at most: what happens at once has happened, and an empty hour is long.
    pub async fn live(&self, duration: Duration) {
        let until = self.now() + TimeDelta::from_std(duration).expect("a span");
        let runners = &self.parts().control.runners;
        let push = runners.push.clone().expect("a push");
        let due = self.parts().push_due.clone();
        let (ledger, env) = (self.ledger().clone(), self.parts().env.clone());
        let watching = tokio::spawn(push_when_due(ledger, env, due, push.clone()));
        let calm = self.now() + LIVELY;
        let mut plan: Vec<(Schedule, dialbridge::runtime::Activator, Pace)> = Vec::new();
        for route in self.settings.routes.values() {
            let schedule = |text: &str| Schedule::parse(text, route.time_zone).expect("a schedule");
            plan.push((schedule(&route.pull), runners.pulls[&route.id].clone(), Pace::Slackens));
            if let Some(day) = runners.days.get(&route.id) {
                plan.push((schedule(&daily(route.day_start)), day.clone(), Pace::AsSet));
            }
            plan.push((schedule(&route.push), push.clone(), Pace::AsSet));
            if let Some((told, runner)) = route.write_back.as_ref().zip(runners.write_backs.get(&route.id)) {
                plan.push((schedule(&told.schedule), runner.clone(), Pace::Slackens));
            }
            for (routes, runner) in &runners.harvests {
                if routes.contains(&route.id) {
                    plan.push((schedule(&route.harvest), runner.clone(), Pace::AsSet));
                }
            }
        }
        let mut since = self.now();
        while self.now() < until {
            let times: Vec<_> = plan.iter().map(|(schedule, ..)| schedule.next_after(since)).collect();
            let next = times.iter().flatten().min().copied().unwrap_or(until).min(until);
            tokio::time::sleep((next - self.now()).to_std().unwrap_or_default()).await;
            let rests = next > calm && next.minute() % 10 != 0;
            for ((_, runner, pace), at) in plan.iter().zip(times) {
                if at == Some(next) && !(rests && *pace == Pace::Slackens) {
                    runner.activate("schedule");
                }
            }
            since = next;
        }
        watching.abort();
    }
}

fn ended(outcome: Option<Outcome>) -> Result<String, String> {
    match outcome {
        Some(Outcome::Done { text, .. }) => Ok(text),
        Some(Outcome::Failed { text }) => Err(text),
        None => Err("the program ended".to_owned()),
    }
}
