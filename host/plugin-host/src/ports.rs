//! What the plugin host needs from outside, as small traits: it knows no AMI and no sockets.
//!
//! Futures that ports return are driven by the runtime that started the host. Other functions, and
//! the end of guards, come from the guests' threads, most of them within that runtime's context
//! ([`Bus::publish`] without).

mod clients;
mod decisions;
mod http;
mod messages;
mod placement;
mod values;

pub use clients::{
    Attached, CloseReason, ConnectionSink, Connections, Frame, Happening, Listeners, Live, OpenInfo,
};
pub use decisions::{CommandHandler, Commands, Policies, PolicyHandler, Verdict};
pub use http::{
    Body, BodyError, BodyFailure, HttpFailure, HttpHandler, Outgoing, OutgoingError, Timeouts,
};
pub use messages::{Bus, BusEvent, EventSink, Extent, Journal, Request};
pub use placement::{Everywhere, Needs, Part, Placement, Run, Seat, Settled, Where};
pub use values::{Kv, KvChange, KvDone, KvKeys, Measure, Metrics};

use std::{any::Any, sync::Arc};

/// Keeps a subscription, a listener's path or a mount alive; dropping it ends the thing.
pub type Guard = Box<dyn Any + Send + Sync>;

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
    /// On which nodes they run.
    pub placement: Arc<dyn Placement>,
}
