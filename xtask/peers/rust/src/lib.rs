//! What every measured client does: it counts the events that reach its user, and tells one line.

pub mod calls;
pub mod clients;
pub mod hello;
pub mod marker;
pub mod measured;
pub mod orders;

use cpu_time::ProcessTime;
use std::{
    fs,
    time::{Duration, Instant},
};

/// The last event of the stream; not one of those that count.
pub const END: &str = "StreamEnd";
/// Without an event for so long, the rest is lost.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// The port of the server, from the command line.
pub fn port() -> u16 {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok());
    port.expect("usage: PROGRAM PORT [FLOOR]")
}

/// Counts, from the first event to the last.
#[derive(Default)]
pub struct Meter {
    events: u64,
    first: Option<(Instant, ProcessTime)>,
    last: Option<(Instant, ProcessTime)>,
}

impl Meter {
    /// An event reached its user; whether the stream goes on.
    pub fn event(&mut self, name: &str) -> bool {
        match name {
            // Of the login.
            "FullyBooted" => true,
            END => {
                self.last = Some((Instant::now(), ProcessTime::now()));
                false
            }
            _ => {
                self.add(1);
                true
            }
        }
    }

    /// So many events at once, none of them the last.
    pub fn add(&mut self, events: u64) {
        if self.first.is_none() {
            self.first = Some((Instant::now(), ProcessTime::now()));
        }
        self.events += events;
    }

    /// Tells what was measured, for the program that compares.
    pub fn tell(&self) {
        // Where the end was lost, the patience is not the client's time.
        let (end, lost) = match self.last {
            Some(last) => (Some(last), Duration::ZERO),
            None => (Some((Instant::now(), ProcessTime::now())), PATIENCE),
        };
        let (seconds, cpu) = match (self.first, end) {
            (Some((first, cpu_first)), Some((last, cpu_last))) => (
                (last - first).saturating_sub(lost).as_secs_f64(),
                cpu_last.duration_since(cpu_first).as_secs_f64(),
            ),
            _ => (0.0, 0.0),
        };
        let events = self.events;
        let peak = peak_kib();
        println!(
            "result {{\"events\":{events},\"seconds\":{seconds},\"cpuSeconds\":{cpu},\"peakKib\":{peak}}}"
        );
    }
}

/// The most memory that this process had at a time.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok()).unwrap_or(0)
}
