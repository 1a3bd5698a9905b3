//! Figures of one ARI connection: counted by its task alone, read by anybody at any time.

use crate::proxy::{LastError, Rate};
use arc_swap::ArcSwapOption;
use serde::Serialize;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

/// What has been counted since ARI was set up. All but the channels never step back.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    events: AtomicU64,
    unreadable: AtomicU64,
    /// Connections that were good.
    connections: AtomicU64,
    channels: AtomicU64,
    last_error: ArcSwapOption<LastError>,
    rate: Rate,
}

/// The figures as the admin API shows them.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shown {
    /// ARI events a second, over the last ten.
    pub events_per_second: f64,
    /// ARI events since ARI was set up; so are the others.
    pub events: u64,
    pub unreadable: u64,
    /// Connections after the first.
    pub reconnects: u64,
    /// Channels that are there now, extensions' and others.
    pub channels: u64,
}

impl Figures {
    pub(crate) fn shown(&self) -> Shown {
        Shown {
            events_per_second: self.rate.per_second(Instant::now()),
            events: self.events.load(Relaxed),
            unreadable: self.unreadable.load(Relaxed),
            reconnects: self.connections.load(Relaxed).saturating_sub(1),
            channels: self.channels.load(Relaxed),
        }
    }

    pub(crate) fn last_error(&self) -> Option<Arc<LastError>> {
        self.last_error.load_full()
    }

    pub(super) fn event(&self) {
        self.events.fetch_add(1, Relaxed);
        self.rate.count(1, Instant::now());
    }

    pub(super) fn unreadable(&self) {
        self.unreadable.fetch_add(1, Relaxed);
    }

    pub(super) fn connected(&self) {
        self.connections.fetch_add(1, Relaxed);
    }

    pub(super) fn channels(&self, count: usize) {
        self.channels.store(u64::try_from(count).unwrap_or(u64::MAX), Relaxed);
    }

    pub(super) fn failed(&self, reason: &str) {
        self.last_error.store(Some(Arc::new(LastError::now(reason))));
    }
}
