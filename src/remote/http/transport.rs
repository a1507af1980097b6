//! Requests over real sockets.

use super::HttpOptions;
use super::issuer::issuer_of;
use crate::domain::Problem;
use crate::remote::{Request, Response, Transport, TransportError};
use futures_util::StreamExt as _;

/// The HTTP client of one side. Knows no timeouts but that of connecting: the policy has them.
#[derive(Debug)]
pub struct HttpTransport {
    client: reqwest::Client,
    options: HttpOptions,
}

impl HttpTransport {
    /// Builds it, with warnings (plain HTTP by choice).
    ///
    /// # Errors
    /// Every key that cannot be used, all at once.
    pub fn new(options: HttpOptions) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        let (client, warnings) = options.build()?;
        Ok((Self { client, options }, warnings))
    }

    /// What went wrong before anything was sent, with advice where TLS was the reason.
    async fn not_sent(&self, error: reqwest::Error) -> TransportError {
        let why = chain(&error.without_url());
        let trouble = TlsTrouble::of(&why);
        let issuer = match trouble {
            Some(TlsTrouble::Issuer) => issuer_of(&self.options).await,
            Some(_) | None => None,
        };
        TransportError::NotSent(advised(why, trouble, issuer.as_deref(), &self.options.table))
    }

    /// The same for what broke off later: a server that wants a certificate of ours says so after the request.
    fn broken(&self, error: reqwest::Error) -> TransportError {
        let why = chain(&error.without_url());
        let trouble = TlsTrouble::of(&why);
        TransportError::Broken(advised(why, trouble, None, &self.options.table))
    }
}

/// Why a TLS connection was refused, as far as it says what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TlsTrouble {
    /// Nobody we know issued the server's certificate.
    Issuer,
    /// It is no longer valid.
    Expired,
    /// It is not valid yet.
    NotYet,
    /// It is for another name.
    Name,
    /// The server wants a certificate of ours, or another one.
    Ours,
    /// Anything else about the server's certificate.
    Other,
}

impl TlsTrouble {
    /// Read out of the TLS library's own words; its error types do not reach here.
    fn of(why: &str) -> Option<Self> {
        let why = why.to_ascii_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| why.contains(word));
        if says(&["certificaterequired", "certificate required", "alert: badcertificate", "alert: unknownca"])
        {
            Some(Self::Ours)
        } else if says(&["unknownissuer", "unknown issuer"]) {
            Some(Self::Issuer)
        } else if says(&["certificate expired", "certificateexpired"]) {
            Some(Self::Expired)
        } else if says(&["not valid yet", "notvalidyet"]) {
            Some(Self::NotYet)
        } else if says(&["not valid for name", "notvalidforname"]) {
            Some(Self::Name)
        } else {
            says(&["certificate"]).then_some(Self::Other)
        }
    }
}

fn advised(why: String, trouble: Option<TlsTrouble>, issuer: Option<&str>, table: &str) -> String {
    let Some(trouble) = trouble else { return why };
    let believed = format!("the server's certificate is not believed ({why})");
    match trouble {
        TlsTrouble::Issuer => {
            let issuer =
                issuer.map(|name| format!(" its certificate was issued by {name};")).unwrap_or_default();
            format!(
                "{believed};{issuer} set {table}.ca_file to the certificate of the authority that issued it"
            )
        }
        TlsTrouble::Expired => {
            format!("{believed}: it has expired; the server needs a new one, nothing here mends it")
        }
        TlsTrouble::NotYet => format!("{believed}: it is not valid yet; compare the clocks of both machines"),
        TlsTrouble::Name => format!(
            "{believed}: it is made for another name; let {table}.base_url name the host that the certificate names"
        ),
        TlsTrouble::Ours => format!(
            "the server does not accept us without a certificate it knows ({why}): set {table}.client_certificate and \
             {table}.client_key"
        ),
        TlsTrouble::Other => believed,
    }
}

#[async_trait::async_trait]
impl Transport for HttpTransport {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let mut builder = self.client.request(request.method, &request.url).headers(request.headers);
        if let Some(body) = request.body {
            builder = builder.body(body);
        }
        let response = match builder.send().await {
            Ok(response) => response,
            // A pooled connection that the server closed while idle is replaced by the library itself,
            // before anything was written (crates, 1.5).
            Err(error) if error.is_connect() || error.is_builder() => return Err(self.not_sent(error).await),
            Err(error) => return Err(self.broken(error)),
        };
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response
            .bytes_stream()
            .map(|chunk| chunk.map_err(|error| TransportError::Broken(chain(&error.without_url()))))
            .boxed();
        Ok(Response { status, headers, body })
    }
}

/// An error with all its causes, each said once. The caller has taken the URL out: its query may
/// hold a token or a person's key.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_follows_the_cause() {
        let advice = |why: &str, issuer| advised(why.to_owned(), TlsTrouble::of(why), issuer, "dialler");
        let unknown = advice("invalid peer certificate: UnknownIssuer", Some("House CA"));
        assert!(unknown.contains("issued by House CA; set dialler.ca_file"), "{unknown}");
        let ours = advice("received fatal alert: CertificateRequired", None);
        assert!(ours.contains("set dialler.client_certificate"), "{ours}");
        for (why, word) in [
            ("invalid peer certificate: certificate expired: verification time 1", "needs a new one"),
            ("invalid peer certificate: certificate not valid for name \"a\"", "dialler.base_url"),
            ("invalid peer certificate: certificate not valid yet: verification time 1", "clocks"),
            ("invalid peer certificate: BadSignature", "not believed"),
        ] {
            let text = advice(why, None);
            assert!(text.contains(word) && !text.contains("ca_file"), "a CA file mends nothing here: {text}");
        }
        assert_eq!(advice("connection refused", None), "connection refused");
    }
}
