//! What a link says on the bus: its status, its raw events, and the language's events.

use super::{
    away::Away,
    request::{Part, Status},
};
use crate::{
    bus::{Address, Below, Bus, Leaves, Waits},
    cluster::Term,
};
use ami_proto::Message;
use bytes::Bytes;
use std::sync::Arc;
use telepulse_language::{Event, ServerState, ServerStatus, SmolStr, Snapshot};
use tokio::sync::{oneshot, watch};

/// From so many on, a batch is encoded on the bus's own thread while the link reads on; for fewer,
/// waking that thread would cost more than it saves.
const MANY: usize = 32;

/// A part of a query that lacks its number.
struct Answer {
    server: String,
    items: Snapshot,
    reply: oneshot::Sender<Part>,
}

impl Waits for Answer {
    fn reached(self: Box<Self>, seq: u64) {
        let Self { server, items, reply } = *self;
        // Whoever asked may have gone: nobody to tell.
        let _ = reply.send(Part { server, seq, items });
    }

    fn has_gone(&self) -> bool {
        self.reply.is_closed()
    }
}

/// The voice of one server on the bus.
pub(super) struct Publisher {
    server: Arc<str>,
    bus: Arc<dyn Bus>,
    status: watch::Sender<Status>,
    /// Raw events; `None` if the server's id makes no address.
    raw: Option<Leaves>,
    /// Events of the language that are not in the stream yet: many cost little more than one there.
    pending: Vec<Event>,
    away: Arc<Away>,
    /// Under which term this node has the server; 0 where there are no other nodes.
    term: u64,
}

impl Publisher {
    pub(super) fn new(server: &str, bus: Arc<dyn Bus>) -> Self {
        let status = Status {
            state: ServerState::Disconnected,
            reason: None,
            asterisk: None,
            since: super::now(),
        };
        let raw = Leaves::below(bus.clone(), &["telepulse", "proxy", "event", server]);
        Self {
            server: server.into(),
            bus,
            status: watch::Sender::new(status),
            raw: raw.ok(),
            pending: Vec::new(),
            away: Arc::default(),
            term: 0,
        }
    }

    /// What is told from now on is told under this term.
    pub(super) fn under(&mut self, term: Option<Term>) {
        self.term = term.map_or(0, |term| term.revision);
    }

    /// Says when all that was told is in the stream.
    pub(super) fn told(&mut self, told: oneshot::Sender<()>) {
        self.flush();
        let bus = self.bus.clone();
        self.send(Vec::new(), move || {
            // Who does not wait any more need not know.
            bus.when_in(Box::new(move |_| {
                let _ = told.send(());
            }));
        });
    }

    /// Notes what another node says of its server, and tells nobody: that node does.
    pub(super) fn know(&mut self, item: Option<telepulse_language::Server>) {
        let unknown = || Status {
            state: ServerState::Disconnected,
            reason: Some("how it is at the node that has it is not known".to_owned()),
            asterisk: None,
            since: super::now(),
        };
        self.status.send_replace(item.map_or_else(unknown, Status::from));
    }

    pub(super) fn status(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    pub(super) fn current(&self) -> Status {
        self.status.borrow().clone()
    }

    /// Which raw events somebody reads.
    pub(super) fn wanted(&self) -> Below {
        self.raw.as_ref().map_or_else(Below::none, Leaves::wanted)
    }

    /// Answers with this server's part of a query and the number of the event that it is true as of:
    /// once all that was said before is in the stream.
    pub(super) fn part(&mut self, items: Snapshot, reply: oneshot::Sender<Part>) {
        self.flush();
        let server = self.server.to_string();
        let answer = Box::new(Answer { server, items, reply });
        if self.away.is_none() {
            self.bus.when_in(answer);
        } else {
            let bus = self.bus.clone();
            self.send(Vec::new(), move || bus.when_in(answer));
        }
    }

    /// Where events go that are to be told; [`Publisher::flush`] tells them.
    pub(super) fn pending(&mut self) -> &mut Vec<Event> {
        &mut self.pending
    }

    /// Appends what is pending to the event stream.
    pub(super) fn flush(&mut self) {
        if !self.pending.is_empty() {
            // The next batch will be about as large.
            let room = Vec::with_capacity(self.pending.len());
            let events = std::mem::replace(&mut self.pending, room);
            if events.len() < MANY && self.away.is_none() {
                self.bus.append_under(self.term, events);
            } else {
                self.send(events, || {});
            }
        }
    }

    fn send(&self, events: Vec<Event>, then: impl FnOnce() + Send + 'static) {
        let away = self.away.clone();
        away.go();
        self.bus.append_beside(
            self.term,
            events,
            Box::new(move || {
                then();
                away.arrive();
            }),
        );
    }

    /// What is on its way into the stream.
    pub(super) fn away(&self) -> &Away {
        &self.away
    }

    /// Tells a new state, on `telepulse.proxy.status` and as `serverStatus`.
    pub(super) fn state(&mut self, state: ServerState, reason: Option<&str>) {
        let now = super::now();
        let reason = reason.map(str::to_owned);
        let same = |old: &Status| old.state == state && old.reason == reason;
        let changed = self.status.send_if_modified(|old| {
            if same(old) {
                return false;
            }
            *old =
                Status { state, reason: reason.clone(), asterisk: old.asterisk.take(), since: now };
            true
        });
        if !changed {
            return;
        }
        tracing::info!(server = %self.server, state = ?state, reason, "server status");
        self.tell_status();
        self.pending.push(Event {
            server: SmolStr::new(&self.server),
            time: now,
            agent: None,
            queue: None,
            details: ServerStatus { state, reason: reason.map(SmolStr::from) }.into(),
        });
        self.flush();
    }

    /// Remembers Asterisk's version and tells it with the status.
    pub(super) fn asterisk(&mut self, version: String) {
        let changed = self.status.send_if_modified(|status| {
            let new = Some(version);
            let changed = status.asterisk != new;
            status.asterisk = new;
            changed
        });
        if changed {
            self.tell_status();
        }
    }

    fn tell_status(&self) {
        let item = self.status.borrow().item(&self.server);
        if let (Ok(address), Ok(json)) = (
            Address::build(&["telepulse", "proxy", "status", &self.server]),
            serde_json::to_vec(&item),
        ) {
            self.bus.publish(&address, Some(&self.server), json.into());
        }
    }

    /// Publishes a raw message as JSON, if anybody reads its address.
    pub(super) fn raw(&mut self, name: &str, message: &Message) {
        let Some(raw) = &mut self.raw else { return };
        raw.publish(name, &self.server, || {
            let mut json = Vec::with_capacity(message.as_bytes().len() * 2);
            message.write_json(&self.server, &mut json);
            Some(Bytes::from(json))
        });
    }
}
