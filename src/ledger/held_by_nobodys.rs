//! Who is decided anew because of a call of a contact that is no record's: known by a number of it, or by one on which it was called.

use super::held_again::{hold, whom_holds};
use super::held_out::nobodys;
use super::sql::time;
use crate::domain::{CampaignId, ContactId, LinkId, Timestamp};
use rusqlite::Transaction;

/// Records' links with a number of such a contact.
macro_rules! bearers_of {
    ($which:literal) => {
        concat!(
            "SELECT DISTINCT b.link_id FROM calls c
             CROSS JOIN (SELECT contact_id, number FROM contact_numbers UNION ALL
                         SELECT k.contact_id, n.number FROM calls k CROSS JOIN called_numbers n ON n.history_id = k.history_id) a
                ON a.contact_id = c.contact_id
             CROSS JOIN link_numbers b ON b.number = a.number
             CROSS JOIN links l ON l.id = b.link_id AND l.route IS NOT NULL
             WHERE ",
            $which,
            " AND ",
            nobodys!("c")
        )
    };
}

/// A call of it got a result or another one, or its result was taken back.
pub(super) fn of_contact(tx: &Transaction<'_>, contact: ContactId, now: Timestamp) -> rusqlite::Result<()> {
    tx.prepare_cached(whom_holds!("c.contact_id = :contact AND ", nobodys!("c")))?
        .execute(rusqlite::named_params! { ":contact": contact.0, ":now": time(now) })?;
    let links: Vec<i64> = tx
        .prepare_cached(bearers_of!("c.contact_id = ?1"))?
        .query_map([contact.0], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    links.into_iter().try_for_each(|link| hold(tx, LinkId(link), now))
}

/// A code got its name, its type or its word.
pub(super) fn code_learned(
    tx: &Transaction<'_>,
    campaign: CampaignId,
    code: i64,
    now: Timestamp,
) -> rusqlite::Result<()> {
    tx.prepare_cached(whom_holds!(
        "c.campaign_id = :campaign AND c.result_code = :code AND ",
        nobodys!("c")
    ))?
    .execute(rusqlite::named_params! { ":campaign": campaign.0, ":code": code, ":now": time(now) })?;
    let links: Vec<i64> = tx
        .prepare_cached(bearers_of!("c.campaign_id = ?1 AND c.result_code = ?2"))?
        .query_map((campaign.0, code), |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    links.into_iter().try_for_each(|link| hold(tx, LinkId(link), now))
}

#[cfg(test)]
mod tests {
    use crate::ledger::held_again::whom_holds;
    use crate::ledger::held_out::nobodys;
    use crate::ledger::testing::scene;

    #[tokio::test(start_paused = true)]
    async fn whoever_has_a_number_of_such_a_contact_is_found_by_it_and_not_by_all_who_have_any() {
        let scene = scene().await;
        for sql in
            [bearers_of!("c.contact_id = ?1"), whom_holds!("c.contact_id = :contact AND ", nobodys!("c"))]
        {
            let plan = scene.plan_of(sql).await.join("\n");
            assert!(!plan.contains("SCAN"), "{plan}");
        }
        let plan = scene.plan_of(crate::ledger::held_out::STRANGERS).await.join("\n");
        assert!(!plan.contains("SCAN c") && !plan.contains("SCAN k") && !plan.contains("SCAN n"), "{plan}");
    }
}
