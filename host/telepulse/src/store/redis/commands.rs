//! What is said to Redis. Each change is one command, or one script: of many at once each finds what the
//! one before made.

use super::{NO_NUMBER, TOO_LARGE};
use bytes::Bytes;
use plugin_host::ports::{KvChange, KvDone, KvKeys};
use redis::{Cmd, RedisResult, Script, aio::MultiplexedConnection, cmd};
use std::{collections::BTreeSet, sync::LazyLock, time::Duration};

/// Sets a value if the present one is the first argument; the third is its time, if it has one.
static SWAP: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end\n\
         if ARGV[3] == '0' then redis.call('DEL', KEYS[1])\n\
         elseif ARGV[3] then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])\n\
         else redis.call('SET', KEYS[1], ARGV[2]) end\n\
         return 1",
    )
});
/// The longest time to live, in milliseconds: Redis counts from 1970 in 63 bits.
const LONGEST: u64 = 1 << 62;
/// Keys that Redis looks at in one step of a listing; meanwhile others wait.
const STEP: usize = 1_000;

pub(super) async fn get(
    mut redis: MultiplexedConnection,
    key: String,
) -> RedisResult<Option<Bytes>> {
    let value: Option<Vec<u8>> = cmd("GET").arg(key).query_async(&mut redis).await?;
    Ok(value.map(Bytes::from))
}

/// Carries a change out in the space of a plugin, or refuses it: the inner error is the plugin's.
pub(super) async fn change(
    mut redis: MultiplexedConnection,
    space: String,
    change: KvChange,
) -> RedisResult<Result<KvDone, String>> {
    let full = |key: String| format!("{space}{key}");
    let mut done = KvDone { is_done: true, ..KvDone::default() };
    match change {
        KvChange::Set { key, value, ttl } => {
            put(&full(key), &value, ms(ttl)).exec_async(&mut redis).await?;
        }
        KvChange::CompareAndSwap { key, expected: None, value, ttl } => {
            done.is_done = put_new(&mut redis, &full(key), &value, ms(ttl)).await?;
        }
        KvChange::CompareAndSwap { key, expected: Some(expected), value, ttl } => {
            let mut swap = SWAP.key(full(key));
            swap.arg(&*expected).arg(&*value).arg(ms(ttl));
            done.is_done = swap.invoke_async(&mut redis).await?;
        }
        KvChange::Take { key } => {
            let taken: Option<Vec<u8>> =
                cmd("GETDEL").arg(full(key)).query_async(&mut redis).await?;
            done.taken = taken.map(Bytes::from);
        }
        KvChange::Increment { key, by } => {
            let sum = cmd("INCRBY").arg(full(key)).arg(by).query_async(&mut redis).await;
            match no_sum(sum.as_ref().err()) {
                Some(why) => return Ok(Err(why.to_owned())),
                None => done.number = Some(sum?),
            }
        }
    }
    Ok(Ok(done))
}

/// Why a value cannot be added to, if it is its own fault.
fn no_sum(error: Option<&redis::RedisError>) -> Option<&'static str> {
    let detail = error?.detail()?;
    let known = [("not an integer", NO_NUMBER), ("would overflow", TOO_LARGE)];
    known.into_iter().find(|(said, _)| detail.contains(said)).map(|(_, why)| why)
}

/// A value that is over at once is none.
fn put(key: &str, value: &[u8], ttl: Option<u64>) -> Cmd {
    if ttl == Some(0) {
        let mut remove = cmd("DEL");
        remove.arg(key);
        return remove;
    }
    let mut set = cmd("SET");
    set.arg(key).arg(value);
    if let Some(ms) = ttl {
        set.arg("PX").arg(ms);
    }
    set
}

/// Sets a value where there is none; answers whether.
async fn put_new(
    redis: &mut MultiplexedConnection,
    key: &str,
    value: &[u8],
    ttl: Option<u64>,
) -> RedisResult<bool> {
    if ttl == Some(0) {
        let is_there: bool = cmd("EXISTS").arg(key).query_async(redis).await?;
        return Ok(!is_there);
    }
    put(key, value, ttl).arg("NX").query_async(redis).await
}

/// Walks over all keys that Redis has, and keeps the first ones that are wanted: no more than these are
/// in memory, however many there are.
pub(super) async fn keys(
    mut redis: MultiplexedConnection,
    space: String,
    keys: KvKeys,
) -> RedisResult<Vec<String>> {
    let KvKeys { prefix, after, max } = keys;
    let pattern = format!("{}*", escaped(&format!("{space}{prefix}")));
    let (mut found, mut cursor) = (BTreeSet::new(), 0_u64);
    loop {
        let mut step = cmd("SCAN");
        step.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(STEP);
        let (next, some): (u64, Vec<Vec<u8>>) = step.query_async(&mut redis).await?;
        for key in some {
            // One that is no text is none of a plugin's.
            let Ok(key) = String::from_utf8(key) else { continue };
            let Some(key) = key.strip_prefix(&space) else { continue };
            if after.as_deref().is_none_or(|after| key > after) {
                found.insert(key.to_owned());
            }
            if found.len() > max as usize {
                found.pop_last();
            }
        }
        if next == 0 {
            return Ok(found.into_iter().collect());
        }
        cursor = next;
    }
}

/// A text as a pattern that only it matches.
fn escaped(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

fn ms(ttl: Option<Duration>) -> Option<u64> {
    let ms = |ttl: Duration| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
    ttl.map(|ttl| ms(ttl).min(LONGEST))
}
