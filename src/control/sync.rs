//! `sync`: runs now, and the runs that did the work.

use super::{Answer, Control, End};
use crate::domain::RouteName;
use crate::domain::policy::Job;
use crate::ledger::LedgerError;
use crate::runtime::{Activator, Ask, Mark, Missing, Outcome, Scope};
use serde_json::{Value, json};
use std::collections::BTreeMap;

impl Control {
    /// Runs jobs in their order.
    pub(super) async fn sync(
        &self,
        job: Option<Job>,
        route: Option<RouteName>,
        full: bool,
        answer: &Answer,
    ) -> Result<End, LedgerError> {
        if let Some(route) = &route
            && !self.runners.pulls.contains_key(route)
        {
            answer.error(self.unknown_route(route));
            return Ok(End::Usage);
        }
        self.tell_differences(answer).await?;
        let wanted = |this: Job| job.is_none_or(|job| job == this);
        let push = self.runners.push.as_ref();
        // A pull wakes the push by itself: what that one did is part of what was asked for.
        let before_all = push.map(Activator::mark).unwrap_or_default();
        // So does a harvest with the write-back.
        let told_before: BTreeMap<_, _> =
            self.runners.write_backs.iter().map(|(name, runner)| (name.clone(), runner.mark())).collect();
        let mut end = End::Done;
        if wanted(Job::Pull) {
            for (name, runner) in &self.runners.pulls {
                if route.as_ref().is_none_or(|route| route == name) {
                    if full {
                        self.begin_full_pass(name, answer).await?;
                    }
                    end = end.and(self.run(runner, Ask::by_hand(), answer).await?);
                    while full && end != End::Failed && self.ledger.pass_open(name.clone()).await?.is_some() {
                        end = end.and(self.run(runner, Ask::by_hand(), answer).await?);
                    }
                }
            }
        }
        if (wanted(Job::Push) || job == Some(Job::Settle))
            && let Some(runner) = push
        {
            let scope = route.clone().map_or(Scope::All, Scope::Route);
            let ask = Ask { scope, ..Ask::by_hand() };
            end = end.and(self.run_since(runner, before_all, ask, answer).await?);
        }
        if wanted(Job::Harvest) {
            for (routes, runner) in &self.runners.harvests {
                if route.as_ref().is_none_or(|route| routes.contains(route)) {
                    end = end.and(self.run(runner, Ask::by_hand(), answer).await?);
                }
            }
        }
        if wanted(Job::WriteBack) {
            for (name, runner) in &self.runners.write_backs {
                if route.as_ref().is_none_or(|route| route == name) {
                    let before = told_before.get(name).copied().unwrap_or_default();
                    end = end.and(self.run_since(runner, before, Ask::by_hand(), answer).await?);
                }
            }
        }
        Ok(end.and(self.locks_before_the_end(answer).await?))
    }

    /// Harvests a route's campaign and lets through that many are missing; who said so stands beside the run.
    pub(super) async fn believe_missing(
        &self,
        route: RouteName,
        who: String,
        answer: &Answer,
    ) -> Result<End, LedgerError> {
        let Some((_, runner)) = self.runners.harvests.iter().find(|(routes, _)| routes.contains(&route))
        else {
            answer.error(self.unknown_route(&route));
            return Ok(End::Usage);
        };
        let ask = Ask { missing: Missing::Believed, ..Ask::by_hand() };
        let Some(outcome) = runner.run_for(ask).await else {
            answer.error(format!("{}: the daemon is ending", runner.name()));
            return Ok(End::Failed);
        };
        if let Outcome::Done { run: Some(run), .. } = outcome {
            self.ledger.run_remark(run, format!("by the word of {who}")).await?;
        }
        let end = self.show_run(runner.name(), &outcome, answer).await?;
        Ok(end.and(self.locks_before_the_end(answer).await?))
    }

    /// Where no daemon goes on, whoever turned out to have said no is locked before the command ends.
    async fn locks_before_the_end(&self, answer: &Answer) -> Result<End, LedgerError> {
        let Some(push) = self.runners.push.as_ref().filter(|_| self.alone) else { return Ok(End::Done) };
        let open = self.ledger.operations_open_counts().await?;
        if open.iter().any(|open| open.kind == "lock" && open.state == "waiting") {
            return self.run(push, Ask { scope: Scope::Locks, ..Ask::by_hand() }, answer).await;
        }
        Ok(End::Done)
    }

    /// One run now, and what it did.
    pub(super) async fn run(
        &self,
        runner: &Activator,
        ask: Ask,
        answer: &Answer,
    ) -> Result<End, LedgerError> {
        let mark = runner.mark();
        self.run_since(runner, mark, ask, answer).await
    }

    /// The same, with the runs that have ended since `mark`: one that was under way may have left nothing to do for
    /// ours.
    async fn run_since(
        &self,
        runner: &Activator,
        mark: Mark,
        ask: Ask,
        answer: &Answer,
    ) -> Result<End, LedgerError> {
        let Some(last) = runner.run_for(ask).await else {
            answer.error(format!("{}: the daemon is ending", runner.name()));
            return Ok(End::Failed);
        };
        let mut shown: Vec<Outcome> = runner
            .ended_since(mark)
            .into_iter()
            .filter(|outcome| matches!(outcome, Outcome::Done { run: Some(_), .. }))
            .collect();
        if shown.is_empty() || matches!(last, Outcome::Failed { .. }) {
            shown.push(last);
        }
        let mut end = End::Done;
        for outcome in &shown {
            end = end.and(self.show_run(runner.name(), outcome, answer).await?);
        }
        Ok(end)
    }

    async fn show_run(&self, name: &str, outcome: &Outcome, answer: &Answer) -> Result<End, LedgerError> {
        match outcome {
            Outcome::Done { run, text, parked_new } => {
                answer.text(format!("{name}: {text}"));
                let row = match run {
                    Some(run) => self.ledger.run_show(*run).await?,
                    None => None,
                };
                let row = serde_json::to_value(&row).unwrap_or(Value::Null);
                answer.data(json!({ "runner": name, "ended": "done", "text": text, "run": row }));
                Ok(if *parked_new { End::ParkedNew } else { End::Done })
            }
            Outcome::Failed { text } => {
                answer.text(format!("{name} failed: {text}"));
                answer.data(json!({ "runner": name, "ended": "failed", "text": text, "run": null }));
                Ok(End::Failed)
            }
        }
    }
}
