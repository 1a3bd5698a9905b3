//! Something that may happen a thousand times a second, told now and then with how often.

use parking_lot::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// It is told at most so often.
const PAUSE: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(super) struct Complaint(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    told: Option<Instant>,
    untold: u64,
}

impl Complaint {
    /// It has happened `count` times more. How often since it was last told, if it is to be told now.
    pub(super) fn add(&self, count: u64, now: Instant) -> Option<u64> {
        let mut state = self.0.lock();
        state.untold += count;
        if state.told.is_some_and(|told| now.saturating_duration_since(told) < PAUSE) {
            return None;
        }
        state.told = Some(now);
        Some(std::mem::take(&mut state.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_at_once_and_then_now_and_then() {
        let (complaint, now) = (Complaint::default(), Instant::now());
        assert_eq!(complaint.add(1, now), Some(1));
        assert_eq!(complaint.add(2, now), None);
        assert_eq!(complaint.add(3, now + PAUSE), Some(5));
    }
}
