//! What a person says of results that go back into the CRM.

use super::{Answer, Control, End, ResultsWord};
use crate::ledger::{LedgerError, Said};

impl Control {
    pub(super) async fn results(
        &self,
        word: ResultsWord,
        said: Said,
        answer: &Answer,
    ) -> Result<End, LedgerError> {
        let route = match &word {
            ResultsWord::Approve { route } | ResultsWord::Retry { route, .. } => Some(route.clone()),
            ResultsWord::Discard { .. } => None,
        };
        if let Some(route) = &route
            && !self.runners.pulls.contains_key(route)
        {
            answer.error(self.unknown_route(route));
            return Ok(End::Usage);
        }
        let text = match word {
            ResultsWord::Approve { route } => {
                let waiting = self.ledger.results_approve(route, said).await?;
                format!("{waiting} waiting calls and records may be told to the CRM")
            }
            ResultsWord::Retry { route, id } => match self.ledger.results_retry(route, id, said).await? {
                0 if id.is_some() => {
                    answer.error("nothing parked by that number; `dialbridge results open` lists what is");
                    return Ok(End::Failed);
                }
                0 => "nothing is parked; what waits is told with the next run".to_owned(),
                released => format!("{released} are told again with the next run"),
            },
            ResultsWord::Discard { id } => {
                if !self.ledger.results_discard(id, said).await? {
                    answer.error(
                        "nothing parked or held by that number; `dialbridge results open` lists what is",
                    );
                    return Ok(End::Failed);
                }
                "put aside; it is told when there is something newer".to_owned()
            }
        };
        answer.text(text);
        if let Some(runner) = route.as_ref().and_then(|route| self.runners.write_backs.get(route))
            && !self.alone
        {
            runner.activate("hand");
        }
        Ok(End::Done)
    }
}
