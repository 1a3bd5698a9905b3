//! The clock that guests are interrupted by: it ticks while a guest computes, and sleeps when none does.

use std::{
    io,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread::{self, Thread},
    time::Duration,
};
use wasmtime::{Engine, EngineWeak};

/// One epoch: computing time is measured in these.
pub(crate) const TICK: Duration = Duration::from_millis(1);
/// Ticks without a call after which it sleeps: falling asleep and waking up cost more than a few ticks.
const QUIET: u32 = 50;
/// How often it looks, asleep, whether its engine is still there.
const NAP: Duration = Duration::from_secs(1);

/// The clock of one engine.
#[derive(Clone)]
pub(crate) struct Epochs {
    state: Arc<State>,
    thread: Thread,
}

#[derive(Default)]
struct State {
    /// Calls into guests that are under way.
    calls: AtomicUsize,
    is_asleep: AtomicBool,
}

/// A call under way: until it is dropped the clock ticks.
pub(crate) struct Running<'s>(&'s State);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, SeqCst);
    }
}

impl Epochs {
    /// Starts the clock, on a thread of its own, which ends with the engine.
    pub(crate) fn start(engine: &Engine) -> io::Result<Self> {
        let (engine, state) = (engine.weak(), Arc::<State>::default());
        let shared = Arc::downgrade(&state);
        let thread = thread::Builder::new().name("plugin-epochs".to_owned());
        let thread = thread.spawn(move || tick(&engine, &shared))?.thread().clone();
        Ok(Self { state, thread })
    }

    /// A call begins. The first tick may come at once.
    pub(crate) fn call(&self) -> Running<'_> {
        // Whoever falls asleep says so first and counts calls then; here it is the other way round:
        // one of both sees the other.
        self.state.calls.fetch_add(1, SeqCst);
        if self.state.is_asleep.load(SeqCst) {
            self.thread.unpark();
        }
        Running(&self.state)
    }
}

fn tick(engine: &EngineWeak, state: &Weak<State>) {
    let mut quiet = 0;
    loop {
        let (Some(engine), Some(state)) = (engine.upgrade(), state.upgrade()) else { return };
        engine.increment_epoch();
        drop(engine);
        quiet = if state.calls.load(SeqCst) > 0 { 0 } else { quiet + 1 };
        if quiet < QUIET {
            thread::sleep(TICK);
            continue;
        }
        state.is_asleep.store(true, SeqCst);
        if state.calls.load(SeqCst) == 0 {
            thread::park_timeout(NAP);
        }
        state.is_asleep.store(false, SeqCst);
        if state.calls.load(SeqCst) > 0 {
            quiet = 0;
        }
    }
}
