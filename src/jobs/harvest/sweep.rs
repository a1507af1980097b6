//! The sweep: a list, streamed, compared with the ledger chunk by chunk; then the question of the contacts
//! that a complete list did not name.
//!
//! Cost: an unchanged contact is a hash and its share of one look-up per chunk; nothing is written for it.
//! That it was listed is kept in memory for the length of the sweep (one set of ids, some 16 bytes each) and
//! not in its row: touching every row would be 200,000 writes for a sweep that found nothing.

use super::edited;
use super::overseen;
use super::sight::{carries_result, face, fingerprint, seen};
use super::{Brake, HarvestContext, JobError};
use crate::dialler::Listed;
use crate::domain::{CampaignId, Contact, ContactId, Seq};
use crate::ledger::{Known, Sighting, SweepCounts, UnlistedWave, Word};
use crate::remote::{CallClass, CallError};
use futures_util::StreamExt as _;
use std::collections::HashSet;

/// So many contacts are compared, and stored, together (semantics: at most 200 in a transaction).
const CHUNK: usize = 200;
/// So many known contacts are looked through at once for the missing ones.
const PAGE: usize = 5_000;

/// What a sweep does about contacts that are nobody's of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strangers {
    /// Their calls are read as those of ours.
    Harvested,
    /// Blocks must find them by key and number; nobody has asked for their calls.
    Indexed,
}

/// What a sweep found.
#[derive(Debug, Default)]
pub(super) struct Swept {
    pub(super) counts: SweepCounts,
    pub(super) unchanged: i64,
    pub(super) due: i64,
    pub(super) foreign: i64,
    /// Those who are shown with a no that is news.
    pub(super) opt_outs: i64,
    /// Why the list is not complete.
    pub(super) failure: Option<CallError>,
    listed: HashSet<ContactId>,
}

/// Reads the list and stores what changed.
pub(super) async fn sweep(
    ctx: &HarvestContext,
    campaign: CampaignId,
    began: Seq,
    strangers: Strangers,
) -> Result<Swept, JobError> {
    let mut swept = Swept::default();
    let asked = ctx.env.instant();
    let mut list = match ctx.dialler.list_contacts(Some(campaign), CallClass::Harvest).await {
        Ok(list) => list,
        Err(error) => {
            swept.failure = Some(error);
            return Ok(swept);
        }
    };
    let mut chunk = Vec::with_capacity(CHUNK);
    loop {
        if ctx.env.shutdown().is_cancelled() {
            return Err(JobError::ShuttingDown);
        }
        match list.next().await {
            Some(Ok(Listed::Bad(_))) => swept.counts.bad += 1,
            Some(Ok(Listed::Contact(contact))) => {
                let carries = carries_result(&contact);
                swept.counts.carries_result = Some(swept.counts.carries_result.unwrap_or(false) || carries);
                // The list is ordered by name and made while names change: the same contact may come twice.
                if swept.listed.insert(contact.id) {
                    chunk.push(contact);
                } else {
                    swept.counts.repeats += 1;
                }
            }
            Some(Err(error)) => swept.failure = Some(error),
            None => break,
        }
        (swept.counts.bytes, swept.counts.list_ms) =
            (list.bytes() as i64, i64::try_from(asked.elapsed().as_millis()).unwrap_or(i64::MAX));
        if chunk.len() == CHUNK {
            compare(ctx, campaign, (began, strangers), std::mem::take(&mut chunk), &mut swept).await?;
        }
    }
    compare(ctx, campaign, (began, strangers), chunk, &mut swept).await?;
    swept.counts.complete = swept.failure.is_none() && swept.counts.bad == 0;
    if swept.counts.bad > 0 {
        let bad = swept.counts.bad;
        swept
            .counts
            .remark(format!("{bad} elements of the list could not be read: no absence is concluded from it"));
    }
    swept.counts.contacts = i64::try_from(swept.listed.len()).unwrap_or(i64::MAX);
    Ok(swept)
}

async fn compare(
    ctx: &HarvestContext,
    campaign: CampaignId,
    (began, strangers): (Seq, Strangers),
    chunk: Vec<Contact>,
    swept: &mut Swept,
) -> Result<(), JobError> {
    if chunk.is_empty() {
        return Ok(());
    }
    edited::look(ctx, &chunk.iter().collect::<Vec<_>>(), began).await?;
    let ids = chunk.iter().map(|contact| contact.id).collect();
    let mut known = ctx.ledger.contacts_compare(ids, began).await?;
    let mut store = Vec::new();
    for contact in chunk {
        let known = known.remove(&contact.id).unwrap_or_default();
        let changed = judge(ctx, campaign, strangers, &contact, &known, &mut store);
        match (known.ours, changed) {
            (false, _) => swept.foreign += 1,
            (true, true) => swept.due += 1,
            (true, false) => swept.unchanged += 1,
        }
    }
    if !store.is_empty() {
        swept.opt_outs += ctx.ledger.sweep_store(store, began, ctx.settings.rules.clone()).await?;
    }
    Ok(())
}

/// What of a listed contact is to be stored; says whether its history is due.
fn judge(
    ctx: &HarvestContext,
    campaign: CampaignId,
    strangers: Strangers,
    contact: &Contact,
    known: &Known,
    store: &mut Vec<Sighting>,
) -> bool {
    let revision = &ctx.settings.numbers_revision;
    let as_seen = || seen(ctx, contact, Some(campaign));
    let row = known.row.as_ref();
    if known.newer_than_list {
        // Made or written by us while the list was on its way: it is read by its number instead, and that
        // read is younger (semantics 2). A row must be there for the due list to find it.
        if row.is_none() {
            store.push(Sighting::Face(as_seen()));
        }
        store.push(Sighting::ReadAgain(contact.id));
        return true;
    }
    if let Some(locked) = &known.locked {
        let news = overseen::look(locked, contact);
        store.extend(news.map(|news| Sighting::Overseen(contact.id, news)));
    }
    let face_changed = row.is_none_or(|row| row.face != Some(face(contact, Some(campaign), revision)));
    let missed = row.is_some_and(|row| row.missed);
    let print = fingerprint(contact);
    // As it was read last, but shown otherwise since: that it is as before is a change, too.
    let read = known.ours || strangers == Strangers::Harvested;
    let changed =
        read && row.is_none_or(|row| row.pending.is_some() || row.fingerprint.as_ref() != Some(&print));
    let waits_already = row.is_some_and(|row| row.pending.as_ref() == Some(&print));
    if changed && !waits_already {
        store.push(Sighting::Changed { seen: as_seen(), fingerprint: print });
    } else if face_changed {
        store.push(Sighting::Face(as_seen()));
    } else if missed {
        store.push(Sighting::Back(contact.id));
    }
    changed
}

/// Absence is a question: what a complete list did not name is put on the list of contacts to be asked about
/// one by one, unless so many are missing at once that the list itself is in doubt.
pub(super) async fn ask_for_missing(
    ctx: &HarvestContext,
    campaign: CampaignId,
    began: Seq,
    swept: &mut Swept,
) -> Result<(), JobError> {
    if !swept.counts.complete {
        return Ok(());
    }
    ctx.ledger.unlisted_enter(campaign, began).await?;
    let mut groups = [Group::default(), Group::default()];
    let mut after = None;
    loop {
        let page = ctx.ledger.contacts_expected(campaign, began, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        for known in page {
            let missing = !swept.listed.contains(&known.id);
            swept.counts.missing += i64::from(missing);
            match known.absence {
                // It is being asked about, and is no reason to doubt the rest.
                Word::Believed if missing => {}
                Word::Believed | Word::Nobodys => groups[usize::from(known.ours)].count(known.id, missing),
            }
        }
    }
    let [others, mut ours] = groups;
    if let Brake::At { .. } = ctx.settings.brake {
        ask_for_ours(ctx, campaign, &mut ours, swept).await?;
    }
    for (group, whose) in [(others, "contacts of others"), (ours, "our contacts")] {
        let (missing, expected) = (group.ids.len(), group.expected);
        let mut ids = group.ids;
        match ctx.settings.brake {
            Brake::Off if missing > 0 => {
                swept.counts.remark(format!(
                    "a person believes that {missing} of {expected} {whose} are missing: they are asked about one by one"
                ));
                ctx.ledger.missing_enter(ids, Word::Believed).await?;
            }
            brake if brake.holds(missing, expected) => {
                swept.counts.held += missing as i64;
                swept.counts.remark(format!(
                    "{missing} of {expected} {whose} were not in a complete list: nothing is concluded from it"
                ));
            }
            Brake::At { .. } | Brake::Off => {
                ids.truncate(ctx.settings.single_reads);
                ctx.ledger.missing_enter(ids, Word::Nobodys).await?;
            }
        }
    }
    Ok(())
}

/// Those of our routes have the brake of their route, by the day and in all its campaigns; left in the group are contacts that are
/// no route's any more.
async fn ask_for_ours(
    ctx: &HarvestContext,
    campaign: CampaignId,
    ours: &mut Group,
    swept: &mut Swept,
) -> Result<(), JobError> {
    let (missing, expected) = (std::mem::take(&mut ours.ids), ours.expected);
    let unlisted = ctx.ledger.contacts_unlisted(campaign, missing, ctx.settings.rules.clone()).await?;
    let held = unlisted.held.len();
    if held > 0 {
        swept.counts.held += held as i64;
        swept.counts.remark(format!(
            "{held} of {expected} our contacts were not in a complete list: nothing is concluded from it"
        ));
    }
    for UnlistedWave { route, wave, count } in unlisted.waves {
        swept.counts.remark(format!(
            "{count} contacts of route {route} are missing: `dialbridge plan show --wave {wave}` names them"
        ));
    }
    let mut ask = unlisted.to_ask;
    ask.truncate(ctx.settings.single_reads);
    ctx.ledger.missing_enter(ask, Word::Nobodys).await?;
    ours.ids = unlisted.of_no_route;
    Ok(())
}

/// Ours and others' are judged apart: a bought list that is replaced every week must not hide that one of
/// our contacts is gone.
#[derive(Default)]
struct Group {
    expected: usize,
    /// The missing ones.
    ids: Vec<ContactId>,
}

impl Group {
    fn count(&mut self, id: ContactId, missing: bool) {
        self.expected += 1;
        if missing {
            self.ids.push(id);
        }
    }
}
