//! What waits for a plugin: bounded, and kept from one instance to the next.

mod waiting;

use self::waiting::{Events, Ring};
use crate::{
    durable::{Durable, Reading},
    effects::Reply,
    manifest::{Limits, OnFull},
    ports::{BusEvent, ConnectionSink, EventSink, Happening, Part},
    shards,
    status::{Counters, count},
};
use futures_util::future::{BoxFuture, OptionFuture};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::mpsc;

/// How much is handed to a plugin in one call.
pub(crate) const BATCH: usize = 64;
/// How many happenings wait; then clients' sockets are not read.
const HAPPENINGS: usize = 256;
/// What is read from the disk at a time.
const READ: usize = 1_024;
/// How long to wait when it cannot be read.
const DISK_PAUSE: Duration = Duration::from_secs(1);
/// How much longer than said the mailbox may grow with `onFull = "wait"`.
const PATIENCE: usize = 16;

/// The side that others put things in. Shared.
pub(crate) struct Inbox {
    events: Mutex<Events>,
    happenings: mpsc::Sender<Happening>,
    counters: Arc<Counters>,
}

/// The side of one worker. Nothing taken out is lost when a wait is cancelled.
pub(crate) struct Outbox {
    inbox: Arc<Inbox>,
    shard: usize,
    /// The first shard has those.
    happenings: Option<mpsc::Receiver<Happening>>,
    replies: mpsc::Receiver<Reply>,
    reply: mpsc::Sender<Reply>,
}

/// Makes a mailbox for one shard: where to put, where to take.
pub(crate) fn mailbox(counters: Arc<Counters>) -> (Arc<Inbox>, Outbox) {
    let (happening, happenings) = mpsc::channel(HAPPENINGS);
    let events = Events {
        rings: vec![Ring::default()],
        room: Limits::default().mailbox,
        on_full: OnFull::DropOldest,
        durable: None,
        part: None,
    };
    let inbox = Arc::new(Inbox { events: Mutex::new(events), happenings: happening, counters });
    let mut outbox = Outbox::of_shard(&inbox, 0);
    outbox.happenings = Some(happenings);
    (inbox, outbox)
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, Events> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many shards events wait for.
    pub(crate) fn shards(&self) -> usize {
        self.lock().rings.len()
    }

    /// Has events wait for so many shards from now on; for one if they are durable.
    pub(crate) fn split(&self, shards: usize) {
        let mut events = self.lock();
        let shards = if events.durable.is_some() { 1 } else { shards };
        events.split(shards);
    }

    /// Waits until there are events for a shard; those that are on disk alone are read for that.
    /// Nothing is lost when the wait is cancelled.
    async fn arrived(&self, shard: usize) {
        loop {
            let (arrived, reading) = {
                let events = self.lock();
                // A shard too many has nothing to wait for.
                let Some(ring) = events.rings.get(shard) else { break };
                if !ring.queue.is_empty() {
                    return;
                }
                let durable = events.durable.as_ref().filter(|durable| durable.behind() > 0);
                let reading = durable.map(|durable| durable.next(events.room.min(READ)));
                (Arc::clone(&ring.arrived), reading)
            };
            match reading {
                Some(reading) => self.read(reading).await,
                // What came since has left its mark there.
                None => arrived.notified().await,
            }
        }
        std::future::pending::<()>().await;
    }

    /// Takes from the disk what comes next.
    async fn read(&self, reading: Reading) {
        match reading.read().await {
            Ok(messages) => {
                let events = &mut *self.lock();
                let Some(durable) = &mut events.durable else { return };
                let read = messages
                    .iter()
                    .filter_map(|(number, message)| durable.take_in(*number, message));
                read.for_each(|event| events.rings[0].push(&event));
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
        events.split(1);
        let ring = &mut events.rings[0];
        let waiting = std::mem::take(&mut ring.queue);
        ring.bytes = 0;
        for event in waiting {
            match durable.add(&event, true) {
                Some(true) => ring.push(&event),
                Some(false) => {}
                None => count(&self.counters.dropped, 1),
            }
        }
        ring.arrived.notify_one();
        events.durable = Some(durable);
        events.tell(&self.counters);
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

    /// Takes only these events from now on; `None`: all.
    pub(crate) fn divide(&self, part: Option<Arc<dyn Part>>) {
        self.lock().part = part;
    }

    /// How many events wait in memory.
    pub(crate) fn waiting(&self) -> usize {
        self.lock().rings.iter().map(|ring| ring.queue.len()).sum()
    }

    /// Drops the events that wait, from memory: what is durable stays on disk.
    pub(crate) fn clear(&self) {
        let mut events = self.lock();
        for ring in &mut events.rings {
            ring.clear();
            ring.overflowed = false;
        }
        if let Some(durable) = &mut events.durable {
            durable.rewind();
        }
        events.tell(&self.counters);
    }
}

impl EventSink for Inbox {
    fn deliver(&self, event: &Arc<BusEvent>) {
        let events = &mut *self.lock();
        if events.part.as_deref().is_some_and(|part| !shards::is_ours(event, part)) {
            return;
        }
        let dropped = events.take(event);
        events.tell(&self.counters);
        count(&self.counters.dropped, dropped);
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
    /// For a shard that has no connections.
    pub(crate) fn of_shard(inbox: &Arc<Inbox>, shard: usize) -> Self {
        // Never full: a plugin has no more requests in flight.
        let (reply, replies) = mpsc::channel(crate::ctx::IN_FLIGHT);
        Self { inbox: Arc::clone(inbox), shard, happenings: None, replies, reply }
    }

    pub(crate) fn inbox(&self) -> &Arc<Inbox> {
        &self.inbox
    }

    /// Where replies to this worker's requests go.
    pub(crate) fn reply(&self) -> mpsc::Sender<Reply> {
        self.reply.clone()
    }

    /// Whether no happening and no reply waits to be taken.
    pub(crate) fn is_quiet(&self) -> bool {
        self.happenings.as_ref().is_none_or(mpsc::Receiver::is_empty) && self.replies.is_empty()
    }

    /// Takes a batch of events.
    pub(crate) fn take_events(&self, most: usize) -> VecDeque<Arc<BusEvent>> {
        let mut events = self.inbox.lock();
        let Some(ring) = events.rings.get_mut(self.shard) else { return VecDeque::new() };
        let count = ring.queue.len().min(most);
        let batch = (0..count).filter_map(|_| ring.pop()).collect();
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
        let Some(ring) = events.rings.get_mut(self.shard) else { return };
        for event in taken.rev() {
            ring.bytes += event.payload.len();
            ring.queue.push_front(event);
        }
    }

    /// Whether the mailbox was emptied because it was full, since the last time.
    pub(crate) fn take_overflow(&self) -> bool {
        let mut events = self.inbox.lock();
        let ring = events.rings.get_mut(self.shard);
        ring.is_some_and(|ring| std::mem::take(&mut ring.overflowed))
    }

    /// Waits for a happening or a reply, and takes what is there of both, or for events if they are
    /// `wanted`. Cancel-safe: both buffers are the caller's.
    pub(crate) async fn receive(
        &mut self,
        happenings: &mut Vec<Happening>,
        replies: &mut Vec<Reply>,
        wanted: bool,
    ) {
        let told = OptionFuture::from(
            self.happenings.as_mut().map(|told| told.recv_many(happenings, BATCH)),
        );
        tokio::select! {
            Some(_) = told => {}
            _ = self.replies.recv_many(replies, BATCH) => {}
            () = self.inbox.arrived(self.shard), if wanted => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use std::sync::atomic::Ordering;

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
        let (inbox, outbox) = mailbox(Arc::clone(&counters));
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
        let (inbox, outbox) = mailbox(Arc::default());
        for seq in 1..=100 {
            let payload = Bytes::from(vec![0; 1 << 20]);
            inbox.deliver(&Arc::new(BusEvent { payload, ..(*event(seq)).clone() }));
        }
        let left = outbox.take_events(BATCH);
        assert_eq!((left.len(), left[0].seq), (64, 37));
        assert_eq!(inbox.lock().rings[0].bytes, 0);
    }

    #[tokio::test]
    async fn what_came_before_the_wait_ends_it() {
        let (inbox, outbox) = mailbox(Arc::default());
        inbox.deliver(&event(1));
        inbox.arrived(0).await;
        assert_eq!(outbox.take_events(BATCH).len(), 1);
        let waiting = inbox.arrived(0);
        inbox.deliver(&event(2));
        waiting.await;
        assert_eq!(outbox.take_events(BATCH)[0].seq, 2);
    }

    fn of_call(seq: u64, call: u64) -> Arc<BusEvent> {
        let payload = Bytes::from(format!("{{\"call\":\"c{call}\"}}"));
        Arc::new(BusEvent { payload, ..(*event(seq)).clone() })
    }

    #[test]
    fn another_number_of_shards_keeps_each_calls_order() {
        let (inbox, lead) = mailbox(Arc::default());
        let mut outboxes = vec![lead];
        outboxes.extend((1..5).map(|shard| Outbox::of_shard(&inbox, shard)));
        for seq in 1..=60 {
            match seq {
                11 => inbox.split(3),
                21 => inbox.split(5),
                31 => inbox.split(2),
                _ => {}
            }
            inbox.deliver(&of_call(seq, seq % 7));
        }
        inbox.split(4);
        let taken: Vec<Vec<u64>> = outboxes
            .iter()
            .map(|outbox| outbox.take_events(BATCH).iter().map(|event| event.seq).collect())
            .collect();
        assert_eq!(taken.iter().map(Vec::len).sum::<usize>(), 60, "{taken:?}");
        assert!(taken[4].is_empty());
        for call in 0..7 {
            let of_it = |seqs: &Vec<u64>| -> Vec<u64> {
                seqs.iter().copied().filter(|seq| seq % 7 == call).collect()
            };
            let holding: Vec<_> = taken.iter().map(of_it).filter(|seqs| !seqs.is_empty()).collect();
            let expected: Vec<u64> = (1..=60).filter(|seq| seq % 7 == call).collect();
            assert_eq!(holding, [expected]);
        }
    }
}
