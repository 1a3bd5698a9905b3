//! The buckets of NATS's key-value store in which nodes keep what they write for each other.

use crate::{config::Nats, nats};
use async_nats::jetstream::{
    Context,
    kv::Store,
    stream::{Config, Stream},
};
use std::time::Duration;

/// A node that said nothing for so long is forgotten: by then its servers have long been another's.
const FORGET: Duration = Duration::from_hours(24);

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bucket {
    /// Which nodes there are.
    Nodes,
    /// Who has which server.
    Owners,
    /// Values that all nodes share.
    Shared,
}

impl Bucket {
    /// What it is called: no dot may be in it.
    pub(super) fn name(self, prefix: Option<&str>) -> String {
        format!("{}_{}", nats::name(prefix), self.what())
    }

    /// Finds it, or begins with it, and gives it our replicas: rather with others than not at all.
    pub(super) async fn open(self, jetstream: &Context, settings: &Nats) -> Result<Store, String> {
        let (stream, wanted) = (self.look(jetstream, settings).await?, self.wanted(settings));
        if let Err(why) = nats::bucket::replicate(jetstream, &stream, &wanted).await {
            let name = self.name(settings.prefix.as_deref());
            let replicas = wanted.num_replicas;
            tracing::warn!("the key-value store {name} does not get {replicas} replicas: {why}");
        }
        self.store(jetstream, settings).await
    }

    /// The same for whoever looks for it again and again: the replicas that it has it keeps.
    pub(super) async fn find(self, jetstream: &Context, settings: &Nats) -> Result<Store, String> {
        self.look(jetstream, settings).await?;
        self.store(jetstream, settings).await
    }

    /// The stream that it is. Where it has gone it is begun with anew.
    pub(super) async fn look(self, jetstream: &Context, settings: &Nats) -> Result<Stream, String> {
        let found = nats::bucket::find(jetstream, &self.wanted(settings)).await;
        found.map_err(|why| self.told(settings, &why))
    }

    async fn store(self, jetstream: &Context, settings: &Nats) -> Result<Store, String> {
        let store = jetstream.get_key_value(self.name(settings.prefix.as_deref())).await;
        store.map_err(|error| self.told(settings, &error))
    }

    fn told(self, settings: &Nats, why: &dyn std::fmt::Display) -> String {
        format!("the key-value store {}: {why}", self.name(settings.prefix.as_deref()))
    }

    fn what(self) -> &'static str {
        match self {
            Self::Nodes => "nodes",
            Self::Owners => "owners",
            Self::Shared => "shared",
        }
    }

    fn wanted(self, settings: &Nats) -> Config {
        Config {
            description: Some(format!("TelePulse: {}", self.what())),
            max_age: if let Self::Nodes = self { FORGET } else { Duration::ZERO },
            deny_delete: true,
            allow_direct: true,
            ..nats::bucket::config(settings, &self.name(settings.prefix.as_deref()))
        }
    }
}

/// When a bucket was made, in nanoseconds since 1970: nothing else tells it from the next of its name.
pub(super) fn since(stream: &Stream) -> i128 {
    stream.cached_info().created.unix_timestamp_nanos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_no_dots() {
        assert_eq!(Bucket::Nodes.name(None), "TELEPULSE_nodes");
        assert_eq!(Bucket::Owners.name(Some("acme.eu")), "TELEPULSE_acme_eu_owners");
    }
}
