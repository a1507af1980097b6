//! One runner per job and route: never two runs at once, activations that come meanwhile make one more.

use super::report::{self, Activation as Ran};
use super::run_log::RunLog;
use crate::domain::{RouteName, RunId, Timestamp};
use crate::env::Env;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

/// How a run ended, for people: a line that says what was done, or what failed and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It came to its end.
    Done {
        /// Its row in the ledger; `None` where it found nothing to do and left none.
        run: Option<RunId>,
        /// What it did.
        text: String,
        /// Whether it parked something that was not parked before (exit status 3).
        parked_new: bool,
    },
    /// It failed on the way.
    Failed {
        /// Why, and what to do.
        text: String,
    },
}

/// How much of what there is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Everything.
    All,
    /// What belongs to this route, and locks.
    Route(RouteName),
    /// Locks alone.
    Locks,
}

/// What a harvest makes of contacts that a complete list does not name, when they are many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// It is the list that is doubted.
    Doubted,
    /// A person has looked: they are asked about one by one.
    Believed,
}

/// What is asked of a runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// `schedule`, `hand`, `takeover`, `start` or `hint`.
    pub cause: &'static str,
    /// How much.
    pub scope: Scope,
    /// For a harvest.
    pub missing: Missing,
}

impl Ask {
    /// Everything, because a person asked.
    pub fn by_hand() -> Self {
        Self::all("hand")
    }

    fn all(cause: &'static str) -> Self {
        Self { cause, scope: Scope::All, missing: Missing::Doubted }
    }

    /// Everything, also what a pause holds: nothing else shows what became of a ledger that was not at home.
    pub fn takeover() -> Self {
        Self::all("takeover")
    }
}

/// What a runner runs. What it does follows from the ledger and the sides; whoever asks can only ask for less.
#[async_trait::async_trait]
pub trait Activity: Send + Sync + 'static {
    /// To its end; what the ledger stores of its runs is noted in `log`.
    async fn run(&self, ask: &Ask, log: &RunLog) -> Outcome;
}

/// What a runner is doing.
#[derive(Debug, Clone, Default)]
pub struct RunnerStatus {
    /// Since when it runs; `None` while it waits.
    pub running_since: Option<Timestamp>,
    /// How the last run of this process ended.
    pub last: Option<(Timestamp, Outcome)>,
    /// Runs of this process that have ended.
    ended: u64,
    /// How the last few of them ended.
    recent: VecDeque<Outcome>,
}

/// So many ended runs are remembered, for whoever waits for one and must see those that came before it.
const REMEMBERED: usize = 16;

/// A place in the sequence of a runner's runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mark(u64);

struct Activation {
    ask: Ask,
    reply: Option<oneshot::Sender<Outcome>>,
}

/// Starts runs; cheap to clone.
#[derive(Clone)]
pub struct Activator {
    name: Arc<str>,
    inbox: mpsc::UnboundedSender<Activation>,
    status: Arc<Mutex<RunnerStatus>>,
    /// Whether it runs only for those who wait for it.
    only_awaited: Arc<AtomicBool>,
}

impl std::fmt::Debug for Activator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Activator").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Activator {
    /// Starts a runner's task. It ends after the run under way once shutdown begins.
    pub fn start(name: &str, env: &Env, tracker: &TaskTracker, activity: Arc<dyn Activity>) -> Self {
        let (inbox, activations) = mpsc::unbounded_channel();
        let status = Arc::new(Mutex::new(RunnerStatus::default()));
        let activator =
            Self { name: name.into(), inbox, status: status.clone(), only_awaited: Arc::default() };
        tracker.spawn(work(activator.name.clone(), env.clone(), activations, status, activity));
        activator
    }

    /// The runner's name (`pull leads`).
    pub fn name(&self) -> &str {
        &self.name
    }

    /// From now on it runs only for those who wait for its end: where the program ends with one command, a run
    /// that nobody waits for would be broken off.
    pub fn run_only_awaited(&self) {
        self.only_awaited.store(true, Ordering::Relaxed);
    }

    /// Asks for a run; if one is under way, one more follows it.
    pub fn activate(&self, cause: &'static str) {
        if !self.only_awaited.load(Ordering::Relaxed) {
            let _ended = self.inbox.send(Activation { ask: Ask::all(cause), reply: None });
        }
    }

    /// Asks for a run and waits for its end; `None` when the program is ending.
    pub async fn run_now(&self, cause: &'static str) -> Option<Outcome> {
        self.run_for(Ask::all(cause)).await
    }

    /// The same for part of what there is to do.
    pub async fn run_for(&self, ask: Ask) -> Option<Outcome> {
        let (reply, answer) = oneshot::channel();
        self.inbox.send(Activation { ask, reply: Some(reply) }).ok()?;
        answer.await.ok()
    }

    /// Where the sequence of its runs stands.
    pub fn mark(&self) -> Mark {
        Mark(self.status().ended)
    }

    /// How the runs ended that ended after `mark`, in their order.
    pub fn ended_since(&self, mark: Mark) -> Vec<Outcome> {
        let status = self.status();
        let many = usize::try_from(status.ended.saturating_sub(mark.0)).unwrap_or(usize::MAX);
        let known = status.recent.len();
        status.recent.into_iter().skip(known.saturating_sub(many)).collect()
    }

    /// What it is doing.
    pub fn status(&self) -> RunnerStatus {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn work(
    name: Arc<str>,
    env: Env,
    mut activations: mpsc::UnboundedReceiver<Activation>,
    status: Arc<Mutex<RunnerStatus>>,
    activity: Arc<dyn Activity>,
) {
    loop {
        let first = tokio::select! {
            biased;
            () = env.shutdown().cancelled() => return,
            first = activations.recv() => match first {
                Some(first) => first,
                None => return,
            },
        };
        // Whoever asked before the run begins is served by it.
        let mut ask = first.ask;
        let mut waiting: Vec<_> = first.reply.into_iter().collect();
        while let Ok(more) = activations.try_recv() {
            if more.reply.is_some() {
                ask.cause = more.ask.cause;
            }
            if ask.scope != more.ask.scope {
                ask.scope = Scope::All;
            }
            if more.ask.missing == Missing::Believed {
                ask.missing = Missing::Believed;
            }
            waiting.extend(more.reply);
        }
        let began = env.now();
        set(&status, |status| status.running_since = Some(began));
        let log = RunLog::default();
        let outcome = guarded(&name, &activity, ask.clone(), log.clone()).await;
        let ended = env.now();
        set(&status, |status| {
            status.running_since = None;
            status.last = Some((ended, outcome.clone()));
            status.ended += 1;
            status.recent.push_back(outcome.clone());
            if status.recent.len() > REMEMBERED {
                status.recent.pop_front();
            }
        });
        let duration_ms = (ended - began).num_milliseconds();
        report::tell(&Ran { runner: &name, cause: ask.cause, duration_ms }, &outcome, &log.all());
        for reply in waiting {
            let _gone = reply.send(outcome.clone());
        }
    }
}

/// A run that takes longer is stuck: every request of it has a deadline of its own, and a first load of a million
/// records, or a sweep of two gigabytes over a slow line, is done in an hour or two.
const DEADLINE: Duration = Duration::from_secs(6 * 3600);

/// A panic, or a run without end, ends that run only, and is shown. What it had sent is in doubt then, as after a
/// power failure.
async fn guarded(name: &str, activity: &Arc<dyn Activity>, ask: Ask, log: RunLog) -> Outcome {
    let activity = activity.clone();
    let mut run = tokio::spawn(async move { activity.run(&ask, &log).await });
    let why = match tokio::time::timeout(DEADLINE, &mut run).await {
        Ok(Ok(outcome)) => return outcome,
        Ok(Err(error)) => error.to_string(),
        Err(_) => {
            run.abort();
            // Not before it is gone may the next one begin.
            let _aborted = run.await;
            format!("it was not done after {} hours", DEADLINE.as_secs() / 3600)
        }
    };
    Outcome::Failed {
        text: format!(
            "{name} broke off: {why}; this is a defect of dialbridge, the next run goes on from what was stored"
        ),
    }
}

fn set(status: &Mutex<RunnerStatus>, change: impl FnOnce(&mut RunnerStatus)) {
    change(&mut status.lock().unwrap_or_else(PoisonError::into_inner));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    struct Slow {
        running: AtomicUsize,
        most: AtomicUsize,
        runs: AtomicUsize,
    }

    #[async_trait::async_trait]
    impl Activity for Slow {
        async fn run(&self, ask: &Ask, _log: &RunLog) -> Outcome {
            let now = self.running.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(now, Ordering::SeqCst);
            tokio::time::advance(Duration::from_millis(1)).await;
            tokio::task::yield_now().await;
            self.running.fetch_sub(1, Ordering::SeqCst);
            self.runs.fetch_add(1, Ordering::SeqCst);
            if ask.cause == "panic" {
                panic!("broken on purpose");
            }
            Outcome::Done { run: None, text: ask.cause.to_owned(), parked_new: false }
        }
    }

    fn slow() -> Arc<Slow> {
        Arc::new(Slow { running: 0.into(), most: 0.into(), runs: 0.into() })
    }

    #[tokio::test(start_paused = true)]
    async fn activations_while_it_runs_make_one_more_run_and_never_two_at_once() {
        let env = Env::simulated(Timestamp::UNIX_EPOCH, 1);
        let tracker = TaskTracker::new();
        let activity = slow();
        let runner = Activator::start("test", &env, &tracker, activity.clone());
        for _ in 0..10 {
            runner.activate("schedule");
        }
        let outcome = runner.run_now("hand").await;
        assert_eq!(outcome, Some(Outcome::Done { run: None, text: "hand".into(), parked_new: false }));
        assert_eq!(activity.most.load(Ordering::SeqCst), 1);
        assert!(activity.runs.load(Ordering::SeqCst) <= 2, "ten activations are one or two runs");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_sees_the_runs_before_his_own_and_alone_nobody_else_starts_one() {
        let env = Env::simulated(Timestamp::UNIX_EPOCH, 1);
        let tracker = TaskTracker::new();
        let runner = Activator::start("test", &env, &tracker, slow());
        let mark = runner.mark();
        runner.activate("schedule");
        tokio::task::yield_now().await;
        runner.run_now("hand").await;
        let said = |outcome: Outcome| match outcome {
            Outcome::Done { text, .. } | Outcome::Failed { text } => text,
        };
        let seen: Vec<String> = runner.ended_since(mark).into_iter().map(said).collect();
        assert_eq!(seen, ["schedule", "hand"]);
        assert!(runner.ended_since(runner.mark()).is_empty());
        runner.run_only_awaited();
        runner.activate("schedule");
        runner.run_now("alone").await;
        assert_eq!(runner.ended_since(mark).len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_ends_its_run_only_and_is_said() {
        let env = Env::simulated(Timestamp::UNIX_EPOCH, 1);
        let tracker = TaskTracker::new();
        let runner = Activator::start("test", &env, &tracker, slow());
        let Some(Outcome::Failed { text }) = runner.run_now("panic").await else { panic!("it failed") };
        assert!(text.contains("defect"), "{text}");
        assert!(matches!(runner.run_now("again").await, Some(Outcome::Done { .. })));
    }

    struct Endless;

    #[async_trait::async_trait]
    impl Activity for Endless {
        async fn run(&self, ask: &Ask, _log: &RunLog) -> Outcome {
            if ask.cause == "endless" {
                std::future::pending::<()>().await;
            }
            Outcome::Done { run: None, text: String::new(), parked_new: false }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_without_end_is_broken_off_and_the_next_one_runs() {
        let env = Env::simulated(Timestamp::UNIX_EPOCH, 1);
        let tracker = TaskTracker::new();
        let runner = Activator::start("test", &env, &tracker, Arc::new(Endless));
        let Some(Outcome::Failed { text }) = runner.run_now("endless").await else { panic!("it failed") };
        assert!(text.contains("not done after 6 hours"), "{text}");
        assert!(matches!(runner.run_now("again").await, Some(Outcome::Done { .. })));
    }

    #[tokio::test(start_paused = true)]
    async fn shutdown_lets_the_run_under_way_end() {
        let env = Env::simulated(Timestamp::UNIX_EPOCH, 1);
        let tracker = TaskTracker::new();
        let activity = slow();
        let runner = Activator::start("test", &env, &tracker, activity.clone());
        runner.activate("schedule");
        tokio::task::yield_now().await;
        env.shutdown().cancel();
        tracker.close();
        tracker.wait().await;
        assert_eq!(activity.running.load(Ordering::SeqCst), 0);
        assert_eq!(runner.run_now("late").await, None);
    }
}
