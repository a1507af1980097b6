//! Fields of a contact that a person changes: an ordinary update in the contact's lane.

use super::decisions::{Cause, insert_operation, lane_of_contact, next_generation};
use super::inputs::link_view;
use super::sql::json;
use super::{Ledger, LedgerError};
use crate::domain::{
    ContactId, DesiredValue, FieldName, Intent, OperationId, OperationKind, Reason, ReasonCode, Values,
};

/// What became of the wish.
#[derive(Debug, Clone, PartialEq)]
pub enum HandUpdate {
    /// It waits to be sent.
    Queued(OperationId),
    /// These fields are the CRM's: it would write its own values again.
    Mapped {
        /// The route that maps them.
        route: String,
        /// The record they come from.
        record: String,
        /// Which.
        fields: Vec<FieldName>,
    },
}

impl Ledger {
    /// Queues a change of fields by hand; `numbers` are the numbers among them in E.164, for the gate.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn contact_update_by_hand(
        &self,
        client: String,
        contact: ContactId,
        values: Values,
        numbers: Vec<String>,
        who: String,
        text: String,
    ) -> Result<HandUpdate, LedgerError> {
        let now = self.env.now();
        self.write("contact_update_by_hand", move |tx| {
            let link = lane_of_contact(tx, now, &client, contact)?;
            let mut desired = link_view(tx, link)?.desired;
            let owner: (Option<String>, Option<String>) = tx
                .prepare_cached("SELECT route, record_id FROM links WHERE id = ?1")?
                .query_row([link.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
            if let (Some(route), Some(record)) = owner {
                let fields: Vec<FieldName> =
                    values.keys().filter(|field| desired.contains_key(*field)).copied().collect();
                if !fields.is_empty() {
                    return Ok(HandUpdate::Mapped { route, record, fields });
                }
            }
            desired.extend(values.into_iter().map(|(field, value)| (field, DesiredValue::same(value))));
            tx.execute("UPDATE links SET desired = ?2 WHERE id = ?1", (link.0, json(&desired)?))?;
            for number in &numbers {
                tx.prepare_cached("INSERT OR IGNORE INTO link_numbers (number, link_id) VALUES (?1, ?2)")?
                    .execute((number, link.0))?;
            }
            let cause = Cause { at: now, decided_at: now, text: format!("person:{who}"), run: None };
            let reason = Reason::new(ReasonCode::ByHand).with("text", &text);
            let intent = Intent { kind: OperationKind::Update, reason };
            let generation = next_generation(tx, link)?;
            let operation = insert_operation(tx, &cause, link, generation, &intent, None)?;
            Ok(HandUpdate::Queued(OperationId(operation)))
        })
        .await
    }
}
