//! What a measured client tells: a line `result {"events":…,"seconds":…,"cpuSeconds":…,"peakKib":…}`.

use anyhow::{Context, Result};
use serde::Deserialize;

/// One run of one client.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Measured {
    /// Events that reached the user.
    pub(super) events: u64,
    /// From the first to the last.
    pub(super) seconds: f64,
    /// What the process computed meanwhile, all threads.
    pub(super) cpu_seconds: f64,
    /// The most memory that it had at a time.
    pub(super) peak_kib: u64,
}

impl Measured {
    /// From everything that a client printed.
    pub(super) fn read(output: &str) -> Result<Self> {
        let line = output.lines().find_map(|line| line.strip_prefix("result "));
        let line = line.context("it told no result")?;
        serde_json::from_str(line).with_context(|| format!("its result was {line}"))
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    pub(super) fn per_second(&self) -> f64 {
        self.events as f64 / self.seconds
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    pub(super) fn cpu_us(&self) -> f64 {
        self.cpu_seconds * 1e6 / self.events as f64
    }

    #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
    pub(super) fn peak_mib(&self) -> f64 {
        self.peak_kib as f64 / 1024.0
    }

    /// Each figure's own median.
    pub(super) fn median(runs: &[Self]) -> Option<Self> {
        fn middle<T: Copy + PartialOrd>(runs: &[Measured], of: fn(&Measured) -> T) -> Option<T> {
            super::result::middle(runs.iter().map(of))
        }
        Some(Self {
            events: middle(runs, |run| run.events)?,
            seconds: middle(runs, |run| run.seconds)?,
            cpu_seconds: middle(runs, |run| run.cpu_seconds)?,
            peak_kib: middle(runs, |run| run.peak_kib)?,
        })
    }
}

/// The one in the middle; of an even number the higher of two.
pub(super) fn middle<T: Copy + PartialOrd>(values: impl Iterator<Item = T>) -> Option<T> {
    let mut values: Vec<T> = values.collect();
    values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(events: u64, seconds: f64) -> Measured {
        Measured { events, seconds, cpu_seconds: seconds / 2.0, peak_kib: 2048 }
    }

    #[test]
    fn a_result_is_found_in_the_output() {
        let output = "Compiling x\nresult {\"events\":4,\"seconds\":2,\"cpuSeconds\":0.5,\"peakKib\":1024,\"more\":1}\n";
        let read = Measured::read(output).unwrap();
        assert_eq!((read.events, read.per_second(), read.cpu_us()), (4, 2.0, 125_000.0));
        assert!(Measured::read("error: x").unwrap_err().to_string().contains("no result"));
    }

    #[test]
    fn the_median_is_of_each_figure() {
        let runs = [run(10, 3.0), run(30, 1.0), run(20, 2.0)];
        let median = Measured::median(&runs).unwrap();
        assert_eq!((median.events, median.seconds, median.peak_mib()), (20, 2.0, 2.0));
        assert!(Measured::median(&[]).is_none());
    }
}
