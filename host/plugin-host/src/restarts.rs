//! When to start a plugin again after it failed, and when to give up. Pure: the time is passed in.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// This many failures within [`WINDOW`] and the plugin stays down.
const MOST: usize = 5;
/// How far back failures count.
const WINDOW: Duration = Duration::from_mins(1);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A plugin's recent failures.
#[derive(Debug, Default)]
pub(crate) struct Restarts(VecDeque<Instant>);

/// What to do after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Start it again after a pause.
    After(Duration),
    /// Leave it until its file changes or somebody starts it.
    GiveUp,
}

impl Restarts {
    /// Counts a failure and decides.
    pub(crate) fn failed(&mut self, now: Instant) -> Verdict {
        self.0.push_back(now);
        while self.0.front().is_some_and(|at| now.saturating_duration_since(*at) > WINDOW) {
            self.0.pop_front();
        }
        if self.0.len() > MOST {
            return Verdict::GiveUp;
        }
        let doublings = u32::try_from(self.0.len() - 1).unwrap_or(u32::MAX);
        Verdict::After((FIRST_PAUSE * 2u32.saturating_pow(doublings)).min(LONGEST_PAUSE))
    }

    /// Forgets: a new build, or somebody's order, begins anew.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_until_it_is_given_up() {
        let now = Instant::now();
        let mut restarts = Restarts::default();
        let verdicts: Vec<_> = (0..6).map(|_| restarts.failed(now)).collect();
        let pause = |ms| Verdict::After(Duration::from_millis(ms));
        assert_eq!(
            verdicts,
            [pause(100), pause(200), pause(400), pause(800), pause(1600), Verdict::GiveUp]
        );
        restarts.clear();
        assert_eq!(restarts.failed(now), pause(100));
    }

    #[test]
    fn old_failures_do_not_count() {
        let now = Instant::now();
        let mut restarts = Restarts::default();
        for minute in 0..20 {
            let verdict = restarts.failed(now + Duration::from_secs(61) * minute);
            assert_eq!(verdict, Verdict::After(FIRST_PAUSE));
        }
    }
}
