//! OAuth2 with client credentials: an access token for a while, asked for with the client's id and secret.

use crate::remote::Request;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use std::time::Duration;

/// An access token is renewed so long before its end, or at nine tenths of its life if that is later: a
/// request that is under way must not meet the end.
const MARGIN: Duration = Duration::from_secs(60);

/// How long one counts whose end was not told.
const UNTOLD: Duration = Duration::from_secs(3600);

/// Where and how an access token is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuth2 {
    /// An address, or a path below the side's base URL.
    pub token_url: String,
    /// The scopes, as the server wants them written.
    pub scope: Option<String>,
    /// What the server wants besides (`audience`).
    pub params: Vec<(String, String)>,
    /// How the client says who it is.
    pub client: ClientAuth,
}

/// How a client says who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuth {
    /// In the header, as the standard prefers.
    Basic,
    /// As `client_id` and `client_secret` in the body.
    Body,
}

/// What the token address answered.
#[derive(Debug)]
pub(crate) struct Granted {
    pub token: SecretString,
    /// From now; `None`: never by itself.
    pub renew_in: Duration,
}

impl OAuth2 {
    /// The request for an access token; `secret` is `ID:SECRET`.
    pub(crate) fn request(&self, base_url: Option<&str>, secret: &SecretString) -> Request {
        let (id, secret) = secret.expose_secret().split_once(':').unwrap_or_default();
        let mut form = vec![("grant_type", "client_credentials")];
        form.extend(self.scope.iter().map(|scope| ("scope", scope.as_str())));
        form.extend(self.params.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let mut headers = HeaderMap::new();
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(header::CONTENT_TYPE, kind);
        match self.client {
            ClientAuth::Body => form.extend([("client_id", id), ("client_secret", secret)]),
            ClientAuth::Basic => {
                let value = basic(&format!("{}:{}", encoded(id), encoded(secret)));
                headers.extend(value.map(|value| (header::AUTHORIZATION, value)));
            }
        }
        let pairs: Vec<String> =
            form.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        let base = base_url.filter(|_| self.token_url.starts_with('/')).unwrap_or_default();
        Request {
            method: Method::POST,
            url: format!("{}{}", base.trim_end_matches('/'), self.token_url),
            headers,
            body: Some(Bytes::from(pairs.join("&"))),
        }
    }
}

/// Reads `{"access_token": .., "expires_in": ..}`.
pub(crate) fn granted(body: &[u8]) -> Option<Granted> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let token = body.get("access_token")?.as_str().filter(|token| !token.is_empty())?;
    let seconds = match body.get("expires_in") {
        Some(Value::String(text)) => text.parse().ok(),
        Some(other) => other.as_u64(),
        None => None,
    };
    let life = seconds.map_or(UNTOLD, Duration::from_secs);
    let renew_in = life.saturating_sub(MARGIN).max(life * 9 / 10);
    Some(Granted { token: SecretString::from(token.to_owned()), renew_in })
}

/// The error's code of RFC 6749 (`invalid_client`); no word of the server's own.
pub(crate) fn error_code(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let code = body.get("error")?.as_str()?;
    let plain = code.len() <= 40 && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    plain.then(|| code.to_owned())
}

/// `Basic` with this pair.
pub(super) fn basic(pair: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Basic {}", base64(pair.as_bytes()))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let number = three.iter().fold(0_u32, |sum, byte| (sum << 8) | u32::from(*byte));
        let number = number << (8 * (3 - three.len()));
        for place in 0..4 {
            let digit = DIGITS[(number >> (18 - 6 * place)) as usize & 63];
            text.push(if place <= three.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

/// As forms write it: everything but letters, digits and `-._~` in percent.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_standard() {
        for (plain, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
            ("Aladdin:open sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        ] {
            assert_eq!(base64(plain.as_bytes()), text);
        }
    }

    #[test]
    fn a_token_is_renewed_before_its_end() {
        let after = |body: &str| granted(body.as_bytes()).map(|granted| granted.renew_in.as_secs());
        assert_eq!(after(r#"{"access_token":"a","expires_in":3600}"#), Some(3540));
        assert_eq!(after(r#"{"access_token":"a","expires_in":"300"}"#), Some(270));
        assert_eq!(after(r#"{"access_token":"a","expires_in":10}"#), Some(9));
        assert_eq!(after(r#"{"access_token":"a"}"#), Some(3540));
        assert_eq!(after(r#"{"access_token":""}"#), None);
        assert_eq!(error_code(br#"{"error":"invalid_client"}"#).as_deref(), Some("invalid_client"));
        assert_eq!(error_code(br#"{"error":"Ada is unknown"}"#), None);
    }

    #[test]
    fn the_client_says_who_it_is_in_either_way() {
        let secret = SecretString::from("my id:p&ss".to_owned());
        let oauth = |client| OAuth2 {
            token_url: "/oauth/token".to_owned(),
            scope: Some("read write".to_owned()),
            params: vec![("audience".to_owned(), "crm".to_owned())],
            client,
        };
        let body = oauth(ClientAuth::Body).request(Some("https://crm.example.com/"), &secret);
        assert_eq!(body.url, "https://crm.example.com/oauth/token");
        let text = "grant_type=client_credentials&scope=read%20write&audience=crm&client_id=my%20id&client_secret=p%26ss";
        assert_eq!(body.body.unwrap(), text.as_bytes());
        let basic = oauth(ClientAuth::Basic).request(None, &secret);
        let header = &basic.headers[header::AUTHORIZATION];
        assert!(header.is_sensitive());
        assert_eq!(header, &format!("Basic {}", base64(b"my%20id:p%26ss")));
    }
}
