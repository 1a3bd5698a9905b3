//! A thread that owns a file of the store, and the queue of jobs to it.

use super::DiskError;
use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
};
use thiserror::Error;

/// Why a part of the store cannot be used.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The file.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The thread that writes.
    #[error("the thread that writes {what}: {error}")]
    Thread {
        /// What it would write.
        what: &'static str,
        /// What the system says.
        error: io::Error,
    },
}

/// The running thread, as those see it who give it jobs.
pub(crate) struct Worker<J> {
    what: &'static str,
    jobs: SyncSender<J>,
    stopping: Stopping,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Whether the thread is to end: then it tries nothing again.
#[derive(Clone, Default)]
pub(crate) struct Stopping(Arc<AtomicBool>);

impl Stopping {
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl<J: Send + 'static> Worker<J> {
    /// Starts the thread; `what` it writes is for its errors. At most `waiting` jobs wait.
    pub(crate) fn start(
        what: &'static str,
        waiting: usize,
        run: impl FnOnce(&Receiver<J>, &Stopping) + Send + 'static,
    ) -> Result<Self, StoreError> {
        let (jobs, work) = sync_channel(waiting);
        let stopping = Stopping::default();
        let told = stopping.clone();
        let thread = thread::Builder::new()
            .name(what.to_owned())
            .spawn(move || run(&work, &told))
            .map_err(|error| StoreError::Thread { what, error })?;
        Ok(Self { what, jobs, stopping, thread: Mutex::new(Some(thread)) })
    }

    pub(crate) fn jobs(&self) -> &SyncSender<J> {
        &self.jobs
    }

    /// Has what was given so far done, then `last`, and waits until the thread has ended.
    pub(crate) async fn stop(&self, last: J) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return };
        self.stopping.0.store(true, Ordering::Relaxed);
        let jobs = self.jobs.clone();
        let ended = tokio::task::spawn_blocking(move || {
            // It may have ended by itself.
            let _ = jobs.send(last);
            thread.join()
        });
        if !matches!(ended.await, Ok(Ok(()))) {
            tracing::error!("the thread that writes {} ended in a panic", self.what);
        }
    }
}
