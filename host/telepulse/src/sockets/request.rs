//! One HTTP request: who it is for, who asks, and handing it over.

use super::{
    Clients, Gate, Refused, body, event_stream, forwarded, problem,
    routes::{HttpMount, Routes, WebSocketMount},
    screening, traced, upgrade,
};
use crate::tls::Acceptor;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use hyper::body::{Body as _, Incoming};
use plugin_host::ports::{Body, BodyFailure};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};
use telepulse_language::Principal;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::task::TaskTracker;

/// The header with the name of the user who asks.
const USER: HeaderName = HeaderName::from_static("telepulse-user");
/// The header with that user as the language writes one: what they may see and do.
const PRINCIPAL: HeaderName = HeaderName::from_static("telepulse-principal");

/// The most bytes of it that a plugin is handed.
const LONGEST_PRINCIPAL: usize = 32 << 10;

/// What requests of one listener share.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) listen: SocketAddr,
    pub(super) routes: Arc<Mutex<Routes>>,
    pub(super) gate: Arc<Gate>,
    pub(super) clients: Arc<Clients>,
    pub(super) tasks: TaskTracker,
    /// The certificate to show, if it encrypts.
    pub(super) tls: Option<Acceptor>,
}

/// A socket that requests come from.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) peer: SocketAddr,
    /// Its place among the connections of the listener.
    pub(super) _place: Arc<OwnedSemaphorePermit>,
}

impl Desk {
    /// Answers one request.
    pub(super) async fn answer(
        &self,
        mut caller: Caller,
        request: Request<Incoming>,
    ) -> Response<Body> {
        let proxies = &self.clients.settings().proxies;
        let client = forwarded::client(caller.peer.ip(), request.headers(), proxies);
        if client != caller.peer.ip() {
            // Its port there is nobody's to know.
            caller.peer = SocketAddr::new(client, 0);
        }
        if screening::has_token(request.uri()) {
            let detail = "never put a token into an address: send it as Authorization: Bearer";
            return problem::problem(StatusCode::BAD_REQUEST, "badRequest", detail);
        }
        let path = request.uri().path();
        let (websocket, http, awaited) = {
            let routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
            let (websocket, http) = (routes.websocket(path), routes.http(path));
            (websocket.cloned(), http.cloned(), routes.awaited(path).cloned())
        };
        match (websocket, http, awaited) {
            (Some(mount), ..)
                if upgrade::is_wanted(&request) || event_stream::is_wanted(&request) =>
            {
                self.let_in(caller, mount, request).await
            }
            (.., Some(plugin)) => problem::not_running(&plugin),
            (_, Some(mount), None) => self.hand_over(caller, mount, request).await,
            (Some(_), None, None) => {
                let detail = "this is a WebSocket: connect with ws://";
                problem::problem(StatusCode::UPGRADE_REQUIRED, "badRequest", detail)
            }
            (None, None, None) => {
                problem::problem(StatusCode::NOT_FOUND, "notFound", "nothing answers on this path")
            }
        }
    }

    /// A connection that lasts. A page of an origin that is not allowed gets none.
    async fn let_in(
        &self,
        caller: Caller,
        mount: WebSocketMount,
        request: Request<Incoming>,
    ) -> Response<Body> {
        if !screening::origin_allowed(request.headers(), &mount.origins) {
            let detail = "this web page may not connect: add its origin to `origins`";
            return problem::problem(StatusCode::FORBIDDEN, "forbidden", detail);
        }
        if upgrade::is_wanted(&request) {
            upgrade::answer(self, caller, mount, request).await
        } else {
            event_stream::answer(self, caller, mount, request).await
        }
    }

    async fn hand_over(
        &self,
        caller: Caller,
        mount: HttpMount,
        mut request: Request<Incoming>,
    ) -> Response<Body> {
        // The plugin learns who asks, never with what they proved it.
        let claim = request.headers_mut().remove(header::AUTHORIZATION);
        let principal = match self.gate.header(caller.peer.ip(), claim.as_ref()).await {
            Ok(principal) => principal,
            Err(refused) => return refusal(refused),
        };
        name_user(request.headers_mut(), principal.as_deref());
        let settings = self.clients.settings();
        let (bytes, time) = (settings.body_bytes, settings.body_timeout);
        if request.body().size_hint().lower() > bytes as u64 {
            return problem::body(BodyFailure::TooLong(bytes));
        }
        let mut request = request.map(|body| body::bounded(body, bytes, time));
        let who = principal.as_deref();
        let mut span = traced::begin(&settings.tracer, &mut request, &mount.plugin, who);
        traced::say(&mut span, self.tls.is_some());
        let answered = span.during(mount.handler.handle(request, principal)).await;
        let response = match answered {
            Ok(response) => response,
            Err(failure) => problem::failure(&mount.plugin, failure),
        };
        traced::end(span, response.status());
        response
    }
}

/// Tells the plugin who asks; what a client says there itself does not count.
fn name_user(headers: &mut HeaderMap, who: Option<&Principal>) {
    headers.remove(USER);
    headers.remove(PRINCIPAL);
    let Some(who) = who else { return };
    if let Ok(name) = HeaderValue::from_bytes(who.name.as_bytes()) {
        headers.insert(USER, name);
    }
    // One that does not fit is left out: who is not known sees nothing.
    let whole = serde_json::to_vec(who).ok().filter(|json| json.len() <= LONGEST_PRINCIPAL);
    if let Some(Ok(json)) = whole.map(HeaderValue::try_from) {
        headers.insert(PRINCIPAL, json);
    }
}

/// What who was not let in is told.
pub(super) fn refusal(refused: Refused) -> Response<Body> {
    match refused {
        Refused::Wrong => problem::unauthorized(&refused.to_string()),
        Refused::TooMany => problem::too_many(&refused.to_string()),
    }
}
