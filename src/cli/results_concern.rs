//! What write-backs and reconciles leave for a person to look at. Pure: the facts are arguments.

use super::concerns::{Concern, Weight};
use super::left_out::sentence;
use crate::domain::ReasonCode;
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

/// What the last reconcile of a route left.
pub(super) fn drift(last: &ReconcileLast) -> Option<Concern> {
    let ReconcileLast { route, at, drift } = last;
    (*drift > 0).then(|| Concern {
        weight: Weight::Person,
        what: format!("route {route}: {drift} things do not agree between CRM, dialler and ledger"),
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
    use crate::domain::RouteName;

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
