//! What every bus has within its process: the event stream with its history, who subscribed, who serves.

use super::{
    Address, Below, EventSink, Guard, Message, Pattern, Stream,
    entry::Entry,
    is_event,
    requests::Requests,
    subscriptions::{Subscription, Subscriptions},
};
use arc_swap::ArcSwap;
use bytes::Bytes;
use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::sync::watch;

/// The part of a bus that is in this process.
pub(super) struct Switchboard {
    pub(super) stream: Stream,
    pub(super) requests: Requests,
    /// Read at every publication, replaced whole when a plugin comes or goes.
    subscriptions: ArcSwap<Subscriptions>,
    /// Counts how often they were replaced.
    changes: watch::Sender<u64>,
    next_id: AtomicU64,
    itself: Weak<Switchboard>,
}

impl Switchboard {
    pub(super) fn new(stream: Stream) -> Arc<Self> {
        Arc::new_cyclic(|itself| Self {
            stream,
            requests: Requests::default(),
            subscriptions: ArcSwap::default(),
            changes: watch::Sender::new(0),
            next_id: AtomicU64::new(0),
            itself: itself.clone(),
        })
    }

    /// Whether a message may be published there: what is below [`super::EVENTS`] needs a number.
    pub(super) fn may_publish(address: &Address) -> bool {
        let is_good = !is_event(address.as_str());
        if !is_good {
            tracing::error!(%address, "an event was published without its number: dropped");
        }
        is_good
    }

    /// Hands a message that is no event to whoever subscribed to its address.
    pub(super) fn hand_over(&self, address: &Address, server: Option<&Arc<str>>, payload: Bytes) {
        self.subscriptions
            .load()
            .hand_over(address, || message(0, now_ns(), address, server.cloned(), payload));
    }

    /// What shows events of the stream to whoever subscribed to them.
    pub(super) fn deliver(&self) -> impl FnMut(&Arc<Entry>) {
        let now = now_ns();
        move |entry| deliver(&self.subscriptions.load(), entry, now)
    }

    pub(super) fn wanted_below(&self, root: &Address) -> Below {
        let subscriptions = self.subscriptions.load();
        let patterns = subscriptions.iter().flat_map(|one| &one.patterns);
        patterns.map(|pattern| pattern.below(root)).fold(Below::none(), Below::or)
    }

    /// All that is subscribed to, each pattern once.
    pub(super) fn patterns(&self) -> Vec<Pattern> {
        let subscriptions = self.subscriptions.load();
        let mut patterns: Vec<Pattern> =
            subscriptions.iter().flat_map(|one| &one.patterns).cloned().collect();
        patterns.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
        patterns.dedup();
        patterns
    }

    /// Tells when somebody subscribed or went.
    pub(super) fn changes(&self) -> &watch::Sender<u64> {
        &self.changes
    }

    pub(super) fn subscribe(&self, patterns: &[Pattern], sink: Arc<dyn EventSink>) -> Guard {
        self.put(None, patterns, sink)
    }

    pub(super) fn resubscribe(
        &self,
        before: &Guard,
        patterns: &[Pattern],
        sink: Arc<dyn EventSink>,
    ) -> Guard {
        let id = before.downcast_ref::<Unsubscribe>().map(|before| before.id);
        self.put(id, patterns, sink)
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
        Box::new(Unsubscribe { board: self.itself.clone(), id })
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
    board: Weak<Switchboard>,
    id: u64,
}

impl Drop for Unsubscribe {
    fn drop(&mut self) {
        if let Some(board) = self.board.upgrade() {
            // It is out already where another one took its place.
            if board.subscriptions.load().iter().any(|one| one.id == self.id) {
                board.replace(Some(self.id), None);
            }
        }
    }
}
