//! Contacts of records that left: what the ledger must know of the route's choice, and the end of a deletion.

use super::sql::time;
use super::{Ledger, LedgerError, finals, hints, missing, sent_numbers, unlisted};
use crate::domain::limits::RemovalLimits;
use crate::domain::{CampaignId, ContactId, LastResult, LinkId, ReasonCode, RouteName, Timestamp, Wish};
use rusqlite::{OptionalExtension as _, Transaction};

/// The campaigns that a route (a parameter's name) has or had.
macro_rules! campaigns_of {
    ($route:literal) => {
        concat!(
            "SELECT campaign_id FROM routes WHERE route = ",
            $route,
            " AND campaign_id IS NOT NULL UNION ALL SELECT campaign_id FROM earlier_campaigns WHERE route = ",
            $route
        )
    };
}
pub(super) use campaigns_of;

/// Whether a block brings more than a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByBlock {
    /// It locks, and that is all.
    Locks,
    /// The record is decided anew as well: its contact gets a mark, or is deleted.
    LocksAndMore,
}

impl Ledger {
    /// What the config says of a route's records that leave.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn route_leaving_set(
        &self,
        route: RouteName,
        most: RemovalLimits,
        by_block: ByBlock,
    ) -> Result<(), LedgerError> {
        self.write("route_leaving_set", move |tx| {
            tx.prepare_cached(
                "UPDATE routes SET max_deleted_per_run = ?2, leaves_by_block = ?3, max_deleted_per_day = ?4,
                        max_deleted_percent = ?5, max_locked_by_scope = ?6, max_locked_by_scope_percent = ?7
                 WHERE route = ?1 AND (max_deleted_per_run, leaves_by_block, max_deleted_per_day, max_deleted_percent,
                    max_locked_by_scope, max_locked_by_scope_percent) IS NOT (?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute((
                route.0,
                most.per_run,
                by_block == ByBlock::LocksAndMore,
                most.per_day,
                most.percent,
                most.locked_by_scope,
                most.locked_by_scope_percent,
            ))?;
            Ok(())
        })
        .await
    }
}

/// What a route has in its campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StandsThere {
    /// No contact.
    Nobody,
    /// Contacts, as far as is known.
    Contacts,
    /// An import into it may or may not have arrived: only by this campaign can be told what was made of it.
    InDoubt,
}

impl Ledger {
    /// What the route's records have in the campaign that is pinned.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn route_stands_there(&self, route: RouteName) -> Result<StandsThere, LedgerError> {
        const CONTACTS: &str = "SELECT EXISTS (SELECT 1 FROM links WHERE route = ?1 AND contact_id IS NOT NULL AND vanished_at IS NULL)";
        let ask = |sql: &'static str| {
            let route = route.0.clone();
            self.read("route_stands_there", move |connection| {
                connection.prepare_cached(sql)?.query_row([route], |row| row.get::<_, bool>(0))
            })
        };
        if ask(DOUBTS).await? {
            return Ok(StandsThere::InDoubt);
        }
        Ok(if ask(CONTACTS).await? { StandsThere::Contacts } else { StandsThere::Nobody })
    }
}

/// Whoever is open has no end: said for the index.
pub(super) const DOUBTS: &str = "SELECT EXISTS (SELECT 1 FROM operations o CROSS JOIN links l ON l.id = o.link_id
    WHERE o.finished_at IS NULL AND o.state IN ('sending', 'uncertain') AND o.kind = 'import' AND l.route = ?1)";

/// The route is about to get this campaign: what it has stands in the one before, and is decided anew.
pub(super) fn campaign_changes(
    tx: &Transaction<'_>,
    route: &RouteName,
    campaign: CampaignId,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let before: Option<i64> = tx
        .prepare_cached("SELECT campaign_id FROM routes WHERE route = ?1")?
        .query_row([&route.0], |row| row.get(0))
        .optional()?
        .flatten();
    tx.prepare_cached("UPDATE links SET campaign_id = ?2 WHERE route = ?1 AND campaign_id IS NULL")?
        .execute((&route.0, before.unwrap_or(campaign.0)))?;
    if before.is_none_or(|before| before == campaign.0) {
        return Ok(());
    }
    tx.prepare_cached(
        "INSERT INTO earlier_campaigns (route, campaign_id, until) VALUES (?1, ?2, ?3)
         ON CONFLICT (route, campaign_id) DO UPDATE SET until = excluded.until",
    )?
    .execute((&route.0, before, time(now)))?;
    tx.prepare_cached(
        "UPDATE links SET campaign_id = ?2 WHERE route = ?1 AND (contact_id IS NULL OR vanished_at IS NOT NULL)",
    )?
    .execute((&route.0, campaign.0))?;
    tx.prepare_cached(
        "INSERT INTO hints (route, record_id, source, at)
         SELECT route, record_id, 'campaign changed', ?3 FROM links WHERE route = ?1 AND campaign_id <> ?2",
    )?
    .execute((&route.0, campaign.0, time(now)))?;
    Ok(())
}

/// A contact got a result, or was reset. One that stayed in its route's campaign of before because it was called to an end
/// is decided anew once it no longer is: nothing else would tell of it.
pub(super) fn reopened(tx: &Transaction<'_>, link: LinkId, now: Timestamp) -> rusqlite::Result<()> {
    let stayed: bool = tx
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM links l JOIN routes r ON r.route = l.route
                WHERE l.id = ?1 AND l.campaign_id <> r.campaign_id AND l.contact_id IS NOT NULL
                  AND l.vanished_at IS NULL AND l.wish = 'callable'
                  AND NOT EXISTS (SELECT 1 FROM hints h WHERE h.route = l.route AND h.record_id = l.record_id
                                  AND h.taken_at IS NULL))",
        )?
        .query_row([link.0], |row| row.get(0))?;
    if !stayed {
        return Ok(());
    }
    match finals::of_link(tx, link)? {
        LastResult::Final(_) => Ok(()),
        LastResult::None | LastResult::Open => hints::link_in(tx, now, link, "open again"),
    }
}

/// A new block reached this link: its record is decided anew where the route asks for more than the lock, which does
/// not wait for that.
pub(super) fn blocked(tx: &Transaction<'_>, link: LinkId, now: Timestamp) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO hints (route, record_id, source, at)
         SELECT l.route, l.record_id, 'blocked', ?2 FROM links l JOIN routes r ON r.route = l.route
         WHERE l.id = ?1 AND r.leaves_by_block = 1
           AND NOT EXISTS (SELECT 1 FROM hints h WHERE h.route = l.route AND h.record_id = l.record_id
                           AND h.source = 'blocked' AND h.taken_at IS NULL)",
    )?
    .execute((link.0, time(now)))?;
    Ok(())
}

/// The contact of a record that left is deleted: its link has none any more, as if it had never had one, except for
/// its calls and its last result. A record that came back meanwhile is decided anew.
pub(super) fn deleted(
    tx: &Transaction<'_>,
    link: LinkId,
    why: ReasonCode,
    wish: Wish,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let at = time(now);
    let contact: Option<i64> = tx
        .prepare_cached("SELECT contact_id FROM links WHERE id = ?1")?
        .query_row([link.0], |row| row.get(0))?;
    if let Some(contact) = contact {
        // No list will name it again, and that is no question.
        tx.prepare_cached(
            "UPDATE contacts SET gone_at = ?2, audit_at = NULL WHERE contact_id = ?1 AND gone_at IS NULL",
        )?
        .execute((contact, &at))?;
        tx.prepare_cached("DELETE FROM harvest_due WHERE contact_id = ?1")?.execute([contact])?;
        unlisted::found(tx, ContactId(contact))?;
        missing::calls_end(tx, ContactId(contact), now)?;
        tx.prepare_cached(
            "UPDATE link_contacts SET until = ?3 WHERE link_id = ?1 AND until IS NULL AND contact_id = ?2",
        )?
        .execute((link.0, contact, &at))?;
    }
    without_contact(tx, link)?;
    match (why, wish) {
        (ReasonCode::CampaignMoves, _) | (_, Wish::Callable) => {
            hints::link_in(tx, now, link, "deleted by us")
        }
        (_, Wish::None | Wish::Locked) => Ok(()),
    }
}

/// A link has no contact any more, as if it had never had one. What an agent changed and the CRM was not told of outlives the
/// contact, and is merged against what both sides agreed on.
pub(super) fn without_contact(tx: &Transaction<'_>, link: LinkId) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "UPDATE links SET contact_id = NULL, vanished_at = NULL, absent_at = NULL, complete = 0,
                base = (SELECT json_group_object(b.key, json(b.value)) FROM json_each(links.base) b
                        WHERE b.key IN (SELECT e.field FROM edits e WHERE e.link_id = links.id)),
                campaign_id = coalesce((SELECT r.campaign_id FROM routes r WHERE r.route = links.route), campaign_id),
                lock_state = 'open', locked_at = NULL, wish = CASE wish WHEN 'locked' THEN 'none' ELSE wish END
         WHERE id = ?1",
    )?
    .execute([link.0])?;
    // The numbers of a contact that is gone stand against nobody, least of all against the one that follows it.
    sent_numbers::refresh(tx, link)
}

#[cfg(test)]
mod tests {
    use super::StandsThere::{self, Contacts, InDoubt, Nobody};
    use crate::domain::{CampaignId, PinnedCampaign, ReasonCode, Wish};
    use crate::ledger::testing::scene;

    #[tokio::test(start_paused = true)]
    async fn a_route_has_somebody_there_as_long_as_an_import_may_have_made_a_contact() {
        let judged: [(Option<i64>, &str, &str, StandsThere); 6] = [
            (None, "import", "waiting", Nobody),
            (None, "import", "sending", InDoubt),
            (None, "import", "uncertain", InDoubt),
            (None, "import", "parked", Nobody),
            (Some(11), "update", "uncertain", Contacts),
            (Some(11), "import", "uncertain", InDoubt),
        ];
        for (contact, kind, state, expected) in judged {
            let scene = scene().await;
            let link = scene.link("1", contact, &[]).await;
            scene.operation(link, kind, state).await;
            let found = scene.ledger.route_stands_there(scene.route.clone()).await.expect("read");
            assert_eq!(found, expected, "{kind} {state}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_import_goes_into_the_campaign_of_its_moment_and_holds_the_next_one_off() {
        let campaign = |id| PinnedCampaign { id: CampaignId(id), name: None };
        let scene = scene().await;
        let link = scene.link("1", None, &[]).await;
        scene.operation(link, "import", "waiting").await;
        let repin = |id| scene.ledger.route_repin_campaign(scene.route.clone(), campaign(id));
        assert!(repin(8).await.expect("written"), "nothing is under way");
        let at = super::time(scene.ledger.env.now());
        let absent =
            scene.ledger.write("test_absent", move |tx| tx.execute("UPDATE links SET absent_at = ?1", [at]));
        absent.await.expect("written");
        let going = scene.lease().await.going;
        assert_eq!(going.iter().map(|one| one.leased.campaign).collect::<Vec<_>>(), [Some(CampaignId(8))]);
        assert!(!repin(9).await.expect("asked"), "an import is under way");
        let row = scene.ledger.route_show(scene.route.clone()).await.expect("read").expect("a route");
        assert_eq!(row.campaign, Some(CampaignId(8)));
    }
    #[tokio::test(start_paused = true)]
    async fn the_calls_of_whoever_is_deleted_wait_for_nothing_any_more_and_have_their_note() {
        let scene = scene().await;
        let link = scene.link("1", Some(11), &[]).await;
        let now = scene.ledger.env.now();
        let left = scene.ledger.write("test_deleted", move |tx| {
            tx.execute_batch(
                "INSERT INTO contacts (contact_id, campaign_id, tries, seen_seq, seen_at, note, noted_at)
                 VALUES (11, 7, 1, 1, '2030-01-07T08:00:00.000000Z', 'call again', '2030-01-07T08:30:00.000000Z');
                 INSERT INTO calls (history_id, contact_id, link_id, campaign_id, hash, row, open, outbound, started_at,
                                    started_text, first_seen_at, changed_at, run_id)
                 SELECT 1, 11, id, 7, x'', '{}', 1, 1, '2030-01-07T08:00:00.000000Z', '2030-01-07 09:00:00',
                        '2030-01-07T08:00:00.000000Z', '2030-01-07T08:00:00.000000Z', 1 FROM links;",
            )?;
            super::deleted(tx, link, ReasonCode::RecordGone, Wish::None, now)?;
            tx.query_row("SELECT open, note FROM calls", [], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, Option<String>>(1)?))
            })
        });
        assert_eq!(left.await.expect("deleted"), (0, Some("call again".to_owned())));
    }
}
