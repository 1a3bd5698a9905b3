//! The bus within one process: subscribers are called, nothing is copied.

use super::{
    Address, After, AlreadyServed, Below, Bus, EVENTS, Entry, EventSink, Guard, Headers, Incoming,
    Message, Pattern, RequestError, Stream,
    beside::Beside,
    requests::Requests,
    subscriptions::{Subscription, Subscriptions},
};
use arc_swap::ArcSwap;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};
use telepulse_language::Event;
use tokio::sync::{mpsc, watch};

/// The in-process bus.
pub struct LocalBus {
    stream: Stream,
    requests: Requests,
    /// Read at every publication, replaced whole when a plugin comes or goes.
    subscriptions: ArcSwap<Subscriptions>,
    /// Counts how often they were replaced.
    changes: watch::Sender<u64>,
    next_id: AtomicU64,
    beside: Beside,
    itself: Weak<LocalBus>,
}

impl LocalBus {
    /// A bus whose event stream is named `epoch` and remembers `history` events.
    pub fn new(epoch: String, history: usize) -> Arc<Self> {
        Arc::new_cyclic(|itself| Self {
            stream: Stream::new(epoch, history),
            requests: Requests::default(),
            subscriptions: ArcSwap::default(),
            changes: watch::Sender::new(0),
            next_id: AtomicU64::new(0),
            beside: Beside::start(itself.clone()),
            itself: itself.clone(),
        })
    }

    /// Takes out the subscription of that number and puts in another, in one step.
    fn replace(&self, out: Option<u64>, new: Option<&Arc<Subscription>>) {
        self.subscriptions.rcu(|all| {
            let kept = all.iter().filter(|one| Some(one.id) != out);
            Subscriptions::new(kept.chain(new).cloned().collect())
        });
        self.changes.send_modify(|changes| *changes += 1);
    }

    fn put(&self, out: Option<u64>, patterns: &[Pattern], sink: Arc<dyn EventSink>) -> Guard {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let new = Arc::new(Subscription { id, patterns: patterns.to_vec(), sink });
        self.replace(out, Some(&new));
        Box::new(Unsubscribe { bus: self.itself.clone(), id })
    }
}

impl Bus for LocalBus {
    fn publish(&self, address: &Address, server: Option<&Arc<str>>, payload: Bytes) {
        let below = address.as_str().strip_prefix(EVENTS);
        if below.is_some_and(|below| below.is_empty() || below.starts_with('.')) {
            tracing::error!(%address, "an event was published without its number: dropped");
            return;
        }
        self.subscriptions
            .load()
            .hand_over(address, || message(0, now_ns(), address, server.cloned(), payload));
    }

    fn wanted_below(&self, root: &Address) -> Below {
        let subscriptions = self.subscriptions.load();
        let patterns = subscriptions.iter().flat_map(|one| &one.patterns);
        patterns.map(|pattern| pattern.below(root)).fold(Below::none(), Below::or)
    }

    fn subscriptions_changed(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn append(&self, events: Vec<Event>) -> u64 {
        let now = now_ns();
        self.stream.append(events, |entry| deliver(&self.subscriptions.load(), entry, now))
    }

    fn append_beside(&self, events: Vec<Event>, after: After) {
        self.beside.append(self, events, after);
    }

    fn stream(&self) -> &Stream {
        &self.stream
    }

    fn subscribe(&self, patterns: &[Pattern], sink: Arc<dyn EventSink>) -> Guard {
        self.put(None, patterns, sink)
    }

    fn resubscribe(&self, before: Guard, patterns: &[Pattern], sink: Arc<dyn EventSink>) -> Guard {
        let id = before.downcast_ref::<Unsubscribe>().map(|before| before.id);
        self.put(id, patterns, sink)
    }

    fn request(
        &self,
        address: &Address,
        payload: Bytes,
        headers: Headers,
    ) -> BoxFuture<'static, Result<Bytes, RequestError>> {
        self.requests.request(address, payload, headers)
    }

    fn serve(
        &self,
        address: &Address,
        capacity: usize,
    ) -> Result<mpsc::Receiver<Incoming>, AlreadyServed> {
        self.requests.serve(address, capacity)
    }
}

fn deliver(subscriptions: &Subscriptions, entry: &Arc<Entry>, now: u64) {
    let address = entry.address();
    subscriptions.hand_over(address, || {
        let server = Some(&entry.server).filter(|server| !server.is_empty()).cloned();
        message(entry.seq, now, address, server, entry.json())
    });
}

fn message(
    seq: u64,
    time_ns: u64,
    address: &Address,
    server: Option<Arc<str>>,
    payload: Bytes,
) -> Arc<Message> {
    let (address, kind) = address.shared();
    Arc::new(Message { seq, time_ns, address, kind, server, payload })
}

/// Nanoseconds since 1970.
fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

struct Unsubscribe {
    bus: Weak<LocalBus>,
    id: u64,
}

impl Drop for Unsubscribe {
    fn drop(&mut self) {
        if let Some(bus) = self.bus.upgrade() {
            // It is out already where another one took its place.
            if bus.subscriptions.load().iter().any(|one| one.id == self.id) {
                bus.replace(Some(self.id), None);
            }
        }
    }
}
