//! Contacts of records that left: what the ledger must know of the route's choice, and the end of a deletion.

use super::sql::time;
use super::{Ledger, LedgerError, hints};
use crate::domain::limits::RemovalLimits;
use crate::domain::{CampaignId, LinkId, ReasonCode, RouteName, Timestamp, Wish};
use rusqlite::{OptionalExtension as _, Transaction};

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
                        max_deleted_percent = ?5
                 WHERE route = ?1 AND (max_deleted_per_run, leaves_by_block, max_deleted_per_day, max_deleted_percent)
                    IS NOT (?2, ?3, ?4, ?5)",
            )?
            .execute((
                route.0,
                most.per_run,
                by_block == ByBlock::LocksAndMore,
                most.per_day,
                most.percent,
            ))?;
            Ok(())
        })
        .await
    }
}

impl Ledger {
    /// Whether a record of the route has a contact, as far as is known.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn route_has_contacts(&self, route: RouteName) -> Result<bool, LedgerError> {
        self.read("route_has_contacts", move |connection| {
            connection
                .prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM links
                        WHERE route = ?1 AND (contact_id IS NOT NULL AND vanished_at IS NULL
                            OR EXISTS (SELECT 1 FROM operations o WHERE o.link_id = links.id AND o.kind = 'import'
                                       AND o.state IN ('sending', 'uncertain'))))",
                )?
                .query_row([route.0], |row| row.get(0))
        })
        .await
    }
}

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
    // No list will name it again, and that is no question.
    tx.prepare_cached(
        "UPDATE contacts SET gone_at = ?2, audit_at = NULL
         WHERE contact_id = (SELECT contact_id FROM links WHERE id = ?1) AND gone_at IS NULL",
    )?
    .execute((link.0, &at))?;
    tx.prepare_cached(
        "DELETE FROM harvest_due WHERE contact_id = (SELECT contact_id FROM links WHERE id = ?1)",
    )?
    .execute([link.0])?;
    tx.prepare_cached(
        "UPDATE link_contacts SET until = ?2
         WHERE link_id = ?1 AND until IS NULL AND contact_id = (SELECT contact_id FROM links WHERE id = ?1)",
    )?
    .execute((link.0, &at))?;
    tx.prepare_cached(
        "UPDATE links SET contact_id = NULL, vanished_at = NULL, absent_at = NULL, base = '{}', complete = 0,
                campaign_id = coalesce((SELECT r.campaign_id FROM routes r WHERE r.route = links.route), campaign_id),
                lock_state = 'open', locked_at = NULL, wish = CASE wish WHEN 'locked' THEN 'none' ELSE wish END
         WHERE id = ?1",
    )?
    .execute([link.0])?;
    match (why, wish) {
        (ReasonCode::CampaignMoves, _) | (_, Wish::Callable) => {
            hints::link_in(tx, now, link, "deleted by us")
        }
        (_, Wish::None | Wish::Locked) => Ok(()),
    }
}
