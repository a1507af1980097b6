//! Whose key the dialler must be asked for: of waiting imports, of records that must not be called and have no
//! contact that we know of, and again of records that were parked for what was found, once that may have changed.

use super::acts::acts;
use super::drip::{Drip, full_today, left_today};
use super::sql::{json, time};
use super::{Ledger, LedgerError};
use crate::domain::{
    CampaignId, ContactId, FoldedUserData, LinkId, RecordId, RouteName, Timestamp, UserData,
};
use rusqlite::named_params;

/// A key to ask for.
#[derive(Debug, Clone, PartialEq)]
pub struct MeetItem {
    /// Its route.
    pub route: RouteName,
    /// Its record.
    pub record: RecordId,
    /// Its link, if it has one.
    pub link: Option<LinkId>,
    /// The contact its link has now.
    pub contact: Option<ContactId>,
    /// The key.
    pub user_data: UserData,
    /// The campaign in which its contact would be ours.
    pub campaign: Option<CampaignId>,
}

/// How long answers hold.
#[derive(Debug, Clone, Copy)]
pub struct MeetSince {
    /// A waiting import is asked for again unless nobody had its key since then.
    pub absent: Timestamp,
    /// A record parked for what was found is asked for again if that was before.
    pub parked: Timestamp,
}

/// Whose keys may be asked for. Said to the ledger and not looked at afterwards: whoever may not be asked about would take
/// the places of those who may.
#[derive(Debug, Clone)]
pub struct MeetWhose {
    /// The config's routes: without one there is no policy for what is found.
    pub routes: Vec<RouteName>,
    /// Keys about which the dialler gave no answer just now.
    pub resting: Vec<FoldedUserData>,
    /// Of which imports.
    pub imports: MeetImports,
}

/// Whose imports are met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeetImports {
    /// Of routes that act: the others' keys are asked for when their turn comes.
    Acting,
    /// All that wait, for a dry run.
    All,
}

/// The condition on a link or a record that its key may be asked for. The plus keeps the route's index out of it.
macro_rules! whose {
    ($row:literal) => {
        concat!(
            " +",
            $row,
            ".route IN (SELECT value FROM json_each(:routes)) AND ",
            $row,
            ".folded NOT IN (SELECT value FROM json_each(:resting)) "
        )
    };
}

/// Without a campaign a contact that is found cannot be told from one elsewhere: such a route's imports wait.
const BY_IMPORT: &str = concat!(
    "SELECT l.route, l.record_id, l.id AS link_id, l.user_data, r.campaign_id AS campaign,
            CASE WHEN l.vanished_at IS NULL THEN l.contact_id END AS contact
     FROM operations o JOIN links l ON l.id = o.link_id JOIN routes r ON r.route = l.route
     WHERE o.state = 'waiting' AND o.kind = 'import' AND o.not_before <= :now AND r.campaign_id IS NOT NULL
       AND (l.contact_id IS NULL OR l.vanished_at IS NOT NULL)
       AND (l.absent_at IS NULL OR l.absent_at < :absent) AND (:only IS NULL OR l.route = :only)
       AND",
    whose!("l"),
    "AND (:all OR (",
    acts!(),
    ")) ORDER BY o.id LIMIT :limit"
);

/// A link whose import was taken back before its key was asked for, and who is not to be called now.
pub(super) const UNMET: &str = concat!(
    "SELECT l.route, l.record_id, l.id AS link_id, l.user_data, coalesce(r.campaign_id, l.campaign_id)
            AS campaign, NULL AS contact
     FROM links l JOIN routes r ON r.route = l.route
     WHERE l.contact_id IS NULL AND l.met_at IS NULL AND l.user_data IS NOT NULL AND l.wish <> 'callable'
       AND NOT EXISTS (SELECT 1 FROM operations o WHERE o.link_id = l.id
                       AND o.state IN ('waiting', 'sending', 'uncertain') AND o.kind = 'import')
       AND",
    whose!("l"),
    "ORDER BY l.id LIMIT :limit"
);

/// Whoever must not be called is asked for also without a campaign: whatever bears the key is locked.
const DUE_RECORDS: &str = concat!(
    "SELECT d.route, d.record_id, d.link_id, d.user_data, r.campaign_id AS campaign,
            CASE WHEN l.vanished_at IS NULL THEN l.contact_id END AS contact
     FROM records d JOIN routes r ON r.route = d.route LEFT JOIN links l ON l.id = d.link_id
     WHERE d.meet = 'due' AND d.user_data IS NOT NULL
       AND ((r.campaign_id IS NOT NULL AND (:only IS NULL OR d.route = :only)) OR d.state IN ('skipped', 'blocked')
            OR d.code IN ('no_name', 'no_phone', 'record_unreadable', 'record_too_large')
            OR coalesce(json_extract(d.params, '$.key'), json_extract(d.params, '$.field')) IN ('only_if', 'block_if'))
       AND",
    whose!("d"),
    "ORDER BY d.route, d.record_id LIMIT :limit"
);

/// What stands in the way may stand in a campaign that nobody sweeps, so it is asked about now and then. The second
/// condition says nothing new, but that the index may be used.
pub(super) const PARKED: &str = concat!(
    "SELECT d.route, d.record_id, d.link_id, d.user_data, r.campaign_id AS campaign,
            CASE WHEN l.vanished_at IS NULL THEN l.contact_id END AS contact
     FROM records d JOIN routes r ON r.route = d.route JOIN links l ON l.id = d.link_id
     WHERE d.state = 'parked' AND d.state <> 'linked' AND d.code IN ('several_contacts', 'found_elsewhere', 'folded_match')
       AND d.user_data IS NOT NULL AND l.met_at < :parked
       AND r.campaign_id IS NOT NULL AND r.state IN ('on', 'pilot') AND r.stopped IS NULL
       AND (:only IS NULL OR d.route = :only)
       AND",
    whose!("d"),
    "ORDER BY d.route, d.record_id LIMIT :limit"
);

impl Ledger {
    /// Keys that must be asked for: of records that must not be called (always), of waiting imports of routes
    /// that act (or of all), and of records parked for what was found, unless they were asked for since `since`; each kind at most
    /// `limit`. `only` this route's,
    /// but for those that must not be called: they wait for nobody.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn meet_due(
        &self,
        since: MeetSince,
        whose: MeetWhose,
        only: Option<RouteName>,
        drips: Vec<Drip>,
        limit: u32,
    ) -> Result<Vec<MeetItem>, LedgerError> {
        let now = time(self.env.now());
        self.read("meet_due", move |connection| {
            let full = full_today(&left_today(connection, &drips)?)?;
            let (absent, parked) = (time(since.absent), time(since.parked));
            let only = only.map(|route| route.0);
            let (routes, resting) = (json(&whose.routes)?, json(&whose.resting)?);
            let mut found = Vec::new();
            for sql in [DUE_RECORDS, UNMET, PARKED, BY_IMPORT] {
                let mut statement = connection.prepare_cached(sql)?;
                let all = named_params! {
                    ":routes": routes, ":resting": resting, ":limit": limit, ":only": only, ":parked": parked,
                    ":now": now, ":absent": absent, ":full": full, ":all": whose.imports == MeetImports::All,
                };
                for (name, value) in all {
                    if let Some(place) = statement.parameter_index(name)? {
                        statement.raw_bind_parameter(place, value)?;
                    }
                }
                let mut rows = statement.raw_query();
                while let Some(row) = rows.next()? {
                    found.extend(item(row)?);
                }
            }
            found.sort_by(|a, b| (&a.route, &a.record).cmp(&(&b.route, &b.record)));
            found.dedup_by(|a, b| a.route == b.route && a.record == b.record);
            Ok(found)
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
        contact: row.get::<_, Option<i64>>("contact")?.map(ContactId),
        user_data,
        campaign: row.get::<_, Option<i64>>("campaign")?.map(CampaignId),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::testing::{Scene, scene};

    /// Three imports wait, of records 1 to 3; asked about two at a time at most.
    async fn three() -> Scene {
        let scene = scene().await;
        for record in ["1", "2", "3"] {
            let link = scene.link(record, None, &[]).await;
            scene.operation(link, "import", "waiting").await;
        }
        scene
    }

    async fn due(scene: &Scene, resting: &[&str]) -> Vec<String> {
        let now = scene.ledger.env.now();
        let since = MeetSince { absent: now, parked: now };
        let whose = MeetWhose {
            routes: vec![scene.route.clone()],
            resting: resting.iter().map(|key| FoldedUserData((*key).to_owned())).collect(),
            imports: MeetImports::Acting,
        };
        let due = scene.ledger.meet_due(since, whose, None, Vec::new(), 2).await.expect("read");
        due.into_iter().map(|item| item.record.0).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_route_that_left_the_config_holds_up_the_imports_of_no_other() {
        let scene = three().await;
        scene.route_beside("winback", &[]).await;
        scene.put("UPDATE links SET route = 'winback' WHERE record_id <> '3'").await;
        assert_eq!(due(&scene, &[]).await, ["3"]);
    }

    #[tokio::test(start_paused = true)]
    async fn keys_about_which_no_answer_can_be_had_hold_up_no_other() {
        let scene = three().await;
        assert_eq!(due(&scene, &[]).await, ["1", "2"]);
        assert_eq!(due(&scene, &["leads-1", "leads-2"]).await, ["3"]);
    }
}
