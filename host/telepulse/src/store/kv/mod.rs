//! Values that plugins keep. One thread writes: changes that come together share a transaction, so
//! that many cost the disk as much as one; each is answered when it is on disk.

mod change;
#[cfg(test)]
mod tests;
mod writer;

use super::{
    Disk, StoreError,
    worker::{Stopping, Worker},
};
use crate::clock::now_ms;
use bytes::Bytes;
use change::{MAX_KEY, MAX_VALUE, VALUES};
pub(super) use change::{NO_NUMBER, TOO_LARGE, sum};
use futures_util::future::BoxFuture;
use plugin_host::ports::{Kv, KvChange, KvDone, KvKeys};
use std::{
    ops::Bound,
    path::Path,
    sync::{Arc, mpsc::Receiver},
};
use tokio::sync::oneshot;
use writer::{Change, Job, Writer};

/// Changes that may wait for the disk; more are refused.
const WAITING: usize = 4_096;

/// The values of all plugins.
pub(crate) struct KvStore {
    disk: Arc<Disk>,
    worker: Worker<Job>,
}

impl KvStore {
    /// Opens the file; makes it where there is none.
    pub(crate) fn start(path: &Path) -> Result<Self, StoreError> {
        let disk = Arc::new(Disk::open(path)?);
        let writer = Writer::new(disk.clone());
        writer.sweep(now_ms()).map_err(|error| disk.unusable(error))?;
        let run = move |work: &Receiver<Job>, _: &Stopping| writer.run(work);
        Ok(Self { disk, worker: Worker::start("plugins' values", WAITING, run)? })
    }

    /// Writes what was asked for, and no more.
    pub(crate) async fn stop(&self) {
        self.worker.stop(Job::Stop).await;
    }
}

impl Kv for KvStore {
    fn get(&self, plugin: &str, key: String) -> BoxFuture<'static, Result<Option<Bytes>, String>> {
        let plugin = plugin.to_owned();
        reading(self.disk.clone(), move |disk| read_value(disk, &plugin, &key, now_ms()))
    }

    fn change(
        &self,
        plugin: &str,
        room: u64,
        change: KvChange,
    ) -> BoxFuture<'static, Result<KvDone, String>> {
        let (reply, answer) = oneshot::channel();
        let plugin = plugin.to_owned();
        let sent = check(&change).and_then(|()| {
            let behind = "the disk is behind with other plugins' values: try again later";
            let job = Job::Change(Change { plugin, room, what: change, reply });
            self.worker.jobs().try_send(job).map_err(|_| behind.to_owned())
        });
        Box::pin(async move {
            sent?;
            answer.await.unwrap_or_else(|_| Err("the host is stopping".to_owned()))
        })
    }

    fn keys(&self, plugin: &str, keys: KvKeys) -> BoxFuture<'static, Result<Vec<String>, String>> {
        let plugin = plugin.to_owned();
        reading(self.disk.clone(), move |disk| read_keys(disk, &plugin, &keys, now_ms()))
    }
}

/// What no store takes.
pub(super) fn check(change: &KvChange) -> Result<(), String> {
    let (key, value) = match change {
        KvChange::Set { key, value, .. } | KvChange::CompareAndSwap { key, value, .. } => {
            (key, Some(value))
        }
        KvChange::Take { key } | KvChange::Increment { key, .. } => (key, None),
    };
    if !(1..=MAX_KEY).contains(&key.len()) {
        return Err(format!("a key has 1 to {MAX_KEY} bytes, not {}", key.len()));
    }
    match value.map(Bytes::len).filter(|length| *length > MAX_VALUE) {
        Some(length) => Err(format!("a value has at most {MAX_VALUE} bytes, not {length}")),
        None => Ok(()),
    }
}

fn reading<T: Send + 'static>(
    disk: Arc<Disk>,
    read: impl FnOnce(&Disk) -> Result<T, redb::Error> + Send + 'static,
) -> BoxFuture<'static, Result<T, String>> {
    Box::pin(async move {
        match tokio::task::spawn_blocking(move || read(&disk)).await {
            Ok(read) => read.map_err(|error| format!("the disk: {error}")),
            Err(_) => Err("it failed inside the host".to_owned()),
        }
    })
}

fn read_value(
    disk: &Disk,
    plugin: &str,
    key: &str,
    now: u64,
) -> Result<Option<Bytes>, redb::Error> {
    disk.read_table(VALUES, |table| {
        let found = table.get((plugin, key))?;
        Ok(found.and_then(|entry| change::live(entry.value(), now).map(Bytes::copy_from_slice)))
    })
}

fn read_keys(
    disk: &Disk,
    plugin: &str,
    keys: &KvKeys,
    now: u64,
) -> Result<Vec<String>, redb::Error> {
    disk.read_table(VALUES, |table| {
        let start = match keys.after.as_deref().filter(|after| *after >= &*keys.prefix) {
            Some(after) => Bound::Excluded((plugin, after)),
            None => Bound::Included((plugin, &*keys.prefix)),
        };
        let mut found = Vec::new();
        for entry in table.range::<(&str, &str)>((start, Bound::Unbounded))? {
            let (place, value) = entry?;
            let (owner, key) = place.value();
            let is_wanted = owner == plugin && key.starts_with(&keys.prefix);
            if !is_wanted || found.len() >= keys.max as usize {
                break;
            }
            if change::live(value.value(), now).is_some() {
                found.push(key.to_owned());
            }
        }
        Ok(found)
    })
}
