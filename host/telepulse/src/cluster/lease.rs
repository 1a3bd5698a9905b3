//! How long this node may act: looked at by whoever sends something to a server, right before it does.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

/// The right to act on servers, until it runs out or is taken back. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub(crate) struct Lease(Arc<Until>);

#[derive(Debug)]
struct Until {
    origin: Instant,
    /// In milliseconds after the origin; 0: no more.
    until: AtomicU64,
}

impl Lease {
    /// That of a node that has no others beside it: it never ends.
    pub(crate) fn endless() -> Self {
        Self(Arc::new(Until { origin: Instant::now(), until: AtomicU64::new(u64::MAX) }))
    }

    /// One that is not good yet. Its moments count from now.
    pub(super) fn none() -> Self {
        Self(Arc::new(Until { origin: Instant::now(), until: AtomicU64::new(0) }))
    }

    /// This moment, in milliseconds on its clock.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.0.origin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// It is good until then.
    pub(super) fn set(&self, until: u64) {
        self.0.until.store(until, Ordering::Release);
    }

    /// Whether one may act.
    pub(crate) fn is_good(&self) -> bool {
        self.now() < self.0.until.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_good_as_long_as_it_was_said_and_for_all_who_hold_it() {
        assert!(Lease::endless().is_good());
        let lease = Lease::none();
        let held = lease.clone();
        assert!(!held.is_good());
        lease.set(lease.now() + 60_000);
        assert!(held.is_good());
        lease.set(lease.now());
        assert!(!held.is_good());
    }
}
