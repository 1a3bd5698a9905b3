//! Server-sent events (WHATWG HTML, section 9.2): the same connections as WebSockets, for clients that only
//! listen. A GET on a WebSocket's path that accepts `text/event-stream` gets what a WebSocket client
//! would get, one message an event; what to subscribe to is in the address, for the plugin to read.
//!
//! The `id` of a message is `EPOCH:SEQ`; browsers send the last one again when they reconnect.

use super::{
    connection::Socket,
    frame,
    outbox::Lane,
    problem,
    request::{Caller, Desk, refusal},
    routes::WebSocketMount,
    screening,
    visit::Visit,
    writer::Framing,
};
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use plugin_host::ports::{Body, CloseReason};
use tokio_util::io::ReaderStream;

/// What is between the connection and the response's body, in bytes.
const BUFFER: usize = 16 << 10;
const MEDIA_TYPE: &str = "text/event-stream";

/// Whether a request asks for a stream of events.
pub(super) fn is_wanted<B>(request: &Request<B>) -> bool {
    let accepts = request.headers().get_all(header::ACCEPT).iter();
    let mut accepts = accepts.filter_map(|value| value.to_str().ok()).flat_map(|it| it.split(','));
    request.method() == Method::GET
        && accepts.any(|kind| kind.split(';').next().unwrap_or_default().trim() == MEDIA_TYPE)
}

/// Answers with a stream; nobody can log in later, so the token comes with the request.
pub(super) async fn answer(
    desk: &Desk,
    caller: Caller,
    mount: WebSocketMount,
    request: Request<Incoming>,
) -> Response<Body> {
    let claim = request.headers().get(header::AUTHORIZATION);
    let principal = match desk.gate.header(caller.peer.ip(), claim).await {
        Ok(Some(principal)) => principal,
        Ok(None) => return problem::unauthorized("log in: send Authorization: Bearer TOKEN"),
        Err(refused) => return refusal(refused),
    };
    let peer = caller.peer.to_string();
    let mut info = screening::open_info(request.uri(), request.headers(), peer);
    info.principal = Some(principal);

    let (ours, theirs) = tokio::io::duplex(BUFFER);
    let (read, write) = tokio::io::split(ours);
    let epoch = desk.clients.hub().epoch();
    let framing = Framing::EventStream { epoch };
    let socket = Socket { read, write, lane: Lane::default(), early: Bytes::new(), framing };
    Visit { desk: desk.clone(), caller, mount, info }.begin(socket);
    let body = ReaderStream::new(theirs).map_ok(Frame::data).map_err(Into::into);
    let mut response = Response::new(StreamBody::new(body).boxed_unsync());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies that collect answers would keep events back.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    share(request.headers(), headers);
    response
}

/// A page that may connect may read.
fn share(asked: &HeaderMap, answer: &mut HeaderMap) {
    if let Some(origin) = asked.get(header::ORIGIN) {
        answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        answer.insert(header::VARY, HeaderValue::from_static("origin"));
    }
}

/// An event of the stream.
pub(super) fn event(out: &mut Vec<u8>, epoch: &str, seq: u64, json: &[u8]) {
    out.extend_from_slice(format!("id: {epoch}:{seq}\n").as_bytes());
    data(out, json);
}

/// What was framed for a WebSocket: a message, or a ping, which becomes a comment.
pub(super) fn framed(out: &mut Vec<u8>, bytes: &[u8]) {
    match frame::text_of(bytes) {
        Some(text) => data(out, text),
        None => out.extend_from_slice(b":\n\n"),
    }
}

/// The last words.
pub(super) fn close(reason: &CloseReason) -> Vec<u8> {
    let told = serde_json::json!({"code": reason.code, "reason": reason.text}).to_string();
    let mut out = b"event: close\n".to_vec();
    data(&mut out, told.as_bytes());
    out
}

/// JSON has no line breaks of its own; a text that has is several lines of data.
fn data(out: &mut Vec<u8>, text: &[u8]) {
    for line in text.split(|byte| matches!(byte, b'\n' | b'\r')) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use plugin_host::ports::Frame as Message;

    #[test]
    fn messages_are_events_of_the_stream() {
        let mut out = Vec::new();
        event(&mut out, "e1", 7, br#"{"event":"x"}"#);
        framed(&mut out, &frame::message(&Message::Text("a\nb".repeat(100))));
        framed(&mut out, &frame::PING);
        out.extend(close(&CloseReason { code: 4408, text: "too slow".to_owned() }));
        let long = "a\nb".repeat(100).replace('\n', "\ndata: ");
        let expected = format!(
            "id: e1:7\ndata: {{\"event\":\"x\"}}\n\ndata: {long}\n\n:\n\n\
             event: close\ndata: {{\"code\":4408,\"reason\":\"too slow\"}}\n\n"
        );
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn who_accepts_a_stream_gets_one() {
        let check = |method: &str, accept: &str, expected: bool| {
            let request = Request::builder().method(method).header("accept", accept);
            assert_eq!(is_wanted(&request.body(()).unwrap()), expected, "{method} {accept}");
        };
        check("GET", "text/event-stream", true);
        check("GET", "application/json, text/event-stream;q=0.9", true);
        check("GET", "*/*", false);
        check("POST", "text/event-stream", false);
    }
}
