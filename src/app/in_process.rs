//! A router called in process: the transport of the simulation, where no socket is and time is virtual.

use crate::remote::{Request, Response, Transport, TransportError};
use crate::sim::faults::ConnectionReset;
use axum::Router;
use axum::body::Body;
use futures_util::StreamExt as _;
use tower::ServiceExt as _;

/// Carries requests straight into a router.
#[derive(Clone)]
pub struct InProcess(Router);

impl std::fmt::Debug for InProcess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InProcess")
    }
}

impl InProcess {
    /// A transport into this router, whatever host a request names.
    pub fn new(router: Router) -> Self {
        Self(router)
    }
}

#[async_trait::async_trait]
impl Transport for InProcess {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let uri: http::Uri =
            request.url.parse().map_err(|error| TransportError::NotSent(format!("the address: {error}")))?;
        // A server sees the path and the query only.
        let target = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str).to_owned();
        let mut asked = http::Request::builder().method(request.method).uri(target);
        if let Some(headers) = asked.headers_mut() {
            *headers = request.headers;
            if let Some(host) = uri.host().and_then(|host| http::HeaderValue::from_str(host).ok()) {
                headers.insert(http::header::HOST, host);
            }
            if request.body.is_some() {
                headers
                    .entry(http::header::CONTENT_TYPE)
                    .or_insert(http::HeaderValue::from_static("application/json"));
            }
        }
        let body = request.body.map_or_else(Body::empty, Body::from);
        let asked = asked.body(body).map_err(|error| TransportError::NotSent(error.to_string()))?;
        let answer = match self.0.clone().oneshot(asked).await {
            Ok(answer) => answer,
            Err(never) => match never {},
        };
        if answer.extensions().get::<ConnectionReset>().is_some() {
            return Err(TransportError::Broken("connection reset".to_owned()));
        }
        let (parts, body) = answer.into_parts();
        let body = body
            .into_data_stream()
            .map(|chunk| chunk.map_err(|error| TransportError::Broken(error.to_string())))
            .boxed();
        Ok(Response { status: parts.status, headers: parts.headers, body })
    }
}
