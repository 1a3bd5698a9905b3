//! What waits for a plugin: bounded, and kept from one instance to the next.

use crate::{
    durable::{Durable, Reading},
    effects::Reply,
    manifest::{Limits, OnFull},
    ports::{BusEvent, ConnectionSink, EventSink, Happening},
    status::{Counters, count},
};
use futures_util::future::BoxFuture;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::Duration,
};
use tokio::sync::{Notify, mpsc};

/// How much is handed to a plugin in one call.
pub(crate) const BATCH: usize = 64;
/// How many happenings wait; then clients' sockets are not read.
const HAPPENINGS: usize = 256;
/// Bytes of payload that wait: 4,096 events of 16 KiB.
const MOST_BYTES: usize = 64 << 20;
/// What is read from the disk at a time.
const READ: usize = 1_024;
/// How long to wait when it cannot be read.
const DISK_PAUSE: Duration = Duration::from_secs(1);
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
    /// What is kept on disk of it, if the subscription is durable.
    durable: Option<Durable>,
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

    /// Takes an event as the subscription and `onFull` say; answers how many are dropped for it.
    fn take(&mut self, event: &Arc<BusEvent>) -> usize {
        let fits = !self.is_full_for(event);
        if let Some(durable) = &mut self.durable {
            match durable.add(event, fits) {
                Some(true) => self.push(event),
                Some(false) => {}
                // What came first has been accepted: it stays.
                None => return 1,
            }
            return 0;
        }
        let mut dropped = 0;
        match self.on_full {
            _ if fits => {}
            OnFull::DropOldest | OnFull::Wait => {
                while self.is_full_for(event) && self.pop().is_some() {
                    dropped += 1;
                }
            }
            OnFull::Disconnect => {
                dropped = self.ring.len();
                self.clear();
                self.overflowed = true;
            }
        }
        self.push(event);
        dropped
    }

    /// Tells how many wait.
    fn tell(&self, counters: &Counters) {
        let queued = self.durable.as_ref().map_or(self.ring.len() as u64, Durable::undone);
        counters.queued.store(queued, Ordering::Relaxed);
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
        durable: None,
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

    /// Waits until there are events; those that are on disk alone are read for that. Nothing is lost
    /// when the wait is cancelled.
    pub(crate) async fn arrived(&self) {
        loop {
            let arrived = self.arrived.notified();
            let reading = {
                let events = self.lock();
                if !events.ring.is_empty() {
                    return;
                }
                let durable = events.durable.as_ref().filter(|durable| durable.behind() > 0);
                durable.map(|durable| durable.next(events.room.min(READ)))
            };
            match reading {
                Some(reading) => self.read(reading).await,
                None => arrived.await,
            }
        }
    }

    /// Takes from the disk what comes next.
    async fn read(&self, reading: Reading) {
        match reading.read().await {
            Ok(messages) => {
                let events = &mut *self.lock();
                let Some(durable) = &mut events.durable else { return };
                let read: Vec<_> = messages
                    .iter()
                    .filter_map(|(number, message)| durable.take_in(*number, message))
                    .collect();
                for event in &read {
                    events.push(event);
                }
            }
            Err(error) => {
                tracing::error!(error, "messages on disk cannot be read; they are tried again");
                tokio::time::sleep(DISK_PAUSE).await;
            }
        }
    }

    /// Keeps the messages on disk from now on, those that wait first; `None`: no more. Those that were
    /// on disk alone are then gone.
    pub(crate) fn make_durable(&self, durable: Option<Durable>) {
        let events = &mut *self.lock();
        if let Some(before) = events.durable.take() {
            let lost = usize::try_from(before.behind()).unwrap_or(usize::MAX);
            count(&self.counters.dropped, lost);
            before.end();
        }
        let Some(mut durable) = durable else { return };
        let waiting = std::mem::take(&mut events.ring);
        events.bytes = 0;
        for event in waiting {
            match durable.add(&event, true) {
                Some(true) => events.push(&event),
                Some(false) => {}
                None => count(&self.counters.dropped, 1),
            }
        }
        events.durable = Some(durable);
        events.tell(&self.counters);
        self.arrived.notify_one();
    }

    /// Whether its messages are kept on disk.
    pub(crate) fn is_durable(&self) -> bool {
        self.lock().durable.is_some()
    }

    /// How much may be kept on disk; whether anything is.
    pub(crate) fn set_room_on_disk(&self, room: u64) -> bool {
        let mut events = self.lock();
        let durable = events.durable.as_mut();
        durable.map(|durable| durable.set_room(room)).is_some()
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
        let events = &mut *self.lock();
        let before = events.ring.len();
        let dropped = events.take(event);
        events.tell(&self.counters);
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
        events.tell(&self.inbox.counters);
        batch
    }

    /// These are done, or will not be: a durable subscription forgets them.
    pub(crate) fn finish<'e>(&self, done: impl Iterator<Item = &'e Arc<BusEvent>>) {
        let mut events = self.inbox.lock();
        if let Some(durable) = &mut events.durable {
            durable.finish(done.map(|event| &**event));
            events.tell(&self.inbox.counters);
        }
    }

    /// Puts back what was taken and not done, before everything else.
    pub(crate) fn put_back(&self, taken: impl DoubleEndedIterator<Item = Arc<BusEvent>>) {
        let mut events = self.inbox.lock();
        for event in taken.rev() {
            events.bytes += event.payload.len();
            events.ring.push_front(event);
        }
    }

    /// Whether the mailbox was emptied because it was full, since the last time.
    pub(crate) fn take_overflow(&self) -> bool {
        std::mem::take(&mut self.inbox.lock().overflowed)
    }

    /// Drops the events that wait, from memory: what is durable stays on disk.
    pub(crate) fn clear_events(&self) {
        let mut events = self.inbox.lock();
        events.clear();
        events.overflowed = false;
        if let Some(durable) = &mut events.durable {
            durable.rewind();
        }
        events.tell(&self.inbox.counters);
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
