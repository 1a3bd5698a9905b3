//! A thread of the bus's own, which appends what busy links tell while they go on reading.

use super::{Bus, LocalBus};
use std::{
    sync::{Weak, mpsc},
    thread,
};
use telepulse_language::Event;

/// What is called when the events are in the stream, with the number of its last one.
pub type After = Box<dyn FnOnce(u64) + Send>;

/// The way to the thread. Its queue has no bound of its own: who gives work waits for its `after`
/// before giving too much.
pub(super) struct Beside {
    jobs: Option<mpsc::Sender<Job>>,
}

struct Job {
    events: Vec<Event>,
    after: After,
}

impl Beside {
    /// Starts the thread; it ends with the bus.
    pub(super) fn start(bus: Weak<LocalBus>) -> Self {
        let (jobs, work) = mpsc::channel::<Job>();
        let started = thread::Builder::new().name("event-stream".to_owned()).spawn(move || {
            while let Ok(Job { events, after }) = work.recv() {
                let Some(bus) = bus.upgrade() else { return };
                after(bus.append(events));
            }
        });
        match started {
            Ok(_) => Self { jobs: Some(jobs) },
            Err(error) => {
                tracing::warn!(%error, "no thread for the event stream: links do its work");
                Self { jobs: None }
            }
        }
    }

    /// Has it done there, or else by who asks.
    pub(super) fn append(&self, bus: &LocalBus, events: Vec<Event>, after: After) {
        let job = Job { events, after };
        let left = match &self.jobs {
            Some(jobs) => jobs.send(job).err().map(|refused| refused.0),
            None => Some(job),
        };
        if let Some(Job { events, after }) = left {
            after(bus.append(events));
        }
    }
}
