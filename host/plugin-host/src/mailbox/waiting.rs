//! The events that wait in memory, for each shard of the plugin, and what happens when there is no more
//! room.

use crate::{
    durable::Durable,
    manifest::OnFull,
    ports::{BusEvent, Part},
    shards::{self, Place},
    status::Counters,
};
use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
};
use tokio::sync::Notify;

/// Bytes of payload that wait: 4,096 events of 16 KiB.
const MOST_BYTES: usize = 64 << 20;

/// The events that wait for a plugin.
pub(super) struct Events {
    /// One for each shard; at least one.
    pub(super) rings: Vec<Ring>,
    pub(super) room: usize,
    pub(super) on_full: OnFull,
    /// What is kept on disk of it, if the subscription is durable; then there is one ring.
    pub(super) durable: Option<Durable>,
    /// Which of the events are this node's; all, unless several divide them.
    pub(super) part: Option<Arc<dyn Part>>,
}

/// The events that wait for one shard.
#[derive(Default)]
pub(super) struct Ring {
    pub(super) queue: VecDeque<Arc<BusEvent>>,
    /// Of all payloads in the queue.
    pub(super) bytes: usize,
    /// Emptied because it was full: the plugin has to start anew.
    pub(super) overflowed: bool,
    pub(super) arrived: Arc<Notify>,
}

/// How much a ring takes.
#[derive(Clone, Copy)]
struct Room {
    events: usize,
    bytes: usize,
    on_full: OnFull,
}

impl Ring {
    fn is_full_for(&self, event: &BusEvent, room: Room) -> bool {
        self.queue.len() >= room.events || self.bytes + event.payload.len() > room.bytes
    }

    pub(super) fn push(&mut self, event: &Arc<BusEvent>) {
        self.bytes += event.payload.len();
        self.queue.push_back(Arc::clone(event));
    }

    pub(super) fn pop(&mut self) -> Option<Arc<BusEvent>> {
        let event = self.queue.pop_front()?;
        self.bytes -= event.payload.len();
        Some(event)
    }

    /// Takes an event as `onFull` says; answers how many are dropped for it.
    fn take(&mut self, event: &Arc<BusEvent>, room: Room) -> usize {
        let had_none = self.queue.is_empty();
        let mut dropped = 0;
        match room.on_full {
            _ if !self.is_full_for(event, room) => {}
            OnFull::DropOldest | OnFull::Wait => {
                while self.is_full_for(event, room) && self.pop().is_some() {
                    dropped += 1;
                }
            }
            OnFull::Disconnect => {
                dropped = self.queue.len();
                self.clear();
                self.overflowed = true;
            }
        }
        self.push(event);
        if had_none || dropped > 0 {
            self.arrived.notify_one();
        }
        dropped
    }

    pub(super) fn clear(&mut self) {
        self.queue.clear();
        self.bytes = 0;
    }
}

impl Events {
    fn room(&self) -> Room {
        let bytes = MOST_BYTES / self.rings.len();
        Room { events: self.room, bytes, on_full: self.on_full }
    }

    /// Takes an event as the subscription and `onFull` say; answers how many are dropped for it.
    pub(super) fn take(&mut self, event: &Arc<BusEvent>) -> usize {
        let room = self.room();
        let Self { rings, durable, .. } = self;
        if let Some(durable) = durable {
            let ring = &mut rings[0];
            return match durable.add(event, !ring.is_full_for(event, room)) {
                Some(true) => ring.take(event, room),
                Some(false) => {
                    ring.arrived.notify_one();
                    0
                }
                // What came first has been accepted: it stays.
                None => 1,
            };
        }
        match shards::place(event, rings.len()) {
            Place::One(shard) => rings[shard].take(event, room),
            Place::All => rings.iter_mut().map(|ring| ring.take(event, room)).sum(),
        }
    }

    /// Has the events wait for so many shards from now on. Those of one call stay in their order.
    pub(super) fn split(&mut self, shards: usize) {
        if self.rings.len() == shards {
            return;
        }
        let before = std::mem::take(&mut self.rings);
        let arrived = before.iter().map(|ring| Arc::clone(&ring.arrived));
        let arrived = arrived.chain(std::iter::repeat_with(Arc::default));
        self.rings =
            arrived.take(shards).map(|arrived| Ring { arrived, ..Ring::default() }).collect();
        for (shard, ring) in before.into_iter().enumerate() {
            for event in ring.queue {
                match shards::place(&event, shards) {
                    Place::One(shard) => self.rings[shard].push(&event),
                    // Each of the shards had it.
                    Place::All if shard == 0 => {
                        self.rings.iter_mut().for_each(|ring| ring.push(&event));
                    }
                    Place::All => {}
                }
            }
        }
        self.rings.iter().for_each(|ring| ring.arrived.notify_one());
    }

    /// Tells how many wait.
    pub(super) fn tell(&self, counters: &Counters) {
        let waiting = || self.rings.iter().map(|ring| ring.queue.len() as u64).sum();
        let queued = self.durable.as_ref().map_or_else(waiting, Durable::undone);
        counters.queued.store(queued, Ordering::Relaxed);
    }
}
