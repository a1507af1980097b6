//! Where the route asks for it, a contact is read right before its fields are changed: what an agent changed since the last
//! sweep is merged before it would be written over.

use super::fate::Fate;
use super::work::HOLD;
use super::{Work, plan, quiet};
use crate::domain::policy::ReadBefore;
use crate::domain::{Edit, OperationKind, ReasonCode};
use crate::jobs::JobError;
use crate::jobs::harvest::edits_of;
use crate::ledger::{EditWord, Ending, Leased, Plan, TwoWayLink};
use crate::remote::CallClass;

impl Work<'_> {
    /// Narrows the update to the merged difference, or ends it where nothing is left; where the contact cannot be read
    /// the update is put back. What was seen reaches the CRM with the next sweep: that is younger than this update.
    pub(super) async fn look_before(
        &self,
        leased: &mut Leased,
    ) -> Result<Option<(Fate, Option<JobError>)>, JobError> {
        let route = leased.route.as_ref().and_then(|name| Some((name, self.context.routes.get(name)?)));
        let (Some((name, route)), Some(contact)) = (route, leased.view.contact) else { return Ok(None) };
        let asks = match route.read_before {
            ReadBefore::Never => false,
            ReadBefore::Update => leased.kind == OperationKind::Update && leased.given.is_none(),
        };
        if !asks || !leased.values.keys().any(|field| route.two_way.contains_key(field)) {
            return Ok(None);
        }
        self.count(|counts| counts.requests += 1);
        let ledger = &self.context.ledger;
        let seen = match self.context.read.contact(contact, CallClass::Push).await {
            Ok(Some(seen)) => seen,
            // Gone: the write says so itself.
            Ok(None) => return Ok(None),
            Err(error) => {
                let not_before = Some(self.context.env.now() + quiet(HOLD));
                ledger.operation_end(leased.id, Ending::Again { not_before }).await?;
                return Ok(Some((Fate::PutBack, error.speaks_of_the_side().then(|| error.into()))));
            }
        };
        let link = TwoWayLink {
            link: leased.link,
            route: name.clone(),
            base: leased.view.base.clone(),
            edits: leased.view.edits.clone(),
        };
        let news = edits_of(&seen, &link, &route.two_way);
        if news.is_empty() {
            return Ok(None);
        }
        for edit in news {
            match edit.what {
                EditWord::Edited(dialler, rule) => {
                    leased.view.edits.insert(edit.field, Edit { dialler, rule, word: None });
                }
                EditWord::Undone => {
                    leased.view.edits.remove(&edit.field);
                }
            }
        }
        match plan::plan(leased.kind, None, &leased.view, leased.clearing) {
            Plan::Send(values) => {
                leased.values.retain(|field, _| values.contains_key(field));
            }
            Plan::NothingLeft | Plan::Instead(_) | Plan::Unwished => leased.values.clear(),
        }
        if leased.values.is_empty() {
            ledger.operation_end(leased.id, Ending::Refused(ReasonCode::NothingLeft.into())).await?;
            return Ok(Some((Fate::Refused, None)));
        }
        ledger.update_narrow(leased.id, leased.values.clone()).await?;
        Ok(None)
    }
}
