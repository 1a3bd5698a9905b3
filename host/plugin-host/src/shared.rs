//! What all plugins of a host share.

use crate::{
    ports::Ports,
    runtime::{Build, Runtime},
    status::Board,
};
use bytes::Bytes;
use std::time::Duration;
use tokio::{runtime::Handle, sync::Semaphore};

/// Built once, by [`crate::PluginHost::start`].
pub(crate) struct Shared {
    pub(crate) runtime: Runtime,
    /// The threads that guests run on.
    pub(crate) guests: Handle,
    /// The runtime that started the host: ports live there.
    pub(crate) home: Handle,
    pub(crate) ports: Ports,
    pub(crate) board: Board,
    /// Computing time for a component's start functions and `init`.
    pub(crate) init_budget: Duration,
    /// How long a new build is watched: if it fails within, the one before comes back.
    pub(crate) probation: Duration,
    /// Compiling uses all cores: one at a time.
    pub(crate) compiling: Semaphore,
}

impl Shared {
    /// Compiles a component on a thread where that may take its time.
    pub(crate) async fn load(&self, wasm: Bytes) -> Result<Build, String> {
        // The semaphore is never closed; without a permit compiling would still be right.
        let _permit = self.compiling.acquire().await.ok();
        let runtime = self.runtime.clone();
        let load = self.guests.spawn_blocking(move || runtime.load(&wasm));
        match load.await {
            Ok(result) => result.map_err(|error| error.to_string()),
            Err(_) => Err("the compiler failed on it".to_owned()),
        }
    }
}
