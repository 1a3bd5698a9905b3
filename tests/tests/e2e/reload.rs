//! The WebSocket gateway is replaced on disk, again and again, while calls are made and fifty
//! clients listen: nobody is disconnected, and everybody sees exactly their events.

use crate::{
    platform::{Platform, SOON, TOKEN, component},
    ws::{Client, Incoming},
};
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};
use telepulse::bus::{EventSink, Message, Pattern};
use telepulse_tests::{
    asterisk::{self, Asterisk, Options},
    wait,
};
use tokio::{task::JoinHandle, time::interval};
use tokio_util::sync::CancellationToken;

const CLIENTS: usize = 50;
const REPLACEMENTS: usize = 20;
const CALLS_PER_SECOND: u32 = 20;

/// Writes down everything on the bus, past any gateway and any filter.
#[derive(Default)]
struct Recorder {
    events: Mutex<Vec<(u64, Value)>>,
}

impl EventSink for Recorder {
    fn deliver(&self, event: &Arc<Message>) {
        let json = serde_json::from_slice(&event.payload).expect("events are JSON");
        self.events.lock().expect("nobody panics with it").push((event.seq, json));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_replacements_under_load() -> Result<()> {
    let name = "reload::twenty_replacements_under_load";
    let Some(installation) = asterisk::require(name) else { return Ok(()) };
    let pbx = Asterisk::start(&installation, Options::default()).await?;
    let platform = Platform::builder().server("pbx1", &pbx).start().await?;
    platform.connected("pbx1").await?;
    let recorder = Arc::new(Recorder::default());
    let everything = Pattern::parse("telepulse.event")?;
    let _recording = platform.app.bus().subscribe(&[everything], recorder.clone());

    let stop = CancellationToken::new();
    let load = tokio::spawn(make_calls(pbx.auditor().await?, stop.clone()));
    let mut listeners = Vec::new();
    for number in 0..CLIENTS {
        listeners.push(listen(platform.ws_port, filter(number)).await?);
    }
    replace_again_and_again(&platform).await?;
    stop.cancel();
    let made = load.await??;
    ensure!(made > 100, "only {made} calls were made");

    // Every call ends by itself; then the stream is at rest.
    let last = at_rest(&platform, &recorder).await?;
    let recorded = recorder.events.lock().expect("nobody panics with it").clone();
    ensure!(
        recorded.windows(2).all(|pair| pair[0].0 < pair[1].0),
        "the bus itself is out of order"
    );
    ensure!(recorded.len() > 1000, "only {} events were recorded", recorded.len());
    for (number, listener) in listeners.into_iter().enumerate() {
        let expected: Vec<_> = recorded
            .iter()
            .filter(|(seq, event)| *seq > listener.from && passes(&listener.filter, event))
            .cloned()
            .collect();
        listener
            .check(&expected, last)
            .await
            .with_context(|| format!("client {number} of {}", filter(number)))?;
    }
    platform.stop().await;
    Ok(())
}

/// Twenty times: a good build, and among them one truncated, one that traps in `init`, one that loops.
async fn replace_again_and_again(platform: &Platform) -> Result<()> {
    let file = platform.plugins_dir().join("websocket.wasm");
    let good = fs::read(component("websocket")?)?;
    for turn in 0..REPLACEMENTS {
        let (build, bad) = match turn {
            4 => (good[..good.len() / 2].to_vec(), "truncated"),
            9 => (fs::read(guest("trapping_init")?)?, "trap in init"),
            14 => (fs::read(guest("looping_init")?)?, "loop in init"),
            _ => (variant(&good, turn), ""),
        };
        if bad.is_empty() {
            accepted(platform, &file, &build).await?;
        } else {
            refused(platform, &file, &build, bad).await?;
        }
    }
    Ok(())
}

async fn accepted(platform: &Platform, file: &Path, build: &[u8]) -> Result<()> {
    let before = status(platform)?["hash"].clone();
    fs::write(file, build)?;
    wait::until("the new build to run", SOON, async || {
        let now = status(platform)?;
        Ok((now["hash"] != before && now["state"] == "running" && now.get("error").is_none())
            .then_some(()))
    })
    .await
    .with_context(|| format!("{:?}", status(platform)))
}

/// The old one goes on, and the API says why the new one was not taken.
async fn refused(platform: &Platform, file: &Path, build: &[u8], what: &str) -> Result<()> {
    let before = status(platform)?;
    fs::write(file, build)?;
    let listed = wait::until(&format!("the refusal of the build: {what}"), SOON, async || {
        let list: Value = reqwest::get(platform.admin("/plugins")).await?.json().await?;
        let list = if list.is_array() { list } else { list["items"].clone() };
        let item = list
            .as_array()
            .and_then(|list| list.iter().find(|item| item["name"] == "websocket"))
            .cloned();
        Ok(item.filter(|item| item["error"].is_string() && item["error"] != before["error"]))
    })
    .await?;
    ensure!(listed["state"] == "running", "{what}: {listed}");
    ensure!(listed["hash"] == before["hash"], "{what}: the old build should run: {listed}");
    Ok(())
}

fn status(platform: &Platform) -> Result<Value> {
    let status = platform.app.plugins().show("websocket").context("the plugin is there")?;
    Ok(serde_json::to_value(status)?)
}

/// The same program with other bytes: a custom section at its end.
fn variant(component: &[u8], turn: usize) -> Vec<u8> {
    let content = format!("\u{4}turn{turn:02}");
    let mut bytes = component.to_vec();
    bytes.push(0);
    bytes.push(u8::try_from(content.len()).expect("a short section"));
    bytes.extend_from_slice(content.as_bytes());
    bytes
}

fn guest(name: &str) -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the tests have a parent")?;
    let file = root.join("target/plugins/wasm32-wasip2/plugin").join(format!("{name}.wasm"));
    if !file.exists() {
        bail!(
            "{} is missing: run the tests by `cargo xtask test`, which builds it",
            file.display()
        );
    }
    Ok(file)
}

/// Calls without phones, until told to stop.
async fn make_calls(
    mut auditor: telepulse_tests::ami::Client,
    stop: CancellationToken,
) -> Result<u32> {
    let mut pace = interval(Duration::from_secs(1) / CALLS_PER_SECOND);
    let mut made = 0;
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(made),
            _ = pace.tick() => {}
        }
        let headers = [
            ("Channel", "Local/1@storm"),
            ("Context", "storm"),
            ("Exten", "1"),
            ("Priority", "1"),
            ("CallerID", "\"Storm\" <5551234>"),
            ("Async", "true"),
        ];
        auditor.send("Originate", &headers).await?;
        made += 1;
    }
}

/// Waits until nothing was published for a second and no call is left; gives the last number.
async fn at_rest(platform: &Platform, recorder: &Recorder) -> Result<u64> {
    let mut client = Client::connect(platform.ws_port, TOKEN).await?;
    let mut last = 0;
    let mut quiet = std::time::Instant::now();
    wait::until("the calls to end", Duration::from_mins(1), async || {
        let calls = client.ok(json!({"action": "query", "query": "calls"})).await?;
        let newest = recorder
            .events
            .lock()
            .expect("nobody panics with it")
            .last()
            .map_or(0, |(seq, _)| *seq);
        if newest != last {
            last = newest;
            quiet = std::time::Instant::now();
        }
        let empty = calls["items"].as_array().is_some_and(Vec::is_empty);
        Ok((empty && quiet.elapsed() > Duration::from_secs(1)).then_some(newest))
    })
    .await
}

/// Filters of every kind, so that clients differ.
fn filter(number: usize) -> Value {
    match number % 5 {
        0 => json!({}),
        1 => json!({"events": ["callStarted", "callEnded"]}),
        2 => json!({"events": ["channelState"], "servers": ["pbx1"]}),
        3 => json!({"events": ["channelState", "callAnswered"], "agents": []}),
        _ => json!({"servers": ["another"]}),
    }
}

/// The reference: contract section 2, written again in the plainest way.
fn passes(filter: &Value, event: &Value) -> bool {
    [("events", "event"), ("servers", "server"), ("agents", "agent"), ("queues", "queue")]
        .iter()
        .all(|(list, field)| match (filter.get(list), event.get(field)) {
            (Some(list), Some(value)) => list.as_array().is_some_and(|list| list.contains(value)),
            _ => true,
        })
}

/// A client that listens in the background.
struct Listener {
    filter: Value,
    from: u64,
    seen: Arc<Mutex<Vec<(u64, Value)>>>,
    task: JoinHandle<Result<()>>,
}

async fn listen(port: u16, filter: Value) -> Result<Listener> {
    let mut client = Client::connect(port, TOKEN).await?;
    let result = client.ok(json!({"action": "subscribe", "filter": filter})).await?;
    let from = result["seq"].as_u64().context("a subscribe tells where it begins")?;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = seen.clone();
    let task = tokio::spawn(async move {
        loop {
            match client.incoming(Duration::from_mins(10)).await? {
                Incoming::Json(event) => {
                    let seq =
                        event["seq"].as_u64().with_context(|| format!("no event: {event}"))?;
                    sink.lock().expect("nobody panics with it").push((seq, event));
                }
                Incoming::Closed(frame) => bail!("was disconnected: {frame:?}"),
            }
        }
    });
    Ok(Listener { filter, from, seen, task })
}

impl Listener {
    /// Whether exactly the expected events came, in order, and the connection stands.
    async fn check(self, expected: &[(u64, Value)], last: u64) -> Result<()> {
        let due = expected.iter().map(|(seq, _)| *seq).filter(|seq| *seq <= last).count();
        let arrived = wait::until("every event to arrive", SOON, async || {
            ensure!(!self.task.is_finished(), "the connection was lost");
            Ok((self.seen.lock().expect("nobody panics with it").len() >= due).then_some(()))
        })
        .await;
        let seen = self.seen.lock().expect("nobody panics with it");
        for (index, (ours, theirs)) in seen.iter().zip(expected).enumerate() {
            ensure!(ours == theirs, "event {index} is {ours:?} and should be {theirs:?}");
        }
        ensure!(seen.len() == expected.len(), "{} events came of {}", seen.len(), expected.len());
        self.task.abort();
        arrived
    }
}
