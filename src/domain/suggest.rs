//! "Did you mean": the known name nearest to one that was mistyped.

/// The candidate that `given` most likely stood for, if any is near enough to be worth saying.
///
/// Near means: equal but for case and separators, or at most a third of its letters mistyped
/// (swapped neighbours count once). Ties go to the first candidate.
pub fn suggest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = plain(given);
    candidates
        .into_iter()
        .map(|candidate| (distance(&plain, &self::plain(candidate)), candidate))
        .filter(|(distance, candidate)| *distance * 3 <= candidate.chars().count().max(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn plain(name: &str) -> Vec<char> {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).take(64).collect()
}

/// Edit distance with swaps of neighbours (optimal string alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            row[j] = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_its_name_and_a_strange_word_finds_none() {
        let names = ["base_url", "token_file", "time_zone", "max_in_flight"];
        assert_eq!(suggest("bsae_url", names), Some("base_url"));
        assert_eq!(suggest("timezone", names), Some("time_zone"));
        assert_eq!(suggest("maxInFlight", names), Some("max_in_flight"));
        assert_eq!(suggest("colour", names), None);
        assert_eq!(suggest("", names), None);
    }

    #[test]
    fn the_nearest_wins() {
        assert_eq!(suggest("PhoneNumber7", ["PhoneNumber1", "FaxNumber"]), Some("PhoneNumber1"));
        assert_eq!(suggest("pul", ["push", "pull"]), Some("pull"));
    }
}
