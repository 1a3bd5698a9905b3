//! Paths on listeners, as plugins ask for them.

use crate::sockets::{HttpMount, ListenerPool, WebSocketMount};
use futures_util::future::BoxFuture;
use plugin_host::ports::{ConnectionSink, Guard, HttpHandler, Listeners};
use std::{net::SocketAddr, sync::Arc};

pub(super) struct ListenersPort {
    pool: Arc<ListenerPool>,
}

impl ListenersPort {
    pub(super) fn new(pool: Arc<ListenerPool>) -> Self {
        Self { pool }
    }
}

impl Listeners for ListenersPort {
    fn websocket(
        &self,
        plugin: &str,
        listen: SocketAddr,
        path: &str,
        origins: &[String],
        sink: Arc<dyn ConnectionSink>,
    ) -> BoxFuture<'static, Result<Guard, String>> {
        let (pool, path) = (Arc::clone(&self.pool), path.to_owned());
        let mount = WebSocketMount { plugin: plugin.into(), origins: origins.into(), sink };
        Box::pin(async move { pool.mount_websocket(listen, &path, mount) })
    }

    fn http(
        &self,
        plugin: &str,
        listen: SocketAddr,
        path: &str,
        handler: Arc<dyn HttpHandler>,
    ) -> BoxFuture<'static, Result<Guard, String>> {
        let (pool, path) = (Arc::clone(&self.pool), path.to_owned());
        let mount = HttpMount { plugin: plugin.into(), handler };
        Box::pin(async move { pool.mount_http(listen, &path, mount) })
    }

    fn announce(
        &self,
        plugin: &str,
        listen: SocketAddr,
        path: &str,
    ) -> BoxFuture<'static, Result<Guard, String>> {
        let (pool, plugin, path) = (Arc::clone(&self.pool), plugin.into(), path.to_owned());
        Box::pin(async move { pool.announce(listen, &path, plugin) })
    }
}
