//! A REST client as an integrator would write it.

use crate::platform::{Platform, TOKEN};
use anyhow::Result;
use reqwest::{Method, StatusCode};
use serde_json::Value;

/// An answer: status, JSON body (null if there is none), `Location`.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
    pub(crate) location: Option<String>,
}

/// Sends one request to the REST gateway as the user who may do everything.
pub(crate) async fn call(
    platform: &Platform,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> Result<Answer> {
    send(&platform.rest(path), method, body, Some(TOKEN)).await
}

/// Sends one request anywhere.
pub(crate) async fn send(
    url: &str,
    method: Method,
    body: Option<Value>,
    token: Option<&str>,
) -> Result<Answer> {
    let mut request = reqwest::Client::new().request(method, url);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if let Some(body) = body {
        request = request.json(&body);
    }
    let response = request.send().await?;
    let status = response.status();
    let location =
        response.headers().get("location").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let bytes = response.bytes().await?;
    let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes)? };
    Ok(Answer { status, body, location })
}
