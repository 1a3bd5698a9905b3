//! Reading bodies: of the right type, bounded, and not for ever.

use super::problem::Problem;
use axum::{
    extract::Request,
    http::{HeaderMap, StatusCode, header},
};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Map, Value};
use std::time::Duration;
use telepulse_language::{Code, MAX_BYTES};
use tokio::time::timeout;

/// The largest component that can be uploaded; components made from Python have 18 MB.
const MAX_COMPONENT: usize = 64 << 20;
/// How long a JSON body may take to arrive.
const JSON_WITHIN: Duration = Duration::from_secs(10);
/// How long a component may take to arrive.
const COMPONENT_WITHIN: Duration = Duration::from_mins(2);

/// The JSON object that the request brings.
pub(super) async fn json(request: Request) -> Result<Map<String, Value>, Problem> {
    if media_type(request.headers()).as_deref() != Some("application/json") {
        return Err(wrong_type("send JSON, with Content-Type: application/json"));
    }
    let bytes = read(request, MAX_BYTES, JSON_WITHIN).await?;
    Ok(telepulse_language::object(&bytes)?)
}

/// The same, where nothing stands for nothing asked for.
pub(super) async fn json_or_none(request: Request) -> Result<Map<String, Value>, Problem> {
    none(request.headers())?;
    let bytes = read(request, MAX_BYTES, JSON_WITHIN).await?;
    if bytes.is_empty() { Ok(Map::new()) } else { Ok(telepulse_language::object(&bytes)?) }
}

/// The component that the request brings.
pub(super) async fn component(request: Request) -> Result<Bytes, Problem> {
    let kind = media_type(request.headers());
    if !matches!(kind.as_deref(), Some("application/wasm" | "application/octet-stream")) {
        return Err(wrong_type("send a component, with Content-Type: application/wasm"));
    }
    read(request, MAX_COMPONENT, COMPONENT_WITHIN).await
}

/// Orders have no body; one of another type than JSON is a form of a web page.
pub(super) fn none(headers: &HeaderMap) -> Result<(), Problem> {
    match media_type(headers).as_deref() {
        None | Some("application/json") => Ok(()),
        Some(_) => Err(wrong_type("send no body, or JSON with Content-Type: application/json")),
    }
}

fn wrong_type(message: &str) -> Problem {
    Problem::new(Code::BadRequest, message).with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE)
}

/// The type without parameters, in small letters; a header that cannot be read is no type.
fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default();
    Some(kind.trim().to_ascii_lowercase())
}

async fn read(request: Request, max: usize, within: Duration) -> Result<Bytes, Problem> {
    let too_large = || {
        Problem::new(Code::BadRequest, format!("the body has more than {max} bytes"))
            .with_status(StatusCode::PAYLOAD_TOO_LARGE)
    };
    let announced = request.headers().get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > max) {
        return Err(too_large());
    }
    let collected = timeout(within, Limited::new(request.into_body(), max).collect()).await;
    match collected {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(Problem::new(Code::BadRequest, "the body broke off")),
        Err(_) => Err(Problem::new(Code::Timeout, "the body took too long")
            .with_status(StatusCode::REQUEST_TIMEOUT)),
    }
}
