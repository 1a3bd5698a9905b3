//! What all plugins of a host share.

use crate::{
    archive::{Archive, Past},
    name::PluginName,
    ports::Ports,
    runtime::{Build, Runtime},
    status::{Board, now_ms},
};
use bytes::Bytes;
use std::{io, sync::Arc, time::Duration};
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
    /// Builds that ran.
    pub(crate) archive: Arc<Archive>,
    /// Compiling uses all cores: one at a time.
    pub(crate) compiling: Semaphore,
}

impl Shared {
    /// Keeps a build that may take over. What cannot be kept runs all the same.
    pub(crate) async fn keep(&self, name: &PluginName, hash: &str, wasm: Bytes) {
        let hash = hash.to_owned();
        self.archived(name, move |archive, name| archive.keep(name, &hash, &wasm)).await;
    }

    /// Notes that a build took over.
    pub(crate) async fn took_over(&self, name: &PluginName, hash: &str, toml: &str) {
        let (hash, toml) = (hash.to_owned(), toml.to_owned());
        let past = Past { hash, since_ms: now_ms(), toml };
        self.archived(name, move |archive, name| archive.took_over(name, past)).await;
    }

    async fn archived(
        &self,
        name: &PluginName,
        work: impl FnOnce(&Archive, &PluginName) -> io::Result<()> + Send + 'static,
    ) {
        let (archive, name) = (Arc::clone(&self.archive), name.clone());
        let work = move || {
            if let Err(error) = work(&archive, &name) {
                tracing::warn!(plugin = %name, %error, "the build is not kept: no way back to it");
            }
        };
        // It only fails by a panic, which is logged.
        let _ = self.guests.spawn_blocking(work).await;
    }

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
