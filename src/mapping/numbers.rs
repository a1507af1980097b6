//! Phone numbers: any writing into E.164, and E.164 into the form the dialler gets.
//!
//! The rule (crates 2.9): a text that begins with `+` or `00` is parsed without a country, every other
//! text with one; a result that libphonenumber does not call valid is never used. Extensions are
//! dropped. E.164 here always has its plus: it is the one form in which the gate compares.

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, Region};
use std::fmt;

/// The phone library and its metadata; part of every route's revision, because newer metadata may read
/// the same text differently. A test holds it against the lock file.
pub const METADATA_VERSION: &str = "rlibphonenumber 2.2.15";

/// Longer texts are no number (libphonenumber's own limit).
const MAX_INPUT_BYTES: usize = 250;

/// How a number is written in the dialler's slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PhoneFormat {
    /// Country code and number, digits only (`4930123456`): what jtel itself writes (facts 3.7).
    #[default]
    DigitsWithoutPlus,
    /// With the plus (`+4930123456`).
    E164,
}

impl PhoneFormat {
    /// The names in the config.
    pub const NAMES: [&str; 2] = ["digits_without_plus", "e164"];

    /// The name in the config.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DigitsWithoutPlus => "digits_without_plus",
            Self::E164 => "e164",
        }
    }

    /// Reads a name of the config.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "digits_without_plus" => Some(Self::DigitsWithoutPlus),
            "e164" => Some(Self::E164),
            _ => None,
        }
    }

    /// Writes a number given in E.164.
    pub fn write(self, e164: &str) -> String {
        match self {
            Self::DigitsWithoutPlus => e164.trim_start_matches('+').to_owned(),
            Self::E164 => e164.to_owned(),
        }
    }
}

/// A country whose writing of numbers is known (ISO 3166, two capital letters).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Country(Region);

impl Country {
    /// Reads `DE`; `None` for a code without numbering metadata.
    pub fn parse(code: &str) -> Option<Self> {
        let region = code.parse::<Region>().ok()?;
        PHONE_NUMBER_UTIL.get_country_code_for_region(region).map(|_| Self(region))
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A text in any writing into E.164; `None` if it is no valid number.
///
/// `country` (`DE`) says where a number without a country code belongs; an unknown code counts as none.
pub fn e164(text: &str, country: Option<&str>) -> Option<String> {
    e164_in(text, country.and_then(Country::parse))
}

/// [`e164`] with a country that was checked before.
pub fn e164_in(text: &str, country: Option<Country>) -> Option<String> {
    let text = text.trim();
    if text.is_empty() || text.len() > MAX_INPUT_BYTES {
        return None;
    }
    // "00" is rewritten because without a country the library does not know any exit code.
    let (text, region) = match (text.strip_prefix("00"), text.starts_with(['+', '\u{ff0b}'])) {
        (Some(rest), _) => (format!("+{}", rest.trim_start()), None),
        (None, true) => (text.to_owned(), None),
        (None, false) => (text.to_owned(), country.map(|country| country.0)),
    };
    let number = PHONE_NUMBER_UTIL.parse(&text, region).ok()?;
    if !PHONE_NUMBER_UTIL.is_valid_number(&number) {
        return None;
    }
    // Only now: E.164 has no place for an extension.
    Some(PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164).into_owned())
}

/// A number as the dialler holds it into E.164.
///
/// The dialler's own form is digits with the country code and without a plus, so that is tried first;
/// what people typed into the portal (`030 ...`, `+49 ...`) is then read with the default country.
pub fn dialler_number_to_e164(text: &str, default_country: Option<&str>) -> Option<String> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if digits
        && !text.starts_with('0')
        && let Some(number) = e164_in(&format!("+{text}"), None)
    {
        return Some(number);
    }
    e164(text, default_country)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn writings_of_one_number_meet_in_one_form() {
        for text in [
            "030 123456",
            "+49 30 123456",
            "0049 30 123456",
            "+49 (0)30 123456",
            "(030) 12 34-56",
            "030/123456",
            "tel:+49-30-123456",
            "030 123456 ext. 5",
            "+49 30 123456 ext 77",
        ] {
            assert_eq!(e164(text, Some("DE")).as_deref(), Some("+4930123456"), "{text}");
        }
    }

    #[test]
    fn significant_zeros_survive() {
        // The commoner crate loses these zeros as soon as a default country is given (crates 2.9).
        for (text, country, expected) in [
            ("+390612345678", "DE", "+390612345678"),
            ("06 1234 5678", "IT", "+390612345678"),
            ("+2250123456789", "DE", "+2250123456789"),
            ("01 23 45 67 89", "CI", "+2250123456789"),
            ("+24106031234", "DE", "+24106031234"),
            ("+3780549886377", "DE", "+3780549886377"),
            ("0549 886377", "SM", "+3780549886377"),
        ] {
            assert_eq!(e164(text, Some(country)).as_deref(), Some(expected), "{text} in {country}");
        }
    }

    #[test]
    fn what_is_no_valid_number_gives_none() {
        for text in ["", "  ", "110", "+8611012345678", "abc", "+49", "123", &"9".repeat(300), "+", "00"] {
            assert_eq!(e164(text, Some("DE")), None, "{text}");
        }
        assert_eq!(e164("030 123456", None), None, "a national number without a country");
    }

    #[test]
    fn the_dialler_writes_digits_without_plus() {
        assert_eq!(dialler_number_to_e164("4930123456", Some("DE")).as_deref(), Some("+4930123456"));
        assert_eq!(dialler_number_to_e164("4930123456", None).as_deref(), Some("+4930123456"));
        assert_eq!(dialler_number_to_e164("030123456", Some("DE")).as_deref(), Some("+4930123456"));
        assert_eq!(dialler_number_to_e164("+49 30 123456", None).as_deref(), Some("+4930123456"));
        assert_eq!(dialler_number_to_e164("call me", Some("DE")), None);
        assert_eq!(PhoneFormat::DigitsWithoutPlus.write("+4930123456"), "4930123456");
    }

    #[test]
    fn countries_are_checked() {
        assert!(Country::parse("DE").is_some());
        for code in ["XX", "de ", "", "Germany", "49"] {
            assert!(Country::parse(code).is_none(), "{code}");
        }
    }

    #[test]
    fn names_of_formats_are_read_back() {
        for name in PhoneFormat::NAMES {
            assert_eq!(PhoneFormat::parse(name).map(PhoneFormat::as_str), Some(name));
        }
        assert_eq!(PhoneFormat::parse("national"), None);
    }

    #[test]
    fn the_metadata_version_is_the_locked_one() {
        let (name, version) = METADATA_VERSION.split_once(' ').unwrap();
        let locked = format!("name = \"{name}\"\nversion = \"{version}\"\n");
        assert!(include_str!("../../Cargo.lock").contains(&locked), "raise METADATA_VERSION");
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic_and_idempotently(text in "\\PC{0,40}|[+0-9 ()/.-]{0,20}") {
            if let Some(number) = e164(&text, Some("DE")) {
                prop_assert_eq!(e164(&number, Some("FR")), Some(number.clone()));
                for format in [PhoneFormat::DigitsWithoutPlus, PhoneFormat::E164] {
                    let written = format.write(&number);
                    prop_assert_eq!(dialler_number_to_e164(&written, Some("DE")), Some(number.clone()));
                }
            }
        }
    }
}
