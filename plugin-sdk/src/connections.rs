//! WebSocket connections: their types, and what can be done with one's own.

use crate::host::with;
use serde::Serialize;
use telepulse_language::{Filter, Principal};

/// A WebSocket message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// UTF-8 text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
}

impl Frame {
    /// A text frame with `value` as JSON. Values that are no JSON (a map with keys that are no
    /// strings) give `null`: a mistake in the type, not in the data.
    pub fn json<T: Serialize>(value: &T) -> Self {
        Self::Text(serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned()))
    }
}

/// Why a connection ends: codes as in RFC 6455, section 7.4, and those of the contract (4401, 4408).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseReason {
    /// The code.
    pub code: u16,
    /// For people; at most 123 bytes.
    pub text: String,
}

impl CloseReason {
    /// A reason.
    pub fn new(code: u16, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}

/// What is known when a client has connected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenInfo {
    /// The connection's number.
    pub conn: u64,
    /// The client's address, like `192.0.2.7:50312`.
    pub peer: String,
    /// The path that it asked for.
    pub path: String,
    /// The query string.
    pub query: String,
    /// Names in lower case, without those that carry secrets.
    pub headers: Vec<(String, String)>,
    /// Who it is, if header or subprotocol brought a good token.
    pub principal: Option<Principal>,
}

/// A connection that was open before this instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Live {
    /// What the instance before left with [`set_tag`].
    pub tag: Vec<u8>,
    /// As at opening, with the principal of now.
    pub info: OpenInfo,
}

/// Where a feed starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// Events with greater numbers are held for the feed.
    pub seq: u64,
    /// The stream that `seq` counts in.
    pub epoch: String,
    /// Whether everything after `since` is held: then no snapshot is needed.
    pub replayed: bool,
}

/// Verifies a token and binds its principal to the connection. The error is for the client.
pub fn login(conn: u64, token: &str) -> Result<Principal, String> {
    with(|host| host.login(conn, token))
}

/// Attaches a feed, held: matching events are kept until [`release`]. `feed` is the plugin's own
/// number for it. `since` asks for what came after an event of an epoch.
pub fn attach(
    conn: u64,
    feed: u64,
    filter: &Filter,
    since: Option<(&str, u64)>,
) -> Result<Attached, String> {
    with(|host| host.attach(conn, feed, filter, since))
}

/// Sends `reply`, then what was held, then events as they come. Of a server in `after`, held events
/// up to that number are dropped: the snapshot in the reply has them.
pub fn release(conn: u64, feed: u64, reply: Frame, after: Vec<(String, u64)>) {
    with(|host| host.release(conn, feed, reply, after));
}

/// Ends a feed; unknown numbers are no error.
pub fn detach(conn: u64, feed: u64) {
    with(|host| host.detach(conn, feed));
}

/// Queues frames on connections; answers those that did not take them (full or gone).
pub fn send(conns: &[u64], frames: Vec<Frame>) -> Vec<u64> {
    with(|host| host.send(conns, frames))
}

/// Leaves bytes (at most 4 KiB) that [`crate::ConnectionHandler::resumed`] gives to the next instance.
pub fn set_tag(conn: u64, tag: &[u8]) {
    with(|host| host.set_tag(conn, tag));
}

/// Sends what is queued, then a close frame.
pub fn close(conns: &[u64], reason: CloseReason) {
    with(|host| host.close(conns, reason));
}
