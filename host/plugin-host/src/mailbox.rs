//! What waits for a plugin: bounded, and kept from one instance to the next.

use crate::{
    effects::Reply,
    manifest::{Limits, OnFull},
    ports::{BusEvent, ConnectionSink, EventSink, Happening},
    status::{Counters, count},
};
use futures_util::future::BoxFuture;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
};
use tokio::sync::{Notify, mpsc};

/// How much is handed to a plugin in one call.
pub(crate) const BATCH: usize = 64;
/// How many happenings wait; then clients' sockets are not read.
const HAPPENINGS: usize = 256;
/// Bytes of payload that wait: 4,096 events of 16 KiB.
const MOST_BYTES: usize = 64 << 20;
/// How much longer than said the mailbox may grow with `onFull = "wait"`.
const PATIENCE: usize = 16;

/// The side that others put things in. Shared.
pub(crate) struct Inbox {
    events: Mutex<Events>,
    arrived: Notify,
    happenings: mpsc::Sender<Happening>,
    counters: Arc<Counters>,
}

struct Events {
    ring: VecDeque<Arc<BusEvent>>,
    /// Of all payloads in the ring.
    bytes: usize,
    room: usize,
    on_full: OnFull,
    /// Emptied because it was full: the plugin has to start anew.
    overflowed: bool,
}

impl Events {
    fn is_full_for(&self, event: &BusEvent) -> bool {
        self.ring.len() >= self.room || self.bytes + event.payload.len() > MOST_BYTES
    }

    fn push(&mut self, event: &Arc<BusEvent>) {
        self.bytes += event.payload.len();
        self.ring.push_back(Arc::clone(event));
    }

    fn pop(&mut self) -> Option<Arc<BusEvent>> {
        let event = self.ring.pop_front()?;
        self.bytes -= event.payload.len();
        Some(event)
    }

    fn clear(&mut self) {
        self.ring.clear();
        self.bytes = 0;
    }
}

/// The side of the plugin's task. Nothing taken out is lost when a wait is cancelled.
pub(crate) struct Outbox {
    inbox: Arc<Inbox>,
    happenings: mpsc::Receiver<Happening>,
    replies: mpsc::Receiver<Reply>,
}

/// Makes a mailbox: where to put, where to answer submits, where to take.
pub(crate) fn mailbox(counters: Arc<Counters>) -> (Arc<Inbox>, mpsc::Sender<Reply>, Outbox) {
    let (happening, happenings) = mpsc::channel(HAPPENINGS);
    // Never full: a plugin has no more requests in flight.
    let (reply, replies) = mpsc::channel(crate::ctx::IN_FLIGHT);
    let events = Events {
        ring: VecDeque::new(),
        bytes: 0,
        room: Limits::default().mailbox,
        on_full: OnFull::DropOldest,
        overflowed: false,
    };
    let inbox = Arc::new(Inbox {
        events: Mutex::new(events),
        arrived: Notify::new(),
        happenings: happening,
        counters,
    });
    (Arc::clone(&inbox), reply, Outbox { inbox, happenings, replies })
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, Events> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there are events.
    pub(crate) async fn arrived(&self) {
        loop {
            let arrived = self.arrived.notified();
            if !self.lock().ring.is_empty() {
                return;
            }
            arrived.await;
        }
    }

    /// Puts new limits in force, for what comes from now on.
    pub(crate) fn limit(&self, limits: &Limits) {
        let mut events = self.lock();
        events.room = match limits.on_full {
            OnFull::Wait => limits.mailbox * PATIENCE,
            OnFull::DropOldest | OnFull::Disconnect => limits.mailbox,
        };
        events.on_full = limits.on_full;
    }
}

impl EventSink for Inbox {
    fn deliver(&self, event: &Arc<BusEvent>) {
        let mut events = self.lock();
        let before = events.ring.len();
        let mut dropped = 0;
        if events.is_full_for(event) {
            match events.on_full {
                OnFull::DropOldest | OnFull::Wait => {
                    while events.is_full_for(event) && events.pop().is_some() {
                        dropped += 1;
                    }
                }
                OnFull::Disconnect => {
                    dropped = before;
                    events.clear();
                    events.overflowed = true;
                }
            }
        }
        events.push(event);
        self.counters.queued.store(events.ring.len() as u64, Ordering::Relaxed);
        drop(events);
        count(&self.counters.dropped, dropped);
        if before == 0 || dropped > 0 {
            self.arrived.notify_one();
        }
    }
}

impl ConnectionSink for Inbox {
    fn happened(&self, happening: Happening) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            // It fails when the plugin has been removed: then nobody wants to know.
            let _ = self.happenings.send(happening).await;
        })
    }
}

impl Outbox {
    pub(crate) fn inbox(&self) -> &Arc<Inbox> {
        &self.inbox
    }

    /// Takes a batch of events.
    pub(crate) fn take_events(&self, most: usize) -> VecDeque<Arc<BusEvent>> {
        let mut events = self.inbox.lock();
        let count = events.ring.len().min(most);
        let batch = (0..count).filter_map(|_| events.pop()).collect();
        self.inbox.counters.queued.store(events.ring.len() as u64, Ordering::Relaxed);
        batch
    }

    /// Whether the mailbox was emptied because it was full, since the last time.
    pub(crate) fn take_overflow(&self) -> bool {
        std::mem::take(&mut self.inbox.lock().overflowed)
    }

    /// Drops the events that wait.
    pub(crate) fn clear_events(&self) {
        let mut events = self.inbox.lock();
        events.clear();
        events.overflowed = false;
        self.inbox.counters.queued.store(0, Ordering::Relaxed);
    }

    /// Waits for a happening or a reply, and takes what is there of both. Cancel-safe: both
    /// buffers are the caller's.
    pub(crate) async fn receive(
        &mut self,
        happenings: &mut Vec<Happening>,
        replies: &mut Vec<Reply>,
    ) {
        tokio::select! {
            _ = self.happenings.recv_many(happenings, BATCH) => {}
            _ = self.replies.recv_many(replies, BATCH) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn event(seq: u64) -> Arc<BusEvent> {
        Arc::new(BusEvent {
            seq,
            time_ns: 0,
            address: "a".into(),
            kind: "a".into(),
            server: None,
            payload: Bytes::new(),
        })
    }

    fn filled(on_full: OnFull, events: u64) -> (Vec<u64>, u64, bool) {
        let counters = Arc::new(Counters::default());
        let (inbox, _replies, outbox) = mailbox(Arc::clone(&counters));
        inbox.limit(&Limits { mailbox: 3, on_full, ..Limits::default() });
        for seq in 1..=events {
            inbox.deliver(&event(seq));
        }
        let overflow = outbox.take_overflow();
        let left = outbox.take_events(BATCH).iter().map(|event| event.seq).collect();
        (left, counters.dropped.load(Ordering::Relaxed), overflow)
    }

    #[test]
    fn a_full_mailbox_does_what_its_policy_says() {
        assert_eq!(filled(OnFull::DropOldest, 3), (vec![1, 2, 3], 0, false));
        assert_eq!(filled(OnFull::DropOldest, 5), (vec![3, 4, 5], 2, false));
        assert_eq!(filled(OnFull::Wait, 48), ((1..=48).collect(), 0, false));
        assert_eq!(filled(OnFull::Wait, 49).1, 1);
        assert_eq!(filled(OnFull::Disconnect, 5), (vec![4, 5], 3, true));
    }

    #[test]
    fn large_events_fill_it_too() {
        let (inbox, _replies, outbox) = mailbox(Arc::default());
        for seq in 1..=100 {
            let payload = Bytes::from(vec![0; 1 << 20]);
            inbox.deliver(&Arc::new(BusEvent { payload, ..(*event(seq)).clone() }));
        }
        let left = outbox.take_events(BATCH);
        assert_eq!((left.len(), left[0].seq), (64, 37));
        assert_eq!(inbox.lock().bytes, 0);
    }

    #[tokio::test]
    async fn what_came_before_the_wait_ends_it() {
        let (inbox, _replies, outbox) = mailbox(Arc::default());
        inbox.deliver(&event(1));
        inbox.arrived().await;
        assert_eq!(outbox.take_events(BATCH).len(), 1);
        let waiting = inbox.arrived();
        inbox.deliver(&event(2));
        waiting.await;
        assert_eq!(outbox.take_events(BATCH)[0].seq, 2);
    }
}
