//! How long a guest has computed in one call. It is read at each tick and counts the time that the
//! guest's thread ran: while that waits for a core, or for a lock in the host, nothing is counted.

use crate::epochs::TICK;
use rustix::time::{ClockId, clock_gettime};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// One call's computing time against its budget.
pub(crate) struct Stopwatch {
    polls: Arc<Polls>,
    spent: Duration,
    budget: Duration,
}

/// When a call's future was polled last, and when the guest went on after it had made way for others.
/// In nanoseconds; one thread at a time writes here, the one that polls.
#[derive(Debug)]
pub(crate) struct Polls {
    base: Instant,
    polled: AtomicU64,
    resumed: AtomicU64,
    /// What the thread had computed when the guest went on.
    computed: AtomicU64,
}

/// The time, by the wall and by what this thread computed.
#[derive(Clone, Copy)]
struct Reading {
    at: u64,
    computed: u64,
}

impl Stopwatch {
    pub(crate) fn new() -> Self {
        let [polled, resumed, computed] = [const { AtomicU64::new(0) }; 3];
        let polls = Polls { base: Instant::now(), polled, resumed, computed };
        Self { polls: Arc::new(polls), spent: Duration::ZERO, budget: Duration::ZERO }
    }

    pub(crate) fn polls(&self) -> &Arc<Polls> {
        &self.polls
    }

    /// A call begins.
    pub(crate) fn start(&mut self, budget: Duration) {
        self.spent = Duration::ZERO;
        self.budget = budget;
    }

    /// At a tick: whether the budget is spent.
    pub(crate) fn is_spent(&mut self) -> bool {
        let polls = &*self.polls;
        let resumed =
            Reading { at: polls.resumed.load(Relaxed), computed: polls.computed.load(Relaxed) };
        self.spent += since(polls.polled.load(Relaxed), resumed, polls.read());
        self.spent >= self.budget
    }
}

impl Polls {
    /// The call's future is polled; answers when.
    pub(crate) fn polled(&self) -> Instant {
        let now = Instant::now();
        self.polled.store(nanos(now.duration_since(self.base)), Relaxed);
        now
    }

    /// The guest goes on, in a poll of its own.
    pub(crate) fn resumed(&self) {
        let Reading { at, computed } = self.read();
        self.resumed.store(at, Relaxed);
        self.computed.store(computed, Relaxed);
    }

    fn read(&self) -> Reading {
        let thread = clock_gettime(ClockId::ThreadCPUTime);
        let computed = Duration::try_from(thread).unwrap_or_default();
        Reading { at: nanos(self.base.elapsed()), computed: nanos(computed) }
    }
}

/// What a guest computed since it went on, if that was in this poll. Else the poll began with the call,
/// or after a wait: the thread was not looked at then, and a tick is the most that has passed.
fn since(polled: u64, resumed: Reading, now: Reading) -> Duration {
    if resumed.at >= polled {
        Duration::from_nanos(now.computed.saturating_sub(resumed.computed))
    } else {
        Duration::from_nanos(now.at.saturating_sub(polled)).min(TICK)
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread::sleep;

    const MS: u64 = 1_000_000;

    #[test]
    fn only_what_the_thread_computed_counts() {
        let read = |at: u64, computed: u64| Reading { at: at * MS, computed: computed * MS };
        // It went on at 10 ms; since then the thread ran for 2 ms of 50.
        assert_eq!(since(9 * MS, read(10, 3), read(60, 5)), Duration::from_millis(2));
        // The first tick of a poll: at most a tick, less if it came at once.
        assert_eq!(since(20 * MS, read(10, 3), read(90, 60)), TICK);
        assert_eq!(since(20 * MS, read(10, 3), read(20, 4)), Duration::ZERO);
    }

    #[test]
    fn who_sleeps_spends_nothing() {
        let mut watch = Stopwatch::new();
        watch.start(Duration::from_millis(5));
        watch.polls().polled();
        watch.polls().resumed();
        sleep(Duration::from_millis(20));
        assert!(!watch.is_spent(), "it slept");
        watch.polls().polled();
        watch.polls().resumed();
        let before = watch.polls().read();
        while watch.polls().read().computed < before.computed + 6 * MS {}
        assert!(watch.is_spent(), "it computed");
        watch.start(Duration::from_secs(5));
        assert!(!watch.is_spent(), "another call, another budget");
    }
}
