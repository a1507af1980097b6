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
        if !why.contains("certificate") {
            return TransportError::NotSent(why);
        }
        let issuer = match issuer_of(&self.options).await {
            Some(name) => format!(" its certificate was issued by {name};"),
            None => String::new(),
        };
        TransportError::NotSent(format!(
            "the server's certificate is not believed ({why});{issuer} set {}.ca_file to the certificate \
             of the authority that issued it",
            self.options.table
        ))
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
            Err(error) => return Err(TransportError::Broken(chain(&error.without_url()))),
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
