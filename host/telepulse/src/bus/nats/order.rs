//! Which messages of the stream are events, as every reader of it decides alike: of each publisher those
//! with its next number. What was sent again is there twice, and what overtook a lost one is there too early.
//! Pure.

use rustc_hash::FxHashMap;
use telepulse_language::SmolStr;

/// So many publishers are remembered; each start of a node is one.
const PUBLISHERS: usize = 4096;

/// Where a message comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// The start of the node that sent it.
    pub(super) from: SmolStr,
    /// Its number there.
    pub(super) number: u64,
    /// Up to this number all had been acknowledged when it was sent,
    pub(super) done: u64,
    /// where that one had this number in the stream; for the first, the stream's end at the start.
    pub(super) floor: u64,
}

/// What a reader does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It is not the next: left out.
    Out,
    /// It is the next.
    Next,
    /// It is what follows a hole that nothing will fill any more.
    AfterHole,
}

/// What one reader has seen.
#[derive(Debug)]
pub(super) struct Order {
    /// From this number of the stream on everything has been read.
    start: u64,
    publishers: FxHashMap<SmolStr, Publisher>,
}

#[derive(Debug)]
struct Publisher {
    /// The last number that counted.
    last: u64,
    /// Where in the stream something of it was seen last.
    seen: u64,
    /// The next that counts follows a hole.
    has_hole: bool,
}

impl Order {
    /// A reader that begins at a number of the stream.
    pub(super) fn new(start: u64) -> Self {
        Self { start, publishers: FxHashMap::default() }
    }

    /// Something before this number of the stream was not read.
    pub(super) fn restart(&mut self, start: u64) {
        *self = Self::new(start);
    }

    /// Whether the message at `seq` counts. Others may have written any numbers.
    pub(super) fn accept(&mut self, seq: u64, mark: &Mark) -> Place {
        let start = self.start;
        if !self.publishers.contains_key(&mark.from) {
            self.make_room();
        }
        let has_read_all = start <= mark.floor.saturating_add(1);
        let publisher = self.publishers.entry(mark.from.clone()).or_insert_with(|| {
            // All that followed what was acknowledged has been read, and none of it was there; or what was
            // there before we began to read we cannot know, and take this as the next.
            let last = if has_read_all { mark.done } else { mark.number.saturating_sub(1) };
            Publisher { last, seen: seq, has_hole: false }
        });
        publisher.seen = seq;
        // What was acknowledged lay before this, where all has been read: NATS has lost it.
        let is_hole = has_read_all && mark.done > publisher.last;
        if is_hole {
            (publisher.last, publisher.has_hole) = (mark.done, true);
        }
        if publisher.last.checked_add(1) != Some(mark.number) {
            return Place::Out;
        }
        publisher.last = mark.number;
        if std::mem::take(&mut publisher.has_hole) { Place::AfterHole } else { Place::Next }
    }

    fn make_room(&mut self) {
        if self.publishers.len() < PUBLISHERS {
            return;
        }
        let quiet = self.publishers.iter().min_by_key(|(_, publisher)| publisher.seen);
        if let Some(quiet) = quiet.map(|(name, _)| name.clone()) {
            self.publishers.remove(&quiet);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::nats::window::{Room, Window};
    use proptest::prelude::*;
    use std::collections::VecDeque;
    use tokio::time::Instant;

    fn mark(from: &str, number: u64, done: u64, floor: u64) -> Mark {
        Mark { from: from.into(), number, done, floor }
    }

    #[test]
    fn twice_or_too_early_counts_not() {
        let mut order = Order::new(1);
        let mut check = |seq, number, expected| {
            let place = order.accept(seq, &mark("a", number, 0, 0));
            assert_eq!(place == Place::Next, expected, "{seq}");
        };
        check(1, 2, false);
        check(2, 3, false);
        check(3, 1, true);
        check(4, 2, true);
        check(5, 2, false);
        check(6, 3, true);
        check(7, 5, false);
        check(8, 4, true);
        let other = order.accept(9, &mark("b", 1, 0, 5));
        assert_eq!(other, Place::Next, "another begins for itself");
    }

    #[test]
    fn who_begins_in_the_middle_takes_what_it_finds() {
        let mut order = Order::new(100);
        let mut take = |seq, mark| order.accept(seq, &mark);
        assert_eq!(take(100, mark("a", 57, 50, 90)), Place::Next, "51 to 56 were before");
        assert_eq!(take(101, mark("a", 58, 51, 91)), Place::Next);
        assert_eq!(take(102, mark("b", 2, 0, 99)), Place::Out, "1 would have been read");
        assert_eq!(take(103, mark("b", 1, 0, 99)), Place::Next);
        order.restart(200);
        assert_eq!(order.accept(200, &mark("a", 99, 80, 150)), Place::Next);
    }

    #[test]
    fn what_was_acknowledged_and_is_nowhere_is_a_hole_and_no_end() {
        let mut order = Order::new(1);
        let mut take = |seq, mark| order.accept(seq, &mark);
        assert_eq!(take(1, mark("a", 1, 0, 0)), Place::Next);
        // 2 to 5 were acknowledged, and NATS lost them.
        assert_eq!(take(2, mark("a", 7, 5, 5)), Place::Out, "6 is on its way");
        assert_eq!(take(3, mark("a", 6, 5, 5)), Place::AfterHole);
        assert_eq!(take(4, mark("a", 7, 5, 5)), Place::Next);
        order.restart(100);
        let mut take = |seq, mark| order.accept(seq, &mark);
        assert_eq!(take(100, mark("a", 9, 5, 50)), Place::Next);
        assert_eq!(take(101, mark("a", 12, 10, 60)), Place::Out, "10 may be before our time");
    }

    #[test]
    fn others_numbers_do_no_harm() {
        let mut order = Order::new(1);
        let most = u64::MAX;
        for (number, done, floor) in [(most, most, most), (most, 0, most), (0, most, 0), (1, 0, 0)]
        {
            order.accept(1, &mark("a", number, done, floor));
            Order::new(9).accept(9, &mark("a", number, done, floor));
        }
        assert_eq!(order.accept(2, &mark("b", 1, 0, 0)), Place::Next);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut order = Order::new(1);
        for number in 0..2 * PUBLISHERS as u64 {
            let place = order.accept(number + 1, &mark(&number.to_string(), 1, 0, number));
            assert_eq!(place, Place::Next);
        }
        assert_eq!(order.publishers.len(), PUBLISHERS);
    }

    /// What happens on the way to the stream.
    #[derive(Clone, Debug)]
    enum Step {
        Push,
        /// So many are sent; those whose bit is set get lost.
        Send(usize, u16),
        /// So many acknowledgements come; those whose bit is set got lost.
        Acknowledge(usize, u16),
        GoBack,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            Just(Step::Push),
            (1usize..8, any::<u16>()).prop_map(|(count, lost)| Step::Send(count, lost & 0x0421)),
            (1usize..8, any::<u16>())
                .prop_map(|(count, lost)| Step::Acknowledge(count, lost & 0x0109)),
            Just(Step::GoBack),
        ]
    }

    /// One publisher, the stream, and what it has acknowledged.
    struct World {
        window: Window<u64>,
        pushed: u64,
        stream: Vec<(Mark, u64)>,
        acks: VecDeque<(u64, u64, u64)>,
    }

    fn is_lost(lost: u16, index: usize) -> bool {
        index < 16 && lost >> index & 1 == 1
    }

    impl World {
        fn send(&mut self, count: usize, lost: u16) {
            for index in 0..count {
                let Some(due) = self.window.send(Instant::now()) else { return };
                let sent = (mark("a", due.number, due.done, due.floor), *due.item);
                let run = due.run;
                if !is_lost(lost, index) {
                    let number = sent.0.number;
                    self.stream.push(sent);
                    self.acks.push_back((run, number, self.stream.len() as u64));
                }
            }
        }

        fn acknowledge(&mut self, count: usize, lost: u16) {
            for index in 0..count {
                let Some((run, number, seq)) = self.acks.pop_front() else { return };
                if !is_lost(lost, index) {
                    self.window.acknowledge(run, number, seq, Instant::now());
                }
            }
        }
    }

    fn read(stream: &[(Mark, u64)], start: usize) -> Vec<(usize, u64)> {
        let mut order = Order::new(start as u64 + 1);
        let from = stream.iter().enumerate().skip(start);
        from.filter(|(at, (mark, _))| {
            let place = order.accept(*at as u64 + 1, mark);
            assert_ne!(place, Place::AfterHole, "nothing was lost");
            place == Place::Next
        })
        .map(|(at, (_, item))| (at, *item))
        .collect()
    }

    proptest! {
        /// Whatever gets lost on the way, in the end every reader has each event once and in order, and at
        /// the same place.
        #[test]
        fn nothing_is_lost_doubled_or_out_of_order(steps in prop::collection::vec(step(), 0..120)) {
            let room = Room { events: 1000, bytes: usize::MAX, under_way: 6 };
            let window = Window::new(0, room);
            let mut world = World { window, pushed: 0, stream: Vec::new(), acks: VecDeque::default() };
            for step in steps {
                match step {
                    Step::Push => {
                        world.pushed += 1;
                        world.window.push(1, world.pushed).unwrap();
                    }
                    Step::Send(count, lost) => world.send(count, lost),
                    Step::Acknowledge(count, lost) => world.acknowledge(count, lost),
                    Step::GoBack => world.window.go_back(),
                }
            }
            // At last nothing gets lost any more.
            while world.window.len() > 0 {
                world.window.go_back();
                world.send(usize::MAX, 0);
                world.acknowledge(usize::MAX, 0);
            }
            let whole = read(&world.stream, 0);
            let items: Vec<u64> = whole.iter().map(|(_, item)| *item).collect();
            prop_assert_eq!(items, (1..=world.pushed).collect::<Vec<_>>());
        }
    }
}
