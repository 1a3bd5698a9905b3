//! Who waits for what was said here to be in the stream.

use crate::bus::Reached;
use parking_lot::Mutex;
use std::collections::VecDeque;

/// Those who wait, in the order in which what they wait for was said.
#[derive(Default)]
pub(super) struct Waiting {
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<(u64, Reached)>,
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
            queue.waiting.push_back((last, then));
            return;
        }
        let tail = tail();
        drop(queue);
        then(tail);
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
            then(seq);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn each_hears_the_number_of_what_was_last_said_before() {
        let (waiting, heard) = (Waiting::default(), Arc::new(Mutex::new(Vec::new())));
        let wait = |last: u64| {
            let heard = heard.clone();
            waiting.until(|| last, || 1000, Box::new(move |seq| heard.lock().push((last, seq))));
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
}
