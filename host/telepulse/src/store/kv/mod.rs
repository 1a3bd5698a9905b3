//! Values that plugins keep. One thread writes: changes that come together share a transaction, so
//! that many cost the disk as much as one; each is answered when it is on disk. What was changed lately is
//! read from memory.

mod recent;
mod tables;
#[cfg(test)]
mod tests;
mod writer;

use super::{
    Disk, StoreError,
    change::{check, key},
    worker::{Stopping, Worker},
};
use crate::clock::now_ms;
use bytes::Bytes;
use futures_util::future::{BoxFuture, ready};
use plugin_host::ports::{Kv, KvChange, KvDone, KvKeys};
use recent::{Known, Place, Recent};
use std::{
    ops::Bound,
    path::Path,
    sync::{Arc, mpsc::Receiver},
};
use tables::VALUES;
use tokio::sync::oneshot;
use writer::{Change, Job, Writer};

/// Changes that may wait for the disk; more are refused.
const WAITING: usize = 4_096;

/// The values of all plugins.
pub(crate) struct KvStore {
    disk: Arc<Disk>,
    recent: Arc<Recent>,
    worker: Worker<Job>,
}

impl KvStore {
    /// Opens the file; makes it where there is none.
    pub(crate) fn start(path: &Path) -> Result<Self, StoreError> {
        let disk = Arc::new(Disk::open(path)?);
        let recent = Arc::new(Recent::default());
        let writer = Writer::new(disk.clone(), recent.clone());
        writer.sweep(now_ms()).map_err(|error| disk.unusable(error))?;
        let run = move |work: &Receiver<Job>, _: &Stopping| writer.run(work);
        Ok(Self { disk, recent, worker: Worker::start("plugins' values", WAITING, run)? })
    }

    /// Writes what was asked for, and no more.
    pub(crate) async fn stop(&self) {
        self.worker.stop(Job::Stop).await;
    }
}

impl Kv for KvStore {
    fn get(&self, plugin: &str, key: String) -> BoxFuture<'static, Result<Option<Bytes>, String>> {
        let place = Place { plugin: plugin.to_owned(), key };
        if let Some(Known(known)) = self.recent.get(&place, now_ms()) {
            return Box::pin(ready(Ok(known)));
        }
        reading(self.disk.clone(), move |disk| read_value(disk, &place, now_ms()))
    }

    fn change(
        &self,
        plugin: &str,
        room: u64,
        change: KvChange,
    ) -> BoxFuture<'static, Result<KvDone, String>> {
        let (reply, answer) = oneshot::channel();
        let place = Place { plugin: plugin.to_owned(), key: key(&change).to_owned() };
        let sent = check(&change).and_then(|()| {
            let behind = "the disk is behind with other plugins' values: try again later";
            let job = Job::Change(Change { place, room, what: change, reply });
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

fn read_value(disk: &Disk, place: &Place, now: u64) -> Result<Option<Bytes>, redb::Error> {
    disk.read_table(VALUES, |table| {
        let found = table.get((&*place.plugin, &*place.key))?;
        Ok(found.and_then(|entry| tables::live(entry.value(), now).map(Bytes::copy_from_slice)))
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
            if tables::live(value.value(), now).is_some() {
                found.push(key.to_owned());
            }
        }
        Ok(found)
    })
}
