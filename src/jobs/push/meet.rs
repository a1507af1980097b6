//! First sight (semantics 5): a key that the ledger does not know is asked for before anything is
//! imported under it, and before a record that must not be called is passed over.

use super::{PushContext, Resting, Tally, Work, count, quiet};
use crate::dialler::{BatchQuery, DiallerRead};
use crate::domain::{
    CampaignId, Contact, ContactId, DiallerSide, FoldedUserData, Policy, Reason, ReasonCode, RouteName,
    RunId, Timestamp, UserData,
};
use crate::env::Env;
use crate::jobs::harvest::ToE164;
use crate::jobs::{JobError, glimpse};
use crate::ledger::{
    Bearer, Counts, Drip, Ledger, LedgerError, MeetImports, MeetItem, MeetSince, MeetWhose, Meeting,
};
use crate::remote::{CallClass, CallError};
use crate::sync::decide;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Mutex;
use std::time::Duration;

/// So many keys are looked at at once.
const PAGE: u32 = 1000;
/// Records parked for what was found are asked for again so often: a sweep sees what happens in the campaigns of
/// the routes, and only there.
const PARKED_AGAIN: Duration = Duration::from_secs(6 * 3600);
/// The batch read's bound.
const BATCH: usize = 100;
/// So long a key about which no answer can be had is left alone.
const REST: Duration = Duration::from_secs(300);

/// First sight under way. It holds the dialler's reading half alone, so that a dry run meets by the same rules.
pub(super) struct Meeter<'a> {
    /// Where decisions go; a dry run's is a copy.
    pub ledger: &'a Ledger,
    /// Clock and shutdown.
    pub env: &'a Env,
    /// Reading the dialler.
    pub read: &'a dyn DiallerRead,
    /// How its numbers are read.
    pub to_e164: &'a ToE164,
    /// What each route does with what is found.
    pub policies: BTreeMap<RouteName, Policy>,
    /// Whose imports are met.
    pub imports: MeetImports,
    /// Only this route's.
    pub only: Option<RouteName>,
    /// The days of the routes that have daily limits.
    pub drips: Vec<Drip>,
    /// How long an answer holds.
    pub index_age: Duration,
    /// From so many unknown keys on the account is listed.
    pub index_from: usize,
    /// Keys that cannot be asked for.
    pub resting: &'a Resting,
    /// The run.
    pub run: RunId,
    /// Its balance.
    pub tally: &'a Mutex<Tally>,
}

impl Work<'_> {
    /// Meets whoever must be met.
    pub(super) async fn meet(&self) -> Result<(), JobError> {
        let Self { context, run, tally } = self;
        let policies = context.routes.iter().map(|(name, route)| (name.clone(), route.policy.clone()));
        let meeter = Meeter {
            ledger: &context.ledger,
            env: &context.env,
            read: &*context.read,
            to_e164: &*context.to_e164,
            policies: policies.collect(),
            imports: MeetImports::Acting,
            only: self.only(),
            drips: self.drips(),
            index_age: context.limits.index_age,
            index_from: context.limits.index_from,
            resting: &context.resting,
            run: *run,
            tally,
        };
        meeter.meet().await
    }
}

impl Meeter<'_> {
    pub(super) async fn meet(&self) -> Result<(), JobError> {
        let mut may_list = true;
        // Not anew in each round: where asking takes longer than an answer holds, the first would be due again before the last.
        let since = self.env.now() - quiet(self.index_age);
        loop {
            self.stop_if_ending()?;
            let parked = self.env.now() - quiet(PARKED_AGAIN);
            let ages = MeetSince { absent: since, parked };
            let whose = MeetWhose {
                routes: self.policies.keys().cloned().collect(),
                resting: self.resting.at_rest(self.env.now()),
                imports: self.imports,
            };
            let due = self.ledger.meet_due(ages, whose, self.only.clone(), self.drips.clone(), PAGE).await?;
            if due.is_empty() {
                return Ok(());
            }
            self.meet_page(due, since, &mut may_list).await?;
        }
    }

    async fn meet_page(
        &self,
        due: Vec<MeetItem>,
        since: Timestamp,
        may_list: &mut bool,
    ) -> Result<(), JobError> {
        let ledger = self.ledger;
        let mut index = ledger.account_index_since(since).await?;
        if index.is_none() && *may_list && due.len() > self.index_from {
            index = self.sweep_account(&due).await?;
            // A list that is none for the first page is none for the next.
            *may_list = index.is_some();
        }
        let Some(began_at) = index else { return self.meet_by_asking(due).await };
        let keys = due.iter().map(|item| item.user_data.folded()).collect();
        let found = ledger.account_index_find(keys).await?;
        let (there, absent): (Vec<MeetItem>, Vec<MeetItem>) =
            due.into_iter().partition(|item| found.contains_key(&item.user_data.folded()));
        let absent = absent
            .into_iter()
            .map(|item| self.meeting(item, DiallerSide::Absent, Vec::new(), began_at))
            .collect();
        let stored = self.store(absent).await;
        self.meet_by_asking(there).await?;
        stored
    }

    async fn meet_by_asking(&self, due: Vec<MeetItem>) -> Result<(), JobError> {
        let mut stored = Ok(());
        for items in due.chunks(BATCH) {
            self.stop_if_ending()?;
            let at = self.env.now();
            let keys: Vec<&UserData> = items.iter().map(|item| &item.user_data).collect();
            let Asked { found, unread } = self.ask(&keys).await?;
            self.count(|counts| counts.requests += 1);
            let rest_until = at + quiet(REST);
            unread.iter().for_each(|key| self.resting.rest(key.clone(), rest_until));
            let read = items.iter().filter(|item| !unread.contains(&item.user_data.folded()));
            let meetings = read.map(|item| {
                let seen = found.get(&item.user_data.folded()).map(Vec::as_slice).unwrap_or_default();
                let (dialler, doubles) = sort_out(&item.user_data, item.campaign, item.contact, seen);
                let bearers = bearers(&item.user_data, &dialler, seen);
                Meeting { bearers, ..self.meeting(item.clone(), dialler, doubles, at) }
            });
            stored = stored.and(self.store(meetings.collect()).await);
        }
        stored
    }

    fn meeting(
        &self,
        item: MeetItem,
        dialler: DiallerSide,
        doubles: Vec<ContactId>,
        at: Timestamp,
    ) -> Meeting {
        let policy = self.policies.get(&item.route).cloned().unwrap_or_else(Policy::careful);
        let seen = glimpse::found(&dialler, self.to_e164);
        Meeting { item, dialler, seen, doubles, bearers: Vec::new(), at, policy }
    }

    /// One that the ledger refuses keeps none of the others from being met, and fails the run when they are.
    async fn store(&self, meetings: Vec<Meeting>) -> Result<(), JobError> {
        match self.store_together(meetings.clone()).await {
            Err(JobError::Ledger(LedgerError::Refused { .. })) if meetings.len() > 1 => {}
            ended => return ended,
        }
        let mut stored = Ok(());
        for meeting in meetings {
            stored = stored.and(self.store_together(vec![meeting]).await);
        }
        stored
    }

    async fn store_together(&self, meetings: Vec<Meeting>) -> Result<(), JobError> {
        if meetings.is_empty() {
            return Ok(());
        }
        let counts = self.ledger.meetings_store(meetings, decide, self.run).await?;
        self.count(|all| {
            all.taken += counts.superseded + counts.imports_parked;
            all.superseded += counts.superseded;
            all.parked += counts.imports_parked;
            all.parked_new += counts.parked;
            all.adopted += counts.adopted;
        });
        Ok(())
    }

    pub(super) fn count(&self, act: impl FnOnce(&mut Counts)) {
        count(self.tally, act);
    }

    pub(super) fn stop_if_ending(&self) -> Result<(), JobError> {
        if self.env.shutdown().is_cancelled() { Err(JobError::ShuttingDown) } else { Ok(()) }
    }

    /// Whether a batch that named some contacts left out others that are there. How many it answers for at most is not
    /// documented (facts 3.3), and who is left out would be imported a second time; so the last key without a contact is
    /// asked for once more, by itself. A batch that named nobody was not cut. One question is enough for a bound, which cuts
    /// what comes last; whoever is left out elsewhere is met by the import, and its answer shows that it made nobody.
    async fn leaves_out(&self, keys: &[&UserData], asked: &Asked) -> Result<bool, CallError> {
        let absent = |key: &&&UserData| !asked.found.contains_key(&key.folded());
        let last = keys.iter().rev().find(absent).filter(|_| !asked.found.is_empty());
        let Some(key) = last else { return Ok(false) };
        match self.read.contacts_by_user_data(key, CallClass::Push).await {
            Ok(found) => Ok(found.iter().any(|contact| {
                contact.user_data.as_deref().map(FoldedUserData::of).as_ref() == Some(&key.folded())
            })),
            Err(error) if error.speaks_of_the_side() => Err(error),
            // Then each is asked for by itself, and this one rests.
            Err(_) => Ok(true),
        }
    }

    /// Asks for keys: by the batch read where there is one, else one by one. A key that always fails must not
    /// keep the others from being met.
    pub(super) async fn ask(&self, keys: &[&UserData]) -> Result<Asked, CallError> {
        let mut asked = Asked::default();
        if keys.len() > 1 {
            let query =
                BatchQuery { user_data: keys.iter().map(|key| (*key).clone()).collect(), ids: Vec::new() };
            match self.read.read_batch(&query, CallClass::Push).await {
                Ok(Some(contacts)) => {
                    contacts.into_iter().for_each(|read| asked.add(read.contact));
                    if !self.leaves_out(keys, &asked).await? {
                        return Ok(asked);
                    }
                    tracing::warn!(
                        "the batch read left out a contact that is there: its keys are asked for one by one"
                    );
                    asked.found.clear();
                }
                Ok(None) => {}
                Err(error) if error.speaks_of_the_side() => return Err(error),
                // One key in it may be what fails, or (not documented) an unknown one refuses the whole batch.
                Err(error) => tracing::debug!(%error, "the keys of a batch are asked for one by one"),
            }
        }
        for key in keys {
            match self.read.contacts_by_user_data(key, CallClass::Push).await {
                Ok(found) => found.into_iter().for_each(|contact| asked.add(contact)),
                Err(error) if error.speaks_of_the_side() || self.env.shutdown().is_cancelled() => {
                    return Err(error);
                }
                Err(error) => {
                    tracing::warn!(%error, "a key cannot be asked for; its record is not imported, asked again in 5 minutes");
                    asked.unread.insert(key.folded());
                }
            }
        }
        Ok(asked)
    }
}

/// What the dialler answered about keys.
#[derive(Default)]
pub(super) struct Asked {
    /// Contacts by folded key.
    pub found: HashMap<FoldedUserData, Vec<Contact>>,
    /// Keys about which no answer can be had: nothing is known of them.
    pub unread: HashSet<FoldedUserData>,
}

impl Asked {
    fn add(&mut self, contact: Contact) {
        if let Some(key) = contact.user_data.as_deref().map(FoldedUserData::of) {
            self.found.entry(key).or_default().push(contact);
        }
    }
}

/// What the dialler has for one key, asked for singly.
pub(in crate::jobs) async fn look_up(
    context: &PushContext,
    user_data: &UserData,
    campaign: Option<CampaignId>,
    own: Option<ContactId>,
) -> Result<(DiallerSide, Vec<ContactId>), CallError> {
    let found = context.read.contacts_by_user_data(user_data, CallClass::Push).await?;
    Ok(judge_found(user_data, campaign, own, found))
}

/// What an answer to one key says.
pub(in crate::jobs) fn judge_found(
    user_data: &UserData,
    campaign: Option<CampaignId>,
    own: Option<ContactId>,
    answered: Vec<Contact>,
) -> (DiallerSide, Vec<ContactId>) {
    let folded = user_data.folded();
    // How the server matches is not documented: a wildcard match is nobody's key.
    let same: Vec<Contact> = answered
        .into_iter()
        .filter(|contact| contact.user_data.as_deref().map(FoldedUserData::of).as_ref() == Some(&folded))
        .collect();
    sort_out(user_data, campaign, own, &same)
}

/// Those with the key of which none could be taken for the record's.
fn bearers(user_data: &UserData, side: &DiallerSide, seen: &[Contact]) -> Vec<Bearer> {
    match side {
        DiallerSide::Ambiguous { .. } => seen
            .iter()
            .filter(|contact| contact.user_data.as_deref() == Some(user_data.as_str()))
            .filter_map(|contact| Some(Bearer { contact: contact.id, campaign: contact.campaign? }))
            .collect(),
        DiallerSide::Linked | DiallerSide::NotMet | DiallerSide::Absent | DiallerSide::Found(_) => Vec::new(),
    }
}

/// Exactly one, to the letter, in our campaign, is ours. Of several with our key all but one must not be
/// called: kept is the linked one (`own`), else the one with tries, else the oldest (semantics 16).
fn sort_out(
    user_data: &UserData,
    campaign: Option<CampaignId>,
    own: Option<ContactId>,
    seen: &[Contact],
) -> (DiallerSide, Vec<ContactId>) {
    let (exact, folded): (Vec<&Contact>, Vec<&Contact>) =
        seen.iter().partition(|contact| contact.user_data.as_deref() == Some(user_data.as_str()));
    let oldest =
        exact.iter().min_by_key(|contact| (contact.tries() == 0, contact.id)).map(|contact| contact.id);
    let kept = own.or(oldest);
    let doubles = exact.iter().map(|contact| contact.id).filter(|id| Some(*id) != kept).collect();
    let side = side_of(campaign, &exact, &folded);
    (side, doubles)
}

fn side_of(campaign: Option<CampaignId>, exact: &[&Contact], folded: &[&Contact]) -> DiallerSide {
    let alike = folded.iter().map(|contact| contact.id).collect();
    match (exact, folded) {
        ([], []) => DiallerSide::Absent,
        ([], [other, ..]) => {
            let reason = Reason::new(ReasonCode::FoldedMatch).with("contact", other.id);
            DiallerSide::Ambiguous { reason, ours: Vec::new(), alike }
        }
        // An answer without the campaign cannot say that it is another one.
        ([one], []) if campaign.is_some() && (one.campaign.is_none() || one.campaign == campaign) => {
            DiallerSide::Found(Box::new((*one).clone()))
        }
        ([one], []) => {
            let elsewhere = one.campaign.map_or_else(|| "unknown".to_owned(), |c| c.to_string());
            let reason =
                Reason::new(ReasonCode::FoundElsewhere).with("contact", one.id).with("campaign", elsewhere);
            DiallerSide::Ambiguous { reason, ours: vec![one.id], alike }
        }
        ([one], [other, ..]) => {
            let reason = Reason::new(ReasonCode::FoldedMatch).with("contact", other.id);
            DiallerSide::Ambiguous { reason, ours: vec![one.id], alike }
        }
        (several, _) => {
            let ids: Vec<ContactId> = several.iter().map(|contact| contact.id).collect();
            let names: Vec<String> = ids.iter().map(ToString::to_string).collect();
            let reason = Reason::new(ReasonCode::SeveralContacts).with("contacts", names.join(", "));
            DiallerSide::Ambiguous { reason, ours: ids, alike }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn contact(id: i64, user_data: &str, campaign: i64, tries: i64) -> Contact {
        let fields = json!({
            "ID": id, "UserData": user_data, "DiallerCampaignsID": campaign, "nTriesPhoneNumber1": tries
        });
        Contact::from_fields(fields.as_object().cloned().expect("an object")).expect("a contact")
    }

    fn sorted(seen: &[Contact]) -> (DiallerSide, Vec<ContactId>) {
        sort_out(&UserData::parse("leads-1").expect("valid"), Some(CampaignId(7)), None, seen)
    }

    fn code(side: &DiallerSide) -> Option<ReasonCode> {
        match side {
            DiallerSide::Ambiguous { reason, .. } => Some(reason.code),
            DiallerSide::Linked | DiallerSide::NotMet | DiallerSide::Absent | DiallerSide::Found(_) => None,
        }
    }

    #[test]
    fn only_one_to_the_letter_in_our_campaign_is_ours() {
        assert!(matches!(sorted(&[]).0, DiallerSide::Absent));
        assert!(matches!(sorted(&[contact(1, "leads-1", 7, 0)]).0, DiallerSide::Found(_)));
        let elsewhere = sorted(&[contact(1, "leads-1", 8, 0)]).0;
        assert_eq!(code(&elsewhere), Some(ReasonCode::FoundElsewhere));
        let folded = sorted(&[contact(1, "Leads-1 ", 7, 0)]).0;
        assert_eq!(code(&folded), Some(ReasonCode::FoldedMatch));
        assert!(matches!(folded, DiallerSide::Ambiguous { ours, .. } if ours.is_empty()), "somebody else's");
    }

    #[test]
    fn of_several_the_one_with_tries_is_kept() {
        let (side, doubles) =
            sorted(&[contact(1, "leads-1", 7, 0), contact(2, "leads-1", 7, 3), contact(3, "leads-1", 8, 0)]);
        assert_eq!(code(&side), Some(ReasonCode::SeveralContacts));
        assert_eq!(doubles, [ContactId(1), ContactId(3)]);
    }

    #[test]
    fn the_linked_one_is_kept_before_all_others() {
        let seen = [contact(1, "leads-1", 7, 3), contact(2, "leads-1", 7, 0)];
        let key = UserData::parse("leads-1").expect("valid");
        let doubles = |own| sort_out(&key, Some(CampaignId(7)), Some(ContactId(own)), &seen).1;
        assert_eq!(doubles(2), [ContactId(1)]);
        assert_eq!(
            doubles(9),
            [ContactId(1), ContactId(2)],
            "it bears another key now, and is the one to call"
        );
    }
}
