//! Who waits for what was said here to be in the stream.

use crate::bus::Reached;
use parking_lot::Mutex;
use std::collections::VecDeque;

/// So many may wait, each with all that it will say then.
const MOST: usize = 4096;
/// Fewer are not looked through for those that have gone.
const FEW: usize = 16;

/// Those who wait, in the order in which what they wait for was said.
#[derive(Default)]
pub(super) struct Waiting {
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<(u64, Reached)>,
    /// With so many it is looked who has gone.
    look_at: usize,
    /// Up to this number of ours all has come in.
    done: u64,
}

impl Waiting {
    /// Calls `then` once our number `last` is in the stream; at once with `tail` if it is. `last` is found
    /// out under the lock, so that those who wait stand in order.
    pub(super) fn until(
        &self,
        last: impl FnOnce() -> u64,
        tail: impl FnOnce() -> u64,
        then: Reached,
    ) {
        let mut queue = self.queue.lock();
        let last = last();
        if last > queue.done {
            queue.enter(last, then);
            return;
        }
        let tail = tail();
        drop(queue);
        then.reached(tail);
    }

    /// Our numbers have come in, with these in the stream, and can be read there.
    pub(super) fn arrived(&self, numbers: &[(u64, u64)]) {
        let mut ready = Vec::new();
        let mut queue = self.queue.lock();
        for (number, seq) in numbers {
            queue.done = queue.done.max(*number);
            while queue.waiting.front().is_some_and(|(last, _)| last <= number) {
                ready.extend(queue.waiting.pop_front().map(|(_, then)| (then, *seq)));
            }
        }
        drop(queue);
        for (then, seq) in ready {
            then.reached(seq);
        }
    }
}

impl Queue {
    /// While NATS is away nobody is told, and who has asked goes and asks again.
    fn enter(&mut self, last: u64, then: Reached) {
        if self.waiting.len() >= self.look_at.max(FEW) {
            self.waiting.retain(|(_, then)| !then.has_gone());
            self.look_at = (self.waiting.len() * 2).min(MOST);
        }
        if self.waiting.len() < MOST {
            self.waiting.push_back((last, then));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::Waits;
    use std::sync::Arc;
    use tokio::sync::oneshot::{self, error::TryRecvError};

    #[test]
    fn each_hears_the_number_of_what_was_last_said_before() {
        let (waiting, heard) = (Waiting::default(), Arc::new(Mutex::new(Vec::new())));
        let wait = |last: u64| {
            let heard = heard.clone();
            waiting.until(
                || last,
                || 1000,
                Box::new(move |seq: u64| heard.lock().push((last, seq))),
            );
        };
        wait(0);
        assert_eq!(*heard.lock(), [(0, 1000)], "nothing was said");
        wait(2);
        wait(2);
        wait(3);
        waiting.arrived(&[(1, 50), (2, 60)]);
        assert_eq!(heard.lock()[1..], [(2, 60), (2, 60)]);
        waiting.arrived(&[(3, 70), (4, 80)]);
        assert_eq!(heard.lock()[3..], [(3, 70)]);
        wait(4);
        assert_eq!(heard.lock()[4..], [(4, 1000)]);
    }

    /// Waits as who holds the other end does.
    struct Asker(oneshot::Sender<u64>);

    impl Waits for Asker {
        fn reached(self: Box<Self>, seq: u64) {
            let _ = self.0.send(seq);
        }

        fn has_gone(&self) -> bool {
            self.0.is_closed()
        }
    }

    #[test]
    fn who_has_gone_is_forgotten_and_there_is_an_end_to_those_who_wait() {
        let waiting = Waiting::default();
        let ask = || {
            let (tell, told) = oneshot::channel();
            waiting.until(|| 1, || 0, Box::new(Asker(tell)));
            told
        };
        let first = ask();
        (0..10 * MOST).for_each(|_| drop(ask()));
        assert!(waiting.queue.lock().waiting.len() <= FEW);
        let mut told: Vec<_> = (0..MOST + 100).map(|_| ask()).collect();
        assert_eq!(waiting.queue.lock().waiting.len(), MOST);
        let last = told.last_mut().unwrap();
        assert_eq!(last.try_recv(), Err(TryRecvError::Closed), "it is told at once");
        told.truncate(10);
        let mut late = ask();
        assert_eq!(late.try_recv(), Err(TryRecvError::Empty), "there is room again");
        waiting.arrived(&[(1, 77)]);
        for mut told in told.into_iter().chain([first, late]) {
            assert_eq!(told.try_recv(), Ok(77));
        }
    }
}
