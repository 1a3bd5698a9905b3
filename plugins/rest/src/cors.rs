//! Cross-origin requests of browsers (the Fetch standard's CORS protocol): pages of the origins that the
//! operator lists may read answers. Rights come from the token, never from a cookie.

use telepulse_plugin_sdk::http::{Request, Response};

/// What pages may send.
const HEADERS: &str = "authorization, content-type, idempotency-key, if-none-match";
/// What of an answer's headers pages may read.
const SHOWN: &str = "etag, idempotency-replayed, link, location, retry-after";
/// How long a browser need not ask again, in seconds.
const REMEMBER: &str = "600";

/// Answers what a browser asks before it sends a page's request.
pub(crate) fn preflight(request: &Request, response: Response) -> Response {
    if request.header("access-control-request-method").is_none() {
        return response;
    }
    let methods = response.header("allow").unwrap_or_default().to_owned();
    response
        .with_header("access-control-allow-methods", methods)
        .with_header("access-control-allow-headers", HEADERS)
        .with_header("access-control-max-age", REMEMBER)
}

/// Lets the page read the answer if its origin is listed.
pub(crate) fn shared(request: &Request, response: Response, listed: &[String]) -> Response {
    let response = response.with_header("vary", "origin");
    let Some(origin) = request.header("origin").filter(|origin| *origin != "null") else {
        return response;
    };
    if !listed.iter().any(|known| known.eq_ignore_ascii_case(origin)) {
        return response;
    }
    response
        .with_header("access-control-allow-origin", origin)
        .with_header("access-control-expose-headers", SHOWN)
}
