//! One block taken back by a person: of a number or a record, and of one source. What another source says of the same stays, and
//! so does a number with which another's record said no: nobody's word is taken back whom the person did not name.

use super::block_store::{epoch_raise, lift_in};
use super::inputs::{blocks_in_force, contact_blocks};
use super::sql::time;
use super::words::Said;
use super::{Ledger, LedgerError, echoes, source_blocks};
use crate::domain::{Block, BlockSubject, RecordKey};
use rusqlite::{Connection, Transaction};

/// What became of a block that a person lifted.
#[derive(Debug, Clone, PartialEq)]
pub enum LiftedOne {
    /// No such block stands.
    NoSuch,
    /// It is lifted.
    Lifted {
        /// How many rows of the list.
        blocks: usize,
        /// What other sources say of the same, and still holds.
        others: Vec<Block>,
    },
    /// Nothing is lifted: several sources block the same, and none of them was named.
    Several(Vec<Block>),
    /// Nothing is lifted: records that bear the number say no by the same source.
    SaidFor {
        /// The source.
        source: String,
        /// The records.
        records: Vec<RecordKey>,
    },
}

impl Ledger {
    /// A person takes back what a source says of a subject; the records it held are decided anew at the next pull. Without a source
    /// it must be the only one that says so.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn block_remove(
        &self,
        client: &str,
        subject: BlockSubject,
        source: Option<&str>,
        said: Said,
    ) -> Result<LiftedOne, LedgerError> {
        let now = self.env.now();
        let (client, source) = (client.to_owned(), source.map(str::to_owned));
        let (lifted, epoch) = self
            .write("block_remove", move |tx| {
                let found = to_be_lifted(tx, &client, &subject, source.as_deref(), &time(now))?;
                let source = match found {
                    Found::Left(left) => return Ok((left, None)),
                    Found::Lift(source) => source,
                };
                let blocks = lift_in(tx, &client, &subject, Some(&source), &said.who, &said.text, now)?;
                echoes::taken_back(tx, &client, &subject, &said, now)?;
                let others = standing(tx, &client, &subject, &time(now))?;
                Ok((LiftedOne::Lifted { blocks, others }, Some(epoch_raise(tx)?)))
            })
            .await?;
        if let Some(epoch) = epoch {
            self.publish_epoch(epoch);
        }
        Ok(lifted)
    }
}

/// Whose word goes, or why nobody's does.
enum Found {
    Left(LiftedOne),
    Lift(String),
}

fn to_be_lifted(
    tx: &Transaction<'_>,
    client: &str,
    subject: &BlockSubject,
    source: Option<&str>,
    now: &str,
) -> rusqlite::Result<Found> {
    let standing = standing(tx, client, subject, now)?;
    let source = match (source, &sources(&standing)[..]) {
        (Some(named), _) if standing.iter().any(|block| block.source == named) => named.to_owned(),
        (Some(_), _) | (None, []) => return Ok(Found::Left(LiftedOne::NoSuch)),
        (None, [only]) => (*only).to_owned(),
        (None, _) => return Ok(Found::Left(LiftedOne::Several(standing))),
    };
    if let BlockSubject::Number(number) = subject {
        let records = source_blocks::records_saying_no_with(tx, client, &source, number)?;
        if !records.is_empty() {
            return Ok(Found::Left(LiftedOne::SaidFor { source, records }));
        }
    }
    Ok(Found::Lift(source))
}

/// Who says so. What a CRM says because it was told of another's word is no second one.
fn sources(standing: &[Block]) -> Vec<&str> {
    let any_own = standing.iter().any(echoes::is_own);
    let mut sources: Vec<&str> = (standing.iter())
        .filter(|block| !any_own || echoes::is_own(block))
        .map(|block| block.source.as_str())
        .collect();
    sources.dedup();
    sources
}

/// What holds against the subject itself, the oldest first.
fn standing(
    connection: &Connection,
    client: &str,
    subject: &BlockSubject,
    now: &str,
) -> rusqlite::Result<Vec<Block>> {
    match subject {
        BlockSubject::Record(key) => blocks_in_force(connection, client, Some(key), &[], now),
        BlockSubject::Number(number) => {
            blocks_in_force(connection, client, None, std::slice::from_ref(number), now)
        }
        BlockSubject::Contact(contact) => contact_blocks(connection, &[*contact], now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Reason, ReasonCode, RecordId, Timestamp};
    use crate::ledger::testing::{Scene, a_mistake, scene};

    const N: &str = "+49301";

    fn number() -> BlockSubject {
        BlockSubject::Number(N.to_owned())
    }

    fn record(id: &str) -> RecordKey {
        RecordKey { crm: "sales".to_owned(), object: "person".to_owned(), id: RecordId::from(id) }
    }

    async fn says(scene: &Scene, source: &str, subject: BlockSubject, until: Option<Timestamp>) {
        let since = scene.ledger.env.now();
        let reason = Reason::new(ReasonCode::BlockedByHand).with("text", "said no");
        let source = source.to_owned();
        let block = Block { subject, reason, source, since, said_last: since, until, who: None };
        scene.ledger.block_add("house", block).await.expect("blocked");
    }

    async fn lift(scene: &Scene, subject: BlockSubject, source: Option<&str>) -> LiftedOne {
        scene.ledger.block_remove("house", subject, source, a_mistake()).await.expect("asked")
    }

    #[tokio::test(start_paused = true)]
    async fn a_number_stays_blocked_while_a_record_says_no_with_it() {
        for (source, a_word_for_its_numbers) in
            [("crm:leads", true), ("result:leads", true), ("operator", false)]
        {
            let scene = scene().await;
            for id in ["1", "2"] {
                scene.link(id, None, &[N]).await;
                says(&scene, source, BlockSubject::Record(record(id)), None).await;
            }
            says(&scene, source, number(), None).await;
            assert!(matches!(
                lift(&scene, BlockSubject::Record(record("1")), None).await,
                LiftedOne::Lifted { blocks: 1, .. }
            ));
            let said = lift(&scene, number(), Some(source)).await;
            if a_word_for_its_numbers {
                let records = vec![record("2")];
                assert_eq!(said, LiftedOne::SaidFor { source: source.to_owned(), records });
                lift(&scene, BlockSubject::Record(record("2")), None).await;
                lift(&scene, number(), None).await;
            }
            let standing =
                scene.says("SELECT count(*) FROM blocks WHERE number IS NOT NULL AND lifted_at IS NULL");
            assert_eq!(standing.await, ["0"], "{source}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whose_word_is_taken_back_is_guessed_only_where_there_is_one() {
        let scene = scene().await;
        assert_eq!(lift(&scene, number(), None).await, LiftedOne::NoSuch);
        let ends = scene.ledger.env.now() + chrono::TimeDelta::minutes(5);
        says(&scene, "operator", number(), Some(ends)).await;
        says(&scene, "file:no.csv", number(), None).await;
        assert!(matches!(lift(&scene, number(), None).await, LiftedOne::Several(of) if of.len() == 2));
        assert_eq!(lift(&scene, number(), Some("crm:leads")).await, LiftedOne::NoSuch);
        scene.wait(1).await;
        let one = LiftedOne::Lifted { blocks: 1, others: Vec::new() };
        assert_eq!(lift(&scene, number(), None).await, one, "the other one has ended");
    }
}
