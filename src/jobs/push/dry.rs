//! First sight in a dry run: who has the keys of a route's waiting imports already, decided on a copy of the ledger.

use super::meet::Meeter;
use super::{PushLimits, Resting};
use crate::dialler::DiallerRead;
use crate::domain::policy::Job;
use crate::domain::{Policy, Reason};
use crate::env::Env;
use crate::jobs::campaigns::{WantedCampaign, pin_campaigns};
use crate::jobs::harvest::ToE164;
use crate::jobs::{JobError, stops};
use crate::ledger::{Ledger, MeetImports, RunStart};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// What a dry run meets by. It has no half that writes to the dialler.
pub struct DryMeet {
    /// A copy that is thrown away.
    pub copy: Ledger,
    /// Clock and shutdown.
    pub env: Env,
    /// Reading the dialler.
    pub read: Arc<dyn DiallerRead>,
    /// How its numbers are read.
    pub to_e164: Arc<ToE164>,
    /// The route and its campaign.
    pub wanted: WantedCampaign,
    /// What it does with what is found.
    pub policy: Policy,
}

impl std::fmt::Debug for DryMeet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DryMeet").field("wanted", &self.wanted).finish_non_exhaustive()
    }
}

impl DryMeet {
    /// Does to the copy what a start would do about the route's campaign; before the pull, which then decides about moves.
    ///
    /// # Errors
    /// The dialler or the copy cannot be used.
    pub async fn pin(&self) -> Result<(), JobError> {
        pin_campaigns(&self.copy, &*self.read, std::slice::from_ref(&self.wanted)).await
    }
}

/// Meets as the first push would, for everything that waits on the route, whatever its state. The answer is why nobody was
/// asked for: the campaign cannot be told, and without it whoever is found cannot be told from one elsewhere.
///
/// # Errors
/// The dialler or the copy cannot be used.
pub async fn meet_dry(dry: &DryMeet) -> Result<Option<Reason>, JobError> {
    let DryMeet { copy, env, wanted, .. } = dry;
    let route = &wanted.route;
    let stopped = copy.route_show(route.clone()).await?.and_then(|row| row.stopped);
    if let Some(reason) = stopped.filter(|stop| stops::Kind::of(stop) == stops::Kind::Campaign) {
        return Ok(Some(reason));
    }
    let PushLimits { index_age, index_from, .. } = PushLimits::default();
    let start = RunStart { job: Job::Push, route: Some(route.clone()), campaign: None, cause: "hand" };
    let meeter = Meeter {
        ledger: copy,
        env,
        read: &*dry.read,
        to_e164: &*dry.to_e164,
        policies: BTreeMap::from([(route.clone(), dry.policy.clone())]),
        imports: MeetImports::All,
        only: Some(route.clone()),
        drips: Vec::new(),
        index_age,
        index_from,
        resting: &Resting::default(),
        run: copy.run_start(start).await?,
        tally: &Mutex::default(),
    };
    meeter.meet().await?;
    Ok(None)
}
