//! How long to wait before the next attempt to connect.

/// Exponential backoff with jitter: each delay is drawn from the upper half of a span that doubles
/// up to a ceiling, so that many links that fell together do not come back together.
#[derive(Debug, Clone)]
pub struct Backoff {
    /// All three in milliseconds.
    first: u64,
    ceiling: u64,
    span: u64,
}

impl Backoff {
    /// Delays that grow from about `first_ms` to at most `ceiling_ms` (both at least 1).
    pub fn new(first_ms: u64, ceiling_ms: u64) -> Self {
        let first_ms = first_ms.max(1);
        Self { first: first_ms, ceiling: ceiling_ms.max(first_ms), span: first_ms }
    }

    /// The next delay in milliseconds, between half the span and the whole of it; `random` is any
    /// 64 random bits.
    pub fn next(&mut self, random: u64) -> u64 {
        let span = self.span;
        self.span = span.saturating_mul(2).min(self.ceiling);
        let half = span / 2;
        half + random % (span - half + 1)
    }

    /// After a link that held: start again with the shortest delay.
    pub fn reset(&mut self) {
        self.span = self.first;
    }
}

impl Default for Backoff {
    /// From half a second to 30 s.
    fn default() -> Self {
        Self::new(500, 30_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_double_up_to_the_ceiling() {
        let mut backoff = Backoff::new(100, 1_000);
        let longest: Vec<u64> = (0..6).map(|_| backoff.clone_and_step()).collect();
        assert_eq!(longest, [100, 200, 400, 800, 1_000, 1_000]);
        backoff.reset();
        assert_eq!(backoff.next(0), 50);
    }

    #[test]
    fn delays_spread_over_the_upper_half_only() {
        for random in [0, 1, 49, 50, 51, u64::MAX / 2, u64::MAX] {
            let delay = Backoff::new(100, 1_000).next(random);
            assert!((50..=100).contains(&delay), "{random} gave {delay}");
        }
    }

    #[test]
    fn senseless_bounds_still_give_delays() {
        let mut backoff = Backoff::new(0, 0);
        assert!((0..5).map(|_| backoff.next(u64::MAX)).all(|delay| delay <= 1));
        let mut backoff = Backoff::new(u64::MAX, 1);
        assert!(backoff.next(u64::MAX) >= u64::MAX / 2);
    }

    impl Backoff {
        /// The longest delay of this step, then one step on.
        fn clone_and_step(&mut self) -> u64 {
            let longest = self.span;
            self.next(0);
            longest
        }
    }
}
