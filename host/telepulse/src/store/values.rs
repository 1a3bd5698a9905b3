//! Plugins' values, wherever the configuration has them.

use super::{StoreError, kv::KvStore, nats::NatsKv, redis::RedisKv};
use crate::config::ValuesIn;
use plugin_host::ports::Kv;
use std::{path::Path, sync::Arc};

/// The values of all plugins.
pub(crate) enum Values {
    /// In a file of ours.
    Embedded(Arc<KvStore>),
    /// In a Redis.
    Redis(Arc<RedisKv>),
    /// In the NATS that carries the bus.
    Nats(Arc<NatsKv>),
}

impl Values {
    /// Opens the file, unless they are elsewhere: what is in the file stays there then, unused.
    pub(crate) fn start(place: ValuesIn, file: &Path) -> Result<Self, StoreError> {
        Ok(match place {
            ValuesIn::Folder => Self::Embedded(Arc::new(KvStore::start(file)?)),
            ValuesIn::Redis(redis) => Self::Redis(Arc::new(RedisKv::start(redis))),
            ValuesIn::Nats(nats) => Self::Nats(Arc::new(NatsKv::start(*nats))),
        })
    }

    /// As plugins use them.
    pub(crate) fn kv(&self) -> Arc<dyn Kv> {
        match self {
            Self::Embedded(kv) => kv.clone(),
            Self::Redis(kv) => kv.clone(),
            Self::Nats(kv) => kv.clone(),
        }
    }

    /// Writes what was asked for, and no more.
    pub(crate) async fn stop(&self) {
        match self {
            Self::Embedded(kv) => kv.stop().await,
            // What was answered is there.
            Self::Redis(_) | Self::Nats(_) => {}
        }
    }
}
