//! `results remap` and `backfill`: how much would be told on purpose, and the word that it shall be.

use super::args::BackfillArgs;
use super::output::print_line;
use super::results::{id_of, say, span};
use super::zone::Zone;
use crate::app::known::Usage;
use crate::app::{self};
use crate::control::{End, ResultsWord, backfilled, remapped};
use std::path::Path;

/// `results remap`.
pub async fn remap(
    config: &Path,
    code: String,
    route: Option<String>,
    plan: bool,
    reason: String,
) -> anyhow::Result<End> {
    let settings = app::load(config)?;
    let route = route.map(|route| id_of(&settings, &route)).transpose()?;
    if !plan {
        return say(config, |_| Ok(ResultsWord::Remap { code, route }), reason).await;
    }
    let again = app::open_reading(&settings).await?.results_remap_plan(code.clone(), route).await?;
    for (route, of) in &again {
        print_line(&remapped(route, of));
    }
    if again.is_empty() {
        print_line(&format!("No call with the result {code} was told, or is held for the want of a word."));
    }
    Ok(End::Done)
}

/// `backfill`.
pub async fn backfill(config: &Path, args: BackfillArgs) -> anyhow::Result<End> {
    let settings = app::load(config)?;
    let zone = Zone::of(&settings);
    let route = id_of(&settings, &args.route)?;
    if args.to < args.from {
        return Err(Usage(format!("--to {} lies before --from {}", args.to, args.from)).into());
    }
    let (from, until) = (span(zone, args.from)?.0, span(zone, args.to)?.1);
    if !args.plan {
        let word = ResultsWord::Backfill { route, from, until };
        return say(config, |_| Ok(word), args.reason).await;
    }
    let of = app::open_reading(&settings).await?.results_backfill_plan(route.clone(), from, until).await?;
    print_line(&match of {
        Some(of) => backfilled(&route, &of),
        None => format!("The calls of route {route} do not go back into the CRM."),
    });
    Ok(End::Done)
}
