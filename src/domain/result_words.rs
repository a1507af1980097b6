//! Results as people name them in the config. The same result has another number in every campaign, and where the batch
//! read is not there only numbers are known: so a result has up to three names.

use super::{CallResult, CampaignId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The names of a result, the narrowest and so the surest first: as `CAMPAIGN/CODE`, by its export key, by its name.
pub fn keys(
    campaign: Option<CampaignId>,
    code: i64,
    export_key: Option<&str>,
    name: Option<&str>,
) -> [Option<String>; 3] {
    let place = campaign.map(|campaign| format!("{campaign}/{code}"));
    [place, export_key.map(str::to_owned), name.map(str::to_owned)]
}

/// A list of results, each by one of its names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResultWords(BTreeSet<String>);

impl ResultWords {
    /// The list as somebody wrote it.
    pub fn new<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        Self(words.into_iter().map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect())
    }

    /// Whether it names nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a result of this campaign is one of them.
    pub fn know(&self, campaign: CampaignId, result: &CallResult) -> bool {
        self.names(Some(campaign), result.code, result.export_key.as_deref(), result.name.as_deref())
    }

    /// Whether one of them is a number, as `CAMPAIGN/CODE`, of this campaign (`None`: of any): that is all that is known of a
    /// result without the batch read.
    pub fn has_numbers(&self, campaign: Option<CampaignId>) -> bool {
        let number = |text: &str| text.parse::<i64>().ok();
        let of = |word: &String| {
            let (of, code) = word.split_once('/')?;
            number(code).and(number(of)).map(CampaignId)
        };
        self.0.iter().filter_map(of).any(|of| campaign.is_none_or(|campaign| campaign == of))
    }

    /// The words, each once and sorted: two lists that say the same are the same.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether a result is one of them, to the letter; blanks around a name say nothing.
    pub fn names(
        &self,
        campaign: Option<CampaignId>,
        code: i64,
        export_key: Option<&str>,
        name: Option<&str>,
    ) -> bool {
        keys(campaign, code, export_key, name).iter().flatten().any(|key| self.0.contains(key.trim()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_result_is_named_in_three_ways_and_no_other() {
        let says = |words: &[&str]| {
            ResultWords::new(words.iter().copied()).names(
                Some(CampaignId(538)),
                5383,
                Some("DO_NOT_CALL"),
                Some("Nie wieder anrufen"),
            )
        };
        for word in ["DO_NOT_CALL", " Nie wieder anrufen ", "538/5383"] {
            assert!(says(&[word]) && says(&["SALE", word]), "{word}");
        }
        for word in ["5383", "551/5383", "538/538", "do_not_call", "DO_NOT", "538/", "/5383", ""] {
            assert!(!says(&[word]), "{word}");
        }
        assert!(!says(&[]));
    }

    #[test]
    fn a_number_is_told_from_a_name() {
        for (words, numbers) in [
            (vec!["538/5383"], true),
            (vec!["SALE", "538/5383"], true),
            (vec!["SALE", "yes/no", "5383"], false),
        ] {
            let words = ResultWords::new(words.iter().copied());
            assert_eq!(words.has_numbers(None), numbers, "{words:?}");
            assert_eq!(words.has_numbers(Some(CampaignId(538))), numbers, "{words:?}");
            assert!(!words.has_numbers(Some(CampaignId(612))), "{words:?}");
        }
    }

    #[test]
    fn what_is_not_known_of_a_result_names_nothing() {
        let words = ResultWords::new(["", " ", "DO_NOT_CALL", "538/5383"]);
        assert!(!words.names(None, 5383, None, Some("")));
        assert!(!words.names(Some(CampaignId(551)), 5513, Some(" "), None));
        assert!(
            words.names(Some(CampaignId(538)), 5383, None, None),
            "without the batch read the number does"
        );
    }

    proptest! {
        /// A list hears exactly those results of which it holds a name, whatever else it holds and in whatever order.
        #[test]
        fn a_list_hears_what_it_names(
            mut words in proptest::collection::vec("[A-C]{1,2}|[1-3]/[1-3]", 0..6),
            campaign in proptest::option::of(1_i64..4),
            code in 1_i64..4,
            key in proptest::option::of("[A-C]{1,2}"),
            name in proptest::option::of("[A-C]{1,2}"),
        ) {
            let place = campaign.map(|campaign| format!("{campaign}/{code}"));
            let expected = words.iter().any(|word| [&place, &key, &name].into_iter().flatten().any(|own| own == word));
            let heard = |words: &[String]| ResultWords::new(words.iter().map(String::as_str))
                .names(campaign.map(CampaignId), code, key.as_deref(), name.as_deref());
            prop_assert_eq!(heard(&words), expected);
            words.reverse();
            words.extend(words.clone());
            prop_assert_eq!(heard(&words), expected);
        }
    }
}
