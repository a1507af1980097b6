//! A no that a list of contacts shows: the result stands beside the contact before its history can be read, and that may fail. It
//! holds from then on like one that was heard, and the call that says the same takes its place once it is read.
//!
//! A list shows a result as long as no other comes, also one that was heard long ago and that a person has taken back since. So only
//! what is news counts: another result than was shown before, and none that a stored call explains.

use super::contacts::ContactSeen;
use super::hearing::{Hearing, Spoken, hearing};
use super::sql::{get_time_opt, time};
use crate::domain::{CampaignId, ContactId, HistoryId, Reason, ReasonCode, RecordId, RouteName, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Transaction};

/// What was known of a contact before a list was stored.
pub(super) struct Before {
    result: Option<i64>,
    seen_at: String,
}

/// What is known of a contact; a contact that was never seen has nothing.
pub(super) fn before(connection: &Connection, contact: ContactId) -> rusqlite::Result<Option<Before>> {
    connection
        .prepare_cached("SELECT result_code, seen_at FROM contacts WHERE contact_id = ?1")?
        .query_row([contact.0], |row| Ok(Before { result: row.get(0)?, seen_at: row.get(1)? }))
        .optional()
}

/// Nos that were heard, and the block list's epoch after it.
#[derive(Default)]
pub(super) struct Heeded {
    pub(super) heard: i64,
    pub(super) epoch: Option<i64>,
}

impl Heeded {
    pub(super) fn add(&mut self, more: Self) {
        self.heard += more.heard;
        self.epoch = self.epoch.max(more.epoch);
    }
}

/// A list showed a contact changed: whoever is shown with a no is blocked, and gets the locks.
pub(super) fn heed(
    tx: &Transaction<'_>,
    routes: &[Hearing],
    before: Option<&Before>,
    seen: &ContactSeen,
    now: Timestamp,
) -> rusqlite::Result<Heeded> {
    let Some(code) = seen.result.flatten().filter(|_| !routes.is_empty()) else {
        return Ok(Heeded::default());
    };
    let shown_before = before.is_some_and(|before| before.result == Some(code));
    // It came after the contact was seen without it, or nobody knows when.
    let since = before.filter(|_| !shown_before).map_or("", |before| &before.seen_at);
    if explained(tx, seen.id, code, since)? {
        return Ok(Heeded::default());
    }
    let said = spoken(tx, seen.id, seen.campaign, code)?;
    let news = if shown_before { News::UnlessHeeded } else { News::Certainly };
    block(tx, routes, &said, news, now)
}

/// Whether the result is news.
#[derive(Clone, Copy, PartialEq, Eq)]
enum News {
    /// The contact was shown with another one before.
    Certainly,
    /// It was shown before, and may not have been known as a no.
    UnlessHeeded,
}

/// Codes that came to be known: whoever waits for their history, and is shown with one, is looked at once more.
pub(super) fn take_codes(tx: &Transaction<'_>, now: Timestamp) -> rusqlite::Result<Heeded> {
    let waiting: Vec<(ContactId, Option<CampaignId>, i64)> = tx
        .prepare_cached(
            "SELECT c.contact_id, c.campaign_id, c.result_code FROM harvest_due d
                CROSS JOIN contacts c ON c.contact_id = d.contact_id
                CROSS JOIN shown_codes_due s ON s.campaign_id = c.campaign_id AND s.code = c.result_code
             WHERE d.reason = 'changed'",
        )?
        .query_map([], |row| {
            let campaign = row.get::<_, Option<i64>>(1)?.map(CampaignId);
            Ok((ContactId(row.get(0)?), campaign, row.get(2)?))
        })?
        .collect::<Result<_, _>>()?;
    let routes = hearing(tx)?;
    let mut heeded = Heeded::default();
    for (contact, campaign, code) in waiting {
        if !explained(tx, contact, code, "")? {
            let said = spoken(tx, contact, campaign, code)?;
            heeded.add(block(tx, &routes, &said, News::UnlessHeeded, now)?);
        }
    }
    tx.prepare_cached("DELETE FROM shown_codes_due")?.execute([])?;
    Ok(heeded)
}

/// A code of a campaign has got its name.
pub(super) fn enter_code(tx: &Transaction<'_>, campaign: CampaignId, code: i64) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT OR IGNORE INTO shown_codes_due (campaign_id, code)
         SELECT ?1, ?2 WHERE EXISTS (SELECT 1 FROM routes WHERE opt_out_results IS NOT NULL)",
    )?
    .execute((campaign.0, code))?;
    Ok(())
}

/// A list of words has changed: all codes that are shown beside somebody who waits for their history.
pub(super) fn enter_all(tx: &Transaction<'_>) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT OR IGNORE INTO shown_codes_due (campaign_id, code)
         SELECT c.campaign_id, c.result_code FROM harvest_due d CROSS JOIN contacts c ON c.contact_id = d.contact_id
         WHERE d.reason = 'changed' AND c.campaign_id IS NOT NULL AND c.result_code IS NOT NULL",
    )?
    .execute([])?;
    Ok(())
}

/// A call that says what a list showed: from then on it is the call's word.
pub(super) enum Confirmed {
    /// No list showed it before.
    Not,
    /// It was held since the list showed it.
    Held,
    /// A person has taken it back meanwhile: the call, made before, says the same and is taken back with it.
    TakenBack(Option<i64>),
}

/// A call with this result was read, made at `at`.
pub(super) fn confirm(
    tx: &Transaction<'_>,
    said: &Spoken,
    route: &RouteName,
    call: HistoryId,
    at: Timestamp,
) -> rusqlite::Result<Confirmed> {
    let block: Option<Option<i64>> = tx
        .prepare_cached(
            "UPDATE shown_nos SET history_id = ?4 WHERE contact_id = ?1 AND code = ?2 AND route = ?3
                AND history_id IS NULL AND at <= (SELECT changed_at FROM calls WHERE history_id = ?4)
             RETURNING block_id",
        )?
        .query_row((said.contact.0, said.code, &route.0, call.0), |row| row.get(0))
        .optional()?;
    let Some(block) = block else { return Ok(Confirmed::Not) };
    let lifted = tx
        .prepare_cached("SELECT lifted_at FROM blocks WHERE id = ?1")?
        .query_row([block], |row| get_time_opt(row, "lifted_at"))
        .optional()?
        .flatten();
    Ok(if lifted.is_some_and(|lifted| at <= lifted) { Confirmed::TakenBack(block) } else { Confirmed::Held })
}

/// Whether a stored call bears the result and was stored since then. A test call explains it, too.
fn explained(connection: &Connection, contact: ContactId, code: i64, since: &str) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM calls WHERE contact_id = ?1 AND result_code = ?2 AND changed_at >= ?3)",
        )?
        .query_row((contact.0, code, since), |row| row.get(0))
}

/// The result as a call of the contact would say it.
fn spoken(
    connection: &Connection,
    contact: ContactId,
    campaign: Option<CampaignId>,
    code: i64,
) -> rusqlite::Result<Spoken> {
    let record = connection
        .prepare_cached(
            "SELECT l.route, l.record_id FROM link_contacts j JOIN links l ON l.id = j.link_id
             WHERE j.contact_id = ?1 AND l.route IS NOT NULL AND l.record_id IS NOT NULL
             ORDER BY j.until IS NULL DESC, j.since DESC LIMIT 1",
        )?
        .query_row([contact.0], |row| Ok((RouteName(row.get(0)?), RecordId(row.get(1)?))))
        .optional()?;
    let named: Option<(Option<String>, Option<String>)> = connection
        .prepare_cached("SELECT export_key, name FROM result_codes WHERE campaign_id = ?1 AND code = ?2")?
        .query_row((campaign.map(|campaign| campaign.0), code), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (export_key, name) = named.unwrap_or_default();
    let linked = record.is_some();
    Ok(Spoken { contact, code, campaign, record, linked, export_key, name })
}

fn block(
    tx: &Transaction<'_>,
    routes: &[Hearing],
    said: &Spoken,
    news: News,
    now: Timestamp,
) -> rusqlite::Result<Heeded> {
    let mut heeded = Heeded::default();
    let key = |route: &RouteName| (said.contact.0, said.code, route.0.clone());
    for route in routes.iter().filter(|route| route.hears(said)) {
        let known: bool = tx
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM shown_nos WHERE contact_id = ?1 AND code = ?2 AND route = ?3)",
            )?
            .query_row(key(&route.route), |row| row.get(0))?;
        if known && news == News::UnlessHeeded {
            continue;
        }
        let reason = Reason::new(ReasonCode::SaidNoShown)
            .with("contact", said.contact)
            .with("result", said.in_words());
        let blocked = route.block(tx, said, None, (&reason, None), now, None)?;
        let (contact, code, name) = key(&route.route);
        tx.prepare_cached(
            "INSERT INTO shown_nos (contact_id, code, route, block_id, at) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (contact_id, code, route) DO UPDATE SET block_id = excluded.block_id, at = excluded.at,
                history_id = NULL",
        )?
        .execute((contact, code, name, blocked.first, time(now)))?;
        heeded.add(Heeded { heard: 1, epoch: blocked.epoch });
    }
    Ok(heeded)
}

/// How many contacts are blocked because they were shown with a no by then that no call has said, and the first since when.
pub(super) fn unexplained(connection: &Connection, by: &str) -> rusqlite::Result<(i64, Option<Timestamp>)> {
    connection
        .prepare_cached(UNEXPLAINED)?
        .query_row([by], |row| Ok((row.get("contacts")?, get_time_opt(row, "since")?)))
}

const UNEXPLAINED: &str = "SELECT count(DISTINCT s.contact_id) AS contacts, min(s.at) AS since
     FROM shown_nos s CROSS JOIN blocks b ON b.id = s.block_id
     WHERE s.history_id IS NULL AND s.at <= ?1 AND b.lifted_at IS NULL";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::BlockSubject;
    use crate::domain::result_words::ResultWords;
    use crate::ledger::testing::{Scene, a_mistake, scene};
    use crate::ledger::{HarvestRules, LiftedOne, Sighting};
    use std::collections::BTreeMap;

    // A no of campaign 7, and something else.
    const NO: i64 = 9;
    const OTHER: i64 = 3;

    /// How many nos are heard when a list shows contact 11 with this result.
    async fn shown(scene: &Scene, result: Option<i64>) -> i64 {
        let seen = ContactSeen {
            id: ContactId(11),
            campaign: Some(CampaignId(7)),
            user_data: None,
            face: vec![1],
            numbers: vec!["+49301".to_owned()],
            tries: 0,
            result: Some(result),
            likely_at: None,
            next_try: None,
            invalid: Vec::new(),
            comment: None,
        };
        let changed = Sighting::Changed { seen, fingerprint: result.unwrap_or(0).to_le_bytes().to_vec() };
        let began = scene.ledger.next_seq();
        scene.ledger.sweep_store(vec![changed], began, HarvestRules::default()).await.expect("stored")
    }

    async fn hearing_scene() -> Scene {
        let scene = scene().await;
        let words = BTreeMap::from([(scene.route.clone(), ResultWords::new(["7/9"]))]);
        scene.ledger.opt_out_words_set(words).await.expect("words");
        scene
    }

    async fn lift(scene: &Scene) {
        let number = BlockSubject::Number("+49301".to_owned());
        let lifted = scene.ledger.block_remove("house", number, None, a_mistake()).await.expect("asked");
        assert!(matches!(lifted, LiftedOne::Lifted { blocks: 1, .. }), "{lifted:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_no_that_is_shown_again_is_no_news_and_one_behind_another_result_is() {
        let scene = hearing_scene().await;
        assert_eq!(shown(&scene, Some(OTHER)).await, 0);
        assert_eq!(shown(&scene, Some(NO)).await, 1);
        assert_eq!(scene.says("SELECT number FROM blocks WHERE lifted_at IS NULL").await, ["+49301"]);
        lift(&scene).await;
        assert_eq!(shown(&scene, Some(NO)).await, 0, "a person took that back");
        assert_eq!(shown(&scene, None).await, 0);
        assert_eq!(shown(&scene, Some(NO)).await, 1, "said anew");
        lift(&scene).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_no_that_a_stored_call_explains_is_not_heard_by_a_list() {
        let scene = hearing_scene().await;
        let link = scene.link("1", Some(11), &["+49301"]).await;
        assert_eq!(shown(&scene, None).await, 0);
        scene.wait(1).await;
        scene.call(link, 1, "result_code = 9").await;
        assert_eq!(shown(&scene, Some(NO)).await, 0, "its history was read before the list");
        scene.wait(1).await;
        assert_eq!(shown(&scene, Some(OTHER)).await, 0);
        scene.wait(1).await;
        assert_eq!(shown(&scene, Some(NO)).await, 1, "that call was long known when it came");
    }

    #[tokio::test(start_paused = true)]
    async fn what_no_call_explains_is_found_by_its_index() {
        let plan = scene().await.plan_of(UNEXPLAINED).await.join("\n");
        assert!(plan.contains("shown_nos_open") && !plan.contains("SCAN b"), "{plan}");
    }
}
