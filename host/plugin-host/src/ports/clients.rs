//! Clients: their connections, and where sockets are accepted.

use super::{Guard, HttpHandler};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use std::{net::SocketAddr, sync::Arc};
use telepulse_language::{Filter, Principal};

/// One WebSocket message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// UTF-8.
    Text(String),
    /// Any bytes.
    Binary(Bytes),
}

/// Why a connection was or is to be closed (RFC 6455, section 7.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseReason {
    /// The status code.
    pub code: u16,
    /// For a person; at most 123 bytes reach the wire.
    pub text: String,
}

/// What is known of a connection when it opened.
#[derive(Clone, Debug)]
pub struct OpenInfo {
    /// The host's id for it, never used twice.
    pub conn: u64,
    /// The client's address.
    pub peer: String,
    /// Path of the request.
    pub path: String,
    /// Query string, without a token.
    pub query: String,
    /// Headers that the plugin may see, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Who it is, if header or subprotocol told.
    pub principal: Option<Arc<Principal>>,
}

/// A connection that outlived the instance before.
#[derive(Clone, Debug)]
pub struct Live {
    /// What the last instance left with it.
    pub tag: Bytes,
    /// As at opening, with the principal of now.
    pub info: OpenInfo,
}

/// Something that happened on a plugin's connection.
#[derive(Clone, Debug)]
pub enum Happening {
    /// A client connected.
    Open(OpenInfo),
    /// The client sent frames.
    Frames(u64, Vec<Frame>),
    /// The client was too slow: so many events were dropped, its feeds are on hold.
    Lagged(u64, u64),
    /// The connection is gone.
    Closed(u64, CloseReason),
}

/// Takes what happens on a plugin's connections.
pub trait ConnectionSink: Send + Sync + 'static {
    /// Queues one happening; waits while the plugin's mailbox is full, which stops the reading of
    /// that client's socket and of no other.
    fn happened(&self, happening: Happening) -> BoxFuture<'_, ()>;
}

/// Where a feed starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// Events with greater numbers are held for the feed.
    pub seq: u64,
    /// The stream that `seq` counts in.
    pub epoch: String,
    /// Whether everything after `since` is held.
    pub replayed: bool,
}

/// WebSocket connections, owned by the host. A plugin reaches its own connections only.
pub trait Connections: Send + Sync + 'static {
    /// Verifies a token and binds its principal to the connection. The error is for the client.
    fn login(&self, plugin: &str, conn: u64, token: &str) -> Result<Arc<Principal>, String>;
    /// The connection's principal, if it has logged in.
    fn principal(&self, plugin: &str, conn: u64) -> Option<Arc<Principal>>;
    /// Attaches a feed, held until [`Connections::release`].
    fn attach(
        &self,
        plugin: &str,
        conn: u64,
        feed: u64,
        filter: Filter,
        since: Option<(String, u64)>,
    ) -> Result<Attached, String>;
    /// Sends the reply, then what was held beyond `after` (server, number), then events as they come.
    fn release(&self, plugin: &str, conn: u64, feed: u64, reply: Frame, after: &[(String, u64)]);
    /// Ends a feed.
    fn detach(&self, plugin: &str, conn: u64, feed: u64);
    /// Queues frames; answers the ids that did not take them.
    fn send(&self, plugin: &str, conns: &[u64], frames: &[Frame]) -> Vec<u64>;
    /// Remembers bytes for the plugin's next instance.
    fn set_tag(&self, plugin: &str, conn: u64, tag: Bytes);
    /// Closes connections after what is queued.
    fn close(&self, plugin: &str, conns: &[u64], reason: CloseReason);
    /// The plugin's connections that are open now.
    fn live(&self, plugin: &str) -> Vec<Live>;
}

/// Where sockets are accepted: plugins ask for paths on listeners.
pub trait Listeners: Send + Sync + 'static {
    /// Accepts WebSockets on a path for a plugin, until the guard is dropped. A listener is bound at
    /// its first use. The error names address, path and who has it.
    fn websocket(
        &self,
        plugin: &str,
        listen: SocketAddr,
        path: &str,
        origins: &[String],
        sink: Arc<dyn ConnectionSink>,
    ) -> BoxFuture<'static, Result<Guard, String>>;

    /// Sends HTTP requests under a path to a plugin, until the guard is dropped; the longest path wins.
    fn http(
        &self,
        plugin: &str,
        listen: SocketAddr,
        path: &str,
        handler: Arc<dyn HttpHandler>,
    ) -> BoxFuture<'static, Result<Guard, String>>;

    /// Tells whoever asks below a path that its plugin is not there yet, until the guard is dropped. It takes
    /// the path from nobody: where another answers at the very path, that one does.
    fn announce(
        &self,
        plugin: &str,
        listen: SocketAddr,
        path: &str,
    ) -> BoxFuture<'static, Result<Guard, String>>;
}
