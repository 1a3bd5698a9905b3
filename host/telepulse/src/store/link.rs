//! The way to a server that keeps values: a connection that is made by whoever needs it, and given up when it
//! breaks or falls silent. Nothing waits longer than the deadline, and no more than a bounded number of
//! operations do.

use std::{
    fmt::Display,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Mutex, Semaphore},
    time::{Instant, timeout_at},
};

/// How long an operation may take, connecting included.
const DEADLINE: Duration = Duration::from_secs(2);
/// Operations under way; more are refused.
pub(super) const UNDER_WAY: usize = 256;

/// A server. Written out it is its name and place, as in `Redis at 127.0.0.1:6379`, without any secret.
pub(super) trait Server: Display + Send + Sync + 'static {
    /// A connection to it. Dropped, it is closed: nobody waits for what the server still owes.
    type Line: Send + Sync + 'static;

    /// Connects and logs in. The error says what the server is or does instead.
    fn open(&self) -> impl Future<Output = Result<Self::Line, String>> + Send;

    /// Whether a connection still stands.
    fn is_good(line: &Self::Line) -> bool;

    /// What it said, without what it may repeat of what it was told.
    fn shown(&self, text: String) -> String {
        text
    }
}

/// The way to one server.
pub(super) struct Link<S: Server> {
    server: S,
    /// The connection of now. Locked while one is made: it is made once for all who wait.
    line: Mutex<Option<Arc<Held<S::Line>>>>,
    places: Semaphore,
    is_away: AtomicBool,
}

/// A connection, and whether it was given up: then nothing new is sent on it, and who has sent something may
/// wait.
struct Held<L> {
    line: Arc<L>,
    is_given_up: AtomicBool,
}

impl<L> Held<L> {
    fn new(line: L) -> Self {
        Self { line: Arc::new(line), is_given_up: AtomicBool::new(false) }
    }

    fn is_good<S: Server<Line = L>>(&self) -> bool {
        !self.is_given_up.load(Ordering::Relaxed) && S::is_good(&self.line)
    }

    fn give_up(&self) {
        self.is_given_up.store(true, Ordering::Relaxed);
    }
}

/// Why the server did not do what it was asked, as its connection tells.
#[derive(Debug)]
pub(super) enum Fault {
    /// It said no.
    Refused(String),
    /// It said no, and would say so to all that comes by this connection.
    Useless(String),
    /// The connection broke: it may have been done.
    Broke(String),
}

/// Why an operation failed: a sentence that names the server.
#[derive(Debug)]
pub(super) enum Failed {
    /// It was not carried out.
    Refused(String),
    /// It may have been: it was sent.
    Unknown(String),
}

impl Failed {
    /// For whoever wanted to read.
    pub(super) fn of_read(self) -> String {
        match self {
            Self::Refused(why) | Self::Unknown(why) => why,
        }
    }

    /// For whoever wanted to change something.
    pub(super) fn of_change(self) -> String {
        match self {
            Self::Refused(why) => format!("{why}: nothing was changed"),
            Self::Unknown(why) => format!("{why}: whether it was changed is not known"),
        }
    }
}

impl<S: Server> Link<S> {
    pub(super) fn new(server: S) -> Self {
        Self {
            server,
            line: Mutex::new(None),
            places: Semaphore::new(UNDER_WAY),
            is_away: AtomicBool::new(false),
        }
    }

    /// Connects, and tells the log whether the server is there.
    pub(super) async fn greet(&self) {
        if self.run(|_| async { Ok(()) }).await.is_ok() {
            tracing::info!("plugins' values are in {}", self.server);
        }
    }

    /// Carries an operation out, with a connection that may be new.
    pub(super) async fn run<T, F>(&self, work: impl FnOnce(Arc<S::Line>) -> F) -> Result<T, Failed>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        let server = &self.server;
        let Ok(_place) = self.places.try_acquire() else {
            let why = format!("{server} is behind with {UNDER_WAY} other operations");
            return Err(Failed::Refused(why));
        };
        let until = Instant::now() + DEADLINE;
        let line = timeout_at(until, self.line()).await;
        let line = line.unwrap_or_else(|_| Err("is away (no answer within 2 s)".to_owned()));
        self.note(line.as_ref().err());
        let held = line.map_err(|why| Failed::Refused(format!("{server} {why}")))?;
        let Ok(done) = timeout_at(until, work(Arc::clone(&held.line))).await else {
            held.give_up();
            return Err(Failed::Unknown(format!("{server} did not answer within 2 s")));
        };
        done.map_err(|fault| self.failed(&held, fault))
    }

    async fn line(&self) -> Result<Arc<Held<S::Line>>, String> {
        let mut line = self.line.lock().await;
        if let Some(line) = line.as_ref().filter(|held| held.is_good::<S>()) {
            return Ok(Arc::clone(line));
        }
        *line = None;
        let new = self.server.open().await.map_err(|why| self.server.shown(why))?;
        Ok(Arc::clone(line.insert(Arc::new(Held::new(new)))))
    }

    fn failed(&self, held: &Held<S::Line>, fault: Fault) -> Failed {
        let server = &self.server;
        if !matches!(fault, Fault::Refused(_)) {
            held.give_up();
        }
        match fault {
            Fault::Refused(why) | Fault::Useless(why) => {
                Failed::Refused(format!("{server} refuses it ({})", server.shown(why)))
            }
            Fault::Broke(why) => {
                let why = server.shown(why);
                Failed::Unknown(format!("the connection to {server} broke ({why})"))
            }
        }
    }

    /// Tells the log when the server is away, and when it is back, not what lies between.
    fn note(&self, why: Option<&String>) {
        let was_away = self.is_away.swap(why.is_some(), Ordering::Relaxed);
        match why {
            Some(why) if !was_away => {
                tracing::warn!("{} {why}: plugins' values cannot be reached", self.server);
            }
            None if was_away => tracing::info!("{} is back", self.server),
            _ => {}
        }
    }
}
