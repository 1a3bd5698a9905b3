//! The span of an HTTP request at a gateway. Requests that only look are asked all the time and order
//! nothing: they have none.
//!
//! Paths are left out: calls and phone numbers are in them.

use crate::telemetry::{Name, Span, Tracer, key};
use http::{HeaderName, HeaderValue, Method, Request, StatusCode};
use telepulse_language::Principal;

/// The span above, as W3C Trace Context has it.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// The methods that order something.
const TRACED: [Method; 4] = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// Begins it below the client's own, and tells the plugin that it is the one above.
///
/// Whoever has not logged in orders nothing, and does not say what is followed either.
pub(super) fn begin<B>(
    tracer: &Tracer,
    request: &mut Request<B>,
    plugin: &str,
    who: Option<&Principal>,
) -> Span {
    let Some(who) = who else {
        request.headers_mut().remove(TRACEPARENT);
        return Span::default();
    };
    if !TRACED.contains(request.method()) {
        return Span::default();
    }
    let method = request.method().as_str();
    let above = request.headers().get(TRACEPARENT).and_then(|it| it.to_str().ok());
    let mut span = tracer.arrived(Name::Request(method), above);
    span.say_with(key::METHOD, || Some(method.to_owned()));
    span.say_with(key::PLUGIN, || Some(plugin.to_owned()));
    span.say_with(key::USER, || Some(who.name.clone()));
    if let Some(Ok(this)) = span.traceparent().map(HeaderValue::try_from) {
        request.headers_mut().insert(TRACEPARENT, this);
    }
    span
}

/// Says how it came.
pub(super) fn say(span: &mut Span, is_encrypted: bool) {
    span.say(key::SCHEME, if is_encrypted { "https" } else { "http" });
}

/// Ends it. That a client was refused is no failure of the server's.
pub(super) fn end(mut span: Span, status: StatusCode) {
    span.say(key::STATUS, i64::from(status.as_u16()));
    if status.is_server_error() {
        span.fail(|| status.as_u16().to_string(), status.canonical_reason().unwrap_or_default());
    }
}
