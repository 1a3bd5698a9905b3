//! One connection's feeds, and how it catches up with the hub from the stream's history.

use super::{Batch, Outlet, Pace, Sight};
use crate::bus::{Entry, Missed, Stream};
use plugin_host::ports::Frame;
use slab::Slab;
use std::{collections::VecDeque, sync::Arc};
use telepulse_language::Principal;

/// How many events are read from the history at a time.
const CHUNK: usize = 256;

/// A filter attached to a connection.
pub(super) struct Feed {
    pub(super) member: usize,
    /// The gateway's number for it.
    pub(super) number: u64,
    pub(super) sight: Arc<Sight>,
    /// Who sees the same; a suspended feed belongs nowhere.
    pub(super) audience: Option<usize>,
    pub(super) state: State,
    /// It shows what has greater numbers.
    pub(super) start: u64,
    /// Up to here the connection has got what this feed shows (while the connection is behind).
    pub(super) done: u64,
    /// Of these servers it shows only what has greater numbers: the snapshot has the rest.
    pub(super) after: Vec<(String, u64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Attached: the gateway is fetching its snapshot.
    Held,
    /// Released, but its reply waits for what comes before it.
    Releasing,
    /// Shows events.
    Live,
    /// The connection lagged: shows nothing until it is attached anew.
    Suspended,
}

impl Feed {
    /// Whether the event is for this feed.
    pub(super) fn lets_through(&self, entry: &Entry) -> bool {
        let in_snapshot =
            |(server, seq): &(String, u64)| entry.seq <= *seq && **server == *entry.server;
        entry.seq > self.start && self.sight.shows(entry) && !self.after.iter().any(in_snapshot)
    }

    /// Whether it shows whatever its sight lets through, from `seq` on.
    pub(super) fn is_plain(&self, seq: u64) -> bool {
        self.state == State::Live
            && self.start <= seq
            && self.after.iter().all(|(_, included)| *included <= seq)
    }
}

/// A connection.
pub(super) struct Member {
    pub(super) outlet: Arc<dyn Outlet>,
    /// Who has logged in.
    pub(super) principal: Option<Arc<Principal>>,
    /// Its feeds in the table.
    pub(super) feeds: Vec<usize>,
    pub(super) position: Position,
    pub(super) replies: VecDeque<Reply>,
    /// What the hub pushes next.
    pub(super) pending: Vec<Arc<Entry>>,
    /// What the hub pushes next to this one and others.
    pub(super) shared: Option<Arc<Batch>>,
    /// Whether it waits for its turn to catch up.
    pub(super) queued: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Position {
    /// The hub pushes: it is where the hub is.
    Live,
    /// It has been served up to this number and reads the history itself.
    Behind(u64),
}

/// A reply that goes out once the other feeds have shown what the reply's snapshot includes.
pub(super) struct Reply {
    /// The feed that goes live with it.
    pub(super) feed: Option<usize>,
    pub(super) upto: u64,
    pub(super) frame: Frame,
}

/// Where catching up ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The hub pushes from now on.
    Live,
    /// A feed is held: to be continued when it is released.
    Held,
    /// The outlet is full: to be continued when it says so.
    Full,
    /// There is more to do.
    Again,
    /// At most so many events have left the history before they could be sent.
    Lagged(u64),
}

/// Leaves out what follows an event after which everybody begins anew; whether there is one.
pub(super) fn end_where_all_begin_anew(entries: &mut Vec<Arc<Entry>>) -> bool {
    let place = entries.iter().position(|entry| entry.begins_anew);
    if let Some(place) = place {
        entries.truncate(place + 1);
    }
    place.is_some()
}

impl Member {
    pub(super) fn new(outlet: Arc<dyn Outlet>, principal: Option<Arc<Principal>>) -> Self {
        Self {
            outlet,
            principal,
            feeds: Vec::new(),
            position: Position::Live,
            replies: VecDeque::new(),
            pending: Vec::new(),
            shared: None,
            queued: false,
        }
    }

    /// Where the connection is, if the hub is at `cursor`.
    pub(super) fn at(&self, cursor: u64) -> u64 {
        match self.position {
            Position::Live => cursor,
            Position::Behind(at) => at,
        }
    }

    /// Goes back to `start` for one feed; the others note how far they have been served.
    pub(super) fn rewind(&mut self, feeds: &mut Slab<Feed>, cursor: u64, start: u64) {
        let at = self.at(cursor);
        let mut waiting = false;
        for &feed in &self.feeds {
            let feed = &mut feeds[feed];
            if feed.state == State::Live {
                feed.done = feed.done.max(at);
            }
            waiting |= feed.state != State::Suspended;
        }
        self.position = Position::Behind(if waiting { at.min(start) } else { start });
    }

    /// A feed that begins there is held from now on: replies must not wait for what it holds back.
    pub(super) fn wait_no_longer_than(&mut self, start: u64) {
        for reply in &mut self.replies {
            reply.upto = reply.upto.min(start);
        }
    }

    /// Where the earliest held feed begins: nobody on this connection gets beyond.
    pub(super) fn hold(&self, feeds: &Slab<Feed>) -> Option<u64> {
        let held = |feed: &&Feed| feed.state == State::Held;
        self.feeds.iter().map(|&feed| &feeds[feed]).filter(held).map(|feed| feed.start).min()
    }

    /// Reads at most `budget` events of the history and sends what the feeds show.
    pub(super) fn advance(
        &mut self,
        feeds: &mut Slab<Feed>,
        stream: &Stream,
        cursor: u64,
        mut budget: usize,
    ) -> Outcome {
        loop {
            self.answer(feeds);
            let Position::Behind(at) = self.position else { return Outcome::Live };
            let hold = self.hold(feeds).unwrap_or(u64::MAX);
            let next = match self.replies.front() {
                Some(reply) => reply.upto,
                None => cursor.max(self.done(feeds)),
            };
            let target = next.min(hold);
            if at >= target {
                return self.arrived(at, cursor, hold);
            }
            if budget == 0 {
                return Outcome::Again;
            }
            let most = usize::try_from(target - at).unwrap_or(CHUNK).min(CHUNK).min(budget);
            let mut entries = match stream.read(at, most) {
                Ok(entries) => entries,
                Err(Missed { oldest }) => return Outcome::Lagged(oldest - 1 - at),
            };
            let anew = end_where_all_begin_anew(&mut entries);
            let Some(last) = entries.last().map(|entry| entry.seq) else { return Outcome::Again };
            budget -= entries.len();
            let mut passing: Vec<_> =
                entries.into_iter().filter(|entry| self.passes(feeds, entry)).collect();
            self.outlet.take(&mut passing, Pace::CatchUp);
            if let Some(left) = passing.first() {
                self.position = Position::Behind(left.seq - 1);
                return Outcome::Full;
            }
            self.position = Position::Behind(last);
            let is_told =
                |feed: &usize| feeds[*feed].state == State::Live && feeds[*feed].start < last;
            if anew && self.feeds.iter().any(is_told) {
                return Outcome::Lagged(1);
            }
        }
    }

    /// How far the feed that has been served furthest is.
    fn done(&self, feeds: &Slab<Feed>) -> u64 {
        self.feeds.iter().map(|&feed| feeds[feed].done).max().unwrap_or(0)
    }

    /// Nothing more to read for now: goes live where the hub is.
    fn arrived(&mut self, at: u64, cursor: u64, hold: u64) -> Outcome {
        if hold <= at {
            return Outcome::Held;
        }
        if at > cursor {
            // A release read ahead of the hub, which is on its way.
            return Outcome::Again;
        }
        self.position = Position::Live;
        Outcome::Live
    }

    /// Sends the replies that are due; their feeds show events from here on.
    fn answer(&mut self, feeds: &mut Slab<Feed>) {
        while let Some(reply) = self.replies.front() {
            if matches!(self.position, Position::Behind(at) if at < reply.upto) {
                return;
            }
            let Some(reply) = self.replies.pop_front() else { return };
            self.outlet.reply(reply.frame);
            if let (Some(feed), Position::Behind(at)) = (reply.feed, self.position) {
                let start = feeds[feed].start;
                self.rewind(feeds, at, start);
                feeds[feed].state = State::Live;
            }
        }
    }

    /// Whether a feed shows the event that has not shown it yet, and no other feed has.
    fn passes(&self, feeds: &Slab<Feed>, entry: &Entry) -> bool {
        let mut fresh = false;
        for &feed in &self.feeds {
            let feed = &feeds[feed];
            if feed.state == State::Live && feed.lets_through(entry) {
                if entry.seq <= feed.done {
                    return false;
                }
                fresh = true;
            }
        }
        fresh
    }

    /// Pushes what is pending. Answers how many events did not fit.
    pub(super) fn push(&mut self) -> u64 {
        if let Some(batch) = self.shared.take() {
            return self.outlet.take_batch(&batch);
        }
        if self.pending.is_empty() {
            return 0;
        }
        self.outlet.take(&mut self.pending, Pace::Live);
        let left = self.pending.len() as u64;
        if self.pending.capacity() > CHUNK / 4 {
            self.pending = Vec::new();
        }
        self.pending.clear();
        left
    }
}
