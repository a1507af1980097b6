//! A server may repeat our token in what it says of a request. Its words are kept and shown; the token is not.

use super::Request;
use secrecy::{ExposeSecret as _, SecretString};

/// Shorter ones are no secrets, and would be found in any text.
const LEAST: usize = 8;

/// What stands for a secret.
const VEIL: &str = "(hidden)";

/// The secrets that a request carried.
pub(super) struct Hidden(Vec<SecretString>);

impl Hidden {
    /// Those of its headers: the whole value, and what follows the scheme's word.
    pub fn of(request: &Request) -> Self {
        let sensitive = request.headers.values().filter(|value| value.is_sensitive());
        let words = sensitive.filter_map(|value| value.to_str().ok()).map(|text| {
            let word = text.split_once(' ').map_or(text, |(_, rest)| rest);
            SecretString::from(word.to_owned())
        });
        Self(words.collect())
    }

    /// The text without them, also where one is cut at its end.
    pub fn out_of(&self, text: String) -> String {
        let secrets = self.0.iter().map(SecretString::expose_secret).filter(|secret| secret.len() >= LEAST);
        secrets.fold(text, |text, secret| {
            let text = text.replace(secret, VEIL);
            let cut = (LEAST..secret.len()).rev().find(|length| text.ends_with(&secret[..*length]));
            match cut {
                Some(length) => format!("{}{VEIL}", &text[..text.len() - length]),
                None => text,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, HeaderValue, Method, header};

    #[test]
    fn a_token_is_taken_out_of_a_servers_words_whole_or_cut() {
        let mut value = HeaderValue::from_static("Bearer sesame-4711");
        value.set_sensitive(true);
        let headers = HeaderMap::from_iter([
            (header::AUTHORIZATION, value),
            (header::ACCEPT, HeaderValue::from_static("application/json")),
        ]);
        let hidden = Hidden::of(&Request { method: Method::GET, url: String::new(), headers, body: None });
        for (said, shown) in [
            ("no sesame-4711 here: sesame-4711", "no (hidden) here: (hidden)"),
            ("the key sesame-47", "the key (hidden)"),
            ("the key sesame", "the key sesame"),
            ("application/json is wanted", "application/json is wanted"),
        ] {
            assert_eq!(hidden.out_of(said.to_owned()), shown);
        }
    }
}
