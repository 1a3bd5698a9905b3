//! NATS's clock, by which times to live are counted: all nodes go by the same one, however far their own are
//! apart. Pure.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

/// What NATS's clock shows, as far as is known from when it was seen last. From there on time passes as on this
/// machine, whatever becomes of the clock on its wall.
#[derive(Debug)]
pub(super) struct Clock {
    origin: Instant,
    /// What it showed at the origin, in milliseconds since 1970.
    at_origin: AtomicU64,
}

impl Clock {
    /// It showed so many milliseconds since 1970 at this moment.
    pub(super) fn seen(shows: u64, at: Instant) -> Self {
        Self { origin: at, at_origin: AtomicU64::new(shows) }
    }

    /// It was seen again.
    pub(super) fn set(&self, shows: u64, at: Instant) {
        self.at_origin.store(shows.saturating_sub(self.passed(at)), Ordering::Relaxed);
    }

    /// What it shows at a moment, in milliseconds since 1970.
    pub(super) fn shows(&self, at: Instant) -> u64 {
        self.at_origin.load(Ordering::Relaxed).saturating_add(self.passed(at))
    }

    fn passed(&self, at: Instant) -> u64 {
        let passed = at.saturating_duration_since(self.origin);
        u64::try_from(passed.as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn it_goes_on_from_what_was_seen_last() {
        let begun = Instant::now();
        let after = |ms| begun + Duration::from_millis(ms);
        let clock = Clock::seen(5_000, begun);
        assert_eq!((clock.shows(begun), clock.shows(after(10))), (5_000, 5_010));
        clock.set(90_000, after(20));
        assert_eq!((clock.shows(after(20)), clock.shows(after(30))), (90_000, 90_010));
        clock.set(5_040, after(40));
        assert_eq!(clock.shows(after(50)), 5_050, "set back");
    }
}
