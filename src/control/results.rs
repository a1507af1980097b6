//! What a person says of results that go back into the CRM, and of what they mean for other routes.

use super::{Answer, Control, End, ResultsWord};
use crate::domain::{ContactId, HistoryId, ReasonCode, RouteName};
use crate::ledger::{Again, LedgerError, OnPurpose, RetryPlan, Said};

/// What was said, and whose runs have something to do now.
enum Told {
    /// Calls of these routes are told.
    Tell(String, Vec<RouteName>),
    /// Records of these routes are decided anew.
    Decide(String, Vec<RouteName>),
    /// It cannot be done, and why.
    Refused(String),
}

impl Control {
    pub(super) async fn results(
        &self,
        word: ResultsWord,
        said: Said,
        answer: &Answer,
    ) -> Result<End, LedgerError> {
        let route = match &word {
            ResultsWord::Approve { route }
            | ResultsWord::Retry { route, .. }
            | ResultsWord::Backfill { route, .. } => Some(route),
            ResultsWord::Remap { route, .. } => route.as_ref(),
            ResultsWord::Discard { .. }
            | ResultsWord::Release { .. }
            | ResultsWord::Reopen { .. }
            | ResultsWord::ReopenContact { .. } => None,
        };
        if let Some(route) = route.filter(|route| !self.runners.pulls.contains_key(*route)) {
            answer.error(self.unknown_route(route));
            return Ok(End::Usage);
        }
        let (text, routes, runners) = match self.say_of_results(word, said).await? {
            Told::Refused(why) => {
                answer.error(why);
                return Ok(End::Failed);
            }
            Told::Tell(text, routes) => (text, routes, &self.runners.write_backs),
            Told::Decide(text, routes) => (text, routes, &self.runners.pulls),
        };
        answer.text(text);
        if !self.alone {
            routes.iter().filter_map(|route| runners.get(route)).for_each(|runner| runner.activate("hand"));
        }
        Ok(End::Done)
    }

    async fn say_of_results(&self, word: ResultsWord, said: Said) -> Result<Told, LedgerError> {
        Ok(match word {
            ResultsWord::Approve { route } => {
                let waiting = self.ledger.results_approve(route.clone(), said).await?;
                Told::Tell(format!("{waiting} waiting calls and records may be told to the CRM"), vec![route])
            }
            ResultsWord::Retry { route, again } => {
                let released = self.ledger.results_retry(route.clone(), again, said).await?;
                retried(route, again, released)
            }
            ResultsWord::Discard { id } => match self.ledger.results_discard(id, said).await? {
                true => {
                    Told::Tell("put aside; it is told when there is something newer".to_owned(), Vec::new())
                }
                false => Told::Refused(
                    "nothing parked or held by that number; `dialbridge results open` lists what is"
                        .to_owned(),
                ),
            },
            ResultsWord::Release { call } => self.release(call, said).await?,
            ResultsWord::Reopen { call } => self.reopen(call, said).await?,
            ResultsWord::ReopenContact { contact } => self.reopen_contact(contact, said).await?,
            ResultsWord::Remap { code, route } => {
                let again = self.ledger.results_remap(code.clone(), route, said).await?;
                match again.is_empty() {
                    true => Told::Refused(format!(
                        "no call with the result {code} was told, or is held for the want of a word: `dialbridge results \
                         codes --route R` lists the results by their names"
                    )),
                    false => Told::Tell(
                        again.iter().map(|(route, of)| remapped(route, of)).collect::<Vec<_>>().join("; "),
                        again.into_keys().collect(),
                    ),
                }
            }
            ResultsWord::Backfill { route, from, until } => {
                match self.ledger.results_backfill(route.clone(), from, until, said).await? {
                    Some(of) => Told::Tell(backfilled(&route, &of), vec![route]),
                    None => Told::Refused(format!(
                        "the calls of route {route} do not go back into the CRM: write_back is not set in its config"
                    )),
                }
            }
        })
    }

    async fn release(&self, call: HistoryId, said: Said) -> Result<Told, LedgerError> {
        let Some(held) = self.ledger.hold_release(call, said).await? else {
            return Ok(Told::Refused(format!(
                "no call {call} with a result is known; what holds somebody out names the call"
            )));
        };
        let records: i64 = held.values().sum();
        let text = format!(
            "call {call} holds nobody out any more; {records} records that it held out are decided anew with the next pull"
        );
        Ok(Told::Decide(text, held.into_keys().collect()))
    }

    async fn reopen_contact(&self, contact: ContactId, said: Said) -> Result<Told, LedgerError> {
        Ok(match self.ledger.calls_lost_reopen(contact, said).await? {
            Some(route) => Told::Decide(
                format!(
                    "the calls that were lost with contact {contact} keep nobody from being called again; its record is decided anew \
                     with the next pull, a block or a final result still stands"
                ),
                vec![route],
            ),
            None => Told::Refused(format!(
                "no calls were lost with contact {contact}; whoever waits for such a word names the contact"
            )),
        })
    }

    async fn reopen(&self, call: HistoryId, said: Said) -> Result<Told, LedgerError> {
        let Some(held) = self.ledger.final_reopen(call, said).await? else {
            return Ok(Told::Refused(format!(
                "no call {call} with a result is known; whoever waits for one names the call"
            )));
        };
        let records: i64 = held.values().sum();
        let text = format!(
            "the result of call {call} keeps nobody from being called again; {records} records are decided anew with \
             the next pull, a block or another call's result still stands"
        );
        Ok(Told::Decide(text, held.into_keys().collect()))
    }
}

fn retried(route: RouteName, again: Again, released: usize) -> Told {
    let nothing = match again {
        _ if released > 0 => {
            return Told::Tell(format!("{released} are told again with the next run"), vec![route]);
        }
        Again::All => {
            let text = "nothing is parked; what waits is told with the next run";
            return Told::Tell(text.to_owned(), vec![route]);
        }
        Again::Row(_) => "nothing parked by that number; `dialbridge results open` lists what is",
        Again::Calls { .. } => {
            "nothing of these days can be told again by that; `dialbridge results --day D --missing` says what becomes of \
             each call"
        }
    };
    Told::Refused(nothing.to_owned())
}

/// What `results retry` would tell again of a route, in words.
pub fn retry_planned(route: &RouteName, plan: &RetryPlan) -> String {
    let reasons: Vec<String> = plan
        .reasons
        .iter()
        .map(|(code, rows)| {
            let reason = ReasonCode::parse(code).map_or_else(|| code.clone(), |code| code.in_general());
            format!("{rows} {reason}")
        })
        .collect();
    let why = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) };
    let in_doubt = match plan.in_doubt {
        0 => String::new(),
        some => format!(
            "; {some} are in doubt and stay: look into the CRM, then `results retry --route {route} --id N` for each"
        ),
    };
    format!(
        "route {route}: {} calls and the fields of {} records would be told again{why}{in_doubt}",
        plan.calls, plan.records
    )
}

/// What `results remap` does to a route, in words.
pub fn remapped(route: &RouteName, of: &OnPurpose) -> String {
    let fixed = match of.fixed {
        0 => String::new(),
        some => format!("; {some} calls stay as they are, because this CRM lets no activity be changed"),
    };
    format!(
        "route {route}: {} calls ({} of them held) and the fields of {} records are worked out anew; what says the same \
         costs no request{fixed}",
        of.calls, of.held, of.records
    )
}

/// What `backfill` does to a route, in words.
pub fn backfilled(route: &RouteName, of: &OnPurpose) -> String {
    format!(
        "route {route}: {} earlier calls and the fields of {} records are told; more than max_write_back_per_run of these \
         {} wait for `dialbridge results approve --route {route}`",
        of.calls, of.records, of.rows
    )
}
