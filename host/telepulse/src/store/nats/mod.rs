//! Values that plugins keep, in the key-value store of the NATS that carries the bus. How much it keeps and how
//! safely is its own affair: a plugin's grant bounds no room here. When what has a time to live is over, NATS's
//! clock says.

mod bucket;
mod clock;
mod line;
mod names;
mod operations;
mod sweep;
#[cfg(test)]
mod tests;

use super::{
    change::check,
    link::{Failed, Link},
};
use crate::config::Nats;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use line::Place;
use operations::Turns;
use plugin_host::ports::{Kv, KvChange, KvDone, KvKeys};
use std::sync::Arc;

/// The values of all plugins. A plugin's `KEY` is `PLUGIN.KEY` in the bucket, where `=XX` stands for what NATS
/// takes in no key: others who use that bucket rely on it.
pub(crate) struct NatsKv {
    link: Arc<Link<Place>>,
    turns: Arc<Turns>,
}

impl NatsKv {
    /// Connects in the background: a NATS that is away is no reason not to start.
    pub(crate) fn start(nats: Nats) -> Self {
        let link = Arc::new(Link::new(Place { nats }));
        let greeting = Arc::clone(&link);
        tokio::spawn(async move { greeting.greet().await });
        tokio::spawn(sweep::run(Arc::downgrade(&link)));
        Self { link, turns: Arc::default() }
    }
}

impl Kv for NatsKv {
    fn get(&self, plugin: &str, key: String) -> BoxFuture<'static, Result<Option<Bytes>, String>> {
        let (link, plugin) = (Arc::clone(&self.link), plugin.to_owned());
        Box::pin(async move {
            let read = link.run(|line| operations::get(line, plugin, key)).await;
            read.map_err(Failed::of_read)
        })
    }

    /// The room of the grant is not looked at: NATS has a bound of its own.
    fn change(
        &self,
        plugin: &str,
        _: u64,
        change: KvChange,
    ) -> BoxFuture<'static, Result<KvDone, String>> {
        let (link, turns) = (Arc::clone(&self.link), Arc::clone(&self.turns));
        let plugin = plugin.to_owned();
        Box::pin(async move {
            check(&change)?;
            let done = link.run(|line| operations::change(line, turns, plugin, change)).await;
            done.map_err(Failed::of_change)?
        })
    }

    fn keys(&self, plugin: &str, keys: KvKeys) -> BoxFuture<'static, Result<Vec<String>, String>> {
        let (link, plugin) = (Arc::clone(&self.link), plugin.to_owned());
        Box::pin(async move {
            let read = link.run(|line| operations::keys(line, plugin, keys)).await;
            read.map_err(Failed::of_read)
        })
    }
}
