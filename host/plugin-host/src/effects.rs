//! What an instance asks its task to do after a call: kept apart so that a build that is refused leaves no trace.

use crate::{ctx::InFlight, outgoing::Fetch, ports::Request};
use std::time::Duration;

/// Requests and timers, in the order in which they were asked for.
#[derive(Default)]
pub(crate) struct Effects {
    pub(crate) submits: Vec<Submit>,
    pub(crate) timers: Vec<TimerOp>,
}

/// A request whose answer goes to `replies.handle`.
pub(crate) struct Submit {
    pub(crate) id: u64,
    pub(crate) context: Vec<u8>,
    pub(crate) task: Task,
    /// The connection on whose behalf it is.
    pub(crate) conn: Option<u64>,
    pub(crate) place: InFlight,
}

/// What is to be done meanwhile.
pub(crate) enum Task {
    /// A request on the bus.
    Ask(Request),
    /// A request to a server outside.
    Fetch(Box<Fetch>),
}

/// An answer to a [`Submit`].
pub(crate) struct Reply {
    pub(crate) id: u64,
    pub(crate) context: Vec<u8>,
    /// The connection on whose behalf it was asked.
    pub(crate) conn: Option<u64>,
    pub(crate) answer: Result<bytes::Bytes, String>,
    /// Held until the plugin has the answer.
    pub(crate) _place: InFlight,
}

/// A change of the plugin's timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimerOp {
    Set { id: u64, delay: Duration, period: Option<Duration> },
    Cancel { id: u64 },
}
