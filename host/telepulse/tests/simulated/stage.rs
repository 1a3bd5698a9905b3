//! The platform on simulated servers, and what it says.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::time::Duration;

use ami_simulator::{Settings, Simulator};
use serde_json::{Value, json};
use telepulse::app::App;
use telepulse::bus::{Address, Headers};
use telepulse::config::{Config, Source};
use tokio::time::timeout;

pub(crate) const SOON: Duration = Duration::from_secs(20);

pub(crate) struct Stage {
    pub(crate) app: App,
    seen: u64,
    pub(crate) simulators: Vec<ami_simulator::Handle>,
    /// What it was started with.
    pub(crate) config: Config,
    _folder: tempfile::TempDir,
}

impl Stage {
    /// The platform, connected to the call centre, which is the server `demo`.
    pub(crate) async fn start(settings: Settings) -> Self {
        Self::of(vec![Settings { system_name: "demo".to_owned(), ..settings }]).await
    }

    /// The same with several servers, each under its own name.
    pub(crate) async fn of(sites: Vec<Settings>) -> Self {
        Self::on("", sites).await
    }

    /// The same with more of a configuration.
    pub(crate) async fn on(more: &str, sites: Vec<Settings>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut simulators = Vec::new();
        let mut text = "[store]\npath = \"data\"\n[plugins]\ndir = \"none\"\n\
                        [admin]\nlisten = \"127.0.0.1:0\"\n"
            .to_owned()
            + more;
        for site in sites {
            let id = site.system_name.clone();
            let listen = (Ipv4Addr::LOCALHOST, 0).into();
            let simulator = Simulator::start(site, 1, listen).await.unwrap();
            let port = simulator.address().port();
            writeln!(
                text,
                "[[server]]\nid = \"{id}\"\nhost = \"127.0.0.1\"\nport = {port}\n\
                 username = \"telepulse\"\nsecret = \"simulated\"\nvoicemail = \"*{{ext}}\""
            )
            .unwrap();
            simulators.push(simulator);
        }
        let config = Config::parse(&Source::alone(&folder.path().join("telepulse.toml"), &text));
        std::fs::create_dir(folder.path().join("none")).unwrap();
        let config = config.unwrap();
        let app = App::start(config.clone()).await.unwrap();
        let servers = simulators.len();
        let mut stage = Self { app, seen: 0, simulators, config, _folder: folder };
        for _ in 0..servers {
            stage.until("serverStatus", |event| event["state"] == "CONNECTED").await;
        }
        stage
    }

    /// The next event of a kind for which `wanted` holds; those before it count as seen.
    pub(crate) async fn until(&mut self, kind: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let bus = self.app.bus().clone();
        let mut news = bus.stream().news();
        let found = async {
            loop {
                for entry in bus.stream().read(self.seen, 1_000).unwrap() {
                    self.seen = entry.seq;
                    if entry.kind() == kind {
                        let event: Value = serde_json::from_slice(&entry.json()).unwrap();
                        if wanted(&event) {
                            return event;
                        }
                    }
                }
                if bus.stream().tail() == self.seen {
                    news.wait_for(|tail| *tail > self.seen).await.unwrap();
                }
            }
        };
        timeout(SOON, found).await.unwrap_or_else(|_| panic!("no such {kind} came in time"))
    }

    /// Waits until each of these events has come, in whatever order.
    pub(crate) async fn told<const N: usize>(
        &mut self,
        what: &str,
        wanted: [&dyn Fn(&Value) -> bool; N],
    ) -> [Value; N] {
        let bus = self.app.bus().clone();
        let mut news = bus.stream().news();
        let mut found = [const { Value::Null }; N];
        let all = async {
            while found.iter().any(Value::is_null) {
                for entry in bus.stream().read(self.seen, 1_000).unwrap() {
                    self.seen = entry.seq;
                    let event: Value = serde_json::from_slice(&entry.json()).unwrap();
                    for (found, wanted) in found.iter_mut().zip(wanted) {
                        if found.is_null() && wanted(&event) {
                            *found = event.clone();
                        }
                    }
                }
                if bus.stream().tail() == self.seen && found.iter().any(Value::is_null) {
                    news.wait_for(|tail| *tail > self.seen).await.unwrap();
                }
            }
        };
        timeout(SOON, all).await.unwrap_or_else(|_| panic!("waited in vain for {what}"));
        found
    }

    pub(crate) async fn ask(&self, address: &str, request: Value) -> Value {
        let address = Address::parse(address).unwrap();
        let request = request.to_string().into_bytes().into();
        let reply = self.app.bus().request(&address, request, Headers::within(SOON)).await.unwrap();
        serde_json::from_slice(&reply).unwrap()
    }

    /// Sends a command that has to succeed.
    pub(crate) async fn command(&self, command: Value) -> Value {
        let reply = self.ask("telepulse.command", command).await;
        assert_eq!(reply["ok"], true, "{reply}");
        reply["result"].clone()
    }

    /// Sends a command that has to be refused.
    pub(crate) async fn refused(&self, command: Value) -> Value {
        let reply = self.ask("telepulse.command", command).await;
        assert_eq!(reply["ok"], false, "{reply}");
        reply["error"].clone()
    }

    pub(crate) async fn query(&self, what: &str) -> Vec<Value> {
        let reply = self.ask("telepulse.query", json!({"query": what})).await;
        reply["result"]["items"].as_array().unwrap_or_else(|| panic!("{reply}")).clone()
    }
}
