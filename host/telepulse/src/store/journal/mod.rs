//! Messages that plugins with durable subscriptions have not done yet. One thread writes: what comes
//! together shares a transaction, and what is done before its turn comes is never written at all.

#[cfg(test)]
mod tests;
mod writer;

use super::{
    Disk, StoreError,
    worker::{Stopping, Worker},
};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use plugin_host::ports::{Extent, Journal};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::Receiver,
    },
};
use tokio::sync::oneshot;
use writer::{Job, Writer};

/// Jobs that may wait for the disk.
const WAITING: usize = 65_536;
/// Bytes of messages that may wait for the disk; more are refused.
const BEHIND: usize = 64 << 20;

/// The messages of all plugins.
pub(crate) struct JournalStore {
    worker: Worker<Job>,
    behind: Arc<AtomicUsize>,
}

impl JournalStore {
    /// Opens the file; makes it where there is none.
    pub(crate) fn start(path: &Path) -> Result<Self, StoreError> {
        let disk = Disk::open(path)?;
        let behind = Arc::new(AtomicUsize::new(0));
        let writer = Writer::new(disk, behind.clone());
        let run = move |work: &Receiver<Job>, stopping: &Stopping| writer.run(work, stopping);
        let worker = Worker::start("plugins' messages", WAITING, run)?;
        Ok(Self { worker, behind })
    }

    /// Writes what was given so far, and no more.
    pub(crate) async fn stop(&self) {
        self.worker.stop(Job::Stop).await;
    }

    /// Asks the thread for something; it answers in its turn, after what was given before.
    fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(oneshot::Sender<Result<T, redb::Error>>) -> Job,
    ) -> BoxFuture<'static, Result<T, String>> {
        let (reply, answer) = oneshot::channel();
        let (jobs, job) = (self.worker.jobs().clone(), job(reply));
        Box::pin(async move {
            let sent = tokio::task::spawn_blocking(move || jobs.send(job).is_ok());
            if !matches!(sent.await, Ok(true)) {
                return Err("the host is stopping".to_owned());
            }
            match answer.await {
                Ok(answer) => answer.map_err(|error| format!("the disk: {error}")),
                Err(_) => Err("the host is stopping".to_owned()),
            }
        })
    }
}

impl Journal for JournalStore {
    fn open(&self, plugin: &Arc<str>) -> BoxFuture<'static, Result<Extent, String>> {
        let plugin = plugin.clone();
        self.ask(|reply| Job::Open { plugin, reply })
    }

    fn append(&self, plugin: &Arc<str>, number: u64, message: Bytes) -> bool {
        let length = message.len();
        if self.behind.fetch_add(length, Ordering::Relaxed) + length <= BEHIND
            && self
                .worker
                .jobs()
                .try_send(Job::Append { plugin: plugin.clone(), number, message })
                .is_ok()
        {
            return true;
        }
        self.behind.fetch_sub(length, Ordering::Relaxed);
        false
    }

    fn forget(&self, plugin: &Arc<str>, up_to: u64) {
        // Where there is no room for it: the next one says the same and more.
        let _ = self.worker.jobs().try_send(Job::Forget { plugin: plugin.clone(), up_to });
    }

    fn read(
        &self,
        plugin: &Arc<str>,
        after: u64,
        most: usize,
    ) -> BoxFuture<'static, Result<Vec<(u64, Bytes)>, String>> {
        let plugin = plugin.clone();
        self.ask(|reply| Job::Read { plugin, after, most, reply })
    }
}
