//! The simulated dialler asked through its router, as a client would.

mod agents;
mod api;
mod offers;
mod switches;
mod writes;

use super::*;
use ::http::Method;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use tower::ServiceExt;

const BASE: &str = "/rest/v1.0/3";

/// A simulator in virtual time, at noon in Berlin's winter.
fn sim_with(change: impl FnOnce(&mut DiallerConfig)) -> DiallerSim {
    let env = Env::simulated("2026-01-12T11:00:00Z".parse().expect("a time"), 42);
    let mut config = DiallerConfig::default();
    change(&mut config);
    DiallerSim::new(config, env)
}

fn sim() -> DiallerSim {
    sim_with(|_| {})
}

async fn send(sim: &DiallerSim, method: Method, path: &str, body: Option<Value>) -> Response {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("{BASE}{path}"))
        .header("Authorization", "Bearer sim-token");
    if body.is_some() {
        request = request.header("Content-Type", "application/json");
    }
    let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
    sim.router().oneshot(request.body(body).expect("a request")).await.expect("infallible")
}

async fn bytes_of(answer: Response) -> (u16, Vec<u8>) {
    let status = answer.status().as_u16();
    (status, to_bytes(answer.into_body(), usize::MAX).await.expect("a whole body").to_vec())
}

/// Status and JSON body (null for an empty one).
async fn ask(sim: &DiallerSim, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
    let (status, body) = bytes_of(send(sim, method, path, body).await).await;
    let json = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).expect("JSON") };
    (status, json)
}

async fn get(sim: &DiallerSim, path: &str) -> (u16, Value) {
    ask(sim, Method::GET, path, None).await
}

async fn post(sim: &DiallerSim, path: &str, body: Value) -> (u16, Value) {
    ask(sim, Method::POST, path, Some(body)).await
}

async fn patch(sim: &DiallerSim, path: &str) -> (u16, Value) {
    ask(sim, Method::PATCH, path, None).await
}

async fn wait(sim: &DiallerSim, seconds: u64) {
    sim.env().sleep(Duration::from_secs(seconds)).await;
}

/// A contact that has been there for long.
fn one(sim: &DiallerSim, user_data: &str) -> i64 {
    sim.put(538, &[("UserData", user_data), ("Name", "Muster"), ("PhoneNumber1", "4930100")])
}
