//! Proxy and core without gateways: commands, queries and events over the bus, on a real Asterisk.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};
use telepulse::{
    app::App,
    bus::{Address, Bus, EventSink, Guard, Headers, Message, Pattern},
    config::{Config, Source},
};
use telepulse_tests::{
    asterisk::{self, Asterisk, Options},
    phones::Phone,
    wait,
};
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(20);
const RING: Duration = Duration::from_millis(200);

/// Writes down what is published.
#[derive(Default)]
struct Recorder {
    events: Mutex<Vec<Value>>,
}

impl EventSink for Recorder {
    fn deliver(&self, event: &Arc<Message>) {
        let json = serde_json::from_slice(&event.payload).expect("what is published is JSON");
        self.events.lock().expect("nobody panics with it").push(json);
    }
}

/// A platform without plugins, and a record of its events.
struct Bench {
    app: App,
    recorder: Arc<Recorder>,
    _recording: Guard,
    _dir: TempDir,
}

impl Bench {
    async fn start(pbx: &Asterisk) -> Result<Self> {
        let dir = TempDir::with_prefix("telepulse-core-")?;
        std::fs::create_dir(dir.path().join("plugins.d"))?;
        let text = format!(
            "[store]\npath = \"data\"\n[plugins]\ndir = \"plugins.d\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\
             [[server]]\nid = \"pbx1\"\nhost = \"127.0.0.1\"\nport = {}\nusername = \"{}\"\nsecret = \"{}\"\n",
            pbx.manager().port(),
            pbx.username(),
            pbx.secret(),
        );
        let config = Config::parse(&Source {
            file: &dir.path().join("telepulse.toml"),
            text: &text,
            variables: &std::collections::BTreeMap::new(),
            files: &|_| Err(std::io::ErrorKind::Unsupported.into()),
        })
        .map_err(|mistakes| anyhow::anyhow!("{mistakes}"))?;
        let app = App::start(config).await?;
        let recorder = Arc::new(Recorder::default());
        let events = Pattern::parse("telepulse.event")?;
        let recording = app.bus().subscribe(&[events], recorder.clone());
        let bench = Self { app, recorder, _recording: recording, _dir: dir };
        wait::until("the server to be connected", SOON, async || {
            let servers = bench.ok("telepulse.query", json!({"query": "servers"})).await?;
            Ok((servers["items"][0]["state"] == "CONNECTED").then_some(()))
        })
        .await?;
        Ok(bench)
    }

    async fn request(&self, address: &str, request: Value) -> Result<Value> {
        let payload = request.to_string().into_bytes().into();
        let headers = Headers::within(Duration::from_secs(10));
        let answer = self.app.bus().request(&Address::parse(address)?, payload, headers).await?;
        Ok(serde_json::from_slice(&answer)?)
    }

    async fn ok(&self, address: &str, request: Value) -> Result<Value> {
        let reply = self.request(address, request.clone()).await?;
        ensure!(reply["ok"] == true, "{request} was refused: {reply}");
        Ok(reply["result"].clone())
    }

    async fn command(&self, request: Value) -> Result<Value> {
        self.ok("telepulse.command", request).await
    }

    async fn items(&self, query: &str) -> Result<Vec<Value>> {
        let result = self.ok("telepulse.query", json!({"query": query})).await?;
        Ok(result["items"].as_array().context("a query has items")?.clone())
    }

    /// Waits for an event; all that were seen are in the error.
    async fn event(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        let found = wait::until(what, SOON, async || {
            Ok(self
                .recorder
                .events
                .lock()
                .expect("nobody panics with it")
                .iter()
                .find(|event| wanted(event))
                .cloned())
        })
        .await;
        found.with_context(|| {
            let events = self.recorder.events.lock().expect("nobody panics with it");
            events.iter().map(Value::to_string).collect::<Vec<_>>().join("\n")
        })
    }

    /// Waits until the extension's lines are just one, in this state with this number; or none.
    async fn line(&self, agent: &str, expected: Option<(&str, &str)>) -> Result<Value> {
        let mut last = Value::Null;
        let what = format!("{agent} to have the line {expected:?}");
        let found = wait::until(&what, SOON, async || {
            let events = self.recorder.events.lock().expect("nobody panics with it");
            let of_agent =
                |event: &&Value| event["event"] == "activeLines" && event["agent"] == agent;
            last = events.iter().rev().find(of_agent).cloned().unwrap_or_default();
            let lines = last["lines"].as_array().cloned().unwrap_or_default();
            let same = match expected {
                None => lines.is_empty(),
                Some((state, number)) => {
                    lines.len() == 1 && lines[0]["state"] == state && lines[0]["number"] == number
                }
            };
            Ok(same.then(|| last.clone()))
        })
        .await;
        found.with_context(|| format!("last: {last}"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_dialled_transferred_and_hung_up() -> Result<()> {
    let name = "core_on_the_bus::a_call_is_dialled_transferred_and_hung_up";
    let Some(installation) = asterisk::require(name) else { return Ok(()) };
    let pbx = Asterisk::start(&installation, Options::default()).await?;
    let mut phones = Vec::new();
    for extension in ["101", "102", "103"] {
        phones.push(Phone::answering(pbx.phone_port(extension)?, RING).await?);
    }
    let bench = Bench::start(&pbx).await?;
    let dialled = bench.command(json!({"action": "dial", "from": "101", "to": "102"})).await?;
    bench.line("101", Some(("up", "102"))).await?;
    let line = bench.line("102", Some(("up", "101"))).await?;
    ensure!(line["lines"][0]["call"] == dialled["call"], "{line} {dialled}");
    bench.event("the answer", |event| event["event"] == "callAnswered").await?;

    bench.command(json!({"action": "transfer", "agent": "101", "to": "103"})).await?;
    bench.line("102", Some(("up", "103"))).await?;
    bench.line("103", Some(("up", "102"))).await?;
    bench.line("101", None).await?;

    bench.command(json!({"action": "hangup", "call": dialled["call"]})).await?;
    let ended = bench
        .event("the end", |event| event["event"] == "callEnded" && event["agent"] == "103")
        .await?;
    ensure!(ended["disposition"] == "answered" && ended["call"] == dialled["call"], "{ended}");
    bench
        .event("no number", |event| {
            event["event"] == "phoneNumber" && event["agent"] == "102" && event["number"].is_null()
        })
        .await?;
    ensure!(bench.items("calls").await?.is_empty(), "a call is left");
    ensure!(pbx.auditor().await?.core_show_channels().await?.is_empty(), "a channel is left");
    bench.app.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_call_ends_in_agent_complete() -> Result<()> {
    let name = "core_on_the_bus::a_queue_call_ends_in_agent_complete";
    let Some(installation) = asterisk::require(name) else { return Ok(()) };
    let pbx = Asterisk::start(&installation, Options::default()).await?;
    let _member = Phone::answering(pbx.phone_port("104")?, RING).await?;
    let bench = Bench::start(&pbx).await?;
    let member = |status: &'static str| {
        bench.event(status, move |event| {
            event["event"] == "queueMemberStatus"
                && event["agent"] == "104"
                && event["queue"] == "support"
                && event["status"] == status
        })
    };
    bench.command(json!({"action": "queueAdd", "agent": "104", "queue": "support"})).await?;
    member("not_inuse").await?;
    let pause =
        json!({"action": "queuePause", "agent": "104", "queue": "support", "reason": "lunch"});
    bench.command(pause).await?;
    ensure!(member("paused").await?["reason"] == "lunch", "the reason is missing");

    let _caller = Phone::call(&pbx, "105", "600")?;
    bench
        .event("one waiting", |event| event["event"] == "queueCount" && event["count"] == 1)
        .await?;
    let queues = bench.items("queues").await?;
    let support = queues.iter().find(|queue| queue["queue"] == "support").context("support")?;
    ensure!(support["callers"][0]["number"] == "105", "{support}");

    bench.command(json!({"action": "queueUnpause", "agent": "104", "queue": "support"})).await?;
    bench.line("104", Some(("up", "105"))).await?;
    let observer = pbx.observer().await?;
    bench.command(json!({"action": "hangup", "agent": "104"})).await?;
    let complete = bench.event("agentComplete", |event| event["event"] == "agentComplete").await?;
    ensure!(complete["agent"] == "104" && complete["queue"] == "support", "{complete}");
    // Asterisk's own word: whose hang-up it sees first is a race in it.
    let said = observer.wait(0, SOON, "AgentComplete", |event| event.is_event("AgentComplete"));
    ensure!(complete["reason"].as_str() == said.await?.get("Reason"), "{complete}");
    bench.command(json!({"action": "queueRemove", "agent": "104", "queue": "support"})).await?;
    member("loggedoff").await?;
    bench.app.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_the_model_equals_the_listings() -> Result<()> {
    let name = "core_on_the_bus::after_a_kill_the_model_equals_the_listings";
    let Some(installation) = asterisk::require(name) else { return Ok(()) };
    let mut pbx = Asterisk::start(&installation, Options::default()).await?;
    let _callee = Phone::answering(pbx.phone_port("102")?, RING).await?;
    let bench = Bench::start(&pbx).await?;
    let caller = Phone::call(&pbx, "101", "102")?;
    bench.line("102", Some(("up", "101"))).await?;

    pbx.kill()?;
    let state = |state: &'static str| {
        bench.event(state, move |event| event["event"] == "serverStatus" && event["state"] == state)
    };
    state("DISCONNECTED").await?;
    ensure!(bench.items("calls").await?.len() == 1, "what is known is still shown");
    let dial = json!({"action": "dial", "from": "101", "to": "102"});
    let refused = bench.request("telepulse.command", dial).await?;
    ensure!(refused["error"]["code"] == "serverUnavailable", "{refused}");
    drop(caller);

    pbx.start_again().await?;
    let _other = Phone::call(&pbx, "103", "801")?;
    let ended = bench.event("the lost call's end", |event| event["event"] == "callEnded").await?;
    ensure!(ended["disposition"] == "lost", "{ended}");
    bench.event("resync", |event| event["event"] == "resync").await?;
    let mut auditor = pbx.auditor().await?;
    let mut last = String::new();
    let equal = wait::until("the model to equal the listing", SOON, async || {
        let theirs: BTreeSet<String> = auditor
            .core_show_channels()
            .await?
            .iter()
            .map(|item| format!("{:?} {:?}", item.get("Channel"), item.get("ChannelStateDesc")))
            .map(|text| text.to_lowercase())
            .collect();
        let ours: BTreeSet<String> = bench
            .items("calls")
            .await?
            .iter()
            .flat_map(|call| call["channels"].as_array().cloned().unwrap_or_default())
            .map(|item| format!("{:?} {:?}", item["channel"].as_str(), item["state"].as_str()))
            .map(|text| text.to_lowercase())
            .collect();
        last = format!("ours: {ours:?} theirs: {theirs:?}");
        Ok((ours == theirs && !theirs.is_empty()).then_some(()))
    });
    equal.await.context(last)?;
    bench.app.shutdown().await;
    Ok(())
}
