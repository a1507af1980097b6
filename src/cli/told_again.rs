//! `results retry`, `results remap` and `backfill`: how much would be told on purpose, and the word that it shall be.

use super::args::{BackfillArgs, ResultsArgs, RetryArgs};
use super::output::Output;
use super::results::{date, id_of, say, span};
use super::zone::Zone;
use crate::app::known::Usage;
use crate::app::{self};
use crate::control::{End, ResultsWord, backfilled, remapped, retry_planned};
use crate::domain::{RouteName, Timestamp, WriteBackId};
use crate::ledger::Again;
use chrono::NaiveDate;
use std::path::Path;

/// `results retry`.
pub async fn retry(config: &Path, args: RetryArgs) -> anyhow::Result<End> {
    let settings = app::load(config)?;
    let zone = Zone::of(&settings);
    let route = id_of(&settings, &args.route)?;
    let days = args.day.map(|day| date(day, zone)).map(|day| (day, day)).or(args.from.zip(args.to));
    let again = match (days, args.id) {
        (Some((from, to)), _) => {
            let (from, until) = days_of(zone, from, to)?;
            Again::Calls { from, until }
        }
        (None, Some(id)) => Again::Row(WriteBackId(id)),
        (None, None) => Again::All,
    };
    if !args.plan {
        return say(config, |_| Ok(ResultsWord::Retry { route, again }), args.reason).await;
    }
    let plan = app::open_reading(&settings).await?.results_retry_plan(route.clone(), again).await?;
    Output::new(args.json).value(&plan, || retry_planned(&route, &plan));
    Ok(End::Done)
}

/// `results --retry-missing`: the same of a day, route by route.
pub async fn retry_missing(config: &Path, args: ResultsArgs) -> anyhow::Result<End> {
    let settings = app::load(config)?;
    let zone = Zone::of(&settings);
    let day = date(args.day, zone);
    let (from, until) = days_of(zone, day, day)?;
    let only = args.route.as_deref().map(|route| id_of(&settings, route)).transpose()?;
    let tells =
        settings.routes.values().filter(|route| route.write_back.is_some()).map(|route| route.id.clone());
    let routes: Vec<RouteName> = only.map_or_else(|| tells.collect(), |route| vec![route]);
    if routes.is_empty() {
        return Err(
            Usage("no route tells the CRM of its calls (`write_back` in [route.NAME])".to_owned()).into()
        );
    }
    // A route with nothing to tell again says so; that is no failure of the others.
    let mut end = End::Failed;
    for route in routes {
        let again = Again::Calls { from, until };
        let said = say(config, |_| Ok(ResultsWord::Retry { route, again }), args.reason.clone()).await?;
        end = if end == End::Done { end } else { said };
    }
    Ok(end)
}

/// From the beginning of one day to the end of another.
fn days_of(zone: Zone, from: NaiveDate, to: NaiveDate) -> anyhow::Result<(Timestamp, Timestamp)> {
    if to < from {
        return Err(Usage(format!("--to {to} lies before --from {from}")).into());
    }
    Ok((span(zone, from)?.0, span(zone, to)?.1))
}

/// `results remap`.
pub async fn remap(
    config: &Path,
    code: String,
    route: Option<String>,
    plan: Option<Output>,
    reason: String,
) -> anyhow::Result<End> {
    let settings = app::load(config)?;
    let route = route.map(|route| id_of(&settings, &route)).transpose()?;
    let Some(output) = plan else {
        return say(config, |_| Ok(ResultsWord::Remap { code, route }), reason).await;
    };
    let again = app::open_reading(&settings).await?.results_remap_plan(code.clone(), route).await?;
    output.value(&again, || match again.is_empty() {
        true => format!("No call with the result {code} was told, or is held for the want of a word."),
        false => again.iter().map(|(route, of)| remapped(route, of)).collect::<Vec<_>>().join("\n"),
    });
    Ok(End::Done)
}

/// `backfill`.
pub async fn backfill(config: &Path, args: BackfillArgs) -> anyhow::Result<End> {
    let settings = app::load(config)?;
    let zone = Zone::of(&settings);
    let route = id_of(&settings, &args.route)?;
    let (from, until) = days_of(zone, args.from, args.to)?;
    if !args.plan {
        let word = ResultsWord::Backfill { route, from, until };
        return say(config, |_| Ok(word), args.reason).await;
    }
    let of = app::open_reading(&settings).await?.results_backfill_plan(route.clone(), from, until).await?;
    Output::new(args.json).value(&of, || match &of {
        Some(of) => backfilled(&route, of),
        None => format!("The calls of route {route} do not go back into the CRM."),
    });
    Ok(End::Done)
}
