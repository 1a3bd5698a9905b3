//! Real sockets against fake plugins: every client here is one that anybody could write.

mod conformance;
mod requests;
mod slow;
mod upgrade;
mod websocket;

use super::*;
use crate::{
    auth::{Auth, hash_token},
    bus::{Bus, LocalBus},
    config::User,
    feeds::Hub,
    plugins::PluginPorts,
};
use crate::{
    core::{Policies, Served},
    plugins::{Kept, PluginFigures},
    store::{journal::JournalStore, kv::KvStore},
};
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _, future::BoxFuture};
use plugin_host::ports::{
    Body, BodyFailure, CloseReason, ConnectionSink, Frame, Guard, Happening, HttpFailure,
    HttpHandler, OpenInfo, Ports,
};
use std::{collections::BTreeSet, net::SocketAddr, sync::Arc};
use telepulse_language::{Details, Event, Filter, Other, Principal, Timestamp};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::mpsc,
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest as _, protocol::CloseFrame},
};
use tokio_util::sync::{CancellationToken, DropGuard};

const TOKEN: &str = "s3cret";
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
const PATIENCE: Duration = Duration::from_secs(20);

type WebSocket = WebSocketStream<TcpStream>;

/// Waits, but not for ever.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("it happens in time")
}

/// A host with sockets and nothing else.
struct Host {
    bus: Arc<LocalBus>,
    pool: Arc<ListenerPool>,
    ports: Ports,
    _hub: DropGuard,
}

impl Host {
    fn start(settings: Settings) -> Self {
        let bus = LocalBus::new("e1".into(), 100_000);
        let hub = Hub::new(bus.clone());
        let stop = CancellationToken::new();
        let (running, stopped) = (hub.clone(), stop.clone());
        tokio::spawn(async move { running.run(stopped).await });
        let user = User {
            name: "ana".into(),
            token: Some(hash_token(TOKEN)),
            password: None,
            extension: Some("201".into()),
            agents: None,
            queues: None,
            servers: None,
            allow: BTreeSet::new(),
        };
        let gate = Gate::new(Arc::new(Auth::new(&[user])));
        let pool = ListenerPool::new(gate, Clients::new(hub, settings), None);
        // Nobody here keeps anything: the files may go with their folder.
        let folder = tempfile::tempdir().unwrap();
        let kv = Arc::new(KvStore::start(&folder.path().join("values.redb")).unwrap());
        let journal = JournalStore::start(&folder.path().join("messages.redb")).unwrap();
        let kept = Kept {
            kv,
            journal: Arc::new(journal),
            policies: Arc::new(Policies::default()),
            commands: Arc::new(Served::default()),
            figures: Arc::new(PluginFigures::new().unwrap()),
            placement: Arc::new(plugin_host::ports::Everywhere),
        };
        let ports = PluginPorts::new(bus.clone(), pool.clone(), kept).ports();
        Self { bus, pool, ports, _hub: stop.drop_guard() }
    }

    /// A plugin on `/` that tells everything that happens.
    async fn gateway(&self) -> Gateway {
        let (sink, happenings) = mpsc::channel(1000);
        let origins = ["https://panel.example".to_owned()];
        let sink = Arc::new(Sink(sink));
        let guard = self.ports.listeners.websocket("gateway", LISTEN, "/", &origins, sink);
        let guard = guard.await.unwrap();
        Gateway { ports: self.ports.clone(), happenings, guard }
    }

    fn address(&self) -> SocketAddr {
        self.pool.bound(LISTEN).expect("something is mounted")
    }

    async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.address()).await.unwrap()
    }

    /// Connects with extra headers.
    async fn connect(
        &self,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<(WebSocket, http::Response<Option<Vec<u8>>>), Error> {
        let mut request = format!("ws://localhost{path}").into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        client_async(request, self.tcp().await).await
    }

    /// A client that has logged in.
    async fn client(&self) -> WebSocket {
        let bearer = format!("Bearer {TOKEN}");
        soon(self.connect("/", &[("authorization", &bearer)])).await.unwrap().0
    }

    /// Publishes an event of so many bytes, more or less; answers its number.
    fn publish(&self, bytes: usize) -> u64 {
        let fields = [("fill".to_owned(), "x".repeat(bytes).into())];
        self.bus.append(vec![Event {
            server: "pbx1".into(),
            time: Timestamp(0),
            agent: None,
            queue: None,
            details: Details::Other(Other {
                kind: "paint".into(),
                fields: fields.into_iter().collect(),
            }),
        }]);
        self.bus.stream().tail()
    }
}

struct Sink(mpsc::Sender<Happening>);

impl ConnectionSink for Sink {
    fn happened(&self, happening: Happening) -> BoxFuture<'_, ()> {
        Box::pin(async { drop(self.0.send(happening).await) })
    }
}

/// A gateway plugin, played by the test.
struct Gateway {
    ports: Ports,
    happenings: mpsc::Receiver<Happening>,
    guard: Guard,
}

impl Gateway {
    async fn happening(&mut self) -> Happening {
        soon(self.happenings.recv()).await.expect("the sink is held")
    }

    async fn opened(&mut self) -> OpenInfo {
        match self.happening().await {
            Happening::Open(info) => info,
            other => panic!("not opened: {other:?}"),
        }
    }

    async fn closed(&mut self) -> (u64, u16) {
        loop {
            if let Happening::Closed(conn, reason) = self.happening().await {
                return (conn, reason.code);
            }
        }
    }

    /// Subscribes a connection to everything.
    fn subscribe(&self, conn: u64) {
        let connections = &self.ports.connections;
        let attached = connections.attach("gateway", conn, 1, Filter::default(), None).unwrap();
        let reply = Frame::Text(format!(r#"{{"ok":true,"seq":{}}}"#, attached.seq));
        connections.release("gateway", conn, 1, reply, &[]);
    }

    fn send(&self, conn: u64, text: &str) -> Vec<u64> {
        self.ports.connections.send("gateway", &[conn], &[Frame::Text(text.to_owned())])
    }
}

async fn message(client: &mut WebSocket) -> Message {
    soon(client.next()).await.expect("the connection is open").unwrap()
}

/// The next text as JSON.
async fn json(client: &mut WebSocket) -> serde_json::Value {
    loop {
        match message(client).await {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Ping(_) => {}
            other => panic!("no text: {other:?}"),
        }
    }
}

/// Reads to the close frame.
async fn close_code(client: &mut WebSocket) -> u16 {
    loop {
        if let Message::Close(frame) = message(client).await {
            return frame.expect("a code").code.into();
        }
    }
}
