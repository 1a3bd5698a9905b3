//! What waits to be written to one client: replies and shared events in one bounded queue.
//!
//! Putting something in never waits. Where nothing waits already it goes straight to the socket: only what
//! that does not take is queued for the writer. When events do not fit, the client lags: events that wait
//! are dropped, it is told, and its gateway starts over with a snapshot. A client that lags again before
//! it has read all of that is cut.

use super::{
    Room,
    deflate::{self, Form},
    frame, halves,
};
use crate::{
    bus::Entry,
    feeds::{Batch, Outlet, Pace},
};
use bytes::Bytes;
use plugin_host::ports::{CloseReason, Frame};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};
use tokio::{net::TcpStream, sync::Notify};

/// Close code: the client reads too slowly (contract section 3).
const TOO_SLOW: u16 = 4408;

/// The queue of one client. The hub and the plugins' threads put things in, the client's writer
/// takes them out; the lock is held for moments.
pub(super) struct Outbox {
    room: Room,
    lane: OnceLock<Lane>,
    state: Mutex<State>,
    arrived: Notify,
    lagged: Notify,
}

/// How messages get to the client.
#[derive(Default)]
pub(super) struct Lane {
    /// Where it may write at once; not through TLS, which has a state of its own.
    pub(super) socket: Option<Arc<TcpStream>>,
    pub(super) form: Form,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Item>,
    /// How much of the first in the queue has been written.
    offset: usize,
    /// The writer has taken something: nobody else may write.
    is_writing: bool,
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
    /// Anything else, in the client's form; never dropped but by closing.
    Frame(Bytes),
}

impl Item {
    /// What is written of it.
    pub(super) fn bytes(&self, form: Form) -> &Bytes {
        match self {
            Self::Event(entry) => written(entry, form),
            Self::Frame(bytes) => bytes,
        }
    }

    /// What counts of it against the room: of an event the same, however well it compresses.
    fn size(&self) -> usize {
        self.bytes(Form::Plain).len()
    }
}

/// What is written of an event. It is compressed once for all.
fn written(entry: &Entry, form: Form) -> &Bytes {
    match form {
        Form::Plain => entry.frame(),
        Form::Deflated => entry.frame_made(deflate::frame),
    }
}

/// What the writer has to do next.
pub(super) enum Next {
    /// Write what was put in the batch, of whose first so many bytes are out.
    Write { offset: usize },
    /// Nothing is left but the goodbye.
    Close(CloseReason),
}

impl Outbox {
    pub(super) fn new(room: Room) -> Self {
        let (lane, state, arrived, lagged) = Default::default();
        Self { room, lane, state, arrived, lagged }
    }

    /// Before anything is put in: how messages get to the client.
    pub(super) fn open(&self, lane: Lane) {
        // A connection has one, for good.
        let _ = self.lane.set(lane);
    }

    /// How messages go to the client.
    pub(super) fn form(&self) -> Form {
        self.lane.get().map_or(Form::Plain, |lane| lane.form)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues frames, all or none; `false` if they do not fit or the connection is closing.
    pub(super) fn send(&self, frames: &[Bytes]) -> bool {
        let deflated: Vec<Bytes>;
        let frames = match self.form() {
            Form::Plain => frames,
            Form::Deflated => {
                deflated = frames.iter().map(deflate::frame).collect();
                &deflated
            }
        };
        let mut state = self.lock();
        let bytes: usize = frames.iter().map(Bytes::len).sum();
        if state.closing.is_some() || state.bytes + bytes > self.room.bytes {
            return false;
        }
        let (done, begun) = self.write_now(&state, &frames.iter());
        for frame in &frames[done..] {
            state.put(Item::Frame(frame.clone()));
        }
        state.begin(begun);
        self.wake(state);
        true
    }

    /// Writes what the socket takes, if nothing waits to be written before. Answers how many frames are out,
    /// and how much of the next.
    fn write_now<'f>(
        &self,
        state: &State,
        frames: &(impl ExactSizeIterator<Item = &'f Bytes> + Clone),
    ) -> (usize, usize) {
        let nothing = (0, 0);
        let Some(Lane { socket: Some(socket), .. }) = self.lane.get() else { return nothing };
        if state.is_writing || !state.queue.is_empty() {
            return nothing;
        }
        let mut done = 0;
        while done < frames.len() {
            let left = frames.clone().skip(done).take(halves::FRAMES);
            // What is wrong with the socket the writer will find out.
            let Ok(mut written) = halves::write_now(socket, left.clone()) else { break };
            for frame in left {
                if written < frame.len() {
                    return (done, written);
                }
                written -= frame.len();
                done += 1;
            }
        }
        (done, 0)
    }

    /// Wakes the writer if there is something for it.
    fn wake(&self, state: MutexGuard<'_, State>) {
        let has_work = !state.queue.is_empty() || state.closing.is_some();
        drop(state);
        if has_work {
            self.arrived.notify_one();
        }
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
                state.is_writing = !state.queue.is_empty();
                if state.is_writing {
                    std::mem::swap(&mut state.queue, batch);
                    return Next::Write { offset: std::mem::take(&mut state.offset) };
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
        let bytes = item.size();
        self.bytes += bytes;
        if matches!(item, Item::Event(_)) {
            self.events += 1;
            self.event_bytes += bytes;
        }
        self.queue.push_back(item);
    }

    /// Queues events, as many as fit; answers how many.
    fn queue_events(&mut self, events: &[Arc<Entry>], pace: Pace, room: Room) -> usize {
        // Who catches up leaves room for what happens meanwhile.
        let share = if pace == Pace::CatchUp { 2 } else { 1 };
        let (most, most_bytes) = (room.events / share, room.event_bytes / share);
        for (queued, entry) in events.iter().enumerate() {
            let bytes = entry.frame().len();
            let fits = self.events < most && self.event_bytes + bytes <= most_bytes;
            // One event always fits, however large.
            if !fits && self.events > 0 {
                return queued;
            }
            self.put(Item::Event(Arc::clone(entry)));
        }
        events.len()
    }

    fn forget(&mut self, item: &Item) {
        let bytes = item.size();
        self.bytes -= bytes;
        if matches!(item, Item::Event(_)) {
            self.events -= 1;
            self.event_bytes -= bytes;
        }
    }

    fn cut(&mut self, reason: CloseReason) {
        self.closing.get_or_insert(reason);
        let mut queue = std::mem::take(&mut self.queue);
        self.keep_begun(&mut queue);
        for item in queue {
            self.forget(&item);
        }
    }

    /// The first that was queued just now is partly out.
    fn begin(&mut self, written: usize) {
        if written > 0 {
            self.offset = written;
        }
    }

    /// What is partly out must be finished, whatever becomes of the rest.
    fn keep_begun(&mut self, queue: &mut VecDeque<Item>) {
        if self.offset > 0 {
            self.queue.extend(queue.pop_front());
        }
    }

    /// Drops the events that wait; answers how many.
    fn drop_events(&mut self) -> u64 {
        let mut queue = std::mem::take(&mut self.queue);
        let before = queue.len();
        self.keep_begun(&mut queue);
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
        let (done, begun) = {
            let form = self.form();
            self.write_now(&state, &events.iter().map(|entry| written(entry, form)))
        };
        events.drain(..done);
        let queued = state.queue_events(events, pace, self.room);
        state.begin(begun);
        events.drain(..queued);
        state.hungry |= pace == Pace::CatchUp && !events.is_empty();
        self.wake(state);
    }

    fn take_batch(&self, batch: &Batch) -> u64 {
        let mut state = self.lock();
        if state.closing.is_some() {
            return 0;
        }
        let form = self.form();
        let frames = match form {
            Form::Plain => batch.frames(),
            Form::Deflated => batch.frames_made(|entry| written(entry, form)),
        };
        let (done, mut out) = self.write_now(&state, &std::iter::once(frames));
        if done == 1 {
            return 0;
        }
        let mut left = batch.entries();
        while let Some((first, rest)) = left.split_first()
            && out >= written(first, form).len()
        {
            out -= written(first, form).len();
            left = rest;
        }
        let queued = state.queue_events(left, Pace::Live, self.room);
        state.begin(out);
        self.wake(state);
        (left.len() - queued) as u64
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
