//! All connections with their feeds: who attaches, who is pushed to, who catches up. No task, no
//! clock: the hub calls it under its lock.

use super::{
    AttachError, MAX_FEEDS, MAX_WORDS, Outlet, Sight,
    audience::Audiences,
    member::{Feed, Member, Outcome, Position, Reply, State, end_where_all_begin_anew},
};
use crate::bus::{Entry, Missed, Stream};
use plugin_host::ports::{Attached, Frame};
use slab::Slab;
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};
use telepulse_language::{Filter, Principal};

/// How many events are pushed in one turn: each connection is woken once for all of them.
const BATCH: usize = 256;
/// How many connections are handed what they get, in one turn.
const STEP: usize = 32;
/// How many events one connection reads from the history in one turn.
const BUDGET: usize = 1024;

pub(super) struct Table {
    /// The hub has pushed up to here.
    cursor: u64,
    /// Of the stream: with another one all numbers are others.
    generation: u64,
    members: Slab<Member>,
    by_conn: HashMap<u64, usize>,
    feeds: Slab<Feed>,
    audiences: Audiences,
    /// Connections that can read on, in turn.
    catching_up: VecDeque<usize>,
    /// Connections with something pending, while a batch is handed out.
    touched: VecDeque<usize>,
}

impl Table {
    pub(super) fn new(stream: &Stream) -> Self {
        Self {
            generation: stream.generation(),
            cursor: stream.tail(),
            members: Slab::new(),
            by_conn: HashMap::new(),
            feeds: Slab::new(),
            audiences: Audiences::default(),
            catching_up: VecDeque::new(),
            touched: VecDeque::new(),
        }
    }

    pub(super) fn open(
        &mut self,
        conn: u64,
        outlet: Arc<dyn Outlet>,
        principal: Option<Arc<Principal>>,
    ) {
        self.close(conn);
        let member = self.members.insert(Member::new(outlet, principal));
        self.by_conn.insert(conn, member);
    }

    pub(super) fn close(&mut self, conn: u64) {
        let Some(key) = self.by_conn.remove(&conn) else { return };
        let member = self.members.remove(key);
        if member.queued {
            self.catching_up.retain(|queued| *queued != key);
        }
        for feed in member.feeds {
            self.drop_feed(feed);
        }
    }

    /// Somebody has logged in, or may see something else: all feeds are cut anew.
    pub(super) fn set_principal(&mut self, conn: u64, principal: &Arc<Principal>) {
        let Some(&key) = self.by_conn.get(&conn) else { return };
        self.flush(key);
        let member = &mut self.members[key];
        member.principal = Some(Arc::clone(principal));
        for &number in &member.feeds {
            let feed = &mut self.feeds[number];
            let sight = feed.sight.of(Arc::clone(principal));
            match feed.audience {
                Some(before) => {
                    self.audiences.leave(before, number);
                    let (audience, sight) = self.audiences.join(number, sight);
                    (feed.audience, feed.sight) = (Some(audience), sight);
                }
                None => feed.sight = Arc::new(sight),
            }
        }
        self.settle(key);
    }

    pub(super) fn attach(
        &mut self,
        stream: &Stream,
        conn: u64,
        number: u64,
        filter: Filter,
        since: Option<(String, u64)>,
    ) -> Result<Attached, AttachError> {
        self.look(stream);
        let key = *self.by_conn.get(&conn).ok_or(AttachError::NoConnection(conn))?;
        let principal = self.members[key].principal.clone();
        let sight = Sight::new(filter, principal.ok_or(AttachError::NobodyLoggedIn)?);
        self.check_room(key, number, &sight)?;
        self.flush(key);
        self.remove_feed(key, number);

        let tail = stream.tail();
        let known = |(epoch, seq): &(String, u64)| {
            **epoch == *stream.epoch() && *seq <= tail && stream.read(*seq, 1).is_ok()
        };
        let replay = since.filter(known).map(|(_, seq)| seq);
        let start = replay.unwrap_or(tail);

        let member = &mut self.members[key];
        member.rewind(&mut self.feeds, self.cursor, start);
        member.wait_no_longer_than(start);
        let slot = self.feeds.vacant_key();
        let (audience, sight) = self.audiences.join(slot, sight);
        self.feeds.insert(Feed {
            member: key,
            number,
            sight,
            audience: Some(audience),
            state: State::Held,
            start,
            done: start,
            after: Vec::new(),
        });
        member.feeds.push(slot);
        self.settle(key);
        // The others may go as far as this one begins.
        self.queue(key);
        let epoch = stream.epoch().to_string();
        Ok(Attached { seq: start, epoch, replayed: replay.is_some() })
    }

    fn check_room(&self, key: usize, number: u64, sight: &Sight) -> Result<(), AttachError> {
        let others = || {
            let feeds = self.members[key].feeds.iter().map(|&feed| &self.feeds[feed]);
            feeds.filter(|feed| feed.number != number)
        };
        if others().count() >= MAX_FEEDS {
            return Err(AttachError::TooManyFeeds);
        }
        let words: usize = others().map(|feed| feed.sight.words()).sum();
        if words + sight.words() > MAX_WORDS {
            return Err(AttachError::TooManyWords);
        }
        Ok(())
    }

    pub(super) fn release(
        &mut self,
        stream: &Stream,
        conn: u64,
        number: u64,
        frame: Frame,
        after: &[(String, u64)],
    ) {
        self.look(stream);
        let Some(&key) = self.by_conn.get(&conn) else { return };
        self.flush(key);
        let feed = self.feed(key, number).filter(|&feed| self.feeds[feed].state == State::Held);
        let mut upto = 0;
        if let Some(feed) = feed {
            let feed = &mut self.feeds[feed];
            feed.after = after.to_vec();
            feed.state = State::Releasing;
            // What the whole snapshot includes, the other feeds show before it.
            let included = after.iter().map(|(_, seq)| *seq).min().unwrap_or(0).max(feed.start);
            let hold = self.members[key].hold(&self.feeds).unwrap_or(u64::MAX);
            upto = included.min(stream.tail()).min(hold);
        }
        self.members[key].replies.push_back(Reply { feed, upto, frame });
        self.advance(stream, key);
    }

    pub(super) fn detach(&mut self, stream: &Stream, conn: u64, number: u64) {
        self.look(stream);
        let Some(&key) = self.by_conn.get(&conn) else { return };
        self.flush(key);
        self.remove_feed(key, number);
        self.advance(stream, key);
    }

    /// Lets a connection that is behind read on.
    pub(super) fn resume(&mut self, conn: u64) {
        if let Some(&key) = self.by_conn.get(&conn) {
            self.queue(key);
        }
    }

    /// Hands a batch to some of those who are up to date, or finds out whom the next one is for, and lets
    /// one connection catch up. Answers whether there is more to do.
    pub(super) fn turn(&mut self, stream: &Stream) -> bool {
        self.look(stream);
        if !self.touched.is_empty() {
            self.hand_out();
            return true;
        }
        let more = match stream.read(self.cursor, BATCH) {
            Ok(mut entries) => {
                let anew = end_where_all_begin_anew(&mut entries);
                self.find(&entries);
                if anew {
                    self.begin_anew();
                }
                !entries.is_empty()
            }
            Err(Missed { oldest }) => {
                self.fall_behind(oldest);
                true
            }
        };
        if let Some(key) = self.catching_up.pop_front() {
            self.members[key].queued = false;
            self.advance(stream, key);
        }
        more || !self.catching_up.is_empty()
    }

    /// Finds out who gets these.
    fn find(&mut self, entries: &[Arc<Entry>]) {
        let Self { audiences, feeds, members, touched, .. } = self;
        let mut asked = Vec::new();
        for entry in entries {
            audiences.hear(entry, |feed| {
                let feed = &feeds[feed];
                let member = &mut members[feed.member];
                let has_it = member.pending.last().is_some_and(|last| last.seq == entry.seq);
                let live = feed.state == State::Live && member.position == Position::Live;
                if live && !has_it && feed.lets_through(entry) {
                    if member.pending.is_empty() {
                        touched.push_back(feed.member);
                        asked.push(feed.member);
                    }
                    member.pending.push(Arc::clone(entry));
                }
            });
        }
        audiences.tell(|feed, batch| {
            let key = feeds[feed].member;
            members[key].shared = Some(Arc::clone(batch));
            touched.push_back(key);
        });
        if let Some(last) = entries.last() {
            self.cursor = last.seq;
        }
        // By now the stream may be past what their snapshots include.
        for key in asked {
            self.settle(key);
        }
    }

    /// Finds out which of a connection's feeds need not be asked about what they see: the only one of who
    /// is up to date.
    fn settle(&mut self, key: usize) {
        let Some(member) = self.members.get(key) else { return };
        let alone = member.feeds.len() == 1 && member.position == Position::Live;
        for &slot in &member.feeds {
            let feed = &self.feeds[slot];
            if let Some(audience) = feed.audience {
                self.audiences.set_plain(audience, slot, alone && feed.is_plain(self.cursor));
            }
        }
    }

    /// Hands some of those who get something what they get.
    fn hand_out(&mut self) {
        for _ in 0..STEP {
            let Some(key) = self.touched.pop_front() else { return };
            self.flush(key);
        }
    }

    /// Hands a connection what is pending, before anything else happens to it. It may have gone, or have
    /// been handed it already.
    fn flush(&mut self, key: usize) {
        let missed = self.members.get_mut(key).map_or(0, Member::push);
        if missed > 0 {
            self.lag(key, missed);
        }
    }

    /// Where the stream was made anew no number is what it was: everybody begins anew.
    fn look(&mut self, stream: &Stream) {
        let generation = stream.generation();
        if generation == self.generation {
            return;
        }
        self.generation = generation;
        self.cursor = stream.tail();
        self.touched.clear();
        let keys: Vec<_> = self.members.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.flush(key);
            if !self.members[key].feeds.is_empty() {
                self.lag(key, 1);
            }
        }
    }

    /// The hub itself was too slow: everybody whom it pushes to has missed something.
    fn fall_behind(&mut self, oldest: u64) {
        let missed = oldest - 1 - self.cursor;
        self.cursor = oldest - 1;
        for key in self.fed() {
            self.lag(key, missed);
        }
    }

    /// Everybody whom the hub pushes to is told what there is, and that it may be wrong.
    fn begin_anew(&mut self) {
        for key in self.fed() {
            self.flush(key);
            // Who did not take it was told already.
            if self.is_fed(&self.members[key]) {
                self.lag(key, 1);
            }
        }
    }

    /// Those whom the hub pushes to.
    fn fed(&self) -> Vec<usize> {
        let fed = self.members.iter().filter(|(_, member)| self.is_fed(member));
        fed.map(|(key, _)| key).collect()
    }

    fn is_fed(&self, member: &Member) -> bool {
        let live = |feed: &usize| self.feeds[*feed].state == State::Live;
        member.position == Position::Live && member.feeds.iter().any(live)
    }

    fn advance(&mut self, stream: &Stream, key: usize) {
        let member = &mut self.members[key];
        match member.advance(&mut self.feeds, stream, self.cursor, BUDGET) {
            Outcome::Live | Outcome::Held | Outcome::Full => {}
            Outcome::Again => self.queue(key),
            Outcome::Lagged(missed) => self.lag(key, missed),
        }
        self.settle(key);
    }

    fn queue(&mut self, key: usize) {
        let member = &mut self.members[key];
        if !member.queued && member.position != Position::Live {
            member.queued = true;
            self.catching_up.push_back(key);
        }
    }

    /// Suspends all feeds of a connection and has it told. Replies still go out: they were asked for.
    fn lag(&mut self, key: usize, missed: u64) {
        let member = &mut self.members[key];
        for &slot in &member.feeds {
            let feed = &mut self.feeds[slot];
            feed.state = State::Suspended;
            if let Some(audience) = feed.audience.take() {
                self.audiences.leave(audience, slot);
            }
        }
        for reply in member.replies.drain(..) {
            member.outlet.reply(reply.frame);
        }
        member.position = Position::Live;
        member.outlet.lagged(missed);
    }

    fn feed(&self, key: usize, number: u64) -> Option<usize> {
        let feeds = &self.members[key].feeds;
        feeds.iter().copied().find(|&feed| self.feeds[feed].number == number)
    }

    fn remove_feed(&mut self, key: usize, number: u64) {
        let Some(slot) = self.feed(key, number) else { return };
        let member = &mut self.members[key];
        member.feeds.retain(|feed| *feed != slot);
        for reply in &mut member.replies {
            // The reply itself still goes out.
            reply.feed = reply.feed.filter(|feed| *feed != slot);
        }
        self.drop_feed(slot);
    }

    fn drop_feed(&mut self, slot: usize) {
        if let Some(audience) = self.feeds.remove(slot).audience {
            self.audiences.leave(audience, slot);
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty() && self.feeds.is_empty() && self.audiences.is_empty()
    }
}
