//! Contacts of ours that stand in a campaign which no route names: somebody moved them there, their route was given
//! another campaign, or left the config (semantics 18).

use super::contacts::WRITTEN_SINCE;
use super::due::DueContact;
use super::sql::{get_json, time};
use super::unlisted::unlisted_held;
use super::{Ledger, LedgerError, foreign};
use crate::domain::{CampaignId, ContactId, RouteName, Seq, Timestamp};
use rusqlite::{Connection, named_params};
use serde_json::Value;
use std::collections::BTreeSet;

/// A campaign that is seen in links only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere {
    /// The campaign.
    pub campaign: CampaignId,
    /// So many contacts of ours stand in it.
    pub contacts: i64,
    /// The campaigns of the routes that these are of; `None`: of a route that never had one.
    pub routes_have: Vec<Option<CampaignId>>,
    /// These routes.
    pub routes: Vec<RouteName>,
}

impl Ledger {
    /// The campaigns that none of `listed` is and in which contacts of ours stand.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn campaigns_elsewhere(&self, listed: Vec<CampaignId>) -> Result<Vec<Elsewhere>, LedgerError> {
        let listed = Value::from_iter(listed.iter().map(|campaign| campaign.0)).to_string();
        self.read("campaigns_elsewhere", move |connection| {
            connection
                .prepare_cached(
                    "SELECT k.campaign_id, count(DISTINCT k.contact_id) AS contacts,
                            json_group_array(DISTINCT r.campaign_id) AS routes_have,
                            json_group_array(DISTINCT r.route) AS routes
                     FROM (SELECT l.route, l.contact_id FROM links l WHERE l.route IS NOT NULL AND l.contact_id IS NOT NULL
                           UNION ALL SELECT d.route, b.contact_id FROM records d CROSS JOIN contacts b ON b.folded = d.folded
                           WHERE d.state = 'parked' AND d.state <> 'linked' AND d.code IN ('several_contacts', 'found_elsewhere')
                             AND b.user_data = d.user_data) AS l
                     JOIN routes r ON r.route = l.route JOIN contacts k ON k.contact_id = l.contact_id
                     WHERE k.gone_at IS NULL AND k.campaign_id NOT IN (SELECT value FROM json_each(:listed))
                     GROUP BY k.campaign_id",
                )?
                .query_map(named_params! { ":listed": listed }, |row| {
                    Ok(Elsewhere {
                        campaign: CampaignId(row.get("campaign_id")?),
                        contacts: row.get("contacts")?,
                        routes_have: get_json(row, "routes_have")?,
                        routes: get_json(row, "routes")?,
                    })
                })?
                .collect()
        })
        .await
    }

    /// Notes which campaigns are read besides those of the config, and for which routes: these, and no others. There a block
    /// on a number locks contacts of others too (users 2).
    ///
    /// # Errors
    /// The ledger cannot be used.
    pub async fn elsewhere_note(&self, places: &[Elsewhere]) -> Result<(), LedgerError> {
        let mut read: Vec<(RouteName, i64)> = places
            .iter()
            .flat_map(|place| place.routes.iter().map(|route| (route.clone(), place.campaign.0)))
            .collect();
        read.sort();
        let noted: Vec<(RouteName, i64)> = self
            .read("elsewhere_noted", |connection| {
                connection
                    .prepare_cached("SELECT route, campaign_id FROM campaigns_elsewhere ORDER BY 1, 2")?
                    .query_map([], |row| Ok((RouteName(row.get(0)?), row.get(1)?)))?
                    .collect()
            })
            .await?;
        if noted == read {
            return Ok(());
        }
        let now = self.env.now();
        self.write("elsewhere_note", move |tx| {
            // Where a client's route was before, its blocks have held all along.
            let before = read_for(tx)?;
            tx.execute("DELETE FROM campaigns_elsewhere", [])?;
            let mut insert =
                tx.prepare_cached("INSERT INTO campaigns_elsewhere (route, campaign_id) VALUES (?1, ?2)")?;
            for (route, campaign) in &read {
                insert.execute((&route.0, campaign))?;
            }
            let new: BTreeSet<i64> =
                read_for(tx)?.difference(&before).map(|(_, campaign)| *campaign).collect();
            new.into_iter().try_for_each(|campaign| foreign::lock_known(tx, CampaignId(campaign), now))
        })
        .await
    }

    /// Contacts that we made for this campaign before its complete list numbered `began`, and that no list ever named,
    /// get a row, so that they are missing from this one: somebody moved or deleted them before they were seen.
    ///
    /// # Errors
    /// The ledger cannot be used.
    pub async fn unlisted_enter(&self, campaign: CampaignId, began: Seq) -> Result<(), LedgerError> {
        let unlisted: Vec<i64> = self
            .read("unlisted", move |connection| {
                let sql = format!(
                    "WITH c (id) AS (
                        SELECT d.contact_id FROM harvest_due d
                        JOIN links l ON l.contact_id = d.contact_id JOIN routes r ON r.route = l.route
                        WHERE d.reason = 'ours' AND r.campaign_id = :campaign AND l.vanished_at IS NULL
                          AND NOT EXISTS (SELECT 1 FROM contacts k WHERE k.contact_id = d.contact_id))
                     SELECT c.id FROM c WHERE NOT {WRITTEN_SINCE}"
                );
                connection
                    .prepare_cached(&sql)?
                    .query_map(named_params! { ":campaign": campaign.0, ":began": began.0 }, |row| {
                        row.get(0)
                    })?
                    .collect()
            })
            .await?;
        if unlisted.is_empty() {
            return Ok(());
        }
        let now = time(self.env.now());
        self.write("unlisted_enter", move |tx| {
            let mut insert = tx.prepare_cached(
                "INSERT INTO contacts (contact_id, campaign_id, seen_seq, seen_at) VALUES (?1, ?2, 0, ?3)
                 ON CONFLICT DO NOTHING",
            )?;
            for id in &unlisted {
                insert.execute((id, campaign.0, &now))?;
            }
            Ok(())
        })
        .await
    }

    /// Contacts of ours in a campaign that no route names which were not read since `read_before`; those that were read
    /// longest ago first.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub(super) async fn elsewhere_take(
        &self,
        campaign: CampaignId,
        read_before: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueContact>, LedgerError> {
        self.read("elsewhere_take", move |connection| {
            connection
                .prepare_cached(
                    concat!("SELECT contact_id FROM contacts k
                     WHERE campaign_id = :campaign AND gone_at IS NULL AND asked_at IS NULL AND NOT ", unlisted_held!("k.contact_id"), "
                       AND (EXISTS (SELECT 1 FROM links l WHERE l.contact_id = k.contact_id AND l.route IS NOT NULL)
                            OR EXISTS (SELECT 1 FROM records d WHERE d.folded = k.folded AND d.user_data = k.user_data
                                       AND d.state = 'parked' AND d.code IN ('several_contacts', 'found_elsewhere')))
                       AND (read_at IS NULL OR read_at < :before)
                     ORDER BY read_at LIMIT :limit"),
                )?
                .query_map(
                    named_params! { ":campaign": campaign.0, ":before": time(read_before), ":limit": limit as i64 },
                    |row| Ok(DueContact { id: ContactId(row.get(0)?), fingerprint: None }),
                )?
                .collect()
        })
        .await
    }
}

/// Which campaigns are read for which client.
fn read_for(connection: &Connection) -> rusqlite::Result<BTreeSet<(String, i64)>> {
    connection
        .prepare_cached("SELECT client, campaign_id FROM client_campaigns")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Block, BlockSubject, Reason, ReasonCode};
    use crate::ledger::decisions::lane_of_contact;
    use crate::ledger::testing::scene;

    #[tokio::test]
    async fn who_was_locked_and_let_go_for_another_client_is_locked_for_the_one_that_reads_there_now() {
        let scene = scene().await;
        scene.contact_number(99, "+49301").await;
        scene.put("UPDATE contacts SET campaign_id = 9").await;
        let now = scene.ledger.env.now();
        let lane =
            scene.ledger.write("test_lane", move |tx| lane_of_contact(tx, now, "neighbour", ContactId(99)));
        lane.await.expect("a lane");
        scene.put("UPDATE links SET wish = 'callable', wish_code = 'eligible_again'").await;
        let block = Block {
            subject: BlockSubject::Number("+49301".to_owned()),
            reason: Reason::new(ReasonCode::BlockedByHand).with("text", "asked us"),
            source: "operator".to_owned(),
            since: now,
            said_last: now,
            until: None,
            who: Some("test".to_owned()),
        };
        scene.ledger.block_add("house", block).await.expect("blocked");
        assert_eq!(scene.says("SELECT wish FROM links").await, ["callable"], "a campaign that is not read");
        let there = Elsewhere {
            campaign: CampaignId(9),
            contacts: 1,
            routes_have: vec![Some(CampaignId(7))],
            routes: vec![scene.route.clone()],
        };
        scene.ledger.elsewhere_note(std::slice::from_ref(&there)).await.expect("noted");
        assert_eq!(scene.says("SELECT wish FROM links").await, ["locked"]);
        scene.ledger.elsewhere_note(&[there]).await.expect("noted");
        assert_eq!(scene.says("SELECT count(*) FROM campaigns_elsewhere").await, ["1"]);
    }
}
