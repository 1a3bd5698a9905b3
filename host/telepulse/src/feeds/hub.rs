//! The hub: one thread that follows the event stream and feeds all connections.

use super::{AttachError, Outlet, table::Table};
use crate::bus::Bus;
use parking_lot::{Mutex, MutexGuard};
use plugin_host::ports::{Attached, Frame};
use std::{mem, sync::Arc};
use telepulse_language::{Filter, Principal};
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

/// Feeds of all connections.
///
/// The table is behind a lock, not owned by the thread alone: gateways attach and release by plain
/// calls whose answers must be exact with respect to the stream. It is held for one bounded step at
/// a time and handed to whoever waits for it after each, nothing waits under it, and nothing that
/// publishes ever takes it.
pub struct Hub {
    bus: Arc<dyn Bus>,
    table: Mutex<Table>,
    wake: Notify,
    /// Who waits to hear that the thread goes round.
    asked: Mutex<Vec<oneshot::Sender<()>>>,
}

impl Hub {
    /// A hub at the stream's end. Nothing is pushed until [`Hub::run`] runs.
    pub fn new(bus: Arc<dyn Bus>) -> Arc<Self> {
        let table = Mutex::new(Table::new(bus.stream()));
        Arc::new(Self { bus, table, wake: Notify::new(), asked: Mutex::default() })
    }

    /// The name of the stream that it follows.
    pub fn epoch(&self) -> Arc<str> {
        self.bus.stream().epoch()
    }

    /// Follows the stream until stopped. Wants a thread of its own: between two steps it makes way for
    /// those who wait for the table, not for other tasks.
    pub async fn run(&self, stop: CancellationToken) {
        let mut news = self.bus.stream().news();
        loop {
            news.mark_unchanged();
            self.answer();
            while self.turn() {
                self.answer();
                if stop.is_cancelled() {
                    return;
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.wake.notified() => {}
                changed = news.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Waits until the thread has come round once more; for ever if it does not run.
    pub async fn goes_round(&self) {
        let (answer, answered) = oneshot::channel();
        self.asked.lock().push(answer);
        self.wake.notify_one();
        // The sender goes with the hub alone, which is here.
        let _ = answered.await;
    }

    fn answer(&self) {
        for asked in mem::take(&mut *self.asked.lock()) {
            // Who does not wait any more needs no answer.
            let _ = asked.send(());
        }
    }

    /// One bounded step; whether there is more to do.
    pub(super) fn turn(&self) -> bool {
        let mut table = self.table();
        let more = table.turn(self.bus.stream());
        MutexGuard::unlock_fair(table);
        more
    }

    /// Makes a connection known, before it can have feeds.
    pub fn open(&self, conn: u64, outlet: Arc<dyn Outlet>, principal: Option<Arc<Principal>>) {
        self.table().open(conn, outlet, principal);
    }

    /// Forgets a connection and its feeds.
    pub fn close(&self, conn: u64) {
        self.table().close(conn);
    }

    /// Somebody has logged in on a connection: its feeds show what that principal may see.
    pub fn set_principal(&self, conn: u64, principal: &Arc<Principal>) {
        self.table().set_principal(conn, principal);
    }

    /// Attaches a feed, held: of the events that `filter` and the connection's principal let
    /// through, those with numbers greater than the answer's go out after [`Hub::release`].
    /// `since` asks to start after an event of an epoch; if the history has no longer all that
    /// followed it, the feed starts now. The same number replaces an older feed.
    pub fn attach(
        &self,
        conn: u64,
        feed: u64,
        filter: Filter,
        since: Option<(String, u64)>,
    ) -> Result<Attached, AttachError> {
        let attached = self.table().attach(self.bus.stream(), conn, feed, filter, since);
        self.wake.notify_one();
        attached
    }

    /// Sends `reply` and lets the feed show events. Of a server in `after`, what has a number up to
    /// that one is left out. If the feed is not held, only the reply goes out.
    pub fn release(&self, conn: u64, feed: u64, reply: Frame, after: &[(String, u64)]) {
        self.table().release(self.bus.stream(), conn, feed, reply, after);
        self.wake.notify_one();
    }

    /// Ends a feed.
    pub fn detach(&self, conn: u64, feed: u64) {
        self.table().detach(self.bus.stream(), conn, feed);
        self.wake.notify_one();
    }

    /// There is room in a connection's outlet again.
    pub fn resume(&self, conn: u64) {
        self.table().resume(conn);
        self.wake.notify_one();
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock()
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.table().is_empty()
    }
}
