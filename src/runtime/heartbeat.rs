//! The heartbeat: once a second, something says "look whether anything is due".
//!
//! tokio-cron-scheduler is used for this and no more. Measured of it: it freezes a zone into an offset,
//! runs a job beside itself, fires twice in the night of the change, stands still when the clock is set
//! back. So what is due is computed by [`super::Schedule`], and a monotonic interval beats when the
//! library does not.

use crate::env::Env;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

/// Without a beat for so long the interval steps in: three of the library's periods.
const PATIENCE: Duration = Duration::from_secs(3);

/// Beats until it is dropped.
pub struct Heartbeat {
    beat: Arc<Notify>,
    library: Option<JobScheduler>,
    patience: Duration,
}

impl std::fmt::Debug for Heartbeat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Heartbeat").field("library", &self.library.is_some()).finish()
    }
}

impl Heartbeat {
    /// The library's beat with the interval behind it.
    ///
    /// # Errors
    /// The library refused to start.
    pub async fn start() -> Result<Self, JobSchedulerError> {
        let beat = Arc::new(Notify::new());
        let scheduler = JobScheduler::new().await?;
        let inner = beat.clone();
        // Six fields: the library wants seconds.
        let job = Job::new_async("* * * * * *", move |_, _| {
            let beat = inner.clone();
            Box::pin(async move { beat.notify_one() })
        })?;
        scheduler.add(job).await?;
        scheduler.start().await?;
        Ok(Self { beat, library: Some(scheduler), patience: PATIENCE })
    }

    /// The interval alone: for virtual time, which the library's clock does not follow.
    pub fn interval() -> Self {
        Self { beat: Arc::new(Notify::new()), library: None, patience: Duration::from_secs(1) }
    }

    /// Waits for the next beat; `false` when shutdown began.
    pub async fn next(&self, env: &Env) -> bool {
        tokio::select! {
            () = self.beat.notified() => true,
            alive = env.sleep(self.patience) => alive,
        }
    }

    /// Stops the library's task.
    pub async fn stop(mut self) {
        if let Some(mut library) = self.library.take()
            && let Err(error) = library.shutdown().await
        {
            tracing::debug!(%error, "the heartbeat did not stop cleanly");
        }
    }
}
