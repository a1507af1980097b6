//! The one writer: collects commands and runs each group in one IMMEDIATE transaction.
//!
//! A tokio task, not a thread of its own, and one piece of work aside per group that takes the connection
//! and gives it back: with a private thread paused time would run away, with one long blocking task it
//! would stand still (semantics 12). `synchronous=FULL` costs a disk flush per group, so commands that
//! arrive together share it.

use super::error::LedgerError;
use super::health::Health;
use crate::env::{Env, crash};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// At most so many commands share a transaction.
const GROUP: usize = 256;
/// How long the first command of a group waits for company, once others were seen waiting.
const GATHER: Duration = Duration::from_millis(5);

type Body = Box<dyn FnOnce(&Transaction<'_>) -> Result<(), rusqlite::Error> + Send>;
type Finish = Box<dyn FnOnce(Result<(), LedgerError>) + Send>;

/// How much a command does: what fails takes with it no more than that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// Any number of statements: they stand in a savepoint, which copies every page they change.
    Many,
    /// One statement: one that fails undoes itself.
    One,
}

pub(super) struct Command {
    what: &'static str,
    extent: Extent,
    body: Body,
    finish: Finish,
}

/// The writer's entrance; cheap to clone.
#[derive(Clone)]
pub(super) struct Writer {
    /// Unbounded: each asker waits for its own answer, so there are never more commands than askers. A
    /// bounded channel hands its places to askers that may not be polled (see `readers`).
    commands: mpsc::UnboundedSender<Command>,
    /// Goes up with every commit that queued a lock.
    locks: watch::Receiver<u64>,
}

impl Writer {
    /// Starts the task; it ends when the last `Writer` is dropped, and closes the connection.
    pub(super) fn start(connection: Connection, health: Health, env: Env) -> Self {
        let (commands, inbox) = mpsc::unbounded_channel();
        let (queued, locks) = watch::channel(0);
        tokio::spawn(run(connection, inbox, queued, health, env));
        Self { commands, locks }
    }

    /// Changes with every commit that queued a lock, whatever queued it: a page, a sweep, a block.
    pub(super) fn locks_queued(&self) -> watch::Receiver<u64> {
        self.locks.clone()
    }

    /// Runs `body` in a transaction and answers once it is on disk.
    ///
    /// A command that fails takes nothing with it.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        what: &'static str,
        body: impl FnOnce(&Transaction<'_>) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let (reply, answer) = oneshot::channel();
        let slot = std::sync::Arc::new(std::sync::Mutex::new(None));
        let filled = slot.clone();
        let fill = move |transaction: &Transaction<'_>| {
            let value = body(transaction)?;
            *filled.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(value);
            Ok(())
        };
        self.post(what, Extent::Many, fill, move |result| {
            // The asker may be gone (shutdown); what it asked is stored all the same.
            let _gone = reply.send(result);
        });
        answer.await.map_err(|_| LedgerError::Closed)??;
        let value = slot.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        value.ok_or(LedgerError::Closed)
    }

    /// The same for whoever does not wait: in its turn, and `finish` is told how it ended.
    pub(super) fn post(
        &self,
        what: &'static str,
        extent: Extent,
        body: impl FnOnce(&Transaction<'_>) -> Result<(), rusqlite::Error> + Send + 'static,
        finish: impl FnOnce(Result<(), LedgerError>) + Send + 'static,
    ) {
        let command = Command { what, extent, body: Box::new(body), finish: Box::new(finish) };
        if let Err(mpsc::error::SendError(command)) = self.commands.send(command) {
            (command.finish)(Err(LedgerError::Closed));
        }
    }
}

async fn run(
    connection: Connection,
    mut inbox: mpsc::UnboundedReceiver<Command>,
    locks_queued: watch::Sender<u64>,
    health: Health,
    env: Env,
) {
    let mut connection = Some(connection);
    let (mut company, mut last) = (1, Duration::ZERO);
    while let Some(first) = inbox.recv().await {
        let group = gather(first, &mut inbox, company, last).await;
        company = group.len();
        let Some(mut taken) = connection.take() else { return };
        let ran = env.aside(move || {
            let results = run_group(&mut taken, group);
            (taken, results)
        });
        // A panic inside a statement loses the connection: the ledger closes, the daemon stops.
        let Some((given_back, Ran { finished, lock_queued, commit })) = ran.await else {
            return health.judge(&Err::<(), _>(LedgerError::WriterDied));
        };
        connection = Some(given_back);
        last = commit;
        if lock_queued {
            locks_queued.send_modify(|commits| *commits += 1);
        }
        for (finish, result) in finished {
            finish(result);
        }
    }
    // No `PRAGMA optimize`: what it counts on the first evening, before anybody has a contact, says for months that the index by
    // contact is empty, and a block by number walks past every link (measured: 60 ms each at 40,000). Statements are written, and
    // their plans tested, for a ledger without statistics.
    if let Some(connection) = connection {
        let closed = env.aside(move || {
            // All in the one file, also where a reader is the last to go: it could not do it.
            connection
                .execute_batch("PRAGMA wal_checkpoint(TRUNCATE);")
                .and_then(|()| connection.close().map_err(|(_, error)| error))
        });
        if let Some(Err(error)) = closed.await {
            tracing::warn!(error = %error, "the ledger was not closed cleanly; the next start repairs it");
        }
    }
}

/// A lone command goes at once. Where others came together last time, the group waits for as many, though no longer
/// than the last commit took: on a slow disk that saves flushes, on a quick one it would cost more than it saves.
async fn gather(
    first: Command,
    inbox: &mut mpsc::UnboundedReceiver<Command>,
    company: usize,
    last: Duration,
) -> Vec<Command> {
    let mut group = vec![first];
    while group.len() < GROUP {
        match inbox.try_recv() {
            Ok(command) => group.push(command),
            Err(_) => break,
        }
    }
    let company = company.min(GROUP);
    let most = GATHER.min(last);
    // The runtime's clock has no shorter time.
    if group.len() < company && most >= Duration::from_millis(1) {
        let deadline = tokio::time::Instant::now() + most;
        while group.len() < company {
            match tokio::time::timeout_at(deadline, inbox.recv()).await {
                Ok(Some(command)) => group.push(command),
                Ok(None) | Err(_) => break,
            }
        }
    }
    group
}

type Finished = Vec<(Finish, Result<(), LedgerError>)>;

/// What became of a group.
struct Ran {
    finished: Finished,
    /// Whether it queued a lock.
    lock_queued: bool,
    /// How long its commit took: mostly the disk's time.
    commit: Duration,
}

fn run_group(connection: &mut Connection, group: Vec<Command>) -> Ran {
    let transaction = match connection.transaction_with_behavior(TransactionBehavior::Immediate) {
        Ok(transaction) => transaction,
        Err(error) => {
            let failed = |command: Command| (command.finish, Err(LedgerError::sort(command.what, &error)));
            let finished = group.into_iter().map(failed).collect();
            return Ran { finished, lock_queued: false, commit: Duration::ZERO };
        }
    };
    let newest = newest_operation(&transaction);
    let before = transaction.total_changes();
    let mut finished: Vec<(&'static str, Finish, Result<(), LedgerError>)> = Vec::with_capacity(group.len());
    for command in group {
        let result = run_one(&transaction, command.extent, command.body)
            .map_err(|error| LedgerError::sort(command.what, &error));
        crash::inside_commit(command.what);
        finished.push((command.what, command.finish, result));
    }
    let lock_queued = newest.and_then(|newest| lock_waits_after(&transaction, newest));
    let counted = count_commit(&transaction, before);
    let began = tokio::time::Instant::now();
    let committed = counted.and_then(|()| transaction.commit());
    let commit = began.elapsed();
    let lock_queued = committed.is_ok() && lock_queued.unwrap_or(false);
    let finished = finished
        .into_iter()
        .map(|(what, finish, result)| match &committed {
            Ok(()) => (finish, result),
            Err(error) => (finish, Err(LedgerError::sort(what, error))),
        })
        .collect();
    Ran { finished, lock_queued, commit }
}

/// A transaction that changes something is counted: by that an older copy of the ledger is known.
fn count_commit(transaction: &Transaction<'_>, changes_before: u64) -> rusqlite::Result<()> {
    if transaction.total_changes() > changes_before {
        transaction.prepare_cached("UPDATE commits SET number = number + 1")?.execute([])?;
    }
    Ok(())
}

fn newest_operation(transaction: &Transaction<'_>) -> rusqlite::Result<i64> {
    transaction.prepare_cached("SELECT coalesce(max(id), 0) FROM operations")?.query_row([], |row| row.get(0))
}

fn lock_waits_after(transaction: &Transaction<'_>, newest: i64) -> rusqlite::Result<bool> {
    transaction
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM operations WHERE id > ?1 AND kind = 'lock' AND state = 'waiting')",
        )?
        .query_row([newest], |row| row.get(0))
}

fn run_one(transaction: &Transaction<'_>, extent: Extent, body: Body) -> Result<(), rusqlite::Error> {
    match extent {
        Extent::One => return body(transaction),
        Extent::Many => {}
    }
    transaction.prepare_cached("SAVEPOINT command")?.execute([])?;
    match body(transaction) {
        Ok(()) => transaction.prepare_cached("RELEASE command")?.execute([]).map(|_| ()),
        Err(error) => {
            transaction.execute_batch("ROLLBACK TO command; RELEASE command")?;
            Err(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Ledger;
    use crate::env::Env;
    use std::sync::mpsc;
    use std::time::Duration;

    /// Whoever had it before may be closing it still.
    async fn opened(path: &std::path::Path) -> Ledger {
        loop {
            match Ledger::open(path, Env::real()).await {
                Ok(ledger) => return ledger,
                Err(_) => assert!(Env::real().sleep(Duration::from_millis(20)).await, "nothing ends"),
            }
        }
    }

    /// A ledger that an earlier program closed while nobody had a contact yet.
    #[tokio::test]
    async fn plans_hang_on_no_statistics_of_an_earlier_evening() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ledger.sqlite");
        let statistics = || {
            let connection = rusqlite::Connection::open(&path).expect("opens");
            let count = "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'sqlite_stat%'";
            connection.query_row(count, [], |row| row.get::<_, i64>(0)).expect("a count")
        };
        drop(opened(&path).await);
        drop(opened(&path).await);
        assert_eq!(statistics(), 0, "no end makes any");
    }

    async fn commits(ledger: &Ledger) -> i64 {
        let number = |connection: &rusqlite::Connection| {
            connection.query_row("SELECT number FROM commits", [], |row| row.get(0))
        };
        ledger.read("test_commits", number).await.expect("read")
    }

    /// The real thing: threads of its own, WAL, every commit flushed.
    async fn ledger(folder: &tempfile::TempDir) -> Ledger {
        Ledger::open(&folder.path().join("ledger.sqlite"), Env::real()).await.expect("a new ledger")
    }

    #[tokio::test]
    async fn writes_that_come_together_share_a_commit() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder).await;
        let before = commits(&ledger).await;
        let one = |n: i64| {
            ledger.write("test_meta", move |tx| {
                tx.execute("INSERT INTO meta VALUES (?1, '')", [n.to_string()]).map(|_| ())
            })
        };
        let ends = futures_util::future::join_all((0..40).map(one)).await;
        assert!(ends.iter().all(Result::is_ok), "{ends:?}");
        let took = commits(&ledger).await - before;
        assert!((1..20).contains(&took), "40 writes took {took} commits");
    }

    #[tokio::test]
    async fn a_reader_waits_for_no_writer() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder).await;
        let (go_on, wait) = mpsc::channel::<()>();
        let (began, begins) = tokio::sync::oneshot::channel();
        let write = ledger.write("test_long", move |tx| {
            tx.execute("UPDATE commits SET number = number + 1000", [])?;
            let _asked = began.send(());
            let _released = wait.recv_timeout(Duration::from_secs(20));
            Ok(())
        });
        let read = async {
            begins.await.expect("the write is under way");
            let read = tokio::time::timeout(Duration::from_secs(10), commits(&ledger)).await;
            go_on.send(()).expect("it still waits");
            read.expect("answered beside the write")
        };
        let (written, read) = tokio::join!(write, read);
        written.expect("written");
        assert!(read < 1000, "what is not committed is seen by nobody");
    }
}
