//! The fake host's clock: it stands still until a test moves it.

use std::collections::BTreeMap;

const NS_PER_MS: u64 = 1_000_000;

#[derive(Debug, Default)]
pub(super) struct Clock {
    pub(super) now_ns: u64,
    timers: BTreeMap<u64, Timer>,
}

#[derive(Debug)]
struct Timer {
    due_ns: u64,
    period_ms: Option<u64>,
}

impl Clock {
    pub(super) fn set(&mut self, id: u64, delay_ms: u64, period_ms: Option<u64>) {
        let due_ns = self.after(delay_ms);
        self.timers.insert(id, Timer { due_ns, period_ms });
    }

    pub(super) fn cancel(&mut self, id: u64) {
        self.timers.remove(&id);
    }

    pub(super) fn pending(&self) -> Vec<u64> {
        self.timers.keys().copied().collect()
    }

    /// Moves on to the first timer that is due by `until_ns`, or to `until_ns` itself if there is none.
    pub(super) fn step(&mut self, until_ns: u64) -> Option<u64> {
        let next = self.timers.iter().map(|(id, timer)| (timer.due_ns, *id)).min();
        let Some((due_ns, id)) = next.filter(|(due_ns, _)| *due_ns <= until_ns) else {
            self.now_ns = until_ns;
            return None;
        };
        self.now_ns = self.now_ns.max(due_ns);
        if let Some(Timer { period_ms, .. }) = self.timers.remove(&id)
            && let Some(period) = period_ms
        {
            // A period of nothing would never let the time go on.
            self.set(id, period.max(1), period_ms);
        }
        Some(id)
    }

    fn after(&self, ms: u64) -> u64 {
        self.now_ns.saturating_add(ms.saturating_mul(NS_PER_MS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1000 * NS_PER_MS;

    #[test]
    fn timers_fire_in_order_at_their_time_and_again_each_period() {
        let mut clock = Clock::default();
        clock.set(1, 3000, None);
        clock.set(2, 1000, Some(1500));
        clock.set(3, 1, None);
        clock.cancel(3);
        let mut fired = Vec::new();
        while let Some(timer) = clock.step(5 * SECOND) {
            fired.push((timer, clock.now_ns / NS_PER_MS));
        }
        assert_eq!(fired, [(2, 1000), (2, 2500), (1, 3000), (2, 4000)]);
        assert_eq!((clock.now_ns, clock.pending()), (5 * SECOND, vec![2]));
    }

    #[test]
    fn a_period_of_nothing_lets_time_go_on() {
        let mut clock = Clock::default();
        clock.set(1, 0, Some(0));
        let fired = std::iter::from_fn(|| clock.step(3 * NS_PER_MS)).count();
        assert_eq!(fired, 4);
    }
}
