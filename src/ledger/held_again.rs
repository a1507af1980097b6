//! Who is decided anew because somebody is held out now, or no longer: by hints, since the record itself did not change.

use super::decisions::Cause;
use super::held_by_nobodys;
use super::held_out::{Called, against_link, last_outcome};
use super::leaving::campaigns_of;
use super::sql::{get_json, json, time};
use super::words::{self, OfResult, Said};
use super::{Ledger, LedgerError, finals, lane, leaving};
use crate::domain::hold::{HoldRules, HoldWord, Outcome, ResultType};
use crate::domain::{CampaignId, ContactId, HistoryId, LinkId, ReasonCode, RouteName, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Transaction, named_params};
use std::collections::BTreeMap;

/// Decides those anew who are held out for such a call, and are not to be decided anew already. The call's number as a text without an
/// affinity (a cast has one): only so is it looked for in the index, and not in each of its rows.
macro_rules! whom_holds {
    ($($which:tt)+) => {
        concat!(
            "INSERT INTO hints (route, record_id, source, at)
             SELECT x.route, x.record_id, 'held out', :now FROM calls c CROSS JOIN records x
                ON json_extract(x.params, '$.call') = '' || c.history_id
             WHERE ",
            $($which)+,
            " AND x.code IN ('held_out', 'cooling_off')
              AND NOT EXISTS (SELECT 1 FROM hints h WHERE h.route = x.route AND h.record_id = x.record_id
                    AND h.taken_at IS NULL)"
        )
    };
}
pub(super) use whom_holds;
/// For whom the last day is over, likewise.
const OVER: &str = "FROM records x WHERE x.code = 'cooling_off' AND json_extract(x.params, '$.until') < ?1
       AND NOT EXISTS (SELECT 1 FROM hints h WHERE h.route = x.route AND h.record_id = x.record_id
            AND h.taken_at IS NULL)";

/// A person's links on other routes of the client: by the record, by its numbers, and by those on which it was called.
const OTHERS: &str = "WITH own AS (SELECT l.id, l.client, l.route, l.record_id, r.crm, r.object
                   FROM links l JOIN routes r ON r.route = l.route WHERE l.id = ?1)
     SELECT o.id FROM own CROSS JOIN routes r ON r.client = own.client AND r.crm = own.crm
            AND r.object = own.object AND r.route <> own.route
     CROSS JOIN links o ON o.route = r.route AND o.record_id = own.record_id
     UNION
     SELECT o.id FROM own
     CROSS JOIN (SELECT a.link_id, a.number FROM link_numbers a UNION ALL
                 SELECT c.link_id, a.number FROM calls c CROSS JOIN called_numbers a ON a.history_id = c.history_id) a
        ON a.link_id = own.id
     CROSS JOIN link_numbers b ON b.number = a.number AND b.link_id <> own.id
     CROSS JOIN links o ON o.id = b.link_id AND o.route <> own.route AND o.client = own.client";

/// A call of a link got a result or another one, or its result was taken back: a call that is new has none to take back.
pub(super) fn result_came(tx: &Transaction<'_>, call: HistoryId, now: Timestamp) -> rusqlite::Result<()> {
    finals::call_changed(tx, call, now)?;
    let whose = tx
        .prepare_cached(
            "SELECT c.contact_id, c.link_id, l.route IS NULL FROM calls c LEFT JOIN links l ON l.id = c.link_id
             WHERE c.history_id = ?1 AND (c.result_code IS NOT NULL OR c.revision > 1)",
        )?
        .query_row([call.0], |row| {
            Ok((ContactId(row.get(0)?), row.get::<_, Option<i64>>(1)?.map(LinkId), row.get::<_, bool>(2)?))
        })
        .optional()?;
    let Some((contact, link, nobodys)) = whose else { return Ok(()) };
    if let Some(link) = link {
        leaving::reopened(tx, link, now)?;
        of_link(tx, link, now)?;
    }
    if nobodys { held_by_nobodys::of_contact(tx, contact, now) } else { Ok(()) }
}

/// A contact was reset. Where a person asked for it, its results of before bind nobody any more: neither those who were called
/// to an end by them under another record, nor those whom they hold out.
pub(super) fn contact_reset(
    tx: &Transaction<'_>,
    link: LinkId,
    contact: Option<ContactId>,
    why: ReasonCode,
    now: Timestamp,
) -> rusqlite::Result<()> {
    leaving::reopened(tx, link, now)?;
    if let (ReasonCode::ByHand, Some(contact)) = (why, contact) {
        finals::contact_reset(tx, contact, now)?;
        of_link(tx, link, now)?;
        held_by_nobodys::of_contact(tx, contact, now)?;
    }
    Ok(())
}

/// A code got its name or its type.
pub(super) fn code_learned(
    tx: &Transaction<'_>,
    campaign: CampaignId,
    code: i64,
    now: Timestamp,
) -> rusqlite::Result<()> {
    finals::code_learned(tx, campaign, code, now)?;
    let links: Vec<i64> = tx
        .prepare_cached(
            "SELECT DISTINCT link_id FROM calls WHERE campaign_id = ?1 AND result_code = ?2 AND link_id IS NOT NULL",
        )?
        .query_map((campaign.0, code), |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    links.into_iter().try_for_each(|link| of_link(tx, LinkId(link), now))?;
    held_by_nobodys::code_learned(tx, campaign, code, now)
}

/// What this link's calls mean for others may be another thing than before: whoever is held out for one of them is
/// decided anew, and whoever would be held out now and is not.
pub(super) fn of_link(tx: &Transaction<'_>, link: LinkId, now: Timestamp) -> rusqlite::Result<()> {
    tx.prepare_cached(whom_holds!("c.link_id = :link"))?
        .execute(named_params! { ":link": link.0, ":now": time(now) })?;
    let rules: Option<HoldRules> = tx
        .prepare_cached(
            "SELECT r.hold_rules FROM links l JOIN routes r ON r.route = l.route
             WHERE l.id = ?1 AND r.hold_rules IS NOT NULL",
        )?
        .query_row([link.0], |row| get_json(row, "hold_rules"))
        .optional()?;
    let word = match (rules, last_outcome(tx, Called::Of(link))?) {
        (Some(rules), Some(outcome)) => rules.word(&outcome),
        (Some(_) | None, _) => HoldWord::Nothing,
    };
    match word {
        HoldWord::Nothing => Ok(()),
        HoldWord::Unmapped | HoldWord::CoolOff(_) => hint_the_others(tx, link, now),
    }
}

/// The person's links on other routes of the client that nobody holds out yet.
fn hint_the_others(tx: &Transaction<'_>, link: LinkId, now: Timestamp) -> rusqlite::Result<()> {
    let others: Vec<i64> =
        tx.prepare_cached(OTHERS)?.query_map([link.0], |row| row.get(0))?.collect::<Result<_, _>>()?;
    others.into_iter().try_for_each(|other| hold(tx, LinkId(other), now))
}

/// Holds a link's record out where something holds it and it is not held yet.
pub(super) fn hold(tx: &Transaction<'_>, other: LinkId, now: Timestamp) -> rusqlite::Result<()> {
    if let Some(reason) = against_link(tx, other, now)? {
        if record_is_gone(tx, other)? {
            // Left callable by its route's word, and decided by no pull any more.
            let cause = Cause { at: now, decided_at: now, text: "gate".to_owned(), run: None };
            lane::lock(tx, other, &reason, &cause)?;
        } else {
            hint_unless_held(tx, other, now)?;
        }
    }
    Ok(())
}

pub(super) fn record_is_gone(tx: &Transaction<'_>, link: LinkId) -> rusqlite::Result<bool> {
    tx.prepare_cached("SELECT EXISTS (SELECT 1 FROM records WHERE link_id = ?1 AND code = 'record_gone')")?
        .query_row([link.0], |row| row.get(0))
}

fn hint_unless_held(tx: &Transaction<'_>, link: LinkId, now: Timestamp) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO hints (route, record_id, source, at)
         SELECT l.route, l.record_id, 'held out', ?2 FROM links l
         LEFT JOIN records x ON x.route = l.route AND x.record_id = l.record_id
         WHERE l.id = ?1 AND coalesce(x.code, '') NOT IN ('held_out', 'cooling_off')
           AND NOT EXISTS (SELECT 1 FROM hints h WHERE h.route = l.route AND h.record_id = l.record_id
                AND h.taken_at IS NULL)",
    )?
    .execute((link.0, time(now)))?;
    Ok(())
}

impl Ledger {
    /// What the config's routes say of their results for other routes, maybe nothing. A route that left the config keeps
    /// its last rules: whoever declined there last week is not called by the next campaign for that. Whoever is held out
    /// otherwise by that than before is decided anew.
    ///
    /// # Errors
    /// The ledger cannot be used.
    pub async fn hold_rules_set(&self, rules: BTreeMap<RouteName, HoldRules>) -> Result<(), LedgerError> {
        let said = |rules: &HoldRules| rules.say_something().then(|| rules.clone());
        let rules: Vec<_> = rules.iter().map(|(route, rules)| (route.clone(), said(rules))).collect();
        let before = self.read("hold_rules", rules_of).await?;
        if rules.iter().all(|(route, new)| before.get(route) == new.as_ref()) {
            return Ok(());
        }
        let now = self.env.now();
        self.write("hold_rules_set", move |tx| {
            let before = rules_of(tx)?;
            for (route, new) in &rules {
                let (old, new) = (before.get(route), new.as_ref());
                if old == new {
                    continue;
                }
                tx.prepare_cached("UPDATE routes SET hold_rules = ?2 WHERE route = ?1")?
                    .execute((&route.0, new.map(json).transpose()?))?;
                for (campaign, code) in codes_that_mean_another_thing(tx, route, old, new, now)? {
                    code_learned(tx, campaign, code, now)?;
                }
            }
            Ok(())
        })
        .await
    }

    /// Whoever has been left alone for long enough is decided anew. Answers how many.
    ///
    /// # Errors
    /// The ledger cannot be used.
    pub async fn holds_end_due(&self) -> Result<usize, LedgerError> {
        let now = self.env.now();
        let over = self.read("holds_over", move |connection| {
            // All routes are one dialler's, and so are their days.
            let today =
                rules_of(connection)?.values().next().map_or(now.date_naive(), |rules| rules.day(now));
            let today = today.to_string();
            let any: bool = connection
                .prepare_cached(&format!("SELECT EXISTS (SELECT 1 {OVER})"))?
                .query_row([&today], |row| row.get(0))?;
            Ok(any.then_some(today))
        });
        let Some(today) = over.await? else { return Ok(0) };
        self.write("holds_end_due", move |tx| {
            tx.prepare_cached(&format!(
                "INSERT INTO hints (route, record_id, source, at) SELECT x.route, x.record_id, 'cooled off', ?2 {OVER}"
            ))?
            .execute((&today, time(now)))
        })
        .await
    }

    /// A person says that this call's result holds nobody out. The routes whose records are decided anew by that; `None`:
    /// there is no such call, or it has no result.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn hold_release(
        &self,
        call: HistoryId,
        said: Said,
    ) -> Result<Option<BTreeMap<RouteName, i64>>, LedgerError> {
        let now = self.env.now();
        self.write("hold_release", move |tx| {
            let kept = words::keep_of_result(tx, now, call, OfResult::HoldsNobody, &said)?;
            if !kept {
                return Ok(None);
            }
            let held = held_by(tx, call)?;
            result_came(tx, call, now)?;
            Ok(Some(held))
        })
        .await
    }
}

fn held_by(connection: &Connection, call: HistoryId) -> rusqlite::Result<BTreeMap<RouteName, i64>> {
    connection
        .prepare_cached(
            "SELECT route, count(*) FROM records
             WHERE code IN ('held_out', 'cooling_off') AND json_extract(params, '$.call') = ?1 GROUP BY route",
        )?
        .query_map([call.to_string()], |row| Ok((RouteName(row.get(0)?), row.get(1)?)))?
        .collect()
}

fn rules_of(connection: &Connection) -> rusqlite::Result<BTreeMap<RouteName, HoldRules>> {
    connection
        .prepare_cached("SELECT route, hold_rules FROM routes WHERE hold_rules IS NOT NULL")?
        .query_map([], |row| Ok((RouteName(row.get("route")?), get_json(row, "hold_rules")?)))?
        .collect()
}

/// The codes of a route's calls of which the new rules say another thing than the old ones.
fn codes_that_mean_another_thing(
    connection: &Connection,
    route: &RouteName,
    old: Option<&HoldRules>,
    new: Option<&HoldRules>,
    now: Timestamp,
) -> rusqlite::Result<Vec<(CampaignId, i64)>> {
    let word = |rules: Option<&HoldRules>, outcome: &Outcome| {
        rules.map_or(HoldWord::Nothing, |rules| rules.word(outcome))
    };
    let seen: Vec<Outcome> = connection
        .prepare_cached(concat!(
            "SELECT DISTINCT c.campaign_id, c.result_code, t.export_key, t.name, t.done, t.aborted,
                    t.delay = 1 OR t.appointment = 1 AS again
             FROM calls c LEFT JOIN links l ON l.id = c.link_id
             LEFT JOIN result_codes t ON t.campaign_id = c.campaign_id AND t.code = c.result_code
             WHERE (l.route = ?1 OR l.route IS NULL
                        AND c.campaign_id IN (",
            campaigns_of!("?1"),
            ")) AND c.result_code IS NOT NULL AND c.campaign_id IS NOT NULL"
        ))?
        .query_map([&route.0], |row| {
            Ok(Outcome {
                call: HistoryId(0),
                campaign: Some(CampaignId(row.get("campaign_id")?)),
                code: row.get("result_code")?,
                export_key: row.get("export_key")?,
                name: row.get("name")?,
                kind: ResultType::of(row.get("done")?, row.get("aborted")?, row.get("again")?),
                at: now,
            })
        })?
        .collect::<Result<_, _>>()?;
    let changed = seen.into_iter().filter(|outcome| word(old, outcome) != word(new, outcome));
    Ok(changed.filter_map(|outcome| Some((outcome.campaign?, outcome.code))).collect())
}

#[cfg(test)]
mod tests {
    use crate::domain::HistoryId;
    use crate::ledger::testing::scene;

    #[tokio::test(start_paused = true)]
    async fn whoever_is_held_out_for_a_result_that_was_taken_back_is_decided_anew() {
        let scene = scene().await;
        let link = scene.link("1", Some(11), &[]).await;
        scene.put("INSERT INTO records (route, record_id, hash, state, code, params, since, meet, decided_at, run_id)
                   VALUES ('leads', '9', x'', 'skipped', 'held_out', '{\"call\":\"51\"}', '', 'done', '', 1)").await;
        scene.call(link, 52, "result_code = NULL").await;
        scene.call(link, 51, "result_code = NULL, revision = 2").await;
        for (call, hints) in [(52, 0), (51, 1)] {
            let now = scene.ledger.env.now();
            let came =
                scene.ledger.write("test_came", move |tx| super::result_came(tx, HistoryId(call), now));
            came.await.expect("stored");
            assert_eq!(scene.says("SELECT record_id FROM hints").await.len(), hints, "{call}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_held_for_a_call_is_found_without_a_look_at_everybody() {
        let scene = scene().await;
        let over = format!("SELECT 1 {}", super::OVER);
        let mut plan = scene.plan_of(whom_holds!("c.link_id = :link")).await;
        plan.extend(scene.plan_of(&over).await);
        let plan = plan.join("\n");
        for index in ["records_held", "records_cooling"] {
            assert!(plan.contains(&format!("SEARCH x USING INDEX {index}")), "{plan}");
        }
        let plan = scene.plan_of(super::OTHERS).await.join("\n");
        for index in ["called_numbers_by_call", "calls_link"] {
            assert!(plan.contains(index) && !plan.contains("SCAN a") && !plan.contains("SCAN b"), "{plan}");
        }
    }
}
