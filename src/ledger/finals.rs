//! The last result of a person in a campaign: whoever was called to an end is not made callable again by any automatic
//! rule (users 4), also not under another record, another key or another route of that campaign.

use super::held_out::Whom;
use super::leaving::campaigns_of;
use super::sql::{call_at, json, time};
use super::words::{self, OfResult, Said};
use super::{Ledger, LedgerError};
use crate::domain::{CampaignId, ContactId, Ended, HistoryId, LastResult, LinkId, RouteName, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Transaction, named_params};
use std::collections::BTreeMap;

/// What one result says: a code whose type is unknown counts as final; one that a person let go says nothing any more.
const SAYS: &str = "CASE WHEN EXISTS (SELECT 1 FROM finals_released f WHERE f.history_id = c.history_id
                                      AND f.code = c.result_code) THEN 'none'
                         WHEN t.done = 1 OR t.aborted = 1 THEN 'final'
                         WHEN t.delay = 1 OR t.appointment = 1 THEN 'open' ELSE 'final' END AS says";

/// The route's campaign and those it had before. The plus: calls are found by whose they are, not by their campaign.
macro_rules! in_its_campaigns {
    () => {
        concat!("+c.campaign_id IN (", campaigns_of!(":route"), ")")
    };
}

/// Who else is this person, as a block would know them: the same record on another route, whoever bears one of the numbers
/// or was called on it, and contacts that are not ours with one of them. Of each the calls in the route's campaigns; before
/// the present one is known nobody is leased either, and then it is asked once more.
const OTHERS: &str = concat!(
    "FROM routes o
        CROSS JOIN links l ON l.route = o.route AND l.record_id = :record
        CROSS JOIN calls c ON c.link_id = l.id
     WHERE o.client = :client AND o.crm = :crm AND o.object = :object AND ",
    in_its_campaigns!(),
    "UNION
     SELECT c.history_id FROM json_each(:numbers) n
        CROSS JOIN link_numbers b ON b.number = n.value
        CROSS JOIN links l ON l.id = b.link_id
        CROSS JOIN calls c ON c.link_id = l.id
     WHERE l.client = :client AND ",
    in_its_campaigns!(),
    "UNION
     SELECT c.history_id FROM json_each(:numbers) n
        CROSS JOIN called_numbers b ON b.number = n.value
        CROSS JOIN calls k ON k.history_id = b.history_id
        CROSS JOIN links l ON l.id = k.link_id
        CROSS JOIN calls c ON c.link_id = l.id
     WHERE l.client = :client AND ",
    in_its_campaigns!(),
    "UNION
     SELECT c.history_id FROM json_each(:numbers) n
        CROSS JOIN (SELECT number, contact_id FROM contact_numbers UNION ALL
                    SELECT d.number, k.contact_id FROM called_numbers d CROSS JOIN calls k ON k.history_id = d.history_id
                    WHERE k.link_id IS NULL) b ON b.number = n.value
        CROSS JOIN calls c ON c.contact_id = b.contact_id
     WHERE (c.link_id IS NULL OR EXISTS (SELECT 1 FROM links l WHERE l.id = c.link_id AND l.client = :client)) AND ",
    in_its_campaigns!(),
);

/// Whether anybody who bears the number was ever called, or was on it, somebody else than the link: most were not.
const BEARER_CALLED: &str =
    "SELECT EXISTS (SELECT 1 FROM link_numbers b CROSS JOIN calls c ON c.link_id = b.link_id
                        WHERE b.number = ?1 AND b.link_id IS NOT ?2)
         OR EXISTS (SELECT 1 FROM contact_numbers b CROSS JOIN calls c ON c.contact_id = b.contact_id
                    WHERE b.number = ?1 AND c.link_id IS NOT ?2)
         OR EXISTS (SELECT 1 FROM called_numbers b CROSS JOIN calls c ON c.history_id = b.history_id
                    WHERE b.number = ?1 AND c.link_id IS NOT ?2)";

/// Whoever is decided anew once a call says another thing: records that are kept out because of it, and records whose
/// contact is locked because of it, or stays so.
const WAITING: [&str; 2] = [
    "FROM calls c CROSS JOIN records x
        ON json_extract(x.params, '$.call') = '' || c.history_id
     WHERE x.code IN ('final_result', 'number_ended') AND NOT EXISTS (SELECT 1 FROM hints h WHERE h.route = x.route
            AND h.record_id = x.record_id AND h.taken_at IS NULL)",
    "FROM calls c CROSS JOIN links x
        ON json_extract(x.wish_params, '$.call') = '' || c.history_id
     WHERE x.wish_code IN ('final_result', 'number_ended') AND +x.route IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM hints h WHERE h.route = x.route
            AND h.record_id = x.record_id AND h.taken_at IS NULL)",
];

/// The last recorded result over all contacts the link ever had. A person's reset is their word, with a reason: what was
/// known before it stands no longer. One that a rule made draws no line: it may have overtaken a result. What we learn
/// after it does, whenever the call was.
pub(super) fn of_link(connection: &Connection, link: LinkId) -> rusqlite::Result<LastResult> {
    // Most have no call yet; the question below makes a sorter even for them.
    let called: bool = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM calls WHERE link_id = ?1)")?
        .query_row([link.0], |row| row.get(0))?;
    if !called {
        return Ok(LastResult::None);
    }
    let found = connection
        .prepare_cached(&format!(
            "SELECT c.history_id, {SAYS}
             FROM calls c LEFT JOIN result_codes t ON t.campaign_id = c.campaign_id AND t.code = c.result_code
             WHERE c.link_id = ?1 AND c.result_code IS NOT NULL AND c.test IS NOT 1
               AND c.changed_at > coalesce((SELECT max(o.finished_at) FROM operations o WHERE o.link_id = c.link_id
                      AND o.contact_id = c.contact_id AND o.kind = 'reset' AND o.state = 'done'
                      AND o.code = 'by_hand'), '')
             ORDER BY {} DESC, c.history_id DESC LIMIT 1",
            call_at!("c")
        ))?
        .query_row([link.0], said)
        .optional()?;
    Ok(found.unwrap_or(LastResult::None))
}

/// The last result of the person in the route's campaign: of each who is known to be them the newest, and final if one is.
pub(super) fn of_person(
    connection: &Connection,
    whom: &Whom<'_>,
    link: Option<LinkId>,
) -> rusqlite::Result<LastResult> {
    let own = link.map_or(Ok(LastResult::None), |link| of_link(connection, link))?;
    match own {
        LastResult::Final(_) => Ok(own),
        LastResult::None | LastResult::Open => {
            Ok(of_others(connection, whom, link, KnownBy::RecordOrNumber)?.map_or(own, LastResult::Final))
        }
    }
}

/// The same, and those of their numbers on which somebody else was called to an end. Asked whatever the person's last result is: who
/// was called on one number to an end and on another one later is no final person, and the number is one that the lease refuses.
pub(super) fn of_person_and_numbers(
    connection: &Connection,
    whom: &Whom<'_>,
    link: Option<LinkId>,
) -> rusqlite::Result<(LastResult, Vec<Ended>)> {
    let last = of_person(connection, whom, link)?;
    Ok((last, ended_numbers(connection, whom, link)?))
}

/// Those of the numbers on which somebody else than the link was called to an end.
pub(super) fn ended_numbers(
    connection: &Connection,
    whom: &Whom<'_>,
    link: Option<LinkId>,
) -> rusqlite::Result<Vec<Ended>> {
    let mut ended = Vec::new();
    for number in whom.numbers {
        let alone = Whom { numbers: std::slice::from_ref(number), ..*whom };
        let call = of_others(connection, &alone, link, KnownBy::Number)?;
        ended.extend(call.map(|call| Ended { number: number.clone(), call }));
    }
    Ok(ended)
}

/// By what somebody else is this person.
#[derive(Clone, Copy, PartialEq, Eq)]
enum KnownBy {
    /// The same record on another route, or one of the numbers.
    RecordOrNumber,
    /// One of the numbers.
    Number,
}

/// The call by which somebody else who is this person was called to an end.
fn of_others(
    connection: &Connection,
    whom: &Whom<'_>,
    link: Option<LinkId>,
    by: KnownBy,
) -> rusqlite::Result<Option<HistoryId>> {
    let record = match by {
        KnownBy::RecordOrNumber => Some(&whom.key.id.0),
        KnownBy::Number => None,
    };
    if !others_called(connection, whom.numbers, record, link)? {
        return Ok(None);
    }
    let mut newest: BTreeMap<(Option<i64>, Option<i64>), LastResult> = BTreeMap::new();
    let mut statement = connection.prepare_cached(&format!(
        "SELECT c.history_id, {SAYS}, c.link_id, iif(c.link_id IS NULL, c.contact_id, NULL) AS contact
         FROM calls c LEFT JOIN result_codes t ON t.campaign_id = c.campaign_id AND t.code = c.result_code
         WHERE c.history_id IN (SELECT c.history_id {OTHERS})
           AND c.link_id IS NOT :link AND c.result_code IS NOT NULL AND c.test IS NOT 1
           AND c.changed_at > coalesce((SELECT max(o.finished_at) FROM links s CROSS JOIN operations o ON o.link_id = s.id
                  WHERE s.contact_id = c.contact_id AND o.contact_id = c.contact_id AND o.kind = 'reset'
                    AND o.state = 'done' AND o.code = 'by_hand'), '')
         ORDER BY {}, c.history_id",
        call_at!("c")
    ))?;
    let mut rows = statement.query(named_params! {
        ":link": link.map_or(-1, |link| link.0), ":client": whom.client, ":crm": whom.key.crm,
        ":object": whom.key.object, ":record": record, ":route": whom.route.0, ":numbers": json(&whom.numbers)?,
    })?;
    while let Some(row) = rows.next()? {
        newest.insert((row.get("link_id")?, row.get("contact")?), said(row)?);
    }
    let final_ones = newest.into_values().filter_map(|last| match last {
        LastResult::Final(call) => Some(call),
        LastResult::None | LastResult::Open => None,
    });
    Ok(final_ones.max())
}

/// Whether there is any call to be looked at: the whole question makes temporary tables also where there is none, and is
/// asked of everybody who is imported.
fn others_called(
    connection: &Connection,
    numbers: &[String],
    record: Option<&String>,
    link: Option<LinkId>,
) -> rusqlite::Result<bool> {
    let link = link.map_or(-1, |link| link.0);
    let record = connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM routes o CROSS JOIN links l ON l.route = o.route AND l.record_id = ?1
                                CROSS JOIN calls c ON c.link_id = l.id WHERE l.id <> ?2)",
        )?
        .query_row((record, link), |row| row.get(0))?;
    if record {
        return Ok(true);
    }
    let mut bearer = connection.prepare_cached(BEARER_CALLED)?;
    for number in numbers {
        if bearer.query_row((number, link), |row| row.get(0))? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn said(row: &rusqlite::Row<'_>) -> rusqlite::Result<LastResult> {
    let says: String = row.get("says")?;
    Ok(match says.as_str() {
        "final" => LastResult::Final(HistoryId(row.get("history_id")?)),
        "open" => LastResult::Open,
        _ => LastResult::None,
    })
}

/// A call got a result, or another one: whoever waits because of it is decided anew.
pub(super) fn call_changed(tx: &Transaction<'_>, call: HistoryId, now: Timestamp) -> rusqlite::Result<()> {
    for waiting in WAITING {
        tx.prepare_cached(&format!(
            "INSERT INTO hints (route, record_id, source, at) SELECT x.route, x.record_id, 'result', ?2 {waiting}
               AND c.history_id = ?1"
        ))?
        .execute((call.0, time(now)))?;
    }
    Ok(())
}

/// A person's reset drew a line under the calls of a contact: likewise for each of them.
pub(super) fn contact_reset(
    tx: &Transaction<'_>,
    contact: ContactId,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let calls: Vec<i64> = tx
        .prepare_cached("SELECT history_id FROM calls WHERE contact_id = ?1 AND result_code IS NOT NULL")?
        .query_map([contact.0], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    calls.into_iter().try_for_each(|call| call_changed(tx, HistoryId(call), now))
}

/// A code got its type.
pub(super) fn code_learned(
    tx: &Transaction<'_>,
    campaign: CampaignId,
    code: i64,
    now: Timestamp,
) -> rusqlite::Result<()> {
    for waiting in WAITING {
        tx.prepare_cached(&format!(
            "INSERT INTO hints (route, record_id, source, at)
             SELECT DISTINCT x.route, x.record_id, 'result', ?3 {waiting} AND c.campaign_id = ?1 AND c.result_code = ?2"
        ))?
        .execute((campaign.0, code, time(now)))?;
    }
    Ok(())
}

impl Ledger {
    /// A person says that this call's result keeps nobody from being called again. The routes whose records are decided
    /// anew by that; `None`: there is no such call, or it has no result.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn final_reopen(
        &self,
        call: HistoryId,
        said: Said,
    ) -> Result<Option<BTreeMap<RouteName, i64>>, LedgerError> {
        let now = self.env.now();
        self.write("final_reopen", move |tx| {
            let kept = words::keep_of_result(tx, now, call, OfResult::KeepsNobody, &said)?;
            if kept { hint_the_person(tx, call, now).map(Some) } else { Ok(None) }
        })
        .await
    }
}

/// Its own record, whoever waits because of the call, and whoever bears a number of its contact, or that which was called,
/// and is not callable.
fn hint_the_person(
    tx: &Transaction<'_>,
    call: HistoryId,
    now: Timestamp,
) -> rusqlite::Result<BTreeMap<RouteName, i64>> {
    let records: Vec<(String, String)> = tx
        .prepare_cached(
            "SELECT l.route, l.record_id FROM calls c JOIN links l ON l.id = c.link_id
             WHERE c.history_id = ?1 AND l.route IS NOT NULL
             UNION
             SELECT route, record_id FROM records
             WHERE code IN ('final_result', 'number_ended') AND json_extract(params, '$.call') = CAST(?1 AS TEXT)
             UNION
             SELECT l.route, l.record_id FROM calls c
                JOIN link_numbers a ON a.link_id = c.link_id
                JOIN link_numbers b ON b.number = a.number JOIN links l ON l.id = b.link_id
             WHERE c.history_id = ?1 AND l.route IS NOT NULL AND l.wish <> 'callable'
             UNION
             SELECT l.route, l.record_id FROM calls c
                JOIN contact_numbers a ON a.contact_id = c.contact_id
                JOIN link_numbers b ON b.number = a.number JOIN links l ON l.id = b.link_id
             WHERE c.history_id = ?1 AND l.route IS NOT NULL AND l.wish <> 'callable'
             UNION
             SELECT l.route, l.record_id FROM called_numbers a
                JOIN link_numbers b ON b.number = a.number JOIN links l ON l.id = b.link_id
             WHERE a.history_id = ?1 AND l.route IS NOT NULL AND l.wish <> 'callable'",
        )?
        .query_map([call.0], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut routes = BTreeMap::new();
    for (route, record) in records {
        tx.prepare_cached(
            "INSERT INTO hints (route, record_id, source, at) VALUES (?1, ?2, 'reopened', ?3)",
        )?
        .execute((&route, &record, time(now)))?;
        *routes.entry(RouteName(route)).or_default() += 1;
    }
    Ok(routes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{PinnedCampaign, RecordId, RecordKey};
    use crate::ledger::RecordInputs;
    use crate::ledger::testing::{Scene, scene};

    /// A call of a contact with a result; `done`: of that type, else of none that is known.
    async fn call(scene: &Scene, id: i64, contact: i64, link: Option<LinkId>, campaign: i64) {
        let written = scene.ledger.write("test_call", move |tx| {
            tx.execute(
                "INSERT INTO calls (history_id, contact_id, link_id, campaign_id, hash, row, result_code, first_seen_at,
                                    changed_at, run_id)
                 VALUES (?1, ?2, ?3, ?4, x'', '{}', ?1, '2030-01-07T09:00:00.000000Z',
                         '2030-01-07T09:00:00.000000Z', 1)",
                (id, contact, link.map(|link| link.0), campaign),
            )
        });
        written.await.expect("a call");
    }

    async fn last(scene: &Scene, route: &str, record: &str, numbers: &[&str]) -> LastResult {
        known(scene, route, record, numbers).await.last_result
    }

    async fn known(scene: &Scene, route: &str, record: &str, numbers: &[&str]) -> RecordInputs {
        let key = RecordKey {
            crm: "sales".to_owned(),
            object: "person".to_owned(),
            id: RecordId(record.to_owned()),
        };
        let numbers = numbers.iter().map(|number| (*number).to_owned()).collect();
        let inputs = scene.ledger.record_inputs("house".to_owned(), RouteName::from(route), key, numbers);
        inputs.await.expect("inputs")
    }

    #[tokio::test(start_paused = true)]
    async fn a_final_result_is_the_persons_and_not_the_links() {
        let scene = scene().await;
        scene.route_beside("second", &[]).await;
        scene.route_beside("elsewhere", &["campaign_id = 8"]).await;
        scene.route_beside("neighbour", &["client = 'neighbour'"]).await;
        let declined = scene.link("1", Some(90), &["+49301"]).await;
        call(&scene, 11, 90, Some(declined), 7).await;
        scene.contact_number(95, "+49305").await;
        call(&scene, 12, 95, None, 7).await;
        let known = LastResult::Final(HistoryId(11));
        for (route, record, numbers, expected, why) in [
            ("leads", "1", ["+49309"], known, "the record itself"),
            ("leads", "2", ["+49301"], known, "the record made anew under another id"),
            ("second", "1", ["+49309"], known, "the same record on a second route"),
            ("elsewhere", "1", ["+49301"], LastResult::None, "another campaign"),
            ("leads", "2", ["+49302"], LastResult::None, "somebody else"),
            ("leads", "3", ["+49305"], LastResult::Final(HistoryId(12)), "a contact that is not ours"),
        ] {
            assert_eq!(last(&scene, route, record, &numbers).await, expected, "{why}");
        }
        let key =
            RecordKey { crm: "sales".to_owned(), object: "person".to_owned(), id: RecordId("1".to_owned()) };
        let of_another = scene.ledger.record_inputs(
            "neighbour".to_owned(),
            RouteName::from("neighbour"),
            key,
            vec!["+49301".to_owned()],
        );
        assert_eq!(of_another.await.expect("inputs").last_result, LastResult::None, "clients do not share");
    }

    #[tokio::test(start_paused = true)]
    async fn a_number_is_ended_by_whoever_else_was_called_to_an_end_on_it() {
        let scene = scene().await;
        scene.route_beside("second", &[]).await;
        let declined = scene.link("1", Some(90), &["+49301"]).await;
        scene.link("2", Some(91), &["+49302"]).await;
        call(&scene, 11, 90, Some(declined), 7).await;
        for (route, record, numbers, ended, why) in [
            ("leads", "2", &["+49302", "+49301"][..], &["+49301"][..], "somebody else"),
            ("leads", "1", &["+49301"], &[], "its own result"),
            ("second", "1", &["+49303"], &[], "the same record elsewhere, on no number of its own"),
            ("leads", "2", &["+49302"], &[], "another number"),
        ] {
            let found = known(&scene, route, record, numbers).await.ended;
            let expected: Vec<Ended> = ended
                .iter()
                .map(|number| Ended { number: (*number).to_owned(), call: HistoryId(11) })
                .collect();
            assert_eq!(found, expected, "{why}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_has_another_number_now_is_known_by_the_one_that_was_called() {
        let scene = scene().await;
        let declined = scene.link("1", Some(90), &["+49309"]).await;
        call(&scene, 11, 90, Some(declined), 7).await;
        call(&scene, 12, 95, None, 7).await;
        scene.put("INSERT INTO called_numbers VALUES ('+49301', 11), ('+49305', 12)").await;
        for (record, number, expected, why) in [
            ("2", "+49301", LastResult::Final(HistoryId(11)), "called on it"),
            ("2", "+49305", LastResult::Final(HistoryId(12)), "a contact that is not ours"),
            ("1", "+49301", LastResult::Final(HistoryId(11)), "her own"),
            ("2", "+49302", LastResult::None, "somebody else"),
        ] {
            assert_eq!(last(&scene, "leads", record, &[number]).await, expected, "{why}");
        }
        // She was called once more, on the number that she has now, and that is her last result.
        scene.put("INSERT INTO result_codes (campaign_id, code, delay, first_seen, last_seen) VALUES (7, 13, 1, '', '')").await;
        call(&scene, 13, 90, Some(declined), 7).await;
        assert_eq!(last(&scene, "leads", "2", &["+49301"]).await, LastResult::None, "the last one counts");
    }

    #[tokio::test(start_paused = true)]
    async fn a_route_knows_whom_it_called_to_an_end_in_each_campaign_it_had() {
        let scene = scene().await;
        let declined = scene.link("1", Some(90), &["+49301"]).await;
        call(&scene, 11, 90, Some(declined), 7).await;
        for campaign in [8, 7, 9] {
            let campaign = PinnedCampaign { id: CampaignId(campaign), name: None };
            assert!(scene.ledger.route_repin_campaign(scene.route.clone(), campaign).await.expect("pinned"));
            let known = last(&scene, "leads", "2", &["+49301"]).await;
            assert_eq!(known, LastResult::Final(HistoryId(11)));
        }
        call(&scene, 12, 90, Some(declined), 6).await;
        scene.put("DELETE FROM calls WHERE history_id = 11").await;
        assert_eq!(
            last(&scene, "leads", "2", &["+49301"]).await,
            LastResult::None,
            "a campaign it never had"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_persons_word_lets_go_who_has_no_contact_any_more() {
        let scene = scene().await;
        let declined = scene.link("1", None, &["+49301"]).await;
        call(&scene, 11, 90, Some(declined), 7).await;
        let said = || Said { who: "anna".to_owned(), text: "asked for a call".to_owned() };
        assert_eq!(scene.ledger.final_reopen(HistoryId(4), said()).await.expect("asked"), None);
        let decided = scene.ledger.final_reopen(HistoryId(11), said()).await.expect("said").expect("a call");
        assert_eq!(decided, BTreeMap::from([(RouteName::from("leads"), 1)]), "its record is decided anew");
        for (record, numbers) in [("1", ["+49301"]), ("2", ["+49301"])] {
            assert_eq!(last(&scene, "leads", record, &numbers).await, LastResult::None, "{record}");
        }
        // Another word of the agent about the same call is another result.
        let corrected = scene.ledger.write("test_corrected", |tx| {
            tx.execute("UPDATE calls SET result_code = 99 WHERE history_id = 11", [])
        });
        corrected.await.expect("corrected");
        assert_eq!(last(&scene, "leads", "1", &["+49301"]).await, LastResult::Final(HistoryId(11)));
    }

    #[tokio::test(start_paused = true)]
    async fn who_else_is_this_person_is_found_without_a_look_at_everybody() {
        let scene = scene().await;
        let plan = scene.plan_of(&format!("SELECT c.history_id {OTHERS}")).await.join("\n");
        for table in ["b", "c", "calls", "called_numbers", "contact_numbers", "d", "k", "l", "link_numbers"] {
            assert!(!plan.lines().any(|step| step.contains(&format!("SCAN {table}"))), "{table}: {plan}");
        }
        assert!(!plan.contains("calls_campaign"), "{plan}");
        for (waiting, index) in WAITING.into_iter().zip(["records_final", "links_final"]) {
            let plan = scene.plan_of(&format!("SELECT 1 {waiting} AND c.history_id = ?1")).await.join("\n");
            assert!(plan.contains(&format!("SEARCH x USING INDEX {index}")), "{plan}");
        }
        let plan = scene.plan_of(BEARER_CALLED).await.join("\n");
        assert!(!plan.contains("SCAN c") && !plan.contains("SCAN b"), "{plan}");
    }
}
