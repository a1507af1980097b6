//! An update by hand reads what its fields hold before it writes over them: no base need know them, and both the trail
//! and whoever settles it in doubt must.

use super::fate::Fate;
use super::work::HOLD;
use super::{Work, quiet};
use crate::domain::{Pair, Values};
use crate::jobs::JobError;
use crate::ledger::{Ending, Leased};
use crate::remote::CallClass;

impl Work<'_> {
    /// Notes it, for an update by hand; where it cannot be read the update is put back, and it may be that the pass
    /// must stop for it.
    pub(super) async fn note_before(
        &self,
        leased: &mut Leased,
    ) -> Result<Option<(Fate, Option<JobError>)>, JobError> {
        let ledger = &self.context.ledger;
        let (Some(given), Some(contact)) = (&mut leased.given, leased.view.contact) else { return Ok(None) };
        self.count(|counts| counts.requests += 1);
        let before: Values = match self.context.read.contact(contact, CallClass::Push).await {
            Ok(Some(seen)) => {
                given.values.keys().map(|field| (*field, seen.get(field.as_str()).clone())).collect()
            }
            // Gone: the write says so itself.
            Ok(None) => Values::new(),
            Err(error) => {
                let not_before = Some(self.context.env.now() + quiet(HOLD));
                ledger.operation_end(leased.id, Ending::Again { not_before }).await?;
                return Ok(Some((Fate::PutBack, error.speaks_of_the_side().then(|| error.into()))));
            }
        };
        for (field, value) in &before {
            leased.view.base.insert(*field, Pair { crm: value.clone(), dialler: value.clone() });
        }
        ledger.update_note_before(leased.id, before.clone()).await?;
        given.before = Some(before);
        Ok(None)
    }
}
