//! Figures of the plugin's own, told by the host's `GET /metrics` with the label `plugin`.
//!
//! A name is 1 to 64 of `a-z`, `0-9` and `_`; the host puts `plugin_` before it, and `_total` behind a
//! counter's. What is beyond 64 names, or 1,024 names with one set of labels each, is counted by the
//! host and not told: numbers of calls and people belong into the log.
//!
//! ```
//! use std::time::Duration;
//! use telepulse_plugin_sdk::{metrics, testing::FakeHost};
//!
//! let host = FakeHost::install();
//! metrics::add("lookups", 1, &[("result", "found")]);
//! metrics::add("lookups", 2, &[("result", "found")]);
//! metrics::set("pool_free", 7.0, &[]);
//! metrics::observe_seconds("lookup_seconds", Duration::from_millis(20), &[]);
//!
//! assert_eq!(host.counted("lookups", &[("result", "found")]), 3);
//! assert_eq!(host.gauge("pool_free", &[]), Some(7.0));
//! assert_eq!(host.observed("lookup_seconds", &[]), [0.02]);
//! ```

use crate::host::with;
use std::time::Duration;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Measure {
    Add(u64),
    Set(f64),
    Observe(f64),
}

/// Adds to a counter.
pub fn add(name: &str, delta: u64, labels: &[(&str, &str)]) {
    with(|host| host.measure(name, labels, Measure::Add(delta)));
}

/// Sets a gauge.
pub fn set(name: &str, value: f64, labels: &[(&str, &str)]) {
    with(|host| host.measure(name, labels, Measure::Set(value)));
}

/// Adds an observation to a histogram, whose buckets suit seconds from 0.001 to 10.
pub fn observe(name: &str, value: f64, labels: &[(&str, &str)]) {
    with(|host| host.measure(name, labels, Measure::Observe(value)));
}

/// The same for a time.
pub fn observe_seconds(name: &str, time: Duration, labels: &[(&str, &str)]) {
    observe(name, time.as_secs_f64(), labels);
}
