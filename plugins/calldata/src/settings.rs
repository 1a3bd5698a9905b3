//! `[settings]` of `calldata.toml`.

use crate::pools::{Pools, twice};
use serde::Deserialize;
use std::time::Duration;
use telepulse_plugin_sdk::{config, language::VariableName};

/// The most that a value may be set to have, in bytes: a request has 64 KiB.
const MOST_BYTES: usize = 60_000;
/// A week.
const LONGEST: u64 = 604_800;
/// Characters that the name of a pool may have: it stands in a path and in a metric.
const LONGEST_NAME: usize = 64;

/// How the cache works here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Settings {
    ttl_seconds: u64,
    /// How long a value may be, as JSON.
    pub(crate) max_bytes: usize,
    /// The channel variable that a call's value goes to.
    pub(crate) variable: Option<VariableName>,
    /// Numbers to hand out.
    pub(crate) pools: Pools,
}

impl Default for Settings {
    fn default() -> Self {
        Self { ttl_seconds: 300, max_bytes: 16_384, variable: None, pools: Pools::new() }
    }
}

impl Settings {
    /// How long a value waits to be fetched.
    pub(crate) fn ttl(&self) -> Duration {
        Duration::from_secs(self.ttl_seconds)
    }

    /// What an operator must not write, for the instance that starts to say; those that answer requests have no
    /// time to look again.
    pub(crate) fn check(&self) -> Result<(), String> {
        if !(1..=LONGEST).contains(&self.ttl_seconds) {
            return Err(format!("[settings] ttlSeconds: must be 1 to {LONGEST}"));
        }
        if !(2..=MOST_BYTES).contains(&self.max_bytes) {
            return Err(format!("[settings] maxBytes: must be 2 to {MOST_BYTES}"));
        }
        for name in self.pools.keys() {
            let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
            if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(is_good) {
                return Err(format!(
                    "[settings.pools] {name:?}: a name has 1 to {LONGEST_NAME} letters, digits, _ . -"
                ));
            }
        }
        match twice(&self.pools) {
            Some((number, one, other)) => Err(format!(
                "[settings.pools] {number} is in {one} and in {other}: a number is in one pool, once"
            )),
            None => Ok(()),
        }
    }
}

/// Reads them.
pub(crate) fn read() -> Result<Settings, String> {
    config::settings()
}
