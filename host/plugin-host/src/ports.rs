//! What the plugin host needs from outside, as small traits: it knows no AMI and no sockets.
//!
//! Futures that ports return are driven by the runtime that started the host. Other functions, and
//! the end of guards, come from the guests' threads, most of them within that runtime's context
//! ([`Bus::publish`] without).

use crate::grants::{Origin, PolicyGrant};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::combinators::UnsyncBoxBody;
use std::{any::Any, net::SocketAddr, sync::Arc, time::Duration};
use telepulse_language::{Filter, Principal, Refusal};

/// Keeps a subscription, a listener's path or a mount alive; dropping it ends the thing.
pub type Guard = Box<dyn Any + Send + Sync>;

/// A message from the bus, shared by all who get it.
#[derive(Clone, Debug)]
pub struct BusEvent {
    /// Its number in the event stream; 0 outside `telepulse.event`.
    pub seq: u64,
    /// When it was published: nanoseconds since 1970, UTC.
    pub time_ns: u64,
    /// The address that it was published to.
    pub address: Arc<str>,
    /// The last token of the address, unescaped.
    pub kind: Arc<str>,
    /// The Asterisk server that it is about.
    pub server: Option<Arc<str>>,
    /// JSON, as written by the publisher.
    pub payload: Bytes,
}

/// The event bus, as a plugin's host functions and mailbox use it. Grants have been checked before.
pub trait Bus: Send + Sync + 'static {
    /// Publishes for a plugin. Never waits. The error is for the plugin's author.
    fn publish(&self, plugin: &str, address: &str, payload: Bytes) -> Result<(), String>;

    /// Sends a request and waits for the answer, at most `timeout`. With a principal the receiver
    /// checks that principal's rights; without one the plugin acts as itself.
    fn request(&self, request: Request) -> BoxFuture<'static, Result<Bytes, String>>;

    /// Delivers what is published under `addresses` (each takes everything below it, `*` stands for
    /// one token) to `sink`, in order, until the guard is dropped.
    fn subscribe(&self, addresses: &[String], sink: Arc<dyn EventSink>) -> Guard;

    /// The same in place of an earlier subscription: what both cover comes once each, without a gap.
    fn resubscribe(&self, before: Guard, addresses: &[String], sink: Arc<dyn EventSink>) -> Guard;
}

/// One request from a plugin.
#[derive(Clone, Debug)]
pub struct Request {
    /// Which plugin asks.
    pub plugin: Arc<str>,
    /// Whom it asks.
    pub address: String,
    /// What, as JSON.
    pub payload: Bytes,
    /// How long the answer may take.
    pub timeout: Duration,
    /// On whose behalf.
    pub principal: Option<Arc<Principal>>,
    /// The `traceparent` of the HTTP request that it is part of.
    pub trace: Option<Arc<str>>,
}

/// Values that plugins keep, each plugin in a space of its own. What was answered is kept. Errors are
/// sentences for the plugin's author.
pub trait Kv: Send + Sync + 'static {
    /// A value that is there, and whose time is not over.
    fn get(&self, plugin: &str, key: String) -> BoxFuture<'static, Result<Option<Bytes>, String>>;

    /// Changes one value; the plugin's values may then take `room` bytes, keys included, where the
    /// store counts them.
    fn change(
        &self,
        plugin: &str,
        room: u64,
        change: KvChange,
    ) -> BoxFuture<'static, Result<KvDone, String>>;

    /// Keys, in order.
    fn keys(&self, plugin: &str, keys: KvKeys) -> BoxFuture<'static, Result<Vec<String>, String>>;
}

/// A change of one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KvChange {
    /// It has this value from now on.
    Set {
        /// Which.
        key: String,
        /// What.
        value: Bytes,
        /// How long.
        ttl: Option<Duration>,
    },
    /// The same, if its value is `expected` now; `None` if it has none.
    CompareAndSwap {
        /// Which.
        key: String,
        /// What it must be.
        expected: Option<Bytes>,
        /// What it becomes.
        value: Bytes,
        /// How long.
        ttl: Option<Duration>,
    },
    /// It is removed.
    Take {
        /// Which.
        key: String,
    },
    /// It is a number, in decimal, and becomes another; 0 if it has no value. Its time stays.
    Increment {
        /// Which.
        key: String,
        /// What is added.
        by: i64,
    },
}

/// What became of a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KvDone {
    /// Whether the value was what the change expected.
    pub is_done: bool,
    /// What was taken.
    pub taken: Option<Bytes>,
    /// What a number became.
    pub number: Option<i64>,
}

/// Which keys are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KvKeys {
    /// They begin with it.
    pub prefix: String,
    /// They follow it.
    pub after: Option<String>,
    /// At most so many.
    pub max: u32,
}

/// Where commands are decided on: policy plugins ask to be asked.
pub trait Policies: Send + Sync + 'static {
    /// Has a plugin asked about the commands of its grant, until the guard is dropped; also while it
    /// is down: then its grant's `onFailure` counts.
    fn register(&self, plugin: &str, grant: PolicyGrant, handler: Arc<dyn PolicyHandler>) -> Guard;
}

/// A policy plugin.
pub trait PolicyHandler: Send + Sync + 'static {
    /// Decides on a command, given as JSON; without a verdict the error says why there is none.
    fn decide(
        &self,
        command: Bytes,
        who: Option<Arc<Principal>>,
    ) -> BoxFuture<'static, Result<Verdict, String>>;
}

/// What a policy plugin decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The command may be carried out.
    Allow,
    /// This one is to be carried out in its place, as JSON.
    Change(Bytes),
    /// It is not to be carried out, for this reason.
    Refuse(String),
}

/// Where commands come in that the core does not know: plugins ask to carry some out.
pub trait Commands: Send + Sync + 'static {
    /// Hands a plugin the commands of an action, until the guard is dropped. The error says who has it.
    fn register(
        &self,
        plugin: &str,
        action: &str,
        handler: Arc<dyn CommandHandler>,
    ) -> Result<Guard, String>;
}

/// A plugin that carries out commands.
pub trait CommandHandler: Send + Sync + 'static {
    /// Carries a command out, given as JSON; answers its result, as JSON.
    fn serve(
        &self,
        command: Bytes,
        who: Option<Arc<Principal>>,
    ) -> BoxFuture<'static, Result<Bytes, Refusal>>;
}

/// Messages of durable subscriptions, numbered from 1 in each plugin, until they are done.
pub trait Journal: Send + Sync + 'static {
    /// What is there of a plugin.
    fn open(&self, plugin: &Arc<str>) -> BoxFuture<'static, Result<Extent, String>>;

    /// Adds a message behind those that are there. Never waits: it is on disk soon after. Answers
    /// whether there is room for it on its way there.
    fn append(&self, plugin: &Arc<str>, number: u64, message: Bytes) -> bool;

    /// Removes a plugin's messages up to a number. Never waits.
    fn forget(&self, plugin: &Arc<str>, up_to: u64);

    /// A plugin's messages after a number, in order, at most so many; with all that was added before.
    fn read(
        &self,
        plugin: &Arc<str>,
        after: u64,
        most: usize,
    ) -> BoxFuture<'static, Result<Vec<(u64, Bytes)>, String>>;
}

/// What a journal holds of one plugin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// The number of the oldest message; 0 if there is none.
    pub first: u64,
    /// The number of the newest message; 0 if there is none.
    pub last: u64,
    /// Of all of them together.
    pub bytes: u64,
}

/// Figures that plugins keep: names, kinds and labels have been checked before.
pub trait Metrics: Send + Sync + 'static {
    /// Takes one. The error says why it is not told, like a name that another plugin uses for
    /// another kind of figure.
    fn record(
        &self,
        plugin: &str,
        name: &str,
        labels: &[(String, String)],
        measure: Measure,
    ) -> Result<(), String>;
}

/// What a plugin measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Measure {
    /// Added to a counter.
    Add(u64),
    /// A gauge is now this.
    Set(f64),
    /// Observed, for a histogram.
    Observe(f64),
}

/// Takes events for one plugin. Called on the publisher's path: must not wait.
pub trait EventSink: Send + Sync + 'static {
    /// Takes one event, or drops and counts by the plugin's `onFull`.
    fn deliver(&self, event: &Arc<BusEvent>);
}

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

/// A body of an HTTP message on its way through the host.
pub type Body = UnsyncBoxBody<Bytes, BodyError>;
/// Why a body broke off.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// Sends plugins' requests. Grants have been checked before, addresses have not: names are resolved
/// here, and where they lead is checked by [`crate::may_be_reached`].
pub trait Outgoing: Send + Sync + 'static {
    /// Sends a request to its origin and answers with the response; its body comes as it is read.
    fn send(
        &self,
        request: http::Request<Body>,
        origin: Origin,
        timeouts: Timeouts,
    ) -> BoxFuture<'static, Result<http::Response<Body>, OutgoingError>>;
}

/// How long the parts of a request may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Resolving, connecting and agreeing on TLS.
    pub connect: Duration,
    /// From there to the response's head.
    pub first_byte: Duration,
    /// Between two pieces of its body.
    pub between_bytes: Duration,
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub enum OutgoingError {
    /// The name leads nowhere.
    #[error("there is no host {0:?}")]
    NoSuchHost(String),
    /// The name leads where no plugin is let.
    #[error(
        "{host} is {address}: a loopback, private or special address is only reached by a grant that names it"
    )]
    Prohibited {
        /// The name.
        host: String,
        /// One of the addresses that it leads to.
        address: std::net::IpAddr,
    },
    /// Nobody takes the connection.
    #[error("connecting: {0}")]
    Connect(std::io::Error),
    /// It took too long.
    #[error("connecting took too long")]
    ConnectTimeout,
    /// The other side is not who it should be, or speaks no TLS.
    #[error("TLS: {0}")]
    Tls(std::io::Error),
    /// No head of a response came in time.
    #[error("the response took too long")]
    ResponseTimeout,
    /// What came is no HTTP.
    #[error("HTTP: {0}")]
    Http(String),
}

/// A plugin that answers HTTP requests.
pub trait HttpHandler: Send + Sync + 'static {
    /// Answers one request. `Authorization` has been taken out of it; the principal says who asks.
    fn handle(
        &self,
        request: http::Request<Body>,
        principal: Option<Arc<Principal>>,
    ) -> BoxFuture<'static, Result<http::Response<Body>, HttpFailure>>;
}

/// Why a request has no whole body. A listener that bounds bodies says so by it, as their error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyFailure {
    /// It has more bytes than may be: 413.
    #[error("a body may have {0} bytes")]
    TooLong(usize),
    /// It did not come in time: 408.
    #[error("the body took longer than {0:?}")]
    TooSlow(Duration),
    /// The client broke it off, or it is no body: 400.
    #[error("the body broke off")]
    Broken,
}

/// Why a plugin did not answer an HTTP request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpFailure {
    /// Nobody has logged in, and users with a certain right are let in only: 401.
    #[error("log in first")]
    NobodyAsks,
    /// The user has not that right: 403.
    #[error("you may not use it")]
    Forbidden,
    /// What was asked is not all there.
    #[error(transparent)]
    Body(#[from] BodyFailure),
    /// No instance runs: 503.
    #[error("the plugin is not running")]
    NotRunning,
    /// It trapped: 500.
    #[error("the plugin failed")]
    Failed,
    /// It took too long: 504.
    #[error("the plugin took too long")]
    TimedOut,
}

/// Everything from outside, handed to the plugin host at its start.
#[derive(Clone)]
pub struct Ports {
    /// The event bus.
    pub bus: Arc<dyn Bus>,
    /// WebSocket connections.
    pub connections: Arc<dyn Connections>,
    /// Listeners.
    pub listeners: Arc<dyn Listeners>,
    /// Values that they keep.
    pub kv: Arc<dyn Kv>,
    /// Where commands are decided on.
    pub policies: Arc<dyn Policies>,
    /// Where commands come in that the core does not know.
    pub commands: Arc<dyn Commands>,
    /// How requests are sent.
    pub outgoing: Arc<dyn Outgoing>,
    /// Messages that they have not done.
    pub journal: Arc<dyn Journal>,
    /// Where their figures are told.
    pub metrics: Arc<dyn Metrics>,
}
