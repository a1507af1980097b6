//! Who issued a server's certificate: asked after a TLS failure, so that its message can name the key
//! to set.
//!
//! rustls says `UnknownIssuer` and no name. So a second connection is made that believes anything, but
//! sends no token and no data, and the issuer's name is read out of the certificate.

use super::HttpOptions;
use std::time::Duration;

/// The issuer's common name or organisation, if it can be found out within seconds.
pub(super) async fn issuer_of(options: &HttpOptions) -> Option<String> {
    let client = options
        .plain_builder()
        .no_proxy()
        .tls_info(true)
        .tls_danger_accept_invalid_certs(true)
        .timeout(Duration::from_secs(5))
        .build()
        .ok()?;
    let mut root = reqwest::Url::parse(&options.base_url).ok()?;
    root.set_path("/");
    let response = client.head(root).send().await.ok()?;
    issuer_name(response.extensions().get::<reqwest::tls::TlsInfo>()?.peer_certificate()?)
}

/// One DER element: its tag, its content, and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let bytes = usize::from(first & 0x7f);
        if bytes == 0 || bytes > 4 || rest.len() < bytes {
            return None;
        }
        let (length, rest) = rest.split_at(bytes);
        (length.iter().fold(0_usize, |sum, byte| (sum << 8) | usize::from(*byte)), rest)
    };
    (length <= rest.len()).then(|| (tag, &rest[..length], &rest[length..]))
}

/// Certificate -> tbsCertificate -> [version], serial, signature, issuer (RFC 5280, 4.1).
fn issuer_name(certificate: &[u8]) -> Option<String> {
    const COMMON_NAME: &[u8] = &[0x55, 4, 3];
    const ORGANISATION: &[u8] = &[0x55, 4, 10];
    let (_, certificate, _) = element(certificate)?;
    let (_, mut fields, _) = element(certificate)?;
    if fields.first() == Some(&0xa0) {
        fields = element(fields)?.2;
    }
    for _serial_and_signature in 0..2 {
        fields = element(fields)?.2;
    }
    let (_, mut names, _) = element(fields)?;
    let mut found: Option<String> = None;
    while let Some((_, set, rest)) = element(names) {
        names = rest;
        let (_, pair, _) = element(set)?;
        let (_, kind, value) = element(pair)?;
        let (_, value, _) = element(value)?;
        let text: String =
            String::from_utf8_lossy(value).chars().filter(|c| !c.is_control()).take(100).collect();
        if kind == COMMON_NAME || (kind == ORGANISATION && found.is_none()) {
            found = Some(text);
        }
    }
    found.map(|name| format!("{name:?}"))
}
