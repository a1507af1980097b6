//! `status` and `route list`: how things stand, from the ledger and, if it runs, from the daemon.

use super::output::{Output, print_line};
use super::send;
use super::table::table;
use crate::app;
use crate::control::{Command, End};
use crate::ledger::{Ledger, RouteRow, Unlinked};
use std::path::Path;

/// Routes, runs, what is parked, what waits.
pub async fn status(config: &Path, output: Output) -> anyhow::Result<End> {
    let settings = app::load(config)?;
    let ledger = app::open_reading(&settings).await?;
    let routes_found = ledger.routes_list().await?;
    show_routes(&routes_found, output);
    beside(&ledger, &routes_found, output).await?;
    let parked = ledger.parked_counts().await?;
    output.values(&parked, || {
        if parked.is_empty() {
            return "\nNothing needs a person.".to_owned();
        }
        let rows: Vec<Vec<String>> = parked
            .iter()
            .map(|p| {
                vec![p.count.to_string(), p.kind.clone(), p.route.clone().unwrap_or_default(), p.code.clone()]
            })
            .collect();
        format!("\nParked:\n{}", table(&["count", "what", "route", "reason"], &rows))
    });
    let waiting = ledger.operations_open_counts().await?;
    output.values(&waiting, || {
        if waiting.is_empty() {
            return "Nothing waits to be sent.".to_owned();
        }
        let rows: Vec<Vec<String>> =
            waiting.iter().map(|w| vec![w.count.to_string(), w.kind.clone(), w.state.clone()]).collect();
        format!("To be sent:\n{}", table(&["count", "kind", "state"], &rows))
    });
    if !output.is_json() {
        print_line("");
    }
    send::send(config, Command::Status, output).await
}

/// Contacts of the routes' campaigns without a link, where there are any.
async fn beside(ledger: &Ledger, routes: &[RouteRow], output: Output) -> anyhow::Result<()> {
    for row in routes {
        let Some(unlinked) = ledger.route_unlinked(row.route.clone()).await? else { continue };
        let Unlinked { ours, another, none } = unlinked;
        if ours + another + none == 0 {
            continue;
        }
        output.value(&serde_json::json!({ "route": row.route, "without_a_record": unlinked }), || {
            format!(
                "Beside route {}: {} contacts in its campaign without a record of ours; {ours} carry our UserData, {another} \
                 another, {none} none.",
                row.route,
                ours + another + none
            )
        });
    }
    Ok(())
}

/// The routes alone.
pub async fn routes(config: &Path, output: Output) -> anyhow::Result<End> {
    let settings = app::load(config)?;
    let ledger = app::open_reading(&settings).await?;
    show_routes(&ledger.routes_list().await?, output);
    Ok(End::Done)
}

fn show_routes(routes: &[RouteRow], output: Output) {
    output.values(routes, || {
        let rows: Vec<Vec<String>> = routes
            .iter()
            .map(|row| {
                vec![
                    row.route.to_string(),
                    row.state.to_string(),
                    row.campaign_name.clone().unwrap_or_else(|| "not resolved yet".to_owned()),
                    row.cursor.map_or("never pulled".to_owned(), |at| {
                        at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
                    }),
                    row.stopped.as_ref().map(ToString::to_string).unwrap_or_default(),
                ]
            })
            .collect();
        table(&["route", "state", "campaign", "read up to", "stopped"], &rows)
    });
}
