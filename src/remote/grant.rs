//! Access tokens: asked for before the first request, again before their end, and once after a 401.

use super::auth::{Access, Credential, error_code, granted};
use super::client::{Failed, Inner};
use super::outcome::{Fault, retry_after};
use super::{Response, TransportError};
use bytes::Bytes;
use futures_util::StreamExt as _;
use http::StatusCode;
use secrecy::SecretString;
use tokio::time::Instant;

/// More than any token address answers.
const MOST_BYTES: usize = 256 * 1024;

/// What the token address said.
enum Said {
    /// It refuses this client: another secret may be taken.
    Refused,
    /// Anything else that is no token.
    Fault(Fault),
}

impl Inner {
    /// The header for the next request. Where that is an access token, one task asks for it and the others
    /// wait: a token address counts its requests, and the last token granted may be the only good one.
    pub(super) async fn credential(&self, deadline: Instant) -> Result<Option<Credential>, Failed> {
        let Some(_) = self.auth.oauth() else { return Ok(self.auth.credential()) };
        let mut access = tokio::select! {
            biased;
            () = self.env.shutdown().cancelled() => return Err(ending()),
            access = tokio::time::timeout_at(deadline, self.auth.access.lock()) => match access {
                Ok(access) => access,
                Err(_) => return Err(no_token("it was not granted in time")),
            },
        };
        // Two files, each with a new content at most.
        for _ in 0..4 {
            if let Some(credential) = self.auth.credential_of(access.as_ref(), self.env.instant()) {
                return Ok(Some(credential));
            }
            let Some((secret, version)) = self.auth.secret() else { return Ok(None) };
            match self.grant(&secret, deadline).await {
                Ok(granted) => {
                    let serial = self.env.random_below(u64::MAX);
                    *access = Some(Access::new(granted, self.env.instant(), version, serial));
                }
                Err(Said::Refused) => {
                    let used = self.auth.credential_refused(version);
                    if self.auth.refused(&used, self.env.instant()) {
                        continue;
                    }
                    return Err(Failed { fault: Fault::Unauthorized(self.auth.advice()), status: Some(401) });
                }
                Err(Said::Fault(fault)) => return Err(Failed::without_status(fault)),
            }
        }
        Err(Failed { fault: Fault::Unauthorized(self.auth.advice()), status: Some(401) })
    }

    async fn grant(&self, secret: &SecretString, deadline: Instant) -> Result<super::auth::Granted, Said> {
        let Some(oauth) = self.auth.oauth() else { return Err(Said::Refused) };
        let request = oauth.request(self.config.base_url.as_deref(), secret);
        let deadline = deadline.min(self.env.instant() + self.config.request_timeout);
        let asked = async {
            let response = self.transport.send(super::attempt::with_defaults(request)).await?;
            let (status, headers) = (response.status, response.headers.clone());
            read(response).await.map(|body| (status, headers, body))
        };
        let answer = tokio::select! {
            biased;
            () = self.env.shutdown().cancelled() => return Err(Said::Fault(ending().fault)),
            answer = tokio::time::timeout_at(deadline, asked) => answer,
        };
        match answer {
            Err(_) => Err(Said::Fault(no_token("its address did not answer in time").fault)),
            // Whatever became of the request for a token: the one that needs it was not sent.
            Ok(Err(error)) => Err(Said::Fault(no_token(&error.to_string()).fault)),
            Ok(Ok((status, headers, body))) => judge(status, &body, retry_after(&headers, self.env.now())),
        }
    }
}

fn judge(
    status: StatusCode,
    body: &[u8],
    wish: Option<std::time::Duration>,
) -> Result<super::auth::Granted, Said> {
    let wrong = |why: &str| {
        Err(Said::Fault(Fault::WrongUrl(format!(
            "no access token: {why}; check auth.token_url in the connector"
        ))))
    };
    let code = error_code(body);
    match (status.as_u16(), code.as_deref()) {
        (200..=299, _) => match granted(body) {
            Some(granted) => Ok(granted),
            None => wrong("the answer of the token address holds none"),
        },
        (429, _) => Err(Said::Fault(Fault::Refused { retry_after: wish })),
        (503, _) if wish.is_some() => Err(Said::Fault(Fault::Refused { retry_after: wish })),
        (401 | 403, _) | (400, Some("invalid_client" | "invalid_grant" | "unauthorized_client")) => {
            Err(Said::Refused)
        }
        (400, Some(code)) => Err(Said::Fault(Fault::Misconfigured(format!(
            "no access token: the token address answers {code}; correct scope and params under [auth] in the connector"
        )))),
        (300..=499, _) => wrong(&format!("HTTP {}", status.as_u16())),
        (other, _) => Err(Said::Fault(no_token(&format!("HTTP {other} from its address")).fault)),
    }
}

/// The request that needs the token was certainly not sent: it may be repeated, also a write.
fn no_token(why: &str) -> Failed {
    Failed::without_status(Fault::NotSent(format!("there is no access token: {why}")))
}

fn ending() -> Failed {
    Failed::without_status(Fault::Withheld("nothing was sent: dialbridge is shutting down".to_owned()))
}

async fn read(response: Response) -> Result<Bytes, TransportError> {
    let mut body = response.body;
    let mut whole = Vec::new();
    while let Some(chunk) = body.next().await {
        whole.extend_from_slice(&chunk?);
        if whole.len() > MOST_BYTES {
            return Err(TransportError::Broken("the answer of the token address is too long".to_owned()));
        }
    }
    Ok(Bytes::from(whole))
}
