//! Fakes for everything that the plugin host needs from outside; what reaches them can be waited for.

use super::PATIENCE;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt, Full};
use plugin_host::{
    Origin, PolicyGrant,
    ports::{
        Attached, Body, Bus, BusEvent, CloseReason, CommandHandler, Commands, ConnectionSink,
        Connections, EventSink, Extent, Frame, Guard, Happening, HttpFailure, HttpHandler, Journal,
        Kv, KvChange, KvDone, KvKeys, Listeners, Live, Measure, Metrics, OpenInfo, Outgoing,
        OutgoingError, Policies, PolicyHandler, Ports, Request, Timeouts, Verdict,
    },
};
use std::{
    any::Any,
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
};
use telepulse_language::{Filter, Principal, Refusal};
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
    open: BTreeMap<u64, Live>,
    /// By plugin and key.
    values: BTreeMap<(String, String), Bytes>,
    /// Who is asked about commands.
    policies: BTreeMap<u64, (PolicyGrant, Arc<dyn PolicyHandler>)>,
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

impl Bus for Port {
    fn publish(&self, plugin: &str, address: &str, payload: Bytes) -> Result<(), String> {
        let text = String::from_utf8_lossy(&payload).into_owned();
        self.0.said.send_modify(|said| said.push((plugin.into(), address.into(), text)));
        Ok(())
    }

    fn request(&self, request: Request) -> BoxFuture<'static, Result<Bytes, String>> {
        let who = request.principal.map_or("nobody".to_owned(), |who| who.name.clone());
        Box::pin(async move { Ok(Bytes::from(format!("{} asks for {who}", request.plugin))) })
    }

    fn subscribe(&self, addresses: &[String], sink: Arc<dyn EventSink>) -> Guard {
        let mut inner = self.0.lock();
        inner.next += 1;
        let id = inner.next;
        inner.subscriptions.insert(id, (addresses.to_vec(), sink));
        drop(inner);
        Box::new(Subscribed {
            id,
            _end: self.guard(move |inner| drop(inner.subscriptions.remove(&id))),
        })
    }

    fn resubscribe(&self, before: Guard, addresses: &[String], sink: Arc<dyn EventSink>) -> Guard {
        let Some(Subscribed { id, .. }) = before.downcast_ref() else { panic!("not of here") };
        self.0.lock().subscriptions.insert(*id, (addresses.to_vec(), sink));
        before
    }
}

impl Connections for Port {
    fn login(&self, _: &str, _: u64, token: &str) -> Result<Arc<Principal>, String> {
        Err(format!("{token} is no token"))
    }

    fn principal(&self, _: &str, conn: u64) -> Option<Arc<Principal>> {
        let name = format!("user {conn}");
        Some(Arc::new(Principal { name, ..Principal::default() }))
    }

    fn attach(
        &self,
        _: &str,
        _: u64,
        _: u64,
        _: Filter,
        _: Option<(String, u64)>,
    ) -> Result<Attached, String> {
        Err("no feeds here".to_owned())
    }

    fn release(&self, _: &str, _: u64, _: u64, _: Frame, _: &[(String, u64)]) {}

    fn detach(&self, _: &str, _: u64, _: u64) {}

    fn send(&self, _: &str, conns: &[u64], frames: &[Frame]) -> Vec<u64> {
        self.0.frames.send_modify(|all| {
            for conn in conns {
                let texts = frames.iter().map(|frame| match frame {
                    Frame::Text(text) => text.clone(),
                    Frame::Binary(bytes) => format!("{bytes:?}"),
                });
                all.entry(*conn).or_default().extend(texts);
            }
        });
        Vec::new()
    }

    fn set_tag(&self, _: &str, conn: u64, tag: Bytes) {
        if let Some(live) = self.0.lock().open.get_mut(&conn) {
            live.tag = tag;
        }
    }

    fn close(&self, _: &str, conns: &[u64], _: CloseReason) {
        self.0.lock().open.retain(|conn, _| !conns.contains(conn));
    }

    fn live(&self, _: &str) -> Vec<Live> {
        self.0.lock().open.values().cloned().collect()
    }
}

impl Listeners for Port {
    fn websocket(
        &self,
        _: &str,
        _: SocketAddr,
        path: &str,
        _: &[String],
        sink: Arc<dyn ConnectionSink>,
    ) -> BoxFuture<'static, Result<Guard, String>> {
        let mut inner = self.0.lock();
        inner.next += 1;
        let id = inner.next;
        let result = if inner.websockets.contains_key(path) {
            Err(format!("{path} is taken"))
        } else {
            inner.websockets.insert(path.into(), (id, sink));
            let path = path.to_owned();
            Ok(self.guard(move |inner| inner.websockets.retain(|own, _| *own != path)))
        };
        Box::pin(async {
            // A real one binds a socket: that must be on a runtime which can.
            tokio::net::TcpListener::bind("127.0.0.1:0")
                .await
                .map_err(|error| error.to_string())?;
            result
        })
    }

    fn http(
        &self,
        _: &str,
        _: SocketAddr,
        path: &str,
        handler: Arc<dyn HttpHandler>,
    ) -> BoxFuture<'static, Result<Guard, String>> {
        let mut inner = self.0.lock();
        inner.next += 1;
        let id = inner.next;
        inner.routes.insert(path.into(), (id, handler));
        let path = path.to_owned();
        let guard = self.guard(move |inner| inner.routes.retain(|own, _| *own != path));
        Box::pin(std::future::ready(Ok(guard)))
    }
}

/// Values without any time: they are kept until they are taken.
impl Kv for Port {
    fn get(&self, plugin: &str, key: String) -> BoxFuture<'static, Result<Option<Bytes>, String>> {
        let value = self.0.lock().values.get(&(plugin.to_owned(), key)).cloned();
        Box::pin(async { Ok(value) })
    }

    fn change(
        &self,
        plugin: &str,
        room: u64,
        change: KvChange,
    ) -> BoxFuture<'static, Result<KvDone, String>> {
        let values = &mut self.0.lock().values;
        let of = |key: String| (plugin.to_owned(), key);
        let mut done = KvDone { is_done: true, ..KvDone::default() };
        let refused = match change {
            KvChange::Set { value, .. } if value.len() as u64 > room => Some("no room".to_owned()),
            KvChange::Set { key, value, .. } => {
                values.insert(of(key), value);
                None
            }
            KvChange::CompareAndSwap { key, expected, value, .. } => {
                done.is_done = values.get(&of(key.clone())) == expected.as_ref();
                if done.is_done {
                    values.insert(of(key), value);
                }
                None
            }
            KvChange::Take { key } => {
                done.taken = values.remove(&of(key));
                None
            }
            KvChange::Increment { key, by } => {
                let before = values
                    .get(&of(key.clone()))
                    .map_or("0".into(), |value| String::from_utf8_lossy(value).into_owned());
                done.number = before.parse::<i64>().ok().map(|before| before + by);
                match done.number {
                    Some(number) => drop(values.insert(of(key), number.to_string().into())),
                    None => return Box::pin(async { Err("no number".to_owned()) }),
                }
                None
            }
        };
        Box::pin(async { refused.map_or(Ok(done), Err) })
    }

    fn keys(&self, plugin: &str, keys: KvKeys) -> BoxFuture<'static, Result<Vec<String>, String>> {
        let KvKeys { prefix, after, max } = keys;
        let inner = self.0.lock();
        let own = inner.values.keys().filter(|(owner, _)| owner == plugin).map(|(_, key)| key);
        let wanted = own.filter(|key| {
            key.starts_with(&prefix) && after.as_ref().is_none_or(|after| *key > after)
        });
        let found = wanted.take(max as usize).cloned().collect();
        Box::pin(async { Ok(found) })
    }
}

impl Journal for Port {
    fn open(&self, plugin: &Arc<str>) -> BoxFuture<'static, Result<Extent, String>> {
        let journal = self.0.journal();
        let kept = journal.get(plugin);
        let extent = kept.and_then(|kept| {
            let (first, last) = (*kept.first_key_value()?.0, *kept.last_key_value()?.0);
            let bytes = kept.values().map(|message| message.len() as u64).sum();
            Some(Extent { first, last, bytes })
        });
        Box::pin(async move { Ok(extent.unwrap_or_default()) })
    }

    fn append(&self, plugin: &Arc<str>, number: u64, message: Bytes) -> bool {
        self.0.journal().entry(Arc::clone(plugin)).or_default().insert(number, message);
        true
    }

    fn forget(&self, plugin: &Arc<str>, up_to: u64) {
        if let Some(kept) = self.0.journal().get_mut(plugin) {
            kept.retain(|number, _| *number > up_to);
        }
    }

    fn read(
        &self,
        plugin: &Arc<str>,
        after: u64,
        most: usize,
    ) -> BoxFuture<'static, Result<Vec<(u64, Bytes)>, String>> {
        let journal = self.0.journal();
        let kept = journal.get(plugin);
        let found = kept.into_iter().flat_map(|kept| kept.range(after + 1..)).take(most);
        let found = found.map(|(number, message)| (*number, message.clone())).collect();
        Box::pin(async move { Ok(found) })
    }
}

impl Metrics for Port {
    fn record(&self, _: &str, _: &str, _: &[(String, String)], _: Measure) -> Result<(), String> {
        Ok(())
    }
}

impl Policies for Port {
    fn register(&self, _: &str, grant: PolicyGrant, handler: Arc<dyn PolicyHandler>) -> Guard {
        let mut inner = self.0.lock();
        inner.next += 1;
        let id = inner.next;
        inner.policies.insert(id, (grant, handler));
        let forget = move |inner: &mut Inner| drop(inner.policies.remove(&id));
        Box::new(OnDrop(Arc::clone(&self.0), Box::new(forget)))
    }
}

impl Commands for Port {
    fn register(
        &self,
        _: &str,
        action: &str,
        handler: Arc<dyn CommandHandler>,
    ) -> Result<Guard, String> {
        let action = action.to_owned();
        let mut inner = self.0.lock();
        if inner.commands.contains_key(&action) {
            return Err(format!("{action} is served already"));
        }
        inner.commands.insert(action.clone(), handler);
        let forget = move |inner: &mut Inner| drop(inner.commands.remove(&action));
        Ok(Box::new(OnDrop(Arc::clone(&self.0), Box::new(forget))))
    }
}

/// Where requests are echoed.
const ECHO: u16 = 9;

/// Nobody else is out there.
impl Outgoing for Port {
    fn send(
        &self,
        request: http::Request<Body>,
        origin: Origin,
        _: Timeouts,
    ) -> BoxFuture<'static, Result<http::Response<Body>, OutgoingError>> {
        Box::pin(async move {
            if origin.port != ECHO {
                return Err(OutgoingError::ConnectTimeout);
            }
            let (head, body) = request.into_parts();
            let body =
                body.collect().await.map_err(|error| OutgoingError::Http(error.to_string()))?;
            let text = [head.method.as_str().as_bytes(), b" ", &body.to_bytes()].concat();
            let body = Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed_unsync();
            let response = http::Response::builder().status(201).header("X-Twice", "a");
            let response = response.header("X-Twice", "b").body(body);
            response.map_err(|error| OutgoingError::Http(error.to_string()))
        })
    }
}
