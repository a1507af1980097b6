//! A wrong list taken back: all blocks that one source wrote in a time, first shown (`lift_plan.rs`), then lifted. What another
//! source blocks as well stays blocked, and so does what this one said again since: only its word of that time is taken back. Who
//! was locked by hand is unlocked by hand.

use super::block_files::read_again;
use super::block_reach::decide_anew;
use super::block_store::epoch_raise;
use super::inputs::block_row;
use super::sql::time;
use super::words::Said;
use super::{Ledger, LedgerError, echoes, listed, source_blocks};
use crate::domain::{Block, BlockSpan, BlockSubject, Timestamp};
use rusqlite::{Connection, Transaction, named_params};
use serde::Serialize;

/// Blocks looked at in one transaction: the locks of others must not wait for a long list.
const CHUNK: i64 = 200;

/// What became of the blocks that a source wrote in a time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Lifted {
    /// Lifted.
    pub blocks: u64,
    /// Left, because the source said the same again after that time.
    pub said_again: u64,
    /// Numbers left, because the source says no for another record with the same number as well.
    pub said_by_another: u64,
}

impl Lifted {
    pub(super) fn count(&mut self, fate: Fate) {
        match fate {
            Fate::Lifted => self.blocks += 1,
            Fate::SaidAgain => self.said_again += 1,
            Fate::SaidByAnother => self.said_by_another += 1,
        }
    }

    fn and(self, more: Self) -> Self {
        Self {
            blocks: self.blocks + more.blocks,
            said_again: self.said_again + more.said_again,
            said_by_another: self.said_by_another + more.said_by_another,
        }
    }
}

/// What becomes of one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is lifted.
    Lifted,
    /// It stays: its source said it again after the time.
    SaidAgain,
    /// It stays: its source says it for another record, too.
    SaidByAnother,
}

/// What becomes of a block of the span's source that came in its time.
pub(super) fn fate(
    connection: &Connection,
    client: &str,
    span: &BlockSpan,
    block: &Block,
) -> rusqlite::Result<Fate> {
    if !span.covers(block) {
        return Ok(Fate::SaidAgain);
    }
    let said_by_another = match &block.subject {
        BlockSubject::Number(number) => source_blocks::said_beyond(connection, client, span, number)?,
        BlockSubject::Record(_) | BlockSubject::Contact(_) => false,
    };
    Ok(if said_by_another { Fate::SaidByAnother } else { Fate::Lifted })
}

impl Ledger {
    /// Lifts a source's blocks of a time; whoever they held is decided anew, and passes the gate like anybody.
    ///
    /// # Errors
    /// The ledger cannot be written; what was lifted until then is lifted.
    pub async fn blocks_lift(
        &self,
        client: &str,
        span: BlockSpan,
        said: Said,
    ) -> Result<Lifted, LedgerError> {
        let (mut lifted, mut after) = (Lifted::default(), Some(0));
        while let Some(from) = after {
            let now = self.env.now();
            let (client, span, said) = (client.to_owned(), span.clone(), said.clone());
            let (more, last, epoch) = self
                .write("blocks_lift", move |tx| {
                    let (more, last) = lift_some(tx, &client, &span, &said, now, from)?;
                    Ok((more, last, epoch_raise(tx)?))
                })
                .await?;
            self.publish_epoch(epoch);
            (lifted, after) = (lifted.and(more), last);
        }
        Ok(lifted)
    }
}

/// Lifts what of the next few is to be lifted; the last one looked at, unless there was none.
fn lift_some(
    tx: &Transaction<'_>,
    client: &str,
    span: &BlockSpan,
    said: &Said,
    now: Timestamp,
    after: i64,
) -> rusqlite::Result<(Lifted, Option<i64>)> {
    let blocks = of_span(tx, client, span, &time(now), after)?;
    let mut lifted = Lifted::default();
    for (id, block) in &blocks {
        let fate = fate(tx, client, span, block)?;
        lifted.count(fate);
        if fate == Fate::Lifted {
            tx.prepare_cached(
                "UPDATE blocks SET lifted_at = ?2, lifted_by = ?3, lifted_why = ?4 WHERE id = ?1",
            )?
            .execute((id, time(now), &said.who, &said.text))?;
            decide_anew(tx, client, &block.subject, now)?;
            listed::taken_back(tx, client, &block.subject)?;
            echoes::taken_back(tx, client, &block.subject, said, now)?;
        }
    }
    if lifted.blocks > 0 {
        read_again(tx, client, &span.source)?;
    }
    Ok((lifted, blocks.last().map(|(id, _)| *id)))
}

/// The next few that the source wrote in the time, whatever becomes of them: after the last one looked at, because behind a long
/// list lie all that were lifted before.
pub(super) fn of_span(
    connection: &Connection,
    client: &str,
    span: &BlockSpan,
    now: &str,
    after: i64,
) -> rusqlite::Result<Vec<(i64, Block)>> {
    connection
        .prepare_cached(
            "SELECT * FROM blocks WHERE client = :client AND source = :source AND since >= :since AND since < :until
                AND kind <> 'contact' AND lifted_at IS NULL AND (until IS NULL OR until > :now) AND id > :after
             ORDER BY id LIMIT :limit",
        )?
        .query_map(
            named_params! {
                ":client": client, ":source": span.source, ":since": time(span.since), ":until": time(span.until),
                ":now": now, ":after": after, ":limit": CHUNK,
            },
            |row| Ok((row.get("id")?, block_row(row)?)),
        )?
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Reason, ReasonCode, RecordId, RecordKey};
    use crate::ledger::testing::{Scene, scene};

    const N: &str = "+49301";
    const STANDING: &str =
        "SELECT coalesce(record_id, number) FROM blocks WHERE lifted_at IS NULL ORDER BY 1";

    fn number() -> BlockSubject {
        BlockSubject::Number(N.to_owned())
    }

    fn record(id: &str) -> BlockSubject {
        let (crm, object) = ("sales".to_owned(), "person".to_owned());
        BlockSubject::Record(RecordKey { crm, object, id: RecordId::from(id) })
    }

    async fn says(scene: &Scene, source: &str, subjects: Vec<BlockSubject>, until: Option<Timestamp>) {
        let since = scene.ledger.env.now();
        let blocks = subjects.into_iter().map(|subject| Block {
            subject,
            reason: Reason::new(ReasonCode::BlockedByHand).with("text", "said no"),
            source: source.to_owned(),
            since,
            said_last: since,
            until,
            who: None,
        });
        scene.ledger.blocks_import("house", blocks.collect()).await.expect("blocked");
    }

    /// What the plan says of the hours from one to the other, which is what the lift does then.
    async fn lifted(scene: &Scene, source: &str, from: Timestamp, until: Timestamp) -> (Lifted, u64) {
        let span = || BlockSpan { source: source.to_owned(), since: from, until };
        let plan = scene.ledger.blocks_lift_plan("house", span(), 10).await.expect("a plan");
        let said = Said { who: "ada".to_owned(), text: "the wrong file".to_owned() };
        let lifted = scene.ledger.blocks_lift("house", span(), said).await.expect("lifted");
        assert_eq!(plan.lifted, lifted);
        (lifted, plan.freed)
    }

    fn kept(blocks: u64, said_again: u64, said_by_another: u64) -> Lifted {
        Lifted { blocks, said_again, said_by_another }
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_source_said_again_after_the_time_stays_said() {
        let tomorrow = "2030-01-08T00:00:00Z".parse().expect("an instant");
        for (source, first_until) in
            [("file:a.csv", None), ("result:leads", None), ("operator", Some(tomorrow))]
        {
            let scene = scene().await;
            scene.link("1", Some(10), &[N]).await;
            let from = scene.ledger.env.now();
            says(&scene, source, vec![number(), record("2")], first_until).await;
            scene.wait(1).await;
            let until = scene.ledger.env.now();
            says(&scene, source, vec![number()], None).await;
            assert_eq!(lifted(&scene, source, from, until).await, (kept(1, 1, 0), 0), "{source}");
            assert_eq!(scene.says(STANDING).await, [N]);
            // Taken with the second time, it goes.
            scene.wait(1).await;
            let until = scene.ledger.env.now();
            assert_eq!(lifted(&scene, source, from, until).await, (kept(1, 0, 0), 1), "{source}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_number_stays_that_another_record_says_no_with_outside_the_time() {
        let scene = scene().await;
        for id in ["1", "2"] {
            scene.link(id, None, &[N]).await;
        }
        let (source, before) = ("crm:leads", scene.ledger.env.now());
        says(&scene, source, vec![record("2")], None).await;
        scene.wait(1).await;
        let from = scene.ledger.env.now();
        says(&scene, source, vec![record("1"), number()], None).await;
        scene.wait(1).await;
        let until = scene.ledger.env.now();
        assert_eq!(lifted(&scene, source, from, until).await, (kept(1, 0, 1), 0));
        assert_eq!(scene.says(STANDING).await, [N, "2"]);
        assert_eq!(lifted(&scene, source, before, until).await, (kept(2, 0, 0), 2), "both are taken back");
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_list_is_planned_and_lifted_in_pieces() {
        let scene = scene().await;
        let from = scene.ledger.env.now();
        let many = 2 * u64::try_from(CHUNK).expect("few") + 1;
        let numbers = (0..many).map(|n| BlockSubject::Number(format!("+4930{n:05}")));
        says(&scene, "file:a.csv", numbers.collect(), None).await;
        scene.wait(1).await;
        let until = scene.ledger.env.now();
        assert_eq!(lifted(&scene, "file:a.csv", from, until).await, (kept(many, 0, 0), 0));
        assert!(scene.says(STANDING).await.is_empty());
    }
}
