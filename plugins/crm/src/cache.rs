//! What is known of numbers, for a while: by whichever instance and host, wherever the values are kept.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use telepulse_plugin_sdk::kv;

#[derive(Serialize, Deserialize)]
struct Known {
    /// Null: nobody knows the number.
    info: Value,
}

fn key(number: &str) -> String {
    format!("number/{number}")
}

/// What is known of a number; the value is null where it is known that nobody knows it.
pub(crate) fn get(number: &str) -> Result<Option<Value>, String> {
    Ok(kv::get_json::<Known>(&key(number))?.map(|known| known.info))
}

/// This is known from now on, for so long.
pub(crate) fn set(number: &str, info: &Value, ttl: Duration) -> Result<(), String> {
    kv::set_json(&key(number), &Known { info: info.clone() }, Some(ttl))
}

/// Nothing is known any more; answers whether something was.
pub(crate) fn forget(number: &str) -> Result<bool, String> {
    Ok(kv::take(&key(number))?.is_some())
}
