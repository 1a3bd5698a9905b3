//! What the tasks of one node share.

use super::{
    asking::Asked, complaint::Complaint, interest::Peers, outbox::Outbox, outlet::Outlet,
    subjects::Subjects, waiting::Waiting,
};
use crate::{
    bus::{Address, switchboard::Switchboard},
    clock,
};
use arc_swap::ArcSwap;
use async_nats::{Client, HeaderMap};
use bytes::Bytes;
use parking_lot::Mutex;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use telepulse_language::{Event, SmolStr};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// One process on the bus.
pub(super) struct Node {
    /// The name of this start of it.
    pub(super) name: SmolStr,
    pub(super) subjects: Subjects,
    pub(super) board: Arc<Switchboard>,
    pub(super) client: Client,
    /// The largest payload that NATS takes.
    pub(super) most: usize,
    pub(super) peers: ArcSwap<Peers>,
    /// Messages on their way out.
    pub(super) out: Outlet,
    pub(super) outbox: Mutex<Outbox>,
    /// Told when there is something new in the outbox.
    pub(super) filled: Notify,
    /// Told when NATS seems to have no stream for events.
    pub(super) doubt: Notify,
    /// On which connection, by its count, the stream is known to be the one that we read; 0 for none.
    pub(super) sure: AtomicU64,
    pub(super) waiting: Waiting,
    pub(super) asked: Asked,
    pub(super) connection: watch::Receiver<Connection>,
    pub(super) figures: Arc<Figures>,
    /// Why events do not come in or go out, though NATS is there.
    pub(super) troubles: Mutex<[Option<String>; 2]>,
    /// Requests of other nodes that are served here, and their answers.
    pub(super) answering: TaskTracker,
    /// No more requests of other nodes are taken.
    pub(super) closing: CancellationToken,
    pub(super) stop: CancellationToken,
}

/// Which way events go.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    Out,
    In,
}

/// The connection to NATS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Connection {
    pub(super) is_up: bool,
    /// How often it was made.
    pub(super) times: u64,
}

/// A message on its way out.
#[derive(Debug)]
pub(super) struct Out {
    pub(super) subject: String,
    pub(super) reply: Option<String>,
    pub(super) headers: HeaderMap,
    pub(super) payload: Bytes,
    /// When nobody wants it any more.
    pub(super) deadline: Option<Instant>,
}

/// What is counted.
#[derive(Debug, Default)]
pub(super) struct Figures {
    pub(super) events_sent: AtomicU64,
    pub(super) events_again: AtomicU64,
    pub(super) events_taken: AtomicU64,
    pub(super) messages_dropped: AtomicU64,
    pub(super) slow: AtomicU64,
    pub(super) messages_complaint: Complaint,
    pub(super) events_complaint: Complaint,
    pub(super) slow_complaint: Complaint,
}

/// Counts one.
pub(super) fn count(figure: &AtomicU64) {
    figure.fetch_add(1, Ordering::Relaxed);
}

impl Node {
    /// Takes events for the stream. Never waits.
    pub(super) fn append(&self, term: u64, events: Vec<Event>) {
        if events.is_empty() {
            return;
        }
        let events =
            events.into_iter().map(|event| super::outbox::Outgoing::new(event, term, false));
        let events = events.collect();
        let lost = self.outbox.lock().push(events, clock::now());
        self.filled.notify_one();
        if lost > 0
            && let Some(lost) = self.figures.events_complaint.add(lost, Instant::now())
        {
            tracing::error!(
                lost,
                "events are lost: NATS has been away for too long, or does not take such large ones"
            );
        }
    }

    /// Sends a message to other nodes if one of them wants it.
    pub(super) fn publish(&self, address: &Address, server: Option<&Arc<str>>, payload: &Bytes) {
        if !self.peers.load().want(address) {
            return;
        }
        let mut headers = HeaderMap::new();
        headers.insert(super::messages::FROM, self.name.as_str());
        if let Some(server) = server {
            headers.insert(super::messages::SERVER, super::headers::escaped(server));
        }
        let (subject, payload) = (self.subjects.of(address.as_str()), payload.clone());
        self.send(Out { subject, reply: None, headers, payload, deadline: None });
    }

    /// Queues a message; whether there was room, and NATS is there.
    pub(super) fn send(&self, out: Out) -> bool {
        let is_queued = self.is_up() && self.out.try_send(out);
        if !is_queued {
            count(&self.figures.messages_dropped);
            if let Some(dropped) = self.figures.messages_complaint.add(1, Instant::now()) {
                tracing::warn!(
                    dropped,
                    "messages to other nodes are dropped: NATS is slow or away"
                );
            }
        }
        is_queued
    }

    pub(super) fn is_up(&self) -> bool {
        self.connection.borrow().is_up
    }

    /// Whether what is sent into the stream goes into the one that is read here. Else those who wait for it
    /// could be told a number of another one.
    pub(super) fn is_sure_of_stream(&self) -> bool {
        let connection = *self.connection.borrow();
        connection.is_up && self.sure.load(Ordering::Acquire) == connection.times
    }

    /// The stream is the one that we read, on the connection of this count.
    pub(super) fn be_sure(&self, connection: u64) {
        self.sure.store(connection, Ordering::Release);
        self.filled.notify_one();
    }

    /// It may be another one: nothing is sent until it has been looked at.
    pub(super) fn be_in_doubt(&self) {
        self.sure.store(0, Ordering::Release);
        self.doubt.notify_one();
    }

    /// Changes what is known of other nodes, and tells who hangs on it.
    pub(super) fn change_peers(&self, change: impl FnOnce(&mut Peers) -> bool) {
        let mut peers = (**self.peers.load()).clone();
        let differs = change(&mut peers);
        self.peers.store(Arc::new(peers));
        if differs {
            self.board.changes().send_modify(|changes| *changes += 1);
        }
    }

    /// Notes why events do not go on; told once for each reason.
    pub(super) fn set_trouble(&self, way: Way, trouble: Option<String>) {
        let known = &mut self.troubles.lock()[way as usize];
        if *known != trouble {
            if let Some(why) = &trouble {
                tracing::error!(?way, "events do not go on: {why}");
            } else {
                tracing::info!(?way, "events go on");
            }
            *known = trouble;
        }
    }

    /// Why events do not go on, if they do not.
    pub(super) fn trouble(&self) -> Option<String> {
        if !self.is_up() {
            return Some("NATS is away".to_owned());
        }
        self.troubles.lock().iter().flatten().next().cloned()
    }
}
