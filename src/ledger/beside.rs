//! Contacts of a route's campaign that have no link: a route that is filled beside them may call a person twice.

use super::{Ledger, LedgerError};
use crate::domain::RouteName;
use rusqlite::OptionalExtension as _;
use serde::Serialize;

/// What the last complete sweep of a campaign found without a link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Unlinked {
    /// Contacts that carry the UserData of a record we know: they are taken over at first sight.
    pub ours: i64,
    /// Contacts with another UserData.
    pub another: i64,
    /// Contacts without one.
    pub none: i64,
}

impl Unlinked {
    /// Contacts that nothing of ours would recognise: their persons would be imported a second time.
    pub fn unknown(&self) -> i64 {
        self.another + self.none
    }
}

impl Ledger {
    /// What stands in the route's campaign without a link; `None`: the campaign was never read to its end.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn route_unlinked(&self, route: RouteName) -> Result<Option<Unlinked>, LedgerError> {
        self.read("route_unlinked", move |connection| {
            let swept: Option<i64> = connection
                .prepare_cached(
                    "SELECT r.campaign_id FROM routes r WHERE r.route = ?1 AND EXISTS
                        (SELECT 1 FROM sweeps s WHERE s.campaign_id = r.campaign_id AND s.complete = 1)",
                )?
                .query_row([&route.0], |row| row.get(0))
                .optional()?;
            let Some(campaign) = swept else { return Ok(None) };
            let unlinked = connection
                .prepare_cached(
                    "SELECT count(*) FILTER (WHERE known), count(*) FILTER (WHERE NOT known AND keyed),
                            count(*) FILTER (WHERE NOT keyed)
                     FROM (SELECT coalesce(trim(c.user_data), '') <> '' AS keyed,
                                  EXISTS (SELECT 1 FROM records d WHERE d.folded = c.folded
                                          AND d.user_data = c.user_data) AS known
                           FROM contacts c
                           WHERE c.campaign_id = ?1 AND c.gone_at IS NULL AND c.asked_at IS NULL
                             AND NOT EXISTS (SELECT 1 FROM links l WHERE l.contact_id = c.contact_id
                                             AND l.route IS NOT NULL))",
                )?
                .query_row([campaign], |row| {
                    Ok(Unlinked { ours: row.get(0)?, another: row.get(1)?, none: row.get(2)? })
                })?;
            Ok(Some(unlinked))
        })
        .await
    }
}
