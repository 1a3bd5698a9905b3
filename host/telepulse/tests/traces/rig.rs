//! A platform on a simulated call centre, with the REST gateway and a policy.

use super::collector::Collector;
use ami_simulator::{Settings, Simulator};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    time::Duration,
};
use telepulse::{
    app::App,
    bus::{Address, Headers},
    config::{Config, Source},
};
use tempfile::TempDir;
use tokio::net::TcpStream;

pub(crate) const SOON: Duration = Duration::from_secs(30);
/// Of the user ana, and its hash.
const TOKEN: &str = "all-powerful-test-token";
const HASH: &str = "88fccf74160e6004393102d372894cd8180b99b0d1748393f687edd086bd7a62";

pub(crate) struct Rig {
    pub(crate) app: App,
    pub(crate) simulator: ami_simulator::Handle,
    rest: SocketAddr,
    _folder: TempDir,
}

fn component(name: &str, plugins: &Path, as_name: &str, grants: &str) {
    let built =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins/wasm32-wasip2/plugin");
    fs::write(plugins.join(format!("{as_name}.toml")), grants).unwrap();
    let to = plugins.join(format!("{as_name}.wasm"));
    fs::copy(built.join(format!("{name}.wasm")), to).unwrap();
}

impl Rig {
    /// Sends its traces there.
    pub(crate) async fn traced(collector: &Collector) -> Self {
        let address = collector.address;
        Self::with(&format!("[telemetry]\notlp = \"http://{address}\"\nheaders = \"api-key=k\"\n"))
            .await
    }

    /// With more in its configuration.
    pub(crate) async fn with(telemetry: &str) -> Self {
        Self::start(telemetry, true).await
    }

    /// Without plugins, which take their time.
    pub(crate) async fn bare(telemetry: &str) -> Self {
        Self::start(telemetry, false).await
    }

    async fn start(telemetry: &str, has_plugins: bool) -> Self {
        let folder = TempDir::new().unwrap();
        let plugins = folder.path().join("plugins.d");
        fs::create_dir(&plugins).unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let rest = free.local_addr().unwrap();
        drop(free);
        if has_plugins {
            let grants = format!(
                "[grants]\nrequest = [\"telepulse.command\", \"telepulse.query\"]\nkv = \"16 MiB\"\n\
                 routes = [{{ listen = \"{rest}\", path = \"/v1\" }}]\n"
            );
            component("telepulse_plugin_rest", &plugins, "rest", &grants);
            let grants = "[grants]\npolicy = { commands = [\"dial\"], order = 10 }\n";
            component("warden", &plugins, "warden", grants);
        }
        let mut settings = Settings { system_name: "pbx1".into(), ..Settings::quiet(4, &[]) };
        settings.phones[3].online = false;
        let listen = (Ipv4Addr::LOCALHOST, 0).into();
        let simulator = Simulator::start(settings, 1, listen).await.unwrap();
        let port = simulator.address().port();
        let text = format!(
            "[node]\nname = \"here\"\n[store]\npath = \"data\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\
             [[server]]\nid = \"pbx1\"\nhost = \"127.0.0.1\"\nport = {port}\n\
             username = \"telepulse\"\nsecret = \"simulated\"\n\
             [[auth.user]]\nname = \"ana\"\ntoken = \"sha256:{HASH}\"\nallow = [\"*\"]\n{telemetry}"
        );
        let file = folder.path().join("telepulse.toml");
        let config = Config::parse(&Source::alone(&file, &text));
        let app = App::start(config.unwrap()).await.unwrap();
        for plugin in app.plugins().list() {
            assert_eq!(plugin.error, None, "{}", plugin.name);
        }
        let rig = Self { app, simulator, rest, _folder: folder };
        rig.connected().await;
        rig
    }

    async fn connected(&self) {
        let stream = self.app.bus().stream();
        let (mut news, mut seen) = (stream.news(), 0);
        let connected = async {
            loop {
                for entry in stream.read(seen, 1_000).unwrap() {
                    seen = entry.seq;
                    let event: Value = serde_json::from_slice(&entry.json()).unwrap();
                    if event["state"] == "CONNECTED" {
                        return;
                    }
                }
                news.wait_for(|tail| *tail > seen).await.unwrap();
            }
        };
        tokio::time::timeout(SOON, connected).await.unwrap();
    }

    /// An order over REST, as the user ana.
    pub(crate) async fn rest(
        &self,
        method: &str,
        path: &str,
        body: Value,
        traceparent: Option<&str>,
    ) -> (StatusCode, Value) {
        self.rest_as(Some(TOKEN), method, path, body, traceparent).await
    }

    /// The same as whoever has this token, or nobody.
    pub(crate) async fn rest_as(
        &self,
        token: Option<&str>,
        method: &str,
        path: &str,
        body: Value,
        traceparent: Option<&str>,
    ) -> (StatusCode, Value) {
        let stream = TcpStream::connect(self.rest).await.unwrap();
        let io = TokioIo::new(stream);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
        tokio::spawn(connection);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.rest.to_string())
            .header("content-type", "application/json");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(traceparent) = traceparent {
            request = request.header("traceparent", traceparent);
        }
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        let request = request.body(Full::new(body)).unwrap();
        let (head, body) = sender.send_request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (head.status, serde_json::from_slice(&body).unwrap_or_default())
    }

    /// A request on the bus, by the host itself.
    pub(crate) async fn ask(&self, address: &str, request: Value) -> Value {
        let address = Address::parse(address).unwrap();
        let request = request.to_string().into_bytes().into();
        let answer = self.app.bus().request(&address, request, Headers::within(SOON)).await;
        serde_json::from_slice(&answer.unwrap()).unwrap()
    }

    /// 101 calls 102, over the bus.
    pub(crate) async fn dial(&self) -> Value {
        let dial = json!({"action": "dial", "from": "101", "to": "102"});
        self.ask("telepulse.command", dial).await
    }

    /// `GET /metrics` of one figure.
    pub(crate) async fn figure(&self, name: &str) -> f64 {
        let stream = TcpStream::connect(self.app.admin_address()).await.unwrap();
        let io = TokioIo::new(stream);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
        tokio::spawn(connection);
        let request = Request::get("/metrics")
            .header("host", self.app.admin_address().to_string())
            .body(Full::<Bytes>::default())
            .unwrap();
        let answer = sender.send_request(request).await.unwrap();
        let text = answer.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8(text.to_vec()).unwrap();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        value.unwrap_or_else(|| panic!("no {name}: {text}"))
    }
}
