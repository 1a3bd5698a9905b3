//! Logins that are taken back before their time: kept in the store, in force on every node that has the same
//! store, and on connections that are open.
//!
//! All of them are one value there, so that looking for news costs one read, and a change is a swap of that
//! value. While the store is away what is known stays in force, and is told to be old.

mod revoked;
#[cfg(test)]
pub(crate) mod tests;

pub(super) use revoked::{Marks, Revoked};
pub use revoked::{Revocation, Target};

use crate::{
    audit::{Audit, Entry},
    clock,
};
use arc_swap::{ArcSwap, Guard};
use bytes::Bytes;
use parking_lot::Mutex;
use plugin_host::ports::{Kv, KvChange};
use serde_json::{Map, Value, json};
use std::{sync::Arc, time::Duration};
use telepulse_language::Timestamp;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// Where in the store; no plugin is called so.
const SPACE: &str = "_host";
/// And under which key.
const KEY: &str = "revocations";
/// What they may take there, in bytes: every node reads them every second.
const LARGEST: usize = 256 << 10;
/// How often it is looked whether others have changed them.
const LOOK: Duration = Duration::from_secs(1);
/// What was read longer ago is old.
const FRESH: Duration = Duration::from_secs(5);
/// How long what is over stays in the store, in milliseconds: clocks of other nodes may be behind ours.
const KEPT_MS: u64 = 86_400_000;
/// How often a change is tried while others are faster.
const ATTEMPTS: usize = 16;

/// Why they cannot be changed or read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RevocationError {
    /// The store does not have it so.
    #[error("{0}")]
    Store(String),
    /// What is in the store is nothing of ours.
    #[error(
        "what the store has under {SPACE}/{KEY} cannot be read ({0}): a newer TelePulse may have written it"
    )]
    Unreadable(String),
    /// There are too many.
    #[error("there are too many revocations: remove some, and say of new ones when they expire")]
    Full,
    /// Others change them all the time.
    #[error("others change the revocations all the time: try again")]
    Busy,
    /// There is none of that name.
    #[error("there is no revocation {0:?}")]
    Unknown(String),
}

/// All revocations, as this node knows them.
pub struct Revocations {
    kv: Arc<dyn Kv>,
    audit: Option<Audit>,
    in_force: InForce,
    reading: Mutex<Reading>,
    /// Who reads or changes them here waits for the one before: what was read earlier is never put in force
    /// after what was read later.
    turn: tokio::sync::Mutex<()>,
}

/// What is in force now, for those who let in.
#[derive(Clone, Default)]
pub(crate) struct InForce(Arc<ArcSwap<Revoked>>);

impl InForce {
    pub(in crate::auth) fn now(&self) -> Guard<Arc<Revoked>> {
        self.0.load()
    }

    pub(in crate::auth) fn set(&self, revoked: Revoked) {
        self.0.store(Arc::new(revoked));
    }
}

/// What was read last.
#[derive(Default)]
struct Reading {
    /// As the store had it; `None`: nothing, or it was never read.
    bytes: Option<Bytes>,
    at: Option<Instant>,
    is_told: bool,
}

impl Revocations {
    /// Knows of none yet.
    pub(crate) fn new(kv: Arc<dyn Kv>, audit: Option<Audit>) -> Arc<Self> {
        let (in_force, reading, turn) = Default::default();
        Arc::new(Self { kv, audit, in_force, reading, turn })
    }

    /// What is in force, now and later.
    pub(crate) fn in_force(&self) -> InForce {
        self.in_force.clone()
    }

    /// The same for people, with whether it was read of late.
    pub(crate) fn list(&self) -> (Vec<Revocation>, bool) {
        (self.in_force.now().list.clone(), self.is_fresh())
    }

    /// How many are in force.
    pub(crate) fn count(&self) -> usize {
        self.in_force.now().list.len()
    }

    /// Whether what is known was read of late.
    pub(crate) fn is_fresh(&self) -> bool {
        self.reading.lock().at.is_some_and(|at| at.elapsed() < FRESH)
    }

    /// Looks for what others have revoked, until stopped.
    pub(crate) async fn follow(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(LOOK) => {}
            }
            self.look().await;
        }
    }

    /// Reads them once. Where they cannot be had those that are known stay in force.
    pub(crate) async fn look(&self) {
        let turn = self.turn.lock().await;
        let outcome = self.refresh(clock::now()).await;
        drop(turn);
        let was_told = std::mem::replace(&mut self.reading.lock().is_told, outcome.is_err());
        match outcome {
            Err(error) if !was_told => {
                tracing::error!("revocations of others are not seen, those known stay: {error}");
            }
            Ok(()) if was_told => tracing::info!("revocations of others are seen again"),
            _ => {}
        }
    }

    /// Revokes. In force here at once.
    pub(crate) async fn add(
        &self,
        target: Target,
        expires: Option<Timestamp>,
    ) -> Result<Revocation, RevocationError> {
        let id = format!("{:016x}", rand::random::<u64>());
        let revocation = Revocation { id, target, created: clock::now(), expires };
        let more = |list: &mut Vec<Revocation>| {
            list.push(revocation.clone());
            Ok(revocation.clone())
        };
        let _turn = self.turn.lock().await;
        let revocation = self.change(clock::now(), more).await?;
        self.note("revoke", &revocation);
        Ok(revocation)
    }

    /// Takes a revocation back.
    pub(crate) async fn remove(&self, id: &str) -> Result<(), RevocationError> {
        let less = |list: &mut Vec<Revocation>| {
            let place = list.iter().position(|revocation| revocation.id == id);
            place.map(|place| list.remove(place)).ok_or(RevocationError::Unknown(id.to_owned()))
        };
        let _turn = self.turn.lock().await;
        let revocation = self.change(clock::now(), less).await?;
        self.note("unrevoke", &revocation);
        Ok(())
    }

    async fn refresh(&self, now: Timestamp) -> Result<(), RevocationError> {
        let bytes = self.read().await?;
        if bytes.is_none() && !self.in_force.now().known.is_empty() {
            // A store that was emptied has lost them; none of us has.
            tracing::warn!("the store has lost the revocations: it gets back what is known here");
            return self.change(now, |_| Ok(())).await;
        }
        let is_known = self.reading.lock().bytes == bytes && !self.in_force.now().is_stale(now);
        if is_known {
            self.reading.lock().at = Some(Instant::now());
        } else {
            self.take_in(parse(bytes.as_ref())?, bytes, now);
        }
        Ok(())
    }

    /// Changes what is in the store, unless others are always faster.
    async fn change<T>(
        &self,
        now: Timestamp,
        change: impl Fn(&mut Vec<Revocation>) -> Result<T, RevocationError>,
    ) -> Result<T, RevocationError> {
        for _ in 0..ATTEMPTS {
            let before = self.read().await?;
            let mut list = match &before {
                Some(_) => parse(before.as_ref())?,
                None => self.in_force.now().known.clone(),
            };
            // One node's clock does not decide for those whose clocks are behind.
            let long_ago = Timestamp(now.0.saturating_sub(KEPT_MS));
            list.retain(|revocation| !revocation.is_over(long_ago));
            let outcome = change(&mut list)?;
            let after = Bytes::from(json!(list).to_string());
            if after.len() > LARGEST {
                return Err(RevocationError::Full);
            }
            if self.swap(before, after.clone()).await? {
                self.take_in(list, Some(after), now);
                return Ok(outcome);
            }
        }
        Err(RevocationError::Busy)
    }

    fn take_in(&self, list: Vec<Revocation>, bytes: Option<Bytes>, now: Timestamp) {
        let mut reading = self.reading.lock();
        self.in_force.set(Revoked::new(list, now));
        (reading.bytes, reading.at) = (bytes, Some(Instant::now()));
    }

    async fn read(&self) -> Result<Option<Bytes>, RevocationError> {
        self.kv.get(SPACE, KEY.to_owned()).await.map_err(RevocationError::Store)
    }

    async fn swap(&self, expected: Option<Bytes>, value: Bytes) -> Result<bool, RevocationError> {
        let swap = KvChange::CompareAndSwap { key: KEY.to_owned(), expected, value, ttl: None };
        let done = self.kv.change(SPACE, u64::MAX, swap).await;
        done.map(|done| done.is_done).map_err(RevocationError::Store)
    }

    fn note(&self, action: &str, revocation: &Revocation) {
        let Some(audit) = &self.audit else { return };
        let about = match json!(revocation.target) {
            Value::Object(about) => about,
            _ => Map::new(),
        };
        audit.record(Entry {
            time: clock::now(),
            user: None,
            plugin: None,
            peer: None,
            action: action.to_owned(),
            server: None,
            about,
            outcome: json!("done"),
            message: None,
        });
    }
}

fn parse(bytes: Option<&Bytes>) -> Result<Vec<Revocation>, RevocationError> {
    let Some(bytes) = bytes else { return Ok(Vec::new()) };
    serde_json::from_slice(bytes).map_err(|error| RevocationError::Unreadable(error.to_string()))
}
