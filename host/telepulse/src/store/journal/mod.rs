//! Messages that plugins with durable subscriptions have not done yet. One thread writes: what comes
//! together shares a transaction, and what is done before its turn comes is never written at all.

#[cfg(test)]
mod tests;
mod writer;

use super::{Disk, DiskError};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use plugin_host::ports::{Extent, Journal};
use std::{
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc::{SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
};
use thiserror::Error;
use tokio::sync::oneshot;
use writer::{Job, Writer};

/// Jobs that may wait for the disk.
const WAITING: usize = 65_536;
/// Bytes of messages that may wait for the disk; more are refused.
const BEHIND: usize = 64 << 20;

/// Why the journal cannot be used.
#[derive(Debug, Error)]
pub enum JournalError {
    /// The file.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The thread that writes.
    #[error("the thread that writes plugins' messages: {0}")]
    Thread(#[from] std::io::Error),
}

/// The messages of all plugins.
pub(crate) struct JournalStore {
    jobs: SyncSender<Job>,
    behind: Arc<AtomicUsize>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl JournalStore {
    /// Opens the file; makes it where there is none.
    pub(crate) fn start(path: &Path) -> Result<Self, JournalError> {
        let disk = Disk::open(path)?;
        let (jobs, work) = sync_channel(WAITING);
        let behind = Arc::new(AtomicUsize::new(0));
        let writer = Writer::new(disk, behind.clone());
        let thread = thread::Builder::new().name("plugin-journal".to_owned());
        let thread = Mutex::new(Some(thread.spawn(move || writer.run(&work))?));
        Ok(Self { jobs, behind, thread })
    }

    /// Writes what was given so far, and no more.
    pub(crate) async fn stop(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return };
        let jobs = self.jobs.clone();
        let ended = tokio::task::spawn_blocking(move || {
            // It may have ended by itself.
            let _ = jobs.send(Job::Stop);
            thread.join()
        });
        if !matches!(ended.await, Ok(Ok(()))) {
            tracing::error!("the thread that writes plugins' messages ended in a panic");
        }
    }

    /// Asks the thread for something; it answers in its turn, after what was given before.
    fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(oneshot::Sender<Result<T, redb::Error>>) -> Job,
    ) -> BoxFuture<'static, Result<T, String>> {
        let (reply, answer) = oneshot::channel();
        let (jobs, job) = (self.jobs.clone(), job(reply));
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
            && self.jobs.try_send(Job::Append { plugin: plugin.clone(), number, message }).is_ok()
        {
            return true;
        }
        self.behind.fetch_sub(length, Ordering::Relaxed);
        false
    }

    fn forget(&self, plugin: &Arc<str>, up_to: u64) {
        // Where there is no room for it: the next one says the same and more.
        let _ = self.jobs.try_send(Job::Forget { plugin: plugin.clone(), up_to });
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
