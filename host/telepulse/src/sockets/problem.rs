//! Answers of the host itself to HTTP requests: RFC 9457 problems with the language's codes.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use plugin_host::ports::{Body, BodyFailure, HttpFailure};
use serde_json::json;

/// A whole body.
pub(super) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// `application/problem+json` with `code` from contract section 2.
pub(super) fn problem(status: StatusCode, code: &str, detail: &str) -> Response<Body> {
    let title = status.canonical_reason().unwrap_or("Error");
    let text = json!({
        "type": "about:blank",
        "title": title,
        "status": status.as_u16(),
        "code": code,
        "detail": detail,
    });
    let mut response = Response::new(full(text.to_string()));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// 401, and how to log in.
pub(super) fn unauthorized(detail: &str) -> Response<Body> {
    let mut response = problem(StatusCode::UNAUTHORIZED, "unauthorized", detail);
    let ways = HeaderValue::from_static(r#"Basic realm="TelePulse", charset="UTF-8", Bearer"#);
    response.headers_mut().insert(header::WWW_AUTHENTICATE, ways);
    response
}

/// 429, and when to come again.
pub(super) fn too_many(detail: &str) -> Response<Body> {
    let mut response = problem(StatusCode::TOO_MANY_REQUESTS, "tooManyRequests", detail);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
    response
}

/// 503, and when to come again.
pub(super) fn not_running(plugin: &str) -> Response<Body> {
    let detail = format!(
        "{plugin}: the plugin is not running: it is being started, or GET /plugins on the admin API says \
         why not"
    );
    let mut response = problem(StatusCode::SERVICE_UNAVAILABLE, "serverUnavailable", &detail);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    response
}

/// What a client did wrong with its body.
pub(super) fn body(failure: BodyFailure) -> Response<Body> {
    let (status, code) = match failure {
        BodyFailure::TooLong(_) => (StatusCode::PAYLOAD_TOO_LARGE, "badRequest"),
        BodyFailure::TooSlow(_) => (StatusCode::REQUEST_TIMEOUT, "timeout"),
        BodyFailure::Broken => (StatusCode::BAD_REQUEST, "badRequest"),
    };
    problem(status, code, &failure.to_string())
}

/// Why a plugin did not answer.
pub(super) fn failure(plugin: &str, failure: HttpFailure) -> Response<Body> {
    let (status, code) = match failure {
        HttpFailure::NobodyAsks => return unauthorized(&failure.to_string()),
        HttpFailure::Body(failure) => return body(failure),
        HttpFailure::Forbidden => (StatusCode::FORBIDDEN, "forbidden"),
        HttpFailure::NotRunning => return not_running(plugin),
        HttpFailure::Failed => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        HttpFailure::TimedOut => (StatusCode::GATEWAY_TIMEOUT, "timeout"),
    };
    problem(status, code, &format!("{plugin}: {failure}"))
}
