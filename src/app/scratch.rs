//! A folder for what is thrown away, the copy of a ledger for one: it goes when the work ends, also by a signal, and what
//! a process left that was killed goes at the next start.

use crate::env::Env;
use anyhow::{Context as _, bail};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use tokio::signal::unix::{SignalKind, signal};

/// What the folders are called.
const PREFIX: &str = "dialbridge-scratch-";
/// Held as long as its process lives.
const IN_USE: &str = "in-use";

/// The folder; only this process's user can enter it.
pub(super) struct Scratch {
    path: PathBuf,
    _in_use: File,
}

impl Scratch {
    /// Makes one, and removes those of processes that are no more.
    pub(super) fn new() -> io::Result<Self> {
        let name = format!("{PREFIX}{:016x}", Env::real().random_below(u64::MAX));
        Self::among(&std::env::temp_dir(), &name)
    }

    fn among(all: &Path, name: &str) -> io::Result<Self> {
        let path = all.join(name);
        DirBuilder::new().mode(0o700).create(&path)?;
        let in_use = OpenOptions::new().create_new(true).write(true).open(path.join(IN_USE))?;
        in_use.lock()?;
        sweep(all, &path)?;
        Ok(Self { path, _in_use: in_use })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn remove(&self) -> io::Result<()> {
        std::fs::remove_dir_all(&self.path)
    }
}

/// Removes what processes of this user left: nobody holds its lock any more. One that cannot be removed is left to a
/// later start.
fn sweep(all: &Path, own: &Path) -> io::Result<()> {
    let user = std::fs::symlink_metadata(own)?.uid();
    for entry in std::fs::read_dir(all)?.flatten() {
        let path = entry.path();
        let ours = entry.file_name().to_string_lossy().starts_with(PREFIX)
            && entry.metadata().is_ok_and(|found| found.is_dir() && found.uid() == user);
        if ours && path != own && is_left(&path) {
            let _by_a_later_start = std::fs::remove_dir_all(&path);
        }
    }
    Ok(())
}

/// Whether the folder's process is no more. Without the file it is only just being made, and holds nothing yet.
fn is_left(folder: &Path) -> bool {
    File::open(folder.join(IN_USE)).is_ok_and(|file| file.try_lock().is_ok())
}

/// Does the work in a folder of its own, which is gone when this returns: also where SIGINT or SIGTERM came, upon which the
/// work is ended by `env`.
///
/// # Errors
/// The folder cannot be made or removed, the work fails, or a signal came.
pub(super) async fn with_scratch<T, W>(env: &Env, work: impl FnOnce(PathBuf) -> W) -> anyhow::Result<T>
where
    W: Future<Output = anyhow::Result<T>>,
{
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let scratch = Scratch::new().context("a folder for the ledger's copy")?;
    let mut work = std::pin::pin!(work(scratch.path().to_owned()));
    let ended = tokio::select! {
        done = &mut work => Some(done),
        _signal = interrupt.recv() => None,
        _signal = terminate.recv() => None,
    };
    let done = match ended {
        Some(done) => Some(done),
        None => {
            env.shutdown().cancel();
            // What is being copied must not be written behind its removal.
            let _whatever = work.await;
            None
        }
    };
    scratch.remove().with_context(|| {
        format!("{} cannot be removed; it holds a copy of the ledger: remove it", scratch.path().display())
    })?;
    match done {
        Some(done) => done,
        None => bail!("ended by a signal; nothing was changed, and the ledger's copy is removed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dead_process_left_is_swept_and_what_is_in_use_is_not() {
        let all = tempfile::tempdir().expect("a folder");
        let live = Scratch::among(all.path(), "dialbridge-scratch-live").expect("made");
        let left = Scratch::among(all.path(), "dialbridge-scratch-left").expect("made").path().to_owned();
        std::fs::write(left.join("copy.sqlite"), "Ada").expect("written");
        std::fs::create_dir(all.path().join("dialbridge-scratch-begun")).expect("made");
        std::fs::create_dir(all.path().join("another-program")).expect("made");
        let next = Scratch::among(all.path(), "dialbridge-scratch-next").expect("made");
        assert!(live.path().exists() && next.path().exists() && !left.exists());
        assert!(all.path().join("dialbridge-scratch-begun").exists());
        assert!(all.path().join("another-program").exists());
        next.remove().expect("removed");
        assert!(!next.path().exists());
    }
}
