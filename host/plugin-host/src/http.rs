//! HTTP requests for a plugin: each has an instance for itself, with the principal who asks in its store.
//! Instances that did their work well serve again ([`reserve`]). A component is handed requests [`whole`], or, by
//! `wasi:http`, as they come ([`streamed`]).

mod answer;
mod bodies;
mod file;
mod reserve;
mod streamed;
mod whole;

pub(crate) use answer::Answer;
pub(crate) use file::FilePart;
pub(crate) use whole::Asked;

use crate::{
    candidate::Version,
    ctx::Identity,
    failure::Fault,
    instance::{Instance, Start},
    ports::{Body, HttpFailure, HttpHandler},
    shared::Shared,
    status::count,
};
use arc_swap::ArcSwapOption;
use bodies::Bodies;
use futures_util::future::BoxFuture;
use reserve::{Reserve, Served};
use std::{sync::Arc, time::Duration};
use telepulse_language::{Permission, Principal};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// How many requests a plugin handles at a time; more wait, within their deadline.
const AT_A_TIME: usize = 64;
/// A request's deadline by the clock on the wall, waiting for the bus included.
const DEADLINE: Duration = Duration::from_secs(30);

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
    bodies: Bodies,
}

/// What answers now. Requests under way keep it, and their instances go back to nobody else's reserve.
struct Serving {
    version: Version,
    reserve: Reserve,
}

impl HttpSlot {
    pub(crate) fn new(shared: Arc<Shared>, identity: Arc<Identity>) -> Self {
        let places = Arc::new(Semaphore::new(AT_A_TIME));
        let (serving, bodies) = (ArcSwapOption::empty(), Bodies::default());
        Self(Arc::new(Slot { shared, identity, serving, places, bodies }))
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
        // Without a user a guest would act under the plugin's own grants: whoever has not logged in
        // is nobody, not the plugin.
        let principal = principal.unwrap_or_else(|| Arc::new(Principal::anonymous()));
        let start = Start {
            identity: Arc::clone(&self.identity),
            rights: Arc::clone(&serving.version.rights),
            principal: Some(principal),
            budget: self.shared.init_budget,
        };
        if serving.version.build.takes_whole_requests() {
            whole::answer(self, serving, request, start).await
        } else {
            streamed::answer(self, serving, request, start).await
        }
    }

    /// One of the places for requests that are handled.
    async fn place(&self) -> Result<OwnedSemaphorePermit, HttpFailure> {
        let place = Arc::clone(&self.places).acquire_owned().await;
        place.map_err(|_| HttpFailure::NotRunning)
    }

    fn failures(&self) -> Failures {
        Failures(Arc::clone(&self.identity))
    }
}

/// Where requests that failed are counted and told, whether or not anybody waits for them.
struct Failures(Arc<Identity>);

impl Failures {
    fn count(&self, fault: &Fault) {
        let Self(identity) = self;
        count(&identity.counters.request_failures, 1);
        tracing::warn!(plugin = %identity.name, %fault, "HTTP request failed");
    }
}

impl Serving {
    /// An instance that acts for whoever asks, and how many requests it has served.
    async fn instance(&self, start: Start) -> Result<(Instance, u32), Fault> {
        match self.reserve.take(start.principal.as_ref()) {
            Some(Served { instance, times }) => Ok((instance, times)),
            None => Ok((Instance::new(&self.version.build, start).await?, 0)),
        }
    }

    /// Keeps one that did its work well.
    fn keep(self: &Arc<Self>, instance: Instance, times: u32) {
        if self.reserve.put(Served { instance, times: times + 1 }) {
            let serving = Arc::downgrade(self);
            tokio::spawn(reserve::sweep(move || {
                serving.upgrade().is_some_and(|it| it.reserve.sweep())
            }));
        }
    }
}

/// The span that a request is part of, as its header says: the host writes it where it follows requests,
/// else it is what the client sent.
fn trace(headers: &http::HeaderMap) -> Option<Arc<str>> {
    let text = headers.get("traceparent")?.to_str().ok()?;
    (text.len() <= LONGEST_TRACE).then(|| text.into())
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
            count(&slot.identity.counters.requests, 1);
            timeout(DEADLINE, slot.answer(request, principal))
                .await
                .unwrap_or(Err(HttpFailure::TimedOut))
        })
    }
}
