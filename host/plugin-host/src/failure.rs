//! Ways in which a call to a guest fails.

use std::time::Duration;
use wasmtime::Trap;

/// A call that ended the instance: its store is gone with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It trapped, or a host function ended it.
    #[error("{call} failed: {why}")]
    Trapped {
        /// The handler.
        call: &'static str,
        /// The trap, with where it was.
        why: String,
    },
    /// It computed for longer than `limits.callMs`.
    #[error("{call} was stopped after computing for {budget:?}; limits.callMs sets the budget")]
    Budget {
        /// The handler.
        call: &'static str,
        /// What it had.
        budget: Duration,
    },
    /// It waited too long.
    #[error("{call} was stopped after {wall:?}")]
    TimedOut {
        /// The handler.
        call: &'static str,
        /// What it had, by the clock on the wall.
        wall: Duration,
    },
    /// It said itself that it is broken.
    #[error("{call}: {why}")]
    Fatal {
        /// The handler.
        call: &'static str,
        /// The plugin's own words.
        why: String,
    },
}

impl Fault {
    /// Reads what wasmtime says of a call, and what the guest wrote before.
    pub(crate) fn from_error(
        call: &'static str,
        budget: Duration,
        error: &wasmtime::Error,
        last_words: &str,
    ) -> Self {
        if error.downcast_ref::<Trap>() == Some(&Trap::Interrupt) {
            return Self::Budget { call, budget };
        }
        // Around the cause is a backtrace, which says little to those who read this.
        let cause = error.root_cause();
        let why = if last_words.is_empty() {
            cause.to_string()
        } else {
            format!("{cause}; it wrote: {last_words}")
        };
        Self::Trapped { call, why: shorten(&why) }
    }
}

/// Makes one line of an error, without the addresses of a long backtrace.
pub(crate) fn shorten(text: &str) -> String {
    const LONGEST: usize = 600;
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.len() > LONGEST {
        line.truncate(line.floor_char_boundary(LONGEST));
        line.push('…');
    }
    line
}

/// A batch that a plugin did not finish, in its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failed {
    /// How many were done before.
    pub(crate) done: u32,
    pub(crate) remedy: Remedy,
}

/// What the plugin wants done about an event (`types.failure`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    Retry(String),
    Skip(String),
    Fatal(String),
}
