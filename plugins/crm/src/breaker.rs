//! A server that fails again and again is left alone for a while: a circuit breaker. Pure.

use serde::{Deserialize, Serialize};

/// So many failures in a row open it.
const FAILURES: u32 = 5;
/// How long it stays open, in nanoseconds.
const OPEN: u64 = 15_000_000_000;

/// Counts what goes wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Breaker {
    failures: u32,
    /// Nobody asks before then; and then one does, to see.
    open_until: Option<u64>,
}

impl Breaker {
    /// Until when nobody should ask.
    pub(crate) fn until(&self, now: u64) -> Option<u64> {
        self.open_until.filter(|until| *until > now)
    }

    /// Somebody is about to ask; answers whether it may be.
    pub(crate) fn admit(&mut self, now: u64) -> bool {
        if self.until(now).is_some() {
            return false;
        }
        if self.open_until.is_some() {
            // This one is to see how it is; others wait for what comes of it.
            self.open_until = Some(now + OPEN);
        }
        true
    }

    /// It answered.
    pub(crate) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// It did not; answers whether nobody asks from now on.
    pub(crate) fn failed(&mut self, now: u64) -> bool {
        self.failures = self.failures.saturating_add(1);
        let opens = self.failures >= FAILURES;
        if opens {
            self.open_until = Some(now + OPEN);
        }
        opens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_some_failures_one_is_let_through_at_a_time() {
        let mut breaker = Breaker::default();
        for _ in 1..FAILURES {
            assert!(breaker.admit(0) && !breaker.failed(0));
        }
        assert!(breaker.admit(0) && breaker.failed(0));
        assert!(!breaker.admit(OPEN - 1));
        assert!(breaker.admit(OPEN), "to see how it is");
        assert!(!breaker.admit(OPEN + 1));
        breaker.failed(OPEN + 2);
        assert_eq!(breaker.until(OPEN + 3), Some(2 * OPEN + 2));
        assert!(breaker.admit(2 * OPEN + 2));
        breaker.succeeded();
        assert!(breaker.admit(2 * OPEN + 3) && breaker.until(0).is_none());
    }
}
