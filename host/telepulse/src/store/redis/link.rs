//! The way to Redis: a connection that is made by whoever needs it, and given up when it breaks or falls
//! silent. Nothing waits longer than the deadline, and no more than a bounded number of operations do.

use super::line::Line;
use crate::config::Redis;
use redis::{ErrorKind, RedisError, RedisResult, ServerErrorKind, aio::MultiplexedConnection};
use std::{
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
use tokio_rustls::rustls::ClientConfig;

/// How long an operation may take, connecting included.
const DEADLINE: Duration = Duration::from_secs(2);
/// Operations under way; more are refused.
pub(super) const UNDER_WAY: usize = 256;

/// The way to one Redis.
pub(super) struct Link {
    redis: Redis,
    /// Whom we trust; `None`: whom this machine trusts.
    pub(super) trusted: Option<Arc<ClientConfig>>,
    /// The connection of now. Locked while one is made: it is made once for all who wait.
    line: Mutex<Option<Arc<Line>>>,
    places: Semaphore,
    is_away: AtomicBool,
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

impl Link {
    pub(super) fn new(redis: Redis) -> Self {
        Self {
            redis,
            trusted: None,
            line: Mutex::new(None),
            places: Semaphore::new(UNDER_WAY),
            is_away: AtomicBool::new(false),
        }
    }

    /// Connects, and tells the log whether Redis is there.
    pub(super) async fn greet(&self) {
        if self.run(|_| async { Ok(()) }).await.is_ok() {
            tracing::info!("plugins' values are in Redis at {}", self.redis);
        }
    }

    /// Carries an operation out, with a connection that may be new.
    pub(super) async fn run<T, F>(
        &self,
        work: impl FnOnce(MultiplexedConnection) -> F,
    ) -> Result<T, Failed>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let redis = &self.redis;
        let Ok(_place) = self.places.try_acquire() else {
            let why = format!("Redis at {redis} is behind with {UNDER_WAY} other operations");
            return Err(Failed::Refused(why));
        };
        let until = Instant::now() + DEADLINE;
        let line = timeout_at(until, self.line()).await;
        let line = line.unwrap_or_else(|_| Err("is away (no answer within 2 s)".to_owned()));
        self.note(line.as_ref().err());
        let line = line.map_err(|why| Failed::Refused(format!("Redis at {redis} {why}")))?;
        let Ok(done) = timeout_at(until, work(line.connection())).await else {
            line.give_up();
            let why = format!("Redis at {redis} did not answer within 2 s");
            return Err(Failed::Unknown(why));
        };
        done.map_err(|error| self.failed(&line, &error))
    }

    async fn line(&self) -> Result<Arc<Line>, String> {
        let mut line = self.line.lock().await;
        if let Some(line) = line.as_ref().filter(|line| line.is_good()) {
            return Ok(Arc::clone(line));
        }
        *line = None;
        let new =
            Line::open(&self.redis, self.trusted.as_ref()).await.map_err(|why| self.shown(why))?;
        Ok(Arc::clone(line.insert(Arc::new(new))))
    }

    fn failed(&self, line: &Line, error: &RedisError) -> Failed {
        let redis = &self.redis;
        let kind = error.kind();
        if matches!(kind, ErrorKind::Server(_) | ErrorKind::Extension) {
            if kind == ErrorKind::Server(ServerErrorKind::ReadOnly) {
                // Another may have become the master, at the same address.
                line.give_up();
            }
            let why = self.shown(said(error));
            return Failed::Refused(format!("Redis at {redis} refuses it ({why})"));
        }
        line.give_up();
        let why = self.shown(error.to_string());
        Failed::Unknown(format!("the connection to Redis at {redis} broke ({why})"))
    }

    /// Tells the log when Redis is away, and when it is back, not what lies between.
    fn note(&self, why: Option<&String>) {
        let was_away = self.is_away.swap(why.is_some(), Ordering::Relaxed);
        match why {
            Some(why) if !was_away => {
                tracing::warn!("Redis at {} {why}: plugins' values cannot be reached", self.redis);
            }
            None if was_away => tracing::info!("Redis at {} is back", self.redis),
            _ => {}
        }
    }

    /// A server may repeat what it was told.
    fn shown(&self, text: String) -> String {
        match &self.redis.password {
            Some(password) => text.replace(password.expose(), "…"),
            None => text,
        }
    }
}

/// What a server said.
pub(super) fn said(error: &RedisError) -> String {
    match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("{code} {}", detail.trim_end_matches('.')),
        _ => error.to_string(),
    }
}
