//! Small values that outlive instances, crashes and the host: a space of the plugin's own, as large as
//! its `kv` grant. What a call answered is on disk, or in the Redis or NATS that the operator chose, which
//! then says how much room there is. Keys have 1 to 512 bytes, values at most 1 MiB.
//!
//! Errors are sentences: no room in the grant, a key or value that is too long, a disk that fails, a
//! server that is away. Only where one says that it is not known may a value have changed.

use crate::host::with;
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;

/// The value, if there is one and its time is not over.
pub fn get(key: &str) -> Result<Option<Vec<u8>>, String> {
    with(|host| host.kv_get(key))
}

/// The same, read as JSON.
pub fn get_json<T: DeserializeOwned>(key: &str) -> Result<Option<T>, String> {
    let Some(value) = get(key)? else { return Ok(None) };
    serde_json::from_slice(&value).map(Some).map_err(|error| format!("{key}: {error}"))
}

/// Sets a value; with `ttl` it goes by itself after that time.
pub fn set(key: &str, value: &[u8], ttl: Option<Duration>) -> Result<(), String> {
    with(|host| host.kv_set(key, value, millis(ttl)))
}

/// The same, written as JSON.
pub fn set_json(key: &str, value: &impl Serialize, ttl: Option<Duration>) -> Result<(), String> {
    let value = serde_json::to_vec(value).map_err(|error| format!("{key}: {error}"))?;
    set(key, &value, ttl)
}

/// Sets a value if the present one is `expected` (`None`: if there is none); answers whether.
pub fn compare_and_swap(
    key: &str,
    expected: Option<&[u8]>,
    value: &[u8],
    ttl: Option<Duration>,
) -> Result<bool, String> {
    with(|host| host.kv_compare_and_swap(key, expected, value, millis(ttl)))
}

/// Removes a value and answers it: of several who take it at once, one gets it.
pub fn take(key: &str) -> Result<Option<Vec<u8>>, String> {
    with(|host| host.kv_take(key))
}

/// Adds to a number (0 where there is none) and answers the new one: of many who add at once each gets
/// another. The value is the number in decimal; it keeps its time to live, a new one has none.
pub fn increment(key: &str, by: i64) -> Result<i64, String> {
    with(|host| host.kv_increment(key, by))
}

/// Keys that begin with `prefix`, in order, those that follow `after`; at most `max`, and 1,000.
pub fn keys(prefix: &str, after: Option<&str>, max: u32) -> Result<Vec<String>, String> {
    with(|host| host.kv_keys(prefix, after, max))
}

fn millis(ttl: Option<Duration>) -> Option<u64> {
    ttl.map(|ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeHost;

    #[test]
    fn values_are_kept_taken_and_gone_in_time() {
        let host = FakeHost::install();
        assert_eq!(get("a"), Ok(None));
        set_json("a", &[1, 2], Some(Duration::from_secs(10))).unwrap();
        set("b", b"x", None).unwrap();
        assert_eq!(get_json::<Vec<u32>>("a"), Ok(Some(vec![1, 2])));
        assert!(get_json::<String>("b").unwrap_err().starts_with("b: "));
        assert_eq!(keys("", None, 10), Ok(vec!["a".to_owned(), "b".to_owned()]));
        host.pass(Duration::from_secs(10));
        assert_eq!(get("a"), Ok(None));
        assert_eq!(keys("", None, 10), Ok(vec!["b".to_owned()]));
        assert_eq!(compare_and_swap("a", None, b"1", None), Ok(true));
        assert_eq!(compare_and_swap("a", None, b"2", None), Ok(false));
        assert_eq!(compare_and_swap("a", Some(b"1"), b"2", None), Ok(true));
        assert_eq!((take("a"), take("a")), (Ok(Some(b"2".to_vec())), Ok(None)));
        assert_eq!(keys("", Some("b"), 10), Ok(vec![]));
    }

    #[test]
    fn numbers_are_counted_and_keep_their_time() {
        let host = FakeHost::install();
        assert_eq!((increment("n", 1), increment("n", -3)), (Ok(1), Ok(-2)));
        assert_eq!(get("n"), Ok(Some(b"-2".to_vec())));
        set("short", b"41", Some(Duration::from_secs(10))).unwrap();
        assert_eq!(increment("short", 1), Ok(42));
        host.pass(Duration::from_secs(10));
        assert_eq!(increment("short", 1), Ok(1));
        host.pass(Duration::from_hours(1));
        assert_eq!(get("short"), Ok(Some(b"1".to_vec())));
        set("word", b"+1", None).unwrap();
        assert!(increment("word", 1).unwrap_err().contains("no whole number"));
        set("large", i64::MAX.to_string().as_bytes(), None).unwrap();
        assert!(increment("large", 1).unwrap_err().contains("64 bits"));
    }

    #[test]
    fn a_store_that_refuses_is_told() {
        let host = FakeHost::install();
        host.refuse(Some("there is no room for it"));
        assert_eq!(increment("n", 1), Err("there is no room for it".to_owned()));
        assert_eq!(set("a", b"1", None), Err("there is no room for it".to_owned()));
    }
}
