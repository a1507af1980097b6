//! Block lists in files: read at the start and whenever they change. An objection only ever tightens: a line that went away
//! lifts nothing, and a file that cannot be read leaves standing what was read of it before.

use crate::domain::{Block, BlockSubject, Reason, ReasonCode};
use crate::env::Env;
use crate::ledger::{BlockFileTaken, Ledger, LedgerError, ToE164};
use crate::mapping::number_list::{self, NumberList};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A file that changed must rest for so long: half a line may be a shorter number, and nobody unblocks that one.
const REST: Duration = Duration::from_secs(2);
/// Numbers blocked in one transaction: the locks of others must not wait for a long list.
const CHUNK: usize = 200;
/// Numbers looked up at a time.
const LOOKED_UP: usize = 5_000;
/// So many bad lines are named; all are counted.
const NAMED: usize = 20;
/// Longer than any list of numbers; a disk image given by mistake must not fill the memory.
const MOST_BYTES: u64 = 256 << 20;

/// A list of the config.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BlockFile {
    /// Within which client it blocks.
    pub client: String,
    /// The file.
    pub path: PathBuf,
}

/// How a list's numbers are read.
pub struct Reading {
    /// A number as people write it, in E.164.
    pub to_e164: Box<ToE164>,
    /// By what they are read: the same text read otherwise is another list.
    pub country: String,
}

/// The lists, and how each looked when it was read last.
pub struct BlockFiles {
    files: Vec<BlockFile>,
    reading: Arc<Reading>,
    ledger: Ledger,
    env: Env,
    seen: Mutex<HashMap<BlockFile, Seen>>,
}

/// How a list looked when it was read last, and what was read.
struct Seen {
    stamp: Stamp,
    digest: Vec<u8>,
}

/// What a list did.
#[derive(Default)]
struct Added {
    new: usize,
    locked: usize,
}

/// What there is to do about a list.
enum Found {
    /// Nothing: as it was at the last look.
    Seen,
    /// Nothing but to remember how it looks.
    Taken(Seen),
    /// It is to be taken.
    New {
        /// The file.
        text: Vec<u8>,
        /// How it looks.
        seen: Seen,
    },
}

/// What changes when somebody writes a file, or puts another in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: (u64, u64),
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl fmt::Debug for BlockFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockFiles").field("files", &self.files).finish_non_exhaustive()
    }
}

impl BlockFiles {
    /// The lists of a config; nothing is read yet.
    pub fn new(files: Vec<BlockFile>, reading: Reading, ledger: Ledger, env: Env) -> Self {
        Self { files, reading: Arc::new(reading), ledger, env, seen: Mutex::default() }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Before anything is sent: whoever was put on a list while the program was down must not become callable, though the list is
    /// taken beside the locks and not before them. One of a million numbers takes longer than a no may.
    ///
    /// # Errors
    /// The ledger cannot be read or written.
    pub async fn begin(&self) -> Result<(), LedgerError> {
        let named = self.files.iter().map(|file| (file.client.clone(), file.path.display().to_string()));
        self.ledger.block_files_named(named.collect()).await?;
        self.gate().await
    }

    /// Whoever stands in a list that is new becomes callable no more from now on, though another list is taken before it.
    async fn gate(&self) -> Result<(), LedgerError> {
        for file in &self.files {
            // One that cannot be read is told of by the look.
            if let Ok(Found::New { .. }) = self.find(file).await? {
                self.ledger.block_file_begins(&file.client, &file.path.display().to_string()).await?;
            }
        }
        Ok(())
    }

    /// Looks at every list, and takes those that changed since the last look.
    ///
    /// # Errors
    /// The ledger cannot be read or written. What is wrong with a file is told, and no error.
    pub async fn look(&self) -> Result<(), LedgerError> {
        if self.files.len() > 1 {
            self.gate().await?;
        }
        for file in &self.files {
            if let Err(unread) = self.look_at(file).await? {
                self.seen().remove(file);
                let path = file.path.display().to_string();
                if self.ledger.block_file_failed(&file.client, &path, &unread).await? {
                    tracing::warn!(path, client = file.client, "the block list cannot be read: {unread}");
                }
            }
        }
        Ok(())
    }

    /// Why the list that is this source cannot be read; `None` where it can, and where the config names no such list.
    pub async fn unread(&self, client: &str, source: &str) -> Option<String> {
        let path = source.strip_prefix("file:")?;
        let file = self
            .files
            .iter()
            .find(|file| file.client == client && file.path.display().to_string() == path)?;
        match stamp(&file.path) {
            Ok(_) => self.read(&file.path).await.err(),
            Err(unread) => Some(unread),
        }
    }

    /// Whether there is something to take of a list.
    async fn find(&self, file: &BlockFile) -> Result<Result<Found, String>, LedgerError> {
        let stamp = match stamp(&file.path) {
            Ok(stamp) => stamp,
            Err(unread) => return Ok(Err(unread)),
        };
        let known = self.ledger.block_file(&file.client, &file.path.display().to_string()).await?;
        let is_taken = |digest: &Vec<u8>| {
            known.as_ref().is_some_and(|known| known.error.is_none() && known.digest.as_ref() == Some(digest))
        };
        // As it was when it was read, and the ledger still knows that: whoever lifts blocks of it by their time has it forget.
        if self.seen().get(file).is_some_and(|seen| seen.stamp == stamp && is_taken(&seen.digest)) {
            return Ok(Ok(Found::Seen));
        }
        let text = match self.read(&file.path).await {
            Ok(text) => text,
            Err(unread) => return Ok(Err(unread)),
        };
        let digest = self.digest(&text);
        Ok(Ok(match is_taken(&digest) {
            true => Found::Taken(Seen { stamp, digest }),
            false => Found::New { text, seen: Seen { stamp, digest } },
        }))
    }

    async fn look_at(&self, file: &BlockFile) -> Result<Result<(), String>, LedgerError> {
        let seen = match self.find(file).await? {
            Ok(Found::Seen) => return Ok(Ok(())),
            Ok(Found::Taken(seen)) => {
                // What was being taken is no longer in the file: it holds again what was taken before.
                self.ledger.block_file_rests(&file.client, &file.path.display().to_string()).await?;
                seen
            }
            Ok(Found::New { text, seen }) => {
                self.env.sleep(REST).await;
                // Somebody is writing it: the next look is soon.
                if stamp(&file.path).ok() != Some(seen.stamp) {
                    return Ok(Ok(()));
                }
                self.take(file, text, seen.digest.clone()).await?;
                seen
            }
            Err(unread) => return Ok(Err(unread)),
        };
        self.seen().insert(file.clone(), seen);
        Ok(Ok(()))
    }

    /// Who is there already is locked first, and while the rest of the list is read.
    async fn take(&self, file: &BlockFile, text: Vec<u8>, digest: Vec<u8>) -> Result<(), LedgerError> {
        let path = file.path.display().to_string();
        let lifts = self.ledger.block_file_begins(&file.client, &path).await?;
        let reading = self.reading.clone();
        let list = self.env.aside(move || number_list::read(&text, &*reading.to_e164)).await;
        // A panic in there is a mistake of ours; the list is tried again.
        let NumberList { numbers, bad } = list.ok_or(LedgerError::Closed)?;
        let source = source(&path);
        let (count, mut added, mut later) = (numbers.len(), Added::default(), Vec::new());
        for chunk in numbers.chunks(LOOKED_UP) {
            let missing = self.ledger.numbers_not_blocked(&file.client, &source, chunk.to_vec()).await?;
            let borne = self.ledger.numbers_borne(missing.clone()).await?;
            let (first, rest): (Vec<_>, Vec<_>) =
                missing.into_iter().partition(|number| borne.contains(number));
            later.extend(rest);
            self.block(file, &first, &mut added).await?;
        }
        self.block(file, &later, &mut added).await?;
        let Added { new, locked } = added;
        let client = file.client.clone();
        tracing::info!(path, client, numbers = count, new, contacts_locked = locked, "block list read");
        // Their numbers only: what stands in a line may be somebody's telephone.
        let bad_lines: Vec<u64> = bad.iter().map(|bad| bad.line).take(NAMED).collect();
        if !bad.is_empty() {
            tracing::warn!(path, lines = ?bad_lines, bad = bad.len(), "lines of the block list name no valid number: NOT blocked");
        }
        let taken = BlockFileTaken { client, path, digest, numbers: count, lifts, bad: bad.len(), bad_lines };
        self.ledger.block_file_taken(taken).await
    }

    async fn block(
        &self,
        file: &BlockFile,
        numbers: &[String],
        added: &mut Added,
    ) -> Result<(), LedgerError> {
        let path = file.path.display().to_string();
        let block = |number: &String| Block {
            subject: BlockSubject::Number(number.clone()),
            reason: Reason::new(ReasonCode::BlockedByHand).with("text", format!("listed in {path}")),
            source: source(&path),
            since: self.env.now(),
            said_last: self.env.now(),
            until: None,
            who: None,
        };
        for few in numbers.chunks(CHUNK) {
            let blocks = few.iter().map(block).collect();
            for one in self.ledger.blocks_import(&file.client, blocks).await? {
                added.new += usize::from(one.new);
                added.locked += one.links_locked;
            }
        }
        Ok(())
    }

    async fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        let path = path.to_owned();
        let read = self.env.aside(move || std::fs::read(path)).await;
        read.unwrap_or_else(|| Err(std::io::Error::other("the reading broke off")))
            .map_err(|error| error.to_string())
    }

    fn digest(&self, text: &[u8]) -> Vec<u8> {
        let mut digest = Sha256::new();
        digest.update(self.reading.country.as_bytes());
        digest.update([0]);
        digest.update(text);
        digest.finalize().to_vec()
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, HashMap<BlockFile, Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a list's blocks have as their source.
fn source(path: &str) -> String {
    format!("file:{path}")
}

fn stamp(path: &Path) -> Result<Stamp, String> {
    let found = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !found.is_file() {
        return Err("it is no file".to_owned());
    }
    if found.len() > MOST_BYTES {
        return Err(format!("it has more than {} MiB: that is no list of numbers", MOST_BYTES >> 20));
    }
    Ok(Stamp {
        inode: (found.dev(), found.ino()),
        length: found.len(),
        modified: (found.mtime(), found.mtime_nsec()),
        changed: (found.ctime(), found.ctime_nsec()),
    })
}
