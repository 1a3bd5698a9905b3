//! The plugin's settings and secrets, from its `NAME.toml`.

use crate::host::with;
use serde::de::DeserializeOwned;

/// All of `[settings]` as `T`. The error names the setting that does not fit, for `Plugin::init` to
/// pass on to the operator.
pub fn settings<T: DeserializeOwned>() -> Result<T, String> {
    crate::json::read(with(|host| host.settings()).as_bytes())
        .map_err(|refusal| format!("[settings] {refusal}"))
}

/// One value of `[settings]`; `None` where it is absent.
pub fn setting<T: DeserializeOwned>(key: &str) -> Result<Option<T>, String> {
    let Some(json) = with(|host| host.setting(key)) else { return Ok(None) };
    crate::json::read(json.as_bytes())
        .map(Some)
        .map_err(|refusal| format!("[settings] {key}: {refusal}"))
}

/// One of `[secrets]`, resolved by the host.
pub fn secret(name: &str) -> Option<String> {
    with(|host| host.secret(name))
}
