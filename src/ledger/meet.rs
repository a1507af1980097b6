//! First sight: whose key the dialler must be asked for, and what the answer makes of the record
//! (semantics 5). Decided by the same function as everything else, in the transaction that stores it.

use super::decisions::{self, Cause, LinkOwner, lane_of_contact};
use super::holder::free_contact;
use super::inputs::{blocks_in_force, last_result, link_view};
use super::sql::{self, get_reason, get_reason_opt, get_time_opt, time};
use super::{Ledger, LedgerError, lane};
use crate::domain::{
    CampaignId, ContactId, CrmSide, Decision, DecisionInput, DiallerSide, LinkId, Policy, Reason, ReasonCode,
    RecordId, RecordKey, RouteName, RunId, Timestamp, UserData, Verdict, Wish,
};
use rusqlite::{OptionalExtension as _, Transaction, named_params};

/// A key to ask for.
#[derive(Debug, Clone, PartialEq)]
pub struct MeetItem {
    /// Its route.
    pub route: RouteName,
    /// Its record.
    pub record: RecordId,
    /// Its link, if it has one.
    pub link: Option<LinkId>,
    /// The key.
    pub user_data: UserData,
    /// The campaign in which its contact would be ours.
    pub campaign: Option<CampaignId>,
}

/// What was found for a key.
#[derive(Debug, Clone)]
pub struct Meeting {
    /// The key.
    pub item: MeetItem,
    /// What the dialler has.
    pub dialler: DiallerSide,
    /// Contacts with our key that must not be called whatever is decided (semantics 16).
    pub doubles: Vec<ContactId>,
    /// When the dialler said so; for an index, when its sweep began.
    pub at: Timestamp,
    /// The route's choices.
    pub policy: Policy,
}

/// What meetings led to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MeetCounts {
    /// Contacts taken over.
    pub adopted: i64,
    /// Records parked.
    pub parked: i64,
    /// Waiting imports that gave way to it.
    pub superseded: i64,
}

/// `sync::decide`, handed in because the ledger holds no policy.
pub type Decide = fn(&DecisionInput<'_>) -> Decision;

const BY_IMPORT: &str =
    "SELECT l.route, l.record_id, l.id AS link_id, l.user_data, coalesce(r.campaign_id, l.campaign_id)
            AS campaign
     FROM operations o JOIN links l ON l.id = o.link_id JOIN routes r ON r.route = l.route
     WHERE o.state = 'waiting' AND o.kind = 'import' AND o.not_before <= :now
       AND (l.contact_id IS NULL OR l.vanished_at IS NOT NULL) AND (l.met_at IS NULL OR l.met_at < :since)
       AND (o.cause LIKE 'person:%' OR (r.state = 'on' AND r.stopped IS NULL))
     ORDER BY o.id LIMIT :limit";

/// A link whose import was taken back before its key was asked for.
const UNMET: &str =
    "SELECT l.route, l.record_id, l.id AS link_id, l.user_data, coalesce(r.campaign_id, l.campaign_id)
            AS campaign
     FROM links l JOIN routes r ON r.route = l.route
     WHERE l.contact_id IS NULL AND l.met_at IS NULL AND l.user_data IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM operations o WHERE o.link_id = l.id
                       AND o.state IN ('waiting', 'sending', 'uncertain') AND o.kind = 'import')
     ORDER BY l.id LIMIT :limit";

const DUE_RECORDS: &str = "SELECT d.route, d.record_id, d.link_id, d.user_data, r.campaign_id AS campaign
     FROM records d JOIN routes r ON r.route = d.route
     WHERE d.meet = 'due' AND d.user_data IS NOT NULL ORDER BY d.route, d.record_id LIMIT :limit";

impl Ledger {
    /// Keys that must be asked for: of records that must not be called (always), and of waiting imports of
    /// routes that act, unless they were met since `since`.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn meet_due(&self, since: Timestamp, limit: u32) -> Result<Vec<MeetItem>, LedgerError> {
        let now = time(self.env.now());
        self.read("meet_due", move |connection| {
            let mut found: Vec<MeetItem> = Vec::new();
            for sql in [DUE_RECORDS, UNMET] {
                found.extend(
                    connection
                        .prepare_cached(sql)?
                        .query_map(named_params! { ":limit": limit }, item)?
                        .collect::<rusqlite::Result<Vec<_>>>()?
                        .into_iter()
                        .flatten(),
                );
            }
            found.extend(
                connection
                    .prepare_cached(BY_IMPORT)?
                    .query_map(named_params! { ":now": now, ":since": time(since), ":limit": limit }, item)?
                    .collect::<rusqlite::Result<Vec<_>>>()?
                    .into_iter()
                    .flatten(),
            );
            found.sort_by(|a, b| (&a.route, &a.record).cmp(&(&b.route, &b.record)));
            found.dedup_by(|a, b| a.route == b.route && a.record == b.record);
            Ok(found)
        })
        .await
    }

    /// Stores what was found, with what it decides.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn meetings_store(
        &self,
        meetings: Vec<Meeting>,
        decide: Decide,
        run: RunId,
    ) -> Result<MeetCounts, LedgerError> {
        let now = self.env.now();
        self.write("meetings_store", move |tx| {
            let cause = Cause { at: now, decided_at: now, text: format!("run:{run}"), run: Some(run) };
            let mut counts = MeetCounts::default();
            for meeting in &meetings {
                store(tx, &cause, meeting, decide, &mut counts)?;
            }
            Ok(counts)
        })
        .await
    }
}

fn item(row: &rusqlite::Row<'_>) -> rusqlite::Result<Option<MeetItem>> {
    let user_data: String = row.get("user_data")?;
    let Ok(user_data) = UserData::parse(&user_data) else { return Ok(None) };
    Ok(Some(MeetItem {
        route: RouteName(row.get("route")?),
        record: RecordId(row.get("record_id")?),
        link: row.get::<_, Option<i64>>("link_id")?.map(LinkId),
        user_data,
        campaign: row.get::<_, Option<i64>>("campaign")?.map(CampaignId),
    }))
}

/// One meeting inside a transaction; settling an import calls it too.
pub(super) fn store(
    tx: &Transaction<'_>,
    cause: &Cause,
    meeting: &Meeting,
    decide: Decide,
    counts: &mut MeetCounts,
) -> rusqlite::Result<()> {
    let MeetItem { route, record, .. } = &meeting.item;
    let mut link = meeting.item.link;
    match &meeting.dialler {
        DiallerSide::Absent | DiallerSide::Linked | DiallerSide::NotMet => {
            return met(tx, meeting, link);
        }
        DiallerSide::Found(contact) => link = room_for(tx, meeting, link, contact.id)?,
        DiallerSide::Ambiguous { .. } => {}
    }
    let view = link.map(|id| link_view(tx, id)).transpose()?;
    let (client, key): (String, RecordKey) = tx
        .prepare_cached("SELECT client, crm, object FROM routes WHERE route = ?1")?
        .query_row([&route.0], |row| {
            Ok((row.get(0)?, RecordKey { crm: row.get(1)?, object: row.get(2)?, id: record.clone() }))
        })?;
    let numbers: Vec<String> = match link {
        Some(id) => tx
            .prepare_cached("SELECT number FROM link_numbers WHERE link_id = ?1")?
            .query_map([id.0], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?,
        None => Vec::new(),
    };
    let blocks = blocks_in_force(tx, &client, Some(&key), &numbers, &time(cause.at))?;
    let (crm, decided_at) = crm_side(tx, meeting, view.as_ref().map(|view| (view.wish, &view.desired)))?;
    let decision = decide(&DecisionInput {
        link: view.as_ref(),
        crm: &crm,
        dialler: &meeting.dialler,
        blocks: &blocks,
        last_result: match link {
            Some(id) => last_result(tx, id)?,
            None => crate::domain::LastResult::None,
        },
        policy: meeting.policy,
    });
    let cause = Cause { decided_at: decided_at.unwrap_or(cause.at), ..cause.clone() };
    let waiting_imports = count_imports(tx, link)?;
    let owner = LinkOwner {
        client: client.clone(),
        route: route.clone(),
        record: record.clone(),
        user_data: meeting.item.user_data.clone(),
        campaign: meeting.item.campaign,
    };
    let stored = decisions::store(tx, &cause, link, Some(&owner), &decision, &numbers)?;
    counts.superseded += waiting_imports - count_imports(tx, link)?;
    counts.adopted += i64::from(decision.adopted.is_some());
    lock_doubles(tx, &cause, &client, meeting, &decision)?;
    follow(tx, &cause, meeting, stored, &decision, counts)?;
    met(tx, meeting, stored)
}

fn count_imports(tx: &Transaction<'_>, link: Option<LinkId>) -> rusqlite::Result<i64> {
    let Some(link) = link else { return Ok(0) };
    tx.prepare_cached(
        "SELECT count(*) FROM operations WHERE link_id = ?1 AND kind = 'import' AND state = 'waiting'",
    )?
    .query_row([link.0], |row| row.get(0))
}

/// A contact stands in one link only: a lane that held nothing but its locks becomes the record's link, or
/// hands it over.
fn room_for(
    tx: &Transaction<'_>,
    meeting: &Meeting,
    link: Option<LinkId>,
    contact: ContactId,
) -> rusqlite::Result<Option<LinkId>> {
    if let Some(link) = link {
        free_contact(tx, link, contact)?;
        return Ok(Some(link));
    }
    let bare: Option<i64> = tx
        .prepare_cached("SELECT id FROM links WHERE contact_id = ?1 AND route IS NULL")?
        .query_row([contact.0], |row| row.get(0))
        .optional()?;
    let Some(bare) = bare else { return Ok(None) };
    let MeetItem { route, record, user_data, campaign, .. } = &meeting.item;
    tx.prepare_cached(
        "UPDATE links SET route = ?2, record_id = ?3, user_data = ?4, folded = ?5, campaign_id = ?6 WHERE id = ?1",
    )?
    .execute((
        bare,
        &route.0,
        &record.0,
        user_data.as_str(),
        user_data.folded().as_str(),
        campaign.map(|c| c.0),
    ))?;
    Ok(Some(LinkId(bare)))
}

/// What the CRM last said, from what the ledger kept of it: a meeting does not ask the CRM again.
fn crm_side(
    tx: &Transaction<'_>,
    meeting: &Meeting,
    link: Option<(Wish, &crate::domain::Desired)>,
) -> rusqlite::Result<(CrmSide, Option<Timestamp>)> {
    let stored: Option<(String, Option<Reason>, Option<Timestamp>)> = tx
        .prepare_cached(
            "SELECT state, code, params, decided_at FROM records WHERE route = ?1 AND record_id = ?2",
        )?
        .query_row((&meeting.item.route.0, &meeting.item.record.0), |row| {
            Ok((row.get("state")?, get_reason_opt(row, "code", "params")?, get_time_opt(row, "decided_at")?))
        })
        .optional()?;
    let decided_at = stored.as_ref().and_then(|(_, _, at)| *at);
    if let Some((Wish::Callable, desired)) = link {
        return Ok((CrmSide::Eligible(desired.clone()), decided_at));
    }
    let (state, reason) = match stored {
        Some((state, reason, _)) => (state, reason),
        None => ("skipped".to_owned(), None),
    };
    let reason = match reason {
        Some(reason) => reason,
        None => wish_reason(tx, meeting)?,
    };
    let side = match (state.as_str(), reason.code) {
        (_, ReasonCode::NoName | ReasonCode::NoPhone) => CrmSide::Uncallable(reason),
        ("parked" | "discarded", _) => CrmSide::Unusable(reason),
        (_, ReasonCode::RecordDeleted | ReasonCode::RecordGone) => CrmSide::Gone(reason),
        _ => CrmSide::Ineligible(reason),
    };
    Ok((side, decided_at))
}

fn wish_reason(tx: &Transaction<'_>, meeting: &Meeting) -> rusqlite::Result<Reason> {
    let Some(link) = meeting.item.link else { return Ok(ReasonCode::NotEligible.into()) };
    tx.prepare_cached("SELECT wish_code, wish_params FROM links WHERE id = ?1")?
        .query_row([link.0], |row| get_reason(row, "wish_code", "wish_params"))
}

fn lock_doubles(
    tx: &Transaction<'_>,
    cause: &Cause,
    client: &str,
    meeting: &Meeting,
    decision: &Decision,
) -> rusqlite::Result<()> {
    let reason = match &decision.verdict {
        Verdict::Skipped(reason) | Verdict::Blocked(reason) | Verdict::Parked(reason) => reason.clone(),
        Verdict::Unchanged | Verdict::Queued | Verdict::Adopted => ReasonCode::SeveralContacts.into(),
    };
    for contact in meeting.doubles.iter().chain(&decision.lock_others) {
        let lane_id = lane_of_contact(tx, cause.at, client, *contact)?;
        lane::lock(tx, lane_id, &reason, cause)?;
    }
    Ok(())
}

fn follow(
    tx: &Transaction<'_>,
    cause: &Cause,
    meeting: &Meeting,
    link: Option<LinkId>,
    decision: &Decision,
    counts: &mut MeetCounts,
) -> rusqlite::Result<()> {
    let (state, reason) = match &decision.verdict {
        Verdict::Unchanged | Verdict::Queued | Verdict::Adopted => ("linked", None),
        Verdict::Parked(reason) => ("parked", Some(reason)),
        Verdict::Skipped(reason) => ("skipped", Some(reason)),
        Verdict::Blocked(reason) => ("blocked", Some(reason)),
    };
    counts.parked += i64::from(state == "parked");
    tx.prepare_cached(
        "UPDATE records SET since = CASE WHEN state = ?3 AND code IS ?4 THEN since ELSE ?6 END, state = ?3,
                code = ?4, params = ?5, link_id = coalesce(?7, link_id)
         WHERE route = ?1 AND record_id = ?2",
    )?
    .execute((
        &meeting.item.route.0,
        &meeting.item.record.0,
        state,
        reason.map(sql::code),
        reason.map_or_else(|| "{}".to_owned(), Reason::params_json),
        time(cause.at),
        link.map(|id| id.0),
    ))?;
    Ok(())
}

fn met(tx: &Transaction<'_>, meeting: &Meeting, link: Option<LinkId>) -> rusqlite::Result<()> {
    if let Some(link) = link {
        tx.prepare_cached("UPDATE links SET met_at = ?2 WHERE id = ?1")?
            .execute((link.0, time(meeting.at)))?;
    }
    tx.prepare_cached(
        "UPDATE records SET meet = 'done' WHERE route = ?1 AND record_id = ?2 AND meet = 'due'",
    )?
    .execute((&meeting.item.route.0, &meeting.item.record.0))?;
    Ok(())
}
