//! Batches of events that are on their way into the stream: how many, and when there is room for more.

use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;

/// So many of one link may be on their way; then it reads no more for the moment.
const ROOM: usize = 8;

/// One link's batches on the bus's own thread.
#[derive(Debug, Default)]
pub(super) struct Away {
    count: AtomicUsize,
    /// Told each time that one has arrived.
    arrived: Notify,
}

impl Away {
    pub(super) fn go(&self) {
        self.count.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn arrive(&self) {
        self.count.fetch_sub(1, Ordering::AcqRel);
        self.arrived.notify_one();
    }

    /// Everything that was given is in the stream.
    pub(super) fn is_none(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    pub(super) fn has_room(&self) -> bool {
        self.count.load(Ordering::Acquire) < ROOM
    }

    /// Waits until there is room for more.
    pub(super) async fn room(&self) {
        self.until(Self::has_room).await;
    }

    /// Waits until everything is in the stream.
    pub(super) async fn none(&self) {
        self.until(Self::is_none).await;
    }

    /// There is one task that waits, the link's: one permit is enough.
    async fn until(&self, is_so: fn(&Self) -> bool) {
        while !is_so(self) {
            self.arrived.notified().await;
        }
    }
}
