//! Work on a connection of its own that may take minutes, broken off when shutdown begins.

use crate::env::Env;
use rusqlite::InterruptHandle;
use std::time::Duration;
use tokio::sync::mpsc;

/// Where such work hands out its connections' handles.
pub(super) type Handles = mpsc::UnboundedSender<InterruptHandle>;

/// A handle reaches only the statement that runs at that moment: it is used again until the work has ended.
const AGAIN: Duration = Duration::from_millis(100);

/// Runs the work aside; `None` if it panicked.
pub(super) async fn until_shutdown<T: Send + 'static>(
    env: &Env,
    work: impl FnOnce(Handles) -> T + Send + 'static,
) -> Option<T> {
    let (handles, mut given) = mpsc::unbounded_channel();
    let mut task = std::pin::pin!(env.aside(move || work(handles)));
    tokio::select! {
        biased;
        done = &mut task => return done,
        () = env.shutdown().cancelled() => {}
    }
    let mut open: Vec<InterruptHandle> = Vec::new();
    loop {
        while let Ok(handle) = given.try_recv() {
            open.push(handle);
        }
        open.iter().for_each(InterruptHandle::interrupt);
        if let Ok(done) = tokio::time::timeout(AGAIN, &mut task).await {
            return done;
        }
    }
}
