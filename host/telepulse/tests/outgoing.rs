//! Requests of plugins to the world outside: as far as they are granted, and no way round.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use axum::{Router, http::StatusCode, response::Redirect, routing::get};
use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    time::Duration,
};
use telepulse::{
    app::App,
    config::{Config, Source},
};
use tempfile::TempDir;

/// Serves what a CRM would, and what a hostile one would.
async fn server() -> SocketAddr {
    let router = Router::new()
        .route("/hello", get(|| async { "hello" }))
        .route("/away", get(|| async { Redirect::temporary("http://169.254.169.254/") }))
        .route("/broken", get(|| async { (StatusCode::BAD_GATEWAY, "x".repeat(3_000)) }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// A host with the guest `web` on a port of its own.
struct Host {
    app: App,
    gateway: SocketAddr,
    _folder: TempDir,
}

impl Host {
    async fn start(granted: &[String]) -> Self {
        let folder = TempDir::new().unwrap();
        let plugins = folder.path().join("plugins.d");
        fs::create_dir(&plugins).unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let gateway = free.local_addr().unwrap();
        drop(free);
        let grants = format!(
            "[grants]\nrequest = [\"test.ask\"]\nhttp = {granted:?}\n\
             routes = [{{ listen = \"{gateway}\", path = \"/\" }}]\n[limits]\ncallMs = 1000\n"
        );
        fs::write(plugins.join("web.toml"), grants).unwrap();
        let built = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../target/plugins/wasm32-wasip2/plugin/web.wasm");
        fs::copy(built, plugins.join("web.wasm")).unwrap();
        let config = Config::parse(&Source::alone(
            &folder.path().join("telepulse.toml"),
            "[store]\npath = \"data\"\n[admin]\nlisten = \"127.0.0.1:0\"\n",
        ));
        let app = App::start(config.unwrap()).await.unwrap();
        let status = app.plugins().show("web").unwrap();
        assert_eq!(status.error, None, "{status:?}");
        Self { app, gateway, _folder: folder }
    }

    /// What the plugin tells of its request to `target`.
    async fn out(&self, target: &str) -> String {
        let (gateway, path) = (self.gateway, format!("/out/{target}"));
        let answer = tokio::task::spawn_blocking(move || {
            let mut socket = TcpStream::connect(gateway).unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            socket.write_all(request.as_bytes()).unwrap();
            let mut answer = String::new();
            socket.read_to_string(&mut answer).unwrap();
            answer
        });
        answer.await.unwrap().split_once("\r\n\r\n").unwrap().1.to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_reaches_what_it_was_granted_and_nothing_else() {
    let crm = server().await;
    let port = crm.port();
    let other = server().await;
    let granted = [
        format!("http://{crm}"),
        format!("http://localhost:{port}"),
        format!("http://127.0.0.1.nip.invalid:{port}"),
        "http://127.0.0.1:1".to_owned(),
    ];
    let host = Host::start(&granted).await;
    let check = async |target: String, expected: &str| {
        let told = host.out(&target).await;
        assert!(told.contains(expected), "{target}: {told:.300}");
    };
    check(format!("{crm}/hello"), "200 hello").await;
    assert!(host.out(&format!("{crm}/broken")).await.contains(&"x".repeat(3_000)));
    // Another port, another scheme's port, a user in the name.
    check(format!("{other}/hello"), "HttpRequestDenied").await;
    check("127.0.0.1/hello".to_owned(), "HttpRequestDenied").await;
    check(format!("user@{crm}/hello"), "HttpRequestDenied").await;
    // A name that leads to this machine, granted or not; one that leads nowhere; nobody there.
    check(format!("localhost:{port}/hello"), "DestinationIpProhibited").await;
    check(format!("127.0.0.1.nip.invalid:{port}/hello"), "DnsError").await;
    check("127.0.0.1:1/".to_owned(), "ConnectionRefused").await;
    // A redirect is told, and no way out: where it leads is not granted.
    check(format!("{crm}/away"), "307 http://169.254.169.254/").await;
    check("169.254.169.254/".to_owned(), "HttpRequestDenied").await;
    host.app.shutdown().await;
}
