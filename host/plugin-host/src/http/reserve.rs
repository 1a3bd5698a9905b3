//! Instances that have answered and wait for the next request: to make one costs more than most requests do.

use crate::instance::Instance;
use std::{
    mem,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use telepulse_language::Principal;

/// How many wait at most: as many as requests are handled at a time.
const ROOM: usize = super::AT_A_TIME;
/// After so many requests an instance is replaced, so that what a guest leaks is bounded.
const REQUESTS: u32 = 200;
/// What was not needed for so long goes, with its memory.
const IDLE: Duration = Duration::from_secs(5);

/// An instance, and how many requests it has served.
pub(super) struct Served {
    pub(super) instance: Instance,
    pub(super) times: u32,
}

/// Those of one version that wait. The one that served last serves next, so that the others can go.
#[derive(Default)]
pub(super) struct Reserve(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    instances: Vec<Served>,
    /// The least that waited since the last sweep: so many were not needed.
    idle: usize,
    /// Somebody sweeps.
    is_swept: bool,
}

impl Reserve {
    /// One that acts for somebody from now on.
    pub(super) fn take(&self, principal: Option<&Arc<Principal>>) -> Option<Served> {
        let mut served = self.waiting(|waiting| {
            let served = waiting.instances.pop();
            waiting.idle = waiting.idle.min(waiting.instances.len());
            served
        })?;
        served.instance.act_for(principal);
        Some(served)
    }

    /// Keeps one that did its work well, unless it has served long enough or enough of them wait. Answers
    /// whether somebody must [`sweep`] from now on.
    pub(super) fn put(&self, mut served: Served) -> bool {
        if served.times >= REQUESTS {
            return false;
        }
        served.instance.act_for(None);
        let (_dropped, must_sweep) = self.waiting(|waiting| {
            if waiting.instances.len() >= ROOM {
                return (Some(served), false);
            }
            waiting.instances.push(served);
            (None, !mem::replace(&mut waiting.is_swept, true))
        });
        must_sweep
    }

    /// Drops what was not needed since the last time; answers whether any is left.
    pub(super) fn sweep(&self) -> bool {
        let (_dropped, is_left) = self.waiting(|waiting| {
            let dropped: Vec<_> = waiting.instances.drain(..waiting.idle).collect();
            waiting.idle = waiting.instances.len();
            waiting.is_swept = waiting.idle > 0;
            (dropped, waiting.is_swept)
        });
        is_left
    }

    /// Instances are made and dropped outside: the lock is held for some instructions.
    fn waiting<T>(&self, look: impl FnOnce(&mut Waiting) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Sweeps as long as anything is left.
pub(super) async fn sweep(again: impl Fn() -> bool) {
    loop {
        tokio::time::sleep(IDLE).await;
        if !again() {
            return;
        }
    }
}
