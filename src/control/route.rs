//! Whether a route acts: changed by a person, with a reason; and what holds a new one in `dry`.

use super::execute::{Control, run};
use super::{Answer, End};
use crate::domain::RouteName;
use crate::domain::policy::{Beside, RouteState};
use crate::ledger::{LedgerError, Unlinked};
use serde_json::json;

impl Control {
    pub(super) async fn route(
        &self,
        route: RouteName,
        state: RouteState,
        who: String,
        reason: String,
        answer: &Answer,
    ) -> Result<End, LedgerError> {
        let known = self.ledger.route_show(route.clone()).await?;
        let leaves_dry = known.is_some_and(|row| row.state == RouteState::Dry) && state != RouteState::Dry;
        if leaves_dry && let Some(why) = self.held_in_dry(&route, answer).await? {
            answer.text(format!("route {route} stays dry: {why}"));
            return Ok(End::Failed);
        }
        if !self.ledger.route_set_state(route.clone(), state, who, reason).await? {
            answer.text(self.unknown_route(&route));
            return Ok(End::Usage);
        }
        answer.text(match state {
            RouteState::On => format!("route {route} is on: what was decided is sent from now on"),
            RouteState::Dry => format!("route {route} is dry: it decides and sends nothing but locks"),
            RouteState::Paused => {
                format!("route {route} is paused: nothing but locks is sent, harvesting goes on")
            }
        });
        answer.data(json!({ "route": route, "state": state }));
        if state == RouteState::On {
            // A person has looked: what stopped the route is tried again.
            self.ledger.route_set_stopped(route, None).await?;
            self.wake_push();
        }
        Ok(End::Done)
    }

    /// A campaign that holds contacts without a link is met before it is filled: whoever among them is in the CRM
    /// would be imported a second time and called twice (users 9). Answers why the route may not leave `dry`.
    async fn held_in_dry(&self, route: &RouteName, answer: &Answer) -> Result<Option<String>, LedgerError> {
        match self.beside.get(route) {
            Some(Beside::Hold) => {}
            Some(Beside::Ignore) | None => return Ok(None),
        }
        if self.ledger.route_unlinked(route.clone()).await?.is_none() {
            answer.text("its campaign was never read to its end: it is read now");
            for (routes, runner) in &self.runners.harvests {
                if routes.contains(route) {
                    run(runner, answer).await;
                }
            }
        }
        Ok(match self.ledger.route_unlinked(route.clone()).await? {
            None => Some(
                "its campaign could not be read to its end, so nobody knows whom it holds already. Mend what the harvest \
                 says, then `dialbridge sync harvest` and try again"
                    .to_owned(),
            ),
            Some(unlinked) if unlinked.unknown() > 0 => Some(beside_ours(route, &unlinked)),
            Some(_) => None,
        })
    }
}

fn beside_ours(route: &RouteName, unlinked: &Unlinked) -> String {
    let Unlinked { ours, another, none } = unlinked;
    format!(
        "its campaign holds {} contacts without a record of ours: {ours} carry our UserData and would be taken over, \
         {another} carry another, {none} none. Whoever among the last two is in the CRM would be imported a second time \
         and called twice. Empty the campaign or take another one; if they are meant to be there, set beside = \"ignore\" \
         in [route.{route}]",
        ours + another + none
    )
}
