//! One value that all nodes share, in JetStream's key-value store: changed by whoever names the revision that
//! was read last.

use super::{
    Outcome,
    records::{self, bucket},
};
use crate::config::Nats;
use async_nats::jetstream::{
    Context,
    kv::{Operation, Store, UpdateErrorKind},
};
use bytes::Bytes;
use futures_util::StreamExt as _;
use std::time::Duration;
use tokio::{sync::mpsc, time::sleep};

/// How long to wait before NATS is asked again.
const PAUSE: Duration = Duration::from_millis(500);

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
    pub(crate) revision: u64,
    pub(crate) bytes: Bytes,
}

impl SharedValue {
    pub(super) fn new(jetstream: Context, settings: Nats, key: &'static str) -> Self {
        Self { jetstream, settings, key }
    }

    /// What it is called, for people.
    pub(crate) fn name(&self) -> String {
        format!("{}.{}", records::name(self.settings.prefix.as_deref(), "shared"), self.key)
    }

    /// Looked for each time: NATS may have lost it, and begins with it anew.
    async fn store(&self) -> Result<Store, String> {
        bucket(&self.jetstream, &self.settings, "shared", Duration::ZERO).await
    }

    /// The value as it is now.
    pub(crate) async fn read(&self) -> Result<Version, String> {
        let entry = self.store().await?.entry(self.key).await.map_err(|error| error.to_string())?;
        Ok(entry.map(version).unwrap_or_default())
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
        let watch = self.store().await?.watch_with_history(self.key).await;
        let mut watch = watch.map_err(|error| error.to_string())?;
        while let Some(entry) = watch.next().await {
            let entry = entry.map_err(|error| error.to_string())?;
            if versions.send(version(entry)).await.is_err() {
                return Ok(());
            }
        }
        Err("the watch has ended".to_owned())
    }
}

/// What was deleted by hand is as if there were nothing.
fn version(entry: async_nats::jetstream::kv::Entry) -> Version {
    let is_there = entry.operation == Operation::Put;
    Version { revision: entry.revision, bytes: if is_there { entry.value } else { Bytes::new() } }
}
