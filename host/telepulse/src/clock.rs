//! The one clock of the host: cores are given the time, they do not ask for it.

use std::time::{SystemTime, UNIX_EPOCH};
use telepulse_language::Timestamp;

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The same, as the language writes it.
pub(crate) fn now() -> Timestamp {
    Timestamp(now_ms())
}
