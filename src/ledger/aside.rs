//! A look over the whole ledger in a copy beside it: nobody waits for the minutes that it takes, least of all the
//! writer. The copy is taken away afterwards, and so is one that a crash left.

use super::check::{self, Checked};
use super::interrupt::until_shutdown;
use super::sql::{get_named, get_time, time};
use super::{BackupError, Ledger, LedgerError, readers};
use crate::domain::Timestamp;
use chrono::TimeDelta;
use rusqlite::OptionalExtension as _;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// How a look ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "result", content = "text", rename_all = "snake_case")]
pub enum Look {
    /// Nothing is wrong.
    Sound,
    /// Something is; what, the first few.
    Wrong(String),
    /// Nobody could look; why, and what to do.
    NotLooked(String),
}

/// The newest look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastLook {
    /// When.
    pub at: Timestamp,
    /// How it ended.
    #[serde(flatten)]
    pub look: Look,
}

/// So long looks are remembered.
const REMEMBERED: TimeDelta = TimeDelta::days(90);

/// So many findings stand in the text; `ledger check` names the others.
const TOLD: usize = 3;

impl Ledger {
    /// Copies the ledger, looks the copy over, takes it away, and keeps how that ended. `None`: shutdown broke it off.
    ///
    /// # Errors
    /// How it ended cannot be stored.
    pub async fn look_aside(&self) -> Result<Option<Look>, LedgerError> {
        let copy = copy_of(self.path());
        remove(&copy);
        let look = self.look_at(&copy).await;
        remove(&copy);
        if self.env.shutdown().is_cancelled() {
            return Ok(None);
        }
        let (look, damage) = look;
        self.look_store(look.clone()).await?;
        // Damage ends the daemon, whoever meets it; stored before, so that status can say it.
        if let Some(damage) = damage {
            self.health.judge(&Err::<(), _>(LedgerError::Damaged(damage)));
        }
        Ok(Some(look))
    }

    /// The look, and what SQLite said if the file itself is damaged.
    async fn look_at(&self, copy: &Path) -> (Look, Option<String>) {
        if let Err(why) = self.has_room() {
            return (Look::NotLooked(why), None);
        }
        match self.backup(copy.to_owned()).await {
            Ok(_) => {}
            Err(BackupError::Unreadable(detail)) => return (Look::Wrong(detail.clone()), Some(detail)),
            // Rows that the schema does not allow: wrong, and no reason to stop.
            Err(BackupError::Damaged(detail)) => return (Look::Wrong(detail), None),
            Err(error @ (BackupError::Exists(_) | BackupError::Failed { .. })) => {
                return (Look::NotLooked(error.to_string()), None);
            }
        }
        let path = copy.to_owned();
        let looked = until_shutdown(&self.env, move |handles| {
            let mut connection = readers::open(&path)?;
            let _nobody_waits = handles.send(connection.get_interrupt_handle());
            check::look(&mut connection)
        });
        match looked.await.map(|looked| looked.map_err(|error| LedgerError::sort("look_aside", &error))) {
            Some(Ok(found)) => (judged(&found), None),
            Some(Err(LedgerError::Damaged(detail))) => (Look::Wrong(detail.clone()), Some(detail)),
            Some(Err(error)) => (Look::NotLooked(error.to_string()), None),
            None => (Look::NotLooked("the look broke off".to_owned()), None),
        }
    }

    /// Twice the ledger must be free: the copy, and as much again for whoever writes meanwhile.
    fn has_room(&self) -> Result<(), String> {
        let size = |path: &Path| std::fs::metadata(path).map_or(0, |meta| meta.len());
        let needed = 2 * (size(self.path()) + size(&suffixed(self.path(), "-wal")));
        let folder = self.path().parent().unwrap_or(Path::new("/"));
        match self.env.free_bytes(folder) {
            Ok(free) if free >= needed => Ok(()),
            Ok(free) => Err(format!(
                "{} MB are free in {}, and a copy of the ledger to look over needs {} MB; make room there",
                free >> 20,
                folder.display(),
                (needed >> 20).max(1)
            )),
            Err(error) => Err(format!("it cannot be told how much is free in {}: {error}", folder.display())),
        }
    }

    async fn look_store(&self, look: Look) -> Result<(), LedgerError> {
        let now = self.env.now();
        let (result, text) = match look {
            Look::Sound => ("sound", String::new()),
            Look::Wrong(text) => ("wrong", text),
            Look::NotLooked(text) => ("not_looked", text),
        };
        self.write("look_store", move |tx| {
            tx.execute("DELETE FROM looks WHERE at < ?1", [time(now - REMEMBERED)])?;
            tx.execute(
                "INSERT OR REPLACE INTO looks (at, result, text) VALUES (?1, ?2, ?3)",
                (time(now), result, text),
            )?;
            Ok(())
        })
        .await
    }

    /// The newest look; `None` before the first.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn look_last(&self) -> Result<Option<LastLook>, LedgerError> {
        self.read("look_last", |connection| {
            connection
                .prepare_cached("SELECT at, result, text FROM looks ORDER BY at DESC LIMIT 1")?
                .query_row([], |row| {
                    let text: String = row.get("text")?;
                    let look = match get_named(row, "result", Kind::parse)? {
                        Kind::Sound => Look::Sound,
                        Kind::Wrong => Look::Wrong(text),
                        Kind::NotLooked => Look::NotLooked(text),
                    };
                    Ok(LastLook { at: get_time(row, "at")?, look })
                })
                .optional()
        })
        .await
    }

    /// Since when nobody looked: the newest look, or the first run of a ledger that nobody looked over yet.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn unlooked_since(&self) -> Result<Option<Timestamp>, LedgerError> {
        let last = self.look_last().await?.map(|last| last.at);
        if last.is_some() {
            return Ok(last);
        }
        self.read("unlooked_since", |connection| {
            connection
                .prepare_cached("SELECT started_at FROM runs ORDER BY id LIMIT 1")?
                .query_row([], |row| get_time(row, "started_at"))
                .optional()
        })
        .await
    }
}

enum Kind {
    Sound,
    Wrong,
    NotLooked,
}

impl Kind {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "sound" => Self::Sound,
            "wrong" => Self::Wrong,
            "not_looked" => Self::NotLooked,
            _ => return None,
        })
    }
}

fn judged(found: &[Checked]) -> Look {
    let wrong: Vec<String> = found
        .iter()
        .flat_map(|checked| checked.wrong.iter().map(|wrong| format!("{}: {wrong}", checked.what)))
        .collect();
    match wrong.len() {
        0 => Look::Sound,
        many => {
            let told = wrong.iter().take(TOLD).cloned().collect::<Vec<_>>().join("; ");
            let more = if many > TOLD { format!("; and {} more", many - TOLD) } else { String::new() };
            Look::Wrong(told + &more)
        }
    }
}

/// Where the copy lies: beside the ledger, in the folder that the service may write.
fn copy_of(ledger: &Path) -> PathBuf {
    suffixed(ledger, ".look")
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn remove(copy: &Path) {
    for suffix in ["", ".part", "-journal", ".part-journal", "-wal", "-shm"] {
        let file = suffixed(copy, suffix);
        match std::fs::remove_file(&file) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(%error, file = %file.display(), "a copy of the ledger cannot be taken away; remove it");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::Env;
    use crate::ledger::testing::{Scene, scene, spoil};

    /// A scene with what every ledger has that a daemon used.
    async fn at_home() -> Scene {
        let scene = scene().await;
        let here =
            "INSERT INTO identity (id, instance, generation, path, since) VALUES (1, 'x', 1, '/x', '2030')";
        scene.ledger.write("test_identity", move |tx| tx.execute(here, [])).await.expect("written");
        scene
    }

    fn beside(ledger: &Ledger) -> Vec<String> {
        let folder = ledger.path().parent().expect("a folder");
        let names =
            std::fs::read_dir(folder).expect("listed").map(|entry| entry.expect("an entry").file_name());
        names.map(|name| name.to_string_lossy().into_owned()).filter(|name| name.contains(".look")).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_sound_ledger_is_called_so_and_no_copy_stays_also_none_that_a_crash_left() {
        let scene = at_home().await;
        let link = scene.link("1", Some(11), &[]).await;
        scene.operation(link, "update", "waiting").await;
        for left in ["", ".part"] {
            std::fs::write(suffixed(&copy_of(scene.ledger.path()), left), "half a copy").expect("written");
        }
        assert_eq!(scene.ledger.look_last().await.expect("read"), None);
        assert_eq!(scene.ledger.look_aside().await.expect("stored"), Some(Look::Sound));
        let last = scene.ledger.look_last().await.expect("read").expect("a look");
        assert_eq!((last.look, last.at), (Look::Sound, scene.ledger.env.now()));
        assert_eq!(beside(&scene.ledger), Vec::<String>::new());
    }

    #[tokio::test(start_paused = true)]
    async fn what_no_row_may_say_is_wrong_and_the_ledger_itself_goes_on() {
        let scene = at_home().await;
        let link = scene.link("1", Some(11), &[]).await;
        scene.operation(link, "update", "waiting").await;
        let spoil = scene.ledger.write("test_spoil", |tx| {
            tx.execute("UPDATE operations SET finished_at = created_at, generation = 99", [])
        });
        spoil.await.expect("spoiled");
        let look = scene.ledger.look_aside().await.expect("stored").expect("to its end");
        assert!(matches!(&look, Look::Wrong(text) if text.contains("waits and has an end")), "{look:?}");
        assert_eq!(scene.ledger.look_last().await.expect("read").expect("a look").look, look);
        assert_eq!(beside(&scene.ledger), Vec::<String>::new());
        scene.ledger.writer_answers().await.expect("it goes on");
    }

    #[tokio::test(start_paused = true)]
    async fn no_copy_is_begun_where_there_is_no_room_for_it() {
        let mut scene = at_home().await;
        scene.ledger.env = scene.ledger.env.with_free_bytes(4096);
        let look = scene.ledger.look_aside().await.expect("stored").expect("to its end");
        assert!(matches!(&look, Look::NotLooked(text) if text.contains("make room")), "{look:?}");
        assert_eq!(beside(&scene.ledger), Vec::<String>::new());
    }

    #[tokio::test(start_paused = true)]
    async fn shutdown_breaks_a_look_off_and_leaves_no_copy() {
        let scene = at_home().await;
        scene.ledger.env.shutdown().cancel();
        assert_eq!(scene.ledger.look_aside().await.expect("ended"), None);
        assert_eq!(scene.ledger.look_last().await.expect("read"), None, "that is no finding");
        assert_eq!(beside(&scene.ledger), Vec::<String>::new());
    }

    #[tokio::test]
    async fn damage_is_said_kept_and_ends_the_use_of_the_ledger() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ledger.sqlite");
        drop(Ledger::open(&path, Env::real()).await.expect("a new ledger"));
        // Its connection is closed by then.
        Env::real().sleep(std::time::Duration::from_millis(200)).await;
        spoil(&path, "hints");
        let ledger = Ledger::open(&path, Env::real()).await.expect("its other pages are well");
        let failure = ledger.failure();
        let look = ledger.look_aside().await.expect("stored").expect("to its end");
        assert!(matches!(&look, Look::Wrong(text) if text.contains("malformed")), "{look:?}");
        assert_eq!(ledger.look_last().await.expect("read").expect("a look").look, look);
        assert!(failure.await.to_string().contains("backup"));
        assert_eq!(beside(&ledger), Vec::<String>::new());
    }
}
