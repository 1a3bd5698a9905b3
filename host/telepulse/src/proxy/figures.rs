//! Figures of one link: counted by its task alone, read by anybody at any time.

use arc_swap::ArcSwapOption;
use serde::Serialize;
use std::{
    array,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};
use telepulse_language::Timestamp;

/// What has been counted since the server was added. They never step back.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(super) events: AtomicU64,
    pub(super) bytes_in: AtomicU64,
    pub(super) bytes_out: AtomicU64,
    pub(super) actions: AtomicU64,
    /// Successful logins.
    pub(super) logins: AtomicU64,
    /// Pieces of the stream that could not be read.
    pub(super) unreadable: AtomicU64,
    /// Live events that were left out because the link could not keep up.
    pub(super) left_out: AtomicU64,
    /// Differences that audits found and mended.
    pub(super) mended: AtomicU64,
    /// How long the latest answer took, plus one; 0 when there was none.
    pub(super) latency_ms_plus_one: AtomicU64,
    pub(super) last_error: ArcSwapOption<LastError>,
    pub(super) rate: Rate,
}

/// The latest thing that went wrong with a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct LastError {
    /// When.
    pub time: Timestamp,
    /// What, for an operator.
    pub reason: String,
}

impl LastError {
    /// What went wrong just now.
    pub(crate) fn now(reason: &str) -> Self {
        Self { time: super::now(), reason: reason.to_owned() }
    }
}

/// The figures as the admin API shows them.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shown {
    /// AMI events a second, over the last ten.
    pub events_per_second: f64,
    /// AMI events since the server was added; so are the others.
    pub events: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// Actions sent, those of the link itself included.
    pub actions: u64,
    /// How long the latest answer took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<u64>,
    /// Logins after the first.
    pub reconnects: u64,
    pub unreadable: u64,
    pub events_left_out: u64,
    pub differences_mended: u64,
}

impl Figures {
    pub(crate) fn shown(&self) -> Shown {
        Shown {
            events_per_second: self.rate.per_second(Instant::now()),
            events: self.events.load(Relaxed),
            bytes_in: self.bytes_in.load(Relaxed),
            bytes_out: self.bytes_out.load(Relaxed),
            actions: self.actions.load(Relaxed),
            latency_ms: self.latency_ms_plus_one.load(Relaxed).checked_sub(1),
            reconnects: self.logins.load(Relaxed).saturating_sub(1),
            unreadable: self.unreadable.load(Relaxed),
            events_left_out: self.left_out.load(Relaxed),
            differences_mended: self.mended.load(Relaxed),
        }
    }

    pub(crate) fn last_error(&self) -> Option<Arc<LastError>> {
        self.last_error.load_full()
    }

    pub(super) fn failed(&self, reason: &str) {
        self.last_error.store(Some(Arc::new(LastError::now(reason))));
    }

    /// Adds what a session has counted since the last time.
    pub(super) fn add(&self, now: ami_proto::session::Stats, before: ami_proto::session::Stats) {
        let grown = |figure: &AtomicU64, now: u64, before: u64| {
            if now > before {
                figure.fetch_add(now - before, Relaxed);
            }
        };
        grown(&self.bytes_in, now.bytes_in, before.bytes_in);
        grown(&self.bytes_out, now.bytes_out, before.bytes_out);
        grown(&self.actions, now.actions, before.actions);
        grown(&self.left_out, now.shed, before.shed);
        if let Some(latency) = now.latency_ms {
            self.latency_ms_plus_one.store(latency.saturating_add(1), Relaxed);
        }
    }

    /// Counts live events.
    pub(super) fn events(&self, events: u64) {
        if events > 0 {
            self.events.fetch_add(events, Relaxed);
            self.rate.count(events, Instant::now());
        }
    }

    /// Counts one of something.
    pub(super) fn one(figure: &AtomicU64) {
        figure.fetch_add(1, Relaxed);
    }
}

/// Seconds that the rate looks back.
const WINDOW: u64 = 10;
/// One place for each second of the window, the current one, and some that are read late.
const PLACES: usize = 16;

/// Events by the second. One task counts, anybody reads; an idle link's rate falls by itself.
#[derive(Debug)]
pub(crate) struct Rate {
    origin: Instant,
    /// The second in the upper half, its count in the lower.
    seconds: [AtomicU64; PLACES],
}

impl Default for Rate {
    fn default() -> Self {
        // A second that never is: an empty place shall not look like second 0.
        let seconds = array::from_fn(|_| AtomicU64::new(u64::MAX << 32));
        Self { origin: Instant::now(), seconds }
    }
}

impl Rate {
    fn second(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.origin).as_secs()
    }

    pub(crate) fn count(&self, events: u64, now: Instant) {
        let second = self.second(now);
        let place = &self.seconds[usize::try_from(second).unwrap_or(0) % PLACES];
        let old = place.load(Relaxed);
        let so_far = if old >> 32 == second { old & u64::from(u32::MAX) } else { 0 };
        let count = (so_far + events).min(u64::from(u32::MAX));
        place.store(second << 32 | count, Relaxed);
    }

    /// Over the seconds that are complete.
    pub(crate) fn per_second(&self, now: Instant) -> f64 {
        let second = self.second(now);
        let window = second.saturating_sub(WINDOW)..second;
        let whole: u64 = self
            .seconds
            .iter()
            .map(|place| place.load(Relaxed))
            .filter(|place| window.contains(&(place >> 32)))
            .map(|place| place & u64::from(u32::MAX))
            .sum();
        let length = window.end - window.start;
        if length == 0 {
            return 0.0;
        }
        #[expect(clippy::cast_precision_loss, reason = "a rate, shown with one decimal")]
        let rate = whole as f64 / length as f64;
        (rate * 10.0).round() / 10.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_rate_is_that_of_the_last_ten_seconds() {
        let rate = Rate::default();
        let at = |ms: u64| rate.origin + Duration::from_millis(ms);
        let shown = |ms: u64| format!("{:.1}", rate.per_second(at(ms)));
        assert_eq!(shown(500), "0.0");
        rate.count(30, at(100));
        rate.count(10, at(900));
        assert_eq!(shown(900), "0.0", "the second is not over");
        assert_eq!(shown(1_000), "40.0");
        assert_eq!(shown(4_000), "10.0");
        rate.count(60, at(9_999));
        assert_eq!(shown(10_000), "10.0");
        assert_eq!(shown(11_000), "6.0", "the first second has left the window");
        assert_eq!(shown(60_000), "0.0");
        // The place is used again.
        rate.count(5, at(64_000));
        assert_eq!(shown(65_000), "0.5");
    }
}
