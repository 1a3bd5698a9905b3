//! Time, randomness and timers. Timers are the host's and outlive a swap.

use crate::host::with;
use std::time::Duration;
use telepulse_language::Timestamp;

/// Now, in nanoseconds since 1970, UTC.
pub fn now_ns() -> u64 {
    with(|host| host.now_ns())
}

/// Now, as the language writes it.
pub fn now() -> Timestamp {
    Timestamp(now_ns() / 1_000_000)
}

/// Random bytes, at most 4,096 at a time.
pub fn random(length: u32) -> Vec<u8> {
    with(|host| host.random(length))
}

/// Calls [`crate::Ticker::fired`] with `id` once, after the delay. The same id replaces an older timer.
pub fn after(id: u64, delay: Duration) {
    with(|host| host.set_timer(id, millis(delay), None));
}

/// Calls [`crate::Ticker::fired`] with `id` again and again. The same id replaces an older timer.
pub fn every(id: u64, period: Duration) {
    with(|host| host.set_timer(id, millis(period), Some(millis(period))));
}

/// Forgets a timer; unknown ids are no error.
pub fn cancel(id: u64) {
    with(|host| host.cancel_timer(id));
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
