//! Reads the histories that are due, in batches where the installation has the batch read, else one by one.

use super::edited;
use super::history::{ready, result_code};
use super::sight::seen;
use super::tally::Tally;
use super::{HarvestContext, HarvestReport, JobError};
use crate::dialler::{BatchQuery, ContactWithHistory};
use crate::domain::{CallResult, CampaignId, Contact, ContactId, HistoryRow, RunId, Seq, Timestamp};
use crate::ledger::{Absence, ContactSeen, DueContact, HistoryRead, ReadContext, Share};
use crate::remote::CallClass;
use futures_util::{StreamExt as _, stream};
use std::collections::HashMap;

/// So many contacts in one batch read, which is also one transaction.
const BATCH: usize = 100;
/// So many due contacts are taken from the ledger at once.
const PAGE: usize = 1_000;
/// So many contacts may fail one after the other before it counts as the dialler's failure, not theirs.
const FAILURES_IN_A_ROW: usize = 5;
/// So many of a hundred that a batch left out, and of whom nothing is concluded, are asked for by their numbers.
const SOME_HELD: usize = 5;

/// What is the same for all reads of one pass.
pub(super) struct Pass<'a> {
    pub(super) ctx: &'a HarvestContext,
    pub(super) campaign: CampaignId,
    pub(super) run: RunId,
    pub(super) share: Share,
    pub(super) result_in_list: bool,
}

/// Why a contact was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unread {
    /// A list or a batch did not name it.
    LeftOut,
    /// Asked by its number, its history is not there.
    NoHistory,
}

impl Pass<'_> {
    /// The same as [`Self::run`], and what it did is in `report` also when it fails.
    pub(super) async fn run_into(
        &self,
        cutoff: Timestamp,
        limit: usize,
        report: &mut HarvestReport,
    ) -> Result<(), JobError> {
        let mut tally = Tally::default();
        let result = self.run(cutoff, limit, &mut tally).await;
        tally.report(self.share, report);
        result
    }

    /// Reads everything of this share that is due at `cutoff`, at most `limit` contacts. What it did is in
    /// `tally` also when it fails.
    async fn run(&self, cutoff: Timestamp, limit: usize, tally: &mut Tally) -> Result<(), JobError> {
        let mut left = limit;
        let mut last_first = None;
        while left > 0 {
            let page = self.ctx.ledger.due_take(self.campaign, self.share, cutoff, left.min(PAGE)).await?;
            let first = page.first().map(|due| due.id);
            // Every read moves its contact beyond the cut-off; a page that comes again is a defect, and must
            // not become an endless loop of requests.
            if first.is_none() || first == last_first {
                break;
            }
            last_first = first;
            left -= page.len().min(left);
            self.chunks(&page, tally).await?;
        }
        Ok(())
    }

    /// Reads these, whether they are due or not.
    pub(super) async fn read_these(
        &self,
        ids: Vec<ContactId>,
        report: &mut HarvestReport,
    ) -> Result<(), JobError> {
        let these: Vec<DueContact> = ids.into_iter().map(|id| DueContact { id, fingerprint: None }).collect();
        let mut tally = Tally::default();
        let result = self.chunks(&these, &mut tally).await;
        tally.report(self.share, report);
        result
    }

    async fn chunks(&self, these: &[DueContact], tally: &mut Tally) -> Result<(), JobError> {
        let chunks: Vec<Vec<DueContact>> = these.chunks(BATCH).map(<[DueContact]>::to_vec).collect();
        let mut done = stream::iter(chunks)
            .map(|chunk| self.chunk(chunk))
            .buffer_unordered(self.ctx.settings.in_flight.max(1));
        while let Some((part, result)) = done.next().await {
            tally.add(&part);
            result?;
        }
        Ok(())
    }

    async fn chunk(&self, chunk: Vec<DueContact>) -> (Tally, Result<(), JobError>) {
        let mut tally = Tally::default();
        if self.ctx.env.shutdown().is_cancelled() {
            return (tally, Err(JobError::ShuttingDown));
        }
        let result = match self.share {
            Share::Missing => self.ask(&chunk, Unread::LeftOut, &mut tally).await,
            Share::Changed
            | Share::Due
            | Share::Likely { .. }
            | Share::Audit
            | Share::Elsewhere { .. }
            | Share::Held => self.read(chunk, &mut tally).await,
        };
        (tally, result)
    }

    /// One request for all of them, or one for each; then one transaction.
    async fn read(&self, chunk: Vec<DueContact>, tally: &mut Tally) -> Result<(), JobError> {
        let (seq, sent_at) = (self.ctx.ledger.next_seq(), self.ctx.env.now());
        let ids: Vec<ContactId> = chunk.iter().map(|due| due.id).collect();
        let query = BatchQuery { user_data: Vec::new(), ids };
        let answer = self.ctx.dialler.read_batch(&query, self.class()).await;
        let ((reads, unread), why) = match answer {
            Ok(Some(contacts)) => {
                tally.requests += 1;
                (self.of_batch(chunk, contacts, seq, sent_at).await?, Unread::LeftOut)
            }
            Ok(None) => (self.one_by_one(chunk, tally).await?, Unread::NoHistory),
            Err(error) if error.speaks_of_the_side() || self.share == Share::Held => return Err(error.into()),
            // One contact that cannot be answered must not keep the other 99 from being read.
            Err(_) => {
                tally.requests += 1;
                (self.one_by_one(chunk, tally).await?, Unread::NoHistory)
            }
        };
        self.store(reads, tally).await?;
        match self.share {
            // Nobody missed it: whether it is still there is the next list's question.
            Share::Likely { .. } => Ok(()),
            // So many are missed that a person has to say first that they are gone. A batch may leave out who is there.
            Share::Held => self.ask(&unread[..unread.len().min(SOME_HELD)], why, tally).await,
            Share::Changed | Share::Due | Share::Audit | Share::Elsewhere { .. } | Share::Missing => {
                self.ask(&unread, why, tally).await
            }
        }
    }

    async fn of_batch(
        &self,
        chunk: Vec<DueContact>,
        contacts: Vec<ContactWithHistory>,
        seq: Seq,
        sent_at: Timestamp,
    ) -> Result<(Vec<HistoryRead>, Vec<DueContact>), JobError> {
        let read: Vec<&Contact> = contacts.iter().map(|found| &found.contact).collect();
        edited::look(self.ctx, &read, seq).await?;
        let mut by_id: HashMap<ContactId, ContactWithHistory> =
            contacts.into_iter().map(|found| (found.contact.id, found)).collect();
        let (mut reads, mut unread) = (Vec::with_capacity(chunk.len()), Vec::new());
        for due in chunk {
            let Some(found) = by_id.remove(&due.id) else {
                unread.push(due);
                continue;
            };
            let contact = seen(self.ctx, &found.contact, Some(self.campaign));
            reads.push(HistoryRead {
                contact: due.id,
                seq,
                sent_at,
                fingerprint: due.fingerprint,
                seen: Some(contact),
                result: found.result.as_ref().and_then(result_code),
                rows: ready(self.ctx, self.campaign, found.history).await?,
            });
        }
        Ok((reads, unread))
    }

    async fn one_by_one(
        &self,
        chunk: Vec<DueContact>,
        tally: &mut Tally,
    ) -> Result<(Vec<HistoryRead>, Vec<DueContact>), JobError> {
        let (mut reads, mut unread) = (Vec::with_capacity(chunk.len()), Vec::new());
        let mut failures = 0;
        for due in chunk {
            let (seq, sent_at) = (self.ctx.ledger.next_seq(), self.ctx.env.now());
            tally.requests += 1;
            match self.ctx.dialler.history(due.id, self.class()).await {
                Ok(Some(rows)) => {
                    failures = 0;
                    let shown = self.shown(&due, seq, tally).await?;
                    reads.push(HistoryRead { seen: shown, ..self.by_id(due, rows, seq, sent_at).await? });
                }
                Ok(None) => unread.push(due),
                Err(error) => {
                    failures += 1;
                    if error.speaks_of_the_side() || failures >= FAILURES_IN_A_ROW {
                        // What was read before is stored all the same.
                        self.store(reads, tally).await?;
                        return Err(error.into());
                    }
                    self.postpone(&due, tally).await?;
                }
            }
        }
        Ok((reads, unread))
    }

    /// What a contact holds that no list and no batch shows: where it stands elsewhere it is read beside its history, or
    /// nobody would see what agents changed there.
    async fn shown(
        &self,
        due: &DueContact,
        seq: Seq,
        tally: &mut Tally,
    ) -> Result<Option<ContactSeen>, JobError> {
        match self.share {
            Share::Elsewhere { .. } | Share::Held => {}
            Share::Changed | Share::Due | Share::Likely { .. } | Share::Audit | Share::Missing => {
                return Ok(None);
            }
        }
        tally.singles += 1;
        match self.ctx.dialler.contact(due.id, self.class()).await {
            Ok(Some(contact)) => {
                edited::look(self.ctx, &[&contact], seq).await?;
                Ok(Some(seen(self.ctx, &contact, Some(self.campaign))))
            }
            // Its history is there; whether it is gone by now the next turn finds out.
            Ok(None) => Ok(None),
            Err(error) if error.speaks_of_the_side() => Err(error.into()),
            Err(_) => Ok(None),
        }
    }

    async fn by_id(
        &self,
        due: DueContact,
        rows: Vec<HistoryRow>,
        seq: Seq,
        sent_at: Timestamp,
    ) -> Result<HistoryRead, JobError> {
        Ok(HistoryRead {
            contact: due.id,
            seq,
            sent_at,
            fingerprint: due.fingerprint,
            seen: None,
            result: None,
            rows: ready(self.ctx, self.campaign, rows).await?,
        })
    }

    async fn store(&self, reads: Vec<HistoryRead>, tally: &mut Tally) -> Result<(), JobError> {
        if reads.is_empty() {
            return Ok(());
        }
        tally.contacts += reads.len() as i64;
        let gap = Some(crate::domain::TimeReading::Gap);
        tally.in_gap +=
            reads.iter().flat_map(|read| &read.rows).filter(|row| row.times.how() == gap).count() as i64;
        let context = ReadContext {
            run: self.run,
            campaign: self.campaign,
            share: self.share,
            result_in_list: self.result_in_list,
            rules: self.ctx.settings.rules.clone(),
        };
        let stored = self.ctx.ledger.history_store(reads, context).await?;
        // Now and not at the harvest's end: that may be long after, and the locks go out beside it.
        tally.opt_outs += self.ctx.ledger.opt_outs_take(self.ctx.reading(), Some(self.run)).await?;
        for (campaign, result) in stored.results_new {
            if !self.ctx.settings.words.iter().all(|words| words.know(campaign, &result)) {
                let CallResult { code, name, export_key } = result;
                tracing::warn!(
                    campaign = campaign.0,
                    code,
                    name,
                    export_key,
                    "a result came for the first time that no word is given for: `dialbridge results codes` shows all"
                );
            }
        }
        tally.calls_new += stored.calls_new;
        tally.calls_changed += stored.calls_changed;
        tally.not_adding_up += stored.not_adding_up;
        Ok(())
    }

    /// Asks about contacts that a list or a batch did not name, each by its number (semantics 2).
    async fn ask(&self, chunk: &[DueContact], why: Unread, tally: &mut Tally) -> Result<(), JobError> {
        let settings = &self.ctx.settings;
        for due in chunk {
            let seq = self.ctx.ledger.next_seq();
            tally.singles += 1;
            let found = match self.ctx.dialler.contact(due.id, self.class()).await {
                Ok(found) => found,
                Err(error) if error.speaks_of_the_side() => return Err(error.into()),
                Err(_) => {
                    self.postpone(due, tally).await?;
                    continue;
                }
            };
            let as_seen = found.as_ref().map(|contact| seen(self.ctx, contact, Some(self.campaign)));
            let absence = self
                .ctx
                .ledger
                .missing_answered(due.id, seq, as_seen, settings.rules.clone(), self.run)
                .await?;
            match absence {
                Absence::Back if self.share != Share::Missing => {
                    let untouched = found.is_some_and(|contact| is_untouched(&contact));
                    self.read_of_one(due, why, untouched, tally).await?;
                }
                Absence::Back | Absence::Undecided => {}
                Absence::Asked => tally.asked += 1,
                Absence::Gone => tally.gone += 1,
            }
        }
        Ok(())
    }

    /// A contact that is there and was not read. Nothing is concluded from its having been left out of a batch: a server
    /// that answers for some of many would never show its calls. A history that is not there at all is an empty
    /// one only for a contact that nobody has called yet.
    async fn read_of_one(
        &self,
        due: &DueContact,
        why: Unread,
        untouched: bool,
        tally: &mut Tally,
    ) -> Result<(), JobError> {
        let (seq, sent_at) = (self.ctx.ledger.next_seq(), self.ctx.env.now());
        let rows = match why {
            Unread::NoHistory => None,
            Unread::LeftOut => {
                tally.requests += 1;
                match self.ctx.dialler.history(due.id, self.class()).await {
                    Ok(rows) => rows,
                    Err(error) if error.speaks_of_the_side() => return Err(error.into()),
                    Err(_) => return self.postpone(due, tally).await,
                }
            }
        };
        match rows.or_else(|| untouched.then(Vec::new)) {
            Some(rows) => {
                let read = self.by_id(due.clone(), rows, seq, sent_at).await?;
                self.store(vec![read], tally).await
            }
            None => self.postpone(due, tally).await,
        }
    }

    async fn postpone(&self, due: &DueContact, tally: &mut Tally) -> Result<(), JobError> {
        tally.failed += 1;
        Ok(self.ctx.ledger.due_postpone(due.id, self.ctx.settings.rules.clone()).await?)
    }

    fn class(&self) -> CallClass {
        match self.share {
            Share::Changed
            | Share::Due
            | Share::Likely { .. }
            | Share::Missing
            | Share::Elsewhere { .. }
            | Share::Held => CallClass::Harvest,
            Share::Audit => CallClass::Audit,
        }
    }
}

/// Nobody called it, as far as it shows: an empty history is what it must have.
pub(in crate::jobs) fn is_untouched(contact: &Contact) -> bool {
    contact.tries() == 0 && contact.result_code().is_none()
}
