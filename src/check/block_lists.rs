//! `[blocks.files]`: each list belongs to a client that there is, and can be read now.

use super::notes::Notes;
use super::reach;
use crate::config::RawConfig;
use crate::domain::{Problem, suggest};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// The lists, each with its client.
pub(super) fn files(raw: &RawConfig, notes: &mut Notes<'_>) -> Vec<(String, PathBuf)> {
    let known: BTreeSet<&str> = raw.route.values().map(|route| route.client.as_str()).collect();
    let mut found = Vec::new();
    for (client, setting) in raw.blocks.files.iter().flat_map(|files| &files.value) {
        let key = format!("blocks.files.{client}");
        if !known.contains(client.as_str()) {
            let clients: Vec<&str> = known.iter().copied().collect();
            let expected = format!("a client of the routes: {}", clients.join(", "));
            let problem = Problem::new(key.clone(), format!("the client {client:?}"), expected);
            let near = suggest(client, known.iter().copied()).map(|near| format!("Did you mean {near:?}?"));
            notes.problem(problem.at(setting.place.clone()).remedy(near.unwrap_or_else(|| {
                "Write the client of a route; \"default\" where no route names one".to_owned()
            })));
        }
        for path in reach::each_path(setting) {
            // Told, and no more: a list that is late must not keep the others from being heeded.
            if let Err(error) = std::fs::File::open(&path) {
                let given = format!("{}: {error}", path.display());
                let problem = Problem::new(key.clone(), given, "a file that can be read");
                notes.warning(
                    problem.at(setting.place.clone()).remedy(
                        "Nobody is blocked by it until it is there; it is looked for every ten seconds",
                    ),
                );
            }
            found.push((client.clone(), path));
        }
    }
    found
}
