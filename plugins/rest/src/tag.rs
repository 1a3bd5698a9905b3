//! Entity tags (RFC 9110, section 8.8.3): who has the answer already gets 304 instead of it.

use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use telepulse_plugin_sdk::http::{Request, Response};

/// Tags an answer; without its body if the client has the same.
///
/// `seq` grows with every event anywhere, so it is no part of the tag: that is a weak one.
pub(crate) fn checked(request: &Request, response: Response) -> Response {
    if response.status != 200 {
        return response;
    }
    let tag = of(&response.body);
    let known = request.header("if-none-match").unwrap_or_default();
    let is_known = known.split(',').map(str::trim).any(|known| known == "*" || known == tag);
    let response = if is_known { Response::empty(304) } else { response };
    response.with_header("etag", tag).with_header("cache-control", "private, no-cache")
}

fn of(body: &[u8]) -> String {
    let mut hash = Sha256::new();
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(mut fields)) => {
            fields.remove("seq");
            hash.update(Value::Object(fields).to_string());
        }
        _ => hash.update(body),
    }
    let mut tag = "W/\"".to_owned();
    for byte in &hash.finalize()[..12] {
        // Writing to a String cannot fail.
        let _ = write!(tag, "{byte:02x}");
    }
    tag + "\""
}
