//! The plugin host as others see it: started on a folder, asked, given orders.

use crate::{
    archive::{Archive, Past, RollBackError},
    asks::{self, Asks, SECTION},
    compiler::CompilerProgram,
    folder,
    manager::{Ask, Manager, What, watch_folder},
    name::{BadName, PluginName},
    ports::Ports,
    runtime::{Runtime, RuntimeError},
    shared::Shared,
    status::{Board, LogLine, PluginStatus, SetAside, Statuses},
    whole,
};
use bytes::Bytes;
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    runtime::Handle,
    sync::{Notify, Semaphore, mpsc, oneshot, watch},
};
use tokio_util::sync::CancellationToken;

/// How far guests' threads stand back: they get a third of what others get where both want a core.
const NICENESS: i32 = 5;

/// How a plugin host is started.
pub struct Options {
    /// The plugins folder. Must exist.
    pub dir: PathBuf,
    /// A folder for compiled code that nobody else can reach; made if it is not there.
    pub cache: PathBuf,
    /// What plugins reach outside.
    pub ports: Ports,
    /// Computing time for a component's start functions and `init`.
    pub init_budget: Duration,
    /// How long a new build is watched: if it fails within, the one before comes back.
    pub probation: Duration,
    /// Threads that guests run on, apart from the caller's.
    pub threads: usize,
    /// Whether to keep memories and stacks for instances in reserve; takes terabytes of address space.
    pub pooling: bool,
    /// What compiles components, in a process of its own under limits. `None`: this process does, and
    /// a hostile component can bring it down.
    pub compiler: Option<CompilerProgram>,
    /// A folder for builds that ran, so that one can be gone back to; made if it is not there.
    pub archive: PathBuf,
}

impl Options {
    /// The usual settings.
    pub fn new(dir: impl Into<PathBuf>, cache: impl Into<PathBuf>, ports: Ports) -> Self {
        let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        let cache = cache.into();
        Self {
            dir: dir.into(),
            archive: cache.with_file_name("builds"),
            cache,
            ports,
            init_budget: Duration::from_secs(2),
            probation: Duration::from_secs(2),
            threads,
            pooling: true,
            compiler: None,
        }
    }
}

/// Why a plugin host does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The plugins folder cannot be read.
    #[error("the plugins folder {path}: {error}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The engine, or the folder for compiled code.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The threads for guests.
    #[error("threads for plugins: {0}")]
    Threads(io::Error),
}

/// Why an order is not carried out.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Not a name.
    #[error(transparent)]
    Name(#[from] BadName),
    /// There is none of that name.
    #[error("there is no plugin {0:?} in the plugins folder")]
    Unknown(String),
    /// What was to be installed cannot run here.
    #[error("the component is refused: {0}")]
    Refused(String),
    /// What it asks for cannot be granted.
    #[error("not approved: {0}")]
    NotApproved(String),
    /// There is nothing to go back to.
    #[error(transparent)]
    RollBack(#[from] RollBackError),
    /// The folder cannot be written.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The host is stopping.
    #[error("the plugin host is stopping")]
    Stopping,
}

/// Runs what lies in the plugins folder. Cheap to clone; the last clone's end ends the guests' threads.
#[derive(Clone)]
pub struct PluginHost(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    dir: PathBuf,
    orders: mpsc::Sender<Ask>,
    stopped: watch::Receiver<bool>,
    _guests: Threads,
}

/// The guests' threads. A runtime must not be dropped where it would wait.
struct Threads(Option<tokio::runtime::Runtime>);

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl PluginHost {
    /// Loads what is in the folder, then watches it until `shutdown`. Answers when every plugin has
    /// been tried once; one that cannot run is no error here: see [`PluginHost::list`].
    pub async fn start(options: Options, shutdown: CancellationToken) -> Result<Self, StartError> {
        let Options {
            dir,
            cache,
            ports,
            init_budget,
            probation,
            threads,
            pooling,
            compiler,
            archive,
        } = options;
        let folder = |error| StartError::Folder { path: dir.clone(), error };
        fs::read_dir(&dir).map_err(folder)?;
        warn_if_writable(&dir);
        let guests = threads_for_guests(threads).map_err(StartError::Threads)?;
        let shared = Arc::new(Shared {
            runtime: Runtime::new(&cache, pooling, compiler)?,
            guests: guests.handle().clone(),
            home: Handle::current(),
            ports,
            board: Board::new(),
            init_budget,
            probation,
            archive: Arc::new(Archive::new(archive)),
            compiling: Semaphore::new(1),
        });
        let (orders, asked) = mpsc::channel(16);
        let (ended, stopped) = watch::channel(false);
        let mut manager = Manager::new(Arc::clone(&shared), dir.clone());
        let moved = Arc::new(Notify::new());
        // Watched before the first look, so that nothing falls between.
        let watcher = watch_folder(&dir, &moved);
        manager.load_all().await.map_err(folder)?;
        tokio::spawn(async move {
            manager.run(asked, &moved, shutdown).await;
            drop(watcher);
            // It fails when every handle is gone.
            let _ = ended.send(true);
        });
        let inner = Inner { shared, dir, orders, stopped, _guests: Threads(Some(guests)) };
        Ok(Self(Arc::new(inner)))
    }

    /// All plugins, by name.
    pub fn list(&self) -> Vec<PluginStatus> {
        self.0.shared.board.list()
    }

    /// One plugin.
    pub fn show(&self, name: &str) -> Option<PluginStatus> {
        self.0.shared.board.show(name)
    }

    /// Events of one plugin that are not handed over any more, the last ones.
    pub fn aside(&self, name: &str) -> Option<Vec<SetAside>> {
        self.0.shared.board.aside(name)
    }

    /// What a plugin logged last, after the line of that number.
    pub fn log(&self, name: &str, after: u64) -> Option<Vec<LogLine>> {
        self.0.shared.board.log(name, after)
    }

    /// Follows every change of any plugin's status; figures are counted without telling.
    pub fn changed(&self) -> watch::Receiver<Statuses> {
        self.0.shared.board.changed()
    }

    /// Reads the plugin's files again and swaps to them, changed or not. A stopped plugin is started.
    pub async fn reload(&self, name: &str) -> Result<PluginStatus, ControlError> {
        self.ask(name, What::Load).await
    }

    /// Drains the plugin; it stays down, whatever happens to its files, until it is started.
    pub async fn stop(&self, name: &str) -> Result<PluginStatus, ControlError> {
        self.ask(name, What::Stop).await
    }

    /// Starts a plugin that was stopped or has failed too often.
    pub async fn start_plugin(&self, name: &str) -> Result<PluginStatus, ControlError> {
        self.ask(name, What::Load).await
    }

    /// Drains the plugin and deletes its component. Its `NAME.toml`, the operator's word, stays.
    pub async fn remove(&self, name: &str) -> Result<PluginStatus, ControlError> {
        self.ask(name, What::Remove).await
    }

    /// Checks a component, puts it into the folder in one piece, and loads it. Grants are not
    /// changed. The status tells whether it runs.
    pub async fn install(
        &self,
        name: &str,
        component: Bytes,
    ) -> Result<PluginStatus, ControlError> {
        let checked = PluginName::parse(name)?;
        self.0.shared.load(component.clone()).await.map_err(ControlError::Refused)?;
        let path = self.0.dir.join(format!("{checked}.wasm"));
        let target = path.clone();
        let written = blocking(move || whole::write(&target, &component)).await?;
        written.map_err(|error| ControlError::Io { path, error })?;
        self.ask(name, What::Load).await
    }

    /// The builds of a plugin that took over here, the last one last.
    pub async fn history(&self, name: &str) -> Result<Vec<Past>, ControlError> {
        let name = PluginName::parse(name)?;
        let (archive, asked) = (Arc::clone(&self.0.shared.archive), name.clone());
        let history = blocking(move || archive.history(&asked)).await?;
        let path = PathBuf::from(name.as_str());
        let history = history.map_err(|error| ControlError::Io { path, error })?;
        if history.is_empty() && self.show(name.as_str()).is_none() {
            return Err(ControlError::Unknown(name.to_string()));
        }
        Ok(history)
    }

    /// Puts a build that ran before back into the folder, with the grants of then, and loads it: the
    /// one before the last, or the last one whose hash begins so.
    pub async fn roll_back(
        &self,
        name: &str,
        hash: Option<&str>,
    ) -> Result<PluginStatus, ControlError> {
        let name = PluginName::parse(name)?;
        let (archive, hash) = (Arc::clone(&self.0.shared.archive), hash.map(str::to_owned));
        let (dir, plugin) = (self.0.dir.clone(), name.clone());
        let restored = blocking(move || {
            let (wasm, toml) = archive.find(&plugin, hash.as_deref())?;
            // The grants first: a component alone could be started under those of now.
            for (ending, bytes) in [("toml", toml.as_bytes()), ("wasm", wasm.as_slice())] {
                let path = dir.join(format!("{plugin}.{ending}"));
                whole::write(&path, bytes).map_err(|error| RollBackError::Io { path, error })?;
            }
            Ok::<(), RollBackError>(())
        });
        restored.await??;
        self.ask(name.as_str(), What::Load).await
    }

    /// Grants what the component in the folder asks for: writes `NAME.toml`, in which everything else
    /// stays as it was, and loads it. With `hash` only if that is the component still.
    pub async fn approve(
        &self,
        name: &str,
        hash: Option<&str>,
    ) -> Result<PluginStatus, ControlError> {
        let name = PluginName::parse(name)?;
        let (dir, plugin, hash) = (self.0.dir.clone(), name.clone(), hash.map(str::to_owned));
        let approved = blocking(move || {
            let source = folder::read(&dir, &plugin)?;
            if hash.is_some_and(|hash| !source.hash.starts_with(&hash)) {
                return Err(format!("the component is another one by now: {}", source.hash));
            }
            let asks = Asks::of(&source.wasm)?.ok_or_else(|| {
                format!("it has no section {SECTION} that asks for anything: write {plugin}.toml")
            })?;
            let text = asks::approve(&source.toml, &asks)
                .map_err(|why| format!("{plugin}.toml: {why}"))?;
            let path = dir.join(format!("{plugin}.toml"));
            let written = whole::write(&path, text.as_bytes());
            written.map_err(|error| format!("{}: {error}", path.display()))
        });
        approved.await?.map_err(ControlError::NotApproved)?;
        self.ask(name.as_str(), What::Load).await
    }

    /// Waits until the host has drained after `shutdown`.
    pub async fn stopped(&self) {
        let mut stopped = self.0.stopped.clone();
        // An error means that the task is gone: stopped as well.
        let _ = stopped.wait_for(|stopped| *stopped).await;
    }

    async fn ask(&self, name: &str, what: What) -> Result<PluginStatus, ControlError> {
        let name = PluginName::parse(name)?;
        let (answer, answered) = oneshot::channel();
        let ask = Ask { name, what, answer };
        self.0.orders.send(ask).await.map_err(|_| ControlError::Stopping)?;
        answered.await.map_err(|_| ControlError::Stopping)?
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ControlError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| ControlError::Stopping)
}

fn threads_for_guests(threads: usize) -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads.max(1))
        // Guests that compute yield at each tick; those that wait are looked for each time.
        .global_queue_interval(1)
        .max_blocking_threads(4)
        .thread_name("plugins")
        .on_thread_start(|| {
            // Reading AMI and writing to clients go first, however much plugins compute. On Linux this
            // is the thread's own; not being nice is no reason to fail.
            let _ = rustix::process::nice(NICENESS);
        })
        .enable_time()
        .build()
}

fn warn_if_writable(dir: &Path) {
    use std::os::unix::fs::MetadataExt;
    if fs::metadata(dir).is_ok_and(|meta| meta.mode() & 0o002 != 0) {
        tracing::warn!(dir = %dir.display(), "anybody on this machine can put plugins here: chmod o-w");
    }
}
