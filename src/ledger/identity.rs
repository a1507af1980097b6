//! Whether the ledger is at home, and what differs from what it remembers. While a difference stands nothing but
//! locks is sent (`acts`).

use super::halts::Reach;
use super::sql::{get_reason, get_time, get_time_opt, time};
use super::{Ledger, LedgerError, mark};
use crate::domain::identity::{Difference, Here, Known, Mark, MarkSeen, Watch, differences};
use crate::domain::{Reason, ReasonCode};
use rusqlite::{Connection, OptionalExtension as _};
use sha2::{Digest as _, Sha256};

/// The subject of differences of the ledger itself.
const LEDGER: &str = "ledger";

impl Ledger {
    /// At the start: compares where the ledger lies, and what was last seen there, with what it remembers. A new
    /// ledger is at home where it is made. Answers all differences that stand. `machine` is the machine's own id.
    ///
    /// # Errors
    /// The ledger, or the file beside it, cannot be written.
    pub async fn identity_begin(
        &self,
        machine: Option<String>,
        watch: Watch,
    ) -> Result<Vec<Difference>, LedgerError> {
        let seen = self.mark_seen().await?;
        let Some(known) = self.identity_known().await? else {
            return self.identity_first(machine, seen).await;
        };
        let here = self.here(&known.mark.instance, machine.as_deref());
        let found = differences(&known, &here, &seen, watch);
        self.differences_set(LEDGER, found).await?;
        self.mark_keep().await?;
        self.differences_standing().await
    }

    /// A ledger that has no identity yet: it is new, or comes from before there was one.
    async fn identity_first(
        &self,
        machine: Option<String>,
        seen: MarkSeen,
    ) -> Result<Vec<Difference>, LedgerError> {
        // No two ledgers are made at one place in one microsecond.
        let made = format!("{} {}", time(self.env.now()), self.path().display());
        let instance = keyed(&made, machine.as_deref().unwrap_or_default());
        let mark = Mark { instance, generation: 1, commits: 0 };
        let here = self.here(&mark.instance, machine.as_deref());
        let used = self.read("identity_used", |connection| {
            connection.query_row("SELECT EXISTS (SELECT 1 FROM runs)", [], |row| row.get::<_, bool>(0))
        });
        let restored = used.await? && seen != MarkSeen::Missing;
        if !restored {
            // Before the row: a row without its file would count as restored.
            self.mark_write(mark.clone()).await?;
        }
        let now = time(self.env.now());
        let instance = mark.instance;
        self.write("identity_first", move |tx| {
            tx.execute(
                "INSERT INTO identity (id, instance, generation, host, path, since) VALUES (1, ?1, 1, ?2, ?3, ?4)",
                (instance, here.host, here.path, now),
            )
        })
        .await?;
        let replaced = restored.then(|| Reason::new(ReasonCode::LedgerReplaced));
        self.differences_set(LEDGER, replaced.into_iter().collect()).await?;
        self.differences_standing().await
    }

    /// What differs now, the oldest first.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn differences_standing(&self) -> Result<Vec<Difference>, LedgerError> {
        self.read("differences_standing", |connection| {
            connection
                .prepare_cached("SELECT * FROM differences WHERE ended_at IS NULL ORDER BY id")?
                .query_map([], difference_row)?
                .collect()
        })
        .await
    }

    /// What was found of one subject: what is new stands from now on; what is gone by itself ended (a ledger that is
    /// back in its old place, an address that was corrected). That memory is missing does not mend itself.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn differences_set(&self, subject: &str, found: Vec<Reason>) -> Result<(), LedgerError> {
        let standing = self.differences_standing().await?;
        let standing: Vec<Reason> =
            standing.into_iter().filter(|d| d.subject == subject).map(|d| d.reason).collect();
        if standing == found {
            return Ok(());
        }
        let (subject, now) = (subject.to_owned(), time(self.env.now()));
        let news = found.iter().any(|reason| standing.iter().all(|known| known.code != reason.code));
        self.write("differences_set", move |tx| {
            for known in standing.iter().filter(|known| mends_itself(known)) {
                if found.iter().all(|reason| reason.code != known.code) {
                    tx.execute(
                        "UPDATE differences SET ended_at = ?3, ended_by = 'dialbridge: mended'
                         WHERE subject = ?1 AND code = ?2 AND ended_at IS NULL",
                        (&subject, known.code.as_str(), &now),
                    )?;
                }
            }
            for reason in &found {
                tx.execute(
                    "INSERT INTO differences (subject, code, params, since) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (subject, code) WHERE ended_at IS NULL DO UPDATE SET params = excluded.params",
                    (&subject, reason.code.as_str(), reason.params_json(), &now),
                )?;
            }
            Ok(())
        })
        .await?;
        if news {
            self.halt(Reach::AllButLocks);
        }
        Ok(())
    }

    /// The work goes on from here: the ledger is at home where it lies, under a generation above every one seen, and
    /// no difference stands any more. Answers the generation.
    ///
    /// # Errors
    /// The ledger, or the file beside it, cannot be written.
    pub async fn identity_take_over(&self, machine: Option<String>, who: String) -> Result<i64, LedgerError> {
        let seen = match self.mark_seen().await? {
            MarkSeen::Seen(mark) => mark.generation,
            MarkSeen::Missing => 0,
        };
        let known = self.identity_known().await?;
        let Some(known) = known else { return Ok(0) };
        let here = self.here(&known.mark.instance, machine.as_deref());
        let now = time(self.env.now());
        let generation = self
            .write("identity_take_over", move |tx| {
                tx.execute(
                    "UPDATE differences SET ended_at = ?1, ended_by = ?2 WHERE ended_at IS NULL",
                    (&now, who),
                )?;
                tx.query_row(
                    "UPDATE identity SET generation = max(generation, ?1) + 1, host = ?2, path = ?3, backup_at = NULL,
                            since = ?4
                     RETURNING generation",
                    (seen, here.host, here.path, &now),
                    |row| row.get(0),
                )
            })
            .await?;
        self.mark_keep().await?;
        // What the trail is now is this generation's beginning: no later backup may take it away unseen.
        self.trail_head_keep().await?;
        Ok(generation)
    }

    /// Writes beside the ledger how far it has come. While something differs what stands there is evidence, and stays.
    ///
    /// # Errors
    /// The file cannot be written, or the ledger not be read.
    pub async fn mark_keep(&self) -> Result<(), LedgerError> {
        let Some(known) = self.identity_known().await? else { return Ok(()) };
        if !self.differences_standing().await?.is_empty() {
            return Ok(());
        }
        if self.mark_seen().await? == MarkSeen::Seen(known.mark.clone()) {
            return Ok(());
        }
        self.mark_write(known.mark).await
    }

    /// What names this ledger, also after it was restored; `None` before it has an identity.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn instance(&self) -> Result<Option<String>, LedgerError> {
        Ok(self.identity_known().await?.map(|known| known.mark.instance))
    }

    async fn identity_known(&self) -> Result<Option<Known>, LedgerError> {
        self.read("identity_known", known).await
    }

    fn here(&self, instance: &str, machine: Option<&str>) -> Here {
        let path = std::fs::canonicalize(self.path()).unwrap_or_else(|_| self.path().to_owned());
        Here { host: machine.map(|id| keyed(instance, id)), path: path.to_string_lossy().into_owned() }
    }

    async fn mark_seen(&self) -> Result<MarkSeen, LedgerError> {
        let path = self.path().to_owned();
        self.env.aside(move || mark::read(&path)).await.ok_or(LedgerError::Closed)
    }

    async fn mark_write(&self, mark: Mark) -> Result<(), LedgerError> {
        let path = self.path().to_owned();
        let written = self.env.aside(move || mark::write(&path, &mark)).await;
        written
            .ok_or(LedgerError::Closed)?
            .map_err(|error| LedgerError::NotWritable(format!("the file .generation beside it: {error}")))
    }
}

/// Whether a difference that is no longer found was mended.
fn mends_itself(reason: &Reason) -> bool {
    matches!(reason.code, ReasonCode::OtherHost | ReasonCode::OtherPath | ReasonCode::OtherPeople)
}

/// A machine's id is not to be spread; by this hash only this ledger knows it again.
fn keyed(instance: &str, machine: &str) -> String {
    let digest = Sha256::digest(format!("{instance}\n{machine}"));
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn known(connection: &Connection) -> rusqlite::Result<Option<Known>> {
    connection
        .prepare_cached("SELECT i.*, c.number FROM identity i, commits c")?
        .query_row([], |row| {
            Ok(Known {
                home: Here { host: row.get("host")?, path: row.get("path")? },
                mark: Mark {
                    instance: row.get("instance")?,
                    generation: row.get("generation")?,
                    commits: row.get("number")?,
                },
                backup_at: get_time_opt(row, "backup_at")?,
            })
        })
        .optional()
}

fn difference_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Difference> {
    Ok(Difference {
        subject: row.get("subject")?,
        reason: get_reason(row, "code", "params")?,
        since: get_time(row, "since")?,
    })
}
