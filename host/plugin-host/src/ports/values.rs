//! Values and figures that plugins keep.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use std::time::Duration;

/// Values that plugins keep, each plugin in a space of its own. What was answered is kept. Errors are
/// sentences for the plugin's author.
pub trait Kv: Send + Sync + 'static {
    /// A value that is there, and whose time is not over.
    fn get(&self, plugin: &str, key: String) -> BoxFuture<'static, Result<Option<Bytes>, String>>;

    /// Changes one value; the plugin's values may then take `room` bytes, keys included, where the
    /// store counts them.
    fn change(
        &self,
        plugin: &str,
        room: u64,
        change: KvChange,
    ) -> BoxFuture<'static, Result<KvDone, String>>;

    /// Keys, in order.
    fn keys(&self, plugin: &str, keys: KvKeys) -> BoxFuture<'static, Result<Vec<String>, String>>;
}

/// A change of one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KvChange {
    /// It has this value from now on.
    Set {
        /// Which.
        key: String,
        /// What.
        value: Bytes,
        /// How long.
        ttl: Option<Duration>,
    },
    /// The same, if its value is `expected` now; `None` if it has none.
    CompareAndSwap {
        /// Which.
        key: String,
        /// What it must be.
        expected: Option<Bytes>,
        /// What it becomes.
        value: Bytes,
        /// How long.
        ttl: Option<Duration>,
    },
    /// It is removed.
    Take {
        /// Which.
        key: String,
    },
    /// It is a number, in decimal, and becomes another; 0 if it has no value. Its time stays.
    Increment {
        /// Which.
        key: String,
        /// What is added.
        by: i64,
    },
}

/// What became of a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KvDone {
    /// Whether the value was what the change expected.
    pub is_done: bool,
    /// What was taken.
    pub taken: Option<Bytes>,
    /// What a number became.
    pub number: Option<i64>,
}

/// Which keys are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KvKeys {
    /// They begin with it.
    pub prefix: String,
    /// They follow it.
    pub after: Option<String>,
    /// At most so many.
    pub max: u32,
}

/// Figures that plugins keep: names, kinds and labels have been checked before.
pub trait Metrics: Send + Sync + 'static {
    /// Takes one. The error says why it is not told, like a name that another plugin uses for
    /// another kind of figure.
    fn record(
        &self,
        plugin: &str,
        name: &str,
        labels: &[(String, String)],
        measure: Measure,
    ) -> Result<(), String>;
}

/// What a plugin measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Measure {
    /// Added to a counter.
    Add(u64),
    /// A gauge is now this.
    Set(f64),
    /// Observed, for a histogram.
    Observe(f64),
}
