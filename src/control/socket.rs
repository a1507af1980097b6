//! The daemon's Unix socket: JSON lines, one request, one stream of answers.

use super::{Answer, Command, Control, End, Line};
use crate::env::Env;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::task::TaskTracker;

/// A command is at most so long; a block list of 100,000 numbers fits.
const MAX_COMMAND: u64 = 16 * 1024 * 1024;

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
                    tracker.spawn(converse(stream, control.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "the control socket cannot accept");
                    // Out of descriptors: trying at once again would spin.
                    env.sleep(std::time::Duration::from_secs(1)).await;
                }
            }
        }
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!(%error, "the control socket was gone already");
        }
    }
}

async fn converse(stream: UnixStream, control: Arc<Control>) {
    // The peer's uid is the "who" of the trail: it cannot be claimed, only had.
    let who = stream.peer_cred().map_or_else(|_| "unknown".to_owned(), |peer| format!("uid:{}", peer.uid()));
    let (reading, mut writing) = stream.into_split();
    let mut line = String::new();
    let mut limited = BufReader::new(reading.take(MAX_COMMAND));
    let command = match limited.read_line(&mut line).await {
        Ok(0) | Err(_) => return,
        Ok(_) => serde_json::from_str::<Command>(&line),
    };
    let (answer, mut lines) = Answer::channel();
    let work = async {
        match command {
            Ok(command) => control.execute(command, who, answer).await,
            Err(error) => {
                answer.text(format!(
                    "this command is not understood: {error}; use the same version on both ends"
                ));
                answer.end(End::Usage);
            }
        }
    };
    let tell = async {
        while let Some(line) = lines.recv().await {
            let Ok(mut text) = serde_json::to_string(&line) else { continue };
            text.push('\n');
            // Whoever asked may have gone; what it asked for is done all the same.
            if writing.write_all(text.as_bytes()).await.is_err() {
                while lines.recv().await.is_some() {}
                break;
            }
        }
    };
    tokio::join!(work, tell);
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
