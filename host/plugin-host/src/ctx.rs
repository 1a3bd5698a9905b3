//! What a plugin's store carries: who the plugin is, what it may do, and its limits.

use crate::{
    effects::Effects, grants::Grants, log_rate::LogRate, manifest::Limits, name::PluginName,
    ports::Ports,
};
use serde_json::{Map, Value};
use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use telepulse_language::Principal;
use wasmtime::{StoreLimits, StoreLimitsBuilder, component::ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{
    Error as HttpError, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks,
    WasiHttpView,
};

/// How many requests a plugin may have under way by `bus.submit`.
pub(crate) const IN_FLIGHT: usize = 1024;

/// What outlives every instance of a plugin.
pub(crate) struct Identity {
    pub(crate) name: PluginName,
    pub(crate) ports: Ports,
    pub(crate) log_rate: Mutex<LogRate>,
    next_request: AtomicU64,
    in_flight: Arc<AtomicUsize>,
}

impl Identity {
    pub(crate) fn new(name: PluginName, ports: Ports) -> Self {
        Self {
            name,
            ports,
            log_rate: Mutex::default(),
            next_request: AtomicU64::new(1),
            in_flight: Arc::default(),
        }
    }

    /// A number for a request, never used twice, and its place among those in flight.
    pub(crate) fn next_request(&self) -> Option<(u64, InFlight)> {
        let place = InFlight(Arc::clone(&self.in_flight));
        if self.in_flight.fetch_add(1, Ordering::Relaxed) >= IN_FLIGHT {
            return None;
        }
        Some((self.next_request.fetch_add(1, Ordering::Relaxed), place))
    }

    /// Whether the log takes another line now, and how many it refused before.
    pub(crate) fn may_log(&self) -> Option<u64> {
        let mut rate = self.log_rate.lock().unwrap_or_else(PoisonError::into_inner);
        rate.take(std::time::Instant::now())
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
    /// What the instance asked for that its task does after the call.
    pub(crate) effects: Effects,
    /// Milliseconds of computing that the running call has left.
    pub(crate) ticks_left: u64,
    pub(crate) memory: StoreLimits,
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: NoOutgoing,
}

impl Ctx {
    pub(crate) fn new(
        identity: Arc<Identity>,
        rights: Arc<Rights>,
        principal: Option<Arc<Principal>>,
    ) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(10_000);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(64 << 10);
        // A component has several core modules, adapters among them: the bound is on their sum
        // only as far as it is on each.
        let memory = StoreLimitsBuilder::new()
            .memory_size(rights.limits.memory)
            .memories(4)
            .table_elements(100_000)
            .tables(32)
            .instances(64)
            .build();
        let mut wasi = WasiCtx::builder();
        wasi.stderr(crate::stderr::Lines::new(Arc::clone(&identity)));
        Self {
            identity,
            rights,
            principal,
            effects: Effects::default(),
            ticks_left: 0,
            memory,
            table,
            wasi: wasi.build(),
            http,
            hooks: NoOutgoing,
        }
    }
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

/// Outgoing HTTP is denied: no grant for it exists yet.
struct NoOutgoing;

type Sent = (http::Response<WasiBody>, Box<dyn Future<Output = Result<(), HttpError>> + Send>);

impl WasiHttpHooks for NoOutgoing {
    fn send_request(
        &mut self,
        _request: http::Request<WasiBody>,
        _options: Option<RequestOptions>,
        _done: Box<dyn Future<Output = Result<(), HttpError>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent, HttpError>> + Send> {
        Box::new(std::future::ready(Err(HttpError::HttpRequestDenied)))
    }
}

/// The longest that a request of a plugin may wait for its answer.
pub(crate) const LONGEST_REQUEST: Duration = Duration::from_secs(30);
