//! The address of the next page, as a CRM gives it: made whole, and refused where it leads elsewhere.
//!
//! An answer may name any host. The token goes with every request, so only the CRM's own scheme, host and
//! port are asked.

use http::Uri;

/// The whole address of the page that `given` names, seen from `current`.
pub(super) fn resolve(base_url: &str, current: &str, given: &str) -> Result<String, String> {
    let base = Origin::of(base_url).ok_or("base_url is no address")?;
    let given = given.trim();
    let lower = given.to_ascii_lowercase();
    if lower.starts_with("http://") || lower.starts_with("https://") {
        return base.own(given);
    }
    if given.starts_with("//") {
        return base.own(&format!("{}:{given}", base.scheme));
    }
    if given.starts_with('/') {
        return base.own(&format!("{}{given}", base.written));
    }
    if given.starts_with('?') {
        let page = current.split('?').next().unwrap_or(current);
        return base.own(&format!("{page}{given}"));
    }
    Err("it is neither an address nor a path that begins with a slash".to_owned())
}

/// Scheme, host and port; the port is filled in.
struct Origin {
    scheme: String,
    host: String,
    port: u16,
    written: String,
}

impl Origin {
    fn of(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let scheme = uri.scheme_str()?.to_ascii_lowercase();
        // A user in the address would be sent along, and hides the host from a reader's eye.
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
        let port = uri.port_u16().or(match scheme.as_str() {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        })?;
        let written = format!("{scheme}://{authority}");
        Some(Self { host: authority.host().to_ascii_lowercase(), scheme, port, written })
    }

    fn own(&self, url: &str) -> Result<String, String> {
        let other = Self::of(url).ok_or("it cannot be read as an address")?;
        if (&other.scheme, &other.host, other.port) == (&self.scheme, &self.host, self.port) {
            return Ok(url.to_owned());
        }
        Err(format!(
            "it lies at {}, and base_url at {}: it is not asked, because the token would go there. If that is the same \
             server, let base_url name it as the CRM does",
            other.written, self.written
        ))
    }
}

/// The address with `rel="next"` in `Link` headers (RFC 8288).
pub(super) fn next_of<'h>(headers: impl IntoIterator<Item = &'h str>) -> Option<String> {
    headers.into_iter().find_map(|header| {
        let mut rest = header;
        while let Some((_, after)) = rest.split_once('<') {
            let (target, after) = after.split_once('>')?;
            let params = &after[..end_of_params(after)];
            if is_next(params) {
                return Some(target.to_owned());
            }
            rest = &after[params.len()..];
        }
        None
    })
}

/// Where the next link begins: at a comma that stands in no quotes.
fn end_of_params(text: &str) -> usize {
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => return at,
            _ => {}
        }
    }
    text.len()
}

fn is_next(params: &str) -> bool {
    params.split(';').filter_map(|param| param.split_once('=')).any(|(name, value)| {
        let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
        name.trim().eq_ignore_ascii_case("rel") && relations.any(|rel| rel.eq_ignore_ascii_case("next"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_own_server_is_asked() {
        let base = "https://crm.example.com/api/";
        let at = |given: &str| resolve(base, "https://crm.example.com/api/contacts?limit=2", given);
        for (given, whole) in [
            ("https://crm.example.com/api/contacts?page=2", "https://crm.example.com/api/contacts?page=2"),
            ("HTTPS://CRM.example.com:443/x", "HTTPS://CRM.example.com:443/x"),
            ("//crm.example.com/x", "https://crm.example.com/x"),
            ("/contacts?page=2", "https://crm.example.com/contacts?page=2"),
            ("?page=2", "https://crm.example.com/api/contacts?page=2"),
        ] {
            assert_eq!(at(given).as_deref(), Ok(whole), "{given}");
        }
        for elsewhere in [
            "https://evil.example.com/contacts",
            "http://crm.example.com/contacts",
            "https://crm.example.com:8443/contacts",
            "https://crm.example.com@evil.example.com/contacts",
            "//evil.example.com/x",
            "https://crm.example.com.evil.example.com/",
            "contacts?page=2",
            "ftp://crm.example.com/",
            "/\\evil.example.com",
            "https://crm.example.com\\@evil.example.com/",
        ] {
            match at(elsewhere) {
                Err(_) => {}
                Ok(url) => assert!(url.starts_with("https://crm.example.com/"), "{elsewhere}: {url}"),
            }
        }
        assert!(at("https://evil.example.com/").unwrap_err().contains("the token would go there"));
    }

    #[test]
    fn the_next_link_is_found_among_others() {
        let next = |header: &str| next_of([header]);
        assert_eq!(
            next("</a?page=2>; rel=\"next\", </a?page=9>; rel=\"last\"").as_deref(),
            Some("/a?page=2")
        );
        assert_eq!(next("</a?x=1,2>; rel=prev, </b>; title=\"a, b\"; REL=Next").as_deref(), Some("/b"));
        assert_eq!(next("</a>; rel=\"last next\"").as_deref(), Some("/a"));
        assert_eq!(next("</a>; rel=\"last\""), None);
        assert_eq!(next_of(["</a>; rel=last", "</b>; rel=next"]).as_deref(), Some("/b"));
        assert_eq!(next("broken <"), None);
    }
}
