//! The reference: one connection that keeps everything and thinks about every event anew.

use super::*;
use std::collections::BTreeMap;

/// A connection with its feeds, without positions, chunks or index.
#[derive(Default)]
pub(super) struct Model {
    log: Vec<Event>,
    feeds: BTreeMap<u64, Feed>,
    pub(super) out: Vec<Out>,
}

struct Feed {
    sight: Sight,
    start: u64,
    after: Vec<(String, u64)>,
    held: bool,
    /// Numbers of events that went out, or were passed over, while it was live.
    done: BTreeSet<u64>,
}

impl Feed {
    fn lets_through(&self, entry: &Entry) -> bool {
        let floor = self.after.iter().find(|(server, _)| **server == *entry.server);
        entry.seq > self.start
            && floor.is_none_or(|(_, seq)| entry.seq > *seq)
            && self.sight.shows(entry)
    }
}

impl Model {
    pub(super) fn append(&mut self, events: Vec<Event>) {
        self.log.extend(events);
        self.settle(u64::MAX);
    }

    pub(super) fn attach(&mut self, number: u64, sight: Sight, since: Option<u64>) {
        let start = since.unwrap_or(self.log.len() as u64);
        let feed = Feed { sight, start, after: vec![], held: true, done: BTreeSet::new() };
        self.feeds.insert(number, feed);
        self.settle(u64::MAX);
    }

    pub(super) fn release(&mut self, number: u64, reply: &str, after: Vec<(String, u64)>) {
        if self.is_held(number) {
            let included = after.iter().map(|(_, seq)| *seq).min().unwrap_or(0);
            // What the snapshot includes comes before it, as far as others hold nothing back.
            self.settle_others(included, Some(number));
            let feed = self.feeds.get_mut(&number).unwrap();
            feed.after = after;
            feed.held = false;
        }
        self.out.push(Out::Reply(reply.to_owned()));
        self.settle(u64::MAX);
    }

    pub(super) fn detach(&mut self, number: u64) {
        self.feeds.remove(&number);
        self.settle(u64::MAX);
    }

    pub(super) fn is_held(&self, number: u64) -> bool {
        self.feeds.get(&number).is_some_and(|feed| feed.held)
    }

    fn settle(&mut self, limit: u64) {
        self.settle_others(limit, None);
    }

    /// Shows, up to a number, all that may be shown and was not. The feed that is being released
    /// holds nothing back.
    fn settle_others(&mut self, limit: u64, released: Option<u64>) {
        let holding = |(number, feed): &(&u64, &Feed)| feed.held && Some(**number) != released;
        let held = self.feeds.iter().filter(holding).map(|(_, feed)| feed.start).min();
        let limit = limit.min(held.unwrap_or(u64::MAX));
        let bus = LocalBus::new("reference".into(), usize::MAX);
        bus.append(self.log.clone());
        for entry in bus.stream().read(0, usize::MAX).unwrap() {
            if entry.seq > limit {
                break;
            }
            let letting: Vec<_> = self
                .feeds
                .values_mut()
                .filter(|feed| !feed.held && feed.lets_through(&entry))
                .collect();
            let shown = letting.iter().any(|feed| feed.done.contains(&entry.seq));
            if !letting.is_empty() && !shown {
                self.out.push(Out::Event(entry.seq));
            }
            for feed in letting {
                feed.done.insert(entry.seq);
            }
        }
    }
}
