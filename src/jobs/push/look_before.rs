//! Where the route asks for it, a contact is read right before its fields are changed: what an agent changed since the last
//! sweep is merged before it would be written over. A text of which the CRM has a part only is never changed unread.

use super::fate::Fate;
use super::work::HOLD;
use super::{Work, plan, quiet};
use crate::domain::policy::ReadBefore;
use crate::domain::{Appended, Contact, Edit, OperationKind, Pair, ReasonCode, SeenOn};
use crate::jobs::JobError;
use crate::jobs::harvest::edits_of;
use crate::ledger::{EditWord, Ending, Leased, Plan, TwoWayLink};
use crate::remote::CallClass;
use serde_json::Value;

impl Work<'_> {
    /// Narrows the update to the merged difference, or ends it where nothing is left; where the contact cannot be read
    /// the update is put back. What was seen reaches the CRM with the next sweep: that is younger than this update.
    pub(super) async fn look_before(
        &self,
        leased: &mut Leased,
    ) -> Result<Option<(Fate, Option<JobError>)>, JobError> {
        let route = leased.route.as_ref().and_then(|name| Some((name, self.context.routes.get(name)?)));
        let (Some((name, route)), Some(contact)) = (route, leased.view.contact) else { return Ok(None) };
        let concerned = leased.values.keys().any(|field| match route.read_before {
            ReadBefore::Never => route.append.contains(field),
            ReadBefore::Update => route.append.contains(field) || route.two_way.contains_key(field),
        });
        if !concerned || leased.kind != OperationKind::Update || leased.given.is_some() {
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
        let around = around_parts(leased, &seen, &route.append);
        if news.is_empty() && around == Around::AsAgreed {
            return Ok(None);
        }
        for edit in news {
            match edit.what {
                EditWord::Edited(dialler, rule) => {
                    let on = SeenOn::Contact;
                    leased.view.edits.insert(edit.field, Edit { dialler, rule, word: None, on });
                }
                EditWord::Undone => {
                    leased.view.edits.remove(&edit.field);
                }
            }
        }
        match plan::plan(leased.kind, None, &leased.view, leased.clearing) {
            Plan::Send(values) => {
                leased.values.retain(|field, _| values.contains_key(field));
                let parts = values.into_iter().filter(|(field, _)| route.append.contains(field));
                leased.values.extend(parts);
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

/// What stands around the CRM's parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Around {
    /// What stood there when the sides last agreed.
    AsAgreed,
    /// Agents wrote since.
    Written,
}

/// Takes what is there now for what the new part goes into.
fn around_parts(leased: &mut Leased, seen: &Contact, append: &Appended) -> Around {
    let mut around = Around::AsAgreed;
    for field in append.iter().filter(|field| leased.values.contains_key(field)) {
        let held = seen.get(field.as_str());
        let none = Pair { crm: Value::Null, dialler: Value::Null };
        let pair = leased.view.base.entry(*field).or_insert(none);
        if pair.dialler != *held {
            pair.dialler = held.clone();
            around = Around::Written;
        }
    }
    around
}
