//! A whole host on a folder of plugins: told by the bus, looked at as an operator does.

use bytes::Bytes;
use plugin_host::{Figures, PluginStatus, ports::EventSink};
use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use telepulse::{
    app::App,
    bus::{Address, Guard, Message, Pattern},
    config::{Config, Source},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Notify, watch},
};

/// Longer than any limit that is tried, on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A component of `tests/guests`.
pub fn guest(name: &str) -> Vec<u8> {
    let guests =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins/wasm32-wasip2/plugin");
    fs::read(guests.join(format!("{}.wasm", name.replace('-', "_")))).unwrap()
}

/// A folder to be filled.
pub struct Rig {
    folder: TempDir,
    gateway: u16,
}

/// What plugins said, by address.
#[derive(Default)]
struct Said {
    texts: Mutex<BTreeMap<String, Vec<String>>>,
    news: Notify,
}

impl EventSink for Said {
    fn deliver(&self, event: &Arc<Message>) {
        let text = String::from_utf8_lossy(&event.payload).into_owned();
        self.texts.lock().unwrap().entry(event.address.to_string()).or_default().push(text);
        self.news.notify_waiters();
    }
}

impl Rig {
    pub fn new() -> Self {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("plugins.d")).unwrap();
        let gateway = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        Self { folder, gateway: gateway.local_addr().unwrap().port() }
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join("plugins.d").join(file)
    }

    /// Puts a plugin there before the host starts.
    pub fn plugin(&self, name: &str, wasm: &[u8], toml: &str) {
        fs::write(self.path(&format!("{name}.toml")), toml).unwrap();
        fs::write(self.path(&format!("{name}.wasm")), wasm).unwrap();
    }

    /// The villain, under a name, with more settings.
    pub fn villain(&self, name: &str, settings: &str) {
        self.plugin(name, &guest("villain"), &self.grants(name, settings));
    }

    /// A villain's grants, and its limits.
    pub fn grants(&self, name: &str, settings: &str) -> String {
        let port = self.gateway;
        // Who sleeps is woken after twenty times as long, and a second.
        let call_ms = if name == "sleeper" { 100 } else { 300 };
        format!(
            "[grants]\nsubscribe = [\"test.in.{name}\"]\npublish = [\"test.out.{name}\", \
             \"telepulse.event\", \"telepulse.proxy\", \"telepulse.command\"]\n\
             request = [\"test.void\", \"telepulse.query\"]\nkv = \"1 KiB\"\nhttp = []\n\
             websocket = [{{ listen = \"127.0.0.1:{port}\", path = \"/{name}\" }}]\n\
             [limits]\ncallMs = {call_ms}\n\
             [settings]\nout = \"test.out.{name}\"\n{settings}\n"
        )
    }

    /// Starts the host, with a healthy plugin beside the others.
    pub async fn start(self) -> Running {
        let counter = "[grants]\nsubscribe = [\"test.in.healthy\"]\n\
                       publish = [\"test.out\", \"test.log\"]\n";
        self.plugin("healthy", &guest("counter"), counter);
        let config = Config::parse(&Source::alone(
            &self.folder.path().join("telepulse.toml"),
            "[store]\npath = \"data\"\n[admin]\nlisten = \"127.0.0.1:0\"\n",
        ));
        let app = App::start(config.unwrap()).await.unwrap();
        let said = Arc::new(Said::default());
        let pattern = Pattern::parse("test").unwrap();
        let sink: Arc<dyn EventSink> = said.clone();
        let guard = app.bus().subscribe(&[pattern], sink);
        Running { app, said, rig: self, _guard: guard }
    }
}

/// A host that runs.
pub struct Running {
    pub app: App,
    pub rig: Rig,
    said: Arc<Said>,
    _guard: Guard,
}

impl Running {
    /// Publishes an event to one plugin.
    pub fn emit(&self, name: &str, payload: &str) {
        let address = Address::parse(&format!("test.in.{name}")).unwrap();
        self.app.bus().publish(&address, None, Bytes::copy_from_slice(payload.as_bytes()));
    }

    /// Tells a villain something, and waits until it says so.
    pub async fn tell(&self, name: &str, what: &str, said: &str) {
        self.emit(name, what);
        self.heard(&format!("test.out.{name}"), what, |text| text.starts_with(said)).await;
    }

    /// Waits for something at an address.
    pub async fn heard(&self, address: &str, what: &str, wanted: impl Fn(&str) -> bool) {
        let hearing = async {
            loop {
                let news = self.said.news.notified();
                let is_there = |texts: &Vec<String>| texts.iter().any(|text| wanted(text));
                if self.said.texts.lock().unwrap().get(address).is_some_and(is_there) {
                    return;
                }
                news.await;
            }
        };
        if tokio::time::timeout(PATIENCE, hearing).await.is_err() {
            let texts = self.said.texts.lock().unwrap().get(address).cloned();
            let texts = texts.unwrap_or_default();
            let name = address.trim_start_matches("test.out.");
            panic!("{what}: {texts:.2000?}; {:?}", self.tells(name));
        }
    }

    /// Waits for a plugin's figures, which nobody is told of.
    pub async fn figures(&self, name: &str, wanted: impl Fn(&Figures) -> bool) {
        let begun = Instant::now();
        while !wanted(&self.show(name).figures) {
            assert!(begun.elapsed() < PATIENCE, "{name}: {:?}", self.tells(name));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// What matters of a status when a test fails.
    fn tells(&self, name: &str) -> impl std::fmt::Debug {
        self.app.plugins().show(name).map(|it| (it.state, it.error, it.figures))
    }

    pub fn show(&self, name: &str) -> PluginStatus {
        self.app.plugins().show(name).unwrap()
    }

    /// Waits for a plugin's status.
    pub async fn status(
        &self,
        name: &str,
        what: &str,
        wanted: impl Fn(&PluginStatus) -> bool,
    ) -> PluginStatus {
        let mut changed: watch::Receiver<_> = self.app.plugins().changed();
        let is_so = |all: &plugin_host::Statuses| all.get(name).is_some_and(&wanted);
        let waited = tokio::time::timeout(PATIENCE, changed.wait_for(is_so)).await;
        assert!(waited.is_ok(), "never {what}: {:?}", self.tells(name));
        self.show(name)
    }

    /// The healthy plugin does its work, event by event.
    pub async fn healthy(&self) {
        let before = self.show("healthy").figures.handled;
        for number in before + 1..=before + 50 {
            self.emit("healthy", "{}");
            let counted = |text: &str| text.ends_with(&format!(" {number}"));
            self.heard("test.out", "the healthy one counts", counted).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let status = self.show("healthy");
        assert_eq!((status.incarnation, status.error), (1, None));
    }

    /// What `GET /metrics` answers.
    pub async fn metrics(&self) -> String {
        let mut socket = TcpStream::connect(self.app.admin_address()).await.unwrap();
        let request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        socket.write_all(request).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        answer
    }

    pub async fn stop(self) {
        self.app.shutdown().await;
    }
}
