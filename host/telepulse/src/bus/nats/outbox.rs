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
/// No server has a longer name.
const NAME: usize = 1024;
/// So often an event is sent that NATS does not take.
const REFUSALS: u32 = 5;

/// An event as it is sent.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    pub(super) label: Label,
    pub(super) json: Bytes,
}

impl Outgoing {
    /// Encodes an event.
    pub(super) fn new(event: Event, term: u64, is_after_loss: bool) -> Self {
        let mut json = Vec::with_capacity(256);
        let place = event.write_unnumbered(&mut json);
        let kind = SmolStr::new(event.details.kind());
        let Event { server, agent, queue, .. } = event;
        let label = Label { kind, server, agent, queue, place, is_after_loss, term };
        Self { label, json: json.into() }
    }

    /// What is told of a server of which events were lost.
    fn resync(server: SmolStr, from: Timestamp, now: Timestamp) -> Self {
        let details = Resync { from, to: now }.into();
        // Whoever has the server by now: it is never wrong.
        Self::new(Event { server, time: now, agent: None, queue: None, details }, 0, true)
    }

    fn bytes(&self) -> usize {
        self.json.len() + OVERHEAD
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
    /// Which one was refused last, and how often one after the other.
    refused: (u64, u32),
}

impl Outbox {
    pub(super) fn new(floor: u64, room: Room, most: usize) -> Self {
        let lost = BTreeMap::new();
        Self { window: Window::new(floor, room), most, lost, dropped: 0, refused: (0, 0) }
    }

    /// Takes events; answers how many were lost.
    pub(super) fn push(&mut self, events: Vec<Outgoing>, now: Timestamp) -> u64 {
        let before = self.dropped;
        for event in events {
            let bytes = event.bytes();
            // NATS would refuse it for ever, and all that follows it would wait.
            let is_too_large = bytes > self.most || !event.label.fits();
            // Once one is lost all are, until there is room for a while: what is told then is whole.
            let refused = if is_too_large || !self.lost.is_empty() {
                Some(event)
            } else {
                self.window.push(bytes, event).err()
            };
            if let Some(event) = refused {
                self.dropped += 1;
                self.lose(event.label.server, now);
            }
        }
        self.make_up(now);
        self.dropped - before
    }

    /// Of a server whose name is no name nothing can be told.
    fn lose(&mut self, server: SmolStr, now: Timestamp) {
        let is_name = server.len() <= NAME;
        if is_name && self.lost.len() < SERVERS {
            self.lost.entry(server).or_insert(now);
        }
    }

    /// NATS takes events, and not this one: after some attempts it is given up, so that those behind it come
    /// in. Whether it was. What makes up for a loss is never given up.
    pub(super) fn refuse(&mut self, number: u64, now: Timestamp) -> bool {
        let (last, times) = self.refused;
        let times = if last == number { times + 1 } else { 1 };
        self.refused = (number, times);
        let Some(event) = self.window.get(number) else { return false };
        if times < REFUSALS || event.label.is_after_loss {
            return false;
        }
        let resync = Outgoing::resync(event.label.server.clone(), now, now);
        self.window.replace(number, resync.bytes(), resync);
        self.dropped += 1;
        true
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
            let event = Outgoing::resync(server, from, now);
            if let Err(event) = self.window.push(event.bytes(), event) {
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
        Outgoing::new(event, 0, false)
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

    #[test]
    fn an_event_whose_label_is_too_long_is_made_up_for_if_its_server_has_a_name() {
        let room = Room { events: 4, bytes: usize::MAX, under_way: 9 };
        let mut outbox = Outbox::new(0, room, 1 << 20);
        let mut long = event("a", 1);
        long.label.queue = Some("q".repeat(100_000).into());
        let nobody = event(&"x".repeat(100_000), 1);
        assert_eq!(outbox.push(vec![nobody, event("b", 1)], Timestamp(1_000)), 1);
        assert_eq!(outbox.push(vec![long], Timestamp(1_000)), 1);
        assert_eq!(
            sent(&mut outbox),
            [(1, "queueCount b".to_owned(), false), (2, "resync a".to_owned(), true)]
        );
    }

    #[test]
    fn what_nats_refuses_again_and_again_is_given_up_and_made_up_for() {
        let room = Room { events: 4, bytes: usize::MAX, under_way: 9 };
        let mut outbox = Outbox::new(0, room, 10_000);
        outbox.push(vec![event("a", 1), event("b", 2), event("c", 3)], Timestamp(0));
        let mut refuse =
            |number, times| (0..times).filter(|_| outbox.refuse(number, Timestamp(1_000))).count();
        assert_eq!(refuse(2, REFUSALS - 1), 0);
        assert_eq!(refuse(1, 1), 0, "not the same one after the other");
        assert_eq!(refuse(2, REFUSALS - 1), 0);
        assert_eq!(refuse(2, 1), 1);
        assert_eq!(refuse(2, 3 * REFUSALS), 0, "and no more than once");
        assert_eq!(refuse(9, 3 * REFUSALS), 0, "there is none");
        assert_eq!(outbox.dropped, 1);
        let sent = sent(&mut outbox);
        assert_eq!(
            sent.iter().map(|(_, what, _)| &what[..]).collect::<Vec<_>>(),
            ["queueCount a", "resync b", "queueCount c"]
        );
        assert!(sent[1].2, "who is behind begins anew");
    }
}
