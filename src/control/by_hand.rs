//! Acts on one contact or one record, each shown to its end.

use super::{Answer, ContactAct, Control, End};
use crate::domain::{Block, BlockSubject, ContactId, OperationKind, RecordId, RouteName};
use crate::ledger::{Glimpse, HandAct, LedgerError, Said};
use crate::runtime::Ask;

impl Control {
    pub(super) async fn contact(
        &self,
        contact: ContactId,
        act: ContactAct,
        said: Said,
        answer: &Answer,
    ) -> Result<End, LedgerError> {
        let kind = match act {
            ContactAct::Lock => OperationKind::Lock,
            ContactAct::Unlock => OperationKind::Unlock,
            ContactAct::Reset => OperationKind::Reset,
            ContactAct::Delete => OperationKind::Delete,
        };
        let looked = match act {
            // Wished also while the dialler cannot be read.
            ContactAct::Lock => Ok(Glimpse::none(contact)),
            ContactAct::Unlock | ContactAct::Reset | ContactAct::Delete => self.glimpser.look(contact).await,
        };
        let seen = match looked {
            Ok(seen) => seen,
            Err(error) => {
                answer.error(error);
                return Ok(End::Failed);
            }
        };
        let operation = match self.ledger.contact_act(seen, kind, said).await? {
            HandAct::Queued(operation) => operation,
            HandAct::Shut(block) => return Ok(refused(contact, &block, answer)),
        };
        if act == ContactAct::Delete {
            answer.text(
                "locked now; deleted once its calls have looked alike for a quarter of an hour and a harvest has read them. \
                 `dialbridge contacts unlock` takes it back until then",
            );
        }
        self.send_and_show(operation, answer).await
    }

    pub(super) async fn send_record(
        &self,
        route: RouteName,
        record: RecordId,
        said: Said,
        answer: &Answer,
    ) -> Result<End, LedgerError> {
        let Some(pull) = self.runners.pulls.get(&route) else {
            answer.error(self.unknown_route(&route));
            return Ok(End::Usage);
        };
        self.ledger.hints_add(route.clone(), vec![record.clone()], "hand").await?;
        let mut end = self.run(pull, Ask::by_hand(), answer).await?;
        let operations = self.ledger.record_send_by_hand(route, record, said).await?;
        if operations.is_empty() {
            answer.text("nothing is to be sent for this record");
            return Ok(end);
        }
        if let Some(runner) = &self.runners.push {
            end = end.and(self.run(runner, Ask::by_hand(), answer).await?);
        }
        for operation in operations {
            end = end.and(self.show_operation(operation, answer).await?);
        }
        Ok(end)
    }
}

pub(super) fn refused(contact: ContactId, block: &Block, answer: &Answer) -> End {
    let remedy = match block.subject {
        BlockSubject::Contact(_) => "`dialbridge contacts unlock` lifts it",
        BlockSubject::Record(_) | BlockSubject::Number(_) => {
            "`dialbridge block list` shows it, `block remove` lifts it"
        }
    };
    answer.error(format!("refused: contact {contact} must not be called ({}); {remedy}", block.reason));
    End::Failed
}
