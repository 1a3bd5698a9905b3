//! The history of calls: what `callEnded` told, kept on disk, the last of it first when asked.
//!
//! A thread of its own takes the events off the bus and writes those that came together in one
//! transaction; what was written survives a kill. Who asks gets what had ended before the question.

mod kept;
mod page;
mod recorder;
mod store;
#[cfg(test)]
mod tests;

pub use store::HistoryError;

use crate::{bus::Bus, config};
use page::{Cursor, Wanted};
use recorder::Recorder;
use serde_json::Value;
use std::{path::Path, sync::Arc};
use store::Store;
use telepulse_language::{Code, Principal, Query, Refusal};
use tokio::sync::Semaphore;

/// Questions that are looked up at a time; each reads at most [`page::MAX_READ`] calls.
const READERS: usize = 4;

/// The history of calls.
#[derive(Clone)]
pub(crate) struct History {
    store: Arc<Store>,
    recorder: Arc<Recorder>,
    readers: Arc<Semaphore>,
}

/// One part of the history.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Part {
    /// The calls, the last first.
    pub items: Vec<Value>,
    /// Where the next part begins; `None` with the last part.
    pub next: Option<String>,
}

impl History {
    /// Opens the file, makes it where there is none, and writes what ends from now on.
    pub(crate) fn start(
        bus: &Arc<dyn Bus>,
        path: &Path,
        keep: config::Calls,
    ) -> Result<Self, HistoryError> {
        let store = Arc::new(Store::open(path, keep, crate::clock::now())?);
        let recorder = Arc::new(Recorder::start(bus, store.clone())?);
        Ok(Self { store, recorder, readers: Arc::new(Semaphore::new(READERS)) })
    }

    /// Answers `endedCalls`, cut to what `who` may see.
    pub(crate) async fn page(
        &self,
        query: &Query,
        who: Option<&Principal>,
    ) -> Result<Part, Refusal> {
        let page = query.page.clone().unwrap_or_default();
        let before = page.before.as_deref().map(str::parse::<Cursor>).transpose()?;
        let wanted = Wanted::new(query.filter.clone(), page, who.cloned());
        // What ended before the question is in the answer.
        self.recorder.written().await?;
        // The semaphore is never closed.
        let _place = self.readers.acquire().await;
        let store = self.store.clone();
        let read = tokio::task::spawn_blocking(move || wanted.read(&store, before));
        match read.await {
            Ok(Ok(part)) => Ok(part),
            Ok(Err(error)) => {
                tracing::error!(%error, "the history of calls cannot be read");
                Err(unreadable())
            }
            Err(_) => Err(unreadable()),
        }
    }

    /// Writes what has ended, and writes no more.
    pub(crate) async fn stop(&self) {
        let recorder = self.recorder.clone();
        // It only fails by a panic, which has been logged.
        drop(tokio::task::spawn_blocking(move || recorder.stop()).await);
    }
}

fn unreadable() -> Refusal {
    Refusal::new(Code::Internal, "the history of calls cannot be read; the log says why")
}
