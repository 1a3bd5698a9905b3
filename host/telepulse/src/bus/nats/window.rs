//! Events on their way to NATS: sent one after the other without waiting, kept until they are acknowledged,
//! and sent again from the first that is not. Pure.
//!
//! Each attempt to send them all is a run. Acknowledgements count in the order of the events and for the run
//! under way alone: what an earlier run brought into the stream may lie there before what had to be sent
//! again, and then readers have left it out (`order.rs`).

use std::{collections::VecDeque, time::Duration};
use tokio::time::Instant;

/// How long an acknowledgement may take.
pub(super) const ACK_WITHIN: Duration = Duration::from_secs(5);

/// How much there may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// Events that wait or are on their way.
    pub(super) events: usize,
    /// Their bytes.
    pub(super) bytes: usize,
    /// Events on their way at once.
    pub(super) under_way: usize,
}

/// What waits and what is on its way. Numbers begin at 1 and have no gaps.
#[derive(Debug)]
pub(super) struct Window<T> {
    items: VecDeque<(usize, T)>,
    /// The number of the first item.
    first: u64,
    /// How many of them have been sent in this run.
    sent: usize,
    run: u64,
    /// The number in the stream of the item before the first.
    floor: u64,
    bytes: usize,
    room: Room,
    /// When the run last came forward, while something is on its way.
    since: Option<Instant>,
}

/// One item to be sent.
#[derive(Debug, PartialEq)]
pub(super) struct Due<'w, T> {
    pub(super) run: u64,
    pub(super) number: u64,
    /// Up to this number all is in the stream,
    pub(super) done: u64,
    /// where that one has this number.
    pub(super) floor: u64,
    pub(super) item: &'w T,
}

/// What an acknowledgement means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Acknowledged {
    /// The first item is in the stream.
    Forward,
    /// One before it is not: all is sent again from there.
    Back,
    /// It is known, or of an earlier run.
    Nothing,
}

impl<T> Window<T> {
    /// Nothing so far; the stream is at `floor`.
    pub(super) fn new(floor: u64, room: Room) -> Self {
        let (items, since) = (VecDeque::new(), None);
        Self { items, first: 1, sent: 0, run: 0, floor, bytes: 0, room, since }
    }

    /// Takes one more of so many bytes, unless there is no room.
    pub(super) fn push(&mut self, bytes: usize, item: T) -> Result<u64, T> {
        if self.items.len() >= self.room.events || self.bytes + bytes > self.room.bytes {
            return Err(item);
        }
        self.bytes += bytes;
        self.items.push_back((bytes, item));
        Ok(self.last())
    }

    /// The number of the last that was taken.
    pub(super) fn last(&self) -> u64 {
        self.first + self.items.len() as u64 - 1
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether half of the room is free.
    pub(super) fn is_half_empty(&self) -> bool {
        self.items.len() <= self.room.events / 2 && self.bytes <= self.room.bytes / 2
    }

    /// The next to be sent, if one may be.
    pub(super) fn send(&mut self, now: Instant) -> Option<Due<'_, T>> {
        if self.sent >= self.room.under_way {
            return None;
        }
        let (_, item) = self.items.get(self.sent)?;
        let number = self.first + self.sent as u64;
        self.sent += 1;
        self.since.get_or_insert(now);
        Some(Due { run: self.run, number, done: self.first - 1, floor: self.floor, item })
    }

    /// An item has got the number `seq` in the stream.
    pub(super) fn acknowledge(
        &mut self,
        run: u64,
        number: u64,
        seq: u64,
        now: Instant,
    ) -> Acknowledged {
        let is_under_way = number >= self.first && number < self.first + self.sent as u64;
        if run != self.run || !is_under_way {
            return Acknowledged::Nothing;
        }
        if number > self.first {
            self.go_back();
            return Acknowledged::Back;
        }
        if let Some((bytes, _)) = self.items.pop_front() {
            self.bytes -= bytes;
        }
        (self.first, self.floor) = (self.first + 1, seq);
        self.sent -= 1;
        self.since = (self.sent > 0).then_some(now);
        Acknowledged::Forward
    }

    /// Begins another run.
    pub(super) fn go_back(&mut self) {
        self.run += 1;
        (self.sent, self.since) = (0, None);
    }

    /// The stream was made anew and is at `floor`: what is there no more was acknowledged all the same.
    pub(super) fn restart(&mut self, floor: u64) {
        self.floor = self.floor.min(floor);
        self.go_back();
    }

    /// What has this number and waits.
    pub(super) fn get(&self, number: u64) -> Option<&T> {
        self.items.get(self.place(number)?).map(|(_, item)| item)
    }

    /// Puts another in its place, whatever room it takes.
    pub(super) fn replace(&mut self, number: u64, bytes: usize, item: T) {
        let Some(place) = self.place(number).and_then(|place| self.items.get_mut(place)) else {
            return;
        };
        self.bytes = self.bytes - place.0 + bytes;
        *place = (bytes, item);
    }

    fn place(&self, number: u64) -> Option<usize> {
        number.checked_sub(self.first).and_then(|place| usize::try_from(place).ok())
    }

    /// Up to this number all was acknowledged.
    pub(super) fn done(&self) -> u64 {
        self.first - 1
    }

    /// Where that one is in the stream.
    pub(super) fn floor(&self) -> u64 {
        self.floor
    }

    /// The run under way.
    pub(super) fn run(&self) -> u64 {
        self.run
    }

    /// When what is on its way has taken too long.
    pub(super) fn late_at(&self) -> Option<Instant> {
        self.since.map(|since| since + ACK_WITHIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Room = Room { events: 5, bytes: 100, under_way: 3 };

    fn window(items: &[char]) -> Window<char> {
        let mut window = Window::new(70, ROOM);
        for item in items {
            window.push(10, *item).unwrap();
        }
        window
    }

    fn sent(window: &mut Window<char>) -> Vec<(u64, u64, char)> {
        let now = Instant::now();
        std::iter::from_fn(|| window.send(now).map(|due| (due.run, due.number, *due.item)))
            .collect()
    }

    #[test]
    fn so_many_are_on_their_way_and_acknowledgements_let_more_go() {
        let (mut window, now) = (window(&['a', 'b', 'c', 'd']), Instant::now());
        assert_eq!(sent(&mut window), [(0, 1, 'a'), (0, 2, 'b'), (0, 3, 'c')]);
        assert_eq!(window.acknowledge(0, 1, 71, now), Acknowledged::Forward);
        let due = window.send(now).unwrap();
        assert_eq!(due, Due { run: 0, number: 4, done: 1, floor: 71, item: &'d' });
        assert_eq!(window.acknowledge(0, 1, 71, now), Acknowledged::Nothing);
        assert_eq!(window.acknowledge(0, 5, 71, now), Acknowledged::Nothing, "was never sent");
    }

    #[test]
    fn what_is_missing_is_sent_again_with_all_after_it() {
        let (mut window, now) = (window(&['a', 'b', 'c']), Instant::now());
        sent(&mut window);
        assert_eq!(window.acknowledge(0, 1, 71, now), Acknowledged::Forward);
        assert_eq!(window.acknowledge(0, 3, 72, now), Acknowledged::Back, "2 got lost");
        // What the run before still says is not believed.
        assert_eq!(window.acknowledge(0, 2, 73, now), Acknowledged::Nothing);
        assert_eq!(sent(&mut window), [(1, 2, 'b'), (1, 3, 'c')]);
        assert_eq!(window.acknowledge(1, 2, 73, now), Acknowledged::Forward);
        assert_eq!(window.acknowledge(1, 3, 74, now), Acknowledged::Forward);
        assert_eq!((window.len(), window.last(), window.late_at()), (0, 3, None));
    }

    #[test]
    fn it_is_bounded_in_events_and_bytes() {
        let mut window = window(&['a', 'b', 'c', 'd', 'e']);
        assert_eq!(window.push(1, 'f'), Err('f'));
        assert!(!window.is_half_empty());
        sent(&mut window);
        for number in 1..=3 {
            window.acknowledge(0, number, number, Instant::now());
        }
        assert!(window.is_half_empty());
        assert_eq!(window.push(81, 'f'), Err('f'), "20 + 81 bytes");
        assert_eq!(window.push(80, 'f'), Ok(6));
    }

    #[test]
    fn another_takes_the_place_and_the_number() {
        let (mut window, now) = (window(&['a', 'b', 'c']), Instant::now());
        sent(&mut window);
        window.acknowledge(0, 1, 71, now);
        assert_eq!((window.get(1), window.get(2), window.get(4)), (None, Some(&'b'), None));
        window.replace(2, 50, 'x');
        window.replace(1, 50, 'y');
        window.replace(4, 50, 'z');
        assert_eq!(window.bytes, 60);
        window.go_back();
        assert_eq!(sent(&mut window), [(1, 2, 'x'), (1, 3, 'c')]);
    }

    #[test]
    fn late_is_what_does_not_come_forward() {
        let (mut window, now) = (window(&['a', 'b']), Instant::now());
        assert_eq!(window.late_at(), None, "nothing is on its way");
        sent(&mut window);
        assert!(window.late_at().is_some());
        let later = now + Duration::from_secs(3);
        window.acknowledge(0, 1, 71, later);
        assert_eq!(window.late_at(), Some(later + ACK_WITHIN));
        window.go_back();
        assert_eq!(window.late_at(), None);
    }
}
