//! Sockets: where clients connect. Listeners that plugins ask for, HTTP requests handed to them, and
//! WebSocket connections that the host owns, so that a plugin can be swapped without a client
//! noticing.
//!
//! Nothing here knows what clients and plugins say to each other; but who a client is has been found
//! out here, before a plugin hears of it.

mod body;
mod clients;
mod connection;
mod deflate;
mod event_stream;
mod forwarded;
mod frame;
mod gate;
mod halves;
mod inlet;
mod listener;
mod outbox;
mod pool;
mod problem;
mod request;
mod routes;
mod screening;
#[cfg(test)]
mod tests;
mod traced;
mod unfold;
mod upgrade;
mod visit;
mod writer;

pub use clients::{Client, Clients};
pub use gate::{Gate, Refused};
pub use pool::ListenerPool;

pub(crate) use frame::message as encode;
pub(crate) use routes::{HttpMount, WebSocketMount};

use crate::telemetry::Tracer;
use ipnet::IpNet;
use std::{num::NonZeroU32, time::Duration};

const A_HUNDRED: NonZeroU32 = NonZeroU32::new(100).expect("not zero");
const A_MEBIBYTE: NonZeroU32 = NonZeroU32::new(1 << 20).expect("not zero");

/// Limits and deadlines of everything that clients can do to a socket.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Sockets open at a time, on each listener.
    pub connections: usize,
    /// How long a client may take to send the head of a request, from the first moment on.
    pub head_timeout: Duration,
    /// How long a client may take to send the body of a request, all of it.
    pub body_timeout: Duration,
    /// The largest body of a request, in bytes.
    pub body_bytes: usize,
    /// The largest WebSocket message that a client may send, in bytes.
    pub message_bytes: usize,
    /// How many messages a second a WebSocket client may send, twice as many at once; the rest is read later.
    pub messages_a_second: NonZeroU32,
    /// How many bytes a second are read from it, twice as many at once.
    pub bytes_a_second: NonZeroU32,
    /// How often a WebSocket client is pinged; two pings without any sign of life end it.
    pub ping_every: Duration,
    /// How long a WebSocket client may take nothing of what is sent to it.
    pub stall_timeout: Duration,
    /// How long any client may acknowledge nothing of what is sent to it: then the connection ends, and with
    /// it whatever is read for it, as a file is.
    pub idle_timeout: Duration,
    /// How long a closed WebSocket waits for the client's side of it.
    pub close_timeout: Duration,
    /// What may wait for one client.
    pub outbox: Room,
    /// How long a path may be without its plugin before its clients are told to come back later.
    pub vacant_for: Duration,
    /// Proxies whose word counts on whose request it is.
    pub proxies: Vec<IpNet>,
    /// What begins the traces of requests.
    pub(crate) tracer: Tracer,
}

/// What may wait for one WebSocket client.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Events; one more, and the client lags.
    pub events: usize,
    /// The events' bytes.
    pub event_bytes: usize,
    /// All bytes, replies and snapshots included; past that the client is cut (4408).
    pub bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connections: 20_000,
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            body_bytes: 1 << 20,
            message_bytes: 64 << 10,
            messages_a_second: A_HUNDRED,
            bytes_a_second: A_MEBIBYTE,
            ping_every: Duration::from_secs(20),
            stall_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_mins(1),
            close_timeout: Duration::from_secs(5),
            outbox: Room { events: 1024, event_bytes: 256 << 10, bytes: 8 << 20 },
            vacant_for: Duration::from_secs(2),
            proxies: Vec::new(),
            tracer: Tracer::default(),
        }
    }
}
