//! HTTP requests for a plugin: each has an instance for itself, with the principal who asks in its store.
//! Instances that did their work well serve again ([`reserve`]).

mod reserve;

use crate::{
    bindings::{Incoming, answer},
    candidate::Version,
    ctx::Identity,
    failure::Fault,
    instance::{Budget, Instance, Start},
    ports::{Body, HttpFailure, HttpHandler},
    shared::Shared,
    status::{Counters, count},
};
use arc_swap::ArcSwapOption;
use futures_util::future::BoxFuture;
use reserve::{Reserve, Served};
use std::{sync::Arc, time::Duration};
use telepulse_language::{Permission, Principal};
use tokio::{sync::Semaphore, time::timeout};

/// How many requests a plugin handles at a time; more wait, within their deadline.
const AT_A_TIME: usize = 64;
/// A request's deadline by the clock on the wall, waiting for the bus included.
const DEADLINE: Duration = Duration::from_secs(30);
/// The same for a whole answer where it may be a large file, and who asks a slow reader. That it begins is
/// waited for as long as for any other.
const DOWNLOAD: Duration = Duration::from_mins(15);

/// The longest `traceparent` that is handed on; those of today have 55 bytes.
const LONGEST_TRACE: usize = 256;

/// What is mounted on listeners. A swap replaces the version; requests under way keep theirs.
#[derive(Clone)]
pub(crate) struct HttpSlot(Arc<Slot>);

struct Slot {
    shared: Arc<Shared>,
    identity: Arc<Identity>,
    serving: ArcSwapOption<Serving>,
    places: Arc<Semaphore>,
    counters: Arc<Counters>,
}

/// What answers now. Requests under way keep it, and their instances go back to nobody else's reserve.
struct Serving {
    version: Version,
    reserve: Reserve,
}

impl HttpSlot {
    pub(crate) fn new(
        shared: Arc<Shared>,
        identity: Arc<Identity>,
        counters: Arc<Counters>,
    ) -> Self {
        let places = Arc::new(Semaphore::new(AT_A_TIME));
        let serving = ArcSwapOption::empty();
        Self(Arc::new(Slot { shared, identity, serving, places, counters }))
    }

    /// Sends requests from now on to this version, or to none.
    pub(crate) fn set(&self, version: Option<Version>) {
        let serving = version.map(|version| Serving { version, reserve: Reserve::default() });
        self.0.serving.store(serving.map(Arc::new));
    }

    /// A path to it.
    pub(crate) fn route(&self) -> Arc<Route> {
        Arc::new(Route { slot: Arc::clone(&self.0), right: ArcSwapOption::empty() })
    }
}

/// A path to what is mounted.
pub(crate) struct Route {
    slot: Arc<Slot>,
    /// What users must be allowed to be let in; none: anybody is.
    right: ArcSwapOption<String>,
}

impl Route {
    /// Lets those in from now on who have this right.
    pub(crate) fn set_right(&self, right: Option<&str>) {
        self.right.store(right.map(|right| Arc::new(right.to_owned())));
    }

    /// Whether somebody is let in. A right that ends at the user's own extension opens no path.
    fn admits(&self, who: Option<&Principal>) -> Result<(), HttpFailure> {
        let Some(right) = self.right.load_full() else { return Ok(()) };
        match who.filter(|who| !who.is_anonymous()) {
            None => Err(HttpFailure::NobodyAsks),
            Some(who) if who.permission(&right) == Permission::Any => Ok(()),
            Some(_) => Err(HttpFailure::Forbidden),
        }
    }
}

impl Slot {
    async fn answer(
        &self,
        request: http::Request<Body>,
        principal: Option<Arc<Principal>>,
    ) -> Result<http::Response<Body>, HttpFailure> {
        let serving = self.serving.load_full().ok_or(HttpFailure::NotRunning)?;
        let places = Arc::clone(&self.places);
        let place = places.acquire_owned().await.map_err(|_| HttpFailure::NotRunning)?;
        // Without a user a guest would act under the plugin's own grants: whoever has not logged in
        // is nobody, not the plugin.
        let principal = principal.unwrap_or_else(|| Arc::new(Principal::anonymous()));
        let start = Start {
            identity: Arc::clone(&self.identity),
            rights: Arc::clone(&serving.version.rights),
            principal: Some(principal),
            budget: self.shared.init_budget,
        };
        let (answered, wanted) = tokio::sync::oneshot::channel();
        let name = self.identity.name.clone();
        let counters = Arc::clone(&self.counters);
        // On the guests' threads, and to its end: a guest may go on after it has answered.
        self.shared.guests.spawn(async move {
            if let Err(fault) = run(&serving, start, request, answered).await {
                count(&counters.request_failures, 1);
                tracing::warn!(plugin = %name, %fault, "HTTP request failed");
            }
            drop(place);
        });
        match wanted.await {
            Ok(response) => Ok(response),
            Err(_) => Err(HttpFailure::Failed),
        }
    }
}

/// The span that a request is part of, as its header says: the host writes it where it follows requests,
/// else it is what the client sent.
fn trace(headers: &http::HeaderMap) -> Option<Arc<str>> {
    let text = headers.get("traceparent")?.to_str().ok()?;
    (text.len() <= LONGEST_TRACE).then(|| text.into())
}

async fn run(
    serving: &Arc<Serving>,
    start: Start,
    request: http::Request<Body>,
    answered: tokio::sync::oneshot::Sender<http::Response<Body>>,
) -> Result<(), Fault> {
    let trap = |why: String| Fault::Trapped { call: "incoming-handler.handle", why };
    let Serving { version, reserve } = &**serving;
    let has_files = version.rights.grants.files.iter().flatten().next().is_some();
    let wall = if has_files { DOWNLOAD } else { DEADLINE };
    let budget = Budget { cpu: version.rights.limits.request, wall };
    let Served { mut instance, times } = match reserve.take(start.principal.as_ref()) {
        Some(served) => served,
        None => Served { instance: Instance::new(&version.build, start).await?, times: 0 },
    };
    instance.be_traced(trace(request.headers()));
    let (incoming, decided) =
        Incoming::new(instance.store_mut(), request).map_err(|error| trap(format!("{error:#}")))?;
    let forward = async {
        let response = match decided.await {
            Ok(Ok(response)) => answer(response),
            Ok(Err(code)) => return Err(trap(format!("it answered with an error: {code:?}"))),
            // It ended without an answer: what ended it says more.
            Err(_) => return Ok(false),
        };
        // It fails when the client has gone: nothing is lost.
        let _ = answered.send(response);
        Ok(true)
    };
    let (ran, forwarded) = tokio::join!(instance.http(incoming, budget), forward);
    let instance = ran?;
    if !forwarded? {
        return Err(trap("it ended without an answer".to_owned()));
    }
    if reserve.put(Served { instance, times: times + 1 }) {
        let serving = Arc::downgrade(serving);
        tokio::spawn(reserve::sweep(move || {
            serving.upgrade().is_some_and(|it| it.reserve.sweep())
        }));
    }
    Ok(())
}

impl HttpHandler for Route {
    fn handle(
        &self,
        request: http::Request<Body>,
        principal: Option<Arc<Principal>>,
    ) -> BoxFuture<'static, Result<http::Response<Body>, HttpFailure>> {
        if let Err(refused) = self.admits(principal.as_deref()) {
            return Box::pin(async move { Err(refused) });
        }
        let slot = Arc::clone(&self.slot);
        Box::pin(async move {
            count(&slot.counters.requests, 1);
            timeout(DEADLINE, slot.answer(request, principal))
                .await
                .unwrap_or(Err(HttpFailure::TimedOut))
        })
    }
}
