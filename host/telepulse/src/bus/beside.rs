//! A thread of the bus's own, which appends what busy links tell while they go on reading.

use std::{sync::mpsc, thread};
use telepulse_language::Event;

/// What is called when the bus has taken the events, in their order.
pub type After = Box<dyn FnOnce() + Send>;

/// Appends a batch under a term; answers whether the bus is still there.
type Append = Box<dyn Fn(u64, Vec<Event>) -> bool + Send + Sync>;

/// The way to the thread. Its queue has no bound of its own: who gives work waits for its `after`
/// before giving too much.
pub(super) struct Beside {
    way: Way,
}

enum Way {
    Thread(mpsc::Sender<Job>),
    /// There is no thread: who asks does it.
    Here(Append),
}

struct Job {
    term: u64,
    events: Vec<Event>,
    after: After,
}

impl Beside {
    /// Starts the thread; it ends with the bus.
    pub(super) fn start(
        append: impl Fn(u64, Vec<Event>) -> bool + Clone + Send + Sync + 'static,
    ) -> Self {
        let (jobs, work) = mpsc::channel::<Job>();
        let there = append.clone();
        let started = thread::Builder::new().name("event-stream".to_owned()).spawn(move || {
            while let Ok(Job { term, events, after }) = work.recv() {
                if !there(term, events) {
                    return;
                }
                after();
            }
        });
        match started {
            Ok(_) => Self { way: Way::Thread(jobs) },
            Err(error) => {
                tracing::warn!(%error, "no thread for the event stream: links do its work");
                Self { way: Way::Here(Box::new(append)) }
            }
        }
    }

    /// Has it done there, or else by who asks.
    pub(super) fn append(&self, term: u64, events: Vec<Event>, after: After) {
        match &self.way {
            // An error means that the bus is gone.
            Way::Thread(jobs) => drop(jobs.send(Job { term, events, after })),
            Way::Here(append) => {
                append(term, events);
                after();
            }
        }
    }
}
