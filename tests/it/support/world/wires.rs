//! Requests of the program go straight into the simulators, and break off in a crash.

use super::SECOND_CRM;
use dialbridge::app::in_process::InProcess;
use dialbridge::app::parts::Transports;
use dialbridge::domain::Problem;
use dialbridge::remote::http::HttpOptions;
use dialbridge::remote::{Request, Response, Side, Transport, TransportError};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Requests go straight into the simulators' routers.
pub(super) struct Wires {
    pub(super) crm: axum::Router,
    pub(super) second_crm: axum::Router,
    pub(super) dialler: axum::Router,
    pub(super) crash: CancellationToken,
}

impl Transports for Wires {
    fn transport(&self, side: Side, _options: &HttpOptions) -> Result<Arc<dyn Transport>, Vec<Problem>> {
        let router = match side {
            Side::Crm => self.crm.clone(),
            Side::Dialler => self.dialler.clone(),
        };
        let (inner, second_crm) = (InProcess::new(router), InProcess::new(self.second_crm.clone()));
        Ok(Arc::new(Wire { inner, second_crm, crash: self.crash.clone() }))
    }
}

#[derive(Debug)]
struct Wire {
    inner: InProcess,
    second_crm: InProcess,
    crash: CancellationToken,
}

#[async_trait::async_trait]
impl Transport for Wire {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        // A router under way goes on when the client is gone, as a real server does.
        let of_second = request.url.starts_with(SECOND_CRM);
        let inner = if of_second { self.second_crm.clone() } else { self.inner.clone() };
        let answer = tokio::spawn(async move { inner.send(request).await });
        tokio::select! {
            biased;
            // The run that waits here ends without another word: what a killed process would do.
            () = self.crash.cancelled() => std::panic::resume_unwind(Box::new("crashed by the test")),
            answer = answer => match answer {
                Ok(answer) => answer,
                Err(error) => Err(TransportError::Broken(error.to_string())),
            },
        }
    }
}
