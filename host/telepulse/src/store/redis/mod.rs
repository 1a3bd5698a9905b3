//! Values that plugins keep, in a Redis that several hosts may share. How much it keeps (`maxmemory`)
//! and how safely, and when what has a time to live is over, is its own affair: a plugin's grant bounds
//! no room here.

mod commands;
mod line;
#[cfg(test)]
pub(super) mod server;
#[cfg(test)]
mod tests;

use super::{
    change::{NO_NUMBER, TOO_LARGE, check},
    link::{Failed, Fault, Link},
};
use crate::config::Redis;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use line::{Line, Trusted};
use plugin_host::ports::{Kv, KvChange, KvDone, KvKeys};
use redis::{RedisResult, aio::MultiplexedConnection};
use std::sync::Arc;

/// The values of all plugins. A plugin's `KEY` is `telepulse:PLUGIN:KEY` in Redis: others who use that
/// Redis rely on it.
pub(crate) struct RedisKv {
    link: Arc<Link<Trusted>>,
}

impl RedisKv {
    /// Connects in the background: a Redis that is away is no reason not to start.
    pub(crate) fn start(redis: Redis) -> Self {
        let kv = Self::of(Trusted { redis, authorities: None });
        let link = Arc::clone(&kv.link);
        tokio::spawn(async move { link.greet().await });
        kv
    }

    fn of(server: Trusted) -> Self {
        Self { link: Arc::new(Link::new(server)) }
    }
}

impl Kv for RedisKv {
    fn get(&self, plugin: &str, key: String) -> BoxFuture<'static, Result<Option<Bytes>, String>> {
        let (link, key) = (Arc::clone(&self.link), full(plugin, &key));
        Box::pin(async move {
            let read = link.run(|line| on(line, |redis| commands::get(redis, key))).await;
            read.map_err(Failed::of_read)
        })
    }

    /// The room of the grant is not looked at: Redis has a bound of its own.
    fn change(
        &self,
        plugin: &str,
        _: u64,
        change: KvChange,
    ) -> BoxFuture<'static, Result<KvDone, String>> {
        let (link, space) = (Arc::clone(&self.link), full(plugin, ""));
        Box::pin(async move {
            check(&change)?;
            let done =
                link.run(|line| on(line, |redis| commands::change(redis, space, change))).await;
            done.map_err(Failed::of_change)?
        })
    }

    fn keys(&self, plugin: &str, keys: KvKeys) -> BoxFuture<'static, Result<Vec<String>, String>> {
        let (link, space) = (Arc::clone(&self.link), full(plugin, ""));
        Box::pin(async move {
            let read = link.run(|line| on(line, |redis| commands::keys(redis, space, keys))).await;
            read.map_err(Failed::of_read)
        })
    }
}

/// Carries commands out on a connection.
async fn on<T, F>(
    line: Arc<Line>,
    work: impl FnOnce(MultiplexedConnection) -> F,
) -> Result<T, Fault>
where
    F: Future<Output = RedisResult<T>>,
{
    work(line.connection()).await.map_err(|error| line::fault(&error))
}

/// What a plugin's key is called in Redis. No plugin's name has a colon.
fn full(plugin: &str, key: &str) -> String {
    format!("telepulse:{plugin}:{key}")
}
