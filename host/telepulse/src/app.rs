//! The composition root: builds every part from the configuration, in order, and takes them down in
//! the opposite order.

mod entrance;
mod joined;
mod reconfigure;

pub use reconfigure::Reconfigured;

use crate::{
    admin,
    audit::Audit,
    bus::Bus,
    cluster::Cluster,
    config::{Config, NodeRole},
    core,
    feeds::Hub,
    history::{History, HistoryError},
    plugins::{Kept, Nodes, PluginFigures, PluginPorts},
    proxy::Registry,
    service::Pulse,
    sockets::{Clients, ListenerPool, Settings},
    store::{StoreError, Values, journal::JournalStore},
    telemetry::Telemetry,
    tls::Acceptor,
};
use arc_swap::ArcSwap;
use entrance::Entrance;
use joined::{Joined, join};
use plugin_host::{CompilerProgram, Options, PluginHost};
use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use thiserror::Error;
use tokio::{
    net::TcpListener,
    runtime::Handle,
    sync::{Mutex, mpsc},
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

/// The file under the store's path that keeps what was changed over the admin API.
pub(crate) const KEPT_SERVERS: &str = "servers.json";
/// The file under the store's path that keeps ended calls.
const CALLS: &str = "calls.redb";
/// The file under the store's path that keeps plugins' values.
const VALUES: &str = "plugin-values.redb";
/// The file under the store's path that keeps messages which plugins have not done.
const MESSAGES: &str = "plugin-messages.redb";
/// The folder under the store's path for compiled plugins.
const COMPILED: &str = "compiled";
/// How long handing the servers over to other nodes may take when we stop.
const HAND_OVER: Duration = Duration::from_secs(3);
/// How long connections may take to end when we stop.
const DRAIN: Duration = Duration::from_secs(5);

/// A running platform.
pub struct App {
    /// The configuration in force.
    config: Mutex<Config>,
    pace: Arc<ArcSwap<core::Pace>>,
    entrance: Entrance,
    bus: Arc<dyn Bus>,
    cluster: Cluster,
    registry: Registry,
    history: History,
    hub: Arc<Hub>,
    listeners: Arc<ListenerPool>,
    plugins: PluginHost,
    values: Values,
    messages: Arc<JournalStore>,
    audit: Audit,
    telemetry: Telemetry,
    admin: SocketAddr,
    /// Orders of the admin API to read the configuration again.
    orders: Mutex<mpsc::Receiver<admin::Order>>,
    /// Ends what serves requests, when nobody is left to ask.
    stop: CancellationToken,
    /// Ends the plugins.
    stop_plugins: CancellationToken,
    /// Tells `/readyz` that nobody should come any more.
    stopping: CancellationToken,
    tasks: TaskTracker,
    /// Dropped without a shutdown it leaves no thread behind that keeps the runtime.
    _stop: DropGuard,
}

/// Why the platform did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The store's folder cannot be made, or a file in it.
    #[error("[store] path {path}: {error}", path = path.display())]
    Store {
        /// Which folder.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The admin API's address cannot be listened on.
    #[error("[admin] listen {listen}: {error}; stop what listens there, or name another port")]
    Admin {
        /// Which address.
        listen: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// The admin API's listener cannot be used twice: out of descriptors.
    #[error("[admin] listen: {0}")]
    Waiting(#[source] io::Error),
    /// The certificate of our listeners cannot be used.
    #[error("[tls] {0}")]
    Tls(String),
    /// The file of servers added over the admin API cannot be used.
    #[error(transparent)]
    KeptServers(#[from] crate::proxy::KeepError),
    /// The history of calls cannot be used.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// Plugins' values or messages cannot be kept.
    #[error(transparent)]
    Kept(#[from] StoreError),
    /// The plugins' runtime cannot be had.
    #[error(transparent)]
    Plugins(#[from] plugin_host::StartError),
    /// The figures of plugins: a mistake of ours.
    #[error("figures of plugins: {0}")]
    Figures(#[from] metrics_exporter_prometheus::BuildError),
    /// Two parts want to serve the same address: a mistake of ours.
    #[error(transparent)]
    Bus(#[from] crate::bus::AlreadyServed),
}

impl App {
    /// Starts everything. Servers that cannot be reached and plugins that cannot run are no error:
    /// their state tells.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        // It is large, and whoever waits for it would be as well.
        Box::pin(Self::start_with(config, None)).await
    }

    /// The same; plugins are compiled by `compiler`, in a process of its own. Without, this process
    /// does it, and a hostile component can bring it down.
    pub async fn start_with(
        config: Config,
        compiler: Option<CompilerProgram>,
    ) -> Result<Self, StartError> {
        let in_force = Mutex::new(config.clone());
        let folder = made(config.store.path).await?;
        let (listen, is_encrypted) = (config.admin.listen, config.admin.tls);
        let listener =
            TcpListener::bind(listen).await.map_err(|error| StartError::Admin { listen, error })?;
        let admin = listener.local_addr().unwrap_or(listen);

        let (stop, stop_plugins) = (CancellationToken::new(), CancellationToken::new());
        let tasks = TaskTracker::new();
        let tls = config.tls.map(Acceptor::load).transpose().map_err(StartError::Tls)?;
        let admin_tls = tls.clone().filter(|_| is_encrypted);
        let waiting = (&listener, admin_tls.clone());
        let Joined { bus: shared, cluster } =
            Box::pin(join(&config.bus, &config.node, waiting)).await?;
        let history = History::start(&shared, &folder.join(CALLS), config.store.calls)?;
        let kept_servers = folder.join(KEPT_SERVERS);
        let registry =
            Registry::start(shared.clone(), cluster.clone(), config.servers, kept_servers).await?;
        let (policies, served) = (core::Policies::default(), core::Served::default());
        let audit = audit(&folder)?;
        let pace = Arc::new(ArcSwap::from_pointee(core::Pace::new(config.commands)));
        let telemetry = Telemetry::start_or_none(config.telemetry, &config.node.name);
        let desk = core::Desk {
            registry: registry.clone(),
            policies: policies.clone(),
            served: served.clone(),
            pace: pace.clone(),
            audit: audit.clone(),
            tracer: telemetry.tracer().clone(),
        };
        core::start(&shared, &desk, &history, &stop, config.node.has(NodeRole::Core))?;
        registry.answer_nodes(telemetry.tracer(), &stop);

        let hub = Hub::new(shared.clone());
        tasks.spawn_blocking(running(hub.clone(), stop.clone()));
        let values = Values::start(config.store.values, &folder.join(VALUES))?;
        let identity = (config.jwt, &config.roles[..]);
        let entrance = Entrance::open(&config.users, identity, values.kv(), &audit).await;
        if let Some(tls) = &tls {
            tasks.spawn(tls.clone().watch(stop.clone()));
        }
        let (proxies, tracer) = (config.http.trusted_proxies, telemetry.tracer().clone());
        let settings = Settings { proxies, tracer, ..Settings::default() };
        let clients = Clients::new(hub.clone(), settings);
        let listeners = ListenerPool::new(entrance.gate.clone(), clients, tls.clone());
        entrance.keep(&tasks, &listeners, &stop);
        let messages = Arc::new(JournalStore::start(&folder.join(MESSAGES))?);
        let figures = Arc::new(PluginFigures::new()?);
        let kept = Kept {
            kv: values.kv(),
            journal: messages.clone(),
            policies: Arc::new(policies),
            commands: Arc::new(served),
            figures: figures.clone(),
            placement: Arc::new(Nodes::new(config.node.roles, cluster.clone())),
        };
        let ports = PluginPorts::new(shared.clone(), listeners.clone(), kept).ports();
        let options = Options::new(config.plugins.dir, folder.join(COMPILED), ports);
        let options = Options { compiler, ..options };
        let plugins = Box::pin(PluginHost::start(options, stop_plugins.clone())).await?;

        let (reload, orders) = mpsc::channel(1);
        let stopping = CancellationToken::new();
        let router = admin::router(admin::Api {
            bus: shared.clone(),
            cluster: cluster.clone(),
            plugins: plugins.clone(),
            figures,
            clients: counting(&listeners),
            gate: entrance.gate.clone(),
            revocations: entrance.revocations.clone(),
            reload,
            settings: Arc::new(config.admin),
            failed: entrance.failed.clone(),
            stopping: stopping.clone(),
        });
        tasks.spawn(admin::serve(listener, router, admin_tls, stop.clone()));
        tasks.close();
        Ok(Self {
            config: in_force,
            pace,
            entrance,
            bus: shared,
            cluster,
            registry,
            history,
            hub,
            listeners,
            plugins,
            values,
            messages,
            audit,
            telemetry,
            admin,
            orders: Mutex::new(orders),
            _stop: stop.clone().drop_guard(),
            stop,
            stop_plugins,
            stopping,
            tasks,
        })
    }

    /// The event bus.
    pub fn bus(&self) -> &Arc<dyn Bus> {
        &self.bus
    }

    /// The plugins.
    pub fn plugins(&self) -> &PluginHost {
        &self.plugins
    }

    /// What shows whether the loops that everything hangs on go round.
    pub(crate) fn pulse(&self) -> Pulse {
        Pulse::new(self.bus.clone(), self.hub.clone())
    }

    /// Where the admin API listens.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// Stops in good order: no new clients and the old ones sent away, then the plugins, then a
    /// good-bye to every Asterisk server; what ended is on disk.
    pub async fn shutdown(self) {
        self.stopping.cancel();
        // Another node has the servers, and plugins that one node alone runs, before clients look for it.
        self.cluster.leave(HAND_OVER).await;
        self.listeners.drain(DRAIN).await;
        self.stop_plugins.cancel();
        self.plugins.stopped().await;
        self.values.stop().await;
        self.messages.stop().await;
        self.registry.stop().await;
        self.history.stop().await;
        self.audit.stop().await;
        self.telemetry.stop().await;
        self.bus.stop().await;
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

fn audit(folder: &Path) -> Result<Audit, StartError> {
    Audit::start(folder)
        .map_err(|error| StartError::Store { path: folder.join(crate::audit::FILE), error })
}

/// How many clients are connected.
fn counting(listeners: &ListenerPool) -> Arc<dyn Fn() -> usize + Send + Sync> {
    let clients = Arc::clone(listeners.clients());
    Arc::new(move || clients.count())
}

/// A folder that is there from now on.
async fn made(path: PathBuf) -> Result<PathBuf, StartError> {
    match tokio::fs::create_dir_all(&path).await {
        Ok(()) => Ok(path),
        Err(error) => Err(StartError::Store { path, error }),
    }
}

/// The hub's work, for a thread of its own.
fn running(hub: Arc<Hub>, stop: CancellationToken) -> impl FnOnce() + Send + 'static {
    let runtime = Handle::current();
    move || runtime.block_on(hub.run(stop))
}

/// A new name for the event stream: numbering begins anew with every start.
fn epoch() -> String {
    format!("{:016x}", rand::random::<u64>())
}
