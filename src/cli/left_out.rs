//! `ledger parked` and `ledger skipped`: counted by reason first, listed second.

use super::args::ListArgs;
use super::output::Output;
use super::table::table;
use super::zone::Zone;
use crate::domain::{ReasonCode, RouteName};
use crate::ledger::{Ledger, LeftOut, Listing, NamedCall, ParkedCount, ParkedItem};

/// A reason that more share is one line: who has it is listed on demand.
const FEW: i64 = 10;

/// Shows who is left out.
pub async fn show(
    ledger: &Ledger,
    zone: Zone,
    who: LeftOut,
    route: Option<RouteName>,
    reason: Option<String>,
    list: &ListArgs,
) -> anyhow::Result<()> {
    let output = Output::new(list.json.json);
    let which = match (reason, output.is_json()) {
        (Some(code), _) => Listing::Reason(code),
        (None, true) => Listing::All,
        (None, false) => Listing::Rare(FEW),
    };
    let counts = ledger.left_out_counts(who, route.clone()).await?;
    let items = ledger.left_out_list(who, route, which.clone(), list.limit).await?;
    output.value(&items, || text(who, &which, &counts, &items, list.limit, zone));
    Ok(())
}

fn text(
    who: LeftOut,
    which: &Listing,
    counts: &[ParkedCount],
    items: &[ParkedItem],
    limit: u32,
    zone: Zone,
) -> String {
    let (verb, nobody) = match who {
        LeftOut::Parked => ("parked", "Nothing needs a person."),
        LeftOut::Skipped => ("skipped", "No record is skipped or blocked."),
    };
    if counts.is_empty() {
        return nobody.to_owned();
    }
    let mut text = String::new();
    if let Listing::Rare(_) = which {
        text = counted(verb, counts, zone);
    }
    if !items.is_empty() {
        text.push_str(&format!("\n{}", listed(items, zone)));
    }
    if items.len() >= limit as usize {
        text.push_str(&format!("Only {limit} are listed; --limit N lists more.\n"));
    }
    if who == LeftOut::Parked {
        text.push_str(
            "\nA parked record is tried again by itself when it changes. On demand: `dialbridge ledger retry`;\nput aside \
             until its next change: `dialbridge ledger discard`.\n",
        );
    }
    text.trim_start_matches('\n').to_owned()
}

/// One line for each reason, with what lists it where it is not listed below.
fn counted(verb: &str, counts: &[ParkedCount], zone: Zone) -> String {
    let rows: Vec<Vec<String>> = counts
        .iter()
        .map(|count| {
            let more = if count.count > FEW {
                format!(" (list: dialbridge ledger {verb} --reason {})", count.code)
            } else {
                String::new()
            };
            let route = count.route.clone().unwrap_or_default();
            let what = format!("{}{more}", sentence(&count.code));
            vec![count.count.to_string(), count.kind.clone(), route, zone.at(count.since), what]
        })
        .collect();
    table(&["count", "what", "route", "oldest", "why"], &rows)
}

fn listed(items: &[ParkedItem], zone: Zone) -> String {
    let rows: Vec<Vec<String>> = items
        .iter()
        .map(|item| {
            let what = item.operation.map_or_else(|| item.kind.clone(), |id| format!("operation {id}"));
            vec![
                what,
                item.route.clone().unwrap_or_default(),
                item.record.clone().unwrap_or_default(),
                zone.at(item.since),
                format!(
                    "{}{}",
                    item.text,
                    item.call.as_ref().map_or_else(String::new, |call| of_call(call, zone))
                ),
            ]
        })
        .collect();
    table(&["what", "route", "record", "since", "why"], &rows)
}

/// What the call was on which a reason rests.
fn of_call(call: &NamedCall, zone: Zone) -> String {
    let result = call.result.as_deref().unwrap_or("no result");
    let agent = call.agent.map_or_else(String::new, |agent| format!(", agent {agent}"));
    format!(" (call {} of {}: {result}{agent})", call.call, zone.at(call.at))
}

/// A code in plain words, where its parameters differ from item to item.
pub(super) fn sentence(code: &str) -> String {
    let words = ReasonCode::parse(code).map_or_else(|| code.to_owned(), ReasonCode::in_general);
    format!("{words} [{code}]")
}

#[cfg(test)]
mod tests {
    use super::sentence;

    #[test]
    fn what_differs_from_one_to_the_next_is_left_open_and_not_named_by_its_parameter() {
        assert_eq!(sentence("blocked"), "must not be called: … is blocked (…) [blocked]");
        assert_eq!(sentence("from_a_newer_program"), "from_a_newer_program [from_a_newer_program]");
    }
}
