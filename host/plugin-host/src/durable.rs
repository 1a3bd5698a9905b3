//! A subscription whose messages are kept on disk until they are done: the mailbox's book of what is
//! where. Pure but for the journal, which never waits.
//!
//! Messages are numbered as they come. The oldest undone ones are in the mailbox's memory, as many as
//! fit; those behind are on disk alone and are read again when there is room.

use crate::{
    frame,
    ports::{BusEvent, Extent, Journal},
};
use bytes::Bytes;
use std::{collections::BTreeSet, sync::Arc};

/// The book of one plugin.
pub(crate) struct Durable {
    journal: Arc<dyn Journal>,
    plugin: Arc<str>,
    /// Bytes that undone messages may take.
    room: u64,
    bytes: u64,
    /// The number of the last message that came.
    last: u64,
    /// The last one that is, or was, in memory.
    in_memory: u64,
    /// The last one that is done.
    done: u64,
    /// Numbers of messages that could not be read: nobody will say that they are done.
    unreadable: BTreeSet<u64>,
}

impl Durable {
    pub(crate) fn new(
        journal: Arc<dyn Journal>,
        plugin: Arc<str>,
        room: u64,
        extent: Extent,
    ) -> Self {
        let Extent { first, last, bytes } = extent;
        let done = first.saturating_sub(1);
        Self {
            journal,
            plugin,
            room,
            bytes,
            last,
            in_memory: done,
            done,
            unreadable: BTreeSet::new(),
        }
    }

    pub(crate) fn set_room(&mut self, room: u64) {
        self.room = room;
    }

    /// Messages that are not done.
    pub(crate) fn undone(&self) -> u64 {
        self.last - self.done
    }

    /// Messages that are on disk alone.
    pub(crate) fn behind(&self) -> u64 {
        self.last - self.in_memory
    }

    /// Keeps a message; `fits` says whether there is room in memory. Answers whether it goes there:
    /// `None` if it is not kept at all.
    pub(crate) fn add(&mut self, event: &BusEvent, fits: bool) -> Option<bool> {
        let length = frame::length(event) as u64;
        if self.bytes + length > self.room {
            return None;
        }
        if !self.journal.append(&self.plugin, self.last + 1, frame::encode(event)) {
            return None;
        }
        self.bytes += length;
        self.last += 1;
        // Never before one that is still on disk.
        let goes_there = fits && self.in_memory + 1 == self.last;
        self.in_memory += u64::from(goes_there);
        Some(goes_there)
    }

    /// The oldest ones are done.
    pub(crate) fn finish<'e>(&mut self, events: impl Iterator<Item = &'e BusEvent>) {
        for event in events {
            self.pass_over();
            self.done += 1;
            self.bytes = self.bytes.saturating_sub(frame::length(event) as u64);
        }
        self.pass_over();
        self.journal.forget(&self.plugin, self.done);
    }

    /// Those that could not be read count as done when their turn comes.
    fn pass_over(&mut self) {
        while self.unreadable.remove(&(self.done + 1)) {
            self.done += 1;
        }
    }

    /// What was in memory is not any more.
    pub(crate) fn rewind(&mut self) {
        self.in_memory = self.done;
        self.unreadable.clear();
    }

    /// Nothing is kept from now on, and what was is forgotten.
    pub(crate) fn end(self) {
        self.journal.forget(&self.plugin, u64::MAX);
    }

    /// Reads what comes next, at most so many.
    pub(crate) fn next(&self, most: usize) -> Reading {
        Reading {
            journal: Arc::clone(&self.journal),
            plugin: Arc::clone(&self.plugin),
            after: self.in_memory,
            most,
        }
    }

    /// What was read is now in memory, if it is what comes next.
    pub(crate) fn take_in(&mut self, number: u64, message: &Bytes) -> Option<Arc<BusEvent>> {
        if number != self.in_memory + 1 {
            return None;
        }
        self.in_memory = number;
        let event = frame::decode(message);
        if event.is_none() {
            self.unreadable.insert(number);
            tracing::error!(plugin = &*self.plugin, number, "a message on disk cannot be read");
        }
        event.map(Arc::new)
    }
}

/// A look at the disk, without the lock of the mailbox.
pub(crate) struct Reading {
    journal: Arc<dyn Journal>,
    plugin: Arc<str>,
    after: u64,
    most: usize,
}

impl Reading {
    pub(crate) async fn read(self) -> Result<Vec<(u64, Bytes)>, String> {
        self.journal.read(&self.plugin, self.after, self.most).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::BoxFuture;
    use std::sync::Mutex;

    /// Remembers up to where it was told to forget.
    #[derive(Default)]
    struct Forgotten(Mutex<u64>);

    impl Journal for Forgotten {
        fn open(&self, _: &Arc<str>) -> BoxFuture<'static, Result<Extent, String>> {
            Box::pin(async { Ok(Extent::default()) })
        }
        fn append(&self, _: &Arc<str>, _: u64, _: Bytes) -> bool {
            true
        }
        fn forget(&self, _: &Arc<str>, up_to: u64) {
            *self.0.lock().unwrap() = up_to;
        }
        fn read(
            &self,
            _: &Arc<str>,
            _: u64,
            _: usize,
        ) -> BoxFuture<'static, Result<Vec<(u64, Bytes)>, String>> {
            Box::pin(async { Ok(Vec::new()) })
        }
    }

    #[test]
    fn what_cannot_be_read_is_passed_over_in_its_turn() {
        let journal = Arc::new(Forgotten::default());
        let extent = Extent { first: 5, last: 9, bytes: 1_000 };
        let mut durable = Durable::new(journal.clone(), "crm".into(), 1 << 20, extent);
        let event = BusEvent {
            seq: 1,
            time_ns: 0,
            address: "a".into(),
            kind: "a".into(),
            server: None,
            payload: Bytes::new(),
        };
        let (good, bad) = (frame::encode(&event), Bytes::from_static(b"?"));
        let messages = [(5, &bad), (6, &good), (7, &bad), (8, &bad), (9, &good)];
        let taken = messages.map(|(number, message)| durable.take_in(number, message).is_some());
        assert_eq!(taken, [false, true, false, false, true]);
        assert!(durable.take_in(9, &good).is_none(), "not what comes next");
        // The first one that is done is 6, with 5 before it, and 7 and 8 behind.
        durable.finish([&event].into_iter());
        assert_eq!((*journal.0.lock().unwrap(), durable.undone()), (8, 1));
        durable.finish([&event].into_iter());
        assert_eq!((*journal.0.lock().unwrap(), durable.undone()), (9, 0));
    }
}
