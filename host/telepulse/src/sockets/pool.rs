//! All listeners: bound when a plugin first asks for a path there, given up when the last one left.

use super::{
    Clients, Gate, listener,
    request::Desk,
    routes::{HttpMount, MountError, Routes, WebSocketMount},
};
use crate::tls::Acceptor;
use plugin_host::ports::{CloseReason, Guard};
use std::{
    collections::{HashMap, hash_map::Entry},
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{runtime::Handle, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Where clients connect.
pub struct ListenerPool {
    gate: Arc<Gate>,
    clients: Arc<Clients>,
    listeners: Mutex<HashMap<SocketAddr, Listener>>,
    tls: Option<Acceptor>,
    tasks: TaskTracker,
    stop: CancellationToken,
    next_id: AtomicU64,
    itself: Weak<ListenerPool>,
}

struct Listener {
    /// What it is bound to, where port 0 was asked for.
    bound: SocketAddr,
    routes: Arc<Mutex<Routes>>,
    stop: CancellationToken,
}

impl ListenerPool {
    /// No listener yet. Those to come encrypt with `tls`.
    pub fn new(gate: Arc<Gate>, clients: Arc<Clients>, tls: Option<Acceptor>) -> Arc<Self> {
        Arc::new_cyclic(|itself| Self {
            gate,
            clients,
            tls,
            listeners: Mutex::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            next_id: AtomicU64::new(0),
            itself: itself.clone(),
        })
    }

    /// The address that a listener is bound to; differs from what was asked for by its port, if
    /// that was 0.
    pub fn bound(&self, listen: SocketAddr) -> Option<SocketAddr> {
        self.lock().get(&listen).map(|listener| listener.bound)
    }

    /// The clients of all listeners.
    pub fn clients(&self) -> &Arc<Clients> {
        &self.clients
    }

    /// Who asks whom clients are.
    pub fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// Accepts no more, closes WebSockets (1012), lets requests end, and waits for all that at most
    /// so long.
    pub async fn drain(&self, within: Duration) {
        self.stop.cancel();
        let text = "the server is restarting".to_owned();
        self.clients.close_all(&CloseReason { code: 1012, text });
        self.tasks.close();
        if timeout(within, self.tasks.wait()).await.is_err() {
            tracing::warn!(left = self.tasks.len(), "connections did not end in time");
        }
    }

    pub(crate) fn mount_websocket(
        &self,
        listen: SocketAddr,
        path: &str,
        mount: WebSocketMount,
    ) -> Result<Guard, String> {
        let plugin = Arc::clone(&mount.plugin);
        let mut mounted =
            self.mount(listen, |routes, id| routes.mount_websocket(id, path, mount))?;
        mounted.websocket = Some((plugin, super::routes::trimmed(path).to_owned()));
        Ok(Box::new(mounted))
    }

    pub(crate) fn mount_http(
        &self,
        listen: SocketAddr,
        path: &str,
        mount: HttpMount,
    ) -> Result<Guard, String> {
        let mounted = self.mount(listen, |routes, id| routes.mount_http(id, path, mount))?;
        Ok(Box::new(mounted))
    }

    /// Tells whoever asks below a path that this plugin is not there yet.
    pub(crate) fn announce(
        &self,
        listen: SocketAddr,
        path: &str,
        plugin: Arc<str>,
    ) -> Result<Guard, String> {
        let mounted = self.mount(listen, |routes, id| routes.announce(id, path, plugin))?;
        Ok(Box::new(mounted))
    }

    fn mount(
        &self,
        listen: SocketAddr,
        put: impl FnOnce(&mut Routes, u64) -> Result<(), MountError>,
    ) -> Result<Mounted, String> {
        let mut listeners = self.lock();
        let listener = match listeners.entry(listen) {
            Entry::Occupied(bound) => bound.into_mut(),
            Entry::Vacant(free) => free.insert(self.open(listen).map_err(|error| {
                format!("cannot listen on {listen}: {error}; is another program there?")
            })?),
        };
        let id = self.next_id.fetch_add(1, Relaxed);
        let put = put(&mut lock(&listener.routes), id);
        if let Err(error) = put {
            remove_if_empty(&mut listeners, listen);
            return Err(format!("on {listen}, {error}"));
        }
        let (pool, home) = (self.itself.clone(), Handle::current());
        Ok(Mounted { pool, home, listen, id, websocket: None })
    }

    fn open(&self, listen: SocketAddr) -> std::io::Result<Listener> {
        let socket = listener::bind(listen)?;
        let bound = socket.local_addr()?;
        let routes = Arc::<Mutex<Routes>>::default();
        let stop = self.stop.child_token();
        let desk = Desk {
            listen,
            routes: Arc::clone(&routes),
            gate: Arc::clone(&self.gate),
            clients: Arc::clone(&self.clients),
            tasks: self.tasks.clone(),
            tls: self.tls.clone(),
        };
        let settings = self.clients.settings().clone();
        self.tasks.spawn(listener::accept(socket, desk, settings.clone(), stop.clone()));
        tracing::info!(%bound, encrypted = self.tls.is_some(), "listening");
        if self.tls.is_none() && !bound.ip().is_loopback() && settings.proxies.is_empty() {
            tracing::warn!(
                %bound,
                "tokens and calls go over the network as they are: set [tls], or listen on 127.0.0.1 \
                 behind a proxy that encrypts and is named in [http] trustedProxies"
            );
        }
        Ok(Listener { bound, routes, stop })
    }

    /// A path has been without its plugin for a while: nobody is left alone there.
    fn vacate(&self, listen: SocketAddr, websocket: Option<&(Arc<str>, String)>) {
        let mut listeners = self.lock();
        if let Some((plugin, path)) = websocket {
            let back = listeners.get(&listen).is_some_and(|listener| {
                lock(&listener.routes).websocket(path).is_some_and(|now| now.plugin == *plugin)
            });
            if !back {
                self.clients.close_path(plugin, listen, path);
            }
        }
        remove_if_empty(&mut listeners, listen);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SocketAddr, Listener>> {
        lock(&self.listeners)
    }
}

fn remove_if_empty(listeners: &mut HashMap<SocketAddr, Listener>, listen: SocketAddr) {
    let empty = |listener: &Listener| lock(&listener.routes).is_empty();
    if listeners.get(&listen).is_some_and(empty)
        && let Some(listener) = listeners.remove(&listen)
    {
        listener.stop.cancel();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps a path mounted. Dropped, the path is free at once; its clients and its listener stay a
/// little longer, for the same plugin often comes back with other settings.
struct Mounted {
    pool: Weak<ListenerPool>,
    home: Handle,
    listen: SocketAddr,
    id: u64,
    websocket: Option<(Arc<str>, String)>,
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let Some(pool) = self.pool.upgrade() else { return };
        if let Some(listener) = pool.lock().get(&self.listen) {
            lock(&listener.routes).unmount(self.id);
        }
        let (listen, websocket) = (self.listen, self.websocket.take());
        self.home.spawn(async move {
            tokio::select! {
                () = pool.stop.cancelled() => {}
                () = tokio::time::sleep(pool.clients.settings().vacant_for) => {}
            }
            pool.vacate(listen, websocket.as_ref());
        });
    }
}
