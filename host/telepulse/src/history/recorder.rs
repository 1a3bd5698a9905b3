//! Takes the ends of calls off the bus and writes them, on a thread of its own: neither the bus nor
//! who publishes ever waits for the disk.

use super::{
    kept::Kept,
    store::{HistoryError, Key, Store},
};
use crate::bus::{Bus, EVENTS, EventSink, Guard, Message, Pattern};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};
use telepulse_language::{Code, Refusal};
use tokio::sync::oneshot;

/// Events that may wait for the disk; what comes on top is lost, counted and logged.
const WAITING: usize = 65_536;
/// At most so many events are written in one transaction.
const BATCH: usize = 4_096;
/// Between two attempts to write while the disk fails.
const PAUSE: Duration = Duration::from_secs(1);

/// What the thread is given.
enum Job {
    Ended(Arc<Message>),
    /// Whoever asks wants to know when all before it is written.
    Written(oneshot::Sender<()>),
}

/// The thread and the way to it.
pub(super) struct Recorder {
    jobs: SyncSender<Job>,
    stopping: Arc<AtomicBool>,
    running: Mutex<Option<(Option<Guard>, JoinHandle<()>)>>,
}

struct Sink {
    jobs: SyncSender<Job>,
    lost: Arc<AtomicU64>,
}

impl EventSink for Sink {
    fn deliver(&self, event: &Arc<Message>) {
        if let Err(TrySendError::Full(_)) = self.jobs.try_send(Job::Ended(event.clone()))
            && self.lost.fetch_add(1, Ordering::Relaxed) == 0
        {
            tracing::error!("the disk is too slow for the history of calls: some are lost");
        }
    }
}

impl Recorder {
    pub(super) fn start(bus: &Arc<dyn Bus>, store: Arc<Store>) -> Result<Self, HistoryError> {
        let (jobs, work) = sync_channel(WAITING);
        let is_wanted = store.keeps_calls();
        let stopping = Arc::new(AtomicBool::new(false));
        let lost = Arc::new(AtomicU64::new(0));
        let writer = Writer { store, stopping: stopping.clone(), lost: lost.clone(), last: None };
        let thread = thread::Builder::new().name("call-history".to_owned());
        let thread = thread.spawn(move || writer.run(&work))?;
        let patterns: Vec<Pattern> =
            Pattern::parse(&format!("{EVENTS}.callEnded")).into_iter().collect();
        // Who keeps nothing pays nothing.
        let guard = is_wanted
            .then(|| bus.subscribe(&patterns, Arc::new(Sink { jobs: jobs.clone(), lost })));
        Ok(Self { jobs, stopping, running: Mutex::new(Some((guard, thread))) })
    }

    /// Waits until what was published so far is on disk.
    pub(super) async fn written(&self) -> Result<(), Refusal> {
        let (told, written) = oneshot::channel();
        let asked = self.jobs.try_send(Job::Written(told)).is_ok();
        if asked && written.await.is_ok() {
            return Ok(());
        }
        let message = "the history of calls is behind or stopping; try again later";
        Err(Refusal::new(Code::TooManyRequests, message))
    }

    /// Writes what there is and ends the thread.
    pub(super) fn stop(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((guard, thread)) = running else { return };
        drop(guard);
        let (told, _) = oneshot::channel();
        self.stopping.store(true, Ordering::Relaxed);
        // The last job: the thread looks up whether to stop after each batch.
        drop(self.jobs.send(Job::Written(told)));
        if thread.join().is_err() {
            tracing::error!("the history of calls ended in a panic");
        }
    }
}

/// What the thread owns.
struct Writer {
    store: Arc<Store>,
    stopping: Arc<AtomicBool>,
    lost: Arc<AtomicU64>,
    /// The last call written: an event of the same call adds to it.
    last: Option<(Key, Kept)>,
}

impl Writer {
    fn run(mut self, work: &Receiver<Job>) {
        while let Ok(first) = work.recv() {
            let mut jobs = vec![first];
            jobs.extend(work.try_iter().take(BATCH - 1));
            let are_all = jobs.len() < BATCH;
            let mut calls = Vec::new();
            let mut waiting = Vec::new();
            for job in jobs {
                match job {
                    Job::Ended(event) => self.add(&mut calls, &event),
                    Job::Written(told) => waiting.push(told),
                }
            }
            let is_stopping = self.stopping.load(Ordering::Relaxed);
            self.write(&calls);
            for told in waiting {
                // Whoever asked may have gone.
                let _ = told.send(());
            }
            if is_stopping && are_all {
                return;
            }
        }
    }

    /// A call's end is told once for each extension that took part, one right after the other: they
    /// are one entry.
    fn add(&mut self, calls: &mut Vec<(Option<Key>, Kept)>, event: &Message) {
        let call = match Kept::new(event.payload.clone()) {
            Ok(call) => call,
            Err(error) => return tracing::error!(%error, "a callEnded cannot be read"),
        };
        if calls.is_empty()
            && let Some((key, last)) = &self.last
            && last.id == call.id
        {
            calls.push((Some(*key), last.clone()));
        }
        match calls.last_mut() {
            Some((_, last)) if last.id == call.id => last.add(call),
            _ => calls.push((None, call)),
        }
    }

    /// Until it is written, or we are to stop.
    fn write(&mut self, calls: &[(Option<Key>, Kept)]) {
        let Some((_, newest)) = calls.last() else { return };
        let mut failures = 0_u64;
        loop {
            match self.store.write(calls, crate::clock::now()) {
                Ok(key) => {
                    self.last = key.map(|key| (key, newest.clone()));
                    break;
                }
                Err(error) if failures == 0 => {
                    tracing::error!(%error, "the history of calls cannot be written: trying on");
                }
                Err(error) => tracing::debug!(%error, failures, "still not written"),
            }
            failures += 1;
            if self.stopping.load(Ordering::Relaxed) {
                tracing::error!(calls = calls.len(), "calls are lost: they could not be written");
                return;
            }
            thread::sleep(PAUSE);
        }
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if failures > 0 || lost > 0 {
            tracing::warn!(failures, lost, "the history of calls is written again");
        }
    }
}
