//! Reads how a connector authenticates, and the headers of all its requests.

use super::walk::Section;
use crate::domain::Problem;
use crate::remote::{AuthScheme, ClientAuth, OAuth2};
use http::{HeaderMap, HeaderName, HeaderValue};

#[derive(Clone, Copy)]
enum Kind {
    Bearer,
    Word,
    Header,
    Basic,
    OAuth2,
}

const KINDS: &[(&str, Kind)] = &[
    ("bearer", Kind::Bearer),
    ("word", Kind::Word),
    ("header", Kind::Header),
    ("basic", Kind::Basic),
    ("oauth2", Kind::OAuth2),
];

pub(super) fn read_auth(root: &Section<'_, '_>) -> Option<AuthScheme> {
    let Some(section) = root.section("auth") else {
        return (!root.has("auth")).then_some(AuthScheme::Bearer);
    };
    let kind = section.choice("kind", KINDS);
    if !section.has("kind") {
        section.missing("kind", "bearer, word, header, basic or oauth2");
    }
    let form = match kind?.value {
        Kind::Bearer => Some(AuthScheme::Bearer),
        Kind::Basic => Some(AuthScheme::Basic),
        Kind::OAuth2 => read_oauth(&section).map(AuthScheme::OAuth2),
        Kind::Word => {
            section.required("word", "the word before the token").map(|at| AuthScheme::Word(at.value))
        }
        Kind::Header => section.required("header", "the header's name").and_then(|at| {
            let name = HeaderName::try_from(at.value.as_str()).ok();
            if name.is_none() {
                section.wrong("header", &at.span, format!("{:?}", at.value), "the name of an HTTP header");
            }
            name.map(AuthScheme::Header)
        }),
    };
    section.done();
    form
}

fn read_oauth(section: &Section<'_, '_>) -> Option<OAuth2> {
    let expected =
        "where access tokens are granted: a path below base_url (/oauth/token) or an address (https://...)";
    let url = section.required("token_url", expected);
    let fine = |text: &str| {
        let below = text.starts_with('/') && !text.starts_with("//");
        below || text.parse::<http::Uri>().is_ok_and(|uri| uri.host().is_some() && is_web(&uri))
    };
    if let Some(at) = url.as_ref().filter(|at| !fine(&at.value)) {
        section.wrong("token_url", &at.span, format!("{:?}", at.value), expected);
    }
    let scope = section.text("scope", "the scopes, as the server wants them written");
    let params = section.text_table("params");
    let ways = [("basic", ClientAuth::Basic), ("body", ClientAuth::Body)];
    let client = section.choice("client", &ways);
    Some(OAuth2 {
        token_url: url?.value,
        scope: scope.map(|at| at.value),
        params: params.into_iter().map(|(name, at)| (name, at.value)).collect(),
        client: client.map_or(ClientAuth::Body, |at| at.value),
    })
}

fn is_web(uri: &http::Uri) -> bool {
    uri.scheme_str().is_some_and(|scheme| scheme == "https" || scheme == "http")
}

pub(super) fn read_headers(root: &Section<'_, '_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, at) in root.text_table("headers") {
        match (HeaderName::try_from(name.as_str()), HeaderValue::try_from(at.value.as_str())) {
            (Ok(name), Ok(value)) => {
                headers.insert(name, value);
            }
            (_, _) => {
                // The value may be a secret: it is not shown.
                let problem =
                    Problem::new(at.key, "no valid HTTP header", "a header's name and a visible text");
                root.notes.add(problem, Some(&at.span));
            }
        }
    }
    headers
}
