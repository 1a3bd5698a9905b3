//! The records in JetStream's key-value store: written only after the revision that was seen last, and read
//! by everybody as they change.

use super::{
    NodeRecord, Outcome,
    bucket::{Bucket, since},
};
use crate::{config::Nats, nats::key};
use async_nats::jetstream::{
    Context,
    kv::{self, Operation, Store, UpdateErrorKind, Watch},
};
use bytes::Bytes;
use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Both kinds of records.
#[derive(Clone, Debug)]
pub(super) struct Records {
    jetstream: Context,
    settings: Nats,
    nodes: Store,
    servers: Store,
}

/// So many bits of a term are the record's revision.
const REVISIONS: u32 = 29;
/// The others are when the records were begun with, in units of so many milliseconds.
const SINCE: i128 = 125;

/// A server's record.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Owned {
    /// The incarnation that has it.
    owner: Option<String>,
}

/// What is there, or has become of it.
#[derive(Debug)]
pub(super) enum Seen {
    Node { id: String, record: NodeRecord, revision: u64 },
    Server { id: String, owner: Option<String>, revision: u64 },
}

/// What is there, and then each change.
pub(super) struct Changes {
    nodes: Watch,
    servers: Watch,
}

impl Records {
    /// Finds the records, or begins with them.
    pub(super) async fn open(jetstream: &Context, settings: &Nats) -> Result<Self, String> {
        let nodes = Bucket::Nodes.open(jetstream, settings).await?;
        let servers = Bucket::Owners.open(jetstream, settings).await?;
        // Its own readers look for it again and again: it gets its replicas here.
        Bucket::Shared.open(jetstream, settings).await?;
        Ok(Self { jetstream: jetstream.clone(), settings: settings.clone(), nodes, servers })
    }

    /// Looks whether these are still the records; an error means that others have to be begun with.
    pub(super) async fn look(self) -> Result<(), String> {
        for (bucket, known) in [(Bucket::Nodes, &self.nodes), (Bucket::Owners, &self.servers)] {
            // What does not answer says nothing.
            let Ok(found) = bucket.look(&self.jetstream, &self.settings).await else { continue };
            if since(&found) != since(&known.stream) {
                let lost = "NATS has lost the records of who has which server: they are made anew";
                return Err(lost.to_owned());
            }
        }
        Ok(())
    }

    /// A term that is greater than those before, also than those of records that NATS has lost.
    pub(super) fn term(&self, revision: u64) -> u64 {
        let since = since(&self.servers.stream) / (SINCE * 1_000_000);
        let revision = revision.min((1 << REVISIONS) - 1);
        u64::try_from(since).unwrap_or_default() << REVISIONS | revision
    }

    /// Everything that is there, and then each change.
    pub(super) async fn changes(&self) -> Result<Changes, String> {
        let watch = async |store: &Store| {
            store.watch_with_history(">").await.map_err(|error| error.to_string())
        };
        Ok(Changes { nodes: watch(&self.nodes).await?, servers: watch(&self.servers).await? })
    }

    pub(super) async fn write_node(&self, id: &str, record: &NodeRecord, after: u64) -> Outcome {
        write(&self.nodes, id, record, after).await
    }

    pub(super) async fn write_server(
        &self,
        id: &str,
        owner: Option<String>,
        after: u64,
    ) -> Outcome {
        write(&self.servers, &key::escape(id), &Owned { owner }, after).await
    }

    /// A node's record as it is now; one that is not there any more is that of a node that is gone.
    pub(super) async fn node(&self, id: &str) -> Option<Seen> {
        let found = self.nodes.entry(id).await.ok()?;
        let gone = NodeRecord::gone();
        let (record, revision) = match found {
            Some(entry) if entry.operation == Operation::Put => {
                (read(&entry.value).unwrap_or(gone), entry.revision)
            }
            Some(entry) => (gone, entry.revision),
            None => (gone, u64::MAX),
        };
        Some(Seen::Node { id: id.to_owned(), record, revision })
    }
}

impl Changes {
    /// The next. An error means that they have to be asked for again.
    pub(super) async fn next(&mut self) -> Result<Seen, String> {
        let Self { nodes, servers } = self;
        loop {
            let (entry, is_node) = tokio::select! {
                entry = nodes.next() => (entry, true),
                entry = servers.next() => (entry, false),
            };
            let entry = match entry {
                Some(Ok(entry)) => entry,
                Some(Err(error)) => return Err(error.to_string()),
                None => return Err("the watch has ended".to_owned()),
            };
            if let Some(seen) = seen(&entry, is_node) {
                return Ok(seen);
            }
        }
    }
}

/// What was deleted by hand is as if it said nothing.
fn seen(entry: &kv::Entry, is_node: bool) -> Option<Seen> {
    let is_there = entry.operation == Operation::Put;
    let revision = entry.revision;
    if is_node {
        let record = is_there.then(|| read(&entry.value)).flatten();
        let record = record.unwrap_or_else(NodeRecord::gone);
        return Some(Seen::Node { id: entry.key.clone(), record, revision });
    }
    let Owned { owner } = is_there.then(|| read(&entry.value)).flatten().unwrap_or_default();
    Some(Seen::Server { id: key::unescape(&entry.key)?, owner, revision })
}

async fn write(store: &Store, key: &str, record: &impl Serialize, after: u64) -> Outcome {
    let Ok(json) = serde_json::to_vec(record) else { return Outcome::Unknown };
    match store.update(key, Bytes::from(json), after).await {
        Ok(revision) => Outcome::Written(revision),
        Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => Outcome::Conflict,
        Err(_) => Outcome::Unknown,
    }
}

fn read<T: DeserializeOwned>(json: &[u8]) -> Option<T> {
    serde_json::from_slice(json).ok()
}
