//! The daemon's Unix socket: JSON lines, one request, one stream of answers.

use super::{Answer, Command, Control, End, Line};
use crate::env::Env;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

/// A command is at most so long; a block list of 100,000 numbers fits.
const MAX_COMMAND: u64 = 16 * 1024 * 1024;

/// Whoever connects gives a command in this time: the program itself does at once.
const MOST_SILENCE: Duration = Duration::from_secs(30);

/// For so long in all an answer waits for somebody who does not read it. It is less than the unit's
/// `TimeoutStopSec`, because the end waits for it too.
const MOST_UNREAD: Duration = Duration::from_secs(30);

/// Listens until shutdown; the file is removed at the end.
#[derive(Debug)]
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    /// Takes the path over: whoever holds the ledger's lock may replace a dead daemon's socket.
    ///
    /// # Errors
    /// The folder is missing or not writable.
    pub fn bind(path: &Path) -> io::Result<Self> {
        match std::fs::remove_file(path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let listener = UnixListener::bind(path)?;
        // The group of the service may give commands; nobody else.
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
        Ok(Self { listener, path: path.to_owned() })
    }

    /// Answers commands until shutdown.
    pub async fn serve(self, control: Arc<Control>, env: Env, tracker: TaskTracker) {
        loop {
            let accepted = tokio::select! {
                () = env.shutdown().cancelled() => break,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    tracker.spawn(converse(stream, control.clone(), env.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "the control socket cannot accept");
                    // Out of descriptors: trying at once again would spin.
                    env.sleep(Duration::from_secs(1)).await;
                }
            }
        }
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!(%error, "the control socket was gone already");
        }
    }
}

async fn converse(stream: UnixStream, control: Arc<Control>, env: Env) {
    // The peer's uid is the "who" of the trail: it cannot be claimed, only had.
    let who = stream.peer_cred().map_or_else(|_| "unknown".to_owned(), |peer| format!("uid:{}", peer.uid()));
    let (reading, writing) = stream.into_split();
    let mut reading = BufReader::new(reading.take(MAX_COMMAND));
    let Some(line) = command_line(&mut reading, &env).await else { return };
    let (answer, lines) = Answer::channel();
    let work = async {
        match serde_json::from_str::<Command>(&line) {
            Ok(command) => control.execute(command, who, answer).await,
            Err(error) => {
                answer.text(format!(
                    "this command is not understood: {error}; use the same version on both ends"
                ));
                answer.end(End::Usage);
            }
        }
    };
    tokio::join!(work, tell(lines, writing, &env));
}

/// The command of a connection. Nothing waits for one that does not come: neither the end of the daemon, whose work
/// it would hold up, nor the daemon for ever.
async fn command_line(reading: &mut BufReader<tokio::io::Take<OwnedReadHalf>>, env: &Env) -> Option<String> {
    let mut line = String::new();
    tokio::select! {
        biased;
        read = reading.read_line(&mut line) => matches!(read, Ok(1..)).then_some(line),
        _silent_or_ending = env.sleep(MOST_SILENCE) => None,
    }
}

/// Sends an answer while it comes about. Whoever asked may have gone, or not read; what it asked for is done all the
/// same.
async fn tell(mut lines: UnboundedReceiver<Line>, mut writing: OwnedWriteHalf, env: &Env) {
    let mut patience = MOST_UNREAD;
    while let Some(line) = lines.recv().await {
        let Ok(mut text) = serde_json::to_string(&line) else { continue };
        text.push('\n');
        let began: Instant = env.instant();
        match tokio::time::timeout(patience, writing.write_all(text.as_bytes())).await {
            Ok(Ok(())) => patience = patience.saturating_sub(began.elapsed()),
            Ok(Err(_gone)) => break,
            Err(_unread) => {
                tracing::warn!("whoever gave a command does not read the answer: it is left off");
                break;
            }
        }
    }
    drop(writing);
    while lines.recv().await.is_some() {}
}

/// Asks a daemon; `None` when there is none at `path`.
///
/// # Errors
/// The daemon hung up before the end.
pub async fn ask(path: &Path, command: &Command, mut each: impl FnMut(Line)) -> io::Result<Option<End>> {
    let stream = match UnixStream::connect(path).await {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let (reading, mut writing) = stream.into_split();
    let mut text = serde_json::to_string(command).map_err(io::Error::other)?;
    text.push('\n');
    writing.write_all(text.as_bytes()).await?;
    let mut lines = BufReader::new(reading).lines();
    while let Some(line) = lines.next_line().await? {
        match serde_json::from_str(&line).map_err(io::Error::other)? {
            Line::End { end } => return Ok(Some(end)),
            other => each(other),
        }
    }
    Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the daemon hung up before the end; look into its log"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn virtual_time() -> Env {
        Env::simulated("2026-11-23T10:00:00Z".parse().expect("a time"), 1)
    }

    fn halves(stream: UnixStream) -> (BufReader<tokio::io::Take<OwnedReadHalf>>, OwnedWriteHalf) {
        let (reading, writing) = stream.into_split();
        (BufReader::new(reading.take(MAX_COMMAND)), writing)
    }

    #[tokio::test(start_paused = true)]
    async fn is_whoever_says_nothing_or_half_a_word_left_after_a_while_and_at_the_end_at_once() {
        for said in ["", "{\"status"] {
            let (mut theirs, ours) = UnixStream::pair().expect("a pair");
            theirs.write_all(said.as_bytes()).await.expect("written");
            let (mut reading, _writing) = halves(ours);
            let (env, began) = (virtual_time(), Instant::now());
            assert_eq!(command_line(&mut reading, &env).await, None);
            assert_eq!(began.elapsed().as_secs(), MOST_SILENCE.as_secs(), "{said:?}");
            env.shutdown().cancel();
            assert_eq!(command_line(&mut reading, &env).await, None);
            assert_eq!(began.elapsed().as_secs(), MOST_SILENCE.as_secs(), "{said:?}: at once");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn is_whoever_does_not_read_left_alone_and_the_work_not_held_up() {
        let (theirs, ours) = UnixStream::pair().expect("a pair");
        let (_reading, writing) = halves(ours);
        let (answer, lines) = Answer::channel();
        for _ in 0..3 {
            answer.text("x".repeat(4 << 20));
        }
        drop(answer);
        let (env, began) = (virtual_time(), Instant::now());
        tell(lines, writing, &env).await;
        assert_eq!(began.elapsed().as_secs(), MOST_UNREAD.as_secs());
        drop(theirs);
    }

    #[tokio::test(start_paused = true)]
    async fn does_a_slow_run_cost_its_answer_nothing_although_the_end_began() {
        let (theirs, ours) = UnixStream::pair().expect("a pair");
        let (_reading, writing) = halves(ours);
        let (answer, lines) = Answer::channel();
        let env = virtual_time();
        let work = async {
            assert!(env.sleep(MOST_UNREAD * 3).await);
            env.shutdown().cancel();
            answer.text("done");
            answer.end(End::Done);
            drop(answer);
        };
        let (mut reading, _writing) = halves(theirs);
        let mut first = String::new();
        let (_, (), read) = tokio::join!(work, tell(lines, writing, &env), reading.read_line(&mut first));
        assert!(read.is_ok() && first.contains("done"), "{first}");
    }
}
