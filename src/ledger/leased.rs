//! An operation on its way out, with everything needed to send it or to ask about it.

use super::by_hand_update::Given;
use super::halts::HaltMark;
use super::inputs::link_view;
use super::sql::Columns;
use crate::domain::policy::Clearing;
use crate::domain::{
    CampaignId, ContactId, LinkId, LinkView, OperationId, OperationKind, Reason, RecordId, RouteName,
    Timestamp, UserData, Values,
};
use rusqlite::types::ValueRef;
use rusqlite::{OptionalExtension as _, Transaction};

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
    /// The campaign that its route has at this moment, into which an import goes; without one, that of its link. Read with
    /// the lease: what a run read at its beginning may be another one's by now.
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
    /// The way of emptying fields that this operation tries, where it is not the one that is known.
    pub own_clearing: Option<Clearing>,
    /// The way of emptying fields by which `values` were computed.
    pub clearing: Clearing,
    /// Of an import: the greatest number of a contact that was known when it was leased. The dialler numbers them upwards, so whoever has a
    /// smaller one was there before, though nobody has called it yet.
    pub newest: Option<ContactId>,
    /// It may leave only while no halt came since.
    pub halts: HaltMark,
}

/// What is in doubt, to be asked about: where its link has no contact any more, where it was sent to.
pub(super) fn read_in_doubt(
    tx: &Transaction<'_>,
    id: OperationId,
    leased_at: Timestamp,
) -> rusqlite::Result<Leased> {
    let mut leased = read(tx, id, leased_at)?;
    if leased.view.contact.is_none() {
        leased.view.contact = tx
            .prepare_cached(
                "SELECT contact_id FROM operations WHERE id = ?1 AND state IN ('sending', 'uncertain')",
            )?
            .query_row([id.0], |row| row.get(0))
            .optional()?
            .flatten()
            .map(ContactId);
    }
    Ok(leased)
}

/// An operation with everything needed to send it, to the contact that its link has now: what it once had may be
/// somebody else's.
pub(super) fn read(tx: &Transaction<'_>, id: OperationId, now: Timestamp) -> rusqlite::Result<Leased> {
    let mut statement = tx.prepare_cached(
        "SELECT o.link_id, o.clearing, o.body, l.user_data, o.kind, o.code, o.params, l.route, l.record_id, l.client,
                coalesce(r.campaign_id, l.campaign_id), o.attempts, o.decided_at, o.wave_id IS NOT NULL, o.cause, o.given,
                o.before
         FROM operations o JOIN links l ON l.id = o.link_id LEFT JOIN routes r ON r.route = l.route WHERE o.id = ?1",
    )?;
    let mut rows = statement.query([id.0])?;
    let row = rows.next()?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    let mut columns = Columns::of(row);
    let link = LinkId(columns.next()?);
    let mut view = link_view(tx, link)?;
    let given = match row.get_ref("given")? {
        ValueRef::Null => None,
        _ => Some(Given::of(row)?),
    };
    if let Some(given) = &given {
        given.stands_in(&mut view);
    }
    let clearing: Option<String> = columns.next()?;
    // Taken for empty, what is in doubt would count as done.
    let values = columns.json_opt()?.unwrap_or_default();
    let user_data: Option<String> = columns.next()?;
    Ok(Leased {
        id,
        link,
        kind: columns.named(OperationKind::parse)?,
        reason: columns.reason()?,
        route: columns.next::<Option<String>>()?.map(RouteName),
        record: columns.next::<Option<String>>()?.map(RecordId),
        client: columns.next()?,
        user_data: user_data.and_then(|text| UserData::parse(&text).ok()),
        campaign: columns.next::<Option<i64>>()?.map(CampaignId),
        values,
        view,
        attempts: columns.next()?,
        decided_at: columns.time()?,
        leased_at: now,
        in_wave: columns.next()?,
        by_hand: columns.next::<String>()?.starts_with("person:"),
        given,
        own_clearing: clearing.as_deref().and_then(Clearing::parse),
        clearing: Clearing::Never,
        newest: None,
        halts: HaltMark::default(),
    })
}

#[cfg(test)]
mod tests {
    use crate::domain::{ContactId, OperationId};
    use crate::ledger::testing::scene;

    #[tokio::test(start_paused = true)]
    async fn only_what_is_in_doubt_is_asked_about_where_it_was_sent() {
        // Leased once for contact 11, which another record has now.
        for (kind, state) in [("update", "waiting"), ("update", "uncertain"), ("lock", "uncertain")] {
            let scene = scene().await;
            let link = scene.link("1", None, &[]).await;
            let id = scene.operation(link, kind, state).await;
            let write = scene.ledger.write("test_sent_to", move |tx| {
                tx.execute("UPDATE operations SET contact_id = 11 WHERE id = ?1", [id])?;
                tx.execute("UPDATE links SET wish = 'locked' WHERE id = ?1 AND ?2 = 'lock'", (link.0, kind))
            });
            write.await.expect("written");
            scene.wait(1).await;
            let asked = scene.ledger.settle_due(9).await.expect("settled");
            let going = scene.lease().await.going;
            let mut sent: Vec<_> = going.into_iter().map(|one| one.leased).collect();
            sent.extend(scene.ledger.locks_lease(9, 9).await.expect("leased"));
            let asked: Vec<_> = asked.iter().map(|one| one.view.contact).collect();
            let sent: Vec<_> = sent.iter().map(|one| one.view.contact).collect();
            let expected = match (kind, state) {
                ("update", "uncertain") => (vec![Some(ContactId(11))], vec![]),
                _ => (vec![], vec![None]),
            };
            assert_eq!((asked, sent), expected, "{kind} {state}");
        }
    }

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
