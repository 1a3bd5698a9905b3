//! One value that all nodes share, in JetStream's key-value store: changed by whoever names the revision that
//! was read last.

use super::{
    Outcome,
    bucket::{Bucket, since},
};
use crate::config::Nats;
use async_nats::jetstream::{
    Context,
    kv::{Entry, Operation, Store, UpdateErrorKind},
};
use bytes::Bytes;
use futures_util::StreamExt as _;
use std::time::Duration;
use tokio::{
    sync::mpsc,
    time::{Instant, interval_at, sleep},
};

/// How long to wait before NATS is asked again.
const PAUSE: Duration = Duration::from_millis(500);
/// How often it is looked whether the value is still where it is read.
const LOOK: Duration = Duration::from_secs(2);

/// The value, wherever it is by now.
#[derive(Clone, Debug)]
pub(crate) struct SharedValue {
    jetstream: Context,
    settings: Nats,
    key: &'static str,
}

/// The value as of a revision; 0 and nothing where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Version {
    /// When the store was made that it is from, in nanoseconds since 1970.
    pub(crate) since: i128,
    pub(crate) revision: u64,
    pub(crate) bytes: Bytes,
}

impl SharedValue {
    pub(super) fn new(jetstream: Context, settings: Nats, key: &'static str) -> Self {
        Self { jetstream, settings, key }
    }

    /// What it is called, for people.
    pub(crate) fn name(&self) -> String {
        format!("{}.{}", Bucket::Shared.name(self.settings.prefix.as_deref()), self.key)
    }

    /// Looked for each time: NATS may have lost it, and begins with it anew.
    async fn store(&self) -> Result<Store, String> {
        Bucket::Shared.find(&self.jetstream, &self.settings).await
    }

    /// The value as it is now.
    pub(crate) async fn read(&self) -> Result<Version, String> {
        let store = self.store().await?;
        let since = since(&store.stream);
        let entry = store.entry(self.key).await.map_err(|error| error.to_string())?;
        let nothing = Version { since, ..Version::default() };
        Ok(entry.map_or(nothing, |entry| version(since, entry)))
    }

    /// Changes it, if it is still of that revision. An error means that it may have been changed or not.
    pub(crate) async fn write(&self, bytes: Bytes, after: u64) -> Result<Outcome, String> {
        match self.store().await?.update(self.key, bytes, after).await {
            Ok(revision) => Ok(Outcome::Written(revision)),
            Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => {
                Ok(Outcome::Conflict)
            }
            Err(error) => Err(error.to_string()),
        }
    }

    /// Tells each version from now on, the one that is there first, until nobody listens.
    pub(crate) async fn tell(self, versions: mpsc::Sender<Version>) {
        while !versions.is_closed() {
            let told = tokio::select! {
                told = self.tell_while_it_goes(&versions) => told,
                () = versions.closed() => return,
            };
            if let Err(why) = told {
                tracing::debug!("{} is read again: {why}", self.name());
            }
            sleep(PAUSE).await;
        }
    }

    async fn tell_while_it_goes(&self, versions: &mpsc::Sender<Version>) -> Result<(), String> {
        let store = self.store().await?;
        let since = since(&store.stream);
        let watch = store.watch_with_history(self.key).await;
        let mut watch = watch.map_err(|error| error.to_string())?;
        let mut look = interval_at(Instant::now() + LOOK, LOOK);
        loop {
            let version = tokio::select! {
                entry = watch.next() => {
                    let entry = entry.ok_or("the watch has ended")?;
                    version(since, entry.map_err(|error| error.to_string())?)
                }
                // Nobody tells the watch that NATS has lost what it reads.
                _ = look.tick() => match self.read().await? {
                    found if found.since == since => continue,
                    found => return Err(format!("it was made anew, at {}", found.since)),
                },
            };
            if versions.send(version).await.is_err() {
                return Ok(());
            }
        }
    }
}

/// What was deleted by hand is as if there were nothing.
fn version(since: i128, entry: Entry) -> Version {
    let is_there = entry.operation == Operation::Put;
    let bytes = if is_there { entry.value } else { Bytes::new() };
    Version { since, revision: entry.revision, bytes }
}
