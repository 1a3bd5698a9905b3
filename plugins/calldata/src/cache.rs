//! What is kept: a value by the number that a call goes to and the one that it comes from, and how far each pool
//! has been handed out. The store is the host's; several hosts may share it.

use crate::pools::Pool;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::time::Duration;
use telepulse_plugin_sdk::{clock, kv};

/// Where how far a pool has been handed out is kept: `/` is in no number.
const DRAWN: &str = "drawn/";
/// Numbers of a pool that are looked at for one that is free: a caller who withholds his number may hold many.
pub(crate) const LOOKS: u64 = 1_000;
/// How long values may be counted, in nanoseconds.
const COUNTING: u64 = 1_000_000_000;
/// Keys that are looked through at a time.
const AT_A_TIME: u32 = 1_000;
/// The most that are counted.
const MOST_COUNTED: usize = 100_000;

/// What a call is found by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// Where it goes.
    pub(crate) dnis: &'a str,
    /// Where it comes from.
    pub(crate) ani: &'a str,
}

impl Place<'_> {
    fn key(self) -> String {
        format!("{}:{}", self.dnis, self.ani)
    }
}

/// A value, and the pool that it was stored by.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) pool: String,
    /// As it was written: not a digit of a number is lost, no order of fields.
    pub(crate) value: Box<RawValue>,
}

/// Keeps it, if nothing is kept there; answers whether. `Ok` comes after it is on disk.
pub(crate) fn put(place: Place<'_>, entry: &Entry, ttl: Duration) -> Result<bool, String> {
    let bytes = serde_json::to_vec(entry).map_err(|error| error.to_string())?;
    kv::compare_and_swap(&place.key(), None, &bytes, Some(ttl))
}

/// Keeps it at the next number of the pool that has nothing for this caller; answers which, or `None`: all have.
///
/// Of several who draw at the same time each begins at another number, wherever they do it; a number that two
/// come to all the same is given to one.
pub(crate) fn draw(
    pool: &Pool,
    ani: &str,
    entry: &Entry,
    ttl: Duration,
) -> Result<Option<String>, String> {
    let count = pool.count();
    if count == 0 {
        return Ok(None);
    }
    let turn = kv::increment(&format!("{DRAWN}{}", entry.pool), 1)?;
    let first = turn.wrapping_sub(1).unsigned_abs() % count;
    for step in 0..count.min(LOOKS) {
        let Some(dnis) = pool.at((first + step) % count) else { break };
        let place = Place { dnis: &dnis, ani };
        // A look costs less than a try; the first is nearly always free.
        let is_free = step == 0 || kv::get(&place.key())?.is_none();
        if is_free && put(place, entry, ttl)? {
            return Ok(Some(dnis));
        }
    }
    Ok(None)
}

/// What is kept there.
pub(crate) fn get(place: Place<'_>) -> Result<Option<Entry>, String> {
    kv::get_json(&place.key())
}

/// The same, and it is gone: of two at once one gets it.
pub(crate) fn take(place: Place<'_>) -> Result<Option<Entry>, String> {
    let key = place.key();
    let Some(bytes) = kv::take(&key)? else { return Ok(None) };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| format!("{key}: {error}"))
}

/// How often a pool has been drawn from, ever.
pub(crate) fn drawn(pool: &str) -> Result<i64, String> {
    let drawn: Option<i64> = kv::get_json(&format!("{DRAWN}{pool}"))?;
    Ok(drawn.unwrap_or_default())
}

/// How many values wait in all pools, as far as it is worth counting.
pub(crate) fn waiting() -> Result<usize, String> {
    let (mut count, mut after) = (0, None::<String>);
    let begun = clock::now_ns();
    while count < MOST_COUNTED {
        if clock::now_ns().saturating_sub(begun) > COUNTING {
            return Err("there are too many to be counted".to_owned());
        }
        let keys = kv::keys("", after.as_deref(), AT_A_TIME)?;
        count += keys.iter().filter(|key| !key.starts_with(DRAWN)).count();
        let is_last = keys.len() < AT_A_TIME as usize;
        after = keys.into_iter().next_back();
        if is_last {
            break;
        }
    }
    Ok(count)
}
