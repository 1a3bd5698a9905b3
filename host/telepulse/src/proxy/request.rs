//! What can be asked of a link's task, and the handle to ask it.

use super::{Goal, describe::describe, figures::Figures};
use crate::{ari, bus::Bus, cluster::Place, config::Server, telemetry::Trace};
use bytes::Bytes;
use std::sync::Arc;
use telepulse_language::{
    Code, Command, Device, DeviceChannel, Filter, Principal, Query, Refusal, ServerState, SmolStr,
    Snapshot, Timestamp,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

/// Requests that may wait for a link's task; more are refused as `tooManyRequests`.
pub(crate) const QUEUE: usize = 256;

/// One question to a link, with the place for its answer.
pub(crate) enum Ask {
    /// Plan a command against the model, send it, answer when Asterisk did.
    Command {
        command: Command,
        who: Option<Arc<Principal>>,
        deadline: Instant,
        trace: Trace,
        reply: Answer<serde_json::Value>,
    },
    /// Send one checked action and answer with what came back, as JSON.
    Action { action: ami_proto::Action, deadline: Instant, trace: Trace, reply: Answer<Bytes> },
    /// Compare the model with what the server lists, and mend it.
    Audit { reply: Answer<serde_json::Value> },
    /// The state of the model, as of the stream's end.
    Query { query: Query, reply: oneshot::Sender<Part> },
    /// Whose phones these channels are at.
    Devices { channels: Vec<DeviceChannel>, filter: Filter, reply: oneshot::Sender<Vec<Device>> },
    /// Whether what the command is about is here.
    Knows { command: Command, reply: oneshot::Sender<bool> },
}

/// Where the answer goes that may be a refusal.
pub(crate) type Answer<T> = oneshot::Sender<Result<T, Refusal>>;

/// What one server adds to a query's answer.
#[derive(Debug)]
pub(crate) struct Part {
    /// The server.
    pub server: String,
    /// The model has every event of this server up to here.
    pub seq: u64,
    /// What the query asked for.
    pub items: Snapshot,
}

/// Where a link stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Status {
    pub state: ServerState,
    pub reason: Option<String>,
    pub asterisk: Option<String>,
    pub since: Timestamp,
}

impl Status {
    /// The status as the language's item and as `telepulse.proxy.status` has it.
    pub(crate) fn item(&self, server: &str) -> telepulse_language::Server {
        telepulse_language::Server {
            server: server.into(),
            state: self.state,
            reason: self.reason.as_deref().map(SmolStr::new),
            asterisk: self.asterisk.as_deref().map(SmolStr::new),
            since: self.since,
        }
    }
}

impl From<telepulse_language::Server> for Status {
    fn from(item: telepulse_language::Server) -> Self {
        let text = |text: Option<SmolStr>| text.map(|text| text.to_string());
        let telepulse_language::Server { state, reason, asterisk, since, .. } = item;
        Self { state, reason: text(reason), asterisk: text(asterisk), since }
    }
}

/// A handle to one link's task.
#[derive(Clone)]
pub(crate) struct LinkHandle {
    pub server: Arc<Server>,
    pub asks: mpsc::Sender<Ask>,
    pub status: watch::Receiver<Status>,
    pub figures: Arc<Figures>,
    /// What the operator wants.
    pub goal: watch::Sender<Goal>,
    /// What comes of it on this node.
    pub(super) here: watch::Receiver<Goal>,
    /// Which node has the server.
    pub place: Arc<Place>,
    pub done: CancellationToken,
    /// The server's ARI, if it has one.
    pub ari: Option<ari::Handle>,
}

impl LinkHandle {
    /// Whether this node has the server.
    pub(crate) fn is_here(&self) -> bool {
        self.place.is_here()
    }

    /// Begins anew, and shows the server.
    pub(super) fn restart(&self) -> serde_json::Value {
        self.goal.send_modify(|goal| *goal = goal.running(1));
        describe(self)
    }

    /// Asks without waiting for room; the refusal says that the server is busy or gone.
    pub(crate) fn ask(&self, ask: Ask) -> Result<(), Refusal> {
        self.asks.try_send(ask).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Refusal::new(
                Code::TooManyRequests,
                format!(
                    "server {:?} has {QUEUE} requests waiting; try again later",
                    self.server.id
                ),
            ),
            mpsc::error::TrySendError::Closed(_) => unavailable(&self.server.id, "it was stopped"),
        })
    }

    /// Channels by extension, as ARI tells them; none where there is no ARI.
    pub(crate) async fn devices(&self, filter: Filter) -> Vec<Device> {
        let Some(ari) = &self.ari else { return Vec::new() };
        let (channels, (reply, answer)) = (ari.channels().await, oneshot::channel());
        match self.ask(Ask::Devices { channels, filter, reply }) {
            Ok(()) => answer.await.unwrap_or_default(),
            Err(_) => Vec::new(),
        }
    }

    /// The same link, with the ARI of a server that differs in nothing else.
    pub(crate) async fn with_ari(&self, server: Server, bus: &Arc<dyn Bus>) -> Self {
        if let Some(ari) = &self.ari {
            ari.end();
            ari.ended().await;
        }
        let server = Arc::new(server);
        let ari = ari::spawn(&server, self.here.clone(), bus);
        Self { server, ari, ..self.clone() }
    }

    /// Waits until all tasks of the server have ended.
    pub(crate) async fn ended(&self) {
        self.done.cancelled().await;
        if let Some(ari) = &self.ari {
            ari.ended().await;
        }
    }

    /// Sends one question built around a reply channel and waits for the answer.
    pub(crate) async fn answer<T>(&self, ask: impl FnOnce(Answer<T>) -> Ask) -> Result<T, Refusal> {
        let (reply, answer) = oneshot::channel();
        self.ask(ask(reply))?;
        answer.await.unwrap_or_else(|_| Err(unavailable(&self.server.id, "it was stopped")))
    }
}

/// The refusal of whatever needs a server that is not connected.
pub(crate) fn unavailable(server: &str, why: &str) -> Refusal {
    Refusal::new(
        Code::ServerUnavailable,
        format!("server {server:?} is not available: {why}; nothing was sent"),
    )
}
