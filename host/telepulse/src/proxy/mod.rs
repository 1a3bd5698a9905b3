//! The proxy: a task for each Asterisk server, and the registry that starts and ends them.

mod audit;
mod away;
mod figures;
mod interest;
mod keep;
mod link;
mod pace;
mod publish;
mod registry;
mod request;
mod resync;
mod running;
mod talk;
mod transport;

pub(crate) use interest::Interest;
pub use keep::KeepError;
pub(crate) use link::model;
pub(crate) use registry::Registry;
pub(crate) use request::{Ask, LinkHandle, Part};
pub(crate) use talk::session_config;
pub(crate) use transport::open;

use std::time::{SystemTime, UNIX_EPOCH};
use telepulse_language::Timestamp;

/// The host's clock, as the language writes it.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
