//! Who may ask the simulated CRM: by a token in either header, by name and password, or by an access
//! token that was granted for the token and ends.

use super::SimCrm;
use super::settings::Login;
use crate::domain::Timestamp;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use serde_json::json;

/// An access token and its end.
#[derive(Debug, Clone)]
pub(super) struct Access {
    token: String,
    /// The secret it was granted for: a new one ends it.
    of: Login,
    ends: Timestamp,
}

impl SimCrm {
    /// Ends every access token before its time.
    pub fn revoke_access(&self) {
        self.access.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clear();
    }

    /// Whether these headers are those of somebody known.
    pub(super) fn admits(&self, headers: &HeaderMap) -> bool {
        let login = self.settings().login;
        let Login::Token(token) = &login else { return true };
        let is = |name: header::HeaderName, text: &str| {
            headers.get(name).and_then(|value| value.to_str().ok()).is_some_and(|given| given == text)
        };
        if is(header::AUTHORIZATION, &format!("Bearer {token}"))
            || is(header::AUTHORIZATION, &format!("Basic {}", base64(&format!("sim:{token}"))))
            || is(header::HeaderName::from_static("x-api-key"), token)
        {
            return true;
        }
        let now = self.env.now();
        let access = self.access.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        access.iter().any(|access| {
            access.ends > now
                && access.of == login
                && is(header::AUTHORIZATION, &format!("Bearer {}", access.token))
        })
    }
}

/// `POST /oauth/token`: the client is `sim`, its secret the token.
pub(super) async fn token(State(crm): State<SimCrm>, body: Bytes) -> Response {
    let settings = crm.settings();
    let form = String::from_utf8_lossy(&body).into_owned();
    let has = |pair: &str| form.split('&').any(|found| found == pair);
    let known = match &settings.login {
        Login::Open => true,
        Login::Token(token) => has("client_id=sim") && has(&format!("client_secret={token}")),
    };
    if !known {
        return (StatusCode::UNAUTHORIZED, Json(json!({ "error": "invalid_client" }))).into_response();
    }
    if !has("grant_type=client_credentials") {
        return (StatusCode::BAD_REQUEST, Json(json!({ "error": "unsupported_grant_type" }))).into_response();
    }
    let life = settings.access_life;
    let token = format!("access-{:016x}", crm.env.random_below(u64::MAX));
    let ends = crm.env.now() + TimeDelta::from_std(life).unwrap_or(TimeDelta::MAX);
    let granted = Access { token: token.clone(), of: settings.login, ends };
    crm.access.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(granted);
    Json(json!({ "access_token": token, "token_type": "Bearer", "expires_in": life.as_secs() }))
        .into_response()
}

fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: String = text.bytes().map(|byte| format!("{byte:08b}")).collect();
    let digit = |six: &[u8]| {
        let padded = format!("{:0<6}", String::from_utf8_lossy(six));
        char::from(DIGITS[usize::from_str_radix(&padded, 2).unwrap_or(0)])
    };
    let mut out: String = bits.as_bytes().chunks(6).map(digit).collect();
    while !out.len().is_multiple_of(4) {
        out.push('=');
    }
    out
}
