//! What makes anybody callable waits for the campaigns' numbers. Locks need none: a dialler that does not tell its
//! campaigns, or hangs when it is asked for them, holds none up, because this stands beside their lane.

use super::{PushContext, Work};
use crate::jobs::{JobError, campaigns};

impl Work<'_> {
    /// Everything but locks, once the campaigns were looked at. One that cannot be told holds its own routes only; that it
    /// could not be told must not stand as a good run.
    pub(super) async fn pinned_rest(&self) -> Result<(), JobError> {
        let PushContext { ledger, read, wanted, .. } = self.context;
        let looked = campaigns::pin_where_needed(ledger, &**read, wanted).await;
        self.rest().await.and(looked)
    }
}
