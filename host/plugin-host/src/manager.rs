//! The task behind the plugin host's handle: it watches the folder and takes orders.

use crate::{
    folder::{self, Change, Settling},
    host::ControlError,
    name::PluginName,
    shared::Shared,
    status::PluginStatus,
    task::{self, Command, Order},
};
use notify::Watcher;
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// How soon to look again while files are moving.
const SOON: Duration = Duration::from_millis(50);
/// How soon to look again anyway: some folders send no notices.
const NOW_AND_THEN: Duration = Duration::from_secs(2);
/// How long plugins have to drain when the host stops.
const SHUTDOWN: Duration = Duration::from_secs(5);

/// An order with where its answer goes.
pub(crate) struct Ask {
    pub(crate) name: PluginName,
    pub(crate) what: What,
    pub(crate) answer: oneshot::Sender<Result<PluginStatus, ControlError>>,
}

#[derive(Clone, Copy)]
pub(crate) enum What {
    Load,
    Stop,
    Remove,
}

/// Notices are a convenience: the folder is looked at now and then in any case.
pub(crate) fn watch_folder(dir: &Path, moved: &Arc<Notify>) -> Option<notify::RecommendedWatcher> {
    let moved = Arc::clone(moved);
    let start = || {
        let mut watcher = notify::recommended_watcher(move |_| moved.notify_one())?;
        watcher.watch(dir, notify::RecursiveMode::NonRecursive)?;
        Ok(watcher)
    };
    let watcher: notify::Result<_> = start();
    watcher
        .inspect_err(|error| tracing::warn!(dir = %dir.display(), %error, "folder not watched"))
        .ok()
}

/// Owns the plugins' handles.
pub(crate) struct Manager {
    shared: Arc<Shared>,
    dir: PathBuf,
    settling: Settling,
    plugins: BTreeMap<PluginName, mpsc::Sender<Command>>,
}

impl Manager {
    pub(crate) fn new(shared: Arc<Shared>, dir: PathBuf) -> Self {
        Self { shared, dir, settling: Settling::default(), plugins: BTreeMap::new() }
    }

    /// The first look: everything that is there, at once, and waits for it.
    pub(crate) async fn load_all(&mut self) -> io::Result<()> {
        let found = self.scan().await?;
        let names = self.settling.first(&found, Instant::now());
        // Before any gateway takes a command, those who decide on commands are there.
        let decides = |name: &PluginName| folder::mentions(&self.dir, name, "policy");
        let (deciding, others): (Vec<_>, Vec<_>) = names.into_iter().partition(decides);
        for names in [deciding, others] {
            let mut loading = Vec::new();
            for name in names {
                let (done, loaded) = oneshot::channel();
                self.files(&name, Order::Changed, Some(done)).await;
                loading.push(loaded);
            }
            for loaded in loading {
                // An error means that it went away meanwhile.
                let _ = loaded.await;
            }
        }
        Ok(())
    }

    pub(crate) async fn run(
        mut self,
        mut asked: mpsc::Receiver<Ask>,
        moved: &Notify,
        shutdown: CancellationToken,
    ) {
        let mut look_at = Instant::now() + NOW_AND_THEN;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                ask = asked.recv() => match ask {
                    Some(ask) => self.order(ask).await,
                    None => break,
                },
                () = moved.notified() => look_at = look_at.min(Instant::now() + SOON),
                () = tokio::time::sleep_until(look_at.into()) => {
                    self.look().await;
                    let pause = if self.settling.is_restless() { SOON } else { NOW_AND_THEN };
                    look_at = Instant::now() + pause;
                }
            }
        }
        drop(asked);
        self.unload_all().await;
    }

    async fn scan(&self) -> io::Result<BTreeMap<PluginName, folder::Looks>> {
        let dir = self.dir.clone();
        tokio::task::spawn_blocking(move || folder::scan(&dir)).await.map_err(io::Error::other)?
    }

    async fn look(&mut self) {
        let found = match self.scan().await {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(dir = %self.dir.display(), %error, "plugins folder; what runs goes on");
                return;
            }
        };
        for change in self.settling.observe(&found, Instant::now()) {
            match change {
                Change::Settled(name) => self.files(&name, Order::Changed, None).await,
                Change::Gone(name) => {
                    let (done, _) = oneshot::channel();
                    self.unload(&name, done).await;
                }
            }
        }
    }

    /// Reads a plugin's files and hands them to its task, which is started if need be.
    async fn files(&mut self, name: &PluginName, order: Order, done: Option<task::Done>) {
        let (dir, read_name) = (self.dir.clone(), name.clone());
        let source = tokio::task::spawn_blocking(move || folder::read(&dir, &read_name))
            .await
            .unwrap_or_else(|error| Err(error.to_string()));
        let shared = &self.shared;
        let plugin = self.plugins.entry(name.clone()).or_insert_with(|| task::spawn(shared, name));
        // It fails only if the task has died; then `done` is dropped, which says so.
        let _ = plugin.send(Command::Files { source, order, done }).await;
    }

    async fn unload(&mut self, name: &PluginName, done: task::Done) {
        if let Some(plugin) = self.plugins.remove(name) {
            let _ = plugin.send(Command::Unload(done)).await;
        }
    }

    async fn order(&mut self, ask: Ask) {
        let Ask { name, what, answer } = ask;
        let path = self.dir.join(format!("{name}.wasm"));
        let known = self.plugins.contains_key(&name);
        let appears = matches!(what, What::Load) && path.exists();
        if !known && !appears {
            let _ = answer.send(Err(ControlError::Unknown(name.to_string())));
            return;
        }
        let (done, carried_out) = oneshot::channel();
        match what {
            What::Load => self.files(&name, Order::Load, Some(done)).await,
            What::Stop => {
                if let Some(plugin) = self.plugins.get(&name) {
                    let _ = plugin.send(Command::Stop(done)).await;
                }
            }
            What::Remove => {
                if let Err(error) = tokio::fs::remove_file(&path).await
                    && error.kind() != io::ErrorKind::NotFound
                {
                    let _ = answer.send(Err(ControlError::Io { path, error }));
                    return;
                }
                self.unload(&name, done).await;
            }
        }
        // The plugin may take its time: others are served meanwhile.
        tokio::spawn(async move {
            let status = carried_out.await.map_err(|_| ControlError::Stopping);
            let _ = answer.send(status);
        });
    }

    async fn unload_all(mut self) {
        let mut draining = Vec::new();
        for (_, plugin) in std::mem::take(&mut self.plugins) {
            let (done, drained) = oneshot::channel();
            let _ = plugin.send(Command::Unload(done)).await;
            draining.push(drained);
        }
        let all = futures_util::future::join_all(draining);
        if tokio::time::timeout(SHUTDOWN, all).await.is_err() {
            tracing::warn!("plugins were still draining after {SHUTDOWN:?}");
        }
    }
}
