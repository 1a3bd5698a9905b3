//! The composition root: builds every part from the configuration, in order, and takes them down in
//! the opposite order.

use crate::{
    bus::{Bus, LocalBus},
    config::Config,
    core,
    proxy::Registry,
};
use std::{path::PathBuf, sync::Arc};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

/// The file under the store's path that keeps what was changed over the admin API.
const KEPT_SERVERS: &str = "servers.json";

/// A running platform.
pub struct App {
    bus: Arc<LocalBus>,
    registry: Registry,
    stop: CancellationToken,
}

/// Why the platform did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The store's folder cannot be made.
    #[error("[store] path {path}: {error}", path = path.display())]
    Store {
        /// Which folder.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The file of servers added over the admin API cannot be used.
    #[error(transparent)]
    KeptServers(#[from] crate::proxy::KeepError),
    /// Two parts want to serve the same address: a mistake of ours.
    #[error(transparent)]
    Bus(#[from] crate::bus::AlreadyServed),
}

impl App {
    /// Starts everything. Servers that cannot be reached are no error: their state tells.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let folder = config.store.path;
        if let Err(error) = tokio::fs::create_dir_all(&folder).await {
            return Err(StartError::Store { path: folder, error });
        }
        let stop = CancellationToken::new();
        let bus = LocalBus::new(epoch(), config.bus.history);
        let shared: Arc<dyn Bus> = bus.clone();
        let kept = folder.join(KEPT_SERVERS);
        let registry = Registry::start(shared.clone(), config.servers, kept)?;
        core::start(&shared, &registry, &stop)?;
        Ok(Self { bus, registry, stop })
    }

    /// The event bus.
    pub fn bus(&self) -> &Arc<LocalBus> {
        &self.bus
    }

    /// Stops in good order: logs off from every server and takes no more requests.
    pub async fn shutdown(self) {
        self.registry.stop().await;
        self.stop.cancel();
    }
}

/// A new name for the event stream: numbering begins anew with every start.
fn epoch() -> String {
    format!("{:016x}", rand::random::<u64>())
}
