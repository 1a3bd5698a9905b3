//! Bytes that are on their way for a while, in the order in which they came.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// So many pieces may be on their way; who sends more is kept waiting.
const MOST: usize = 1024;

/// Each piece with when it is due.
#[derive(Debug, Default)]
pub(super) struct Late(VecDeque<(Instant, Vec<u8>)>);

impl Late {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn has_room(&self) -> bool {
        self.0.len() < MOST
    }

    /// Never before what came earlier, also where that was to take longer.
    pub(super) fn push(&mut self, bytes: &[u8], delay: Duration) {
        let due = Instant::now() + delay;
        let due = self.0.back().map_or(due, |(before, _)| due.max(*before));
        self.0.push_back((due, bytes.to_vec()));
    }

    /// The next piece, once it is due; for ever if there is none. Dropped while it waits it has taken nothing.
    pub(super) async fn due(&mut self) -> Vec<u8> {
        match self.0.front() {
            Some((due, _)) => sleep_until(*due).await,
            None => std::future::pending().await,
        }
        self.0.pop_front().map(|(_, bytes)| bytes).unwrap_or_default()
    }
}
