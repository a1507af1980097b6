//! An operation on its way out, with everything needed to send it or to ask about it.

use super::by_hand_update::{self, Given};
use super::halts::HaltMark;
use super::inputs::link_view;
use super::sql::{get_json, get_named, get_reason, get_time};
use crate::domain::policy::Clearing;
use crate::domain::{
    CampaignId, ContactId, LinkId, LinkView, OperationId, OperationKind, Reason, RecordId, RouteName,
    Timestamp, UserData, Values,
};
use rusqlite::Transaction;

/// An operation that may be sent now.
#[derive(Debug, Clone)]
pub struct Leased {
    /// The operation.
    pub id: OperationId,
    /// Its lane.
    pub link: LinkId,
    /// What it does.
    pub kind: OperationKind,
    /// Why it is wished.
    pub reason: Reason,
    /// The route of its link; `None` for a contact without a record of ours.
    pub route: Option<RouteName>,
    /// The record.
    pub record: Option<RecordId>,
    /// The client.
    pub client: String,
    /// The join key.
    pub user_data: Option<UserData>,
    /// The campaign its link was made for.
    pub campaign: Option<CampaignId>,
    /// The fields to send: for imports and updates.
    pub values: Values,
    /// The link as it was when the body was computed; of an update by hand only what it gave counts as desired.
    pub view: LinkView,
    /// HTTP tries so far.
    pub attempts: i64,
    /// The CRM's answer that the decision rests on.
    pub decided_at: Timestamp,
    /// When it was leased.
    pub leased_at: Timestamp,
    /// Whether it belongs to a wave: what is wished by a single answer does not.
    pub in_wave: bool,
    /// Whether a person asked for it: then the route's state does not hold it.
    pub by_hand: bool,
    /// An update by hand: what it sends, whatever the record maps to.
    pub given: Option<Given>,
    /// The way of emptying fields by which `values` were computed.
    pub clearing: Clearing,
    /// It may leave only while no halt came since.
    pub halts: HaltMark,
}

/// An operation with everything needed to send it or to ask about it.
pub(super) fn read(tx: &Transaction<'_>, id: OperationId, now: Timestamp) -> rusqlite::Result<Leased> {
    let link: i64 = tx
        .prepare_cached("SELECT link_id FROM operations WHERE id = ?1")?
        .query_row([id.0], |row| row.get(0))?;
    let mut view = link_view(tx, LinkId(link))?;
    let given = by_hand_update::given(tx, id)?;
    if let Some(given) = &given {
        given.stands_in(&mut view);
    }
    let mut statement = tx.prepare_cached(
        "SELECT o.kind, o.code, o.params, o.body, o.attempts, o.decided_at, o.cause, o.contact_id AS sent_to, l.route,
                o.wave_id IS NOT NULL AS in_wave, l.record_id, l.client, l.user_data, l.campaign_id
         FROM operations o JOIN links l ON l.id = o.link_id WHERE o.id = ?1",
    )?;
    let mut rows = statement.query([id.0])?;
    let row = rows.next()?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    // Taken for empty, what is in doubt would count as done.
    let values = match row.get::<_, Option<String>>("body")? {
        Some(_) => get_json(row, "body")?,
        None => Values::default(),
    };
    let user_data: Option<String> = row.get("user_data")?;
    view.contact = view.contact.or(row.get::<_, Option<i64>>("sent_to")?.map(ContactId));
    Ok(Leased {
        id,
        link: LinkId(link),
        kind: get_named(row, "kind", OperationKind::parse)?,
        reason: get_reason(row, "code", "params")?,
        route: row.get::<_, Option<String>>("route")?.map(RouteName),
        record: row.get::<_, Option<String>>("record_id")?.map(RecordId),
        client: row.get("client")?,
        user_data: user_data.and_then(|text| UserData::parse(&text).ok()),
        campaign: row.get::<_, Option<i64>>("campaign_id")?.map(CampaignId),
        values,
        view,
        attempts: row.get("attempts")?,
        decided_at: get_time(row, "decided_at")?,
        leased_at: now,
        in_wave: row.get("in_wave")?,
        by_hand: row.get::<_, String>("cause")?.starts_with("person:"),
        given,
        clearing: Clearing::Never,
        halts: HaltMark::default(),
    })
}

#[cfg(test)]
mod tests {
    use crate::domain::OperationId;
    use crate::ledger::testing::scene;

    #[tokio::test(start_paused = true)]
    async fn a_body_that_cannot_be_read_is_an_error_and_no_empty_one() {
        let scene = scene().await;
        let link = scene.link("1", Some(11), &[]).await;
        let id = OperationId(scene.operation(link, "update", "uncertain").await);
        let now = scene.ledger.env.now();
        for (body, readable) in [("'{\"Name\":\"Ada\"}'", true), ("NULL", true), ("'{\"NoField\":1}'", false)]
        {
            let read = scene.ledger.write("test_body", move |tx| {
                tx.execute(&format!("UPDATE operations SET body = {body} WHERE id = ?1"), [id.0])?;
                super::read(tx, id, now)
            });
            assert_eq!(read.await.is_ok(), readable, "{body}");
        }
    }
}
