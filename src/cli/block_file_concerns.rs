//! What block lists leave for a person to do. Pure: the facts are arguments.

use super::concerns::{Concern, Weight};
use crate::domain::Timestamp;
use crate::ledger::BlockFileRow;
use chrono::TimeDelta;

/// The longest list that was measured takes less.
const TAKEN_WITHIN: TimeDelta = TimeDelta::minutes(10);

/// What there is to say of one list of the config.
pub(super) fn of(row: &BlockFileRow, now: Timestamp) -> Vec<Concern> {
    let BlockFileRow {
        client,
        path,
        digest,
        read_at,
        numbers,
        bad,
        bad_lines,
        failing_since,
        error,
        taking_since,
    } = row;
    let mut found = Vec::new();
    if taking_since.is_some_and(|since| now - since > TAKEN_WITHIN) {
        found.push(Concern {
            weight: Weight::Trouble,
            what: format!(
                "the block list {path} of client {client} has not been taken whole yet, and until then nobody of {client} \
                 becomes callable"
            ),
            since: *taking_since,
            remedy: "let its file rest: it is taken once it has not changed for two seconds".to_owned(),
        });
    }
    if let Some(error) = error {
        let lifted_since = digest.as_ref().is_some_and(Vec::is_empty);
        let before = match read_at {
            Some(_) if lifted_since => {
                "blocks of it were lifted since it was read: whom it still names is blocked anew only \
                                        once it can be read"
                    .to_owned()
            }
            Some(_) => format!("the {numbers} numbers that it held before stay blocked, and nobody new is"),
            None => "nobody is blocked by it".to_owned(),
        };
        found.push(Concern {
            weight: Weight::Trouble,
            what: format!("the block list {path} of client {client} cannot be read: {error}; {before}"),
            since: *failing_since,
            remedy: "put it there, readable for the daemon's user, or take it out of [blocks.files]; it is looked at \
                     every ten seconds"
                .to_owned(),
        });
    }
    if *bad > 0 {
        let mut lines: Vec<String> = bad_lines.iter().map(u64::to_string).collect();
        if usize::try_from(*bad).is_ok_and(|bad| bad > lines.len()) {
            lines.push("...".to_owned());
        }
        let lines = lines.join(", ");
        found.push(Concern {
            weight: Weight::Person,
            what: format!(
                "{bad} lines of the block list {path} of client {client} name no valid number and are NOT blocked: line \
                 {lines}"
            ),
            since: *read_at,
            remedy: "correct them (numbers with their country, +49 ...); the file is read again by itself".to_owned(),
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(row: &BlockFileRow) -> Vec<Concern> {
        of(row, "2030-01-07T09:20:00Z".parse().expect("an instant"))
    }

    #[test]
    fn a_list_says_what_is_wrong_with_it_and_what_still_holds() {
        let at = "2030-01-07T09:00:00Z".parse().ok();
        let good = BlockFileRow {
            client: "house".to_owned(),
            path: "no.csv".to_owned(),
            digest: None,
            read_at: at,
            numbers: 7,
            bad: 0,
            bad_lines: Vec::new(),
            failing_since: None,
            error: None,
            taking_since: None,
        };
        assert_eq!(told(&good), Vec::new());
        let under_way = BlockFileRow { taking_since: at, ..good.clone() };
        assert!(
            told(&under_way)[0].what.contains("nobody of house becomes callable"),
            "{:?}",
            told(&under_way)
        );
        let bad = BlockFileRow { bad: 3, bad_lines: vec![2, 5], ..good.clone() };
        assert!(told(&bad)[0].what.contains("3 lines of the block list no.csv"), "{:?}", told(&bad));
        assert!(told(&bad)[0].what.ends_with("line 2, 5, ..."), "{:?}", told(&bad));
        let gone = BlockFileRow { error: Some("No such file".to_owned()), failing_since: at, ..good };
        let lifted = BlockFileRow { digest: Some(Vec::new()), ..gone.clone() };
        assert!(
            told(&lifted)[0].what.contains("blocked anew only once it can be read"),
            "{:?}",
            told(&lifted)
        );
        assert!(
            told(&gone)[0].what.contains("the 7 numbers that it held before stay blocked"),
            "{:?}",
            told(&gone)
        );
    }
}
