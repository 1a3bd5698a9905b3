//! Where events wait for NATS: bounded, and what does not fit is counted and made up for by a `resync`.

use super::{
    label::Label,
    window::{Acknowledged, Room, Window},
};
use bytes::Bytes;
use std::collections::BTreeMap;
use telepulse_language::{Event, Resync, SmolStr, Timestamp};
use tokio::time::Instant;

/// What is counted of an event beside its JSON.
const OVERHEAD: usize = 128;
/// So many servers are remembered of which something was lost.
const SERVERS: usize = 4096;

/// An event as it is sent.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    pub(super) label: Label,
    pub(super) json: Bytes,
}

impl Outgoing {
    /// Encodes an event.
    pub(super) fn new(event: Event, is_after_loss: bool) -> Self {
        let mut json = Vec::with_capacity(256);
        let place = event.write_unnumbered(&mut json);
        let kind = SmolStr::new(event.details.kind());
        let Event { server, agent, queue, .. } = event;
        let label = Label { kind, server, agent, queue, place, is_after_loss };
        Self { label, json: json.into() }
    }
}

/// Events that wait or are on their way.
#[derive(Debug)]
pub(super) struct Outbox {
    pub(super) window: Window<Outgoing>,
    /// The largest event that NATS takes.
    most: usize,
    /// Servers of which events were lost, and since when.
    lost: BTreeMap<SmolStr, Timestamp>,
    /// Events lost so far.
    pub(super) dropped: u64,
}

impl Outbox {
    pub(super) fn new(floor: u64, room: Room, most: usize) -> Self {
        let lost = BTreeMap::new();
        Self { window: Window::new(floor, room), most, lost, dropped: 0 }
    }

    /// Takes events; answers how many were lost.
    pub(super) fn push(&mut self, events: Vec<Outgoing>, now: Timestamp) -> u64 {
        let before = self.dropped;
        for event in events {
            let bytes = event.json.len() + OVERHEAD;
            // Once one is lost all are, until there is room for a while: what is told then is whole.
            let refused = if bytes > self.most || !self.lost.is_empty() {
                Some(event)
            } else {
                self.window.push(bytes, event).err()
            };
            if let Some(event) = refused {
                self.dropped += 1;
                if self.lost.len() < SERVERS {
                    self.lost.entry(event.label.server).or_insert(now);
                }
            }
        }
        self.make_up(now);
        self.dropped - before
    }

    pub(super) fn acknowledge(
        &mut self,
        run: u64,
        number: u64,
        seq: u64,
        at: (Instant, Timestamp),
    ) -> Acknowledged {
        let outcome = self.window.acknowledge(run, number, seq, at.0);
        self.make_up(at.1);
        outcome
    }

    /// Tells of whom something was lost, once there is room again.
    fn make_up(&mut self, now: Timestamp) {
        if self.lost.is_empty() || !self.window.is_half_empty() {
            return;
        }
        for (server, from) in std::mem::take(&mut self.lost) {
            let details = Resync { from, to: now }.into();
            let event = Event { server, time: now, agent: None, queue: None, details };
            let event = Outgoing::new(event, true);
            if let Err(event) = self.window.push(event.json.len() + OVERHEAD, event) {
                self.lost.insert(event.label.server, from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use telepulse_language::QueueCount;

    fn event(server: &str, count: u32) -> Outgoing {
        let (time, details) = (Timestamp(0), QueueCount { count }.into());
        let event = Event { server: server.into(), time, agent: None, queue: None, details };
        Outgoing::new(event, false)
    }

    fn sent(outbox: &mut Outbox) -> Vec<(u64, String, bool)> {
        let now = Instant::now();
        let mut sent = Vec::new();
        while let Some(due) = outbox.window.send(now) {
            let label = &due.item.label;
            sent.push((
                due.number,
                format!("{} {}", label.kind, label.server),
                label.is_after_loss,
            ));
        }
        sent
    }

    #[test]
    fn what_did_not_fit_is_made_up_for_once_there_is_room() {
        let room = Room { events: 4, bytes: usize::MAX, under_way: 9 };
        let mut outbox = Outbox::new(0, room, 10_000);
        let events = |servers: &[&str]| servers.iter().map(|server| event(server, 1)).collect();
        assert_eq!(outbox.push(events(&["a", "b", "a", "b", "a"]), Timestamp(1_000)), 1);
        assert_eq!(outbox.push(events(&["c"]), Timestamp(2_000)), 1);
        assert_eq!(sent(&mut outbox).len(), 4);
        let at = || (Instant::now(), Timestamp(3_000));
        outbox.acknowledge(0, 1, 11, at());
        assert_eq!(outbox.push(events(&["b"]), Timestamp(2_500)), 1, "not between the lost ones");
        outbox.acknowledge(0, 2, 12, at());
        assert_eq!(
            sent(&mut outbox),
            [(5, "resync a".to_owned(), true), (6, "resync b".to_owned(), true)],
            "there is room for two"
        );
        assert_eq!(outbox.push(events(&["a"]), Timestamp(3_500)), 1);
        for number in 3..=5 {
            outbox.acknowledge(0, number, number + 10, at());
        }
        assert_eq!(
            sent(&mut outbox),
            [(7, "resync a".to_owned(), true), (8, "resync c".to_owned(), true)]
        );
        assert_eq!(outbox.push(events(&["a"]), Timestamp(4_000)), 0);
        assert_eq!(outbox.dropped, 4);
    }

    #[test]
    fn an_event_larger_than_nats_takes_is_made_up_for_at_once() {
        let room = Room { events: 4, bytes: usize::MAX, under_way: 9 };
        let mut outbox = Outbox::new(0, room, 100);
        assert_eq!(outbox.push(vec![event("a", 1)], Timestamp(1_000)), 1);
        assert_eq!(sent(&mut outbox), [(1, "resync a".to_owned(), true)]);
    }
}
