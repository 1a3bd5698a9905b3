//! The admin API as its callers see it: over the router.

mod doors;
mod nothing;
mod plugins;
mod servers;
mod told;

use super::*;
use crate::{
    auth::{Auth, Memory, hash_token},
    bus::{Address, Incoming, LocalBus},
    config::Server,
};
use axum::{body::Body, extract::ConnectInfo, http::Request};
use futures_util::future::BoxFuture;
use http_body_util::BodyExt;
use nothing::Nothing;
use plugin_host::ports;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};
use telepulse_language::{Refusal, Reply};
use tempfile::TempDir;
use tower::ServiceExt;

/// A program whose configuration is good for a trial, and bad when it is to be used.
async fn program(mut orders: tokio::sync::mpsc::Receiver<Order>) {
    while let Some(order) = orders.recv().await {
        let outcome = if order.is_trial {
            let changes = vec![json!({ "key": "log.level", "before": "info", "after": "debug" })];
            Outcome::Good { changes, told: "log changes".to_owned() }
        } else {
            Outcome::Bad(vec![("x.toml:3".to_owned(), "log.level: must be …".to_owned())])
        };
        let _ = order.reply.send(outcome);
    }
}

/// A component with nothing in it: it lies in the folder as `crm.wasm` and fails.
const EMPTY_COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

struct World {
    api: Api,
    _folder: TempDir,
}

impl World {
    async fn new(listen: &str, token: Option<&str>) -> Self {
        let bus = LocalBus::new("epoch".to_owned(), 16);
        let orders = bus.serve(&Address::parse("telepulse.proxy.command").unwrap(), 16).unwrap();
        tokio::spawn(proxy(orders));
        let folder = TempDir::new().unwrap();
        let dir = folder.path().join("plugins.d");
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(dir.join("crm.wasm"), EMPTY_COMPONENT).unwrap();
        let ports = ports::Ports {
            bus: Arc::new(Nothing),
            connections: Arc::new(Nothing),
            listeners: Arc::new(Nothing),
            kv: Arc::new(Nothing),
            policies: Arc::new(Nothing),
            commands: Arc::new(Nothing),
            outgoing: Arc::new(Nothing),
            journal: Arc::new(Nothing),
            metrics: Arc::new(PluginFigures::new().unwrap()),
            placement: Arc::new(ports::Everywhere),
        };
        let stopping = CancellationToken::new();
        let mut options = plugin_host::Options::new(dir, folder.path().join("cache"), ports);
        (options.pooling, options.threads) = (false, 1);
        let plugins = PluginHost::start(options, stopping.clone()).await.unwrap();
        let settings = config::Admin {
            listen: listen.parse().unwrap(),
            token: token.map(hash_token),
            tls: false,
        };
        let figures = Arc::new(PluginFigures::new().unwrap());
        let (reload, orders) = tokio::sync::mpsc::channel(1);
        tokio::spawn(program(orders));
        let ana = config::User {
            name: "ana".to_owned(),
            token: Some(hash_token("ana-token")),
            password: None,
            extension: None,
            agents: None,
            queues: None,
            servers: None,
            allow: BTreeSet::new(),
        };
        let api = Api {
            cluster: crate::cluster::Cluster::alone(),
            bus,
            plugins,
            figures,
            clients: Arc::new(|| 3),
            gate: Gate::new(Arc::new(Auth::new(&[ana]))),
            revocations: Revocations::new(Arc::new(Memory::default()), None),
            reload,
            settings: Arc::new(settings),
            failed: Arc::default(),
            stopping,
        };
        Self { api, _folder: folder }
    }

    async fn local() -> Self {
        Self::new("127.0.0.1:8082", None).await
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = router(self.api.clone()).oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        let header = |name| head.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        Answer {
            status: head.status.as_u16(),
            kind: header("content-type").unwrap_or_default(),
            location: header("location"),
            challenge: header("www-authenticate"),
            body,
        }
    }

    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.send(request(method, path, body)).await
    }
}

struct Answer {
    status: u16,
    kind: String,
    location: Option<String>,
    challenge: Option<String>,
    body: Value,
}

impl Answer {
    /// The status, the code of the problem and its field.
    fn problem(&self) -> (u16, &str, &str) {
        assert_eq!(self.kind, "application/problem+json");
        assert_eq!(self.body["status"], self.status);
        let text = |key: &str| self.body[key].as_str().unwrap_or("");
        assert!(!text("detail").is_empty());
        (self.status, text("code"), text("field"))
    }
}

fn request(method: &str, path: &str, body: Option<Value>) -> Request<Body> {
    let request = Request::builder().method(method).uri(path).header("host", "127.0.0.1:8082");
    match body {
        None => request.body(Body::empty()),
        Some(body) => {
            request.header("content-type", "application/json").body(body.to_string().into())
        }
    }
    .unwrap()
}

fn with(mut request: Request<Body>, headers: &[(&'static str, &'static str)]) -> Request<Body> {
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    request
}

/// A proxy that keeps servers in a map.
async fn proxy(mut orders: tokio::sync::mpsc::Receiver<Incoming>) {
    let mut servers = BTreeMap::<String, Server>::new();
    while let Some(Incoming { payload, headers, reply }) = orders.recv().await {
        assert!(headers.principal.is_none() && headers.plugin.is_none());
        let order: Value = serde_json::from_slice(&payload).unwrap();
        let outcome = obey(&mut servers, &order);
        let _ = reply.send(Reply { id: Value::Null, outcome }.to_bytes().into());
    }
}

fn obey(servers: &mut BTreeMap<String, Server>, order: &Value) -> Result<Value, Refusal> {
    let describe = |server: &Server| json!({ "id": server.id, "host": server.host });
    match order["command"].as_str().unwrap() {
        "list" => Ok(json!({ "items": servers.values().map(describe).collect::<Vec<_>>() })),
        command @ ("add" | "change") => {
            let server = Server::from_json(order["server"].clone())?;
            if servers.contains_key(&server.id) != (command == "change") {
                let code = if command == "add" { Code::Conflict } else { Code::NotFound };
                return Err(Refusal::new(code, command));
            }
            let description = describe(&server);
            servers.insert(server.id.clone(), server);
            Ok(description)
        }
        command => {
            let id = order["server"].as_str().unwrap();
            let server = servers.get(id).map(describe);
            if command == "remove" {
                servers.remove(id);
            }
            server.ok_or_else(|| Refusal::new(Code::NotFound, "no such server"))
        }
    }
}

fn pbx1() -> Value {
    json!({ "id": "pbx1", "host": "h", "username": "u", "secret": "canary" })
}
