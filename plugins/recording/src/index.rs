//! What is listed, in the host's store: the newest first, each until its time is over.

use crate::entry::Entry;
use std::time::Duration;
use telepulse_plugin_sdk::{kv, language::Timestamp, log, metrics};

/// Entries by time, the newest first.
const BY_TIME: &str = "at/";
/// Where a call's entry is.
const BY_CALL: &str = "id/";
/// What is to be removed, by the time at which.
const DUE: &str = "due/";
/// The last moment that a key can tell: in the year 2286.
const LAST: u64 = 9_999_999_999_999;

/// A place among the entries, as `after` names it.
fn place(since: Timestamp, call: &str) -> String {
    format!("{:013}/{call}", LAST.saturating_sub(since.0))
}

/// Behind everything that began after a moment.
pub(crate) fn before(moment: Timestamp) -> String {
    format!("{:013}", LAST.saturating_sub(moment.0))
}

/// When what is kept at a place began.
pub(crate) fn since(place: &str) -> Option<Timestamp> {
    let (moment, _) = place.split_once('/')?;
    moment.parse().ok().map(|moment| Timestamp(LAST.saturating_sub(moment)))
}

/// A call's entry.
pub(crate) fn get(call: &str) -> Result<Option<Entry>, String> {
    match kv::get_json::<String>(&format!("{BY_CALL}{call}"))? {
        Some(place) => at(&place),
        None => Ok(None),
    }
}

/// The entry at a place.
pub(crate) fn at(place: &str) -> Result<Option<Entry>, String> {
    kv::get_json(&format!("{BY_TIME}{place}"))
}

/// Keeps an entry for so long.
pub(crate) fn put(entry: &Entry, ttl: Duration) -> Result<(), String> {
    let place = match kv::get_json::<String>(&format!("{BY_CALL}{}", entry.id))? {
        Some(place) => place,
        None => place(entry.since, &entry.id),
    };
    let kept = kv::set_json(&format!("{BY_TIME}{place}"), entry, Some(ttl))
        .and_then(|()| kv::set_json(&format!("{BY_CALL}{}", entry.id), &place, Some(ttl)));
    kept.inspect_err(|why| {
        metrics::add("unlisted", 1, &[]);
        log::error!(call = entry.id; "a recording is not listed: {why}");
    })
}

/// Forgets a call's entry and answers it.
pub(crate) fn take(call: &str) -> Result<Option<Entry>, String> {
    let Some(place) = kv::take(&format!("{BY_CALL}{call}"))? else { return Ok(None) };
    let Ok(place) = serde_json::from_slice::<String>(&place) else { return Ok(None) };
    let Some(entry) = kv::take(&format!("{BY_TIME}{place}"))? else { return Ok(None) };
    serde_json::from_slice(&entry).map(Some).map_err(|error| format!("{call}: {error}"))
}

/// Places that follow one, the newest first.
pub(crate) fn places(after: Option<&str>, max: u32) -> Result<Vec<String>, String> {
    let after = after.map(|after| format!("{BY_TIME}{after}"));
    let keys = kv::keys(BY_TIME, after.as_deref(), max)?;
    Ok(keys.iter().filter_map(|key| key.strip_prefix(BY_TIME)).map(str::to_owned).collect())
}

/// Has a call's audio removed at a moment.
pub(crate) fn remove_at(call: &str, moment: Timestamp) -> Result<(), String> {
    kv::set(&format!("{DUE}{:013}/{call}", moment.0), b"", None)
}

/// A call whose audio is to be removed by now, with the key to forget when that is done.
pub(crate) struct Due {
    pub(crate) key: String,
    pub(crate) call: String,
}

/// Those that follow a key, and the key to go on behind if there may be more.
pub(crate) fn due(
    now: Timestamp,
    after: Option<&str>,
    max: u32,
) -> Result<(Vec<Due>, Option<String>), String> {
    let keys = kv::keys(DUE, after, max)?;
    let is_full = keys.len() >= max as usize;
    let last = keys.last().filter(|_| is_full).cloned();
    // The oldest come first.
    let due: Vec<Due> = keys.into_iter().map_while(|key| due_by(key, now)).collect();
    let next = last.filter(|last| due.last().is_some_and(|due| due.key == *last));
    Ok((due, next))
}

fn due_by(key: String, now: Timestamp) -> Option<Due> {
    let (moment, call) = key.strip_prefix(DUE)?.split_once('/')?;
    let is_due = moment.parse::<u64>().is_ok_and(|moment| moment <= now.0);
    let call = call.to_owned();
    is_due.then_some(Due { key, call })
}

/// That is done.
pub(crate) fn removed(key: &str) -> Result<(), String> {
    kv::take(key).map(drop)
}
