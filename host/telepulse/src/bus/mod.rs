//! The bus: where modules and plugins meet, by address alone.
//!
//! Nothing that publishes ever waits; who is slow deals with it on its own side (plugins' mailboxes
//! drop and count, connections lag and resynchronise). The bus of one process is [`LocalBus`]; everybody
//! holds it as `Arc<dyn Bus>`, and what is within the process is the same for all (`switchboard.rs`).

mod address;
mod beside;
mod entry;
mod leaves;
mod local;
pub(crate) mod nats;
mod requests;
mod stream;
mod subscriptions;
mod switchboard;

pub use address::{Address, AddressError, Below, MAX_LEN, Pattern};
pub use beside::After;
pub use entry::Entry;
pub(crate) use leaves::Leaves;
pub use local::LocalBus;
#[cfg(test)]
pub(crate) use nats::tests::NatsServer;
pub use nats::{NatsBus, StartError};
pub use plugin_host::ports::{EventSink, Guard};
pub(crate) use stream::Stand;
pub use stream::{Missed, Stream};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use std::{sync::Arc, time::Duration};
use telepulse_language::{Event, Principal};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};

/// A message as subscribers get it.
pub type Message = plugin_host::ports::BusEvent;

/// The root of the event stream: [`Bus::append`] alone publishes below it.
pub const EVENTS: &str = "telepulse.event";

/// Who is told a number of the stream.
pub type Reached = Box<dyn Waits>;

/// Waits for a number of the stream. Dropped, it is never told.
pub trait Waits: Send {
    /// Here it is.
    fn reached(self: Box<Self>, seq: u64);

    /// Whether nobody wants it any more.
    fn has_gone(&self) -> bool {
        false
    }
}

impl<F: FnOnce(u64) + Send> Waits for F {
    fn reached(self: Box<Self>, seq: u64) {
        self(seq);
    }
}

/// Whether an address is the root of the event stream or below it.
fn is_event(address: &str) -> bool {
    let below = address.strip_prefix(EVENTS);
    below.is_some_and(|below| below.is_empty() || below.starts_with('.'))
}

/// Publish, subscribe, request and serve, by address.
pub trait Bus: Send + Sync + 'static {
    /// Hands a message to whoever subscribed to its address. Never waits. Addresses below
    /// [`EVENTS`] are refused (and logged): events need their number from [`Bus::append`].
    fn publish(&self, address: &Address, server: Option<&Arc<str>>, payload: Bytes);

    /// What subscribers want of the addresses one token below `root`.
    fn wanted_below(&self, root: &Address) -> Below;

    /// Tells when somebody subscribed or went: then [`Bus::wanted_below`] may have another answer.
    fn subscriptions_changed(&self) -> watch::Receiver<u64>;

    /// Takes events for the stream, encodes each once, and as soon as each has its number keeps it in
    /// the history and publishes it to `telepulse.event.<type>`, in the stream's order for every
    /// subscriber. Never waits. When they have their numbers is for [`Bus::when_in`] to say: a stream
    /// that several processes share gives them later.
    fn append(&self, events: Vec<Event>) {
        self.append_under(0, events);
    }

    /// The same by who has the server that they are of, under this term: once something of a later term is in
    /// the stream, what still comes of an earlier one is left out of it. 0: of none, and always taken.
    fn append_under(&self, term: u64, events: Vec<Event>);

    /// The same on a thread of the bus's own, after what was given there before; then calls `after`
    /// there: the bus has them. For who has much else to do meanwhile, and bounds what is on its way.
    fn append_beside(&self, term: u64, events: Vec<Event>, after: After);

    /// Tells `then` once all that was appended here before is in the stream: a number up to which all of that
    /// is, and nothing that is appended here later. Where too many wait already it is dropped at once.
    fn when_in(&self, then: Reached);

    /// The event stream with its history.
    fn stream(&self) -> &Stream;

    /// Delivers what is published under `patterns` to `sink` until the guard is dropped; what
    /// several patterns cover comes once. A delivery under way may still arrive after the drop.
    fn subscribe(&self, patterns: &[Pattern], sink: Arc<dyn EventSink>) -> Guard;

    /// The same in place of an earlier subscription: what both cover comes once each, without a gap.
    fn resubscribe(&self, before: Guard, patterns: &[Pattern], sink: Arc<dyn EventSink>) -> Guard;

    /// Sends a request at once and waits for the answer until `headers.deadline`.
    fn request(
        &self,
        address: &Address,
        payload: Bytes,
        headers: Headers,
    ) -> BoxFuture<'static, Result<Bytes, RequestError>>;

    /// Takes the requests to an address. At most `capacity` wait; more are refused with
    /// [`RequestError::Full`]. Dropping the receiver gives the address free.
    fn serve(
        &self,
        address: &Address,
        capacity: usize,
    ) -> Result<mpsc::Receiver<Incoming>, AlreadyServed>;

    /// How a bus that reaches beyond this process is doing; `None` where there is nothing beyond.
    fn condition(&self) -> Option<Condition> {
        None
    }

    /// Sees off what was said here, and says good-bye.
    fn stop(&self) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// How a bus that reaches beyond this process is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// Why events do not come or go; `None`: they do.
    pub trouble: Option<String>,
    /// How often the connection was made.
    pub connections: u64,
    /// Other nodes.
    pub nodes: u64,
    /// Events that were sent, those that were sent again too.
    pub events_sent: u64,
    /// How often some had to be sent again.
    pub events_again: u64,
    /// Events that came from the stream.
    pub events_taken: u64,
    /// Events that are not acknowledged yet.
    pub events_waiting: u64,
    /// Events that were lost, because NATS was away for too long or did not take them; a `resync` made up for
    /// them.
    pub events_dropped: u64,
    /// Messages that did not go to other nodes.
    pub messages_dropped: u64,
    /// Messages of other nodes that were not heard, because we were too slow.
    pub messages_missed: u64,
}

/// What travels with a request beside its payload. Set by the host, never by who asks.
#[derive(Clone, Debug)]
pub struct Headers {
    /// On whose behalf; `None` for the host itself and for plugins that act as themselves.
    pub principal: Option<Arc<Principal>>,
    /// Which plugin sent it, if one did.
    pub plugin: Option<Arc<str>>,
    /// When nobody waits for the answer any more.
    pub deadline: Instant,
    /// The span that it is asked from, as a W3C `traceparent`; as a client sent it where we trace nothing.
    pub trace: Option<Arc<str>>,
}

impl Headers {
    /// The host's own request, to be answered within `timeout`.
    pub fn within(timeout: Duration) -> Self {
        Self::until(Instant::now() + timeout)
    }

    /// The host's own request, to be answered until then.
    pub fn until(deadline: Instant) -> Self {
        Self { principal: None, plugin: None, deadline, trace: None }
    }

    /// The same on behalf of a user.
    #[must_use]
    pub fn on_behalf_of(mut self, principal: Option<Arc<Principal>>) -> Self {
        self.principal = principal;
        self
    }

    /// The same, as part of a trace.
    #[must_use]
    pub fn traced(mut self, trace: Option<Arc<str>>) -> Self {
        self.trace = trace;
        self
    }

    /// The same, sent by a plugin.
    #[must_use]
    pub fn from_plugin(mut self, plugin: Arc<str>) -> Self {
        self.plugin = Some(plugin);
        self
    }
}

/// A request as its server gets it. Dropping `reply` answers with the refusal `internal`.
#[derive(Debug)]
pub struct Incoming {
    /// What was asked, as JSON.
    pub payload: Bytes,
    /// Who asks and until when.
    pub headers: Headers,
    /// Where the answer goes, as JSON.
    pub reply: oneshot::Sender<Bytes>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// No module or plugin serves the address.
    #[error("nobody serves {0}")]
    NobodyServes(String),
    /// Too many requests wait there already.
    #[error("too many requests wait at {0}; try again later")]
    Full(String),
    /// The deadline passed; whether the request was carried out is not known.
    #[error("no answer from {0} within the deadline")]
    Deadline(String),
    /// The request is larger than goes to another node: address and bytes that do.
    #[error("the request to {0} is too large: at most {1} bytes can be sent to another node")]
    TooLarge(String, usize),
}

/// The address has a server already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the address is served already")]
pub struct AlreadyServed;

#[cfg(test)]
mod tests;
