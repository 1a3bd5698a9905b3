//! The platform without plugins on a simulated call centre: what the bus is asked happens there,
//! and what happens there is told on the bus.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use ami_simulator::{Settings, Simulator};
use serde_json::{Value, json};
use telepulse::app::App;
use telepulse::bus::{Address, Bus as _, Headers};
use telepulse::config::{Config, Source};
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(20);

struct Stage {
    app: App,
    seen: u64,
    _simulator: ami_simulator::Handle,
    _folder: tempfile::TempDir,
}

impl Stage {
    /// The platform, connected to the call centre.
    async fn start(settings: Settings) -> Self {
        let listen = (Ipv4Addr::LOCALHOST, 0).into();
        let simulator = Simulator::start(settings, 1, listen).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "[[server]]\nid = \"demo\"\nhost = \"127.0.0.1\"\nport = {}\n\
             username = \"telepulse\"\nsecret = \"simulated\"\n\
             [store]\npath = \"data\"\n[plugins]\ndir = \"none\"\n[admin]\nlisten = \"127.0.0.1:0\"\n",
            simulator.address().port()
        );
        let config = Config::parse(&Source {
            file: &folder.path().join("telepulse.toml"),
            text: &text,
            variables: &BTreeMap::new(),
            files: &|path: &Path| Err(std::io::Error::other(path.display().to_string())),
        });
        std::fs::create_dir(folder.path().join("none")).unwrap();
        let app = App::start(config.unwrap()).await.unwrap();
        let mut stage = Self { app, seen: 0, _simulator: simulator, _folder: folder };
        stage.until("serverStatus", |event| event["state"] == "CONNECTED").await;
        stage
    }

    /// The next event of a kind for which `wanted` holds; those before it count as seen.
    async fn until(&mut self, kind: &str, wanted: impl Fn(&Value) -> bool) -> Value {
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

    async fn ask(&self, address: &str, request: Value) -> Value {
        let address = Address::parse(address).unwrap();
        let request = request.to_string().into_bytes().into();
        let reply = self.app.bus().request(&address, request, Headers::within(SOON)).await.unwrap();
        serde_json::from_slice(&reply).unwrap()
    }

    /// Sends a command that has to succeed.
    async fn command(&self, command: Value) -> Value {
        let reply = self.ask("telepulse.command", command).await;
        assert_eq!(reply["ok"], true, "{reply}");
        reply["result"].clone()
    }

    async fn query(&self, what: &str) -> Vec<Value> {
        let reply = self.ask("telepulse.query", json!({"query": what})).await;
        reply["result"]["items"].as_array().unwrap_or_else(|| panic!("{reply}")).clone()
    }
}

fn line_up(event: &Value, number: &str) -> bool {
    let lines = event["lines"].as_array().unwrap();
    lines.iter().any(|line| line["state"] == "up" && line["number"] == number)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dialled_call_shows_on_both_lines_until_it_is_hung_up() {
    let mut stage = Stage::start(Settings::quiet(4, &["support"])).await;
    let dialled = stage.command(json!({"action": "dial", "from": "101", "to": "102"})).await;
    let call = dialled["call"].as_str().unwrap();
    let answered = |event: &Value| event["call"] == call && event["agent"] == "102";
    stage.until("callAnswered", answered).await;
    let lines = stage.query("lines").await;
    for (agent, other) in [("101", "102"), ("102", "101")] {
        let line = lines.iter().find(|line| line["agent"] == agent).unwrap();
        assert!(line_up(line, other), "{line}");
    }
    stage.command(json!({"action": "hangup", "agent": "101"})).await;
    stage.until("callEnded", |event| event["call"] == call).await;
    assert!(stage.query("calls").await.is_empty());
    stage.app.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transferred_call_goes_on_with_the_third() {
    let mut stage = Stage::start(Settings::quiet(4, &["support"])).await;
    stage.command(json!({"action": "dial", "from": "101", "to": "102"})).await;
    stage.until("callAnswered", |event| event["agent"] == "102").await;
    stage.command(json!({"action": "transfer", "agent": "101", "to": "103"})).await;
    let talks_to_102 = |event: &Value| event["agent"] == "103" && line_up(event, "102");
    stage.until("activeLines", talks_to_102).await;
    let lines = stage.query("lines").await;
    let idle = |line: &&Value| line["lines"].as_array().is_some_and(Vec::is_empty);
    assert!(lines.iter().find(|line| line["agent"] == "101").is_none_or(|line| idle(&line)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_serves_a_caller_with_the_member_that_was_added() {
    let settings = Settings { talk_ms: 1_500..=1_500, ..Settings::quiet(4, &["support"]) };
    let mut stage = Stage::start(settings).await;
    stage.command(json!({"action": "queueAdd", "agent": "102", "queue": "support"})).await;
    let status = |status: &'static str| {
        move |event: &Value| event["agent"] == "102" && event["status"] == status
    };
    stage.until("queueMemberStatus", status("not_inuse")).await;
    stage.command(json!({"action": "queuePause", "agent": "102", "reason": "Lunch"})).await;
    stage.until("queueMemberStatus", status("paused")).await;
    stage.command(json!({"action": "dial", "from": "101", "to": "600"})).await;
    stage.until("queueCount", |event| event["count"] == 1).await;
    stage.command(json!({"action": "queueUnpause", "agent": "102"})).await;
    stage.until("queueCount", |event| event["count"] == 0).await;
    let complete = stage.until("agentComplete", |event| event["queue"] == "support").await;
    assert_eq!(complete["agent"], "102");
    assert_eq!(complete["talkTime"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_is_not_there_fails_the_dial() {
    let mut settings = Settings::quiet(4, &["support"]);
    settings.phones[3].online = false;
    let mut stage = Stage::start(settings).await;
    let dialled = stage.command(json!({"action": "dial", "from": "104", "to": "102"})).await;
    let failed = stage.until("originateFailed", |_| true).await;
    assert_eq!(failed["actionId"], dialled["actionId"]);
}

/// What the platform shows after a busy while is what the call centre itself would list.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_busy_while_the_model_is_what_the_lists_say() {
    let settings = Settings {
        ring_ms: 50..=300,
        talk_ms: 200..=1_500,
        patience_ms: 500..=2_000,
        ..Settings::demo(24, 3, 1_200)
    };
    let mut stage = Stage::start(settings).await;
    for _ in 0..100 {
        stage.until("callEnded", |_| true).await;
    }
    // Calls come and go between two questions: ask until both answers are of one moment.
    let agrees = async {
        loop {
            let before = channels_listed(&stage).await;
            let calls = stage.query("calls").await;
            let shown: usize =
                calls.iter().map(|call| call["channels"].as_array().unwrap().len()).sum();
            let after = channels_listed(&stage).await;
            if before == after && shown == before.len() {
                return;
            }
        }
    };
    timeout(SOON, agrees).await.unwrap();
}

async fn channels_listed(stage: &Stage) -> Vec<String> {
    let request = json!({"ServerId": "demo", "Action": "CoreShowChannels"});
    let reply = stage.ask("telepulse.proxy.action", request).await;
    let events = reply["result"]["events"].as_array().or(reply["events"].as_array()).cloned();
    let events = events.unwrap_or_else(|| panic!("{reply}"));
    events.iter().filter_map(|event| Some(event["Uniqueid"].as_str()?.to_owned())).collect()
}
