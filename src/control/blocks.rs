//! Who must not be called: blocked, let go one by one or by the source and the time of a wrong list.

use super::{Answer, Control, End};
use crate::domain::{Block, BlockSpan, BlockSubject, Reason, ReasonCode, RecordKey, Timestamp};
use crate::ledger::{LedgerError, Lifted, LiftedOne, Said};
use crate::runtime::Ask;
use serde_json::json;

/// So many records are named in a refusal.
const NAMED: usize = 10;

/// What stays of a source's blocks of a time, and why.
pub fn left_in_words(lifted: Lifted, source: &str) -> Vec<String> {
    let Lifted { said_again, said_by_another, blocks: _ } = lifted;
    let mut texts = Vec::new();
    if said_again > 0 {
        texts.push(format!("{said_again} blocks more stay: {source} said the same again later."));
    }
    if said_by_another > 0 {
        texts.push(format!(
            "{said_by_another} numbers more stay: {source} says no for another record with the same number as well."
        ));
    }
    texts
}

/// Whoever says no, and why.
fn in_turn(blocks: &[Block]) -> String {
    let named: Vec<String> =
        blocks.iter().map(|block| format!("{} ({})", block.source, block.reason)).collect();
    named.join(" and ")
}

/// Records that say no with a number that a person wants to free.
fn said_for(source: &str, records: &[RecordKey]) -> String {
    let mut named: Vec<&str> = records.iter().take(NAMED).map(|key| key.id.as_str()).collect();
    if records.len() > named.len() {
        named.push("...");
    }
    format!(
        "nothing was lifted: {source} says no for the records {} with this number as well; lift theirs first (`block remove --route \
         ROUTE --record ID --source {source}`), then the number",
        named.join(", ")
    )
}

impl Control {
    #[expect(clippy::too_many_arguments, reason = "the command's own fields")]
    pub(super) async fn block_add(
        &self,
        client: String,
        subjects: Vec<BlockSubject>,
        reason: String,
        source: String,
        until: Option<Timestamp>,
        who: String,
        answer: &Answer,
    ) -> Result<End, LedgerError> {
        let now = self.env.now();
        let blocks = subjects
            .into_iter()
            .map(|subject| Block {
                subject,
                reason: Reason::new(ReasonCode::BlockedByHand).with("text", &reason),
                source: source.clone(),
                since: now,
                said_last: now,
                until,
                who: Some(who.clone()),
            })
            .collect();
        let added = self.ledger.blocks_import(&client, blocks).await?;
        answer.text(format!(
            "{} blocks stand now, {} of them new; {} contacts are being locked",
            added.len(),
            added.iter().filter(|added| added.new).count(),
            added.iter().map(|added| added.links_locked).sum::<usize>()
        ));
        answer.data(json!({
            "blocks": added.len(),
            "new": added.iter().filter(|added| added.new).count(),
            "contacts_locked": added.iter().map(|added| added.links_locked).sum::<usize>(),
        }));
        let left_alone = self.ledger.foreign_left_alone().await?;
        if left_alone > 0 {
            answer.text(format!(
                "{left_alone} contacts of others bear a blocked number and are left alone ([blocks] foreign = \"report\"); \
                 the ledger's view v_blocked_foreign lists them"
            ));
        }
        if self.alone
            && added.iter().any(|added| added.links_locked > 0)
            && let Some(runner) = &self.runners.push
        {
            // Whoever said no must not wait for the next run.
            return self.run(runner, Ask::by_hand(), answer).await;
        }
        self.wake_push();
        Ok(End::Done)
    }

    pub(super) async fn block_remove(
        &self,
        client: String,
        subject: BlockSubject,
        source: Option<String>,
        said: Said,
        answer: &Answer,
    ) -> Result<End, LedgerError> {
        match self.ledger.block_remove(&client, subject, source.as_deref(), said).await? {
            LiftedOne::Lifted { blocks, others } => {
                answer.text(format!(
                    "{blocks} blocks lifted; the next pull decides about the record anew and unlocks its contact, unless \
                     something else stands against it"
                ));
                if !others.is_empty() {
                    answer.text(format!("{} says no as well, and that stands", in_turn(&others)));
                }
                let others: Vec<&str> = others.iter().map(|block| block.source.as_str()).collect();
                answer.data(json!({ "lifted": blocks, "blocked_by": others }));
                Ok(End::Done)
            }
            LiftedOne::NoSuch => {
                answer.error("there is no such block; `dialbridge block list` shows what stands");
                Ok(End::Failed)
            }
            LiftedOne::Several(standing) => {
                answer.error(format!(
                    "nothing was lifted: {} say no, each for itself; --source names whose word is taken back",
                    in_turn(&standing)
                ));
                Ok(End::Failed)
            }
            LiftedOne::SaidFor { source, records } => {
                answer.error(said_for(&source, &records));
                Ok(End::Failed)
            }
        }
    }

    pub(super) async fn blocks_remove(
        &self,
        client: String,
        span: BlockSpan,
        said: Said,
        answer: &Answer,
    ) -> Result<End, LedgerError> {
        let source = span.source.clone();
        // Whom a list still names is blocked anew right after: that takes one that can be read.
        if let Some(unread) = self.block_files.unread(&client, &source).await {
            answer.error(format!(
                "nothing was lifted: {source} cannot be read ({unread}), and whom it still names would be free. Put it there, \
                 readable for the daemon's user, or take it out of [blocks.files]"
            ));
            return Ok(End::Failed);
        }
        let lifted = self.ledger.blocks_lift(&client, span, said).await?;
        if lifted.blocks == 0 && lifted != Lifted::default() {
            answer.error(format!("nothing was lifted: {}", left_in_words(lifted, &source).join(" ")));
            return Ok(End::Failed);
        }
        if lifted == Lifted::default() {
            answer.error(format!(
                "{source} wrote no block that stands, in this time and for client {client}; `dialbridge block list` shows sources and times"
            ));
            return Ok(End::Failed);
        }
        answer.text(format!(
            "{} blocks of {source} lifted; the next pull decides about the records anew and unlocks their contacts, unless \
             something else stands against them",
            lifted.blocks
        ));
        left_in_words(lifted, &source).into_iter().for_each(|text| answer.text(text));
        answer.data(json!({
            "lifted": lifted.blocks,
            "said_again": lifted.said_again,
            "said_by_another": lifted.said_by_another,
        }));
        // What a list still names is blocked anew before anybody is decided about.
        self.block_files.look().await?;
        self.wake_pulls();
        self.wake_push();
        Ok(End::Done)
    }

    pub(super) async fn blocks_seen(
        &self,
        source: String,
        said: Said,
        answer: &Answer,
    ) -> Result<End, LedgerError> {
        if !self.ledger.block_wave_seen(&source, said).await? {
            answer.error(format!(
                "{source} wrote no block; `dialbridge block list` shows the sources, `status` the waves"
            ));
            return Ok(End::Failed);
        }
        answer.text(format!("`status` tells no more of what {source} did until now; it stands"));
        Ok(End::Done)
    }
}
