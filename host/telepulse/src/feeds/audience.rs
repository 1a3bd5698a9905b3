//! Feeds that see the same: what passes their filter is found out once for all of them, and handed out as
//! one piece.

use super::{Sight, index::Index};
use crate::bus::Entry;
use bytes::{Bytes, BytesMut};
use indexmap::IndexSet;
use slab::Slab;
use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

/// Events that go to several connections together.
pub struct Batch {
    entries: Vec<Arc<Entry>>,
    /// Their frames in one piece.
    frames: Bytes,
    /// The same as some of those who get it need them otherwise.
    other: OnceLock<Bytes>,
}

impl Batch {
    fn new(entries: Vec<Arc<Entry>>) -> Self {
        let frames = joined(&entries, Entry::frame);
        Self { entries, frames, other: OnceLock::new() }
    }

    /// The events, at least one.
    pub fn entries(&self) -> &[Arc<Entry>] {
        &self.entries
    }

    /// Their WebSocket frames, one after the other.
    pub fn frames(&self) -> &Bytes {
        &self.frames
    }

    /// The same in the other form of each frame, which `of` tells.
    pub fn frames_made(&self, of: impl Fn(&Entry) -> &Bytes) -> &Bytes {
        self.other.get_or_init(|| joined(&self.entries, of))
    }
}

fn joined(entries: &[Arc<Entry>], of: impl Fn(&Entry) -> &Bytes) -> Bytes {
    if let [entry] = entries {
        return of(entry).clone();
    }
    let length = entries.iter().map(|entry| of(entry).len()).sum();
    let mut frames = BytesMut::with_capacity(length);
    for entry in entries {
        frames.extend_from_slice(of(entry));
    }
    frames.freeze()
}

/// Feeds with the same sight.
struct Audience {
    sight: Arc<Sight>,
    /// Each the only feed of a connection that is up to date: they get whatever passes.
    plain: IndexSet<usize>,
    /// The others: what passes they still have to be asked about.
    special: IndexSet<usize>,
    /// The number of the last event that it was asked about.
    asked: u64,
    pending: Vec<Arc<Entry>>,
}

/// All audiences.
#[derive(Default)]
pub(super) struct Audiences {
    slab: Slab<Audience>,
    by_sight: HashMap<Arc<Sight>, usize>,
    index: Index,
    /// Those with something pending.
    heard: Vec<usize>,
}

impl Audiences {
    /// Takes a feed in; answers its audience, and the sight that all of it share.
    pub(super) fn join(&mut self, feed: usize, sight: Sight) -> (usize, Arc<Sight>) {
        if let Some((sight, &audience)) = self.by_sight.get_key_value(&sight) {
            self.slab[audience].special.insert(feed);
            return (audience, Arc::clone(sight));
        }
        let sight = Arc::new(sight);
        let audience = self.slab.insert(Audience {
            sight: Arc::clone(&sight),
            plain: IndexSet::new(),
            special: IndexSet::from([feed]),
            asked: 0,
            pending: Vec::new(),
        });
        self.by_sight.insert(Arc::clone(&sight), audience);
        self.index.insert(audience, &sight);
        (audience, sight)
    }

    /// A feed goes.
    pub(super) fn leave(&mut self, audience: usize, feed: usize) {
        let its = &mut self.slab[audience];
        its.plain.swap_remove(&feed);
        its.special.swap_remove(&feed);
        if its.plain.is_empty() && its.special.is_empty() {
            let sight = self.slab.remove(audience).sight;
            self.index.remove(audience, &sight);
            self.by_sight.remove(&sight);
        }
    }

    /// Whether a feed gets whatever passes, or has to be asked.
    pub(super) fn set_plain(&mut self, audience: usize, feed: usize, is_plain: bool) {
        let Audience { plain, special, .. } = &mut self.slab[audience];
        let (from, to) = if is_plain { (special, plain) } else { (plain, special) };
        if from.swap_remove(&feed) {
            to.insert(feed);
        }
    }

    /// Finds out whom an event is for. Calls `ask` with each feed that has to be asked.
    pub(super) fn hear(&mut self, entry: &Arc<Entry>, mut ask: impl FnMut(usize)) {
        let Self { slab, index, heard, .. } = self;
        index.find(entry, |found| {
            let audience = &mut slab[found];
            if audience.asked == entry.seq || !audience.sight.shows(entry) {
                return;
            }
            audience.asked = entry.seq;
            if !audience.plain.is_empty() {
                if audience.pending.is_empty() {
                    heard.push(found);
                }
                audience.pending.push(Arc::clone(entry));
            }
            audience.special.iter().copied().for_each(&mut ask);
        });
    }

    /// What was heard since the last time, for each feed that gets whatever passes.
    pub(super) fn tell(&mut self, mut each: impl FnMut(usize, &Arc<Batch>)) {
        for audience in self.heard.drain(..) {
            let audience = &mut self.slab[audience];
            let batch = Arc::new(Batch::new(std::mem::take(&mut audience.pending)));
            audience.plain.iter().for_each(|&feed| each(feed, &batch));
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.slab.is_empty() && self.by_sight.is_empty() && self.index.is_empty()
    }
}
