//! What plugins ask of their values, in terms of the bucket. A change reads, decides, and is carried out only
//! where nothing was changed meanwhile; else it begins again, a bounded number of times.

use super::{
    bucket::{Bucket, Found},
    line::Line,
};
use crate::store::{
    change::{Step, key, step},
    link::Fault,
};
use bytes::Bytes;
use plugin_host::ports::{KvChange, KvDone, KvKeys};
use std::{
    collections::BTreeSet,
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
};
use tokio::sync::{Mutex, MutexGuard};

/// How often a change is tried while others are faster.
const ATTEMPTS: usize = 64;
/// Keys that are changed at the same time.
const TURNS: usize = 64;

/// Those of this node who change the same key do so one after the other: only other nodes can be faster.
pub(super) struct Turns {
    places: [Mutex<()>; TURNS],
    hash: RandomState,
}

impl Default for Turns {
    fn default() -> Self {
        Self { places: std::array::from_fn(|_| Mutex::new(())), hash: RandomState::new() }
    }
}

impl Turns {
    async fn take(&self, subject: &str) -> MutexGuard<'_, ()> {
        #[expect(clippy::cast_possible_truncation, reason = "a place, by any bits of the hash")]
        let place = self.hash.hash_one(subject) as usize % TURNS;
        self.places[place].lock().await
    }
}

pub(super) async fn get(
    line: Arc<Line>,
    plugin: String,
    key: String,
) -> Result<Option<Bytes>, Fault> {
    let subject = line.bucket.names.of_key(&plugin, &key);
    let found = line.bucket.get(&subject).await?;
    let now = line.bucket.now_ms();
    let value = found.and_then(|found| found.value).filter(|value| !value.is_over(now));
    Ok(value.map(|value| value.bytes))
}

/// Carries a change out in the space of a plugin, or refuses it: the inner error is the plugin's.
pub(super) async fn change(
    line: Arc<Line>,
    turns: Arc<Turns>,
    plugin: String,
    change: KvChange,
) -> Result<Result<KvDone, String>, Fault> {
    let bucket = &line.bucket;
    let subject = bucket.names.of_key(&plugin, key(&change));
    if let KvChange::Set { .. } = change
        && let Step::Put(value, done) = step(&change, None, bucket.now_ms())
    {
        // Whatever is there: it need not be read.
        bucket.put(&subject, value, None).await?;
        return Ok(Ok(done));
    }
    let _turn = turns.take(&subject).await;
    for _ in 0..ATTEMPTS {
        if let Some(outcome) = attempt(bucket, &subject, &change).await? {
            return Ok(outcome);
        }
    }
    Err(Fault::Refused("others change the value all the time".to_owned()))
}

/// One try; `None` if somebody was faster.
async fn attempt(
    bucket: &Bucket,
    subject: &str,
    change: &KvChange,
) -> Result<Option<Result<KvDone, String>>, Fault> {
    let now = bucket.now_ms();
    let found = bucket.get(subject).await?;
    let Found { revision, value } = found.unwrap_or(Found { revision: 0, value: None });
    let value = value.filter(|value| !value.is_over(now));
    let (is_done, done) = match step(change, value.as_ref(), now) {
        Step::Nothing(done) => (true, done),
        Step::Refuse(why) => return Ok(Some(Err(why.to_owned()))),
        Step::Put(value, done) => (bucket.put(subject, value, Some(revision)).await?, done),
        Step::Remove(done) if value.is_none() => (true, done),
        Step::Remove(done) => (bucket.remove(revision).await?, done),
    };
    Ok(is_done.then_some(Ok(done)))
}

/// Walks over all keys of a plugin, and keeps the first ones that are wanted: no more than these are in
/// memory, however many there are.
pub(super) async fn keys(
    line: Arc<Line>,
    plugin: String,
    keys: KvKeys,
) -> Result<Vec<String>, Fault> {
    let KvKeys { prefix, after, max } = keys;
    let (names, now) = (&line.bucket.names, line.bucket.now_ms());
    let mut first = BTreeSet::new();
    let all = names.of_plugin(&plugin);
    let walk = line.bucket.walk(all, 0, usize::MAX, |passed| {
        let is_there = !passed.is_removed && passed.until.is_none_or(|until| until > now);
        let Some(key) = names.key(&plugin, &passed.subject).filter(|_| is_there) else { return };
        if key.starts_with(&prefix) && after.as_ref().is_none_or(|after| key > *after) {
            first.insert(key);
        }
        if first.len() > max as usize {
            first.pop_last();
        }
    });
    walk.await?;
    Ok(first.into_iter().collect())
}
