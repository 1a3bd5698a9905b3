//! The admin API as its callers see it: over the router.

use super::*;
use crate::{
    auth::hash_token,
    bus::{Address, Incoming, LocalBus},
    config::Server,
};
use axum::{body::Body, extract::ConnectInfo, http::Request};
use futures_util::future::BoxFuture;
use http_body_util::BodyExt;
use plugin_host::ports;
use serde_json::Value;
use std::{collections::BTreeMap, net::SocketAddr};
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
        let api = Api {
            cluster: crate::cluster::Cluster::alone(),
            bus,
            plugins,
            figures,
            clients: Arc::new(|| 3),
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

/// Plugins' ports that nobody reaches.
struct Nothing;

impl ports::Policies for Nothing {
    fn register(
        &self,
        _: &str,
        _: plugin_host::PolicyGrant,
        _: Arc<dyn ports::PolicyHandler>,
    ) -> ports::Guard {
        Box::new(())
    }
}

impl ports::Commands for Nothing {
    fn register(
        &self,
        _: &str,
        _: &str,
        _: Arc<dyn ports::CommandHandler>,
    ) -> Result<ports::Guard, String> {
        Ok(Box::new(()))
    }
}

impl ports::Outgoing for Nothing {
    fn send(
        &self,
        _: http::Request<ports::Body>,
        _: plugin_host::Origin,
        _: ports::Timeouts,
    ) -> BoxFuture<'static, Result<http::Response<ports::Body>, ports::OutgoingError>> {
        Box::pin(async { Err(ports::OutgoingError::ConnectTimeout) })
    }
}

impl ports::Kv for Nothing {
    fn get(&self, _: &str, _: String) -> BoxFuture<'static, Result<Option<bytes::Bytes>, String>> {
        Box::pin(async { Ok(None) })
    }
    fn change(
        &self,
        _: &str,
        _: u64,
        _: ports::KvChange,
    ) -> BoxFuture<'static, Result<ports::KvDone, String>> {
        Box::pin(async { Ok(ports::KvDone::default()) })
    }
    fn keys(&self, _: &str, _: ports::KvKeys) -> BoxFuture<'static, Result<Vec<String>, String>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

impl ports::Journal for Nothing {
    fn open(&self, _: &Arc<str>) -> BoxFuture<'static, Result<ports::Extent, String>> {
        Box::pin(async { Ok(ports::Extent::default()) })
    }
    fn append(&self, _: &Arc<str>, _: u64, _: bytes::Bytes) -> bool {
        false
    }
    fn forget(&self, _: &Arc<str>, _: u64) {}
    fn read(
        &self,
        _: &Arc<str>,
        _: u64,
        _: usize,
    ) -> BoxFuture<'static, Result<Vec<(u64, bytes::Bytes)>, String>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

impl ports::Bus for Nothing {
    fn publish(&self, _: &str, _: &str, _: bytes::Bytes) -> Result<(), String> {
        Ok(())
    }
    fn request(&self, _: ports::Request) -> BoxFuture<'static, Result<bytes::Bytes, String>> {
        Box::pin(async { Err("nobody".to_owned()) })
    }
    fn resubscribe(
        &self,
        before: ports::Guard,
        _: &[String],
        _: Arc<dyn ports::EventSink>,
    ) -> ports::Guard {
        before
    }

    fn subscribe(&self, _: &[String], _: Arc<dyn ports::EventSink>) -> ports::Guard {
        Box::new(())
    }
}

impl ports::Connections for Nothing {
    fn login(
        &self,
        _: &str,
        _: u64,
        _: &str,
    ) -> Result<Arc<telepulse_language::Principal>, String> {
        Err("nobody".to_owned())
    }
    fn principal(&self, _: &str, _: u64) -> Option<Arc<telepulse_language::Principal>> {
        None
    }
    fn attach(
        &self,
        _: &str,
        _: u64,
        _: u64,
        _: telepulse_language::Filter,
        _: Option<(String, u64)>,
    ) -> Result<ports::Attached, String> {
        Err("nobody".to_owned())
    }
    fn release(&self, _: &str, _: u64, _: u64, _: ports::Frame, _: &[(String, u64)]) {}
    fn detach(&self, _: &str, _: u64, _: u64) {}
    fn send(&self, _: &str, conns: &[u64], _: &[ports::Frame]) -> Vec<u64> {
        conns.to_vec()
    }
    fn set_tag(&self, _: &str, _: u64, _: bytes::Bytes) {}
    fn close(&self, _: &str, _: &[u64], _: ports::CloseReason) {}
    fn live(&self, _: &str) -> Vec<ports::Live> {
        Vec::new()
    }
}

impl ports::Listeners for Nothing {
    fn websocket(
        &self,
        _: &str,
        _: SocketAddr,
        _: &str,
        _: &[String],
        _: Arc<dyn ports::ConnectionSink>,
    ) -> BoxFuture<'static, Result<ports::Guard, String>> {
        Box::pin(async { Err("no sockets".to_owned()) })
    }
    fn http(
        &self,
        _: &str,
        _: SocketAddr,
        _: &str,
        _: Arc<dyn ports::HttpHandler>,
    ) -> BoxFuture<'static, Result<ports::Guard, String>> {
        Box::pin(async { Err("no sockets".to_owned()) })
    }
}

fn pbx1() -> Value {
    json!({ "id": "pbx1", "host": "h", "username": "u", "secret": "canary" })
}

#[tokio::test]
async fn servers_come_change_and_go() {
    let world = World::local().await;
    assert_eq!(world.call("GET", "/servers", None).await.body, json!({ "items": [] }));
    let added = world.call("POST", "/servers", Some(pbx1())).await;
    assert_eq!((added.status, added.location.as_deref()), (201, Some("/servers/pbx1")));
    assert_eq!(added.body, json!({ "id": "pbx1", "host": "h" }));
    let twice = world.call("POST", "/servers", Some(pbx1())).await;
    assert_eq!(twice.problem(), (409, "conflict", ""));
    let mut other = pbx1();
    other["host"] = "h2".into();
    let changed = world.call("PUT", "/servers/pbx1", Some(other.clone())).await;
    assert_eq!((changed.status, &changed.body["host"]), (200, &json!("h2")));
    assert_eq!(world.call("GET", "/servers/pbx1", None).await.body["host"], "h2");
    let renamed = world.call("PUT", "/servers/pbx2", Some(other)).await;
    assert_eq!(renamed.problem(), (400, "badRequest", "id"));
    for order in ["restart", "stop", "start"] {
        let path = format!("/servers/pbx1/{order}");
        assert_eq!(world.call("POST", &path, None).await.status, 202, "{order}");
    }
    let unknown = world.call("POST", "/servers/pbx1/explode", None).await;
    assert_eq!(unknown.problem(), (404, "notFound", ""));
    assert_eq!(world.call("DELETE", "/servers/pbx1", None).await.status, 204);
    for (method, path) in [
        ("GET", "/servers/pbx1"),
        ("DELETE", "/servers/pbx1"),
        ("POST", "/servers/pbx1/restart"),
        ("GET", "/nothing"),
    ] {
        assert_eq!(world.call(method, path, None).await.problem(), (404, "notFound", ""));
    }
    assert_eq!(world.call("PATCH", "/servers", None).await.problem(), (405, "badRequest", ""));
}

#[tokio::test]
async fn bad_servers_are_told_by_field() {
    let world = World::local().await;
    for (field, value) in [
        ("id", json!("../x")),
        ("host", json!("a\nb")),
        ("port", json!(0)),
        ("secret", json!("canary\r\nAction: Logoff")),
        ("colour", json!("red")),
    ] {
        let mut server = pbx1();
        server[field] = value;
        let answer = world.call("POST", "/servers", Some(server)).await;
        assert_eq!(answer.problem(), (400, "badRequest", field));
        assert!(!answer.body.to_string().contains("canary"));
    }
}

#[tokio::test]
async fn bodies_are_json_and_bounded() {
    let world = World::local().await;
    let post = |kind: &'static str, body: Body| {
        let mut request = with(request("POST", "/servers", None), &[("content-type", kind)]);
        *request.body_mut() = body;
        request
    };
    for (request, expected) in [
        (request("POST", "/servers", None), 415),
        (post("text/plain", pbx1().to_string().into()), 415),
        (post("application/x-www-form-urlencoded", Body::empty()), 415),
        (post("application/json", "{".into()), 400),
        (post("application/json", "[]".into()), 400),
        (post("application/json", "{\"id\":\"a\",\"id\":\"b\"}".into()), 400),
        (post("application/json", vec![b' '; 70_000].into()), 413),
        (with(post("application/json", "{}".into()), &[("content-length", "70000")]), 413),
        (post("application/json; charset=utf-8", pbx1().to_string().into()), 201),
        (with(request("POST", "/servers/pbx1/stop", None), &[("content-type", "text/plain")]), 415),
        (with(request("PUT", "/plugins/a", None), &[("content-type", "text/html")]), 415),
    ] {
        let what = format!("{request:?}");
        let answer = world.send(request).await;
        assert_eq!(answer.status, expected, "{what}");
        if expected != 201 {
            assert_eq!(answer.problem().1, "badRequest");
        }
    }
}

#[tokio::test]
async fn foreign_pages_are_turned_away() {
    let world = World::local().await;
    let get = || request("GET", "/servers", None);
    let post = || request("POST", "/servers", Some(pbx1()));
    for (request, expected) in [
        (with(get(), &[("host", "evil.example")]), 403),
        (with(get(), &[("host", "evil.example:8082")]), 403),
        (with(get(), &[("host", "127.0.0.1.evil.example")]), 403),
        (with(get(), &[("host", "10.0.0.1:8082")]), 403),
        (with(get(), &[("host", "")]), 400),
        (with(get(), &[("host", "a b")]), 400),
        (with(get(), &[("host", "localhost:9000")]), 200),
        (with(get(), &[("host", "[::1]:8082")]), 200),
        (with(get(), &[("host", "LOCALHOST")]), 200),
        (with(get(), &[("origin", "http://evil.example")]), 403),
        (with(post(), &[("origin", "http://evil.example")]), 403),
        (with(post(), &[("origin", "null")]), 403),
        (with(post(), &[("origin", "http://127.0.0.1:8083")]), 403),
        (with(post(), &[("sec-fetch-site", "cross-site")]), 403),
        (with(post(), &[("sec-fetch-site", "same-site")]), 403),
        (with(get(), &[("sec-fetch-site", "cross-site")]), 200),
        (
            with(post(), &[("origin", "http://127.0.0.1:8082"), ("sec-fetch-site", "same-origin")]),
            201,
        ),
    ] {
        let what = format!("{:?}", request.headers());
        assert_eq!(world.send(request).await.status, expected, "{what}");
    }
    let mut two = get();
    two.headers_mut().append("host", "127.0.0.1".parse().unwrap());
    assert_eq!(world.send(two).await.status, 400);
    let absolute = request("GET", "http://evil.example/servers", None);
    assert_eq!(world.send(absolute).await.status, 400);
}

#[tokio::test]
async fn a_configured_token_is_asked_for() {
    let world = World::new("0.0.0.0:8082", Some("the-token")).await;
    let get = |path| with(request("GET", path, None), &[("host", "admin.example")]);
    for (headers, expected) in [
        (&[][..], 401),
        (&[("authorization", "Bearer wrong")][..], 401),
        (&[("authorization", "Basic the-token")][..], 401),
        (&[("authorization", "Bearer the-token")][..], 200),
    ] {
        let answer = world.send(with(get("/servers"), headers)).await;
        assert_eq!(answer.status, expected, "{headers:?}");
        if expected == 401 {
            assert_eq!(answer.problem(), (401, "unauthorized", ""));
            assert!(answer.challenge.is_some_and(|challenge| challenge.starts_with("Bearer")));
        }
    }
    assert_eq!(world.send(get("/healthz")).await.status, 200);
    assert_eq!(world.send(get("/readyz")).await.status, 200);
}

#[tokio::test]
async fn admin_tokens_are_not_guessed() {
    let world = World::new("0.0.0.0:8082", Some("the-token")).await;
    let send = async |peer: &str, authorization: Option<&'static str>| {
        let headers: Vec<_> =
            authorization.map(|value| ("authorization", value)).into_iter().collect();
        let mut request = with(request("GET", "/servers", None), &headers);
        let peer: SocketAddr = peer.parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        world.send(request).await.status
    };
    for _ in 0..30 {
        assert_eq!(send("192.0.2.7:4000", Some("Bearer wrong")).await, 401);
    }
    assert_eq!(send("192.0.2.7:4001", Some("Bearer wrong")).await, 429);
    assert_eq!(send("192.0.2.7:4001", Some("Bearer the-token")).await, 200);
    assert_eq!(send("192.0.2.7:4001", None).await, 401, "asking without one is no guess");
    assert_eq!(send("192.0.2.8:4000", Some("Bearer wrong")).await, 401);
}

#[tokio::test]
async fn it_is_not_ready_once_it_stops() {
    let world = World::local().await;
    assert_eq!(world.call("GET", "/readyz", None).await.status, 200);
    world.api.stopping.cancel();
    let answer = world.call("GET", "/readyz", None).await;
    assert_eq!(answer.problem(), (503, "serverUnavailable", ""));
    assert_eq!(world.call("GET", "/healthz", None).await.status, 200);
}

#[test]
fn a_failed_gateway_makes_it_unready_and_nothing_else_does() {
    use plugin_host::State;
    let exports = |name: &str| [format!("{name}@0.2.12")];
    let (gateway, other) =
        (exports("wasi:http/incoming-handler"), exports("telepulse:plugin/subscriber"));
    assert!(is_gateway_down(State::Failed, &gateway));
    assert!(is_gateway_down(State::Failed, &exports("telepulse:plugin/http-handler")));
    assert!(is_gateway_down(State::Failed, &exports("telepulse:plugin/connection-handler")));
    assert!(!is_gateway_down(State::Failed, &other));
    for state in [State::Running, State::Waiting, State::Stopped] {
        assert!(!is_gateway_down(state, &gateway), "{state:?}");
    }
}

#[tokio::test]
async fn without_a_proxy_servers_are_unavailable() {
    let mut world = World::local().await;
    world.api.bus = LocalBus::new("epoch".to_owned(), 16);
    for path in ["/servers", "/readyz"] {
        let answer = world.call("GET", path, None).await;
        assert_eq!(answer.problem(), (503, "serverUnavailable", ""));
    }
}

#[tokio::test]
async fn plugins_are_shown_ordered_and_removed() {
    let world = World::local().await;
    let all = world.call("GET", "/plugins", None).await.body;
    assert_eq!((&all[0]["name"], &all[0]["state"]), (&json!("crm"), &json!("failed")));
    assert_eq!(world.call("GET", "/plugins/crm", None).await.body, all[0]);
    for (order, state) in [("stop", "stopped"), ("start", "failed"), ("reload", "failed")] {
        let answer = world.call("POST", &format!("/plugins/crm/{order}"), None).await;
        assert_eq!((answer.status, &answer.body["state"]), (200, &json!(state)), "{order}");
    }
    let unknown = world.call("POST", "/plugins/crm/explode", None).await;
    assert_eq!(unknown.problem(), (404, "notFound", ""));
    assert_eq!(world.call("DELETE", "/plugins/crm", None).await.status, 204);
    for (method, path) in
        [("GET", "/plugins/crm"), ("DELETE", "/plugins/crm"), ("POST", "/plugins/crm/reload")]
    {
        assert_eq!(world.call(method, path, None).await.problem(), (404, "notFound", ""));
    }
    assert_eq!(world.call("GET", "/plugins", None).await.body, json!([]));
}

#[tokio::test]
async fn what_cannot_be_a_plugin_is_not_installed() {
    let world = World::local().await;
    let put = async |name: &str, body: &'static [u8]| {
        let kind = [("content-type", "application/wasm")];
        let mut request = with(request("PUT", &format!("/plugins/{name}"), None), &kind);
        *request.body_mut() = body.into();
        world.send(request).await
    };
    assert_eq!(put("new", b"no component").await.problem(), (400, "badRequest", ""));
    for name in ["..%2Fx", "CON", "a.b", "%EF%BD%97s", &"x".repeat(64)] {
        let answer = put(name, EMPTY_COMPONENT).await;
        assert_eq!(answer.problem(), (400, "badRequest", "name"), "{name}");
        let answer = world.call("GET", &format!("/plugins/{name}"), None).await;
        assert_eq!(answer.problem(), (400, "badRequest", "name"), "{name}");
    }
    let all = world.call("GET", "/plugins", None).await.body;
    assert_eq!(all.as_array().map(Vec::len), Some(1), "{all}");
}

#[tokio::test]
async fn the_description_tells_what_there_is() {
    let world = World::local().await;
    let description = world.call("GET", "/openapi.json", None).await;
    assert_eq!(description.kind, "application/json");
    assert_eq!(description.body["openapi"], "3.1.0");
    let paths = description.body["paths"].as_object().unwrap();
    for (path, methods) in paths {
        for method in methods.as_object().unwrap().keys() {
            let path = path.replace("{id}", "pbx1").replace("{name}", "crm");
            let answer = world.call(&method.to_uppercase(), &path, None).await;
            assert_ne!(answer.status, 405, "{method} {path}");
            let detail = answer.body["detail"].as_str().unwrap_or_default();
            assert!(!detail.contains("no such path"), "{method} {path}");
        }
    }
    let fields = &description.body["components"]["schemas"]["Server"]["properties"];
    for key in crate::config::Server::KEYS {
        assert!(fields[key].is_object(), "{key}");
    }
}

#[tokio::test]
async fn figures_are_told_for_prometheus() {
    let world = World::local().await;
    let added = json!({"id": "pbx1", "host": "10.0.0.1", "username": "u", "secret": "s"});
    assert_eq!(world.call("POST", "/servers", Some(added)).await.status, 201);
    let router = router(world.api.clone());
    let response = router.oneshot(request("GET", "/metrics", None)).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    let text = String::from_utf8(body.to_vec()).unwrap();
    for line in [
        "telepulse_plugin_state{plugin=\"crm\",state=\"failed\"} 1",
        "telepulse_plugin_state{plugin=\"crm\",state=\"running\"} 0",
        "telepulse_server_events_total{server=\"pbx1\"} 0",
    ] {
        assert!(text.lines().any(|told| told == line), "{line}: {text}");
    }
}

#[tokio::test]
async fn builds_are_listed_and_gone_back_to() {
    let world = World::local().await;
    let history = world.call("GET", "/plugins/crm/history", None).await;
    assert_eq!((history.status, history.body), (200, json!({ "items": [] })));
    let nothing = world.call("POST", "/plugins/crm/rollback", None).await;
    assert_eq!(nothing.problem(), (404, "notFound", ""));
    let unknown = world.call("POST", "/plugins/crm/rollback", Some(json!({"hash": "abc"}))).await;
    assert_eq!(unknown.problem(), (404, "notFound", ""));
    for (body, field) in [(json!({"hash": "../x"}), "hash"), (json!({"build": "abc"}), "build")] {
        let refused = world.call("POST", "/plugins/crm/rollback", Some(body)).await;
        assert_eq!(refused.problem(), (400, "badRequest", field));
    }
    let none = world.call("GET", "/plugins/nobody/history", None).await;
    assert_eq!(none.problem(), (404, "notFound", ""));
}

#[tokio::test]
async fn a_configuration_is_tried_and_refused() {
    let world = World::new("127.0.0.1:8082", None).await;
    let reload = async |body: &str| {
        let request = Request::post("/configuration/reload")
            .header("host", "127.0.0.1:8082")
            .header("content-type", "application/json")
            .body(Body::from(body.to_owned()))
            .unwrap();
        let response = router(world.api.clone()).oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice::<Value>(&bytes).unwrap())
    };
    let (status, answer) = reload("{\"dryRun\":true}").await;
    assert_eq!((status, &answer["applied"]), (StatusCode::OK, &json!(false)));
    assert_eq!(answer["changes"][0]["key"], "log.level");
    let (status, answer) = reload("{}").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(
        answer["mistakes"],
        json!([{ "where": "x.toml:3", "what": "log.level: must be …" }])
    );
    assert_eq!(reload("{\"dry\":1}").await.1["field"], "dry");
}
