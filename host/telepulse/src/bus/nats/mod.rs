//! The bus between several processes, over NATS (`docs/scale.md`).
//!
//! What is within the process goes as on the bus of one process; NATS carries what another node wants.
//! Events go through one stream of JetStream, and every node, the one that said them too, reads them there:
//! so all have the same events in the same order under the same numbers.

mod asking;
mod complaint;
mod connect;
mod headers;
mod interest;
mod keeping;
mod label;
mod messages;
mod node;
mod order;
mod outbox;
mod outlet;
mod overdue;
mod parts;
mod publishing;
mod reading;
mod serving;
mod subjects;
mod telling;
mod terms;
#[cfg(test)]
pub(crate) mod tests;
mod waiting;
mod window;

use super::{
    Address, After, AlreadyServed, Below, Bus, Condition, EventSink, Guard, Headers, Incoming,
    Pattern, Reached, RequestError, Stream, beside::Beside, switchboard::Switchboard,
};
use crate::{config::Nats, nats::CredentialsError};
use asking::Asked;
use async_nats::{Client, jetstream};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use interest::Peers;
use keeping::Kept;
use node::{Connection, Figures, Node};
use outbox::Outbox;
use outlet::Outlet;
use parking_lot::Mutex;
use publishing::Publishing;
use reading::Reading;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use subjects::Subjects;
use telepulse_language::Event;
use telling::Telling;
use tokio::{
    runtime::Handle,
    sync::{Notify, mpsc, oneshot, watch},
    time::{Instant, sleep, timeout},
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};
use waiting::Waiting;
use window::Room;

/// How much may wait for NATS, and be on its way there.
const ROOM: Room = Room { events: 200_000, bytes: 128 << 20, under_way: 1024 };
/// What the headers of an event may take of what NATS takes at once: the label, the name of the node in it,
/// and what NATS adds.
const HEADERS: usize = label::MOST + 1024;
/// How long JetStream may take to answer.
const WITHIN: Duration = Duration::from_secs(5);
/// How long it may take to read the history.
const CATCH_UP: Duration = Duration::from_mins(2);
/// How long events and answers that were said last may take to get out.
const GOODBYE: Duration = Duration::from_secs(3);

/// A bus that reaches the other nodes of a platform.
pub struct NatsBus {
    node: Arc<Node>,
    beside: Beside,
    runtime: Handle,
    tasks: TaskTracker,
    _stop: DropGuard,
}

/// Why the bus did not start. It can be tried again: what stands outside may be put right.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// NATS cannot be reached.
    #[error("NATS cannot be reached at {places}: {why}; start it, or see [bus] url and ca")]
    Away {
        /// Where it was looked for.
        places: String,
        /// Why.
        why: String,
    },
    /// NATS does not let us in.
    #[error("NATS at {0} does not let us in: see [bus] user and password, token or credentials")]
    Refused(String),
    /// The credentials cannot be read.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The event stream cannot be had.
    #[error("the event stream {name} in NATS: {why}")]
    Stream {
        /// What it is called.
        name: String,
        /// Why.
        why: String,
    },
    /// NATS went away while we started.
    #[error("NATS went away while we started: {0}")]
    Lost(String),
}

impl NatsBus {
    /// Connects, and reads what the stream remembers; up to `history` events of it are kept here too.
    pub async fn start(
        settings: &Nats,
        name: &str,
        history: usize,
    ) -> Result<Arc<Self>, StartError> {
        Self::with_room(settings, name, history, ROOM).await
    }

    async fn with_room(
        settings: &Nats,
        name: &str,
        history: usize,
        room: Room,
    ) -> Result<Arc<Self>, StartError> {
        let figures = Arc::new(Figures::default());
        let (client, connection) = connect::connect(settings, name, &figures).await?;
        let subjects = Subjects::new(settings.prefix.as_deref());
        let mut jetstream = jetstream::new(client.clone());
        jetstream.set_timeout(WITHIN);
        let wanted = keeping::wanted(settings, history, subjects.events());
        let kept = keeping::keep(&jetstream, wanted.clone()).await?;
        let inboxes = Inboxes::open(&client).await?;
        let stop = CancellationToken::new();
        let (out, queue) = Outlet::open();
        let parts = Parts { name, subjects, client, connection, figures, room, history };
        let node = parts.node(&kept, &inboxes, out, stop.clone());
        let others = node.client.subscribe(node.subjects.nodes()).await.map_err(lost)?;

        let tasks = TaskTracker::new();
        let (caught_up, is_here) = oneshot::channel();
        let history = u64::try_from(history).unwrap_or(u64::MAX);
        let reading = Reading::new(node.clone(), jetstream, (wanted, kept), history, caught_up);
        let publishing = Publishing::new(node.clone(), inboxes.acks, inboxes.acknowledgements);
        tasks.spawn(messages::send_out(node.clone(), queue));
        tasks.spawn(asking::take_answers(node.clone(), inboxes.answers));
        tasks.spawn(publishing.run());
        tasks.spawn(reading.run());
        tasks.spawn(Telling::new(node.clone(), others).run());
        tasks.close();
        let weak = Arc::downgrade(&node);
        let beside = Beside::start(move |term, events| {
            weak.upgrade().map(|node| node.append(term, events)).is_some()
        });
        let runtime = Handle::current();
        let bus = Arc::new(Self { node, beside, runtime, tasks, _stop: stop.drop_guard() });
        if let Ok(Ok(())) = timeout(CATCH_UP, is_here).await {
            return Ok(bus);
        }
        let why = bus.node.trouble();
        Err(StartError::Lost(why.unwrap_or_else(|| "its history takes too long".to_owned())))
    }

    /// The name of this start of the node.
    pub(crate) fn name(&self) -> &str {
        &self.node.name
    }

    /// The connection, for what else the nodes share in NATS.
    pub(crate) fn client(&self) -> Client {
        self.node.client.clone()
    }
}

fn lost(error: impl std::fmt::Display) -> StartError {
    StartError::Lost(error.to_string())
}

/// What a node is made of.
struct Parts<'a> {
    name: &'a str,
    subjects: Subjects,
    client: Client,
    connection: watch::Receiver<Connection>,
    figures: Arc<Figures>,
    room: Room,
    history: usize,
}

impl Parts<'_> {
    fn node(
        self,
        kept: &Kept,
        inboxes: &Inboxes,
        out: Outlet,
        stop: CancellationToken,
    ) -> Arc<Node> {
        let Self { name, subjects, client, connection, figures, room, history } = self;
        let most = client.server_info().max_payload;
        Arc::new(Node {
            name: format!("{name}-{:016x}", rand::random::<u64>()).into(),
            subjects,
            board: Switchboard::new(Stream::new(kept.epoch.clone(), history)),
            client,
            most,
            peers: Peers::default().into_shared(),
            out,
            outbox: Mutex::new(Outbox::new(kept.last, room, most.saturating_sub(HEADERS))),
            filled: Notify::new(),
            doubt: Notify::new(),
            sure: AtomicU64::default(),
            waiting: Waiting::default(),
            asked: Asked::new(inboxes.asked.clone()),
            connection,
            figures,
            troubles: Mutex::default(),
            answering: TaskTracker::new(),
            closing: stop.child_token(),
            stop,
        })
    }
}

/// Where answers and acknowledgements come to.
struct Inboxes {
    asked: String,
    answers: async_nats::Subscriber,
    acks: String,
    acknowledgements: async_nats::Subscriber,
}

impl Inboxes {
    async fn open(client: &Client) -> Result<Self, StartError> {
        let (asked, acks) = (client.new_inbox(), client.new_inbox());
        let answers = client.subscribe(format!("{asked}.*")).await.map_err(lost)?;
        let acknowledgements = client.subscribe(format!("{acks}.*.*")).await.map_err(lost)?;
        Ok(Self { asked, answers, acks, acknowledgements })
    }
}

impl Bus for NatsBus {
    fn publish(&self, address: &Address, server: Option<&Arc<str>>, payload: Bytes) {
        if Switchboard::may_publish(address) {
            self.node.publish(address, server, &payload);
            self.node.board.hand_over(address, server, payload);
        }
    }

    fn wanted_below(&self, root: &Address) -> Below {
        self.node.board.wanted_below(root).or(self.node.peers.load().below(root))
    }

    fn subscriptions_changed(&self) -> watch::Receiver<u64> {
        self.node.board.changes().subscribe()
    }

    fn append_under(&self, term: u64, events: Vec<Event>) {
        self.node.append(term, events);
    }

    fn append_beside(&self, term: u64, events: Vec<Event>, after: After) {
        self.beside.append(term, events, after);
    }

    fn when_in(&self, then: Reached) {
        let node = &self.node;
        let last = || node.outbox.lock().window.last();
        node.waiting.until(last, || node.board.stream.tail(), then);
    }

    fn stream(&self) -> &Stream {
        &self.node.board.stream
    }

    fn subscribe(&self, patterns: &[Pattern], sink: Arc<dyn EventSink>) -> Guard {
        self.node.board.subscribe(patterns, sink)
    }

    fn resubscribe(&self, before: Guard, patterns: &[Pattern], sink: Arc<dyn EventSink>) -> Guard {
        self.node.board.resubscribe(&before, patterns, sink)
    }

    fn request(
        &self,
        address: &Address,
        payload: Bytes,
        headers: Headers,
    ) -> BoxFuture<'static, Result<Bytes, RequestError>> {
        if self.node.board.requests.is_served(address) {
            return self.node.board.requests.request(address, payload, headers);
        }
        asking::ask(&self.node, address, payload, &headers)
    }

    fn serve(
        &self,
        address: &Address,
        capacity: usize,
    ) -> Result<mpsc::Receiver<Incoming>, AlreadyServed> {
        let receiver = self.node.board.requests.serve(address, capacity)?;
        if let Some(server) = self.node.board.requests.server(address) {
            let serve = serving::serve(self.node.clone(), address.clone(), server);
            self.node.answering.spawn_on(serve, &self.runtime);
        }
        Ok(receiver)
    }

    fn condition(&self) -> Option<Condition> {
        let node = &self.node;
        let figures = &node.figures;
        let read = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        let (waiting, dropped) = {
            let outbox = node.outbox.lock();
            (outbox.window.len() as u64, outbox.dropped)
        };
        Some(Condition {
            trouble: node.trouble(),
            connections: node.connection.borrow().times,
            nodes: node.peers.load().count() as u64,
            events_sent: read(&figures.events_sent),
            events_again: read(&figures.events_again),
            events_taken: read(&figures.events_taken),
            events_waiting: waiting,
            events_dropped: dropped,
            messages_dropped: read(&figures.messages_dropped),
            messages_missed: read(&figures.slow),
        })
    }

    fn stop(&self) -> BoxFuture<'static, ()> {
        let (node, tasks) = (self.node.clone(), self.tasks.clone());
        Box::pin(async move {
            // Who asked us is answered; who asks now is told that we are no more, or another takes it.
            node.closing.cancel();
            node.answering.close();
            let until = Instant::now() + GOODBYE;
            let is_done = || {
                let is_answered = node.answering.is_empty() && node.out.is_empty();
                is_answered && node.outbox.lock().window.len() == 0
            };
            while !is_done() && node.is_up() && Instant::now() < until {
                sleep(Duration::from_millis(10)).await;
            }
            let left = node.outbox.lock().window.len();
            if left > 0 {
                tracing::error!(left, "events are lost: NATS did not take them before we stopped");
            }
            node.stop.cancel();
            // Who hangs is let go.
            let _ = timeout(GOODBYE, tasks.wait()).await;
            if node.is_up() {
                let _ = timeout(GOODBYE, node.client.flush()).await;
            }
        })
    }
}
