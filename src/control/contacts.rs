//! Fields of single contacts by hand, and how an operation by hand is shown.

use super::by_hand::refused;
use super::{Answer, Control, End};
use crate::domain::{ContactId, FieldName, OperationId};
use crate::ledger::{Glimpse, HandFields, HandUpdate, LedgerError, Mapped, Said};
use crate::runtime::Ask;
use serde_json::Value;
use std::collections::BTreeMap;

impl Control {
    pub(super) async fn contact_update(
        &self,
        contact: ContactId,
        values: BTreeMap<String, Value>,
        said: Said,
        numbers: Vec<String>,
        answer: &Answer,
    ) -> Result<End, LedgerError> {
        let mut known = BTreeMap::new();
        for (name, value) in values {
            let Some(field) = FieldName::parse(&name) else {
                answer.error(format!("the dialler has no field {name}"));
                return Ok(End::Usage);
            };
            known.insert(field, value);
        }
        let looked =
            if numbers.is_empty() { Ok(Glimpse::none(contact)) } else { self.glimpser.look(contact).await };
        let seen = match looked {
            Ok(seen) => seen,
            Err(error) => {
                answer.error(error);
                return Ok(End::Failed);
            }
        };
        let fields = HandFields { values: known, numbers };
        match self.ledger.contact_update_by_hand(seen, fields, said).await? {
            HandUpdate::Shut(block) => Ok(refused(contact, &block, answer)),
            HandUpdate::Queued(operation) => self.send_and_show(operation, answer).await,
            HandUpdate::Mapped(Mapped { route, record, fields }) => {
                let names: Vec<&str> = fields.iter().map(|field| field.as_str()).collect();
                answer.error(format!(
                    "refused: {} of contact {contact} come from record {record} of route {route}; change them in the CRM, \
                     which would write them again",
                    names.join(", ")
                ));
                Ok(End::Failed)
            }
        }
    }

    pub(super) async fn send_and_show(
        &self,
        operation: OperationId,
        answer: &Answer,
    ) -> Result<End, LedgerError> {
        if let Some(runner) = &self.runners.push {
            self.run(runner, Ask::by_hand(), answer).await?;
        }
        self.show_operation(operation, answer).await
    }

    /// What became of an operation. A pull at the same moment may have wished the same anew: that it was superseded would
    /// sound as if nothing had come of it.
    pub(super) async fn show_operation(&self, id: OperationId, answer: &Answer) -> Result<End, LedgerError> {
        let Some(row) = self.ledger.operation_followed(id).await? else {
            answer.error(format!("operation {id} is gone"));
            return Ok(End::Failed);
        };
        let id = row.id;
        let outcome = row.outcome.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        answer.text(format!("operation {id}, {}: {}{outcome}", row.kind, row.state));
        answer.data(serde_json::to_value(&row).unwrap_or_default());
        Ok(match row.state.as_str() {
            "done" | "waiting" | "sending" => End::Done,
            _ => End::Failed,
        })
    }
}
