//! Lists in parts: in the order of server and name, so many after a place.

use crate::params::Part;
use serde_json::Value;

/// The part that is asked for, and the place after which the next one begins.
pub(crate) fn cut(mut items: Vec<Value>, key: &str, part: &Part) -> (Vec<Value>, Option<String>) {
    let Part { limit, after } = part;
    if limit.is_none() && after.is_none() {
        return (items, None);
    }
    let place = |item: &Value| {
        let text = |field: &str| item[field].as_str().unwrap_or_default().to_owned();
        format!("{}/{}", text("server"), text(key))
    };
    items.sort_by_cached_key(place);
    if let Some(after) = after {
        items.retain(|item| place(item) > *after);
    }
    let more = limit.is_some_and(|limit| items.len() > limit);
    items.truncate(limit.unwrap_or(usize::MAX));
    let next = items.last().filter(|_| more).map(place);
    (items, next)
}
