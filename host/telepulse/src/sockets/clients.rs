//! All WebSocket clients: whose they are, who they are, and what can be done to them by id.

use super::{Settings, outbox::Outbox, upgrade::NOT_LOGGED_IN};
use crate::feeds::Hub;
use bytes::Bytes;
use plugin_host::ports::{CloseReason, OpenInfo};
use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use telepulse_language::Principal;

/// The largest tag, in bytes.
const TAG: usize = 4096;

/// A client of one plugin.
pub struct Client {
    id: u64,
    plugin: Arc<str>,
    listen: SocketAddr,
    peer: IpAddr,
    info: OpenInfo,
    outbox: Arc<Outbox>,
    changing: Mutex<Changing>,
}

struct Changing {
    principal: Option<Arc<Principal>>,
    tag: Bytes,
}

/// The clients that are connected now.
pub struct Clients {
    hub: Arc<Hub>,
    settings: Settings,
    open: Mutex<HashMap<u64, Arc<Client>>>,
    /// Ids are never used twice.
    next_id: AtomicU64,
}

/// Where a client came in.
pub(super) struct Entrance {
    pub(super) plugin: Arc<str>,
    pub(super) listen: SocketAddr,
    pub(super) peer: SocketAddr,
}

impl Client {
    /// The host's id for it.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The address that it connected from.
    pub fn peer(&self) -> IpAddr {
        self.peer
    }

    /// As at its opening, with the principal of now.
    pub fn info(&self) -> OpenInfo {
        OpenInfo { principal: self.principal(), ..self.info.clone() }
    }

    /// Who it is, if it has logged in.
    pub fn principal(&self) -> Option<Arc<Principal>> {
        self.lock().principal.clone()
    }

    /// What the plugin left with it.
    pub fn tag(&self) -> Bytes {
        self.lock().tag.clone()
    }

    /// Remembers bytes for the plugin's next instance; more than 4 KiB are not kept.
    pub fn set_tag(&self, tag: Bytes) {
        if tag.len() <= TAG {
            self.lock().tag = tag;
        }
    }

    /// Queues frames, all or none; `false` if they do not fit or the client is going.
    pub(crate) fn send(&self, frames: &[Bytes]) -> bool {
        self.outbox.send(frames)
    }

    /// Closes after what is queued.
    pub fn close(&self, reason: CloseReason) {
        self.outbox.close(reason);
    }

    pub(super) fn outbox(&self) -> &Arc<Outbox> {
        &self.outbox
    }

    fn lock(&self) -> MutexGuard<'_, Changing> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clients {
    /// Nobody yet.
    pub fn new(hub: Arc<Hub>, settings: Settings) -> Arc<Self> {
        let next_id = AtomicU64::new(1);
        Arc::new(Self { hub, settings, open: Mutex::default(), next_id })
    }

    /// The hub that feeds them.
    pub fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// One client of a plugin; no plugin reaches another's.
    pub fn get(&self, plugin: &str, id: u64) -> Option<Arc<Client>> {
        self.lock().get(&id).filter(|client| *client.plugin == *plugin).cloned()
    }

    /// A plugin's clients, the oldest first.
    pub fn of(&self, plugin: &str) -> Vec<Arc<Client>> {
        let mut clients = self.select(|client| *client.plugin == *plugin);
        clients.sort_by_key(|client| client.id);
        clients
    }

    /// A client has logged in: from now on it is somebody, and sees what that one may see.
    pub fn set_principal(&self, client: &Client, principal: &Arc<Principal>) {
        client.lock().principal = Some(Arc::clone(principal));
        self.hub.set_principal(client.id, principal);
    }

    /// Closes everybody, after what is queued for them.
    pub fn close_all(&self, reason: &CloseReason) {
        for client in self.select(|_| true) {
            client.close(reason.clone());
        }
    }

    /// Closes the clients whose principal is wanted no more.
    pub(crate) fn send_away(&self, unwanted: impl Fn(&Arc<Principal>) -> bool) {
        let unwanted = |client: &Client| client.principal().is_some_and(|who| unwanted(&who));
        for client in self.select(unwanted) {
            let text = "your rights have changed: log in again".to_owned();
            client.close(CloseReason { code: NOT_LOGGED_IN, text });
        }
    }

    /// Closes the clients of a path that its plugin has left.
    pub(super) fn close_path(&self, plugin: &str, listen: SocketAddr, path: &str) {
        let there = |client: &Client| {
            *client.plugin == *plugin && client.listen == listen && client.info.path == path
        };
        for client in self.select(there) {
            let text = format!("{plugin} is not there; try again later");
            client.close(CloseReason { code: 1012, text });
        }
    }

    /// How many are connected.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// Takes a new client in. `info` gets its id.
    pub(super) fn admit(&self, entrance: Entrance, mut info: OpenInfo) -> Arc<Client> {
        let id = self.next_id.fetch_add(1, Relaxed);
        info.conn = id;
        let outbox = Arc::new(Outbox::new(self.settings.outbox));
        let principal = info.principal.take();
        self.hub.open(id, Arc::clone(&outbox) as Arc<_>, principal.clone());
        let client = Arc::new(Client {
            id,
            plugin: entrance.plugin,
            listen: entrance.listen,
            peer: entrance.peer.ip(),
            info,
            outbox,
            changing: Mutex::new(Changing { principal, tag: Bytes::new() }),
        });
        self.lock().insert(id, Arc::clone(&client));
        client
    }

    /// Nothing reaches the client any more.
    pub(super) fn forget(&self, client: &Client) {
        self.lock().remove(&client.id);
        self.hub.close(client.id);
    }

    fn select(&self, wanted: impl Fn(&Client) -> bool) -> Vec<Arc<Client>> {
        self.lock().values().filter(|client| wanted(client)).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Client>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
