//! Plugins' values, wherever the configuration has them.

use super::{StoreError, kv::KvStore, redis::RedisKv};
use crate::config::Redis;
use plugin_host::ports::Kv;
use std::{path::Path, sync::Arc};

/// The values of all plugins.
pub(crate) enum Values {
    /// In a file of ours.
    Embedded(Arc<KvStore>),
    /// In a Redis.
    Redis(Arc<RedisKv>),
}

impl Values {
    /// Opens the file, unless they are in a Redis: what is in the file stays there then, unused.
    pub(crate) fn start(redis: Option<Redis>, file: &Path) -> Result<Self, StoreError> {
        match redis {
            Some(redis) => Ok(Self::Redis(Arc::new(RedisKv::start(redis)))),
            None => Ok(Self::Embedded(Arc::new(KvStore::start(file)?))),
        }
    }

    /// As plugins use them.
    pub(crate) fn kv(&self) -> Arc<dyn Kv> {
        match self {
            Self::Embedded(kv) => kv.clone(),
            Self::Redis(kv) => kv.clone(),
        }
    }

    /// Writes what was asked for, and no more.
    pub(crate) async fn stop(&self) {
        match self {
            Self::Embedded(kv) => kv.stop().await,
            // What was answered is there.
            Self::Redis(_) => {}
        }
    }
}
