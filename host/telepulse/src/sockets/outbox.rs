//! What waits to be written to one client: replies and shared events in one bounded queue.
//!
//! Putting something in never waits. When events do not fit, the client lags: events that wait are
//! dropped, it is told, and its gateway starts over with a snapshot. A client that lags again before
//! it has read all of that is cut.

use super::{Room, frame};
use crate::{
    bus::Entry,
    feeds::{Outlet, Pace},
};
use bytes::Bytes;
use plugin_host::ports::{CloseReason, Frame};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Notify;

/// Close code: the client reads too slowly (contract section 3).
const TOO_SLOW: u16 = 4408;

/// The queue of one client. The hub and the plugins' threads put things in, the client's writer
/// takes them out; the lock is held for moments.
pub(super) struct Outbox {
    room: Room,
    state: Mutex<State>,
    arrived: Notify,
    lagged: Notify,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Item>,
    /// Queued, or taken by the writer and not written yet.
    events: usize,
    event_bytes: usize,
    bytes: usize,
    /// Somebody who catches up waits for room.
    hungry: bool,
    /// It has lagged and not read everything since.
    behind: bool,
    /// Lost since the plugin was last told.
    untold: Option<u64>,
    closing: Option<CloseReason>,
}

/// A frame to be written.
pub(super) enum Item {
    /// An event, shared with all who get it.
    Event(Arc<Entry>),
    /// Anything else; never dropped but by closing.
    Frame(Bytes),
}

impl Item {
    pub(super) fn bytes(&self) -> &Bytes {
        match self {
            Self::Event(entry) => entry.frame(),
            Self::Frame(bytes) => bytes,
        }
    }
}

/// What the writer has to do next.
pub(super) enum Next {
    /// Write what was put in the batch.
    Write,
    /// Nothing is left but the goodbye.
    Close(CloseReason),
}

impl Outbox {
    pub(super) fn new(room: Room) -> Self {
        let (arrived, lagged) = (Notify::new(), Notify::new());
        Self { room, state: Mutex::default(), arrived, lagged }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues frames, all or none; `false` if they do not fit or the connection is closing.
    pub(super) fn send(&self, frames: &[Bytes]) -> bool {
        let mut state = self.lock();
        let bytes: usize = frames.iter().map(Bytes::len).sum();
        if state.closing.is_some() || state.bytes + bytes > self.room.bytes {
            return false;
        }
        for frame in frames {
            state.put(Item::Frame(frame.clone()));
        }
        drop(state);
        self.arrived.notify_one();
        true
    }

    /// Queues a control frame of ours; it is left out when too much waits already.
    pub(super) fn control(&self, frame: Bytes) {
        let mut state = self.lock();
        if state.closing.is_none() && state.queue.len() < self.room.events {
            state.put(Item::Frame(frame));
            drop(state);
            self.arrived.notify_one();
        }
    }

    /// Closes after what is queued. The first reason counts.
    pub(super) fn close(&self, reason: CloseReason) {
        self.lock().closing.get_or_insert(reason);
        self.arrived.notify_one();
    }

    /// Closes now: what is queued is dropped.
    pub(super) fn cut(&self, reason: CloseReason) {
        self.lock().cut(reason);
        self.arrived.notify_one();
    }

    /// Cuts a client that takes nothing.
    pub(super) fn cut_slow(&self) {
        self.cut(too_slow());
    }

    /// Why it is closing, if it is.
    pub(super) fn closing(&self) -> Option<CloseReason> {
        self.lock().closing.clone()
    }

    /// Waits for something to do; frames are moved to `batch`, which must be empty.
    pub(super) async fn next(&self, batch: &mut VecDeque<Item>) -> Next {
        loop {
            {
                let mut state = self.lock();
                if !state.queue.is_empty() {
                    std::mem::swap(&mut state.queue, batch);
                    return Next::Write;
                }
                if let Some(reason) = &state.closing {
                    return Next::Close(reason.clone());
                }
            }
            self.arrived.notified().await;
        }
    }

    /// Items have left. Answers whether somebody waits for the room that there is now.
    pub(super) fn written(&self, items: impl Iterator<Item = Item>) -> bool {
        let mut state = self.lock();
        items.for_each(|item| state.forget(&item));
        if state.bytes == 0 {
            state.behind = false;
        }
        let roomy = state.events <= self.room.events / 4;
        roomy && std::mem::take(&mut state.hungry)
    }

    /// Waits until events were lost; answers how many.
    pub(super) async fn lost(&self) -> u64 {
        loop {
            if let Some(missed) = self.lock().untold.take() {
                return missed;
            }
            self.lagged.notified().await;
        }
    }
}

impl State {
    fn put(&mut self, item: Item) {
        let bytes = item.bytes().len();
        self.bytes += bytes;
        if matches!(item, Item::Event(_)) {
            self.events += 1;
            self.event_bytes += bytes;
        }
        self.queue.push_back(item);
    }

    fn forget(&mut self, item: &Item) {
        let bytes = item.bytes().len();
        self.bytes -= bytes;
        if matches!(item, Item::Event(_)) {
            self.events -= 1;
            self.event_bytes -= bytes;
        }
    }

    fn cut(&mut self, reason: CloseReason) {
        self.closing.get_or_insert(reason);
        for item in std::mem::take(&mut self.queue) {
            self.forget(&item);
        }
    }

    /// Drops the events that wait; answers how many.
    fn drop_events(&mut self) -> u64 {
        let queue = std::mem::take(&mut self.queue);
        let before = queue.len();
        for item in queue {
            if matches!(item, Item::Event(_)) {
                self.forget(&item);
            } else {
                self.queue.push_back(item);
            }
        }
        (before - self.queue.len()) as u64
    }
}

impl Outlet for Outbox {
    fn take(&self, events: &mut Vec<Arc<Entry>>, pace: Pace) {
        let mut state = self.lock();
        if state.closing.is_some() {
            events.clear();
            return;
        }
        // Who catches up leaves room for what happens meanwhile.
        let share = if pace == Pace::CatchUp { 2 } else { 1 };
        let (most, most_bytes) = (self.room.events / share, self.room.event_bytes / share);
        let mut taken = 0;
        for entry in &*events {
            let bytes = entry.frame().len();
            let fits = state.events < most && state.event_bytes + bytes <= most_bytes;
            // One event always fits, however large.
            if !fits && state.events > 0 {
                break;
            }
            state.put(Item::Event(Arc::clone(entry)));
            taken += 1;
        }
        events.drain(..taken);
        state.hungry |= pace == Pace::CatchUp && !events.is_empty();
        drop(state);
        self.arrived.notify_one();
    }

    fn reply(&self, frame: Frame) {
        if !self.send(&[frame::message(&frame)]) {
            self.cut_slow();
        }
    }

    fn lagged(&self, missed: u64) {
        let mut state = self.lock();
        if state.closing.is_some() {
            return;
        }
        if state.behind {
            state.cut(too_slow());
        } else {
            let missed = missed + state.drop_events();
            state.behind = true;
            state.untold = Some(state.untold.unwrap_or(0) + missed);
            state.put(Item::Frame(frame::lagged(missed)));
            self.lagged.notify_one();
        }
        drop(state);
        self.arrived.notify_one();
    }
}

fn too_slow() -> CloseReason {
    CloseReason { code: TOO_SLOW, text: "the client reads too slowly".to_owned() }
}
