//! What makes anybody callable waits for the campaigns' numbers. Locks need none: a dialler that does not tell its
//! campaigns, or hangs when it is asked for them, holds none up, because this stands beside their lane.

use super::{PushContext, PushRoute, Work};
use crate::domain::RouteName;
use crate::jobs::{JobError, campaigns};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Work<'_> {
    /// Everything but locks, with the campaigns as they are pinned now. One that cannot be told holds its own routes
    /// only; that it could not be told must not stand as a good run.
    pub(super) async fn pinned_rest(&self) -> Result<(), JobError> {
        let PushContext { ledger, read, wanted, .. } = self.context;
        let looked = campaigns::pin_where_needed(ledger, &**read, wanted).await;
        let context = PushContext { routes: Arc::new(self.routes_now().await?), ..self.context.clone() };
        let work = Work { context: &context, run: self.run, tally: self.tally };
        work.rest().await.and(looked)
    }

    async fn routes_now(&self) -> Result<BTreeMap<RouteName, PushRoute>, JobError> {
        let mut routes = BTreeMap::clone(&self.context.routes);
        for row in self.context.ledger.routes_list().await? {
            if let Some(route) = routes.get_mut(&row.route) {
                route.campaign = row.campaign;
            }
        }
        Ok(routes)
    }
}
