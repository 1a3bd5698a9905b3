//! The event stream: one numbering for the whole platform, and a bounded history to read again.

use super::{Address, EVENTS, Entry, entry::Draft};
use bytes::Bytes;
use rustc_hash::FxHashMap;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
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
    epoch: String,
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
    /// Numbered without gaps.
    entries: VecDeque<Arc<Entry>>,
    bytes: usize,
    room: usize,
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
        let ring = Ring { entries: VecDeque::new(), bytes: 0, room: history.max(1) };
        let news = watch::Sender::new(0);
        Self { epoch, tail: Mutex::default(), ring: Mutex::new(ring), news }
    }

    /// Names this numbering; another one starts anew.
    pub fn epoch(&self) -> &str {
        &self.epoch
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
        let Some(oldest) = ring.entries.front().map(|entry| entry.seq) else {
            return Ok(Vec::new());
        };
        let Some(skip) = (after + 1).checked_sub(oldest) else { return Err(Missed { oldest }) };
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        Ok(ring.entries.iter().skip(skip).take(max).cloned().collect())
    }

    /// Numbers and encodes events, keeps them and shows each to `deliver`, in order.
    pub(super) fn append(&self, events: Vec<Event>, mut deliver: impl FnMut(&Arc<Entry>)) -> u64 {
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        if events.is_empty() {
            return tail.last;
        }
        let entries = tail.encode(events);
        self.ring().keep(&entries);
        entries.iter().for_each(&mut deliver);
        self.news.send_replace(tail.last);
        tail.last
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
            let mut tokens: Vec<_> = EVENTS.split('.').collect();
            tokens.push(kind);
            Address::build(&tokens)
                .inspect_err(|error| tracing::error!(%error, "an event's type is no address"))
                .ok()
        })?;
        let server = remember(&mut self.servers, &event.server, || Some(event.server[..].into()))?;
        self.last += 1;
        Some(Draft::encode(self.last, event, address, server, &mut self.scratch))
    }
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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        assert_eq!(stream.append(vec![], |_| panic!("nothing to deliver")), 0);
        assert_eq!(stream.append(vec![event(1), event(2)], |_| {}), 2);
        assert_eq!(seqs(stream.read(0, 10)), Ok(vec![1, 2]));
        assert_eq!(stream.append(vec![event(3), event(4)], |_| {}), 4);
        assert_eq!(seqs(stream.read(0, 10)), Err(2));
        assert_eq!(seqs(stream.read(1, 10)), Ok(vec![2, 3, 4]));
        assert_eq!(seqs(stream.read(1, 2)), Ok(vec![2, 3]));
        assert_eq!(seqs(stream.read(4, 2)), Ok(vec![]));
        assert_eq!(seqs(stream.read(99, 2)), Ok(vec![]));
        assert_eq!(stream.tail(), 4);
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
    fn more_names_than_the_cache_holds_are_no_harm() {
        let stream = Stream::new("e".into(), 3);
        for number in 0..=CACHED_NAMES {
            let event = Event { server: format!("pbx{number}").into(), ..event(1) };
            stream.append(vec![event], |entry| assert_eq!(*entry.server, format!("pbx{number}")));
        }
    }
}
