//! The audit log: who gave which command when, and what came of it. One JSON object a line, in a file
//! that is only ever appended to.
//!
//! Nobody waits for the disk: entries are handed to a thread. Where it cannot keep up, or the disk is
//! full, entries are lost, and that is counted (`telepulse_audit_lost_total`) and logged.

use crate::store::worker::Worker;
use serde::Serialize;
use serde_json::{Map, Value};
use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};
use telepulse_language::Timestamp;

/// The file's name under the store's path.
pub(crate) const FILE: &str = "audit.jsonl";
/// From this size on a new file is begun; the old one is kept under the time of its end.
const ROTATE: u64 = 64 << 20;
/// Entries that wait to be written.
const WAITING: usize = 8192;
/// How long an entry is in the system's memory only, at most.
const SYNC: Duration = Duration::from_secs(1);
/// What is kept of a command's fields: whom and what it was about. What people say, and what variables
/// hold, is not.
const ABOUT: [&str; 20] = [
    "agent",
    "call",
    "callerId",
    "change",
    "channel",
    "conference",
    "exten",
    "file",
    "from",
    "interface",
    "kind",
    "lot",
    "name",
    "penalty",
    "queue",
    "reason",
    "space",
    "target",
    "timeout",
    "to",
];
/// How much of a field is kept, in characters.
const LONGEST: usize = 200;

/// One entry.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    /// When it ended.
    pub(crate) time: Timestamp,
    /// On whose behalf; absent for a plugin that acted by itself, and for the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    /// Which plugin handed it over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) plugin: Option<Arc<str>>,
    /// Where a login came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) peer: Option<String>,
    /// The command's `action`, or `login`.
    pub(crate) action: String,
    /// The server that it was for, if it came so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server: Option<String>,
    /// The fields that say what it was about.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub(crate) about: Map<String, Value>,
    /// `done`, or the refusal's code.
    pub(crate) outcome: Value,
    /// The refusal's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
}

/// What of a command's fields is kept; of a raw action's headers, too.
pub(crate) fn about(fields: &Map<String, Value>) -> Map<String, Value> {
    let kept =
        fields.iter().filter(|(name, _)| ABOUT.iter().any(|kept| kept.eq_ignore_ascii_case(name)));
    let short = |value: &Value| match value {
        Value::String(text) => text.chars().take(LONGEST).collect::<String>().into(),
        Value::Number(_) | Value::Bool(_) | Value::Null => value.clone(),
        Value::Array(_) | Value::Object(_) => Value::Null,
    };
    kept.map(|(name, value)| (name.clone(), short(value))).collect()
}

/// Where entries are handed in. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Audit(Arc<Worker<Job>>);

/// What the thread is given.
enum Job {
    Write(Box<Entry>),
    Stop,
}

impl Audit {
    /// Opens the file, and makes it where there is none. Only the user that we run as can read it.
    pub(crate) fn start(folder: &Path) -> io::Result<Self> {
        let log = Log::open(folder.join(FILE))?;
        let run = |jobs: &Receiver<Job>, _: &_| write_all(log, jobs);
        let worker = Worker::start("the audit log", WAITING, run).map_err(io::Error::other)?;
        Ok(Self(Arc::new(worker)))
    }

    /// Hands in an entry. Never waits.
    pub(crate) fn record(&self, entry: Entry) {
        if self.0.jobs().try_send(Job::Write(Box::new(entry))).is_err() {
            lost(1);
            tracing::error!("an entry of the audit log is lost: too many wait, or it has ended");
        }
    }

    /// Has everything written that was handed in.
    pub(crate) async fn stop(&self) {
        self.0.stop(Job::Stop).await;
    }
}

/// Of the whole process, as counters for Prometheus are.
static LOST: AtomicU64 = AtomicU64::new(0);

fn lost(entries: u64) {
    LOST.fetch_add(entries, Ordering::Relaxed);
}

/// How many entries were lost so far.
pub(crate) fn lost_so_far() -> u64 {
    LOST.load(Ordering::Relaxed)
}

/// Writes what comes, many at a time, until it is stopped.
fn write_all(mut log: Log, jobs: &Receiver<Job>) {
    let mut is_over = false;
    while !is_over {
        let first = match jobs.recv_timeout(SYNC) {
            Ok(first) => first,
            Err(RecvTimeoutError::Timeout) => {
                log.sync();
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        };
        let (mut lines, mut count) = (Vec::new(), 0);
        for job in std::iter::once(first).chain(jobs.try_iter().take(WAITING)) {
            let Job::Write(entry) = job else {
                is_over = true;
                continue;
            };
            // Only a map whose keys are no strings cannot be written.
            if serde_json::to_writer(&mut lines, &entry).is_ok() {
                lines.push(b'\n');
            }
            count += 1;
        }
        if let Err(error) = log.append(&lines) {
            lost(count);
            let path = log.path.display();
            tracing::error!(%path, %error, count, "entries of the audit log are lost");
        }
        if log.synced.elapsed() >= SYNC {
            log.sync();
        }
    }
    log.sync();
}

/// The file of now.
struct Log {
    path: PathBuf,
    file: File,
    length: u64,
    is_synced: bool,
    synced: Instant,
}

impl Log {
    fn open(path: PathBuf) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
        let length = file.metadata()?.len();
        Ok(Self { path, file, length, is_synced: true, synced: Instant::now() })
    }

    /// Appends whole lines; after a failure none of them is there.
    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.length >= ROTATE {
            self.rotate()?;
        }
        if let Err(error) = self.file.write_all(lines) {
            // Half a line would spoil the next one.
            self.file.set_len(self.length)?;
            return Err(error);
        }
        self.length += lines.len() as u64;
        self.is_synced = false;
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.sync();
        let ended = crate::clock::now().to_string().replace(':', "");
        std::fs::rename(&self.path, self.path.with_file_name(format!("audit-{ended}.jsonl")))?;
        *self = Self::open(self.path.clone())?;
        Ok(())
    }

    fn sync(&mut self) {
        if !self.is_synced
            && let Err(error) = self.file.sync_data()
        {
            tracing::error!(path = %self.path.display(), %error, "the audit log is not synced");
        }
        self.is_synced = true;
        self.synced = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry(action: &str) -> Entry {
        let fields = json!({"to": "102", "from": "x".repeat(1_000), "variables": {"a": "secret"}});
        Entry {
            time: Timestamp(1_795_212_480_000),
            user: Some("ana".to_owned()),
            plugin: Some("rest".into()),
            peer: None,
            action: action.to_owned(),
            server: None,
            about: about(fields.as_object().unwrap()),
            outcome: "forbidden".into(),
            message: Some("ana may not dial".to_owned()),
        }
    }

    #[tokio::test]
    async fn entries_are_lines_and_the_file_only_grows() {
        let folder = tempfile::tempdir().unwrap();
        for round in 0..2 {
            let audit = Audit::start(folder.path()).unwrap();
            for number in 0..100 {
                audit.record(entry(&format!("dial{round}-{number}")));
            }
            audit.stop().await;
        }
        let text = std::fs::read_to_string(folder.path().join(FILE)).unwrap();
        let lines: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 200);
        assert_eq!(
            (&lines[0]["action"], &lines[199]["action"]),
            (&json!("dial0-0"), &json!("dial1-99"))
        );
        assert_eq!(lines[7]["time"], "2026-11-20T22:08:00.000Z");
        assert_eq!(lines[7]["about"]["to"], "102");
        assert_eq!(lines[7]["about"]["from"].as_str().unwrap().len(), LONGEST);
        assert!(!text.contains("secret"), "what variables hold is not kept");
    }

    #[test]
    fn a_large_file_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::open(folder.path().join(FILE)).unwrap();
        log.append(b"one\n").unwrap();
        log.length = ROTATE;
        log.append(b"two\n").unwrap();
        assert_eq!(std::fs::read(folder.path().join(FILE)).unwrap(), b"two\n");
        let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(files.len(), 2, "{files:?}");
    }
}
