//! A plugin's timers. Pure: the time is passed in. They are the host's, so a swap does not touch them.

use crate::effects::TimerOp;
use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

/// How many a plugin may have.
pub(crate) const MOST: usize = 65_536;

/// Timers by id and by when they are due.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    by_id: HashMap<u64, (Instant, Option<Duration>)>,
    by_due: BTreeSet<(Instant, u64)>,
}

impl Timers {
    /// Applies a change. False if there are too many timers already.
    #[must_use]
    pub(crate) fn apply(&mut self, op: TimerOp, now: Instant) -> bool {
        match op {
            TimerOp::Cancel { id } => self.forget(id),
            TimerOp::Set { id, delay, period } => {
                self.forget(id);
                if self.by_id.len() >= MOST {
                    return false;
                }
                // A century stands for "never": the sum must not overflow.
                let delay = delay.min(Duration::from_hours(100 * 365 * 24));
                self.insert(id, now + delay, period);
            }
        }
        true
    }

    fn insert(&mut self, id: u64, due: Instant, period: Option<Duration>) {
        self.by_id.insert(id, (due, period));
        self.by_due.insert((due, id));
    }

    fn forget(&mut self, id: u64) {
        if let Some((due, _)) = self.by_id.remove(&id) {
            self.by_due.remove(&(due, id));
        }
    }

    /// When the next one is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.by_due.first().map(|(due, _)| *due)
    }

    /// Takes those that are due, at most `most`. Periods that were missed are skipped.
    pub(crate) fn due(&mut self, now: Instant, most: usize) -> Vec<u64> {
        let due: Vec<_> =
            self.by_due.iter().take_while(|(due, _)| *due <= now).take(most).copied().collect();
        for (at, id) in &due {
            let period = self.by_id.get(id).and_then(|(_, period)| *period);
            self.forget(*id);
            if let Some(period) = period {
                let next = *at + period;
                self.insert(*id, if next > now { next } else { now + period }, Some(period));
            }
        }
        due.into_iter().map(|(_, id)| id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn set(id: u64, delay: Duration, period: Option<Duration>) -> TimerOp {
        TimerOp::Set { id, delay, period }
    }

    #[test]
    fn timers_fire_in_order_and_once() {
        let start = Instant::now();
        let mut timers = Timers::default();
        for (id, delay) in [(1, 30), (2, 10), (3, 20), (2, 15)] {
            assert!(timers.apply(set(id, MS * delay, None), start));
        }
        assert!(timers.apply(TimerOp::Cancel { id: 3 }, start));
        assert_eq!(timers.next(), Some(start + MS * 15));
        assert_eq!(timers.due(start + MS * 40, 64), [2, 1]);
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn a_period_that_was_missed_is_skipped() {
        let start = Instant::now();
        let mut timers = Timers::default();
        assert!(timers.apply(set(1, MS * 10, Some(MS * 10)), start));
        assert_eq!(timers.due(start + MS * 10, 64), [1]);
        assert_eq!(timers.next(), Some(start + MS * 20));
        assert_eq!(timers.due(start + MS * 95, 64), [1]);
        assert_eq!(timers.next(), Some(start + MS * 105));
    }

    #[test]
    fn never_is_no_overflow() {
        let start = Instant::now();
        let mut timers = Timers::default();
        assert!(timers.apply(set(1, Duration::MAX, Some(Duration::MAX)), start));
        assert!(timers.due(start, 64).is_empty());
    }
}
