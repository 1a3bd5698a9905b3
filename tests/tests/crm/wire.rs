//! One HTTP request, and what came back.

use anyhow::Result;
use reqwest::{Client, Method, header};
use serde_json::Value;
use telepulse_tests::crm::Crm;

/// An answer; its body is null if there is none.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) retry_after: Option<String>,
}

/// Sends a request to a path of a CRM, with this `Authorization`.
pub(crate) async fn send(
    crm: &Crm,
    method: Method,
    path: &str,
    authorization: Option<&str>,
    body: Option<&Value>,
) -> Result<Answer> {
    let mut request = Client::new().request(method, format!("{}{path}", crm.url()));
    if let Some(authorization) = authorization {
        request = request.header(header::AUTHORIZATION, authorization);
    }
    if let Some(body) = body {
        request = request.json(body);
    }
    answer(request.send().await?).await
}

pub(crate) async fn answer(response: reqwest::Response) -> Result<Answer> {
    let status = response.status().as_u16();
    let retry_after = response.headers().get(header::RETRY_AFTER);
    let retry_after = retry_after.and_then(|value| value.to_str().ok()).map(str::to_owned);
    let bytes = response.bytes().await?;
    let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes)? };
    Ok(Answer { status, body, retry_after })
}

/// The access token that a CRM gives for a form.
pub(crate) async fn token(crm: &Crm, path: &str, form: &[(&str, &str)]) -> Result<Answer> {
    let request = Client::new().post(format!("{}{path}", crm.url())).form(form);
    answer(request.send().await?).await
}
