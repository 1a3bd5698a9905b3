//! Fakes for everything that the plugin host needs from outside; what reaches them can be waited for.

mod clients;
mod kept;
pub mod places;

use super::PATIENCE;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use plugin_host::{
    PolicyGrant,
    ports::{
        Body, BusEvent, CommandHandler, ConnectionSink, EventSink, Frame, Guard, Happening,
        HttpFailure, HttpHandler, Live, OpenInfo, PolicyHandler, Ports, Verdict, Where,
    },
};
use std::{
    any::Any,
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};
use telepulse_language::{Principal, Refusal};
use tokio::sync::watch;

/// What plugins published: plugin, address, payload.
pub type Said = Vec<(String, String, String)>;
/// The frames that each connection got.
pub type Frames = BTreeMap<u64, Vec<String>>;

/// The outside.
#[derive(Default)]
pub struct World {
    said: watch::Sender<Said>,
    frames: watch::Sender<Frames>,
    inner: Mutex<Inner>,
    /// Messages that are not done, by plugin and number. Apart: an event on its way is kept.
    journal: Mutex<BTreeMap<Arc<str>, BTreeMap<u64, Bytes>>>,
}

#[derive(Default)]
struct Inner {
    next: u64,
    seq: u64,
    subscriptions: BTreeMap<u64, (Vec<String>, Arc<dyn EventSink>)>,
    websockets: BTreeMap<String, (u64, Arc<dyn ConnectionSink>)>,
    routes: BTreeMap<String, (u64, Arc<dyn HttpHandler>)>,
    /// Paths whose plugin is to come.
    announced: Vec<String>,
    open: BTreeMap<u64, Live>,
    /// By plugin and key.
    values: BTreeMap<(String, String), Bytes>,
    /// Who is asked about commands.
    policies: BTreeMap<u64, (PolicyGrant, Arc<dyn PolicyHandler>)>,
    /// Where plugins are to run, if not everywhere, and which run here.
    places: BTreeMap<String, watch::Sender<Where>>,
    runs: BTreeSet<String>,
    /// Who carries out which command.
    commands: BTreeMap<String, Arc<dyn CommandHandler>>,
}

/// Undoes something when dropped.
struct OnDrop(Arc<World>, Box<dyn Fn(&mut Inner) + Send + Sync>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        (self.1)(&mut self.0.lock());
    }
}

/// A subscription, until it is dropped.
struct Subscribed {
    id: u64,
    _end: Guard,
}

/// The ports of a world; a wrapper, since they hand out guards that refer to it.
struct Port(Arc<World>);

impl World {
    pub fn ports(world: &Arc<Self>) -> Ports {
        let port = || Arc::new(Port(Arc::clone(world)));
        Ports {
            bus: port(),
            connections: port(),
            listeners: port(),
            kv: port(),
            policies: port(),
            commands: port(),
            outgoing: port(),
            journal: port(),
            metrics: port(),
            placement: port(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no test holds it while it fails")
    }

    fn journal(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, BTreeMap<u64, Bytes>>> {
        self.journal.lock().expect("no test holds it while it fails")
    }

    /// Asks the one policy plugin about a command; nobody is asked where there is none.
    pub async fn decides(&self, command: &str) -> Option<Result<Verdict, String>> {
        let handler = {
            let inner = self.lock();
            let mut policies = inner.policies.values();
            policies.next().map(|(_, handler)| Arc::clone(handler))?
        };
        let who = Principal { name: "ann".to_owned(), ..Principal::default() };
        let command = Bytes::copy_from_slice(command.as_bytes());
        Some(handler.decide(command, Some(Arc::new(who))).await)
    }

    /// Has a command carried out by the plugin that serves it; nobody does where there is none.
    pub async fn serves(&self, action: &str, command: &str) -> Option<Result<Bytes, Refusal>> {
        let handler = self.lock().commands.get(action).map(Arc::clone)?;
        let who = Principal { name: "ann".to_owned(), ..Principal::default() };
        let command = Bytes::copy_from_slice(command.as_bytes());
        Some(handler.serve(command, Some(Arc::new(who))).await)
    }

    /// How many messages are kept for a plugin.
    pub fn kept(&self, plugin: &str) -> usize {
        self.journal().get(plugin).map_or(0, BTreeMap::len)
    }

    /// The commands that plugins decide on.
    pub fn decided(&self) -> Vec<String> {
        let inner = self.lock();
        inner.policies.values().flat_map(|(grant, _)| grant.commands.clone()).collect()
    }

    /// Publishes an event to `test.in`; answers its number.
    pub fn emit(&self, payload: &str) -> u64 {
        let mut inner = self.lock();
        inner.seq += 1;
        let event = Arc::new(BusEvent {
            seq: inner.seq,
            time_ns: 1,
            address: "test.in".into(),
            kind: "in".into(),
            server: Some("pbx1".into()),
            payload: Bytes::copy_from_slice(payload.as_bytes()),
        });
        for (addresses, sink) in inner.subscriptions.values() {
            if addresses.iter().any(|address| address == "test.in") {
                sink.deliver(&event);
            }
        }
        inner.seq
    }

    /// Opens a WebSocket on a path, as a client would.
    pub async fn connect(&self, path: &str) -> u64 {
        let (conn, sink) = {
            let mut inner = self.lock();
            inner.next += 1;
            let conn = inner.next;
            let live = Live {
                tag: Bytes::new(),
                info: OpenInfo {
                    conn,
                    peer: "192.0.2.7:1".into(),
                    path: path.into(),
                    query: String::new(),
                    headers: Vec::new(),
                    principal: None,
                },
            };
            inner.open.insert(conn, live);
            (conn, Arc::clone(&inner.websockets[path].1))
        };
        let info = self.lock().open[&conn].info.clone();
        sink.happened(Happening::Open(info)).await;
        conn
    }

    /// Sends a text frame, as a client would.
    pub async fn tell(&self, conn: u64, text: &str) {
        let sink = {
            let inner = self.lock();
            Arc::clone(&inner.websockets[&inner.open[&conn].info.path].1)
        };
        sink.happened(Happening::Frames(conn, vec![Frame::Text(text.into())])).await;
    }

    /// Waits until a connection got a frame.
    pub async fn hears(&self, conn: u64, text: &str) {
        let mut frames = self.frames.subscribe();
        let heard = frames.wait_for(|all| {
            all.get(&conn).is_some_and(|frames| frames.iter().any(|frame| frame == text))
        });
        let result = tokio::time::timeout(PATIENCE, heard).await.map(drop);
        assert!(
            result.is_ok(),
            "{conn} never heard {text:?}, but {:?}",
            self.frames.borrow().get(&conn)
        );
    }

    /// Whether nobody has closed a connection.
    pub fn is_open(&self, conn: u64) -> bool {
        self.lock().open.contains_key(&conn)
    }

    /// The frames that a connection got.
    pub fn heard(&self, conn: u64) -> Vec<String> {
        self.frames.borrow().get(&conn).cloned().unwrap_or_default()
    }

    /// Waits until plugins have said something.
    pub async fn says(&self, what: &str, wanted: impl FnMut(&Said) -> bool) -> Said {
        let mut said = self.said.subscribe();
        let result = tokio::time::timeout(PATIENCE, said.wait_for(wanted)).await;
        match result {
            Ok(said) => said.expect("the world lives").clone(),
            Err(tokio::time::error::Elapsed { .. }) => {
                panic!("never said: {what}; {} things were", self.said.borrow().len())
            }
        }
    }

    /// What was published to an address.
    pub fn said_to(said: &Said, address: &str) -> Vec<String> {
        said.iter().filter(|(_, to, _)| to == address).map(|(_, _, text)| text.clone()).collect()
    }

    /// How many subscriptions, WebSocket paths and routes are held.
    pub fn held(&self) -> (usize, usize, usize) {
        let inner = self.lock();
        (inner.subscriptions.len(), inner.websockets.len(), inner.routes.len())
    }

    /// Paths whose plugin is said to be coming.
    pub fn announced(&self) -> Vec<String> {
        self.lock().announced.clone()
    }

    /// Sends an HTTP request, as a client would.
    pub async fn get(&self, route: &str, path: &str) -> Result<(u16, String), HttpFailure> {
        self.get_as("tester", route, path).await
    }

    /// The same for somebody else.
    pub async fn get_as(
        &self,
        name: &str,
        route: &str,
        path: &str,
    ) -> Result<(u16, String), HttpFailure> {
        let request = http::Request::get(path).header("host", "test");
        let request = request.body(Self::body("")).expect("a request");
        let response = self.exchange(name, route, request).await?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.expect("a whole body").to_bytes();
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }

    /// A body that is all there.
    pub fn body(text: impl Into<Bytes>) -> Body {
        Full::new(text.into()).map_err(|never| match never {}).boxed_unsync()
    }

    /// Sends any request for somebody; the answer's body is not read.
    pub async fn exchange(
        &self,
        name: &str,
        route: &str,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, HttpFailure> {
        let handler = Arc::clone(&self.lock().routes[route].1);
        let asks = Principal { name: name.into(), ..Principal::default() };
        let answer = handler.handle(request, Some(Arc::new(asks)));
        tokio::time::timeout(PATIENCE, answer).await.expect("an answer")
    }
}

impl Port {
    fn guard(&self, undo: impl Fn(&mut Inner) + Send + Sync + 'static) -> Guard {
        Box::new(OnDrop(Arc::clone(&self.0), Box::new(undo))) as Box<dyn Any + Send + Sync>
    }
}
