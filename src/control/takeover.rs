//! `takeover`: the work goes on from a ledger that was restored, cloned or moved, or with a side that is another one.

use super::{Answer, Control, End};
use crate::domain::identity::Difference;
use crate::ledger::{LedgerError, SideBy};
use crate::runtime::{Ask, Scope};
use serde_json::json;

impl Control {
    /// Says what differs. Answers whether anything does.
    pub(super) async fn tell_differences(&self, answer: &Answer) -> Result<Vec<Difference>, LedgerError> {
        let standing = self.ledger.differences_standing().await?;
        for difference in &standing {
            let told = format!("paused (identity): {}", difference.in_words());
            answer.text(told.clone());
            answer.data(json!({ "told": told }));
        }
        Ok(standing)
    }

    /// Full harvest, settle, every wished lock once more, what turned out to differ; then everything goes on. What
    /// fails before that leaves the routes paused, and can be asked for again.
    pub(super) async fn takeover(
        &self,
        confirmed: bool,
        who: String,
        answer: &Answer,
    ) -> Result<End, LedgerError> {
        let standing = self.tell_differences(answer).await?;
        if standing.is_empty() {
            answer.text("nothing differs: the ledger is at home, and nothing was changed");
            answer.data(json!({ "taken_over": false, "differences": [] }));
            return Ok(End::Done);
        }
        if !confirmed {
            answer.data(json!({ "taken_over": false, "differences": standing }));
            return Ok(End::Done);
        }
        let mut accepted = Vec::new();
        for subject in standing.iter().map(|difference| difference.subject.as_str()) {
            accepted.extend(self.sides.accept(subject).await.map(|address| (subject, address)));
        }
        if self.harvest_all(answer).await? == End::Failed {
            return Ok(self.not_taken_over("the dialler's contacts and calls could not be read", answer));
        }
        let locks = self.ledger.locks_send_again(who.clone()).await?;
        answer.text(format!("{locks} contacts that must not be called are locked once more"));
        if let Some(push) = &self.runners.push {
            // What may leave is still locks alone; what is in doubt is asked about.
            let ask = Ask { scope: Scope::All, ..Ask::by_hand() };
            if self.run(push, ask, answer).await? == End::Failed {
                return Ok(self.not_taken_over("not every lock could be sent", answer));
            }
        }
        let found = self.tell_found(answer).await?;
        let anew = self.ledger.routes_decide_anew().await?;
        for (subject, address) in accepted {
            self.ledger.side_is_at(subject, address, SideBy::Person).await?;
        }
        let generation = self.ledger.identity_take_over(self.env.host().machine, who).await?;
        answer.text(format!(
            "taken over as generation {generation}: the routes are what they were before, and {anew} of them decide \
             everything anew before anything else is sent"
        ));
        answer.data(json!({
            "taken_over": true, "differences": standing, "generation": generation, "locks": locks, "found": found,
        }));
        let end = self.pull_all(answer).await?;
        self.wake_push();
        Ok(end)
    }

    fn not_taken_over(&self, why: &str, answer: &Answer) -> End {
        answer
            .error(format!("not taken over: {why}. The routes stay paused; mend it and say takeover again"));
        End::Failed
    }

    async fn harvest_all(&self, answer: &Answer) -> Result<End, LedgerError> {
        self.ledger.harvest_everything().await?;
        let mut end = End::Done;
        for (_, runner) in &self.runners.harvests {
            end = end.and(self.run(runner, Ask::by_hand(), answer).await?);
        }
        Ok(end)
    }

    /// Everything is read and decided anew at once where nobody else would begin it.
    async fn pull_all(&self, answer: &Answer) -> Result<End, LedgerError> {
        let mut end = End::Done;
        for runner in self.runners.pulls.values() {
            end = end.and(self.run(runner, Ask::by_hand(), answer).await?);
        }
        Ok(end)
    }

    /// What the full harvest showed that the ledger did not know.
    async fn tell_found(&self, answer: &Answer) -> Result<serde_json::Value, LedgerError> {
        let mut found = Vec::new();
        for row in self.ledger.routes_list().await? {
            let Some(unlinked) = self.ledger.route_unlinked(row.route.clone()).await? else { continue };
            let without = self.ledger.route_without_contact(row.route.clone()).await?;
            if unlinked.ours > 0 {
                answer.text(format!(
                    "route {}: {} contacts carry our UserData and are not in the ledger; each is taken over when its \
                     record is met, and none is imported again",
                    row.route, unlinked.ours
                ));
            }
            if without > 0 {
                answer.text(format!(
                    "route {}: {without} contacts that the ledger knows were not found in the dialler; each is asked \
                     about once more before anything follows",
                    row.route
                ));
            }
            if unlinked.unknown() > 0 {
                answer.text(format!(
                    "route {}: {} contacts beside ours carry another UserData, or none",
                    row.route,
                    unlinked.unknown()
                ));
            }
            found.push(json!({ "route": row.route, "without_a_record": unlinked, "not_found": without }));
        }
        Ok(found.into())
    }
}
