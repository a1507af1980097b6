//! Whether routes act: states, pilots, pauses, the freeze, waves that need approval, full passes.

use super::{Answer, Control, End, RouteWord, WaveOrder};
use crate::domain::RouteName;
use crate::domain::policy::{Beside, PassReason, RouteState, WaveWhat};
use crate::ledger::{
    Changed, FreezeOrder, LedgerError, NewState, Said, StateChange, Unlinked, WaveDecided, WaveWord,
};
use crate::runtime::Ask;
use serde_json::json;

impl Control {
    pub(super) async fn route(
        &self,
        route: RouteName,
        word: RouteWord,
        said: Said,
        answer: &Answer,
    ) -> Result<End, LedgerError> {
        let state = match word {
            RouteWord::Dry => NewState::Dry,
            RouteWord::Pilot { whom, until } => NewState::Pilot { whom, until },
            RouteWord::On => NewState::On,
            RouteWord::Pause { until, harvest_too } => NewState::Paused { until, harvest_too },
            RouteWord::Resume => NewState::Resumed,
        };
        let acts = matches!(state, NewState::On | NewState::Pilot { .. });
        if (acts || state == NewState::Resumed) && !self.tell_differences(answer).await?.is_empty() {
            answer.error(format!("route {route} stays paused until `dialbridge takeover`"));
            return Ok(End::Failed);
        }
        if acts && let Some(why) = self.held_in_dry(&route, answer).await? {
            answer.text(format!("route {route} stays dry: {why}"));
            return Ok(End::Failed);
        }
        let change = StateChange { state, said };
        let Some(now) = self.ledger.route_set_state(route.clone(), change).await? else {
            answer.error(self.unknown_route(&route));
            return Ok(End::Usage);
        };
        let decided_anew = match now.changed {
            Changed::Plainly => false,
            Changed::LeftDry => true,
            Changed::NotPaused => {
                answer.error(format!("route {route} is not paused; it is {}", now.state));
                return Ok(End::Usage);
            }
        };
        answer.text(state_in_words(&route, now.state));
        if decided_anew {
            answer.text("what it decided while it was dry is decided anew before anything is sent:");
        }
        answer.data(json!({ "route": route, "state": now.state, "decided_anew": decided_anew }));
        match now.state {
            RouteState::On | RouteState::Pilot => {
                // A person has looked: what stopped the route is tried again.
                self.ledger.route_set_stopped(route.clone(), None).await?;
                if decided_anew && let Some(pull) = self.runners.pulls.get(&route) {
                    let end = self.run(pull, Ask::by_hand(), answer).await?;
                    self.wake_push();
                    return Ok(end);
                }
                self.wake_push();
            }
            RouteState::Dry | RouteState::Paused => {}
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
        let known = self.ledger.route_show(route.clone()).await?;
        if !known.is_some_and(|row| row.is_dry()) {
            return Ok(None);
        }
        if self.ledger.route_unlinked(route.clone()).await?.is_none() {
            answer.text("its campaign was never read to its end: it is read now");
            for (routes, runner) in &self.runners.harvests {
                if routes.contains(route) {
                    self.run(runner, Ask::by_hand(), answer).await?;
                }
            }
        }
        Ok(match self.ledger.route_unlinked(route.clone()).await? {
            None => Some(format!(
                "its campaign could not be read to its end, so nobody knows whom it holds already. Mend what the \
                 harvest says, then `dialbridge sync harvest` and try again; if a contact there can never be read, and \
                 whoever else is there is meant to be, set beside = \"ignore\" in [route.{route}]"
            )),
            Some(unlinked) if unlinked.unknown() > 0 => Some(beside_ours(route, &unlinked)),
            Some(_) => None,
        })
    }

    pub(super) async fn freeze(&self, order: FreezeOrder, answer: &Answer) -> Result<End, LedgerError> {
        let (even_locks, until) = (order.even_locks, order.until);
        self.ledger.freeze_begin(order).await?;
        answer.text(if even_locks {
            "frozen: nothing is written, LOCKS INCLUDED: whoever says no meanwhile may be called"
        } else {
            "frozen: nothing but locks is written; reading and harvesting go on"
        });
        answer.data(json!({ "frozen": true, "until": until, "even_locks": even_locks }));
        Ok(End::Done)
    }

    pub(super) async fn thaw(
        &self,
        who: String,
        reason: String,
        answer: &Answer,
    ) -> Result<End, LedgerError> {
        if !self.ledger.freeze_end(who, reason).await? {
            answer.error("nothing was frozen");
            return Ok(End::Done);
        }
        answer.text("the freeze is over: what waited is sent from now on");
        answer.data(json!({ "frozen": false }));
        self.wake_push();
        Ok(End::Done)
    }

    pub(super) async fn wave(
        &self,
        wave: i64,
        word: WaveOrder,
        who: String,
        reason: String,
        answer: &Answer,
    ) -> Result<End, LedgerError> {
        let word = match word {
            WaveOrder::Approve => WaveWord::Approve,
            WaveOrder::Reject => WaveWord::Reject,
        };
        let Some(decided) = self.ledger.wave_decide(wave, word, who, reason).await? else {
            answer.error(format!("no wave {wave} needs approval; `dialbridge plan list` shows what does"));
            return Ok(End::Failed);
        };
        answer.text(wave_in_words(wave, word, &decided));
        answer.data(json!({ "wave": wave, "waiting": decided.waiting }));
        if word == WaveWord::Approve {
            self.wake_for(&decided);
        }
        Ok(End::Done)
    }

    /// Whoever carries out what was approved.
    fn wake_for(&self, decided: &WaveDecided) {
        let runners = match decided.what {
            WaveWhat::New
            | WaveWhat::Changed
            | WaveWhat::Removed
            | WaveWhat::RemovedByScope
            | WaveWhat::LockedByScope => {
                return self.wake_push();
            }
            WaveWhat::Told | WaveWhat::Listed => &self.runners.write_backs,
            WaveWhat::Missing => &self.runners.pulls,
            WaveWhat::Vanished => return self.wake_harvest(&decided.route),
        };
        if let Some(runner) = runners.get(&decided.route).filter(|_| !self.alone) {
            runner.activate("hand");
        }
    }

    fn wake_harvest(&self, route: &RouteName) {
        for (_, runner) in
            self.runners.harvests.iter().filter(|(routes, _)| !self.alone && routes.contains(route))
        {
            runner.activate("hand");
        }
    }

    /// Begins a walk over the route's whole object.
    pub(super) async fn begin_full_pass(
        &self,
        route: &RouteName,
        answer: &Answer,
    ) -> Result<(), LedgerError> {
        let row = self.ledger.route_show(route.clone()).await?;
        match row.filter(|row| row.cursor.is_some()).and_then(|row| row.revision) {
            Some(revision) => {
                self.ledger.pass_begin(route.clone(), revision, PassReason::ByHand).await?;
            }
            None => {
                answer.text(format!("route {route} was never read: its first pull reads everything anyway"))
            }
        }
        Ok(())
    }
}

fn wave_in_words(wave: i64, word: WaveWord, decided: &WaveDecided) -> String {
    let waiting = decided.waiting;
    match (decided.what, word) {
        (
            WaveWhat::New
            | WaveWhat::Changed
            | WaveWhat::Removed
            | WaveWhat::RemovedByScope
            | WaveWhat::LockedByScope,
            WaveWord::Approve,
        ) => {
            format!("wave {wave} is approved: {waiting} operations go out")
        }
        (
            WaveWhat::New | WaveWhat::Changed | WaveWhat::Removed | WaveWhat::RemovedByScope,
            WaveWord::Reject,
        ) => {
            format!("wave {wave} is rejected: {waiting} operations are put aside until their records change")
        }
        (WaveWhat::LockedByScope, WaveWord::Reject) => {
            format!("wave {wave} is rejected: {waiting} contacts stay callable until their records change")
        }
        (WaveWhat::Told, WaveWord::Approve) => {
            format!("wave {wave} is approved: the CRM is told of {waiting} calls and records")
        }
        (WaveWhat::Told, WaveWord::Reject) => {
            format!(
                "wave {wave} is rejected: {waiting} calls and records are not told, until there is something newer"
            )
        }
        (WaveWhat::Listed, WaveWord::Approve) => {
            format!("wave {wave} is approved: the CRM is told of {waiting} records that a list names")
        }
        (WaveWhat::Listed, WaveWord::Reject) => {
            format!(
                "wave {wave} is rejected: the CRM is not told of {waiting} records that a list names; their contacts stay locked. \
                 Was the list the wrong one, `dialbridge block remove --source ... --since ... --plan` shows what taking it back does"
            )
        }
        (WaveWhat::Missing, WaveWord::Approve) => format!(
            "wave {wave} is approved: {waiting} records are looked for once more, and leave if they are not found"
        ),
        (WaveWhat::Vanished, WaveWord::Approve) => format!(
            "wave {wave} is approved: {waiting} contacts are asked about, twice, ten minutes apart, and count as gone if they are not found"
        ),
        (WaveWhat::Vanished, WaveWord::Reject) => format!(
            "wave {wave} is rejected: {waiting} contacts stay as they are until the dialler names them again; should they be gone \
             after all, `dialbridge sync harvest --route {} --believe-missing`",
            decided.route
        ),
        (WaveWhat::Missing, WaveWord::Reject) => {
            format!(
                "wave {wave} is rejected: {waiting} records stay as they are until the next full pass misses them"
            )
        }
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

fn state_in_words(route: &RouteName, state: RouteState) -> String {
    match state {
        RouteState::On => format!("route {route} is on: what is decided is sent"),
        RouteState::Pilot => {
            format!(
                "route {route} is a pilot: it acts for the records of the pilot, and sends nothing but locks for others"
            )
        }
        RouteState::Dry => format!("route {route} is dry: it decides and sends nothing but locks"),
        RouteState::Paused => format!("route {route} is paused: nothing but locks is sent"),
    }
}
