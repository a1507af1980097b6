//! Names of agents, for routes that ask for them: the dialler's list of users, kept for a day.

use crate::dialler::DiallerRead;
use crate::domain::{CallFacts, HistoryFacts, Timestamp};
use crate::env::Env;
use crate::mapping::Telling;
use chrono::TimeDelta;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::Mutex;

/// So long a name is believed.
const FRESH: TimeDelta = TimeDelta::hours(24);
/// So long after one list nobody asks for another because of a number that it did not have.
const AGAIN: TimeDelta = TimeDelta::hours(1);
/// More users than any tenant has; what is beyond stays a number.
const MOST: usize = 10_000;

/// The names of agents by their numbers.
pub struct Agents {
    dialler: Arc<dyn DiallerRead>,
    env: Env,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    names: HashMap<i64, String>,
    asked_at: Option<Timestamp>,
}

impl Agents {
    /// Knows nobody yet.
    pub fn new(dialler: Arc<dyn DiallerRead>, env: Env) -> Self {
        Self { dialler, env, known: Mutex::default() }
    }

    /// The call with its agent's name; where that cannot be had, the number stays.
    async fn named(&self, call: &CallFacts) -> CallFacts {
        let agent_name = match call.agent {
            Some(agent) => self.name(agent).await,
            None => None,
        };
        CallFacts { agent_name, ..call.clone() }
    }

    async fn name(&self, agent: i64) -> Option<String> {
        let mut known = self.known.lock().await;
        let now = self.env.now();
        let wait = if known.names.contains_key(&agent) { FRESH } else { AGAIN };
        if known.asked_at.is_none_or(|at| now - at >= wait) {
            // Also after a failure nobody asks for each call again.
            known.asked_at = Some(now);
            match self.dialler.users().await {
                Ok(users) => {
                    known.names = users.into_iter().take(MOST).map(|user| (user.id, user.name)).collect();
                }
                Err(error) => tracing::warn!(
                    %error,
                    "the agents' names cannot be read: the CRM is told their numbers; it is asked for again in an hour"
                ),
            }
        }
        known.names.get(&agent).cloned()
    }
}

/// The call as it is told: with its agent's name, where the route tells names.
pub(super) async fn named(telling: &Telling, agents: Option<&Agents>, call: &CallFacts) -> CallFacts {
    match agents {
        Some(agents) if telling.uses_agent() => agents.named(call).await,
        Some(_) | None => call.clone(),
    }
}

/// The same of all calls of a record that are told.
pub(super) async fn all_named(
    telling: &Telling,
    agents: Option<&Agents>,
    history: &HistoryFacts,
) -> HistoryFacts {
    let mut history = history.clone();
    for call in [&mut history.last, &mut history.last_with_result].into_iter().flatten() {
        *call = named(telling, agents, call).await;
    }
    history
}
