//! What a person says of a field that both sides changed.

use super::{Answer, Control, End};
use crate::domain::Take;
use crate::ledger::{LedgerError, Said};

impl Control {
    pub(super) async fn conflict(
        &self,
        conflict: i64,
        take: Take,
        said: Said,
        answer: &Answer,
    ) -> Result<End, LedgerError> {
        let Some(route) = self.ledger.conflict_resolve(conflict, take, said).await? else {
            answer.error(format!(
                "no conflict {conflict} waits for a person; `dialbridge conflicts list` shows which do"
            ));
            return Ok(End::Failed);
        };
        answer.text(match take {
            Take::Crm => "the CRM's value stands: the dialler gets it with the next push",
            Take::Dialler => "the dialler's value stands: the CRM is told of it with the next write-back",
        });
        if let Some(runner) = self.runners.write_backs.get(&route)
            && !self.alone
        {
            runner.activate("hand");
        }
        Ok(End::Done)
    }
}
