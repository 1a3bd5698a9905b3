//! What is known of each plugin, for operators and for tests that wait for something.

use crate::ports::BusEvent;
use serde::Serialize;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::sync::watch;

/// Where a plugin is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// An instance takes events, or is being started again after a failure.
    Running,
    /// It lacks grants.
    Waiting,
    /// It cannot run; `error` says why.
    Failed,
    /// Somebody stopped it.
    Stopped,
    /// Other nodes run it, or are to: this one has not the role, or not the turn.
    Elsewhere,
}

/// One plugin, as `GET /plugins` shows it (contract section 7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginStatus {
    /// Its name.
    pub name: String,
    /// Where it is in its life.
    pub state: State,
    /// SHA-256 of the component that runs, or of the one that cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// Counts its instances, from 1.
    pub incarnation: u64,
    /// What went wrong last, with the way out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Why it does not run on this node, if other nodes are to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elsewhere: Option<String>,
    /// What went wrong lately, the last one last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mishaps: Vec<Mishap>,
    /// The component that failed too often: it stays down until another build, or other grants, come,
    /// or until it is started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quarantined: Option<String>,
    /// The component that was refused, while an older one runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// The grants that it lacks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// What it asks for: the component that runs, or the one that cannot.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub asks: Vec<String>,
    /// What the refused component asks for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused_asks: Vec<String>,
    /// What it is granted, while it runs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<String>,
    /// The functions that it imports.
    pub imports: Vec<String>,
    /// The interfaces that it exports.
    pub exports: Vec<String>,
    /// What it did.
    pub figures: Figures,
}

/// Mishaps that are remembered of a plugin.
const MISHAPS: usize = 8;
/// Events set aside that are remembered of a plugin.
const ASIDE: usize = 32;
/// How much of an event's payload is remembered, in bytes.
const PAYLOAD: usize = 4096;

/// Something that went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Mishap {
    /// When: milliseconds since 1970.
    pub time_ms: u64,
    /// What, with the way out.
    pub error: String,
}

/// An event that ended instances, or was wanted again too often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SetAside {
    /// Its number in the event stream; 0 outside `telepulse.event`.
    pub seq: u64,
    /// When it was published: milliseconds since 1970.
    pub time_ms: u64,
    /// Where it was published to.
    pub address: String,
    /// The beginning of its payload.
    pub payload: String,
    /// Why it is set aside.
    pub why: String,
}

/// Lines that are remembered of a plugin.
const LINES: usize = 500;

/// A line that a plugin logged, or wrote to its standard error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LogLine {
    /// Counts the plugin's lines, from 1.
    pub number: u64,
    /// When: milliseconds since 1970.
    pub time_ms: u64,
    /// `trace`, `debug`, `info`, `warn` or `error`.
    pub level: &'static str,
    /// The line, with control characters escaped.
    pub text: String,
}

impl PluginStatus {
    /// Remembers what went wrong.
    pub(crate) fn mishap(&mut self, error: &str) {
        self.mishaps.push(Mishap { time_ms: now_ms(), error: error.to_owned() });
        self.mishaps.drain(..self.mishaps.len().saturating_sub(MISHAPS));
    }

    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            state: State::Stopped,
            hash: None,
            incarnation: 0,
            error: None,
            elsewhere: None,
            mishaps: Vec::new(),
            quarantined: None,
            refused: None,
            missing: Vec::new(),
            asks: Vec::new(),
            refused_asks: Vec::new(),
            grants: Vec::new(),
            imports: Vec::new(),
            exports: Vec::new(),
            figures: Figures::default(),
        }
    }
}

/// A plugin's counters, all since the host started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    /// Events that its handler has done.
    pub handled: u64,
    /// Events that wait for it now.
    pub queued: u64,
    /// Events dropped because the mailbox was full.
    pub dropped: u64,
    /// Events that it skipped itself.
    pub skipped: u64,
    /// Events set aside because handling them ended instance after instance.
    pub poisoned: u64,
    /// Times that an instance failed and was started again.
    pub restarts: u64,
    /// Swaps to a new build or new grants.
    pub swaps: u64,
    /// HTTP requests answered.
    pub requests: u64,
    /// HTTP requests that failed or took too long.
    pub request_failures: u64,
    /// Computing time of its calls, in milliseconds.
    pub computed_ms: u64,
    /// Calls of its that were stopped at `limits.callMs`, or because they waited too long.
    pub timeouts: u64,
    /// What it tried that no grant covers, or that a limit forbids.
    pub denied: u64,
    /// Log lines past the rate, not written.
    pub lines_refused: u64,
    /// Figures of its own that were not taken.
    pub measures_refused: u64,
}

/// The same, while they are counted.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) handled: AtomicU64,
    pub(crate) queued: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) skipped: AtomicU64,
    pub(crate) poisoned: AtomicU64,
    pub(crate) restarts: AtomicU64,
    pub(crate) swaps: AtomicU64,
    pub(crate) requests: AtomicU64,
    pub(crate) request_failures: AtomicU64,
    /// In nanoseconds.
    pub(crate) computed: AtomicU64,
    pub(crate) timeouts: AtomicU64,
    pub(crate) denied: AtomicU64,
    pub(crate) lines_refused: AtomicU64,
    pub(crate) measures_refused: AtomicU64,
    aside: Mutex<VecDeque<SetAside>>,
    lines: Mutex<VecDeque<LogLine>>,
}

impl Counters {
    /// Remembers a line.
    pub(crate) fn line(&self, level: &'static str, text: &str) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let number = lines.back().map_or(0, |line| line.number) + 1;
        if lines.len() == LINES {
            lines.pop_front();
        }
        lines.push_back(LogLine { number, time_ms: now_ms(), level, text: text.to_owned() });
    }

    /// Remembers an event that is not handed over any more.
    pub(crate) fn set_aside(&self, event: &BusEvent, why: &str) {
        count(&self.poisoned, 1);
        let payload = &event.payload[..event.payload.len().min(PAYLOAD)];
        let mut aside = self.aside.lock().unwrap_or_else(PoisonError::into_inner);
        aside.push_back(SetAside {
            seq: event.seq,
            time_ms: event.time_ns / 1_000_000,
            address: event.address.to_string(),
            payload: String::from_utf8_lossy(payload).into_owned(),
            why: why.to_owned(),
        });
        let over = aside.len().saturating_sub(ASIDE);
        aside.drain(..over);
    }

    fn read(&self) -> Figures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Figures {
            handled: read(&self.handled),
            queued: read(&self.queued),
            dropped: read(&self.dropped),
            skipped: read(&self.skipped),
            poisoned: read(&self.poisoned),
            restarts: read(&self.restarts),
            swaps: read(&self.swaps),
            requests: read(&self.requests),
            request_failures: read(&self.request_failures),
            computed_ms: read(&self.computed) / 1_000_000,
            timeouts: read(&self.timeouts),
            denied: read(&self.denied),
            lines_refused: read(&self.lines_refused),
            measures_refused: read(&self.measures_refused),
        }
    }
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Adds to a counter.
pub(crate) fn count(counter: &AtomicU64, by: usize) {
    counter.fetch_add(u64::try_from(by).unwrap_or(u64::MAX), Ordering::Relaxed);
}

/// All plugins by name, as of the last change.
pub type Statuses = BTreeMap<String, PluginStatus>;

/// Where the plugins' tasks write and everybody reads.
pub(crate) struct Board {
    statuses: watch::Sender<Statuses>,
    counters: Mutex<BTreeMap<String, Arc<Counters>>>,
}

impl Board {
    pub(crate) fn new() -> Self {
        Self { statuses: watch::Sender::new(Statuses::new()), counters: Mutex::default() }
    }

    /// Makes room for a plugin.
    pub(crate) fn add(&self, name: &str, counters: Arc<Counters>) {
        self.lock().insert(name.to_owned(), counters);
    }

    /// Forgets a plugin.
    pub(crate) fn remove(&self, name: &str) {
        self.lock().remove(name);
        self.statuses.send_if_modified(|all| all.remove(name).is_some());
    }

    /// Writes a plugin's status. Nobody is woken if nothing changed.
    pub(crate) fn write(&self, status: &PluginStatus) {
        self.statuses.send_if_modified(|all| {
            let changed = all.get(&status.name) != Some(status);
            if changed {
                all.insert(status.name.clone(), status.clone());
            }
            changed
        });
    }

    pub(crate) fn list(&self) -> Vec<PluginStatus> {
        let names: Vec<String> = self.statuses.borrow().keys().cloned().collect();
        names.iter().filter_map(|name| self.show(name)).collect()
    }

    pub(crate) fn show(&self, name: &str) -> Option<PluginStatus> {
        let mut status = self.statuses.borrow().get(name).cloned()?;
        if let Some(counters) = self.lock().get(name) {
            status.figures = counters.read();
        }
        Some(status)
    }

    pub(crate) fn aside(&self, name: &str) -> Option<Vec<SetAside>> {
        let counters = self.lock().get(name).cloned()?;
        let aside = counters.aside.lock().unwrap_or_else(PoisonError::into_inner);
        Some(aside.iter().cloned().collect())
    }

    pub(crate) fn log(&self, name: &str, after: u64) -> Option<Vec<LogLine>> {
        let counters = self.lock().get(name).cloned()?;
        let lines = counters.lines.lock().unwrap_or_else(PoisonError::into_inner);
        Some(lines.iter().filter(|line| line.number > after).cloned().collect())
    }

    pub(crate) fn changed(&self) -> watch::Receiver<Statuses> {
        self.statuses.subscribe()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Arc<Counters>>> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
