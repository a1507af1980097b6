//! `reconcile`: do both sides and the ledger agree?

use super::args::ReconcileArgs;
use super::output::Output;
use super::send;
use crate::app::reconcile::Depth;
use crate::app::{self, known};
use crate::control::{Command, End, LostActivities};
use std::path::Path;

/// Looks, and with --repair has mended what can be.
pub async fn run(config: &Path, args: ReconcileArgs) -> anyhow::Result<End> {
    let output = Output::new(args.json.json);
    let settings = app::load(config)?;
    let route = match &args.route {
        Some(given) => Some(known::route(&settings, given)?.id.clone()),
        None => None,
    };
    if args.repair {
        let activities =
            if args.every_activity { LostActivities::PutBack } else { LostActivities::AsTheyAre };
        return send::send(config, Command::Reconcile { route, activities }, output).await;
    }
    let depth = if args.every_activity { Depth::Every } else { Depth::Usual };
    let found = app::reconcile::run(&settings, route.as_ref(), depth).await?;
    output.value(&found, || found.iter().map(app::reconcile::Reconciled::in_words).collect());
    Ok(if found.iter().all(app::reconcile::Reconciled::is_clean) { End::Done } else { End::ParkedNew })
}
