//! Entries on disk: `out/CALL/NUMBER` those that wait, `aside/CALL/NUMBER` those that were refused for good, and
//! `told/CALL` what was told of a call, for a while. A number is never used twice: what is said of one is not taken
//! for another.

use super::Entry;
use crate::template::Values;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};
use telepulse_plugin_sdk::kv;

const OUT: &str = "out/";
const ASIDE: &str = "aside/";
const TOLD: &str = "told/";
/// Where the last number is kept.
const LAST: &str = "last";
/// How long what was told of a call is at hand; later notes find it in the history.
const AT_HAND: Duration = Duration::from_hours(2);
/// Keys that are read at a time.
const AT_A_TIME: u32 = 1_000;

/// An entry that was refused for good.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Aside {
    pub(crate) entry: Entry,
    pub(crate) why: String,
    /// In nanoseconds since 1970.
    pub(crate) at: u64,
}

fn key(kind: &str, call: &str, number: u64) -> String {
    format!("{kind}{call}/{number:012}")
}

/// Adds an entry behind all others; answers its number.
pub(super) fn append(call: &str, entry: &Entry) -> Result<u64, String> {
    let number = kv::increment(LAST, 1)?.unsigned_abs();
    kv::set_json(&key(OUT, call, number), entry, None)?;
    Ok(number)
}

pub(super) fn remove(call: &str, number: u64) -> Result<(), String> {
    kv::take(&key(OUT, call, number)).map(drop)
}

pub(super) fn set_aside(call: &str, number: u64, aside: &Aside) -> Result<(), String> {
    kv::set_json(&key(ASIDE, call, number), aside, None)
}

/// What was told of a call, if it was and not long ago.
pub(crate) fn logged(call: &str) -> Result<Option<Values>, String> {
    kv::get_json(&format!("{TOLD}{call}"))
}

/// A call was told.
pub(super) fn remember(call: &str, values: &Values) -> Result<(), String> {
    kv::set_json(&format!("{TOLD}{call}"), values, Some(AT_HAND))
}

/// Entries that wait, at most so many: call, number, entry.
pub(super) fn entries(most: usize) -> Result<Vec<(String, u64, Entry)>, String> {
    let mut entries = Vec::new();
    for (name, entry) in all(OUT, most)? {
        if let Some((call, number)) = parts(&name) {
            entries.push((call.to_owned(), number, entry));
        }
    }
    Ok(entries)
}

/// Those of one call.
pub(super) fn entries_of(call: &str) -> Result<BTreeMap<u64, Entry>, String> {
    let all = all(&format!("{OUT}{call}/"), usize::MAX)?;
    Ok(all.into_iter().filter_map(|(name, entry)| Some((parts(&name)?.1, entry))).collect())
}

/// How many entries wait.
pub(crate) fn count_entries() -> Result<usize, String> {
    keys(OUT, usize::MAX).map(|keys| keys.len())
}

/// How many were set aside.
pub(crate) fn count_asides() -> Result<usize, String> {
    keys(ASIDE, usize::MAX).map(|keys| keys.len())
}

/// What was set aside, by id, at most so many.
pub(crate) fn asides(most: usize) -> Result<Vec<(String, Aside)>, String> {
    let all = all(ASIDE, most)?;
    Ok(all.into_iter().map(|(name, aside)| (name[ASIDE.len()..].to_owned(), aside)).collect())
}

/// One of them, which goes back behind those that wait; answers its call.
pub(crate) fn aside(id: &str) -> Result<Option<String>, String> {
    let from = format!("{ASIDE}{id}");
    let Some(Aside { entry, .. }) = kv::get_json(&from)? else { return Ok(None) };
    let Some(call) = parts(&from).map(|(call, _)| call.to_owned()) else { return Ok(None) };
    append(&call, &entry)?;
    kv::take(&from)?;
    Ok(Some(call))
}

/// One of them is forgotten; answers whether it was there.
pub(crate) fn drop_aside(id: &str) -> Result<bool, String> {
    Ok(kv::take(&format!("{ASIDE}{id}"))?.is_some())
}

fn parts(key: &str) -> Option<(&str, u64)> {
    let (rest, number) = key.rsplit_once('/')?;
    let (_, call) = rest.split_once('/')?;
    Some((call, number.parse().ok()?))
}

fn all<T: for<'de> Deserialize<'de>>(
    prefix: &str,
    most: usize,
) -> Result<Vec<(String, T)>, String> {
    let mut found = Vec::new();
    for key in keys(prefix, most)? {
        if let Some(value) = kv::get_json(&key)? {
            found.push((key, value));
        }
    }
    Ok(found)
}

fn keys(prefix: &str, most: usize) -> Result<Vec<String>, String> {
    let mut found: Vec<String> = Vec::new();
    loop {
        let keys = kv::keys(prefix, found.last().map(String::as_str), AT_A_TIME)?;
        let is_last = keys.len() < AT_A_TIME as usize;
        found.extend(keys);
        if is_last || found.len() >= most {
            found.truncate(most);
            return Ok(found);
        }
    }
}
