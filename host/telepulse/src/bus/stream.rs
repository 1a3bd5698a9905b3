//! The event stream: one numbering for the whole platform, and a bounded history to read again.

use super::{
    Address, AddressError, EVENTS, Entry,
    entry::{Arrived, Draft},
};
use bytes::Bytes;
use rustc_hash::FxHashMap;
use std::{
    collections::VecDeque,
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};
use telepulse_language::{Event, SmolStr};
use tokio::sync::watch;

/// The history holds no more bytes than this, however few events that is.
const MAX_BYTES: usize = 256 << 20;
/// How many event types and servers get a ready-made address and name.
const CACHED_NAMES: usize = 1024;
/// The buffer for encoding keeps this many bytes between batches.
const SCRATCH: usize = 1 << 20;

/// The numbered events, the newest of which can be read again.
///
/// Two locks, both held for moments and never across a wait: `tail` gives events their order (it is
/// held while they are encoded and handed to subscribers, which never wait), `ring` guards the
/// history's pointers, so that readers do not wait for the encoding.
#[derive(Debug)]
pub struct Stream {
    epoch: RwLock<Arc<str>>,
    /// Counts the epochs.
    generation: AtomicU64,
    tail: Mutex<Tail>,
    ring: Mutex<Ring>,
    news: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Tail {
    last: u64,
    addresses: FxHashMap<SmolStr, Address>,
    servers: FxHashMap<SmolStr, Arc<str>>,
    /// Where a batch is encoded.
    scratch: Vec<u8>,
}

#[derive(Debug)]
struct Ring {
    /// In the order of their numbers, which may have gaps.
    entries: VecDeque<Arc<Entry>>,
    /// Of what has a greater number than this, everything is here.
    floor: u64,
    bytes: usize,
    room: usize,
}

/// Where a numbering stands: the three belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stand {
    pub(crate) epoch: Arc<str>,
    pub(crate) generation: u64,
    /// The number of the newest event; 0 before the first.
    pub(crate) seq: u64,
}

/// What was asked for has left the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the oldest event in the history is {oldest}")]
pub struct Missed {
    /// The number of the oldest event that can be read.
    pub oldest: u64,
}

impl Stream {
    pub(super) fn new(epoch: String, history: usize) -> Self {
        let ring = Ring { entries: VecDeque::new(), floor: 0, bytes: 0, room: history.max(1) };
        let (epoch, generation) = (RwLock::new(epoch.into()), AtomicU64::new(0));
        let news = watch::Sender::new(0);
        Self { epoch, generation, tail: Mutex::default(), ring: Mutex::new(ring), news }
    }

    /// Names this numbering; another one starts anew.
    pub fn epoch(&self) -> Arc<str> {
        Arc::clone(&self.epoch.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes with the epoch: what was read before has no number in this one.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Epoch and newest number, as of one moment.
    pub(crate) fn stand(&self) -> Stand {
        // Whoever makes the stream anew holds it.
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        Stand { epoch: self.epoch(), generation: self.generation(), seq: tail.last }
    }

    /// The number of the newest event; 0 before the first.
    pub fn tail(&self) -> u64 {
        *self.news.borrow()
    }

    /// Tells of every growth: the number of the newest event.
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// At most `max` events that follow number `after`; none when there are none yet.
    pub fn read(&self, after: u64, max: usize) -> Result<Vec<Arc<Entry>>, Missed> {
        let ring = self.ring();
        if after < ring.floor {
            return Err(Missed { oldest: ring.floor + 1 });
        }
        Ok(ring.entries.iter().skip(ring.place_after(after)).take(max).cloned().collect())
    }

    /// Numbers and encodes events, keeps them and shows each to `deliver`, in order.
    pub(super) fn append(&self, events: Vec<Event>, deliver: impl FnMut(&Arc<Entry>)) {
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        if events.is_empty() {
            return;
        }
        let entries = tail.encode(events);
        self.show(&tail, &entries, deliver);
    }

    /// Everything up to this number was before our time.
    pub(super) fn begin_at(&self, seq: u64) {
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        self.cut(&mut tail, seq);
    }

    /// Another numbering begins after this number.
    pub(crate) fn renew(&self, epoch: &str, seq: u64) {
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        *self.epoch.write().unwrap_or_else(PoisonError::into_inner) = epoch.into();
        self.generation.fetch_add(1, Ordering::AcqRel);
        self.cut(&mut tail, seq);
    }

    fn cut(&self, tail: &mut Tail, seq: u64) {
        tail.last = seq;
        self.ring().cut(seq);
        self.news.send_replace(seq);
    }

    /// Takes events that got their numbers elsewhere, in the order of these.
    pub(super) fn take_in(&self, arrived: Vec<Arrived>, mut deliver: impl FnMut(&Arc<Entry>)) {
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        let mut entries = Vec::with_capacity(arrived.len());
        for one in arrived {
            // Whoever is behind has missed something: what is before this one goes first.
            if one.is_after_loss {
                self.show(&tail, &mem::take(&mut entries), &mut deliver);
                self.ring().cut(one.seq.saturating_sub(1));
            }
            entries.extend(tail.complete(one).map(Arc::new));
        }
        self.show(&tail, &entries, deliver);
    }

    fn show(&self, tail: &Tail, entries: &[Arc<Entry>], deliver: impl FnMut(&Arc<Entry>)) {
        if entries.is_empty() {
            return;
        }
        self.ring().keep(entries);
        entries.iter().for_each(deliver);
        self.news.send_replace(tail.last);
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tail {
    fn encode(&mut self, events: Vec<Event>) -> Vec<Arc<Entry>> {
        self.scratch.clear();
        let drafts: Vec<Draft> =
            events.into_iter().filter_map(|event| self.number(event)).collect();
        let batch = Bytes::copy_from_slice(&self.scratch);
        self.scratch.shrink_to(SCRATCH);
        drafts.into_iter().map(|draft| Arc::new(draft.finish(&batch))).collect()
    }

    fn number(&mut self, event: Event) -> Option<Draft> {
        let kind = event.details.kind();
        let address = remember(&mut self.addresses, kind, || {
            event_address(kind)
                .inspect_err(|error| tracing::error!(%error, "an event's type is no address"))
                .ok()
        })?;
        let server = remember(&mut self.servers, &event.server, || Some(event.server[..].into()))?;
        self.last += 1;
        Some(Draft::encode(self.last, event, address, server, &mut self.scratch))
    }

    /// An event that has its number, with ready-made names.
    fn complete(&mut self, arrived: Arrived) -> Option<Entry> {
        if arrived.seq <= self.last {
            return None;
        }
        let address =
            remember(&mut self.addresses, &arrived.kind, || event_address(&arrived.kind).ok())?;
        let server =
            remember(&mut self.servers, &arrived.server, || Some(arrived.server[..].into()))?;
        self.last = arrived.seq;
        Some(arrived.entry(address, server))
    }
}

/// Where events of a type are published.
pub(super) fn event_address(kind: &str) -> Result<Address, AddressError> {
    let mut tokens: Vec<_> = EVENTS.split('.').collect();
    tokens.push(kind);
    Address::build(&tokens)
}

/// Looks `name` up, makes and keeps it if it is new; past the cache's room it is made each time.
fn remember<T: Clone>(
    cache: &mut FxHashMap<SmolStr, T>,
    name: &str,
    make: impl FnOnce() -> Option<T>,
) -> Option<T> {
    if let Some(known) = cache.get(name) {
        return Some(known.clone());
    }
    let made = make()?;
    if cache.len() < CACHED_NAMES {
        cache.insert(name.into(), made.clone());
    }
    Some(made)
}

impl Ring {
    fn keep(&mut self, entries: &[Arc<Entry>]) {
        for entry in entries {
            self.bytes += entry.frame().len();
            self.entries.push_back(Arc::clone(entry));
        }
        while self.entries.len() > self.room || self.bytes > MAX_BYTES && self.entries.len() > 1 {
            let Some(oldest) = self.entries.pop_front() else { return };
            self.bytes -= oldest.frame().len();
            self.floor = oldest.seq;
        }
    }

    /// Forgets all, as of a number.
    fn cut(&mut self, floor: u64) {
        self.entries.clear();
        (self.bytes, self.floor) = (0, floor);
    }

    /// How many entries have numbers up to `after`.
    fn place_after(&self, after: u64) -> usize {
        let Some(oldest) = self.entries.front() else { return 0 };
        // Where there are no gaps it is known without looking.
        let guess = usize::try_from(after.saturating_add(1).saturating_sub(oldest.seq))
            .unwrap_or(usize::MAX);
        if guess
            .checked_sub(1)
            .and_then(|it| self.entries.get(it))
            .is_some_and(|it| it.seq == after)
        {
            return guess;
        }
        self.entries.partition_point(|entry| entry.seq <= after)
    }
}

#[cfg(test)]
impl Stream {
    /// An event comes after which everybody begins anew, as from a node that has taken a server over.
    pub(crate) fn break_off(&self, event: &Event) {
        let mut json = Vec::new();
        let place = event.write_unnumbered(&mut json);
        let arrived = Arrived {
            seq: self.tail() + 1,
            kind: event.details.kind().into(),
            server: event.server.clone(),
            agent: event.agent.clone(),
            queue: event.queue.clone(),
            json: json.into(),
            place,
            is_after_loss: true,
        };
        self.take_in(vec![arrived], |_| {});
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;
    use telepulse_language::{QueueCount, Stamped, Timestamp};

    fn event(count: u32) -> Event {
        Event {
            server: "pbx1".into(),
            time: Timestamp(0),
            agent: None,
            queue: Some("sales".into()),
            details: QueueCount { count }.into(),
        }
    }

    fn seqs(read: Result<Vec<Arc<Entry>>, Missed>) -> Result<Vec<u64>, u64> {
        read.map(|entries| entries.iter().map(|entry| entry.seq).collect())
            .map_err(|missed| missed.oldest)
    }

    #[test]
    fn history_is_read_by_number_and_falls_off_at_its_end() {
        let stream = Stream::new("e".into(), 3);
        assert_eq!(stream.tail(), 0);
        assert_eq!(seqs(stream.read(0, 10)), Ok(vec![]));
        stream.append(vec![], |_| panic!("nothing to deliver"));
        assert_eq!(stream.tail(), 0);
        stream.append(vec![event(1), event(2)], |_| {});
        assert_eq!(seqs(stream.read(0, 10)), Ok(vec![1, 2]));
        stream.append(vec![event(3), event(4)], |_| {});
        assert_eq!(seqs(stream.read(0, 10)), Err(2));
        assert_eq!(seqs(stream.read(1, 10)), Ok(vec![2, 3, 4]));
        assert_eq!(seqs(stream.read(1, 2)), Ok(vec![2, 3]));
        assert_eq!(seqs(stream.read(4, 2)), Ok(vec![]));
        assert_eq!(seqs(stream.read(99, 2)), Ok(vec![]));
        assert_eq!(stream.tail(), 4);
    }

    fn arrived(seq: u64) -> Arrived {
        let mut json = Vec::new();
        let place = event(1).write_unnumbered(&mut json);
        Arrived {
            seq,
            kind: "queueCount".into(),
            server: "pbx1".into(),
            agent: None,
            queue: Some("sales".into()),
            json: json.into(),
            place,
            is_after_loss: false,
        }
    }

    #[test]
    fn numbers_of_others_may_have_gaps() {
        let stream = Stream::new("e".into(), 4);
        let take =
            |seqs: &[u64]| stream.take_in(seqs.iter().copied().map(arrived).collect(), |_| {});
        take(&[3, 5, 5, 4, 9]);
        assert_eq!(seqs(stream.read(0, 10)), Ok(vec![3, 5, 9]), "each once and upwards");
        for (after, expected) in
            [(3, vec![5, 9]), (4, vec![5, 9]), (5, vec![9]), (8, vec![9]), (9, vec![])]
        {
            assert_eq!(seqs(stream.read(after, 10)), Ok(expected), "{after}");
        }
        take(&[10, 12, 20]);
        assert_eq!(seqs(stream.read(4, 10)), Err(6), "5 has gone");
        assert_eq!(seqs(stream.read(5, 10)), Ok(vec![9, 10, 12, 20]), "nothing between is missing");
        let loss = Arrived { is_after_loss: true, ..arrived(22) };
        stream.take_in(vec![arrived(21), loss, arrived(30)], |_| {});
        assert_eq!(seqs(stream.read(20, 10)), Err(22));
        assert_eq!(seqs(stream.read(21, 10)), Ok(vec![22, 30]));
        assert_eq!(stream.tail(), 30);
    }

    #[test]
    fn what_arrives_looks_like_what_is_said_here() {
        let (here, there) = (Stream::new("e".into(), 3), Stream::new("e".into(), 3));
        here.append(vec![event(1)], |_| {});
        there.take_in(vec![arrived(1)], |_| {});
        let (here, there) = (here.read(0, 1).unwrap(), there.read(0, 1).unwrap());
        assert_eq!(here[0].frame(), there[0].frame());
        assert_eq!(here[0].address().as_str(), there[0].address().as_str());
        assert_eq!((&here[0].server, &here[0].queue), (&there[0].server, &there[0].queue));
    }

    #[test]
    fn an_entry_is_the_event_with_its_number() {
        let stream = Stream::new("e".into(), 3);
        let mut seen = Vec::new();
        stream.append(vec![event(7)], |entry| seen.push(Arc::clone(entry)));
        let entry = &seen[0];
        let stamped: Stamped = serde_json::from_slice(&entry.json()).unwrap();
        assert_eq!(stamped, Stamped { seq: 1, event: event(7) });
        assert_eq!(entry.address().as_str(), "telepulse.event.queueCount");
        assert_eq!((entry.kind(), &*entry.server), ("queueCount", "pbx1"));
        assert_eq!((entry.agent.as_deref(), entry.queue.as_deref()), (None, Some("sales")));
    }

    #[test]
    fn a_stand_is_of_one_moment() {
        let stream = Stream::new("0".into(), 3);
        thread::scope(|scope| {
            scope.spawn(|| (1..2_000).for_each(|it| stream.renew(&it.to_string(), it)));
            while stream.tail() < 1_999 {
                let Stand { epoch, generation, seq } = stream.stand();
                assert_eq!((&*epoch, seq), (&*generation.to_string(), generation));
            }
        });
    }

    #[test]
    fn more_names_than_the_cache_holds_are_no_harm() {
        let stream = Stream::new("e".into(), 3);
        for number in 0..=CACHED_NAMES {
            let event = Event { server: format!("pbx{number}").into(), ..event(1) };
            stream.append(vec![event], |entry| assert_eq!(*entry.server, format!("pbx{number}")));
        }
    }
}
