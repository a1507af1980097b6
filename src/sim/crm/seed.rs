//! Plausible records without a real person in them.

use serde_json::{Map, Value, json};

/// Numbers that the German regulator keeps for film and television: nobody has them. Three digits
/// follow; there is a mobile range besides (0171 39200 xx).
const RANGES: &[&str] =
    &["+49 30 23125 ", "+49 69 90009 ", "+49 40 66969 ", "+49 221 4710 ", "+49 89 99998 "];

const CITIES: &[&str] = &["Berlin", "Frankfurt am Main", "Hamburg", "Köln", "München", "Leipzig", "Görlitz"];
const STREETS: &[&str] = &["Lindenstraße", "Am Mühlbach", "Bahnhofstraße", "Gartenweg", "Schloßallee"];

/// The fields of the `n`-th record. Numbers are unique up to some five thousand records; beyond that
/// they carry an extension, as switchboards' numbers do.
pub(super) fn contact(rng: &mut fastrand::Rng, n: u64) -> Map<String, Value> {
    let fields = json!({
        "name": format!("Name {n:05}"),
        "phone": number(n),
        "email": format!("name{n:05}@example.com"),
        "street": format!("{} {}", rng.choice(STREETS).copied().unwrap_or_default(), rng.u32(1..120)),
        "city": rng.choice(CITIES).copied().unwrap_or_default(),
        "zip": format!("{:05}", rng.u32(1_000..99_999)),
        "stage": rng.choice(["new", "qualified", "won"]).unwrap_or_default(),
        "score": rng.u32(0..100),
        // Odoo writes false for nothing; so does this CRM.
        "comment": if rng.bool() { json!("calls back") } else { json!(false) },
        "do_not_call": false,
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// A fictional number, another one for each `n`.
fn number(n: u64) -> String {
    // A mobile number has no extension, so there are a hundred of them and no more.
    if n % 25 == 24 && n / 25 < 100 {
        return format!("+49 171 39200 {:02}", n / 25);
    }
    let ranges = RANGES.len() as u64;
    let (extension, rest) = (n / (ranges * 1_000), n % (ranges * 1_000));
    let prefix = RANGES[usize::try_from(rest / 1_000).unwrap_or(0)];
    let extension = if extension == 0 { String::new() } else { extension.to_string() };
    format!("{prefix}{:03}{extension}", rest % 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn numbers_are_unique_and_the_same_seed_gives_the_same_records() {
        let numbers: BTreeSet<String> =
            (0..30_000).map(|n| number(n).chars().filter(char::is_ascii_digit).collect()).collect();
        assert_eq!(numbers.len(), 30_000);
        assert!(numbers.iter().all(|number| (11..=15).contains(&number.len())), "dialable lengths");
        let make = |seed| contact(&mut fastrand::Rng::with_seed(seed), 7);
        assert_eq!(make(1), make(1));
    }
}
