//! The host as a plugin sees it: the component's imports, or a fake in a native unit test.

use crate::{Attached, CloseReason, Frame, log::Level, metrics::Measure};
use telepulse_language::{Filter, Principal};

/// Everything that a plugin may ask of its host, one method a function of `wit/`.
///
/// Plugins call it through the modules [`crate::bus`], [`crate::config`], [`crate::clock`],
/// [`crate::connections`], [`crate::kv`], [`crate::metrics`] and the macros of [`crate::log`].
pub(crate) trait Host {
    fn log(&self, level: Level, message: String, fields: Vec<(String, String)>);

    fn setting(&self, key: &str) -> Option<String>;
    fn settings(&self) -> String;
    fn secret(&self, name: &str) -> Option<String>;

    fn now_ns(&self) -> u64;
    fn random(&self, length: u32) -> Vec<u8>;
    fn set_timer(&self, id: u64, delay_ms: u64, period_ms: Option<u64>);
    fn cancel_timer(&self, id: u64);

    fn publish(&self, address: &str, payload: &[u8]) -> Result<(), String>;
    fn submit(
        &self,
        address: &str,
        payload: &[u8],
        timeout_ms: u32,
        on_behalf_of: Option<u64>,
        context: &[u8],
    ) -> Result<u64, String>;
    fn fetch(
        &self,
        request: &crate::fetch::Request,
        timeout_ms: u32,
        context: &[u8],
    ) -> Result<u64, String>;
    fn request(&self, address: &str, payload: &[u8], timeout_ms: u32) -> Result<Vec<u8>, String>;

    fn kv_get(&self, key: &str) -> Result<Option<Vec<u8>>, String>;
    fn kv_set(&self, key: &str, value: &[u8], ttl_ms: Option<u64>) -> Result<(), String>;
    fn kv_compare_and_swap(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        value: &[u8],
        ttl_ms: Option<u64>,
    ) -> Result<bool, String>;
    fn kv_take(&self, key: &str) -> Result<Option<Vec<u8>>, String>;
    fn kv_increment(&self, key: &str, by: i64) -> Result<i64, String>;
    fn kv_keys(&self, prefix: &str, after: Option<&str>, max: u32) -> Result<Vec<String>, String>;

    fn measure(&self, name: &str, labels: &[(&str, &str)], measure: Measure);

    fn login(&self, conn: u64, token: &str) -> Result<Principal, String>;
    fn attach(
        &self,
        conn: u64,
        feed: u64,
        filter: &Filter,
        since: Option<(&str, u64)>,
    ) -> Result<Attached, String>;
    fn release(&self, conn: u64, feed: u64, reply: Frame, after: Vec<(String, u64)>);
    fn detach(&self, conn: u64, feed: u64);
    fn send(&self, conns: &[u64], frames: Vec<Frame>) -> Vec<u64>;
    fn set_tag(&self, conn: u64, tag: &[u8]);
    fn close(&self, conns: &[u64], reason: CloseReason);
}

/// Calls the host that this code runs in.
#[cfg(target_family = "wasm")]
pub(crate) fn with<R>(call: impl FnOnce(&dyn Host) -> R) -> R {
    call(&crate::imports::Imports)
}

/// Calls the fake host of this test.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn with<R>(call: impl FnOnce(&dyn Host) -> R) -> R {
    call(&*crate::testing::current())
}
