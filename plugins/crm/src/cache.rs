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

/// What a number may take, in bytes; what is larger is told and not kept.
const LARGEST: usize = 16 << 10;
/// Keys that are removed at a time when room is needed.
const AT_A_TIME: u32 = 1_000;

fn key(number: &str) -> String {
    format!("number/{number}")
}

/// What is known of a number; the value is null where it is known that nobody knows it.
pub(crate) fn get(number: &str) -> Result<Option<Value>, String> {
    Ok(kv::get_json::<Known>(&key(number))?.map(|known| known.info))
}

/// This is known from now on, for so long.
pub(crate) fn set(number: &str, info: &Value, ttl: Duration) -> Result<(), String> {
    let known =
        serde_json::to_vec(&Known { info: info.clone() }).map_err(|error| error.to_string())?;
    if known.len() > LARGEST {
        return Err(format!("it has {} bytes; {LARGEST} are the most", known.len()));
    }
    kv::set(&key(number), &known, Some(ttl))
}

/// Nothing is known any more; answers whether something was.
pub(crate) fn forget(number: &str) -> Result<bool, String> {
    Ok(kv::take(&key(number))?.is_some())
}

/// Forgets some numbers: the room is needed for what cannot be asked again.
pub(crate) fn give_way() -> Result<(), String> {
    for key in kv::keys(&key(""), None, AT_A_TIME)? {
        kv::take(&key)?;
    }
    Ok(())
}
