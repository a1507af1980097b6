//! What write-backs and reconciles leave for a person to look at. Pure: the facts are arguments.

use super::concerns::{Concern, Weight};
use super::left_out::sentence;
use crate::app::RouteSettings;
use crate::domain::result_words::ResultWords;
use crate::domain::{CallResult, CampaignId, ReasonCode, RouteName};
use crate::ledger::{ReconcileLast, Sampled, UntoldCount};

/// Calls that the CRM cannot be told before somebody does something.
pub(super) fn untold(count: &UntoldCount) -> Concern {
    let UntoldCount { route, code, count: rows, since, results, .. } = count;
    let unmapped = code == ReasonCode::UnmappedResult.as_str();
    let (what, remedy) = if unmapped {
        (
            format!(
                "route {route}: {rows} calls and records wait, because nobody said what the CRM calls these results: {}",
                results.join(", ")
            ),
            format!(
                "`dialbridge results codes --route {route} --init` prints the table; after a reload they are told by \
                 themselves"
            ),
        )
    } else {
        (
            format!(
                "route {route}: {rows} calls and records could not be told to the CRM: {}",
                sentence(code)
            ),
            format!("`dialbridge results open --route {route}` lists them with what to do"),
        )
    };
    Concern { weight: Weight::Person, what, since: Some(*since), remedy }
}

/// What a route says of results.
pub(super) struct Words<'a> {
    pub route: &'a RouteName,
    /// Those that have a word of the CRM's, or by which somebody says no.
    pub known: &'a ResultWords,
}

impl<'a> Words<'a> {
    /// Those of a route of the config.
    pub(super) fn of(route: &'a RouteSettings) -> Self {
        Self { route: &route.id, known: &route.hold_rules.words }
    }
}

/// Results that calls of the route's campaign have and the route has no word for, though it has begun to map them: whether
/// or not what is told needs the word, one of them may be a no. What is held for it already is said there.
pub(super) fn unmapped(
    words: &Words<'_>,
    campaign: CampaignId,
    seen: &[CallResult],
    held: &[UntoldCount],
) -> Option<Concern> {
    if words.known.is_empty() {
        return None;
    }
    let said: Vec<&String> =
        held.iter().filter(|count| count.route == *words.route).flat_map(|count| &count.results).collect();
    let unmapped: Vec<String> = seen
        .iter()
        .filter(|result| !words.known.know(campaign, result))
        .map(|result| {
            let known = result.export_key.as_ref().or(result.name.as_ref());
            known.map_or_else(|| result.code.to_string(), String::clone)
        })
        .filter(|name| !said.contains(&name))
        .collect();
    let route = words.route;
    (!unmapped.is_empty()).then(|| Concern {
        weight: Weight::Person,
        what: format!(
            "route {route}: calls of its campaign have results that neither [route.{route}.results] nor opt_out_results \
             names: {}",
            unmapped.join(", ")
        ),
        since: None,
        remedy: format!("`dialbridge results codes --route {route} --init` prints the table"),
    })
}

/// What the last reconcile of a route left.
pub(super) fn drift(last: &ReconcileLast) -> Option<Concern> {
    let ReconcileLast { route, at, drift, unconfirmed } = last;
    let more = match unconfirmed {
        0 => String::new(),
        more => format!(" ({more} more looked so at first and were not looked at again)"),
    };
    (*drift + *unconfirmed > 0).then(|| Concern {
        weight: Weight::Person,
        what: format!("route {route}: {drift} things do not agree between CRM, dialler and ledger{more}"),
        since: Some(*at),
        remedy: format!(
            "`dialbridge reconcile --route {route}` names them, with what mends each; `--repair` marks them as due"
        ),
    })
}

/// What the hourly samples found.
pub(super) fn sampled(found: &Sampled) -> Option<Concern> {
    let Sampled { route, since, looked, drift } = found;
    (*drift > 0).then(|| Concern {
        weight: Weight::Person,
        what: format!(
            "route {route}: of {looked} records looked at by chance, {drift} things do not agree between CRM, dialler and ledger"
        ),
        since: Some(*since),
        remedy: format!("`dialbridge reconcile --route {route}` looks at all of them and says what mends each"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_that_nobody_named_is_said_once_though_nothing_is_held_for_it() {
        let (route, known) = (RouteName::from("leads"), ResultWords::new(["SALE", "Nie wieder anrufen"]));
        let result = |code, key: Option<&str>, name: Option<&str>| CallResult {
            code,
            name: name.map(str::to_owned),
            export_key: key.map(str::to_owned),
        };
        let seen = [
            result(1, Some("SALE"), None),
            result(2, None, Some("Nie wieder anrufen")),
            result(3, Some("REFUSED"), None),
            result(4, None, None),
        ];
        let words = Words { route: &route, known: &known };
        let said = unmapped(&words, CampaignId(7), &seen, &[]).expect("a concern");
        assert!(said.what.ends_with("names: REFUSED, 4"), "{}", said.what);
        let held = UntoldCount {
            route: route.clone(),
            state: "held".to_owned(),
            code: "unmapped_result".to_owned(),
            count: 4,
            since: "2026-03-02T09:00:00Z".parse().expect("an instant"),
            results: vec!["REFUSED".to_owned(), "4".to_owned()],
        };
        assert_eq!(unmapped(&words, CampaignId(7), &seen, &[held]), None, "said already");
        let nothing = ResultWords::default();
        let words = Words { known: &nothing, ..words };
        assert_eq!(unmapped(&words, CampaignId(7), &seen, &[]), None, "nobody has begun to map them");
    }

    #[test]
    fn an_unmapped_result_is_named_with_what_mends_it() {
        let count = UntoldCount {
            route: RouteName::from("leads"),
            state: "held".to_owned(),
            code: "unmapped_result".to_owned(),
            count: 4,
            since: "2026-03-02T09:00:00Z".parse().expect("an instant"),
            results: vec!["SALE".to_owned(), "5391".to_owned()],
        };
        let concern = untold(&count);
        assert!(concern.what.contains("4 calls and records wait"), "{}", concern.what);
        assert!(concern.what.ends_with("SALE, 5391"), "{}", concern.what);
        assert!(concern.remedy.contains("results codes --route leads --init"), "{}", concern.remedy);
        let parked = UntoldCount { code: "rejected".to_owned(), state: "parked".to_owned(), ..count };
        assert!(untold(&parked).remedy.contains("results open --route leads"));
    }
}
