//! What the person in front of the terminal sees: each step by name, and how long it took.

use std::fmt::Display;
use std::time::{Duration, Instant};

use anyhow::Result;

/// Does one step of a task, and says so before and after.
pub(crate) fn step<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    eprintln!("==> {name}");
    let started = Instant::now();
    let done = work();
    let how = if done.is_ok() { "done" } else { "FAILED" };
    eprintln!("==> {name}: {how} in {}", Took(started.elapsed()));
    done
}

/// A time span as people say it.
pub(crate) struct Took(pub(crate) Duration);

impl Display for Took {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.as_secs() {
            0..60 => write!(f, "{:.1} s", self.0.as_secs_f64()),
            seconds => write!(f, "{} min {} s", seconds / 60, seconds % 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_spans_read_well() {
        assert_eq!(Took(Duration::from_millis(1_234)).to_string(), "1.2 s");
        assert_eq!(Took(Duration::from_secs(125)).to_string(), "2 min 5 s");
    }
}
