//! Activates runners when their schedules are due.

use super::{Activator, Heartbeat, Schedule};
use crate::domain::Timestamp;
use crate::env::Env;
use std::sync::Arc;
use tokio::sync::Notify;

struct Entry {
    schedule: Schedule,
    runner: Activator,
    due: Option<Timestamp>,
}

/// Holds the schedules; knows nothing of what the runners do.
#[derive(Default)]
pub struct Scheduler {
    entries: Vec<Entry>,
    last_look: Option<Timestamp>,
}

impl std::fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scheduler").field("entries", &self.entries.len()).finish()
    }
}

impl Scheduler {
    /// Adds a schedule for a runner.
    pub fn add(&mut self, schedule: Schedule, runner: Activator) {
        self.entries.push(Entry { schedule, runner, due: None });
    }

    /// Looks at every beat until shutdown; `pulse` is notified after each look, for whoever watches over it.
    pub async fn run(mut self, env: Env, heartbeat: Heartbeat, pulse: Arc<Notify>) {
        self.look(env.now());
        while heartbeat.next(&env).await {
            self.look(env.now());
            pulse.notify_one();
        }
        heartbeat.stop().await;
    }

    /// Activates what is due at `now`. However many due instants were missed (a suspended machine), one
    /// run makes up for them; a clock that was set back starts the reckoning anew.
    fn look(&mut self, now: Timestamp) {
        let set_back = self.last_look.is_some_and(|last| now < last - chrono::TimeDelta::seconds(2));
        self.last_look = Some(now);
        for entry in &mut self.entries {
            match entry.due {
                Some(due) if due <= now => {
                    entry.runner.activate("schedule");
                    entry.due = entry.schedule.next_after(now);
                }
                Some(_) if !set_back => {}
                Some(_) | None => entry.due = entry.schedule.next_after(now),
            }
        }
    }
}
