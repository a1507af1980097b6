//! `reconcile --repair`: what does not agree is marked as due, and the ordinary runs mend it.

use super::{Answer, Control, End};
use crate::domain::RouteName;
use crate::jobs::reconcile::{Depth, Looker, look};
use crate::ledger::{LedgerError, Mend};
use serde::{Deserialize, Serialize};

/// What becomes of activities that the CRM no longer has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LostActivities {
    /// Some are looked for, and named.
    #[default]
    AsTheyAre,
    /// Every one is looked for, and told again where it is gone.
    PutBack,
}

impl Control {
    /// Looks, marks what was found as due, and runs what serves it.
    pub(super) async fn reconcile(
        &self,
        route: Option<RouteName>,
        activities: LostActivities,
        answer: &Answer,
    ) -> Result<End, LedgerError> {
        if let Some(route) = &route
            && !self.lookers.contains_key(route)
        {
            answer.error(self.unknown_route(route));
            return Ok(End::Usage);
        }
        self.tell_differences(answer).await?;
        let mut end = End::Done;
        let mut marked = false;
        for (name, looker) in &self.lookers {
            if route.as_ref().is_none_or(|route| route == name) {
                let (ended, found) = self.mend(looker, activities, answer).await?;
                end = end.and(ended);
                marked |= found;
            }
        }
        if marked {
            answer.text("marked as due; what follows is the ordinary work:");
            end = end.and(self.sync(None, route, false, answer).await?);
        }
        Ok(end)
    }

    async fn mend(
        &self,
        looker: &Looker,
        activities: LostActivities,
        answer: &Answer,
    ) -> Result<(End, bool), LedgerError> {
        let book = self.ledger.reconcile_book().await?;
        let depth = match activities {
            LostActivities::AsTheyAre => Depth::Usual,
            LostActivities::PutBack => Depth::Every,
        };
        let found = match look(looker, &book, depth).await {
            Ok(found) => found,
            Err(error) => {
                answer.error(format!("{}: {error}", looker.route.route));
                return Ok((End::Failed, false));
            }
        };
        answer.text(found.in_words());
        answer.data(serde_json::to_value(&found).unwrap_or_default());
        let route = looker.route.route.clone();
        self.ledger.reconcile_keep(route.clone(), found.total(), found.numbers()).await?;
        if found.is_clean() {
            return Ok((End::Done, false));
        }
        let mend = match activities {
            LostActivities::PutBack => found.mend(),
            // Somebody may have removed them on purpose.
            LostActivities::AsTheyAre => Mend { activities: Vec::new(), ..found.mend() },
        };
        self.ledger.drift_mend(route, mend).await?;
        Ok((End::ParkedNew, true))
    }
}
