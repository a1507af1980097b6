//! Who issued a server's certificate: asked after a TLS failure, so that its message can name the key
//! to set.
//!
//! rustls says `UnknownIssuer` and no name. So a second connection is made that believes anything, but
//! sends no token and no data, and the issuer's name is read out of the certificate.

use super::HttpOptions;
use std::time::Duration;

/// The issuer's common name or organisation, if it can be found out within seconds.
pub(super) async fn issuer_of(options: &HttpOptions) -> Option<String> {
    if options.proxy.is_some() {
        // Going round the proxy is not ours to decide.
        return None;
    }
    let client = options
        .plain_builder()
        .no_proxy()
        .tls_info(true)
        .tls_danger_accept_invalid_certs(true)
        .timeout(Duration::from_secs(2))
        .build()
        .ok()?;
    let mut root = reqwest::Url::parse(&options.base_url).ok()?;
    root.set_path("/");
    let response = client.get(root).send().await.ok()?;
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

/// Certificate -> tbsCertificate -> `[version]`, serial, signature, issuer (RFC 5280, 4.1).
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

#[cfg(test)]
mod tests {
    use super::*;

    fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        let length = content.len();
        let mut bytes = vec![tag];
        match u8::try_from(length) {
            Ok(short) if short < 0x80 => bytes.push(short),
            _ => bytes.extend([0x82, (length >> 8) as u8, length as u8]),
        }
        bytes.extend(content);
        bytes
    }

    fn name(kind: u8, text: &str) -> Vec<u8> {
        der(0x31, &[&der(0x30, &[&der(0x06, &[&[0x55, 4, kind]]), &der(0x0c, &[text.as_bytes()])])])
    }

    #[test]
    fn finds_the_issuer_and_survives_every_cut() {
        let issuer = der(0x30, &[&name(10, "Example House"), &name(3, "Example House CA")]);
        let body = der(
            0x30,
            &[
                &der(0xa0, &[&der(0x02, &[&[2]])]),
                &der(0x02, &[&[1; 20]]),
                &der(0x30, &[&der(0x06, &[&[0x2a, 3]])]),
                &issuer,
                &der(0x30, &[&[0; 300]]),
            ],
        );
        let certificate = der(0x30, &[&body]);
        assert_eq!(issuer_name(&certificate).as_deref(), Some("\"Example House CA\""));
        for end in 0..certificate.len() {
            assert_eq!(issuer_name(&certificate[..end]), None, "{end}");
        }
    }
}
