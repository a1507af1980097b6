//! Phone numbers against a second implementation.
//!
//! dialbridge uses rlibphonenumber; the commoner `phonenumber` crate loses the significant zero of
//! Italian and some other numbers as soon as a default country is given, so it may only judge. The rule
//! under which both must agree: a text with `+` is parsed without a country, and what either of them
//! does not call valid is not compared, because their metadata differ in age.

use dialbridge::mapping::{PhoneFormat, dialler_number_to_e164, e164};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::cell::Cell;

/// The other crate's reading, by our rule.
fn other(text: &str, country: &str) -> Option<String> {
    let region = if text.starts_with('+') { None } else { country.parse().ok() };
    let number = phonenumber::parse(region, text).ok()?;
    number.is_valid().then(|| number.format().mode(phonenumber::Mode::E164).to_string())
}

/// Countries whose numbers have no significant leading zero.
const COUNTRIES: [(&str, &str); 8] = [
    ("DE", "49"),
    ("AT", "43"),
    ("CH", "41"),
    ("FR", "33"),
    ("NL", "31"),
    ("GB", "44"),
    ("PL", "48"),
    ("US", "1"),
];

#[test]
fn both_agree_on_samples() {
    for (text, country, expected) in [
        ("030 123456", "DE", "+4930123456"),
        ("+49 171 1234567", "DE", "+491711234567"),
        ("01 234 567 890", "AT", "+431234567890"),
        ("044 668 18 00", "CH", "+41446681800"),
        ("01 42 68 53 00", "FR", "+33142685300"),
        ("020 7946 0018", "GB", "+442079460018"),
        ("(201) 555-0123", "US", "+12015550123"),
    ] {
        assert_eq!(e164(text, Some(country)).as_deref(), Some(expected), "{text}");
        assert_eq!(other(text, country).as_deref(), Some(expected), "{text} in the other crate");
    }
}

#[test]
fn significant_zeros_are_kept_where_the_other_crate_loses_them() {
    let mut lost = 0;
    for (text, expected) in [
        ("+39 06 1234 5678", "+390612345678"),
        ("+225 01 23 45 67 89", "+2250123456789"),
        ("+241 06 03 12 34", "+24106031234"),
        ("+378 0549 886377", "+3780549886377"),
    ] {
        assert_eq!(e164(text, Some("DE")).as_deref(), Some(expected), "{text}");
        let naive = phonenumber::parse(Some(phonenumber::country::Id::DE), text)
            .map(|number| number.format().mode(phonenumber::Mode::E164).to_string());
        lost += usize::from(naive.ok().as_deref() != Some(expected));
    }
    assert!(
        lost > 0,
        "the other crate reads these rightly now: this guard and the choice can be looked at anew"
    );
}

#[test]
fn both_agree_on_any_number() {
    let numbers = (prop::sample::select(&COUNTRIES[..]), 1u8..=9, "[0-9]{5,11}", any::<bool>(), 2usize..5);
    let compared = Cell::new(0);
    let outcome = TestRunner::new(ProptestConfig::with_cases(512)).run(
        &numbers,
        |((country, code), first, rest, international, cut)| {
            let (head, tail) = rest.split_at(cut);
            let text = match (international, country) {
                (true, _) => format!("+{code} {first}{head} {tail}"),
                (false, "US" | "PL") => format!("{first}{head} {tail}"),
                (false, _) => format!("0{first}{head}/{tail}"),
            };
            let (ours, theirs) = (e164(&text, Some(country)), other(&text, country));
            if let (Some(ours), Some(theirs)) = (&ours, &theirs) {
                compared.set(compared.get() + 1);
                prop_assert_eq!(ours, theirs, "{} in {}", text, country);
            }
            if let Some(ours) = ours {
                prop_assert_eq!(e164(&ours, None), Some(ours.clone()), "E.164 is a fixed point");
                let sent = PhoneFormat::DigitsWithoutPlus.write(&ours);
                prop_assert_eq!(
                    dialler_number_to_e164(&sent, Some(country)),
                    Some(ours),
                    "so is its sent form"
                );
            }
            Ok(())
        },
    );
    assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    assert!(compared.get() >= 50, "only {} numbers were valid for both: nothing was tested", compared.get());
}
