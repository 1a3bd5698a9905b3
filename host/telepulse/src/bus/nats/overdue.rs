//! Whether what is in the stream comes: its reader is kept by one server of NATS and goes with it, which the
//! client notices by itself only after a minute. Pure.

use std::time::Duration;
use tokio::time::Instant;

/// What has been in the stream for so long and did not come will not.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is waited for.
#[derive(Debug, Default)]
pub(super) struct Overdue {
    /// Up to here there is nothing to be read any more, though there may have been.
    nothing_to: u64,
    /// The next number when the stream was first seen to have more, and when that was.
    since: Option<(u64, Instant)>,
}

impl Overdue {
    /// A reader begins. The newest messages may have been removed: up to `nothing_to` nothing is waited for.
    pub(super) fn begin(nothing_to: u64) -> Self {
        Self { nothing_to, since: None }
    }

    /// The stream was seen to end at `last`, and `next` is the first that has not come: whether that will not.
    pub(super) fn is_so(&mut self, next: u64, last: u64, now: Instant) -> bool {
        if last < next || last <= self.nothing_to {
            self.since = None;
            return false;
        }
        match self.since {
            Some((before, since)) if before == next => now >= since + PATIENCE,
            _ => {
                self.since = Some((next, now));
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_come_for_a_while_is_overdue() {
        let (mut overdue, begun) = (Overdue::begin(0), Instant::now());
        let mut look =
            |next, last, seconds| overdue.is_so(next, last, begun + Duration::from_secs(seconds));
        assert!(!look(8, 7, 0), "nothing to come");
        assert!(!look(8, 9, 1), "it may be on its way");
        assert!(!look(8, 9, 2));
        assert!(look(8, 12, 3));
        assert!(!look(9, 12, 4), "one has come");
        assert!(!look(13, 12, 5), "and all");
        assert!(!look(13, 13, 9), "another one");
        assert!(look(13, 13, 11));
    }

    #[test]
    fn what_was_removed_is_not_waited_for() {
        let (mut overdue, begun) = (Overdue::begin(10), Instant::now());
        let later = begun + PATIENCE * 2;
        assert!(!overdue.is_so(8, 10, begun) && !overdue.is_so(8, 10, later));
        assert!(!overdue.is_so(8, 11, later) && overdue.is_so(8, 11, later + PATIENCE));
    }
}
