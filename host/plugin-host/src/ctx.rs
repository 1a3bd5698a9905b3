//! What a plugin's store carries: who the plugin is, what it may do, and its limits.

use crate::{
    effects::Effects,
    grants::{Folder, Grants},
    log_rate::LogRate,
    manifest::Limits,
    memory::MemoryLimit,
    name::PluginName,
    outgoing::{self, Fetch, Hooks, UNDER_WAY},
    ports::{Measure, Ports, Request},
    series::{Refused, Series},
    status::{Counters, count},
    stderr::{LastWords, Lines},
    stopwatch::Stopwatch,
};
use futures_util::{FutureExt, future::BoxFuture};
use serde_json::{Map, Value};
use std::{
    collections::BTreeMap,
    fmt,
    future::{Future, poll_fn},
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use telepulse_language::Principal;
use tokio::{runtime::Handle, sync::Semaphore};
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

/// How many requests a plugin may have under way by `bus.submit`.
pub(crate) const IN_FLIGHT: usize = 1024;

/// What the bus answers to a request.
pub(crate) type Answer = Result<bytes::Bytes, String>;

/// What outlives every instance of a plugin.
pub(crate) struct Identity {
    pub(crate) name: PluginName,
    pub(crate) ports: Ports,
    /// The runtime that the ports live on, not that of the guests.
    pub(crate) home: Handle,
    pub(crate) counters: Arc<Counters>,
    log_rate: Mutex<LogRate>,
    series: Mutex<Series>,
    next_request: AtomicU64,
    in_flight: Arc<AtomicUsize>,
    /// Places for HTTP requests under way.
    pub(crate) outgoing: Arc<Semaphore>,
}

impl Identity {
    pub(crate) fn new(name: PluginName, ports: Ports, home: Handle) -> Self {
        Self {
            name,
            ports,
            home,
            counters: Arc::default(),
            log_rate: Mutex::default(),
            series: Mutex::default(),
            next_request: AtomicU64::new(1),
            in_flight: Arc::default(),
            outgoing: Arc::new(Semaphore::new(UNDER_WAY)),
        }
    }

    /// Sends a request to the bus, on the bus's own runtime.
    pub(crate) fn request(&self, request: Request) -> impl Future<Output = Answer> + Send + use<> {
        let answer = self.home.spawn(self.ports.bus.request(request));
        async move {
            answer.await.unwrap_or_else(|_| Err("the request failed inside the host".to_owned()))
        }
    }

    /// Sends a request to a server outside, on the same runtime.
    pub(crate) fn fetch(
        self: &Arc<Self>,
        fetch: Fetch,
    ) -> impl Future<Output = Answer> + Send + use<> {
        let answer = self.home.spawn(outgoing::fetch(Arc::clone(self), fetch));
        async move {
            answer.await.unwrap_or_else(|_| Err("the request failed inside the host".to_owned()))
        }
    }

    /// Waits for what a port does. What that begins is begun on the port's own runtime; the waiting itself is
    /// done here, which spares a thread from being woken to wake another.
    pub(crate) fn at_home<T: Send + 'static>(
        &self,
        work: BoxFuture<'static, Result<T, String>>,
    ) -> impl Future<Output = Result<T, String>> + Send + use<T> {
        let home = self.home.clone();
        let mut work = AssertUnwindSafe(work).catch_unwind();
        let work = poll_fn(move |cx| {
            let _home = home.enter();
            work.poll_unpin(cx)
        });
        async move { work.await.unwrap_or_else(|_| Err("it failed inside the host".to_owned())) }
    }

    /// Whether nothing that the plugin asked for is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed) == 0
    }

    /// A number for a request, never used twice, and its place among those in flight.
    pub(crate) fn next_request(&self) -> Result<(u64, InFlight), String> {
        let place = InFlight(Arc::clone(&self.in_flight));
        if self.in_flight.fetch_add(1, Ordering::Relaxed) >= IN_FLIGHT {
            return Err(self.denied(&format!("{IN_FLIGHT} requests are in flight already")));
        }
        Ok((self.next_request.fetch_add(1, Ordering::Relaxed), place))
    }

    /// Whether the log takes another line now, and how many it refused before.
    pub(crate) fn may_log(&self) -> Option<u64> {
        let mut rate = self.log_rate.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = rate.take(std::time::Instant::now());
        drop(rate);
        count(&self.counters.lines_refused, usize::from(taken.is_none()));
        taken
    }

    /// Tells the operator what the plugin did that is not done.
    pub(crate) fn complain(&self, why: &str) {
        if self.may_log().is_some() {
            tracing::warn!(plugin = %self.name, "{why}");
        }
    }

    /// Counts what a grant or a limit forbade, and says so.
    pub(crate) fn denied(&self, why: &impl ToString) -> String {
        let why = why.to_string();
        count(&self.counters.denied, 1);
        self.complain(&why);
        why
    }

    /// Whether the plugin may keep this figure too. Labels come sorted.
    pub(crate) fn admit(
        &self,
        name: &str,
        measure: Measure,
        labels: &[(String, String)],
    ) -> Result<(), Refused> {
        let mut series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        series.admit(name, measure, labels)
    }
}

/// A place among the requests in flight, given back when dropped.
pub(crate) struct InFlight(Arc<AtomicUsize>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A manifest in force: settings rendered, secrets resolved.
pub(crate) struct Rights {
    pub(crate) grants: Grants,
    pub(crate) limits: Limits,
    pub(crate) settings: Map<String, Value>,
    pub(crate) secrets: BTreeMap<String, String>,
    pub(crate) origins: Vec<String>,
}

impl fmt::Debug for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rights")
            .field("grants", &self.grants)
            .field("limits", &self.limits)
            .field("secrets", &self.secrets.keys())
            .finish_non_exhaustive()
    }
}

/// The data of one store.
pub(crate) struct Ctx {
    pub(crate) identity: Arc<Identity>,
    pub(crate) rights: Arc<Rights>,
    /// Who asks, while an HTTP request is handled.
    pub(crate) principal: Option<Arc<Principal>>,
    /// The `traceparent` that the request came with.
    pub(crate) trace: Option<Arc<str>>,
    /// What the instance asked for that its task does after the call.
    pub(crate) effects: Effects,
    /// How long the running call has computed.
    pub(crate) stopwatch: Stopwatch,
    pub(crate) memory: MemoryLimit,
    /// What it wrote to standard error last.
    pub(crate) last_words: LastWords,
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: Hooks,
}

impl Ctx {
    pub(crate) fn new(
        identity: Arc<Identity>,
        rights: Arc<Rights>,
        principal: Option<Arc<Principal>>,
    ) -> Result<Self, String> {
        let mut table = ResourceTable::new();
        table.set_max_capacity(10_000);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(64 << 10);
        let mut wasi = WasiCtx::builder();
        let last_words = LastWords::default();
        wasi.stderr(Lines::new(Arc::clone(&identity), last_words.clone()));
        show_folders(&mut wasi, &rights.grants)?;
        let memory = MemoryLimit::new(rights.limits.memory);
        let hooks = Hooks { identity: Arc::clone(&identity), rights: Arc::clone(&rights) };
        Ok(Self {
            identity,
            rights,
            principal,
            trace: None,
            effects: Effects::default(),
            stopwatch: Stopwatch::new(),
            memory,
            last_words,
            table,
            wasi: wasi.build(),
            http,
            hooks,
        })
    }
}

/// Opens the folders that are granted: nothing above them can be reached, by `..` or by a link.
fn show_folders(wasi: &mut WasiCtxBuilder, grants: &Grants) -> Result<(), String> {
    for Folder { path, is_writable } in grants.files.iter().flatten() {
        let permissions = if *is_writable { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
        let opened = wasi.preopened_dir(path, path, permissions);
        opened.map_err(|error| {
            format!("grants.files: the folder {path:?} cannot be opened: {error:#}; make it, or name another")
        })?;
    }
    Ok(())
}

impl WasiView for Ctx {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Ctx {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.hooks }
    }
}

/// The longest that a request of a plugin may wait for its answer.
pub(crate) const LONGEST_REQUEST: Duration = Duration::from_secs(30);
