//! A platform without plugins, on any server: commands, queries and events over the bus.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use telepulse::{
    app::App,
    bus::{Address, EventSink, Guard, Headers, Message, Pattern},
    config::{Config, Source},
};
use telepulse_tests::{asterisk::Asterisk, wait};
use tempfile::TempDir;

pub(crate) const SOON: Duration = Duration::from_secs(40);

/// Writes down what is published.
#[derive(Default)]
pub(crate) struct Recorder {
    events: Mutex<Vec<Value>>,
}

impl Recorder {
    /// What was published so far.
    pub(crate) fn all(&self) -> Vec<Value> {
        self.events.lock().expect("nobody panics with it").clone()
    }
}

impl EventSink for Recorder {
    fn deliver(&self, event: &Arc<Message>) {
        let json = serde_json::from_slice(&event.payload).expect("what is published is JSON");
        self.events.lock().expect("nobody panics with it").push(json);
    }
}

/// A platform without plugins, and a record of its events.
pub(crate) struct Bench {
    pub(crate) app: App,
    recorder: Arc<Recorder>,
    _recording: Guard,
    _dir: TempDir,
}

impl Bench {
    /// Connected to one Asterisk, `pbx1`.
    pub(crate) async fn start(pbx: &Asterisk) -> Result<Self> {
        let bench = Self::with(&server("pbx1", pbx, "")).await?;
        bench.state("pbx1", "CONNECTED").await?;
        Ok(bench)
    }

    /// With these servers, as the configuration file has them; it does not wait for them.
    pub(crate) async fn with(servers: &str) -> Result<Self> {
        let dir = TempDir::with_prefix("telepulse-core-")?;
        std::fs::create_dir(dir.path().join("plugins.d"))?;
        let text = format!(
            "[store]\npath = \"data\"\n[plugins]\ndir = \"plugins.d\"\n\
             [admin]\nlisten = \"127.0.0.1:0\"\n{servers}"
        );
        let config = Config::parse(&Source {
            file: &dir.path().join("telepulse.toml"),
            text: &text,
            variables: &std::collections::BTreeMap::new(),
            files: &|path| std::fs::read_to_string(path),
        })
        .map_err(|mistakes| anyhow::anyhow!("{mistakes}"))?;
        let app = App::start(config).await?;
        let recorder = Arc::new(Recorder::default());
        let events = Pattern::parse("telepulse.event")?;
        let recording = app.bus().subscribe(&[events], recorder.clone());
        Ok(Self { app, recorder, _recording: recording, _dir: dir })
    }

    /// Waits until a server is in a state; answers its description.
    pub(crate) async fn state(&self, server: &str, state: &str) -> Result<Value> {
        let mut last = Value::Null;
        let what = format!("{server} to be {state}");
        let found = wait::until(&what, SOON, async || {
            last = self.server(server).await?;
            Ok((last["state"] == state).then(|| last.clone()))
        });
        found.await.with_context(|| format!("last: {last}"))
    }

    /// A server as the admin API shows it.
    pub(crate) async fn server(&self, id: &str) -> Result<Value> {
        let all = self.ok("telepulse.proxy.command", json!({"command": "list"})).await?;
        let items = all["items"].as_array().context("a list has items")?;
        items.iter().find(|item| item["id"] == id).cloned().context("there is no such server")
    }

    /// Records what is published below an address, until the guard is dropped.
    pub(crate) fn record(&self, pattern: &str) -> Result<(Arc<Recorder>, Guard)> {
        let recorder = Arc::new(Recorder::default());
        let guard = self.app.bus().subscribe(&[Pattern::parse(pattern)?], recorder.clone());
        Ok((recorder, guard))
    }

    pub(crate) async fn request(&self, address: &str, request: Value) -> Result<Value> {
        let payload = request.to_string().into_bytes().into();
        let headers = Headers::within(Duration::from_secs(10));
        let answer = self.app.bus().request(&Address::parse(address)?, payload, headers).await?;
        Ok(serde_json::from_slice(&answer)?)
    }

    pub(crate) async fn ok(&self, address: &str, request: Value) -> Result<Value> {
        let reply = self.request(address, request.clone()).await?;
        ensure!(reply["ok"] == true, "{request} was refused: {reply}");
        Ok(reply["result"].clone())
    }

    pub(crate) async fn command(&self, request: Value) -> Result<Value> {
        self.ok("telepulse.command", request).await
    }

    pub(crate) async fn items(&self, query: &str) -> Result<Vec<Value>> {
        let result = self.ok("telepulse.query", json!({"query": query})).await?;
        Ok(result["items"].as_array().context("a query has items")?.clone())
    }

    /// Every event of the language so far.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.recorder.all()
    }

    /// Waits for an event; all that were seen are in the error.
    pub(crate) async fn event(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
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
    pub(crate) async fn line(&self, agent: &str, expected: Option<(&str, &str)>) -> Result<Value> {
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

/// `[[server]]` for an Asterisk, with further lines.
pub(crate) fn server(id: &str, pbx: &Asterisk, more: &str) -> String {
    let (port, username, secret) = (pbx.manager().port(), pbx.username(), pbx.secret());
    format!(
        "[[server]]\nid = \"{id}\"\nhost = \"127.0.0.1\"\nport = {port}\n\
         username = \"{username}\"\nsecret = \"{secret}\"\n{more}\n"
    )
}
