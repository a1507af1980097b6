//! Whose key the dialler must be asked for: of waiting imports, of records that must not be called and have no
//! contact that we know of, and again of records that were parked for what was found, once that may have changed.

use super::acts::acts;
use super::drip::{Drip, full_today, left_today};
use super::sql::time;
use super::{Ledger, LedgerError};
use crate::domain::{CampaignId, ContactId, LinkId, RecordId, RouteName, Timestamp, UserData};
use rusqlite::{Connection, named_params};

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

/// Without a campaign a contact that is found cannot be told from one elsewhere: such a route's imports wait.
const BY_IMPORT: &str = concat!(
    "SELECT l.route, l.record_id, l.id AS link_id, l.user_data, r.campaign_id AS campaign,
            CASE WHEN l.vanished_at IS NULL THEN l.contact_id END AS contact
     FROM operations o JOIN links l ON l.id = o.link_id JOIN routes r ON r.route = l.route
     WHERE o.state = 'waiting' AND o.kind = 'import' AND o.not_before <= :now AND r.campaign_id IS NOT NULL
       AND (l.contact_id IS NULL OR l.vanished_at IS NOT NULL)
       AND (l.absent_at IS NULL OR l.absent_at < :absent) AND (:only IS NULL OR l.route = :only)
       AND ",
    acts!(),
    " ORDER BY o.id LIMIT :limit"
);

/// A link whose import was taken back before its key was asked for, and who is not to be called now.
pub(super) const UNMET: &str =
    "SELECT l.route, l.record_id, l.id AS link_id, l.user_data, coalesce(r.campaign_id, l.campaign_id)
            AS campaign, NULL AS contact
     FROM links l JOIN routes r ON r.route = l.route
     WHERE l.contact_id IS NULL AND l.met_at IS NULL AND l.user_data IS NOT NULL AND l.wish <> 'callable'
       AND NOT EXISTS (SELECT 1 FROM operations o WHERE o.link_id = l.id
                       AND o.state IN ('waiting', 'sending', 'uncertain') AND o.kind = 'import')
     ORDER BY l.id LIMIT :limit";

/// Whoever must not be called is asked for also without a campaign: whatever bears the key is locked.
const DUE_RECORDS: &str = "SELECT d.route, d.record_id, d.link_id, d.user_data, r.campaign_id AS campaign,
            CASE WHEN l.vanished_at IS NULL THEN l.contact_id END AS contact
     FROM records d JOIN routes r ON r.route = d.route LEFT JOIN links l ON l.id = d.link_id
     WHERE d.meet = 'due' AND d.user_data IS NOT NULL
       AND ((r.campaign_id IS NOT NULL AND (:only IS NULL OR d.route = :only)) OR d.state IN ('skipped', 'blocked')
            OR d.code IN ('no_name', 'no_phone', 'record_unreadable', 'record_too_large')
            OR coalesce(json_extract(d.params, '$.key'), json_extract(d.params, '$.field')) IN ('only_if', 'block_if'))
     ORDER BY d.route, d.record_id LIMIT :limit";

/// What stands in the way may stand in a campaign that nobody sweeps, so it is asked about now and then. The second
/// condition says nothing new, but that the index may be used.
pub(super) const PARKED: &str = "SELECT d.route, d.record_id, d.link_id, d.user_data, r.campaign_id AS campaign,
            CASE WHEN l.vanished_at IS NULL THEN l.contact_id END AS contact
     FROM records d JOIN routes r ON r.route = d.route JOIN links l ON l.id = d.link_id
     WHERE d.state = 'parked' AND d.state <> 'linked' AND d.code IN ('several_contacts', 'found_elsewhere', 'folded_match')
       AND d.user_data IS NOT NULL AND l.met_at < :parked
       AND r.campaign_id IS NOT NULL AND r.state IN ('on', 'pilot') AND r.stopped IS NULL
       AND (:only IS NULL OR d.route = :only)
     ORDER BY d.route, d.record_id LIMIT :limit";

impl Ledger {
    /// Keys that must be asked for: of records that must not be called (always), of waiting imports of routes
    /// that act, and of records parked for what was found, unless they were asked for since `since`. `only` this route's,
    /// but for those that must not be called: they wait for nobody.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn meet_due(
        &self,
        since: MeetSince,
        only: Option<RouteName>,
        drips: Vec<Drip>,
        limit: u32,
    ) -> Result<Vec<MeetItem>, LedgerError> {
        let now = time(self.env.now());
        self.read("meet_due", move |connection| {
            let full = full_today(&left_today(connection, &drips)?)?;
            let (absent, parked) = (time(since.absent), time(since.parked));
            let only = only.map(|route| route.0);
            let mut found = items(connection, DUE_RECORDS, named_params! { ":only": only, ":limit": limit })?;
            found.extend(items(connection, UNMET, named_params! { ":limit": limit })?);
            let of_parked = named_params! { ":parked": parked, ":only": only, ":limit": limit };
            found.extend(items(connection, PARKED, of_parked)?);
            found.extend(items(
                connection,
                BY_IMPORT,
                named_params! { ":now": now, ":absent": absent, ":only": only, ":full": full, ":limit": limit },
            )?);
            found.sort_by(|a, b| (&a.route, &a.record).cmp(&(&b.route, &b.record)));
            found.dedup_by(|a, b| a.route == b.route && a.record == b.record);
            Ok(found)
        })
        .await
    }
}

fn items(
    connection: &Connection,
    sql: &str,
    params: &[(&str, &dyn rusqlite::ToSql)],
) -> rusqlite::Result<Vec<MeetItem>> {
    let rows =
        connection.prepare_cached(sql)?.query_map(params, item)?.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(rows.into_iter().flatten().collect())
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
