//! What is kept on disk, in files of the embedded database: the history of calls, plugins' values
//! and the messages that they have not done each have one.

mod disk;
pub(crate) mod journal;
pub(crate) mod kv;

pub(crate) use disk::Disk;
pub use disk::DiskError;

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
