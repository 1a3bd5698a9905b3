//! WebSocket clients, as their plugin reaches them: by id, and only its own.

use crate::sockets::{Client, Clients, Gate, ListenerPool, encode};
use bytes::Bytes;
use plugin_host::ports::{Attached, CloseReason, Connections, Frame, Live};
use std::sync::Arc;
use telepulse_language::{Filter, Principal};

pub(super) struct ConnectionsPort {
    clients: Arc<Clients>,
    gate: Arc<Gate>,
}

impl ConnectionsPort {
    pub(super) fn new(pool: &ListenerPool) -> Self {
        Self { clients: Arc::clone(pool.clients()), gate: Arc::clone(pool.gate()) }
    }

    fn client(&self, plugin: &str, conn: u64) -> Result<Arc<Client>, String> {
        self.clients.get(plugin, conn).ok_or_else(|| format!("there is no connection {conn}"))
    }
}

impl Connections for ConnectionsPort {
    fn login(&self, plugin: &str, conn: u64, token: &str) -> Result<Arc<Principal>, String> {
        let client = self.client(plugin, conn)?;
        let principal =
            self.gate.bearer(client.peer(), token).map_err(|refused| refused.to_string())?;
        self.clients.set_principal(&client, &principal);
        Ok(principal)
    }

    fn principal(&self, plugin: &str, conn: u64) -> Option<Arc<Principal>> {
        self.clients.get(plugin, conn)?.principal()
    }

    fn attach(
        &self,
        plugin: &str,
        conn: u64,
        feed: u64,
        filter: Filter,
        since: Option<(String, u64)>,
    ) -> Result<Attached, String> {
        self.client(plugin, conn)?;
        self.clients.hub().attach(conn, feed, filter, since).map_err(|error| error.to_string())
    }

    fn release(&self, plugin: &str, conn: u64, feed: u64, reply: Frame, after: &[(String, u64)]) {
        if self.client(plugin, conn).is_ok() {
            self.clients.hub().release(conn, feed, reply, after);
        }
    }

    fn detach(&self, plugin: &str, conn: u64, feed: u64) {
        if self.client(plugin, conn).is_ok() {
            self.clients.hub().detach(conn, feed);
        }
    }

    fn send(&self, plugin: &str, conns: &[u64], frames: &[Frame]) -> Vec<u64> {
        // Encoded once, shared by all who get them.
        let frames: Vec<Bytes> = frames.iter().map(encode).collect();
        let took =
            |conn: u64| self.clients.get(plugin, conn).is_some_and(|client| client.send(&frames));
        conns.iter().copied().filter(|conn| !took(*conn)).collect()
    }

    fn set_tag(&self, plugin: &str, conn: u64, tag: Bytes) {
        if let Some(client) = self.clients.get(plugin, conn) {
            client.set_tag(tag);
        }
    }

    fn close(&self, plugin: &str, conns: &[u64], reason: CloseReason) {
        for client in conns.iter().filter_map(|conn| self.clients.get(plugin, *conn)) {
            client.close(reason.clone());
        }
    }

    fn live(&self, plugin: &str) -> Vec<Live> {
        let live = |client: &Arc<Client>| Live { tag: client.tag(), info: client.info() };
        self.clients.of(plugin).iter().map(live).collect()
    }
}
