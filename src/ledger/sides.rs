//! With whom the ledger talks: the addresses under which each side was found to be what it was, and the sample by
//! which it is known again.

use super::sql::{get_json, time};
use super::{Ledger, LedgerError};
use crate::domain::identity::Difference;
use crate::domain::{ContactId, Reason, RecordId, RouteName};
use rusqlite::OptionalExtension as _;
use serde_json::Value;

/// A linked record, by what it is known again.
#[derive(Debug, Clone, PartialEq)]
pub struct SampledRecord {
    /// Its id.
    pub record: RecordId,
    /// The name that both sides last agreed on, as the CRM has it.
    pub name: Option<Value>,
    /// Its numbers in E.164.
    pub numbers: Vec<String>,
}

/// Who says that a side is the one that is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SideBy {
    /// Its sample agrees.
    Sample,
    /// A person; until its sample agrees that is not asked again.
    Person,
}

/// What is known of a side after a look at it.
#[derive(Debug, Clone, PartialEq)]
pub enum SideSeen {
    /// The one it was, where it was; or one that a person took over.
    AsBefore,
    /// The one it was, at another address.
    Moved {
        /// Where it was.
        was: String,
    },
    /// Another one.
    Differs(Difference),
}

/// Half of a sample are the newest (a copy of last week lacks them), half stand anywhere.
const NEWEST_AND_SOME: &str =
    "WITH known AS (SELECT id, row_number() OVER (ORDER BY id DESC) AS age FROM found),
        chosen AS (SELECT id FROM known WHERE age <= :half
                   UNION SELECT id FROM (SELECT id FROM known WHERE age > :half
                                         ORDER BY (id * 2654435761) % 4294967296 LIMIT :half))";

impl Ledger {
    /// Linked records of a route that the CRM should know, with what they are known by.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn sample_records(
        &self,
        route: RouteName,
        most: u32,
    ) -> Result<Vec<SampledRecord>, LedgerError> {
        self.read("sample_records", move |connection| {
            let sql = NEWEST_AND_SOME.replace(
                "WITH known",
                "WITH found AS (
                     SELECT l.id FROM links l JOIN records d ON d.route = l.route AND d.record_id = l.record_id
                     WHERE l.route = :route AND l.contact_id IS NOT NULL AND d.state = 'linked'
                       AND NOT EXISTS (SELECT 1 FROM record_absences a
                                       WHERE a.route = l.route AND a.record_id = l.record_id)),
                 known",
            );
            connection
                .prepare_cached(&format!(
                    "{sql} SELECT l.record_id, CAST(json_extract(l.base, '$.Name.crm') AS TEXT) AS name,
                            (SELECT json_group_array(n.number) FROM link_numbers n WHERE n.link_id = l.id) AS numbers
                     FROM chosen c JOIN links l ON l.id = c.id ORDER BY l.id DESC"
                ))?
                .query_map(rusqlite::named_params! { ":route": route.0, ":half": most / 2 }, |row| {
                    Ok(SampledRecord {
                        record: RecordId(row.get("record_id")?),
                        name: row.get::<_, Option<String>>("name")?.map(Value::from),
                        numbers: get_json(row, "numbers")?,
                    })
                })?
                .collect()
        })
        .await
    }

    /// Contacts that the dialler should know, with their UserData.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn sample_contacts(&self, most: u32) -> Result<Vec<(ContactId, String)>, LedgerError> {
        self.read("sample_contacts", move |connection| {
            let sql = NEWEST_AND_SOME.replace(
                "WITH known",
                "WITH found AS (
                     SELECT l.id FROM links l LEFT JOIN contacts c ON c.contact_id = l.contact_id
                     WHERE l.route IS NOT NULL AND l.contact_id IS NOT NULL AND l.user_data IS NOT NULL
                       AND l.vanished_at IS NULL AND l.absent_at IS NULL
                       AND c.asked_at IS NULL AND c.gone_at IS NULL),
                 known",
            );
            connection
                .prepare_cached(&format!(
                    "{sql} SELECT l.contact_id, l.user_data FROM chosen c JOIN links l ON l.id = c.id ORDER BY l.id DESC"
                ))?
                .query_map(rusqlite::named_params! { ":half": most / 2 }, |row| {
                    Ok((ContactId(row.get("contact_id")?), row.get("user_data")?))
                })?
                .collect()
        })
        .await
    }

    /// Stores what a look at a side found: `differs` is why it is another one. One that a person took over stays
    /// accepted under its address until it agrees again.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn side_seen(
        &self,
        subject: &str,
        address: &str,
        differs: Option<Reason>,
    ) -> Result<SideSeen, LedgerError> {
        let (of, at) = (subject.to_owned(), address.to_owned());
        let known: Option<(String, bool)> = self
            .read("side_known", move |connection| {
                connection
                    .prepare_cached(
                        "SELECT base_url, accepted_at IS NOT NULL FROM side_addresses WHERE side = ?1 AND until IS NULL",
                    )?
                    .query_row([of], |row| Ok((row.get(0)?, row.get(1)?)))
                    .optional()
            })
            .await?;
        let accepted = known.as_ref().is_some_and(|(was, accepted)| *accepted && *was == at);
        match differs {
            Some(_) if accepted => Ok(SideSeen::AsBefore),
            Some(reason) => {
                let since = self.env.now();
                self.differences_set(subject, vec![reason.clone()]).await?;
                Ok(SideSeen::Differs(Difference { subject: subject.to_owned(), reason, since }))
            }
            None => {
                self.differences_set(subject, Vec::new()).await?;
                let was = known.map(|(was, _)| was);
                if accepted || was.as_deref() != Some(address) {
                    self.side_is_at(subject, address, SideBy::Sample).await?;
                }
                Ok(match was.filter(|was| was != address) {
                    Some(was) => SideSeen::Moved { was },
                    None => SideSeen::AsBefore,
                })
            }
        }
    }

    /// The side is at this address from now on.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn side_is_at(&self, subject: &str, address: &str, by: SideBy) -> Result<(), LedgerError> {
        let (subject, address, now) = (subject.to_owned(), address.to_owned(), time(self.env.now()));
        self.write("side_is_at", move |tx| {
            tx.execute(
                "UPDATE side_addresses SET until = ?3 WHERE side = ?1 AND base_url <> ?2 AND until IS NULL",
                (&subject, &address, &now),
            )?;
            let accepted = match by {
                SideBy::Sample => None,
                SideBy::Person => Some(&now),
            };
            tx.execute(
                "INSERT INTO side_addresses (side, base_url, since, accepted_at) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (side) WHERE until IS NULL DO UPDATE SET accepted_at = excluded.accepted_at",
                (&subject, &address, &now, accepted),
            )?;
            Ok(())
        })
        .await
    }
}
